//! What a browser runs, and what it does not.

use pinfold_integration_tests::{
    Answer, Chromium, Coding, Gateway, Page, Vendor, chromium, origin_root_pem, vendor,
};

use crate::{REVIEWED, TAMPERED, pinning, vendor_of};

#[tokio::test]
async fn chromium_runs_a_pinned_script() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/app.js", Answer::script(REVIEWED).encoded(Coding::Br));

    let (page, gateway) = open_shop(&vendor).await;

    assert_eq!(page.title(), "the reviewed script ran");
    let event = gateway.event_of(&vendor.url("/app.js")).await;
    assert_eq!(event.verdict(), Some("verified"));
    assert_eq!(event.text("http.request.referrer"), Some("https://shop.test/"));
}

#[tokio::test]
async fn chromium_does_not_run_a_tampered_script() {
    let vendor = vendor_of(TAMPERED).await;

    let (page, gateway) = open_shop(&vendor).await;

    assert_eq!(page.title(), "no script ran");
    assert!(page.dom().contains("the page was told"), "{}", page.dom());
    let event = gateway.event_of(&vendor.url("/app.js")).await;
    assert_eq!((event.verdict(), event.reason()), (Some("quarantined"), Some("digest-mismatch")));
}

#[tokio::test]
async fn chromium_does_not_run_an_unpinned_script_dressed_as_an_image() {
    let vendor = vendor_of(REVIEWED).await;
    let script = "document.title = 'a disguised script ran';";
    vendor.serve("/pixel.png", Answer::typed("image/png", script));
    let site = site(&format!("<script src='{}'></script>", vendor.url("/pixel.png"))).await;
    let gateway = pinning(&vendor).reach(&site).listen().await;

    let page = browser(&gateway).await.open(site.url("/")).await;

    assert_eq!(page.title(), "no script ran");
    assert_eq!(vendor.seen("/pixel.png").len(), 1);
}

#[tokio::test]
async fn chromium_shows_a_page_of_a_vendor_that_is_not_guarded() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/chat", Answer::page("<title>no script ran</title><script src='/app.js'></script>"));
    let gateway = pinning(&vendor).listen().await;

    let page = browser(&gateway).await.open(vendor.url("/chat")).await;

    assert_eq!(page.title(), "the reviewed script ran");
}

/// Opens a page of a shop, whose host is not intercepted, that loads the vendor's `/app.js`.
async fn open_shop(vendor: &Vendor) -> (Page, Gateway) {
    let told = "document.body.append('the page was told')";
    let site = site(&format!("<script src='{}' onerror=\"{told}\"></script>", vendor.url("/app.js"))).await;
    let gateway = pinning(vendor).reach(&site).listen().await;
    (browser(&gateway).await.open(site.url("/")).await, gateway)
}

async fn site(body: &str) -> Vendor {
    // The policy lets the vendor see which page asked.
    let page = format!("<title>no script ran</title><body>{body}");
    let page = Answer::page(page).header("referrer-policy", "no-referrer-when-downgrade");
    vendor().named("shop").host("shop.test").serve("/", page).listen().await
}

pub(crate) async fn browser(gateway: &Gateway) -> Chromium {
    let browser = chromium(gateway).await;
    browser.trust(&origin_root_pem()).await;
    browser
}
