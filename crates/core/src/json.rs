//! Reading JSON that others wrote, field by field, so that a fault names its place (`$[1].src_bucket`) and never
//! repeats a value: configurations hold secrets.
//!
//! Apart from serde's derived readers, because those stop at the first fault and quote what they found.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What is wrong in a JSON text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {what}")]
pub struct JsonFault {
    /// The place, as JSONPath: `$` is the whole text, `$[1].src_bucket` a field of the second entry.
    pub path: String,
    /// What is wrong there, and what would be right. Never a value.
    pub what: String,
}

impl JsonFault {
    /// A fault at a place.
    pub(crate) fn new(path: &str, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), what: what.into() }
    }
}

/// A value and its place.
pub(crate) struct Node<'a> {
    pub(crate) value: &'a Value,
    pub(crate) path: String,
}

impl<'a> Node<'a> {
    /// The whole text.
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value, path: "$".to_owned() }
    }

    /// A field, unless it is absent or `null`.
    pub(crate) fn get(&self, name: &str) -> Option<Node<'a>> {
        let value = self.value.as_object()?.get(name)?;
        (!value.is_null()).then(|| Node { value, path: format!("{}.{name}", self.path) })
    }

    /// A field that must be there.
    pub(crate) fn need(&self, name: &str) -> Result<Node<'a>, JsonFault> {
        if !self.value.is_object() {
            return Err(self.fault(format!("is {}, where an object is needed", kind(self.value))));
        }
        self.get(name).ok_or_else(|| JsonFault::new(&format!("{}.{name}", self.path), "is missing"))
    }

    /// A string.
    pub(crate) fn text(&self) -> Result<&'a str, JsonFault> {
        self.value
            .as_str()
            .ok_or_else(|| self.fault(format!("is {}, where a string is needed", kind(self.value))))
    }

    /// A whole number from 0.
    pub(crate) fn whole(&self) -> Result<u64, JsonFault> {
        self.value.as_u64().ok_or_else(|| {
            self.fault(format!("is {}, where a whole number from 0 to 2^64-1 is needed", kind(self.value)))
        })
    }

    /// The entries of an array.
    pub(crate) fn items(&self) -> Result<Vec<Node<'a>>, JsonFault> {
        let all = self
            .value
            .as_array()
            .ok_or_else(|| self.fault(format!("is {}, where an array is needed", kind(self.value))))?;
        let node = |(i, value)| Node { value, path: format!("{}[{i}]", self.path) };
        Ok(all.iter().enumerate().map(node).collect())
    }

    /// A string field that may be absent, `null` or empty.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<&'a str>, JsonFault> {
        let text = self.get(name).map(|n| n.text()).transpose()?;
        Ok(text.filter(|t| !t.is_empty()))
    }

    /// A fault at this place.
    pub(crate) fn fault(&self, what: impl Into<String>) -> JsonFault {
        JsonFault::new(&self.path, what)
    }
}

/// The kind of a value, without the value.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Whether a text is JSON, and no object in it has a key twice. A byte order mark is skipped.
///
/// # Errors
/// Where it is not, without a value of it.
pub fn check(text: &str) -> Result<(), JsonFault> {
    read_strict(text).map(drop)
}

/// Reads a JSON text in which no object has a key twice. A byte order mark is skipped.
pub(crate) fn read_strict(text: &str) -> Result<Value, JsonFault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| JsonFault::new("$", format!("is no JSON: {error}")))
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = entries.next_element_seed(Strict)? {
            all.push(value);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Strict)?;
            if all.insert(key, value).is_some() {
                return Err(A::Error::custom("an object has one key twice"));
            }
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_reading_refuses_a_key_twice_and_what_follows_the_value() {
        assert!(read_strict("\u{feff}{\"a\": [1, -2, 0.5, null, true, \"x\", {}]}").is_ok());
        for wrong in [r#"{"a":1,"a":2}"#, r#"[{"b":{"a":1,"a":1}}]"#, "[1,]", "[] []", "", "{"] {
            assert!(read_strict(wrong).is_err(), "{wrong}");
        }
        assert!(read_strict(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn faults_name_the_place_and_no_value() {
        let value = read_strict(r#"[{"a":"secret"},{"a":7}]"#).unwrap();
        let items = Node::root(&value).items().unwrap();
        let number = items[0].need("a").unwrap().whole().unwrap_err();
        assert_eq!(
            number.to_string(),
            "$[0].a: is a string, where a whole number from 0 to 2^64-1 is needed"
        );
        assert_eq!(items[1].need("b").err().map(|f| f.to_string()), Some("$[1].b: is missing".into()));
        assert!(items[1].need("a").unwrap().text().is_err());
    }
}
