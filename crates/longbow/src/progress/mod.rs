//! What a user hears of a run while it goes on: a bar on a terminal, lines elsewhere, JSON lines for machines.

mod reading;
mod ticker;
mod voice;

pub(crate) use reading::Reading;
pub(crate) use ticker::Ticker;
pub(crate) use voice::{Voice, VoiceOptions};
