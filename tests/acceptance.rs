//! The acceptance tests in Rust: one binary, a module a subject.

mod architecture;
mod trip;
mod world;
