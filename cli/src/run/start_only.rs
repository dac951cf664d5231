//! The keys that only a start takes: sockets, directories, outputs, and what is sized once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use pinfold_config::Config;
use pinfold_config::settings::{Cache, Console, Ledger, Limits, Oidc, SiemOutput};
use pinfold_policy::host::Host;

/// Them, as they were at the start.
pub(crate) struct StartOnly {
    listen: Vec<SocketAddr>,
    data_dir: PathBuf,
    extra_roots: Vec<PathBuf>,
    limits: Limits,
    siem: Vec<SiemOutput>,
    canary: Option<Duration>,
    console: Option<SocketAddr>,
    console_names: Vec<Host>,
    console_is_tls: bool,
    oidc: Option<Oidc>,
    cache_memory: u64,
    retention: Duration,
}

impl StartOnly {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            listen: config.listen.clone(),
            data_dir: config.data_dir.clone(),
            extra_roots: config.extra_roots.clone(),
            limits: config.limits.clone(),
            siem: config.siem.clone(),
            canary: config.canary,
            console: config.console.as_ref().map(|console| console.listen),
            console_names: names(config.console.as_ref()),
            console_is_tls: is_tls(config.console.as_ref()),
            oidc: config.console.as_ref().and_then(|console| console.oidc.clone()),
            cache_memory: config.cache.memory,
            retention: config.ledger.retention,
        }
    }

    /// Those that say something else in `config`. A new key must take a side here.
    pub(crate) fn differing(&self, config: &Config) -> Vec<&'static str> {
        let Config {
            listen,
            data_dir,
            extra_roots,
            limits,
            siem,
            canary,
            console,
            file: _,
            pins_files: _,
            mode: _,
            clients: _,
            users_file: _,
            users: _,
            console_users_file: _,
            console_users: _,
            certs: _,
            egress: _,
            cache: Cache { memory, client_max_age: _ },
            quarantine: _,
            ledger: Ledger { retention, redact: _ },
            // For commands: the gateway goes by the decisions that they make.
            approvers: _,
            rulebook: _,
            revoked_at: _,
        } = config;
        let own = [
            ("listen", self.listen != *listen),
            ("data_dir", self.data_dir != *data_dir),
            ("upstream_tls.extra_roots", self.extra_roots != *extra_roots),
            ("siem", self.siem != *siem),
            ("canary.every", self.canary != *canary),
            ("console.listen", self.console != console.as_ref().map(|console| console.listen)),
            ("console.names", self.console_names != names(console.as_ref())),
            // From one certificate to another takes no start.
            ("console.tls", self.console_is_tls != is_tls(console.as_ref())),
            (
                "console.oidc",
                self.oidc.as_ref() != console.as_ref().and_then(|console| console.oidc.as_ref()),
            ),
            ("ledger.retention", self.retention != *retention),
            ("cache.memory", self.cache_memory != *memory),
        ];
        own.into_iter()
            .chain(self.limits(limits))
            .filter_map(|(key, differs)| differs.then_some(key))
            .collect()
    }

    fn limits(&self, limits: &Limits) -> [(&'static str, bool); 8] {
        let Limits {
            max_installer,
            memory_body,
            held_memory,
            held_disk,
            header_timeout,
            upstream_timeout,
            idle_timeout,
            max_connections,
            max_body: _,
            max_hold: _,
            patience: _,
            max_ratio: _,
        } = limits;
        let own = &self.limits;
        [
            ("limits.max_installer", own.max_installer != *max_installer),
            ("limits.memory_body", own.memory_body != *memory_body),
            ("limits.held_memory", own.held_memory != *held_memory),
            ("limits.held_disk", own.held_disk != *held_disk),
            ("limits.header_timeout", own.header_timeout != *header_timeout),
            ("limits.upstream_timeout", own.upstream_timeout != *upstream_timeout),
            ("limits.idle_timeout", own.idle_timeout != *idle_timeout),
            ("limits.max_connections", own.max_connections != *max_connections),
        ]
    }
}

fn names(console: Option<&Console>) -> Vec<Host> {
    console.map(|console| console.names.clone()).unwrap_or_default()
}

fn is_tls(console: Option<&Console>) -> bool {
    console.is_some_and(|console| console.tls.is_some())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pinfold_config::load::built_in_without_pins;

    use super::*;

    fn config(text: &'static str) -> Config {
        built_in_without_pins(text, Path::new("")).unwrap().config
    }

    #[test]
    fn every_key_that_waits_for_a_start_is_named_and_no_other() {
        let standing = StartOnly::of(&config(""));
        assert!(standing.differing(&config("")).is_empty());
        let mut others = config(
            r#"
            listen = ["127.0.0.1:9"]
            data_dir = "elsewhere"
            [limits]
            max_installer = "1GiB"
            memory_body = "2MiB"
            held_memory = "512MiB"
            held_disk = "16GiB"
            header_timeout = "11s"
            upstream_timeout = "31s"
            idle_timeout = "61s"
            max_connections = 9
            [cache]
            memory = "1MiB"
            [[siem]]
            to = "stdout:"
            [canary]
            every = "off"
            [console]
            listen = "127.0.0.1:10"
            names = ["pinfold.test"]
            tls = "local-ca"
            [console.oidc]
            issuer = "https://login.test"
            client_id = "pinfold"
            client_secret_file = "oidc.secret"
            viewers = ["all"]
            "#,
        );
        others.extra_roots.push("root.pem".into());
        let keys = standing.differing(&others).join(" ");
        assert_eq!(
            keys,
            "listen data_dir upstream_tls.extra_roots siem canary.every console.listen console.names console.tls console.oidc cache.memory limits.max_installer limits.memory_body \
             limits.held_memory limits.held_disk limits.header_timeout limits.upstream_timeout \
             limits.idle_timeout limits.max_connections"
        );
        let live = config(
            r#"
            mode = "observe"
            [clients]
            allow = ["10.0.0.0/8"]
            [certs]
            leaf_lifetime = "1d"
            [other_hosts]
            scripts = "block"
            [egress]
            connect_ports = [443]
            [limits]
            max_body = "1MiB"
            max_ratio = 9
            max_hold = "1m"
            patience = "1s"
            [cache]
            client_max_age = "1m"
            [quarantine]
            per_url = 1
            "#,
        );
        assert!(standing.differing(&live).is_empty());
    }
}
