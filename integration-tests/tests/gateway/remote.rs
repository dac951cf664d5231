//! The command's remote mode against what is not, or not only, the console that it means to ask.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use pinfold_integration_tests::{
    RawOrigin, client, eventually, gateway, origin_root_pem, pinfold, raw_origin, server_identity, shown,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::api::token;
use crate::console::with_reviewers;
use crate::{REVIEWED, TAMPERED, pinning, vendor_of};

const LIST: [&str; 2] = ["quarantine", "list"];

/// Somebody's machine, with a token and nothing else of pinfold.
struct Elsewhere {
    dir: TempDir,
    env: Vec<(&'static str, String)>,
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Elsewhere {
    fn with(token: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("api.token");
        std::fs::write(&file, token).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        Self { dir, env: Vec::new() }
    }

    fn stranger() -> Self {
        Self::with(&format!("pinfold_{}", "0".repeat(64)))
    }

    fn file(&self, name: &str, contents: &str) -> String {
        let file = self.dir.path().join(name);
        std::fs::write(&file, contents).unwrap();
        file.display().to_string()
    }

    async fn asks(&self, server: &str, args: &[&str]) -> Said {
        let mut command = tokio::process::Command::new(pinfold());
        command.current_dir(self.dir.path()).env_remove("PINFOLD_SERVER").env_remove("PINFOLD_TOKEN");
        command.envs(self.env.iter().map(|(name, value)| (*name, value.as_str()))).kill_on_drop(true);
        command.args(["--server", server, "--token-file", "api.token"]).args(args);
        let output = eventually("pinfold", command.output()).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// A server that answers so, whatever it is asked.
async fn answering(status: &str, head: &str, body: &str) -> RawOrigin {
    raw_origin(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{head}\r\n{body}", body.len())).await
}

fn url(server: &RawOrigin) -> String {
    format!("http://{}", server.address())
}

#[tokio::test]
async fn over_tls_the_command_trusts_the_named_certificates_and_no_others() {
    let gateway = with_reviewers(gateway()).set_in("console", "tls", "local-ca").listen().await;
    let ada = Elsewhere::with(&token(&gateway, "ada", "ci", "viewer").await);
    let (root, port) = (gateway.ca().display().to_string(), gateway.console().unwrap().port());
    let other = ada.file("other.pem", &origin_root_pem());
    for name in ["localhost", "127.0.0.1"] {
        let server = format!("https://{name}:{port}");
        let done = ada.asks(&server, &["--server-ca", &root, "quarantine", "list"]).await;
        assert_eq!(done.code, Some(0), "{name}: {}", done.err);
        for args in [&LIST[..], &["--server-ca", &other, "quarantine", "list"]] {
            let refused = ada.asks(&server, args).await;
            assert!(refused.code == Some(3) && refused.err.contains("no TLS"), "{args:?}: {}", refused.err);
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_gets_no_token() {
    let (chain, key) = server_identity("pinfold.test");
    let gateway = with_reviewers(gateway())
        .secret("console.pem", &chain)
        .secret("console.key", &key)
        .set_in("console", "certificate", "console.pem")
        .set_in("console", "key", "console.key")
        .listen()
        .await;
    let stranger = Elsewhere::stranger();
    let root = stranger.file("root.pem", &origin_root_pem());
    let server = format!("https://localhost:{}", gateway.console().unwrap().port());
    let refused = stranger.asks(&server, &["--server-ca", &root, "quarantine", "list"]).await;
    assert!(refused.code == Some(3) && refused.err.contains("no TLS"), "{}", refused.err);
    gateway.terminate().await;
    assert!(
        !gateway.every_event().await.iter().any(|event| event.text("event.action") == Some("login-failed"))
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_token_stays_where_it_was_sent() {
    let elsewhere = answering("200 OK", "", "[]").await;
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let server =
            answering(status, &format!("Location: {}/api/v1/quarantine\r\n", url(&elsewhere)), "").await;
        let done = Elsewhere::stranger().asks(&url(&server), &LIST).await;
        assert!(done.code == Some(3) && done.out.is_empty(), "{status}: {}", done.err);
        assert!(done.err.contains("none is followed"), "{status}: {}", done.err);
        assert!(shown(&server.take()).contains("uthorization: Bearer pinfold_"));
    }
    assert!(elsewhere.take().is_empty());
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked_and_sees_no_token() {
    let gateway = with_reviewers(gateway()).listen().await;
    let mut ada = Elsewhere::with(&token(&gateway, "ada", "ci", "viewer").await);
    let proxy = answering("200 OK", "", "[]").await;
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        ada.env.push((name, url(&proxy)));
    }
    let done = ada.asks(&format!("http://{}", gateway.console().unwrap()), &LIST).await;
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(proxy.take().is_empty());
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let server = answering("200 OK", "", &" ".repeat(66 * 1024 * 1024)).await;
    let done = Elsewhere::stranger().asks(&url(&server), &LIST).await;
    assert!(done.code == Some(3) && done.err.contains("longer than 65 MiB"), "{}", done.err);
}

#[tokio::test]
async fn whatever_a_hostile_server_answers_it_does_not_reach_the_terminal_as_more_than_text() {
    let planted = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\r";
    let problem = json!({ "detail": planted, "hint": planted }).to_string();
    let printed = json!({ "out": format!("{planted}\n"), "err": planted, "code": 0 }).to_string();
    let as_json = json!({ "out": json!([planted]).to_string(), "err": planted, "code": 0 }).to_string();
    for (status, body, args) in [
        ("404 Not Found", &problem, &LIST[..]),
        ("500 \u{1b}[2J", &problem, &LIST),
        ("200 OK", &printed, &LIST),
        ("200 OK", &as_json, &["--json", "quarantine", "list"]),
    ] {
        let server = answering(status, "", body).await;
        let done = Elsewhere::stranger().asks(&url(&server), args).await;
        for text in [&done.out, &done.err] {
            let raw = text.chars().find(|char| char.is_control() && *char != '\n' || *char == '\u{202e}');
            assert_eq!(raw, None, "{status}: {text:?}");
        }
        assert!(done.code.is_some(), "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_told_apart_from_an_empty_one() {
    for body in ["", "[]", "{}", "<html>", r#"{"out":1,"err":"","code":0}"#, r#"{"out":"","err":""}"#] {
        let server = answering("200 OK", "", body).await;
        let done = Elsewhere::stranger().asks(&url(&server), &LIST).await;
        assert_eq!(done.code, Some(3), "{body}: {}", done.err);
    }
}

/// A script that lost its variable must not decide about the gateway that happens to be here.
#[tokio::test]
async fn an_empty_server_is_a_mistake_and_no_word_to_act_here() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = with_reviewers(pinning(&vendor)).listen().await;
    let done = gateway.command(&["--server", "", "quarantine", "list"]).await;
    assert!(done.code == Some(2) && done.stderr.contains("--server is ''"), "{done:?}");
}

#[tokio::test]
async fn searches_of_programs_that_meet_are_told_to_come_back_and_keep_no_person_waiting() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = with_reviewers(pinning(&vendor)).listen().await;
    let (secret, console) = (token(&gateway, "vic", "ci", "viewer").await, gateway.console().unwrap());
    let ada = crate::console::signed_in(&gateway, "ada").await;
    // Without a ledger there is nothing to search.
    client(&gateway).get(vendor.url("/app.js")).await;
    let request = format!(
        "GET /api/v1/exposure?since=1d HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\nAuthorization: Bearer {secret}\r\n\r\n"
    );
    let meeting = async {
        loop {
            let mut asking = JoinSet::new();
            for _ in 0..24 {
                asking.spawn(answer(console, request.clone()));
            }
            let page = ada.open("/ledger").await;
            assert!(page.status == 200 && !page.body.contains("another search"), "{page:?}");
            let answers = asking.join_all().await;
            for answer in &answers {
                let is_later = answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1\r\n");
                assert!(is_later || answer.starts_with("HTTP/1.1 200"), "{answer}");
            }
            if answers.iter().any(|answer| answer.starts_with("HTTP/1.1 503")) {
                return;
            }
        }
    };
    eventually("two searches at one time", meeting).await;
}

async fn answer(console: SocketAddr, request: String) -> String {
    let mut stream = TcpStream::connect(console).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
