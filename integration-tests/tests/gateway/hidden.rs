//! Code that hides: behind codings that only some client undoes, behind types and names that only some client reads so.

use std::io::Write as _;

use http::HeaderValue;
use pinfold_integration_tests::{Answer, Coding, Vendor, chromium, client, vendor};

use crate::{REVIEWED, TAMPERED, gateway_pinning, pinning, refused, vendor_of, verified};

/// How a Windows program starts, and more.
const PROGRAM: [u8; 600] = {
    let mut program = [0; 600];
    program[0] = b'M';
    program[1] = b'Z';
    program
};

/// A vendor that serves these bytes, in these codings, as nothing in particular.
async fn vendor_hiding(wire: impl Into<Vec<u8>>, codings: &str) -> Vendor {
    let answer = Answer::typed("application/octet-stream", wire.into()).header("content-encoding", codings);
    vendor().serve("/download", answer).listen().await
}

async fn refused_as_badly_encoded(vendor: &Vendor) {
    let gateway = gateway_pinning(vendor).await;
    let reply = client(&gateway).accepting("zstd, gzip, br").get(vendor.url("/download")).await;
    refused(&reply, 502, "blocked", "bad-encoding");
}

#[tokio::test]
async fn a_program_behind_a_skippable_frame_of_zstd() {
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
    let wire = [&skippable[..], &Coding::Zstd.encode(&PROGRAM)].concat();

    refused_as_badly_encoded(&vendor_hiding(wire, "zstd").await).await;
}

#[tokio::test]
async fn a_program_behind_a_window_of_zstd_that_browsers_do_not_take() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(24).unwrap();
    encoder.write_all(&PROGRAM).unwrap();
    // What follows is not known to the encoder yet, so that it announces its whole window.
    encoder.flush().unwrap();
    let wire = encoder.finish().unwrap();
    assert_eq!(wire[5] >> 3, 24 - 10, "a window of 16 MiB (RFC 8878 §3.1.1.1.2)");

    refused_as_badly_encoded(&vendor_hiding(wire, "zstd").await).await;
}

#[tokio::test]
async fn a_program_behind_three_codings() {
    let wire = (0..3).fold(PROGRAM.to_vec(), |plain, _| Coding::Gzip.encode(&plain));

    refused_as_badly_encoded(&vendor_hiding(wire, "gzip, gzip, gzip").await).await;
}

#[tokio::test]
async fn a_program_behind_a_coding_with_a_dictionary() {
    let wire = [&b"\xffDCB"[..], &[7; 32], &Coding::Br.encode(&PROGRAM)].concat();

    refused_as_badly_encoded(&vendor_hiding(wire, "dcb").await).await;
}

#[tokio::test]
async fn a_program_behind_a_coding_beside_a_name_that_some_client_passes_over() {
    let wire = Coding::Gzip.encode(&PROGRAM);

    for codings in ["gzip, utf-8", "none, gzip", "gzip br2", "gzip; q=1", "GZIP,\tidentity x"] {
        refused_as_badly_encoded(&vendor_hiding(wire.clone(), codings).await).await;
    }
}

#[tokio::test]
async fn a_program_that_is_also_a_coded_body_behind_another_coding() {
    // As br: a window of 8 MiB, the bytes behind the fourth as they are, and an empty last block (RFC 7932 §9.2).
    let mut program = b"MZ\0\x88".to_vec();
    let len = ((u32::from_le_bytes(*b"MZ\0\x88") >> 7) & 0xff_ffff) + 1;
    program.extend((0..len / 4 + 1).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()));
    program.truncate(4 + len as usize);
    program.push(3);
    assert_eq!(Coding::Br.decode(&program), program[4..program.len() - 1]);

    let vendor = vendor_hiding(Coding::Gzip.encode(&program), "br, gzip").await;
    let gateway = gateway_pinning(&vendor).await;
    let reply = client(&gateway).accepting("zstd, gzip, br").get(vendor.url("/download")).await;
    refused(&reply, 403, "blocked", "unpinned");
}

#[tokio::test]
async fn an_image_whose_coding_is_none_passes() {
    let image = &b"\x89PNG\r\n\x1a\n0000"[..];
    let answer = Answer::typed("image/png", image).header("content-encoding", "utf-8");
    let vendor = vendor().serve("/logo", answer).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).get(vendor.url("/logo")).await;

    assert_eq!((reply.status().as_u16(), reply.coded().as_ref()), (200, image));
}

#[tokio::test]
async fn a_million_empty_members_within_another_coding() {
    let members = Coding::Gzip.encode(b"").repeat(1_000_000);
    let answer = Answer::script(Coding::Gzip.encode(&members)).header("content-encoding", "gzip, gzip");
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/members.js", answer);
    let gateway = gateway_pinning(&vendor).await;

    let members = client(&gateway).get(vendor.url("/members.js")).await;

    refused(&members, 502, "blocked", "body-too-large");
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
}

#[tokio::test]
async fn a_script_whose_type_has_something_behind_it() {
    for media_type in ["text/javascript (x)", "text/javascript foo", "text/javascript\tfoo"] {
        for vendor in [vendor(), vendor().clear_text()] {
            let vendor = vendor.serve("/livechat", Answer::typed(media_type, TAMPERED)).listen().await;
            let gateway = gateway_pinning(&vendor).await;
            refused(&client(&gateway).get(vendor.url("/livechat")).await, 403, "blocked", "unpinned");
        }
    }
}

#[tokio::test]
async fn chromium_does_not_run_a_script_whose_type_has_something_behind_it() {
    // Over http a browser does not say that it wants a script.
    let page = "<title>no script ran</title><script src='/one'></script><script src='/two'></script>";
    let vendor = vendor().clear_text().serve("/", Answer::page(page));
    let vendor = vendor.serve("/one", Answer::typed("text/javascript (x)", TAMPERED));
    let vendor = vendor.serve("/two", Answer::typed("text/javascript foo", TAMPERED)).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let page = chromium(&gateway).await.open(vendor.url("/")).await;

    assert_eq!(page.title(), "no script ran");
    assert_eq!((vendor.seen("/one").len(), vendor.seen("/two").len()), (1, 1));
}

#[tokio::test]
async fn a_batch_file_under_any_name_that_a_client_may_save_it_under() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let batch = || Answer::typed("application/octet-stream", "@echo off\r\n");

    for name in ["filename=\"setup.bat\"; filename*=UTF-8''x.txt", "filename=\"setup%2Ebat\""] {
        let named = batch().header("content-disposition", &format!("attachment; {name}"));
        vendor.serve("/download", named);
        refused(&client(&gateway).get(vendor.url("/download")).await, 403, "blocked", "unpinned");
    }
    vendor.serve("/setup.bat%20", batch());
    refused(&client(&gateway).get(vendor.url("/setup.bat%20")).await, 403, "blocked", "unpinned");
}

#[tokio::test]
async fn a_report_under_a_plain_name_passes() {
    let report = Answer::typed("application/octet-stream", "all is well");
    let report = report.header("content-disposition", "attachment; filename=\"report.txt\"");
    let vendor = vendor().serve("/download", report).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).get(vendor.url("/download")).await;

    assert_eq!((reply.status().as_u16(), reply.body().as_slice()), (200, &b"all is well"[..]));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"report.txt\""));
}

#[tokio::test]
async fn an_entity_tag_that_looks_like_a_digest_of_ours() {
    let forged = format!("\"{}\"", crate::sha256(REVIEWED));
    let vendor = vendor().serve("/app.js", Answer::script(TAMPERED).header("etag", &forged));
    let vendor = vendor.serve("/data", Answer::typed("application/json", "{}").header("etag", &forged));
    let theirs = Answer::typed("application/json", "{}").header("etag", "W/\"5f3a-17\"");
    let vendor = vendor.serve("/plain", theirs).listen().await;
    let gateway = pinning(&vendor).set("mode", "observe").listen().await;

    let observed = client(&gateway).get(vendor.url("/app.js")).await;
    assert_eq!((observed.verdict().token(), observed.headers().get("etag")), ("observed", None));
    let unguarded = client(&gateway).get(vendor.url("/data")).await;
    assert_eq!((unguarded.status().as_u16(), unguarded.headers().get("etag")), (200, None));
    let plain = client(&gateway).get(vendor.url("/plain")).await;
    assert_eq!(plain.headers().get("etag"), Some(&HeaderValue::from_static("W/\"5f3a-17\"")));
}
