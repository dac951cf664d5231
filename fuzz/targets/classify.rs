//! A response head and the first bytes of a body: the set of kinds that any client could make of them.
//!
//! The input is parts that end in a byte 0xff: destination, path, two media types, two file names, and the rest is the
//! beginning of the body. The second reader of media types follows the MIME Sniffing and Fetch standards.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_policy::kind::{
    Answered, Asked, Kind, Kinds, MAGIC_LEN, classify, classify_request, could_become_magic,
};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(7, |byte| *byte == 0xff);
    let mut part = || parts.next().unwrap_or_default();
    let [destination, path, one_type, other_type, one_name, other_name] =
        std::array::from_fn(|_| String::from_utf8_lossy(part()).into_owned());
    let start = part();

    let destination = Some(destination.as_str()).filter(|destination| !destination.is_empty());
    let asked = Asked { destination, service_worker: false, path: &path };
    let content_types = [one_type.as_str(), other_type.as_str()];
    let file_names = [one_name.as_str(), other_name.as_str()];
    let answered = Answered { content_types: &content_types, file_names: &file_names, starts: &[start] };
    let kinds = classify(&asked, &answered);

    facts_only_add(&asked, &answered, kinds);
    types_of_the_standard(&content_types, kinds);
    names_say(&file_names, kinds);
    magic(start);
});

/// Taking a fact away never adds a kind, and what the request alone says stays said.
fn facts_only_add(asked: &Asked<'_>, answered: &Answered<'_>, kinds: Kinds) {
    let less = [
        (Asked { destination: None, ..*asked }, *answered),
        (Asked { path: "", ..*asked }, *answered),
        (*asked, Answered { content_types: &answered.content_types[1..], ..*answered }),
        (*asked, Answered { content_types: &answered.content_types[..1], ..*answered }),
        (*asked, Answered { file_names: &answered.file_names[1..], ..*answered }),
        (*asked, Answered { file_names: &[], ..*answered }),
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
    let is_token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    (is_token(kind) && is_token(subtype)).then(|| format!("{kind}/{subtype}").to_ascii_lowercase())
}

/// Whatever stands before its extension, a name that ends in one of these says what it is.
fn names_say(names: &[&str], kinds: Kinds) {
    for name in names {
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
