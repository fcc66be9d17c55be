//! `longbow man`: manual pages, made from the same text as the help.

use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::exit::{CommandError, Exit};
use crate::screen::Screen;

/// Prints one page, or writes all of them into a folder.
pub(crate) fn run(command: Option<&str>, dir: Option<&Path>, screen: &Screen) -> Result<Exit, CommandError> {
    let pages = pages()?;
    if let Some(dir) = dir {
        std::fs::create_dir_all(dir).map_err(|e| cannot_write(dir, &e))?;
        for (name, text) in &pages {
            let path = dir.join(format!("{name}.1"));
            std::fs::write(&path, text).map_err(|e| cannot_write(&path, &e))?;
        }
        screen.output_line(&format!("{} pages are in {}", pages.len(), dir.display()));
        return Ok(Exit::Done);
    }
    let wanted = command.map_or("longbow".to_owned(), |command| format!("longbow-{command}"));
    let Some((_, text)) = pages.iter().find(|(name, _)| *name == wanted) else {
        let names: Vec<_> = pages.iter().filter_map(|(name, _)| name.strip_prefix("longbow-")).collect();
        let command = command.unwrap_or_default();
        return Err(CommandError::Usage(format!(
            "there is no command {command:?}; give one of {}",
            names.join(", ")
        )));
    };
    screen.output_line(text.trim_end());
    Ok(Exit::Done)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::Usage(format!(
        "failed to write {}: {error}; give --dir a folder that can be written",
        path.display()
    ))
}

/// All pages by name.
fn pages() -> Result<Vec<(String, String)>, CommandError> {
    let mut root = Cli::command();
    root.build();
    let mut pages = vec![("longbow".to_owned(), page(&root, "longbow")?)];
    for command in root.get_subcommands().filter(|c| c.get_name() != "help") {
        let name = format!("longbow-{}", command.get_name());
        let text = page(command, &name)?;
        pages.push((name, text));
    }
    Ok(pages)
}

fn page(command: &clap::Command, name: &str) -> Result<String, CommandError> {
    let mut out = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut out)
        .map_err(|e| CommandError::Failed(format!("failed to make the manual page {name}: {e}")))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let pages = pages().unwrap_or_else(|e| panic!("{e}"));
        let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "longbow",
                "longbow-sync",
                "longbow-verify",
                "longbow-jobsender",
                "longbow-worker",
                "longbow-status",
                "longbow-jobs",
                "longbow-report",
                "longbow-doctor",
                "longbow-state",
                "longbow-dlq",
                "longbow-settings",
                "longbow-demo",
                "longbow-completions",
                "longbow-man",
            ]
        );
        assert!(pages[1].1.contains("max\\-delete"), "{}", pages[1].1);
    }
}
