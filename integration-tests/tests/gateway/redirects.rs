//! Rule 7: where a redirect may lead, and what is left of it.

use pinfold_integration_tests::{Answer, Gateway, Reply, Vendor, client, vendor};

use crate::{REVIEWED, TAMPERED, pinning, refused, vendor_of};

/// A gateway that knows two vendors, and what it makes of a redirect of the first one's `/moved.js`.
struct Road {
    vendor: Vendor,
    second: Vendor,
    gateway: Gateway,
}

impl Road {
    async fn open() -> Self {
        let second =
            vendor().named("second").host("js.second.test").script("/app.js", REVIEWED).listen().await;
        let vendor = vendor_of(REVIEWED).await;
        let gateway = pinning(&vendor).vendor(&second).listen().await;
        Self { vendor, second, gateway }
    }

    async fn moved(&self, answer: Answer) -> Reply {
        self.vendor.serve("/moved.js", answer);
        client(&self.gateway).get(self.vendor.url("/moved.js")).await
    }
}

fn redirect(location: &str) -> Answer {
    Answer::script(TAMPERED).status(302).header("location", location)
}

#[tokio::test]
async fn a_redirect_to_a_judged_host_passes_without_its_body_in_every_spelling() {
    let road = Road::open().await;
    let target = road.second.url("/app.js");

    for location in [
        "https://js.second.test/app.js",
        "//js.second.test/app.js",
        "\\\\js.second.test\\app.js",
        "HTTPS://JS.SECOND.TEST.:443/x/../app.js#top",
    ] {
        for status in [301, 302, 303, 307, 308] {
            let reply = road.moved(redirect(location).status(status)).await;
            assert_eq!(reply.status(), status, "{location}");
            assert_eq!(
                (reply.header("location"), reply.coded().len()),
                (Some(target.as_str()), 0),
                "{location}"
            );
        }
    }
    for (location, path) in [("app.js", "/app.js"), ("/б.js", "/%D0%B1.js"), ("?x", "/moved.js?x")] {
        let within = road.moved(redirect(location)).await;
        assert_eq!(within.header("location"), Some(road.vendor.url(path).as_str()));
    }
}

#[tokio::test]
async fn a_redirect_that_leads_elsewhere_or_nowhere_is_refused() {
    let road = Road::open().await;

    for location in [
        "https://evil.test/app.js",
        "//evil.test/app.js",
        "\\\\evil.test\\app.js",
        "https://cdn.vendor.test@evil.test/app.js",
        "https://user:secret@cdn.vendor.test/app.js",
        "https://cdn.vendor.test.evil.test/app.js",
        "https://127.0.0.1/app.js",
        "javascript:alert(1)",
        "data:text/javascript,alert(1)",
        "blob:https://cdn.vendor.test/app.js",
        "file:///app.js",
        "ftp://cdn.vendor.test/app.js",
        "https://",
    ] {
        let reply = road.moved(redirect(location)).await;
        assert_eq!(
            (reply.status().as_u16(), reply.verdict().reason()),
            (403, Some("redirect")),
            "{location}"
        );
        assert_eq!(reply.header("location"), None);
    }
    refused(&road.moved(Answer::script(TAMPERED).status(302)).await, 403, "blocked", "redirect");
    let twice = redirect("/app.js").header("location", "https://evil.test/app.js");
    refused(&road.moved(twice).await, 403, "blocked", "redirect");
}

#[tokio::test]
async fn a_refresh_does_not_pass_with_a_redirect_or_an_error() {
    let road = Road::open().await;
    let refresh = |answer: Answer| answer.header("refresh", "0;url=https://evil.test/app.js");

    assert_eq!(road.moved(refresh(redirect("/app.js"))).await.header("refresh"), None);
    for status in [300, 404, 500] {
        let reply = road.moved(refresh(redirect("https://evil.test/app.js")).status(status)).await;
        refused(&reply, status, "blocked", "upstream-status");
        assert_eq!((reply.header("refresh"), reply.header("location")), (None, None));
    }
}

#[tokio::test]
async fn a_redirect_without_an_extension_that_leads_to_code() {
    // Nothing but where it leads says what was asked for.
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).listen().await;
    let empty = |location: &str| Answer::untyped("").status(302).header("location", location);

    for location in
        ["https://evil.test/app.js", "https://evil.test/Setup.EXE?x=1", "//u@evil.test/install.sh#x"]
    {
        vendor.serve("/livechat", empty(location));
        refused(&client(&gateway).get(vendor.url("/livechat")).await, 403, "blocked", "redirect");
    }
}

#[tokio::test]
async fn a_redirect_of_something_harmless_passes_and_is_not_kept() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).listen().await;
    let kept = |location: &str| {
        let moved = Answer::untyped("").status(301).header("location", location);
        moved.header("cache-control", "max-age=31536000").header("expires", "Wed, 21 Oct 2099 07:28:00 GMT")
    };

    vendor.serve("/login", kept("https://login.other.test/"));
    let out = client(&gateway).get(vendor.url("/login")).await;
    assert_eq!((out.status().as_u16(), out.header("location")), (301, Some("https://login.other.test/")));
    assert_eq!((out.header("cache-control"), out.header("expires")), (Some("no-store"), None));
    vendor.serve("/login", kept("/home"));
    let within = client(&gateway).get(vendor.url("/login")).await;
    assert_eq!(within.header("cache-control"), Some("max-age=31536000"));
}

#[tokio::test]
async fn a_redirect_out_whose_connection_names_the_field_that_forgets_it() {
    let vendor = vendor().http1_only();
    let moved = Answer::untyped("").status(301).header("location", "https://login.other.test/");
    let vendor = vendor.serve("/login", moved.header("connection", "Cache-Control")).listen().await;
    let gateway = pinning(&vendor).listen().await;

    let out = client(&gateway).get(vendor.url("/login")).await;

    assert_eq!((out.status().as_u16(), out.header("cache-control")), (301, Some("no-store")));
}

#[tokio::test]
async fn chromium_does_not_follow_a_kept_redirect_from_data_to_code() {
    // Fetched as data, the redirect passes; as a script it would not. The page asks for both.
    let evil = vendor().named("evil").host("evil.test");
    let code = Answer::script("document.title = 'code from elsewhere ran'")
        .header("access-control-allow-origin", "*");
    let evil = evil.serve("/livechat", code).listen().await;
    let page = "<title>no script ran</title><script>\
        const script = (done) => Object.assign(document.createElement('script'), { src: '/moved', onload: done, onerror: done });\
        fetch('/moved').then((r) => r.text()).then(() => new Promise((done) => document.head.append(script(done))))\
        .then(() => fetch('/done'))</script><img src='/wait'>";
    let gate = pinfold_integration_tests::Gate::closed();
    let moved = Answer::untyped("").status(301).header("location", "https://evil.test/livechat");
    let moved = moved
        .header("cache-control", "max-age=31536000, immutable")
        .header("access-control-allow-origin", "*");
    let vendor = vendor().serve("/", Answer::page(page)).serve("/moved", moved);
    let vendor = vendor.serve("/wait", Answer::typed("image/png", "").behind(&gate)).listen().await;
    let gateway = pinning(&vendor).reach(&evil).listen().await;
    let browser = crate::browser::browser(&gateway).await;

    let done = async {
        vendor.asked("/done", 1).await;
        gate.open();
    };
    let (page, ()) = tokio::join!(browser.open(vendor.url("/")), done);

    assert_eq!(page.title(), "no script ran");
    assert_eq!((evil.seen("/livechat").len(), vendor.seen("/moved").len()), (1, 2));
}
