//! The acceptance tests in Rust: one binary, a module a subject.

mod architecture;
mod damage;
mod differing;
mod emulated;
mod predecessors;
mod recovery;
mod trip;
mod world;
