//! Changes of texts that consist of lines.

use super::Material;
use crate::random::Random;

/// Makes one change.
pub(super) fn change(bytes: &mut Vec<u8>, material: &Material<'_>, random: &mut Random) -> bool {
    let mut lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    let at = random.below(lines.len());
    let other: Vec<&[u8]> = material.other(random).split(|b| *b == b'\n').collect();
    let from_other = random.pick(&other).map_or_else(Vec::new, |line| line.to_vec());
    match random.below(10) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => lines.insert(at, from_other),
        3 => lines[at] = from_other,
        4 => {
            let to = random.below(lines.len());
            lines.swap(at, to);
        }
        5 => lines[at] = material.token(random).as_bytes().to_vec(),
        6 => {
            lines.insert(at, material.token(random).as_bytes().to_vec());
        }
        7 => lines[at].extend_from_slice(material.token(random).as_bytes()),
        8 => {
            // What stands before a sign, with something else behind it.
            let sign = lines[at].iter().position(|b| matches!(b, b'=' | b',' | b':'));
            lines[at].truncate(sign.map_or(0, |s| s + 1));
            lines[at].extend_from_slice(material.token(random).as_bytes());
        }
        _ => super::bytes::change(&mut lines[at], material, random),
    }
    *bytes = lines.join(&b'\n');
    true
}
