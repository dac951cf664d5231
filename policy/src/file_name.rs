//! Under which names a client may save a response, and what such a name makes of it.
//!
//! Clients disagree on `Content-Disposition` more than on any other field: they decode or do not, stop at a NUL or do
//! not, trust quotes or do not. So every name is taken that some client reads, and of a name every reading. A name that
//! some client can read and pinfold cannot is said to be hidden, and may then be anything.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::kind::lower;

/// The names that a response gives itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileNames {
    /// Each name that some client would save under, percent-escapes as they came.
    pub names: BTreeSet<String>,
    /// Whether there is a name in a charset that hides its letters, or in pieces that do not fit together.
    pub is_hidden: bool,
}

/// Every file name in some `Content-Disposition` fields (RFC 6266), or in the `name` parameter of `Content-Type`, which
/// older clients take as well. `filename`, `filename*` (RFC 8187), the pieces `filename*0` of RFC 2231, and the encoded
/// words of RFC 2047, which browsers decode although RFC 6266 does not ask for it.
#[must_use]
pub fn file_names<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> FileNames {
    let mut found = FileNames::default();
    for field in fields {
        // Without a sign of equality there is no parameter, quoted or not.
        if !field.contains(&b'=') {
            continue;
        }
        let field = String::from_utf8_lossy(field);
        let parameters = outside_quotes(&field);
        found.join_pieces(&parameters);
        for parameter in parameters {
            found.read(parameter);
        }
        // And as clients see it that know nothing of quotes: a quote that is never closed hides nothing from them.
        for parameter in field.split([';', ',', ' ', '\t']).chain(field.split([';', ','])) {
            found.read(parameter);
        }
    }
    found
}

impl FileNames {
    fn read(&mut self, parameter: &str) {
        let Some((name, value)) = parameter.split_once('=') else { return };
        let name = lower(name.trim());
        for value in
            [Some(unquoted(value)), quoted_start(value), Some(token_start(value))].into_iter().flatten()
        {
            match &*name {
                "filename" | "name" => self.take(value),
                "filename*" | "name*" => self.take_extended(value),
                _ => {}
            }
        }
    }

    fn take(&mut self, value: &str) {
        self.add(value.to_owned());
        // A backslash quotes what follows (RFC 9110 §5.6.4), or is a folder's, as clients on Windows have it.
        self.add(value.replace('\\', ""));
        match encoded_words(value) {
            Words::None => {}
            Words::Decoded(name) => self.add(name),
            Words::Hidden => self.is_hidden = true,
        }
    }

    /// `charset'language'value` (RFC 8187 §3.2.1).
    fn take_extended(&mut self, value: &str) {
        let mut parts = value.splitn(3, '\'');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(charset), Some(_language), Some(_)) if !keeps_ascii(charset) => self.is_hidden = true,
            (_, _, Some(name)) => self.add(name.to_owned()),
            (_, _, None) => self.take(value),
        }
    }

    fn add(&mut self, name: String) {
        if !name.is_empty() {
            self.names.insert(name);
        }
    }

    /// Puts `filename*0`, `filename*1*`, … together (RFC 2231 §3).
    fn join_pieces(&mut self, parameters: &[&str]) {
        let mut pieces = BTreeMap::new();
        for parameter in parameters {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            let name = lower(name.trim());
            let Some(section) = name.strip_prefix("filename*").filter(|section| !section.is_empty()) else {
                continue;
            };
            let known =
                section.trim_end_matches('*').parse().map(|at: u32| pieces.insert(at, unquoted(value)));
            // A number that is none, or twice the same: each client makes another name of it.
            self.is_hidden |= known != Ok(None);
        }
        let is_whole = (0u32..).zip(pieces.keys()).all(|(expected, at)| expected == *at);
        self.is_hidden |= !is_whole;
        let joined = pieces.values().copied().collect::<String>();
        if !joined.is_empty() {
            self.take_extended(&joined);
        }
    }
}

/// Splits at semicolons that stand outside quoted strings.
fn outside_quotes(text: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|char| {
        let is_separator = char == ';' && !quoted;
        if char == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = char == '\\' && !escaped;
        is_separator
    })
    .collect()
}

fn unquoted(value: &str) -> &str {
    value.trim().trim_matches(['"', '\''])
}

/// The quoted string that a value begins with. Firefox takes it, and leaves whatever follows it before the semicolon.
fn quoted_start(value: &str) -> Option<&str> {
    let text = value.trim_start().strip_prefix('"')?;
    let mut escaped = false;
    let end = text.find(|char| {
        let ends = char == '"' && !escaped;
        escaped = char == '\\' && !escaped;
        ends
    })?;
    text.get(..end)
}

/// The token that a value begins with (RFC 9110 §5.6.2): a strict client ends there, and leaves what follows it.
fn token_start(value: &str) -> &str {
    let text = value.trim_start();
    let is_token_char = |char: char| char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char);
    let end = text.find(|char| !is_token_char(char)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Whether the letters and the dot of an extension are the same bytes in this charset as in ASCII. They are not in
/// UTF-16, UTF-7, EBCDIC and the ISO 2022 family, which libraries that browsers use decode all the same.
fn keeps_ascii(charset: &str) -> bool {
    const ASCII_BASED: [&str; 20] = [
        "ascii",
        "big5",
        "cp125",
        "euc-",
        "gb18030",
        "gb2312",
        "gbk",
        "iso-8859-",
        "iso8859",
        "koi8",
        "ks_c",
        "latin",
        "macintosh",
        "shift-jis",
        "shift_jis",
        "sjis",
        "tis-620",
        "us-ascii",
        "utf-8",
        "windows-",
    ];
    let charset = charset.trim().to_ascii_lowercase();
    charset.is_empty() || charset == "utf8" || ASCII_BASED.iter().any(|known| charset.starts_with(known))
}

enum Words {
    /// It holds no encoded word.
    None,
    Decoded(String),
    /// It holds one in a charset that hides its letters.
    Hidden,
}

/// Undoes `=?charset?B?…?=` and `=?charset?Q?…?=` (RFC 2047 §2).
fn encoded_words(text: &str) -> Words {
    let (mut out, mut rest, mut found) = (String::new(), text, false);
    while let Some((before, word)) = rest.split_once("=?") {
        let Some((charset, encoding, encoded, after)) = word_parts(word) else { break };
        // RFC 2231 §5: a language may follow the charset.
        if !keeps_ascii(charset.split('*').next().unwrap_or_default()) {
            return Words::Hidden;
        }
        let Some(decoded) = word_decoded(encoding, encoded) else { break };
        // RFC 2047 §6.2: white space between two words does not count.
        if !(found && before.trim().is_empty()) {
            out.push_str(before);
        }
        out.push_str(&String::from_utf8_lossy(&decoded));
        (rest, found) = (after, true);
    }
    if !found {
        return Words::None;
    }
    out.push_str(rest);
    Words::Decoded(out)
}

/// Charset, encoding, text, and what follows the word.
fn word_parts(word: &str) -> Option<(&str, &str, &str, &str)> {
    let (charset, rest) = word.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (encoded, after) = rest.split_once("?=")?;
    Some((charset, encoding, encoded, after))
}

fn word_decoded(encoding: &str, text: &str) -> Option<Vec<u8>> {
    /// As clients are: padding and the bits behind the end may be wrong.
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    match encoding {
        "b" | "B" => LENIENT.decode(text).ok(),
        "q" | "Q" => Some(unescaped(&text.replace('_', " "), b'=')),
        _ => None,
    }
}

/// Undoes `%41`, or the same with another sign; what is no escape stays.
fn unescaped(text: &str, sign: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        match crate::url::escape(tail) {
            Some(decoded) if *byte == sign => {
                bytes.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            Some(_) | None => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    bytes
}

/// Every extension that some client sees in a name, in lower case: in the name as it stands, and with its escapes
/// decoded, as browsers save it.
pub(crate) fn extensions(name: &str) -> Vec<Cow<'_, str>> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.bytes().all(is_plain) {
        // As most names: then all clients read the same.
        return extension(name).into_iter().collect();
    }
    all_extensions(name).into_iter().map(Cow::Owned).collect()
}

fn all_extensions(name: &str) -> Vec<String> {
    let decoded = String::from_utf8_lossy(&unescaped(name, b'%')).into_owned();
    let mut found = [name, decoded.as_str()].into_iter().flat_map(readings).collect::<Vec<_>>();
    found.dedup();
    found
}

fn readings(name: &str) -> Vec<String> {
    let plain: String = name.chars().map(plain).filter(|char| !is_dropped(*char)).collect();
    // What stands before the last slash or backslash is a folder for some client.
    let file = plain.rsplit(['/', '\\']).next().unwrap_or_default();
    // A NUL or a line's end cuts a name short, a colon begins a stream of NTFS ("setup.exe::$DATA"), and a semicolon
    // the parameters of a path (RFC 3986 §3.3), which many servers drop before they look for the file.
    file.split(['\0', '\r', '\n', ':', ';']).filter_map(extension).map(Cow::into_owned).collect()
}

fn extension(name: &str) -> Option<Cow<'_, str>> {
    // Windows drops dots and spaces from the end of a name, and clients drop what no file name there may hold.
    let is_trimmed =
        |char: char| char.is_whitespace() || ['.', '"', '\'', '<', '>', '|', '?', '*'].contains(&char);
    let (_, extension) = name.trim_end_matches(is_trimmed).rsplit_once('.')?;
    Some(lower(extension))
}

/// Windows maps wide letters and dots to plain ones where a program asks for the name in its own code page ("best fit").
fn plain(char: char) -> char {
    match char {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(char) - 0xfee0).unwrap_or(char),
        '\u{2024}' | '\u{3002}' | '\u{fe52}' | '\u{ff61}' => '.',
        other => other,
    }
}

/// What clients take out of a name: control characters, and what turns or hides letters, such as the right-to-left
/// override that shows "exe.png" for "gnp.exe".
fn is_dropped(char: char) -> bool {
    let is_separator = matches!(char, '\0' | '\r' | '\n');
    let is_invisible = matches!(
        char,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    (char.is_control() && !is_separator) || is_invisible
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(value: &str) -> FileNames {
        file_names([value.as_bytes()])
    }

    #[test]
    fn what_follows_a_quoted_name_does_not_hide_it() {
        for value in [
            "attachment; filename=\"setup.exe\"x",
            "attachment; filename=\"setup.exe\".txt; size=3",
            "attachment; filename = \"setup.exe\" \"x.txt\"",
            "attachment; filename*=\"UTF-8''setup.exe\"x",
        ] {
            assert!(of(value).names.contains("setup.exe"), "{value}: {:?}", of(value).names);
        }
    }

    #[test]
    fn what_follows_an_unquoted_name_does_not_hide_it() {
        for value in [
            "attachment; filename=setup.exe(x",
            "attachment; filename = setup.exe\u{fffd}.txt",
            "attachment; filename=setup.exe\"x.txt",
            "attachment; filename*=UTF-8''setup.exe(x",
        ] {
            assert!(of(value).names.contains("setup.exe"), "{value}: {:?}", of(value).names);
        }
    }

    #[test]
    fn every_name_that_a_client_may_save_under() {
        for (value, name) in [
            ("attachment; filename=\"setup.exe\"", "setup.exe"),
            ("attachment; filename=setup.exe", "setup.exe"),
            ("filename=setup.exe", "setup.exe"),
            ("attachment filename=setup.exe", "setup.exe"),
            ("attachment ; filename = setup.exe", "setup.exe"),
            ("attachment; FileName=\"a;b.exe\"", "a;b.exe"),
            ("attachment; filename='setup.exe'", "setup.exe"),
            ("attachment; name=setup.exe", "setup.exe"),
            ("attachment; filename=\"setup.bat\"; filename*=UTF-8''x.txt", "setup.bat"),
            ("attachment; filename=\"x.txt\"; filename*=UTF-8''setup.bat", "setup.bat"),
            ("attachment; filename*=UTF-8''it's.exe", "it's.exe"),
            ("attachment; filename*=\"iso-8859-1'en'setup.exe\"", "setup.exe"),
            ("attachment; filename*=setup.exe", "setup.exe"),
            ("attachment; filename=\"a\\\"b.exe\"", "a\"b.exe"),
            ("attachment; filename=\"..\\\\setup.exe\"", "..\\\\setup.exe"),
            ("attachment; filename=x.txt, attachment; filename=setup.exe", "setup.exe"),
            ("attachment; x=\"; filename=setup.exe; y=.txt", "setup.exe"),
        ] {
            let found = of(value);
            assert!(found.names.contains(name), "{value}: {found:?}");
            assert!(!found.is_hidden, "{value}");
        }
    }

    #[test]
    fn a_name_in_pieces_is_put_together() {
        for (value, name) in [
            ("attachment; filename*0=\"set\"; filename*1=\"up.exe\"", "setup.exe"),
            ("attachment; filename*1=up.exe; filename*0=set", "setup.exe"),
            ("attachment; filename*0*=UTF-8''set; filename*1*=up%2Eexe", "setup%2Eexe"),
        ] {
            assert_eq!(of(value), FileNames { names: [name.into()].into(), is_hidden: false }, "{value}");
        }
        for value in [
            "attachment; filename*0=set; filename*2=up.exe",
            "attachment; filename*0=x.txt; filename*0=setup.exe",
            "attachment; filename*one=setup.exe",
        ] {
            assert!(of(value).is_hidden, "{value}");
        }
    }

    #[test]
    fn an_encoded_word_is_decoded() {
        for (value, name) in [
            ("attachment; filename=\"=?UTF-8?B?c2V0dXAuZXhl?=\"", "setup.exe"),
            ("attachment; filename=\"=?utf-8*en?b?c2V0dXAuZXhl?=\"", "setup.exe"),
            ("attachment; filename==?UTF-8?Q?setup=2Eexe?=", "setup.exe"),
            ("attachment; filename=\"=?UTF-8?Q?set?= =?UTF-8?Q?up.exe?=\"", "setup.exe"),
            ("attachment; filename=\"=?iso-8859-1?q?my_setup?=.exe\"", "my setup.exe"),
        ] {
            assert!(of(value).names.contains(name), "{value}: {:?}", of(value));
        }
        assert!(!of("attachment; filename=\"what=?.txt\"").is_hidden);
    }

    #[test]
    fn a_charset_that_hides_the_letters_of_a_name() {
        for value in [
            "attachment; filename*=UTF-16''s%00e%00t%00u%00p%00.%00e%00x%00e%00",
            "attachment; filename*=UTF-7''setup%2BAC4-exe",
            "attachment; filename*=ibm037''%A2",
            "attachment; filename=\"=?hz-gb-2312?Q?x?=\"",
            "attachment; filename*0*=UTF-16''x; filename*1*=y",
        ] {
            assert!(of(value).is_hidden, "{value}");
        }
    }

    #[test]
    fn every_extension_that_a_client_may_see() {
        for name in [
            "setup.exe",
            "SETUP.EXE",
            "setup%2Eexe",
            "setup.exe.",
            "setup.exe. . ",
            "setup.exe%20",
            "setup.exe\u{a0}",
            "setup.exe\0.txt",
            "setup.exe%00.txt",
            "setup.exe\n.txt",
            "setup.exe::$DATA",
            "setup.exe:stream.txt",
            "setup.exe;v=1.png",
            "..\\setup.exe",
            "..%5Csetup.exe",
            "photo\u{202e}gnp.exe",
            "setup.e\u{200b}xe",
            "setup\u{ff0e}exe",
            "setup\u{2024}exe",
            "setup.\u{ff45}\u{ff58}\u{ff45}",
            "setup.exe\"",
            "setup.exe?",
            ".exe",
        ] {
            assert!(extensions(name).iter().any(|one| one == "exe"), "{name:?}: {:?}", extensions(name));
        }
        for name in ["exe", "setup.exe/readme", "setup.exe.txt", "my.exe-notes.pdf", ""] {
            assert!(!extensions(name).iter().any(|one| one == "exe"), "{name:?}: {:?}", extensions(name));
        }
    }

    proptest! {
        #[test]
        fn no_field_panics(value in prop::collection::vec(any::<u8>(), 0..200)) {
            let found = file_names([value.as_slice()]);
            for name in &found.names {
                let _ = extensions(name);
            }
        }

        #[test]
        fn of_a_plain_name_all_readings_are_one(name in "[a-zA-Z0-9._-]{0,12}") {
            prop_assert_eq!(extensions(&name), all_extensions(&name));
        }

        #[test]
        fn a_plain_name_is_found_whatever_stands_around_it(before in "[a-z =\"';,]{0,20}", after in "[a-z =\"';,]{0,20}") {
            let found = of(&format!("{before};filename=setup.exe;{after}"));
            prop_assert!(found.names.iter().any(|name| extensions(name).iter().any(|one| one == "exe")), "{found:?}");
        }
    }
}
