//! Files that change while the gateway runs.

use std::fs;
use std::os::unix::fs::symlink;

use http::Method;
use pinfold_integration_tests::{
    Answer, Client, Event, Gate, Gateway, GatewayBuilder, Pin, Reply, Rule, Session, Vendor, Via, client,
    gateway, origin_root_pem, sha256, vendor,
};
use serde_json::json;

use crate::decisions::{look_up, tamper};
use crate::{REVIEWED, TAMPERED, pinning, refused, vendor_of, verified};

/// Of `open sesame`, at the least costs that argon2id has.
const CHEAP: &str =
    "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xaW9jW1nqBjBzztRIhRyK5oGq6/azN5UkLyxA9sPeBo";

fn allowing_both(vendor: &Vendor) -> impl FnOnce(GatewayBuilder) -> GatewayBuilder {
    let url = vendor.url("/app.js");
    move |files| files.pin(url, sha256(TAMPERED))
}

/// A connection that is kept.
async fn kept(client: Client, vendor: &Vendor) -> Session {
    client.open(&vendor.url("/").parse().unwrap()).await.unwrap().unwrap()
}

async fn app_of(session: &mut Session, vendor: &Vendor) -> Reply {
    session.ask(Method::GET, vendor.url("/app.js").parse().unwrap()).await.unwrap()
}

fn version(event: &Event) -> u64 {
    event.at("Pinfold.policy_version").unwrap().as_u64().unwrap()
}

fn message(event: &Event) -> &str {
    event.text("message").unwrap()
}

/// Writes a file as editors do that write beside it first.
fn replace(gateway: &Gateway, name: &str, text: &str) {
    let beside = gateway.dir().join(format!(".{name}.swp"));
    fs::write(&beside, text).unwrap();
    fs::rename(beside, gateway.dir().join(name)).unwrap();
}

#[tokio::test]
async fn a_changed_pins_file_holds_on_connections_that_stay_open() {
    let vendor = vendor_of(TAMPERED).await;
    let mut gateway = pinning(&vendor).listen().await;
    let mut sessions = [kept(client(&gateway), &vendor).await, kept(client(&gateway).http2(), &vendor).await];
    for session in &mut sessions {
        refused(&app_of(session, &vendor).await, 403, "quarantined", "digest-mismatch");
    }
    let before = gateway.event_called("artifact-quarantined").await;

    gateway.rewrite(allowing_both(&vendor));

    let reloaded = gateway.event_called("policy-reloaded").await;
    assert!(version(&reloaded) > version(&before));
    assert_eq!(reloaded.text("Pinfold.subject"), gateway.dir().join("pinfold.toml").to_str());
    let pins = fs::read(gateway.dir().join("pins.toml")).unwrap();
    assert!(message(&reloaded).contains(&format!("pins.toml {}", sha256(pins))), "{}", message(&reloaded));
    for session in &mut sessions {
        verified(&app_of(session, &vendor).await, TAMPERED);
    }
    let after = gateway.event_called("artifact-verified").await;
    assert_eq!(version(&after), version(&reloaded));
}

#[tokio::test]
async fn sighup_reads_the_files_at_once_changed_or_not() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).listen().await;
    let mut session = kept(client(&gateway), &vendor).await;
    verified(&app_of(&mut session, &vendor).await, REVIEWED);

    gateway.hang_up().await;
    let first = gateway.event_called("policy-reloaded").await;
    gateway.hang_up().await;
    let second = gateway.event_called("policy-reloaded").await;

    assert!(version(&second) > version(&first));
    verified(&app_of(&mut session, &vendor).await, REVIEWED);
    gateway.says("changed files are in force").await;
}

#[tokio::test]
async fn an_exchange_in_flight_ends_with_the_policy_it_began_with() {
    let gate = Gate::closed();
    let vendor = vendor().serve("/app.js", Answer::script(REVIEWED).behind(&gate)).listen().await;
    let mut gateway = pinning(&vendor).listen().await;
    let (asking, url) = (client(&gateway), vendor.url("/app.js"));
    let in_flight = tokio::spawn(async move { asking.get(url).await });
    vendor.asked("/app.js", 1).await;

    let url = vendor.url("/app.js");
    gateway.rewrite(|files| files.without_pins().pin(url, sha256(TAMPERED)));
    let reloaded = gateway.event_called("policy-reloaded").await;
    gate.open();

    verified(&in_flight.await.unwrap(), REVIEWED);
    let old = gateway.event_called("artifact-verified").await;
    assert!(version(&old) < version(&reloaded));
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
    assert_eq!(version(&gateway.event_called("artifact-quarantined").await), version(&reloaded));
}

#[tokio::test]
async fn a_revocation_that_is_written_into_a_file_stops_an_exchange_in_flight() {
    let gate = Gate::closed();
    let vendor = vendor().serve("/app.js", Answer::script(REVIEWED).behind(&gate)).listen().await;
    let mut gateway = pinning(&vendor).listen().await;
    let (asking, url) = (client(&gateway), vendor.url("/app.js"));
    let in_flight = tokio::spawn(async move { asking.get(url).await });
    vendor.asked("/app.js", 1).await;

    gateway.rewrite(|files| files.revoke(sha256(REVIEWED)));
    gateway.event_called("policy-reloaded").await;
    gate.open();

    refused(&in_flight.await.unwrap(), 403, "blocked", "revoked");
}

#[tokio::test]
async fn a_body_on_the_shelf_goes_by_the_new_files_too() {
    let vendor = vendor_of(REVIEWED).await;
    let mut gateway = pinning(&vendor).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);

    gateway.rewrite(GatewayBuilder::without_pins);
    gateway.event_called("policy-reloaded").await;
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "unpinned");

    gateway.rewrite(|files| files.pin(vendor.url("/app.js"), sha256(REVIEWED)));
    gateway.event_called("policy-reloaded").await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);

    gateway.rewrite(|files| files.revoke(sha256(REVIEWED)));
    gateway.event_called("policy-reloaded").await;
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "revoked");
}

#[tokio::test]
async fn no_answer_from_the_shelf_has_fields_of_files_that_no_longer_hold() {
    let vendor = vendor_of(REVIEWED).await;
    let url = vendor.url("/app.js");
    let mut gateway = gateway().rule(&vendor, Rule::default()).pin(&url, sha256(REVIEWED)).listen().await;
    let said = async |gateway: &Gateway| {
        let reply = client(gateway).get(&url).await;
        verified(&reply, REVIEWED);
        ["content-type", "cache-control"].map(|name| reply.header(name).unwrap().to_owned())
    };
    for _ in 0..3 {
        assert_eq!(said(&gateway).await, ["text/javascript; charset=utf-8", "max-age=600"]);
    }

    let style = Pin::new(&url).digest(sha256(REVIEWED)).kind("style");
    gateway.rewrite(|files| files.without_pins().pinned(style).set_in("cache", "client_max_age", "7s"));
    gateway.event_called("policy-reloaded").await;
    for _ in 0..3 {
        assert_eq!(said(&gateway).await, ["text/css; charset=utf-8", "max-age=7"]);
    }
    gateway.rewrite(|files| files.set_in("cache", "client_max_age", "8s"));
    gateway.event_called("policy-reloaded").await;
    for _ in 0..3 {
        assert_eq!(said(&gateway).await, ["text/css; charset=utf-8", "max-age=8"]);
    }
    assert_eq!(vendor.seen("/app.js").len(), 1);
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_told_once() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).listen().await;
    let good = fs::read_to_string(gateway.dir().join("pins.toml")).unwrap();
    let mut session = kept(client(&gateway), &vendor).await;
    verified(&app_of(&mut session, &vendor).await, REVIEWED);
    let before = gateway.event_called("artifact-verified").await;

    replace(
        &gateway,
        "pins.toml",
        "[[pin]]\nurl = \"https://cdn.vendor.test/app.js\"\ndigests = [\"sha256-x\"]\n",
    );

    let failed = gateway.event_called("reload-failed").await;
    assert!(message(&failed).contains("pins.toml:3:"), "{}", message(&failed));
    assert_eq!(failed.text("event.outcome"), Some("failure"));
    assert_eq!(version(&failed), version(&before));
    gateway.says("changed files cannot be used, and those before them stay in force").await;
    assert_eq!(gateway.command(&["check"]).await.code, Some(2));
    verified(&app_of(&mut session, &vendor).await, REVIEWED);
    assert_eq!(version(&gateway.event_called("artifact-verified").await), version(&before));

    replace(&gateway, "pins.toml", &good.replace("reviewed for a test", "reviewed again"));
    let next = gateway.next_event().await;
    assert_eq!(next.text("event.action"), Some("policy-reloaded"), "{}", next.value());
    assert_eq!(gateway.complaints().await.matches("cannot be used").count(), 1);
    verified(&app_of(&mut session, &vendor).await, REVIEWED);
}

#[tokio::test]
async fn a_file_that_is_gone_changes_nothing_until_it_is_back() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).listen().await;
    let config = fs::read(gateway.dir().join("pinfold.toml")).unwrap();

    fs::remove_file(gateway.dir().join("pinfold.toml")).unwrap();
    assert!(message(&gateway.event_called("reload-failed").await).contains("pinfold.toml"));
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);

    fs::write(gateway.dir().join("pinfold.toml"), config).unwrap();
    gateway.event_called("policy-reloaded").await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
}

/// As Kubernetes changes a mounted `ConfigMap`: the path stays a link to a link, and that one is turned.
#[tokio::test]
async fn a_link_that_is_turned_to_other_files_is_a_change() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = pinning(&vendor).listen().await;
    let dir = gateway.dir();
    for (version, allowed) in [("..1", REVIEWED), ("..2", TAMPERED)] {
        fs::create_dir(dir.join(version)).unwrap();
        let pins = fs::read_to_string(dir.join("pins.toml")).unwrap();
        fs::write(dir.join(version).join("pins.toml"), pins.replace(&sha256(REVIEWED), &sha256(allowed)))
            .unwrap();
    }
    symlink("..1", dir.join("..data")).unwrap();
    symlink("..data/pins.toml", dir.join("pins.link")).unwrap();
    fs::rename(dir.join("pins.link"), dir.join("pins.toml")).unwrap();
    // The same content: no change.
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");

    symlink("..2", dir.join("..data_tmp")).unwrap();
    fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();

    gateway.event_called("policy-reloaded").await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
}

#[tokio::test]
async fn a_file_that_is_cut_and_written_again_ends_as_what_was_written() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).listen().await;
    let path = gateway.dir().join("pins.toml");
    let pins = fs::read_to_string(&path).unwrap().replace("reviewed for a test", "reviewed again");

    fs::File::create(&path).unwrap().set_len(0).unwrap();
    fs::write(&path, &pins).unwrap();

    let digest = sha256(&pins);
    while !message(&gateway.event_called("policy-reloaded").await).contains(&digest) {}
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
}

#[tokio::test]
async fn users_come_and_go_with_their_file() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).users(&[("ada", CHEAP, "proxy"), ("eve", CHEAP, "proxy")]);
    let mut gateway = gateway.listen().await;
    let via = Via::from(&gateway);
    let get = |name: &'static str| {
        let (client, url) = (client(via.clone()).user(name, "open sesame"), vendor.url("/app.js"));
        async move { client.get(url).await }
    };
    verified(&get("ada").await, REVIEWED);
    verified(&get("eve").await, REVIEWED);
    assert_eq!(get("bob").await.status(), 407);
    let tunnel_of_eve = client(&gateway).user("eve", "open sesame");
    let mut tunnel_of_eve = kept(tunnel_of_eve, &vendor).await;

    gateway.rewrite(|files| files.users(&[("ada", CHEAP, "proxy"), ("bob", CHEAP, "proxy")]));
    gateway.event_called("policy-reloaded").await;

    verified(&get("ada").await, REVIEWED);
    verified(&get("bob").await, REVIEWED);
    // A credential that was right is forgotten with its user; a tunnel that is open stays.
    assert_eq!(get("eve").await.status(), 407);
    verified(&app_of(&mut tunnel_of_eve, &vendor).await, REVIEWED);
}

#[tokio::test]
async fn a_users_file_that_others_may_read_changes_nothing() {
    use std::os::unix::fs::PermissionsExt as _;

    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).users(&[("ada", CHEAP, "proxy")]).listen().await;

    let users = gateway.dir().join("users.toml");
    fs::set_permissions(&users, fs::Permissions::from_mode(0o644)).unwrap();
    let failed = gateway.event_called("reload-failed").await;
    assert!(message(&failed).contains("users.toml"), "{}", message(&failed));
    assert!(!failed.value().to_string().contains("argon2id"), "{}", failed.value());
    let ada = client(&gateway).user("ada", "open sesame");
    verified(&ada.get(vendor.url("/app.js")).await, REVIEWED);

    fs::set_permissions(&users, fs::Permissions::from_mode(0o600)).unwrap();
    gateway.event_called("policy-reloaded").await;
}

/// A gateway that knows one vendor, and can reach another origin.
async fn with_another(vendor: &Vendor, other: &Vendor) -> Gateway {
    pinning(vendor).reach(other).listen().await
}

#[tokio::test]
async fn a_new_vendor_s_host_is_intercepted_under_the_same_root_and_open_tunnels_stay() {
    let vendor = vendor_of(REVIEWED).await;
    let other = pinfold_integration_tests::vendor().named("other").host("cdn.other.test");
    let other = other.script("/app.js", TAMPERED).listen().await;
    let mut gateway = with_another(&vendor, &other).await;
    let root = fs::read(gateway.ca()).unwrap();
    let mut to_the_vendor = kept(client(&gateway), &vendor).await;
    let mut unseen = kept(client(&gateway).trusting(origin_root_pem()), &other).await;
    verified(&app_of(&mut to_the_vendor, &vendor).await, REVIEWED);
    assert_eq!(app_of(&mut unseen, &other).await.body(), TAMPERED.as_bytes());

    gateway.rewrite(|files| files.rule(&other, Rule::default()));
    gateway.event_called("policy-reloaded").await;

    assert_eq!(fs::read(gateway.ca()).unwrap(), root);
    for client in [client(&gateway), client(&gateway).http2()] {
        refused(&client.get(other.url("/app.js")).await, 403, "blocked", "unpinned");
    }
    verified(&app_of(&mut to_the_vendor, &vendor).await, REVIEWED);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    // Nobody looks into what was opened before; it lasts as long as its client keeps it.
    assert_eq!(app_of(&mut unseen, &other).await.body(), TAMPERED.as_bytes());
    assert!(
        client(&gateway)
            .trusting(origin_root_pem())
            .try_ask(Method::GET, other.url("/app.js"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn where_the_roots_key_is_not_at_hand_a_new_vendor_changes_nothing() {
    let vendor = vendor_of(REVIEWED).await;
    let other = pinfold_integration_tests::vendor().named("other").host("cdn.other.test");
    let other = other.script("/app.js", TAMPERED).listen().await;
    let mut gateway = with_another(&vendor, &other).await;
    let (key, away) = (gateway.dir().join("pinfold-data/ca/root.key"), gateway.dir().join("root.key"));
    fs::rename(&key, &away).unwrap();
    let issuer = gateway.dir().join("pinfold-data/ca/issuer.pem");
    let issued = fs::read(&issuer).unwrap();

    gateway.rewrite(|files| files.rule(&other, Rule::default()).revoke(sha256(REVIEWED)));

    let failed = gateway.event_called("reload-failed").await;
    assert!(message(&failed).contains("cdn.other.test"), "{}", message(&failed));
    gateway.says("or restart with the key at hand").await;
    assert_eq!(fs::read(&issuer).unwrap(), issued);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    let unseen = client(&gateway).trusting(origin_root_pem()).get(other.url("/app.js")).await;
    assert_eq!(unseen.body(), TAMPERED.as_bytes());

    // It is tried again, and told once.
    fs::rename(&away, &key).unwrap();
    gateway.event_called("policy-reloaded").await;
    assert_eq!(gateway.complaints().await.matches("cannot be used").count(), 1);
    refused(&client(&gateway).get(other.url("/app.js")).await, 403, "blocked", "unpinned");
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "revoked");
}

#[tokio::test]
async fn what_somebody_said_with_sighup_holds_when_it_is_tried_again() {
    let vendor = vendor_of(REVIEWED).await;
    let other = pinfold_integration_tests::vendor().named("other").host("cdn.other.test").listen().await;
    let mut gateway = with_another(&vendor, &other).await;
    gateway.reconfigure("review", "approvers", 2);
    gateway.event_called("policy-reloaded").await;
    let (key, away) = (gateway.dir().join("pinfold-data/ca/root.key"), gateway.dir().join("root.key"));
    fs::rename(&key, &away).unwrap();

    gateway.rewrite(|files| files.rule(&other, Rule::default()).set_in("review", "approvers", 1));
    let less = gateway.event_called("reload-failed").await;
    assert!(message(&less).contains("fewer people would have to agree (1)"), "{less:?}");
    gateway.hang_up().await;
    let keyless = gateway.event_called("reload-failed").await;
    assert!(message(&keyless).contains("cdn.other.test"), "{keyless:?}");
    fs::rename(&away, &key).unwrap();
    gateway.event_called("policy-reloaded").await;
}

#[tokio::test]
async fn files_that_are_not_in_force_do_not_say_how_many_people_must_agree() {
    let vendor = vendor_of(REVIEWED).await;
    let mut gateway = pinning(&vendor).listen().await;
    let agreed = "SELECT approvers FROM agreement";
    let unnumbered = "CREATE TRIGGER unnumbered BEFORE INSERT ON files BEGIN SELECT raise(ABORT, 'no'); END";
    tamper(&gateway, unnumbered).await;
    gateway.reconfigure("review", "approvers", 2);
    gateway.event_called("reload-failed").await;
    assert_eq!(look_up(&gateway, agreed).await, "1");

    tamper(&gateway, "DROP TRIGGER unnumbered").await;
    gateway.hang_up().await;
    gateway.event_called("policy-reloaded").await;
    assert_eq!(look_up(&gateway, agreed).await, "2");
}

#[tokio::test]
async fn what_only_a_start_takes_waits_and_is_named_and_the_rest_holds() {
    let vendor = vendor_of(REVIEWED).await;
    let mut gateway = pinning(&vendor).listen().await;
    let proxy = gateway.proxy();

    gateway.rewrite(|files| {
        files
            .set("listen", json!(["127.0.0.1:0", "[::1]:0"]))
            .set_in("limits", "max_connections", 5)
            .set_in("cache", "client_max_age", "7s")
            .set_in("limits", "max_body", "1KiB")
            .set_in("clients", "allow", json!(["127.0.0.2/32"]))
    });

    let reloaded = gateway.event_called("policy-reloaded").await;
    let waiting = ": 1 vendor, 1 pin, 0 revocations; waiting for a restart: listen, limits.max_connections; ";
    assert!(message(&reloaded).contains(waiting), "{}", message(&reloaded));
    gateway.says("waiting for a restart: listen, limits.max_connections").await;
    assert_eq!(gateway.proxy(), proxy);
    let refusal = client(&gateway).connect("cdn.vendor.test:443").await.unwrap().unwrap_err();
    refused(&refusal, 403, "blocked", "client-not-allowed");
    let allowed = client(&gateway).from([127, 0, 0, 2]);
    let reply = allowed.get(vendor.url("/app.js")).await;
    assert!(reply.header("cache-control").unwrap().contains("max-age=7"), "{reply:?}");
    vendor.script("/app.js", "x".repeat(2000));
    refused(&allowed.get(vendor.url("/app.js")).await, 502, "blocked", "body-too-large");
}

#[tokio::test]
async fn an_address_that_is_taken_from_egress_is_reached_by_no_kept_connection() {
    let vendor = vendor_of(REVIEWED).await;
    let mut gateway = pinning(&vendor).listen().await;
    let mut session = kept(client(&gateway), &vendor).await;
    verified(&app_of(&mut session, &vendor).await, REVIEWED);

    let elsewhere = pinfold_integration_tests::vendor().script("/app.js", TAMPERED).listen().await;
    gateway.rewrite(|files| files.reach(&elsewhere));
    gateway.event_called("policy-reloaded").await;

    refused(&app_of(&mut session, &vendor).await, 403, "quarantined", "digest-mismatch");
    assert_eq!((vendor.seen("/app.js").len(), elsewhere.seen("/app.js").len()), (1, 1));
}

#[tokio::test]
async fn kill_9_during_a_reload_leaves_a_gateway_that_starts_with_the_new_files() {
    let vendor = vendor_of(REVIEWED).await;
    let mut gateway = pinning(&vendor).listen().await;
    let root = fs::read(gateway.ca()).unwrap();
    let mut last = None;
    for round in 0..6 {
        let other = pinfold_integration_tests::vendor().named(&format!("other{round}"));
        let other = other.host(&format!("cdn{round}.other.test")).script("/app.js", TAMPERED).listen().await;
        gateway.rewrite(|files| files.rule(&other, Rule::default()));
        // At once, in the middle, and when it is done.
        match round % 3 {
            0 => gateway.hang_up().await,
            1 => gateway.says("made a new issuing CA").await,
            _ => drop(gateway.event_called("policy-reloaded").await),
        }
        gateway.kill().await;
        gateway.start_again().await;

        assert_eq!(fs::read(gateway.ca()).unwrap(), root);
        refused(&client(&gateway).get(other.url("/app.js")).await, 403, "blocked", "unpinned");
        verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
        let mut event = gateway.event_called("artifact-verified").await;
        // The one before may come again: the kill may have come before it was known to be delivered.
        while event.text("event.id") == last.as_ref().and_then(|last: &Event| last.text("event.id")) {
            event = gateway.event_called("artifact-verified").await;
        }
        assert!(last.is_none_or(|last| version(&event) > version(&last)), "a version means one policy");
        last = Some(event);
    }
}

#[tokio::test]
async fn a_decision_is_numbered_with_the_files_and_outlives_them() {
    let vendor = vendor_of(TAMPERED).await;
    let mut gateway = pinning(&vendor).listen().await;
    let incident =
        refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
    let before = version(&gateway.event_called("artifact-quarantined").await);

    gateway.hang_up().await;
    let reloaded = version(&gateway.event_called("policy-reloaded").await);
    gateway.command(&["quarantine", "approve", &incident, "--reason", "read it"]).await.success();
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
    let approved = version(&gateway.event_called("artifact-verified").await);
    assert!(before < reloaded && reloaded < approved, "{before} {reloaded} {approved}");

    gateway.rewrite(|files| files.set_in("cache", "client_max_age", "7s"));
    gateway.event_called("policy-reloaded").await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
    gateway.rewrite(|files| files.revoke(sha256(TAMPERED)));
    gateway.event_called("policy-reloaded").await;
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "revoked");
}

#[tokio::test]
async fn a_pipe_in_place_of_a_list_changes_nothing_and_stops_nothing() {
    let vendor = vendor_of(REVIEWED).await;
    let mut gateway = pinning(&vendor).listen().await;
    let list = gateway.dir().join("pins.toml");
    fs::remove_file(&list).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&list).status().unwrap().success());

    gateway.event_called("reload-failed").await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    fs::remove_file(&list).unwrap();
    gateway.rewrite(|files| files.revoke(sha256(REVIEWED)));
    gateway.event_called("policy-reloaded").await;
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "revoked");
}

#[tokio::test]
async fn a_file_that_was_cut_short_guards_no_less_until_somebody_says_so() {
    let vendor =
        vendor().clear_text().script("/app.js", TAMPERED).script("/other.js", REVIEWED).listen().await;
    for (file, cut, said, path, reason) in [
        ("pinfold.toml", "[[vendor]]", "no vendor claims", "/other.js", "unpinned"),
        ("pinfold.toml", "", "no vendor claims", "/other.js", "unpinned"),
        ("pins.toml", "[[revoke]]", "1 revocation would be undone", "/app.js", "revoked"),
    ] {
        let gateway = pinning(&vendor).pin(vendor.url("/app.js"), sha256(TAMPERED)).revoke(sha256(TAMPERED));
        let gateway = gateway.listen().await;
        let text = fs::read_to_string(gateway.dir().join(file)).unwrap();
        let end = if cut.is_empty() { 0 } else { text.find(cut).unwrap() };
        fs::write(gateway.dir().join(file), &text[..end]).unwrap();

        let failed = gateway.event_called("reload-failed").await;
        assert!(
            message(&failed).contains("they guard less") && message(&failed).contains(said),
            "{failed:?}"
        );
        refused(&client(&gateway).get(vendor.url(path)).await, 403, "blocked", reason);

        gateway.hang_up().await;
        gateway.event_called("policy-reloaded").await;
        assert_ne!(client(&gateway).get(vendor.url(path)).await.status(), 403);
    }
}
