//! users.toml: each mistake named where it stands, nothing of it shown, and edits that leave the rest alone.

#![expect(clippy::unwrap_used, reason = "a test's own functions may fail like the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use jiff::civil::{Date, date};
use pinfold_config::diagnostic::Diagnostics;
use pinfold_config::edit::{NewUser, UserChange, add_token, remove_token, set_user};
use pinfold_config::{Loaded, load};
use pinfold_policy::token::{ApiToken, digest};
use pinfold_policy::user::{PasswordHash, Role};

const TODAY: Date = date(2026, 11, 23);
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xaW9jW1nqBjBzztRIhRyK5oGq6/azN5UkLyxA9sPeBo";

/// A directory whose pinfold.toml names a users.toml, which is this text.
struct Files(tempfile::TempDir);

impl Files {
    fn new(users: &str) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        fs::write(files.0.path().join("pinfold.toml"), "[clients]\nusers = \"users.toml\"\n").unwrap();
        fs::write(files.path(), users).unwrap();
        files.chmod(0o600);
        files
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("users.toml")
    }

    fn chmod(&self, mode: u32) {
        fs::set_permissions(self.path(), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Result<Loaded, Diagnostics> {
        load(&self.0.path().join("pinfold.toml"), TODAY)
    }

    /// Every finding: `severity:line:column: message | hint`; and that nothing of the file is shown with them.
    fn found(&self) -> Vec<String> {
        let found: Vec<_> = match self.load() {
            Ok(loaded) => loaded.warnings,
            Err(found) => found.iter().cloned().collect(),
        };
        let dir = format!("{}/", self.0.path().display());
        let line = |found: &pinfold_config::diagnostic::Diagnostic| {
            let shown = found.render(false);
            assert!(!shown.contains("MDEyMzQ1") && !shown.contains("hunter2"), "{shown}");
            let at = found.at.map(|at| format!("{}:{}", at.line, at.column)).unwrap_or_default();
            let hint = found.hint.as_deref().map(|hint| format!(" | {hint}")).unwrap_or_default();
            format!("{}:{at}: {}{hint}", found.severity.as_str(), found.message).replace(&dir, "")
        };
        found.iter().map(line).collect()
    }
}

fn user(name: &str, password: &str, roles: &str) -> String {
    format!("[[user]]\nname = \"{name}\"\npassword = \"{password}\"\nroles = {roles}\n")
}

#[test]
fn users_are_read() {
    let files = Files::new(&user("ada", HASH, "[\"proxy\", \"viewer\"]"));
    let config = files.load().unwrap().config;
    assert_eq!(config.users_file, Some(files.path()));
    assert!(config.users.is_some());
    assert_eq!(files.found(), Vec::<String>::new());
}

#[test]
fn a_password_in_clear_without_quotes_is_shown_by_no_mistake_about_numbers() {
    for password in ["99999999999999999999", "202_6-11-23", "1e999"] {
        let files =
            Files::new(&format!("[[user]]\nname = \"ada\"\npassword = {password}\nroles = [\"proxy\"]\n"));
        assert_eq!(files.found(), ["error:3:12: this is no number that TOML knows"]);
        let ada = NewUser { name: "ada".into(), password: HASH.parse().unwrap(), roles: None };
        for refused in
            [set_user(&files.path(), &ada).unwrap_err(), remove_token(&files.path(), "x").unwrap_err()]
        {
            assert!(!refused.to_string().contains(password), "{refused}");
        }
    }
}

const SHARED: &str = "\"ada\" decides by the password that their browser sends to the proxy, where it can be tried without a wait | give who reviews another name for that, in a file of its own: console.users";

#[test]
fn who_decides_by_the_password_for_the_proxy_is_warned_of() {
    for role in ["reviewer", "admin"] {
        let files = Files::new(&user("ada", HASH, &format!("[\"proxy\", \"{role}\"]")));
        assert_eq!(files.found(), [format!("warning:2:8: {SHARED}")]);
    }
}

#[test]
fn a_users_file_that_is_named_must_be_there_and_hold_somebody_who_may_use_the_proxy() {
    let files = Files::new("");
    assert_eq!(
        files.found(),
        [
            "error:1:1: there is no user in it: nobody could use the proxy | run 'pinfold user add NAME' to write one"
        ]
    );
    fs::write(files.path(), user("ada", HASH, "[\"viewer\"]")).unwrap();
    assert_eq!(
        files.found(),
        [
            "error:1:1: no user has the role \"proxy\": nobody could use the proxy | add it to the roles of those who may"
        ]
    );
    fs::remove_file(files.path()).unwrap();
    assert_eq!(
        files.found(),
        [
            "error:2:9: users.toml cannot be read: no such file or directory | run 'pinfold user add NAME' to write it"
        ]
    );
}

#[test]
fn who_may_sign_in_at_the_console_stands_in_a_file_of_its_own_and_the_proxy_asks_nobody() {
    let files = Files::new(&user("ada", HASH, "[\"reviewer\"]"));
    let toml = files.0.path().join("pinfold.toml");
    fs::write(&toml, "[console]\nlisten = \"127.0.0.1:8081\"\nusers = \"users.toml\"\n").unwrap();
    let config = files.load().unwrap().config;
    assert!(config.users.is_none() && config.users_file.is_none());
    assert_eq!(config.console_users_file, Some(files.path()));
    assert!(config.console_users.unwrap().find("ada").is_some());

    // Nobody in it is no outage: whoever adds the first signs in then.
    for nobody in [String::new(), user("ada", HASH, "[\"proxy\"]")] {
        fs::write(files.path(), nobody).unwrap();
        let found = files.found().join("");
        assert!(found.starts_with("warning:1:1: no user has the role viewer, reviewer or admin"), "{found}");
    }
    fs::remove_file(files.path()).unwrap();
    let found = files.found().join("");
    assert!(found.starts_with("warning:3:9: users.toml is not there: nobody can sign in"), "{found}");
    assert!(files.load().unwrap().config.console_users.is_none());

    // One that nobody named is looked for, and not missed.
    fs::write(&toml, "[console]\nlisten = \"127.0.0.1:8081\"\n").unwrap();
    assert_eq!(files.found(), Vec::<String>::new());
    let config = files.load().unwrap().config;
    assert_eq!(config.console_users_file, Some(files.0.path().join("reviewers.toml")));
    fs::write(&toml, "").unwrap();
    assert_eq!(files.load().unwrap().config.console_users_file, None);
}

#[test]
fn the_users_of_the_proxy_may_sign_in_too_where_the_console_has_none_of_its_own() {
    let files = Files::new(&user("ada", HASH, "[\"proxy\", \"reviewer\"]"));
    let config = files.load().unwrap().config;
    assert!(config.console_users.unwrap().find("ada").is_some());
    assert_eq!(config.console_users_file, Some(files.path()));
}

#[test]
fn a_users_file_that_others_can_read_or_write_is_refused() {
    let files = Files::new(&user("ada", HASH, "[\"proxy\"]"));
    for mode in [0o640, 0o604, 0o620] {
        files.chmod(mode);
        let found = files.found();
        assert_eq!(found.len(), 1);
        assert!(
            found.iter().any(|line| line.contains(&format!("its mode is {mode:04o} | run 'chmod 600 "))),
            "{found:?}"
        );
    }
}

#[test]
fn every_mistake_is_reported_and_no_password_is_shown() {
    const ADD: &str = "run 'pinfold user add NAME' to write one";
    let argon2i = HASH.replace("argon2id", "argon2i");
    let cheap = HASH.replace("m=19456", "m=64");
    let absurd = HASH.replace("t=2", "t=4000000000");
    let proxy = "[\"proxy\"]";
    for (text, expected) in [
        (user("ada", "hunter2", proxy), format!("error:3:12: password is no PHC string of argon2id | {ADD}")),
        ("[[user]]\nname = \"ada\"\npassword = 12345\nroles = [\"proxy\"]\n".to_owned(), format!("error:3:12: password is no string | {ADD}")),
        (user("ada", &argon2i, proxy), format!("error:3:12: password is hashed with argon2i, expected argon2id | {ADD}")),
        (
            user("ada", &absurd, proxy),
            format!("error:3:12: password costs too much: m=19456,t=4000000000,p=1, at most m=262144,t=16,p=16 | {ADD}"),
        ),
        (user("ada", &cheap, proxy), format!("warning:3:12: password is hashed with less than 7 MiB of memory | {ADD}")),
        (user("a:b", HASH, proxy), "error:2:8: name \"a:b\" holds a colon, which no client could send".to_owned()),
        (
            user("ada", HASH, "[\"prox\", \"proxy\"]"),
            "error:4:10: a role is \"prox\", expected \"proxy\", \"viewer\", \"reviewer\" or \"admin\" | did you mean \"proxy\"?".to_owned(),
        ),
        (
            user("ada", HASH, proxy) + &user("eve", HASH, "[]"),
            "error:8:9: roles is empty: the user could do nothing | write roles = [\"proxy\"], or remove the block".to_owned(),
        ),
        (
            user("ada", HASH, proxy) + &user("ada", HASH, proxy),
            "error:6:8: \"ada\" is a user already, in line 2".to_owned(),
        ),
        ("[[user]]\nname = \"ada\"\nroles = [\"proxy\"]\n".to_owned(), "error:1:1: [[user]] has no password | add password = \"$argon2id$v=19$…\", as 'pinfold user add NAME' writes it".to_owned()),
        (
            user("ada", HASH, proxy) + "pasword = \"hunter2\"\n",
            "error:5:1: unknown key \"pasword\" in [[user]] | did you mean 'password'?".to_owned(),
        ),
    ] {
        assert_eq!(Files::new(&text).found(), [expected], "{text}");
    }
    let broken = Files::new("[[user]]\npassword = \"hunter2\n");
    assert!(broken.found().iter().all(|line| line.starts_with("error:2:")), "{:?}", broken.found());
    let uneven = Files::new(&(user("ada", HASH, proxy) + &user("bob", &HASH.replace("t=2", "t=3"), proxy)));
    assert_eq!(uneven.found().len(), 1);
    assert!(
        uneven.found().iter().any(|line| line.starts_with("warning:6:8: password is hashed at other costs"))
    );
}

#[test]
fn a_user_is_added_to_what_is_there_and_the_file_becomes_private() {
    let written =
        "# staff\n[[user]] # the first\nname = 'ada'\npassword = \"old\" # soon\nroles = [ \"viewer\" ]\n";
    let files = Files::new(written);
    files.chmod(0o644);
    let hash: PasswordHash = HASH.parse().unwrap();
    let ada = NewUser { name: "ada".into(), password: hash.clone(), roles: None };

    assert_eq!(set_user(&files.path(), &ada).unwrap(), UserChange::Changed);
    let changed = written.replace("\"old\"", &format!("\"{HASH}\""));
    assert_eq!(fs::read_to_string(files.path()).unwrap(), changed);
    assert_eq!(fs::metadata(files.path()).unwrap().permissions().mode() & 0o777, 0o600);

    let roles = Some(vec![Role::Proxy, Role::Admin]);
    assert_eq!(set_user(&files.path(), &NewUser { roles, ..ada.clone() }).unwrap(), UserChange::Changed);
    let changed = changed.replace("[ \"viewer\" ]", "[\"proxy\", \"admin\"]");
    assert_eq!(fs::read_to_string(files.path()).unwrap(), changed);

    let eve = NewUser { name: "eve \"x\"".into(), ..ada };
    assert_eq!(set_user(&files.path(), &eve).unwrap(), UserChange::Added);
    let block =
        format!("\n[[user]]\nname     = \"eve \\\"x\\\"\"\npassword = \"{HASH}\"\nroles    = [\"proxy\"]\n");
    assert_eq!(fs::read_to_string(files.path()).unwrap(), changed + &block);
    assert_eq!(files.found(), [format!("warning:3:8: {SHARED}")]);
}

#[test]
fn a_users_file_that_is_not_there_is_made_for_its_owner_alone() {
    let files = Files::new("");
    fs::remove_file(files.path()).unwrap();
    let ada = NewUser { name: "ada".into(), password: HASH.parse().unwrap(), roles: None };
    assert_eq!(set_user(&files.path(), &ada).unwrap(), UserChange::Added);
    assert_eq!(fs::metadata(files.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(files.found(), Vec::<String>::new());
}

#[test]
fn a_broken_users_file_is_not_written_to() {
    let files = Files::new("[[user]\npassword = \"hunter2\"\n");
    let ada = NewUser { name: "ada".into(), password: HASH.parse().unwrap(), roles: None };
    let error = set_user(&files.path(), &ada).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert_eq!(fs::read_to_string(files.path()).unwrap(), "[[user]\npassword = \"hunter2\"\n");
}

fn token(name: &str, expires: Option<Date>) -> ApiToken {
    ApiToken {
        name: name.into(),
        user: "ada".into(),
        role: Role::Viewer,
        sha256: digest(name),
        created: Some(TODAY),
        expires,
    }
}

#[test]
fn a_token_is_written_and_taken_out_and_all_else_stays_as_it_was() {
    let written = format!("# mine\n{}# of the audit\n\n", user("ada", HASH, "[ \"viewer\" ]"));
    let files = Files::new(&written);
    fs::write(files.0.path().join("pinfold.toml"), "[console]\nusers = \"users.toml\"\n").unwrap();

    add_token(&files.path(), &token("ci", Some(date(2027, 2, 21)))).unwrap();
    add_token(&files.path(), &token("cron \"x\"", None)).unwrap();
    assert!(add_token(&files.path(), &token("ci", None)).is_err());
    let all = fs::read_to_string(files.path()).unwrap();
    assert!(all.starts_with(&written) && all.contains("expires = \"never\""), "{all}");
    assert_eq!(fs::metadata(files.path()).unwrap().permissions().mode() & 0o777, 0o600);
    let loaded = files.load().unwrap();
    let read = loaded.config.console_users.unwrap().tokens().to_vec();
    assert_eq!(read, [token("ci", Some(date(2027, 2, 21))), token("cron \"x\"", None)]);
    assert_eq!(files.found(), Vec::<String>::new());

    assert!(remove_token(&files.path(), "ci").unwrap() && !remove_token(&files.path(), "ci").unwrap());
    assert!(remove_token(&files.path(), "cron \"x\"").unwrap());
    assert_eq!(fs::read_to_string(files.path()).unwrap().trim_end(), written.trim_end());
}

#[test]
fn a_token_is_taken_out_beside_what_is_no_number() {
    let files = Files::new("[[user]]\nname = \"ada\"\nweight = nan\n");
    add_token(&files.path(), &token("ci", None)).unwrap();
    assert!(remove_token(&files.path(), "ci").unwrap());
}

#[test]
fn a_token_that_opens_nothing_is_warned_of_and_one_with_mistakes_is_none() {
    let block = |user: &str, name: &str, role: &str, expires: &str| {
        let sha256 = format!("{:064x}", u64::from_be_bytes(digest(name)[..8].try_into().unwrap()));
        format!(
            "[[token]]\nuser = \"{user}\"\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{sha256}\"\nexpires = {expires}\n"
        )
    };
    let ada = user("ada", HASH, "[\"proxy\", \"viewer\"]");
    let files = Files::new(&format!(
        "{ada}{}{}{}",
        block("eve", "gone", "viewer", "\"never\""),
        block("ada", "lowered", "reviewer", "\"never\""),
        block("ada", "over", "viewer", "2026-11-22"),
    ));
    let found = files.found().join("\n");
    for said in [
        "the token \"gone\" opens nothing: there is no user \"eve\"",
        "the token \"lowered\" opens nothing: \"ada\" may not do what the role reviewer may",
        "the token \"over\" opens nothing: its last day has passed",
    ] {
        assert!(found.contains(said), "no {said}: {found}");
    }
    assert!(!found.contains("error"), "{found}");

    let wrong = block("ada", "a", "proxy", "\"soon\"").replace("sha256 = \"", "sha256 = \"hunter2");
    let repeated =
        [block("ada", "b", "viewer", "\"never\""), block("ada", "b", "viewer", "\"never\"")].concat();
    fs::write(files.path(), format!("{ada}{wrong}{repeated}[[token]]\nname = 3\n")).unwrap();
    let found = files.found().join("\n");
    for said in [
        "role is \"proxy\", expected \"viewer\", \"reviewer\" or \"admin\"",
        "expires is \"soon\", expected a date, or \"never\"",
        "sha256 is not 64 hex digits",
        "\"b\" is a token already, in line",
        "[[token]] has no user",
        "[[token]] has no expires",
        "name is 3, expected a string",
    ] {
        assert!(found.contains(said), "no {said}: {found}");
    }
}
