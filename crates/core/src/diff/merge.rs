//! Two sorted listings in step, in constant memory.

use std::cmp::Ordering;

use crate::object::KeyOrder;

/// Which side comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Only the source has the next name.
    Source,
    /// Only the destination has it.
    Destination,
    /// Both have it.
    Both,
    /// Both are at their end.
    End,
}

/// Compares the next names of both sides; `None` is a side at its end.
pub fn step(order: KeyOrder, source: Option<&str>, destination: Option<&str>) -> Step {
    match (source, destination) {
        (None, None) => Step::End,
        (Some(_), None) => Step::Source,
        (None, Some(_)) => Step::Destination,
        (Some(a), Some(b)) => match order.compare(a, b) {
            Ordering::Less => Step::Source,
            Ordering::Greater => Step::Destination,
            Ordering::Equal => Step::Both,
        },
    }
}

/// A listing is not in the order that the merge relies on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the listing gave {after:?} after {before:?}")]
pub struct OrderViolation {
    /// The earlier name.
    pub before: String,
    /// The name that should have come earlier.
    pub after: String,
    /// Orders that every pair so far has kept.
    pub still_possible: Option<KeyOrder>,
}

/// Watches a listing go by: an order violation is an error, never a silent difference.
#[derive(Debug, Clone)]
pub struct OrderCheck {
    order: KeyOrder,
    other_holds: bool,
    last: Option<String>,
}

impl OrderCheck {
    /// A check for this order.
    pub fn new(order: KeyOrder) -> Self {
        Self { order, other_holds: true, last: None }
    }

    /// Takes the next name, which must come strictly after the one before.
    pub fn next(&mut self, name: &str) -> Result<(), OrderViolation> {
        let Some(last) = &mut self.last else {
            self.last = Some(name.to_owned());
            return Ok(());
        };
        let other = match self.order {
            KeyOrder::Bytes => KeyOrder::Folders,
            KeyOrder::Folders => KeyOrder::Bytes,
        };
        self.other_holds = self.other_holds && other.compare(last, name) == Ordering::Less;
        if self.order.compare(last, name) != Ordering::Less {
            return Err(OrderViolation {
                before: std::mem::take(last),
                after: name.to_owned(),
                still_possible: self.other_holds.then_some(other),
            });
        }
        last.clear();
        last.push_str(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_folder_ordered_listing_is_recognised() {
        let mut check = OrderCheck::new(KeyOrder::Bytes);
        for name in ["a", "a/b"] {
            check.next(name).unwrap();
        }
        assert_eq!(check.next("a-b").unwrap_err().still_possible, Some(KeyOrder::Folders));
        let mut check = OrderCheck::new(KeyOrder::Bytes);
        check.next("b").unwrap();
        assert_eq!(check.next("a").unwrap_err().still_possible, None);
        let mut check = OrderCheck::new(KeyOrder::Bytes);
        check.next("b").unwrap();
        assert!(check.next("b").is_err(), "a name twice is a violation too");
    }

    proptest! {
        #[test]
        fn the_merge_finds_the_set_differences(
            a in proptest::collection::btree_set("[a/-]{1,4}", 0..20),
            b in proptest::collection::btree_set("[a/-]{1,4}", 0..20),
            folders: bool,
        ) {
            let order = if folders { KeyOrder::Folders } else { KeyOrder::Bytes };
            let sort = |set: &std::collections::BTreeSet<String>| {
                let mut keys: Vec<String> = set.iter().cloned().collect();
                keys.sort_by(|x, y| order.compare(x, y));
                keys
            };
            let (xs, ys) = (sort(&a), sort(&b));
            let (mut i, mut j) = (0, 0);
            let (mut left, mut right, mut both) = (vec![], vec![], vec![]);
            loop {
                match step(order, xs.get(i).map(String::as_str), ys.get(j).map(String::as_str)) {
                    Step::Source => { left.push(xs[i].clone()); i += 1 }
                    Step::Destination => { right.push(ys[j].clone()); j += 1 }
                    Step::Both => { both.push(xs[i].clone()); i += 1; j += 1 }
                    Step::End => break,
                }
            }
            left.sort();
            right.sort();
            both.sort();
            prop_assert_eq!(left, a.difference(&b).cloned().collect::<Vec<_>>());
            prop_assert_eq!(right, b.difference(&a).cloned().collect::<Vec<_>>());
            prop_assert_eq!(both, a.intersection(&b).cloned().collect::<Vec<_>>());
        }
    }
}
