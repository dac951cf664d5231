//! `pinfold`: a forward proxy that releases only the third-party scripts that were reviewed.
//!
//! One module per command. This is the only place that wires the other crates together, and the only one that prints.

mod audit;
mod barred;
mod check;
mod comparison;
mod configuration;
mod console_identity;
mod darkened;
mod decision;
mod demo;
mod desk;
mod evidence;
mod exposure;
mod failure;
mod init;
mod listing;
mod log;
mod pin;
mod quarantine;
mod received;
mod remote;
mod replay;
mod run;
mod terminal;
mod token;
mod trust;
mod user;
mod vendor_now;
mod window;
mod wiring;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use pinfold_policy::printable;

use crate::configuration::Configuration;
use crate::demo::DemoOptions;
use crate::failure::{Failure, cause};
use crate::remote::RemoteOptions;
use crate::terminal::Terminal;

/// Checks the third-party scripts that pass through it against reviewed hashes.
#[derive(Debug, Parser)]
#[command(name = "pinfold", version, max_term_width = 100)]
struct CommandLine {
    /// The configuration [default: $PINFOLD_CONFIG, ./pinfold.toml, /etc/pinfold/pinfold.toml].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print results as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented pinfold.toml, an empty pins.toml and the CA, and say how to trust it here.
    Init {
        /// Where to.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Run the gateway; without a configuration, with built-in settings that refuse nothing.
    Run,
    /// Say whether the configuration and the pins are right. Uses no network.
    Check {
        /// Exit with 1 if there are warnings.
        #[arg(long)]
        strict: bool,
    },
    /// Replay the Comm100 incident, or another one, on this machine, with nothing but this binary.
    Demo(DemoOptions),
    /// The reviewed list of what may be served.
    #[command(subcommand)]
    Pin(PinCommand),
    /// What was refused and kept for review.
    #[command(subcommand)]
    Quarantine(quarantine::Action),
    /// Who may have received a digest, a URL or anything of a host, and who was refused.
    Exposure(exposure::ExposureOptions),
    /// What the files as they are would have done to recorded traffic: whom they would refuse what. Uses no network.
    Replay(replay::ReplayOptions),
    /// Whether the history of decisions is what it was.
    #[command(subcommand)]
    Audit(audit::Action),
    /// Who may use the gateway, by name and password.
    #[command(subcommand)]
    User(user::Action),
    /// By which programs act at the console's API, each for one of its users.
    #[command(subcommand)]
    Token(token::Action),
}

#[derive(Debug, Subcommand)]
enum PinCommand {
    /// Fetch scripts as the gateway would, show what came and how, and pin them.
    Add(pin::add::AddOptions),
    /// Show the pins of all files, what was approved or learned at run time, and when each was asked for last.
    List(pin::list::ListOptions),
    /// Say of what was learned that it may be served, or drop it.
    Confirm(pin::confirm::ConfirmOptions),
    /// Print what was learned or approved at run time as blocks for pins.toml, to be reviewed.
    Export(pin::export::ExportOptions),
    /// Take pins, or one digest of them, out of the pins files, and say what is left for the URL.
    Remove(pin::remove::RemoveOptions),
    /// Fetch what is pinned as the gateway would, and say what differs by now.
    Verify(pin::verify::VerifyOptions),
    /// Never release a digest again, at any URL, from now on; and say who received it.
    Revoke(pin::revoke::RevokeOptions),
}

/// What a command found, once it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Nothing that needs attention.
    Nothing,
    /// Something: a failing check, a step that did not come out as told.
    Something,
    /// Nothing, as there was nothing to look at: exit code 3.
    Unknown,
}

impl Found {
    /// What the shell is told.
    fn code(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Something => 1,
            Self::Unknown => 3,
        }
    }
}

fn main() -> ExitCode {
    let CommandLine { config, json, remote, command } = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return misread(&error),
    };
    let terminal = Terminal::new(json);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(command.here_or_elsewhere((config, remote), &terminal));
            // What a second signal left unfinished must not hold up the end.
            runtime.shutdown_background();
            done
        }
        Err(error) => Err(Failure::could_not(format!("cannot start threads: {}", cause(&error)))),
    };
    match done {
        Ok(found) => ExitCode::from(found.code()),
        Err(failure) => {
            terminal.complain(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Help and version, which were asked for, or what is wrong with the command line, in the voice of all errors.
fn misread(error: &clap::Error) -> ExitCode {
    let terminal = Terminal::new(false);
    let text = error.render();
    if !error.use_stderr() {
        let text = if terminal.color { text.ansi().to_string() } else { text.to_string() };
        return match terminal.print(text.trim_end()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => ExitCode::from(failure.exit_code()),
        };
    }
    let text = if terminal.color_err { text.ansi().to_string() } else { text.to_string() };
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    terminal.note(&format!("{}{}", if is_help { "" } else { "pinfold: " }, text.trim_end()));
    ExitCode::from(2)
}

impl Command {
    async fn here_or_elsewhere(
        self,
        (config, remote): (Option<PathBuf>, RemoteOptions),
        terminal: &Terminal,
    ) -> Result<Found, Failure> {
        match remote.server()? {
            Some(server) => remote::run(&server, self, terminal).await,
            None => self.carry_out(config, terminal).await,
        }
    }

    /// As it is typed.
    fn name(&self) -> &'static str {
        match self {
            Self::Init { .. } => "init",
            Self::Run => "run",
            Self::Check { .. } => "check",
            Self::Demo(_) => "demo",
            Self::Pin(PinCommand::Add(_)) => "pin add",
            Self::Pin(PinCommand::List(_)) => "pin list",
            Self::Pin(PinCommand::Confirm(_)) => "pin confirm",
            Self::Pin(PinCommand::Export(_)) => "pin export",
            Self::Pin(PinCommand::Remove(_)) => "pin remove",
            Self::Pin(PinCommand::Verify(_)) => "pin verify",
            Self::Pin(PinCommand::Revoke(_)) => "pin revoke",
            Self::Quarantine(_) => "quarantine",
            Self::Exposure(_) => "exposure",
            Self::Replay(_) => "replay",
            Self::Audit(_) => "audit",
            Self::User(_) => "user",
            Self::Token(_) => "token",
        }
    }

    async fn carry_out(self, config: Option<PathBuf>, terminal: &Terminal) -> Result<Found, Failure> {
        if matches!(self, Self::Init { .. }) && config.is_some() {
            return Err(Failure::configuration("init takes a directory, and no --config")
                .hint("'pinfold init DIR' writes DIR/pinfold.toml"));
        }
        let configuration = Configuration::find(config);
        match self {
            Self::Init { dir } => init::run(&dir, terminal).map(|()| Found::Nothing),
            Self::Check { strict } => check::run(&configuration, strict, terminal).await,
            Self::Pin(PinCommand::Add(options)) => {
                pin::add::run(&configuration, options, terminal).await.map(|()| Found::Nothing)
            }
            Self::Pin(PinCommand::List(options)) => {
                pin::list::run(&configuration, options, terminal).await.map(|()| Found::Nothing)
            }
            Self::Pin(PinCommand::Confirm(options)) => {
                pin::confirm::run(&configuration, options, terminal).await
            }
            Self::Pin(PinCommand::Export(options)) => {
                pin::export::run(&configuration, options, terminal).await.map(|()| Found::Nothing)
            }
            Self::Pin(PinCommand::Remove(options)) => {
                pin::remove::run(&configuration, options, terminal).await.map(|()| Found::Nothing)
            }
            Self::Pin(PinCommand::Verify(options)) => {
                pin::verify::run(&configuration, options, terminal).await
            }
            Self::Audit(action) => audit::run(action, &configuration, terminal).await,
            Self::Pin(PinCommand::Revoke(options)) => {
                pin::revoke::run(&configuration, options, terminal).await
            }
            Self::Exposure(options) => exposure::run(&configuration, options, terminal).await,
            Self::Replay(options) => replay::run(&configuration, options, terminal).await,
            Self::Quarantine(action) => quarantine::run(action, &configuration, terminal).await,
            Self::User(action) => user::run(action, &configuration, terminal).map(|()| Found::Nothing),
            Self::Token(action) => token::run(action, &configuration, terminal).map(|()| Found::Nothing),
            Self::Run => run::run(&configuration, terminal).await.map(|()| Found::Nothing),
            Self::Demo(options) => {
                let as_told = demo::run(options, terminal).await?;
                Ok(if as_told { Found::Nothing } else { Found::Something })
            }
        }
    }
}
