//! How the bytes of one object go, and what proves that they arrived.

mod integrity;
mod method;
mod parts;

pub use integrity::{PartDigest, PartProof, combine_checksums, composite_etag};
pub use method::{MethodChoice, MethodFacts, MethodPolicy, WriteMethod, choose_method};
pub use parts::{
    DEFAULT_PART_SIZE, MAX_OBJECT_SIZE, MAX_PART_SIZE, MAX_PARTS, MIN_PART_SIZE, Part, PartPlan, PlanError,
};
