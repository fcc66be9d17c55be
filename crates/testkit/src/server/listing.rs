//! ListObjectsV2, ListMultipartUploads and the bucket operations.

use longbow_core::object::{ObjectKey, ObjectMeta};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    self, CommonPrefix, CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput,
    EncodingType, HeadBucketInput, HeadBucketOutput, ListBucketsInput, ListBucketsOutput,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output,
    MultipartUpload,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::convert::{error, etag_out, invalid, number_out, small_out, time_out};
use crate::fake::{Bucket, Call, FakeS3, Page, Reply};

/// Most entries of a page.
pub(super) const PAGE: usize = 1000;

/// What `encoding-type=url` leaves as it is; a space becomes `+` as in a form.
const KEPT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');

/// Names as the answer states them.
pub(super) struct Names {
    url: bool,
}

impl Names {
    pub(super) fn new(asked: Option<&EncodingType>) -> S3Result<Self> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self { url: false }),
            Some(EncodingType::URL) => Ok(Self { url: true }),
            Some(other) => Err(invalid(format!("there is no encoding type {other}"))),
        }
    }

    pub(super) fn write(&self, name: &str) -> String {
        if self.url { utf8_percent_encode(name, KEPT).to_string().replace(' ', "+") } else { name.to_owned() }
    }
}

fn token_out(key: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key)
}

fn token_in(token: &str) -> S3Result<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| invalid("the continuation token is none of this server's"))
}

/// What a page holds once folders are taken together.
#[derive(Default)]
struct Folded {
    objects: Vec<ObjectMeta>,
    folders: Vec<String>,
    next_after: Option<String>,
}

/// One page with everything between the prefix and a delimiter taken together.
fn fold(bucket: &Bucket, prefix: &str, delimiter: Option<&str>, after: Option<String>, max: usize) -> Folded {
    let Some(delimiter) = delimiter.filter(|delimiter| !delimiter.is_empty()) else {
        let Page { objects, next_after } = bucket.page(prefix, after.as_deref(), max);
        return Folded { objects, folders: Vec::new(), next_after };
    };
    // A page that ended with a folder goes on behind all of it.
    let behind = after.as_deref().and_then(|after| folder(after, prefix, delimiter));
    let mut folded = Folded::default();
    let mut at = after;
    let mut last = None;
    loop {
        let page = bucket.page(prefix, at.as_deref(), PAGE);
        for object in page.objects {
            let key = object.key.as_str().to_owned();
            let inside = folder(&key, prefix, delimiter);
            if inside.is_some() && (inside == behind || inside.as_ref() == folded.folders.last()) {
                last = Some(key);
                continue;
            }
            if folded.objects.len() + folded.folders.len() == max {
                folded.next_after = last;
                return folded;
            }
            match inside {
                Some(folder) => folded.folders.push(folder),
                None => folded.objects.push(object),
            }
            last = Some(key);
        }
        match page.next_after {
            Some(next) => at = Some(next),
            None => return folded,
        }
    }
}

fn folder(key: &str, prefix: &str, delimiter: &str) -> Option<String> {
    let end = key.strip_prefix(prefix)?.find(delimiter)? + prefix.len() + delimiter.len();
    Some(key[..end].to_owned())
}

pub(super) fn list_objects(
    fake: &FakeS3,
    request: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let input = request.input;
    let names = Names::new(input.encoding_type.as_ref())?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let after = match &input.continuation_token {
        Some(token) => Some(token_in(token)?),
        None => input.start_after.clone().filter(|after| !after.is_empty()),
    };
    let max =
        input.max_keys.map_or(Ok(PAGE), usize::try_from).map_err(|_| invalid("max-keys is negative"))?;
    let max = max.min(PAGE);
    let call = Call::List { prefix: prefix.clone(), page: after.clone() };
    let list = |bucket: &mut Bucket, _| {
        // A bucket told to have small pages has small answers too.
        let max = max.min(bucket.settings.page_size);
        Ok(if max == 0 {
            Folded::default()
        } else {
            fold(bucket, &prefix, input.delimiter.as_deref(), after, max)
        })
    };
    let reply = |folded: &Folded| Reply { size: folded.objects.len() as u64, ..Reply::default() };
    let folded = fake.act(&input.bucket, &ObjectKey::from(""), call, list, reply).map_err(error)?;
    let contents: Vec<dto::Object> = folded
        .objects
        .iter()
        .map(|object| dto::Object {
            e_tag: object.etag.as_ref().map(etag_out),
            key: Some(names.write(object.key.as_str())),
            last_modified: object.modified.map(time_out),
            size: Some(number_out(object.size)),
            storage_class: Some(object.storage_class.as_deref().unwrap_or("STANDARD").to_owned().into()),
            ..dto::Object::default()
        })
        .collect();
    let common_prefixes: Vec<CommonPrefix> =
        folded.folders.iter().map(|folder| CommonPrefix { prefix: Some(names.write(folder)) }).collect();
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(names.write(&prefix)),
        max_keys: Some(small_out(max)),
        key_count: Some(small_out(contents.len() + common_prefixes.len())),
        continuation_token: input.continuation_token,
        is_truncated: Some(folded.next_after.is_some()),
        next_continuation_token: folded.next_after.as_deref().map(token_out),
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        delimiter: input.delimiter.as_deref().map(|delimiter| names.write(delimiter)),
        encoding_type: input.encoding_type,
        start_after: input.start_after.as_deref().map(|after| names.write(after)),
        ..ListObjectsV2Output::default()
    }))
}

pub(super) fn list_uploads(
    fake: &FakeS3,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let input = request.input;
    super::convert::refuse_if(input.delimiter.is_some(), "delimiters in this listing")?;
    let names = Names::new(input.encoding_type.as_ref())?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let call = Call::ListUploads { prefix: prefix.clone() };
    let list = |bucket: &mut Bucket, _| Ok(bucket.list_uploads(&prefix));
    let reply = |uploads: &Vec<_>| Reply { size: uploads.len() as u64, ..Reply::default() };
    let mut all = fake.act(&input.bucket, &ObjectKey::from(""), call, list, reply).map_err(error)?;
    all.sort_by(|a, b| (&a.key, &a.upload.0).cmp(&(&b.key, &b.upload.0)));
    let key_marker = input.key_marker.as_deref().unwrap_or_default();
    let upload_marker = input.upload_id_marker.as_deref();
    let max = input.max_uploads.and_then(|max| usize::try_from(max).ok()).unwrap_or(PAGE).min(PAGE);
    let mut rest = all.into_iter().filter(|upload| match upload.key.as_str().cmp(key_marker) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => upload_marker.is_some_and(|marker| upload.upload.0.as_str() > marker),
        std::cmp::Ordering::Less => false,
    });
    let page: Vec<_> = rest.by_ref().take(max).collect();
    let truncated = rest.next().is_some();
    let last = page.last().filter(|_| truncated);
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        encoding_type: input.encoding_type,
        is_truncated: Some(truncated),
        key_marker: input.key_marker.as_deref().map(|marker| names.write(marker)),
        max_uploads: Some(small_out(max)),
        next_key_marker: last.map(|upload| names.write(upload.key.as_str())),
        next_upload_id_marker: last.map(|upload| upload.upload.0.clone()),
        prefix: Some(names.write(&prefix)),
        upload_id_marker: input.upload_id_marker,
        uploads: Some(
            page.iter()
                .map(|upload| MultipartUpload {
                    initiated: upload.initiated.map(time_out),
                    key: Some(names.write(upload.key.as_str())),
                    upload_id: Some(upload.upload.0.clone()),
                    ..MultipartUpload::default()
                })
                .collect(),
        ),
        ..ListMultipartUploadsOutput::default()
    }))
}

pub(super) fn list_buckets(
    fake: &FakeS3,
    _request: S3Request<ListBucketsInput>,
) -> S3Result<S3Response<ListBucketsOutput>> {
    let buckets = fake.buckets().into_iter().map(|(name, made)| dto::Bucket {
        creation_date: Some(time_out(made)),
        name: Some(name),
        ..dto::Bucket::default()
    });
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets.collect()),
        ..ListBucketsOutput::default()
    }))
}

pub(super) fn create_bucket(
    fake: &FakeS3,
    request: S3Request<CreateBucketInput>,
) -> S3Result<S3Response<CreateBucketOutput>> {
    let name = request.input.bucket;
    if fake.look(&name, |_, _| Ok(())).is_ok() {
        return Err(S3Error::new(S3ErrorCode::BucketAlreadyOwnedByYou));
    }
    fake.create_bucket(&name);
    Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{name}")) }))
}

pub(super) fn head_bucket(
    fake: &FakeS3,
    request: S3Request<HeadBucketInput>,
) -> S3Result<S3Response<HeadBucketOutput>> {
    fake.look(&request.input.bucket, |_, _| Ok(())).map_err(error)?;
    Ok(S3Response::new(HeadBucketOutput {
        bucket_region: Some("us-east-1".to_owned()),
        ..HeadBucketOutput::default()
    }))
}

pub(super) fn delete_bucket(
    fake: &FakeS3,
    request: S3Request<DeleteBucketInput>,
) -> S3Result<S3Response<DeleteBucketOutput>> {
    let name = request.input.bucket;
    let empty = fake.look(&name, |bucket, _| Ok(bucket.all().is_empty())).map_err(error)?;
    if !empty {
        return Err(S3Error::new(S3ErrorCode::BucketNotEmpty));
    }
    fake.delete_bucket(&name);
    Ok(S3Response::new(DeleteBucketOutput::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_in_a_form() {
        let names = Names { url: true };
        assert_eq!(names.write("a b+c/é~*%\n"), "a+b%2Bc/%C3%A9%7E*%25%0A");
        assert_eq!(Names { url: false }.write("a b+é"), "a b+é");
    }

    #[test]
    fn tokens_come_back_as_the_key_they_were_made_of() {
        for key in ["a", "/\n é\u{10ffff}"] {
            assert_eq!(token_in(&token_out(key)).unwrap(), key);
        }
        assert!(token_in("!").is_err());
    }

    #[test]
    fn folders_are_taken_together_across_pages() {
        let store = FakeS3::new().create_bucket("bucket");
        for key in ["a", "b/1", "b/2", "b/3", "c", "d/1", "e/1"] {
            store.put_bytes(key, b"");
        }
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let from = after.take();
            let folded =
                store.service().look("bucket", |bucket, _| Ok(fold(bucket, "", Some("/"), from, 2))).unwrap();
            seen.push((
                folded.objects.iter().map(|object| object.key.to_string()).collect::<Vec<_>>(),
                folded.folders,
            ));
            match folded.next_after {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let text = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let expected =
            [(text(&["a"]), text(&["b/"])), (text(&["c"]), text(&["d/"])), (text(&[]), text(&["e/"]))];
        assert_eq!(seen, expected);
    }
}
