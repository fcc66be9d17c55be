//! I8: no write begins under a lease that has ended, by the queue's own reckoning.

use std::collections::HashMap;

use super::story::Story;
use super::{Breaches, Checker};
use crate::journal::{Asks, Entry, Key, Role, What, Who};

#[derive(Default)]
pub(super) struct Leases {
    /// By whom, message and reception: the key, and until when.
    held: HashMap<(Who, u64, u32), (Key, u64)>,
}

impl Checker for Leases {
    fn read(&mut self, _story: &Story, entry: &Entry, breaches: &mut Breaches) {
        if !matches!(entry.who.role, Role::Worker(_)) {
            return;
        }
        let who = entry.who;
        match entry.what {
            What::Received(number, count, about, until) if about.kind != Asks::Poison => {
                self.held.insert((who, number, count), (about.key, until));
            }
            What::Extended(number, count, until, true) => {
                if let Some(held) = self.held.get_mut(&(who, number, count)) {
                    held.1 = until;
                }
            }
            What::Acknowledged(number, count, true) | What::PutAside(number, count, true, _) => {
                self.held.remove(&(who, number, count));
            }
            What::Begun(call, key, at) => {
                let holds = |((of, ..), (held, until)): (&(Who, u64, u32), &(Key, u64))| {
                    *of == who && *held == key && *until > at
                };
                if !self.held.iter().any(holds) {
                    breaches
                        .add("I8", format!("{call:?} of {key} begins at {at} without a lease that holds"));
                }
            }
            _ => {}
        }
    }
}
