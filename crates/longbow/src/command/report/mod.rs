//! `longbow report`: every object that a transfer counts, in the order of keys, with what is recorded of it.
//!
//! Read as a stream and written as it comes, in memory that does not grow with it. Objects that were planned and never
//! reached have no record, and are no lines; how many they are is said at the end.

mod csv;
mod row;

use std::fs::File;
use std::io::{self, BufWriter, Write};

use futures_util::TryStreamExt as _;
use longbow_core::job::{TransferId, TransferRun};
use longbow_core::object::ObjectKey;
use longbow_core::port::TransferLog as _;
use serde_json::{Map, Value};

use super::Surrounding;
use super::cluster::at_start;
use super::looking::{self, Looked};
use crate::amounts::{count, objects};
use crate::cli::{ListFormat, ReportArgs};
use crate::exit::{CommandError, Exit};

/// Every object, whatever its transfer.
const ALL: &str = "all";

/// Runs the command.
pub(crate) async fn run(args: &ReportArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let fleet = looking::open(&args.places, &args.fleet, around).await?;
    let wanted = (args.transfer != ALL).then(|| TransferId(args.transfer.clone()));
    let noted = match &wanted {
        Some(id) => fleet.table.get(id).await.map_err(|e| at_start("the state table", &e))?,
        None => Vec::new(),
    };
    let place = args.output.as_ref().map_or("standard output".to_owned(), |path| path.display().to_string());
    let cannot = |error: io::Error| CommandError::Failed(format!("failed to write to {place}: {error}"));
    let out: Box<dyn Write + Send> = match &args.output {
        Some(path) => Box::new(File::create(path).map_err(|error| {
            let place = path.display();
            CommandError::Usage(format!("failed to write {place}: {error}; give --output another file"))
        })?),
        None => Box::new(io::stdout()),
    };
    let format = if args.fleet.json { ListFormat::Jsonl } else { args.format };
    let mut list = List { out: BufWriter::with_capacity(1 << 16, out), format, lines: 0 };
    let written = async {
        list.begin()?;
        for route in &fleet.routes {
            write_route(&mut list, route, wanted.as_ref()).await?;
        }
        list.out.flush()?;
        Ok(())
    }
    .await;
    match written {
        Ok(()) => {}
        // Whoever read it has enough.
        Err(Trouble::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Done),
        Err(Trouble::Output(error)) => return Err(cannot(error)),
        Err(Trouble::Table(error)) => return Err(at_start("the state table", &error)),
    }
    around.screen.error_line(&closing(list.lines, wanted.as_ref(), &noted));
    if list.lines == 0 && noted.is_empty() && wanted.is_some() {
        return Err(CommandError::Usage(format!(
            "there is no transfer {} of these routes: longbow status names the latest",
            args.transfer
        )));
    }
    Ok(Exit::Done)
}

/// What went wrong on the way.
enum Trouble {
    Table(longbow_core::failure::BackendError),
    Output(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

async fn write_route<W: Write>(
    list: &mut List<W>,
    route: &Looked,
    wanted: Option<&TransferId>,
) -> Result<(), Trouble> {
    let mut records = route.state.in_order(None);
    let prefix = route.asked.route.source_prefix();
    while let Some(recorded) = records.try_next().await.map_err(Trouble::Table)? {
        if wanted.is_some() && recorded.stored.record.transfer.as_ref() != wanted {
            continue;
        }
        let key: ObjectKey = prefix.join(recorded.subject.as_str());
        let destination = route.asked.route.map(&key);
        list.add(&row::values(route.name.as_str(), &key, destination.as_ref(), &recorded))?;
    }
    Ok(())
}

struct List<W: Write> {
    out: BufWriter<W>,
    format: ListFormat,
    lines: u64,
}

impl<W: Write> List<W> {
    fn begin(&mut self) -> io::Result<()> {
        match self.format {
            ListFormat::Csv => self.out.write_all(csv::line(row::FIELDS).as_bytes()),
            ListFormat::Jsonl => Ok(()),
        }
    }

    fn add(&mut self, values: &[Value; 16]) -> io::Result<()> {
        self.lines += 1;
        match self.format {
            ListFormat::Csv => self.out.write_all(csv::line(values.iter().map(row::cell)).as_bytes()),
            ListFormat::Jsonl => {
                let fields = row::FIELDS.iter().zip(values).filter(|(_, value)| !value.is_null());
                let fields: Map<String, Value> =
                    fields.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
                writeln!(self.out, "{}", Value::Object(fields))
            }
        }
    }
}

fn closing(lines: u64, wanted: Option<&TransferId>, noted: &[TransferRun]) -> String {
    let planned: u64 = noted.iter().filter_map(|run| run.plan).map(|plan| plan.jobs).sum();
    let mut text = format!("{} listed.", objects(lines));
    if wanted.is_some() && planned > lines {
        text.push_str(&format!(
            " {} more were planned: they are not begun yet, or a later transfer took them over.",
            count(planned - lines)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use longbow_aws::Recorded;
    use longbow_core::failure::FailureClass;
    use longbow_core::job::{ObjectRecord, RecordState, SourceVersion};
    use longbow_core::object::Timestamp;
    use longbow_core::port::Stored;

    use super::*;

    fn written(format: ListFormat) -> String {
        let record = ObjectRecord {
            source: SourceVersion { size: 7, etag: None, version: None, modified: Some(Timestamp(0)) },
            attempts: 2,
            updated: Timestamp(1_000),
            state: RecordState::Failed { class: FailureClass::Denied, reason: "no, \"really\"".into() },
            sequencer: None,
            transfer: Some(TransferId("t1".into())),
            found: false,
        };
        let recorded = Recorded { subject: "=a\nb".into(), stored: Stored { version: 1, record } };
        let mut list = List { out: BufWriter::new(Vec::new()), format, lines: 0 };
        list.begin().unwrap();
        list.add(&row::values("r", &"p/=a\nb".into(), Some(&"q/=a\nb".into()), &recorded)).unwrap();
        String::from_utf8(list.out.into_inner().unwrap()).unwrap()
    }

    #[test]
    fn every_byte_of_a_key_is_in_the_list() {
        let csv = written(ListFormat::Csv);
        let (heading, row) = csv.split_once("\r\n").unwrap();
        assert_eq!(heading.split(',').count(), 16);
        assert_eq!(
            row,
            "r,\"p/=a\nb\",\"q/=a\nb\",failed,7,,,1970-01-01T00:00:00.000Z,,,2,denied,\"no, \"\"really\"\"\",t1,\
             1970-01-01T00:00:01.000Z,\r\n"
        );
        let line: Value = serde_json::from_str(&written(ListFormat::Jsonl)).unwrap();
        assert_eq!(
            (&line["key"], &line["state"], &line["class"]),
            (&"p/=a\nb".into(), &"failed".into(), &"denied".into())
        );
        assert!(line.get("proof").is_none());
    }

    #[test]
    fn what_has_no_line_is_counted() {
        let route = longbow_core::routes::RouteName::of_pair(0);
        let run = TransferRun::begin(TransferId("t".into()), route, ("a", "b"), "etag", Timestamp(0));
        let plan = longbow_core::job::RunPlan { jobs: 12, ..Default::default() };
        let run = run.end(Timestamp(1), Some(plan), None);
        let text = closing(9, Some(&run.transfer), std::slice::from_ref(&run));
        assert!(text.contains("9 objects listed") && text.contains("3 more"), "{text}");
        assert_eq!(closing(12, Some(&run.transfer), std::slice::from_ref(&run)), "12 objects listed.");
    }
}
