//! The acceptance tests in Rust: one binary, a module a subject.

mod architecture;
mod crash;
mod damage;
mod differing;
mod documents;
mod emulated;
mod recovery;
mod storm;
mod trip;
mod world;
