//! Schedules that once broke something, each written down as it is needed for that, and kept.

use simulation::journal::{Call, Key, Place, Role, What};
use simulation::plan::{Act, Shape, Strike};
use simulation::{Breach, Fault, Plan, replay};

const KEY: Key = Key(0);
const SMALL: Shape = Shape { size: 40, part: 0 };
const LARGE: Shape = Shape { size: 300, part: 0 };

fn strike(place: Place, call: Call, nth: u32, fault: Fault) -> Strike {
    Strike { role: Role::Worker(0), place, call, nth, fault }
}

/// What a schedule breaks, and whether its faults took effect.
fn breaches(plan: Plan) -> (Vec<Breach>, bool) {
    let meant: Vec<Fault> = plan.script.iter().map(|strike| strike.fault).collect();
    let (verdict, _) = replay(plan);
    let took = meant.iter().all(|fault| verdict.took[fault.index()] > 0);
    (verdict.breaches, took)
}

/// Seeds 184 and 339 of the first day. A job that a comparison by version had made was received by a worker that died. When
/// it came again, a newer version had been copied; the old one, which can be read by its name for ever, went over it.
#[test]
fn a_job_of_a_comparison_by_version_that_comes_again_puts_nothing_older_over_a_newer_copy() {
    let acts = vec![
        (0, Act::Write(KEY, SMALL)),
        (0, Act::Jobsender(0)),
        (6_000, Act::Write(KEY, SMALL)),
        (0, Act::Jobsender(0)),
    ];
    for seed in 0..20 {
        let plan = Plan {
            versioned: true,
            by_version: true,
            events: false,
            workers: 2,
            acts: acts.clone(),
            // Whichever of the two receives it.
            script: vec![
                strike(Place::Queue, Call::Receive, 1, Fault::CrashAfter),
                Strike { role: Role::Worker(1), ..strike(Place::Queue, Call::Receive, 1, Fault::LostReply) },
            ],
            ..Plan::quiet(seed)
        };
        assert_eq!(breaches(plan).0, [], "seed {seed}");
    }
}

/// Seeds 54 and 81 of the first day. A worker that stood still for longer than its lease heard the answer to its read, and
/// began its write before its heartbeat had looked at anything.
#[test]
fn a_worker_that_stood_still_begins_no_write_under_a_lease_that_is_over() {
    let mut stood = 0;
    for (shape, place, call) in [
        (SMALL, Place::Source, Call::Get),
        (LARGE, Place::Destination, Call::PutPart),
        (LARGE, Place::State, Call::AddPart),
    ] {
        for seed in 0..20 {
            let plan = Plan {
                acts: vec![(0, Act::Write(KEY, shape))],
                script: vec![strike(place, call, 1, Fault::StallAfter)],
                ..Plan::quiet(seed)
            };
            let (breaches, took) = breaches(plan);
            assert_eq!(breaches, [], "seed {seed} of {call:?}");
            stood += u32::from(took);
        }
    }
    assert_eq!(stood, 60);
}

/// Seed 778 of the first day. The store found the parts damaged; its answer came after a long standstill, and the second try
/// of the completion asked nobody whether the lease still held.
#[test]
fn the_second_try_of_a_completion_asks_for_the_lease() {
    for seed in 0..20 {
        let plan = Plan {
            acts: vec![(0, Act::Write(KEY, LARGE))],
            // Where tags are no digests, a lie is found only by the store.
            kms: true,
            script: vec![
                strike(Place::Destination, Call::PutPart, 2, Fault::LyingTag),
                strike(Place::Destination, Call::Complete, 1, Fault::StallAfter),
            ],
            ..Plan::quiet(seed)
        };
        assert_eq!(breaches(plan).0, [], "seed {seed}");
    }
}

/// Seed 280 of the first day. An upload was begun and named in the record, and no part of it had arrived when its worker
/// died. The next attempt was about a newer version, and failed: the record let go of the upload, and nobody could tell any
/// more whose it was.
#[test]
fn a_record_lets_go_of_no_upload_that_nobody_else_can_name() {
    for seed in 0..20 {
        let plan = Plan {
            acts: vec![(0, Act::Write(KEY, LARGE)), (4_000, Act::Write(KEY, SMALL))],
            script: vec![
                strike(Place::State, Call::Swap, 2, Fault::CrashAfter),
                strike(Place::Destination, Call::Head, 2, Fault::ServerError),
            ],
            ..Plan::quiet(seed)
        };
        let (breaches, took) = breaches(plan);
        assert_eq!((breaches, took), (vec![], true), "seed {seed}");
    }
}

/// Seed 225 of the first day. The answer to the beginning of an upload never came, and when the next attempt looked for the
/// upload, the listing failed: it went on, and its own beginning took the place of the only trace.
#[test]
fn an_upload_without_a_name_is_looked_for_until_the_listing_answers() {
    for seed in 0..20 {
        let plan = Plan {
            acts: vec![(0, Act::Write(KEY, LARGE))],
            script: vec![
                strike(Place::Destination, Call::CreateUpload, 1, Fault::CrashAfter),
                strike(Place::Destination, Call::ListUploads, 1, Fault::ServerError),
            ],
            ..Plan::quiet(seed)
        };
        let (verdict, journal) = replay(plan);
        assert_eq!(verdict.breaches, [], "seed {seed}");
        // The checkers excuse what was there when a look failed; here the first, somebody else's, is all that may be left.
        let left = journal.iter().filter(|entry| matches!(entry.what, What::UploadLeft(_))).count();
        assert_eq!((left, verdict.took[Fault::ServerError.index()]), (1, 1), "seed {seed}");
    }
}
