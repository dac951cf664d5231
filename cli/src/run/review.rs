//! What those who sign in at the console see and do: the store, the files in force, and the decisions of the commands.

mod analyst;
mod commands;
mod evidence;
mod learned;
mod ledger;
mod trusted;
mod vendors;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use pinfold_config::Loaded;
use pinfold_config::edit::{NewUser, set_user};
use pinfold_console::api::Declined;
use pinfold_console::{
    Act, Decision, Done, FirstLink, Flow, IdentityProvider, Leaf, Overview, PinFilter, Pins, Programs, Proof,
    Question, Review, Setup, SignedIn, Texts, VendorRules, VendorState, Who, WrongPassword,
};
use pinfold_policy::policy::Rulebook;
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::user::{PasswordHash, Role, Users};
use pinfold_policy::vendor::Vendor;
use pinfold_policy::verdict::Outcome;
use pinfold_proxy::Clock;
use pinfold_siem::Observer;
use pinfold_store::entry::{Notice, What};
use pinfold_store::incident::Incident;
use pinfold_store::item::{Item, ItemState};
use pinfold_store::sighting::Standing;
use pinfold_store::{Count, Store};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;

use self::analyst::{Analyst, LARGEST as READ};
pub(crate) use self::trusted::Trusted;
use super::greeting;
use super::reload::told;
use crate::comparison::Known;
use crate::configuration::Configuration;
use crate::decision;
use crate::desk::{self, At, Desk, Written};
use crate::failure::Failure;
use crate::pin;
use crate::user::salt;

/// For a page of pins: when they were asked for last is in the ledger.
const PINS_WITHIN: Duration = Duration::from_secs(30);
/// The largest body that a page hands out, in bytes: it is in memory meanwhile, and the gateway has others to serve.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What the files in force say that the console shows or asks.
#[derive(Clone)]
pub(crate) struct InForce {
    users: Arc<watch::Sender<Option<Arc<Users>>>>,
    rules: Arc<watch::Sender<Arc<Rulebook>>>,
    approvers: Arc<AtomicU32>,
}

impl InForce {
    pub(crate) fn new(users: Option<Users>, rules: Arc<Rulebook>, approvers: u32) -> Self {
        Self {
            users: Arc::new(watch::Sender::new(users.map(Arc::new))),
            rules: Arc::new(watch::Sender::new(rules)),
            approvers: Arc::new(AtomicU32::new(approvers)),
        }
    }

    /// Others are in force now.
    pub(crate) fn take(&self, users: Option<Users>, rules: Arc<Rulebook>, approvers: u32) {
        self.approvers.store(approvers, Ordering::Relaxed);
        self.users.send_replace(users.map(Arc::new));
        self.rules.send_replace(rules);
    }
}

/// As the console asks.
type Asked<I, O> = Arc<dyn Fn(I) -> BoxFuture<'static, Result<O, String>> + Send + Sync>;

/// The same where there is one search at a time.
type Searched<I, O> = Arc<dyn Fn(I) -> BoxFuture<'static, Result<O, Declined>> + Send + Sync>;

/// The way to all of it.
#[derive(Clone)]
pub(crate) struct Reviewing {
    configuration: Configuration,
    store: Store,
    in_force: InForce,
    clock: Clock,
    analyst: Analyst,
    /// Room for one search of the ledger.
    searching: Arc<Semaphore>,
    trusted: Trusted,
}

impl Reviewing {
    pub(crate) fn new(
        configuration: Configuration,
        store: Store,
        in_force: InForce,
        clock: Clock,
        trusted: Trusted,
    ) -> Self {
        let analyst = Analyst::new(store.clone());
        let searching = Arc::new(Semaphore::new(1));
        Self { configuration, store, in_force, clock, analyst, searching, trusted }
    }

    /// A link for who has started the gateway, while nobody may sign in. Nobody signs in but on loopback. Where an identity
    /// provider vouches for people, somebody may: the link would be a second way in that nobody asked for.
    pub(crate) fn first_link(&self, console: SocketAddr, is_vouched: bool) -> Option<FirstLink> {
        let users = self.in_force.users.borrow();
        let may_somebody = users.as_ref().is_some_and(|users| users.all().iter().any(|user| user.may_look()));
        let is_wanted = console.ip().to_canonical().is_loopback() && !may_somebody && !is_vouched;
        is_wanted.then(FirstLink::new).flatten()
    }

    /// The same, for the console.
    pub(crate) fn review(self, first_link: Option<FirstLink>, provider: Option<IdentityProvider>) -> Review {
        let (wrong, right) = (self.clone(), self.clone());
        Review {
            users: self.in_force.users.subscribe(),
            provider,
            first_link,
            add_first: self
                .asked(|this, (name, password)| async move { this.add_first(name, password).await }),
            wrong_password: Arc::new(move |wrong_password| wrong.wrong_password(wrong_password)),
            signed_in: Arc::new(move |signed_in| right.signed_in(signed_in)),
            items: self.asked(|this, ()| async move { Ok(this.store.quarantined().await?) }),
            at_a_glance: self.asked(|this, (items, incidents): (Arc<Vec<Item>>, Vec<Incident>)| async move {
                let rules = Arc::clone(&this.in_force.rules.borrow());
                this.analyst.at_a_glance(&items, &incidents, &rules).await
            }),
            waits: self.asked(|this, incident| async move {
                Ok(this.store.state_of(incident).await? == Some(ItemState::Waiting))
            }),
            evidence: self
                .asked(|this, (incident, asked)| async move { this.evidence(incident, asked).await }),
            body: self.asked(|this, incident| async move { this.body(incident).await }),
            texts: self.asked(|this, incident| async move { this.texts(incident).await }),
            decide: self.asked(|this, decision| async move { this.decide(decision).await }),
            overview: self.asked(|this, ()| async move { this.overview().await }),
            ledger: self.ledger_search(),
            exposure: self.searched(|this, question| async move { this.exposure(question).await }),
            exposure_file: self
                .searched(|this, (question, file)| async move { this.exposure_file(question, file).await }),
            setup: self.asked(|this, ()| async move { Ok(this.setup()) }),
            vendors: self.asked(|this, ()| async move { this.vendors().await }),
            pins: self.pins_search(),
            learned: self.asked(|this, record| async move { this.evidence_of_learned(record).await }),
            learned_body: self.asked(|this, record| async move { this.learned_body(record).await }),
            say_of_learned: self.asked(|this, decision| async move { this.say_of_learned(decision).await }),
            programs: self.programs(),
            pins_toml: self.asked(|this, ()| async move {
                let rules = Arc::clone(&this.in_force.rules.borrow());
                Ok(pin::export::whole(&rules, &this.store).await?)
            }),
        }
    }

    /// What programs search for, in turns of their own.
    fn programs(&self) -> Programs {
        let apart = Self { searching: Arc::new(Semaphore::new(1)), ..self.clone() };
        Programs { ledger: apart.ledger_search(), pins: apart.pins_search(), commands: apart.commands() }
    }

    fn ledger_search(&self) -> Searched<(Question, Option<String>), Leaf> {
        self.searched(|this, (question, before)| async move { this.ledger(question, before).await })
    }

    fn pins_search(&self) -> Searched<PinFilter, Pins> {
        self.searched(|this, filter| async move { this.pins(filter).await })
    }

    fn searched<I, O, F>(&self, answer: impl Fn(Self, I) -> F + Send + Sync + 'static) -> Searched<I, O>
    where
        F: Future<Output = Result<O, Declined>> + Send + 'static,
    {
        let this = self.clone();
        Arc::new(move |input| Box::pin(answer(this.clone(), input)))
    }

    fn asked<I, O, F>(&self, answer: impl Fn(Self, I) -> F + Send + Sync + 'static) -> Asked<I, O>
    where
        F: Future<Output = Result<O, Failure>> + Send + 'static,
    {
        let this = self.clone();
        Arc::new(move |input| {
            let answering = answer(this.clone(), input);
            Box::pin(async move { answering.await.map_err(|failure| in_words(&failure)) })
        })
    }

    async fn body(&self, incident: Incident) -> Result<Option<Vec<u8>>, Failure> {
        let Some((item, _)) = self.store.item(incident).await? else { return Ok(None) };
        if item.len > LARGEST {
            return Err(Failure::could_not(format!(
                "these are more than 64 MiB: 'pinfold quarantine export {incident}' writes them out"
            )));
        }
        Ok(self.store.body_of(item.digest).await?)
    }

    /// Both bodies of which an item's page shows the difference.
    async fn texts(&self, incident: Incident) -> Result<Option<Texts>, Failure> {
        let Some((item, _)) = self.store.item(incident).await? else { return Ok(None) };
        let all = Known::all(&self.store, &item).await?;
        if let Some(larger) = all.iter().map(|known| known.len).chain([item.len]).find(|len| *len > READ) {
            return Err(Failure::could_not(format!(
                "{larger} bytes are more than a page reads: 'pinfold quarantine export {incident}' writes them out"
            )));
        }
        let Some(new) = self.store.bytes_of(item.digest, item.len).await? else { return Ok(None) };
        let verified = Known::first_there(&all, &self.store).await?;
        Ok(Some(Texts {
            url: item.url,
            digest: item.digest,
            new,
            verified: verified.map(|(known, bytes)| (known.digest, bytes)),
        }))
    }

    /// Decides as the command does that decides the same.
    async fn decide(&self, decision: Decision) -> Result<Done, Failure> {
        let Decision { incident, act, who, reason, expires, shown } = decision;
        let (who, reason) = as_in_history(who, &reason)?;
        let now = Timestamp::now();
        let written = Written::read(&who, &reason, expires.as_deref(), now)?;
        let approvers = match act {
            Act::Approve => self.configuration.load_without_pins()?.config.approvers,
            // Rejecting only refuses, and takes one person: files with mistakes keep nobody from it.
            Act::Reject => self.in_force.approvers.load(Ordering::Relaxed),
        };
        let desk = Desk { configuration: &self.configuration, store: &self.store, approvers };
        let (decided, mut said) = match act {
            Act::Approve => {
                let decided = desk.approve_as_shown(incident, &written, &shown).await?;
                let said = desk::approved(&decided);
                (decided, said)
            }
            Act::Reject => {
                let decided = desk.reject(incident, &written).await?;
                let said = vec![desk::rejected(&decided.item)];
                (decided, said)
            }
        };
        if decided.already {
            said.push("it had been decided so before; nothing was changed".to_owned());
        }
        let in_force = decision::in_force(&self.store, decided.version).await?;
        said.push(decision::in_force_text(in_force).to_owned());
        let against = match act {
            Act::Approve => {
                self.blocking(
                    move |this| async move { this.against(At::item(&decided.item), approvers).await },
                )
                .await?
            }
            Act::Reject => Vec::new(),
        };
        Ok(Done { said, warnings: against })
    }

    /// What stands against what was approved all the same.
    async fn against(&self, at: At<'_>, approvers: u32) -> Result<Vec<String>, Failure> {
        let desk = Desk { configuration: &self.configuration, store: &self.store, approvers };
        let found = desk.against(at, Timestamp::now()).await?;
        Ok(found.into_iter().map(|(warning, hint)| format!("{warning}; {hint}")).collect())
    }

    /// Reading files blocks, and a list of pins can be long.
    async fn blocking<T, E, F>(&self, work: impl FnOnce(Self) -> F + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Failure> + Send + 'static,
        F: Future<Output = Result<T, E>>,
    {
        let (this, runtime) = (self.clone(), Handle::current());
        let working = spawn_blocking(move || runtime.block_on(work(this)));
        working.await.map_err(|error| Failure::could_not(format!("it was given up: {error}")))?
    }

    async fn add_first(&self, name: String, password: String) -> Result<(), Failure> {
        self.blocking(move |this| async move {
            let Loaded { config, .. } = this.configuration.load()?;
            let Some(file) = config.console_users_file else {
                return Err(Failure::configuration("the configuration names no file for users"));
            };
            // As the file says now, which a running gateway may not have taken up yet.
            let users = config.console_users.as_ref().map(Users::all).unwrap_or_default();
            if users.iter().any(|user| user.may_look() || *user.name == *name) {
                return Err(Failure::could_not("somebody may sign in by now, or has this name already"));
            }
            let password = PasswordHash::of(&password, &salt()?)
                .map_err(|error| Failure::could_not(format!("the password {error}")))?;
            let new = NewUser { name, password, roles: Some(vec![Role::Admin]) };
            set_user(&file, &new).map_err(|error| Failure::could_not(error.to_string()))?;
            tracing::info!("the first user of the console was written to {}", file.display());
            // Whoever made them wants to sign in now, and not when the files have settled.
            let Loaded { config, .. } = this.configuration.load()?;
            this.in_force.users.send_replace(config.console_users.map(Arc::new));
            Ok(())
        })
        .await
    }

    fn wrong_password(&self, wrong: WrongPassword) {
        let WrongPassword { source, user, by } = wrong;
        let text = format!("{}, {}", Count::once(self.clock.now()), way(by));
        self.tell(What::LoginFailed, (source, user), text);
    }

    fn signed_in(&self, signed_in: SignedIn) {
        let SignedIn { source, who, role, by } = signed_in;
        self.tell(What::SignedIn, (source, Some(who)), format!("{}, as {role}", way(by)));
    }

    /// Records what somebody did at the door.
    fn tell(&self, what: What, (source, who): (IpAddr, Option<Arc<str>>), text: String) {
        let (store, now) = (self.store.clone(), self.clock.now());
        tokio::spawn(async move {
            let version = store.decisions().borrow().version();
            let notice = Notice::of_gateway(what, now, text, version).about(source.to_string());
            if let Err(error) = store.notice(Notice { who, ..notice }).await {
                tracing::error!(%error, "'{}' at the console cannot be recorded", what.as_str());
            }
        });
    }

    fn setup(&self) -> Setup {
        let rules = Arc::clone(&self.in_force.rules.borrow());
        let Trusted { root_pem, fingerprint, instructions } = self.trusted.clone();
        Setup { root_pem, fingerprint, instructions, enforced: greeting::enforced(&rules) }
    }

    async fn vendors(&self) -> Result<Vec<VendorRules>, Failure> {
        let rules = Arc::clone(&self.in_force.rules.borrow());
        let standing = self.store.standing(None).await?;
        let all = rules.vendors.all().iter().map(|vendor| VendorRules {
            state: state(vendor, &rules, &standing),
            rules: vendors::in_force(&vendor.rules),
        });
        Ok(all.collect())
    }

    async fn pins(&self, filter: PinFilter) -> Result<Pins, Declined> {
        self.one_search(PINS_WITHIN, move |this| async move {
            let Loaded { config, .. } = this.configuration.load_without_pins()?;
            let rules = Arc::clone(&this.in_force.rules.borrow());
            Ok(pin::list::page::page((&config, &rules), &this.store, &filter).await?)
        })
        .await
    }

    async fn overview(&self) -> Result<Overview, Failure> {
        let now = Timestamp::now();
        let hour_ago = now - SignedDuration::from_hours(1);
        let hour = self.flow(hour_ago, None).await?;
        let before = self.flow(now - SignedDuration::from_hours(24), Some(hour_ago)).await?;
        // What was in the last hour is not read again.
        let day = Flow { outcomes: [hour.outcomes.clone(), before.outcomes].concat() };
        let rules = Arc::clone(&self.in_force.rules.borrow());
        let standing = self.store.standing(None).await?;
        let vendors = rules.vendors.all().iter().map(|vendor| state(vendor, &rules, &standing));
        Ok(Overview { flows: [hour, day], vendors: vendors.collect(), now })
    }

    /// What was judged from `since` to right before `until`.
    async fn flow(&self, since: Timestamp, until: Option<Timestamp>) -> Result<Flow, Failure> {
        let until = until.map(|until| until - SignedDuration::from_micros(1));
        let traffic = self.store.traffic(Some(since), until, |_| {}).await?;
        let mut outcomes: Vec<(Outcome, u64)> = Vec::new();
        for carried in &traffic.exchanges {
            match outcomes.iter_mut().find(|(outcome, _)| *outcome == carried.outcome) {
                Some((_, count)) => *count += carried.count,
                None => outcomes.push((carried.outcome, carried.count)),
            }
        }
        Ok(Flow { outcomes })
    }
}

/// By what somebody came to the door.
fn way(by: Proof) -> &'static str {
    match by {
        Proof::Password => "at the console",
        Proof::Token => "by a token at the console's API",
        Proof::Provider => "by the identity provider of the console",
    }
}

/// As whom the history has somebody, and why they decided.
fn as_in_history(who: Who, reason: &str) -> Result<(String, String), Failure> {
    // No name stands in for a reason.
    let reason = decision::reason(reason)?;
    Ok(match who {
        Who::Local(user) => (at_this_machine(&user), reason.to_owned()),
        // The history has no other place for the name of a token.
        Who::Program { user, token } => (at_this_machine(&user), format!("{reason} (by the token {token})")),
        // The name goes with the reason: as part of who it was, another name would be another person.
        Who::Vouched { who, name } => (who.to_string(), format!("{reason} (as \"{name}\")")),
    })
}

fn state(vendor: &Vendor, rules: &Rulebook, standing: &[Standing]) -> VendorState {
    let is_theirs = |there: &&Standing| {
        let url = ArtifactUrl::parse(&there.url).ok();
        let claimed = url.and_then(|url| rules.vendors.of(url.host()).map(|vendor| vendor.name.clone()));
        claimed.as_deref() == Some(&*vendor.name)
    };
    let count = |fits: fn(&Standing) -> bool| {
        standing.iter().filter(is_theirs).filter(|there| fits(there)).fold(0, |count, _| count + 1)
    };
    VendorState {
        name: (&*vendor.name).into(),
        mode: vendors::mode_word(vendor.rules.mode),
        hosts: vendor.hosts.iter().map(ToString::to_string).collect(),
        drifting: count(|there| there.is_drift),
        unreachable: count(|there| there.failing.is_some()),
    }
}

/// A user as the command names who is of that name at this machine, so that nobody agrees with themselves.
fn at_this_machine(user: &str) -> String {
    format!("{user}@{}", Observer::on_this_machine(env!("CARGO_PKG_VERSION")).hostname)
}

/// For whoever reads a page: what to type is no help there.
fn in_words(failure: &Failure) -> String {
    told(failure).0
}
