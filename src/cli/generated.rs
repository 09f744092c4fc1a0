//! `clawsec completions SHELL` and `clawsec man DIR`: what clap knows of the commands, as shells
//! and man want it. For packagers: `make install` puts them where they belong.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::arguments::Arguments;
use super::{exit_code, output};

/// `clawsec completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `clawsec man`.
#[derive(Clone, Debug, Args)]
pub struct ManArguments {
    /// The folder, made if it is not there
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Prints a completion script.
pub fn completions(arguments: &CompletionsArguments) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "clawsec", &mut script);
    let text = String::from_utf8_lossy(&script);
    exit_code(output::print(&text).map(|()| ExitCode::SUCCESS))
}

/// Writes `clawsec.1`, and one page a command: `clawsec-start.1` and so on.
pub fn man(arguments: &ManArguments) -> ExitCode {
    let written = write_pages(&arguments.folder)
        .map_err(|error| format!("cannot write into {}: {error}", arguments.folder.display()));
    exit_code(written.map(|()| ExitCode::SUCCESS))
}

fn write_pages(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)
}
