//! `/proxy.pac`: browsers find the gateway by it, and no way around it.

use std::path::Path;
use std::process::Stdio;

use pinfold_integration_tests::{
    Answer, Gateway, GatewayBuilder, Shown, chromium_configured_by, eventually, gateway, origin_root_pem,
    vendor,
};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::health::shown;
use crate::{REVIEWED, pinning, vendor_of};

const PAC: &str = "application/x-ns-proxy-autoconfig";

/// On all addresses of this machine, as where clients are elsewhere.
fn on_all_addresses(gateway: GatewayBuilder) -> GatewayBuilder {
    shown(gateway).set("listen", vec!["0.0.0.0:0"]).set_in("clients", "allow", vec!["127.0.0.0/8"])
}

async fn asked_as(gateway: &Gateway, host: &str) -> Shown {
    let request = format!("GET /proxy.pac HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    gateway.console_says(&request).await
}

/// What a PAC file says of each URL, by Node.
async fn ways(program: &str, urls: &[&str]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/pac.mjs");
    let mut node = Command::new("node");
    node.arg(script).args(urls).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut node = node.spawn().unwrap();
    node.stdin.take().unwrap().write_all(program.as_bytes()).await.unwrap();
    let output = eventually("the end of node", node.wait_with_output()).await.unwrap();
    assert!(output.status.success(), "{program}");
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn chromium_that_is_given_the_file_goes_through_the_gateway() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/chat", Answer::page("<title>no script ran</title><script src='/app.js'></script>"));
    let gateway = shown(pinning(&vendor)).listen().await;
    let console = gateway.console().unwrap();

    let browser = chromium_configured_by(&gateway, &format!("http://{console}/proxy.pac")).await;
    // Nothing but the gateway knows where the vendor's host is.
    let page = browser.open(vendor.url("/chat")).await;

    assert_eq!(page.title(), "the reviewed script ran", "{}", page.log());
    assert_eq!(gateway.event_of(&vendor.url("/app.js")).await.verdict(), Some("verified"));
}

#[tokio::test]
async fn chromium_tunnels_to_other_hosts_by_the_file_too() {
    let shop = vendor().host("shop.test").serve("/", Answer::page("<title>the shop</title>")).listen().await;
    let gateway = on_all_addresses(gateway()).reach(&shop).listen().await;
    let console = gateway.console().unwrap();

    let browser = chromium_configured_by(&gateway, &format!("http://{console}/proxy.pac")).await;
    browser.trust(&origin_root_pem()).await;
    let page = browser.open(shop.url("/")).await;

    assert_eq!(page.title(), "the shop", "{}", page.log());
    // The gateway is on all addresses: the file named the one that it was asked by.
    assert_eq!(shop.seen("/").len(), 1);
}

#[tokio::test]
async fn all_but_this_machine_and_plain_names_goes_to_the_proxy_or_nowhere() {
    let gateway = on_all_addresses(gateway()).listen().await;
    let answer = asked_as(&gateway, "gateway.corp.example:8081").await;
    assert!(answer.status == 200 && answer.head.contains(&format!("content-type: {PAC}\r\n")), "{answer:?}");
    let port = gateway.proxy().port();

    let proxied = [
        "https://cdn.vendor.example/app.js",
        "http://vendor.example/",
        "https://vendor.example./",
        "wss://vendor.example/socket",
        "https://10.1.2.3/",
        "https://128.0.0.1/",
        "https://127.evil.example/",
        "https://localhost.evil.example/",
        "https://notlocalhost.example/",
        "https://127.0.0.1.evil.example/",
        // An address without a dot is no plain name.
        "https://[2001:db8::1]/",
        "https://[::2]/",
        "https://[::ffff:203.0.113.1]/",
    ];
    let wanted = format!("PROXY gateway.corp.example:{port}");
    for (url, way) in proxied.iter().zip(ways(&answer.body, &proxied).await) {
        assert_eq!(way, wanted, "{url}");
    }
    let own = [
        "http://localhost:3000/",
        "http://app.localhost/",
        "http://127.0.0.1/",
        "http://127.8.9.10/",
        "http://[::1]:8081/",
        "http://intranet/",
        "http://Print_Server-2/",
    ];
    for (url, way) in own.iter().zip(ways(&answer.body, &own).await) {
        assert_eq!(way, "DIRECT", "{url}");
    }
}

#[tokio::test]
async fn a_number_that_no_browser_has_made_an_address_of_is_no_plain_name() {
    let gateway = shown(gateway()).listen().await;
    let program = gateway.shows("/proxy.pac").await.body;
    let proxy = gateway.proxy();
    let call = |host: &str| format!("{program}; FindProxyForURL = FindProxyForURL.bind(null, '', '{host}')");
    for host in
        ["3405803777", "0xcb007101", "0", "2001:db8::1", "[2001:db8::1]", "", "evil.example\\nx", "x\\n"]
    {
        assert_eq!(ways(&call(host), &["http://x/"]).await, [format!("PROXY {proxy}")], "{host}");
    }
}

#[tokio::test]
async fn a_hostile_host_writes_nothing_into_the_file() {
    let gateway = on_all_addresses(gateway()).listen().await;
    for host in [
        "x\"+alert(1)+\"",
        "x\";return\"DIRECT",
        "x;DIRECT",
        "x; DIRECT",
        "x,y",
        "x\\",
        "x/../y",
        "x\u{2028}y",
        "user@x",
        "x:0",
        "x:99999",
        "x:80:80",
        "x:8081;DIRECT",
        "<script>",
        "",
    ] {
        let answer = asked_as(&gateway, host).await;
        assert_ne!(answer.status, 200, "{host}: {answer:?}");
        assert!(!answer.body.contains("FindProxyForURL"), "{host}: {answer:?}");
    }
    // What is right in a URL is written in its one spelling.
    let answer = asked_as(&gateway, "GATE%57ay.Corp.Example.").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let port = gateway.proxy().port();
    assert_eq!(
        ways(&answer.body, &["https://a.example/"]).await,
        [format!("PROXY gateway.corp.example:{port}")]
    );
}

#[tokio::test]
async fn any_name_may_ask_for_the_file_and_for_nothing_else() {
    let gateway = on_all_addresses(gateway()).listen().await;
    assert_eq!(asked_as(&gateway, "gateway.corp.example").await.status, 200);
    for path in ["/metrics", "/readyz", "/livez", "/proxy.pac/", "/proxy.pac/../metrics", "//proxy.pac"] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: gateway.corp.example\r\nConnection: close\r\n\r\n");
        assert_eq!(gateway.console_says(&request).await.status, 421, "{path}");
    }
}

#[tokio::test]
async fn a_proxy_on_loopback_is_no_proxy_for_another_machine() {
    let gateway = shown(gateway()).listen().await;
    let answer = asked_as(&gateway, "gateway.corp.example").await;
    assert_eq!((answer.status, answer.body.contains("PROXY")), (404, false), "{answer:?}");
    let here = ways(&asked_as(&gateway, "localhost").await.body, &["https://a.example/"]).await;
    assert_eq!(here, [format!("PROXY {}", gateway.proxy())]);
}

#[tokio::test]
async fn check_says_where_the_console_is_and_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    gateway().set_in("console", "listen", "127.0.0.1:8081").write(dir.path());
    assert!(
        check(dir.path())
            .await
            .contains("console  127.0.0.1:8081: pages for review, /livez, /readyz, /metrics, /proxy.pac\n")
    );
    gateway().write(dir.path());
    assert!(check(dir.path()).await.contains("console  none\n"));
}

async fn check(dir: &Path) -> String {
    let mut check = Command::new(pinfold_integration_tests::pinfold());
    check.arg("check").arg("--config").arg(dir.join("pinfold.toml"));
    let output = eventually("pinfold check", check.output()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
