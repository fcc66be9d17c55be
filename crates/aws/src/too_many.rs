//! What the SDK does not repeat: requests that a store refuses because there are too many.
//!
//! Apart from the settings of its retries (`session`), which are about faults of single requests. Who sees all requests
//! decides when such a one is made again (the worker's pace, the jobsender's patience): an adapter that repeats it on top
//! of that turns a storm into three (decision 0023).

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

use crate::failure::{asks_for_less, is_too_many};

/// Forbids it.
#[derive(Debug)]
pub(crate) struct NotWhenTooMany;

impl ClassifyRetry for NotWhenTooMany {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(response) = context.response() else { return RetryAction::NoActionIndicated };
        let failed = matches!(context.output_or_error(), Some(Err(_)));
        let code = response.body().bytes().and_then(code);
        let too_many = match code {
            Some(code) => asks_for_less(code),
            None => is_too_many(response.status().as_u16()),
        };
        if failed && too_many { RetryAction::RetryForbidden } else { RetryAction::NoActionIndicated }
    }

    fn name(&self) -> &'static str {
        "NotWhenTooMany"
    }
}

/// The code of an error reply: what stands in its first `<Code>`.
fn code(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code.trim())
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn codes_are_found_in_replies() {
        assert_eq!(code(b"<Error><Code>SlowDown</Code><Message>less</Message></Error>"), Some("SlowDown"));
        for none in [&b""[..], b"<html>503</html>", b"<Error><Code>cut sho", b"\xff<Code>x</Code>"] {
            assert_eq!(code(none), None);
        }
    }
}
