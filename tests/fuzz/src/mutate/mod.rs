//! From inputs that are known to ones that nobody has seen: changes of bytes, of tokens, of JSON, of XML, of lines.
//!
//! Which kinds fit is said by the target ([`Form`]). All chance comes from the caller.

mod bytes;
mod json;
mod lines;
mod xml;

use crate::random::Random;

/// What the inputs of a target look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Bytes.
    Bytes,
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// Lines: CSV, TOML, arguments.
    Lines,
}

/// What changes are made from.
pub(crate) struct Material<'a> {
    pub(crate) form: Form,
    pub(crate) tokens: &'a [&'a str],
    /// Other inputs, to take pieces from.
    pub(crate) others: &'a [Vec<u8>],
    /// The longest input.
    pub(crate) longest: usize,
}

impl Material<'_> {
    fn other(&self, random: &mut Random) -> &[u8] {
        random.pick(self.others).map_or(&[], Vec::as_slice)
    }

    fn token(&self, random: &mut Random) -> &str {
        random.pick(self.tokens).copied().unwrap_or_default()
    }
}

/// Changes an input, a little or much.
pub(crate) fn mutate(input: &[u8], material: &Material<'_>, random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let changes = 1 << random.below(4);
    for _ in 0..=random.below(changes) {
        let structured = !random.one_in(3);
        let changed = structured
            && match material.form {
                Form::Bytes => false,
                Form::Json => json::change(&mut bytes, material, random),
                Form::Xml => xml::change(&mut bytes, material, random),
                Form::Lines => lines::change(&mut bytes, material, random),
            };
        if !changed {
            bytes::change(&mut bytes, material, random);
        }
        bytes.truncate(material.longest);
    }
    bytes
}
