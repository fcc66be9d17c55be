//! Many targets, each in a process of its own: a reader that uses up the stack or never ends takes nobody along.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::command::Command;
use crate::corpus;
use crate::target::Target;

/// How much longer than asked a process may take: a loaded machine, an input that is made smaller.
const GRACE: Duration = Duration::from_secs(60);

/// A build with fewer targets, which counts branches: `tests/fuzz/run` names it.
struct Guided {
    program: Option<PathBuf>,
    targets: String,
}

impl Guided {
    fn of_environment() -> std::io::Result<Self> {
        let program = std::env::var_os("LONGBOW_FUZZ_GUIDED").map(PathBuf::from);
        let targets = match &program {
            Some(program) => std::process::Command::new(program).arg("--list").output()?.stdout,
            None => Vec::new(),
        };
        Ok(Self { program, targets: String::from_utf8_lossy(&targets).into_owned() })
    }

    fn program_for(&self, target: &Target) -> Option<&PathBuf> {
        self.program.as_ref().filter(|_| self.targets.lines().any(|name| name == target.name))
    }
}

struct Running {
    target: &'static Target,
    process: Child,
    deadline: Instant,
}

/// Runs all targets; gives how many failed.
pub(crate) fn run(command: &Command) -> std::io::Result<usize> {
    let own = std::env::current_exe()?;
    let guided = Guided::of_environment()?;
    std::fs::create_dir_all(corpus::scratch())?;
    let mut waiting: VecDeque<&'static Target> = command.targets.iter().copied().collect();
    let (mut running, mut failed) = (Vec::<Running>::new(), 0);
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < command.jobs {
            let Some(target) = waiting.pop_front() else { break };
            let mut started = std::process::Command::new(guided.program_for(target).unwrap_or(&own));
            started.args([target.name, "--here", "--seed", &command.seed.to_string()]);
            if command.executions < u64::MAX {
                started.args(["--executions", &command.executions.to_string()]);
            } else {
                started.args(["--seconds", &command.time.as_secs().to_string()]);
            }
            let process = started.stdin(Stdio::null()).spawn()?;
            running.push(Running { target, process, deadline: Instant::now() + command.time + GRACE });
        }
        std::thread::sleep(Duration::from_millis(50));
        let mut still = Vec::new();
        for mut one in running {
            let status = one.process.try_wait()?;
            if status.is_none() && Instant::now() < one.deadline {
                still.push(one);
                continue;
            }
            if !ended_well(&mut one, status)? {
                failed += 1;
            }
        }
        running = still;
    }
    Ok(failed)
}

/// Whether a process found nothing. One that told nothing by itself is told of here.
fn ended_well(one: &mut Running, status: Option<ExitStatus>) -> std::io::Result<bool> {
    let name = one.target.name;
    let what = match status {
        Some(status) if status.success() => return Ok(true),
        // It has said what it found.
        Some(status) if status.code() == Some(1) => return Ok(false),
        Some(status) => format!("the process died ({status})"),
        None => {
            one.process.kill()?;
            one.process.wait()?;
            "it does not end".to_owned()
        }
    };
    let written = std::fs::read(corpus::running(name))?;
    let input = written
        .split_first_chunk::<8>()
        .and_then(|(length, rest)| rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?));
    tell(name, &what, input.unwrap_or_default())?;
    Ok(false)
}

/// Writes down an input that fails, and says how to run it again.
pub(crate) fn tell(name: &str, what: &str, input: &[u8]) -> std::io::Result<()> {
    let path = corpus::keep_failing(name, input)?;
    println!("{name}: FAILED: {what}");
    if input.len() <= 2000 {
        println!("  input: {}", corpus::escape(input));
    }
    println!("  again: tests/fuzz/run {name} --input {}", path.display());
    println!("  when it is mended, keep it: add a line `NAME: INPUT` to {}", corpus::path(name).display());
    Ok(())
}
