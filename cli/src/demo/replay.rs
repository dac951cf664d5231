//! Any documented incident, with stand-in bytes and a moved clock: what computers of an office get without a proxy, with
//! pins, with substitution, and with a cooldown.
//!
//! All that is reported was observed. The vendors, the attackers and the computers are parts of this process; between
//! them is a gateway as `pinfold run` has it, with a vendor for each incident and regime. Its clock stands still until it
//! is moved, six hours at a time, and all incidents are played at once, so that they end together.

mod office;
mod regime;
mod report;
mod scene;
mod site;
mod tally;
mod verdict;

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::demo::client::{Line, Reply, Wanted};
use crate::demo::incidents::Documented;
use crate::demo::replay::office::{DESKS, Desk};
use crate::demo::replay::regime::Regime;
pub(crate) use crate::demo::replay::report::Report;
use crate::demo::replay::scene::{BEFORE, Scene, scenes};
use crate::demo::replay::site::{STEP, Site};
use crate::demo::replay::tally::{Asked, Got, Moment, Tally};
use crate::demo::{Doing as _, interrupted};
use crate::failure::Failure;

/// The page of the office that wants the vendor's file.
const PAGE: &str = "https://office.example/";
/// More redirects than this lead nowhere.
const REDIRECTS: usize = 3;

/// An incident, as it was played.
pub(crate) struct Replayed {
    incident: Documented,
    /// At each duration.
    played: Vec<Played>,
}

struct Played {
    lasts: SignedDuration,
    tallies: BTreeMap<Regime, Tally>,
}

/// Plays all of them. `step` is called before each step, with how many there are.
pub(crate) async fn play(
    incidents: Vec<Documented>,
    stop: CancellationToken,
    step: impl Fn(u64, u64),
) -> Result<Vec<Replayed>, Failure> {
    let scenes: Vec<_> = incidents.iter().flat_map(scenes).collect();
    let site = Site::set(&scenes, stop.clone()).await?;
    let played = acted(&site, scenes, stop, step).await;
    // Whatever happened: first the site goes, then it is said.
    site.strike().await?;
    let mut played = played?;
    Ok(incidents
        .into_iter()
        .map(|incident| {
            let of_it = played.extract_if(.., |act| act.scene.incident.id == incident.id);
            let played = of_it.map(|act| Played { lasts: act.scene.lasts, tallies: act.tallies }).collect();
            Replayed { incident, played }
        })
        .collect())
}

async fn acted(
    site: &Site,
    scenes: Vec<Scene>,
    stop: CancellationToken,
    step: impl Fn(u64, u64),
) -> Result<Vec<Act>, Failure> {
    let end = scenes.iter().map(Scene::ends).max().unwrap_or_default() + BEFORE;
    let mut acts: Vec<_> = scenes.into_iter().map(|scene| Act::new(scene, end)).collect();
    let steps = steps(end);
    for number in 0..=steps {
        step(number, steps);
        if stop.is_cancelled() {
            return Err(interrupted());
        }
        let now = STEP * i32::try_from(number).unwrap_or(i32::MAX);
        for act in acts.iter().filter(|act| act.goes_on(now)) {
            act.publish(site, now)?;
        }
        site.move_to(now).await?;
        let asking = acts.iter_mut().filter(|act| act.goes_on(now));
        try_join_all(asking.map(|act| act.ask(site, now))).await?;
    }
    Ok(acts)
}

/// Whole steps in a time.
fn steps(time: SignedDuration) -> u64 {
    u64::try_from(time.as_secs() / STEP.as_secs()).unwrap_or_default()
}

/// A scene that is played.
struct Act {
    scene: Scene,
    /// When the changed bytes go live.
    live: SignedDuration,
    tallies: BTreeMap<Regime, Tally>,
    lines: BTreeMap<(usize, String), Option<Line>>,
}

impl Act {
    /// One that ends at `end`, or a step before.
    fn new(scene: Scene, end: SignedDuration) -> Self {
        let steps = i32::try_from(steps(end - scene.ends())).unwrap_or(i32::MAX);
        Self { scene, live: STEP * steps, tallies: BTreeMap::new(), lines: BTreeMap::new() }
    }

    fn goes_on(&self, now: SignedDuration) -> bool {
        (-BEFORE..self.scene.ends()).contains(&(now - self.live))
    }

    fn publish(&self, site: &Site, now: SignedDuration) -> Result<(), Failure> {
        for regime in Regime::ALL {
            for (url, served) in self.scene.served(regime, now - self.live)? {
                site.internet.serve(&url, served);
            }
        }
        Ok(())
    }

    /// Has the next computer ask, under each regime.
    async fn ask(&mut self, site: &Site, now: SignedDuration) -> Result<(), Failure> {
        let at = now - self.live;
        let moment = Moment { phase: self.scene.phase(at), at, since_next: at - self.scene.next_appears() };
        let turn = usize::try_from((at.as_secs() / STEP.as_secs()).rem_euclid(4)).unwrap_or_default();
        let Some(desk) = DESKS.get(turn) else { return Ok(()) };
        for regime in Regime::ALL {
            let fixed = Some((Asked::Fixed, self.scene.fixed_url(regime)));
            let link = self.scene.link(regime, at).map(|url| (Asked::Link, url));
            for (asked, url) in [fixed, link].into_iter().flatten() {
                let reply = self.fetch(site, regime, turn, desk, url).await?;
                let got = self.got(&reply, desk)?;
                self.tallies.entry(regime).or_default().take(turn, moment, asked, got);
            }
        }
        Ok(())
    }

    /// Fetches as ordinary tools do: where it is elsewhere, from there.
    async fn fetch(
        &mut self,
        site: &Site,
        regime: Regime,
        turn: usize,
        desk: &Desk,
        mut url: String,
    ) -> Result<Reply, Failure> {
        let way = if regime == Regime::NoProxy { &site.straight } else { &site.through };
        for _ in 0..REDIRECTS {
            let host = url.split('/').nth(2).unwrap_or_default();
            let line = self.lines.entry((turn, format!("{} {host}", regime.label()))).or_default();
            let wanted = Wanted { from: desk.computer, url: &url, page: PAGE, agent: desk.agent.field() };
            let reply = way.get_over(line, wanted).await?;
            let Some(elsewhere) = reply.location.clone() else { return Ok(reply) };
            url = elsewhere;
        }
        Err("it redirects too often").doing(format!("fetch {url}"))
    }

    fn got(&self, reply: &Reply, desk: &Desk) -> Result<Got, Failure> {
        let build = self.scene.build(&reply.body, desk.agent);
        match (reply.status, build) {
            (200, Some(build)) if reply.outcome() == "substituted" => Ok(Got::Substituted(build)),
            (200, Some(build)) => Ok(Got::Build(build)),
            (200, None) => Err("bytes that nobody serves").doing("tell what came"),
            (status, _) => {
                let reason = reply.parameter("reason").map(str::to_owned);
                Ok(Got::Refused(reason.unwrap_or_else(|| status.to_string())))
            }
        }
    }
}
