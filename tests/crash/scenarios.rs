//! The table of scenarios: what is copied, removed or given up, by which program, and what one undisturbed run does last.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use longbow_core::failure::StoreErrorKind;
use longbow_core::object::Encryption;
use longbow_core::transfer::MethodPolicy;
use longbow_testkit::fake::FakeQueue;
use longbow_testkit::fault::{Fault, Faults, Manner, Rule};
use longbow_worker::RecordPolicy;

use super::events::{created, message, removed};
use super::objects::{self, Made, PART, SMALL};
use super::programs::Program;
use super::stage::Stage;

/// How many parts an object in parts has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// As many as the scenario says.
    Full,
    /// One small one, where only what follows the parts is looked at.
    Light,
}

impl Scale {
    /// An object of so many parts, the last of them small.
    fn parts(self, count: usize) -> Made {
        match self {
            Self::Full => Made::Parts((count - 1) * PART + SMALL),
            Self::Light => Made::Parts(SMALL),
        }
    }

    /// The same as an object that its owner wrote whole.
    fn whole(self, parts: usize) -> Made {
        match self {
            Self::Full => Made::Whole((parts - 1) * PART + SMALL),
            Self::Light => Made::Whole(SMALL),
        }
    }
}

/// How a scenario ends, however often its program is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The destination holds what the source holds, and the queue nothing.
    InStep,
    /// The job is among the dead letters, and the destination as it was.
    GivenUp,
}

type Building = Pin<Box<dyn Future<Output = Stage>>>;

/// One row.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Sets the stage.
    pub(super) build: fn(Scale) -> Building,
    pub(super) end: End,
    /// What an undisturbed run calls from the write that makes an object visible to its end. Empty: nothing is written.
    pub(super) tail: &'static [&'static str],
    /// Moments at which an undisturbed run can be killed: before and after each call, and amid each body.
    pub(super) moments: usize,
    /// Pairs of deaths: one in the tail, and one in the run that follows.
    pub(super) pairs: usize,
    /// A write that was not recorded may be done once more: a file's tag is no digest, so that nothing tells that what is
    /// there is what was there to be copied.
    pub(super) writes_again: bool,
    /// Parts that each new process may send again, besides the one that was on its way.
    pub(super) again: usize,
    /// The job names a source that was replaced. An attempt that fails before it has looked again gives the upload of the
    /// newer one up.
    pub(super) replaced: bool,
    /// A death may leave an upload behind: it is documented, and a lifecycle rule clears it away.
    pub(super) leaves_upload: bool,
}

/// What most rows have.
const ROW: Scenario = Scenario {
    name: "",
    build: |_| Box::pin(async { Stage::new() }),
    end: End::InStep,
    tail: &[],
    moments: 0,
    pairs: 0,
    writes_again: false,
    again: 0,
    replaced: false,
    leaves_upload: false,
};

/// The last calls of a worker for one route that has written one object whole.
const PUT: &[&str] = &["put", "swap", "acknowledge", "receive", "depth"];
/// The same for an object in parts.
const COMPLETE: &[&str] = &["complete_upload", "forget_parts", "swap", "acknowledge", "receive", "depth"];

/// The rows of the worker for one route.
pub(super) fn of_one_route() -> Vec<Scenario> {
    vec![
        Scenario { name: "small", build: |_| Box::pin(small()), tail: PUT, moments: 19, pairs: 96, ..ROW },
        Scenario {
            name: "a zero-byte object",
            build: |_| Box::pin(asked(Stage::new(), Made::Whole(0))),
            tail: PUT,
            moments: 18,
            pairs: 96,
            ..ROW
        },
        Scenario {
            name: "over an older object",
            build: |_| {
                Box::pin(async {
                    let stage = Stage::new();
                    stage.destination.put("k", b"older");
                    asked(stage, Made::Whole(SMALL)).await
                })
            },
            tail: PUT,
            moments: 19,
            pairs: 96,
            ..ROW
        },
        Scenario {
            name: "to a store that may ignore conditions",
            build: |_| {
                Box::pin(async {
                    let stage = Stage::new();
                    stage.destination.bucket().expect("a bucket").configure(|s| s.amazon = false);
                    asked(stage, Made::Whole(SMALL)).await
                })
            },
            // The very same write once more, which such a store must refuse.
            tail: &["put", "head", "put", "tags", "swap", "acknowledge", "receive", "depth"],
            moments: 25,
            pairs: 186,
            ..ROW
        },
        Scenario {
            name: "multipart",
            build: |scale| Box::pin(asked(Stage::new(), scale.parts(3))),
            tail: COMPLETE,
            moments: 51,
            pairs: 154,
            ..ROW
        },
        Scenario {
            name: "an upload begun by a killed process",
            build: |scale| Box::pin(begun(scale.parts(3))),
            tail: COMPLETE,
            moments: 44,
            pairs: 154,
            ..ROW
        },
        Scenario {
            name: "replaced since the listing",
            build: |scale| {
                Box::pin(async move {
                    let stage = asked(Stage::new(), scale.parts(2)).await;
                    objects::put(stage.bucket(), "k", Made::Whole(SMALL), 2);
                    stage.ready()
                })
            },
            tail: PUT,
            moments: 25,
            pairs: 126,
            ..ROW
        },
        Scenario {
            name: "replaced between parts",
            build: |scale| {
                Box::pin(async move {
                    let mut stage = Stage::new();
                    let after = if scale == Scale::Full { "put_part" } else { "create_upload" };
                    stage.replace_after(after, "k", scale.parts(2), 2);
                    asked(stage, scale.parts(2)).await
                })
            },
            tail: COMPLETE,
            replaced: true,
            moments: 73,
            pairs: 194,
            ..ROW
        },
        Scenario {
            name: "a duplicate delivery",
            build: |_| {
                Box::pin(async {
                    let stage = small().await;
                    stage.ask_for("k").await;
                    stage.ready()
                })
            },
            tail: &[
                "put",
                "swap",
                "acknowledge",
                "receive",
                "load",
                "head",
                "acknowledge",
                "receive",
                "depth",
            ],
            moments: 27,
            pairs: 248,
            ..ROW
        },
        Scenario {
            name: "server-side, whole",
            build: |_| Box::pin(server_side(Made::Whole(SMALL))),
            tail: &["copy", "swap", "acknowledge", "receive", "depth"],
            moments: 14,
            pairs: 92,
            ..ROW
        },
        Scenario {
            name: "server-side, by parts",
            build: |scale| Box::pin(server_side(scale.parts(3))),
            tail: COMPLETE,
            moments: 42,
            pairs: 154,
            ..ROW
        },
        Scenario {
            name: "under KMS",
            build: |_| Box::pin(under_kms(Made::Whole(SMALL))),
            tail: PUT,
            moments: 19,
            pairs: 100,
            ..ROW
        },
        Scenario {
            name: "under KMS, by parts",
            build: |scale| Box::pin(under_kms(scale.parts(2))),
            tail: COMPLETE,
            // A new process learns anew that tags are no digests there, from the first part that it sends.
            again: 1,
            moments: 49,
            pairs: 162,
            ..ROW
        },
        Scenario { name: "given up", build: |_| Box::pin(refused()), end: End::GivenUp, moments: 52, ..ROW },
    ]
}

/// The last calls of one that has written a file whole, which is looked at once more.
const FILE: &[&str] = &["put", "head", "swap", "acknowledge", "receive", "depth"];

/// The rows with a folder on one side, and the whole of `sync`.
pub(super) fn of_one_machine() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "to a folder",
            build: |_| Box::pin(asked(Stage::to_folder(), Made::Whole(SMALL))),
            tail: FILE,
            moments: 19,
            pairs: 148,
            ..ROW
        },
        Scenario {
            name: "to a folder, over an older file",
            build: |_| {
                Box::pin(async {
                    let stage = Stage::to_folder();
                    stage.destination.put("k", b"older");
                    asked(stage, Made::Whole(SMALL)).await
                })
            },
            tail: FILE,
            moments: 19,
            pairs: 148,
            ..ROW
        },
        Scenario {
            name: "to a folder, by parts",
            build: |scale| Box::pin(by_parts(Stage::to_folder(), scale.whole(2))),
            tail: COMPLETE,
            writes_again: true,
            moments: 38,
            pairs: 240,
            ..ROW
        },
        Scenario {
            name: "from a folder",
            build: |_| Box::pin(asked(Stage::from_folder(), Made::Whole(SMALL))),
            tail: PUT,
            moments: 17,
            pairs: 106,
            ..ROW
        },
        Scenario {
            name: "from a folder, by parts",
            build: |scale| Box::pin(by_parts(Stage::from_folder(), scale.whole(2))),
            tail: COMPLETE,
            writes_again: true,
            moments: 38,
            pairs: 196,
            ..ROW
        },
        Scenario { name: "listing, queue and worker", build: |_| Box::pin(compared()), moments: 72, ..ROW },
    ]
}

/// The last calls of a fleet's worker that has written one object whole.
const FLEET_PUT: &[&str] = &["put", "swap", "acknowledge", "receive", "depth"];

/// The rows of a worker of a fleet.
pub(super) fn of_a_fleet() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "an event",
            build: |_| Box::pin(event(Stage::of_fleet(), Made::Whole(SMALL))),
            tail: FLEET_PUT,
            moments: 21,
            pairs: 88,
            ..ROW
        },
        Scenario {
            name: "an event of an object in parts",
            build: |scale| Box::pin(event(Stage::of_fleet(), scale.parts(2))),
            tail: COMPLETE,
            moments: 46,
            pairs: 146,
            ..ROW
        },
        Scenario {
            name: "a message of several records",
            build: |_| Box::pin(several()),
            tail: &[
                "put",
                "swap",
                "load",
                "head",
                "get",
                "tags",
                "put",
                "swap",
                "acknowledge",
                "receive",
                "depth",
            ],
            moments: 34,
            pairs: 380,
            ..ROW
        },
        Scenario {
            name: "a removal",
            build: |_| Box::pin(removal()),
            tail: &["delete", "swap", "acknowledge", "receive", "depth"],
            moments: 18,
            pairs: 90,
            ..ROW
        },
        Scenario {
            name: "only the end is recorded",
            build: |scale| {
                Box::pin(async move {
                    let mut stage = Stage::of_fleet();
                    stage.options.record = RecordPolicy::FinishOnly;
                    event(stage, scale.parts(2)).await
                })
            },
            tail: &["complete_upload", "swap", "acknowledge", "receive", "depth"],
            // All of them: none is remembered.
            again: 2,
            leaves_upload: true,
            moments: 36,
            pairs: 94,
            ..ROW
        },
        Scenario {
            name: "an event that is given up",
            build: |_| {
                Box::pin(async {
                    let mut stage = Stage::of_fleet();
                    refuse_writes(&mut stage);
                    event(stage, Made::Whole(SMALL)).await
                })
            },
            end: End::GivenUp,
            moments: 54,
            ..ROW
        },
    ]
}

/// All rows.
pub(super) fn all() -> Vec<Scenario> {
    of_one_route().into_iter().chain(of_one_machine()).chain(of_a_fleet()).collect()
}

async fn asked(stage: Stage, made: Made) -> Stage {
    stage.put("k", made, 1);
    stage.ask_for("k").await;
    stage.ready()
}

async fn small() -> Stage {
    asked(Stage::new(), Made::Whole(SMALL)).await
}

async fn by_parts(mut stage: Stage, made: Made) -> Stage {
    stage.options.whole_up_to = 1000;
    asked(stage, made).await
}

async fn server_side(made: Made) -> Stage {
    let mut stage = Stage::new();
    stage.options.method = MethodPolicy::Auto;
    asked(stage, made).await
}

async fn under_kms(made: Made) -> Stage {
    let stage = Stage::new();
    let encrypted = Encryption::Kms { key: None };
    stage.destination.bucket().expect("a bucket").configure(|s| s.encryption = Some(encrypted));
    asked(stage, made).await
}

/// A process was killed after it had recorded its first part.
async fn begun(made: Made) -> Stage {
    let stage = asked(Stage::new(), made).await;
    let faults = Faults::new();
    let plan = faults.clone();
    let kill = Arc::new(move || plan.stop_now(Manner::Hang));
    faults.add(Rule::new("add_part", Fault::After(kill)).nth(1));
    assert!(stage.play(&faults).await.is_none(), "the first process is killed");
    assert_eq!(stage.state.part_count(), 1, "one part is recorded");
    stage.ready()
}

fn refuse_writes(stage: &mut Stage) {
    stage.rules.push(Rule::new("put", Fault::Error(StoreErrorKind::Transient)).on("destination"));
}

async fn refused() -> Stage {
    let mut stage = Stage::new();
    refuse_writes(&mut stage);
    asked(stage, Made::Whole(SMALL)).await
}

async fn compared() -> Stage {
    let mut stage = Stage::new();
    stage.program = Program::Sync;
    stage.queue = Arc::new(FakeQueue::replacing());
    for (seed, key) in (1..).zip(["a", "b", "c", "d/e", "k"]) {
        stage.put(key, Made::Whole(SMALL), seed);
    }
    objects::put(stage.destination.bucket().expect("a bucket"), "a", Made::Whole(SMALL), 1);
    stage.destination.put("c", b"older");
    stage.ready()
}

async fn event(stage: Stage, made: Made) -> Stage {
    stage.put("k", made, 1);
    stage.send(&message(&[created(stage.bucket(), "k", "01")]));
    stage.ready()
}

async fn several() -> Stage {
    let stage = Stage::of_fleet();
    stage.put("k", Made::Whole(SMALL), 1);
    stage.put("l", Made::Whole(SMALL), 2);
    let records = [created(stage.bucket(), "k", "01"), created(stage.bucket(), "l", "02")];
    stage.send(&message(&records));
    stage.ready()
}

async fn removal() -> Stage {
    let stage = event(Stage::of_fleet(), Made::Whole(SMALL)).await;
    let copied = stage.play(&Faults::new()).await;
    assert_eq!(copied, Some(Ok(())), "the object is copied before it is removed");
    stage.bucket().remove("k");
    stage.send(&message(&[removed("k", "02")]));
    stage.ready()
}
