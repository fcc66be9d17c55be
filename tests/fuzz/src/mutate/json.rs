//! Changes of JSON that leave it JSON.

use serde_json::{Map, Value};

use super::Material;
use super::bytes::NUMBERS;
use crate::random::Random;

/// Makes one change, if the bytes are JSON.
pub(super) fn change(bytes: &mut Vec<u8>, material: &Material<'_>, random: &mut Random) -> bool {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else { return false };
    let nodes = count(&value);
    let donor = match serde_json::from_slice::<Value>(material.other(random)) {
        Ok(mut other) => {
            let at = random.below(count(&other));
            nth(&mut other, at).map(std::mem::take)
        }
        Err(_) => None,
    };
    let at = random.below(nodes);
    if let Some(node) = nth(&mut value, at) {
        alter(node, donor, material, random);
    }
    let text =
        if random.one_in(16) { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
    let Ok(mut text) = text else { return false };
    if random.one_in(12) {
        twice(&mut text, material, random);
    }
    *bytes = text.into_bytes();
    true
}

fn alter(node: &mut Value, donor: Option<Value>, material: &Material<'_>, random: &mut Random) {
    match (random.below(14), node) {
        (0, node) => *node = Value::Null,
        (1, node) => *node = number(random),
        (2, node) => *node = Value::String(material.token(random).to_owned()),
        (3, node) => *node = Value::Array(vec![std::mem::take(node)]),
        (4, node) => {
            // A text in a text: how SNS has it.
            *node = Value::String(node.to_string());
        }
        (5, Value::String(text)) => {
            let mut bytes = std::mem::take(text).into_bytes();
            super::bytes::change(&mut bytes, material, random);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        (6, Value::Array(items)) => {
            let piece = random.pick(items).cloned().unwrap_or_default();
            for _ in 0..=random.below(4) {
                items.push(piece.clone());
            }
        }
        (7, Value::Array(items)) => items.truncate(random.below(items.len() + 1)),
        (8, Value::Object(fields)) => {
            let name = name(fields, random);
            fields.remove(&name);
        }
        (9, Value::Object(fields)) => {
            let value = fields.remove(&name(fields, random)).unwrap_or_default();
            fields.insert(material.token(random).to_owned(), value);
        }
        (10, Value::Object(fields)) => {
            fields.insert(material.token(random).to_owned(), donor.unwrap_or_default());
        }
        (11, Value::String(text)) => {
            // Another text that stands for a message may be JSON by itself.
            let mut bytes = text.clone().into_bytes();
            if bytes.starts_with(b"{") && change(&mut bytes, material, random) {
                *text = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        (12, node) => {
            let depth = if random.one_in(8) { 200 } else { random.below(8) };
            for _ in 0..depth {
                *node = Value::Array(vec![std::mem::take(node)]);
            }
        }
        (_, node) => {
            if let Some(donor) = donor {
                *node = donor;
            }
        }
    }
}

fn number(random: &mut Random) -> Value {
    let text = random.pick(&NUMBERS).copied().unwrap_or("0");
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn name(fields: &Map<String, Value>, random: &mut Random) -> String {
    let names: Vec<&String> = fields.keys().collect();
    random.pick(&names).map(|name| (*name).clone()).unwrap_or_default()
}

/// Writes a field before all others of some object: it may stand there twice then.
fn twice(text: &mut String, material: &Material<'_>, random: &mut Random) {
    let places: Vec<usize> = text.match_indices("{\"").map(|(at, _)| at + 1).collect();
    if let Some(&at) = random.pick(&places) {
        let field = format!("{}:{},", Value::from(material.token(random)), number(random));
        text.insert_str(at, &field);
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// The n-th value, from outside to inside.
fn nth(value: &mut Value, n: usize) -> Option<&mut Value> {
    if n == 0 {
        return Some(value);
    }
    let mut left = n - 1;
    let mut inside: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Object(fields) => Box::new(fields.values_mut()),
        _ => return None,
    };
    inside
        .find_map(|item| {
            let size = count(item);
            if left < size {
                return Some((item, left));
            }
            left -= size;
            None
        })
        .and_then(|(item, left)| nth(item, left))
}
