//! Configurations of Longbow 0.98, read as they are: the list of bucket pairs and the other account's credentials from
//! SSM, and the `.ini` file.
//!
//! Pure: texts in, values or all their faults out. Where the texts come from is the business of the program.

mod credentials;
mod ini;
mod job_type;
mod keys;
mod pairs;

pub use credentials::{OtherAccount, read_credentials};
pub use ini::{IniEntry, IniFault, read_ini};
pub use job_type::{JobType, JobTypeError, Side};
pub use keys::{KnownKey, Meaning, Modern, Translation, known_keys, read_switch, translate};
pub use pairs::{Pairs, read_pairs};
