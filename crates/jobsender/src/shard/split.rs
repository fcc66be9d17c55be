//! Where the rest of a shard is cut in two. Pure, and only a guess: any name between its ends is right, a good one leaves
//! about as much on both sides.
//!
//! Names are cut as characters, since byte order of UTF-8 is the order of code points, and a boundary must be a text.

use super::alphabet::Alphabet;

/// Pages that a shard must seem to have left to be cut.
pub(super) const LONG: f64 = 2.5;
/// The last character that most names are made of; the space behind it is halved only when names are found there.
const LAST_USUAL: char = '\u{7f}';
/// The first one.
const FIRST_USUAL: char = ' ';

/// The page of a shard that came last: what the names that follow are guessed from.
#[derive(Debug, Clone)]
pub(super) struct LastPage {
    /// Its first name.
    pub(super) first: String,
    /// Its last name.
    pub(super) last: String,
    /// The characters in which its names differ.
    pub(super) alphabet: Alphabet,
}

/// A name strictly between the end of a page and `upto` (`None`: behind every name), or `None` where there is none to be
/// found.
///
/// The first guess steps some ten pages ahead: where the names of a page have `…/0004` in common, `…/0005` is about as many
/// pages further as there are characters. Where less is left than that, the rest is halved, by characters that were seen
/// if there are such.
pub(super) fn between(page: &LastPage, upto: Option<&str>) -> Option<String> {
    let low: Vec<char> = page.last.chars().collect();
    let high: Option<Vec<char>> = upto.map(|upto| upto.chars().collect());
    let shared = page.first.chars().zip(&low).take_while(|(a, b)| a == *b).count();
    let common = high.as_ref().map_or(0, |high| low.iter().zip(high).take_while(|(a, b)| a == b).count());
    let fits = |guess: &String| *guess > page.last && upto.is_none_or(|upto| guess.as_str() < upto);
    let mut steps = (0..shared.max(1).min(low.len())).rev().filter_map(|at| step_at(&low, at, page.alphabet));
    let guesses = [
        // Steps become longer: when the first that is worth it is too long, all are.
        steps.find(|guess| is_long(page, guess)),
        halved_as_seen(&low, high.as_deref(), common, page.alphabet),
        halved(&low, high.as_deref(), common),
        high.as_ref().and_then(|high| prefix_of(high, common)),
        step_at(&low, common, Alphabet::default()),
    ];
    guesses.into_iter().flatten().find(fits)
}

/// Whether more pages than a few follow up to a name, or that cannot be told.
pub(super) fn is_long(page: &LastPage, upto: &str) -> bool {
    page.alphabet.pages_left(&page.first, &page.last, upto).is_none_or(|pages| pages > LONG)
}

/// The names up to a character, with the next one there.
fn step_at(low: &[char], at: usize, alphabet: Alphabet) -> Option<String> {
    let here = *low.get(at)?;
    let next = if alphabet.holds(here) { alphabet.after(here)? } else { next(here)? };
    Some(low[..at].iter().chain([&next]).collect())
}

/// Halfway among the characters that were seen, where the ends differ or as soon behind that as there are some.
fn halved_as_seen(low: &[char], high: Option<&[char]>, common: usize, alphabet: Alphabet) -> Option<String> {
    let b = high.and_then(|high| high.get(common).copied());
    (common..low.len()).find_map(|at| {
        let middle = alphabet.middle(low.get(at).copied(), b.filter(|_| at == common))?;
        Some(low[..at].iter().chain([&middle]).collect())
    })
}

/// Halfway where the ends differ, or one character further where they are neighbours.
fn halved(low: &[char], high: Option<&[char]>, common: usize) -> Option<String> {
    let a = low.get(common).copied();
    let b = high.and_then(|high| high.get(common).copied());
    if let Some(middle) = middle(a, b) {
        return Some(low[..common].iter().chain([&middle]).collect());
    }
    // Neighbours: what lies between begins as the lower end does, or is its upper end cut short.
    let deeper = common + 1;
    if low.len() < deeper {
        return None;
    }
    let middle = middle(low.get(deeper).copied(), None)?;
    Some(low[..deeper].iter().chain([&middle]).collect())
}

/// The upper end cut behind the character in which it differs: less than it, if it is longer.
fn prefix_of(high: &[char], common: usize) -> Option<String> {
    (high.len() > common + 1).then(|| high[..=common].iter().collect())
}

/// A character between two, of the usual ones if there is one.
fn middle(low: Option<char>, high: Option<char>) -> Option<char> {
    let low = low.map_or(u32::from(FIRST_USUAL), u32::from);
    let high = match high {
        Some(high) => u32::from(high),
        None if low + 1 < u32::from(LAST_USUAL) => u32::from(LAST_USUAL),
        None => u32::from(char::MAX),
    };
    // A name that begins beyond the usual characters is rarer than one that does not.
    let high = if low < u32::from(LAST_USUAL) && high > 0x80 { 0x80 } else { high };
    let middle = low + high.checked_sub(low)? / 2;
    if middle == low {
        return None;
    }
    // Halves of a surrogate pair are no characters; those behind them are.
    char::from_u32(middle).or(Some('\u{e000}'))
}

fn next(c: char) -> Option<char> {
    let code = u32::from(c) + 1;
    if code > u32::from(char::MAX) { None } else { char::from_u32(code).or(Some('\u{e000}')) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(first: &str, last: &str, seen: &str) -> LastPage {
        let mut alphabet = Alphabet::default();
        alphabet.see(seen);
        LastPage { first: first.into(), last: last.into(), alphabet }
    }

    #[test]
    fn cuts_lie_some_pages_ahead_and_then_halfway() {
        let hex = |first, last, upto| between(&page(first, last, "0123456789abcdef"), upto);
        assert_eq!(hex("0000", "0020", None).as_deref(), Some("01"));
        assert_eq!(hex("0000", "0b3f", None).as_deref(), Some("8"), "a step would be one page");
        assert_eq!(hex("0000", "0b3f", Some("1")).as_deref(), Some("0e"));
        assert_eq!(hex("9000", "9020", None).as_deref(), Some("91"));
        assert_eq!(hex("f000", "fb3f", None).as_deref(), Some("fe"));
        let digits = |first, last, upto| between(&page(first, last, "0123456789"), upto);
        assert_eq!(digits("log/0000", "log/0019", None).as_deref(), Some("log/01"));
        assert_eq!(digits("log/0000", "log/0019", Some("log/01")).as_deref(), Some("log/006"));
        assert_eq!(digits("log/9900", "log/9919", None).as_deref(), Some("log0"));
        assert_eq!(digits("a", "a", Some("a\u{0}")), None);
        assert_eq!(digits("a", "a", Some("a\u{1}")), None);
    }

    proptest! {
        #[test]
        fn a_cut_lies_between_its_ends(
            names in prop::collection::btree_set(any::<String>(), 3), seen in any::<String>(),
        ) {
            let names: Vec<String> = names.into_iter().collect();
            let page = page(&names[0], &names[1], &seen);
            if let Some(cut) = between(&page, None) {
                prop_assert!(cut > page.last);
            }
            if let Some(cut) = between(&page, Some(&names[2])) {
                prop_assert!(cut > page.last && cut < names[2]);
            }
        }

        #[test]
        fn names_that_differ_in_plain_letters_have_a_cut(
            names in prop::collection::btree_set("[a-z0-9/]{4,12}", 3),
        ) {
            let names: Vec<String> = names.into_iter().collect();
            let page = page(&names[0], &names[1], "abcdefghijklmnopqrstuvwxyz0123456789/");
            prop_assert!(between(&page, Some(&names[2])).is_some(), "{:?}", names);
        }
    }
}
