//! Nothing: the tests of this package are in `acceptance.rs`.
