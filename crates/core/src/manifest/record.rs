//! Cutting chunks of bytes into records: the lines of a text, or the records of a CSV whose quoted fields may hold
//! commas, quotes and line ends (RFC 4180).
//!
//! Knows nothing of objects. A record is bounded, so that one quote that is never closed cannot swallow the list.

/// The longest record: a key of 1,024 bytes takes 3,072 when every byte is percent-encoded.
pub(super) const MAX_RECORD: usize = 64 * 1024;

/// A record, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    /// Its fields; one when lines are cut.
    Record { line: u64, fields: Vec<Vec<u8>> },
    /// What was read of it.
    Fault { line: u64, what: &'static str, text: Vec<u8> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the beginning of a field.
    Start,
    /// In a field without quotes.
    Plain,
    /// In quotes.
    Quoted,
    /// Behind a quote that may be the closing one.
    Closing,
    /// Skipping to the end of the line after a fault.
    Skip,
}

/// Cuts records.
#[derive(Debug)]
pub(super) struct Cutter {
    csv: bool,
    state: State,
    fields: Vec<Vec<u8>>,
    field: Vec<u8>,
    bytes: usize,
    line: u64,
    begun: u64,
}

impl Cutter {
    /// One that reads CSV, or else lines.
    pub(super) fn new(csv: bool) -> Self {
        Self { csv, state: State::Start, fields: Vec::new(), field: Vec::new(), bytes: 0, line: 1, begun: 1 }
    }

    /// Takes one byte; gives what ended with it.
    pub(super) fn push(&mut self, byte: u8) -> Option<Cut> {
        if byte == b'\n' {
            self.line += 1;
        }
        let ended = self.step(byte);
        if self.bytes > MAX_RECORD {
            let what = if self.state == State::Quoted {
                "a quote is opened and not closed within 64 KiB; the lines up to here are left out"
            } else {
                "the line is longer than 64 KiB"
            };
            self.state = State::Skip;
            return Some(self.fault(what));
        }
        ended
    }

    /// The end of the text; gives what was not ended by a line end.
    pub(super) fn finish(&mut self) -> Option<Cut> {
        match self.state {
            State::Skip => None,
            State::Quoted => Some(self.fault("a quote is opened and never closed")),
            State::Start if self.fields.is_empty() && self.field.is_empty() => None,
            _ => Some(self.record()),
        }
    }

    fn step(&mut self, byte: u8) -> Option<Cut> {
        self.bytes += 1;
        match (self.state, byte) {
            (State::Skip, b'\n') => {
                self.begin();
                None
            }
            (State::Skip, _) => {
                self.bytes = 0;
                None
            }
            (State::Start | State::Plain | State::Closing, b'\n') => {
                // The line end of Windows; inside quotes and elsewhere a carriage return is a byte of the key.
                if self.state != State::Closing && self.field.last() == Some(&b'\r') {
                    self.field.pop();
                }
                Some(self.record())
            }
            (State::Start | State::Plain | State::Closing, b',') if self.csv => {
                let field = std::mem::take(&mut self.field);
                self.fields.push(field);
                self.state = State::Start;
                None
            }
            (State::Start, b'"') if self.csv => {
                self.state = State::Quoted;
                None
            }
            (State::Quoted, b'"') => {
                self.state = State::Closing;
                None
            }
            (State::Closing, b'"') => {
                self.field.push(b'"');
                self.state = State::Quoted;
                None
            }
            (State::Closing, b'\r') => None,
            (State::Closing, _) => {
                self.field.push(byte);
                self.state = State::Skip;
                Some(self.fault("text follows a closing quote; a quote inside quotes is written twice"))
            }
            (State::Start | State::Plain, _) => {
                self.field.push(byte);
                self.state = State::Plain;
                None
            }
            (State::Quoted, _) => {
                self.field.push(byte);
                None
            }
        }
    }

    fn begin(&mut self) {
        self.state = State::Start;
        self.bytes = 0;
        self.begun = self.line;
    }

    fn record(&mut self) -> Cut {
        let mut fields = std::mem::take(&mut self.fields);
        fields.push(std::mem::take(&mut self.field));
        let line = self.begun;
        self.begin();
        Cut::Record { line, fields }
    }

    fn fault(&mut self, what: &'static str) -> Cut {
        let mut text = std::mem::take(&mut self.fields).join(&b","[..]);
        if !text.is_empty() {
            text.push(b',');
        }
        text.append(&mut self.field);
        self.bytes = 0;
        Cut::Fault { line: self.begun, what, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(csv: bool, text: &[u8]) -> Vec<Cut> {
        let mut cutter = Cutter::new(csv);
        let mut all: Vec<Cut> = text.iter().filter_map(|b| cutter.push(*b)).collect();
        all.extend(cutter.finish());
        all
    }

    fn record(line: u64, fields: &[&str]) -> Cut {
        Cut::Record { line, fields: fields.iter().map(|f| f.as_bytes().to_vec()).collect() }
    }

    #[test]
    fn quoting_is_that_of_rfc_4180() {
        let text = "a,b\r\n\"x,\"\"y\"\"\r\nz\",\"\"\n\n a\"b ,\"c\"\r\nlast";
        assert_eq!(
            cut(true, text.as_bytes()),
            [
                record(1, &["a", "b"]),
                record(2, &["x,\"y\"\r\nz", ""]),
                record(4, &[""]),
                record(5, &[" a\"b ", "c"]),
                record(6, &["last"]),
            ]
        );
        assert_eq!(cut(false, b"a,\"b\r\nc\rd"), [record(1, &["a,\"b"]), record(2, &["c\rd"])]);
        assert_eq!(cut(true, b""), []);
        assert_eq!(cut(true, b"\n"), [record(1, &[""])]);
        assert_eq!(cut(true, b"a,"), [record(1, &["a", ""])]);
    }

    #[test]
    fn faults_cost_their_own_lines_only() {
        let all = cut(true, b"\"a\"b,c\nok\n\"open");
        assert!(matches!(&all[0], Cut::Fault { line: 1, text, .. } if text == b"ab"), "{all:?}");
        assert_eq!(all[1], record(2, &["ok"]));
        assert!(matches!(&all[2], Cut::Fault { line: 3, .. }));

        let mut long = b"first\n\"never closed\n".to_vec();
        long.extend(std::iter::repeat_n(b"line\n".as_slice(), 40_000).flatten());
        let all = cut(true, &long);
        assert_eq!(all[0], record(1, &["first"]));
        assert!(matches!(&all[1], Cut::Fault { line: 2, .. }));
        assert!(matches!(&all[2], Cut::Record { line, .. } if *line > 10_000));
        assert!(all.len() > 20_000);
        let long = [vec![b'x'; 2 * MAX_RECORD], b"\nok".to_vec()].concat();
        assert_eq!(cut(true, &long).len(), 2);
        assert_eq!(cut(true, &long)[1], record(2, &["ok"]));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(records in prop::collection::vec(prop::collection::vec("[a,\"\r\n é]{0,6}", 1..4), 0..6)) {
            let quoted = |f: &String| format!("\"{}\"", f.replace('"', "\"\""));
            let text: String = records
                .iter()
                .map(|r| r.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n")
                .collect();
            let found: Vec<Vec<String>> = cut(true, text.as_bytes())
                .into_iter()
                .map(|c| match c {
                    Cut::Record { fields, .. } => {
                        fields.into_iter().map(|f| String::from_utf8(f).unwrap()).collect()
                    }
                    fault @ Cut::Fault { .. } => panic!("{fault:?}"),
                })
                .collect();
            prop_assert_eq!(found, records);
        }

        #[test]
        fn any_bytes_are_cut(text in prop::collection::vec(prop::sample::select(b"a,\"\r\n".to_vec()), 0..40)) {
            for csv in [true, false] {
                let _ = cut(csv, &text);
            }
        }
    }
}
