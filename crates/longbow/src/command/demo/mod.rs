//! `longbow demo`: the whole trip on this machine without any account. A server, a copy that is killed in the middle,
//! the same copy again, and a verification.
//!
//! Only the server is the demo's own; what copies and verifies is this very program, started as a user would.

mod child;
mod progress;
mod relay;
mod world;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longbow_testkit::fake::{FakeS3, FakeStore};
use longbow_testkit::server::{self, ServerOptions};
use serde_json::Value;

use super::Surrounding;
use crate::amounts::{bytes, count, duration};
use crate::cli::DemoArgs;
use crate::exit::{CommandError, Exit};
use crate::screen::Screen;
use crate::shutdown::Shutdown;

use child::Run;
use relay::Relay;
use world::World;

const SOURCE: &str = "demo-source";
const COPY: &str = "demo-copy";
/// From the answer to a part until longbow has noted the part's proof on disk.
const NOTED: Duration = Duration::from_millis(30);
/// A run that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the command.
pub(crate) async fn run(args: &DemoArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let folder = tempfile::Builder::new()
        .prefix("longbow-demo-")
        .tempdir()
        .map_err(|e| CommandError::Failed(format!("failed to make a temporary folder: {e}; mend TMPDIR")))?;
    let screen = around.screen.clone();
    let told = screen.clone();
    let shutdown = Shutdown::watch(move |text| told.error_line(text))?;
    let stop = shutdown.stop();
    let exit = tokio::select! {
        exit = show(folder.path(), args.keep, &screen) => exit,
        () = stop.cancelled() => Ok(shutdown.signal().map_or(Exit::Failed, Exit::Stopped)),
    };
    if args.keep {
        let path = folder.keep();
        screen.output_line(&format!("Kept: {}", path.display()));
    }
    exit
}

async fn show(folder: &Path, keep: bool, screen: &Screen) -> Result<Exit, CommandError> {
    let demo = Demo::begin(folder, screen).await?;
    demo.copy_and_kill().await?;
    demo.copy_again().await?;
    let verified = demo.verify().await?;
    demo.end(keep, verified)
}

/// The stage.
struct Demo<'a> {
    folder: &'a Path,
    screen: &'a Screen,
    source: Arc<FakeStore>,
    copy: Arc<FakeStore>,
    world: World,
    url: String,
    // Serves as long as it lives.
    _serving: (server::Server, Relay),
}

impl<'a> Demo<'a> {
    async fn begin(folder: &'a Path, screen: &'a Screen) -> Result<Self, CommandError> {
        let fake = FakeS3::new();
        let (source, copy) = (fake.create_bucket(SOURCE), fake.create_bucket(COPY));
        let world = world::fill(&source)
            .await
            .map_err(|e| CommandError::Failed(format!("failed to fill the demo's bucket: {e}")))?;
        let options = ServerOptions {
            access_key: child::ACCESS_KEY.to_owned(),
            secret_key: child::SECRET_KEY.to_owned(),
        };
        let server = server::serve(fake, options)
            .await
            .map_err(|e| CommandError::Failed(format!("failed to start the demo's server: {e}")))?;
        let relay = Relay::start(server.addr)
            .await
            .map_err(|e| CommandError::Failed(format!("failed to start the demo's network: {e}")))?;
        let url = format!("http://{}", relay.addr);
        screen.output_line(&format!(
            "1. An S3 server in this process, {url}, slowed down to {}/s\n   A bucket to copy: \
             {} objects, {}: {} of tens of MiB, {} empty, {} with odd keys (a//b, a/../b, %41, new lines …)",
            bytes(relay::PACE),
            count(world.objects),
            bytes(world.bytes),
            world.large,
            world.empty,
            world.odd
        ));
        Ok(Self { folder, screen, source, copy, world, url, _serving: (server, relay) })
    }

    fn start(&self, name: &str, arguments: &[&str]) -> Result<Run, CommandError> {
        let (source, copy) = (format!("s3://{SOURCE}"), format!("s3://{COPY}"));
        let state = self.folder.join("state");
        let state = state.to_string_lossy();
        let (command, rest) = arguments.split_first().unwrap_or((&"", &[]));
        let mut all = vec![*command, &source, &copy, "--endpoint-url", &self.url, "--state-dir", &state];
        all.extend(rest);
        Run::start(self.folder, name, &all)
    }

    fn sync(&self, name: &str) -> Result<Run, CommandError> {
        let report = self.folder.join(format!("{name}.report.jsonl"));
        let report = report.to_string_lossy();
        // Streamed, as between two stores; one store would copy inside itself. Few requests at once, so that parts
        // end one after the other.
        let flags = ["sync", "--method", "stream", "--max-requests", "4", "--json", "--report", &report];
        self.start(name, &flags)
    }

    async fn copy_and_kill(&self) -> Result<(), CommandError> {
        self.screen.output_line(&format!(
            "\n2. $ longbow sync s3://{SOURCE} s3://{COPY} --endpoint-url {} --method stream …",
            self.url
        ));
        let began = Instant::now();
        let mut run = self.sync("first")?;
        loop {
            let arrived = progress::arrived(&self.copy);
            if arrived.bytes >= self.world.bytes * 2 / 5 && arrived.open_parts >= 3 {
                tokio::time::sleep(NOTED).await;
                run.kill();
                break;
            }
            if let Some(status) = run.ended()? {
                return Err(self.broken(&run, &format!("the copy ended ({status}) before it was half done")));
            }
            if began.elapsed() > PATIENCE {
                run.kill();
                return Err(self.broken(&run, "the copy does not go on"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let arrived = progress::arrived(&self.copy);
        self.screen.output_line(&format!(
            "   Killed in the middle (kill -9) after {}: {} of {} had arrived,\n   \
             {} objects whole, and {} parts of objects that were not finished",
            duration(began.elapsed()),
            bytes(arrived.bytes),
            bytes(self.world.bytes),
            count(arrived.objects),
            count(arrived.open_parts)
        ));
        Ok(())
    }

    async fn copy_again(&self) -> Result<(), CommandError> {
        self.screen.output_line("\n3. $ longbow sync …   the same command again: it resumes");
        let mut run = self.sync("second")?;
        let status = self.wait(&mut run).await?;
        let Some(summary) = run.summary().filter(|_| status.success()) else {
            return Err(self.broken(&run, &format!("the second copy ended with {status}")));
        };
        let n = |value: &Value| value.as_u64().unwrap_or_default();
        let arrived = progress::arrived(&self.copy);
        self.screen.output_line(&format!(
            "   {} objects: {} copied, {} skipped since they were there, {} failed\n   \
             {} parts of the killed run were proved and kept; {} sent now\n   \
             Bodies that the server received twice, cut off by the kill: {}",
            count(n(&summary["listed"])),
            count(n(&summary["copied"])),
            count(n(&summary["skipped"])),
            count(n(&summary["failed"])),
            count(n(&summary["parts_reused"])),
            bytes(n(&summary["bytes_sent"])),
            count(arrived.twice)
        ));
        Ok(())
    }

    /// Whether both buckets are equal, by longbow's own word and by the server's.
    async fn verify(&self) -> Result<bool, CommandError> {
        self.screen.output_line(&format!("\n4. $ longbow verify s3://{SOURCE} s3://{COPY} …"));
        let mut run = self.start("verify", &["verify"])?;
        let status = self.wait(&mut run).await?;
        for line in run.output().lines().skip_while(|line| !line.contains("after")) {
            self.screen.output_line(&format!("   {line}"));
        }
        if !status.success() {
            self.screen.error_line(run.errors().trim_end());
        }
        let wrong = world::differences(&self.source, &self.copy);
        self.screen.output_line(&format!(
            "   Looked at past longbow, inside the server, byte by byte: {} of {} objects are the same",
            count(self.world.objects.saturating_sub(wrong.len() as u64)),
            count(self.world.objects)
        ));
        for key in wrong.iter().take(10) {
            self.screen.output_line(&format!("     differs: {}", key.escape_debug()));
        }
        Ok(status.success() && wrong.is_empty())
    }

    fn end(&self, keep: bool, matched: bool) -> Result<Exit, CommandError> {
        if !matched {
            return Err(CommandError::Failed(
                "the copy is not what it should be; this is a defect of longbow".to_owned(),
            ));
        }
        let look = match keep {
            true => format!(
                "Look:  {}/second.report.jsonl has a line for each object; state/*.sqlite can be read with sqlite3",
                self.folder.display()
            ),
            false => {
                "Look:  `longbow demo --keep` leaves the reports and the state file to look at".to_owned()
            }
        };
        self.screen.output_line(&format!(
            "\nEverything arrived and matched.\n{look}\n\
             Next:  longbow sync SOURCE DESTINATION --dry-run   shows what a copy of yours would do\n       \
             longbow sync --help                         has examples for buckets, stores and folders"
        ));
        Ok(Exit::Done)
    }

    async fn wait(&self, run: &mut Run) -> Result<std::process::ExitStatus, CommandError> {
        match tokio::time::timeout(PATIENCE, run.wait()).await {
            Ok(status) => status,
            Err(_) => {
                run.kill();
                Err(self.broken(run, "it does not come to its end"))
            }
        }
    }

    fn broken(&self, run: &Run, what: &str) -> CommandError {
        let output = run.output();
        let last: Vec<_> = output.lines().rev().take(5).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        CommandError::Failed(format!(
            "the demo failed: {what}\n{}\n{}",
            last.join("\n"),
            run.errors().trim_end()
        ))
    }
}
