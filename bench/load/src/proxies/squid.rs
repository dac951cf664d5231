//! Squid with SslBump: <https://wiki.squid-cache.org/Features/SslPeekAndSplice>.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio::process::Child;

use super::{Kind, Proxy};
use crate::keys;
use crate::origin::{Origin, SOURCE, TUNNELLED, free_address};
use crate::running::spawn;

pub(super) const PROGRAM: &str = "/usr/sbin/squid";
const CERTIFICATES: &str = "/usr/lib/squid/security_file_certgen";

pub(super) async fn start(
    kind: Kind,
    dir: &Path,
    origin: &Origin,
    icap: Option<(SocketAddr, Child)>,
) -> Proxy {
    let root = keys::root(dir, "Squid root");
    let listen = free_address();
    // It gives up root, and then writes here.
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o777))
        .expect("a folder that others may write");
    keys::run(dir, CERTIFICATES, &["-c", "-s", "certificates", "-M", "64MB"]);
    keys::run(dir, "chmod", &["-R", "a+rwX", "certificates", "both.pem"]);
    let checking = match &icap {
        None => "memory_cache_mode always\n".to_owned(),
        Some((icap, _)) => format!(
            "cache deny all\nicap_enable on\nicap_preview_enable off\nicap_service hash respmod_precache icap://{icap}/hash bypass=off\n\
             adaptation_access hash allow all\n"
        ),
    };
    let configuration = format!(
        "http_port {listen} ssl-bump generate-host-certificates=on dynamic_cert_mem_cache_size=64MB cert={dir}/both.pem\n\
         sslcrtd_program {CERTIFICATES} -s {dir}/certificates -M 64MB\n\
         acl hello at_step SslBump1\nacl tunnelled ssl::server_name {TUNNELLED}\n\
         ssl_bump peek hello\nssl_bump splice tunnelled\nssl_bump bump all\n\
         acl source dstdomain {SOURCE}\non_unsupported_protocol tunnel source\n\
         tls_outgoing_options cafile={root} min-version=1.3\nhttp_access allow all\nhosts_file {hosts}\n\
         cache_mem 512 MB\nmaximum_object_size_in_memory 16 MB\n{checking}\
         access_log none\ncache_log {dir}/cache.log\npid_filename {dir}/squid.pid\ncoredump_dir {dir}\nshutdown_lifetime 1 second\n\
         pconn_timeout 600 seconds\nclient_idle_pconn_timeout 600 seconds\nmax_filedescriptors 65535\n",
        dir = dir.display(),
        root = origin.root.display(),
        hosts = origin.hosts.display(),
    );
    std::fs::write(dir.join("squid.conf"), configuration).expect("a configuration");
    let squid = spawn(Path::new(PROGRAM), &["-N", "-f", "squid.conf"], dir);
    let processes = std::iter::once(squid).chain(icap.map(|(_, process)| process)).collect();
    Proxy::of(kind, listen, root, processes).await
}
