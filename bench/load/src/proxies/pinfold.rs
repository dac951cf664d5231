//! pinfold, with everything on that a deployment has on: ledger, events to a file, metrics, rechecks.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Kind, NAMES, Proxy, spawn};
use crate::client::name;
use crate::origin::{DOMAIN, Origin, free_address};

pub(super) async fn start(kind: Kind, dir: &Path, origin: &Origin, recheck: &str) -> Proxy {
    let (listen, console) = (free_address(), free_address());
    let mut text = format!(
        "listen = [\"{listen}\"]\n[console]\nlisten = \"{console}\"\n[egress]\nconnect_ports = [{}]\n[upstream_tls]\n\
         extra_roots = [\"{}\"]\n[[vendor]]\nname = \"vendor\"\nhosts = [\"*.{DOMAIN}\"]\nrecheck = \"{recheck}\"\n\
         [[siem]]\nformat = \"ecs\"\nto = \"file:events.json\"\nrepeats = \"counted\"\n[egress.resolve]\n\"{}\" = \"{}\"\n",
        origin.address.port(),
        origin.root.display(),
        crate::origin::TUNNELLED,
        origin.address,
    );
    let mut pins = String::new();
    for number in 0..NAMES {
        writeln!(text, "\"{}\" = \"{}\"", name(number), origin.address).expect("text");
        // Of all names but the first only the smallest is asked for.
        let asked_for = if number == 0 { origin.bodies.len() } else { 1 };
        for body in origin.bodies.iter().take(asked_for) {
            let url = format!("https://{}:{}/{}.js", name(number), origin.address.port(), body.name);
            let by = "owner = \"bench\"\nreason = \"reviewed\"\nadded = 2026-01-01";
            writeln!(pins, "[[pin]]\nurl = \"{url}\"\ndigests = [\"{}\"]\n{by}", body.sri).expect("text");
        }
    }
    std::fs::write(dir.join("pinfold.toml"), text).expect("a configuration");
    std::fs::write(dir.join("pins.toml"), pins).expect("a list");
    let processes = vec![spawn(&binary(), &["run"], dir)];
    let root = dir.join("pinfold-data/ca/root.pem");
    Proxy::of(kind, listen, root, processes).await
}

/// Beside this program: `cargo build --release` makes both.
fn binary() -> PathBuf {
    let path = std::env::current_exe().expect("a path of its own").with_file_name("pinfold");
    assert!(
        path.exists(),
        "{} is missing: build it with 'cargo build --release -p pinfold-cli'",
        path.display()
    );
    path
}
