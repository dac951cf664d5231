//! pinfold, with everything on that a deployment has on: ledger, events to a file, metrics, rechecks.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Kind, Proxy};
use crate::origin::{DOMAIN, FAR, NAMES, Origin, SOURCE, TUNNELLED, WRONG, free_address, name};
use crate::running::spawn;

pub(super) async fn start(kind: Kind, dir: &Path, origin: &Origin, recheck: &str) -> Proxy {
    let mut pins = pins_of(&name(0), origin) + &pins_of(FAR, origin);
    // Of all other names only the smallest is asked for.
    for number in 1..NAMES {
        let body = &origin.bodies[0];
        pins += &pin(&name(number), origin, &body.path(), &body.sri);
    }
    run(kind, dir, origin, recheck, pins).await
}

/// With so many pins, most of which nobody asks for.
pub(crate) async fn with_pins(count: usize, dir: &Path, origin: &Origin) -> Proxy {
    let mut pins = pins_of(&name(0), origin);
    let asked_for = pins.matches("[[pin]]").count();
    for number in asked_for..count {
        pins +=
            &pin(&name(number % NAMES), origin, &format!("/lib/{number}/app.min.js"), &origin.bodies[0].sri);
    }
    std::fs::create_dir_all(dir).expect("a folder");
    run(Kind::Pinfold, dir, origin, "15m", pins).await
}

fn pins_of(host: &str, origin: &Origin) -> String {
    let bodies = origin.bodies.iter().map(|body| pin(host, origin, &body.path(), &body.sri));
    bodies.collect::<String>() + &pin(host, origin, WRONG, &origin.bodies[0].sri)
}

fn pin(host: &str, origin: &Origin, path: &str, sri: &str) -> String {
    let port = origin.address.port();
    format!(
        "[[pin]]\nurl = \"https://{host}:{port}{path}\"\ndigests = [\"{sri}\"]\nowner = \"bench\"\nreason = \"reviewed\"\nadded = 2026-01-01\n"
    )
}

async fn run(kind: Kind, dir: &Path, origin: &Origin, recheck: &str, pins: String) -> Proxy {
    let (listen, console) = (free_address(), free_address());
    let mut text = format!(
        "listen = [\"{listen}\"]\n[console]\nlisten = \"{console}\"\n[egress]\nconnect_ports = [{}]\n[upstream_tls]\n\
         extra_roots = [\"{}\"]\n[[vendor]]\nname = \"vendor\"\nhosts = [\"*.{DOMAIN}\"]\nrecheck = \"{recheck}\"\n\
         [[siem]]\nformat = \"ecs\"\nto = \"file:events.json\"\nrepeats = \"counted\"\n[egress.resolve]\n\
         \"{TUNNELLED}\" = \"{}\"\n\"{FAR}\" = \"{}\"\n\"{SOURCE}\" = \"{}\"\n",
        origin.address.port(),
        origin.root.display(),
        origin.address,
        origin.far,
        origin.source,
    );
    for number in 0..NAMES {
        writeln!(text, "\"{}\" = \"{}\"", name(number), origin.address).expect("text");
    }
    std::fs::write(dir.join("pinfold.toml"), text).expect("a configuration");
    std::fs::write(dir.join("pins.toml"), pins).expect("a list");
    let processes = vec![spawn(&binary(), &["run"], dir)];
    Proxy::of(kind, listen, dir.join("pinfold-data/ca/root.pem"), processes).await
}

/// Beside this program: Cargo puts both there.
pub(super) fn binary() -> PathBuf {
    let path = std::env::current_exe().expect("a path of its own").with_file_name("pinfold");
    assert!(path.exists(), "{} is missing: build pinfold-cli in the same profile", path.display());
    path
}
