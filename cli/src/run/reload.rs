//! Files that change while the gateway runs: all of them hold, or those before them.
//!
//! A change counts when it has settled, so that a file which is being written is not taken for one that has lost its
//! pins, nor one that was cut short for one that guards less. A SIGHUP says that the files are as they should be, and counts
//! at once, and for what they settle as where they are still being written. What cannot be used is said once. Where that does
//! not lie in the files it is tried again: a revocation that a full disk kept out must come in by itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use pinfold_certs::{CaError, CaOptions, CertificateAuthority, Opened};
use pinfold_config::{Config, Loaded};
use pinfold_policy::decisions::Revocations;
use pinfold_policy::host::HostPattern;
use pinfold_policy::policy::Rulebook;
use pinfold_policy::vendor::OtherTls;
use pinfold_proxy::Reloader;
use pinfold_store::Store;
use pinfold_store::entry::{Notice, What};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::authority::Authority;
use super::console_tls::ConsoleTlsInForce;
use super::review::InForce;
use super::signals::HangUps;
use super::start_only::StartOnly;
use super::watch::{self, Cause, Eyes, Found, Read, Seen, Settling};
use crate::configuration::Configuration;
use crate::failure::{Complaint, Failure};
use crate::wiring;
use crate::words::counted;

/// How often the files are looked at. A change is in force after two or three looks.
const EVERY: Duration = Duration::from_millis(500);
/// What does not lie in the files is tried again this often.
const AGAIN: Duration = Duration::from_secs(10);
/// Of all that is wrong with files, so much is told.
const FINDINGS: usize = 20;

/// What the files said when they were last taken.
pub(crate) struct Standing {
    pub(crate) seen: Seen,
    pub(crate) start_only: StartOnly,
    pub(crate) ca_dir: PathBuf,
    pub(crate) ca_options: CaOptions,
    /// The fingerprint of the root that clients trust.
    pub(crate) root: String,
    pub(crate) guards: Guards,
    /// What the console has of them.
    pub(crate) in_force: InForce,
    /// What it shows who it is with.
    pub(crate) console_tls: ConsoleTlsInForce,
}

/// What a file that was cut short, by a copy that stalls or a disk that is full, would say less of: it is mostly one that makes
/// sense.
pub(crate) struct Guards {
    hosts: BTreeSet<HostPattern>,
    revocations: Revocations,
    wants_users: bool,
    approvers: u32,
    other_tls: OtherTls,
}

impl Guards {
    pub(crate) fn of(config: &Config) -> Self {
        let Rulebook { vendors, revocations, other_tls, .. } = &config.rulebook;
        Self {
            hosts: vendors.all().iter().flat_map(|vendor| vendor.hosts.iter().cloned()).collect(),
            revocations: revocations.clone(),
            wants_users: config.users_file.is_some(),
            approvers: config.approvers,
            other_tls: *other_tls,
        }
    }

    fn at_least(&self, before: &Self) -> Result<(), Failure> {
        let gone: Vec<_> = before.hosts.difference(&self.hosts).collect();
        let undone = before.revocations.iter().filter(|digest| !self.revocations.contain(digest)).count();
        let mut less = Vec::new();
        if let Some(host) = gone.first() {
            less.push(format!("no vendor claims {host} any more ({})", counted(gone.len(), "host pattern")));
        }
        if undone > 0 {
            less.push(format!("{} would be undone", counted(undone, "revocation")));
        }
        if before.wants_users && !self.wants_users {
            less.push("nobody would need a password".to_owned());
        }
        if self.approvers < before.approvers {
            less.push(format!("fewer people would have to agree ({})", self.approvers));
        }
        if (before.other_tls, self.other_tls) == (OtherTls::Intercept, OtherTls::Tunnel) {
            less.push("other hosts would not be decrypted".to_owned());
        }
        if less.is_empty() {
            return Ok(());
        }
        let hint = "if the files are as they should be, say so: send SIGHUP, as 'systemctl reload' does";
        Err(Failure::configuration(format!("they guard less: {}", less.join("; "))).hint(hint))
    }
}

/// Follows the files of a gateway.
pub(crate) struct Reloading {
    configuration: Configuration,
    reloader: Reloader,
    store: Store,
    standing: Standing,
    eyes: Eyes,
    settling: Settling,
    trouble: Option<Trouble>,
    outcomes: Arc<Outcomes>,
}

/// How often changed files were taken, and how often they could not be used.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) taken: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// Why the files that were read last are not in force.
struct Trouble {
    text: String,
    /// When it may be over though nobody changes a file: a disk that was full, a key that was elsewhere.
    again: Option<Instant>,
    /// Why they were read: who said that they are as they should be has said so.
    cause: Cause,
}

impl Trouble {
    fn of(failure: &Failure, cause: Cause) -> Self {
        let again = match failure {
            Failure::Files(_) | Failure::Configuration(_) | Failure::ReaderGone => None,
            Failure::CouldNot(_) => Some(Instant::now() + AGAIN),
        };
        Self { text: told(failure).0, again, cause }
    }
}

/// What came of a change.
struct Taken {
    version: u64,
    /// In numbers.
    rules: String,
    /// Keys that have changed, and that only a start takes.
    waiting: Vec<&'static str>,
}

impl Reloading {
    pub(crate) fn new(
        configuration: Configuration,
        reloader: Reloader,
        store: Store,
        standing: Standing,
    ) -> Self {
        let settling = Settling::from(&standing.seen);
        let (eyes, outcomes) = (Eyes::default(), Arc::default());
        Self { configuration, reloader, store, standing, eyes, settling, trouble: None, outcomes }
    }

    /// What is counted of it, for metrics.
    pub(crate) fn outcomes(&self) -> Arc<Outcomes> {
        Arc::clone(&self.outcomes)
    }

    /// Follows the files until `stop`. Blocks its thread while it reads.
    pub(crate) async fn run(mut self, mut hang_ups: HangUps, stop: CancellationToken) {
        let mut looks = interval(EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = hang_ups.next() => {
                    self.trouble = None;
                    self.settling.ask();
                    self.reload(Cause::Asked).await;
                }
                _ = looks.tick() => self.look().await,
            }
        }
    }

    async fn look(&mut self) {
        let paths = self.standing.seen.paths();
        let now = self.eyes.look(&paths);
        let is_due = |trouble: &&Trouble| trouble.again.is_some_and(|again| again <= Instant::now());
        let again = self.trouble.as_ref().filter(is_due).map(|trouble| trouble.cause);
        match (self.settling.look(now, &self.standing.seen), again) {
            (Found::Change(cause), _) => {
                self.trouble = None;
                self.reload(cause).await;
            }
            (Found::Moving | Found::Same, Some(cause)) => self.reload(cause).await,
            (Found::Moving | Found::Same, None) => {}
        }
    }

    /// Takes the files as they are, or says why not.
    async fn reload(&mut self, cause: Cause) {
        if watch::comes_once(&self.configuration) {
            let failure = Failure::could_not("the configuration came through a pipe and is gone");
            return self.tell(self.refused(&failure.hint("restart pinfold with another one"))).await;
        }
        let known = self.standing.seen.paths();
        // Files that do not stand still differ from those seen last, and are looked at again.
        let Some(Read { loaded, seen }) = watch::read(&self.configuration, &known) else {
            return;
        };
        let taken = match loaded {
            Ok(loaded) => self.take(loaded, cause).await,
            Err(failure) => Err(failure),
        };
        // Also where they cannot be used: the same files are no change.
        self.standing.seen = seen;
        let told = self.trouble.take();
        match taken {
            Ok(taken) => self.tell(self.in_force(&taken)).await,
            Err(failure) => {
                let trouble = Trouble::of(&failure, cause);
                if told.is_none_or(|told| told.text != trouble.text) {
                    self.tell(self.refused(&failure)).await;
                }
                self.trouble = Some(trouble);
            }
        }
    }

    async fn tell(&self, notice: Notice) {
        if let Err(error) = self.store.notice(notice).await {
            tracing::error!(%error, "cannot record what became of changed files");
        }
    }

    /// What can fail comes first, what cannot be taken back last.
    async fn take(&mut self, loaded: Loaded, cause: Cause) -> Result<Taken, Failure> {
        let Loaded { config, warnings } = loaded;
        let guards = Guards::of(&config);
        match cause {
            Cause::Asked => {}
            Cause::Seen => guards.at_least(&self.standing.guards)?,
        }
        let settings = wiring::settings(&config)?;
        let options = wiring::ca_options(&config);
        let identity = self.standing.console_tls.staged(&config)?;
        let ca = self.open_ca(&options)?;
        let waiting = self.standing.start_only.differing(&config);
        let Config { rulebook, quarantine, approvers, console_users, .. } = config;
        let rulebook = Arc::new(rulebook);
        let rules = in_numbers(&rulebook);
        let authority = ca.as_deref().map(Authority::of);
        let taken = self.reloader.take(&settings, (Arc::clone(&rulebook), approvers), ca).await;
        let version = taken.map_err(|error| Failure::could_not(error.to_string()))?;
        self.standing.guards = guards;
        self.standing.in_force.take(console_users, rulebook, approvers);
        self.standing.console_tls.take(identity);
        if let Some(authority) = authority {
            authority.tell(&self.store, &settings.clock).await;
        }
        self.store.bound_quarantine(quarantine.max, quarantine.per_url);
        self.standing.ca_options = options;
        for warning in warnings.iter().take(FINDINGS) {
            tracing::warn!("{}", in_one_line(warning));
        }
        Ok(Taken { version, rules, waiting })
    }

    /// The CA for other hosts. None where the one in use will do.
    fn open_ca(&self, options: &CaOptions) -> Result<Option<Arc<CertificateAuthority>>, Failure> {
        let Standing { ca_dir, ca_options, root, .. } = &self.standing;
        if options == ca_options {
            return Ok(None);
        }
        let opened = CertificateAuthority::open(ca_dir, options, SystemTime::now());
        let Opened { ca, made_issuer, .. } = opened.map_err(without_issuer)?;
        if ca.root_fingerprint_sha256() != *root {
            return Err(Failure::could_not(format!("{}: another root is here", ca.root_path().display()))
                .hint("restart pinfold to use it, once clients trust it"));
        }
        if made_issuer {
            tracing::info!("made a new issuing CA for the vendors' hosts; clients trust it through the root");
        }
        Ok(Some(Arc::new(ca)))
    }

    fn in_force(&self, taken: &Taken) -> Notice {
        let Taken { version, rules, waiting } = taken;
        self.outcomes.taken.fetch_add(1, Ordering::Relaxed);
        let waiting = match waiting.as_slice() {
            [] => String::new(),
            keys => format!("waiting for a restart: {}; ", keys.join(", ")),
        };
        // What may be cut off comes last.
        let text = format!("{rules}; {waiting}{}", self.standing.seen.in_words());
        tracing::info!("changed files are in force: policy {version}, {text}");
        self.notice(What::PolicyReloaded, *version, text)
    }

    fn refused(&self, failure: &Failure) -> Notice {
        let (text, hint) = told(failure);
        self.outcomes.refused.fetch_add(1, Ordering::Relaxed);
        let hint = hint.map(|hint| format!("; hint: {hint}")).unwrap_or_default();
        tracing::error!("changed files cannot be used, and those before them stay in force: {text}{hint}");
        self.notice(What::ReloadFailed, self.reloader.version(), text)
    }

    fn notice(&self, what: What, policy_version: u64, text: String) -> Notice {
        Notice::of_gateway(what, Timestamp::now(), text, policy_version).about(self.configuration.name())
    }
}

/// `2 vendors, 14 pins, 1 revocation`.
fn in_numbers(rules: &Rulebook) -> String {
    [
        counted(rules.vendors.all().len(), "vendor"),
        counted(rules.pins.all().len(), "pin"),
        counted(rules.revocations.len(), "revocation"),
    ]
    .join(", ")
}

/// No issuing CA for these files.
fn without_issuer(error: CaError) -> Failure {
    let is_for_the_key = matches!(error, CaError::RootKeyMissing { .. });
    let hint = error.hint().map(|hint| match is_for_the_key {
        true => format!("{hint}; it is then found by itself, or restart with the key at hand"),
        false => hint,
    });
    Failure::could_not(error.to_string()).hint_if_any(hint)
}

/// What is wrong, in one line, and what to do about it.
pub(super) fn told(failure: &Failure) -> (String, Option<&str>) {
    match failure {
        Failure::Files(found) => {
            let errors: Vec<_> = found.errors().collect();
            let mut lines: Vec<_> = errors.iter().take(FINDINGS).map(|error| in_one_line(error)).collect();
            if errors.len() > FINDINGS {
                lines.push(format!("and {} more", errors.len() - FINDINGS));
            }
            (lines.join("; "), Some("run 'pinfold check'"))
        }
        Failure::Configuration(Complaint { message, hint })
        | Failure::CouldNot(Complaint { message, hint }) => (message.clone(), hint.as_deref()),
        Failure::ReaderGone => (String::new(), None),
    }
}

/// Without what every line of a command begins with.
fn in_one_line(found: &pinfold_config::diagnostic::Diagnostic) -> String {
    let line = found.to_string();
    let severity = format!("pinfold: {}: ", found.severity.as_str());
    line.strip_prefix(&severity).unwrap_or(&line).to_owned()
}
