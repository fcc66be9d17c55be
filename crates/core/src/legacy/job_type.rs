//! `JobType`: which side belongs to the other account (LB-01).

/// A side of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Where objects come from.
    Source,
    /// Where they go.
    Destination,
}

/// `JobType` of the `.ini` file.
///
/// | `JobType` | the machine's own role | the stored credentials |
/// |---|---|---|
/// | `PUT` (default) | source | destination |
/// | `GET` | destination | source |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum JobType {
    /// The workers' account owns the source.
    #[default]
    Put,
    /// The workers' account owns the destination.
    Get,
}

/// Neither `PUT` nor `GET`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("JobType is PUT (the workers' account owns the source) or GET (it owns the destination)")]
pub struct JobTypeError;

impl JobType {
    /// Reads `PUT` or `GET` in any case.
    pub fn read(text: &str) -> Result<Self, JobTypeError> {
        match text.trim().to_ascii_uppercase().as_str() {
            "PUT" => Ok(Self::Put),
            "GET" => Ok(Self::Get),
            _ => Err(JobTypeError),
        }
    }

    /// The side that is reached with the other account's credentials.
    pub fn other_account(self) -> Side {
        match self {
            Self::Put => Side::Destination,
            Self::Get => Side::Source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LB-01: PUT signs the destination with the stored key, GET the source.
    #[test]
    fn lb_01_every_row_of_the_table() {
        assert_eq!(JobType::read("PUT").map(JobType::other_account), Ok(Side::Destination));
        assert_eq!(JobType::read(" get ").map(JobType::other_account), Ok(Side::Source));
        assert_eq!(JobType::default().other_account(), Side::Destination);
        assert_eq!(JobType::read("SYNC"), Err(JobTypeError));
    }
}
