use jiff::civil::date;
use pinfold_policy::vendor::{OtherTls, Vendors};
use proptest::prelude::*;

use crate::crosscheck::Surroundings;
use crate::pins::{Reading, piece_of_list, whole};
use crate::settings::Egress;

use super::*;

const DIGEST: &str = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

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
}
