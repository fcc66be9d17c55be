//! The settings: layers of what was written ([`RawSettings`]) become values that hold ([`Settings`]), or a list of
//! all faults at once.
//!
//! Defaults are in `config/default.toml` alone, which is compiled in. Nothing here opens a store or judges whether a
//! setting fits the two sides of a route; the commands do.

mod explain;
mod fault;
mod layers;
mod longbow_098;
mod origin;
mod parameter;
mod raw;
mod reading;
mod resolve;
mod routes;
mod values;
mod written;

pub(crate) use explain::explain;
pub(crate) use fault::{Fault, Faults};
pub(crate) use layers::{FlagLayer, Layers, ProcessEnvironment};
pub(crate) use origin::Origin;
pub(crate) use resolve::resolve;
pub(crate) use routes::{WrittenRoute, of_json};
pub(crate) use values::{ClusterSettings, Credentials, Settings, SideSettings};

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod tests;
