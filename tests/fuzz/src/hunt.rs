//! The hunt for an input that breaks a target: change an input that is known, run it, keep it if it went where none
//! has been.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use crate::corpus;
use crate::coverage::Coverage;
use crate::mutate::{Material, mutate};
use crate::probe::{Cost, Failure, probe, shrink};
use crate::random::Random;
use crate::target::Target;

/// How long to hunt.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Time.
    pub time: Duration,
    /// Inputs; the same seed and number make the same hunt.
    pub executions: u64,
}

/// What a hunt found.
#[derive(Debug)]
pub struct Finding {
    /// The input, made smaller.
    pub input: Vec<u8>,
    /// What is wrong.
    pub failure: Failure,
}

/// How a hunt went.
#[derive(Debug)]
pub struct Hunted {
    /// Inputs run.
    pub executions: u64,
    /// Time taken.
    pub time: Duration,
    /// Inputs known at the beginning.
    pub known: usize,
    /// Inputs known in the end.
    pub pool: Vec<Vec<u8>>,
    /// Branches by orders of magnitude; 0 in a build that counts none.
    pub features: usize,
    /// The most that one input took.
    pub cost: CostSeen,
    /// What was found, if anything.
    pub finding: Option<Finding>,
}

/// The most that one input took.
#[derive(Debug, Clone, Copy, Default)]
pub struct CostSeen {
    /// By the clock on the wall.
    pub time: Duration,
    /// At once.
    pub memory: usize,
}

struct Hunter<'a> {
    target: &'a Target,
    coverage: Coverage,
    running: Option<File>,
    executions: u64,
    cost: CostSeen,
}

impl Hunter<'_> {
    /// Runs an input; whether it went where none has been.
    fn run(&mut self, input: &[u8]) -> Result<bool, Failure> {
        if let Some(file) = &self.running {
            // Whoever finds this process dead reads here what killed it. A full disk must not end the hunt.
            let length = u64::try_from(input.len()).unwrap_or(0).to_le_bytes();
            let _ = file.write_all_at(&length, 0).and_then(|()| file.write_all_at(input, 8));
        }
        self.executions += 1;
        Coverage::clear();
        let Cost { time, memory } = probe(self.target, input)?;
        let new = self.coverage.add() > 0;
        self.cost.time = self.cost.time.max(time);
        self.cost.memory = self.cost.memory.max(memory);
        Ok(new)
    }
}

/// Runs what is known, then hunts. With `written_down`, each input stands in a file before it is run.
pub fn hunt(target: &Target, known: &[Vec<u8>], budget: Budget, seed: u64, written_down: bool) -> Hunted {
    let began = Instant::now();
    let running = written_down.then(|| File::create(corpus::running(target.name)).ok()).flatten();
    let mut hunter =
        Hunter { target, coverage: Coverage::new(), running, executions: 0, cost: CostSeen::default() };
    let mut pool: Vec<Vec<u8>> = Vec::new();
    let mut finding = None;
    for input in known {
        if let Err(failure) = hunter.run(input) {
            finding = Some((input.clone(), failure));
            break;
        }
        pool.push(input.clone());
    }
    let known = pool.len();
    let mut random = Random::new(seed ^ name_as_seed(target.name));
    while finding.is_none() && hunter.executions < budget.executions && began.elapsed() < budget.time {
        let input = next(target, &pool, &mut random);
        match hunter.run(&input) {
            Ok(true) => pool.push(input),
            Ok(false) => {}
            Err(failure) => finding = Some((input, failure)),
        }
    }
    let finding =
        finding.map(|(input, failure)| Finding { input: shrink(target, &input, &failure), failure });
    Hunted {
        executions: hunter.executions,
        time: began.elapsed(),
        known,
        pool,
        features: hunter.coverage.features(),
        cost: hunter.cost,
        finding,
    }
}

fn next(target: &Target, pool: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    // What was found last is where something new is near.
    let recent = pool.len().saturating_sub(pool.len().div_ceil(5));
    let from = if random.one_in(2) { &pool[recent..] } else { pool };
    let mut input = random.pick(from).map_or(&[][..], Vec::as_slice);
    for _ in 0..4 {
        // A long one is tried seldom: ten thousand short ones run in the same time.
        let other = random.pick(from).map_or(&[][..], Vec::as_slice);
        if other.len() < input.len() / 4 {
            input = other;
        }
    }
    let material =
        Material { form: target.form, tokens: target.tokens, others: pool, longest: target.longest };
    mutate(input, &material, random)
}

fn name_as_seed(name: &str) -> u64 {
    name.bytes().fold(0, |sum, b| sum.wrapping_mul(131).wrapping_add(u64::from(b)))
}

/// Of all inputs, few and short ones that go wherever all of them go; none longer than `longest`, all together no
/// more than `most` bytes.
pub fn essence(target: &Target, mut pool: Vec<Vec<u8>>, longest: usize, most: usize) -> Vec<Vec<u8>> {
    pool.retain(|input| input.len() <= longest);
    pool.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    pool.dedup();
    let mut hunter =
        Hunter { target, coverage: Coverage::new(), running: None, executions: 0, cost: CostSeen::default() };
    let mut room = most;
    pool.retain(|input| {
        let kept = input.len() <= room && hunter.run(input) == Ok(true);
        if kept {
            room -= input.len();
        }
        kept
    });
    pool
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Form;
    use crate::probe::processor_time;
    use crate::target::USUAL;

    fn hunted(run: fn(&[u8])) -> Hunted {
        let target = Target {
            name: "trial",
            form: Form::Bytes,
            tokens: &["x7"],
            time: Duration::from_millis(20),
            run,
            ..USUAL
        };
        let budget = Budget { time: Duration::from_secs(20), executions: 200_000 };
        hunt(&target, &[b"some bytes".to_vec()], budget, 1, false)
    }

    #[test]
    fn a_broken_promise_is_found_and_its_input_made_small() {
        let found = hunted(|input| assert!(!input.windows(2).any(|w| w == b"x7"), "seven"));
        let Some(Finding { input, failure: Failure::Broken(what) }) = found.finding else { panic!() };
        assert_eq!(input, b"x7");
        assert!(what.ends_with(": seven") && what.contains("hunt.rs"), "{what}");
    }

    #[test]
    fn too_much_memory_and_too_much_time_are_found() {
        let large = hunted(|input| drop(std::hint::black_box(vec![0_u8; input.len() << 20])));
        assert!(matches!(large.finding, Some(Finding { failure: Failure::Large(_), .. })));
        let slow = hunted(|_| {
            let (began, wall) = (processor_time(), Instant::now());
            let used = || match (began, processor_time()) {
                (Some(began), Some(now)) => now.saturating_sub(began),
                _ => wall.elapsed(),
            };
            while used() < Duration::from_millis(40) {}
        });
        assert!(matches!(slow.finding, Some(Finding { failure: Failure::Slow(_), .. })));
    }

    #[test]
    fn the_same_seed_makes_the_same_hunt() {
        let seen = |seed| {
            let mut random = Random::new(seed);
            let pool = vec![b"{\"a\":[1,2]}".to_vec(), b"<a><b>c</b></a>".to_vec()];
            (0..200).map(|_| next(&USUAL, &pool, &mut random)).collect::<Vec<_>>()
        };
        assert_eq!(seen(7), seen(7));
        assert_ne!(seen(7), seen(8));
    }
}
