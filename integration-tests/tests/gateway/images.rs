//! Images keep rendering although `nosniff` tells browsers to trust their types; and none of them runs.

use pinfold_integration_tests::{Answer, Coding, Gate, chromium, client, gateway, vendor};

use crate::browser::browser;
use crate::gateway_pinning;

/// One pixel each.
const PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0,
    1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 13, b'I', b'D', b'A', b'T', 0x78, 0x9c, 0x63, 0xf8,
    0xcf, 0xc0, 0xf0, 0x1f, 0, 5, 0, 1, 0xff, 0x56, 0xc7, 0x2f, 0x0d, 0, 0, 0, 0, b'I', b'E', b'N', b'D',
    0xae, 0x42, 0x60, 0x82,
];
const GIF: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x01D\0;";
const WEBP: &[u8] = b"RIFF$\0\0\0WEBPVP8 \x18\0\0\0\x30\x01\0\x9d\x01\x2a\x01\0\x01\0\x01\0\x1c\x25\xa4\0\x03p\0\xfe\xfd\xc0\x80\0";

/// Types that are not the image's own, under all of which a browser without `nosniff` renders it.
const WRONG: [Option<&str>; 14] = [
    None,
    Some(""),
    Some("text/plain"),
    Some("text/plain; charset=utf-8"),
    Some("text/html"),
    Some("text/xml"),
    Some("application/rss+xml"),
    Some("application/json"),
    Some("text/json"),
    Some("application/octet-stream"),
    Some("binary/octet-stream"),
    Some("image/jpeg"),
    Some("image/x-unknown"),
    Some("image/png, text/html"),
];

fn typed(media_type: Option<&str>, body: impl Into<bytes::Bytes>) -> Answer {
    match media_type {
        Some(media_type) => Answer::typed(media_type, body),
        None => Answer::untyped(body),
    }
}

#[tokio::test]
async fn chromium_renders_an_image_under_a_wrong_type() {
    let (mut vendor, mut images) = (vendor(), String::new());
    for (format, image) in [("png", PNG), ("gif", GIF), ("webp", WEBP)] {
        for (at, wrong) in WRONG.iter().enumerate() {
            vendor = vendor.serve(&format!("/{format}/{at}"), typed(*wrong, image));
            images += &format!("<img src='https://cdn.vendor.test/{format}/{at}'>");
        }
    }
    let vendor = vendor.listen().await;
    let page = format!(
        "<title></title><script>\
         const note = ({{ type, target }}) => document.title += type === 'load' ? '.' : ` ${{target.src}} `;\
         document.addEventListener('load', note, true);\
         document.addEventListener('error', note, true);</script>{images}"
    );
    let shop = pinfold_integration_tests::vendor().named("shop").host("shop.test");
    let shop = shop.serve("/", Answer::page(page)).listen().await;
    let gateway = gateway().vendor(&vendor).reach(&shop).listen().await;

    let page = browser(&gateway).await.open(shop.url("/")).await;

    assert_eq!(page.title(), ".".repeat(3 * WRONG.len()), "these did not render");
}

#[tokio::test]
async fn chromium_does_not_run_a_script_that_is_an_image_too() {
    // Over http a browser does not say that it wants a script.
    let polyglot = "GIF89a=1;document.title='an image ran'//";
    let (mut vendor, mut scripts) = (vendor().clear_text(), String::new());
    for (at, wrong) in WRONG.iter().enumerate() {
        vendor = vendor.serve(&format!("/{at}"), typed(*wrong, polyglot));
        scripts += &format!("<script src='/{at}'></script><script type=module src='/{at}?'></script>");
    }
    let page = format!("<title>no script ran</title>{scripts}");
    let vendor = vendor.serve("/", Answer::page(page)).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let page = chromium(&gateway).await.open(vendor.url("/")).await;

    assert_eq!(page.title(), "no script ran");
    assert!(!vendor.seen("/13").is_empty());
}

#[tokio::test]
async fn an_image_without_a_type_gets_that_of_its_magic_whatever_its_coding() {
    let vendor = vendor().listen().await;
    let gateway = gateway().vendor(&vendor).listen().await;

    for coding in Coding::ALL {
        vendor.serve("/logo", Answer::untyped(PNG).encoded(coding));
        let reply = client(&gateway).accepting(coding.token()).get(vendor.url("/logo")).await;
        assert_eq!(reply.header("content-type"), Some("image/png"), "{coding:?}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.body(), PNG, "{coding:?}");
    }
}

#[tokio::test]
async fn what_is_no_image_keeps_the_type_that_it_has_or_lacks() {
    let vendor = vendor().serve("/text", Answer::typed("text/plain", "BM is a text"));
    let vendor = vendor.serve("/zip", Answer::typed("application/zip", PNG));
    let vendor = vendor.serve("/nothing", Answer::untyped("nothing in particular")).listen().await;
    let gateway = gateway().vendor(&vendor).listen().await;

    for (path, media_type) in
        [("/text", Some("text/plain")), ("/zip", Some("application/zip")), ("/nothing", None)]
    {
        assert_eq!(client(&gateway).get(vendor.url(path)).await.header("content-type"), media_type, "{path}");
    }
}

#[tokio::test]
async fn a_stream_is_not_held_up_for_the_sake_of_images() {
    let gate = Gate::closed();
    let stream = Answer::typed("text/event-stream", ":\n\n").then(&gate, "data: 1\n\n");
    let vendor = vendor().serve("/events", stream).listen().await;
    let gateway = gateway().vendor(&vendor).listen().await;

    let mut stream = client(&gateway).begin(vendor.url("/events")).await;

    assert_eq!(stream.next().await.as_deref(), Some(&b":\n\n"[..]));
    gate.open();
    assert_eq!(stream.next().await.as_deref(), Some(&b"data: 1\n\n"[..]));
}
