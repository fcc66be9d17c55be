//! Fakes, faults, contract suites and an embedded S3 server for tests and the demo.
