//! `pinfold.toml` and `pins.toml` of a gateway under test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{ORIGIN_ROOT, RESOLV_CONF, write_origin_root};
use crate::{Resolver, Vendor};

/// What a `[[vendor]]` block says beside name and hosts.
#[derive(Clone, Debug, Default)]
pub struct Rule(Vec<(String, Value)>);

impl Rule {
    /// Sets one key.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.push((key.to_owned(), value.into()));
        self
    }
}

/// One `[[pin]]` block.
#[derive(Clone, Debug)]
pub struct Pin {
    url: String,
    digests: Vec<String>,
    keys: Vec<(String, Value)>,
    expires: Option<String>,
}

impl Pin {
    /// For a URL or URL pattern, with no digest yet.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), digests: Vec::new(), keys: Vec::new(), expires: None }
    }

    /// One more digest that may be served.
    #[must_use]
    pub fn digest(mut self, digest: impl Into<String>) -> Self {
        self.digests.push(digest.into());
        self
    }

    /// Another kind than `script`.
    #[must_use]
    pub fn kind(self, kind: &str) -> Self {
        self.key("kind", kind)
    }

    /// Any other key.
    #[must_use]
    pub fn key(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.keys.push((key.to_owned(), value.into()));
        self
    }

    /// Its last day, as `2026-11-23`.
    #[must_use]
    pub fn expires(mut self, day: &str) -> Self {
        self.expires = Some(day.to_owned());
        self
    }
}

#[derive(Debug)]
pub(super) struct Files {
    /// By table, the empty name being the top of the file.
    tables: BTreeMap<String, BTreeMap<String, Value>>,
    blocks: String,
    pins: String,
    resolv_conf: Option<String>,
    users: Option<String>,
    reviewers: Option<String>,
    secrets: BTreeMap<String, String>,
}

impl Files {
    pub(super) fn new() -> Self {
        let mut files = Self {
            tables: BTreeMap::new(),
            blocks: String::new(),
            pins: String::new(),
            resolv_conf: None,
            users: None,
            reviewers: None,
            secrets: BTreeMap::new(),
        };
        files.set("", "listen", json!(["127.0.0.1:0"]));
        files.set("", "data_dir", "pinfold-data".into());
        files.set("", "pins", json!(["pins.toml"]));
        files.set("upstream_tls", "extra_roots", json!([ORIGIN_ROOT]));
        // It would take a place among the connections that tests count.
        files.set("canary", "every", "off".into());
        // Every exchange at once: a test has no minute to wait for the counted row.
        files.block("siem", &[("format", "ecs".into()), ("to", "stdout:".into()), ("repeats", "all".into())]);
        files
    }

    pub(super) fn set(&mut self, table: &str, key: &str, value: Value) {
        self.tables.entry(table.to_owned()).or_default().insert(key.to_owned(), value);
    }

    pub(super) fn claim(&mut self, vendor: &Vendor, rule: &Rule) {
        let own = [("name", Value::from(vendor.name())), ("hosts", json!([vendor.host()]))];
        let rest = rule.0.iter().map(|(key, value)| (key.as_str(), value.clone()));
        self.block("vendor", &own.into_iter().chain(rest).collect::<Vec<_>>());
    }

    pub(super) fn ask(&mut self, resolver: &Resolver) {
        self.resolv_conf = Some(format!("nameserver {}\n", resolver.address()));
    }

    pub(super) fn pin(&mut self, pin: &Pin) {
        writeln!(self.pins, "[[pin]]\nurl = {}\ndigests = {}", json!(pin.url), json!(pin.digests)).unwrap();
        for (key, value) in &pin.keys {
            writeln!(self.pins, "{key} = {value}").unwrap();
        }
        self.pins.push_str("owner = \"tests\"\nreason = \"reviewed for a test\"\nadded = 2020-01-01\n");
        if let Some(day) = &pin.expires {
            writeln!(self.pins, "expires = {day}").unwrap();
        }
    }

    pub(super) fn forget_pins(&mut self) {
        self.pins.clear();
    }

    pub(super) fn revoke(&mut self, digest: &str) {
        writeln!(self.pins, "[[revoke]]\ndigest = {}\nreason = \"revoked by a test\"", json!(digest))
            .unwrap();
    }

    pub(super) fn siem(&mut self, to: &str, keys: &[(&str, &str)]) {
        let rest = keys.iter().map(|(key, value)| (*key, Value::from(*value)));
        // Every exchange at once, unless the test says otherwise.
        let usual =
            Some(("repeats", Value::from("all"))).filter(|_| keys.iter().all(|(key, _)| *key != "repeats"));
        let block: Vec<_> = std::iter::once(("to", Value::from(to))).chain(rest).chain(usual).collect();
        self.block("siem", &block);
    }

    pub(super) fn secret(&mut self, name: &str, contents: &str) {
        self.secrets.insert(name.to_owned(), contents.to_owned());
    }

    pub(super) fn users(&mut self, users: &[(&str, &str, &str)]) {
        self.users = Some(users.iter().map(user_block).collect());
        self.set("clients", "users", "users.toml".into());
    }

    pub(super) fn reviewers(&mut self, users: &[(&str, &str, &str)]) {
        self.reviewers = Some(users.iter().map(user_block).collect());
        self.set("console", "listen", "127.0.0.1:0".into());
        self.set("console", "users", "reviewers.toml".into());
    }

    /// Whether the console speaks TLS.
    pub(super) fn console_is_tls(&self) -> bool {
        let console = self.tables.get("console");
        console.is_some_and(|keys| {
            keys.contains_key("certificate") || keys.get("tls").is_some_and(|tls| tls != "off")
        })
    }

    pub(super) fn write(&self, dir: &Path) {
        let mut text = String::new();
        for (table, keys) in &self.tables {
            if !table.is_empty() {
                writeln!(text, "[{table}]").unwrap();
            }
            for (key, value) in keys {
                // JSON's strings, numbers, booleans and lists of them are TOML's too.
                writeln!(text, "{} = {value}", json!(key)).unwrap();
            }
        }
        text.push_str(&self.blocks);
        std::fs::write(dir.join("pinfold.toml"), text).unwrap();
        std::fs::write(dir.join("pins.toml"), &self.pins).unwrap();
        if let Some(text) = &self.resolv_conf {
            std::fs::write(dir.join(RESOLV_CONF), text).unwrap();
        }
        let users = self.users.iter().map(|users| ("users.toml", users));
        let users = users.chain(self.reviewers.iter().map(|users| ("reviewers.toml", users)));
        for (name, contents) in self.secrets.iter().map(|(name, text)| (&**name, text)).chain(users) {
            let path = dir.join(name);
            std::fs::write(&path, contents).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        write_origin_root(dir);
    }

    fn block(&mut self, name: &str, keys: &[(&str, Value)]) {
        writeln!(self.blocks, "[[{name}]]").unwrap();
        for (key, value) in keys {
            writeln!(self.blocks, "{key} = {value}").unwrap();
        }
    }
}

fn user_block((name, password, role): &(&str, &str, &str)) -> String {
    let (name, password, roles) = (json!(name), json!(password), json!([role]));
    format!("[[user]]\nname = {name}\npassword = {password}\nroles = {roles}\n")
}
