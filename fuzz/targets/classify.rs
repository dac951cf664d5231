//! A response head and the first bytes of a body: the set of kinds that any client could make of them.
//!
//! The input is parts that end in a byte 0xff: destination, path, two media types, a disposition, a location, and the
//! rest is the beginning of the body. The second reader of media types follows the MIME Sniffing and Fetch standards, that
//! of dispositions the grammar of RFC 6266.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_policy::kind::{
    Answered, Asked, Kind, Kinds, MAGIC_LEN, classify, classify_request, could_become_magic,
};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(7, |byte| *byte == 0xff);
    let mut part = || parts.next().unwrap_or_default();
    let [destinations, path, one_type, other_type] =
        std::array::from_fn(|_| String::from_utf8_lossy(part()).into_owned());
    let disposition = part();
    let location = String::from_utf8_lossy(part());
    let start = part();

    let asked = Asked { destinations: &destinations, service_worker: false, path: &path };
    let content_types = [one_type.as_str(), other_type.as_str()];
    let (dispositions, locations, starts) = ([disposition], [&*location], [start]);
    let answered = Answered {
        content_types: &content_types,
        dispositions: &dispositions,
        locations: &locations,
        starts: &starts,
    };
    let kinds = classify(&asked, &answered);

    facts_only_add(&asked, &answered, kinds);
    types_of_the_standard(&content_types, kinds);
    let names = std::str::from_utf8(disposition).map(names_by_the_grammar).unwrap_or_default();
    names.iter().for_each(|name| name_says(name, kinds));
    magic(start);
});

/// Taking a fact away never adds a kind, and what the request alone says stays said.
fn facts_only_add(asked: &Asked<'_>, answered: &Answered<'_>, kinds: Kinds) {
    let less = [
        (Asked { destinations: "", ..*asked }, *answered),
        (Asked { path: "", ..*asked }, *answered),
        (*asked, Answered { content_types: &answered.content_types[1..], ..*answered }),
        (*asked, Answered { content_types: &answered.content_types[..1], ..*answered }),
        (*asked, Answered { dispositions: &[], ..*answered }),
        (*asked, Answered { locations: &[], ..*answered }),
        (*asked, Answered { starts: &[], ..*answered }),
        (*asked, Answered::default()),
    ];
    for (asked, answered) in less {
        assert_within(classify(&asked, &answered), kinds);
        assert_within(classify_request(&asked), kinds);
    }
    let worker = classify(&Asked { service_worker: true, ..*asked }, answered);
    assert_within(kinds, worker);
    assert!(worker.contains(Kind::Script));
}

fn assert_within(less: Kinds, more: Kinds) {
    assert!(less.iter().all(|kind| more.contains(kind)), "{less} is not within {more}");
}

/// Fetch, "extract a MIME type": what a browser takes from all `Content-Type` fields together.
fn types_of_the_standard(content_types: &[&str], kinds: Kinds) {
    let joined = content_types.join(", ");
    for essence in content_types.iter().copied().chain([joined.as_str()]).filter_map(extracted) {
        let script = essence.strip_prefix("text/").or(essence.strip_prefix("application/"));
        let is_script = script.is_some_and(|name| {
            matches!(name, "javascript" | "ecmascript" | "x-javascript" | "x-ecmascript")
        }) || matches!(
            essence.as_str(),
            "text/jscript"
                | "text/livescript"
                | "text/javascript1.0"
                | "text/javascript1.1"
                | "text/javascript1.2"
                | "text/javascript1.3"
                | "text/javascript1.4"
                | "text/javascript1.5"
        );
        let is_xml = essence.ends_with("+xml") || matches!(essence.as_str(), "text/xml" | "application/xml");
        for (is, kind) in [
            (is_script, Kind::Script),
            (essence == "application/wasm", Kind::Wasm),
            (essence == "text/css", Kind::Style),
            (essence == "text/html" || is_xml, Kind::Document),
        ] {
            let also = kind == Kind::Document && kinds.contains(Kind::Installer);
            assert!(!is || kinds.contains(kind) || also, "{content_types:?} is {essence}, and not {kinds}");
        }
    }
}

/// The last of a list of media types that can be read, as Fetch has it: commas in quoted strings separate nothing.
fn extracted(field: &str) -> Option<String> {
    let mut quoted = false;
    let mut escaped = false;
    let values = field.split(|char| {
        let separates = char == ',' && !quoted;
        quoted ^= char == '"' && !escaped;
        escaped = quoted && char == '\\' && !escaped;
        separates
    });
    values.filter_map(essence).filter(|essence| essence != "*/*").last()
}

/// MIME Sniffing §4.4, "parse a MIME type", without the parameters.
fn essence(value: &str) -> Option<String> {
    let space = ['\t', '\n', '\r', ' '];
    let (kind, rest) = value.trim_matches(space).split_once('/')?;
    let subtype = rest.split(';').next().unwrap_or_default().trim_end_matches(space);
    let is_token = |text: &str| !text.is_empty() && text.chars().all(is_token_char);
    (is_token(kind) && is_token(subtype)).then(|| format!("{kind}/{subtype}").to_ascii_lowercase())
}

/// The file names of RFC 6266 §4.1: tokens and quoted strings, and `filename*` in UTF-8 with its escapes undone.
fn names_by_the_grammar(disposition: &str) -> Vec<String> {
    let mut names = Vec::new();
    let Some((_, mut rest)) = disposition.split_once(';') else { return names };
    while let Some((name, after)) = rest.split_once('=') {
        let Some((value, after)) = value(after.trim_start_matches([' ', '\t'])) else { return names };
        match (name.trim_matches([' ', '\t']).to_ascii_lowercase().as_str(), value.get(..7)) {
            ("filename", _) => names.push(value),
            ("filename*", Some(charset)) if charset.eq_ignore_ascii_case("utf-8''") => {
                names.push(decoded(&value[7..]))
            }
            _ => {}
        }
        let Some((blank, after)) = after.split_once(';') else { return names };
        if !blank.trim_matches([' ', '\t']).is_empty() {
            return names;
        }
        rest = after;
    }
    names
}

/// A token or a quoted string (RFC 9110 §5.6), and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|char: char| !is_token_char(char)).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            char => value.push(char),
        }
    }
}

fn is_token_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char)
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        let hex = tail.get(..2).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit) && *byte == b'%');
        let escaped = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whatever stands before its extension, a name that ends in one of these says what it is.
fn name_says(name: &str, kinds: Kinds) {
    let lower = name.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    for (extension, kind) in [
        (".js", Kind::Script),
        (".mjs", Kind::Script),
        (".wasm", Kind::Wasm),
        (".css", Kind::Style),
        (".svg", Kind::Document),
        (".exe", Kind::Installer),
        (".ps1", Kind::Installer),
        ("%2eexe", Kind::Installer),
    ] {
        assert!(!lower.ends_with(extension) || kinds.contains(kind), "{name:?} is not {kinds}");
    }
}

/// Where no more bytes could make a magic, none do; and no more than [`MAGIC_LEN`] ever count.
fn magic(start: &[u8]) {
    let by =
        |start: &[u8]| classify(&Asked::default(), &Answered { starts: &[start], ..Answered::default() });
    for end in 0..start.len().min(2 * MAGIC_LEN) {
        let (prefix, whole) = (&start[..end], by(start));
        assert_within(by(prefix), whole);
        assert!(could_become_magic(prefix) || by(prefix) == whole, "{prefix:?} became {whole}");
        if end >= MAGIC_LEN {
            assert_eq!(by(prefix), whole, "a magic beyond {MAGIC_LEN} bytes");
        }
    }
}
