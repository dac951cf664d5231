use jiff::civil::date;
use pinfold_policy::vendor::{OtherTls, Vendors};
use proptest::prelude::*;

use crate::crosscheck::Surroundings;
use crate::pins::{Reading, piece_of_list, plain, whole};
use crate::settings::Egress;

use super::*;

const DIGEST: &str = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

const OTHER: &str = "sha256-jSGhDbHr7Y0Zx2mE6DJ4D5vXXGYlW7G2vNwR1Xa3V7M=";

/// All that a text says and all that is found in it, read in one way.
fn told(text: &str, read: impl Fn(&SourceFile, Reading<'_>) -> Option<Said>) -> Option<String> {
    let source = SourceFile::new("pins.toml", text);
    let (vendors, egress) = (Vendors::default(), Egress::default());
    let surroundings = Surroundings { vendors: &vendors, other_tls: OtherTls::Tunnel, egress: &egress };
    let said = read(&source, Reading { today: date(2026, 11, 27), surroundings })?;
    Some(format!("{said:#?}\n{:#?}", source.into_findings()))
}

/// Every header begins a piece.
fn in_pieces(text: &str) -> Option<String> {
    cut_and_told(text, usize::MAX)
}

fn cut_and_told(text: &str, whole: usize) -> Option<String> {
    told(text, |source, reading| {
        let file = "pins.toml".into();
        read(source, Lengths { piece: 1, whole }, |piece, shared| {
            piece_of_list(piece, &file, reading, shared)
        })
    })
}

fn at_once(text: &str) -> String {
    told(text, |source, reading| Some(whole(source, &"pins.toml".into(), reading))).unwrap()
}

fn pin(at: u32) -> String {
    format!(
        "[[pin]]\nurl = \"https://v.test/{at}.js\"\ndigests = [\"{DIGEST}\"]\nowner = \"o\"\nreason = \"r\"\n"
    )
}

#[test]
fn pieces_say_what_the_whole_says_mistakes_and_places_included() {
    let revoke = format!("[[revoke]]\ndigest = \"{DIGEST}\"\n");
    let wrong = "[[pin]]\nurls = \"https://v.test/ä.js\"\r\nexpires = 2020-01-01\nadded = 2021-01-01\n\n";
    let text = format!("\u{feff}{}# ä\n{wrong}{revoke}{}{wrong}{revoke}{}", pin(1), pin(2), pin(3));
    assert_eq!(in_pieces(&text).expect("it can be cut"), at_once(&text));
    let first_line = format!("\u{feff}{wrong}{}", pin(1));
    assert_eq!(in_pieces(&first_line).expect("it can be cut"), at_once(&first_line));
}

#[test]
fn a_block_in_a_text_of_several_lines_is_not_a_block() {
    for quotes in ["\"\"\"", "'''"] {
        let hidden = pin(2);
        let text = format!("{}[[pin]]\nreason = {quotes}\n{hidden}{quotes}\nurl = 1\n{}", pin(1), pin(3));
        assert_eq!(in_pieces(&text), None, "{text}");
    }
    let in_comments = format!("{}# '''\n{}# '''\n", pin(1), pin(2));
    assert_eq!(in_pieces(&in_comments), Some(at_once(&in_comments)));
}

#[test]
fn what_meets_in_the_whole_and_not_in_the_pieces_is_read_as_a_whole() {
    for before in ["revoke = []\n", "pin = []\n", "[pin]\n", "pin.url = 1\n", "x = 1\n", "[x]\n", "[pin.x]\n"]
    {
        let text = format!("{before}{}{}", pin(1), pin(2));
        assert_eq!(in_pieces(&text), None, "{text}");
    }
    for between in ["[revoke]\n", "[revoke.x]\n", "[[revoke.x]]\n", "[x]\n", "[[x]]\n", "[pin]\n", "x"] {
        let text = format!("[[revoke]]\n{}{between}{}", pin(1), pin(2));
        assert_eq!(in_pieces(&text), None, "{text}");
    }
}

#[test]
fn what_belongs_to_the_last_block_stays_with_it() {
    for within in
        ["[pin.x]\na = 1\n", "[[pin.x]]\na = 1\n[[pin.x]]\n", "pin.x = 1\n", "[[\"pin\"]]\n", " [[pin]]\n"]
    {
        let text = format!("{}{within}{}", pin(1), pin(2));
        assert_eq!(in_pieces(&text), Some(at_once(&text)), "{text}");
    }
}

#[test]
fn a_file_without_a_second_header_is_one_piece() {
    assert_eq!(in_pieces(""), None);
    assert_eq!(in_pieces("# nothing\n"), None);
    assert_eq!(in_pieces(&format!("# one\n{}", pin(1))), None);
}

#[test]
fn a_list_that_went_wrong_everywhere_ends_somewhere() {
    let text = "[[pin]]\n".repeat(1500);
    let found = in_pieces(&text).unwrap();
    assert_eq!(found, at_once(&text));
    assert!(found.contains("2000 more errors are not shown"));
}

#[test]
fn what_is_too_long_for_a_whole_is_refused_where_it_cannot_be_cut() {
    for wrong in ["[pin]\n", "x = 1\n", "reason = \"\n", "reason = \"\"\"\n[[pin]]\n\"\"\"\n"] {
        let text = format!("{}{wrong}{}", pin(1), pin(2));
        assert!(cut_and_told(&text, 0).unwrap().contains("severity: Error"), "{text}");
    }
    for wrong in ["pin = []\n", "revoke = []\n", "[pin.x]\n"] {
        let text = format!("{wrong}{}{}", pin(1), pin(2));
        assert!(
            cut_and_told(&text, 0).unwrap().contains("what begins here cannot be read on its own"),
            "{text}"
        );
    }
    let right = pin(1) + &pin(2);
    assert_eq!(cut_and_told(&right, 0), Some(at_once(&right)));
}

proptest! {
    /// Whatever the lines are: where pieces say something, the whole says the same.
    #[test]
    fn no_cut_changes_a_meaning(lines in prop::collection::vec(prop::sample::select(vec![
        "[[pin]]", "[[pin]] # x", "[[revoke]]", "[pin]", "[pin.x]", "[[pin.x]]", "[revoke]", "[revoke.x]", "[[ pin ]]", "[[pin",
        "url = \"https://v.test/a.js\"", "digests = [", "]", "\"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\",",
        "digest = \"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"", "reason = \"\"\"", "\"\"\"", "reason = '''", "'''",
        "owner = \"o\"", "owner = \"\"\"\"", "x = { a = [", "] }", "# ä", "", "pin = []", "\u{feff}", "pin.x = 1", "\r", "\\", "x.y = 1",
    ]), 0..10)) {
        let text = format!("[[pin]]\n{}", lines.join("\n"));
        if let Some(told) = in_pieces(&text) {
            prop_assert_eq!(told, at_once(&text), "{}", text);
        }
    }

    /// Whatever stands in a block, and however: read without tables it says what its tables say, or is not read so.
    #[test]
    fn no_short_way_changes_a_meaning(blocks in prop::collection::vec(block(), 1..4)) {
        let text = blocks.concat();
        let file = "pins.toml".into();
        let told = told(&text, |source, reading| piece_of_list(source, &file, reading, &mut Shared::default()));
        if let Some(told) = told {
            prop_assert_eq!(told, at_once(&text), "{}", text);
        }
    }
}

/// A block that is plain but for a line or two.
fn block() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "",
        "# x\u{1}",
        "\r",
        "owner = ''",
        "owner = 'o'",
        "owner = \"\"",
        "owner = \"\"\"o\"\"\"",
        "owner = \"\\u0041\"",
        "reason = \"a\tb\"",
        "reason = \"\u{7f}\"",
        "reason = 1",
        "\"reason\" = \"r\"",
        "release = \"4\" # x",
        "release.x = \"4\"",
        "release = [\"4\"]",
        "release = {}",
        "kind = \"wasm\"",
        "kind = \"none\"",
        "added = 2026-01-01",
        "added = 2026-13-01",
        "added = 2026-01-01T00:00:00Z",
        "added = \"2026-01-01\"",
        "expires = 2026-12-01",
        "expires = 2030-01-01",
        "expires = 2025-01-01",
        "expires = 20300101",
        "digests = []",
        "digests = [[]]",
        "x = 1",
        "[[pin]]",
        "[pin.x]",
        "[[ pin ]]",
        "[[revoke]]",
        "url = \"\"",
    ]);
    let plain = |usual: &'static str, odd: Vec<&'static str>| prop_oneof![6 => Just(usual), 1 => prop::sample::select(odd)];
    let digests = plain(
        "[\"<1>\"]",
        vec!["[\"<1>\", \"<1>\"]", "[\n  \"<1>\", # x\n  \"<2>\",\n]", "[\"<1>\", 1]", "\"<1>\"", "['<1>']"],
    );
    let url = plain(
        "https://v.test/a.js",
        vec!["https://v.test/*/a.js", "http://v.test/a.js", "https://v.test/a b", "v.test"],
    );
    let end = prop::sample::select(vec!["\n", "\r\n"]);
    (url, digests, prop::collection::vec(odd, 0..=2), end).prop_map(|(url, digests, odd, end)| {
        let digests = digests.replace("<1>", DIGEST).replace("<2>", OTHER);
        let lines = ["[[pin]]", &format!("url = \"{url}\""), &format!("digests = {digests}")];
        let usual = ["owner = \"o\"", "reason = \"r\"", ""];
        let said = |key: &str| odd.iter().any(|line| line.starts_with(key));
        let usual = usual.into_iter().filter(|line| !(line.starts_with("owner") && said("owner")));
        let usual = usual.filter(|line| !(line.starts_with("reason") && said("reason")));
        lines.into_iter().chain(odd.iter().copied()).chain(usual).collect::<Vec<_>>().join(end)
    })
}

#[test]
fn what_this_program_writes_is_read_the_short_way() {
    let written = format!(
        "{}kind = \"wasm\"\nrelease = \"4.6\"\nadded = 2026-05-01\nexpires = 2027-05-01\n\n# a comment\n{}",
        pin(1),
        pin(2)
    );
    assert_eq!(plain::entries(&written, date(2026, 11, 27)).map(|entries| entries.len()), Some(2));
    assert!(plain::entries(&written, date(2027, 5, 1)).is_none(), "a warning of its end is due");
}
