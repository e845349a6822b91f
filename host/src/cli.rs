//! What the command lines of both programs share: the words for the log, the exit codes as help
//! tells them, and the one way in which text leaves a command.

use crate::terminal::escape;
use crate::{exit, logging};
use clap::{Arg, ArgAction, Args, Command, CommandFactory, FromArgMatches, Subcommand};
use clap_complete::Shell;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The exit codes, as every `--help` tells them; README has the same table.
pub const EXIT_CODES: &str = "\
Exit codes of every command:
  0  done and clean
  1  evidence damaged: tampering, a fork, rot, or a lock that is not enforced
  2  could not finish: permission, network, held back, nothing found
  3  usage or configuration
  4  data intact, but someone interfered";

/// Words of every command, about its log.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log, on stderr")]
pub struct LogArgs {
    /// Log more: -v the steps, -vv everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Log less: -q warnings and errors, -qq errors alone
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub quiet: u8,
    /// Form of the log: text for people, json for machines
    #[arg(
        long,
        global = true,
        env = "HOLDFAST_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORM"
    )]
    pub log_format: logging::Format,
}

impl LogArgs {
    /// -1 for each `-q`, +1 for each `-v`.
    #[must_use]
    pub fn verbosity(&self) -> i8 {
        let bounded = |count: u8| i8::try_from(count).unwrap_or(i8::MAX);
        bounded(self.verbose).saturating_sub(bounded(self.quiet))
    }
}

const SAMPLE_EXAMPLES: &str = "\
Examples:
  holdfast-agent sample-config > /etc/holdfast/agent.toml
  holdfast sample-config > /etc/holdfast/archiver.toml";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  holdfast completions bash > /usr/share/bash-completion/completions/holdfast
  holdfast completions zsh > /usr/share/zsh/site-functions/_holdfast
  holdfast completions fish > /usr/share/fish/vendor_completions.d/holdfast.fish
  source <(holdfast-agent completions bash)";

const MAN_EXAMPLES: &str = "\
Examples:
  holdfast man | man -l -
  holdfast man /usr/local/share/man/man1";

/// What a program writes about itself.
#[derive(Debug, Subcommand)]
pub enum About {
    /// Print a configuration file with every key, what it is for and its default
    #[command(after_long_help = SAMPLE_EXAMPLES)]
    SampleConfig,
    /// Print the completions for a shell
    #[command(after_long_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the manual page, or write one for each command into a folder
    #[command(after_long_help = MAN_EXAMPLES)]
    Man {
        /// The folder, which must be there
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

impl About {
    /// Runs the command for the program whose words are `C` and whose sample file is `sample`; its
    /// exit code.
    #[must_use]
    pub fn run<C: CommandFactory>(&self, program: &str, sample: impl Fn() -> String) -> u8 {
        let written = match self {
            Self::SampleConfig => return print(program, &sample()),
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut command::<C>(), program, &mut script);
                return print(program, &String::from_utf8_lossy(&script));
            }
            Self::Man { folder: None } => manual::<C>(),
            Self::Man {
                folder: Some(folder),
            } => manuals::<C>(folder),
        };
        match written {
            Ok(text) => print(program, &text),
            Err(error) => {
                complain(program, &error);
                exit::UNFINISHED
            }
        }
    }
}

fn manual<C: CommandFactory>() -> io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command::<C>()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn manuals<C: CommandFactory>(folder: &Path) -> io::Result<String> {
    let written = clap_mangen::generate_to(command::<C>(), folder);
    written.map_err(|error| {
        let message = format!(
            "cannot write manual pages into {}: {error}",
            folder.display()
        );
        io::Error::new(error.kind(), message)
    })?;
    Ok(String::new())
}

/// The words as they are to be shown: every command's help ends with the exit codes.
#[must_use]
pub fn command<C: CommandFactory>() -> Command {
    let command = C::command();
    // Whatever the file is called: help and man pages name the program.
    let name = command.get_name().to_owned();
    append_exit_codes(command.bin_name(name))
}

fn append_exit_codes(command: Command) -> Command {
    let help = match command.get_after_long_help() {
        Some(own) => format!("{own}\n\n{EXIT_CODES}"),
        None => EXIT_CODES.into(),
    };
    // Short help is for a glance: the options and no more.
    let command = command.after_long_help(help);
    command
        .mut_args(forget_empty)
        .mut_subcommands(append_exit_codes)
}

/// An empty variable counts as not set, as everywhere.
fn forget_empty(word: Arg) -> Arg {
    let value = word.get_env().and_then(std::env::var_os);
    if value.is_some_and(|value| value.is_empty()) {
        return word.env(None);
    }
    word
}

/// Reads the words that the process was started with.
///
/// # Errors
/// The exit code, where the words were wrong or help was all that was asked for; it has been printed.
pub fn parse<C: CommandFactory + FromArgMatches>(program: &str) -> Result<C, u8> {
    let mut words = command::<C>();
    let matched = words.try_get_matches_from_mut(std::env::args_os());
    let parsed = matched.and_then(|matches| C::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let error = error.format(&mut words);
        let printed = error.print();
        if error.use_stderr() {
            // Where stderr is closed there is nobody to tell.
            return exit::USAGE;
        }
        ended(program, printed)
    })
}

/// Prints to stdout; the exit code of having done so. A reader that has gone has seen what it wanted.
#[must_use]
pub fn print(program: &str, text: &str) -> u8 {
    let mut out = io::stdout().lock();
    ended(
        program,
        out.write_all(text.as_bytes()).and_then(|()| out.flush()),
    )
}

/// Prints what `answer` gives, again and again with a pause of `every`, until nobody reads it any longer; the exit
/// code that went with the last one. SIGINT and SIGTERM end it as they end any program.
#[must_use]
pub fn repeat(program: &str, every: Duration, mut answer: impl FnMut() -> (String, u8)) -> u8 {
    loop {
        let (text, code) = answer();
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if written.is_err() {
            return ended(program, written).max(code);
        }
        drop(out);
        std::thread::sleep(every);
    }
}

fn ended(program: &str, printed: io::Result<()>) -> u8 {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(program, &format_args!("cannot write to stdout: {error}"));
            exit::UNFINISHED
        }
        _ => exit::CLEAN,
    }
}

/// `1 file`, `2 files`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    let what = if count == 1 { one } else { many };
    format!("{count} {what}")
}

/// Says on stderr why a command ended. Not by the log, which may be JSON or silenced.
pub fn complain(program: &str, error: &dyn Display) {
    // Several faults stand below one another, each as an editor can jump to it. What else they quote moves no cursor.
    let error = error.to_string();
    let lines: Vec<String> = error.split('\n').map(escape).collect();
    let gap = if lines.len() > 1 { "\n" } else { " " };
    let error = lines.join("\n");
    // Where stderr is closed there is nobody to tell.
    drop(writeln!(crate::progress::Stderr, "{program}:{gap}{error}"));
}
