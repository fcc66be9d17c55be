//! The same replies by both paths: what one makes of them, the other must.

#[expect(clippy::duplicate_mod, reason = "the same tests, by two paths")]
#[path = "tests/replies.rs"]
mod by_the_lean_path;
#[path = "tests/replies.rs"]
mod by_the_sdk;
mod too_many;
mod versions;
