//! People whom a corporate identity provider vouches for: who gets in, as whom, and what does not get in.

use pinfold_integration_tests::vouching::{
    CLIENT_SECRET, Vouching, now, signed_by, signed_by_secret, unsigned, vouching,
};
use pinfold_integration_tests::{Gateway, GatewayBuilder, Reviewer, Shown, client, reviewer};
use serde_json::{Value, json};

use crate::admission::PASSWORD;
use crate::console::{signed_in, with_reviewers};
use crate::{TAMPERED, pinning, refused, vendor_of, verified};

/// With this provider, beside users of a file.
pub(crate) fn with(gateway: GatewayBuilder, issuer: &str) -> GatewayBuilder {
    with_provider(with_reviewers(gateway), issuer)
}

/// With this provider.
fn with_provider(gateway: GatewayBuilder, issuer: &str) -> GatewayBuilder {
    gateway
        .secret("oidc.secret", CLIENT_SECRET)
        .set_in("console.oidc", "issuer", issuer)
        .set_in("console.oidc", "client_id", "pinfold")
        .set_in("console.oidc", "client_secret_file", "oidc.secret")
        .set_in("console.oidc", "viewers", json!(["security"]))
        .set_in("console.oidc", "reviewers", json!(["web-platform"]))
}

async fn gateway_with(provider: &Vouching) -> Gateway {
    with(pinning(&vendor_of(TAMPERED).await), &provider.issuer).listen().await
}

/// A browser on its way to the provider.
struct Going<'g> {
    browser: Reviewer<'g>,
    url: String,
}

impl<'g> Going<'g> {
    /// Begins at a page.
    async fn from(mut browser: Reviewer<'g>, page: &str) -> Self {
        let shown = browser.open(page).await;
        assert_eq!(shown.status, 303, "{shown:?}");
        let url = shown.field("location").unwrap().to_owned();
        let flow = shown.field("set-cookie").unwrap();
        assert!(flow.contains("; HttpOnly; SameSite=Lax; Max-Age=600"), "{flow}");
        let flow = flow.split(';').next().unwrap().to_owned();
        browser.cookie = Some(browser.cookie.map_or(flow.clone(), |session| format!("{session}; {flow}")));
        Self { browser, url }
    }

    async fn to_sign_in(gateway: &'g Gateway) -> Self {
        Self::from(reviewer(gateway), "/sign-in/provider").await
    }

    /// A parameter of the URL, as it stands there.
    fn asked(&self, name: &str) -> String {
        let query = self.url.split_once('?').unwrap().1;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(is, _)| *is == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
    }

    /// Comes back with a code.
    async fn back(&self) -> Shown {
        self.back_with("").await
    }

    async fn back_with(&self, more: &str) -> Shown {
        self.browser.open(&format!("/sign-in/callback?code=c0de&state={}{more}", self.asked("state"))).await
    }
}

/// Signed in as this subject, with the role that the group gives.
async fn signed_in_as<'g>(gateway: &'g Gateway, provider: &Vouching, sub: &str, group: &str) -> Reviewer<'g> {
    let going = Going::to_sign_in(gateway).await;
    provider.gives(&provider.signed(&provider.claims(sub, &going.asked("nonce"), group)));
    let shown = going.back().await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let mut browser = going.browser;
    browser.cookie = shown.field("set-cookie").and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
    browser
}

/// Nobody was let in.
fn kept_out(shown: &Shown) {
    assert_eq!((shown.status, shown.field("set-cookie")), (403, None), "{shown:?}");
}

/// What comes of a token that says something else than a good one.
async fn claiming(change: impl FnOnce(&mut Value)) -> Shown {
    let provider = vouching().await;
    let gateway = gateway_with(&provider).await;
    let going = Going::to_sign_in(&gateway).await;
    let mut claims = provider.claims("1", &going.asked("nonce"), "web-platform");
    change(&mut claims);
    provider.gives(&provider.signed(&claims));
    going.back().await
}

/// Approves of an item after proving again who they are.
async fn approves(browser: &Reviewer<'_>, provider: &Vouching, sub: &str, item: &str) -> Shown {
    let session = browser.cookie.clone();
    let going = Going::from(browser.clone(), &format!("{item}/prove")).await;
    assert_eq!((&*going.asked("prompt"), &*going.asked("max_age")), ("login", "0"));
    provider.gives(&provider.signed(&provider.claims(sub, &going.asked("nonce"), "web-platform")));
    assert_eq!(going.back().await.status, 200);
    let mut browser = going.browser;
    browser.cookie = session;
    browser.fill(item, &format!("{item}/decide"), &[("act", "approve"), ("reason", "SEC-1")]).await;
    browser.open(item).await
}

#[tokio::test]
async fn somebody_of_the_provider_approves_once_they_have_proved_again_who_they_are() {
    let (vendor, provider) = (vendor_of(TAMPERED).await, vouching().await);
    let gateway = with(pinning(&vendor), &provider.issuer).listen().await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    let incident = reply.verdict().incident().unwrap().to_owned();
    let item = format!("/quarantine/{incident}");
    assert!(reviewer(&gateway).open("/sign-in").await.body.contains("Sign in by 127.0.0.1"));
    let ada = signed_in_as(&gateway, &provider, "248289761001", "web-platform").await;
    let shown = ada.open(&item).await;
    assert!(shown.body.contains(&format!("{item}/prove")) && !shown.body.contains("type=\"password\""));

    // Without it, or with somebody's password in its place, nothing is released.
    for fields in [
        &[("act", "approve"), ("reason", "SEC-1")][..],
        &[("act", "approve"), ("reason", "SEC-1"), ("password", PASSWORD)],
    ] {
        ada.fill(&item, &format!("{item}/decide"), fields).await;
        assert!(ada.open(&item).await.body.contains("Nothing was decided."));
    }
    let shown = approves(&ada, &provider, "248289761001", &item).await;

    assert!(shown.body.contains("Decided."), "{}", shown.body);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
    let listed = gateway.command(&["--json", "quarantine", "show", &incident]).await.success().json();
    let issuer = provider.issuer.trim_start_matches("http://");
    assert_eq!(listed["decided"]["who"], format!("oidc:248289761001@{issuer}"));
    assert_eq!(listed["decided"]["reason"], "SEC-1 (as \"ada\")");
    gateway.command(&["audit", "verify"]).await.success();
    // Each code went with the secret, the very redirect, and what only the console knew.
    let redirect = format!("redirect_uri=http%3A%2F%2F127.0.0.1%3A{}", gateway.console().unwrap().port());
    for posted in provider.posted() {
        assert!(posted.contains(&redirect) && posted.contains("code_verifier="), "{posted}");
        assert!(posted.to_lowercase().contains("authorization: basic "), "{posted}");
    }
}

#[tokio::test]
async fn a_proof_of_somebody_else_or_of_before_does_not_count() {
    let (vendor, provider) = (vendor_of(TAMPERED).await, vouching().await);
    let gateway = with(pinning(&vendor), &provider.issuer).listen().await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    let item = format!("/quarantine/{}", reply.verdict().incident().unwrap());
    let ada = signed_in_as(&gateway, &provider, "1", "web-platform").await;
    for (sub, auth_time) in [("2", json!(now())), ("1", json!(now() - 600)), ("1", Value::Null)] {
        let going = Going::from(ada.clone(), &format!("{item}/prove")).await;
        let mut claims = provider.claims(sub, &going.asked("nonce"), "web-platform");
        claims["auth_time"] = auth_time;
        provider.gives(&provider.signed(&claims));
        let shown = going.back().await;
        assert_eq!(shown.field("set-cookie"), None, "{shown:?}");

        let shown = ada.open(&item).await.body;
        assert!(shown.contains("Nothing was decided.") && shown.contains("/prove"), "{shown}");
        let fields = [("act", "approve"), ("reason", "SEC-1")];
        ada.fill(&item, &format!("{item}/decide"), &fields).await;
        refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
    }
}

#[tokio::test]
async fn a_local_user_of_the_same_name_is_another_person_and_another_name_of_a_subject_is_not() {
    let (vendor, provider) = (vendor_of(TAMPERED).await, vouching().await);
    let gateway = with(pinning(&vendor), &provider.issuer).set_in("review", "approvers", 2).listen().await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    let item = format!("/quarantine/{}", reply.verdict().incident().unwrap());
    let vouched = signed_in_as(&gateway, &provider, "1", "web-platform").await;
    assert!(approves(&vouched, &provider, "1", &item).await.body.contains("1 of 2"));

    // Under another name the subject is the same person.
    let going = Going::to_sign_in(&gateway).await;
    let mut claims = provider.claims("1", &going.asked("nonce"), "web-platform");
    claims["preferred_username"] = json!("bob");
    provider.gives(&provider.signed(&claims));
    let shown = going.back().await;
    let mut again = going.browser.clone();
    again.cookie = shown.field("set-cookie").and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
    assert!(approves(&again, &provider, "1", &item).await.body.contains("1 of 2"));
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");

    let ada = signed_in(&gateway, "ada").await;
    let fields = [("act", "approve"), ("reason", "SEC-1"), ("password", PASSWORD)];
    ada.fill(&item, &format!("{item}/decide"), &fields).await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
}

#[tokio::test]
async fn a_state_of_another_browser_opens_nothing() {
    let provider = vouching().await;
    let gateway = gateway_with(&provider).await;
    let (eve, mut ada) = (Going::to_sign_in(&gateway).await, Going::to_sign_in(&gateway).await);
    provider.gives(&provider.signed(&provider.claims("eve", &eve.asked("nonce"), "web-platform")));

    // Eve has Ada's browser finish what she began, so that Ada would work as Eve.
    ada.url.clone_from(&eve.url);
    kept_out(&ada.back().await);

    kept_out(
        &reviewer(&gateway).open(&format!("/sign-in/callback?code=c&state={}", eve.asked("state"))).await,
    );
    assert!(provider.posted().is_empty(), "no code was handed in");
}

#[tokio::test]
async fn a_state_and_its_code_count_once() {
    let provider = vouching().await;
    let gateway = gateway_with(&provider).await;
    let going = Going::to_sign_in(&gateway).await;
    provider.gives(&provider.signed(&provider.claims("1", &going.asked("nonce"), "web-platform")));
    assert_eq!(going.back().await.status, 200);

    kept_out(&going.back().await);

    assert_eq!(provider.posted().len(), 1);
    let event = gateway.event_called("login-failed").await;
    assert!(event.text("message").unwrap().contains("by the identity provider"), "{event:?}");
}

#[tokio::test]
async fn states_that_began_nothing_are_events_and_have_to_wait_and_who_began_a_flow_there_does_not() {
    let provider = vouching().await;
    let gateway = gateway_with(&provider).await;
    let going = Going::to_sign_in(&gateway).await;
    let eve = reviewer(&gateway);
    let mut statuses = Vec::new();
    for guess in 0..30 {
        statuses.push(eve.open(&format!("/sign-in/callback?code=c&state=guess-{guess}")).await.status);
    }
    assert_eq!((statuses[0], statuses[19]), (403, 403), "{statuses:?}");
    assert!(statuses.contains(&429) && provider.posted().is_empty(), "{statuses:?}");
    let event = gateway.event_called("login-failed").await;
    assert_eq!(event.text("source.ip"), Some("127.0.0.1"));
    assert!(event.text("message").unwrap().contains("by the identity provider"), "{event:?}");

    provider.gives(&provider.signed(&provider.claims("1", &going.asked("nonce"), "web-platform")));
    assert_eq!(going.back().await.status, 200, "of the same address, and with a flow");
}

#[tokio::test]
async fn who_signs_in_is_an_event_by_the_provider_as_by_a_password() {
    let provider = vouching().await;
    let gateway = gateway_with(&provider).await;
    signed_in_as(&gateway, &provider, "24", "security").await;
    let event = gateway.event_called("signed-in").await;
    let who = format!("oidc:24@{}", provider.issuer.trim_start_matches("http://"));
    assert_eq!(
        (event.text("user.name"), event.text("source.ip")),
        (Some(&*who), Some("127.0.0.1")),
        "{event:?}"
    );
    let message = event.text("message").unwrap();
    assert!(message.ends_with("by the identity provider of the console, as viewer"), "{message}");

    signed_in(&gateway, "ada").await;
    let event = gateway.event_called("signed-in").await;
    assert_eq!((event.text("user.name"), event.text("event.outcome")), (Some("ada"), Some("success")));
    assert!(event.text("message").unwrap().ends_with("at the console, as reviewer"), "{event:?}");
}

#[tokio::test]
async fn a_session_that_the_browser_had_before_ends_when_somebody_signs_in_by_the_provider() {
    let provider = vouching().await;
    let gateway = gateway_with(&provider).await;
    let ada = signed_in(&gateway, "ada").await;
    let going = Going::from(ada.clone(), "/sign-in/provider").await;
    assert_eq!(ada.open("/").await.status, 200, "not before somebody has");
    provider.gives(&provider.signed(&provider.claims("1", &going.asked("nonce"), "web-platform")));
    assert_eq!(going.back().await.status, 200);
    assert_eq!(ada.open("/").await.status, 303);
}

#[tokio::test]
async fn codes_that_come_to_nothing_have_to_wait_and_the_provider_is_asked_no_more() {
    let provider = vouching().await;
    let gateway = gateway_with(&provider).await;
    let mut statuses = Vec::new();
    for _ in 0..25 {
        statuses.push(Going::to_sign_in(&gateway).await.back().await.status);
    }
    assert!(statuses.iter().take(20).all(|status| *status == 403), "{statuses:?}");
    let waited = statuses.iter().filter(|status| **status == 429).count();
    assert!(waited > 0, "{statuses:?}");
    assert_eq!(provider.posted().len(), 25 - waited);
    let mut shown = Going::to_sign_in(&gateway).await.back_with("&error=access_denied").await;
    while shown.status == 403 {
        shown = Going::to_sign_in(&gateway).await.back_with("&error=access_denied").await;
    }
    assert!(shown.status == 429 && shown.field("retry-after").is_some(), "{shown:?}");
    // Users of the file are not kept out by that.
    signed_in(&gateway, "ada").await;
}

#[tokio::test]
async fn who_signs_in_again_and_again_by_the_provider_waits_for_nothing() {
    let provider = vouching().await;
    let gateway = gateway_with(&provider).await;
    for _ in 0..25 {
        signed_in_as(&gateway, &provider, "1", "web-platform").await;
    }
}

#[tokio::test]
async fn where_a_provider_vouches_for_people_no_first_link_is_printed() {
    let provider = vouching().await;
    let gateway = with_provider(pinning(&vendor_of(TAMPERED).await), &provider.issuer)
        .set_in("console", "listen", "127.0.0.1:0")
        .listen()
        .await;
    signed_in_as(&gateway, &provider, "1", "web-platform").await;
    assert!(!gateway.complaints().await.contains("/first-start"), "{}", gateway.complaints().await);
}

#[tokio::test]
async fn a_token_of_another_flow_keeps_its_bearer_out() {
    kept_out(&claiming(|claims| claims["nonce"] = json!("of another flow")).await);
    kept_out(&claiming(|claims| drop(claims.as_object_mut().unwrap().remove("nonce"))).await);
    kept_out(&claiming(|claims| claims["iat"] = json!(now() - 3600)).await);
    kept_out(&claiming(|claims| claims["exp"] = json!(now() - 3600)).await);
}

#[tokio::test]
async fn a_token_for_another_audience_keeps_its_bearer_out() {
    kept_out(&claiming(|claims| claims["aud"] = json!("payroll")).await);
    kept_out(&claiming(|claims| claims["aud"] = json!(["pinfold", "payroll"])).await);
    kept_out(&claiming(|claims| claims["azp"] = json!("payroll")).await);
    kept_out(&claiming(|claims| drop(claims.as_object_mut().unwrap().remove("aud"))).await);
}

#[tokio::test]
async fn a_group_without_a_role_keeps_its_members_out_and_a_viewer_decides_nothing() {
    kept_out(
        &claiming(|claims| claims["groups"] = json!(["everybody", "WEB-PLATFORM", "web-platform "])).await,
    );
    kept_out(&claiming(|claims| drop(claims.as_object_mut().unwrap().remove("groups"))).await);
    let (vendor, provider) = (vendor_of(TAMPERED).await, vouching().await);
    let gateway = with(pinning(&vendor), &provider.issuer).listen().await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    let item = format!("/quarantine/{}", reply.verdict().incident().unwrap());
    let vic = signed_in_as(&gateway, &provider, "vic", "security").await;

    let fields = [("act", "reject"), ("reason", "SEC-1")];
    assert_eq!(vic.fill(&item, &format!("{item}/decide"), &fields).await.status, 403);
}

#[tokio::test]
async fn a_token_that_the_provider_did_not_sign_keeps_its_bearer_out() {
    let provider = vouching().await;
    let gateway = gateway_with(&provider).await;
    for forged in
        [unsigned, signed_by_secret, |claims: &Value| signed_by(&rcgen::KeyPair::generate().unwrap(), claims)]
    {
        let going = Going::to_sign_in(&gateway).await;
        provider.gives(&forged(&provider.claims("1", &going.asked("nonce"), "web-platform")));
        kept_out(&going.back().await);
    }
    let event = gateway.event_called("login-failed").await;
    assert_eq!((event.text("source.ip"), event.text("user.name")), (Some("127.0.0.1"), None), "{event:?}");
}

#[tokio::test]
async fn an_answer_of_another_issuer_keeps_its_bearer_out() {
    kept_out(&claiming(|claims| claims["iss"] = json!("https://evil.test")).await);
    let provider = vouching().await;
    let gateway = gateway_with(&provider).await;
    let going = Going::to_sign_in(&gateway).await;
    provider.gives(&provider.signed(&provider.claims("1", &going.asked("nonce"), "web-platform")));
    kept_out(&going.back_with("&iss=https%3A%2F%2Fevil.test").await);
    assert!(provider.posted().is_empty(), "the code went to nobody");

    // Metadata that speak for another.
    let other = vouching().await;
    other.says_of_itself("issuer", "https://evil.test");
    let gateway = gateway_with(&other).await;
    assert_eq!(reviewer(&gateway).open("/sign-in/provider").await.status, 502);
}

#[tokio::test]
async fn no_redirect_leads_elsewhere() {
    let (provider, elsewhere) = (vouching().await, vouching().await);
    let gateway = gateway_with(&provider).await;
    // The provider's own answers are not followed.
    let going = Going::to_sign_in(&gateway).await;
    let good = provider.signed(&provider.claims("1", &going.asked("nonce"), "web-platform"));
    elsewhere.gives(&good);
    provider.answers(307, &format!("Location: {}/token\r\n", elsewhere.issuer), "");
    kept_out(&going.back().await);
    assert!(elsewhere.posted().is_empty());

    // Nor does a link that begins a sign-in end anywhere but here.
    let going = Going::from(reviewer(&gateway), "/sign-in/provider?next=https://evil.test/").await;
    provider.gives(&provider.signed(&provider.claims("1", &going.asked("nonce"), "web-platform")));
    let shown = going.back().await;
    assert!(
        shown.status == 200 && shown.body.contains("url=/\"") && !shown.body.contains("evil"),
        "{shown:?}"
    );
    // And none begins at a page of elsewhere, or under a name that is not ours.
    let console = gateway.console().unwrap();
    let begin =
        |fields: &str| format!("GET /sign-in/provider HTTP/1.1\r\n{fields}\r\nConnection: close\r\n\r\n");
    let foreign = begin(&format!("Host: {console}\r\nSec-Fetch-Site: cross-site"));
    assert_eq!(gateway.console_says(&foreign).await.status, 403);
    assert_eq!(gateway.console_says(&begin("Host: evil.test")).await.status, 421);
}

#[tokio::test]
async fn an_answer_of_the_provider_without_end_is_given_up() {
    let (long, provider) = ("x".repeat(300 * 1024), vouching().await);
    let gateway = gateway_with(&provider).await;
    let going = Going::to_sign_in(&gateway).await;
    let good = provider.signed(&provider.claims("1", &going.asked("nonce"), "web-platform"));
    let body = json!({ "id_token": good, "access_token": long }).to_string();
    provider.answers(200, "", &body);
    kept_out(&going.back().await);

    let other = vouching().await;
    other.says_of_itself("service_documentation", long);
    let gateway = gateway_with(&other).await;
    assert_eq!(reviewer(&gateway).open("/sign-in/provider").await.status, 502);
}

#[tokio::test]
async fn a_stranger_reads_nothing_of_the_gateways_files_and_network_where_the_provider_cannot_be_used() {
    let provider = vouching().await;
    let gateway = gateway_with(&provider).await;
    let going = Going::to_sign_in(&gateway).await;
    std::fs::remove_file(gateway.dir().join("oidc.secret")).unwrap();
    let shown = going.back().await;
    kept_out(&shown);
    assert!(!shown.body.contains("oidc.secret"), "{shown:?}");
    gateway.says("oidc.secret").await;
    let gone = with(pinning(&vendor_of(TAMPERED).await), "http://127.0.0.1:1").listen().await;
    let shown = reviewer(&gone).open("/sign-in/provider").await;
    assert!(shown.status == 502 && !shown.body.contains("127.0.0.1:1"), "{shown:?}");
    gone.says("the identity provider cannot be asked").await;
}

#[tokio::test]
async fn while_the_provider_hangs_or_is_gone_local_users_sign_in_and_the_page_says_so() {
    let provider = vouching().await;
    provider.hangs();
    let gateway = gateway_with(&provider).await;
    let gone = with(pinning(&vendor_of(TAMPERED).await), "http://127.0.0.1:1").listen().await;
    for gateway in [gateway, gone] {
        let shown = reviewer(&gateway).open("/sign-in/provider").await;
        assert_eq!(shown.status, 502, "{shown:?}");
        assert!(shown.body.contains("Users of this gateway"), "{shown:?}");
        signed_in(&gateway, "ada").await;
    }
}
