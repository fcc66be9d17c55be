//! Which way the bytes go: one pure function that can explain itself.

use super::parts::{MAX_PART_SIZE, PartPlan, PlanError};
use crate::object::{Checksums, ETagKind};

/// What the user allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MethodPolicy {
    /// Server-side where one store holds both sides, streamed otherwise.
    #[default]
    Auto,
    /// Always through this machine.
    Stream,
    /// Always inside the store; impossible routes are refused before anything starts.
    ServerSide,
}

/// Whole, or in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMethod {
    /// One write.
    Whole,
    /// A multipart upload.
    Parts(PartPlan),
}

/// The choice for one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodChoice {
    /// Inside the store, or through this machine.
    pub server_side: bool,
    /// Whole, or in parts.
    pub write: WriteMethod,
    /// The parts are the source's own, so the tags must come out equal.
    pub keeps_source_parts: bool,
    /// Why, fit for a log line or a report.
    pub because: &'static str,
}

/// What the choice is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodFacts {
    /// Bytes.
    pub size: u64,
    /// What the source's tag says about its parts.
    pub source_tag: Option<ETagKind>,
    /// Bytes of the source's first part, when it was asked for.
    pub source_part: Option<u64>,
    /// Full-object checksums that the source publishes.
    pub published: Checksums,
    /// One store holds both sides.
    pub same_store: bool,
    /// The destination is a folder: tags there are no digests.
    pub to_folder: bool,
    /// The source is a folder: it can be read at any offset, and publishes nothing.
    pub from_folder: bool,
    /// The part size asked for.
    pub part_size: u64,
    /// The smallest part that the destination takes, but for the last.
    pub least_part: u64,
    /// Objects of at most this size are written whole.
    pub whole_up_to: u64,
    /// The destination takes multipart uploads.
    pub multipart: bool,
}

/// Chooses the method.
///
/// 1. Server-side where the policy and the stores allow it: `CopyObject` up to 5 GiB unless the source has
///    regular parts, which are copied part by part so that the tag stays the same.
/// 2. Streamed: a source of regular parts is cut at the same boundaries: the tags will be equal, and are the
///    proof.
/// 3. A source written whole is written whole up to `whole_up_to`, and above it as well (up to 5 GiB) when it
///    publishes no full-object checksum: its MD5 is then the only end-to-end proof there is.
/// 4. Everything else goes in parts of the size asked for.
pub fn choose_method(policy: MethodPolicy, facts: &MethodFacts) -> Result<MethodChoice, PlanError> {
    let server_side = facts.same_store && policy != MethodPolicy::Stream;
    let choice = |write, because| Ok(MethodChoice { server_side, write, keeps_source_parts: false, because });
    if !facts.multipart {
        return choice(WriteMethod::Whole, "the destination takes no multipart uploads");
    }
    let like_source = match (facts.source_tag, facts.source_part) {
        (Some(ETagKind::Composite { parts, .. }), Some(part_size)) => {
            PartPlan::like_source_above(facts.least_part, facts.size, parts, part_size)
        }
        _ => None,
    };
    if let Some(plan) = like_source
        && !facts.to_folder
    {
        let because = "cut where the source is cut, so that the tags are equal";
        return Ok(MethodChoice {
            server_side,
            write: WriteMethod::Parts(plan),
            keeps_source_parts: true,
            because,
        });
    }
    if facts.size <= facts.whole_up_to {
        return choice(WriteMethod::Whole, "small enough for one request");
    }
    if server_side && facts.size <= MAX_PART_SIZE {
        return choice(WriteMethod::Whole, "the store copies up to 5 GiB in one request");
    }
    let whole_is_the_only_proof = matches!(facts.source_tag, Some(ETagKind::Md5(_)))
        && facts.published.is_empty()
        && !facts.from_folder
        && !facts.to_folder
        && facts.size <= MAX_PART_SIZE;
    if whole_is_the_only_proof && !server_side {
        return choice(
            WriteMethod::Whole,
            "the MD5 of the whole is the only checksum that the source publishes",
        );
    }
    choice(
        WriteMethod::Parts(PartPlan::for_size_above(facts.least_part, facts.size, facts.part_size)?),
        "large: in parts side by side",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Md5;

    const MIB: u64 = 1 << 20;
    const MD5: Md5 = Md5([7; 16]);

    fn facts(size: u64) -> MethodFacts {
        MethodFacts {
            size,
            source_tag: Some(ETagKind::Md5(MD5)),
            source_part: None,
            published: Checksums::default(),
            same_store: false,
            to_folder: false,
            from_folder: false,
            part_size: 16 * MIB,
            least_part: 5 * MIB,
            whole_up_to: 64 * MIB,
            multipart: true,
        }
    }
    fn write(facts: &MethodFacts) -> WriteMethod {
        choose_method(MethodPolicy::Auto, facts).unwrap().write
    }
    fn parts(size: u64, part_size: u64) -> WriteMethod {
        WriteMethod::Parts(PartPlan::new(size, part_size))
    }

    #[test]
    fn regular_parts_are_kept_at_any_size() {
        let composite = |parts| Some(ETagKind::Composite { md5: MD5, parts });
        let f = MethodFacts { source_tag: composite(3), source_part: Some(8 * MIB), ..facts(20 * MIB) };
        assert_eq!(write(&f), parts(20 * MIB, 8 * MIB));
        let irregular = MethodFacts { source_tag: composite(9), ..f };
        assert_eq!(write(&irregular), WriteMethod::Whole);
        let folder = MethodFacts { to_folder: true, ..f };
        assert_eq!(write(&folder), WriteMethod::Whole);
    }

    #[test]
    fn wholes_stay_whole_while_that_is_the_only_proof() {
        assert_eq!(write(&facts(64 * MIB)), WriteMethod::Whole);
        assert_eq!(write(&facts(65 * MIB)), WriteMethod::Whole);
        let published = Checksums { crc64nvme: Some(1), ..Default::default() };
        assert_eq!(write(&MethodFacts { published, ..facts(65 * MIB) }), parts(65 * MIB, 16 * MIB));
        assert_eq!(write(&MethodFacts { to_folder: true, ..facts(65 * MIB) }), parts(65 * MIB, 16 * MIB));
        assert_eq!(write(&facts(6 << 30)), parts(6 << 30, 16 * MIB));
        let opaque = MethodFacts { source_tag: Some(ETagKind::Opaque), ..facts(65 * MIB) };
        assert_eq!(write(&opaque), parts(65 * MIB, 16 * MIB));
    }

    #[test]
    fn server_side_needs_one_store_and_leave() {
        let same = MethodFacts { same_store: true, ..facts(65 * MIB) };
        let auto = choose_method(MethodPolicy::Auto, &same).unwrap();
        assert!(auto.server_side);
        assert_eq!(auto.write, WriteMethod::Whole);
        assert!(!choose_method(MethodPolicy::Stream, &same).unwrap().server_side);
        assert!(!choose_method(MethodPolicy::Auto, &facts(1)).unwrap().server_side);
        let huge = MethodFacts { same_store: true, ..facts(6 << 30) };
        assert!(matches!(choose_method(MethodPolicy::Auto, &huge).unwrap().write, WriteMethod::Parts(_)));
    }
}
