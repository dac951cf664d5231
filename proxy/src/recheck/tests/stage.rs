//! The gateway, the vendor and the client of these tests.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use ipnet::IpNet;
use pinfold_certs::{CaOptions, CertificateAuthority};
use pinfold_policy::digest::Digests;
use pinfold_policy::pin::{Pin, PinUrl, Place};
use pinfold_policy::pins::PinIndex;
use pinfold_policy::policy::Rulebook;
use pinfold_policy::redact::Redaction;
use pinfold_policy::vendor::{Rules, Vendor, Vendors};
use pinfold_store::entry::{Notice, What};
use pinfold_store::item::Item;
use pinfold_store::sighting::Standing;
use pinfold_store::{Store, StoreOptions};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::Hand;
use crate::{Egress, Gateway, Limits, Settings};

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
pub(super) const PER_URL: usize = 5;

/// A gateway with one vendor, whose pinned URL is rechecked every hour.
pub(super) fn stage() -> Setting {
    Setting { rules: Rules { recheck: Recheck::Every(HOUR), ..Rules::default() }, pin: None, expires: false }
}

pub(super) struct Setting {
    rules: Rules,
    pin: Option<&'static str>,
    expires: bool,
}

impl Setting {
    /// Pins `/app.js` to this body, which the vendor serves at first.
    pub(super) fn pin(self, body: &'static str) -> Self {
        Self { pin: Some(body), ..self }
    }

    /// The pin counts today and no longer.
    pub(super) fn expires(self) -> Self {
        Self { expires: true, ..self }
    }

    pub(super) fn every(self, interval: Duration) -> Self {
        self.rules(|rules| rules.recheck = Recheck::Every(interval))
    }

    pub(super) fn rules(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(&mut self.rules);
        self
    }

    pub(super) async fn start(self) -> Stage {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let vendor = Origin::listen("127.0.0.1:0").await;
        vendor.serves(self.pin.unwrap());
        let dir = tempfile::tempdir().unwrap();
        let running = Running::start(&self, &dir, &vendor, now).await;
        Stage { vendor, setting: self, dir, running, now }
    }

    fn rulebook(&self) -> Rulebook {
        let vendor =
            Vendor { name: "vendor".into(), hosts: vec!["vendor.test".parse().unwrap()], rules: self.rules };
        let url = PinUrl::parse("http://vendor.test/app.js").unwrap();
        let pin = Pin {
            digests: [Digests::of(self.pin.unwrap().as_bytes()).sha256.into()].into(),
            expires: self.expires.then(|| "2026-11-23".parse().unwrap()),
            ..Pin::bare(url, Place { file: "pins.toml".into(), line: 1 })
        };
        Rulebook {
            vendors: Vendors::new(vec![vendor]),
            pins: PinIndex::new(vec![pin]),
            ..Rulebook::default()
        }
    }
}

struct Running {
    store: Store,
    proxy: SocketAddr,
    hand: Hand,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(setting: &Setting, dir: &TempDir, vendor: &Origin, now: Timestamp) -> Self {
        let (clock, hand) = Clock::moved(now);
        let options = CaOptions {
            own_hosts: Vec::new(),
            vendor_hosts: vec!["vendor.test".parse().unwrap()],
            name_constraints: true,
            leaf_lifetime: DAY,
            root_key: None,
        };
        let ca = CertificateAuthority::open(&dir.path().join("ca"), &options, now.into()).unwrap().ca;
        let options = StoreOptions {
            quarantine_max: 1 << 30,
            quarantine_per_url: u32::try_from(PER_URL).unwrap(),
            every_repeat_in_feed: false,
            counted_feed: true,
        };
        let store = Store::open_gateway(dir.path(), options).await.unwrap();
        let rulebook = Arc::new(setting.rulebook());
        let settings = settings(clock, vendor.address);
        let gateway = Gateway::bind(settings, rulebook, Arc::new(ca), store.clone()).await.unwrap();
        let (proxy, stop) = (gateway.addresses()[0], CancellationToken::new());
        let task = tokio::spawn(gateway.run(stop.clone(), Duration::from_secs(60)));
        Self { store, proxy, hand, stop, task }
    }
}

fn settings(clock: Clock, vendor: SocketAddr) -> Settings {
    let minute = Duration::from_secs(60);
    Settings {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        clients: vec!["127.0.0.1/32".parse::<IpNet>().unwrap()],
        users: None,
        egress: Egress {
            http_ports: vec![80],
            resolve: [("vendor.test".parse().unwrap(), vendor)].into(),
            ..Egress::default()
        },
        redaction: Redaction::of(["token"]),
        extra_roots: Vec::new(),
        limits: Limits {
            max_body: 1 << 20,
            max_installer: 1 << 20,
            memory_body: 1 << 20,
            held_memory: 1 << 28,
            held_disk: 1 << 28,
            max_hold: minute,
            patience: minute,
            max_ratio: 200,
            header_timeout: minute,
            upstream_timeout: minute,
            idle_timeout: minute,
            max_connections: 100,
        },
        shelf_memory: 1 << 20,
        client_max_age: minute,
        clock,
    }
}

pub(super) struct Stage {
    pub(super) vendor: Origin,
    setting: Setting,
    dir: TempDir,
    running: Running,
    now: Timestamp,
}

impl Stage {
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn store(&self) -> &Store {
        &self.running.store
    }

    pub(super) fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn move_by(&mut self, by: Duration) {
        self.now += by;
        self.running.hand.move_to(self.now);
    }

    pub(super) fn move_back_by(&mut self, by: Duration) {
        self.now -= by;
        self.running.hand.move_to(self.now);
    }

    /// The next recheck of everything that is in use, and its record.
    pub(super) async fn recheck(&mut self) {
        let Recheck::Every(interval) = self.setting.rules.recheck else { panic!("there are no rechecks") };
        self.recheck_after(interval).await;
    }

    /// The same after an interval of this length, and what chance may add to it.
    pub(super) async fn recheck_after(&mut self, interval: Duration) {
        self.until_noted(1).await;
        self.move_by(interval * 6 / 5);
        self.until(async |store, now| {
            let in_use = store.variants_in_use(now).await.unwrap();
            in_use.iter().all(|variant| variant.checked == Some(now))
        })
        .await;
        // The record is not the end: quarantine, event and approval follow it.
        self.until(async |store, _| {
            let items = store.quarantined().await.unwrap();
            let mut told = store.notices(100).await.unwrap();
            told.retain(|told| told.what != What::Quarantined);
            let standing = store.standing(None).await.unwrap();
            let is_recorded = |digest| {
                items.iter().any(|item| item.digest == digest)
                    && told.iter().any(|told| told.digest == Some(digest))
            };
            let is_done = |there: &Standing| {
                !there.is_drift
                    || (there.volatile.is_some() && told.len() > PER_URL)
                    || there.run.is_some_and(|run| is_recorded(run.digest))
            };
            standing.iter().all(is_done)
        })
        .await;
    }

    /// Until so many variants are in use.
    pub(super) async fn until_noted(&self, variants: usize) {
        self.until(async |store, now| store.variants_in_use(now).await.unwrap().len() >= variants).await;
    }

    /// The same of one variant, which a client asks for again and again.
    pub(super) async fn until_asking_is_noted(&self, target: &str) {
        self.until(async |store, now| {
            self.client_gets(target).await;
            !store.variants_in_use(now).await.unwrap().is_empty()
        })
        .await;
    }

    /// Until the last request is noted too.
    pub(super) async fn until_noted_now(&self) {
        self.until(async |store, now| store.variants_in_use(now).await.unwrap()[0].asked == now).await;
    }

    /// Until there is an event of this kind.
    pub(super) async fn until_told(&self, what: What) {
        self.until(async |store, _| store.notices(100).await.unwrap().iter().any(|told| told.what == what))
            .await;
    }

    async fn until(&self, condition: impl AsyncFn(&Store, Timestamp) -> bool) {
        let waiting = async {
            while !condition(&self.running.store, self.now).await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(240), waiting).await.expect("it never came to that");
    }

    pub(super) async fn items(&self) -> Vec<Item> {
        self.running.store.quarantined().await.unwrap()
    }

    /// What the feed was told, but for new items: that is the store's own doing.
    pub(super) async fn told(&self) -> Vec<Notice> {
        let told = self.running.store.notices(100).await.unwrap();
        told.into_iter().filter(|told| told.what != What::Quarantined).collect()
    }

    /// What the vendor serves at the one variant that is in use.
    pub(super) async fn standing(&self) -> Standing {
        self.running.store.standing(None).await.unwrap().remove(0)
    }

    pub(super) async fn client_gets(&self, target: &str) -> (u16, String) {
        self.client_gets_with(target, "").await
    }

    pub(super) async fn client_gets_with(&self, target: &str, fields: &str) -> (u16, String) {
        let mut client = TcpStream::connect(self.running.proxy).await.unwrap();
        let head = format!(
            "GET http://vendor.test{target} HTTP/1.1\r\nhost: vendor.test\r\nconnection: close\r\n{fields}\r\n"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The vendor serves the same from another address after a restart.
    pub(super) async fn restart_with_vendor_at(mut self, address: &str) -> Self {
        self.vendor = Origin::listen(address).await;
        self.vendor.serves(self.setting.pin.unwrap());
        self.restart().await
    }

    pub(super) async fn restart(self) -> Self {
        let Self { vendor, setting, dir, running, now } = self;
        running.stop.cancel();
        running.task.await.unwrap();
        running.store.close().await.unwrap();
        let running = Running::start(&setting, &dir, &vendor, now).await;
        Self { vendor, setting, dir, running, now }
    }
}

/// A vendor that speaks HTTP/1.1, one request per connection.
pub(super) struct Origin {
    address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
}

#[derive(Default)]
struct Manner {
    status: u16,
    body: String,
    vary: String,
    hangs_up: bool,
    asked: Vec<String>,
}

impl Origin {
    async fn listen(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let manner = Arc::new(Mutex::new(Manner { status: 200, ..Manner::default() }));
        let serving = Arc::clone(&manner);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(answer(client, Arc::clone(&serving)));
            }
        });
        Self { address, manner }
    }

    /// Serves this from now on; `{}` in it is another number each time.
    pub(super) fn serves(&self, body: &str) {
        body.clone_into(&mut self.manner().body);
    }

    pub(super) fn answers(&self, status: u16) {
        self.manner().status = status;
    }

    pub(super) fn varies(&self, names: &str) {
        self.manner().vary = format!("vary: {names}\r\n");
    }

    pub(super) fn hangs_up(&self, hangs_up: bool) {
        self.manner().hangs_up = hangs_up;
    }

    /// The heads of all requests.
    pub(super) fn asked(&self) -> Vec<String> {
        self.manner().asked.clone()
    }

    fn manner(&self) -> MutexGuard<'_, Manner> {
        self.manner.lock().unwrap()
    }
}

async fn answer(mut client: TcpStream, manner: Arc<Mutex<Manner>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else { return };
        head.push(byte);
    }
    let text = {
        let mut manner = manner.lock().unwrap();
        manner.asked.push(String::from_utf8(head).unwrap());
        if manner.hangs_up {
            return;
        }
        let body = manner.body.replace("{}", &manner.asked.len().to_string());
        let Manner { status, vary, .. } = &*manner;
        format!(
            "HTTP/1.1 {status} -\r\ncontent-type: text/javascript\r\ncontent-length: {}\r\nconnection: close\r\n\
             {vary}\r\n{body}",
            body.len()
        )
    };
    client.write_all(text.as_bytes()).await.unwrap();
}
