//! Whether the removal of an object at the source is carried on to the destination: a table.
//!
//! Only decisions: who asks looks at both sides first (the destination before the source), and removes on the condition that the destination is what it saw.

use super::Sequencer;

/// How an event stands to the last one that was acted upon for the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventOrder {
    /// It happened later, or nothing is known of an earlier one.
    Newer,
    /// It is that one again: a delivery that was repeated.
    Same,
    /// It happened before: nothing of it may be done any more.
    Older,
    /// One of them has no sequencer: only a look at both sides tells.
    Unknown,
}

impl EventOrder {
    /// Compares an event with the last one that was acted upon, where there was one.
    ///
    /// | event | last | order |
    /// |---|---|---|
    /// | any | none was acted upon | newer |
    /// | greater sequencer | | newer |
    /// | equal sequencer | | same |
    /// | smaller sequencer | | older |
    /// | no sequencer on either side | | unknown |
    pub fn of(event: Option<&Sequencer>, last: Option<Option<&Sequencer>>) -> Self {
        match (event, last) {
            (_, None) => Self::Newer,
            (Some(event), Some(Some(last))) => match event.cmp(last) {
                std::cmp::Ordering::Greater => Self::Newer,
                std::cmp::Ordering::Equal => Self::Same,
                std::cmp::Ordering::Less => Self::Older,
            },
            _ => Self::Unknown,
        }
    }
}

/// What becomes of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalDecision {
    /// Remove the destination's object, on the condition that it is still the one that was seen.
    Remove,
    /// The source has an object of this key (again): it is what the destination should hold.
    CopyInstead,
    /// Something that happened later has been acted upon.
    Superseded,
    /// There is nothing to remove.
    Nothing,
}

/// The answer to a removal, after a look at the destination and then at the source: in this order, so that an object that
/// was written to both meanwhile is not the one that was seen.
///
/// | order | source has the key now | destination has it | decision |
/// |---|---|---|---|
/// | older | – | – | superseded |
/// | other | yes | – | copy instead |
/// | other | no | yes | remove |
/// | other | no | no | nothing |
///
/// So the removal of an old version, or of a delete marker, removes nothing; nor does a removal that comes late.
pub fn decide_removal(order: EventOrder, at_source: bool, at_destination: bool) -> RemovalDecision {
    match (order, at_source, at_destination) {
        (EventOrder::Older, _, _) => RemovalDecision::Superseded,
        (_, true, _) => RemovalDecision::CopyInstead,
        (_, false, true) => RemovalDecision::Remove,
        (_, false, false) => RemovalDecision::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DTH-04: events of one key are ordered by their sequencer, and a repeated one may be done again.
    #[test]
    fn dth_04_every_row_of_the_order() {
        let (early, late) = (Sequencer::new("0065A").unwrap(), Sequencer::new("0065AB").unwrap());
        let order = |event, last| EventOrder::of(event, last);
        assert_eq!(order(Some(&early), None), EventOrder::Newer);
        assert_eq!(order(None, None), EventOrder::Newer);
        assert_eq!(order(Some(&late), Some(Some(&early))), EventOrder::Newer);
        assert_eq!(order(Some(&late), Some(Some(&late))), EventOrder::Same);
        assert_eq!(order(Some(&early), Some(Some(&late))), EventOrder::Older);
        assert_eq!(order(None, Some(Some(&late))), EventOrder::Unknown);
        assert_eq!(order(Some(&late), Some(None)), EventOrder::Unknown);
    }

    /// LBB-65: delete events acted without order, so that a stale one could remove a newer copy.
    #[test]
    fn lbb_65_a_stale_removal_removes_nothing() {
        use RemovalDecision::{CopyInstead, Nothing, Remove, Superseded};
        let rows = [
            (EventOrder::Older, false, true, Superseded),
            (EventOrder::Older, true, true, Superseded),
            (EventOrder::Newer, true, true, CopyInstead),
            (EventOrder::Unknown, true, false, CopyInstead),
            (EventOrder::Newer, false, true, Remove),
            (EventOrder::Same, false, true, Remove),
            (EventOrder::Unknown, false, true, Remove),
            (EventOrder::Newer, false, false, Nothing),
        ];
        for (order, at_source, at_destination, expected) in rows {
            assert_eq!(decide_removal(order, at_source, at_destination), expected, "{order:?} {at_source}");
        }
    }
}
