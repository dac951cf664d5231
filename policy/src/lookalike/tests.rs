use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::well_known::WELL_KNOWN;
use super::*;
use crate::pin::{Pin, PinUrl, Place};
use crate::pins::PinIndex;
use crate::vendor::{Rules, Vendor, Vendors};

fn index(hosts: &[&str]) -> Lookalikes {
    Lookalikes::new(hosts.iter().map(|host| host.parse().unwrap()))
}

fn imitated(index: &Lookalikes, host: &str) -> Option<(String, How)> {
    let found = index.imitated(&host.parse().unwrap())?;
    Some((found.imitates.into(), found.how))
}

#[track_caller]
fn assert_imitates(index: &Lookalikes, hosts: &[&str], expected: &str, how: How) {
    for host in hosts {
        assert_eq!(imitated(index, host), Some((expected.to_owned(), how)), "{host}");
    }
}

#[track_caller]
fn assert_innocent(index: &Lookalikes, hosts: &[&str]) {
    for host in hosts {
        assert_eq!(imitated(index, host), None, "{host}");
    }
}

fn chat() -> Lookalikes {
    index(&["vue.comm100.com", "*.comm100.io", "cdn.jsdelivr.net"])
}

/// What was published about the campaign of September 2022; see `docs/incidents.md`.
#[test]
fn the_published_indicators_of_the_comm100_incident_are_told() {
    let index = index(&["vue.comm100.com", "*.comm100.io", "comm100files.s3.amazonaws.com"]);
    assert_imitates(&index, &["cornm100.io", "api.cornm100.io"], "comm100.io", How::Homoglyphs);
    assert_imitates(&index, &["amazonawsgarages.com"], "amazonaws.com", How::OtherDomain);
}

#[test]
fn letters_that_look_alike() {
    let index = chat();
    let comm100 =
        ["cornm100.com", "vue.cornm100.com", "c\u{3bf}mm100.com", "\u{441}\u{43e}mm100.com", "cömm100.com"];
    assert_imitates(&index, &comm100, "comm100.com", How::Homoglyphs);
    let jsdelivr = ["jscleiivr.net", "jsdellvr.net", "jsde\u{131}ivr.net", "ｊsdeiivr.net"];
    assert_imitates(&index, &jsdelivr, "jsdelivr.net", How::Homoglyphs);
    // Letters of another width are the same host, whatever they look like.
    assert_innocent(&index, &["\u{ff43}omm100.com"]);
}

#[test]
fn digits_for_letters_and_letters_for_digits() {
    let index = chat();
    assert_imitates(
        &index,
        &["jsde1ivr.net", "jsd3livr.net", "cdn.j5de11vr.net"],
        "jsdelivr.net",
        How::Digits,
    );
    assert_imitates(&index, &["comml00.io", "c0mm100.io", "commloo.io"], "comm100.io", How::Digits);
}

#[test]
fn a_vendors_label_in_another_registrable_domain() {
    let index = chat();
    let comm100 = [
        "comm100.net",
        "comm100-cdn.net",
        "livechat-comm100.top",
        "comm100files.net",
        "wwwcomm100.net",
        "comm100.evil.net",
        "vue.comm100.com.evil.net",
        "vue-comm100-com.evil.net",
        "comm100.herokuapp.com",
        "comm100.s3.amazonaws.com",
        "comm100.co.uk",
    ];
    assert_imitates(&index, &comm100, "comm100.com", How::OtherDomain);
    let jsdelivr = ["jsdelivr.org", "cdnjsdelivr.net", "jsdelivrnet.com", "cdn.jsdelivr.net.evil.test"];
    assert_imitates(&index, &jsdelivr, "jsdelivr.net", How::OtherDomain);
    // In the way that it is written there.
    assert_imitates(&index, &["cornm100.evil.net", "cornm100-cdn.net"], "comm100.com", How::Homoglyphs);
    assert_imitates(&index, &["c0mm100.evil.net"], "comm100.com", How::Digits);
}

#[test]
fn one_edit_away() {
    let index = chat();
    let jsdelivr =
        ["jsdelvr.net", "jsdelivrr.net", "jsdleivr.net", "jsdelibr.com", "js-delivr.net", "cdn.jsdelivt.io"];
    assert_imitates(&index, &jsdelivr, "jsdelivr.net", How::OneEdit);
    assert_imitates(&index, &["com100.net", "comm1000.top", "comm10.io"], "comm100.com", How::OneEdit);
    assert_innocent(&index, &["jsdelvrr.net", "com10.net", "delivr.net"]);
}

#[test]
fn short_names_match_by_nothing_but_other_alphabets() {
    let index = index(&["cdn.esm.sh", "t.co", "js.abcd.net"]);
    assert_innocent(
        &index,
        &["esn.sh", "esm.run", "tt.co", "t.me", "abce.net", "abcd.com", "abcd.evil.net", "ab.evil.net"],
    );
    assert_imitates(&index, &["\u{430}bcd.net"], "abcd.net", How::Homoglyphs);
    // One of five or six only below the same suffix.
    let index = self::index(&["unpkg.com"]);
    assert_imitates(&index, &["unpgk.com"], "unpkg.com", How::OneEdit);
    assert_innocent(&index, &["unpgk.net"]);
}

#[test]
fn a_part_of_a_word_is_no_imitation() {
    let index = index(&["cdn.segment.net", "js.vendor.test", "code.jquery.com"]);
    assert_innocent(&index, &["segmentation.com", "thevendors.test", "mysegments.org", "jqueryish.com"]);
    assert_innocent(&index, &["segment.shop.test", "vendor.shop.test", "my-segment.shop.test"]);
    assert_imitates(
        &index,
        &["segment-api.com", "segmentcdn.com", "cdn.segment.net.shop.test"],
        "segment.net",
        How::OtherDomain,
    );
    assert_imitates(&index, &["jquerystatic.xyz", "cdn-jquery.top"], "jquery.com", How::OtherDomain);
}

#[test]
fn what_is_claimed_or_pinned_or_shares_its_registrable_domain_imitates_nothing() {
    let index = index(&[
        "cdn.vendor-one.com",
        "cdn.vendor-one.net",
        "*.github.io",
        "d111.cloudfront.net",
        "127.0.0.1",
    ]);
    assert_innocent(
        &index,
        &["cdn.vendor-one.com", "other.vendor-one.com", "vendor-one.net", "vendor-one.cdn.vendor-one.com"],
    );
    // Everything below a public suffix is claimed there.
    assert_innocent(&index, &["vendor-one.github.io", "github.io", "127.0.0.1", "[::1]", "com", "co.uk"]);
    assert_imitates(
        &index,
        &["vendor-one.cloudfront.net", "vendor-one.org"],
        "vendor-one.com",
        How::OtherDomain,
    );
    // Those who serve from the same company's suffix.
    assert_innocent(&index, &["d112x.cloudfront.net", "my-site.cloudfront.net"]);
    assert_imitates(&index, &["cloudfr0nt.net"], "cloudfront.net", How::Digits);
}

/// Names of those who were there first are near to each other: all of them are expected here, two and two.
#[test]
fn well_known_names_are_no_imitations_whoever_is_expected() {
    let index = index(&WELL_KNOWN);
    assert_innocent(&index, &WELL_KNOWN);
    let half: Vec<&str> = WELL_KNOWN.iter().copied().step_by(2).collect();
    assert_innocent(&self::index(&half), &WELL_KNOWN);
    assert!(WELL_KNOWN.is_sorted());
    assert!(WELL_KNOWN.iter().all(|name| psl::domain_str(name).is_none_or(|domain| domain == *name)));
}

/// Hosts that pages name beside those of vendors, and the neighbours of public suffixes: `foo.co.uk` and `foo.com` are two.
#[test]
fn hosts_of_every_day_are_no_imitations() {
    let index = index(&[
        "vue.comm100.com",
        "*.comm100.io",
        "cdn.jsdelivr.net",
        "unpkg.com",
        "cdnjs.cloudflare.com",
        "code.jquery.com",
        "ajax.googleapis.com",
        "static.cloudflareinsights.com",
        "js.stripe.com",
        "cdn.segment.com",
        "js.intercomcdn.com",
        "static.zdassets.com",
        "connect.facebook.net",
        "d2wy8f7a9ursnm.cloudfront.net",
        "assets.adobedtm.com",
        "polyfill-fastly.io",
        "s3.amazonaws.com",
        "stackpath.bootstrapcdn.com",
        "kit.fontawesome.com",
        "use.typekit.net",
    ]);
    assert_innocent(
        &index,
        &[
            "www.common.com",
            "comma.com",
            "community.example",
            "command.com",
            "www.stripes.org",
            "delivery.net",
            "deliver.net",
            "jqueries.example",
            "unpack.com",
            "package.com",
            "cdn.shop.test",
            "static.shop.test",
            "assets.guardim.co.uk",
            "shop.co.uk",
            "shop.com.au",
            "a.github.io",
            "b.github.io",
            "other.s3.amazonaws.com",
            "bucket.s3.eu-west-1.amazonaws.com",
            "d111111abcdef8.cloudfront.net",
            "myapp.azurewebsites.net",
            "pages.dev",
            "x.pages.dev",
            "app.herokuapp.com",
            "bootstrap.example",
            "insights.example",
            "cloud.example",
            "fast.example",
            "fonts.example",
            "typing.net",
            "adobo.com",
            "polyfills.example",
            "www.gov.uk",
            "service.gov.uk",
            "kobe.jp",
            "city.kobe.jp",
            "b.c.kobe.jp",
            "www.ck",
            "foo.ck",
        ],
    );
}

#[test]
fn a_page_of_the_register_says_who_is_protected() {
    let pin = |url: &str| Pin::bare(PinUrl::parse(url).unwrap(), Place { file: "pins.toml".into(), line: 1 });
    let rules = Rulebook {
        vendors: Vendors::new(vec![Vendor {
            name: "chat".into(),
            hosts: vec!["*.comm100.io".parse().unwrap()],
            rules: Rules::default(),
        }]),
        pins: PinIndex::new(vec![
            pin("https://cdn.pinned-host.net/a.js"),
            pin("https://cdn.pinned-host.net/b.js"),
            pin("http://js.patterned.net:8080/**/*.js"),
        ]),
        ..Rulebook::default()
    };
    let index = Lookalikes::of(&rules);
    assert_imitates(&index, &["cornm100.io"], "comm100.io", How::Homoglyphs);
    assert_imitates(&index, &["pinned-h0st.net"], "pinned-host.net", How::Digits);
    assert_imitates(&index, &["pattterned.net"], "patterned.net", How::OneEdit);
    assert_innocent(&index, &["other.pinned-host.net"]);
}

#[test]
fn ten_thousand_hosts_are_found_like_one() {
    let hosts: Vec<String> = (0..10_000).map(|at| format!("cdn.vendor-{at}.example{}.net", at % 7)).collect();
    let hosts = hosts.iter().map(|host| host.parse().unwrap());
    let many: Vec<HostPattern> =
        hosts.chain((0..10_000).map(|at| format!("js.house{at:05}x.net").parse().unwrap())).collect();
    let index = Lookalikes::new(many);
    assert_imitates(&index, &["h0use01234x.net"], "house01234x.net", How::Digits);
    // What a question costs is how many candidates it is compared with.
    let most = index.by_deletion.values().map(Vec::len).max().unwrap();
    assert!(most <= 64, "{most}");
    assert!(index.by_fold.values().all(|same| same.len() <= SAME_LABEL));
}

#[test]
fn a_list_of_any_length_takes_bounded_memory() {
    let hosts = (0..MOST_PROTECTED + 10).map(|at| format!("js.house{at:05}x.net").parse().unwrap());
    let index = Lookalikes::new(hosts);
    assert_eq!(index.protected.len(), MOST_PROTECTED);
    assert_innocent(&index, &["js.house20005x.net"]);
}

proptest! {
    /// Every single edit of a long enough label is told, and none of the label's own domain.
    #[test]
    fn every_edit_of_a_label_is_told(label in "[a-z]{8,12}", at in 0usize..8, letter in "[a-z]", edit in 0u8..4) {
        let index = index(&[&format!("cdn.{label}.com")]);
        let mut letters: Vec<char> = label.chars().collect();
        let letter = letter.chars().next().unwrap();
        match edit {
            0 => { letters.remove(at); }
            1 => letters.insert(at, letter),
            2 => letters[at] = letter,
            _ => letters.swap(at.saturating_sub(1), at),
        }
        let edited: String = letters.into_iter().collect();
        let host = format!("www.{edited}.com");
        let told = index.imitated(&host.parse().unwrap());
        prop_assert_eq!(told.is_some(), edited != label && !is_well_known(&format!("{edited}.com")), "{} {}", label, edited);
    }

    #[test]
    fn any_host_can_be_asked_about(host in "[a-z0-9.\\-\u{430}-\u{44f}]{1,60}", own in "[a-z0-9\\-\u{3b1}-\u{3c9}]{1,20}") {
        let Ok(host) = host.parse::<Host>() else { return Ok(()) };
        let own = format!("{own}.com").parse::<HostPattern>();
        let index = Lookalikes::new(own);
        if let Some(found) = index.imitated(&host) {
            prop_assert!(!host.to_string().ends_with(&*found.imitates));
        }
    }

    /// The fold goes letter by letter: a label that is a part of another is one in its fold.
    #[test]
    fn the_fold_of_a_part_is_a_part_of_the_fold(front in "[a-z0-9\\-]{0,20}", back in "[a-z0-9\\-]{0,20}") {
        prop_assert_eq!(fold(&format!("{front}{back}")), format!("{}{}", fold(&front), fold(&back)));
    }

    #[test]
    fn an_address_imitates_nothing(ip in any::<u32>()) {
        let host = Host::Ip(IpAddr::V4(Ipv4Addr::from(ip)));
        prop_assert_eq!(chat().imitated(&host), None);
    }
}
