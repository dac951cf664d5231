//! `[console]`: where it is, whom it is shown as, and who vouches for people there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pinfold_policy::host::Host;
use toml::Spanned;

use crate::diagnostic::quoted;
use crate::gateway::{address_and_port, path, users};
use crate::section::Section;
use crate::settings::{Console, ConsoleTls};
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
    if listen.is_none() {
        for key in ["names", "tls", "certificate", "key"] {
            if let Some(place) = console.place_of(key).filter(|_| console.place_of("listen").is_none()) {
                let mistake = Mistake::new(format!("{key} is of no use where there is no console"));
                console.file().error(place, mistake.hint("add listen = \"127.0.0.1:8081\""));
            }
        }
    }
    console.finish();
    let names = names.into_iter().map(Spanned::into_inner).collect();
    (listen.map(|listen| Console { listen, names, tls }), users)
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
