//! The ports: what longbow asks of the outside world, and nothing about how it is done.
//!
//! Adapters translate and classify; they do not decide, retry jobs or remember. Each port has one contract suite
//! in `longbow-testkit`, which every adapter passes.

mod checkpoint_store;
mod clock;
mod job_queue;
mod multipart_store;
mod object_store;
mod observer;
mod parameter_store;
mod run_lock;
mod state_store;
mod transfer_log;

pub use checkpoint_store::{Checkpoint, CheckpointStore};
pub use clock::Clock;
pub use job_queue::{Delivery, JobQueue, OutgoingJob, QueueDepth, Receipt, SendReport};
pub use multipart_store::{
    CompleteRequest, CreateRequest, ListedPart, ListedUpload, MultipartStore, PartRequest, UploadId,
    UploadsMarker, UploadsPage,
};
pub use object_store::{
    BodyStream, ByteRange, CopyRequest, GetRequest, HeadRequest, ListPage, ObjectBody, ObjectStore, PutBody,
    PutRequest, ReadPin, StoreTraits, WriteCondition, Written,
};
pub use observer::{Counted, Observer, Side};
pub use parameter_store::{Parameter, ParameterStore};
pub use run_lock::{LockError, RunLease, RunLock};
pub use state_store::{RecordStream, StateStore, Stored, SwapError};
pub use transfer_log::TransferLog;
