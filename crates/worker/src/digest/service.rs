//! What the rest of the worker sees of digests: a service for the whole node, and a stream for each part.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use bytes::Bytes;
use longbow_core::transfer::PartDigest;

use super::Wanted;
use super::hub::{Finish, Hub};
use super::kernel::Kernel;
use super::running::Running;

/// How digests are computed.
#[derive(Debug, Clone)]
pub struct DigestOptions {
    /// Threads that hash. By default one for every four cores: each does 1.5 to 14 GB/s.
    pub threads: NonZeroUsize,
    /// Most bytes of frames that wait to be hashed, over all streams; a last frame may go beyond it. By default
    /// 16 MiB, or 4 MiB a thread.
    pub queue_bytes: usize,
    /// Parts of less than this many bytes are hashed by the caller, frame by frame: waking a thread costs more.
    pub here_below: u64,
}

impl Default for DigestOptions {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = NonZeroUsize::new(cores / 4).unwrap_or(NonZeroUsize::MIN);
        Self { threads, queue_bytes: (16 << 20).max(threads.get() * (4 << 20)), here_below: 16 << 10 }
    }
}

/// Hashes all parts in flight side by side. Cheap to clone; the threads start when they are first needed and end with
/// the last clone and stream.
#[derive(Clone)]
pub struct DigestService {
    inner: Arc<Inner>,
}

struct Inner {
    hubs: Vec<Arc<Hub>>,
    kernel: Kernel,
    here_below: u64,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.hubs.iter().for_each(|hub| hub.leave());
    }
}

impl Inner {
    /// The hub for one more stream: the first with a lane free, so that lanes are filled before threads are; `None`
    /// if no thread can be had.
    fn hub(&self) -> Option<&Arc<Hub>> {
        let load = |hub: &&Arc<Hub>| hub.active() / self.kernel.lanes();
        let hub = self.hubs.iter().min_by_key(load)?;
        let started = hub.start(|| {
            let (serving, kernel) = (Arc::clone(hub), self.kernel);
            thread::Builder::new().name("longbow-digest".into()).spawn(move || serving.serve(kernel))
        });
        started.ok()?;
        Some(hub)
    }
}

impl DigestService {
    /// A service; no thread runs before the first large part.
    pub fn new(options: DigestOptions) -> Self {
        let limit = options.queue_bytes / options.threads;
        let hubs = (0..options.threads.get()).map(|_| Arc::new(Hub::new(limit))).collect();
        let inner = Inner { hubs, kernel: Kernel::best(), here_below: options.here_below };
        Self { inner: Arc::new(inner) }
    }

    /// Starts the digest of a part of about `expected` bytes. The number decides who hashes, nothing else: a part may
    /// turn out to be longer or shorter.
    pub fn stream(&self, expected: u64, wanted: Wanted) -> DigestStream {
        let mut stream = DigestStream {
            service: Arc::clone(&self.inner),
            place: Place::Here(Box::new(Running::new(wanted))),
        };
        if expected >= self.inner.here_below {
            stream.move_there();
        }
        stream
    }

    /// The digest of bytes at hand, computed here and now: about 1.4 ms a MiB, for what is small.
    pub fn digest_now(frames: &[Bytes], wanted: Wanted) -> PartDigest {
        let mut running = Running::new(wanted);
        frames.iter().for_each(|frame| running.push(frame.clone()));
        running.finish()
    }

    /// Bytes that wait to be hashed.
    pub fn pending(&self) -> usize {
        self.inner.hubs.iter().map(|hub| hub.pending()).sum()
    }
}

/// The digest of one part. Dropping it frees its frames.
pub struct DigestStream {
    service: Arc<Inner>,
    place: Place,
}

/// Where the part is hashed.
enum Place {
    /// By the caller.
    Here(Box<Running>),
    /// By a thread.
    There(Arc<Hub>, usize),
    /// Finished.
    Nowhere,
}

impl DigestStream {
    fn move_there(&mut self) {
        let Some(hub) = self.service.hub() else { return };
        let hub = Arc::clone(hub);
        if let Place::Here(running) = std::mem::replace(&mut self.place, Place::Nowhere) {
            let slot = hub.enter(running);
            self.place = Place::There(hub, slot);
        }
    }

    /// Takes a frame, by reference count, whether there is room or not: whoever does not ask for
    /// [`DigestStream::ready`] before each frame breaks the bound on memory.
    pub fn push(&mut self, frame: Bytes) {
        match &mut self.place {
            Place::There(hub, slot) => hub.push(*slot, frame),
            Place::Here(running) => {
                running.push(frame);
                if running.length() < 2 * self.service.here_below.max(1) {
                    running.absorb();
                } else {
                    self.move_there();
                    if let Place::Here(running) = &mut self.place {
                        running.absorb();
                    }
                }
            }
            Place::Nowhere => {}
        }
    }

    /// Ready when there is room for a frame. Room is not reserved, but a frame is small beside the whole.
    pub fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &self.place {
            Place::There(hub, slot) => hub.poll_room(*slot, context),
            Place::Here(_) | Place::Nowhere => Poll::Ready(()),
        }
    }

    /// Waits for room for a frame. Nothing is lost when the future is dropped.
    pub async fn ready(&mut self) {
        poll_fn(|context| self.poll_ready(context)).await;
    }

    /// Waits for room and takes a frame. If the future is dropped before it is done, the frame was not taken.
    pub async fn update(&mut self, frame: Bytes) {
        self.ready().await;
        self.push(frame);
    }

    /// The digest of all frames.
    ///
    /// # Panics
    /// If the thread that hashed has panicked: the digest is lost with it.
    pub async fn finish(mut self) -> PartDigest {
        let hub = match std::mem::replace(&mut self.place, Place::Nowhere) {
            Place::Here(running) => return running.finish(),
            Place::There(hub, slot) => hub.finish(slot),
            Place::Nowhere => return Running::new(Wanted::default()).finish(),
        };
        match hub {
            Finish::Here(running) => running.finish(),
            Finish::There(digest) => match digest.await {
                Ok(digest) => digest,
                Err(_) => panic!("the thread that computed the digest has ended"),
            },
        }
    }
}

impl Drop for DigestStream {
    fn drop(&mut self) {
        if let Place::There(hub, slot) = &self.place {
            hub.abandon(*slot);
        }
    }
}

#[cfg(test)]
mod tests;
