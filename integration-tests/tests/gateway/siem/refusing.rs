//! Receivers that refuse what is in a request: too much of it, or one event. Nothing else is lost or held up by that.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use super::*;

/// What nginx takes at the most, unless it is told otherwise.
const OF_NGINX: usize = 1 << 20;

/// Says that what is longer is too long, as a proxy before a SIEM does.
fn up_to(limit: usize) -> impl Fn(usize, &Posted) -> Option<(u16, String)> {
    move |_, posted| {
        let fits = posted.body.len() <= limit;
        Some(if fits { (200, String::new()) } else { (413, "<html>too large</html>".to_owned()) })
    }
}

/// An exchange that makes an event of some 13 kB.
async fn refuse_long(gateway: &Gateway, vendor: &Vendor, number: usize) {
    let page = format!("https://shop.test/{}", "z".repeat(3000));
    let url = vendor.url(&format!("/app.js?long={number}{}", "y".repeat(7900)));
    let reply = client(gateway).header("referer", &page).get(url).await;
    refused(&reply, 403, "quarantined", "digest-mismatch");
}

/// The lines of the requests that were taken.
fn taken(posted: &[Posted], limit: usize) -> Vec<String> {
    let taken: Vec<_> = posted.iter().filter(|posted| posted.body.len() <= limit).cloned().collect();
    lines(&taken)
}

fn is_of(line: &str, code: &str) -> bool {
    Event::parse(line).text("event.code") == Some(code)
}

#[tokio::test]
async fn a_client_that_makes_long_events_stops_no_output_behind_a_limit() {
    let vendor = vendor_of(TAMPERED).await;
    let port = Port::reserve();
    let address = format!("https://localhost:{}/in", port.number());
    let gateway = refusing(&vendor).siem(&address, &[CA]).listen().await;
    for number in 0..100 {
        refuse_long(&gateway, &vendor, number).await;
    }
    gateway.says("its events wait in the store").await;
    let web = https(port, Shown::As(Identity::Valid), up_to(OF_NGINX));

    web.came_until("all lines", |posted| taken(posted, OF_NGINX).len() >= 100).await;
    let told = told(&gateway).await;
    let posted = web.now();
    assert_eq!(ids(taken(&posted, OF_NGINX).iter().map(String::as_str)), told, "all of them, once, in order");
    assert!(posted.iter().all(|posted| posted.body.len() <= 512 << 10), "half of what nginx takes");
}

#[tokio::test]
async fn an_event_that_is_refused_alone_is_set_aside_and_told_and_no_other_is_lost() {
    const LIMIT: usize = 8 << 10;
    let vendor = vendor_of(TAMPERED).await;
    let port = Port::reserve();
    let address = format!("https://localhost:{}/in", port.number());
    let gateway = refusing(&vendor).siem(&address, &[CA]).listen().await;
    refuse(&gateway, &vendor, 3).await;
    refuse_long(&gateway, &vendor, 0).await;
    refuse(&gateway, &vendor, 3).await;
    refuse_long(&gateway, &vendor, 1).await;
    gateway.says("its events wait in the store").await;
    let web = https(port, Shown::As(Identity::Valid), up_to(LIMIT));

    let words = |posted: &[Posted]| taken(posted, LIMIT).iter().filter(|line| is_of(line, "PF-3008")).count();
    web.came_until("word of both, there and in the feed", |posted| words(posted) == 4).await;
    gateway.says("is refused for good").await;
    gateway.terminate().await;
    let events = gateway.every_event().await;
    let id = |event: &Event| event.text("event.id").unwrap().to_owned();
    let is_long = |event: &&Event| event.text("url.query").is_some_and(|query| query.starts_with("long="));
    let long: Vec<_> = events.iter().filter(is_long).map(id).collect();
    let words: Vec<_> = events.iter().filter(|event| event.text("event.code") == Some("PF-3008")).collect();

    assert_eq!((long.len(), words.len()), (2, 2));
    for (long, word) in long.iter().zip(&words) {
        let message = word.text("message").unwrap();
        assert!(message.contains(long) && message.contains("413 Payload Too Large"), "{message}");
        assert_eq!(word.text("Pinfold.subject"), Some(&*format!("ecs {address}")));
    }
    let got = taken(&web.now(), LIMIT);
    let mut in_order = ids(got.iter().map(String::as_str));
    // Word of an event stands in its place, and comes again with the feed.
    let mut seen = HashSet::new();
    let place = in_order.iter().position(|there| *there == id(words[0])).unwrap();
    assert_eq!(
        in_order[place - 1],
        id(&events[events.iter().position(|event| id(event) == long[0]).unwrap() - 1])
    );
    in_order.reverse();
    in_order.retain(|there| seen.insert(there.clone()));
    in_order.reverse();
    let expected: Vec<_> = events.iter().map(id).filter(|id| !long.contains(id)).collect();
    assert_eq!(in_order, expected, "everything else is there, in order");
}

#[tokio::test]
async fn a_receiver_that_refuses_everything_gets_everything_once_it_is_mended() {
    for status in [400, 413, 401, 403, 429, 500] {
        let vendor = vendor_of(TAMPERED).await;
        // In place of an event that it refuses alone it is sent word of that, and refuses that too.
        let (words, is_of_content) = (AtomicUsize::new(0), [400, 403, 413].contains(&status));
        let web = https(Port::reserve(), Shown::As(Identity::Valid), move |before, posted| {
            let refuses = if is_of_content { words.load(Relaxed) < 2 } else { before < 4 };
            words.fetch_add(posted.body.contains("event-refused").into(), Relaxed);
            Some(if refuses { (status, format!("no, {status}")) } else { (200, String::new()) })
        });
        let gateway =
            refusing(&vendor).siem(&format!("https://localhost:{}/in", web.port()), &[CA]).listen().await;
        refuse(&gateway, &vendor, 3).await;

        gateway.says("works again").await;
        let told = told(&gateway).await;
        let posted = web.now();
        let words = |posted: &Posted| posted.body.contains("event-refused");
        let mended = posted.iter().rposition(words).map_or(4, |last| last + 1);
        assert_eq!(ids(lines(&posted[mended..]).iter().map(String::as_str)), told, "{status}");
    }
}

#[tokio::test]
async fn a_url_that_a_firewall_before_the_receiver_forbids_mutes_no_output() {
    // To a collector too it is not the collector who answers.
    for is_splunk in [false, true] {
        let vendor = vendor_of(TAMPERED).await;
        let port = Port::reserve();
        let files = if is_splunk {
            splunk(&vendor, port.number())
        } else {
            refusing(&vendor).siem(&format!("https://localhost:{}", port.number()), &[CA])
        };
        let gateway = files.listen().await;
        refuse(&gateway, &vendor, 2).await;
        client(&gateway).get(vendor.url("/app.js?q=%3Cscript%3E")).await;
        refuse(&gateway, &vendor, 2).await;
        gateway.says("its events wait in the store").await;
        let web = https(port, Shown::As(Identity::Valid), |_, posted| {
            Some(if posted.body.contains("script%3E") {
                (403, "<html>Forbidden</html>".to_owned())
            } else {
                (200, json!({ "text": "Success", "code": 0 }).to_string())
            })
        });
        gateway.says("is refused for good").await;
        gateway.terminate().await;
        let events = gateway.every_event().await;
        let id = |event: &Event| event.text("event.id").unwrap().to_owned();
        let is_it = |event: &&Event| event.text("url.query").is_some_and(|query| query.contains("script"));
        let forbidden = id(events.iter().find(is_it).unwrap());
        let word = events.iter().find(|event| event.text("event.code") == Some("PF-3008")).unwrap();
        let message = word.text("message").unwrap();
        assert!(message.contains(&forbidden) && message.contains("403 Forbidden"), "{message}");
        let posted = web.now();
        let taken = posted.iter().filter(|posted| !posted.body.contains("script%3E"));
        let got: String = taken.map(|posted| posted.body.as_str()).collect();
        let missing: Vec<_> =
            events.iter().map(id).filter(|id| !got.contains(&format!("\"id\":\"{id}\""))).collect();
        assert_eq!(missing, [forbidden]);
    }
}

#[tokio::test]
async fn an_event_that_was_forbidden_once_is_not_given_up_for_that() {
    let vendor = vendor_of(TAMPERED).await;
    let forbids = AtomicUsize::new(0);
    let web = https(Port::reserve(), Shown::As(Identity::Valid), move |_, posted| {
        let is_it = posted.body.contains("n=0") && posted.body.lines().count() == 1;
        let forbids = is_it && forbids.fetch_add(1, Relaxed) == 0;
        Some(if forbids { (403, String::new()) } else { (200, String::new()) })
    });
    let gateway =
        refusing(&vendor).siem(&format!("https://localhost:{}/in", web.port()), &[CA]).listen().await;
    web.came(1).await;
    refuse(&gateway, &vendor, 1).await;
    let told = told(&gateway).await;
    let all: HashSet<_> = ids(lines(&web.now()).iter().map(String::as_str)).into_iter().collect();
    assert!(told.iter().all(|id| all.contains(id)) && all.len() == told.len(), "{told:?}");
}

#[tokio::test]
async fn a_client_that_provokes_a_firewall_again_and_again_delays_no_other_event_by_a_pause() {
    let vendor = vendor_of(TAMPERED).await;
    let web = https(Port::reserve(), Shown::As(Identity::Valid), |_, posted| {
        let forbids = posted.body.contains("script%3E");
        Some(if forbids { (403, String::new()) } else { (200, String::new()) })
    });
    let gateway =
        refusing(&vendor).siem(&format!("https://localhost:{}/in", web.port()), &[CA]).listen().await;
    let is_forbidden = |posted: &Posted| posted.body.contains("script%3E");
    let number = |word: &str| format!("n={word}&q=%3Cscript%3E");
    for word in ["1", "2", "3"] {
        client(&gateway).get(vendor.url(&format!("/app.js?{}", number(word)))).await;
        let is_it = |posted: &Posted| posted.body.contains(&number(word));
        web.came_until("an attempt", |posted| posted.iter().any(is_it)).await;
    }
    gateway.terminate().await;

    let alone: Vec<_> = web
        .now()
        .into_iter()
        .filter(|posted| is_forbidden(posted) && posted.body.lines().count() == 1)
        .collect();
    let each: HashSet<_> = ids(lines(&alone).iter().map(String::as_str)).into_iter().collect();
    assert!(each.len() >= 3, "{each:?}");
    assert_eq!(alone.len(), each.len() + 1, "twice the first, and then once each");
}

/// What a collector says of the first event with this word, as Splunk does.
fn without(word: &'static str, code: u64) -> impl Fn(usize, &Posted) -> Option<(u16, String)> {
    move |_, posted| {
        let at =
            collected(std::slice::from_ref(posted)).iter().position(|event| event.to_string().contains(word));
        Some(match at {
            Some(at) => {
                let said = json!({ "text": "Invalid data format", "code": code, "invalid-event-number": at });
                (400, said.to_string())
            }
            None => (200, json!({ "text": "Success", "code": 0 }).to_string()),
        })
    }
}

#[tokio::test]
async fn a_collector_that_refuses_an_event_gets_all_others() {
    for code in [5, 6, 12, 13, 15] {
        let vendor = vendor_of(TAMPERED).await;
        let port = Port::reserve();
        let gateway = splunk(&vendor, port.number()).listen().await;
        refuse(&gateway, &vendor, 20).await;
        gateway.says("its events wait in the store").await;
        let hec = https(port, Shown::As(Identity::Valid), without("n=13", code));
        gateway.says("is refused for good").await;
        gateway.terminate().await;
        let events = gateway.every_event().await;
        let is_it = |event: &&Event| event.text("url.query") == Some("n=13");
        let refused = events.iter().find(is_it).unwrap().text("event.id").unwrap();
        let word = events.iter().find(|event| event.text("event.code") == Some("PF-3008")).unwrap();
        let message = word.text("message").unwrap();
        assert!(message.contains(refused) && message.contains(&format!("code {code}")), "{message}");

        let posted = hec.now();
        let taken: Vec<_> = posted.iter().filter(|posted| !posted.body.contains("n=13")).cloned().collect();
        let got: HashSet<_> = collected(&taken)
            .iter()
            .map(|event| event["event"]["event"]["id"].as_str().unwrap().to_owned())
            .collect();
        // What follows the end waits for the next start.
        let missing =
            events.iter().map(|event| event.text("event.id").unwrap()).filter(|id| !got.contains(*id));
        assert_eq!(missing.collect::<Vec<_>>(), [refused], "{code}");
        assert!(posted.len() < 12, "it says which event it is: {}", posted.len());
    }
}

#[tokio::test]
async fn a_collector_that_is_set_up_wrongly_gets_everything_once_it_is_mended() {
    // An incorrect index, and a token that takes acknowledged events alone: of no event's making.
    for code in [7, 10] {
        let vendor = vendor_of(TAMPERED).await;
        let hec = https(Port::reserve(), Shown::As(Identity::Valid), move |before, _| {
            let wrong = (400, json!({ "text": "no", "code": code, "invalid-event-number": 0 }).to_string());
            Some(if before < 4 { wrong } else { (200, json!({ "text": "Success", "code": 0 }).to_string()) })
        });
        let gateway = splunk(&vendor, hec.port()).listen().await;
        refuse(&gateway, &vendor, 3).await;
        gateway.says("works again").await;
        let told = told(&gateway).await;
        let posted = hec.now();
        let got = collected(&posted[4..]);
        let got: Vec<_> = got.iter().map(|event| event["event"]["event"]["id"].as_str().unwrap()).collect();
        assert_eq!(got, told, "{code}");
        let first = collected(&posted[..1]).len();
        assert_eq!(collected(&posted[1..2]).len(), first, "it is not asked for one event after the other");
    }
}
