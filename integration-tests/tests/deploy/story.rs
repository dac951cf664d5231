//! Days of real gateways, as the events that they print.

use std::collections::BTreeSet;

use http::Method;
use pinfold_integration_tests::{
    Answer, Client, Coding, Event, Gateway, GatewayBuilder, Identity, Rule, client, eventually, gateway,
    origin_root_pem, sha256, vendor,
};

use crate::{REVIEWED, TAMPERED};

/// A worker that was reviewed, and turns out to be bad.
const WORKER: &str = "addEventListener('fetch', () => {});\n";

/// Of `open sesame`, at the least costs that argon2id has.
const CHEAP: &str =
    "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xaW9jW1nqBjBzztRIhRyK5oGq6/azN5UkLyxA9sPeBo";

/// Files that a vendor has changed, each in its own way.
const CHANGED: usize = 10;

/// Who may use the proxy, all with one password.
const USERS: [&str; 5] = ["ada", "bob", "cem", "dora", "eve"];

fn asking_for_passwords(gateway: GatewayBuilder) -> GatewayBuilder {
    gateway.users(&USERS.map(|name| (name, CHEAP, "proxy")))
}

/// What clients do when nothing is wrong, in an enforcing gateway that asks for passwords.
pub(crate) async fn ordinary_day() -> Vec<Event> {
    let cdn = vendor().script("/app.js", REVIEWED).script("/lib.js", WORKER).listen().await;
    let other = vendor().named("other").host("other.test").script("/own.js", TAMPERED).listen().await;
    let gateway = asking_for_passwords(gateway())
        .rule(&cdn, Rule::default())
        .reach(&other)
        .pin(cdn.url("/app.js"), sha256(REVIEWED))
        .pin(cdn.url("/lib.js"), sha256(WORKER))
        .listen()
        .await;
    // The very first start makes the CA, and says so.
    ended(&gateway).await;
    gateway.start_again().await;
    for last in 1..=6 {
        let stranger = || client(&gateway).from([127, 0, 0, last]);
        let asked = stranger().connect("cdn.vendor.test:443").await.unwrap().err().unwrap();
        assert_eq!(asked.status(), 407);
        let ada = || stranger().user("ada", "open sesame");
        for path in ["/app.js", "/lib.js", "/app.js"] {
            assert_eq!(ada().get(cdn.url(path)).await.verdict().token(), "verified");
        }
        assert_eq!(ada().trusting(origin_root_pem()).get(other.url("/own.js")).await.status(), 200);
    }
    let mut events = ended(&gateway).await;
    // That it stops in the end is no part of the day.
    events.retain(|event| event.text("event.code") != Some("PF-3007"));
    events
}

/// All that the rules are for and that can be made to happen here; the rest has its example in docs/events.md.
pub(crate) async fn bad_day() -> Vec<Event> {
    let (of_the_vendor, of_others, of_clients) =
        tokio::join!(of_the_vendor(), of_other_vendors(), of_clients());
    [of_the_vendor, of_others, of_clients].concat()
}

/// Changed content that many ask for, that somebody approves of in haste, and that is revoked at last.
async fn of_the_vendor() -> Vec<Event> {
    let cdn = vendor().script("/sw.js", WORKER).listen().await;
    let rule = Rule::default().set("recheck", "always").set("revoke_worker", true);
    let mut files = gateway().rule(&cdn, rule).pin(cdn.url("/sw.js"), sha256(WORKER));
    let changed: Vec<_> = (0..CHANGED).map(|number| format!("{TAMPERED}// {number}\n")).collect();
    let url = |number: usize| cdn.url(&format!("/{number}.js"));
    for (number, body) in changed.iter().enumerate() {
        cdn.script(&format!("/{number}.js"), body.clone());
        files = files.pin(url(number), sha256(REVIEWED));
    }
    let gateway = files.listen().await;

    for last in 2..=6 {
        client(&gateway).from([127, 0, 0, last]).get(url(0)).await;
    }
    for number in 0..CHANGED {
        let refusal = client(&gateway).get(url(number)).await;
        let incident = refusal.verdict().incident().unwrap().to_owned();
        gateway.command(&["quarantine", "approve", &incident, "--reason", "later"]).await.success();
    }
    revoke(&gateway, &changed[0]).await;
    assert_eq!(client(&gateway).get(url(0)).await.verdict().reason(), Some("revoked"));

    let checking =
        || client(&gateway).header("service-worker", "script").header("sec-fetch-dest", "serviceworker");
    assert_eq!(checking().get(cdn.url("/sw.js")).await.verdict().token(), "verified");
    revoke(&gateway, WORKER).await;
    assert_eq!(checking().get(cdn.url("/sw.js")).await.status(), 200);

    let mut events = ended(&gateway).await;
    for _ in 0..2 {
        gateway.start_again().await;
        events.extend(ended(&gateway).await);
    }
    events
}

async fn revoke(gateway: &Gateway, body: &str) {
    gateway.command(&["pin", "revoke", &sha256(body), "--reason", "it mines coins"]).await.success();
}

/// One that is observed, one whose certificate has run out, and one whose changes pass after a while.
async fn of_other_vendors() -> Vec<Event> {
    let named =
        |name: &str| vendor().named(name).host(&format!("cdn.{name}.test")).script("/app.js", TAMPERED);
    let watched = named("watched").script("/new.js", REVIEWED).listen().await;
    let lapsed = named("lapsed").identity(Identity::Expired).listen().await;
    let cooling = named("cooling").listen().await;
    let rule = Rule::default().set("recheck", "1s").set("cooldown", "1s");
    let mut files =
        gateway().rule(&watched, Rule::default().set("mode", "observe")).vendor(&lapsed).rule(&cooling, rule);
    for vendor in [&watched, &lapsed, &cooling] {
        files = files.pin(vendor.url("/app.js"), sha256(REVIEWED));
    }
    for path in ["/blind.js", "/cut.js"] {
        files = files.pin(watched.url(path), sha256(REVIEWED));
    }
    let gateway = files.listen().await;

    assert_eq!(
        client(&gateway).get(watched.url("/app.js")).await.verdict().reason(),
        Some("digest-mismatch")
    );
    assert_eq!(client(&gateway).get(watched.url("/new.js")).await.verdict().reason(), Some("unpinned"));
    // Browsers run what cannot be measured, and nothing of what they ask for with HEAD.
    let coded = |bytes: Vec<u8>| Answer::script(bytes).header("content-encoding", "gzip");
    let whole = Coding::Gzip.encode(TAMPERED.as_bytes());
    watched.serve("/blind.js", coded([whole.as_slice(), b"8 bytes."].concat()));
    assert_eq!(client(&gateway).get(watched.url("/blind.js")).await.verdict().reason(), Some("bad-encoding"));
    watched.serve("/cut.js", coded(whole[..whole.len() - 6].to_vec()));
    let head = client(&gateway).ask(Method::HEAD, watched.url("/cut.js")).await;
    assert_eq!(head.verdict().reason(), Some("truncated"));
    assert_eq!(client(&gateway).get(lapsed.url("/app.js")).await.verdict().reason(), Some("upstream-tls"));
    let released = async {
        while client(&gateway).get(cooling.url("/app.js")).await.verdict().token() != "verified" {
            cooling.asked("/app.js", cooling.seen("/app.js").len() + 1).await;
        }
    };
    eventually("the end of the cooldown", released).await;
    ended(&gateway).await
}

/// One that guesses passwords, one that looks for internal hosts, and one that means another host than it names.
async fn of_clients() -> Vec<Event> {
    let cdn = vendor().script("/app.js", REVIEWED).listen().await;
    let pinning = || gateway().vendor(&cdn).pin(cdn.url("/app.js"), sha256(REVIEWED));
    let guarded = asking_for_passwords(pinning()).listen().await;
    for number in 0..30 {
        let guess = client(&guarded).user(USERS[number % USERS.len()], &number.to_string());
        assert_eq!(refusal(&guess, "cdn.vendor.test:443").await, "credentials-required");
    }
    let open = pinning().listen().await;
    for last in 1..=10 {
        assert_eq!(refusal(&client(&open), &format!("10.0.0.{last}:443")).await, "private-address");
        let plain = client(&open).from([127, 0, 0, 2]).get(format!("http://10.7.7.{last}/")).await;
        assert_eq!(plain.verdict().reason(), Some("private-address"));
        let ports = client(&open).from([127, 0, 0, 3]);
        assert_eq!(refusal(&ports, &format!("cdn.vendor.test:{}", 8000 + last)).await, "port-not-allowed");
        let ports = client(&open).from([127, 0, 0, 4]);
        let plain = ports.get(format!("http://cdn.vendor.test:{}/", 8100 + last)).await;
        assert_eq!(plain.verdict().reason(), Some("port-not-allowed"));
    }
    let mut session = client(&open).open(&cdn.url("/").parse().unwrap()).await.unwrap().unwrap();
    let astray = session.ask(Method::GET, "https://other.test/app.js".parse().unwrap()).await.unwrap();
    assert_eq!(astray.status(), 421);

    let mut events = ended(&guarded).await;
    events.extend(ended(&open).await);
    events
}

/// Why a tunnel is refused.
async fn refusal(client: &Client, authority: &str) -> String {
    let refusal = client.connect(authority).await.unwrap().err().unwrap();
    refusal.verdict().reason().unwrap().to_owned()
}

/// All that it has told, after its end.
async fn ended(gateway: &Gateway) -> Vec<Event> {
    assert!(gateway.terminate().await.success());
    let events = gateway.every_event().await;
    let codes: BTreeSet<_> = events.iter().filter_map(|event| event.text("event.code")).collect();
    assert!(codes.contains("PF-3007"), "{codes:?}");
    events
}
