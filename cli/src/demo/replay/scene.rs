//! What a vendor serves at which hour of an incident: pure, so that it can be read and tested without a server.
//!
//! An hour is counted from when the changed bytes went live; those before are negative.

use std::collections::HashMap;

use bytes::Bytes;
use http::HeaderValue;
use jiff::SignedDuration;

use crate::demo::Doing as _;
use crate::demo::incidents::{Delivery, Documented, Known, Ware};
use crate::demo::origin::Served;
use crate::demo::replay::office::Agent;
use crate::demo::replay::regime::Regime;
use crate::failure::Failure;

/// Where attackers have what they lead to.
pub(super) const ATTACKER: &str = "attacker.example";

/// The office uses the vendor's file for a day before.
pub(super) const BEFORE: SignedDuration = SignedDuration::from_hours(24);
/// Incidents that lasted longer are played for this long, twice the cooldown: what is to happen has happened by then.
pub(super) const LONGEST: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Where nothing is known of a duration, it is played at this one too.
const SHORT: SignedDuration = SignedDuration::from_hours(24);
/// For three days after, the vendor serves what it had before. Rechecks that found nothing come more rarely, and are back by then.
const TAKEN_BACK: SignedDuration = SignedDuration::from_hours(72);
/// Then it brings out a version that is in order, and is watched for two days more than the cooldown.
pub(super) const WATCHED: SignedDuration = SignedDuration::from_hours(9 * 24);

/// One incident, played at one duration.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) incident: Documented,
    pub(super) lasts: SignedDuration,
}

/// Which of a vendor's builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Build {
    /// The one that was reviewed and pinned.
    Reviewed,
    /// The attacker's.
    Changed,
    /// One that is in order, and that nobody has reviewed yet.
    Next,
}

impl Build {
    pub(super) const ALL: [Self; 3] = [Self::Reviewed, Self::Changed, Self::Next];

    fn version(self) -> &'static str {
        match self {
            Self::Reviewed => "1.0.0",
            Self::Changed => "1.0.1",
            Self::Next => "1.0.2",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Reviewed => "as it was reviewed",
            Self::Changed => "with what the attacker put in, which does nothing here",
            Self::Next => "a new version that is in order",
        }
    }
}

/// What goes on at the vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Before,
    Live,
    TakenBack,
    Next,
}

/// The durations at which an incident is played: both ends of what is known.
pub(super) fn scenes(incident: &Documented) -> Vec<Scene> {
    let (one, other) = match incident.duration.known {
        Known::Nothing => (SHORT, LONGEST),
        Known::AtMost(longest) => (longest, longest),
        Known::Between(shortest, longest) => (shortest, longest),
    };
    let mut durations = vec![one.min(LONGEST), other.min(LONGEST)];
    durations.dedup();
    durations.into_iter().map(|lasts| Scene { incident: incident.clone(), lasts }).collect()
}

impl Scene {
    pub(super) fn phase(&self, at: SignedDuration) -> Phase {
        if at.is_negative() {
            Phase::Before
        } else if at < self.lasts {
            Phase::Live
        } else if at < self.next_appears() {
            Phase::TakenBack
        } else {
            Phase::Next
        }
    }

    /// When the version appears that is in order.
    pub(super) fn next_appears(&self) -> SignedDuration {
        self.lasts + TAKEN_BACK
    }

    /// When it is over.
    pub(super) fn ends(&self) -> SignedDuration {
        self.next_appears() + WATCHED
    }

    /// The name of a vendor's host: each regime has a vendor of its own, that serves the same.
    pub(super) fn host(&self, regime: Regime) -> String {
        format!("{}.{}-{}h.example", regime.label(), self.incident.id, hours(self.lasts))
    }

    /// The URL that stays the same from version to version.
    pub(super) fn fixed_url(&self, regime: Regime) -> String {
        format!("https://{}/latest/{}", self.host(regime), self.file_name())
    }

    /// The URL that a vendor's page links to, where it is another one.
    pub(super) fn link(&self, regime: Regime, at: SignedDuration) -> Option<String> {
        match (self.incident.delivery, self.phase(at)) {
            (Delivery::NewVersion, phase) => Some(self.version_url(regime, build_of(phase))),
            (Delivery::Redirect, Phase::Live) => Some(self.attackers_url()),
            (Delivery::Redirect, Phase::Before | Phase::TakenBack | Phase::Next) => None,
            (Delivery::SameUrl | Delivery::Ownership, _) => None,
        }
    }

    /// URLs that a reviewer has pinned before.
    pub(super) fn pinned_urls(&self, regime: Regime) -> Vec<String> {
        let version = (self.incident.delivery == Delivery::NewVersion)
            .then(|| self.version_url(regime, Build::Reviewed));
        [self.fixed_url(regime)].into_iter().chain(version).collect()
    }

    /// The bodies that a reviewer has seen at them.
    pub(super) fn pinned_bodies(&self) -> Vec<Bytes> {
        let mut bodies: Vec<_> = Agent::ALL
            .into_iter()
            .filter(|agent| agent.is_known_to_reviewers())
            .map(|agent| self.body(Build::Reviewed, agent))
            .collect();
        bodies.dedup();
        bodies
    }

    /// What is served where at an hour.
    pub(super) fn served(
        &self,
        regime: Regime,
        at: SignedDuration,
    ) -> Result<Vec<(String, Served)>, Failure> {
        let phase = self.phase(at);
        let fixed = match (self.incident.delivery, phase) {
            (Delivery::Redirect, Phase::Live) => {
                let attackers = HeaderValue::try_from(self.attackers_url());
                Served::Redirect(attackers.doing("write a redirect")?)
            }
            (Delivery::Ownership, phase) => self.by_agent(phase),
            (Delivery::SameUrl | Delivery::NewVersion | Delivery::Redirect, phase) => {
                self.file(build_of(phase))
            }
        };
        let mut served =
            vec![(self.fixed_url(regime), fixed), (self.attackers_url(), self.file(Build::Changed))];
        if self.incident.delivery == Delivery::NewVersion {
            for build in Build::ALL {
                let there = build == Build::Reviewed || build == build_of(phase);
                let file = if there { self.file(build) } else { Served::Nothing };
                served.push((self.version_url(regime, build), file));
            }
        }
        Ok(served)
    }

    /// A build as an agent gets it. All of them are stand-ins: text that does nothing.
    pub(super) fn body(&self, build: Build, agent: Agent) -> Bytes {
        let name = &self.incident.name;
        let variant = match self.incident.delivery {
            Delivery::Ownership => format!(", for {}", agent.name()),
            Delivery::SameUrl | Delivery::NewVersion | Delivery::Redirect => String::new(),
        };
        let text = format!("stand-in for {name}{variant}: {}", build.text());
        match self.incident.kind {
            Ware::Installer => format!("MZ {text}\n"),
            Ware::CiScript => format!("#!/bin/sh\n# {text}\n"),
            Ware::Script | Ware::Package => format!("// {text}\n"),
        }
        .into()
    }

    /// The build that this is a body of.
    pub(super) fn build(&self, body: &[u8], agent: Agent) -> Option<Build> {
        Build::ALL.into_iter().find(|build| self.body(*build, agent) == body)
    }

    /// As what a reviewer pins it.
    pub(super) fn pinned_kind(&self) -> &'static str {
        match self.incident.kind {
            Ware::Installer | Ware::CiScript => "installer",
            Ware::Script | Ware::Package => "script",
        }
    }

    fn file(&self, build: Build) -> Served {
        Served::File(self.media_type(), self.body(build, Agent::Desktop))
    }

    /// The new owner leaves alone who would notice.
    fn by_agent(&self, phase: Phase) -> Served {
        let build = |agent| match (phase, agent) {
            (Phase::Live, Agent::Desktop) => Build::Reviewed,
            (phase, _) => build_of(phase),
        };
        let bodies = Agent::ALL.map(|agent| (agent.field(), self.body(build(agent), agent)));
        Served::ByAgent(self.media_type(), HashMap::from(bodies))
    }

    fn version_url(&self, regime: Regime, build: Build) -> String {
        format!("https://{}/{}/{}", self.host(regime), build.version(), self.file_name())
    }

    fn attackers_url(&self) -> String {
        format!("https://{ATTACKER}/{}/{}", self.incident.id, self.file_name())
    }

    fn file_name(&self) -> &'static str {
        match self.incident.kind {
            Ware::Installer => "setup.exe",
            Ware::CiScript => "upload.sh",
            Ware::Script => "widget.js",
            Ware::Package => "index.js",
        }
    }

    fn media_type(&self) -> &'static str {
        match self.incident.kind {
            Ware::Installer => "application/octet-stream",
            Ware::CiScript => "text/x-shellscript",
            Ware::Script | Ware::Package => "text/javascript",
        }
    }
}

/// Whole hours.
pub(super) fn hours(time: SignedDuration) -> i64 {
    time.as_hours()
}

fn build_of(phase: Phase) -> Build {
    match phase {
        Phase::Before | Phase::TakenBack => Build::Reviewed,
        Phase::Live => Build::Changed,
        Phase::Next => Build::Next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::incidents::chosen;

    fn of_hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    fn played(id: &str) -> Vec<SignedDuration> {
        scenes(&chosen(id).unwrap()[0]).into_iter().map(|scene| scene.lasts).collect()
    }

    #[test]
    fn both_ends_of_what_is_known_are_played_up_to_twice_the_cooldown() {
        assert_eq!(played("comm100-2022"), [of_hours(48), of_hours(72)]);
        assert_eq!(played("solarwinds-2020"), [LONGEST]);
        assert_eq!(played("polyfill-2024"), [SHORT, LONGEST]);
        assert_eq!(played("lottie-2024"), [of_hours(24)]);
        assert_eq!(played("eslint-scope-2018"), [of_hours(2)]);
    }

    #[test]
    fn a_vendor_has_changed_bytes_for_as_long_as_is_documented() {
        let scene = scenes(&chosen("comm100-2022").unwrap()[0]).remove(0);
        let phases = [-1, 0, 47, 48, 119, 120, 1000].map(|hour| scene.phase(of_hours(hour)));
        use Phase::{Before, Live, Next, TakenBack};
        assert_eq!(phases, [Before, Live, Live, TakenBack, TakenBack, Next, Next]);
        assert_eq!(scene.ends(), of_hours(120 + 9 * 24));
    }

    #[test]
    fn each_build_is_known_by_its_bytes() {
        for incident in chosen("all").unwrap() {
            for (scene, agent) in scenes(&incident).iter().zip(Agent::ALL.iter().cycle()) {
                for build in Build::ALL {
                    assert_eq!(scene.build(&scene.body(build, *agent), *agent), Some(build));
                }
            }
        }
    }
}
