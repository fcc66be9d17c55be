//! A schedule from its beginning to its end: faults, then calm, then a last comparison, then nothing is left to do.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::object::ObjectKey;
use longbow_testkit::fake::NewObject;
use longbow_worker::{LEAST_AGE, sweep_uploads};
use tokio_util::sync::CancellationToken;

use crate::fault::{Fault, KINDS};
use crate::journal::{Entry, Role, What};
use crate::life::Life;
use crate::machine::{Machines, chance, keep_worker, ports, run_jobsender};
use crate::nature::WORLD;
use crate::plan::{Act, Plan};
use crate::port::upload_number;
use crate::world::World;

/// So long after the last fault everything must be at rest: the longest stall, a lease, the longest pause of a worker whose
/// queue was away, and an event that is late.
const REST: Duration = Duration::from_secs(400);

/// Between looks whether everything is at rest.
const LOOK: Duration = Duration::from_millis(1_900);

/// What is left of a schedule when it is over.
pub(crate) struct Played {
    pub(crate) journal: Vec<Entry>,
    pub(crate) took: [u32; KINDS],
}

/// Plays a schedule on a runtime of its own.
pub(crate) fn play(plan: Plan) -> std::io::Result<Played> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let played = runtime.block_on(async {
        let world = World::new(plan);
        longbow_jobsender::set_chance(Some(chance(&world)));
        live(&world).await;
        let mut inner = world.inner();
        Played { journal: std::mem::take(&mut inner.journal), took: inner.took }
    });
    longbow_jobsender::set_chance(None);
    Ok(played)
}

async fn live(world: &Arc<World>) {
    let machines = Arc::new(Machines::default());
    strangers_upload(world);
    // So that the stranger's upload is older than any of ours.
    World::wait(60_000).await;
    let mut workers = Vec::new();
    for n in 0..world.plan.workers {
        workers.push(tokio::spawn(keep_worker(Arc::clone(world), Arc::clone(&machines), n)));
    }
    for (after, act) in world.plan.acts.clone() {
        World::wait(after).await;
        happen(world, &machines, act);
    }
    let more = world.dice(|dice| dice.between(500, 20_000));
    World::wait(more).await;
    calm(world);
    if !rest(world).await {
        world.tell(What::Restless);
        return;
    }
    world.tell(What::Settled(false));
    run_jobsender(Arc::clone(world), 0, true).await;
    let rested = rest(world).await;
    machines.over.cancel();
    for n in 0..world.plan.workers {
        machines.drain(n, None);
    }
    for worker in workers {
        if !rested || tokio::time::timeout(REST, worker).await.is_err() {
            world.tell(What::Restless);
            return;
        }
    }
    world.tell(What::Settled(true));
    sweep(world).await;
}

fn calm(world: &World) {
    let mut inner = world.inner();
    inner.calm = true;
    inner.state_away = 0;
    inner.queue_away = 0;
    drop(inner);
    world.tell(What::Calm);
}

/// Waits until nothing is left to do; `false` if that takes too long.
async fn rest(world: &World) -> bool {
    let begun = tokio::time::Instant::now();
    loop {
        let (on_way, running) = {
            let inner = world.inner();
            (inner.on_way, inner.running)
        };
        if on_way == 0 && running == 0 && world.queue.is_empty() {
            return true;
        }
        if begun.elapsed() > REST {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Somebody else's upload, to a key that is copied too: never to be touched. Where a machine's calendar is wrong by minutes,
/// it is to another key: an upload without a name is told from others' of the same key by the time when it began.
fn strangers_upload(world: &World) {
    let jumps = world.plan.acts.iter().any(|(_, act)| matches!(act, Act::Jump(..)));
    let name = ObjectKey::from(if jumps { "a stranger's" } else { World::name(crate::journal::Key(0)) });
    let created =
        world.destination.change(|bucket, now| bucket.create_upload(&name, NewObject::default(), false, now));
    if let Ok(upload) = created {
        let number = upload_number(&upload);
        world.inner().strangers_uploads.push(number);
        world.tell(What::StrangersUpload(number));
    }
}

fn happen(world: &Arc<World>, machines: &Machines, act: Act) {
    match act {
        Act::Write(key, shape) => {
            if world.has_source(key) {
                world.struck(WORLD, Fault::Overwritten);
            }
            world.write_source(key, shape);
        }
        Act::Rewrite(key) => world.rewrite_source(key),
        Act::Remove(key) => {
            if world.has_source(key) {
                world.struck(WORLD, Fault::SourceRemoved);
                world.remove_source(key);
            }
        }
        Act::Stranger(key) => {
            world.struck(WORLD, Fault::StrangerWrote);
            world.stranger_writes(key);
        }
        Act::StrangerRemoves(key) => world.stranger_removes(key),
        Act::Poison => {
            world.struck(WORLD, Fault::Poison);
            let word = world.dice(crate::dice::Dice::word);
            world.push(&format!("{{\"no\": \"job\", \"but\": {word}}}"));
        }
        Act::Jobsender(n) => {
            tokio::spawn(run_jobsender(Arc::clone(world), n, false));
        }
        Act::Drain(n) => {
            let within = world.dice(|dice| dice.pick(&[None, Some(0), Some(300), Some(5_000)], None));
            machines.drain(n, within.map(Duration::from_millis));
        }
        Act::Jump(n, by) => machines.jump(n, by),
    }
}

/// Looks for uploads left behind, as the janitor does once a day.
async fn sweep(world: &Arc<World>) {
    if world.destination.uploads().len() > 1 {
        tokio::time::sleep(LEAST_AGE + Duration::from_secs(3600)).await;
        let life = Life::new(world, world.born(Role::Janitor));
        let swept = sweep_uploads(&ports(&life), LEAST_AGE, &CancellationToken::new()).await;
        life.note(What::Ended(swept.is_ok()));
    }
    for upload in world.destination.uploads() {
        world.tell(What::UploadLeft(upload_number(&upload.upload)));
    }
}
