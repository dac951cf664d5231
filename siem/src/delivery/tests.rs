use std::fs;
use std::path::{Path, PathBuf};

use pinfold_policy::host::Authority;
use pinfold_policy::reason::Reason;
use pinfold_store::entry::{Asker, Tunnel, TunnelEnd};
use pinfold_store::{Repeats, StoreOptions};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

use super::*;
use crate::output::Transport;
use crate::record::Format;
use crate::trying::Trying;

/// A data directory and an output file beside it.
struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    async fn store(&self) -> Store {
        let options = StoreOptions {
            quarantine_max: 1 << 30,
            quarantine_per_url: 20,
            every_repeat_in_feed: true,
            counted_feed: false,
        };
        Store::open_gateway(&self.dir.path().join("data"), options).await.unwrap()
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("out/events.ndjson")
    }

    fn output(&self) -> Output {
        Output {
            format: Format::Ecs,
            target: Target::File(self.path()),
            repeats: Repeats::Each,
            tls: None,
            max_backlog: u64::MAX,
            token: None,
            trying: Trying::default(),
        }
    }

    fn by_syslog(&self, port: u16) -> Output {
        let target = Target::Syslog { transport: Transport::Tcp, host: "127.0.0.1".into(), port };
        Output { format: Format::Ocsf, target, ..self.output() }
    }

    /// Runs a gateway that carries these tunnels, and stops.
    async fn run(&self, tunnels: &[u128]) {
        let store = self.store().await;
        for id in tunnels {
            carry(&store, *id).await;
        }
        store.settle().await.unwrap();
        deliver(self.output(), store.clone(), observer(), CancellationToken::new()).await.unwrap();
        store.close().await.unwrap();
    }
}

fn observer() -> Observer {
    Observer { hostname: "gw1".into(), version: "0.1.0".into() }
}

async fn carry(store: &Store, id: u128) {
    let tunnel = Tunnel {
        id: Uuid::from_u128(id),
        at: "2026-11-23T06:30:00Z".parse().unwrap(),
        asker: Asker { address: "127.0.0.1:5000".parse().unwrap(), user: None, page: None, user_agent: None },
        authority: Authority::parse("a.test:443", None).unwrap(),
        server_name: None,
        dialled: None,
        reason: Some(Reason::PrivateAddress),
        incident: None,
        status: 403,
        policy_version: 1,
    };
    store.tunnel_opened(tunnel).await.unwrap().closed(TunnelEnd::default());
}

/// The ids of the events in a file; none for a line that is no event.
fn ids(path: &Path) -> Vec<Option<u128>> {
    let id = |line: &str| -> Option<u128> {
        let event: Value = serde_json::from_str(line).ok()?;
        Some(event["event"]["id"].as_str()?.parse::<Uuid>().ok()?.as_u128())
    };
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(id).collect()
}

#[tokio::test]
async fn each_event_is_one_line_and_after_a_restart_the_next_follow() {
    let scene = Scene::new();

    scene.run(&[1, 2]).await;
    scene.run(&[3]).await;
    scene.run(&[]).await;

    assert_eq!(ids(&scene.path()), [Some(1), Some(2), Some(3)]);
}

#[tokio::test]
async fn more_events_than_one_batch_holds_arrive_in_order() {
    let scene = Scene::new();
    let many: Vec<u128> = (1..=2 * BATCH as u128 + 1).collect();

    scene.run(&many).await;

    assert_eq!(ids(&scene.path()), many.iter().copied().map(Some).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_read_but_not_acknowledged_is_delivered_by_the_next_start() {
    let scene = Scene::new();
    let store = scene.store().await;
    carry(&store, 1).await;
    store.settle().await.unwrap();
    let mut feed = store.feed(&scene.output().name(), Repeats::Each);
    assert_eq!(feed.next(BATCH).await.unwrap().len(), 1);
    drop(feed);
    store.close().await.unwrap();

    scene.run(&[2]).await;

    assert_eq!(ids(&scene.path()), [Some(1), Some(2)]);
}

#[tokio::test]
async fn a_torn_line_of_a_crash_spoils_no_other() {
    let scene = Scene::new();
    scene.run(&[1]).await;
    let torn = fs::read_to_string(scene.path()).unwrap() + "{\"event\":{\"id\":\"0";
    fs::write(scene.path(), torn).unwrap();

    scene.run(&[2]).await;

    assert_eq!(ids(&scene.path()), [Some(1), None, Some(2)]);
}

/// Hands what is logged to a test.
#[derive(Clone)]
struct Log(mpsc::UnboundedSender<String>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_written_is_warned_of_and_tried_until_it_can() {
    let (sender, mut log) = mpsc::unbounded_channel();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Log(sender)).finish();
    let logging = tracing::subscriber::set_default(subscriber);
    let scene = Scene::new();
    let in_the_way = scene.dir.path().join("out");
    fs::write(&in_the_way, "a file where the folder should be").unwrap();
    let store = scene.store().await;
    let delivery = tokio::spawn(deliver(scene.output(), store.clone(), observer(), CancellationToken::new()));

    carry(&store, 1).await;
    let warning = log.recv().await.unwrap();
    carry(&store, 2).await;
    fs::remove_file(in_the_way).unwrap();
    store.settle().await.unwrap();
    delivery.await.unwrap().unwrap();

    assert!(warning.contains("WARN") && warning.contains("out/events.ndjson"), "{warning}");
    assert_eq!(ids(&scene.path()), [Some(1), Some(2)]);
    drop(logging);
    let more: Vec<String> = std::iter::from_fn(|| log.try_recv().ok()).collect();
    assert!(more.len() == 1 && more[0].contains("works again"), "{more:?}");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_an_output_that_fails_and_loses_nothing() {
    let scene = Scene::new();
    let in_the_way = scene.dir.path().join("out");
    fs::write(&in_the_way, "a file where the folder should be").unwrap();
    let store = scene.store().await;
    carry(&store, 1).await;
    store.settle().await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();

    let error = deliver(scene.output(), store.clone(), observer(), stop).await.unwrap_err();
    store.close().await.unwrap();

    assert!(matches!(error, DeliveryError::Undelivered { cause: Trouble::Write(_), .. }), "{error}");
    assert!(error.to_string().ends_with("the events wait in the store for the next start"), "{error}");
    fs::remove_file(in_the_way).unwrap();
    scene.run(&[]).await;
    assert_eq!(ids(&scene.path()), [Some(1)]);
}

/// Everything that comes over one connection, as lines: frames of RFC 6587.
async fn frames(listener: TcpListener, count: usize) -> Vec<u128> {
    let (mut stream, _) = listener.accept().await.unwrap();
    frames_of(&mut stream, count).await
}

async fn frames_of(stream: &mut TcpStream, count: usize) -> Vec<u128> {
    let mut stream = BufReader::new(stream);
    let (mut ids, mut length) = (Vec::new(), Vec::new());
    while ids.len() < count {
        length.clear();
        stream.read_until(b' ', &mut length).await.unwrap();
        let mut frame = vec![0; String::from_utf8_lossy(&length).trim().parse().unwrap()];
        stream.read_exact(&mut frame).await.unwrap();
        let text = String::from_utf8(frame).unwrap();
        let event: Value = serde_json::from_str(text.get(text.find('{').unwrap()..).unwrap()).unwrap();
        ids.push(event["metadata"]["uid"].as_str().unwrap().parse::<Uuid>().unwrap().as_u128());
    }
    ids
}

#[tokio::test]
async fn of_a_burst_of_fifty_thousand_events_nothing_is_lost_or_invented_and_outputs_agree_on_the_order() {
    const BURST: u128 = 50_000;
    let scene = Scene::new();
    let store = scene.store().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let by_syslog = scene.by_syslog(port);
    let receiving = tokio::spawn(frames(listener, BURST as usize));
    let deliveries = [scene.output(), by_syslog]
        .map(|output| tokio::spawn(deliver(output, store.clone(), observer(), CancellationToken::new())));
    let mut carrying = tokio::task::JoinSet::new();
    for id in 1..=BURST {
        let store = store.clone();
        carrying.spawn(async move { carry(&store, id).await });
    }
    carrying.join_all().await;
    store.settle().await.unwrap();
    for delivery in deliveries {
        delivery.await.unwrap().unwrap();
    }

    let written: Vec<u128> = ids(&scene.path()).into_iter().map(Option::unwrap).collect();
    assert_eq!(receiving.await.unwrap(), written);
    let mut sorted = written;
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(1..=BURST));
}

/// Reads one event, and then nothing but the end.
async fn last_of(listener: &TcpListener) -> (TcpStream, Vec<u128>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let ids = frames_of(&mut stream, 1).await;
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the end");
    (stream, ids)
}

#[tokio::test]
async fn a_receiver_that_ends_idle_connections_gets_no_event_again_and_again() {
    let scene = Scene::new();
    let store = scene.store().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let output = scene.by_syslog(listener.local_addr().unwrap().port());
    let mut feed = store.feed(&output.name(), Repeats::Each);
    let idle = Duration::from_millis(10);
    let delivery =
        tokio::spawn(deliver_until_idle(idle, output, store.clone(), observer(), CancellationToken::new()));
    for id in 1..=2 {
        carry(&store, id).await;
        let (connection, ids) = last_of(&listener).await;
        assert_eq!(ids, [id], "what was read is not sent again");
        drop(connection);
    }

    store.settle().await.unwrap();
    delivery.await.unwrap().unwrap();
    assert_eq!(feed.backlog().await.unwrap(), 0);
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_an_end_is_believed_by_none_and_told_of_no_other() {
    let scene = Scene::new();
    let store = scene.store().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let output = scene.by_syslog(listener.local_addr().unwrap().port());
    let idle = Duration::from_millis(10);
    let delivery =
        tokio::spawn(deliver_until_idle(idle, output, store.clone(), observer(), CancellationToken::new()));
    carry(&store, 1).await;
    let (silent, ids) = last_of(&listener).await;
    assert_eq!(ids, [1]);

    let (mut again, _) = listener.accept().await.unwrap();
    assert_eq!(frames_of(&mut again, 1).await, [1]);
    carry(&store, 2).await;
    assert_eq!(frames_of(&mut again, 1).await, [2], "over the same connection");
    drop((silent, again));
    let (mut last, _) = listener.accept().await.unwrap();
    assert_eq!(frames_of(&mut last, 2).await, [1, 2], "the receiver left too early");
    assert_eq!(last.read(&mut [0]).await.unwrap(), 0, "the end");
    drop(last);
    store.settle().await.unwrap();
    delivery.await.unwrap().unwrap();
}

#[test]
fn a_connection_is_not_ended_while_a_relay_may_give_up_to_reach_its_receiver() {
    let opened = Instant::now();
    let leaves =
        |last| leaves(opened, opened + Duration::from_secs(last), IDLE).duration_since(opened).as_secs();

    assert_eq!([0, 13, 14, 53, 54, 100].map(leaves), [11, 24, 65, 65, 65, 111]);
}
