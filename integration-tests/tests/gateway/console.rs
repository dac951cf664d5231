//! The console as who reviews meets it, and as who should not get in does.

use std::os::unix::fs::PermissionsExt as _;

use pinfold_integration_tests::{
    Answer, Gateway, GatewayBuilder, Reviewer, Vendor, client, eventually, reviewer, sha256, token,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::admission::{CHEAP, PASSWORD};
use crate::{REVIEWED, TAMPERED, pinning, refused, vendor_of, verified};

/// Of `open barley`.
const OTHER: &str = "open barley";

/// With a viewer, two reviewers, and a user of the proxy alone.
pub(crate) fn with_reviewers(gateway: GatewayBuilder) -> GatewayBuilder {
    gateway.reviewers(&[
        ("vic", CHEAP, "viewer"),
        ("ada", CHEAP, "reviewer"),
        ("bob", CHEAP, "reviewer"),
        ("pat", CHEAP, "proxy"),
    ])
}

/// A gateway with one script in quarantine, and its incident.
pub(crate) async fn with_an_item(vendor: &Vendor) -> (Gateway, String) {
    let gateway = with_reviewers(pinning(vendor)).listen().await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    let incident = reply.verdict().incident().unwrap().to_owned();
    (gateway, incident)
}

pub(crate) async fn signed_in<'g>(gateway: &'g Gateway, name: &str) -> Reviewer<'g> {
    let mut reviewer = reviewer(gateway);
    let shown = reviewer.sign_in(name, PASSWORD).await;
    assert_eq!((shown.status, shown.field("location")), (303, Some("/")), "{shown:?}");
    reviewer
}

fn decision<'a>(act: &'a str, reason: &'a str) -> [(&'a str, &'a str); 3] {
    [("act", act), ("reason", reason), ("password", PASSWORD)]
}

#[tokio::test]
async fn a_reviewer_approves_and_the_script_passes_at_once() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident) = with_an_item(&vendor).await;
    let ada = signed_in(&gateway, "ada").await;
    let item = format!("/quarantine/{incident}");
    let (queue, shown) = (ada.open("/quarantine").await, ada.open(&item).await);
    assert!(queue.body.contains(&item), "{}", queue.body);
    for evidence in
        [&*vendor.url("/app.js"), "127.0.0.1", "digest-mismatch", "served as script at", "1 client"]
    {
        assert!(shown.body.contains(evidence), "no {evidence}: {}", shown.body);
    }

    let done = ada.fill(&item, &format!("{item}/decide"), &decision("approve", "SEC-1 reviewed")).await;

    assert_eq!((done.status, done.field("location")), (303, Some(&*item)), "{done:?}");
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
    let after = ada.open(&item).await;
    for sentence in [
        format!("<p>These bytes may be served at {} as script.</p>", vendor.url("/app.js")),
        "<p>It is in force in the running gateway.</p>".to_owned(),
    ] {
        assert!(after.body.contains(&sentence), "{sentence}: {}", after.body);
    }
    let listed = gateway.command(&["--json", "quarantine", "show", &incident]).await.success().json();
    assert_eq!(listed["state"], "approved");
    assert_eq!(listed["decided"]["reason"], "SEC-1 reviewed");
    assert!(listed["decided"]["who"].as_str().unwrap().starts_with("ada@"), "{listed}");
    gateway.command(&["audit", "verify"]).await.success();
}

#[tokio::test]
async fn the_queue_says_in_a_line_what_an_item_newly_does() {
    let (gateway, incident) = with_an_item(&vendor_of(TAMPERED).await).await;
    let ada = signed_in(&gateway, "ada").await;
    // The queue waits for nothing; who has seen the item finds the line there.
    let queue = ada.open("/quarantine").await.body;
    assert!(queue.contains("What it does is being read.") || queue.contains("class=\"why\""), "{queue}");
    let item = format!("/quarantine/{incident}");
    while ada.open(&item).await.body.contains("data-running") {}
    let queue = ada.open("/quarantine").await.body;
    let line = "<p class=\"why\">no verified version to compare with; ";
    assert!(queue.contains(line), "{queue}");
}

#[tokio::test]
async fn a_reviewer_rejects_and_the_script_stays_out() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident) = with_an_item(&vendor).await;
    let ada = signed_in(&gateway, "ada").await;
    let item = format!("/quarantine/{incident}");

    // Without a password: what bars something needs none.
    ada.fill(&item, &format!("{item}/decide"), &[("act", "reject"), ("reason", "SEC-2")]).await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "rejected");
}

#[tokio::test]
async fn files_with_mistakes_keep_nobody_from_rejecting_and_everybody_from_approving() {
    let (gateway, incident) = with_an_item(&vendor_of(TAMPERED).await).await;
    let ada = signed_in(&gateway, "ada").await;
    let item = format!("/quarantine/{incident}");
    std::fs::write(gateway.dir().join("pinfold.toml"), "no toml").unwrap();

    ada.fill(&item, &format!("{item}/decide"), &decision("approve", "SEC-1")).await;
    assert!(ada.open(&item).await.body.contains("Nothing was decided"));
    ada.fill(&item, &format!("{item}/decide"), &decision("reject", "SEC-1")).await;

    let after = ada.open(&item).await.body;
    assert!(after.contains("are not released at"), "{after}");
}

#[tokio::test]
async fn a_release_takes_the_password_again_a_reason_and_as_many_people_as_the_files_say() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = with_reviewers(pinning(&vendor)).set_in("review", "approvers", 2).listen().await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    let item = format!("/quarantine/{}", reply.verdict().incident().unwrap());
    let to = format!("{item}/decide");
    let (ada, bob) = (signed_in(&gateway, "ada").await, signed_in(&gateway, "bob").await);

    for wrong in [
        &[("act", "approve"), ("reason", "SEC-1")][..],
        &[("act", "approve"), ("reason", "SEC-1"), ("password", OTHER)],
        &decision("approve", "  "),
        &[("act", "approve"), ("reason", "SEC-1"), ("password", PASSWORD), ("expires", "2020-01-01")],
    ] {
        ada.fill(&item, &to, wrong).await;
        let told = ada.open(&item).await.body;
        assert!(told.contains("Nothing was decided."), "{wrong:?}");
        // Whoever is asked for a password again is signed in.
        assert!(!told.contains("may not sign in"), "{told}");
        let is_of_password = wrong.iter().all(|(name, value)| *name != "password" || *value == OTHER);
        assert_eq!(
            told.contains("This was not the password of ada. To approve, type"),
            is_of_password,
            "{told}"
        );
    }
    // The same person twice is one.
    for _ in 0..2 {
        ada.fill(&item, &to, &decision("approve", "SEC-1")).await;
        let shown = ada.open(&item).await.body;
        assert!(
            shown.contains("1 of 2") && shown.contains("You have approved it: 1 other person must too"),
            "{shown}"
        );
        refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
    }
    bob.fill(&item, &to, &decision("approve", "SEC-1, seen too")).await;

    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
}

#[tokio::test]
async fn a_person_at_the_console_and_by_the_command_is_one() {
    let vendor = vendor_of(TAMPERED).await;
    let mut gateway = with_reviewers(pinning(&vendor)).set_in("review", "approvers", 2).listen().await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    let incident = reply.verdict().incident().unwrap().to_owned();
    gateway.command(&["quarantine", "approve", &incident, "--reason", "SEC-1"]).await.success();
    let shown = gateway.command(&["--json", "quarantine", "show", &incident]).await.success().json();
    let who = shown["agreement"]["by"][0].as_str().unwrap();
    let name = who.split('@').next().unwrap();
    gateway.rewrite(|files| files.reviewers(&[(name, CHEAP, "reviewer")]));
    gateway.says("changed files are in force").await;

    let item = format!("/quarantine/{incident}");
    let them = signed_in(&gateway, name).await;
    them.fill(&item, &format!("{item}/decide"), &decision("approve", "SEC-1 again")).await;

    assert!(them.open(&item).await.body.contains("1 of 2"));
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn a_viewer_looks_and_does_not_decide() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident) = with_an_item(&vendor).await;
    let vic = signed_in(&gateway, "vic").await;
    let item = format!("/quarantine/{incident}");
    let shown = vic.open(&item).await;
    assert!(shown.status == 200 && !shown.body.contains("/decide"), "{}", shown.body);

    for act in ["approve", "reject"] {
        assert_eq!(vic.fill(&item, &format!("{item}/decide"), &decision(act, "SEC-1")).await.status, 403);
    }

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn whoever_is_not_signed_in_sees_and_does_nothing() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident) = with_an_item(&vendor).await;
    let nobody = reviewer(&gateway);
    let item = format!("/quarantine/{incident}");

    for path in ["/", "/quarantine", &item, &format!("{item}/body")] {
        let shown = nobody.open(path).await;
        assert!(shown.status == 303 && shown.body.is_empty(), "{path}: {shown:?}");
    }
    let form = token(&nobody.open("/sign-in").await);
    let fields = [&[("form", &*form)], &decision("approve", "SEC-1")[..]].concat();
    assert_eq!(nobody.send(&format!("{item}/decide"), &fields).await.field("location"), Some("/sign-in"));

    let mut pat = reviewer(&gateway);
    for (name, password) in [("pat", PASSWORD), ("ada", OTHER), ("nobody", PASSWORD), ("", "")] {
        let shown = pat.sign_in(name, password).await;
        assert_eq!((shown.status, shown.field("set-cookie")), (403, None), "{name}");
    }
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn a_form_from_elsewhere_or_without_its_token_does_nothing() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident) = with_an_item(&vendor).await;
    let (ada, bob) = (signed_in(&gateway, "ada").await, signed_in(&gateway, "bob").await);
    let item = format!("/quarantine/{incident}");
    let to = format!("{item}/decide");

    for foreign in [
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", "null")][..],
        &[("Sec-Fetch-Site", "same-site"), ("Origin", "http://127.0.0.1:9")],
        &[("Origin", "http://evil.test")],
        &[("Origin", "null")],
        &[],
    ] {
        let shown = ada.clone().from(foreign).fill(&item, &to, &decision("reject", "SEC-1")).await;
        assert_eq!(shown.status, 403, "{foreign:?}");
        let shown = ada.clone().from(foreign).fill(&item, "/sign-out", &[]).await;
        assert_eq!(shown.status, 403, "{foreign:?}");
        let mut eve = reviewer(&gateway).from(foreign);
        assert_eq!(eve.sign_in("ada", PASSWORD).await.status, 403, "{foreign:?}");
    }
    let of_bob = token(&bob.open(&item).await);
    for form in ["", &of_bob, &token(&ada.open("/sign-in").await)] {
        let fields = [&[("form", form)], &decision("reject", "SEC-1")[..]].concat();
        assert_eq!(ada.send(&to, &fields).await.status, 403);
    }
    assert!(matches!(ada.send(&to, &decision("reject", "SEC-1")).await.status, 400..500));
    assert_eq!(ada.open(&to).await.status, 405);

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn a_session_begins_with_a_token_that_nobody_knew_before() {
    let gateway = with_reviewers(pinning(&vendor_of(TAMPERED).await)).listen().await;
    let mut ada = reviewer(&gateway);
    let planted = "pinfold-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    ada.cookie = Some(planted.to_owned());

    ada.sign_in("ada", PASSWORD).await;

    let first = ada.cookie.clone().unwrap();
    assert_ne!(first, planted);
    let with = |cookie: String| {
        let mut eve = reviewer(&gateway);
        eve.cookie = Some(cookie);
        eve
    };
    assert_eq!(with(planted.to_owned()).open("/").await.status, 303);
    assert_eq!(with(first.clone()).open("/").await.status, 200);
    // Two of that name: one of them is somebody else's.
    assert_eq!(with(format!("{first}; {planted}")).open("/").await.status, 303);
    // Signing in again ends what was before.
    ada.sign_in("ada", PASSWORD).await;
    assert_ne!(ada.cookie.as_ref(), Some(&first));
    assert_eq!(with(first).open("/").await.status, 303);
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_and_of_other_sites_and_ends_with_the_session() {
    let gateway = with_reviewers(pinning(&vendor_of(TAMPERED).await)).listen().await;
    let mut ada = reviewer(&gateway);
    let shown = ada.sign_in("ada", PASSWORD).await;
    let cookie = shown.field("set-cookie").unwrap();
    assert!(
        cookie.starts_with("pinfold-session=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );

    let out = ada.fill("/", "/sign-out", &[]).await;

    assert!(out.field("set-cookie").unwrap().contains("=; ") && out.head.contains("Max-Age=0"), "{out:?}");
    assert_eq!(ada.open("/").await.status, 303);
}

#[tokio::test]
async fn another_password_ends_the_sessions_of_before() {
    let mut gateway = with_reviewers(pinning(&vendor_of(TAMPERED).await)).listen().await;
    let (ada, bob) = (signed_in(&gateway, "ada").await.cookie, signed_in(&gateway, "bob").await.cookie);
    // Of the same password, and another salt.
    let other =
        "$argon2id$v=19$m=8,t=1,p=1$ZmVkY2JhOTg3NjU0MzIxMA$xaW9jW1nqBjBzztRIhRyK5oGq6/azN5UkLyxA9sPeBo";
    gateway.rewrite(|files| files.reviewers(&[("ada", other, "reviewer"), ("bob", CHEAP, "reviewer")]));
    gateway.says("changed files are in force").await;

    let with = |cookie: &Option<String>| {
        let mut reviewer = reviewer(&gateway);
        reviewer.cookie.clone_from(cookie);
        reviewer
    };
    assert_eq!(with(&ada).open("/").await.status, 303);
    assert_eq!(with(&bob).open("/").await.status, 200);
}

#[tokio::test]
async fn many_wrong_passwords_have_to_wait_and_so_does_the_right_one_behind_them() {
    let gateway = with_reviewers(pinning(&vendor_of(TAMPERED).await)).listen().await;
    let mut eve = reviewer(&gateway);
    for name in ["ada", "nobody-here"] {
        for _ in 0..5 {
            assert_eq!(eve.sign_in(name, OTHER).await.status, 403);
        }
        // The next has to wait, whoever it is, and where it did not any more the one after it does for longer.
        let mut waited = false;
        for _ in 0..8 {
            let shown = eve.sign_in(name, OTHER).await;
            waited |= shown.status == 429 && shown.field("retry-after").is_some();
        }
        assert!(waited, "{name}");
    }
    assert_eq!(eve.sign_in("bob", PASSWORD).await.status, 303, "another name waits for nothing");
    let event = gateway.event_called("login-failed").await;
    assert_eq!((event.text("user.name"), event.text("source.ip")), (Some("ada"), Some("127.0.0.1")));
    assert!(event.text("message").unwrap().contains("at the console"), "{event:?}");
    let event = loop {
        let event = gateway.event_called("login-failed").await;
        if event.text("user.name") != Some("ada") {
            break event;
        }
    };
    assert!(event.text("user.name").is_none() && !format!("{event:?}").contains("nobody-here"), "{event:?}");
}

#[tokio::test]
async fn who_is_signed_in_decides_while_somebody_tries_their_name() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident) = with_an_item(&vendor).await;
    let ada = signed_in(&gateway, "ada").await;
    let mut eve = reviewer(&gateway);
    while eve.sign_in("ada", OTHER).await.status != 429 {}

    let item = format!("/quarantine/{incident}");
    ada.fill(&item, &format!("{item}/decide"), &decision("approve", "SEC-1")).await;

    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
}

#[tokio::test]
async fn what_came_of_one_item_is_not_told_at_another() {
    let vendor = vendor_of(TAMPERED).await;
    vendor.serve("/other.js", Answer::script("let other = 1;"));
    let gateway =
        with_reviewers(pinning(&vendor).pin(vendor.url("/other.js"), sha256(REVIEWED))).listen().await;
    let mut items = Vec::new();
    for path in ["/app.js", "/other.js"] {
        let reply = client(&gateway).get(vendor.url(path)).await;
        items.push(format!("/quarantine/{}", reply.verdict().incident().unwrap()));
    }
    let ada = signed_in(&gateway, "ada").await;
    let wrong = [("act", "approve"), ("reason", "meant for the first one"), ("password", OTHER)];

    ada.fill(&items[0], &format!("{}/decide", items[0]), &wrong).await;

    let other = ada.open(&items[1]).await.body;
    assert!(!other.contains("Nothing was decided") && !other.contains("meant for the first one"), "{other}");
    let first = ada.open(&items[0]).await.body;
    assert!(first.contains("Nothing was decided") && first.contains("meant for the first one"), "{first}");
}

#[tokio::test]
async fn forms_that_never_come_to_their_end_keep_nobody_out() {
    let gateway = with_reviewers(pinning(&vendor_of(TAMPERED).await)).listen().await;
    let console = gateway.console().unwrap();
    let half = format!("POST /sign-in HTTP/1.1\r\nHost: {console}\r\nContent-Length: 9000\r\n\r\nf");
    let mut halves = Vec::new();
    for _ in 0..80 {
        let mut half_sent = TcpStream::connect(console).await.unwrap();
        // Beyond the share of one address it is closed.
        drop(half_sent.write_all(half.as_bytes()).await);
        halves.push(half_sent);
    }

    // From another address at once, and from the same one as soon as the time of the halves is over.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(console).await.unwrap();
    let ask = format!("GET /livez HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\n\r\n");
    other.write_all(ask.as_bytes()).await.unwrap();
    let mut said = String::new();
    eventually("an answer", other.read_to_string(&mut said)).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let mut ended = String::new();
    eventually("the end of a half", halves[0].read_to_string(&mut ended)).await.unwrap();
    assert!(ended.starts_with("HTTP/1.1 408"), "{ended}");
    assert_eq!(signed_in(&gateway, "ada").await.open("/").await.status, 200);
}

#[tokio::test]
async fn a_page_that_rebinds_its_name_reaches_no_page_of_the_review() {
    let gateway = with_reviewers(pinning(&vendor_of(TAMPERED).await)).listen().await;
    for request in
        ["GET / HTTP/1.1", "GET /sign-in HTTP/1.1", "POST /sign-in HTTP/1.1", "GET /style.css HTTP/1.1"]
    {
        let request =
            format!("{request}\r\nHost: evil.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        assert_eq!(gateway.console_says(&request).await.status, 421, "{request}");
    }
}

#[tokio::test]
async fn every_page_is_framed_by_a_policy_and_kept_nowhere() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident) = with_an_item(&vendor).await;
    let ada = signed_in(&gateway, "ada").await;
    let item = format!("/quarantine/{incident}");
    for path in [
        "/",
        "/quarantine",
        &item,
        "/sign-in",
        "/style.css",
        "/app.js",
        "/quarantine/nothing",
        "/first-start",
    ] {
        let shown = ada.open(path).await;
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(shown.field(name), Some(value), "{path}");
        }
        let policy = shown.field("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none';")
                && policy.contains("script-src 'self';")
                && policy.contains("require-trusted-types-for 'script'; trusted-types 'none'"),
            "{path}"
        );
        if path == "/app.js" {
            continue;
        }
        let page = shown.body.replace("<script src=\"/app.js\" defer></script>", "");
        for inline in ["style=\"", "onclick", "<script", "javascript:"] {
            assert!(!page.contains(inline), "{path}");
        }
    }

    let body = ada.open(&format!("{item}/body")).await;
    assert_eq!((body.status, &*body.body), (200, TAMPERED));
    assert_eq!(body.field("content-type"), Some("application/octet-stream"));
    assert_eq!(body.field("x-content-type-options"), Some("nosniff"));
    assert!(body.field("content-disposition").unwrap().starts_with("attachment;"));
    assert!(body.field("content-security-policy").unwrap().contains("sandbox"));
}

#[tokio::test]
async fn the_first_link_makes_one_user_who_signs_in_and_holds_no_more() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = pinning(&vendor).set_in("console", "listen", "127.0.0.1:0").listen().await;
    gateway.says("/first-start?token=").await;
    let complaints = gateway.complaints().await;
    let token = complaints.split_once("/first-start?token=").unwrap().1.split_whitespace().next().unwrap();
    let path = format!("/first-start?token={token}");
    let nobody = reviewer(&gateway);
    assert_eq!(nobody.open("/first-start?token=guessed").await.status, 410);
    let mut fields =
        [("token", token), ("name", "ada"), ("password", "a long password"), ("again", "another password")];
    assert_eq!(nobody.fill(&path, "/first-start", &fields).await.status, 422);
    fields[3].1 = "a long password";

    assert_eq!(nobody.fill(&path, "/first-start", &fields).await.status, 200);

    assert_eq!(nobody.open(&path).await.status, 410);
    let mut ada = reviewer(&gateway);
    assert_eq!(ada.sign_in("ada", "a long password").await.status, 303);
    let listed = gateway.command(&["--json", "user", "list"]).await.success().json();
    assert_eq!((&listed[0]["name"], &listed[0]["roles"][0]), (&"ada".into(), &"admin".into()));
    // Somebody may sign in now: the next start prints none.
    gateway.terminate().await;
    gateway.start_again().await;
    assert!(!gateway.complaints().await.contains("/first-start"));
}

#[tokio::test]
async fn the_first_link_makes_nobody_beside_a_user_whom_the_gateway_has_not_read_yet() {
    let gateway =
        pinning(&vendor_of(TAMPERED).await).set_in("console", "listen", "127.0.0.1:0").listen().await;
    gateway.says("/first-start?token=").await;
    let complaints = gateway.complaints().await;
    let token = complaints.split_once("/first-start?token=").unwrap().1.split_whitespace().next().unwrap();
    let path = format!("/first-start?token={token}");
    let nobody = reviewer(&gateway);
    let form = pinfold_integration_tests::token(&nobody.open(&path).await);
    let file = gateway.dir().join("reviewers.toml");
    let ada = format!("[[user]]\nname = \"ada\"\npassword = \"{CHEAP}\"\nroles = [\"viewer\"]\n");
    std::fs::write(&file, ada).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();

    let password = "a long password";
    let fields =
        [("form", &*form), ("token", token), ("name", "eve"), ("password", password), ("again", password)];
    let shown = nobody.send("/first-start", &fields).await;

    assert!([410, 422].contains(&shown.status), "{shown:?}");
    let listed = std::fs::read_to_string(&file).unwrap();
    assert!(!listed.contains("eve"), "{listed}");
}

#[tokio::test]
async fn nobody_signs_in_beyond_loopback_where_there_is_no_tls() {
    let gateway =
        with_reviewers(pinning(&vendor_of(TAMPERED).await)).set_in("console", "listen", "0.0.0.0:0");
    let gateway = gateway.listen().await;
    let form = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n"
        )
    };
    let fields = format!("form=x&name=ada&password={}", PASSWORD.replace(' ', "+"));

    let port = gateway.console().unwrap().port();
    let shown = gateway
        .console_says(&format!(
            "GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        ))
        .await;
    assert!(shown.status == 403 && shown.body.contains("speaks no TLS"), "{shown:?}");
    let head = format!("{}Content-Length: {}\r\n\r\n", form("/sign-in"), fields.len());
    let shown = gateway.console_says(&format!("{head}{fields}")).await;
    assert_eq!((shown.status, shown.field("set-cookie")), (403, None));
    assert!(gateway.complaints().await.contains("nobody can sign in there"));
}

#[tokio::test]
async fn the_ledger_says_what_a_word_was_taken_for_and_finds_by_it() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident) = with_an_item(&vendor).await;
    let vic = signed_in(&gateway, "vic").await;
    let url = vendor.url("/app.js").replace(':', "%3A");
    let digest = sha256(TAMPERED).replace('+', "%2B").replace('/', "%2F");

    for (asked, taken_for) in [
        (&*url, "Taken for a URL"),
        (&*digest, "Taken for a digest"),
        (&*incident, "Taken for an incident"),
        ("127.0.0.1", "Taken for a client"),
        ("", "All entries"),
    ] {
        let shown = vic.open(&format!("/ledger?q={asked}&from=1h")).await;
        assert_eq!(shown.status, 200);
        for there in [taken_for, &*vendor.url("/app.js"), &*format!("/quarantine/{incident}")] {
            assert!(shown.body.contains(there), "{asked}: no {there}: {}", shown.body);
        }
    }
    for elsewhere in ["q=other.example", "q=nobody", "q=10.9.9.9", "q=&until=2020-01-01"] {
        let shown = vic.open(&format!("/ledger?{elsewhere}")).await;
        assert!(shown.body.contains("No entry fits"), "{elsewhere}: {}", shown.body);
    }
    for wrong in ["q=sha256-cut", "q=&from=soon", "q=&before=x"] {
        let shown = vic.open(&format!("/ledger?{wrong}")).await;
        assert!(shown.body.contains("Nothing was searched"), "{wrong}: {}", shown.body);
    }
    let planted = vic.open("/ledger?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE").await;
    assert!(!planted.body.contains("<script>") && !planted.body.contains('\u{202e}'), "{}", planted.body);
}

#[tokio::test]
async fn the_exposure_statement_is_that_of_the_command_on_a_page_and_in_files() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident) = with_an_item(&vendor).await;
    let vic = signed_in(&gateway, "vic").await;
    let digest = sha256(TAMPERED);
    let told = gateway.command(&["--json", "exposure", "--digest", &digest]).await.json();
    let said: Vec<_> =
        told["statement"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();

    let shown = vic.open(&format!("/exposure?q={incident}")).await;
    let text = vic.open(&format!("/exposure/statement.txt?q={incident}")).await;
    let json = vic.open(&format!("/exposure/statement.json?q={incident}")).await;

    assert_eq!((shown.status, text.status, json.status), (200, 200, 200));
    assert!(shown.body.contains(said[0]) && text.body.contains("# Exposure"), "{}", shown.body);
    let json_told: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(json_told["statement"][0], told["statement"][0]);
    assert_eq!(json_told["refused"][0]["sha256"], told["refused"][0]["sha256"]);
    for (file, media_type) in [(&text, "text/plain; charset=utf-8"), (&json, "application/json")] {
        assert_eq!(file.field("content-type"), Some(media_type));
        assert!(file.field("content-disposition").unwrap().starts_with("attachment;"));
    }
    assert!(vic.open("/exposure?q=").await.body.contains("There is no statement"));
    assert_eq!(vic.open("/exposure/statement.txt?q=").await.status, 422);
    assert_eq!(vic.open("/exposure/other?q=").await.status, 404);
    for path in ["/ledger", "/exposure?q=a", "/exposure/statement.json?q=a"] {
        assert_eq!(reviewer(&gateway).open(path).await.status, 303, "{path}");
    }
}
