//! `longbow jobs show`: one object, by what is recorded, what both sides hold now, and what is said of it in dead letters.

use std::time::Duration;

use longbow_aws::SqsQueue;
use longbow_core::failure::{BackendError, StoreError, StoreErrorKind};
use longbow_core::job::{Message, ObjectRecord, RecordState, Said, Stand, decode_message};
use longbow_core::object::{ETag, Location, ObjectHead, ObjectKey};
use longbow_core::port::{HeadRequest, ObjectStore, StateStore as _, Stored};
use serde_json::{Value, json};

use super::Surrounding;
use super::cluster::at_start;
use super::looking::{self, Looked};
use crate::amounts::bytes;
use crate::cli::{JobShowArgs, JobsAction, JobsArgs};
use crate::exit::{CommandError, Exit};

/// For how long letters are hidden while they are looked at.
const HIDDEN: Duration = Duration::from_secs(120);

/// Letters that are looked at most.
const LETTERS: usize = 10_000;

/// Runs the command.
pub(crate) async fn run(args: &JobsArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    match &args.action {
        JobsAction::Show(args) => show(args, around).await,
    }
}

async fn show(args: &JobShowArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let fleet = looking::open(&args.places, &args.fleet, around).await?;
    let letters = if args.dead_letters {
        let queue = fleet.services.queue().await?;
        letters(&queue).await.map_err(|error| at_start("the dead-letter queue", &error))?
    } else {
        Vec::new()
    };
    let mut seen = 0;
    for route in &fleet.routes {
        let Some(key) = named(&args.key, &route.asked.route.source) else { continue };
        let Some(destination) = route.asked.route.map(&key) else { continue };
        seen += 1;
        let found = Found::look(route, key, destination, &letters)
            .await
            .map_err(|error| at_start("the state table", &error))?;
        let text = if args.fleet.json {
            found.json(args.dead_letters).to_string()
        } else {
            found.text(args.dead_letters)
        };
        around.screen.output_line(&text);
    }
    if seen == 0 {
        let routes: Vec<String> = fleet.routes.iter().map(|r| r.asked.route.source.to_string()).collect();
        return Err(CommandError::Usage(format!(
            "no route takes the key {}: give the whole key, not only its name below the prefix; sources are {}",
            ObjectKey::from(args.key.as_str()),
            routes.join(", ")
        )));
    }
    Ok(Exit::Done)
}

/// The key, if the text can mean one at this source.
fn named(text: &str, source: &Location) -> Option<ObjectKey> {
    let (Some(rest), Location::S3 { bucket, .. }) = (text.strip_prefix("s3://"), source) else {
        return Some(ObjectKey::from(text));
    };
    rest.strip_prefix(bucket.as_str())?.strip_prefix('/').map(ObjectKey::from)
}

/// A dead letter that can be read.
struct Letter {
    about: Vec<ObjectKey>,
    reason: Option<String>,
    receptions: Option<u32>,
}

/// Reads the dead letters and puts them back.
async fn letters(queue: &SqsQueue) -> Result<Vec<Letter>, BackendError> {
    let taken = queue.dead_letters(LETTERS, HIDDEN).await?;
    let read = taken
        .iter()
        .map(|letter| Letter {
            about: about(&letter.body),
            reason: letter.reason.clone(),
            receptions: letter.receptions,
        })
        .collect();
    queue.put_back(&taken).await?;
    Ok(read)
}

/// The source keys that a message names.
fn about(body: &str) -> Vec<ObjectKey> {
    match decode_message(body) {
        Ok(Message::Copy(routed)) => vec![routed.job.source],
        Ok(Message::Legacy(job)) => vec![job.source],
        Ok(Message::Hub(job)) => vec![job.key],
        Ok(Message::Events(events)) => events.into_iter().map(|event| event.key).collect(),
        Ok(Message::Test) | Err(_) => Vec::new(),
    }
}

/// What one side holds now.
type Held = Result<Option<ObjectHead>, StoreError>;

struct Found<'a> {
    route: &'a Looked,
    key: ObjectKey,
    destination_key: ObjectKey,
    stored: Option<Stored>,
    /// Parts that have arrived of the upload that the record names, and their bytes.
    parts: Option<(usize, u64)>,
    source: Held,
    destination: Held,
    letters: Vec<&'a Letter>,
}

impl<'a> Found<'a> {
    async fn look(
        route: &'a Looked,
        key: ObjectKey,
        destination_key: ObjectKey,
        letters: &'a [Letter],
    ) -> Result<Self, BackendError> {
        let name = key.strip(&route.asked.route.source_prefix()).unwrap_or(key.as_str());
        let subject = ObjectKey::from(name);
        let stored = route.state.load(&subject).await?;
        let upload = stored.as_ref().and_then(|stored| stored.record.upload());
        let parts = match upload {
            Some(upload) => {
                let parts = route.state.parts(&subject, &upload.upload).await?;
                Some((parts.len(), parts.iter().map(|part| part.size).sum()))
            }
            None => None,
        };
        let source = head(route.sides.source.store.as_ref(), &key).await;
        let destination = head(route.sides.destination.store.as_ref(), &destination_key).await;
        let letters = letters.iter().filter(|letter| letter.about.contains(&key)).collect();
        Ok(Self { route, key, destination_key, stored, parts, source, destination, letters })
    }

    fn json(&self, with_letters: bool) -> Value {
        let record = self.stored.as_ref().map(|stored| {
            let mut fields = json!(stored.record);
            fields["version"] = json!(stored.version);
            fields["stands"] = json!(stands(&stored.record));
            fields["updated"] = json!(stored.record.updated.to_string());
            if let Some((count, bytes)) = self.parts {
                fields["parts"] = json!({"count": count, "bytes": bytes});
            }
            fields
        });
        let letters: Vec<Value> = self
            .letters
            .iter()
            .map(|letter| json!({"reason": letter.reason, "receptions": letter.receptions}))
            .collect();
        json!({
            "event": "object",
            "route": self.route.name,
            "key": self.key,
            "destination_key": self.destination_key,
            "selected": self.route.asked.selection.selects(&self.key),
            "record": record,
            "source": side_json(&self.source),
            "destination": side_json(&self.destination),
            "dead_letters": with_letters.then_some(letters),
        })
    }

    fn text(&self, with_letters: bool) -> String {
        let sides = &self.route.asked.route;
        let mut lines = vec![format!("{} along {}, to {}", self.key, self.route.name, self.destination_key)];
        if !self.route.asked.selection.selects(&self.key) {
            lines.push("  left out by the route's globs or ignore list".to_owned());
        }
        match &self.stored {
            None => lines.push("  record: none; no job for it was begun".to_owned()),
            Some(stored) => record_text(&stored.record, self.parts, &mut lines),
        }
        lines.push(format!("  source {}: {}", sides.source, side_text(&self.source)));
        lines.push(format!("  destination {}: {}", sides.destination, side_text(&self.destination)));
        if with_letters {
            lines.push(format!("  dead letters: {}", self.letters.len()));
            for letter in &self.letters {
                let reason = letter.reason.as_deref().unwrap_or("put aside by the queue's redrive policy");
                lines.push(format!("    {reason}"));
            }
        }
        lines.join("\n")
    }
}

async fn head(store: &(impl ObjectStore + ?Sized), key: &ObjectKey) -> Held {
    match store.head(key, &HeadRequest::default()).await {
        Ok(head) => Ok(Some(head)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The word of `longbow status` for it.
fn stands(record: &ObjectRecord) -> &'static str {
    match (Said::of(record).stand, &record.state) {
        (_, RecordState::Waiting { .. }) => "waiting",
        (Stand::Skipped, _) => "skipped",
        (Stand::Copied, _) => "copied",
        (Stand::Deleted, _) => "removed",
        (Stand::Failed(_), _) => "failed",
        (Stand::Planned | Stand::Working, _) => "copying",
    }
}

fn record_text(record: &ObjectRecord, parts: Option<(usize, u64)>, lines: &mut Vec<String>) {
    let source = &record.source;
    let tag = |tag: Option<&ETag>| tag.map_or("no tag".to_owned(), |tag| format!("tag {}", tag.as_str()));
    let mut text = format!("  record: {} since {}", stands(record), record.updated);
    match &record.transfer {
        Some(transfer) => text.push_str(&format!(", counted by transfer {transfer}")),
        None => text.push_str(", counted by no transfer"),
    }
    lines.push(text);
    let version = source.version.as_ref().map(|v| format!(", version {}", v.0)).unwrap_or_default();
    let modified = source.modified.map(|at| format!(", written {at}")).unwrap_or_default();
    lines.push(format!("    about {}, {}{version}{modified}", bytes(source.size), tag(source.etag.as_ref())));
    if let Some(sequencer) = &record.sequencer {
        lines.push(format!("    last event settled: sequencer {}", sequencer.as_str()));
    }
    match &record.state {
        RecordState::Copied { destination_etag, proof, .. } => {
            let proof = json!(proof);
            lines.push(format!(
                "    became {}; proved by {}",
                tag(destination_etag.as_ref()),
                proof.as_str().unwrap_or("?")
            ));
        }
        RecordState::Failed { class, reason } => {
            lines.push(format!("    given up, {class}: {reason}"));
        }
        RecordState::Waiting { class, reason, .. } => {
            lines.push(format!("    {} attempts failed; the last, {class}: {reason}", record.attempts));
        }
        RecordState::Copying { .. } | RecordState::Removed => {}
    }
    if let Some(upload) = record.upload() {
        let (count, size) = parts.unwrap_or_default();
        lines.push(format!(
            "    upload {}: {count} of {} parts are there, {}",
            upload.upload.0,
            upload.plan.count(),
            bytes(size)
        ));
    }
}

fn side_json(held: &Held) -> Value {
    match held {
        Ok(None) => Value::Null,
        Ok(Some(head)) => json!({
            "size": head.size,
            "etag": head.etag,
            "version": head.version,
            "modified": head.modified.map(|at| at.to_string()),
            "storage_class": head.storage_class,
        }),
        Err(error) => json!({"error": error.to_string()}),
    }
}

fn side_text(held: &Held) -> String {
    match held {
        Ok(None) => "no such object".to_owned(),
        Ok(Some(head)) => {
            let tag = head.etag.as_ref().map_or("no tag".to_owned(), |tag| format!("tag {}", tag.as_str()));
            let modified = head.modified.map(|at| format!(", written {at}")).unwrap_or_default();
            let version = head.version.as_ref().map(|v| format!(", version {}", v.0)).unwrap_or_default();
            format!("{}, {tag}{version}{modified}", bytes(head.size))
        }
        Err(error) => format!("cannot be looked at: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_whole_or_with_its_bucket() {
        let source = Location::parse("s3://bucket/p", false).unwrap();
        assert_eq!(named("p/x", &source), Some("p/x".into()));
        assert_eq!(named("s3://bucket/p/x", &source), Some("p/x".into()));
        assert_eq!(named("s3://bucket//x", &source), Some("/x".into()));
        assert_eq!(named("s3://bucket-2/p/x", &source), None);
    }

    #[test]
    fn letters_are_about_the_keys_that_they_name() {
        let event = r#"{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put",
            "s3":{"bucket":{"name":"b"},"object":{"key":"a+b","sequencer":"0A"}}}]}"#;
        assert_eq!(about(event), [ObjectKey::from("a b")]);
        assert!(about("nonsense").is_empty());
    }
}
