//! `pinfold token`: by which programs act at the console's API, each for one of its users.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use jiff::{Span, ToSpan as _};
use pinfold_config::edit::{add_token, remove_token};
use pinfold_config::{Config, Loaded};
use pinfold_policy::token::{ApiToken, PREFIX, digest};
use pinfold_policy::user::{Role, Users, check_name};
use rustls::crypto::aws_lc_rs::default_provider;
use serde_json::{Value, json};

use crate::configuration::{Configuration, today};
use crate::failure::Failure;
use crate::listing::{Column, Listing};
use crate::printable::printable;
use crate::terminal::Terminal;
use crate::user::unwritten;

/// For so many days a token counts, if nothing else is said.
const DAYS: i32 = 90;
/// Further ahead than this is a slip.
const MOST_DAYS: i32 = 36_500;

/// What to do with the tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Make a token for a user of the console, and print it once: nothing keeps it.
    Add(AddOptions),
    /// Show the tokens: whose they are, what they may do, and until when.
    List,
    /// Take a token away. A running gateway refuses it from then on.
    Remove {
        /// What it is called.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// Which token to make.
#[derive(Debug, Args)]
pub(crate) struct AddOptions {
    /// Whose it is: who decides by it is this user, for review.approvers too.
    #[arg(value_name = "USER")]
    user: String,
    /// What it is called.
    #[arg(long, value_name = "NAME", value_parser = token_name)]
    name: String,
    /// The most that it may do, and no more than its user: viewer, reviewer or admin.
    #[arg(long, value_name = "ROLE", default_value = "viewer")]
    role: Role,
    /// The last day on which it counts, in UTC (2027-05-01), for how long (90d), or never.
    #[arg(long, value_name = "DAY", default_value = "90d")]
    expires: String,
}

fn token_name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned()).map_err(|error| format!("the name {error}"))
}

/// Carries out one action.
pub(crate) fn run(action: Action, configuration: &Configuration, terminal: &Terminal) -> Result<(), Failure> {
    let Loaded { config, .. } = configuration.load()?;
    match action {
        Action::Add(options) => add(&options, config, terminal),
        Action::List => list(config, terminal),
        Action::Remove { name } => remove(&name, config, terminal),
    }
}

fn add(options: &AddOptions, config: Config, terminal: &Terminal) -> Result<(), Failure> {
    let AddOptions { user, name, role, expires } = options;
    let (file, users) = users_of(config)?;
    let secret = format!("{PREFIX}{}", random_hex()?);
    let token = ApiToken {
        name: name.as_str().into(),
        user: user.as_str().into(),
        role: *role,
        sha256: digest(&secret),
        created: Some(today()),
        expires: last_day(expires, today())?,
    };
    may_have(users.as_ref(), &token)?;
    add_token(&file, &token).map_err(unwritten)?;
    if terminal.json {
        let mut shown = token_json(&token, users.as_ref());
        if let Value::Object(fields) = &mut shown {
            fields.insert("token".to_owned(), secret.into());
        }
        return terminal.print_json(&shown);
    }
    terminal.print(&secret)?;
    terminal.note(&format!(
        "this is the token {} of {}, role {role}, {}: it is not shown again\n\
         hint: a running gateway takes it on by itself; programs send it as 'Authorization: Bearer', and 'pinfold --server URL' \
         reads it from a file by --token-file",
        printable(name),
        printable(user),
        token.expires.map_or("for ever".to_owned(), |day| format!("until the end of {day}")),
    ));
    Ok(())
}

fn may_have(users: Option<&Users>, token: &ApiToken) -> Result<(), Failure> {
    if users.is_some_and(|users| users.tokens().iter().any(|other| other.name == token.name)) {
        return Err(Failure::configuration(format!("there is a token {} already", printable(&token.name)))
            .hint("choose another --name, or remove that one first"));
    }
    let user = users.and_then(|users| users.find(&token.user));
    let Some(user) = user else {
        return Err(Failure::configuration(format!(
            "no user of the console is called {}",
            printable(&token.user)
        ))
        .hint("'pinfold user list' shows them; 'pinfold user add NAME --role viewer' adds one"));
    };
    let may = user.roles.iter().max();
    match token.role {
        Role::Proxy => Err(Failure::configuration("a token opens the console's API, not the proxy")
            .hint("give --role viewer, reviewer or admin")),
        Role::Viewer | Role::Reviewer | Role::Admin if may.is_none_or(|may| *may < token.role) => {
            Err(Failure::configuration(format!(
                "{} may not do what the role {} may, so neither may a token of theirs",
                printable(&user.name),
                token.role
            ))
            .hint("give a lower --role, or give the user that role first"))
        }
        Role::Viewer | Role::Reviewer | Role::Admin => Ok(()),
    }
}

/// The last day on which it counts; none for ever, which must be said.
fn last_day(text: &str, today: Date) -> Result<Option<Date>, Failure> {
    if text == "never" {
        return Ok(None);
    }
    let days = text.strip_suffix('d').and_then(|days| days.parse::<i32>().ok());
    let in_days = |days: i32| -> Option<Date> {
        let span: Span = (0..=MOST_DAYS).contains(&days).then(|| days.days())?;
        today.checked_add(span).ok()
    };
    match days.map_or_else(|| text.parse::<Date>().ok(), in_days) {
        Some(day) if day >= today => Ok(Some(day)),
        Some(day) => Err(Failure::configuration(format!("--expires {day} has passed already"))
            .hint("name a day to come")),
        None => Err(Failure::configuration(format!("--expires is '{text}', which is no day")).hint(format!(
            "write the last day on which it counts, --expires 2027-05-01, a number of days, --expires {DAYS}d, or never"
        ))),
    }
}

/// 256 bits.
fn random_hex() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    let drawn = default_provider().secure_random.fill(&mut bytes);
    drawn.map_err(|_| Failure::could_not("the system gives no random bytes"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn list(config: Config, terminal: &Terminal) -> Result<(), Failure> {
    let (_, users) = users_of(config)?;
    let users = users.as_ref();
    let tokens = users.map(Users::tokens).unwrap_or_default();
    if terminal.json {
        return terminal.print_json(&tokens.iter().map(|token| token_json(token, users)).collect());
    }
    if tokens.is_empty() {
        terminal.note("no tokens\nhint: 'pinfold token add USER --name NAME' makes one");
        return Ok(());
    }
    let mut listing = Listing::new([
        Column::Text("NAME"),
        Column::Text("USER"),
        Column::Text("ROLE"),
        Column::Text("CREATED"),
        Column::Text("EXPIRES"),
        Column::Text("STATE"),
    ]);
    for token in tokens {
        let day = |day: Option<Date>, none: &str| day.map_or(none.to_owned(), |day| day.to_string());
        listing.row([
            token.name.to_string(),
            token.user.to_string(),
            token.role.to_string(),
            day(token.created, "-"),
            day(token.expires, "never"),
            state(token, users).to_owned(),
        ]);
    }
    terminal.print(&listing.render(terminal))
}

fn state(token: &ApiToken, users: Option<&Users>) -> &'static str {
    if !users.is_some_and(|users| token.is_backed(users)) {
        "not its user's any more"
    } else if !token.is_active(today()) {
        "ended"
    } else {
        "in use"
    }
}

fn token_json(token: &ApiToken, users: Option<&Users>) -> Value {
    json!({
        "name": &*token.name,
        "user": &*token.user,
        "role": token.role.as_str(),
        "created": token.created.map(|day| day.to_string()),
        "expires": token.expires.map(|day| day.to_string()),
        "state": state(token, users),
    })
}

fn remove(name: &str, config: Config, terminal: &Terminal) -> Result<(), Failure> {
    let (file, _) = users_of(config)?;
    if !remove_token(&file, name).map_err(unwritten)? {
        return Err(Failure::could_not(format!("there is no token {}", printable(name)))
            .hint("'pinfold token list' shows those that are there"));
    }
    if terminal.json {
        return terminal.print_json(&json!({ "name": name, "removed": true }));
    }
    terminal.print(&format!("removed {} from {}", printable(name), file.display()))?;
    terminal.note("hint: a running gateway takes that on by itself");
    Ok(())
}

fn users_of(config: Config) -> Result<(PathBuf, Option<Users>), Failure> {
    let file = config.console_users_file.ok_or_else(|| {
        Failure::configuration("the configuration names no file for the users of a console")
            .hint("in pinfold.toml, add a [console] section, and users with 'pinfold user add NAME --role reviewer'")
    })?;
    Ok((file, config.console_users))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_unless_it_is_said_that_it_never_does() {
        let today: Date = "2026-11-28".parse().unwrap();
        for (text, last) in [("90d", "2027-02-26"), ("0d", "2026-11-28"), ("2026-11-28", "2026-11-28")] {
            assert_eq!(last_day(text, today).unwrap(), Some(last.parse().unwrap()), "{text}");
        }
        assert_eq!(last_day("never", today).unwrap(), None);
        for wrong in ["", "2026-11-27", "-1d", "90", "Never", "99999999d", "d", "tomorrow"] {
            assert!(last_day(wrong, today).is_err(), "{wrong}");
        }
    }
}
