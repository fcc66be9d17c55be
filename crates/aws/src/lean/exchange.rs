//! A request out, an answer in: over connections, or, in tests, over replies written there.
//!
//! Apart, because it is the one place where a fault of the wire becomes a fault of the store.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request};
use http_body::{Body, Frame};
use hyper_util::client::proxy::matcher::Matcher;
use longbow_core::failure::StoreErrorKind;

use super::Refusal;
use super::connection::{BoxError, Pool, WireBody};
use super::reply::Answer;
use crate::body::Parcel;
use crate::failure::{About, unsent};

/// Where requests go.
#[derive(Debug, Clone)]
pub(crate) enum Transport {
    Wire(Arc<Pool>),
    #[cfg(test)]
    Canned(crate::canned::Canned, http::Uri),
}

impl Transport {
    /// Whether the environment sends requests to this origin through a proxy, which is left to the SDK.
    pub(crate) fn is_proxied(origin: &http::Uri) -> bool {
        Matcher::from_env().intercept(origin).is_some()
    }

    pub(super) async fn send(&self, about: &About<'_>, request: Request<Parcel>) -> Result<Answer, Refusal> {
        let head = request.method() == Method::HEAD;
        match self {
            Self::Wire(pool) => match pool.send(request).await {
                Ok(answer) => Ok(Answer::new(answer.map(ReplyBody::Wire), head)),
                Err(unanswered) => {
                    let error = unsent(about, unanswered.error.as_ref(), StoreErrorKind::Transient);
                    match error.kind {
                        StoreErrorKind::Transient => Err(Refusal::Again(error)),
                        _ => Err(Refusal::Final(error)),
                    }
                }
            },
            #[cfg(test)]
            Self::Canned(canned, origin) => Ok(Answer::new(canned.answer(request, origin).await, head)),
        }
    }
}

/// The body of an answer.
pub(crate) enum ReplyBody {
    Wire(WireBody),
    #[cfg(test)]
    Canned(http_body_util::Full<Bytes>),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Wire(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            #[cfg(test)]
            Self::Canned(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Wire(body) => body.is_end_stream(),
            #[cfg(test)]
            Self::Canned(body) => body.is_end_stream(),
        }
    }
}
