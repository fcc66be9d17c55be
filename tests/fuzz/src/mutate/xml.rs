//! Changes of XML, by the look of its tags.

use std::ops::Range;

use super::Material;
use crate::random::Random;

/// Makes one change, if there is anything like an element.
pub(super) fn change(bytes: &mut Vec<u8>, material: &Material<'_>, random: &mut Random) -> bool {
    let tags: Vec<Range<usize>> = tags(bytes);
    let Some(tag) = random.pick(&tags).cloned() else { return false };
    let element = element(bytes, &tag);
    let inside = tag.end..element.end.saturating_sub(tag.len() + 1).max(tag.end);
    let piece = bytes[element.clone()].to_vec();
    match random.below(10) {
        0 => drop(bytes.splice(element, [])),
        1 => {
            let times = if random.one_in(20) { random.below(400) } else { 1 };
            bytes.splice(element.end..element.end, piece.repeat(times));
        }
        2 => {
            let new = material.token(random).as_bytes().to_vec();
            bytes.splice(inside, new);
        }
        3 => {
            let inner = bytes[inside.clone()].to_vec();
            bytes.splice(inside, [b"<![CDATA[", inner.as_slice(), b"]]>"].concat());
        }
        4 => {
            // Elements inside each other.
            let depth = if random.one_in(6) { 40 } else { 1 + random.below(3) };
            let name = bytes[tag.start + 1..tag.end - 1].to_vec();
            let (open, close) =
                ([b"<", name.as_slice(), b">"].concat(), [b"</", name.as_slice(), b">"].concat());
            bytes.splice(element, [open.repeat(depth), piece, close.repeat(depth)].concat());
        }
        5 => {
            // An element somewhere else.
            let to = random.pick(&tags).map_or(0, |t| t.start);
            bytes.splice(to..to, piece);
        }
        6 => {
            let entities = [
                "&amp;",
                "&lt;",
                "&#10;",
                "&#x0;",
                "&#xD800;",
                "&nbsp;",
                "&",
                "<!-- x -->",
                "<?x y?>",
                "<!DOCTYPE a>",
                "<a/>",
                "<a/b>",
                "<Key/>",
            ];
            let entity = random.pick(&entities).copied().unwrap_or_default();
            bytes.splice(inside.start..inside.start, entity.bytes());
        }
        7 => {
            let new = format!("<{}>", material.token(random).trim_matches(['<', '>', '/']));
            bytes.splice(tag, new.into_bytes());
        }
        8 => {
            let other = material.other(random);
            let donors = self::tags(other);
            if let Some(donor) = random.pick(&donors) {
                let donor = other[self::element(other, donor)].to_vec();
                bytes.splice(element.end..element.end, donor);
            }
        }
        _ => drop(bytes.splice(inside, [])),
    }
    true
}

/// All tags that begin an element.
fn tags(bytes: &[u8]) -> Vec<Range<usize>> {
    let starts = (0..bytes.len())
        .filter(|&at| bytes[at] == b'<' && bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic));
    starts
        .take(200)
        .filter_map(|at| Some(at..at + 1 + bytes[at..].iter().take(100).position(|b| *b == b'>')?))
        .collect()
}

/// From a tag to the end of its element; the tag alone when there is no end.
fn element(bytes: &[u8], tag: &Range<usize>) -> Range<usize> {
    let end = [b"</", &bytes[tag.start + 1..tag.end]].concat();
    let found = bytes[tag.end..].windows(end.len()).position(|w| w == end);
    tag.start..found.map_or(tag.end, |at| tag.end + at + end.len())
}
