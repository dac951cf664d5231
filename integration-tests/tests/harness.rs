//! The harness by itself: through a relay that judges nothing, every client must get and run what the origin serves.
//! Without this, a test that sees a script *not* run could be green because nothing ever runs.

use http::{Method, Version};
use pinfold_integration_tests::{
    Answer, Client, Coding, Gate, Identity, RealClient, Vendor, chromium, client, fixtures, origin_root_pem,
    relay, sha256, vendor,
};

const SCRIPT: &str = "document.title = 'the script ran';";

#[tokio::test]
async fn every_client_gets_every_coding() {
    let vendor = vendor().script("/app.js", SCRIPT).listen().await;
    let relay = relay(&[&vendor]).await;

    for coding in Coding::ALL {
        vendor.serve("/app.js", Answer::script(SCRIPT).encoded(coding));
        for client in [client(&relay), client(&relay).http2()] {
            assert_eq!(client.get(vendor.url("/app.js")).await.body(), SCRIPT.as_bytes(), "{coding:?}");
        }
    }
    vendor.serve("/app.js", Answer::script(SCRIPT).encoded(Coding::Gzip));
    for client in [RealClient::Curl, RealClient::Node, RealClient::Python] {
        let fetched = client.get(&relay, vendor.url("/app.js")).await;
        assert_eq!((fetched.status, fetched.body.as_slice()), (200, SCRIPT.as_bytes()), "{client:?}");
    }
    vendor.serve("/app.js", Answer::script(SCRIPT).encoded(Coding::Br).status(203));
    for client in [RealClient::CurlHttp2, RealClient::NodeHttp2] {
        let fetched = client.get(&relay, vendor.url("/app.js")).await;
        assert_eq!((fetched.status, fetched.body.as_slice()), (203, SCRIPT.as_bytes()), "{client:?}");
    }
    let versions: Vec<_> = vendor.seen("/app.js").iter().map(|seen| seen.version).collect();
    assert_eq!(versions.len(), 15);
    assert_eq!(versions.iter().filter(|version| **version == Version::HTTP_2).count(), 7);
}

#[tokio::test]
async fn chromium_runs_what_a_page_loads_and_validates_its_certificate() {
    let vendor = vendor().script("/app.js", SCRIPT).listen().await;
    let stranger = stranger().await;
    let page = format!(
        "<title>nothing ran</title><script src='{}'></script><script src='{}' onerror=\"document.body.append('refused')\">\
         </script>",
        vendor.url("/app.js"),
        stranger.url("/app.js")
    );
    let site = site(&page).await;
    let relay = relay(&[&vendor, &stranger, &site]).await;

    let page = chromium(&relay).await.open(site.url("/")).await;

    assert_eq!(page.title(), "the script ran");
    assert!(page.dom().contains("refused"), "{}", page.dom());
    assert_eq!(stranger.seen("/app.js").len(), 0);
}

#[tokio::test]
async fn an_origin_can_show_a_certificate_that_nobody_trusts() {
    for identity in [Identity::SelfSigned, Identity::Expired, Identity::WrongName] {
        let vendor = vendor().script("/app.js", SCRIPT).identity(identity).listen().await;
        let relay = relay(&[&vendor]).await;
        assert!(fails(&client(&relay), &vendor).await, "{identity:?}");
    }
}

#[tokio::test]
async fn a_client_trusts_the_root_it_was_given_and_no_other() {
    let vendor = vendor().script("/app.js", SCRIPT).listen().await;
    let relay = relay(&[&vendor]).await;

    let stranger = rcgen::generate_simple_self_signed(vec!["stranger.test".to_owned()]).unwrap();

    assert!(fails(&client(&relay).trusting(stranger.cert.pem()), &vendor).await);
    assert!(!fails(&client(&relay).trusting(origin_root_pem()), &vendor).await);
}

#[tokio::test]
async fn a_raw_answer_is_sent_as_it_is() {
    let short = "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: 100\r\n\r\nonly this";
    let vendor = vendor().serve("/short.js", Answer::raw(short)).script("/whole.js", SCRIPT).listen().await;
    let relay = relay(&[&vendor]).await;

    assert!(client(&relay).try_ask(Method::GET, vendor.url("/short.js")).await.is_err());
    assert_eq!(client(&relay).get(vendor.url("/whole.js")).await.body(), SCRIPT.as_bytes());
}

#[tokio::test]
async fn a_gate_holds_an_answer_back_until_it_is_opened() {
    let gate = Gate::closed();
    let vendor = vendor().serve("/app.js", Answer::script(SCRIPT).behind(&gate)).listen().await;
    let relay = relay(&[&vendor]).await;

    let client = client(&relay);
    let reply = tokio::spawn({
        let url = vendor.url("/app.js");
        async move { client.get(url).await }
    });
    vendor.asked("/app.js", 1).await;
    assert!(!reply.is_finished());
    gate.open();

    assert_eq!(reply.await.unwrap().body(), SCRIPT.as_bytes());
}

#[test]
fn published_libraries_differ_from_version_to_version() {
    for library in fixtures::LIBRARIES {
        let versions = library.versions();
        assert!(versions.len() > 1, "{}", library.package);
        for pair in versions.windows(2) {
            let [older, newer] = pair else { unreachable!("windows of two") };
            assert_ne!(sha256(&older.script), sha256(&newer.script), "{} {}", library.package, newer.version);
        }
    }
}

/// An origin whose certificate no browser accepts, serving a script that would show.
async fn stranger() -> Vendor {
    let script = "document.title = 'a stranger ran';";
    vendor().host("stranger.test").identity(Identity::SelfSigned).script("/app.js", script).listen().await
}

async fn site(page: &str) -> Vendor {
    vendor().host("shop.test").serve("/", Answer::page(page.to_owned())).listen().await
}

async fn fails(client: &Client, vendor: &Vendor) -> bool {
    client.try_ask(Method::GET, vendor.url("/app.js")).await.is_err()
}
