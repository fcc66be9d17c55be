//! Keys as paths: reversible or refused, and never outside the folder.

use super::{Target, USUAL};

pub(super) const TARGET: Target = Target { name: "key-path", run: |_| {}, ..USUAL };
