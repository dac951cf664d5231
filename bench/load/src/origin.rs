//! The vendor: nginx with TLS 1.3, bodies of real minified JavaScript, and a root of its own. A relay in front of it is the
//! same vendor from two milliseconds away.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Child;

use crate::body::Body;
use crate::keys;
use crate::running::{spawn, spawn_self, terminate, wait_for};

/// Every name that the vendor has is within this one.
pub(crate) const DOMAIN: &str = "vendor.test";
/// The vendor's name, from two milliseconds away.
pub(crate) const FAR: &str = "far.vendor.test";
/// Hosts that no proxy looks into: one speaks TLS, the other sends bytes that are nothing else.
pub(crate) const TUNNELLED: &str = "bank.test";
pub(crate) const SOURCE: &str = "source.test";
/// Names of the vendor that are used: a file lists them, for no resolver knows them.
pub(crate) const NAMES: usize = 4_000;
/// What no reviewer has seen: the pin of its URL has another digest.
pub(crate) const WRONG: &str = "/wrong.js";
/// What is fetched through a tunnel.
pub(crate) const LARGE: &str = "/large.bin";

const FAR_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const SOURCE_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// Where minified scripts come from: Debian's libjs-jquery, libjs-d3 and libjs-three.
const SCRIPTS: [&str; 3] = [
    "/usr/share/javascript/jquery/jquery.min.js",
    "/usr/share/javascript/d3/d3.min.js",
    "/usr/share/javascript/three/three.min.js",
];

/// The server, and what it serves.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    /// The same from afar.
    pub(crate) far: SocketAddr,
    /// What sends bytes without TLS.
    pub(crate) source: SocketAddr,
    pub(crate) root: PathBuf,
    /// Its names and their addresses, in a file like /etc/hosts.
    pub(crate) hosts: PathBuf,
    /// What reviewers have seen: a digest in each line.
    pub(crate) pins: PathBuf,
    pub(crate) bodies: Vec<Body>,
    /// Bytes of what is fetched through a tunnel.
    pub(crate) large: u64,
    status: SocketAddr,
    server: Child,
    relay: Child,
    sender: Child,
}

impl Origin {
    /// Makes keys and bodies in a folder, and starts the server.
    pub(crate) async fn start(dir: &Path, large: u64) -> Self {
        let root = keys::root(dir, "Origin root");
        keys::leaf(dir, &[&format!("*.{DOMAIN}"), TUNNELLED]);
        let (address, status) = (free_address(), free_address());
        let far = SocketAddr::new(FAR_ADDRESS, address.port());
        let source = SocketAddr::new(SOURCE_ADDRESS, address.port());
        let bodies = write_bodies(&dir.join("www"), large);
        let (hosts, pins) = (dir.join("hosts"), dir.join("pins"));
        fs::write(&hosts, list_of_hosts(address.ip())).expect("a list of hosts");
        let digests: String = bodies.iter().map(|body| format!("{}\n", body.sri)).collect();
        fs::write(&pins, digests).expect("a list of digests");
        fs::write(dir.join("nginx.conf"), configuration(dir, address, status)).expect("a configuration");
        let configuration = dir.join("nginx.conf").display().to_string();
        let server = spawn(Path::new("nginx"), &["-c", &configuration], dir);
        let relay = spawn_self("delay", far, &[&address.to_string()], &folder(dir, "far"));
        let sender = spawn_self("source", source, &[], &folder(dir, "source"));
        wait_for(address, "nginx").await;
        wait_for(far, "the vendor's relay").await;
        wait_for(source, "the source").await;
        Self { address, far, source, root, hosts, pins, bodies, large, status, server, relay, sender }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.id().expect("nginx runs")
    }

    pub(crate) fn source_pid(&self) -> u32 {
        self.sender.id().expect("the source runs")
    }

    /// Requests that it has answered, without those of this kind (<https://nginx.org/en/docs/http/ngx_http_stub_status_module.html>).
    pub(crate) async fn answered(&self) -> u64 {
        let mut stream = TcpStream::connect(self.status).await.expect("nginx's status");
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("nginx's status");
        let numbers = text.lines().skip_while(|line| !line.starts_with("server accepts")).nth(1);
        let number = numbers.and_then(|line| line.split_whitespace().nth(2)?.parse().ok());
        number.expect("a count of requests")
    }

    /// Ends it, and waits for its end.
    pub(crate) async fn stop(mut self) {
        terminate(&mut self.server).await;
        terminate(&mut self.relay).await;
        terminate(&mut self.sender).await;
    }
}

/// The vendor's names, by number.
pub(crate) fn name(number: usize) -> String {
    format!("h{number}.{DOMAIN}")
}

/// An address of this machine that nobody listens at.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

fn folder(dir: &Path, name: &str) -> PathBuf {
    let folder = dir.join(name);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn list_of_hosts(near: IpAddr) -> String {
    let mut hosts = format!("{near} {TUNNELLED}\n{FAR_ADDRESS} {FAR}\n{SOURCE_ADDRESS} {SOURCE}\n");
    for number in 0..NAMES {
        writeln!(hosts, "{near} {}", name(number)).expect("text");
    }
    hosts
}

fn write_bodies(www: &Path, large: u64) -> Vec<Body> {
    fs::create_dir_all(www).expect("a folder for bodies");
    let script: Vec<u8> = SCRIPTS.iter().flat_map(|path| read(path)).collect();
    fs::File::create(www.join(&LARGE[1..])).and_then(|file| file.set_len(large)).expect("a file");
    fs::write(www.join(&WRONG[1..]), "alert('not what was reviewed')\n".repeat(64)).expect("a body");
    Body::ALL.map(|(name, len)| write_body(www, &script, name, len)).into()
}

/// The scripts one behind another, over and over, up to a length, and the same with gzip.
fn write_body(www: &Path, script: &[u8], name: &'static str, len: usize) -> Body {
    let bytes: Vec<u8> = script.iter().copied().cycle().take(len).collect();
    let path = www.join(format!("{name}.js"));
    fs::write(&path, &bytes).expect("a body");
    keys::run(www, "gzip", &["-9", "-k", "-f", &format!("{name}.js")]);
    let gzip = read(&format!("{}.gz", path.display()));
    let (digest, gzip_digest) = (Sha256::digest(&bytes).into(), Sha256::digest(gzip).into());
    Body { name, len, sri: sri(&digest), digest, gzip_sri: sri(&gzip_digest), gzip_digest }
}

fn read(path: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| {
        panic!("{path}: {error}; install Debian's libjs-jquery, libjs-d3 and libjs-three")
    })
}

fn sri(digest: &[u8; 32]) -> String {
    format!("sha256-{}", STANDARD.encode(digest))
}

fn configuration(dir: &Path, address: SocketAddr, status: SocketAddr) -> String {
    let dir = dir.display();
    format!(
        "daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log {dir}/nginx.log;
events {{ worker_connections 32768; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 600s;
    keepalive_requests 100000000;
    client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp; fastcgi_temp_path {dir}/tmp;
    uwsgi_temp_path {dir}/tmp; scgi_temp_path {dir}/tmp;
    types {{ text/javascript js; }}
    default_type application/octet-stream;
    gzip_static on;
    gzip_vary on;
    gzip_proxied any;
    server {{
        listen {address} ssl backlog=4096;
        ssl_certificate {dir}/leaf.pem;
        ssl_certificate_key {dir}/leaf.key;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
        root {dir}/www;
        location / {{ add_header Cache-Control 'public, max-age=86400'; }}
    }}
    server {{
        listen {status};
        location / {{ stub_status; }}
    }}
}}
"
    )
}
