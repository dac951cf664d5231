//! `add_pins` and `remove_pins`: what is added is found again, what is removed is gone, and everything else stays as it
//! was, byte for byte.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own functions may fail like the test"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use jiff::civil::date;
use pinfold_config::edit::{
    Change, EditError, NewPin, Proposal, Removed, add_pins, find_pins, proposed, remove_pins,
};
use pinfold_config::load;
use pinfold_policy::digest::{Digest, Digests};
use pinfold_policy::kind::Kind;
use pinfold_policy::pin::PinUrl;
use proptest::prelude::*;

const REVIEWED: &str = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

fn new_pin(url: &str, body: &str) -> NewPin {
    NewPin {
        url: PinUrl::parse(url).unwrap(),
        digests: vec![Digest::from(Digests::of(body.as_bytes()).sha256)],
        kind: Kind::Script,
        release: None,
        owner: None,
        reason: None,
        added: None,
        expires: None,
    }
}

fn quoted(pin: &NewPin) -> String {
    format!("\"{}\"", pin.digests[0])
}

/// A pins.toml in its own directory.
struct Pins {
    dir: tempfile::TempDir,
}

impl Pins {
    fn with(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("pins.toml"), text).unwrap();
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("pins.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn add(&self, pin: &NewPin) -> (Change, u32) {
        add_pins(&self.path(), std::slice::from_ref(pin)).unwrap().changes[0]
    }

    fn remove(&self, url: &str, digest: Option<&str>) -> Vec<Removed> {
        let urls = [PinUrl::parse(url).unwrap()];
        let digest: Option<Digest> = digest.map(|digest| digest.parse().unwrap());
        let found = find_pins(&self.path(), &urls, digest.as_ref()).unwrap();
        let removed = remove_pins(&self.path(), &urls, digest.as_ref()).unwrap();
        assert_eq!(found, removed);
        removed.into_iter().next().unwrap()
    }

    /// The pins as the gateway reads them.
    fn loaded(&self) -> Vec<pinfold_policy::pin::Pin> {
        let gateway = self.dir.path().join("pinfold.toml");
        fs::write(&gateway, "").unwrap();
        let loaded =
            load(&gateway, date(2026, 11, 23)).unwrap_or_else(|found| panic!("{}", found.render(false)));
        loaded.config.rulebook.pins.all().to_vec()
    }
}

#[test]
fn a_new_url_gets_a_block_at_the_end() {
    let pins = Pins::with("# ours\n[[revoke]]\ndigest = \"x\" # no digest at all\n");
    let pin = NewPin {
        release: Some("1.0".to_owned()),
        owner: Some("web".to_owned()),
        reason: Some("a \"quoted\"\nreason \\ with \u{202e}tricks".to_owned()),
        added: Some(date(2026, 11, 23)),
        expires: Some(date(2027, 5, 23)),
        ..new_pin("https://v.test/a.js", "a")
    };
    assert_eq!(pins.add(&pin), (Change::Appended, 5));
    assert_eq!(
        pins.text(),
        format!(
            "# ours\n[[revoke]]\ndigest = \"x\" # no digest at all\n\n[[pin]]\nurl     = \"https://v.test/a.js\"\n\
             digests = [{}]\nkind    = \"script\"\nrelease = \"1.0\"\nowner   = \"web\"\n\
             reason  = \"a \\\"quoted\\\"\\nreason \\\\ with \\u202Etricks\"\nadded   = 2026-11-23\nexpires = 2027-05-23\n",
            quoted(&pin)
        )
    );
}

#[test]
fn a_known_url_gets_the_digest_into_its_list() {
    let pin = new_pin("https://v.test/a.js", "a");
    let new = quoted(&pin);
    for (list, expected) in [
        (format!("[\"{REVIEWED}\"] # one"), format!("[\"{REVIEWED}\", {new}] # one")),
        (format!("[ '{REVIEWED}', ]"), format!("[ '{REVIEWED}', {new}, ]")),
        (
            format!("[\n    \"{REVIEWED}\",  # 10.4, reviewed\n    # the end\n]"),
            format!("[\n    \"{REVIEWED}\",  # 10.4, reviewed\n    {new},\n    # the end\n]"),
        ),
        (
            format!("[\n\t\"{REVIEWED}\" # 10.4, reviewed\n]"),
            format!("[\n\t\"{REVIEWED}\", # 10.4, reviewed\n\t{new}\n]"),
        ),
        (format!("[\n  \"{REVIEWED}\"]"), format!("[\n  \"{REVIEWED}\", {new}]")),
        ("[]".to_owned(), format!("[{new}]")),
        // What the hint of a malformed digest promises: it is fetched and written.
        (format!("[\"{REVIEWED}\", \"sha256-abc\"]"), format!("[\"{REVIEWED}\", {new}]")),
    ] {
        let around = |list: &str| {
            format!(
                "# top\n\n[[pin]]\nreason='r'\n  digests   =  {list}\nurl = \"HTTPS://V.test:443/%61.js#x\" # odd\n\n[[pin]]\nurl = \"https://v.test/b.js\"\n# end, without a newline"
            )
        };
        let pins = Pins::with(&around(&list));
        assert_eq!(pins.add(&pin), (Change::Extended, 3));
        assert_eq!(pins.text(), around(&expected), "{list}");
        assert_eq!(pins.add(&pin), (Change::Unchanged, 3));
        assert_eq!(pins.text(), around(&expected), "{list}");
    }
}

#[test]
fn another_release_gets_its_own_block() {
    let pins = Pins::with("");
    let release = |release: &str, body| NewPin {
        release: Some(release.to_owned()),
        ..new_pin("https://v.test/a.js", body)
    };
    let added = add_pins(&pins.path(), &[release("1", "a"), release("2", "b"), release("1", "c")]).unwrap();
    assert_eq!(added.changes, [(Change::Appended, 1), (Change::Appended, 7), (Change::Extended, 1)]);
    assert_eq!(pins.loaded().iter().map(|pin| pin.digests.len()).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn windows_line_ends_are_kept() {
    let text = format!(
        "# ours\r\n[[pin]]\r\nurl = \"https://v.test/a.js\"\r\ndigests = [\r\n  \"{REVIEWED}\",\r\n]\r\n"
    );
    let pins = Pins::with(&text);
    pins.add(&new_pin("https://v.test/a.js", "a"));
    pins.add(&new_pin("https://v.test/b.js", "b"));
    let edited = pins.text();
    assert_eq!(edited.matches('\n').count(), edited.matches("\r\n").count());
    assert_eq!(pins.loaded().len(), 2);
}

#[test]
fn a_missing_file_is_made_and_says_what_it_is_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pins.toml");
    add_pins(&path, &[new_pin("https://v.test/a.js", "a")]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(pinfold_config::template::PINS_TOML) && text.contains("\n[[pin]]\n"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn permissions_stay_and_a_link_stays_a_link() {
    let pins = Pins::with("");
    fs::set_permissions(pins.path(), fs::Permissions::from_mode(0o640)).unwrap();
    let link = pins.dir.path().join("link.toml");
    symlink("pins.toml", &link).unwrap();
    add_pins(&link, &[new_pin("https://v.test/a.js", "a")]).unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::metadata(pins.path()).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(pins.loaded().len(), 1);

    let dangling = pins.dir.path().join("dangling.toml");
    symlink("nowhere/pins.toml", &dangling).unwrap();
    assert!(matches!(add_pins(&dangling, &[]), Err(EditError::Write { .. })));
}

#[test]
fn what_cannot_be_edited_stays_as_it_is() {
    let pin = new_pin("https://v.test/a.js", "a");
    let wasm =
        format!("[[pin]]\nurl = \"https://v.test/a.js\"\nkind = \"wasm\"\ndigests = [\"{REVIEWED}\"]\n");
    for (text, expected) in [
        ("[[pin]\n", "pinfold: error: pins.toml:1:7: unclosed array table, expected `]`"),
        ("pin = []\n", "pins.toml: cannot write the [[pin]] block: duplicate key"),
        (
            "[[pin]]\nurl = \"https://v.test/a.js\"\ndigests = 3\n",
            "pins.toml: cannot write the [[pin]] block: the digests of the block in line 1 are not a list",
        ),
        (&wasm, "pins.toml:1: https://v.test/a.js is pinned as wasm, not script"),
    ] {
        let pins = Pins::with(text);
        let error = add_pins(&pins.path(), std::slice::from_ref(&pin)).unwrap_err().to_string();
        assert_eq!(error.replace(&format!("{}/", pins.dir.path().display()), ""), expected);
        assert_eq!(pins.text(), text);
    }
    let gone = Pins::with("").dir.path().join("gone/pins.toml");
    let error = add_pins(&gone, &[pin]).unwrap_err().to_string();
    assert_eq!(error, format!("{}: cannot be written: no such file or directory", gone.display()));
}

#[test]
fn proposals_are_a_pins_file_and_notes_stay_comments() {
    let hostile = "by mallory\n[[revoke]]\rdigest = \u{202e}\u{85}\u{2028}\"x\" # \u{7f}é";
    let proposal =
        |url: &str| Proposal { pin: new_pin(url, "a"), notes: vec![hostile.to_owned(), "two".to_owned()] };
    let text = proposed(&[proposal("https://v.test/a.js"), proposal("https://v.test/b.js")]);
    let pins = Pins::with(&text);
    assert_eq!(pins.loaded().len(), 2);
    assert_eq!(text.matches("\n[[pin]]\n").count(), 2);
    assert!(
        text.starts_with("# by mallory\\n[[revoke]]\\u000Ddigest = \\u202E\\u0085")
            && text.contains("\n# two\n")
    );
    assert!(proposed(&[]).is_empty());
}

#[test]
fn edits_at_one_time_do_not_lose_each_other() {
    let pins = Pins::with("");
    std::thread::scope(|scope| {
        for at in 0..8 {
            let pins = &pins;
            scope.spawn(move || pins.add(&new_pin(&format!("https://v.test/{at}.js"), "a")));
        }
    });
    assert_eq!(pins.loaded().len(), 8);
}

#[test]
fn a_block_goes_from_its_header_to_its_last_key_and_comments_around_it_stay() {
    let block = |url: &str| {
        format!("[[pin]] # odd\nurl = \"{url}\"\n# inside\ndigests = [\n  \"{REVIEWED}\",\n] # end\n")
    };
    let (a, b) = (block("HTTPS://V.test:443/%61.js#x"), block("https://v.test/b.js"));
    for (text, left) in [
        (format!("# top\n\n# of a\n{a}\n# of b\n{b}"), format!("# top\n\n# of a\n\n# of b\n{b}")),
        (format!("# top\n\n{a}\n\n{b}# end"), format!("# top\n\n{b}# end")),
        (format!("{b}\n\n{a}\n"), b.clone()),
        (format!("{b}\n{}", a.trim_end()), b.clone()),
        (format!("{a}\n{b}\n{a}"), b.clone()),
        (format!("{a}\n{a}\n{a}"), String::new()),
        (format!("{a}[[revoke]]\ndigest = 'x'\n"), "[[revoke]]\ndigest = 'x'\n".to_owned()),
        (format!("{a}\n{b}").replace('\n', "\r\n"), b.replace('\n', "\r\n")),
    ] {
        let pins = Pins::with(&text);
        assert!(pins.remove("https://v.test/a.js", None).iter().all(|removed| removed.whole));
        assert_eq!(pins.text(), left, "{text}");
        assert_eq!(pins.remove("https://v.test/a.js", None), []);
    }
}

#[test]
fn one_digest_goes_out_of_its_list() {
    let (new, newer) =
        (quoted(&new_pin("https://v.test/a.js", "a")), quoted(&new_pin("https://v.test/a.js", "b")));
    let gone = new.trim_matches('"');
    for (list, left) in [
        (format!("[\"{REVIEWED}\", {new}] # one"), format!("[\"{REVIEWED}\"] # one")),
        (format!("[{new}, \"{REVIEWED}\"]"), format!("[\"{REVIEWED}\"]")),
        (format!("[ {new} , {new}, {newer} , {new}, ]"), format!("[ {newer}, ]")),
        (format!("[{newer}, {new}, {new}]"), format!("[{newer}]")),
        (
            format!("[\n    \"{REVIEWED}\",  # 10.4\n    {new}, # 10.5, # bad\n    # the end\n]"),
            format!("[\n    \"{REVIEWED}\",  # 10.4\n    # the end\n]"),
        ),
        (format!("[\n  {newer},\n  {new}]"), format!("[\n  {newer},\n  ]")),
        (format!("[{new}, \"sha256-abc\"]"), "[\"sha256-abc\"]".to_owned()),
    ] {
        let around = |list: &str| {
            format!(
                "[[pin]]\nurl = \"https://v.test/b.js\"\ndigests = [{new}]\n\n# a\n[[pin]]\ndigests = {list}\nurl = \"https://v.test/a.js\"\n"
            )
        };
        let pins = Pins::with(&around(&list));
        let removed = pins.remove("https://v.test/a.js", Some(gone));
        assert_eq!(removed, [Removed { line: 6, whole: false }]);
        assert_eq!(pins.text(), around(&left), "{list}");
        assert_eq!(pins.remove("https://v.test/a.js", Some(gone)), []);
    }
}

#[test]
fn a_block_without_its_last_digest_goes_as_a_whole() {
    let pins = Pins::with("# ours\n");
    let pin = new_pin("https://v.test/a.js", "a");
    pins.add(&pin);
    let removed = pins.remove("https://v.test/a.js", Some(&pin.digests[0].to_string()));
    assert_eq!(removed, [Removed { line: 3, whole: true }]);
    assert_eq!(pins.text(), "# ours\n");
}

#[test]
fn a_pin_is_taken_out_beside_what_is_no_number() {
    for written in ["nan", "-nan", "inf", "[1.5, { deep = nan }]"] {
        let kept = format!("[[pin]]\nurl = \"https://v.test/b.js\"\nweight = {written}\n");
        let gone = format!("\n[[pin]]\nurl = \"https://v.test/a.js\"\ndigests = [\"{REVIEWED}\"]\n");
        let pins = Pins::with(&format!("{kept}{gone}"));
        assert_eq!(pins.remove("https://v.test/a.js", None), [Removed { line: 5, whole: true }], "{written}");
        assert_eq!(pins.text(), kept);
    }
}

#[test]
fn what_is_not_written_as_a_block_is_not_taken_out() {
    let text = format!("pin = [{{ url = \"https://v.test/a.js\", digests = [\"{REVIEWED}\"] }}]\n");
    let pins = Pins::with(&text);
    let urls = [PinUrl::parse("https://v.test/a.js").unwrap()];
    let error = remove_pins(&pins.path(), &urls, None).unwrap_err().to_string();
    assert!(
        error.ends_with("pins.toml:1: cannot remove the pin: it is not written as a [[pin]] block"),
        "{error}"
    );
    assert_eq!(pins.text(), text);
    assert_eq!(remove_pins(&pins.dir.path().join("gone.toml"), &urls, None).unwrap(), [[]]);

    let pin = new_pin("https://v.test/a.js", "a");
    let list = format!("[\n    {} # 10.5\n    , \"{REVIEWED}\"\n]", quoted(&pin));
    let text = format!("[[pin]]\nurl = \"https://v.test/a.js\"\ndigests = {list}\n");
    let pins = Pins::with(&text);
    let error = remove_pins(&pins.path(), &urls, Some(&pin.digests[0])).unwrap_err().to_string();
    assert!(
        error.ends_with("pins.toml:1: cannot remove the pin: its list has commas in unusual places"),
        "{error}"
    );
    assert_eq!(pins.text(), text);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever comments stand around, an added pin is loaded again and nothing is removed.
    #[test]
    fn what_is_added_is_found_again(
        comments in prop::collection::vec("# [^\\p{Cc}]{0,20}", 1..4),
        bodies in prop::collection::vec("[a-c]", 1..6),
        owner in "\\PC{0,20}",
        crlf: bool,
    ) {
        let newline = if crlf { "\r\n" } else { "\n" };
        let before = comments.join(newline) + newline;
        let pins = Pins::with(&before);
        for body in &bodies {
            let url = format!("https://v.test/{}.js", body.len());
            let pin = NewPin { owner: Some(owner.clone()), ..new_pin(&url, body) };
            pins.add(&pin);
        }
        let text = pins.text();
        prop_assert!(text.starts_with(&before));
        let loaded = pins.loaded();
        prop_assert_eq!(loaded.len(), 1);
        prop_assert_eq!(loaded[0].owner.as_deref(), Some(&*owner));
        for body in &bodies {
            let digest = Digest::from(Digests::of(body.as_bytes()).sha256);
            prop_assert_eq!(loaded[0].digests.iter().filter(|known| **known == digest).count(), 1);
        }
    }

    /// Whatever was added is removed again without a trace.
    #[test]
    fn removing_undoes_adding(
        comments in prop::collection::vec("# [^\\p{Cc}]{0,20}", 1..4),
        bodies in prop::collection::vec("[a-c]", 1..6),
        crlf: bool,
    ) {
        let newline = if crlf { "\r\n" } else { "\n" };
        let before = comments.join(newline) + newline;
        let pins = Pins::with(&before);
        let kept = new_pin("https://v.test/kept.js", "kept");
        pins.add(&kept);
        let with_kept = pins.text();
        let pin = |body: &String| new_pin("https://v.test/a.js", body);
        for body in &bodies {
            pins.add(&pin(body));
        }
        for body in &bodies {
            pins.remove("https://v.test/a.js", Some(&pin(body).digests[0].to_string()));
        }
        prop_assert_eq!(pins.text(), with_kept);
        pins.remove("https://v.test/kept.js", None);
        prop_assert_eq!(pins.text(), before);
    }
}
