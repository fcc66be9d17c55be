//! Every crash point: a program that copies is killed before, after and in the middle of each call that it makes, started
//! again, and the end is the same as if nothing had happened.
//!
//! `scenarios` is the table of what is copied, `moments` says where a run can be killed, `stage` is the world in which a
//! program runs and dies, `checks` holds what has to be true after a death and in the end. `every_call` kills once,
//! `pairs` twice, `lost_replies` lets an answer get lost besides. A kill here is the end of every future at an exact
//! call; kills of real processes at any instruction are `tests/blackbox`'s.

mod checks;
mod events;
mod every_call;
mod folder;
mod killer;
mod lost_replies;
mod moments;
mod objects;
mod pairs;
mod programs;
mod scenarios;
mod side;
mod stage;
