//! mitmproxy with an addon that hashes each body: <https://docs.mitmproxy.org/stable/addons/overview/>.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Kind, Proxy, spawn};
use crate::origin::{Origin, TUNNELLED, free_address};

pub(super) async fn start(kind: Kind, dir: &Path, origin: &Origin) -> Proxy {
    let listen = free_address();
    let mut digests = String::new();
    for body in &origin.bodies {
        let hex: String = body.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(digests, "    \"/{}.js\": \"{hex}\",", body.name).expect("text");
    }
    let addon = format!(
        "import hashlib\nfrom mitmproxy import http\nPINS = {{\n{digests}}}\n\n\
         def server_connect(data):\n    data.server.address = (\"{}\", {})\n\n\
         def response(flow):\n    digest = hashlib.sha256(flow.response.content).hexdigest()\n    \
         if PINS.get(flow.request.path) != digest:\n        flow.response = http.Response.make(403)\n",
        origin.address.ip(),
        origin.address.port(),
    );
    std::fs::write(dir.join("addon.py"), addon).expect("an addon");
    let (host, port) = (listen.ip().to_string(), listen.port().to_string());
    let trusted = format!("ssl_verify_upstream_trusted_ca={}", origin.root.display());
    let tunnelled = TUNNELLED.replace('.', "\\.");
    let arguments =
        [
            &[
                "-q",
                "-s",
                "addon.py",
                "--listen-host",
                &host,
                "--listen-port",
                &port,
                "--set",
                "confdir=conf",
            ][..],
            &["--set", &trusted, "--ignore-hosts", &tunnelled, "--set", "connection_strategy=lazy"],
        ]
        .concat();
    let processes = vec![spawn(&program(), &arguments, dir)];
    Proxy::of(kind, listen, dir.join("conf/mitmproxy-ca-cert.pem"), processes).await
}

/// Where the script that installs the proxies puts it, or on the path.
fn program() -> PathBuf {
    std::env::var_os("MITMDUMP").map_or_else(|| PathBuf::from("mitmdump"), PathBuf::from)
}
