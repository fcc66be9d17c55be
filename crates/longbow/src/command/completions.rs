//! `longbow completions SHELL`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::screen::Screen;

/// Writes the script to standard output.
pub(crate) fn run(shell: Shell, screen: &Screen) -> Exit {
    screen.output_line(script(shell).trim_end());
    Exit::Done
}

fn script(shell: Shell) -> String {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "longbow", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for word in ["sync", "verify", "max-delete", "server-side"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
