//! Calls about up to ten entries at once, of which each fares by itself.
//!
//! Apart, because sending, extending and deleting share it: packing entries into calls, keeping several calls on
//! their way, and making again only what failed and may pass. Entries that an answer does not mention count as failed.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use longbow_core::failure::BackendError;

use crate::cluster::{FaultKind, kind_of_code};
use crate::failure::printable;

/// Most entries of a call (Amazon SQS Developer Guide, "Amazon SQS message quotas").
pub(super) const MOST_ENTRIES: usize = 10;

/// Most bytes of a call. A queue takes messages and batches of 1 MiB since August 2025 (API reference,
/// SendMessageBatch: "are both 1 MiB 1,048,576 bytes"), took 256 KiB before, and other servers still do; ten jobs have
/// some five thousand bytes, so that the older limit costs nothing.
pub(super) const MOST_BYTES: usize = 262_144;

/// Most tries of an entry, the first included. The SDK repeats whole calls by itself.
const TRIES: u32 = 5;

/// Most calls at once.
const CALLS: usize = 8;

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is done.
    Done,
    /// The service refused it, with this code.
    Refused { code: String, message: String, may_pass: bool },
}

/// The answer to one call: which entries are done, and which refused.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) done: Vec<String>,
    pub(super) refused: Vec<aws_sdk_sqs::types::BatchResultErrorEntry>,
}

/// Makes the calls. An error only if the very first calls failed as a whole, so that nothing is done; later failures of
/// calls are fates of their entries.
pub(super) async fn run<T, C>(
    entries: &[T],
    weigh: impl Fn(&T) -> usize,
    call: C,
) -> Result<Vec<Fate>, BackendError>
where
    T: Clone,
    C: Fn(Vec<(String, T)>) -> BoxFuture<'static, Result<Answer, BackendError>>,
{
    let unanswered = || Fate::Refused {
        code: String::new(),
        message: "the service's answer does not mention it".to_owned(),
        may_pass: true,
    };
    let mut fates: Vec<Fate> = entries.iter().map(|_| unanswered()).collect();
    let mut pending: Vec<usize> = (0..entries.len()).collect();
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(100) * 3u32.pow(attempt - 1)).await;
        }
        let packs = pack(entries, &pending, &weigh);
        let calls = packs.into_iter().map(|pack| {
            let named = pack.iter().map(|at| (at.to_string(), entries[*at].clone())).collect();
            let answer = call(named);
            async move { (pack, answer.await) }
        });
        let answers: Vec<_> = stream::iter(calls).buffer_unordered(CALLS).collect().await;
        let nothing_done = attempt == 0 && answers.iter().all(|(_, answer)| answer.is_err());
        for (pack, answer) in answers {
            match answer {
                Ok(answer) => note(&mut fates, &pack, answer),
                Err(error) if nothing_done => return Err(error),
                Err(error) => {
                    for at in pack {
                        let message = error.message.clone();
                        // The SDK has tried it several times.
                        fates[at] = Fate::Refused { code: String::new(), message, may_pass: false };
                    }
                }
            }
        }
        pending.retain(|at| matches!(fates[*at], Fate::Refused { may_pass: true, .. }));
        if pending.is_empty() {
            break;
        }
        tracing::debug!(entries = pending.len(), attempt, "entries of a batch are made again");
    }
    Ok(fates)
}

fn note(fates: &mut [Fate], pack: &[usize], answer: Answer) {
    let place = |id: &str| id.parse().ok().filter(|at| pack.contains(at));
    for at in answer.done.iter().filter_map(|id| place(id)) {
        fates[at] = Fate::Done;
    }
    for entry in answer.refused {
        let Some(at) = place(&entry.id) else { continue };
        let kind = kind_of_code(&entry.code);
        // What is not our fault may pass, and of what is: being too fast.
        let may_pass = kind.map_or(!entry.sender_fault, FaultKind::may_pass);
        let said = entry.message.as_deref().unwrap_or_default();
        let message = printable(&format!("{}: {said}", entry.code)).trim_end_matches([':', ' ']).to_owned();
        fates[at] = Fate::Refused { code: entry.code, message, may_pass };
    }
}

/// Splits the pending entries into calls within both limits. An entry above the limit of bytes goes alone.
fn pack<T>(entries: &[T], pending: &[usize], weigh: &impl Fn(&T) -> usize) -> Vec<Vec<usize>> {
    let mut packs: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for at in pending {
        let weight = weigh(&entries[*at]);
        match packs.last_mut() {
            Some(last) if last.len() < MOST_ENTRIES && bytes + weight <= MOST_BYTES => {
                last.push(*at);
                bytes += weight;
            }
            _ => {
                packs.push(vec![*at]);
                bytes = weight;
            }
        }
    }
    packs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_stay_within_both_limits() {
        let all: Vec<usize> = (0..23).collect();
        let sizes = |weights: &[usize]| -> Vec<usize> {
            let pending = &all[..weights.len()];
            pack(weights, pending, &|weight: &usize| *weight).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(&[500; 23]), [10, 10, 3]);
        assert_eq!(sizes(&[100_000; 5]), [2, 2, 1]);
        assert_eq!(sizes(&[MOST_BYTES, 1, MOST_BYTES - 1, 1]), [1, 2, 1]);
        assert_eq!(sizes(&[MOST_BYTES * 2, 5, 5]), [1, 2]);
        assert!(sizes(&[]).is_empty());
    }
}
