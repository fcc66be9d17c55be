//! Compares two listings and sends a job for each object that has to be copied.
