//! The checkers have teeth: a journal that is made by hand to break one invariant is caught by its checker, and the same
//! journal without that line is not.

use simulation::Rules;
use simulation::check::{CHECKED, check};
use simulation::journal::{About, Asks, Bytes, Call, Detail, Entry, Key, Place, Role, Stands, What, Who};

const K: Key = Key(0);
const ONE: Bytes = Bytes(1 << 40);
const TWO: Bytes = Bytes(2 << 40);
const WORLD: Who = Who { role: Role::World, life: 0 };
const WORKER: Who = Who { role: Role::Worker(0), life: 1 };
const SENDER: Who = Who { role: Role::Jobsender(0), life: 1 };
const RULES: Rules = Rules { propagate: true, tells: true, conditions: true, traces: true };

fn about(kind: Asks, serial: u32) -> About {
    About { key: K, kind, serial }
}

/// Who, what; each line is a second after the one before.
type Line = (Who, What);

/// Version 1 is written, asked for, copied, recorded and acknowledged.
fn good() -> Vec<Line> {
    vec![
        (WORLD, What::StrangersUpload(1)),
        (WORLD, What::Written(K, 1, ONE)),
        (WORLD, What::Sent(1, about(Asks::Created, 1))),
        (WORKER, What::Received(1, 1, about(Asks::Created, 1), 40_000)),
        (WORKER, What::Begun(Call::Put, K, 4_000)),
        (WORKER, What::Visible(K, Some((ONE, 1)))),
        (WORKER, What::Recorded(K, 1, Stands::Copied, 1, 1)),
        (WORKER, What::Acknowledged(1, 1, true)),
    ]
}

fn journal(lines: Vec<Line>) -> Vec<Entry> {
    (0..).step_by(1_000).zip(lines).map(|(at, (who, what))| Entry { at, who, what }).collect()
}

fn broken(lines: Vec<Line>, rules: Rules) -> Vec<&'static str> {
    check(&journal(lines), rules).into_iter().map(|breach| breach.invariant).collect()
}

/// The good journal and then these lines break this invariant, and no other.
#[track_caller]
fn breaks(invariant: &str, more: Vec<Line>) {
    let mut lines = good();
    lines.extend(more);
    assert!(CHECKED.iter().any(|(name, _)| *name == invariant));
    assert_eq!(broken(lines, RULES), [invariant]);
}

/// Without these lines the good journal breaks this invariant.
#[track_caller]
fn breaks_without(invariant: &str, gone: impl Fn(&What) -> bool) {
    let lines = good().into_iter().filter(|(_, what)| !gone(what)).collect();
    assert_eq!(broken(lines, RULES), [invariant]);
}

fn second() -> Vec<Line> {
    vec![(WORLD, What::Written(K, 2, TWO)), (WORLD, What::Sent(2, about(Asks::Created, 2)))]
}

#[test]
fn what_is_good_passes() {
    let mut lines = good();
    lines.extend([(WORLD, What::Settled(false)), (WORLD, What::Settled(true)), (WORLD, What::UploadLeft(1))]);
    assert_eq!(broken(lines, RULES), Vec::<&str>::new());
}

#[test]
fn i1_a_message_without_proof_and_a_record_without_a_copy() {
    // The event's own version, and the record's, never came.
    let lines = good().into_iter().filter(|(_, what)| !matches!(what, What::Visible(..)));
    assert_eq!(broken(lines.clone().collect(), RULES), ["I1"]);
    let lines = lines.filter(|(_, what)| !matches!(what, What::Recorded(..)));
    assert_eq!(broken(lines.collect(), RULES), ["I1"]);
    // A job is not settled by what was there before it came.
    let job = about(Asks::Job, 1);
    breaks(
        "I1",
        vec![
            (WORLD, What::Stranger(K, Some(TWO))),
            (WORLD, What::Visible(K, Some((TWO, 0)))),
            (SENDER, What::Sent(2, job)),
            (WORKER, What::Received(2, 1, job, 90_000)),
            (WORKER, What::Acknowledged(2, 1, true)),
        ],
    );
    // Given up, and nobody can read why.
    breaks(
        "I1",
        vec![
            (SENDER, What::Sent(2, job)),
            (WORKER, What::Received(2, 1, job, 90_000)),
            (WORKER, What::PutAside(2, 1, true, true)),
        ],
    );
}

#[test]
fn i2_a_destination_that_is_not_what_the_source_is() {
    let mut lines = second();
    lines.push((WORLD, What::Settled(false)));
    breaks("I2", lines);
    // No event told of it: only the last comparison has to have found it.
    breaks("I2", vec![(WORLD, What::Written(K, 2, TWO)), (WORLD, What::Settled(true))]);
    breaks("I2", vec![(WORLD, What::Gone(K, 2)), (WORLD, What::Settled(true))]);
}

#[test]
fn i3_a_destination_that_goes_back() {
    let mut lines = second();
    lines.extend([(WORKER, What::Visible(K, Some((TWO, 2)))), (WORKER, What::Visible(K, Some((ONE, 1))))]);
    breaks("I3", lines);
}

#[test]
fn i4_bytes_that_no_version_has_and_metadata_of_another() {
    breaks("I4", vec![(WORKER, What::Visible(K, Some((Bytes(99), 1))))]);
    let mut lines = second();
    lines.push((WORKER, What::Visible(K, Some((TWO, 1)))));
    breaks("I4", lines);
    breaks("I4", vec![(WORKER, What::Visible(Key(3), Some((ONE, 1))))]);
}

#[test]
fn i6_a_range_of_whatever_version() {
    let read = |pinned| Detail::Read { pinned, ranged: true };
    breaks("I6", vec![(WORKER, What::Called(Place::Source, Call::Get, K, read(false), Ok(())))]);
    let mut lines = good();
    lines.push((WORKER, What::Called(Place::Source, Call::Get, K, read(true), Ok(()))));
    assert_eq!(broken(lines, RULES), Vec::<&str>::new());
}

#[test]
fn i7_an_object_over_itself() {
    breaks(
        "I7",
        vec![
            (WORKER, What::Called(Place::State, Call::Load, K, Detail::None, Ok(()))),
            (WORKER, What::Visible(K, Some((ONE, 1)))),
        ],
    );
}

#[test]
fn i8_a_write_after_the_lease() {
    breaks("I8", vec![(WORKER, What::Begun(Call::Put, K, 8_000))]);
    let late = |at| {
        vec![
            (WORLD, What::Sent(2, about(Asks::Created, 1))),
            (WORKER, What::Received(2, 1, about(Asks::Created, 1), 40_000)),
            (WORKER, What::Extended(2, 1, 70_000, true)),
            (WORKER, What::Extended(2, 1, 99_000, false)),
            (WORKER, What::Begun(Call::Complete, K, at)),
        ]
    };
    breaks("I8", late(70_000));
    let mut lines = good();
    lines.extend(late(69_999));
    assert_eq!(broken(lines, RULES), Vec::<&str>::new());
}

#[test]
fn i10_poison_that_is_harmed_removed_or_left() {
    let poison = About { key: Key::NONE, kind: Asks::Poison, serial: 0 };
    let sent = (WORLD, What::Sent(2, poison));
    let received = (WORKER, What::Received(2, 1, poison, 90_000));
    breaks("I10", vec![sent.clone(), received.clone(), (WORKER, What::PutAside(2, 1, true, false))]);
    breaks("I10", vec![sent.clone(), received.clone(), (WORLD, What::Settled(true))]);
    breaks("I1", vec![sent, received, (WORKER, What::Acknowledged(2, 1, true))]);
}

#[test]
fn i11_an_upload_that_is_left_and_one_that_is_not_ours() {
    breaks("I11", vec![(WORKER, What::UploadBegun(K, 5)), (WORLD, What::UploadLeft(5))]);
    let abort = What::Called(Place::Destination, Call::Abort, K, Detail::Upload(1), Ok(()));
    breaks("I11", vec![(WORKER, abort)]);
}

#[test]
fn i12_a_record_that_goes_back() {
    // Not the one that was read.
    breaks("I12", vec![(WORKER, What::Recorded(K, 3, Stands::Waiting, 1, 1))]);
    // An older event.
    breaks("I12", vec![(WORKER, What::Recorded(K, 2, Stands::Waiting, 1, 0))]);
    // An older version.
    let mut lines = second();
    lines.extend([
        (WORKER, What::Visible(K, Some((TWO, 2)))),
        (WORKER, What::Recorded(K, 2, Stands::Copied, 2, 2)),
        (WORKER, What::Recorded(K, 3, Stands::Copied, 1, 2)),
    ]);
    breaks("I12", lines);
}

#[test]
fn i14_what_nobody_asked_for() {
    let blind = Detail::Write { conditional: false };
    breaks("I14", vec![(WORKER, What::Called(Place::Destination, Call::Put, K, blind, Ok(())))]);
    let held = Detail::Write { conditional: true };
    breaks("I14", vec![(WORKER, What::Called(Place::Source, Call::Delete, K, held, Ok(())))]);
    // The source has it.
    breaks("I14", vec![(WORKER, What::Visible(K, None))]);
    // It was removed at the source, but nobody asked for the same here.
    let mut lines = good();
    lines.extend([(WORLD, What::Gone(K, 2)), (WORKER, What::Visible(K, None))]);
    assert_eq!(broken(lines.clone(), RULES), Vec::<&str>::new());
    assert_eq!(broken(lines, Rules { propagate: false, ..RULES }), ["I14"]);
}

#[test]
fn i22_no_rest() {
    breaks("I22", vec![(WORLD, What::Restless)]);
}

#[test]
fn a_good_journal_without_its_lease_or_its_source_is_no_good_one() {
    breaks_without("I4", |what| {
        matches!(what, What::Written(..)) || matches!(what, What::Recorded(..) | What::Acknowledged(..))
    });
}

/// Each invariant that is said to be checked has a test above.
#[test]
fn every_checked_invariant_is_tried() {
    let here = include_str!("teeth.rs");
    for (name, _) in CHECKED {
        let test = format!("fn {}_", name.to_lowercase());
        assert!(here.contains(&test), "no test begins with {test}");
    }
}
