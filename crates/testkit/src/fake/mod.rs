//! Every port in memory. The object store is as strict as Amazon S3 and keeps a journal; the queue has the
//! meaning of SQS; the clock follows tokio's time, so that paused time works everywhere.

mod bucket;
mod checkpoints;
mod clock;
mod content;
mod copy;
mod digest;
mod journal;
mod listing;
mod lock;
mod multipart;
mod object;
mod observer;
mod parameters;
mod queue;
mod receive;
mod refusal;
mod service;
mod settings;
mod state;
mod store;
mod transfer_log;
mod upload;

pub use bucket::{Arrived, Bucket};
pub use checkpoints::FakeCheckpoints;
pub use clock::FakeClock;
pub use content::{Content, ContentStream};
pub(crate) use copy::CopyChanges;
pub use digest::{Claims, Digester, Digests};
pub use journal::{Call, Entry, Reply};
pub use listing::{NO_VERSION, Page, VersionEntry, VersionPage};
pub use lock::FakeLock;
pub use object::{NewObject, Object};
pub use observer::FakeObserver;
pub use parameters::{FakeParameters, ParameterEntry};
pub use queue::FakeQueue;
pub use receive::{receive, receive_stream};
pub use service::FakeS3;
pub use settings::BucketSettings;
pub use state::FakeState;
pub use store::FakeStore;
pub use transfer_log::FakeTransferLog;
pub use upload::Completion;
