//! Writing a user into users.toml.

use std::path::Path;

use pinfold_policy::user::{PasswordHash, Role};
use toml::de::{DeTable, DeValue};

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
        Err(broken) => {
            let causes: Vec<_> = broken.errors().map(|error| error.message.as_str()).collect();
            Err(form(path, causes.join("; ")))
        }
    }
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
