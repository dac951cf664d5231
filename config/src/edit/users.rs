//! Writing users into users.toml, and tokens of theirs; and taking tokens out.

use std::ops::Range;
use std::path::Path;

use pinfold_policy::token::ApiToken;
use pinfold_policy::user::{PasswordHash, Role};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::remove::{lines_of_table, say_the_same};
use super::splice::{Splices, appended, spliced, string};
use super::write::{self, Access};
use super::{EditError, invalid, parsed_file};
use crate::source::SourceFile;
use crate::template;

/// A user to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// The name.
    pub name: String,
    /// What the password is checked against.
    pub password: PasswordHash,
    /// What the user may do. None keeps what a user who is there may do, and makes a new one a user of the proxy.
    pub roles: Option<Vec<Role>>,
}

/// What became of a [`NewUser`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// A new block at the end.
    Added,
    /// The block of that name has the new password, and the new roles if there were some.
    Changed,
}

/// Writes a user into the file at `path`, and makes the file where there is none. A user of that name gets the new
/// password. The file is replaced in one step, and is its owner's alone afterwards.
///
/// # Errors
/// [`EditError`]; the file is then unchanged.
pub fn set_user(path: &Path, user: &NewUser) -> Result<UserChange, EditError> {
    let failed = |cause| EditError::Write { file: path.to_owned(), cause };
    let target = write::target(path).map_err(failed)?;
    let _locked = write::lock_directory(&target).map_err(failed)?;
    let text = match SourceFile::read(path) {
        Ok(file) => file.text().to_owned(),
        Err(unreadable) if unreadable.is_missing() => template::USERS_TOML.to_owned(),
        Err(unreadable) => return Err(invalid(unreadable, path).into()),
    };
    let (edited, change) = match splices(path, &text, user)? {
        Some(splices) => (spliced(&text, splices), UserChange::Changed),
        None => (appended(&text, &block(user)), UserChange::Added),
    };
    check(path, &edited, user)?;
    write::replace(&target, edited.as_bytes(), Access::Private).map_err(failed)?;
    Ok(change)
}

/// What changes in the block of a user who is there.
fn splices(path: &Path, text: &str, user: &NewUser) -> Result<Option<Splices>, EditError> {
    parsed_file(secret(path, text), |_, table| {
        let Some(block) = block_of(table, &user.name) else { return Ok(None) };
        let place = |key| block.get(key).map(toml::Spanned::span);
        let Some(password) = place("password") else {
            return Err(form(path, format!("the block of '{}' has no password", user.name)));
        };
        let mut splices = vec![(password, string(&user.password.to_text()))];
        if let Some(roles) = &user.roles {
            let Some(place) = place("roles") else {
                return Err(form(path, format!("the block of '{}' has no roles", user.name)));
            };
            splices.push((place, list(roles)));
        }
        Ok(Some(splices))
    })?
}

/// Whether the edited text says what it was to say.
fn check(path: &Path, edited: &str, user: &NewUser) -> Result<(), EditError> {
    let expected = user.password.to_text();
    let found = parsed_file(secret(path, edited), |_, table| {
        block_of(table, &user.name)?.get("password")?.get_ref().as_str().map(str::to_owned)
    });
    match found {
        Ok(Some(found)) if found == expected => Ok(()),
        Ok(_) => Err(form(path, "it would not be found there".to_owned())),
        Err(broken) => Err(form(path, causes(&broken))),
    }
}

/// Writes a token at the end of the file at `path`, which must be there: somebody is in it whose token it is. The file is
/// replaced in one step, and is its owner's alone afterwards.
///
/// # Errors
/// [`EditError`]; the file is then unchanged.
pub fn add_token(path: &Path, token: &ApiToken) -> Result<(), EditError> {
    edit(path, |text| {
        let is_there =
            parsed_file(secret(path, text), |_, table| tokens(table, &token.name).next().is_some())?;
        if is_there {
            return Err(token_form(path, format!("'{}' is there already", token.name)));
        }
        let edited = appended(text, &token_block(token));
        let found = parsed_file(secret(path, &edited), |_, table| tokens(table, &token.name).count());
        match found {
            Ok(1) => Ok(edited),
            Ok(_) => Err(token_form(path, "it would not be found there".to_owned())),
            Err(broken) => Err(token_form(path, causes(&broken))),
        }
    })
}

/// Takes the token of this name out of the file at `path`. False where there is none.
///
/// # Errors
/// [`EditError`]; the file is then unchanged.
pub fn remove_token(path: &Path, name: &str) -> Result<bool, EditError> {
    let mut was_there = false;
    edit(path, |text| {
        let blocks = parsed_file(secret(path, text), |_, table| {
            let place = |(place, block): (Range<usize>, &DeTable<'_>)| {
                let is_block = text.get(place.start..).is_some_and(|from| from.starts_with("[["));
                is_block.then(|| lines_of_table(text, &place, block))
            };
            tokens(table, name).map(place).collect::<Option<Vec<_>>>()
        })?;
        let Some(blocks) = blocks else {
            return Err(token_form(path, "it is not written as a [[token]] block".to_owned()));
        };
        was_there = !blocks.is_empty();
        let edited = spliced(text, blocks.into_iter().map(|lines| (lines, String::new())).collect());
        // All else is as it was: a comment between two blocks must not have taken a user along.
        let others = |text: &str| -> Option<toml::Table> {
            let mut all: toml::Table = text.parse().ok()?;
            if let Some(tokens) = all.get_mut("token").and_then(toml::Value::as_array_mut) {
                tokens.retain(|token| token.get("name").and_then(toml::Value::as_str) != Some(name));
                if tokens.is_empty() {
                    all.remove("token");
                }
            }
            Some(all)
        };
        match others(text).zip(edited.parse().ok()) {
            Some((left, found)) if say_the_same(&left, &found) => Ok(edited),
            Some(_) | None => Err(token_form(path, "something else would have gone with it".to_owned())),
        }
    })?;
    Ok(was_there)
}

/// Replaces a file that is there by what `edited` makes of it.
fn edit(path: &Path, edited: impl FnOnce(&str) -> Result<String, EditError>) -> Result<(), EditError> {
    let failed = |cause| EditError::Write { file: path.to_owned(), cause };
    let target = write::target(path).map_err(failed)?;
    let _locked = write::lock_directory(&target).map_err(failed)?;
    let file = SourceFile::read(path).map_err(|unreadable| invalid(unreadable, path))?;
    let new = edited(file.text())?;
    if new != file.text() {
        write::replace(&target, new.as_bytes(), Access::Private).map_err(failed)?;
    }
    Ok(())
}

fn causes(broken: &crate::diagnostic::Diagnostics) -> String {
    let causes: Vec<_> = broken.errors().map(|error| error.message.as_str()).collect();
    causes.join("; ")
}

fn token_form(path: &Path, cause: String) -> EditError {
    EditError::Form { file: path.to_owned(), block: "[[token]]", cause }
}

fn tokens<'t>(table: &'t DeTable<'t>, name: &str) -> impl Iterator<Item = (Range<usize>, &'t DeTable<'t>)> {
    let blocks = table.get("token").and_then(|item| item.get_ref().as_array());
    let tables = blocks.into_iter().flat_map(|blocks| blocks.iter());
    let tables =
        tables.filter_map(|item: &Spanned<DeValue<'t>>| Some((item.span(), item.get_ref().as_table()?)));
    tables.filter(move |(_, table)| table.get("name").and_then(|item| item.get_ref().as_str()) == Some(name))
}

fn token_block(token: &ApiToken) -> String {
    let hex: String = token.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let created = token.created.map(|day| format!("created = {day}\n")).unwrap_or_default();
    let expires = token.expires.map_or_else(|| string("never"), |day| day.to_string());
    format!(
        "[[token]]\nuser    = {}\nname    = {}\nrole    = {}\nsha256  = {}\n{created}expires = {expires}\n",
        string(&token.user),
        string(&token.name),
        string(token.role.as_str()),
        string(&hex),
    )
}

fn secret(path: &Path, text: &str) -> SourceFile {
    SourceFile::new(&path.display().to_string(), text).secret()
}

fn form(path: &Path, cause: String) -> EditError {
    EditError::Form { file: path.to_owned(), block: "[[user]]", cause }
}

fn block_of<'t>(table: &'t DeTable<'t>, name: &str) -> Option<&'t DeTable<'t>> {
    let blocks = table.get("user")?.get_ref().as_array()?;
    let tables = blocks.iter().filter_map(|item| match item.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    });
    let mut tables = tables;
    tables.find(|table| table.get("name").and_then(|item| item.get_ref().as_str()) == Some(name))
}

fn block(user: &NewUser) -> String {
    let roles = user.roles.clone().unwrap_or_else(|| vec![Role::Proxy]);
    format!(
        "[[user]]\nname     = {}\npassword = {}\nroles    = {}\n",
        string(&user.name),
        string(&user.password.to_text()),
        list(&roles)
    )
}

fn list(roles: &[Role]) -> String {
    let words: Vec<_> = roles.iter().map(|role| string(role.as_str())).collect();
    format!("[{}]", words.join(", "))
}
