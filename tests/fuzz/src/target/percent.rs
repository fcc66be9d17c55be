//! Percent-encoding: undone once and strictly, and as a second reader does it.

use longbow_core::object::decode_percent;

use super::{Target, USUAL, bounds};
use crate::Form;

pub(super) const TARGET: Target = Target {
    name: "percent",
    form: Form::Bytes,
    tokens: &["%", "%2", "%25", "%2541", "%C3%A9", "%c3", "%ff", "%00", "+", "%2B", "%zz", "%+1", "%é", "/"],
    run,
    ..USUAL
};

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let read = decode_percent(text);
    assert_eq!(read.as_ref().ok(), bounds::decoded(text).as_ref());
    assert_eq!(
        decode_percent(&bounds::encoded(text)).as_deref(),
        Ok(text),
        "what is encoded does not come back"
    );
    match read {
        Ok(decoded) => assert!(decoded.len() <= text.len()),
        Err(error) => bounds::showable(&error),
    }
}
