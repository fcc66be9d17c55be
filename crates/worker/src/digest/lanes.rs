//! Fills the lanes of the kernel from the parts at hand.
//!
//! Apart from the thread, since what is hashed together, and what is rather left for the next time, is the whole art:
//! the lanes cost the same whether two of them carry something or all.

use std::cmp::Reverse;

use super::kernel::{Kernel, MOST_LANES, START};
use super::running::Running;

/// Most bytes of one part that one run hashes: who waits for room waits no longer than that takes.
pub(super) const RUN_BYTES: usize = 256 << 10;
/// Most blocks hashed at a stretch, so that all lanes' bytes stay in the cache that the checksums brought them to.
const STRETCH: usize = 512;

/// A part in the hands of the thread.
pub(super) struct Job {
    /// Whose it is.
    pub(super) slot: usize,
    /// The part.
    pub(super) running: Box<Running>,
    /// Somebody waits for it: it is not left for later.
    pub(super) urgent: bool,
    /// Bytes pending when the thread took it.
    pub(super) taken: usize,
}

impl Job {
    /// Whether there is more to hash in this run.
    fn more(&mut self) -> bool {
        self.taken - self.running.pending() < RUN_BYTES && self.running.align()
    }
}

/// Hashes what lies in `jobs`. When less than `useful` lanes would be filled, and nobody waits for what is in them,
/// up to `spare` bytes are left for a next run that may have more company for them.
pub(super) fn run(kernel: Kernel, jobs: &mut [Job], useful: usize, spare: usize) {
    // The longest first: the short ones fill the lanes that fall free.
    jobs.sort_by_key(|job| (!job.urgent, Reverse(job.running.pending())));
    let mut waiting = 0..jobs.len();
    let mut lanes: Vec<usize> = Vec::with_capacity(kernel.lanes());
    loop {
        lanes.retain(|job| jobs[*job].more());
        while lanes.len() < kernel.lanes()
            && let Some(next) = waiting.next()
        {
            if jobs[next].more() {
                lanes.push(next);
            }
        }
        if lanes.is_empty() {
            return;
        }
        if lanes.len() < useful
            && lanes.iter().all(|job| !jobs[*job].urgent)
            && jobs.iter().map(|job| job.running.pending()).sum::<usize>() <= spare
        {
            return;
        }
        let mut states = [START; MOST_LANES];
        let mut messages = [[].as_slice(); MOST_LANES];
        for ((job, state), message) in lanes.iter().zip(&mut states).zip(&mut messages) {
            let running = &jobs[*job].running;
            *state = running.state;
            let blocks = running.blocks();
            *message = &blocks[..blocks.len().min(STRETCH)];
        }
        let hashed = kernel.compress(&mut states[..lanes.len()], &messages[..lanes.len()]);
        for (job, state) in lanes.iter().zip(states) {
            jobs[*job].running.state = state;
            jobs[*job].running.advance(hashed);
        }
    }
}
