//! `pinfold user`: who may use the gateway, where an address is not enough.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pinfold_config::edit::{EditError, NewUser, UserChange, set_user};
use pinfold_config::{Config, Loaded};
use pinfold_policy::user::{PasswordHash, Role, User, Users, check_name};
use rustls::crypto::aws_lc_rs::default_provider;
use serde_json::{Value, json};

use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::listing::{Column, Listing};
use crate::printable::printable;
use crate::terminal::Terminal;

/// The longest password, in bytes: with a name it must fit into what the gateway takes as a credential.
const LONGEST: usize = 512;
/// A shorter one, in characters, is warned of (NIST SP 800-63B §3.1.1.2).
const SHORT: usize = 8;

/// What to do with the users.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Ask for a password, or read it as one line of standard input, and write the user; one who is there gets the new.
    Add(AddOptions),
    /// Show the users and what they may do.
    List,
}

/// Whom to add.
#[derive(Debug, Args)]
pub(crate) struct AddOptions {
    /// What the user signs in with.
    #[arg(value_name = "NAME", value_parser = user_name)]
    name: String,
    /// What they may do: proxy, viewer, reviewer or admin; may be given several times [default: proxy, or as before].
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
}

fn user_name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned()).map_err(|error| format!("the name {error}"))
}

/// Carries out one action.
pub(crate) fn run(action: Action, configuration: &Configuration, terminal: &Terminal) -> Result<(), Failure> {
    match action {
        Action::Add(options) => add(options, configuration, terminal),
        Action::List => list(configuration, terminal),
    }
}

fn add(options: AddOptions, configuration: &Configuration, terminal: &Terminal) -> Result<(), Failure> {
    // A mistake in the users file must not keep anyone from mending it.
    let Loaded { config, .. } = configuration.load_without_pins()?;
    let AddOptions { name, mut roles } = options;
    let file = file_for(&roles, config).ok_or_else(no_users_file)?;
    roles.dedup();
    let password = terminal.password(&printable(&name))?;
    check_password(&password, terminal)?;
    let new = NewUser {
        password: PasswordHash::of(&password, &salt()?).map_err(|error| {
            Failure::could_not(format!("the password {error}")).hint("free memory and try again")
        })?,
        name,
        roles: (!roles.is_empty()).then_some(roles),
    };
    let change = set_user(&file, &new).map_err(unwritten)?;
    tell(&new, change, &file, terminal)
}

/// Whoever is to sign in at the console is written where it looks.
fn file_for(roles: &[Role], config: Config) -> Option<PathBuf> {
    let of_proxy = |role: &Role| match role {
        Role::Proxy => true,
        Role::Viewer | Role::Reviewer | Role::Admin => false,
    };
    match roles.iter().all(of_proxy) {
        true => config.users_file.or(config.console_users_file),
        false => config.console_users_file,
    }
}

fn no_users_file() -> Failure {
    Failure::configuration("the configuration names no users file").hint(
        "in pinfold.toml, add users = \"reviewers.toml\" to [console] for those who sign in there, or users = \"users.toml\" \
         to [clients]; everybody then needs a password",
    )
}

fn check_password(password: &str, terminal: &Terminal) -> Result<(), Failure> {
    let fault = if password.is_empty() {
        "the password is empty"
    } else if password.len() > LONGEST {
        "the password is longer than 512 bytes"
    } else if password.chars().any(char::is_control) {
        "the password holds a control character, which no client could send"
    } else {
        if password.chars().count() < SHORT {
            terminal.warn("the password is shorter than 8 characters", "a longer one is harder to guess");
        }
        return Ok(());
    };
    Err(Failure::configuration(fault).hint("nothing was written: choose another"))
}

/// For a new hash.
pub(crate) fn salt() -> Result<[u8; 16], Failure> {
    let mut salt = [0; 16];
    let drawn = default_provider().secure_random.fill(&mut salt);
    drawn.map(|()| salt).map_err(|_| Failure::could_not("the system gives no random bytes"))
}

pub(crate) fn unwritten(error: EditError) -> Failure {
    match error {
        EditError::Invalid(found) => found.into(),
        EditError::Kind { .. } | EditError::Form { .. } | EditError::Stuck { .. } => {
            Failure::configuration(error.to_string()).hint("correct the file, and run this again")
        }
        EditError::Write { .. } => Failure::could_not(error.to_string())
            .hint("run as the user who owns the file, on a volume that is mounted writable"),
    }
}

fn tell(new: &NewUser, change: UserChange, file: &Path, terminal: &Terminal) -> Result<(), Failure> {
    if terminal.json {
        return terminal.print_json(&json!({
            "user": new.name,
            "file": file,
            "added": change == UserChange::Added,
        }));
    }
    let done = match change {
        UserChange::Added => "added",
        UserChange::Changed => "changed",
    };
    terminal.print(&format!("{done} {} in {}", printable(&new.name), file.display()))?;
    terminal.note("hint: a running gateway takes it on by itself");
    Ok(())
}

fn list(configuration: &Configuration, terminal: &Terminal) -> Result<(), Failure> {
    let Loaded { config, .. } = configuration.load()?;
    let of_proxy = config.users_file.as_deref().map(|file| (file, &config.users));
    let of_console = config.console_users_file.as_deref().map(|file| (file, &config.console_users));
    let of_console = of_console.filter(|(file, _)| Some(*file) != config.users_file.as_deref());
    if of_proxy.or(of_console).is_none() {
        return Err(no_users_file());
    }
    let in_files = of_proxy.into_iter().chain(of_console);
    let users =
        in_files.flat_map(|(file, users)| users.iter().flat_map(Users::all).map(move |user| (user, file)));
    if terminal.json {
        return terminal.print_json(&users.map(|(user, file)| user_json(user, file)).collect());
    }
    let mut listing = Listing::new([Column::Text("NAME"), Column::Text("ROLES")]);
    for (user, _) in users {
        listing.row([user.name.to_string(), words(user).join(", ")]);
    }
    terminal.print(&listing.render(terminal))
}

fn words(user: &User) -> Vec<&'static str> {
    user.roles.iter().map(|role| role.as_str()).collect()
}

fn user_json(user: &User, file: &Path) -> Value {
    json!({ "name": &*user.name, "roles": words(user), "file": file })
}
