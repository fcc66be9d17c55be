//! Cutting an object into parts.
//!
//! Limits from the S3 User Guide, "Amazon S3 multipart upload limits": 1 to 10,000 parts of 5 MiB to 5 GiB (the
//! last may be smaller), so objects of up to 48.8 TiB.

use serde::{Deserialize, Serialize};

/// Most parts of one upload.
pub const MAX_PARTS: u32 = 10_000;
/// Smallest part but for the last, in bytes.
pub const MIN_PART_SIZE: u64 = 5 << 20;
/// Largest part, in bytes.
pub const MAX_PART_SIZE: u64 = 5 << 30;
/// Largest object: 10,000 parts of 5 GiB, about 48.8 TiB.
pub const MAX_OBJECT_SIZE: u64 = MAX_PARTS as u64 * MAX_PART_SIZE;
/// The part size where nothing asks for another.
pub const DEFAULT_PART_SIZE: u64 = 16 << 20;

/// One part of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    pub number: u32,
    /// Where it starts in the object.
    pub offset: u64,
    /// Bytes; 0 only for the single part of an empty object.
    pub length: u64,
}

/// An object cut into equal parts, the last one possibly smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PartPlan {
    /// Bytes of the object.
    pub size: u64,
    /// Bytes of every part but the last.
    pub part_size: u64,
}

/// Why an object cannot be cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Larger than S3's largest object.
    #[error("the object has {0} bytes; 10,000 parts of 5 GiB hold at most {MAX_OBJECT_SIZE}")]
    TooLarge(u64),
}

impl PartPlan {
    /// A plan as given: for records and for boundaries taken over from a source.
    pub fn new(size: u64, part_size: u64) -> Self {
        Self { size, part_size: part_size.max(1) }
    }

    /// The plan for an object of `size` bytes, with parts of `wanted` bytes or as much more as its size needs,
    /// rounded up to whole MiB.
    pub fn for_size(size: u64, wanted: u64) -> Result<Self, PlanError> {
        Self::for_size_above(MIN_PART_SIZE, size, wanted)
    }

    /// The same for a store whose smallest part is of `least` bytes; no server has less than S3, but a test's store may.
    pub fn for_size_above(least: u64, size: u64, wanted: u64) -> Result<Self, PlanError> {
        if size > MAX_OBJECT_SIZE {
            return Err(PlanError::TooLarge(size));
        }
        let unit = least.clamp(1, 1 << 20);
        let needed = size.div_ceil(u64::from(MAX_PARTS)).div_ceil(unit) * unit;
        Ok(Self::new(size, wanted.max(needed).clamp(least.min(MAX_PART_SIZE), MAX_PART_SIZE)))
    }

    /// The plan that gives a copy the same ETag as its source: the source's own boundaries, if `parts` equal
    /// parts of `part_size` bytes (the last one smaller) make its size, and S3 would take them.
    pub fn like_source(size: u64, parts: u32, part_size: u64) -> Option<Self> {
        Self::like_source_above(MIN_PART_SIZE, size, parts, part_size)
    }

    /// The same for a store whose smallest part is of `least` bytes.
    pub fn like_source_above(least: u64, size: u64, parts: u32, part_size: u64) -> Option<Self> {
        if part_size == 0 || parts == 0 || parts > MAX_PARTS || part_size > MAX_PART_SIZE {
            return None;
        }
        let plan = Self::new(size, part_size);
        let regular = plan.count() == parts && (parts == 1 || part_size >= least);
        regular.then_some(plan)
    }

    /// How many parts; at least 1.
    pub fn count(&self) -> u32 {
        u32::try_from(self.size.div_ceil(self.part_size).max(1)).unwrap_or(u32::MAX)
    }

    /// One part, by its number from 1.
    pub fn part(&self, number: u32) -> Option<Part> {
        let index = u64::from(number.checked_sub(1)?);
        if number > self.count() {
            return None;
        }
        let offset = index * self.part_size;
        Some(Part { number, offset, length: self.part_size.min(self.size - offset) })
    }

    /// All parts in order.
    pub fn parts(&self) -> impl Iterator<Item = Part> + use<> {
        let plan = *self;
        (1..=plan.count()).filter_map(move |n| plan.part(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_largest_object_fits() {
        let plan = PartPlan::for_size(MAX_OBJECT_SIZE, DEFAULT_PART_SIZE).unwrap();
        assert_eq!((plan.count(), plan.part_size), (MAX_PARTS, MAX_PART_SIZE));
        assert!(PartPlan::for_size(MAX_OBJECT_SIZE + 1, DEFAULT_PART_SIZE).is_err());
    }

    #[test]
    fn an_empty_object_has_one_empty_part() {
        let plan = PartPlan::for_size(0, DEFAULT_PART_SIZE).unwrap();
        assert_eq!(plan.parts().collect::<Vec<_>>(), [Part { number: 1, offset: 0, length: 0 }]);
    }

    #[test]
    fn source_boundaries_are_kept_only_where_they_are_regular() {
        const MIB: u64 = 1 << 20;
        assert!(PartPlan::like_source(20 * MIB, 3, 8 * MIB).is_some());
        assert!(PartPlan::like_source(20 * MIB, 4, 8 * MIB).is_none());
        assert!(PartPlan::like_source(3 * MIB, 3, MIB).is_none(), "parts below 5 MiB are refused by S3");
        assert!(PartPlan::like_source(MIB, 1, MIB).is_some());
        assert!(PartPlan::like_source(MIB, 0, MIB).is_none());
    }

    #[test]
    fn a_store_of_smaller_parts_gets_smaller_parts() {
        let plan = PartPlan::for_size_above(16, 100, 32).unwrap();
        assert_eq!((plan.part_size, plan.count()), (32, 4));
        assert_eq!(PartPlan::for_size_above(16, 100, 3).unwrap().part_size, 16);
        assert!(PartPlan::like_source_above(16, 100, 4, 32).is_some());
        assert!(PartPlan::like_source_above(33, 100, 4, 32).is_none());
    }

    proptest! {
        #[test]
        fn parts_tile_the_object(size in 0..=MAX_OBJECT_SIZE, wanted in 0..=MAX_PART_SIZE) {
            let plan = PartPlan::for_size(size, wanted).unwrap();
            prop_assert!(plan.count() <= MAX_PARTS);
            let mut next = 0;
            for part in plan.parts() {
                prop_assert_eq!(part.offset, next);
                prop_assert!(part.length > 0 || size == 0);
                prop_assert!(part.length <= MAX_PART_SIZE);
                prop_assert!(part.length >= MIN_PART_SIZE || part.number == plan.count());
                next += part.length;
            }
            prop_assert_eq!(next, size);
        }
    }
}
