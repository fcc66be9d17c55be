//! Keeps what the process has in memory, keys among it, from being written to a disk when it crashes.
//!
//! Apart from `main` for its one surprise, the limit's value. It does not hide memory from the machine's administrator.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A file of one byte is no dump. And not zero: a kernel that hands dumps to a program (`core_pattern` with a bar) asks for no
/// limit but this one, which it takes for "none at all" (Linux, `fs/coredump.c`).
const LEAST: u64 = 1;

/// Asks the system for no core dump of this process. Where it cannot be had, as where the limit may not be changed, the process goes
/// on: it is a net below others.
pub(crate) fn forbid() {
    let most = getrlimit(Resource::Core).maximum.map_or(LEAST, |most| most.min(LEAST));
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    if let Err(error) = setrlimit(Resource::Core, limit) {
        tracing::debug!(%error, "a crash may leave a core dump");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_dump_can_be_asked_for_again() {
        forbid();
        let now = getrlimit(Resource::Core);
        assert!(now.maximum.is_some_and(|most| most <= LEAST) && now.current == now.maximum, "{now:?}");
        // Twice is once.
        forbid();
        assert_eq!(getrlimit(Resource::Core), now);
    }
}
