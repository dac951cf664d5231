//! mitmproxy with an addon that hashes each body: <https://docs.mitmproxy.org/stable/addons/overview/>.

use std::fmt::Write as _;
use std::path::Path;

use super::{Kind, Proxy};
use crate::origin::{Origin, SOURCE, TUNNELLED, free_address};
use crate::running::spawn;

/// Names are looked up in a table where asyncio would ask the system. Another address set in the hook `server_connect` is not
/// the way: mitmproxy then takes the connection for one to somebody else, and makes the next, for ever.
const ADDON: &str = r#"
import asyncio
import hashlib
import socket

from mitmproxy import http

with open(HOSTS) as lines:
    HOSTS = {name: address for address, name in map(str.split, lines)}


async def getaddrinfo(host, port, **_):
    address = HOSTS.get(host, host)
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, int(port)))]


def running():
    asyncio.get_running_loop().getaddrinfo = getaddrinfo


def response(flow):
    digest = hashlib.sha256(flow.response.content).hexdigest()
    if PINS.get(flow.request.path) != digest:
        flow.response = http.Response.make(403)
"#;

pub(super) async fn start(dir: &Path, origin: &Origin) -> Proxy {
    let listen = free_address();
    let mut addon = format!("HOSTS = {:?}\nPINS = {{\n", origin.hosts.display().to_string());
    for body in &origin.bodies {
        let hex: String = body.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(addon, "    {:?}: {hex:?},", body.path()).expect("text");
    }
    std::fs::write(dir.join("addon.py"), addon + "}\n" + ADDON).expect("an addon");
    let (host, port) = (listen.ip().to_string(), listen.port().to_string());
    let trusted = format!("ssl_verify_upstream_trusted_ca={}", origin.root.display());
    let tunnelled = [TUNNELLED, SOURCE].map(|host| host.replace('.', "\\.")).join("|");
    let listening = ["--listen-host", &host, "--listen-port", &port];
    // Not before there is a request: it would ask the origin for its certificate at each connection.
    let options = ["--set", "confdir=conf", "--set", "connection_strategy=lazy", "--set", &trusted];
    let arguments =
        [&["-q", "-s", "addon.py", "--ignore-hosts", &tunnelled][..], &listening, &options].concat();
    let processes = vec![spawn(Path::new(&program()), &arguments, dir)];
    Proxy::of(Kind::Mitmproxy, listen, dir.join("conf/mitmproxy-ca-cert.pem"), processes).await
}

pub(super) fn program() -> String {
    super::program("MITMDUMP", "mitmdump")
}
