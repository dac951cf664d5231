//! Rule 6: executable things by whatever they are called, asked for as, or begin with; and what is none of them passes.

use http::Request;
use pinfold_integration_tests::{Answer, client, vendor};

use crate::{REVIEWED, TAMPERED, gateway_pinning, pinning, refused, vendor_of};

#[tokio::test]
async fn a_name_that_some_client_reads_as_a_programs() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    for name in [
        "filename=\"setup.exe\"",
        "filename=setup.exe",
        "filename=\"report.pdf\"; filename*=UTF-8''setup%2Eexe",
        "filename*0=\"set\"; filename*1=\"up.exe\"",
        "filename*0*=UTF-8''set; filename*1*=up%2Eexe",
        "filename=\"=?UTF-8?B?c2V0dXAuZXhl?=\"",
        "filename=\"=?UTF-8?Q?setup=2Eexe?=\"",
        "filename*=UTF-16''s%00.%00e%00x%00e%00",
        "filename=\"setup.exe. .\"",
        "filename=\"setup.exe::$DATA\"",
        "filename=\"setup.exe%00.txt\"",
        "filename=\"photo\u{202e}gnp.exe\"",
        "filename=\"setup\u{ff0e}exe\"",
        "filename=\"..\\\\..\\\\setup.exe\"",
        "name=setup.exe",
        "x=\"; filename=setup.exe; y=.txt",
    ] {
        let named = Answer::typed("application/octet-stream", vec![7; 600]);
        vendor.serve("/download", named.header("content-disposition", &format!("attachment; {name}")));
        let reply = client(&gateway).get(vendor.url("/download")).await;
        assert_eq!((reply.status().as_u16(), reply.verdict().reason()), (403, Some("unpinned")), "{name}");
    }
}

#[tokio::test]
async fn a_path_that_some_client_reads_as_a_programs() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    for path in [
        "/setup.EXE",
        "/setup.exe.",
        "/setup.exe%20",
        "/setup%2eexe",
        "/setup.exe;v=1",
        "/setup.exe::$DATA",
        "/setup.exe%00.png",
        "/x%2Fsetup.exe",
        "/x%5Csetup.exe",
        "/install.ps1",
        "/install.sh",
        "/install.cmd",
        "/get-pip.py",
        "/wpad.pac",
        "/app.wbn",
    ] {
        vendor.serve(path, Answer::typed("image/png", "echo owned"));
        let reply = client(&gateway).get(vendor.url(path)).await;
        assert_eq!((reply.status().as_u16(), reply.verdict().reason()), (403, Some("unpinned")), "{path}");
    }
}

#[tokio::test]
async fn every_value_of_a_repeated_destination_counts() {
    let vendor = vendor().serve("/livechat", Answer::typed("text/plain", TAMPERED)).listen().await;
    let gateway = gateway_pinning(&vendor).await;
    let url: http::Uri = vendor.url("/livechat").parse().unwrap();

    for client in [client(&gateway), client(&gateway).http2()] {
        let mut session = client.open(&url).await.unwrap().unwrap();
        for destinations in
            [&["empty", "script"][..], &["script", "empty"], &["image, worker"], &["SCRIPT;x=y"]]
        {
            let request = Request::get("/");
            let request =
                destinations.iter().fold(request, |request, one| request.header("sec-fetch-dest", *one));
            let reply =
                session.send(request.body(http_body_util::Full::default()).unwrap(), url.clone()).await;
            refused(&reply.unwrap(), 403, "blocked", "unpinned");
        }
    }
}

#[tokio::test]
async fn code_that_comes_along_for_other_urls() {
    // A web bundle, and a signed exchange, each with its magic.
    let bundle = b"\x85\x48\xf0\x9f\x8c\x90\xf0\x9f\x93\xa6\x44b2\0\0";
    for (media_type, body) in
        [("application/webbundle", &bundle[..]), ("application/signed-exchange;v=b3", b"sxg1-b3\0")]
    {
        let vendor = vendor().serve("/bundle", Answer::typed(media_type, body)).listen().await;
        let gateway = gateway_pinning(&vendor).await;
        refused(&client(&gateway).get(vendor.url("/bundle")).await, 403, "blocked", "unpinned");
    }
}

#[tokio::test]
async fn packages_dressed_as_something_else() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let magics: [&[u8]; 8] = [
        b"!<arch>\ndebian-binary   ",
        b"\xed\xab\xee\xdb\x03\0\0\0",
        b"MSCF\0\0\0\0",
        b"Cr24\x03\0\0\0",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"\xcf\xfa\xed\xfe\x07\0\0\x01",
        b"\xca\xfe\xba\xbe\0\0\0\x34",
        b"\xef\xbb\xbf#!/bin/sh\n",
    ];

    for magic in magics {
        vendor.serve("/logo", Answer::typed("image/png", [magic, &[0; 600]].concat()));
        refused(&client(&gateway).get(vendor.url("/logo")).await, 403, "blocked", "unpinned");
    }
}

#[tokio::test]
async fn what_runs_nowhere_passes_as_it_is() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).listen().await;
    let zip: &[u8] = b"PK\x03\x04\x14\0\0\0\0\0";

    for (path, media_type, body) in [
        ("/data.json", "application/json", &b"{\"a\": 1}"[..]),
        ("/font.woff2", "font/woff2", b"wOF2\0\x01\0\0"),
        ("/logo.png", "image/png", b"\x89PNG\r\n\x1a\n0000"),
        ("/photo.jpg", "image/jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF"),
        ("/film.mp4", "video/mp4", b"\0\0\0\x18ftypmp42"),
        ("/segment.ts", "video/mp2t", b"G@\x11\x10"),
        ("/readme.txt", "text/plain", b"read me"),
        ("/archive.zip", "application/zip", zip),
        ("/archive.tar.gz", "application/gzip", b"\x1f\x8b\x08\0"),
        ("/app.js.map", "application/json", b"{\"version\": 3}"),
        ("/model.bin", "application/octet-stream", b"\x01\x02\x03\x04"),
        ("/report.pdf", "application/pdf", b"%PDF-1.7"),
        ("/table.csv", "text/csv", b"a,b\n1,2\n"),
        ("/captions.vtt", "text/vtt", b"WEBVTT"),
        ("/site.webmanifest", "application/manifest+json", b"{}"),
        ("/skin.css", "text/css", b"body {}"),
        ("/example.com.png", "image/png", b"\x89PNG\r\n\x1a\n0000"),
        ("/empty", "text/plain", b""),
    ] {
        let named = format!(
            "attachment; filename=\"{}\"; filename*=UTF-8''%D0%B7%D0%B2%D1%96%D1%82{path}",
            &path[1..]
        );
        vendor.serve(path, Answer::typed(media_type, body).header("content-disposition", &named));
        let reply = client(&gateway).get(vendor.url(path)).await;
        assert_eq!((reply.status().as_u16(), reply.coded().as_ref()), (200, body), "{path}");
        assert_eq!(reply.header("content-type"), Some(media_type));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("content-disposition"), Some(named.as_str()));
    }
}
