//! users.toml: who may use the gateway, and as what, and by which tokens. Nothing of a password is ever shown, not even its
//! hash.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use pinfold_policy::printable::printable;
use pinfold_policy::token::ApiToken;
use pinfold_policy::user::{Costs, PasswordHash, Role, User, Users, check_name};
use toml::Spanned;
use toml::de::DeTable;

use crate::diagnostic::quoted;
use crate::section::{Section, choose};
use crate::source::{Mistake, SourceFile, Unreadable};

/// What one users file says.
#[derive(Debug)]
pub(crate) struct UsersFile {
    pub(crate) source: SourceFile,
    /// None of nobody.
    pub(crate) users: Option<Users>,
}

const ADD: &str = "run 'pinfold user add NAME' to write one";

/// What a users file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Whoever uses the proxy must be in it: one in which nobody is would be an outage.
    Proxy,
    /// Whoever signs in at the console must be in it.
    Console,
}

/// Reads the file at `path`.
pub(crate) fn read(path: &Path, purpose: Purpose, today: Date) -> Result<UsersFile, Unreadable> {
    let source = SourceFile::read_named(path)?.secret();
    guard(&source, path);
    let Some(table) = crate::document::parse(&source) else {
        return Ok(UsersFile { source, users: None });
    };
    let users = entries(&source, &table, (purpose, today));
    drop(table);
    Ok(UsersFile { source, users })
}

/// Whoever can read the hashes can try passwords on a machine of their own, and whoever can write them is everybody.
fn guard(source: &SourceFile, path: &Path) {
    if let Some(mode) = source.mode().filter(|mode| mode & 0o077 != 0) {
        let mistake = Mistake::new(format!("others than its owner can get at it: its mode is {mode:04o}"));
        source.error(0..0, mistake.hint(format!("run 'chmod 600 {}'", path.display())));
    }
}

fn entries(
    source: &SourceFile,
    table: &Spanned<DeTable<'_>>,
    (purpose, today): (Purpose, Date),
) -> Option<Users> {
    let mut root = Section::root(source, table);
    let blocks = root.sections("user");
    let is_empty = blocks.is_empty() && root.place_of("user").is_none();
    let read: Vec<_> = blocks.into_iter().map(user).collect();
    let tokens: Vec<_> = root.sections("token").into_iter().filter_map(token).collect();
    root.finish();
    let complete = read.len();
    let users: Vec<_> = read.into_iter().flatten().collect();
    let has_all = users.len() == complete;
    warn_of_uneven_costs(source, &users);
    if purpose == Purpose::Proxy {
        warn_of_shared_passwords(source, &users);
    }
    refuse_repeats(source, &users);
    let users: Vec<_> = users.into_iter().map(|(_, user)| user).collect();
    match purpose {
        Purpose::Proxy if is_empty => {
            let mistake = Mistake::new("there is no user in it: nobody could use the proxy");
            source.error(0..0, mistake.hint(ADD));
        }
        Purpose::Proxy if has_all && !users.iter().any(|user| user.roles.contains(&Role::Proxy)) => {
            let mistake = Mistake::new("no user has the role \"proxy\": nobody could use the proxy");
            source.error(0..0, mistake.hint("add it to the roles of those who may"));
        }
        Purpose::Console if has_all && !users.iter().any(User::may_look) => {
            let mistake = Mistake::new("no user has the role viewer, reviewer or admin: nobody can sign in");
            source.warn(0..0, mistake.hint("run 'pinfold user add NAME --role reviewer'"));
        }
        Purpose::Proxy | Purpose::Console => {}
    }
    refuse_repeated_tokens(source, &tokens);
    let users = Users::new(users);
    // Of users with mistakes it is not known who is there.
    if has_all {
        warn_of_idle_tokens(source, &tokens, users.as_ref(), today);
    }
    Some(users?.with_tokens(tokens.into_iter().map(|(_, token)| token).collect()))
}

type Placed = (Range<usize>, User);

fn user(mut block: Section<'_>) -> Option<Placed> {
    let name = block.parse("name", |text| match check_name(text) {
        Ok(()) => Ok(text.into()),
        Err(error) => Err(Mistake::new(format!("name {} {error}", quoted(text)))),
    });
    let name: Option<Arc<str>> = block.required("name", name, "\"ada\"");
    let password = password(&mut block);
    let roles = block
        .parse_list("roles", |text| choose("a role", text, &Role::ALL.map(|role| (role.as_str(), role))));
    let roles = block.required("roles", roles, "[\"proxy\"]");
    if block.is_empty_list("roles") {
        let mistake = Mistake::new("roles is empty: the user could do nothing");
        let place = block.place_of("roles").unwrap_or_default();
        block.file().error(place, mistake.hint("write roles = [\"proxy\"], or remove the block"));
    }
    let place = block.place_of("name").unwrap_or(block.place());
    block.finish();
    let roles = roles?.into_iter().map(Spanned::into_inner).collect();
    Some((place, User { name: name?, password: password?, roles }))
}

type PlacedToken = (Range<usize>, ApiToken);

const ADD_TOKEN: &str = "run 'pinfold token add USER --name NAME' to write one";

fn token(mut block: Section<'_>) -> Option<PlacedToken> {
    let mut name = |key| {
        let read = block.parse(key, |text| match check_name(text) {
            Ok(()) => Ok(text.into()),
            Err(error) => Err(Mistake::new(format!("{key} {} {error}", quoted(text)))),
        });
        block.required(key, read, "\"ada\"")
    };
    let (user, name): (Option<Arc<str>>, Option<Arc<str>>) = (name("user"), name("name"));
    let roles = [Role::Viewer, Role::Reviewer, Role::Admin].map(|role| (role.as_str(), role));
    let role = block.choice("role", &roles);
    let role = block.required("role", role, "\"viewer\"");
    let sha256 = sha256(&mut block);
    let created = block.date("created");
    // One that nobody has thought about must not open the console for ever.
    let expires = expires(&mut block);
    let expires = block.required("expires", expires, "2027-02-26, or \"never\"");
    let place = block.place_of("name").unwrap_or(block.place());
    block.finish();
    let token =
        ApiToken { name: name?, user: user?, role: role?, sha256: sha256?, created, expires: expires? };
    Some((place, token))
}

fn expires(block: &mut Section<'_>) -> Option<Option<Date>> {
    if block.place_of("expires").is_none() || block.is_of_another_type("expires") {
        return block.date("expires").map(Some);
    }
    block.parse("expires", |text| match text {
        "never" => Ok(None),
        other => Err(Mistake::new(format!("expires is {}, expected a date, or \"never\"", quoted(other)))),
    })
}

/// A secret that somebody wrote in place of its digest must not be repeated on a screen or in a log.
fn sha256(block: &mut Section<'_>) -> Option<[u8; 32]> {
    if block.is_of_another_type("sha256") {
        let place = block.place_of("sha256").unwrap_or_default();
        block.file().error(place, Mistake::new("sha256 is no string").hint(ADD_TOKEN));
        return None;
    }
    let read = block.parse("sha256", |text| {
        hex(text).ok_or_else(|| Mistake::new("sha256 is not 64 hex digits").hint(ADD_TOKEN))
    });
    block.required("sha256", read, "\"…\", as 'pinfold token add USER --name NAME' writes it")
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    }
    Some(bytes)
}

fn refuse_repeated_tokens(source: &SourceFile, tokens: &[PlacedToken]) {
    let mut names: HashMap<&str, u32> = HashMap::new();
    let mut digests: HashMap<[u8; 32], &str> = HashMap::new();
    for (place, token) in tokens {
        let line = source.position(place.start).line;
        let before = *names.entry(&token.name).or_insert(line);
        if before != line {
            let message = format!("{} is a token already, in line {before}", quoted(&token.name));
            source.error(place.clone(), Mistake::new(message));
        }
        if let Some(other) = digests.insert(token.sha256, &token.name).filter(|other| **other != *token.name)
        {
            let message = format!("{} has the secret of {}", quoted(&token.name), quoted(other));
            source.error(place.clone(), Mistake::new(message).hint(ADD_TOKEN));
        }
    }
}

/// Tokens that open nothing. An error would keep a file from being taken on that takes a user away.
fn warn_of_idle_tokens(source: &SourceFile, tokens: &[PlacedToken], users: Option<&Users>, today: Date) {
    for (place, token) in tokens {
        let user = users.and_then(|users| users.find(&token.user));
        let why = match user {
            None => format!("there is no user {}", quoted(&token.user)),
            Some(_) if !users.is_some_and(|users| token.is_backed(users)) => {
                format!("{} may not do what the role {} may", quoted(&token.user), token.role)
            }
            Some(_) if !token.is_active(today) => "its last day has passed".to_owned(),
            Some(_) => continue,
        };
        let message = format!("the token {} opens nothing: {why}", quoted(&token.name));
        let hint = format!("run 'pinfold token remove {}'", printable(&token.name));
        source.warn(place.clone(), Mistake::new(message).hint(hint));
    }
}

/// A password that somebody wrote in clear must not be repeated on a screen or in a log.
fn password(block: &mut Section<'_>) -> Option<PasswordHash> {
    let value = block.value("password");
    if block.is_of_another_type("password") {
        let place = block.place_of("password").unwrap_or_default();
        block.file().error(place, Mistake::new("password is no string").hint(ADD));
        return None;
    }
    let text = value.and_then(|value| value.text());
    let text =
        block.required("password", text, "\"$argon2id$v=19$…\", as 'pinfold user add NAME' writes it")?;
    let place = block.place_of("password").unwrap_or_default();
    match text.parse::<PasswordHash>() {
        Ok(hash) => {
            if hash.costs().are_weak() {
                let mistake = Mistake::new("password is hashed with less than 7 MiB of memory");
                block.file().warn(place, mistake.hint(ADD));
            }
            Some(hash)
        }
        Err(error) => {
            block.file().error(place, Mistake::new(format!("password {error}")).hint(ADD));
            None
        }
    }
}

/// At the proxy a client may try as fast as passwords are checked; at the console each wrong one makes the next wait.
fn warn_of_shared_passwords(source: &SourceFile, users: &[Placed]) {
    for (place, user) in
        users.iter().filter(|(_, user)| user.roles.contains(&Role::Proxy) && user.may_decide())
    {
        let message = format!(
            "{} decides by the password that their browser sends to the proxy, where it can be tried without a wait",
            quoted(&user.name)
        );
        let hint = "give who reviews another name for that, in a file of its own: console.users";
        source.warn(place.clone(), Mistake::new(message).hint(hint));
    }
}

fn refuse_repeats(source: &SourceFile, users: &[Placed]) {
    let mut first: HashMap<&str, u32> = HashMap::new();
    for (place, user) in users {
        let line = source.position(place.start).line;
        let before = *first.entry(&user.name).or_insert(line);
        if before != line {
            let message = format!("{} is a user already, in line {before}", quoted(&user.name));
            source.error(place.clone(), Mistake::new(message));
        }
    }
}

/// An unknown name costs what the first user's password costs: where another's costs differ, the time tells who exists.
fn warn_of_uneven_costs(source: &SourceFile, users: &[Placed]) {
    let costs = |user: &User| -> Costs { user.password.costs() };
    let Some((_, first)) = users.first() else { return };
    if let Some((place, _)) = users.iter().find(|(_, user)| costs(user) != costs(first)) {
        let mistake = Mistake::new("password is hashed at other costs than the first user's");
        let hint = "the time of a refusal then tells who exists: hash all of them with 'pinfold user add'";
        source.warn(place.clone(), mistake.hint(hint));
    }
}
