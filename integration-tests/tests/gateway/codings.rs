//! Decoded and encoded anew: whatever coding the vendor uses and whatever the client takes, what runs is what was pinned.

use http::Version;
use pinfold_integration_tests::{Answer, Coding, RealClient, client};

use crate::{REVIEWED, TAMPERED, fetched_verified, gateway_pinning, refused, vendor_of, verified};

#[tokio::test]
async fn a_pinned_script_passes_through_every_coding_on_both_sides_and_both_protocols() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    for theirs in Coding::ALL {
        vendor.serve("/app.js", Answer::script(REVIEWED).encoded(theirs));
        for ours in Coding::ALL {
            for client in [client(&gateway), client(&gateway).http2()] {
                let reply = client.accepting(ours.token()).get(vendor.url("/app.js")).await;

                verified(&reply, REVIEWED);
                let used = Coding::named(reply.header("content-encoding"));
                assert!(used == ours || used == Coding::Identity, "asked for {ours:?}, got {used:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_tampered_script_is_refused_in_every_coding() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;

    for coding in Coding::ALL {
        vendor.serve("/app.js", Answer::script(TAMPERED).encoded(coding));
        let reply = client(&gateway).accepting("gzip, deflate, br, zstd").get(vendor.url("/app.js")).await;
        refused(&reply, 403, "quarantined", "digest-mismatch");
    }
}

#[tokio::test]
async fn the_vendor_is_asked_for_the_codings_that_the_client_takes_and_pinfold_knows() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    client(&gateway).accepting("br;q=0.9, compress, gzip, exotic").get(vendor.url("/app.js")).await;

    let seen = &vendor.seen("/app.js")[0];
    let asked = seen.header("accept-encoding").unwrap();
    assert!(asked.contains("br") && asked.contains("gzip"), "{asked}");
    assert!(!asked.contains("compress") && !asked.contains("exotic") && !asked.contains("zstd"), "{asked}");
}

#[tokio::test]
async fn a_pinned_script_passes_through_each_real_client() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/app.js", Answer::script(REVIEWED).encoded(Coding::Gzip));
    let gateway = gateway_pinning(&vendor).await;

    for client in RealClient::ALL {
        fetched_verified(&client.get(&gateway, vendor.url("/app.js")).await, REVIEWED);
    }
}

#[tokio::test]
async fn a_tampered_script_is_refused_to_each_real_client() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;

    for client in RealClient::ALL {
        let fetched = client.get(&gateway, vendor.url("/app.js")).await;
        let verdict = fetched.verdict();
        assert_eq!((fetched.status, verdict.reason()), (403, Some("digest-mismatch")), "{client:?}");
        assert_eq!(verdict.vendor(), Some("vendor"));
        assert!(!String::from_utf8_lossy(&fetched.body).contains("tampered"), "{client:?}");
    }
}

#[tokio::test]
async fn both_protocols_are_spoken_to_the_vendor() {
    for (version, vendor) in [
        (Version::HTTP_11, pinfold_integration_tests::vendor().http1_only()),
        (Version::HTTP_2, pinfold_integration_tests::vendor().http2_only()),
    ] {
        let vendor = vendor.script("/app.js", REVIEWED).listen().await;
        let gateway = gateway_pinning(&vendor).await;

        for client in [client(&gateway), client(&gateway).http2()] {
            verified(&client.get(vendor.url("/app.js")).await, REVIEWED);
        }
        assert!(vendor.seen("/app.js").iter().all(|seen| seen.version == version));
    }
}
