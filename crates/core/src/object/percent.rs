//! Percent-encoding, undone exactly once: S3's notifications and inventories write keys so, and nothing else does.
//!
//! Strict on purpose: a `%` that begins no byte means that the text was never encoded, and a guess would name
//! another object.

/// Why a text is not percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// A `%` without two hexadecimal digits.
    #[error("the `%` at byte {0} is not followed by two hexadecimal digits: the key is not percent-encoded")]
    Digits(usize),
    /// The bytes are no text.
    #[error("the percent-encoded bytes are no UTF-8")]
    NoText,
}

/// Undoes the encoding of HTML forms once: `%XX` is a byte, `+` a space (a plus is written `%2B`).
pub fn decode_percent(text: &str) -> Result<String, PercentError> {
    if !text.bytes().any(|b| b == b'%' || b == b'+') {
        return Ok(text.to_owned());
    }
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) else {
                    return Err(PercentError::Digits(at));
                };
                // Two digits of base 16 always fit.
                decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 2;
            }
            _ => decoded.push(*byte),
        }
        at += 1;
    }
    String::from_utf8(decoded).map_err(|_| PercentError::NoText)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(text: &str) -> String {
        text.bytes()
            .map(|b| match b {
                b' ' => "+".to_owned(),
                b'a'..=b'z' | b'/' => char::from(b).to_string(),
                _ => format!("%{b:02X}"),
            })
            .collect()
    }

    #[test]
    fn decoded_once_and_strictly() {
        let rows = [
            ("a/b", Ok("a/b")),
            ("red+flower%2B.jpg", Ok("red flower+.jpg")),
            ("%2541", Ok("%41")),
            ("%c3%A9", Ok("é")),
            ("a%2Fb", Ok("a/b")),
            ("100%", Err(PercentError::Digits(3))),
            ("%4", Err(PercentError::Digits(0))),
            ("x%+1y", Err(PercentError::Digits(1))),
            ("%é", Err(PercentError::Digits(0))),
            ("%ff", Err(PercentError::NoText)),
        ];
        for (text, expected) in rows {
            assert_eq!(decode_percent(text), expected.map(str::to_owned), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_key_comes_back_and_no_text_panics(key in any::<String>()) {
            prop_assert_eq!(decode_percent(&encode(&key)), Ok(key.clone()));
            let _ = decode_percent(&key);
        }
    }
}
