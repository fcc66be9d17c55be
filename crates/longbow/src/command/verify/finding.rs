//! What was found out about one name, and the line of it in the report.

use longbow_core::job::Proof;
use longbow_core::object::{ETag, ObjectKey, ObjectMeta};
use serde::Serialize;

/// How the two sides of one name stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// Equal, as far as the evidence goes.
    Same,
    /// Not equal.
    Differs,
    /// Only the source has it.
    Missing,
    /// Only the destination has it.
    Extra,
    /// It could not be found out.
    Unknown,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The source's key, or what it would be.
    pub(super) key: Option<ObjectKey>,
    /// The destination's key, or what it would be.
    pub(super) destination_key: Option<ObjectKey>,
    pub(super) verdict: Verdict,
    /// How strong the evidence is for `Same`.
    pub(super) evidence: Option<Proof>,
    pub(super) size: Option<u64>,
    pub(super) destination_size: Option<u64>,
    pub(super) source_etag: Option<ETag>,
    pub(super) destination_etag: Option<ETag>,
    /// Why, in words.
    pub(super) reason: String,
    /// Bytes compared.
    #[serde(skip)]
    pub(super) bytes_read: u64,
}

impl Finding {
    /// About entries of the two listings.
    pub(super) fn about(
        source: Option<&ObjectMeta>,
        destination: Option<&ObjectMeta>,
        verdict: Verdict,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            key: source.map(|o| o.key.clone()),
            destination_key: destination.map(|o| o.key.clone()),
            verdict,
            evidence: None,
            size: source.map(|o| o.size),
            destination_size: destination.map(|o| o.size),
            source_etag: source.and_then(|o| o.etag.clone()),
            destination_etag: destination.and_then(|o| o.etag.clone()),
            reason: reason.into(),
            bytes_read: 0,
        }
    }

    /// Equal by this evidence.
    pub(super) fn same(source: &ObjectMeta, destination: &ObjectMeta, evidence: Proof) -> Self {
        let finding = Self::about(Some(source), Some(destination), Verdict::Same, describe(evidence));
        Self { evidence: Some(evidence), ..finding }
    }

    /// The key that a user looks for.
    pub(super) fn name(&self) -> String {
        self.key.as_ref().or(self.destination_key.as_ref()).map(ToString::to_string).unwrap_or_default()
    }
}

/// A kind of evidence in words.
pub(super) fn describe(evidence: Proof) -> &'static str {
    match evidence {
        Proof::Read => "both sides were read and are equal",
        Proof::ETag => "tags that are digests are equal",
        Proof::Checksum => "stored checksums are equal",
        Proof::Written => "digests of what was written were equal",
        Proof::Recorded => "longbow copied exactly this, verified it then, and neither side changed",
        Proof::SizeAndTime => "sizes and times are equal; the bytes were not compared",
        Proof::Size => "sizes are equal; the bytes were not compared",
    }
}
