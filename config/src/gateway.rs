//! pinfold.toml: each section read into its settings, and what contradicts what.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use pinfold_policy::host::Host;
use pinfold_policy::redact::Redaction;
use pinfold_policy::vendor::{Mode, OtherScripts, OtherTls};
use toml::Spanned;
use toml::de::DeTable;

use crate::diagnostic::quoted;
use crate::section::Section;
use crate::settings::{self, Cache, Certs, Console, Egress, Ledger, Limits, Quarantine, SiemOutput};
use crate::source::{Mistake, SourceFile};
use crate::vendors::{self, PlacedVendor};

pub(crate) const MODES: [(&str, Mode); 2] = [("enforce", Mode::Enforce), ("observe", Mode::Observe)];

/// A gateway tests itself no more often than this.
const SHORTEST_CANARY: Duration = Duration::from_secs(1);

/// Browsers and TLS stacks refuse leaves that live longer, whoever signed them.
const LONGEST_LEAF: Duration = Duration::from_secs(398 * 24 * 60 * 60);

/// The longest month.
const SHORTEST_RETENTION: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// What a pinfold.toml says. The pins files it names are not read yet.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) data_dir: PathBuf,
    pub(crate) pins: PinsFiles,
    pub(crate) mode: Mode,
    pub(crate) clients: Vec<IpNet>,
    pub(crate) users: Option<Spanned<String>>,
    pub(crate) certs: Certs,
    pub(crate) other_tls: OtherTls,
    pub(crate) other_scripts: OtherScripts,
    pub(crate) egress: Egress,
    pub(crate) extra_roots: Vec<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) cache: Cache,
    pub(crate) quarantine: Quarantine,
    pub(crate) ledger: Ledger,
    pub(crate) approvers: u32,
    pub(crate) canary: Option<Duration>,
    pub(crate) console: Option<Console>,
    pub(crate) console_users: Option<Spanned<String>>,
    pub(crate) vendors: Vec<PlacedVendor>,
    pub(crate) siem: Vec<SiemOutput>,
}

/// Which pins files there are.
#[derive(Debug)]
pub(crate) enum PinsFiles {
    /// Nobody named one: `pins.toml`, if it is there.
    Default,
    /// The names in the file. They must be there.
    Named(Vec<Spanned<String>>),
}

/// Reads a whole file. `base` is the directory that its relative paths start from.
pub(crate) fn read(file: &SourceFile, table: &Spanned<DeTable<'_>>, base: &Path) -> Gateway {
    let mut root = Section::root(file, table);
    let listen = listen(&mut root);
    let data_dir = root.parse("data_dir", |text| path(base, text));
    let pins = pins(&mut root, base);
    let mode = root.choice("mode", &MODES).unwrap_or_default();
    let (clients, users) = clients(&mut root, &listen);
    let certs = certs(&mut root, base);
    let (other_tls, other_scripts) = other_hosts(&mut root, &certs);
    let egress = egress(&mut root);
    let extra_roots = extra_roots(&mut root, base);
    let limits = limits(&mut root);
    let cache = cache(&mut root);
    let quarantine = quarantine(&mut root, &limits);
    let ledger = ledger(&mut root);
    let approvers = approvers(&mut root);
    let canary = canary(&mut root);
    let (console, console_users) = crate::console::read(&mut root, &listen, base);
    let vendors = vendors::read(&mut root, mode, approvers);
    let siem = crate::siem::read(&mut root, base);
    root.finish();
    Gateway {
        listen: listen.into_iter().map(Spanned::into_inner).collect(),
        data_dir: data_dir.unwrap_or_else(|| base.join("pinfold-data")),
        pins,
        mode,
        clients,
        users,
        certs,
        other_tls,
        other_scripts,
        egress,
        extra_roots,
        limits,
        cache,
        quarantine,
        ledger,
        approvers,
        canary,
        console,
        console_users,
        vendors,
        siem,
    }
}

fn listen(root: &mut Section<'_>) -> Vec<Spanned<SocketAddr>> {
    let written = root.parse_list("listen", |text| address_and_port(text, 8080));
    let Some(written) = written else {
        return settings::default_listen().into_iter().map(|address| Spanned::new(0..0, address)).collect();
    };
    if let Some(place) = root.place_of("listen").filter(|_| root.is_empty_list("listen")) {
        let mistake = Mistake::new("listen is empty: nobody could reach the proxy");
        root.file().error(place, mistake.hint("write listen = [\"127.0.0.1:8080\"]"));
    }
    let mut seen = HashSet::new();
    for address in &written {
        if address.get_ref().port() != 0 && !seen.insert(address.get_ref()) {
            root.file().error(address.span(), Mistake::new(format!("{} is listed twice", address.get_ref())));
        }
    }
    written
}

/// Who may use the proxy. Whoever opens it to a network says to whom: no open proxy by accident.
fn clients(root: &mut Section<'_>, listen: &[Spanned<SocketAddr>]) -> (Vec<IpNet>, Option<Spanned<String>>) {
    let mut clients = root.section("clients");
    let allow = clients.parse_list("allow", network);
    let users = users(&mut clients);
    let file = clients.file();
    match clients.place_of("allow") {
        None => {
            let open = listen.iter().find(|address| !address.get_ref().ip().to_canonical().is_loopback());
            if let Some(open) = open {
                let message =
                    format!("{} is not loopback, and nothing says who may use the proxy", open.get_ref());
                let hint = "add [clients] with allow = [\"10.0.0.0/8\"], naming your users' networks";
                file.error(open.span(), Mistake::new(message).hint(hint));
            }
        }
        Some(place) if clients.is_empty_list("allow") => {
            let hint = "name your users' networks, or leave allow out for this machine alone";
            file.error(place, Mistake::new("allow is empty: nobody could use the proxy").hint(hint));
        }
        Some(_) => {}
    }
    for network in allow.iter().flatten().filter(|network| network.get_ref().prefix_len() == 0) {
        let message = format!("{} lets every address use the proxy", network.get_ref());
        file.warn(network.span(), Mistake::new(message).hint("name your users' networks instead"));
    }
    clients.finish();
    let allow = allow.map(|allow| allow.into_iter().map(Spanned::into_inner).collect());
    (allow.unwrap_or_else(settings::default_clients), users)
}

/// The name of the users file. An empty one would mean the directory itself.
pub(crate) fn users(section: &mut Section<'_>) -> Option<Spanned<String>> {
    let name = section.parse("users", |text| match text {
        "" => Err(Mistake::new("users is empty, expected a file").hint("write users = \"users.toml\"")),
        name => Ok(name.to_owned()),
    })?;
    Some(Spanned::new(section.place_of("users").unwrap_or_default(), name))
}

/// An issuing CA that may sign for vendor hosts only cannot intercept the others.
fn other_hosts(root: &mut Section<'_>, certs: &Certs) -> (OtherTls, OtherScripts) {
    let mut other = root.section("other_hosts");
    let tls = other.choice("tls", &[("tunnel", OtherTls::Tunnel), ("intercept", OtherTls::Intercept)]);
    let words = [
        ("allow", OtherScripts::Allow),
        ("observe", OtherScripts::Observe),
        ("block", OtherScripts::Block),
        ("quarantine", OtherScripts::Quarantine),
    ];
    let scripts = other.choice("scripts", &words);
    if tls == Some(OtherTls::Intercept) && certs.name_constraints {
        let message = "tls = \"intercept\" needs an issuing CA that may sign for every host";
        let hint = "set certs.name_constraints = false, or other_hosts.tls = \"tunnel\"";
        other.file().error(other.place_of("tls").unwrap_or_default(), Mistake::new(message).hint(hint));
    }
    other.finish();
    (tls.unwrap_or_default(), scripts.unwrap_or_default())
}

fn certs(root: &mut Section<'_>, base: &Path) -> Certs {
    let default = Certs::default();
    let mut certs = root.section("certs");
    let name_constraints = certs.boolean("name_constraints").unwrap_or(default.name_constraints);
    let leaf_lifetime = certs.duration("leaf_lifetime").unwrap_or(default.leaf_lifetime);
    if leaf_lifetime.is_zero() || leaf_lifetime > LONGEST_LEAF {
        let message = "leaf_lifetime is out of range, expected more than nothing and at most \"398d\"";
        let hint =
            "clients refuse leaves that live longer; a short life costs nothing, pinfold makes them itself";
        certs
            .file()
            .error(certs.place_of("leaf_lifetime").unwrap_or_default(), Mistake::new(message).hint(hint));
    }
    let root_key = certs.parse("root_key", |text| path(base, text));
    certs.finish();
    Certs { name_constraints, leaf_lifetime, root_key }
}

fn egress(root: &mut Section<'_>) -> Egress {
    let default = Egress::default();
    let mut egress = root.section("egress");
    let connect_ports = ports(&mut egress, "connect_ports").unwrap_or(default.connect_ports);
    let http_ports = ports(&mut egress, "http_ports").unwrap_or(default.http_ports);
    let allow_private = egress.parse_list("allow_private", network).unwrap_or_default();
    let resolve = resolve(&egress.section("resolve"));
    egress.finish();
    Egress {
        connect_ports,
        http_ports,
        allow_private: allow_private.into_iter().map(Spanned::into_inner).collect(),
        resolve,
    }
}

fn ports(egress: &mut Section<'_>, key: &'static str) -> Option<Vec<u16>> {
    let items = egress.value(key)?.items()?;
    let port = |number: u32| u16::try_from(number).ok();
    Some(items.filter_map(|item| item.integer(1..=65535).and_then(port)).collect())
}

fn resolve(section: &Section<'_>) -> HashMap<Host, SocketAddr> {
    let mut fixed = HashMap::new();
    for (name, place, value) in section.entries() {
        let file = section.file();
        if value.is_table() {
            // cdn.vendor.test = "…" is a table in a table to TOML.
            let hint = "a host stands in quotes: \"cdn.example.com\" = \"127.0.0.1:9443\"";
            file.error(
                place,
                Mistake::new(format!("{} is a table, expected a host", quoted(name))).hint(hint),
            );
            continue;
        }
        if name.contains('*') {
            let hint = "name each host: addresses are fixed for one host at a time";
            file.error(
                place,
                Mistake::new(format!("{} has a star, expected a host", quoted(name))).hint(hint),
            );
            continue;
        }
        let address = value.parse(|text| address_and_port(text, 443)).filter(|address| {
            if address.port() == 0 {
                file.error(value.place(), Mistake::new("the port is 0, expected 1 to 65535"));
            }
            address.port() != 0
        });
        match Host::parse(name) {
            Err(error) => {
                let mistake = Mistake::new(format!("{}: {error}", quoted(name)));
                file.error(place, mistake.hint("expected a host without scheme and port"));
            }
            Ok(host) => {
                if let Some(address) = address
                    && fixed.insert(host.clone(), address).is_some()
                {
                    file.error(place, Mistake::new(format!("{host} is listed twice")));
                }
            }
        }
    }
    fixed
}

fn extra_roots(root: &mut Section<'_>, base: &Path) -> Vec<PathBuf> {
    let mut tls = root.section("upstream_tls");
    let roots = tls.parse_list("extra_roots", |text| path(base, text)).unwrap_or_default();
    for pem in &roots {
        if let Err(error) = std::fs::metadata(pem.get_ref()) {
            let cause = crate::source::cause(&error);
            let message = format!("{} cannot be read: {cause}", pem.get_ref().display());
            tls.file().error(pem.span(), Mistake::new(message).hint("expected a PEM file with certificates"));
        }
    }
    tls.finish();
    roots.into_iter().map(Spanned::into_inner).collect()
}

fn limits(root: &mut Section<'_>) -> Limits {
    let default = Limits::default();
    let mut limits = root.section("limits");
    let max_body = artifact_size(&mut limits, "max_body").unwrap_or(default.max_body);
    let max_installer = artifact_size(&mut limits, "max_installer").unwrap_or(default.max_installer);
    let read = Limits {
        max_body,
        max_installer,
        memory_body: limits.size("memory_body").unwrap_or(default.memory_body),
        held_memory: held_memory(&mut limits).unwrap_or(default.held_memory),
        held_disk: held_disk(&mut limits, max_installer).unwrap_or(default.held_disk),
        max_hold: timeout(&mut limits, "max_hold").unwrap_or(default.max_hold),
        patience: timeout(&mut limits, "patience").unwrap_or(default.patience),
        max_ratio: limits.integer("max_ratio", 1..=1_000_000).unwrap_or(default.max_ratio),
        header_timeout: timeout(&mut limits, "header_timeout").unwrap_or(default.header_timeout),
        upstream_timeout: timeout(&mut limits, "upstream_timeout").unwrap_or(default.upstream_timeout),
        idle_timeout: timeout(&mut limits, "idle_timeout").unwrap_or(default.idle_timeout),
        max_connections: limits
            .integer("max_connections", 1..=10_000_000)
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(default.max_connections),
    };
    limits.finish();
    read
}

fn artifact_size(limits: &mut Section<'_>, key: &'static str) -> Option<u64> {
    let size = limits.size(key)?;
    if size == 0 {
        let mistake = Mistake::new(format!("{key} is 0: no artifact could pass"));
        limits.file().error(limits.place_of(key).unwrap_or_default(), mistake);
    }
    Some(size)
}

/// A quarter of this, which is what one vendor has, is enough for the largest window of a coding.
const AMPLE_HELD_MEMORY: u64 = 96 * 1024 * 1024;

fn held_memory(limits: &mut Section<'_>) -> Option<u64> {
    let size = limits.size("held_memory")?;
    if size < AMPLE_HELD_MEMORY {
        let message = "held_memory is little: bodies whose coding has a large window are held one at a time";
        let mistake = Mistake::new(message).hint("\"96MiB\" is enough for one of each vendor");
        limits.file().warn(limits.place_of("held_memory").unwrap_or_default(), mistake);
    }
    Some(size)
}

fn held_disk(limits: &mut Section<'_>, max_installer: u64) -> Option<u64> {
    let size = limits.size("held_disk");
    if size.unwrap_or(Limits::default().held_disk) < max_installer {
        let place = limits.place_of("held_disk").or_else(|| limits.place_of("max_installer"));
        let message = "held_disk is less than max_installer: the largest could never be held";
        limits.file().error(place.unwrap_or_default(), Mistake::new(message));
    }
    size
}

fn timeout(limits: &mut Section<'_>, key: &'static str) -> Option<Duration> {
    let timeout = limits.duration(key)?;
    if timeout.is_zero() {
        let mistake = Mistake::new(format!("{key} is 0: nothing could be in time"));
        limits.file().error(limits.place_of(key).unwrap_or_default(), mistake);
        return None;
    }
    Some(timeout)
}

fn cache(root: &mut Section<'_>) -> Cache {
    let default = Cache::default();
    let mut cache = root.section("cache");
    let memory = cache.size("memory").unwrap_or(default.memory);
    let client_max_age = cache.duration("client_max_age").unwrap_or(default.client_max_age);
    cache.finish();
    Cache { memory, client_max_age }
}

fn quarantine(root: &mut Section<'_>, limits: &Limits) -> Quarantine {
    let default = Quarantine::default();
    let mut quarantine = root.section("quarantine");
    let max = quarantine.size("max").unwrap_or(default.max);
    if let Some(place) = quarantine.place_of("max").filter(|_| max < limits.max_body) {
        let message = "max is less than limits.max_body: an artifact may not fit";
        quarantine.file().warn(place, Mistake::new(message));
    }
    let per_url = quarantine.integer("per_url", 0..=1_000_000).unwrap_or(default.per_url);
    quarantine.finish();
    Quarantine { max, per_url }
}

/// Months go as a whole: less than one cannot be kept.
fn ledger(root: &mut Section<'_>) -> Ledger {
    let default = Ledger::default();
    let mut ledger = root.section("ledger");
    let retention = ledger.duration("retention").unwrap_or(default.retention);
    if let Some(place) = ledger.place_of("retention").filter(|_| retention < SHORTEST_RETENTION) {
        let mistake = Mistake::new("retention is shorter than a month, and the ledger is dropped by months");
        ledger.file().error(place, mistake.hint("write retention = \"31d\", or longer"));
    }
    let redact = ledger.parse_list("redact", parameter).unwrap_or_default();
    ledger.finish();
    Ledger { retention, redact: Redaction::of(redact.iter().map(|name| &**name.get_ref())) }
}

/// The bare name of a query parameter.
fn parameter(text: &str) -> Result<String, Mistake> {
    let is_bare = !text.is_empty() && !text.contains(['&', ';', '=', '?', '#', '[', '%', ' ']);
    let wrong = || Mistake::new(format!("{} is no name of a query parameter", quoted(text)));
    if is_bare { Ok(text.to_owned()) } else { Err(wrong().hint("write the bare name: \"token\"")) }
}

/// People who must agree before a digest is released.
fn approvers(root: &mut Section<'_>) -> u32 {
    let mut review = root.section("review");
    let approvers = review.integer("approvers", 1..=100).unwrap_or(1);
    review.finish();
    approvers
}

/// How often the gateway tests itself. `None` is `"off"`.
fn canary(root: &mut Section<'_>) -> Option<Duration> {
    let mut canary = root.section("canary");
    let every = canary.parse("every", |text| {
        let every = vendors::duration_or("off", "every", text)?;
        if every.is_some_and(|every| every < SHORTEST_CANARY) {
            let message = format!("every is {}, expected \"1s\" or more", quoted(text));
            return Err(Mistake::new(message).hint("\"off\" turns the canary off"));
        }
        Ok(every)
    });
    canary.finish();
    every.unwrap_or(Some(settings::CANARY_EVERY))
}

fn pins(root: &mut Section<'_>, base: &Path) -> PinsFiles {
    let named = root.parse_list("pins", |text| path(base, text).map(|_| text.to_owned()));
    let Some(named) = named else { return PinsFiles::Default };
    let mut seen = HashSet::new();
    for name in &named {
        if !seen.insert(base.join(name.get_ref())) {
            root.file()
                .error(name.span(), Mistake::new(format!("{} is listed twice", quoted(name.get_ref()))));
        }
    }
    PinsFiles::Named(named)
}

pub(crate) fn path(base: &Path, text: &str) -> Result<PathBuf, Mistake> {
    if text.is_empty() || text.contains('\0') {
        return Err(Mistake::new(format!("{} is not a path", quoted(text))));
    }
    Ok(base.join(text))
}

/// An address literal and a port: a name would have to be resolved, and could come out differently each time.
pub(crate) fn address_and_port(text: &str, usual: u16) -> Result<SocketAddr, Mistake> {
    let hint = || {
        let candidates = [
            text.strip_prefix("localhost").map(|rest| format!("127.0.0.1{rest}")),
            text.strip_prefix('*').map(|rest| format!("0.0.0.0{rest}")),
            text.starts_with(':').then(|| format!("0.0.0.0{text}")),
            Some(format!("{text}:{usual}")),
            Some(format!("[{text}]:{usual}")),
        ];
        let right = candidates.into_iter().flatten().find(|right| right.parse::<SocketAddr>().is_ok());
        right.map(|right| format!("write {}", quoted(&right)))
    };
    text.parse().map_err(|_| {
        Mistake::new(format!("{} is not an address and a port", quoted(text))).hint_if_any(hint())
    })
}

/// A network in CIDR notation, without bits that its length cuts off: nobody can say what those meant.
fn network(text: &str) -> Result<IpNet, Mistake> {
    let wrong = |hint: Option<String>| {
        Err(Mistake::new(format!("{} is not a network", quoted(text)))
            .hint_if_any(hint.map(|right| format!("write {}", quoted(&right)))))
    };
    match (text.parse::<IpNet>(), text.parse::<std::net::IpAddr>()) {
        (Ok(network), _) if network.trunc() == network => Ok(network),
        (Ok(network), _) => wrong(Some(network.trunc().to_string())),
        (Err(_), Ok(address)) => wrong(Some(IpNet::from(address).to_string())),
        (Err(_), Err(_)) => Err(Mistake::new(format!("{} is not a network", quoted(text)))
            .hint("expected an address and a prefix length: \"10.0.0.0/8\", \"fd00::/8\"")),
    }
}
