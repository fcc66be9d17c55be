//! The longbow program.
fn main() {}
