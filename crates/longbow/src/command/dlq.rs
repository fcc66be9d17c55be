//! `longbow dlq`: jobs that were given up, looked at, sent again or removed.
//!
//! By receiving and sending, since the service's own way to move messages knows no reasons and is missing elsewhere.

use std::collections::HashSet;
use std::time::Duration;

use longbow_aws::{DeadLetter, SqsQueue};
use longbow_core::job::{Message, decode_message};
use longbow_core::port::JobQueue as _;
use serde_json::{Value, json};

use super::Surrounding;
use super::cluster::{self, Services};
use crate::cli::{DlqAction, DlqArgs, LetterArgs};
use crate::exit::{CommandError, Exit};
use crate::screen::Screen;

/// For how long letters are hidden while they are looked at.
const HIDDEN: Duration = Duration::from_secs(300);

/// Looks that find nothing before the queue counts as read to its end: each asks some of the service's machines.
const EMPTY_LOOKS: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    List,
    Redrive,
    Purge,
}

/// Runs the command.
pub(crate) async fn run(args: &DlqArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let (deed, letters) = match &args.action {
        DlqAction::List(letters) => (Deed::List, letters),
        DlqAction::Redrive(letters) => (Deed::Redrive, letters),
        DlqAction::Purge(letters) => (Deed::Purge, letters),
    };
    let settings = cluster::settings(&letters.service, around).await?.cluster;
    let queue = Services::open(&settings).await?.queue().await?;
    if queue.dead_letter_url().is_none() {
        return Err(CommandError::Usage(format!(
            "the queue {} has no dead-letter queue: give it a redrive policy, or name one by --dead-letter-queue-url",
            queue.url()
        )));
    }
    let counts = go_through(&queue, deed, letters, &around.screen).await.map_err(|error| {
        CommandError::Failed(format!("the dead letters could not all be gone through: {error}"))
    })?;
    let left = queue.depth().await.map(|depth| depth.dead).unwrap_or_default();
    let word = match deed {
        Deed::List => "shown",
        Deed::Redrive => "sent again",
        Deed::Purge => "removed",
    };
    let text = if letters.service.json {
        json!({"event": "summary", "seen": counts.seen, "done": counts.done, "left": left}).to_string()
    } else {
        format!("{} dead letters {word}, {} looked at; about {left} are there now.", counts.done, counts.seen)
    };
    around.screen.output_line(&text);
    Ok(Exit::Done)
}

struct Counts {
    seen: usize,
    done: usize,
}

/// Takes letters until there are no more; those that are not wanted go back at the end, so that they are not met again.
async fn go_through(
    queue: &SqsQueue,
    deed: Deed,
    args: &LetterArgs,
    screen: &Screen,
) -> Result<Counts, longbow_core::failure::BackendError> {
    let wanted_reason = args.reason.as_deref().map(str::to_lowercase);
    let mut counts = Counts { seen: 0, done: 0 };
    let (mut known, mut back, mut empty) = (HashSet::new(), Vec::new(), 0);
    let outcome = loop {
        if counts.done >= args.limit || empty >= EMPTY_LOOKS {
            break Ok(());
        }
        let taken = match queue.dead_letters((args.limit - counts.done).min(100), HIDDEN).await {
            Ok(taken) => taken,
            Err(error) => break Err(error),
        };
        empty = if taken.is_empty() { empty + 1 } else { 0 };
        let mut chosen = Vec::new();
        for letter in taken {
            if !known.insert(letter.id.clone()) {
                back.push(letter);
                continue;
            }
            counts.seen += 1;
            let reason = letter.reason.as_deref().unwrap_or_default().to_lowercase();
            let wanted = wanted_reason.as_ref().is_none_or(|text| reason.contains(text));
            if wanted && counts.done + chosen.len() < args.limit {
                chosen.push(letter)
            } else {
                back.push(letter)
            }
        }
        let done = match deed {
            Deed::List => {
                chosen.iter().for_each(|letter| screen.output_line(&line(letter, args.service.json)));
                Ok(chosen.len())
            }
            Deed::Redrive => queue.redrive(&chosen).await,
            Deed::Purge => queue.discard(&chosen).await.map(|()| chosen.len()),
        };
        match done {
            Ok(done) => counts.done += done,
            Err(error) => break Err(error),
        }
        if deed == Deed::List {
            back.append(&mut chosen);
        }
    };
    // Also after a fault: what was only looked at must not stay hidden.
    let put_back = queue.put_back(&back).await;
    outcome.and(put_back).map(|()| counts)
}

fn line(letter: &DeadLetter, as_json: bool) -> String {
    let about = about(&letter.body);
    if as_json {
        return json!({
            "event": "letter",
            "id": letter.id,
            "reason": letter.reason,
            "receptions": letter.receptions,
            "about": about,
            "body": letter.body,
        })
        .to_string();
    }
    let reason =
        letter.reason.as_deref().unwrap_or("put aside by the queue's redrive policy, without a reason");
    let tries = letter.receptions.map(|n| format!(" after {n} receptions")).unwrap_or_default();
    format!("{}: {reason}{tries}", about.as_str().unwrap_or("?"))
}

/// What a message is about, in few words.
fn about(body: &str) -> Value {
    match decode_message(body) {
        Ok(Message::Copy(routed)) => routed.job.source.to_string().into(),
        Ok(Message::Legacy(job)) => format!("s3://{}/{}", job.source_bucket, job.source).into(),
        Ok(Message::Hub(job)) => job.key.to_string().into(),
        Ok(Message::Events(events)) => match events.first() {
            Some(event) => format!("{} of s3://{}/{}", event.name, event.bucket, event.key).into(),
            None => "an event without records".into(),
        },
        Ok(Message::Test) => "a trial message of S3".into(),
        Err(error) => format!("no job ({error})").into(),
    }
}
