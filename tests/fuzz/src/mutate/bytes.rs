//! Changes that know nothing of what the bytes mean.

use super::Material;
use crate::random::Random;

/// Numbers at which readers change their minds.
pub(super) const NUMBERS: [&str; 22] = [
    "0",
    "1",
    "-1",
    "00",
    "127",
    "128",
    "255",
    "256",
    "999",
    "1000",
    "1001",
    "65535",
    "2147483648",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e309",
    "-0.0",
    "1.5",
];

/// Texts at which readers of texts change their minds.
const TEXTS: [&str; 30] = [
    "",
    " ",
    "\"",
    "'",
    "\\",
    "/",
    "//",
    "/../",
    "..",
    ".",
    "%",
    "%25",
    "%2F",
    "%00",
    "%ff",
    "+",
    "\0",
    "\n",
    "\r\n",
    "\u{feff}",
    "\u{fffe}",
    "\u{2028}",
    "é",
    "e\u{301}",
    "\u{1b}[2J",
    "😀",
    "null",
    "true",
    "*",
    "\u{7f}",
];

/// Makes one change.
pub(super) fn change(bytes: &mut Vec<u8>, material: &Material<'_>, random: &mut Random) {
    let length = bytes.len();
    let at = random.below(length + 1);
    match random.below(17) {
        0 if length > 0 => bytes[at.min(length - 1)] ^= 1 << random.below(8),
        1 if length > 0 => bytes[at.min(length - 1)] = random.byte(),
        2 => bytes.insert(at, random.byte()),
        3 => drop(bytes.drain(random.range(length))),
        4 => insert(bytes, at, material.token(random).as_bytes()),
        5 => {
            let range = random.range(length);
            bytes.splice(range, material.token(random).bytes());
        }
        6 => insert(bytes, at, random.pick(&TEXTS).map_or(&[], |t| t.as_bytes())),
        7 => insert(bytes, at, random.pick(&NUMBERS).map_or(&[], |t| t.as_bytes())),
        8 => number(bytes, random),
        9 => {
            let piece = bytes[random.range(length)].to_vec();
            insert(bytes, at, &piece);
        }
        10 => {
            let other = material.other(random);
            let piece = other[random.range(other.len())].to_vec();
            insert(bytes, at, &piece);
        }
        11 => {
            // The beginning of this one and the end of another.
            let other = material.other(random);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
        12 => bytes.truncate(at),
        13 => {
            let (from, to) = (random.range(length), random.below(length + 1));
            let piece: Vec<u8> = bytes.drain(from).collect();
            insert(bytes, to.min(bytes.len()), &piece);
        }
        14 => {
            for byte in &mut bytes[random.range(length)] {
                *byte ^= 0x20;
            }
        }
        15 if random.one_in(40) => grow(bytes, material, random),
        _ => exchange(bytes, material, random),
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

/// Puts another number in the place of one.
fn number(bytes: &mut Vec<u8>, random: &mut Random) {
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|&at| bytes[at].is_ascii_digit() && (at == 0 || !bytes[at - 1].is_ascii_digit()))
        .collect();
    let Some(&from) = random.pick(&starts) else { return };
    let to = bytes[from..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |n| from + n);
    let new = random.pick(&NUMBERS).copied().unwrap_or_default();
    bytes.splice(from..to, new.bytes());
}

/// Puts another token in the place of one.
fn exchange(bytes: &mut Vec<u8>, material: &Material<'_>, random: &mut Random) {
    let old = material.token(random).as_bytes();
    let new = material.token(random).as_bytes();
    if old.is_empty() {
        return;
    }
    let found: Vec<usize> =
        bytes.windows(old.len()).enumerate().filter(|(_, w)| *w == old).map(|(at, _)| at).collect();
    if let Some(&at) = random.pick(&found) {
        bytes.splice(at..at + old.len(), new.iter().copied());
    }
}

/// Repeats a piece until the input is as long as it may be: for whatever grows faster than its input.
fn grow(bytes: &mut Vec<u8>, material: &Material<'_>, random: &mut Random) {
    let range = random.range(bytes.len());
    let piece = bytes[range.clone()].to_vec();
    if piece.is_empty() {
        return;
    }
    let room = material.longest.saturating_sub(bytes.len());
    let times = room / piece.len() / (1 << random.below(8));
    let repeated = piece.repeat(times);
    insert(bytes, range.end, &repeated);
}
