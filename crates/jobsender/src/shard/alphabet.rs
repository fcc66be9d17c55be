//! The characters in which names have been seen to differ: what tells a good guess of a boundary from one where no names
//! are. Only of ASCII; others are taken as they come.

/// A set of ASCII characters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Alphabet(u128);

impl Alphabet {
    /// Takes note of a name's characters.
    pub(super) fn see(&mut self, name: impl AsRef<[u8]>) {
        for byte in name.as_ref().iter().filter(|byte| byte.is_ascii()) {
            self.0 |= 1 << byte;
        }
    }

    /// Whether it was seen.
    pub(super) fn holds(self, c: char) -> bool {
        c.is_ascii() && self.0 >> u32::from(c) & 1 == 1
    }

    /// The next one that was seen.
    pub(super) fn after(self, c: char) -> Option<char> {
        (0u8..128).filter(|code| self.0 >> code & 1 == 1).map(char::from).find(|seen| *seen > c)
    }

    /// The middle one of those strictly between two characters (`None`: behind all that were seen).
    pub(super) fn middle(self, low: Option<char>, high: Option<char>) -> Option<char> {
        let low = low.map_or(-1, |c| i64::from(u32::from(c)));
        let high = high.map_or(128, |c| i64::from(u32::from(c)));
        let inside = |code: &u8| i64::from(*code) > low && i64::from(*code) < high;
        let seen = || (0u8..128).filter(|code| self.0 >> code & 1 == 1).filter(inside);
        let count = seen().count();
        seen().nth(count / 2).map(char::from)
    }

    /// How many pages follow up to `upto`, from the first and last name of one: right where names are spread evenly, and
    /// `None` where they are too close to tell.
    pub(super) fn pages_left(self, first: &str, last: &str, upto: &str) -> Option<f64> {
        let (first, last, upto) = (first.as_bytes(), last.as_bytes(), upto.as_bytes());
        let at = (0..last.len())
            .take_while(|i| first.get(*i) == last.get(*i) && upto.get(*i) == last.get(*i))
            .count();
        let (f, l, u) = (*first.get(at)?, *last.get(at)?, *upto.get(at)?);
        let rank = |byte: u8| f64::from((self.0 & ((1u128 << byte.min(127)) - 1)).count_ones());
        let holds = |byte: u8| self.holds(char::from(byte));
        let (f, l, u) = if holds(f) && holds(l) && holds(u) {
            (rank(f), rank(l), rank(u))
        } else if f == l {
            // The end lies outside of what the names differ in: all that begins so is left.
            (0.0, 0.0, 1.0)
        } else {
            return None;
        };
        let size = f64::from(self.0.count_ones()) + 1.0;
        let place = |name: &[u8]| {
            let (mut place, mut unit) = (0.0, 1.0);
            for byte in name.iter().skip(at + 1).take(12) {
                unit /= size;
                place += unit * (rank(*byte).min(size - 2.0) + 1.0);
            }
            place
        };
        let (f, l, u) = (f + place(first), l + place(last), u + place(upto));
        (l - f > 1e-12).then(|| ((u - l) / (l - f)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_one_that_was_seen() {
        let mut hex = Alphabet::default();
        assert_eq!(hex.middle(None, None), None);
        hex.see("0123456789abcdef");
        assert_eq!(hex.middle(Some('0'), None), Some('8'));
        assert_eq!(hex.middle(Some('8'), Some('a')), Some('9'));
        assert_eq!(hex.middle(Some('f'), None), None);
        assert_eq!(hex.middle(Some('é'), None), None);
        assert_eq!((hex.after('9'), hex.after('f')), (Some('a'), None));
        assert!(hex.holds('a') && !hex.holds('g') && !hex.holds('é'));
    }

    #[test]
    fn pages_left_are_guessed_for_names_that_are_spread_evenly() {
        let mut digits = Alphabet::default();
        digits.see("0123456789");
        let left = digits.pages_left("1000", "1099", "2000").unwrap();
        assert!((5.0..15.0).contains(&left), "{left}");
        assert!(digits.pages_left("1000", "1099", "1100").unwrap() < 1.0);
        assert_eq!(digits.pages_left("000000000000001", "000000000000002", "1"), None);
        assert!(digits.pages_left("log/00", "log/09", "log0").unwrap() > 5.0);
        assert!(digits.pages_left("あ00", "あ09", "ぃ").unwrap() > 5.0);
    }
}
