//! In which order the two sides are walked: what is promised, what was remembered, what a walk has refuted, and
//! the choice that follows. Pure; the walking itself is done elsewhere.

use longbow_core::diff::OrderViolation;
use longbow_core::object::KeyOrder;
use longbow_core::port::Side;

/// What is known of the order of one side's listings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SideOrder {
    /// Promised by the store or remembered from an earlier run. A walk may still refute it.
    claim: Option<KeyOrder>,
    refuted_bytes: bool,
    refuted_folders: bool,
}

impl SideOrder {
    /// What the store promises goes before what an earlier run remembers.
    pub(crate) fn new(promised: Option<KeyOrder>, remembered: Option<KeyOrder>) -> Self {
        Self { claim: promised.or(remembered), refuted_bytes: false, refuted_folders: false }
    }

    /// Whether a walk has shown that the side does not keep this order.
    pub(crate) fn refuted(&self, order: KeyOrder) -> bool {
        match order {
            KeyOrder::Bytes => self.refuted_bytes,
            KeyOrder::Folders => self.refuted_folders,
        }
    }

    /// Whether the side can be walked in this order for all that is known.
    fn allows(&self, order: KeyOrder) -> bool {
        !self.refuted(order) && self.claim.is_none_or(|c| c == order || self.refuted(c))
    }

    fn standing_claim(&self) -> Option<KeyOrder> {
        self.claim.filter(|c| !self.refuted(*c))
    }

    /// The order to remember after a walk in `walked`; byte order for a side that has none.
    pub(crate) fn native(&self, walked: KeyOrder) -> KeyOrder {
        [walked, KeyOrder::Bytes, KeyOrder::Folders]
            .into_iter()
            .find(|o| self.allows(*o))
            .unwrap_or(KeyOrder::Bytes)
    }

    /// Whether no order fits.
    pub(crate) fn is_hopeless(&self) -> bool {
        !self.allows(KeyOrder::Bytes) && !self.allows(KeyOrder::Folders)
    }

    /// A walk in `walked` met a violation.
    pub(crate) fn refute(&mut self, walked: KeyOrder, violation: &OrderViolation) {
        for order in [KeyOrder::Bytes, KeyOrder::Folders] {
            if order == walked || violation.still_possible != Some(order) {
                match order {
                    KeyOrder::Bytes => self.refuted_bytes = true,
                    KeyOrder::Folders => self.refuted_folders = true,
                }
            }
        }
    }
}

/// How both sides are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Walk {
    /// The order that both arrive in.
    pub(crate) order: KeyOrder,
    /// The source is sorted first.
    pub(crate) sort_source: bool,
    /// The destination is sorted first.
    pub(crate) sort_destination: bool,
}

impl Walk {
    /// Whether this side is sorted first.
    pub(crate) fn sorts(&self, side: Side) -> bool {
        match side {
            Side::Source => self.sort_source,
            Side::Destination => self.sort_destination,
        }
    }
}

/// The walk for what is known.
///
/// | the sides | order | sorted |
/// |---|---|---|
/// | share an order | a shared one: one that is claimed, else bytes | none |
/// | one has no order, the other has | the other's | the first |
/// | bytes and folders | bytes | the one in folder order |
/// | neither has an order | bytes | both |
pub(crate) fn choose(source: &SideOrder, destination: &SideOrder) -> Walk {
    let claims = [source.standing_claim(), destination.standing_claim()];
    let preferred = claims.into_iter().flatten().chain([KeyOrder::Bytes, KeyOrder::Folders]);
    for order in preferred {
        if source.allows(order) && destination.allows(order) {
            return Walk { order, sort_source: false, sort_destination: false };
        }
    }
    let order = match (source.is_hopeless(), destination.is_hopeless()) {
        (true, false) => destination.native(KeyOrder::Bytes),
        (false, true) => source.native(KeyOrder::Bytes),
        _ => KeyOrder::Bytes,
    };
    Walk { order, sort_source: !source.allows(order), sort_destination: !destination.allows(order) }
}

/// The walk in byte order, whatever it costs.
pub(crate) fn in_bytes(source: &SideOrder, destination: &SideOrder) -> Walk {
    let order = KeyOrder::Bytes;
    Walk { order, sort_source: !source.allows(order), sort_destination: !destination.allows(order) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use KeyOrder::{Bytes, Folders};

    fn violation(still_possible: Option<KeyOrder>) -> OrderViolation {
        OrderViolation { before: "b".into(), after: "a".into(), still_possible }
    }
    fn unknown() -> SideOrder {
        SideOrder::new(None, None)
    }
    fn claims(order: KeyOrder) -> SideOrder {
        SideOrder::new(Some(order), None)
    }
    fn found(walked: KeyOrder, still_possible: Option<KeyOrder>) -> SideOrder {
        let mut side = unknown();
        side.refute(walked, &violation(still_possible));
        side
    }
    fn walk(order: KeyOrder, sort_source: bool, sort_destination: bool) -> Walk {
        Walk { order, sort_source, sort_destination }
    }

    #[test]
    fn every_row_of_the_table() {
        let rows = [
            (unknown(), unknown(), walk(Bytes, false, false)),
            (claims(Folders), unknown(), walk(Folders, false, false)),
            (unknown(), claims(Folders), walk(Folders, false, false)),
            (found(Bytes, Some(Folders)), unknown(), walk(Folders, false, false)),
            (found(Bytes, Some(Folders)), claims(Folders), walk(Folders, false, false)),
            (found(Bytes, None), claims(Folders), walk(Folders, true, false)),
            (unknown(), found(Bytes, None), walk(Bytes, false, true)),
            (found(Bytes, Some(Folders)), claims(Bytes), walk(Bytes, true, false)),
            (claims(Bytes), claims(Folders), walk(Bytes, false, true)),
            (found(Bytes, None), found(Folders, None), walk(Bytes, true, true)),
        ];
        for (source, destination, expected) in rows {
            assert_eq!(choose(&source, &destination), expected, "{source:?} {destination:?}");
        }
    }

    #[test]
    fn a_claim_that_a_walk_refutes_gives_way_to_what_was_seen() {
        let mut side = claims(Bytes);
        side.refute(Bytes, &violation(Some(Folders)));
        assert!(side.allows(Folders) && !side.allows(Bytes));
        side.refute(Folders, &violation(None));
        assert!(side.is_hopeless());
    }

    #[test]
    fn what_is_remembered_is_the_sides_own_order() {
        assert_eq!(claims(Folders).native(Bytes), Folders);
        assert_eq!(unknown().native(Folders), Folders);
        assert_eq!(found(Bytes, None).native(Bytes), Bytes);
        assert_eq!(SideOrder::new(Some(Bytes), Some(Folders)).native(Folders), Bytes);
    }
}
