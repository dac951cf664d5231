//! The table of reasons, row by row: each is provoked in a real gateway, and answered as the one enum says.

use std::collections::BTreeSet;

use http::Method;
use pinfold_integration_tests::{
    Answer as Served, Gate, Gateway, GatewayBuilder, Identity, Pin, Reply, Rule, Vendor, client, eventually,
    gateway, sha256, vendor,
};
use pinfold_policy::reason::{Answer, Reason};
use serde_json::json;
use sfv::{List, ListEntry, Parser};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::faults::SmallDisk;
use crate::{REVIEWED, TAMPERED, pinning, vendor_of};

/// What a client sees of a reason.
enum Shown {
    Reply(Reply),
    /// No response at all.
    End,
    /// No client can be shown this one, because…
    Nobody(&'static str),
}

/// The status that a vendor gives where the reason keeps it.
const VENDOR_STATUS: u16 = 404;

#[tokio::test]
async fn every_reason_is_answered_as_the_table_says() {
    let mut shown_to_nobody = BTreeSet::new();
    for reason in Reason::ALL {
        let status = match reason.answer() {
            Answer::Status(status) => Some(status),
            Answer::VendorStatus => Some(VENDOR_STATUS),
            Answer::ConnectionEnds => None,
        };
        match provoke(*reason).await {
            Shown::Reply(reply) => {
                assert_eq!(Some(reply.status().as_u16()), status, "{reason}: {reply:?}");
                assert_eq!(reply.verdict().reason(), Some(reason.code()));
                assert_eq!(details(reply.header("proxy-status").unwrap()), reason.code());
            }
            Shown::End => assert_eq!(status, None, "{reason}"),
            Shown::Nobody(why) => {
                assert!(!why.is_empty());
                shown_to_nobody.insert(reason.code());
            }
        }
    }
    let expected = ["internal", "path-changed"];
    assert_eq!(shown_to_nobody, expected.into());
}

/// `details` of the last proxy in a `Proxy-Status` (RFC 9209).
fn details(proxy_status: &str) -> String {
    let proxies: List = Parser::new(proxy_status).parse().unwrap();
    let Some(ListEntry::Item(last)) = proxies.last() else { panic!("no proxy: {proxy_status}") };
    let details = last.params.iter().find(|(name, _)| name.as_str() == "details").expect("details").1;
    details.as_string().expect("details are a string").as_str().to_owned()
}

/// Brings a reason about.
#[expect(clippy::cognitive_complexity, reason = "one arm for each reason, and nothing around them")]
async fn provoke(reason: Reason) -> Shown {
    match reason {
        Reason::DigestMismatch => app_js(Served::script(TAMPERED)).await,
        Reason::Unpinned => fetched(Served::script(REVIEWED), |vendor| gateway().vendor(vendor)).await,
        Reason::Revoked => {
            let revoking = |vendor: &Vendor| pinning(vendor).revoke(sha256(REVIEWED));
            fetched(Served::script(REVIEWED), revoking).await
        }
        Reason::Rejected => rejected().await,
        Reason::ExpiredPin => {
            let expired = |vendor: &Vendor| {
                let pin = Pin::new(vendor.url("/app.js")).digest(sha256(REVIEWED)).expires("2021-01-01");
                gateway().vendor(vendor).pinned(pin)
            };
            fetched(Served::script(REVIEWED), expired).await
        }
        Reason::UnlistedHost => unlisted_host().await,
        Reason::Redirect => {
            app_js(Served::untyped("").status(302).header("location", "https://evil.test/")).await
        }
        Reason::UpstreamStatus => app_js(Served::script(REVIEWED).status(VENDOR_STATUS)).await,
        Reason::BodyTooLarge => {
            let strict = |vendor: &Vendor| pinning(vendor).set_in("limits", "max_body", "4KiB");
            fetched(Served::script(vec![b' '; 5000]), strict).await
        }
        Reason::BadEncoding => app_js(Served::script(REVIEWED).header("content-encoding", "gzip")).await,
        Reason::Truncated => app_js(Served::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nlet")).await,
        Reason::PartialContent => app_js(Served::script(REVIEWED).status(206)).await,
        Reason::MalformedResponse => app_js(Served::raw("220 mail.test ready\r\n\r\n")).await,
        Reason::PrivateAddress => connect(&gateway().listen().await, "127.0.0.1:443").await,
        Reason::PortNotAllowed => connect(&gateway().listen().await, "example.test:25").await,
        Reason::ClientNotAllowed => {
            let strict = gateway().set_in("clients", "allow", json!(["127.0.0.2/32"])).listen().await;
            connect(&strict, "example.test:443").await
        }
        Reason::WebsocketBlocked => websocket_blocked().await,
        Reason::HostMismatch => inside(Method::GET, "https://other.test/app.js").await,
        Reason::MethodNotAllowed => inside(Method::TRACE, "https://cdn.vendor.test/app.js").await,
        Reason::SniMismatch => another_sni().await,
        Reason::NotHttp => not_http().await,
        Reason::MalformedRequest => {
            Shown::Reply(client(&gateway().listen().await).absolute("ftp://cdn.vendor.test/app.js").await)
        }
        Reason::UpstreamTls => {
            let vendor = vendor().script("/app.js", REVIEWED).identity(Identity::Expired).listen().await;
            get(&vendor, pinning(&vendor)).await
        }
        Reason::UpstreamUnreachable => {
            let vendor = vendor().unreachable().listen().await;
            get(&vendor, pinning(&vendor)).await
        }
        Reason::UpstreamTimeout => upstream_timeout().await,
        Reason::Loop => came_back().await,
        Reason::Overloaded => overloaded().await,
        Reason::StoreUnavailable => store_unavailable().await,
        Reason::PathChanged => Shown::Nobody("delivery paths are recorded, and no rule compares them yet"),
        Reason::CredentialsRequired => {
            let strict = crate::admission::asking_for_passwords(gateway()).listen().await;
            connect(&strict, "example.test:443").await
        }
        Reason::Held => held().await,
        Reason::HeadersTooLarge => {
            let large = "a".repeat(65 << 10);
            Shown::Reply(
                client(&gateway().listen().await).header("x-large", &large).get("http://other.test/").await,
            )
        }
        Reason::RequestTimeout => request_timeout().await,
        Reason::Internal => Shown::Nobody("a bug, which this would be the wrong place to keep one for"),
    }
}

/// What a client gets at `/app.js`, which is pinned, when the vendor answers so.
async fn app_js(answer: Served) -> Shown {
    fetched(answer, pinning).await
}

async fn fetched(answer: Served, builder: impl FnOnce(&Vendor) -> GatewayBuilder) -> Shown {
    let vendor = vendor().serve("/app.js", answer).listen().await;
    let builder = builder(&vendor);
    get(&vendor, builder).await
}

async fn get(vendor: &Vendor, builder: GatewayBuilder) -> Shown {
    Shown::Reply(client(&builder.listen().await).get(vendor.url("/app.js")).await)
}

async fn connect(gateway: &Gateway, authority: &str) -> Shown {
    Shown::Reply(client(gateway).connect(authority).await.unwrap().unwrap_err())
}

/// Asks inside the vendor's intercepted connection.
async fn inside(method: Method, url: &str) -> Shown {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).listen().await;
    let mut session = client(&gateway).open(&vendor.url("/").parse().unwrap()).await.unwrap().unwrap();
    Shown::Reply(session.ask(method, url.parse().unwrap()).await.unwrap())
}

async fn rejected() -> Shown {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = pinning(&vendor).listen().await;
    let client = client(&gateway);
    let incident = client.get(vendor.url("/app.js")).await.verdict().incident().unwrap().to_owned();
    gateway.command(&["quarantine", "reject", &incident, "--reason", "SEC-1"]).await.success();
    Shown::Reply(client.get(vendor.url("/app.js")).await)
}

async fn unlisted_host() -> Shown {
    let other = vendor().host("other.test").clear_text().script("/app.js", REVIEWED).listen().await;
    get(&other, gateway().reach(&other).set_in("other_hosts", "scripts", "block")).await
}

async fn websocket_blocked() -> Shown {
    let vendor = vendor().listen().await;
    let gateway = gateway().rule(&vendor, Rule::default().set("websocket", "block")).listen().await;
    Shown::Reply(client(&gateway).websocket(vendor.url("/socket")).await.unwrap_err())
}

async fn another_sni() -> Shown {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).listen().await;
    let tunnel = client(&gateway).connect("cdn.vendor.test:443").await.unwrap().unwrap();
    let error = client(&gateway).greet("other.test", tunnel).await.unwrap_err();
    assert!(error.to_string().contains("UnrecognisedName"), "{error}");
    Shown::End
}

async fn not_http() -> Shown {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).listen().await;
    let mut tunnel = client(&gateway).connect("cdn.vendor.test:443").await.unwrap().unwrap();
    tunnel.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").await.unwrap();
    let mut said = Vec::new();
    eventually("the end of the tunnel", tunnel.read_to_end(&mut said)).await.unwrap();
    assert!(said.is_empty(), "{said:?}");
    Shown::End
}

async fn upstream_timeout() -> Shown {
    let gate = pinfold_integration_tests::Gate::closed();
    let answer = Served::script(REVIEWED).behind(&gate);
    fetched(answer, |vendor| pinning(vendor).set_in("limits", "upstream_timeout", "1s")).await
}

async fn request_timeout() -> Shown {
    let gateway = gateway().set_in("limits", "header_timeout", "1s").listen().await;
    Shown::Reply(client(&gateway).begin_a_head().await)
}

async fn came_back() -> Shown {
    let origin = vendor().host("other.test").clear_text().listen().await;
    let gateway = gateway().reach(&origin).listen().await;
    client(&gateway).get(origin.url("/")).await;
    let via = origin.seen("/")[0].header("via").unwrap().to_owned();
    Shown::Reply(client(&gateway).header("via", &via).get(origin.url("/")).await)
}

async fn held() -> Shown {
    let gate = Gate::closed();
    let slow = Served::script("let a").then(&gate, " = 1;");
    let vendor = vendor().serve("/app.js", slow).listen().await;
    let gateway = pinning(&vendor).set_in("limits", "patience", "1s").listen().await;
    Shown::Reply(client(&gateway).get(vendor.url("/app.js")).await)
}

async fn overloaded() -> Shown {
    let other = vendor().host("other.test").listen().await;
    let gateway = gateway().reach(&other).set_in("limits", "max_connections", 1).listen().await;
    let _only = client(&gateway).connect("other.test:443").await.unwrap().unwrap();
    Shown::Reply(client(&gateway).connect("other.test:443").await.unwrap().err().unwrap())
}

async fn store_unavailable() -> Shown {
    let disk = SmallDisk::mount();
    let vendor = vendor_of(REVIEWED).await;
    let data = disk.path().join("data");
    let gateway = pinning(&vendor).set("data_dir", data.to_str().unwrap()).listen().await;
    disk.fill();
    Shown::Reply(client(&gateway).get(vendor.url("/app.js")).await)
}
