//! The lean path: the requests that every object costs (GET, HEAD, PUT, a part, a page of a listing) without the SDK.
//!
//! Apart, and second: the SDK takes three to five times as much processor time for a small object as its bytes need
//! (docs/decisions/0013). What is unusual stays with the SDK, which is the reference: endpoints and credentials come
//! from it, stores that need more than a SigV4 signature (directory buckets, multi-region access points) or a proxy
//! are left to it, and so is a request that is sent elsewhere or that meets a clock that is wrong.

mod address;
mod connection;
mod exchange;
mod listing;
mod reply;
mod request;
mod signer;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use longbow_core::backoff::Backoff;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ETag, ObjectHead, ObjectKey, Prefix};
use longbow_core::port::{
    GetRequest, HeadRequest, ListPage, ObjectBody, PartRequest, PutRequest, ReadPin, UploadId, Written,
};

pub(crate) use address::Address;
pub(crate) use connection::Pool;
#[cfg(test)]
pub(crate) use exchange::ReplyBody;
pub(crate) use exchange::Transport;
pub(crate) use listing::read as read_listing;
pub(crate) use signer::Signer;

use crate::body::{Limits, Outgoing, reading};
use crate::failure::About;
use crate::s3::{Extent, Writing, check_extent, check_pin, condition_headers, range_header, read_page};
use reply::Answer;
use request::{Headers, Query};
use signer::Signature;

/// Requests that the SDK would repeat are repeated here as often (`session.rs`), and for the same reasons (`too_many.rs`).
const ATTEMPTS: u32 = 3;
const ATTEMPTS_OF_WRITES: u32 = 2;
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), most: Duration::from_secs(5) };

/// Why there is no answer from this path.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The fault is what the caller should know.
    Final(StoreError),
    /// Another attempt may help.
    Again(StoreError),
    /// The SDK may know what to do.
    AskSdk(StoreError),
}

impl Refusal {
    fn of(error: StoreError, status: u16) -> Self {
        match (error.kind, error.code.as_deref()) {
            (_, Some("RequestTimeTooSkewed" | "RequestExpired")) => Self::AskSdk(error),
            _ if (300..400).contains(&status) => Self::AskSdk(error),
            // A store that wants less is asked again by who knows how much else it is asked for (decision 0023).
            (StoreErrorKind::Transient, _) => Self::Again(error),
            _ => Self::Final(error),
        }
    }

    fn into_error(self) -> StoreError {
        match self {
            Self::Final(error) | Self::Again(error) | Self::AskSdk(error) => error,
        }
    }
}

/// What a request of this path gives: an answer, a fault, or `None` when the SDK is to be asked.
pub(crate) type Outcome<T> = Result<Option<T>, StoreError>;

/// One bucket by the lean path.
#[derive(Debug)]
pub(crate) struct Lean {
    pub(crate) address: Address,
    pub(crate) signer: Signer,
    pub(crate) transport: Transport,
    /// For an answer to begin, counted from the end of the request's body.
    pub(crate) answer: Duration,
    /// For a body to stand still.
    pub(crate) stall: Duration,
    /// `x-amz-request-payer` and `x-amz-expected-bucket-owner`.
    pub(crate) owner: Option<String>,
    pub(crate) pays: bool,
    pub(crate) writing: Writing,
}

impl Lean {
    pub(crate) async fn list(
        &self,
        about: &About<'_>,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
        most: i32,
    ) -> Outcome<ListPage> {
        let mut query = Query::default();
        query.add("list-type", "2");
        query.add("max-keys", &most.to_string());
        // Without it, keys with control characters make replies that are no XML.
        query.add("encoding-type", "url");
        if !prefix.as_str().is_empty() {
            query.add("prefix", prefix.as_str());
        }
        match (page, after) {
            (Some(token), _) => query.add("continuation-token", token),
            (None, Some(after)) => query.add("start-after", after.as_str()),
            (None, None) => {}
        }
        let headers = self.usual_headers();
        let read = repeat(ATTEMPTS, || async {
            let answer = self.ask(about, Method::GET, None, &query, &headers).await?;
            let body = answer.collect(about, self.answer).await?;
            listing::read(about, &body).map_err(|error| Refusal::of(error, 200))
        });
        match finish(about, read.await)? {
            Some(answer) => read_page(about, prefix, page, answer).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) async fn head(
        &self,
        about: &About<'_>,
        key: &ObjectKey,
        request: &HeadRequest,
    ) -> Outcome<(ObjectHead, u64)> {
        let mut headers = self.usual_headers();
        let query = pin(&request.pin, &mut headers);
        if request.checksums {
            headers.add("x-amz-checksum-mode", "ENABLED");
        }
        let read = repeat(ATTEMPTS, || async {
            let answer = self.ask(about, Method::HEAD, Some(key), &query, &headers).await?;
            let Some(length) = answer.length() else {
                let text = "the reply states no Content-Length";
                return Err(Refusal::Final(about.fault(StoreErrorKind::Transient, text)));
            };
            let head = answer.head();
            answer.discard(about, self.answer).await?;
            Ok((head, length))
        });
        finish(about, read.await)
    }

    pub(crate) async fn get(
        &self,
        about: &About<'_>,
        bucket: &Arc<str>,
        key: &ObjectKey,
        request: &GetRequest,
    ) -> Outcome<ObjectBody> {
        let mut headers = self.usual_headers();
        let query = pin(&request.pin, &mut headers);
        if let Some(range) = request.range {
            headers.add("range", &range_header(about, range)?);
        } else if request.checksums {
            headers.add("x-amz-checksum-mode", "ENABLED");
        }
        let read = repeat(ATTEMPTS, || self.ask(about, Method::GET, Some(key), &query, &headers));
        let Some(answer) = finish(about, read.await)? else { return Ok(None) };
        let mut head = answer.head();
        head.parts = None;
        check_pin(about, &request.pin, head.etag.as_ref(), head.version.as_ref())?;
        let extent = Extent { length: answer.length(), range: answer.text("content-range") };
        let length = check_extent(about, request.range, &extent)?;
        if request.range.is_none() {
            head.size = length;
        }
        let stream = reading(answer.into_body(), length, Some(self.stall), Arc::clone(bucket), key.clone());
        Ok(Some(ObjectBody { head, length, stream }))
    }

    pub(crate) async fn put(
        &self,
        about: &About<'_>,
        key: &ObjectKey,
        outgoing: Outgoing,
        request: &PutRequest,
    ) -> Result<Sent<Written>, StoreError> {
        let mut headers = self.usual_headers();
        let (if_match, if_none_match) = condition_headers(&request.condition);
        headers.maybe("if-match", if_match.as_deref());
        headers.maybe("if-none-match", if_none_match.as_deref());
        headers.attributes(&request.attributes);
        headers.digests(request.md5.as_ref(), &request.checksums);
        headers.tags(&request.tags);
        headers.writing(&self.writing);
        self.send(about, key, &Query::default(), &headers, outgoing).await
    }

    pub(crate) async fn put_part(
        &self,
        about: &About<'_>,
        key: &ObjectKey,
        upload: &UploadId,
        outgoing: Outgoing,
        request: &PartRequest,
    ) -> Result<Sent<Written>, StoreError> {
        let mut query = Query::default();
        query.add("partNumber", &request.number.to_string());
        query.add("uploadId", &upload.0);
        let mut headers = self.usual_headers();
        headers.digests(request.md5.as_ref(), &Default::default());
        self.send(about, key, &query, &headers, outgoing).await
    }

    /// A request with a body. One whose frames pass only once is sent once.
    async fn send(
        &self,
        about: &About<'_>,
        key: &ObjectKey,
        query: &Query,
        headers: &Headers,
        outgoing: Outgoing,
    ) -> Result<Sent<Written>, StoreError> {
        let mut attempt = 0;
        let mut next = outgoing;
        loop {
            attempt += 1;
            let again = next.again();
            let refusal = match self.send_once(about, key, query, headers, next).await {
                Ok(written) => return Ok(Sent::Done(written)),
                Err(refusal) => refusal,
            };
            let Some(kept) = again else { return Err(refusal.into_error()) };
            match refusal {
                Refusal::Again(error) if attempt < ATTEMPTS_OF_WRITES => pause(about, attempt, &error).await,
                Refusal::AskSdk(error) => {
                    say_so(about, &error);
                    return Ok(Sent::AskSdk(kept));
                }
                Refusal::Again(error) | Refusal::Final(error) => return Err(error),
            }
            next = kept;
        }
    }

    async fn send_once(
        &self,
        about: &About<'_>,
        key: &ObjectKey,
        query: &Query,
        headers: &Headers,
        outgoing: Outgoing,
    ) -> Result<Written, Refusal> {
        let length = outgoing.length;
        let (parcel, awaiting) = outgoing.split();
        let limits = Limits { stall: self.stall, answer: self.answer };
        let sending = async {
            let (request, signature) =
                self.request(about, Method::PUT, Some(key), query, headers, length).await?;
            let answer = self.transport.send(about, request.with(parcel)).await?;
            if !answer.is_success() {
                return Err(self.refused(about, answer, &signature).await);
            }
            let written = answer.written();
            answer.discard(about, self.answer).await?;
            Ok(written)
        };
        match awaiting.answer(limits, sending).await {
            Ok(outcome) => outcome,
            Err(unanswered) => Err(Refusal::Again(unanswered.into_error(about))),
        }
    }

    /// A request without a body, answered with success.
    async fn ask(
        &self,
        about: &About<'_>,
        method: Method,
        key: Option<&ObjectKey>,
        query: &Query,
        headers: &Headers,
    ) -> Result<Answer, Refusal> {
        let (request, signature) = self.request(about, method, key, query, headers, 0).await?;
        let sending = self.transport.send(about, request.empty());
        let answer = match tokio::time::timeout(self.answer, sending).await {
            Ok(answer) => answer?,
            Err(_) => {
                let text = format!("no answer within {} seconds", self.answer.as_secs_f64());
                return Err(Refusal::Again(about.fault(StoreErrorKind::Transient, &text)));
            }
        };
        if answer.is_success() { Ok(answer) } else { Err(self.refused(about, answer, &signature).await) }
    }

    async fn refused(&self, about: &About<'_>, answer: Answer, signature: &Signature) -> Refusal {
        match answer.refuse(about, self.answer).await {
            // Keys that were rotated since are no fault of the request.
            Refusal::Final(error)
                if error.kind == StoreErrorKind::Credentials && self.signer.refused(signature) =>
            {
                Refusal::Again(error)
            }
            refusal => refusal,
        }
    }

    async fn request(
        &self,
        about: &About<'_>,
        method: Method,
        key: Option<&ObjectKey>,
        query: &Query,
        headers: &Headers,
        length: u64,
    ) -> Result<(request::Unsent, Signature), Refusal> {
        let uri = self.address.uri(key, query);
        let signature =
            self.signer.sign(about, method.as_str(), &uri, headers).await.map_err(Refusal::Final)?;
        match request::Unsent::new(method, &uri, self.address.host(), headers, &signature, length) {
            Ok(request) => Ok((request, signature)),
            Err(why) => {
                let text = format!("the request cannot be made: {why}");
                Err(Refusal::Final(about.fault(StoreErrorKind::Permanent, &text)))
            }
        }
    }

    fn usual_headers(&self) -> Headers {
        let mut headers = Headers::default();
        headers.maybe("x-amz-expected-bucket-owner", self.owner.as_deref());
        headers.maybe("x-amz-request-payer", self.pays.then_some("requester"));
        headers
    }
}

/// How a request with a body ended without a fault.
pub(crate) enum Sent<T> {
    Done(T),
    /// The SDK is to be asked, with the same body.
    AskSdk(Outgoing),
}

fn pin(pin: &ReadPin, headers: &mut Headers) -> Query {
    let mut query = Query::default();
    headers.maybe("if-match", pin.etag.as_ref().map(ETag::quoted).as_deref());
    if let Some(version) = &pin.version {
        query.add("versionId", &version.0);
    }
    query
}

async fn repeat<T, F>(most: u32, mut ask: impl FnMut() -> F) -> Result<T, Refusal>
where
    F: Future<Output = Result<T, Refusal>>,
{
    let mut attempt = 0;
    loop {
        attempt += 1;
        match ask().await {
            Err(Refusal::Again(error)) if attempt < most => {
                tracing::debug!("{error}; asking again");
                tokio::time::sleep(BACKOFF.delay(attempt - 1, chance())).await;
            }
            outcome => return outcome,
        }
    }
}

async fn pause(about: &About<'_>, attempt: u32, error: &StoreError) {
    tracing::debug!(call = about.call.name(), "{error}; sending again");
    tokio::time::sleep(BACKOFF.delay(attempt - 1, chance())).await;
}

fn finish<T>(about: &About<'_>, outcome: Result<T, Refusal>) -> Outcome<T> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Refusal::AskSdk(error)) => {
            say_so(about, &error);
            Ok(None)
        }
        Err(Refusal::Final(error) | Refusal::Again(error)) => Err(error),
    }
}

fn say_so(about: &About<'_>, error: &StoreError) {
    tracing::debug!(call = about.call.name(), "{error}; asking by the SDK");
}

/// A number in 0..1 to spread retries.
pub(crate) fn chance() -> f64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let bits = std::collections::hash_map::RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
