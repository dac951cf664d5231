//! `revoke_worker = true`: a service worker that was revoked goes away, also from browsers that have it.

use http::Method;
use pinfold_integration_tests::{
    Answer, Chromium, Client, Gate, Gateway, Page, Pin, Rule, Vendor, client, gateway, sha256, sha384, vendor,
};
use serde_json::json;

use crate::browser::browser;
use crate::decisions::tamper;
use crate::{REVIEWED, Reply, TAMPERED, refused, verified};

/// A worker that was reviewed, and turns out to be bad.
const WORKER: &str =
    "addEventListener('message', (event) => event.source.postMessage('the worker is alive'));\n";

async fn vendor_of_worker() -> Vendor {
    vendor().script("/sw.js", WORKER).listen().await
}

async fn gateway_with(vendor: &Vendor, rule: Rule) -> Gateway {
    gateway().rule(vendor, rule).pin(vendor.url("/sw.js"), sha256(WORKER)).listen().await
}

fn unregistering() -> Rule {
    Rule::default().set("revoke_worker", true)
}

/// A browser's check for a newer worker.
fn checking(gateway: &Gateway) -> Client {
    client(gateway).header("service-worker", "script").header("sec-fetch-dest", "serviceworker")
}

/// Revokes the worker everywhere.
async fn revoke(gateway: &Gateway) {
    gateway.command(&["pin", "revoke", &sha256(WORKER), "--reason", "it mines coins"]).await.success();
}

#[track_caller]
fn unregisters(reply: &Reply, verdict: &str, reason: &str) {
    let said = reply.verdict();
    assert_eq!(
        (reply.status().as_u16(), said.token(), said.reason()),
        (200, verdict, Some(reason)),
        "{reply:?}"
    );
    assert!(reply.header("pinfold-verdict").unwrap().ends_with("; unregisters"));
    assert_eq!(reply.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("service-worker-allowed"), Some("/"));
    assert_eq!(reply.headers().get("etag"), None);
    let body = String::from_utf8(reply.body()).unwrap();
    assert!(body.contains("registration.unregister()"), "{body}");
    assert!(!body.contains("alive") && !body.contains("tampered"), "nothing of a vendor's is in it: {body}");
}

#[tokio::test]
async fn a_browser_that_checks_a_revoked_worker_gets_one_that_removes_itself() {
    for rule in [unregistering(), unregistering().set("recheck", "always")] {
        let vendor = vendor_of_worker().await;
        let gateway = gateway_with(&vendor, rule).await;
        let url = vendor.url("/sw.js");
        let known = checking(&gateway).get(&url).await;
        verified(&known, WORKER);
        revoke(&gateway).await;

        unregisters(&checking(&gateway).get(&url).await, "blocked", "revoked");
        let tag = known.header("etag").unwrap();
        let again = checking(&gateway).header("if-none-match", tag).get(&url).await;
        unregisters(&again, "blocked", "revoked");
        let part = checking(&gateway).header("range", "bytes=0-9").get(&url).await;
        unregisters(&part, "blocked", "revoked");
        let head = checking(&gateway).ask(Method::HEAD, &url).await;
        assert_eq!((head.status().as_u16(), head.coded().len()), (200, 0));
        refused(&client(&gateway).get(&url).await, 403, "blocked", "revoked");
        let odd = client(&gateway).header("service-worker", "?1").get(&url).await;
        refused(&odd, 403, "blocked", "revoked");
        gateway.terminate().await;
        let events = gateway.rest_of_events().await;
        let event = events.iter().find(|event| event.reason() == Some("revoked")).unwrap();
        assert_eq!(event.text("event.action"), Some("artifact-blocked"));
    }
}

#[tokio::test]
async fn without_the_rule_a_revoked_worker_is_only_refused() {
    let vendor = vendor_of_worker().await;
    let gateway = gateway_with(&vendor, Rule::default()).await;
    verified(&checking(&gateway).get(vendor.url("/sw.js")).await, WORKER);
    revoke(&gateway).await;

    refused(&checking(&gateway).get(vendor.url("/sw.js")).await, 403, "blocked", "revoked");
}

#[tokio::test]
async fn a_vendor_that_vanishes_or_serves_something_else_keeps_no_revoked_worker_alive() {
    let vendor = vendor_of_worker().await;
    let gateway = gateway_with(&vendor, unregistering()).await;
    let url = vendor.url("/sw.js");
    verified(&checking(&gateway).get(&url).await, WORKER);
    revoke(&gateway).await;

    vendor.script("/sw.js", TAMPERED);
    unregisters(&checking(&gateway).get(&url).await, "quarantined", "digest-mismatch");
    refused(&client(&gateway).get(&url).await, 403, "quarantined", "digest-mismatch");
    drop(vendor);
    unregisters(&checking(&gateway).get(&url).await, "blocked", "upstream-unreachable");
}

#[tokio::test]
async fn a_vendor_that_redirects_the_check_keeps_no_revoked_worker_alive() {
    let vendor = vendor_of_worker().await;
    let gateway = gateway_with(&vendor, unregistering()).await;
    let url = vendor.url("/sw.js");
    verified(&checking(&gateway).get(&url).await, WORKER);
    vendor.serve("/sw.js", Answer::script("").status(302).header("location", "/other.js"));
    verified(&checking(&gateway).get(&url).await, WORKER);
    revoke(&gateway).await;

    unregisters(&checking(&gateway).get(&url).await, "blocked", "redirect");
    assert_eq!(client(&gateway).get(&url).await.status(), 302, "what is no worker goes on");
}

#[tokio::test]
async fn a_vendor_that_keeps_the_worker_off_the_shelf_keeps_no_revoked_worker_alive() {
    for (name, value) in
        [("vary", "*"), ("vary", "cookie, x-odd"), ("cache-control", "private"), ("set-cookie", "a=b")]
    {
        let vendor = vendor().serve("/sw.js", Answer::script(WORKER).header(name, value)).listen().await;
        let gateway = gateway_with(&vendor, unregistering()).await;
        let checking = checking(&gateway).header("cookie", "a=b");
        verified(&checking.get(vendor.url("/sw.js")).await, WORKER);
        revoke(&gateway).await;

        vendor.script("/sw.js", TAMPERED);
        unregisters(&checking.get(vendor.url("/sw.js")).await, "quarantined", "digest-mismatch");
    }
}

/// A worker that no shelf keeps, approved and gone out.
async fn approved(rule: Rule) -> (Vendor, Gateway, String) {
    let vendor = vendor().serve("/sw.js", Answer::script(WORKER).header("vary", "*")).listen().await;
    let gateway = gateway().rule(&vendor, rule.set("unpinned", "quarantine")).listen().await;
    let refusal = checking(&gateway).get(vendor.url("/sw.js")).await;
    let incident = refusal.verdict().incident().unwrap().to_owned();
    gateway.command(&["quarantine", "approve", &incident, "--reason", "read"]).await.success();
    verified(&checking(&gateway).get(vendor.url("/sw.js")).await, WORKER);
    (vendor, gateway, incident)
}

fn elsewhere() -> Answer {
    Answer::script("").status(302).header("location", "/other.js")
}

#[tokio::test]
async fn a_rejection_everywhere_that_takes_the_approval_back_keeps_no_worker_alive() {
    let (vendor, gateway, incident) = approved(unregistering()).await;
    let rejecting = ["quarantine", "reject", &incident, "--everywhere", "--reason", "it mines coins"];
    gateway.command(&rejecting).await.success();

    vendor.serve("/sw.js", elsewhere());
    unregisters(&checking(&gateway).get(vendor.url("/sw.js")).await, "blocked", "redirect");
    gateway.terminate().await;
    gateway.start_again().await;
    unregisters(&checking(&gateway).get(vendor.url("/sw.js")).await, "blocked", "redirect");
}

#[tokio::test]
async fn a_worker_that_went_out_before_the_rule_was_turned_on_is_not_kept_alive() {
    let (vendor, gateway, incident) = approved(Rule::default().set("revoke_worker", false)).await;
    let rejecting = ["quarantine", "reject", &incident, "--everywhere", "--reason", "it mines coins"];
    gateway.command(&rejecting).await.success();
    let file = gateway.dir().join("pinfold.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("revoke_worker = false", "revoke_worker = true")).unwrap();
    gateway.event_called("policy-reloaded").await;

    vendor.serve("/sw.js", elsewhere());
    unregisters(&checking(&gateway).get(vendor.url("/sw.js")).await, "blocked", "redirect");
}

#[tokio::test]
async fn a_record_of_workers_that_cannot_be_read_keeps_no_revoked_one_alive() {
    let (vendor, gateway, incident) = approved(unregistering()).await;
    let rejecting = ["quarantine", "reject", &incident, "--everywhere", "--reason", "it mines coins"];
    gateway.command(&rejecting).await.success();
    gateway.terminate().await;
    tamper(&gateway, "UPDATE given_worker SET sha384 = x'00'").await;
    gateway.start_again().await;

    vendor.serve("/sw.js", elsewhere());
    unregisters(&checking(&gateway).get(vendor.url("/sw.js")).await, "blocked", "redirect");
}

#[tokio::test]
async fn a_learned_worker_that_only_its_first_client_got_does_not_outlive_its_rejection() {
    let vendor = vendor().serve("/sw.js", Answer::script(WORKER).header("vary", "*")).listen().await;
    let rule = unregistering().set("unpinned", "learn");
    let gateway = gateway().rule(&vendor, rule).listen().await;
    assert_eq!(checking(&gateway).get(vendor.url("/sw.js")).await.status(), 200);
    revoke(&gateway).await;
    // A pin of a newer one: what was learned counts no more.
    let mut gateway = gateway;
    gateway.rewrite(|files| files.pin(vendor.url("/sw.js"), sha256(REVIEWED)));
    gateway.event_called("policy-reloaded").await;

    vendor.serve("/sw.js", elsewhere());
    unregisters(&checking(&gateway).get(vendor.url("/sw.js")).await, "blocked", "redirect");
}

#[tokio::test]
async fn a_revocation_in_another_notation_than_the_list_s_keeps_no_worker_alive() {
    let vendor = vendor().serve("/sw.js", Answer::script(WORKER).header("vary", "*")).listen().await;
    let gateway = gateway().rule(&vendor, unregistering()).pin(vendor.url("/sw.js"), sha384(WORKER));
    let gateway = gateway.listen().await;
    verified(&checking(&gateway).get(vendor.url("/sw.js")).await, WORKER);
    revoke(&gateway).await;
    vendor.script("/sw.js", TAMPERED);
    unregisters(&checking(&gateway).get(vendor.url("/sw.js")).await, "quarantined", "digest-mismatch");

    let (vendor, mut gateway, _) = approved(unregistering()).await;
    gateway.rewrite(|files| files.revoke(sha384(WORKER)));
    gateway.event_called("policy-reloaded").await;
    vendor.script("/sw.js", TAMPERED);
    unregisters(&checking(&gateway).get(vendor.url("/sw.js")).await, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn observe_mode_keeps_no_revoked_worker_alive_by_what_is_no_script() {
    let (vendor, mut gateway, _) = approved(unregistering()).await;
    revoke(&gateway).await;
    gateway.rewrite(|files| files.set("mode", "observe"));
    gateway.event_called("policy-reloaded").await;

    vendor.serve("/sw.js", elsewhere());
    unregisters(&checking(&gateway).get(vendor.url("/sw.js")).await, "blocked", "redirect");
    vendor.serve("/sw.js", Answer::script("").status(500));
    unregisters(&checking(&gateway).get(vendor.url("/sw.js")).await, "blocked", "upstream-status");
}

#[tokio::test]
async fn an_exact_pin_in_front_of_the_pattern_that_names_it_keeps_no_revoked_worker_alive() {
    let vendor = vendor().serve("/a/sw.js", Answer::script(WORKER).header("vary", "*")).listen().await;
    let url = vendor.url("/a/sw.js");
    let gateway = gateway().rule(&vendor, unregistering()).pin(vendor.url("/*/sw.js"), sha256(WORKER));
    let mut gateway = gateway.listen().await;
    verified(&checking(&gateway).get(&url).await, WORKER);
    gateway.rewrite(|files| files.pin(&url, sha256(REVIEWED)).revoke(sha256(WORKER)));
    gateway.event_called("policy-reloaded").await;

    vendor.serve("/a/sw.js", elsewhere());
    unregisters(&checking(&gateway).get(&url).await, "blocked", "redirect");
}

#[tokio::test]
async fn the_worker_of_another_file_under_the_same_pattern_stays() {
    let vendor = vendor().script("/a/sw.js", WORKER).script("/b/sw.js", REVIEWED).listen().await;
    let pin = Pin::new(vendor.url("/*/sw.js")).digest(sha256(WORKER)).digest(sha256(REVIEWED));
    let rule = unregistering().set("recheck", "always");
    let gateway = gateway().rule(&vendor, rule).pinned(pin).listen().await;
    verified(&checking(&gateway).get(vendor.url("/a/sw.js")).await, WORKER);
    verified(&checking(&gateway).get(vendor.url("/b/sw.js")).await, REVIEWED);
    revoke(&gateway).await;

    vendor.serve("/b/sw.js", Answer::script("").status(503));
    refused(&checking(&gateway).get(vendor.url("/b/sw.js")).await, 503, "blocked", "upstream-status");
}

#[tokio::test]
async fn a_vendor_that_serves_another_pinned_worker_to_somebody_keeps_no_revoked_one_alive() {
    let vendor = vendor_of_worker().await;
    let gateway = gateway()
        .rule(&vendor, unregistering().set("recheck", "always"))
        .pin(vendor.url("/sw.js"), sha256(WORKER))
        .pin(vendor.url("/sw.js"), sha256(REVIEWED))
        .listen()
        .await;
    let url = vendor.url("/sw.js");
    verified(&checking(&gateway).get(&url).await, WORKER);
    vendor.script("/sw.js", REVIEWED);
    verified(&checking(&gateway).get(&url).await, REVIEWED);
    revoke(&gateway).await;

    vendor.script("/sw.js", TAMPERED);
    unregisters(&checking(&gateway).get(&url).await, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn the_worker_of_another_query_stays_and_one_whose_value_may_have_been_masked_does_not() {
    let vendor = vendor().listen().await;
    vendor.serve_by("/sw.js", |seen| match seen.uri.query() {
        Some("v=1&token=a") => Answer::script(WORKER),
        _ => Answer::script(REVIEWED),
    });
    let pin = |query: &str, script: &str| Pin::new(vendor.url(query)).digest(sha256(script));
    let mut gateway = gateway()
        .rule(&vendor, unregistering().set("recheck", "always"))
        .pinned(pin("/sw.js?v=1&token=a", WORKER))
        .pinned(pin("/sw.js?v=2&token=a", REVIEWED))
        .listen()
        .await;
    let check = async |gateway: &Gateway, query: &str| checking(gateway).get(vendor.url(query)).await;
    verified(&check(&gateway, "/sw.js?v=1&token=a").await, WORKER);
    verified(&check(&gateway, "/sw.js?v=2&token=a").await, REVIEWED);
    revoke(&gateway).await;
    vendor.serve_by("/sw.js", |_| Answer::script("").status(503));

    refused(&check(&gateway, "/sw.js?v=2&token=a").await, 503, "blocked", "upstream-status");
    unregisters(&check(&gateway, "/sw.js?v=1&token=a").await, "blocked", "upstream-status");
    // What is masked from now on may have been any value.
    gateway.rewrite(|files| files.without_pins().set_in("ledger", "redact", json!(["token"])));
    gateway.hang_up().await;
    gateway.event_called("policy-reloaded").await;
    unregisters(&check(&gateway, "/sw.js?v=1&token=b").await, "blocked", "upstream-status");
    refused(&check(&gateway, "/sw.js?v=2&token=a").await, 503, "blocked", "upstream-status");
}

#[tokio::test]
async fn a_worker_that_is_not_revoked_stays() {
    let vendor = vendor_of_worker().await;
    let gateway = gateway_with(&vendor, unregistering().set("recheck", "always")).await;
    verified(&checking(&gateway).get(vendor.url("/sw.js")).await, WORKER);

    vendor.script("/sw.js", TAMPERED);
    let reply = checking(&gateway).get(vendor.url("/sw.js")).await;
    refused(&reply, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn chromium_loses_a_revoked_worker_at_its_next_check() {
    let vendor = vendor_of_worker().await;
    let gateway = gateway_with(&vendor, unregistering()).await;
    let browser = browser(&gateway).await;

    let registering =
        "await navigator.serviceWorker.register('/sw.js'); await navigator.serviceWorker.ready;";
    let page = visit(&browser, &vendor, "/first", registering).await;
    assert_eq!(page.title(), "registered", "{}", page.log());
    let page = visit(&browser, &vendor, "/second", "").await;
    assert_eq!(page.title(), "registered", "it stays from page to page");
    revoke(&gateway).await;

    // The page waits for its worker to be replaced by ours, and ours to have removed itself.
    let checking = "const registration = await navigator.serviceWorker.getRegistration();\
        const replaced = new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done));\
        await registration.update(); await replaced;\
        const { controller } = navigator.serviceWorker;\
        while (!['activated', 'redundant'].includes(controller.state))\
          await new Promise((done) => controller.addEventListener('statechange', done, { once: true }));";
    visit(&browser, &vendor, "/third", checking).await;
    let page = visit(&browser, &vendor, "/fourth", "").await;
    assert_eq!(page.title(), "none", "{}", page.log());
}

/// Opens a page of the vendor's own that runs `script`, and then says in its title whether there is a worker.
async fn visit(browser: &Chromium, vendor: &Vendor, path: &str, script: &str) -> Page {
    let gate = Gate::closed();
    let (wait, done) = (format!("{path}/wait"), format!("{path}/done"));
    let page = format!(
        "<!doctype html><title>not yet</title><script type=module>try {{ {script}\
         document.title = await navigator.serviceWorker.getRegistration() ? 'registered' : 'none'; }}\
         catch (error) {{ document.title = error; }}\
         fetch('{done}');</script><img src='{wait}'>"
    );
    vendor.serve(path, Answer::page(page));
    vendor.serve(&wait, Answer::typed("image/png", "").behind(&gate));
    let asked = async {
        vendor.asked(&done, 1).await;
        gate.open();
    };
    tokio::join!(browser.open(vendor.url(path)), asked).0
}

#[tokio::test]
async fn where_nothing_was_ever_revoked_no_worker_goes_although_the_record_cannot_be_read() {
    let vendor = vendor_of_worker().await;
    let gateway = gateway_with(&vendor, unregistering().set("recheck", "always")).await;
    let url = vendor.url("/sw.js");
    verified(&checking(&gateway).get(&url).await, WORKER);
    let file = gateway.dir().join("pinfold-data/pinfold.db");
    std::fs::rename(&file, file.with_extension("away")).unwrap();

    vendor.serve("/sw.js", Answer::script("").status(503));
    refused(&checking(&gateway).get(&url).await, 503, "blocked", "upstream-status");
}

#[tokio::test]
async fn a_worker_that_observe_mode_let_pass_does_not_outlive_its_revocation() {
    let vendor = vendor_of_worker().await;
    let rule = unregistering().set("mode", "observe");
    let gateway = gateway().rule(&vendor, rule).pin(vendor.url("/sw.js"), sha256(REVIEWED)).listen().await;
    let url = vendor.url("/sw.js");
    let passed = checking(&gateway).get(&url).await;
    assert_eq!((passed.verdict().token(), passed.body()), ("observed", WORKER.as_bytes().to_vec()));
    let told = gateway.command(&["pin", "revoke", &sha256(WORKER), "--reason", "bad"]).await.success().text();
    assert!(told.contains("1 of them as a worker"), "{told}");

    vendor.serve("/sw.js", Answer::script("").status(404));
    unregisters(&checking(&gateway).get(&url).await, "blocked", "upstream-status");
}

#[tokio::test]
async fn a_pin_that_is_removed_with_its_revocation_keeps_no_worker_alive() {
    let vendor = vendor_of_worker().await;
    let mut gateway = gateway_with(&vendor, unregistering()).await;
    let url = vendor.url("/sw.js");
    verified(&checking(&gateway).get(&url).await, WORKER);
    revoke(&gateway).await;
    gateway.rewrite(|files| files.without_pins());
    gateway.event_called("policy-reloaded").await;

    vendor.script("/sw.js", TAMPERED);
    unregisters(&checking(&gateway).get(&url).await, "blocked", "unpinned");
}
