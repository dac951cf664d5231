//! `[console]`: where it is, whom it is shown as, and who vouches for people there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pinfold_policy::host::Host;
use pinfold_policy::user::Role;
use toml::Spanned;
use url::Url;

use crate::diagnostic::quoted;
use crate::gateway::{address_and_port, path, users};
use crate::section::Section;
use crate::settings::{Console, ConsoleTls, Oidc};
use crate::source::Mistake;

/// What `tls` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Off,
    LocalCa,
    Files,
}

const TLS: [(&str, Tls); 3] = [("off", Tls::Off), ("local-ca", Tls::LocalCa), ("files", Tls::Files)];

/// Reads it, and the name of the file of those who may sign in. `proxy` is where the proxy listens.
pub(crate) fn read(
    root: &mut Section<'_>,
    proxy: &[Spanned<SocketAddr>],
    base: &Path,
) -> (Option<Console>, Option<Spanned<String>>) {
    let mut console = root.section("console");
    let listen = console.parse("listen", |text| address_and_port(text, 8081));
    let users = users(&mut console);
    let names = console.parse_list("names", name).unwrap_or_default();
    let tls = tls(&mut console, base);
    let oidc = console.place_of("oidc").and_then(|_| oidc(console.section("oidc"), base));
    if let (Some(listen), Some(place)) = (listen, console.place_of("listen")) {
        if listen.port() != 0 && proxy.iter().any(|address| *address.get_ref() == listen) {
            console.file().error(place, Mistake::new(format!("{listen} is the proxy's own address")));
        } else if !listen.ip().to_canonical().is_loopback() {
            let message = format!("{listen} is not loopback: whoever reaches it can read health and metrics");
            let hint = match tls {
                Some(_) => "a firewall can keep it to those who review and watch",
                None => {
                    "nobody can sign in there: passwords would cross the network in clear text; see console.tls"
                }
            };
            console.file().warn(place, Mistake::new(message).hint(hint));
        }
    }
    let is_private = tls.is_some() || listen.is_none_or(|listen| listen.ip().to_canonical().is_loopback());
    if let Some(place) = console.place_of("oidc").filter(|_| !is_private) {
        let mistake =
            Mistake::new("an identity provider is of no use where nobody can sign in: there is no TLS");
        console.file().error(place, mistake.hint("set console.tls"));
    }
    if listen.is_none() {
        for key in ["names", "tls", "certificate", "key", "oidc"] {
            if let Some(place) = console.place_of(key).filter(|_| console.place_of("listen").is_none()) {
                let mistake = Mistake::new(format!("{key} is of no use where there is no console"));
                console.file().error(place, mistake.hint("add listen = \"127.0.0.1:8081\""));
            }
        }
    }
    // Where it is not there, its keys are none that were misspelled.
    console.value("oidc");
    console.finish();
    let names = names.into_iter().map(Spanned::into_inner).collect();
    (listen.map(|listen| Console { listen, names, tls, oidc }), users)
}

/// A name or address, and nothing around it.
fn name(text: &str) -> Result<Host, Mistake> {
    let host = Host::parse(text).ok().filter(|_| !text.contains('*'));
    host.ok_or_else(|| {
        Mistake::new(format!("{} is not a name that a browser could ask for", quoted(text)))
            .hint("expected a host without scheme and port: \"pinfold.corp.example\"")
    })
}

fn tls(console: &mut Section<'_>, base: &Path) -> Option<ConsoleTls> {
    let word = console.choice("tls", &TLS);
    let certificate: Option<PathBuf> = console.parse("certificate", |text| path(base, text));
    let key = console.parse("key", |text| path(base, text));
    let is_given = |key| console.place_of(key).is_some();
    let complain = |at: &str, mistake| {
        console.file().error(console.place_of(at).unwrap_or_else(|| console.place()), mistake);
    };
    let meant =
        word.unwrap_or(if is_given("certificate") || is_given("key") { Tls::Files } else { Tls::Off });
    match meant {
        Tls::Off | Tls::LocalCa => {
            for key in ["certificate", "key"].into_iter().filter(|key| is_given(key)) {
                let mistake =
                    Mistake::new(format!("{key} is for tls = \"files\", and tls says another thing"));
                complain(key, mistake.hint(format!("remove {key}, or tls")));
            }
            (meant == Tls::LocalCa).then_some(ConsoleTls::LocalCa)
        }
        Tls::Files => {
            for (key, other) in [("certificate", "key"), ("key", "certificate")] {
                if !is_given(key) {
                    let at = if is_given(other) { other } else { "tls" };
                    let mistake =
                        Mistake::new(format!("TLS from files takes a {key} too, and there is none"));
                    complain(at, mistake.hint(format!("add {key}, a PEM file")));
                }
            }
            Some(ConsoleTls::Files { certificate: certificate?, key: key? })
        }
    }
}

/// The keys whose values give a role.
const GIVES: [(&str, Role); 3] =
    [("viewers", Role::Viewer), ("reviewers", Role::Reviewer), ("admins", Role::Admin)];

fn oidc(mut oidc: Section<'_>, base: &Path) -> Option<Oidc> {
    let issuer = oidc.parse("issuer", issuer);
    let issuer = oidc.required("issuer", issuer, "\"https://login.corp.example\"");
    let client_id = oidc.parse("client_id", word);
    let client_id = oidc.required("client_id", client_id, "\"pinfold\"");
    let secret = oidc.parse("client_secret_file", |text| path(base, text));
    let secret = oidc.required("client_secret_file", secret, "\"oidc.secret\"");
    let ca = oidc.parse("ca", |text| path(base, text));
    let scopes =
        words(&mut oidc, "scopes").unwrap_or_else(|| vec!["openid".to_owned(), "profile".to_owned()]);
    if !scopes.iter().any(|scope| scope == "openid") {
        let mistake = Mistake::new("scopes lacks \"openid\", without which nobody is vouched for");
        oidc.file().error(oidc.place_of("scopes").unwrap_or_default(), mistake);
    }
    let name = oidc.parse("name", word).unwrap_or_else(|| "preferred_username".to_owned());
    let groups = oidc.parse("groups", word).unwrap_or_else(|| "groups".to_owned());
    let mut roles = Vec::new();
    for (key, role) in GIVES {
        roles.extend(words(&mut oidc, key).into_iter().flatten().map(|value| (value, role)));
    }
    let is_named = GIVES.iter().any(|(key, _)| oidc.place_of(key).is_some());
    if roles.is_empty() && !is_named {
        let mistake = Mistake::new("nobody would get a role: none of viewers, reviewers, admins is there");
        let hint = "name values of the claim 'groups': reviewers = [\"web-platform\"]";
        oidc.file().error(oidc.place(), mistake.hint(hint));
    }
    oidc.finish();
    Some(Oidc {
        issuer: issuer?,
        client_id: client_id?,
        client_secret_file: secret?,
        ca,
        scopes,
        name,
        groups,
        roles,
    })
}

fn words(section: &mut Section<'_>, key: &'static str) -> Option<Vec<String>> {
    let words = section.parse_list(key, word)?;
    Some(words.into_iter().map(Spanned::into_inner).collect())
}

/// Something, without blanks around it.
fn word(text: &str) -> Result<String, Mistake> {
    if text.is_empty() || text.trim() != text || text.chars().any(char::is_control) {
        return Err(Mistake::new(format!("{} is empty, or has blanks around it", quoted(text))));
    }
    Ok(text.to_owned())
}

/// As the provider names itself, to the letter.
fn issuer(text: &str) -> Result<String, Mistake> {
    let hint =
        "expected what the provider's metadata have as 'issuer': \"https://login.corp.example/realms/main\"";
    let wrong = |what: &str| Err(Mistake::new(format!("issuer {what}: {}", quoted(text))).hint(hint));
    let Ok(url) = Url::parse(text) else { return wrong("is no URL") };
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
        return wrong("is not asked by https");
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return wrong("has more than a host and a path");
    }
    Ok(text.to_owned())
}
