//! What replays are played on: one server for all vendors and attackers, and one gateway whose clock is moved.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pinfold_policy::digest::Digests;
use pinfold_proxy::{Clock, Hand};
use pinfold_store::sighting::InUse;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::configuration::today;
use crate::demo::client::Way;
use crate::demo::gateway::Running;
use crate::demo::origin::Origin;
use crate::demo::replay::regime::Regime;
use crate::demo::replay::scene::{ATTACKER, Scene};
use crate::demo::settings::PUBLIC_ROOT;
use crate::demo::stage::{certificate, leaf, public_authority};
use crate::demo::{Doing as _, gateway, interrupted};
use crate::failure::Failure;

/// In what steps the clock is moved: one computer asks in each, and each recheck falls into one.
pub(super) const STEP: SignedDuration = SignedDuration::from_hours(6);
/// Rechecks that fail are made more rarely, up to once in so many intervals.
const LONGEST_BACK_OFF: u32 = 8;
/// Nothing leaves the machine: what takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody is told when a recheck ends: the store is looked at, this often.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The site. [`Site::strike`] leaves nothing of it behind; so does dropping it, with less care.
pub(super) struct Site {
    pub(super) internet: Origin,
    /// The way of computers without a proxy.
    pub(super) straight: Way,
    /// The way of those whose proxy is the gateway.
    pub(super) through: Way,
    begin: Timestamp,
    hand: Hand,
    gateway: Running,
    stop: CancellationToken,
    // Last, since fields are dropped in order: what writes there ends first.
    dir: TempDir,
}

impl Site {
    /// Sets it for these scenes. `stop` ends every wait on it.
    pub(super) async fn set(scenes: &[Scene], stop: CancellationToken) -> Result<Self, Failure> {
        let dir =
            tempfile::Builder::new().prefix("pinfold-demo-").tempdir().doing("make a temporary directory")?;
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).doing(format!("write {name}"))
        };
        let ca = public_authority(&dir.path().join("stand-in-public-ca"))?;
        let hosts: Vec<_> = hosts(scenes).collect();
        let keys = hosts.iter().map(|host| Ok((&**host, leaf(&ca, host)?)));
        let internet = Origin::open(keys.collect::<Result<_, Failure>>()?).await?;
        write(PUBLIC_ROOT, ca.root_pem())?;
        write("pinfold.toml", &config_file(scenes, &hosts, internet.address()))?;
        write("pins.toml", &pins_file(scenes))?;
        let config = pinfold_config::load(&dir.path().join("pinfold.toml"), today())?.config;
        // A whole second: the store keeps no nanoseconds, and what ended seven days ago is to have ended for both.
        let begin = Timestamp::from_second(Timestamp::now().as_second()).doing("set the clock")?;
        let (clock, hand) = Clock::moved(begin);
        let gateway = gateway::start(config, clock).await?;
        Ok(Self {
            straight: Way::straight(internet.address(), certificate(ca.root_pem())?, stop.clone())?,
            through: Way::through(gateway.proxy, certificate(&gateway.root_pem)?, stop.clone())?,
            internet,
            begin,
            hand,
            gateway,
            stop,
            dir,
        })
    }

    /// Moves the clock to this time after the beginning, and waits for the rechecks that are due.
    pub(super) async fn move_to(&self, at: SignedDuration) -> Result<(), Failure> {
        let now = self.begin.checked_add(at).doing("move the clock")?;
        self.hand.move_to(now);
        let rechecks = async { tokio::time::timeout(PATIENCE, self.until_rechecked(now)).await };
        tokio::select! {
            () = self.stop.cancelled() => Err(interrupted()),
            ended = rechecks => ended.unwrap_or_else(|_| Err("they do not end".into())).doing("wait for rechecks"),
        }
    }

    async fn until_rechecked(&self, now: Timestamp) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        loop {
            let in_use = self.gateway.store().variants_in_use(now).await?;
            let hosts = format!("https://{}.", Regime::Cooldown.label());
            let mut watched = in_use.iter().filter(|in_use| in_use.variant.url.starts_with(&hosts));
            if watched.all(|in_use| !is_due(in_use, now)) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Ends everything and removes the directory.
    pub(super) async fn strike(self) -> Result<(), Failure> {
        let Self { gateway, dir, .. } = self;
        let stopped = gateway.stop().await;
        let path = dir.path().to_owned();
        dir.close().doing(format!("remove {}", path.display()))?;
        stopped
    }
}

/// Whether a recheck of it should have been made by now, however late chance made it.
fn is_due(in_use: &InUse, now: Timestamp) -> bool {
    let intervals = 2u32.saturating_pow(in_use.failures).min(LONGEST_BACK_OFF);
    let last = in_use.checked.unwrap_or(in_use.asked);
    now.duration_since(last) >= STEP * i32::try_from(intervals).unwrap_or(i32::MAX)
}

fn hosts(scenes: &[Scene]) -> impl Iterator<Item = String> {
    let vendors = scenes.iter().flat_map(|scene| Regime::ALL.map(|regime| scene.host(regime)));
    vendors.chain([ATTACKER.to_owned()])
}

/// Writing to a String cannot fail: its results are dropped.
fn config_file(scenes: &[Scene], hosts: &[String], internet: SocketAddr) -> String {
    let mut text = format!(
        "listen = [\"127.0.0.1:0\"]\n[other_hosts]\ntls = \"intercept\"\nscripts = \"block\"\n\
         [certs]\nname_constraints = false\n[upstream_tls]\nextra_roots = [\"{PUBLIC_ROOT}\"]\n[egress.resolve]\n"
    );
    for host in hosts {
        let _ = writeln!(text, "\"{host}\" = \"{internet}\"");
    }
    for (scene, regime, rules) in guarded(scenes) {
        let host = scene.host(regime);
        let name = host.trim_end_matches(".example").replace('.', "-");
        let _ = write!(
            text,
            "[[vendor]]\nname = \"{name}\"\nhosts = [\"{host}\"]\nunpinned = \"quarantine\"\n{rules}"
        );
    }
    text
}

fn pins_file(scenes: &[Scene]) -> String {
    let mut text = String::new();
    for (scene, regime, _) in guarded(scenes) {
        let digests =
            scene.pinned_bodies().into_iter().map(|body| format!("\"{}\"", Digests::of(&body).sha256));
        let digests = digests.collect::<Vec<_>>().join(", ");
        for url in scene.pinned_urls(regime) {
            let kind = scene.pinned_kind();
            let _ = writeln!(text, "[[pin]]\nurl = \"{url}\"\ndigests = [{digests}]\nkind = \"{kind}\"");
        }
    }
    text
}

/// Each vendor that the gateway judges, with its rules.
fn guarded(scenes: &[Scene]) -> impl Iterator<Item = (&Scene, Regime, &'static str)> {
    scenes.iter().flat_map(|scene| {
        Regime::ALL.into_iter().filter_map(move |regime| Some((scene, regime, regime.rules()?)))
    })
}
