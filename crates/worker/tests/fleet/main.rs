//! The worker of a fleet on strict fakes and paused time: messages, events, removals, stops, refusals, failing services.

mod counting;
mod crashes;
mod defects;
mod events;
mod failing;
mod leftovers;
mod load;
mod messages;
mod refusals;
mod removals;
mod stopping;
mod world;
