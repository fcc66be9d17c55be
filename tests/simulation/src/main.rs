//! `simulation`: many schedules, or one of them with its journal.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use simulation::many::{Range, Sum, differing, play};
use simulation::{Fault, Plan, Verdict, replay};

const USAGE: &str = "\
simulation [--seeds N] [--from N] [--threads N] [--minutes M]   play schedules and check them
simulation --seed N                                             play one, and print its journal
simulation --check-determinism N [--from N]                     play each of N schedules twice and compare";

/// Failing schedules that are shown with the end of their journals.
const SHOWN: usize = 5;
/// Lines of a journal that are shown of each.
const LINES: usize = 25;

/// What was asked for.
struct Asked {
    range: Range,
    seed: Option<u64>,
    twice: Option<u64>,
}

fn main() -> ExitCode {
    let asked = match read(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(text) => {
            eprintln!("{text}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Some(seed) = asked.seed {
        return one(seed);
    }
    if let Some(seeds) = asked.twice {
        return twice(Range { seeds, ..asked.range });
    }
    many(asked.range)
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let range = Range { from: 1, seeds: 100_000, threads: 2, within: None };
    let mut asked = Asked { range, seed: None, twice: None };
    while let Some(word) = words.next() {
        let value: u64 = words
            .next()
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| format!("{word} needs a number"))?;
        match word.as_str() {
            "--seeds" => asked.range.seeds = value,
            "--from" => asked.range.from = value,
            "--threads" => asked.range.threads = usize::try_from(value).unwrap_or(1),
            "--minutes" => {
                asked.range.within = Some(Duration::from_secs(60 * value));
                asked.range.seeds = u64::MAX;
            }
            "--seed" => asked.seed = Some(value),
            "--check-determinism" => asked.twice = Some(value),
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(asked)
}

fn one(seed: u64) -> ExitCode {
    let plan = Plan::of(seed);
    println!("{plan:#?}");
    let (verdict, journal) = replay(plan);
    for (number, entry) in journal.iter().enumerate() {
        println!("{number:>5} {entry}");
    }
    println!("seed {seed}: {} lines, hash {:016x}", verdict.lines, verdict.hash);
    for breach in &verdict.breaches {
        println!("{} broken at line {}: {}", breach.invariant, breach.line, breach.text);
    }
    if verdict.is_good() {
        println!("nothing is broken");
    }
    exit(verdict.is_good())
}

fn twice(range: Range) -> ExitCode {
    let differing = differing(range);
    for seed in &differing {
        println!("seed {seed} has another journal each time");
    }
    println!("{} schedules played twice, {} differ", range.seeds, differing.len());
    exit(differing.is_empty())
}

fn many(range: Range) -> ExitCode {
    let begun = Instant::now();
    let sum = play(range, |_| {});
    for verdict in sum.failed.iter().take(SHOWN) {
        show(verdict);
    }
    table(&sum);
    let never: Vec<&str> =
        Fault::ALL.iter().filter(|fault| sum.took[fault.index()] == 0).map(|fault| fault.text()).collect();
    let enough = sum.played >= 2_000;
    if enough && !never.is_empty() {
        println!("never happened, which is a defect of the simulation: {}", never.join("; "));
    }
    println!(
        "{} lines of journals, {:.0} a schedule, {:.1} s by the clock",
        sum.lines,
        ratio(sum.lines, sum.played),
        begun.elapsed().as_secs_f64()
    );
    println!(
        "{} schedules, {} failed, hash {:016x}, {} CPU-seconds",
        sum.played,
        sum.failed.len(),
        sum.hash,
        cpu_seconds().map_or_else(|| "unknown".to_owned(), |seconds| format!("{seconds:.1}"))
    );
    exit(sum.failed.is_empty() && (never.is_empty() || !enough))
}

fn show(verdict: &Verdict) {
    let (_, journal) = replay(Plan::of(verdict.seed));
    for breach in &verdict.breaches {
        println!(
            "seed {}: {} broken at line {}: {}",
            verdict.seed, breach.invariant, breach.line, breach.text
        );
    }
    println!("  to replay: cargo run --release -p simulation -- --seed {}", verdict.seed);
    let end = verdict.breaches.first().map_or(journal.len(), |breach| (breach.line + 1).min(journal.len()));
    for entry in &journal[end.saturating_sub(LINES)..end] {
        println!("  | {entry}");
    }
}

fn table(sum: &Sum) {
    println!("{:>10} {:>9}  fault", "times", "schedules");
    for fault in Fault::ALL {
        println!("{:>10} {:>9}  {fault}", sum.took[fault.index()], sum.seen[fault.index()]);
    }
    let mut broken: BTreeMap<&str, u64> = BTreeMap::new();
    for verdict in &sum.failed {
        let mut told = Vec::new();
        for breach in &verdict.breaches {
            if !told.contains(&breach.invariant) {
                told.push(breach.invariant);
                *broken.entry(breach.invariant).or_default() += 1;
            }
        }
    }
    for (invariant, schedules) in broken {
        println!("{invariant} broken in {schedules} schedules");
    }
    if !sum.failed.is_empty() {
        let seeds: Vec<String> = sum.failed.iter().take(40).map(|verdict| verdict.seed.to_string()).collect();
        println!("failing seeds: {}", seeds.join(" "));
    }
}

fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b.max(1) as f64
}

/// Processor time of this process so far, where /proc tells it (proc(5): fields 14 and 15, in hundredths).
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(ticks as f64 / 100.0)
}

fn exit(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
