//! Both texts of an item as they came, in pieces of a bounded size: for what is too long to be shown in the difference.
//!
//! The difference shows both in one format, and the bytes are in none. So a place is looked for by its letters, digits, `_` and
//! `$` alone, and where these stand more than once, in part, or not at all, the page says so.

use std::ops::Range;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pinfold_policy::digest::BodyId;
use pinfold_store::incident::Incident;
use pinfold_triage::as_text;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::answer::{page, to, trouble};
use super::item::{none, place};
use super::routes::Room;
use super::words::in_query;
use crate::text::Text;

/// Bytes of a text on one page.
const PIECE: usize = 20_000;
/// Letters that a place is looked for by.
const LETTERS: usize = 96;
/// How many of them are looked for where all are not found, from the front on: a number can be written in another way.
const FEWER: [usize; 2] = [48, 24];
/// Bytes in front of what was found.
const BEFORE: usize = 200;
/// Lines of a piece: who ends each soon makes no longer page.
const LINES: usize = 4000;

/// The bytes of an item, decoded, and those that they are compared with.
#[derive(Clone, Debug)]
pub struct Texts {
    /// The URL of the item.
    pub url: Box<str>,
    /// Which it is.
    pub digest: BodyId,
    /// Its bytes.
    pub new: Vec<u8>,
    /// What was verified there last; none where nothing of it is kept.
    pub verified: Option<(BodyId, Vec<u8>)>,
}

/// From which byte on a piece of each is asked for, and the letters to look for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    then: Option<usize>,
    now: Option<usize>,
    #[serde(default)]
    was: String,
    #[serde(default)]
    is: String,
}

#[derive(Template)]
#[template(path = "whole.html")]
struct WholePage {
    user: Text,
    form: String,
    incident: Incident,
    url: Text,
    most: usize,
    sides: [Side; 2],
}

struct Side {
    id: &'static str,
    name: &'static str,
    text: Option<Piece>,
}

struct Piece {
    digest: BodyId,
    /// What became of the search for letters.
    sought: Option<&'static str>,
    found: Option<Range<usize>>,
    /// Its first byte, the one behind its last, and how many there are in all.
    from: usize,
    to: usize,
    len: usize,
    before: Option<String>,
    behind: Option<String>,
    /// Its lines, in parts of which some are what was looked for.
    lines: Vec<Vec<(bool, Text)>>,
}

/// What asks for both texts where these lines stand, of which either may be cut.
pub(super) fn asks_for(was: Option<&str>, is: Option<&str>) -> String {
    let letters = |line: Option<&str>| -> String {
        line.unwrap_or_default().chars().filter(|char| is_letter(*char)).take(LETTERS).collect()
    };
    format!("was={}&is={}", in_query(&letters(was)), in_query(&letters(is)))
}

pub(super) async fn show(
    State(room): State<Room>,
    headers: HeaderMap,
    Path(incident): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let Ok(incident) = incident.parse::<Incident>() else { return none() };
    let Some(visitor) = room.visitor(&headers) else { return to("/sign-in") };
    let _place = match place() {
        Ok(place) => place,
        Err(why) => return trouble(&why),
    };
    let texts = match (room.review.texts)(incident).await {
        Ok(Some(texts)) => texts,
        Ok(None) => return none(),
        Err(why) => return trouble(&why),
    };
    let url = Text::of(&texts.url);
    let Ok(sides) = spawn_blocking(move || sides(&texts, &asked)).await else {
        return trouble("the texts could not be read");
    };
    let (user, form) = (Text::of(&visitor.session.user.name), room.forms.token(Some(&visitor.token)));
    page(StatusCode::OK, &WholePage { user, form, incident, url, most: PIECE, sides })
}

fn sides(Texts { digest, new, verified, .. }: &Texts, asked: &Asked) -> [Side; 2] {
    let mut then =
        verified.as_ref().map(|(digest, bytes)| Piece::of(*digest, &as_text(bytes), asked.then, &asked.was));
    let mut now = Piece::of(*digest, &as_text(new), asked.now, &asked.is);
    let (then_at, now_at) = (then.as_ref().map_or(0, |piece| piece.from), now.from);
    let link = |then: usize, now: usize, id: &str| {
        format!("?then={then}&now={now}&was={}&is={}#{id}", in_query(&asked.was), in_query(&asked.is))
    };
    if let Some(piece) = &mut then {
        [piece.before, piece.behind] = piece.beside().map(|at| at.map(|at| link(at, now_at, "then")));
    }
    [now.before, now.behind] = now.beside().map(|at| at.map(|at| link(then_at, at, "now")));
    [Side { id: "then", name: "Verified", text: then }, Side { id: "now", name: "This one", text: Some(now) }]
}

impl Piece {
    fn of(digest: BodyId, text: &str, from: Option<usize>, letters: &str) -> Self {
        let place = found(text, letters);
        let of_place = || place.as_ref().map_or(0, |place| place.at.start.saturating_sub(BEFORE));
        let from = text.floor_char_boundary(from.unwrap_or_else(of_place).min(text.len().saturating_sub(1)));
        let here = from..text.floor_char_boundary(from + PIECE);
        let sought = match &place {
            _ if letters.is_empty() => None,
            None => Some(
                "The letters of that line were not found here: numbers, escapes and names of local variables can be written in \
                 another way there. Turn the pieces, or search in the page.",
            ),
            Some(Place { is_whole: false, .. }) => Some(
                "Not all letters of that line stand here in a row: what is marked is the first place of a part of them, and can be \
                 another than that line.",
            ),
            Some(Place { again: true, .. }) => Some(
                "The letters of that line stand here more than once: what is marked is the first place of them.",
            ),
            Some(_) => Some("What is marked is where the letters of that line stand."),
        };
        let found = place.map(|place| place.at);
        let lines = lines(text, &here, found.as_ref());
        let to = here.end;
        Self { digest, sought, found, from, to, len: text.len(), before: None, behind: None, lines }
    }

    /// Where the pieces before and behind it begin.
    fn beside(&self) -> [Option<usize>; 2] {
        let before = (self.from > 0).then(|| self.from.saturating_sub(PIECE));
        [before, (self.to < self.len).then_some(self.to)]
    }
}

/// The lines of a part of a text, with what was found marked.
fn lines(text: &str, here: &Range<usize>, found: Option<&Range<usize>>) -> Vec<Vec<(bool, Text)>> {
    let found = found.cloned().unwrap_or_default();
    let mut at = here.start;
    let shown = text.get(here.clone()).unwrap_or_default();
    let lines = shown.splitn(LINES, '\n').map(|line| {
        let (start, behind) = (at, at + line.len());
        at = behind + 1;
        // One before the end of a line is part of that; elsewhere it ends a line for a browser and not for a reader.
        let end = behind - usize::from(line.ends_with('\r') && behind < here.end);
        let marked = found.start.clamp(start, end)..found.end.clamp(start, end);
        let parts = [(false, start..marked.start), (true, marked.clone()), (false, marked.end..end)];
        let shown = |(is_found, part): (bool, Range<usize>)| {
            let part = text.get(part).filter(|part| !part.is_empty())?;
            Some((is_found, Text::of_code(&part.replace('\t', "  "))))
        };
        parts.into_iter().filter_map(shown).collect()
    });
    lines.collect()
}

/// Where letters stand in a text.
struct Place {
    at: Range<usize>,
    /// Whether it is all of them, and not a part.
    is_whole: bool,
    /// Whether they stand behind that once more.
    again: bool,
}

/// Where letters stand in a text, whatever stands between them.
fn found(text: &str, letters: &str) -> Option<Place> {
    let sought: String = letters.chars().filter(|char| is_letter(*char)).take(LETTERS).collect();
    let of_text: String = text.chars().filter(|char| is_letter(*char)).collect();
    let parts =
        FEWER.into_iter().flat_map(|many| (0..sought.len()).step_by(many).map(move |from| from..from + many));
    // What is shorter than these says too little of a place, unless it is all there is.
    let all = std::iter::once(0..sought.len()).chain(parts);
    let mut parts = all.filter_map(|part| sought.get(part)).filter(|part| !part.is_empty());
    let (part, from) = parts.find_map(|part| Some((part, of_text.find(part)?)))?;
    let (to, is_whole) = (from + part.len(), part.len() == sought.len());
    let again = of_text.get(from + 1..).is_some_and(|rest| rest.contains(part));
    let place = |letter: usize| {
        text.char_indices().filter(|(_, char)| is_letter(*char)).nth(letter).map(|(at, _)| at)
    };
    Some(Place { at: place(from)?..place(to - 1)? + 1, is_whole, again })
}

/// Those of ASCII: each is one byte, in the text as in a link.
fn is_letter(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str, from: Option<usize>, letters: &str) -> Piece {
        Piece::of(BodyId([0; 32]), text, from, letters)
    }

    fn marked(piece: &Piece) -> String {
        let parts = piece.lines.iter().flatten().filter(|(is_found, _)| *is_found);
        parts.map(|(_, part)| part.to_string()).collect()
    }

    #[test]
    fn every_byte_of_a_long_line_is_in_one_of_its_pieces_and_no_piece_is_longer_than_it_may_be() {
        let text = format!("x{}", "é".repeat(55_000));
        let (mut shown, mut next) = (String::new(), Some(0));
        while let Some(from) = next {
            let piece = piece(&text, Some(from), "");
            assert!(piece.to - piece.from <= PIECE && piece.from == shown.len(), "{from}");
            shown.extend(piece.lines.iter().flatten().map(|(_, part)| part.to_string()));
            [_, next] = piece.beside();
        }
        assert_eq!(shown, text);
        let last = piece(&text, Some(usize::MAX), "");
        assert_eq!((last.from, last.to), (text.len() - 2, text.len()));
        assert_eq!(piece("", Some(7), "x").beside(), [None, None]);
    }

    #[test]
    fn a_line_is_found_by_its_letters_whatever_its_format_is() {
        let before = "x".repeat(3 * PIECE);
        let text = format!("{before};send( 'one',\n\ttwo+three )");
        let asked = asks_for(None, Some("…send(\"one\", two + three)…"));
        assert_eq!(asked, "was=&is=sendonetwothree");
        let piece = piece(&text, None, "sendonetwothree");
        assert_eq!((piece.from, &*marked(&piece)), (3 * PIECE + 1 - BEFORE, "send( 'one',  two+three"));
    }

    #[test]
    fn letters_that_stand_in_a_comment_too_are_said_to_stand_more_than_once() {
        let once = "steal(document.cookie)";
        let twice = format!("/* {once} */ {once}");
        let says = |text: &str| piece(text, None, "stealdocumentcookie").sought.unwrap();
        assert!(says(&twice).contains("more than once") && !says(once).contains("more than once"));
        assert!(says("nothing").contains("not found"));
    }

    #[test]
    fn a_part_of_the_letters_is_found_where_others_are_written_in_another_way() {
        let letters = format!("{}1e3{}", "a".repeat(30), "b".repeat(48));
        let text = format!("{}1000{}", "a".repeat(30), "b".repeat(48));
        assert!(!marked(&piece(&text, None, &letters)).is_empty());
    }

    #[test]
    fn a_comment_that_holds_a_part_of_the_letters_is_not_said_to_be_the_line() {
        let (decoy, changed) = ("a".repeat(FEWER[0]), "b".repeat(FEWER[0]));
        let text = format!("/* {decoy} */ real({changed:.20})");
        let piece = piece(&text, None, &format!("{decoy}{changed}"));
        assert_eq!(marked(&piece), decoy);
        assert!(piece.sought.unwrap().starts_with("Not all letters"), "{:?}", piece.sought);
    }

    #[test]
    fn what_is_not_seen_is_named_and_what_begins_with_a_mark_is_utf_16() {
        let hidden = piece("a\u{202e}b\r\nc//\rd()", None, "");
        let lines: Vec<String> =
            hidden.lines.iter().map(|line| line.iter().map(|(_, part)| part.to_string()).collect()).collect();
        assert_eq!(lines, ["a⟦U+202E⟧b", "c//⟦U+000D⟧d()"]);
        assert_eq!(as_text(b"\xff\xfea\0b\0"), "ab");
        assert_eq!(as_text(b"a\xff"), "aÿ");
    }
}
