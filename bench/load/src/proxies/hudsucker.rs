//! hudsucker, in `bench/load/hudsucker`.

use std::path::Path;

use super::{Kind, Proxy};
use crate::keys;
use crate::origin::{Origin, free_address};
use crate::running::spawn;

pub(super) async fn start(dir: &Path, origin: &Origin) -> Proxy {
    let listen = free_address();
    let root = keys::root(dir, "hudsucker root");
    let given = [&origin.root, &origin.hosts, &origin.pins].map(|path| path.display().to_string());
    let [trusted, hosts, pins] = &given;
    let process = spawn(Path::new(&program()), &[&listen.to_string(), ".", trusted, hosts, pins], dir);
    Proxy::of(Kind::Hudsucker, listen, root, vec![process]).await
}

pub(super) fn program() -> String {
    super::program("HUDSUCKER", "pinfold-load-hudsucker")
}
