//! ListObjectVersions: every version and delete marker of every key, as Amazon S3 gives them.

use longbow_core::object::ObjectKey;
use s3s::dto::{self, DeleteMarkerEntry, ListObjectVersionsInput, ListObjectVersionsOutput, ObjectVersion};
use s3s::{S3Request, S3Response, S3Result};

use super::convert::{error, etag_out, invalid, number_out, refuse_if, small_out, time_out};
use super::listing::{Names, PAGE};
use crate::fake::{Bucket, Call, FakeS3, Reply, VersionPage};

pub(super) fn list(
    fake: &FakeS3,
    request: S3Request<ListObjectVersionsInput>,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    let input = request.input;
    refuse_if(input.delimiter.is_some(), "delimiters in this listing")?;
    refuse_if(input.version_id_marker.is_some() && input.key_marker.is_none(), "a version without its key")?;
    let names = Names::new(input.encoding_type.as_ref())?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let after = input.key_marker.clone().filter(|key| !key.is_empty());
    let after = after.map(|key| (key, input.version_id_marker.clone()));
    let max =
        input.max_keys.map_or(Ok(PAGE), usize::try_from).map_err(|_| invalid("max-keys is negative"))?;
    let call =
        Call::ListVersions { prefix: prefix.clone(), page: after.as_ref().map(|(key, _)| key.clone()) };
    let list = |bucket: &mut Bucket, _| Ok(bucket.versions(&prefix, after, max.min(PAGE)));
    let reply = |page: &VersionPage| Reply { size: page.entries.len() as u64, ..Reply::default() };
    let page = fake.act(&input.bucket, &ObjectKey::from(""), call, list, reply).map_err(error)?;
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for entry in page.entries {
        let key = Some(names.write(&entry.key));
        match entry.meta {
            Some(meta) => versions.push(ObjectVersion {
                key,
                version_id: Some(entry.version),
                is_latest: Some(entry.newest),
                e_tag: meta.etag.as_ref().map(etag_out),
                last_modified: meta.modified.map(time_out),
                size: Some(number_out(meta.size)),
                storage_class: Some(dto::ObjectVersionStorageClass::from_static("STANDARD")),
                ..ObjectVersion::default()
            }),
            None => markers.push(DeleteMarkerEntry {
                key,
                version_id: Some(entry.version),
                is_latest: Some(entry.newest),
                ..DeleteMarkerEntry::default()
            }),
        }
    }
    Ok(S3Response::new(ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: Some(names.write(&prefix)),
        max_keys: Some(small_out(max)),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        next_key_marker: page.next.as_ref().map(|(key, _)| names.write(key)),
        next_version_id_marker: page.next.map(|(_, version)| version),
        versions: Some(versions),
        delete_markers: Some(markers),
        ..ListObjectVersionsOutput::default()
    }))
}
