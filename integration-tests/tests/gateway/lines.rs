//! Whatever stands in a request or an answer, a record stays one printable line, and secrets stay out of all of them.

use std::path::Path;

use pinfold_integration_tests::{Answer, Gateway, Output, client, vendor};

use crate::{TAMPERED, pinning, say};

/// What each field that is recorded is filled with: quotes and braces of a record, delimiters of others, a line and a
/// column that never were, escapes of a terminal, characters that turn or hide what stands beside them, and bytes that
/// are no text at all.
const HOSTILE: [&[u8]; 9] = [
    b"\"},\"Pinfold\":{\"verdict\":\"verified\"}",
    b"a|b=c\\|d\\n;e,f'g`h",
    b"${jndi:ldap://x}<script>%0d%0a%1b[2J%00",
    b"\ttab\tseparated",
    "\u{202e}gpj.exe\u{2066}\u{200f}".as_bytes(),
    "\u{85}\u{9b}31m\u{2028}\u{2029}\u{feff}".as_bytes(),
    b"\xff\xfe\x80 no text",
    b"\xc2\x9b31m\xe2\x80",
    b"%ff%c0%80%E2%80%AE",
];

/// None of these may be found anywhere.
const SECRETS: [&str; 6] =
    ["secret-cookie", "secret-token", "secret-proxy", "secret-user", "secret-set", "secret-in-url"];

/// A request for the script with this in every field that is recorded, and secrets in those that are not.
fn request(hostile: &[u8]) -> Vec<u8> {
    let mut head =
        b"GET http://cdn.vendor.test/app.js HTTP/1.1\r\nHost: cdn.vendor.test\r\nConnection: close\r\n"
            .to_vec();
    for name in [
        "Referer: https://n:secret-user@shop.test/",
        "User-Agent: ",
        "Origin: ",
        "Content-Type: ",
        "Accept: ",
    ] {
        head.extend([name.as_bytes(), hostile, b"\r\n"].concat());
    }
    head.extend(b"Cookie: s=secret-cookie\r\nAuthorization: Bearer secret-token\r\n");
    head.extend(b"Proxy-Authorization: Basic secret-proxy\r\n\r\n");
    head
}

#[track_caller]
fn is_printable(text: &str, what: &str) {
    let is_hidden = |char: char| {
        char.is_control() && char != '\n'
            || ('\u{200b}'..='\u{200f}').contains(&char)
            || ('\u{2028}'..='\u{202e}').contains(&char)
            || ('\u{2066}'..='\u{2069}').contains(&char)
            || char == '\u{feff}'
    };
    assert_eq!(text.find(is_hidden), None, "{what}: {text:?}");
}

#[tokio::test]
async fn hostile_values_stay_in_their_field_of_one_record() {
    let script =
        Answer::script(TAMPERED).header("content-type", "text/javascript; x=\"|'\\\"},{\"; y=\u{e9}");
    let vendor =
        vendor().clear_text().serve("/app.js", script.header("set-cookie", "s=secret-set")).listen().await;
    let gateway = pinning(&vendor).listen().await;

    for hostile in HOSTILE {
        let answer = say(&gateway, request(hostile)).await;
        // The harness has checked that the line is printable, and an object.
        let event = gateway.next_event().await;
        assert_eq!(event.verdict(), Some("quarantined"), "{answer}");
        assert_eq!(event.url(), Some("http://cdn.vendor.test/app.js"));
        assert!(event.text("http.request.referrer").unwrap().starts_with("https://shop.test/"));
        let agent = String::from_utf8_lossy(hostile).trim_matches([' ', '\t']).to_owned();
        assert_eq!(event.text("user_agent.original"), Some(&*agent));
    }
    for method in ["G|E'T", "%0A", "$`~"] {
        let head =
            "http://cdn.vendor.test/app.js HTTP/1.1\r\nHost: cdn.vendor.test\r\nConnection: close\r\n\r\n";
        say(&gateway, format!("{method} {head}")).await;
        assert_eq!(gateway.next_event().await.text("http.request.method"), Some(method));
    }
    leaves_no_trace(&gateway).await;
}

#[tokio::test]
async fn hostile_urls_stay_in_their_field_of_one_record() {
    let vendor = vendor().clear_text().listen().await;
    let gateway = pinning(&vendor).listen().await;

    for target in ["/a%0A%22%7D|'.js?q=\u{202e}\u{85}'x", "/%1B%5B2J.js?%00", "/\u{feff}{}.js?;|&\\\\"] {
        vendor.script(target.split('?').next().unwrap(), TAMPERED);
        let head = format!(
            "GET http://cdn.vendor.test{target} HTTP/1.1\r\nHost: cdn.vendor.test\r\nConnection: close\r\n\r\n"
        );
        say(&gateway, head).await;
        let event = gateway.next_event().await;
        is_printable(event.url().unwrap(), target);
        assert!(event.url().unwrap().is_ascii(), "{:?}", event.url());
    }
    let host = "http://n:secret-in-url@cdn.vendor.test/app.js";
    let head =
        format!("GET {host} HTTP/1.1\r\nHost: n:secret-in-url@cdn.vendor.test\r\nConnection: close\r\n\r\n");
    assert!(say(&gateway, head).await.starts_with("HTTP/1.1 400 "));
    leaves_no_trace(&gateway).await;
}

#[tokio::test]
async fn what_a_reviewer_and_an_operator_read_is_printable() {
    let vendor = vendor().clear_text().script("/app.js", TAMPERED).listen().await;
    let gateway = pinning(&vendor).listen().await;
    for hostile in HOSTILE {
        say(&gateway, request(hostile)).await;
    }
    let refusal = client(&gateway).get(vendor.url("/app.js")).await;
    let incident = refusal.verdict().incident().unwrap().to_owned();

    let list = gateway.command(&["quarantine", "list"]).await.success();
    let shown: Vec<Output> = vec![
        list,
        gateway.command(&["quarantine", "show", &incident]).await.success(),
        gateway.command(&["--json", "quarantine", "show", &incident]).await.success(),
    ];
    for output in shown {
        is_printable(&output.text(), "a command");
        assert!(SECRETS.iter().all(|secret| !output.text().contains(secret)), "{}", output.text());
    }
    leaves_no_trace(&gateway).await;
}

/// Ends the gateway, and looks for secrets in all that it has said and written, and for what a terminal would obey in
/// what it has said.
async fn leaves_no_trace(gateway: &Gateway) {
    assert!(gateway.terminate().await.success());
    is_printable(&gateway.complaints().await, "standard error");
    for event in gateway.rest_of_events().await {
        assert!(
            SECRETS.iter().all(|secret| !event.value().to_string().contains(secret)),
            "{}",
            event.value()
        );
    }
    has_no_secret(&gateway.dir().join("pinfold-data"));
}

fn has_no_secret(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            has_no_secret(&path);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for secret in SECRETS {
            let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!is_there, "{secret} in {}", path.display());
        }
    }
}
