//! The vendor: nginx with TLS 1.3, bodies of real minified JavaScript, and a root of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tokio::process::{Child, Command};

use crate::body::Body;
use crate::keys;

/// Every name that the vendor has is within this one.
pub(crate) const DOMAIN: &str = "vendor.test";
/// A host that no proxy looks into.
pub(crate) const TUNNELLED: &str = "bank.test";
/// What is fetched through a tunnel: a GiB that lies nowhere.
pub(crate) const LARGE: u64 = 1 << 30;

/// Where minified scripts come from: Debian's libjs-jquery, libjs-three and node-d3.
const SCRIPTS: [&str; 3] = [
    "/usr/share/javascript/jquery/jquery.min.js",
    "/usr/share/nodejs/d3/dist/d3.min.js",
    "/usr/share/javascript/three/three.min.js",
];

/// The server, and what it serves.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    pub(crate) root: PathBuf,
    pub(crate) bodies: Vec<Body>,
    process: Child,
}

impl Origin {
    /// Makes keys and bodies in a folder, and starts the server.
    pub(crate) async fn start(dir: &Path) -> Self {
        let root = keys::root(dir, "Origin root");
        keys::leaf(dir, &[&format!("*.{DOMAIN}"), TUNNELLED]);
        let www = dir.join("www");
        fs::create_dir_all(&www).expect("a folder for bodies");
        let script: Vec<u8> = SCRIPTS.iter().flat_map(|path| read(path)).collect();
        let bodies: Vec<_> = Body::ALL.map(|(name, len)| write_body(&www, &script, name, len)).into();
        let large = fs::File::create(www.join("large.bin")).expect("a file");
        large.set_len(LARGE).expect("a sparse file");
        let address = free_address();
        let configuration = configuration(dir, address);
        fs::write(dir.join("nginx.conf"), configuration).expect("a configuration");
        let process = Command::new("nginx")
            .args(["-c"])
            .arg(dir.join("nginx.conf"))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("nginx: install Debian's nginx-core");
        crate::running::wait_for(address).await;
        Self { address, root, bodies, process }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().expect("nginx runs")
    }

    /// Ends it, and waits for its end.
    pub(crate) async fn stop(mut self) {
        crate::running::terminate(&mut self.process).await;
    }
}

/// An address of this machine that nobody listens at.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

fn read(path: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| {
        panic!("{path}: {error}; install Debian's libjs-jquery, libjs-three and node-d3")
    })
}

/// The scripts one behind another, over and over, up to a length, and the same with gzip.
fn write_body(www: &Path, script: &[u8], name: &'static str, len: usize) -> Body {
    let bytes: Vec<u8> = script.iter().copied().cycle().take(len).collect();
    let path = www.join(format!("{name}.js"));
    fs::write(&path, &bytes).expect("a body");
    keys::run(www, "gzip", &["-9", "-k", "-f", &format!("{name}.js")]);
    let gzip = read(&format!("{}.gz", path.display()));
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    Body { name, len, sri: sri(&digest), gzip_sri: sri(&Sha256::digest(gzip)), digest }
}

fn sri(digest: &[u8]) -> String {
    format!("sha256-{}", STANDARD.encode(digest))
}

fn configuration(dir: &Path, address: SocketAddr) -> String {
    let dir = dir.display();
    format!(
        "daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/nginx.log;
events {{ worker_connections 8192; }}
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
    server {{
        listen {address} ssl;
        ssl_certificate {dir}/leaf.pem;
        ssl_certificate_key {dir}/leaf.key;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
        root {dir}/www;
        location / {{ add_header Cache-Control 'public, max-age=86400'; }}
    }}
}}
"
    )
}
