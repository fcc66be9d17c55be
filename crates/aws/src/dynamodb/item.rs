//! How a record lies in an item, and back.
//!
//! As attributes and not as one text, so that a person can read it in the console and filter by `state`. The fields of
//! the record's own JSON form become attributes of the same names: what the record learns to say is kept without
//! this file. A value that cannot be read is an error, never a guess.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use longbow_core::failure::BackendError;
use longbow_core::job::{ObjectRecord, RecordState};
use longbow_core::object::ObjectKey;
use longbow_core::port::Stored;
use serde_json::{Map, Number, Value};

use super::place::{Place, is_odd};
use super::schema::attribute;

pub(super) type Item = HashMap<String, AttributeValue>;

/// The key attributes of a place.
pub(super) fn key(place: &Place) -> Item {
    HashMap::from([
        (attribute::PK.to_owned(), AttributeValue::S(place.pk.clone())),
        (attribute::SK.to_owned(), AttributeValue::S(place.sk.clone())),
    ])
}

/// The item of a record. `write` names this very write.
pub(super) fn of_record(
    place: &Place,
    subject: &ObjectKey,
    version: u64,
    write: &str,
    record: &ObjectRecord,
) -> Result<Item, BackendError> {
    let broken =
        |why: String| BackendError::fatal(format!("the record of {subject} has no JSON form: {why}"));
    let fields = match serde_json::to_value(record).map_err(|error| broken(error.to_string()))? {
        Value::Object(fields) => fields,
        other => return Err(broken(format!("it is {other}"))),
    };
    let mut item = of_fields(fields);
    item.extend(key(place));
    item.insert(attribute::VERSION.into(), AttributeValue::N(version.to_string()));
    item.insert(attribute::WRITE.into(), AttributeValue::S(write.to_owned()));
    if is_odd(subject) {
        item.insert(attribute::SUBJECT.into(), AttributeValue::S(subject.as_str().to_owned()));
    }
    if matches!(record.state, RecordState::Failed { .. }) {
        item.insert(attribute::FAILED.into(), AttributeValue::S(place.pk.clone()));
    }
    Ok(item)
}

/// Attributes of the names and values of JSON's fields.
pub(super) fn of_fields(fields: Map<String, Value>) -> Item {
    fields.into_iter().map(|(name, value)| (name, to_attribute(value))).collect()
}

/// The other way; the error names the attribute.
pub(super) fn to_fields(item: Item) -> Result<Map<String, Value>, String> {
    let read =
        |(name, value)| to_json(value).map_err(|why| format!("{name}: {why}")).map(|value| (name, value));
    item.into_iter().map(read).collect()
}

/// The subject of a record's item.
pub(super) fn subject(item: &Item) -> Result<ObjectKey, BackendError> {
    let text = item.get(attribute::SUBJECT).or_else(|| item.get(attribute::SK));
    match text {
        Some(AttributeValue::S(text)) => Ok(ObjectKey::from(text.as_str())),
        _ => Err(unreadable("?", "it has no subject")),
    }
}

/// Reads the item of a record.
pub(super) fn to_record(mut item: Item) -> Result<Stored, BackendError> {
    let subject = subject(&item)?;
    let version =
        number(&item, attribute::VERSION).ok_or_else(|| unreadable(subject.as_str(), "it has no version"))?;
    for own in [
        attribute::PK,
        attribute::SK,
        attribute::VERSION,
        attribute::WRITE,
        attribute::SUBJECT,
        attribute::FAILED,
        attribute::EXPIRES,
    ] {
        item.remove(own);
    }
    let fields = to_fields(item).map_err(|why| unreadable(subject.as_str(), &why))?;
    let record = serde_json::from_value(Value::Object(fields));
    record
        .map(|record| Stored { version, record })
        .map_err(|error| unreadable(subject.as_str(), &error.to_string()))
}

/// A whole number of an item.
pub(super) fn number(item: &Item, name: &str) -> Option<u64> {
    match item.get(name) {
        Some(AttributeValue::N(text)) => text.parse().ok(),
        _ => None,
    }
}

/// A text of an item.
pub(super) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    match item.get(name) {
        Some(AttributeValue::S(text)) => Some(text),
        _ => None,
    }
}

fn unreadable(subject: &str, why: &str) -> BackendError {
    BackendError::fatal(format!(
        "the record of {} in the table cannot be read: {why}; another release may have written it: remove the item to \
         start over with this object",
        ObjectKey::from(subject)
    ))
}

fn to_attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(to_attribute).collect()),
        Value::Object(fields) => {
            AttributeValue::M(fields.into_iter().map(|(name, value)| (name, to_attribute(value))).collect())
        }
    }
}

fn to_json(value: AttributeValue) -> Result<Value, String> {
    Ok(match value {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(value) => Value::Bool(value),
        AttributeValue::N(text) => {
            Value::Number(to_number(&text).ok_or_else(|| format!("{text:?} is no number"))?)
        }
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(values) => Value::Array(values.into_iter().map(to_json).collect::<Result<_, _>>()?),
        AttributeValue::M(fields) => {
            let read = |(name, value)| to_json(value).map(|value| (name, value));
            Value::Object(fields.into_iter().map(read).collect::<Result<_, _>>()?)
        }
        other => return Err(format!("it has the type of {other:?}")),
    })
}

/// DynamoDB writes numbers its own way: whole ones without a point, large ones in full, up to 38 digits.
fn to_number(text: &str) -> Option<Number> {
    if let Ok(number) = text.parse::<u64>() {
        return Some(number.into());
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    Number::from_f64(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use longbow_core::failure::FailureClass;
    use longbow_core::job::SourceVersion;
    use longbow_core::object::Timestamp;

    use super::*;

    fn record(state: RecordState) -> ObjectRecord {
        let source =
            SourceVersion { size: u64::MAX, etag: None, version: None, modified: Some(Timestamp(-5)) };
        ObjectRecord {
            source,
            attempts: 1,
            updated: Timestamp(7),
            state,
            sequencer: None,
            transfer: None,
            found: false,
        }
    }

    fn failed() -> ObjectRecord {
        record(RecordState::Failed { class: FailureClass::Denied, reason: "r".into() })
    }

    #[test]
    fn an_item_is_read_back_and_can_be_read_by_people() {
        let place = Place { pk: "o#r#01".into(), sk: "k".into() };
        let item = of_record(&place, &"k".into(), u64::MAX, "w", &failed()).unwrap();
        assert_eq!(text(&item, "state"), Some("failed"));
        assert_eq!(text(&item, "class"), Some("denied"));
        assert_eq!(subject(&item).unwrap().as_str(), "k");
        let stored = to_record(item).unwrap();
        assert_eq!((stored.version, stored.record), (u64::MAX, failed()));
    }

    /// The index of failures costs a write only where there is one.
    #[test]
    fn only_what_was_given_up_is_in_the_index() {
        let place = Place { pk: "o#r#01".into(), sk: "k".into() };
        let item = of_record(&place, &"k".into(), 1, "w", &failed()).unwrap();
        assert_eq!(text(&item, attribute::FAILED), Some("o#r#01"));
        let waiting = record(RecordState::Waiting {
            upload: None,
            class: FailureClass::Transient,
            reason: String::new(),
        });
        let item = of_record(&place, &"k".into(), 1, "w", &waiting).unwrap();
        assert!(!item.contains_key(attribute::FAILED));
        // A small object costs the writes of one kilobyte, also with all that is said of a copy.
        let mut waiting = waiting;
        waiting.transfer = Some(longbow_core::job::TransferId("20260102T030405678Z-1234567".into()));
        waiting.found = true;
        let item = of_record(&place, &"k".into(), 1, "w", &waiting).unwrap();
        let bytes: usize = item.iter().map(|(name, value)| name.len() + format!("{value:?}").len()).sum();
        assert!(bytes < 1024, "{bytes}");
    }

    #[test]
    fn no_field_of_the_record_has_a_name_of_the_tables_own() {
        let fields = serde_json::to_value(failed()).unwrap();
        for own in [
            attribute::PK,
            attribute::SK,
            attribute::VERSION,
            attribute::WRITE,
            attribute::SUBJECT,
            attribute::FAILED,
            attribute::EXPIRES,
        ] {
            assert!(fields.get(own).is_none(), "{own}");
        }
    }

    #[test]
    fn a_damaged_item_is_an_error_that_names_it() {
        let place = Place { pk: "o#r#01".into(), sk: "folder/k".into() };
        for damage in [
            (attribute::VERSION, AttributeValue::S("x".into())),
            ("state", AttributeValue::S("whatever".into())),
            ("attempts", AttributeValue::N("many".into())),
            ("source", AttributeValue::Ss(Vec::new())),
        ] {
            let mut item = of_record(&place, &"folder/k".into(), 1, "w", &failed()).unwrap();
            item.insert(damage.0.into(), damage.1);
            let error = to_record(item).unwrap_err();
            assert!(!error.transient && error.message.contains("folder/k"), "{}", error.message);
        }
    }
}
