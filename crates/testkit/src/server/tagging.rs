//! GetObjectTagging and PutObjectTagging.

use longbow_core::failure::Feature;
use longbow_core::object::{ObjectKey, Tag, VersionId};
use longbow_core::port::ReadPin;
use s3s::dto::{
    self, GetObjectTaggingInput, GetObjectTaggingOutput, PutObjectTaggingInput, PutObjectTaggingOutput,
};
use s3s::{S3Request, S3Response, S3Result};

use super::convert::{error, version_out};
use crate::fake::{Bucket, Call, FakeS3, Reply};

pub(super) fn get(
    fake: &FakeS3,
    request: S3Request<GetObjectTaggingInput>,
) -> S3Result<S3Response<GetObjectTaggingOutput>> {
    let input = request.input;
    let key = ObjectKey::new(input.key);
    let pin = ReadPin { etag: None, version: input.version_id.map(VersionId) };
    let read = |bucket: &mut Bucket, _| {
        bucket.require(Feature::Tags)?;
        bucket.read(&key, &pin)
    };
    let object = fake.act(&input.bucket, &key, Call::Tags, read, |_| Reply::default()).map_err(error)?;
    let tags = object.tags.iter();
    let tag_set = tags.map(|tag| dto::Tag { key: Some(tag.key.clone()), value: Some(tag.value.clone()) });
    Ok(S3Response::new(GetObjectTaggingOutput {
        tag_set: tag_set.collect(),
        version_id: version_out(object.version.as_ref()),
    }))
}

pub(super) fn put(
    fake: &FakeS3,
    request: S3Request<PutObjectTaggingInput>,
) -> S3Result<S3Response<PutObjectTaggingOutput>> {
    let input = request.input;
    let key = ObjectKey::new(input.key);
    let pin = ReadPin { etag: None, version: input.version_id.map(VersionId) };
    let tags = input.tagging.tag_set.into_iter();
    let tags = tags
        .map(|tag| Tag { key: tag.key.unwrap_or_default(), value: tag.value.unwrap_or_default() })
        .collect();
    let write = |bucket: &mut Bucket, _| bucket.put_tags(&key, &pin, tags);
    fake.act(&input.bucket, &key, Call::PutTags, write, |()| Reply::default()).map_err(error)?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id: version_out(pin.version.as_ref()) }))
}
