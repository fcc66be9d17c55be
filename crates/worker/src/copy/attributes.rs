//! What goes along with the bytes: metadata and tags, and what of them is lost.

use longbow_core::failure::{FailureClass, Feature, StoreErrorKind};
use longbow_core::object::{ObjectAttributes, ObjectHead, Tag};
use longbow_core::port::Written;

use crate::Shared;
use crate::claim::Claimed;
use crate::executor::Stopped;
use crate::quirks::TagsBy;

/// Metadata and tags to write, and what cannot be written, in words.
pub(crate) struct Along {
    pub(crate) attributes: ObjectAttributes,
    pub(crate) tags: Vec<Tag>,
    pub(crate) lost: Vec<String>,
}

/// Takes the metadata from the source's headers, and asks for its tags when it has some. The headers of what goes in parts
/// are those of a HEAD, in which some stores do not count tags.
pub(crate) async fn along(
    shared: &Shared,
    claimed: &Claimed,
    head: &ObjectHead,
    by: TagsBy,
) -> Result<Along, Stopped> {
    let mut along = Along { attributes: head.attributes.clone(), tags: Vec::new(), lost: Vec::new() };
    let unreadable = head.attributes.unreadable;
    if unreadable > 0 {
        along.lost.push(format!("{unreadable} metadata entries that the source cannot state"));
    }
    if shared.quirks.destination.folder {
        // A file has a name, bytes and a time; that is what a copy to a folder promises.
        return Ok(along);
    }
    if head.tag_count > 0 && by == TagsBy::Upload {
        shared.quirks.counts_tags();
    }
    let hidden = head.tag_count == 0 && by == TagsBy::Upload && shared.quirks.hides_tags();
    if !shared.options.tags || (head.tag_count == 0 && !hidden) {
        return Ok(along);
    }
    if hidden {
        match shared.ports.source.tags(&claimed.job.source, head.version.as_ref()).await {
            Ok(tags) if shared.quirks.has(Feature::Tags) => along.tags = tags,
            Ok(tags) if tags.is_empty() => {}
            Ok(tags) => along.lost.push(format!("{} tags", tags.len())),
            Err(error)
                if matches!(error.kind, StoreErrorKind::NotFound | StoreErrorKind::PreconditionFailed) =>
            {
                return Err(crate::plan::source_failure(error));
            }
            Err(error) => shared.quirks.cannot_tell_tags(&error),
        }
        return Ok(along);
    }
    if !shared.quirks.has(Feature::Tags) {
        along.lost.push(format!("{} tags", head.tag_count));
        return Ok(along);
    }
    match shared.ports.source.tags(&claimed.job.source, head.version.as_ref()).await {
        Ok(tags) => along.tags = tags,
        Err(error) if error.kind == StoreErrorKind::Denied => {
            return Err(Stopped::failed(
                FailureClass::Denied,
                format!("{}; grant the right to read tags, or copy without them: --no-tags", error.message),
            ));
        }
        Err(error) if matches!(error.kind, StoreErrorKind::Unsupported(_)) => {
            along.lost.push(format!("{} tags", head.tag_count));
        }
        Err(error) => return Err(crate::plan::source_failure(error)),
    }
    Ok(along)
}

/// What of the tags that were sent is lost all the same: there are stores that take them in silence and forget them.
pub(crate) async fn forgotten(
    shared: &Shared,
    claimed: &Claimed,
    by: TagsBy,
    tags: &[Tag],
    written: &Written,
) -> Option<String> {
    if tags.is_empty() {
        return None;
    }
    let ask = async {
        let found = shared.ports.destination.tags(&claimed.job.destination, written.version.as_ref()).await?;
        Ok(tags.iter().all(|tag| found.contains(tag)))
    };
    (!shared.quirks.keeps_tags(by, ask).await).then(|| format!("{} tags", tags.len()))
}
