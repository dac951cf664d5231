//! The console in a real browser.

use pinfold_integration_tests::{Driven, Gateway, Looks, Rule, client, driven, gateway, vendor};

use crate::admission::PASSWORD;
use crate::console::with_reviewers;
use crate::{TAMPERED, pinning, vendor_of, verified};

async fn signed_in(gateway: &Gateway, looks: Looks) -> (Driven, String) {
    let origin = format!("http://{}", gateway.console().unwrap());
    let browser = driven(looks).await;
    browser.open(&format!("{origin}/")).await;
    browser.types("name", "ada").await;
    browser.types("password", PASSWORD).await;
    browser.clicks("main button").await;
    (browser, origin)
}

#[tokio::test]
async fn chromium_signs_in_reviews_and_approves_and_the_script_passes_a_moment_later() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = with_reviewers(pinning(&vendor)).listen().await;
    assert_eq!(client(&gateway).get(vendor.url("/app.js")).await.status(), 403);

    let (browser, _) = signed_in(&gateway, Looks::default()).await;
    assert!(browser.text().await.contains("Waits for review"), "{}", browser.text().await);
    browser.clicks("a[href='/quarantine']").await;
    browser.clicks("ol.queue a").await;
    assert!(browser.text().await.contains(&vendor.url("/app.js")));
    browser.types("approve-reason", "SEC-1: read it all").await;
    browser.types("password", PASSWORD).await;
    browser.clicks("button.go").await;

    assert!(browser.text().await.contains("Decided."), "{}", browser.text().await);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
    browser.clicks("header button").await;
    assert!(browser.text().await.contains("Sign in"));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.quit().await;
}

/// Markup, schemes, templates and characters that deceive, as an attacker has them in all that a page shows.
const PLANTED: [&str; 5] = [
    "\"><script>window.planted=1</script>",
    "'><img src=x onerror=window.planted=1>",
    "javascript:window.planted=1",
    "{{7*7}}{% raw %}${7*7}<%= 7*7 %>",
    "</textarea></title></style><svg onload=window.planted=1>",
];

#[tokio::test]
async fn what_an_attacker_plants_in_any_shown_field_runs_nothing_in_chromium() {
    let vendor = vendor().listen().await;
    let gateway = gateway().rule(&vendor, Rule::default().set("unpinned", "quarantine"));
    let gateway = with_reviewers(gateway).listen().await;
    for (at, planted) in PLANTED.iter().enumerate() {
        let path =
            format!("/{at}/{}.js", planted.replace(' ', "%20").replace('%', "%25").replace("%2520", "%20"));
        let path = path.replace(['"', '<', '>', '{', '}', '`'], "_");
        vendor.script(&path, format!("{planted}{at}"));
        let client = client(&gateway).header("referer", &format!("https://shop.test/{planted}"));
        let client = client.header("user-agent", planted);
        assert_eq!(client.get(vendor.url(&path)).await.status(), 403);
    }

    let (browser, origin) = signed_in(&gateway, Looks::default()).await;
    browser
        .open(&format!(
            "{origin}/quarantine?q={}&vendor=%22%3E%3Cscript%3E",
            "%22%3E%3Cscript%3Ewindow.planted=1%3C/script%3E"
        ))
        .await;
    assert!(browser.text().await.contains("Nothing here"));
    browser.open(&format!("{origin}/quarantine")).await;
    let links = browser.value("Array.from(document.querySelectorAll('ol.queue a')).map(a => a.href)").await;
    let links = links.as_array().unwrap().clone();
    assert_eq!(links.len(), PLANTED.len());
    for link in links {
        browser.open(link.as_str().unwrap()).await;
        browser.types("reject-reason", PLANTED[4]).await;
        assert_eq!(browser.value("window.planted === undefined").await, true);
        assert_eq!(browser.value("document.scripts.length").await, 0);
        // What was typed comes back in the form when nothing was decided, and what was decided in the history.
        browser.clicks("button.stop").await;
        assert_eq!(browser.value("window.planted === undefined").await, true);
        assert!(browser.text().await.contains(PLANTED[4]), "{}", browser.text().await);
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.quit().await;
}

#[tokio::test]
async fn no_page_is_wider_than_a_small_screen_in_chromium() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = with_reviewers(pinning(&vendor)).listen().await;
    client(&gateway)
        .header("referer", &format!("https://shop.test/{}", "a".repeat(300)))
        .get(vendor.url("/app.js"))
        .await;
    for looks in
        [Looks { width: 360, height: 800, dark: false }, Looks { width: 360, height: 800, dark: true }]
    {
        let (browser, origin) = signed_in(&gateway, looks).await;
        browser.open(&format!("{origin}/quarantine")).await;
        let item = browser.value("document.querySelector('ol.queue a').href").await;
        for page in [&format!("{origin}/"), &format!("{origin}/quarantine"), item.as_str().unwrap()] {
            browser.open(page).await;
            let wide = browser.value("document.documentElement.scrollWidth").await;
            assert!(wide.as_u64().unwrap() <= 360, "{page}: {wide}");
            let is_dark = browser.value("matchMedia('(prefers-color-scheme: dark)').matches").await;
            assert_eq!(is_dark, looks.dark);
        }
        browser.quit().await;
    }
}
