//! Takes jobs and copies, verifies and settles their objects.
