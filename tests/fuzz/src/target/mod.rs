//! What is read from others, and what each reader promises for any bytes.
//!
//! A target returns when all promises are kept and panics when one is not. That it ends in time and with little
//! memory is measured outside.

mod bounds;
#[cfg(feature = "program")]
mod command_line;
mod eventbridge;
mod gzip;
mod key_path;
mod legacy;
mod listing;
mod manifest;
mod message;
mod notification;
mod percent;
mod routes;
mod selection;
#[cfg(feature = "program")]
mod settings;
mod sns;

use std::time::Duration;

use crate::Form;

/// One reader.
#[derive(Debug)]
pub struct Target {
    /// Its name, which is that of its corpus.
    pub name: &'static str,
    /// What its inputs look like.
    pub form: Form,
    /// Words that mean something to it.
    pub tokens: &'static [&'static str],
    /// Folders with inputs that other tests keep, below the workspace.
    pub folders: &'static [&'static str],
    /// Inputs too large to be kept in a file.
    pub large: fn() -> Vec<Vec<u8>>,
    /// The longest input that is made.
    pub longest: usize,
    /// Processor time that no input may exceed.
    pub time: Duration,
    /// Memory that no input may exceed: so much,
    pub memory: usize,
    /// and so much for each byte of the input.
    pub memory_a_byte: usize,
    /// Runs it.
    pub run: fn(&[u8]),
}

/// The bounds that hold unless a target says otherwise.
pub(crate) const USUAL: Target = Target {
    name: "",
    form: Form::Bytes,
    tokens: &[],
    folders: &[],
    large: Vec::new,
    longest: 64 * 1024,
    time: Duration::from_millis(200),
    memory: 1024 * 1024,
    memory_a_byte: 200,
    run: |_| {},
};

/// All targets.
pub const ALL: &[Target] = &[
    message::TARGET,
    notification::TARGET,
    eventbridge::TARGET,
    sns::TARGET,
    manifest::TARGET,
    gzip::TARGET,
    legacy::TARGET,
    #[cfg(feature = "program")]
    settings::TARGET,
    listing::TARGET,
    key_path::TARGET,
    #[cfg(feature = "program")]
    command_line::TARGET,
    routes::TARGET,
    percent::TARGET,
    selection::TARGET,
];
