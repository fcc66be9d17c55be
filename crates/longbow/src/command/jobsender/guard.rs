//! Whether the queue lets a new batch in: the last one has to be finished, and trial messages of S3 do not count.

use std::time::Duration;

use longbow_core::failure::BackendError;
use longbow_core::job::{Message, Start, WhenBusy, after_look, decode_message, may_start};
use longbow_core::port::JobQueue;

use crate::exit::CommandError;

/// Long enough to look at ten messages.
const HIDDEN: Duration = Duration::from_secs(60);

/// Looks, and refuses in words.
pub(super) async fn pass(queue: &dyn JobQueue, when_busy: WhenBusy) -> Result<(), CommandError> {
    let start = match judge(queue, when_busy).await {
        Ok(start) => start,
        Err(error) => return Err(CommandError::Failed(format!("the queue cannot be looked at: {error}"))),
    };
    match start {
        Start::Go | Start::Look => Ok(()),
        Start::Refuse(why) => Err(CommandError::Refused(format!("{why} (--when-busy append)"))),
    }
}

async fn judge(queue: &dyn JobQueue, when_busy: WhenBusy) -> Result<Start, BackendError> {
    let start = may_start(&queue.depth().await?, when_busy);
    if start != Start::Look {
        return Ok(start);
    }
    let held = queue.receive(10, Duration::from_secs(2), HIDDEN).await?;
    let messages: Vec<Option<Message>> = held.iter().map(|d| decode_message(&d.body).ok()).collect();
    // What cannot be read is no trial message: a worker puts it aside.
    let unreadable = messages.iter().filter(|m| m.is_none()).count();
    let mut start = after_look(messages.iter().flatten());
    if unreadable > 0 && start == Start::Go {
        start = Start::Refuse(format!(
            "the queue holds {unreadable} messages that are no jobs; a worker puts them aside"
        ));
    }
    let mut back = Vec::new();
    for (delivery, message) in held.iter().zip(&messages) {
        match message {
            Some(Message::Test) => queue.acknowledge(&delivery.receipt).await?,
            _ => back.push(delivery.receipt.clone()),
        }
    }
    if !back.is_empty() {
        queue.change_visibility(&back, Duration::ZERO).await?;
    }
    Ok(start)
}
