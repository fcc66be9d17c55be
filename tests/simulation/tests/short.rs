//! The short version of the simulation: what every run of the tests can afford. The long one is the binary.

use simulation::many::{Range, differing, play};
use simulation::{Fault, Plan, replay, run};

/// As many schedules as take some seconds, and every one of them keeps every invariant.
#[test]
fn schedules_keep_every_invariant() {
    let sum = play(Range { from: 1, seeds: 2_000, threads: 2, within: None }, |_| {});
    let told: Vec<String> = sum
        .failed
        .iter()
        .flat_map(|verdict| verdict.breaches.iter().map(move |breach| (verdict.seed, breach)))
        .map(|(seed, breach)| {
            format!("seed {seed}: {} at line {}: {}", breach.invariant, breach.line, breach.text)
        })
        .collect();
    assert!(
        told.is_empty(),
        "replay with `cargo run --release -p simulation -- --seed N`:\n{}",
        told.join("\n")
    );
    assert_eq!(sum.played, 2_000);
    let never: Vec<&str> =
        Fault::ALL.iter().filter(|fault| sum.took[fault.index()] == 0).map(|fault| fault.text()).collect();
    assert!(never.is_empty(), "these faults never happened: {never:?}");
}

/// The same seed gives the same journal to the letter, whichever thread plays it.
#[test]
fn a_seed_gives_the_same_journal_each_time() {
    assert_eq!(differing(Range { from: 50_000, seeds: 50, threads: 2, within: None }), Vec::<u64>::new());
    let (here, journal) = replay(Plan::of(7));
    let there = std::thread::spawn(|| replay(Plan::of(7))).join().expect("a schedule");
    assert_eq!((here, journal), there);
    assert_ne!(run(7).hash, run(8).hash);
}

/// One hash for a range, whatever the threads.
#[test]
fn a_range_has_one_hash() {
    let hash = |threads| play(Range { from: 1, seeds: 60, threads, within: None }, |_| {}).hash;
    assert_eq!(hash(1), hash(3));
}

/// Without faults nothing at all goes wrong, each object is copied once, and time is hardly needed.
#[test]
fn a_quiet_schedule_copies_and_is_done() {
    use simulation::journal::{Key, What};
    use simulation::plan::{Act, Shape};
    let shape = Shape { size: 300, part: 0 };
    let acts = vec![(0, Act::Write(Key(0), shape)), (0, Act::Write(Key(1), Shape { size: 40, part: 0 }))];
    let (verdict, journal) = replay(Plan { keys: 2, acts, ..Plan::quiet(1) });
    assert_eq!(verdict.breaches, []);
    let shown = journal.iter().filter(|entry| matches!(entry.what, What::Visible(..))).count();
    assert_eq!(shown, 2);
    let acknowledged = |entry: &&simulation::Entry| matches!(entry.what, What::Acknowledged(_, 1, true));
    assert_eq!(journal.iter().filter(acknowledged).count(), 2);
}
