//! The console's API: the same capabilities as JSON, for programs that show a token, and the command's remote mode.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use pinfold_integration_tests::{
    Gateway, Rule, Shown, Vendor, client, eventually, gateway, reviewer, sha256,
};
use serde_json::{Value, json};

use crate::admission::PASSWORD;
use crate::console::{with_an_item, with_reviewers};
use crate::{REVIEWED, TAMPERED, pinning, refused, vendor_of, verified};

/// A token of a user, that the running gateway takes by now.
pub(crate) async fn token(gateway: &Gateway, user: &str, name: &str, role: &str) -> String {
    let made = gateway.command(&["token", "add", user, "--name", name, "--role", role]).await.success();
    let token = made.text().trim().to_owned();
    assert!(token.starts_with("pinfold_") && token.len() == 8 + 64, "{token}");
    gateway.hang_up().await;
    gateway.event_called("policy-reloaded").await;
    token
}

/// What a command printed.
const PRINTED: &str = "application/vnd.pinfold.printed+json";

struct Program<'g> {
    gateway: &'g Gateway,
    head: String,
}

impl Program<'_> {
    fn of<'g>(gateway: &'g Gateway, token: &str) -> Program<'g> {
        Program { gateway, head: format!("Authorization: Bearer {token}\r\n") }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Shown {
        let console = self.gateway.console().unwrap();
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\n{}", self.head);
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            write!(request, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()).unwrap();
        }
        self.gateway.console_says(&format!("{request}\r\n{body}")).await
    }

    async fn get(&self, path: &str) -> Shown {
        self.ask("GET", &format!("/api/v1/{path}"), None).await
    }

    async fn decide(&self, incident: &str, decision: &Value) -> Shown {
        self.ask("POST", &format!("/api/v1/quarantine/{incident}/decision"), Some(decision)).await
    }

    /// What of an item a decision gives back.
    async fn shown(&self, incident: &str) -> Value {
        self.get(&format!("quarantine/{incident}")).await.json()["shown"].clone()
    }

    async fn triage(&self, incident: &str) -> Shown {
        self.answer("GET", &format!("/api/v1/quarantine/{incident}/triage"), None).await
    }

    /// What is answered once it does not say to come back.
    async fn answer(&self, method: &str, path: &str, body: Option<&Value>) -> Shown {
        let asking = async {
            loop {
                let shown = self.ask(method, path, body).await;
                if shown.status != 503 {
                    return shown;
                }
            }
        };
        eventually(path, asking).await
    }
}

/// That it is a problem document of this status, and nothing else.
#[track_caller]
fn problem(shown: &Shown, status: u16) {
    assert_eq!(
        (shown.status, shown.field("content-type")),
        (status, Some("application/problem+json")),
        "{shown:?}"
    );
    assert_eq!(shown.json()["status"], status, "{shown:?}");
    assert_eq!(shown.field("cache-control"), Some("no-store"), "{shown:?}");
}

#[tokio::test]
async fn a_program_sees_the_evidence_approves_it_and_the_script_passes_at_once() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident) = with_an_item(&vendor).await;
    let secret = token(&gateway, "ada", "ci", "reviewer").await;
    let ada = Program::of(&gateway, &secret);

    let items = ada.get("quarantine").await.json();
    assert_eq!(items["items"][0]["incident"], incident.as_str(), "{items}");
    let here = gateway.command(&["--json", "quarantine", "show", &incident]).await.success().json();
    let mut item = ada.get(&format!("quarantine/{incident}")).await.json();
    item["last"] = here["last"].clone();
    assert_eq!(item, here);
    let diff = gateway.command(&["--json", "quarantine", "diff", &incident]).await.success().json();
    assert_eq!(ada.triage(&incident).await.json(), diff);
    let body = ada.get(&format!("quarantine/{incident}/body")).await;
    assert_eq!(
        (body.body.as_str(), body.field("content-type")),
        (TAMPERED, Some("application/octet-stream"))
    );
    assert!(body.field("content-disposition").unwrap().starts_with("attachment"), "{body:?}");

    let decision = json!({ "act": "approve", "reason": "SEC-1", "shown": ada.shown(&incident).await });
    let done = ada.decide(&incident, &decision).await;
    assert_eq!(
        (done.status, &done.json()["state"], &done.json()["in_force"]),
        (200, &json!("approved"), &json!("yes"))
    );
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);

    let decided = ada.get(&format!("quarantine/{incident}")).await.json()["decided"].clone();
    assert!(decided["who"].as_str().unwrap().starts_with("ada@"), "{decided}");
    assert_eq!(decided["reason"], "SEC-1 (by the token ci)");
    gateway.command(&["audit", "verify"]).await.success();
    gateway.terminate().await;
    for event in gateway.every_event().await {
        assert!(!format!("{event:?}").contains(&secret), "{event:?}");
    }
}

#[tokio::test]
async fn curl_reads_the_queue_with_a_token_and_nothing_without() {
    let (gateway, incident) = with_an_item(&vendor_of(TAMPERED).await).await;
    let secret = token(&gateway, "vic", "curl", "viewer").await;
    let url = format!("http://{}/api/v1/quarantine", gateway.console().unwrap());
    let curl = async |args: &[&str]| {
        let asked = tokio::process::Command::new("curl")
            .args(["--silent", "--noproxy", "*", &url])
            .args(args)
            .output();
        String::from_utf8(eventually("curl", asked).await.unwrap().stdout).unwrap()
    };
    let header = format!("Authorization: Bearer {secret}");
    assert!(curl(&["--header", &header]).await.contains(&incident));
    assert!(!curl(&[]).await.contains(&incident));
}

#[tokio::test]
async fn a_token_of_a_viewer_reads_and_does_not_decide() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident) = with_an_item(&vendor).await;
    let vic = Program::of(&gateway, &token(&gateway, "ada", "read", "viewer").await);

    let decision = json!({ "act": "approve", "reason": "SEC-1", "shown": vic.shown(&incident).await });
    problem(&vic.decide(&incident, &decision).await, 403);
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");

    let beyond = gateway.command(&["token", "add", "vic", "--name", "x", "--role", "reviewer"]).await;
    assert_eq!(beyond.code, Some(2), "{beyond:?}");
}

#[tokio::test]
async fn a_cookie_two_authorizations_another_scheme_and_a_token_in_the_url_open_nothing() {
    let (gateway, _) = with_an_item(&vendor_of(TAMPERED).await).await;
    let secret = token(&gateway, "ada", "ci", "reviewer").await;
    let mut ada = reviewer(&gateway);
    ada.sign_in("ada", PASSWORD).await;
    let with = |head: String| Program { gateway: &gateway, head };
    let bearer = format!("Authorization: Bearer {secret}\r\n");

    for (head, status) in [
        (String::new(), 401),
        (format!("Cookie: {}\r\n", ada.cookie.clone().unwrap()), 401),
        (format!("{bearer}{bearer}"), 401),
        (format!("Authorization: Basic {secret}\r\n"), 401),
        (format!("Authorization: Bearer {secret}x\r\n"), 401),
        (format!("Authorization: Bearer {}\r\n", secret.to_uppercase()), 401),
    ] {
        problem(&with(head.clone()).get("overview").await, status);
    }
    for query in [format!("access_token={secret}"), format!("q={secret}")] {
        problem(&with(bearer.clone()).get(&format!("quarantine?{query}")).await, 400);
    }
    assert_eq!(with(bearer).get("overview").await.status, 200);
}

#[tokio::test]
async fn a_wrong_token_is_an_event_and_many_of_them_wait_and_the_right_one_does_not() {
    let (gateway, _) = with_an_item(&vendor_of(TAMPERED).await).await;
    let right = Program::of(&gateway, &token(&gateway, "ada", "ci", "viewer").await);
    let wrong = Program::of(&gateway, &format!("pinfold_{}", "0".repeat(64)));

    problem(&wrong.get("overview").await, 401);
    let event = gateway.event_called("login-failed").await;
    assert!(format!("{event:?}").contains("by a token at the console's API"), "{event:?}");
    let mut last = wrong.get("overview").await;
    for _ in 0..30 {
        last = wrong.get("overview").await;
    }
    problem(&last, 429);
    assert!(last.field("retry-after").is_some());
    assert_eq!(right.get("overview").await.status, 200);
    let mut ada = reviewer(&gateway);
    assert_eq!(ada.sign_in("ada", PASSWORD).await.status, 303);
}

#[tokio::test]
async fn a_token_that_is_removed_opens_nothing_in_the_running_gateway() {
    let (gateway, _) = with_an_item(&vendor_of(TAMPERED).await).await;
    let ada = Program::of(&gateway, &token(&gateway, "ada", "ci", "viewer").await);
    assert_eq!(ada.get("overview").await.status, 200);

    gateway.command(&["token", "remove", "ci"]).await.success();
    gateway.hang_up().await;
    gateway.event_called("policy-reloaded").await;

    problem(&ada.get("overview").await, 401);
}

#[tokio::test]
async fn two_tokens_of_one_person_are_one_person() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = with_reviewers(pinning(&vendor)).set_in("review", "approvers", 2).listen().await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    let incident = reply.verdict().incident().unwrap().to_owned();
    for name in ["one", "two"] {
        let ada = Program::of(&gateway, &token(&gateway, "ada", name, "reviewer").await);
        let decision = json!({ "act": "approve", "reason": "SEC-1", "shown": ada.shown(&incident).await });
        assert_eq!(ada.decide(&incident, &decision).await.json()["state"], "waiting");
    }
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");

    let bob = Program::of(&gateway, &token(&gateway, "bob", "three", "reviewer").await);
    let decision = json!({ "act": "approve", "reason": "SEC-1", "shown": bob.shown(&incident).await });
    assert_eq!(bob.decide(&incident, &decision).await.json()["state"], "approved");
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
}

#[tokio::test]
async fn where_the_console_is_not_private_no_token_is_taken() {
    let gateway =
        with_reviewers(pinning(&vendor_of(TAMPERED).await)).set_in("console", "listen", "0.0.0.0:0");
    let gateway = gateway.set_in("clients", "allow", vec!["127.0.0.0/8"]).listen().await;
    let secret = token(&gateway, "ada", "ci", "viewer").await;
    problem(&Program::of(&gateway, &secret).get("overview").await, 403);
}

#[tokio::test]
async fn what_is_no_answer_is_a_problem_document_below_api_whatever_is_asked() {
    let (gateway, incident) = with_an_item(&vendor_of(TAMPERED).await).await;
    let ada = Program::of(&gateway, &token(&gateway, "ada", "ci", "reviewer").await);
    for (method, path, status) in [
        ("GET", "/api", 404),
        ("GET", "/api/", 404),
        ("GET", "/api/v2/overview", 404),
        ("GET", "/api/v1", 404),
        ("GET", "/api/v1/nothing", 404),
        ("DELETE", "/api/v1/overview", 405),
        ("POST", "/api/v1/openapi.json", 405),
        ("GET", "/api/v1/quarantine/01ARZ3NDEKTSV4RRFFQ69G5FAV", 404),
        ("GET", "/api/v1/quarantine/..%2f..%2fetc", 404),
        ("GET", "/api/v1/quarantine/%ff", 400),
        ("GET", "/api/v1/quarantine/x/body", 404),
        ("GET", "/api/v1/quarantine?limit=many", 400),
        ("GET", "/api/v1/quarantine?after=x", 400),
        ("GET", "/api/v1/pins?from=nowhere", 400),
        ("GET", "/api/v1/exposure", 422),
        ("GET", "/api/v1/exposure?verdict=good", 422),
        ("GET", "/api/v1/ledger?before=x", 422),
    ] {
        let shown = ada.ask(method, path, None).await;
        assert_eq!(shown.status, status, "{method} {path}: {shown:?}");
        problem(&shown, status);
    }
    let rebound =
        format!("GET /api/v1/overview HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n{}\r\n", ada.head);
    problem(&gateway.console_says(&rebound).await, 421);
    for (body, status) in [
        (json!({ "act": "approve", "reason": "SEC-1" }), 422),
        (json!({ "act": "release", "reason": "SEC-1", "shown": "" }), 422),
        (json!({ "act": "reject", "reason": " " }), 422),
        (json!({ "act": "reject", "reason": "SEC-1", "user": "bob" }), 422),
        (json!({ "act": "approve", "reason": "SEC-1", "shown": "other paths" }), 409),
        (json!({ "act": "reject", "reason": "x".repeat(20_000) }), 413),
    ] {
        problem(&ada.decide(&incident, &body).await, status);
    }
}

/// A gateway with an item in quarantine and something that was learned, and the incident and the record.
async fn with_all_there_is(vendor: &Vendor) -> (Gateway, String, u64) {
    let rule = Rule::default().set("unpinned", "learn");
    let gateway = gateway().rule(vendor, rule).pin(vendor.url("/app.js"), sha256(REVIEWED));
    let gateway = with_reviewers(gateway).listen().await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    let incident = reply.verdict().incident().unwrap().to_owned();
    vendor.script("/learned.js", "fetch('https://collect.other.test/');");
    // Learned by the first, and on the shelf by the second.
    for _ in 0..2 {
        client(&gateway).get(vendor.url("/learned.js")).await;
    }
    let vic = Program::of(&gateway, &token(&gateway, "vic", "looks", "viewer").await);
    let learned = vic.get("pins/learned").await.json();
    let record = learned["pins"][0]["record"].as_u64().unwrap_or_else(|| panic!("{learned}"));
    (gateway, incident, record)
}

/// That this is what the document says of an answer.
#[track_caller]
fn as_described(document: &Value, said: &Value, shown: &Shown) {
    let media_type = shown.field("content-type").unwrap_or_default();
    let mut schema = said["content"][media_type]["schema"].clone();
    assert!(schema.is_object(), "{media_type} is not in {said}");
    if !media_type.ends_with("json") {
        return;
    }
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let found: Vec<_> = validator.iter_errors(&shown.json()).map(|error| error.to_string()).collect();
    assert!(found.is_empty(), "{found:?}: {}", shown.body);
    assert!(!validator.is_valid(&json!({ "something": "else" })), "this says nothing: {schema}");
}

#[tokio::test]
async fn real_answers_of_every_operation_are_what_the_openapi_document_says_they_are() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident, record) = with_all_there_is(&vendor).await;
    let ada = Program::of(&gateway, &token(&gateway, "ada", "ci", "reviewer").await);
    let nobody = Program { gateway: &gateway, head: String::new() };
    let document = nobody.get("openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{document}");
    assert!(document["paths"]["/openapi.json"]["get"].is_object(), "it describes itself");
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        operations.extend(methods.as_object().unwrap().iter().map(|(method, said)| (method, path, said)));
    }
    // Who looks does so before anything is decided.
    operations.sort_by_key(|(method, path, _)| (method.to_owned(), path.to_owned()));
    assert_eq!(operations.iter().filter(|(method, ..)| *method == "post").count(), 2);
    for (method, path, said) in operations {
        let asked = path.replace("{incident}", &incident).replace("{record}", &record.to_string());
        let query = if path == "/exposure" { "?since=1d" } else { "" };
        let (method, asked) = (method.to_uppercase(), format!("/api/v1{asked}{query}"));
        let body = (method == "POST").then(|| match path.contains("learned") {
            true => json!({ "act": "confirm", "reason": "SEC-1" }),
            false => json!({ "act": "reject", "reason": "SEC-1" }),
        });
        let refused = nobody.ask(&method, &asked, body.as_ref()).await;
        if said["security"].is_array() {
            problem(&refused, 401);
            as_described(&document, &said["responses"]["default"], &refused);
        }
        let shown = ada.answer(&method, &asked, body.as_ref()).await;
        assert_eq!(shown.status, 200, "{method} {asked}: {shown:?}");
        as_described(&document, &said["responses"]["200"], &shown);
        if said["responses"]["200"]["content"][PRINTED].is_object() {
            let and = if query.is_empty() { "?" } else { "&" };
            let printed =
                ada.answer(&method, &format!("{asked}{and}printed=text&columns=1"), body.as_ref()).await;
            assert_eq!(
                (printed.status, printed.field("content-type")),
                (200, Some(PRINTED)),
                "{asked}: {printed:?}"
            );
            as_described(&document, &said["responses"]["200"], &printed);
        }
    }
}

#[tokio::test]
async fn what_was_learned_is_looked_at_and_confirmed_by_a_program_and_a_viewer_does_not() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, _, record) = with_all_there_is(&vendor).await;
    let url = vendor.url("/learned.js");
    let vic = Program::of(&gateway, &token(&gateway, "vic", "reads", "viewer").await);
    let ada = Program::of(&gateway, &token(&gateway, "ada", "ci", "reviewer").await);
    let at = vic.get(&format!("pins/learned?at={url}")).await.json();
    assert_eq!(
        (&at["pins"][0]["record"], &at["pins"][0]["state"]),
        (&json!(record), &json!("learned")),
        "{at}"
    );
    let shown = vic.get(&format!("pins/learned/{record}")).await.json();
    assert_eq!((&shown["subject"], &shown["body_kept"]), (&json!(url), &json!(true)), "{shown}");
    let triage = vic.answer("GET", &format!("/api/v1/pins/learned/{record}/triage"), None).await;
    assert!(triage.body.contains("collect.other.test"), "{triage:?}");
    let body = vic.get(&format!("pins/learned/{record}/body")).await;
    assert_eq!(body.field("content-type"), Some("application/octet-stream"), "{body:?}");

    let path = format!("/api/v1/pins/learned/{record}/decision");
    let confirm = json!({ "act": "confirm", "reason": "SEC-1" });
    problem(&vic.ask("POST", &path, Some(&confirm)).await, 403);
    for (decision, status) in [
        (json!({ "act": "approve", "reason": "SEC-1" }), 422),
        (json!({ "act": "confirm", "reason": "" }), 422),
        (json!({ "act": "confirm", "reason": "SEC-1", "record": 1 }), 422),
    ] {
        problem(&ada.ask("POST", &path, Some(&decision)).await, status);
    }
    let nothing = "/api/v1/pins/learned/4294967295/decision";
    problem(&ada.ask("POST", nothing, Some(&confirm)).await, 404);
    for absent in ["4294967295", "x", "-1", "4294967295/body", "4294967295/triage", "18446744073709551616"] {
        problem(&ada.get(&format!("pins/learned/{absent}")).await, 404);
    }
    problem(&ada.get("pins/learned?at=https://cdn.vendor.test/nothing.js").await, 404);
    assert!(client(&gateway).get(&url).await.verdict().is_provisional());

    let done = ada.ask("POST", &path, Some(&confirm)).await;
    assert_eq!(
        (&done.json()["basis"], &done.json()["in_force"]),
        (&json!("reviewed"), &json!("yes")),
        "{done:?}"
    );
    assert!(!client(&gateway).get(&url).await.verdict().is_provisional());
    let decided = ada.get(&format!("pins/learned/{record}")).await.json()["decided"].clone();
    assert_eq!(decided["reason"], "SEC-1 (by the token ci)", "{decided}");
    assert_eq!(ada.get("pins/learned").await.json(), json!({ "pins": [], "next": null }));
    gateway.command(&["audit", "verify"]).await.success();
}

#[tokio::test]
async fn what_was_learned_is_confirmed_by_its_url_and_dropped_by_its_record_from_elsewhere() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, _, record) = with_all_there_is(&vendor).await;
    let url = vendor.url("/learned.js");
    keep_token(&gateway, "ada", "reviewer").await;
    let needs = remotely(&gateway, &["pin", "confirm", &url]).await;
    assert_eq!(needs.code, Some(2), "{needs:?}");
    let absent = ["pin", "confirm", "https://cdn.vendor.test/nothing.js", "--reason", "SEC-1"];
    let (here, there) = (gateway.command(&absent).await, remotely(&gateway, &absent).await);
    assert_eq!((there.code, &there.stderr), (here.code, &here.stderr));

    let done = remotely(&gateway, &["pin", "confirm", &url, "--reason", "SEC-1"]).await.success();
    assert!(done.text().contains("confirmed") && done.text().contains("in force"), "{done:?}");
    assert!(!client(&gateway).get(&url).await.verdict().is_provisional());
    let record = record.to_string();
    let drop = ["--json", "pin", "confirm", &record, "--drop", "--reason", "SEC-2"];
    let dropped = remotely(&gateway, &drop).await.success().json();
    assert_eq!(dropped["state"], "rejected", "{dropped}");
    refused(&client(&gateway).get(&url).await, 403, "blocked", "rejected");
}

#[tokio::test]
async fn the_overview_says_what_share_was_judged_and_since_when_the_first_waits() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident, _) = with_all_there_is(&vendor).await;
    let vic = Program::of(&gateway, &token(&gateway, "vic", "reads", "viewer").await);
    let overview = vic.get("overview").await.json();
    assert_eq!(overview["coverage"]["judged"], 3, "{overview}");
    let unjudged = overview["coverage"]["unjudged"].as_array().unwrap();
    let why: Vec<_> = unjudged.iter().map(|unjudged| unjudged["why"].as_str().unwrap()).collect();
    assert_eq!(why, ["document", "other-host", "tunnel", "unguarded", "websocket"], "{overview}");
    let item = vic.get(&format!("quarantine/{incident}")).await.json();
    assert_eq!((&overview["waiting"], &overview["waiting_since"]), (&json!(1), &item["first"]), "{overview}");
}

#[tokio::test]
async fn lists_go_on_where_the_part_before_ended() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = with_reviewers(gateway().rule(&vendor, Rule::default().set("unpinned", "quarantine")));
    let gateway = gateway.listen().await;
    let mut incidents = Vec::new();
    for path in ["/a.js", "/b.js", "/c.js"] {
        vendor.script(path, format!("steal('{path}')"));
        let reply = client(&gateway).get(vendor.url(path)).await;
        incidents.push(reply.verdict().incident().unwrap().to_owned());
    }
    incidents.sort_unstable_by(|one, other| other.cmp(one));
    let ada = Program::of(&gateway, &token(&gateway, "ada", "ci", "viewer").await);
    let first = ada.get("quarantine?limit=2").await.json();
    let next = first["next"].as_str().unwrap();
    let second = ada.get(&format!("quarantine?limit=2&after={next}")).await.json();
    assert!(second["next"].is_null(), "{second}");
    let all = [&first, &second].map(|part| part["items"].as_array().unwrap().clone()).concat();
    assert_eq!(all.iter().map(|item| item["incident"].as_str().unwrap()).collect::<Vec<_>>(), incidents);
    let by_urgency = ada.get("quarantine?order=urgency&limit=3").await.json();
    assert_eq!((by_urgency["items"].as_array().unwrap().len(), &by_urgency["next"]), (3, &Value::Null));
    assert_eq!(ada.get(&format!("quarantine?order=urgency&after={next}")).await.status, 400);
}

/// Runs the real binary against the running gateway.
async fn remotely(gateway: &Gateway, args: &[&str]) -> pinfold_integration_tests::Output {
    let server = format!("http://{}", gateway.console().unwrap());
    let file = gateway.dir().join("api.token").display().to_string();
    gateway.command(&[&["--server", &*server, "--token-file", &file], args].concat()).await
}

async fn keep_token(gateway: &Gateway, user: &str, role: &str) {
    let (secret, file) = (token(gateway, user, "remote", role).await, gateway.dir().join("api.token"));
    std::fs::write(&file, secret).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_remote_command_lists_compares_approves_and_the_script_passes_a_moment_later() {
    let vendor = vendor_of(TAMPERED).await;
    let (gateway, incident) = with_an_item(&vendor).await;
    keep_token(&gateway, "ada", "reviewer").await;

    for args in [
        &["quarantine", "list"][..],
        &["quarantine", "show", &incident],
        &["quarantine", "diff", &incident],
        &["quarantine", "export", &incident],
        &["pin", "list"],
        &["pin", "export"],
        &["--json", "quarantine", "list"],
        &["--json", "quarantine", "show", &incident[..24]],
        &["--json", "quarantine", "diff", &incident],
        &["--json", "pin", "list"],
    ] {
        let (here, there) = (gateway.command(args).await, remotely(&gateway, args).await);
        assert_eq!((there.text(), there.code), (here.text(), here.code), "{args:?}: {there:?}");
        assert_eq!(there.code, Some(0), "{args:?}: {there:?}");
    }
    let host = ["exposure", "--host", "cdn.vendor.test", "--since", "1d"];
    let (here, there) = (gateway.command(&host).await, remotely(&gateway, &host).await);
    assert_eq!((there.code, there.stdout.is_empty()), (here.code, here.stdout.is_empty()), "{there:?}");

    let needs = remotely(&gateway, &["quarantine", "approve", &incident]).await;
    assert_eq!(needs.code, Some(2), "{needs:?}");
    let done = remotely(&gateway, &["quarantine", "approve", &incident, "--reason", "SEC-1"]).await.success();
    assert!(
        done.text().contains(&format!("{incident} approved")) && done.text().contains("in force"),
        "{done:?}"
    );
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
}

#[tokio::test]
async fn remote_mode_refuses_what_it_cannot_do_safely() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = with_reviewers(pinning(&vendor)).listen().await;
    keep_token(&gateway, "ada", "viewer").await;
    for args in [&["check"][..], &["pin", "revoke", "sha256-x"], &["user", "list"], &["token", "list"]] {
        let done = remotely(&gateway, args).await;
        assert!(done.code == Some(2) && done.stdout.is_empty(), "{args:?}: {done:?}");
    }
    let absent = remotely(&gateway, &["quarantine", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]).await;
    assert!(absent.code == Some(3) && absent.stderr.contains("no incident"), "{absent:?}");
    for id in ["../overview", "", "a/b", "..", "x?printed=json"] {
        assert_eq!(remotely(&gateway, &["quarantine", "show", id]).await.code, Some(3), "{id}");
    }
    let elsewhere = ["--server", "http://192.0.2.1:1", "--token-file", "api.token", "quarantine", "list"];
    assert_eq!(gateway.command(&elsewhere).await.code, Some(2));
    let file = gateway.dir().join("api.token");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let loose = remotely(&gateway, &["quarantine", "list"]).await;
    assert!(loose.code == Some(2) && loose.stderr.contains("0600"), "{loose:?}");
}
