//! What has to be true after a death, and in the end.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use longbow_core::job::{RecordState, ReportOutcome};
use longbow_core::object::ObjectKey;
use longbow_testkit::fault::{CallRecord, Faults};

use super::scenarios::{End, Scale, Scenario};
use super::side::Side;
use super::stage::{BYSTANDER, Stage};

/// What the state store says of one object, as far as it does not differ from run to run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Remembered {
    state: &'static str,
    attempts: u32,
    sequencer: Option<String>,
    transfer: Option<String>,
    found: bool,
    /// The record is about what the source has now.
    is_current: bool,
    /// The recorded tag is the destination's.
    is_there: bool,
}

/// A run that nobody disturbed: what every other run is compared with.
pub(super) struct Undisturbed {
    pub(super) journal: Vec<CallRecord>,
    remembered: BTreeMap<ObjectKey, Remembered>,
    failed_attempts: usize,
    parts: usize,
    puts: usize,
}

/// What happened to the runs of a stage.
#[derive(Default)]
pub(super) struct History {
    /// In words.
    pub(super) told: String,
    /// Calls of parts that were begun.
    parts: usize,
    /// Calls of whole writes that were begun.
    puts: usize,
    /// Parts that may have been sent again.
    again: usize,
    /// Runs that were killed or had an answer lost.
    disturbed: usize,
    /// Replies that were lost: each may be a failed attempt.
    lost: usize,
    /// The reply to the end of an upload was lost: its parts stay remembered, for by them it would be known.
    unended: bool,
    /// Runs that were disturbed when the record said already that the job was given up.
    given_up: usize,
}

fn parts_of(journal: &[CallRecord]) -> usize {
    journal.iter().filter(|call| ["put_part", "copy_part"].contains(&call.call)).count()
}

fn puts_of(journal: &[CallRecord]) -> usize {
    journal.iter().filter(|call| call.call == "put" && call.port == "destination").count()
}

impl History {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self { told: format!("{}: ", scenario.name), ..Self::default() }
    }

    /// Notes a run that was disturbed during this call.
    pub(super) fn disturbed(
        &mut self,
        (stage, scenario): (&Stage, &Scenario),
        known: &Undisturbed,
        faults: &Faults,
        call: &str,
    ) {
        let in_doubt = ["get", "put_part", "copy_part", "add_part"].contains(&call);
        self.again += usize::from(in_doubt) + scenario.again;
        let states: Vec<_> = stage.state.records().into_values().map(|record| record.state).collect();
        let copied = states.iter().any(|state| matches!(state, RecordState::Copied { .. }));
        if scenario.writes_again && !copied && stage.destination.contents().contains_key("k") {
            self.again += known.parts;
        }
        self.disturbed += 1;
        let given_up = states.iter().any(|state| matches!(state, RecordState::Failed { .. }));
        self.given_up += usize::from(given_up);
        self.undisturbed(&faults.journal());
    }

    /// Notes that the reply to this call was lost.
    pub(super) fn lost(&mut self, scenario: &Scenario, known: &Undisturbed, call: &str) {
        self.lost += 1;
        // Parts of which nothing could be learnt are not trusted; nor is a file that nothing vouches for.
        let all = scenario.replaced || scenario.writes_again || call == "parts";
        self.again += if all { known.parts } else { 0 };
        self.unended |= call == "abort_upload";
    }

    /// Notes a run that was not.
    pub(super) fn undisturbed(&mut self, journal: &[CallRecord]) {
        self.parts += parts_of(journal);
        self.puts += puts_of(journal);
    }
}

/// Runs a scenario once without faults, and checks its end.
pub(super) async fn undisturbed(scenario: &Scenario, scale: Scale) -> Undisturbed {
    let stage = (scenario.build)(scale).await;
    let faults = Faults::new();
    let ended = stage.play(&faults).await;
    assert_eq!(ended, Some(Ok(())), "{}: without faults", scenario.name);
    let journal = faults.journal();
    let known = Undisturbed {
        remembered: remembered(&stage).await,
        failed_attempts: stage.observer.failed_attempts().len(),
        parts: parts_of(&journal),
        puts: puts_of(&journal),
        journal,
    };
    let mut history = History::new(scenario);
    history.undisturbed(&known.journal);
    the_end_is_the_same(&stage, scenario, &known, &history).await;
    let state = if scenario.end == End::GivenUp { "failed" } else { "copied" };
    for (key, record) in &known.remembered {
        let state = if stage.source.head(key.as_str()).await.is_none() { "removed" } else { state };
        assert_eq!(record.state, state, "{}: {key}", scenario.name);
        assert!(record.is_there || state != "copied", "{}: {key} has another tag", scenario.name);
        assert!(record.is_current || state == "removed", "{}: {key} is of another source", scenario.name);
    }
    known
}

async fn remembered(stage: &Stage) -> BTreeMap<ObjectKey, Remembered> {
    let mut all = BTreeMap::new();
    for (key, record) in stage.state.records() {
        let there = stage.destination.etag(key.as_str()).await;
        let (state, is_there) = match &record.state {
            RecordState::Copying { .. } => ("copying", false),
            RecordState::Waiting { .. } => ("waiting", false),
            RecordState::Copied { destination_etag, .. } => ("copied", *destination_etag == there),
            RecordState::Failed { .. } => ("failed", false),
            RecordState::Removed => ("removed", there.is_none()),
        };
        let one = Remembered {
            state,
            is_there,
            is_current: record.source.etag == stage.source.etag(key.as_str()).await,
            attempts: record.attempts,
            sequencer: record.sequencer.map(|place| place.as_str().to_owned()),
            transfer: record.transfer.map(|id| id.0),
            found: record.found,
        };
        all.insert(key, one);
    }
    all
}

/// Whoever reads the destination at this moment finds whole objects only, and none missing that was there before.
pub(super) async fn nothing_half_is_visible(stage: &Stage, history: &History) {
    let told = &history.told;
    let (found, whole) = (stage.destination.contents(), stage.whole_objects());
    for (key, bytes) in &found {
        let is_whole = whole.get(key).is_some_and(|versions| versions.contains(bytes));
        assert!(is_whole, "{told}: {key} is {} bytes of something", bytes.len());
    }
    let source = stage.source.contents();
    for key in stage.there.iter().filter(|key| *key == BYSTANDER.0 || source.contains_key(*key)) {
        assert!(found.contains_key(key), "{told}: {key} is gone");
    }
    assert!(found.keys().eq(stage.destination.listed().await.iter()), "{told}: the listing differs");
}

/// The end is that of the undisturbed run, and nothing was done twice that was known to be done.
pub(super) async fn the_end_is_the_same(
    stage: &Stage,
    scenario: &Scenario,
    known: &Undisturbed,
    history: &History,
) {
    let told = &history.told;
    nothing_half_is_visible(stage, history).await;
    assert_eq!(stage.queue.bodies(), Vec::<String>::new(), "{told}: the queue is not empty");
    match scenario.end {
        End::InStep => in_step(stage, told).await,
        End::GivenUp => given_up(stage, known, history),
    }
    nothing_is_left(stage, scenario, history).await;
    let mut remembered = remembered(stage).await;
    for record in remembered.values_mut().filter(|_| scenario.end == End::InStep) {
        // Whoever loses a reply has failed as far as it knows.
        record.attempts = record.attempts.saturating_sub(u32::try_from(history.lost).expect("few"));
    }
    assert_eq!(remembered, known.remembered, "{told}: the records differ");
    let failed = stage.observer.failed_attempts();
    let again = if scenario.end == End::GivenUp { usize::MAX } else { history.lost };
    assert!(
        failed.len() >= known.failed_attempts && failed.len() - known.failed_attempts <= again,
        "{told}: a death is no failed attempt: {failed:?}"
    );
    let begun = history.parts.saturating_sub(known.parts);
    assert!(begun <= history.again, "{told}: {begun} parts were sent again, {} may be", history.again);
    let written = stage.s3.journal().into_iter().find(|entry| entry.bucket == "source" && entry.is_write());
    assert_eq!(written, None, "{told}: the source was written to");
}

async fn in_step(stage: &Stage, told: &str) {
    let mut wanted = stage.source.contents();
    wanted.insert(BYSTANDER.0.to_owned(), BYSTANDER.1.to_vec());
    let found = stage.destination.contents();
    assert!(found.keys().eq(wanted.keys()), "{told}: {:?} instead of {:?}", found.keys(), wanted.keys());
    assert!(found == wanted, "{told}: the bytes differ");
    assert_eq!(stage.queue.dead_letters(), Vec::new(), "{told}: dead letters");
    assert_eq!(stage.observer.count(ReportOutcome::Failed), 0, "{told}: a failure was reported");
    if let (Side::Bucket(from), Side::Bucket(to)) = (&stage.source, &stage.destination) {
        for (key, object) in from.contents() {
            let copy = to.object(&key).expect("it was just compared");
            assert_eq!(copy.attributes, object.attributes, "{told}: {key}");
            assert_eq!(copy.tags, object.tags, "{told}: {key}");
        }
    }
}

fn given_up(stage: &Stage, known: &Undisturbed, history: &History) {
    let told = &history.told;
    let dead = stage.queue.dead_letters();
    assert_eq!(dead.len(), 1, "{told}: {} dead letters", dead.len());
    assert_eq!(dead[0].0, stage.sent(), "{told}: the dead letter is the message");
    // An attempt that was killed may not be counted, and one that nobody knows to be the last begins anew.
    let most = known.puts * (1 + history.given_up) + history.disturbed;
    assert!(
        (known.puts..=most).contains(&history.puts),
        "{told}: {} attempts instead of {} to {most}",
        history.puts,
        known.puts
    );
}

async fn nothing_is_left(stage: &Stage, scenario: &Scenario, history: &History) {
    let told = &history.told;
    let mut left = stage.destination.remains();
    if let Side::Folder(folder) = &stage.destination {
        // What a killed write has left is swept a day later; an upload is gone on with or given up.
        let uploads: Vec<_> = left.iter().filter(|name| !name.ends_with(".tmp")).collect();
        assert!(uploads.is_empty(), "{told}: {uploads:?} are left behind");
        assert!(left.len() <= history.disturbed, "{told}: {left:?} are left behind");
        let tomorrow = SystemTime::now() + Duration::from_secs(24 * 3600);
        let swept = folder.directory().sweep(tomorrow).await.expect("a sweep");
        assert_eq!(swept, left.len() as u64, "{told}: temporary files that are not swept");
        left = folder.remains();
    }
    assert!(stage.foreign.iter().all(|name| left.contains(name)), "{told}: a foreign upload is gone");
    let own = left.iter().filter(|name| !stage.foreign.contains(name)).count();
    let may_be = if scenario.leaves_upload { history.disturbed } else { 0 };
    assert!(own <= may_be, "{told}: {own} uploads are left behind");
    let remembered = stage.state.part_count();
    assert!(remembered == 0 || history.unended, "{told}: parts of no upload are remembered");
}
