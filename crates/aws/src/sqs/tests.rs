//! Canned replies.
