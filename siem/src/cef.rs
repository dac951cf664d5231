//! Events in the Common Event Format (CEF) 0, revision 25: a table from ECS fields to extension keys.
//!
//! A header field cannot hold a bar or a backslash as itself, and an extension's value no equals sign, backslash or line
//! end; what no terminal should get from a stranger is replaced. So whatever bytes a value holds, it ends where it ends.

use jiff::Timestamp;
use serde_json::Value;

use crate::fields::Fields;

/// From ECS, to the key, and how many characters the standard allows in it.
const EXTENSION: &[(&str, &str, usize)] = &[
    ("observer.hostname", "dvchost", 100),
    ("event.action", "cat", 1023),
    ("event.outcome", "outcome", 63),
    ("event.reason", "reason", 1023),
    ("Pinfold.count", "cnt", 20),
    ("event.id", "externalId", 40),
    ("message", "msg", 1023),
    ("source.ip", "src", 45),
    ("source.port", "spt", 5),
    ("user.name", "suser", 1023),
    ("destination.ip", "dst", 45),
    ("destination.port", "dpt", 5),
    ("destination.address", "dhost", 1023),
    ("source.bytes", "out", 20),
    ("destination.bytes", "in", 20),
    ("http.request.method", "requestMethod", 1023),
    ("url.full", "request", 1023),
    ("http.request.referrer", "requestContext", 2048),
    ("user_agent.original", "requestClientApplication", 1023),
    ("file.name", "fname", 1023),
    ("file.size", "fsize", 20),
    ("file.mime_type", "fileType", 1023),
    ("file.hash.sha256", "fileHash", 255),
];

/// Custom strings: from ECS, and the name that stands in the label.
const CUSTOM: [(&str, &str); 6] = [
    ("rule.id", "rule"),
    ("Pinfold.vendor", "vendor"),
    ("Pinfold.incident", "incident"),
    ("Pinfold.subject", "subject"),
    ("tls.server.issuer", "upstreamIssuer"),
    ("tls.server.hash.sha256", "upstreamCertificateSha256"),
];

/// The longest custom string, in characters.
const LONGEST_CUSTOM: usize = 4000;

/// One event as one line, without the line's end; `ecs` are its fields.
pub(crate) fn line(ecs: &Fields) -> String {
    let version = header(ecs.text("observer.version").unwrap_or_default());
    let code = header(ecs.text("event.code").unwrap_or_default());
    let severity = severity(ecs.number("event.severity").unwrap_or_default());
    let mut line = format!("CEF:0|pinfold|pinfold|{version}|{code}|{}|{severity}|", header(&name(ecs)));
    let times = [("@timestamp", "rt"), ("event.start", "start"), ("event.end", "end")];
    for (from, key) in times {
        if let Some(at) = ecs.text(from).and_then(|text| text.parse::<Timestamp>().ok()) {
            push(&mut line, key, &at.as_millisecond().to_string(), usize::MAX);
        }
    }
    let done = ecs.text("Pinfold.verdict").or(ecs.text("event.action"));
    push(&mut line, "act", done.unwrap_or_default(), 63);
    push(&mut line, "app", &ecs.text("url.scheme").unwrap_or_default().to_ascii_uppercase(), 31);
    for (from, key, longest) in EXTENSION {
        push(&mut line, key, &text(ecs, from), *longest);
    }
    for (at, (from, label)) in (1..).zip(CUSTOM) {
        let value = text(ecs, from);
        if !value.is_empty() {
            push(&mut line, &format!("cs{at}Label"), label, LONGEST_CUSTOM);
            push(&mut line, &format!("cs{at}"), &value, LONGEST_CUSTOM);
        }
    }
    line.truncate(line.trim_end_matches(' ').len());
    line
}

fn text(ecs: &Fields, path: &str) -> String {
    match ecs.get(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => String::new(),
    }
}

/// What happened, without what differs from event to event: `Artifact quarantined: digest mismatch`.
fn name(ecs: &Fields) -> String {
    let action = ecs.text("event.action").unwrap_or_default().replace('-', " ");
    let reason = ecs.text("event.reason").map(|reason| format!(": {}", reason.replace('-', " ")));
    let mut letters = action.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(reason.unwrap_or_default().chars()).collect()
}

/// From ECS's scale to CEF's: 0 to 3 low, to 6 medium, to 8 high, to 10 very high.
fn severity(severity: u64) -> u64 {
    match severity {
        ..21 => 1,
        21..47 => 3,
        47..73 => 5,
        73..99 => 8,
        99.. => 10,
    }
}

fn header(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars().take(512) {
        if matches!(char, '|' | '\\') {
            out.push('\\');
        }
        out.push(printable(char));
    }
    out
}

fn push(line: &mut String, key: &str, value: &str, longest: usize) {
    if value.is_empty() {
        return;
    }
    line.push_str(key);
    line.push('=');
    for char in value.chars().take(longest) {
        match char {
            '=' | '\\' => line.extend(['\\', char]),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            char => line.push(printable(char)),
        }
    }
    line.push(' ');
}

/// Letters that show nothing: two fillers of Hangul, its wide one and its half-wide one. Whatever else Unicode calls
/// default-ignorable is no letter.
const INVISIBLE: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];

/// Letters, digits and ASCII as they are.
fn printable(char: char) -> char {
    let is_seen = char.is_alphanumeric() && !INVISIBLE.contains(&char);
    if is_seen || (' '..='~').contains(&char) { char } else { char::REPLACEMENT_CHARACTER }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(&str, &str)]) -> String {
        let mut ecs = Fields::default();
        for (path, value) in values {
            ecs.put(path, *value);
        }
        line(&ecs)
    }

    #[test]
    fn a_value_cannot_end_its_field_begin_another_or_begin_another_line() {
        let hostile = "a|b\\c=d\nact=allowed\r\n CEF:0|x|\u{1b}[2J\u{2028}\u{202e}\u{85}\0é";
        let line = of(&[("event.code", hostile), ("event.action", hostile), ("user.name", hostile)]);

        let clean = "act\\=allowed\\r\\n CEF:0|x|\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}é";
        assert!(line.ends_with(&format!("suser=a|b\\\\c\\=d\\n{clean}")), "{line}");
        assert_eq!(line.lines().count(), 1);
        let bars = line.replace("\\\\", "").replace("\\|", "");
        let header: Vec<_> = bars.splitn(8, '|').collect();
        assert_eq!(header[6], "1", "{line}");
    }

    #[test]
    fn nothing_that_shows_nothing_is_written_letters_neither() {
        // Default_Ignorable_Code_Point of Unicode 16, DerivedCoreProperties.txt.
        let ranges = [
            ('\u{ad}', '\u{ad}'),
            ('\u{34f}', '\u{34f}'),
            ('\u{61c}', '\u{61c}'),
            ('\u{115f}', '\u{1160}'),
            ('\u{17b4}', '\u{17b5}'),
            ('\u{180b}', '\u{180f}'),
            ('\u{200b}', '\u{200f}'),
            ('\u{202a}', '\u{202e}'),
            ('\u{2060}', '\u{206f}'),
            ('\u{3164}', '\u{3164}'),
            ('\u{fe00}', '\u{fe0f}'),
            ('\u{feff}', '\u{feff}'),
            ('\u{ffa0}', '\u{ffa0}'),
            ('\u{fff0}', '\u{fff8}'),
            ('\u{1bca0}', '\u{1bca3}'),
            ('\u{1d173}', '\u{1d17a}'),
            ('\u{e0000}', '\u{e0fff}'),
        ];
        for char in ranges.into_iter().flat_map(|(first, last)| first..=last) {
            let line = of(&[("user.name", &format!("a{char}b"))]);
            assert!(line.ends_with("suser=a\u{fffd}b"), "{char:?}: {line:?}");
        }
    }

    /// The keys and values of an extension, as a receiver reads them: a key is what stands before an equals sign that nothing
    /// escapes.
    fn read(extension: &str) -> Vec<(String, String)> {
        let mut fields: Vec<(String, String)> = Vec::new();
        let (mut word, mut escaped) = (String::new(), false);
        for char in extension.chars() {
            match (escaped, char) {
                (true, char) => {
                    word.push(match char {
                        'n' => '\n',
                        'r' => '\r',
                        char => char,
                    });
                    escaped = false;
                }
                (false, '\\') => escaped = true,
                (false, '=') => {
                    let key = word.rsplit(' ').next().unwrap().to_owned();
                    word.truncate(word.len() - key.len());
                    if let Some((_, value)) = fields.last_mut() {
                        *value = word.strip_suffix(' ').unwrap().to_owned();
                    }
                    fields.push((key, String::new()));
                    word.clear();
                }
                (false, char) => word.push(char),
            }
        }
        if let Some((_, value)) = fields.last_mut() {
            *value = word;
        }
        fields
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_in_values_a_receiver_reads_them_and_no_others(user in ".{0,60}", page in "[ =\\\\|\r\na-z]{0,60}") {
            let line = of(&[("user.name", &user), ("http.request.referrer", &page), ("event.code", "PF-1001")]);
            proptest::prop_assert!(!line.chars().any(char::is_control), "{line:?}");
            let fields = read(line.split_once("|1|").unwrap().1);
            let expected = |text: &str| text.chars().map(|char| match char { '\n' | '\r' => char, char => printable(char) }).collect::<String>();
            for (key, value) in fields {
                let whole = match &*key { "suser" => expected(&user), "requestContext" => expected(&page), _ => continue };
                proptest::prop_assert_eq!(value.trim_end(), whole.trim_end());
            }
        }
    }

    #[test]
    fn a_value_is_cut_between_characters_and_not_within_an_escape() {
        let line = of(&[("observer.hostname", &"=".repeat(200)), ("event.reason", "")]);
        assert!(line.contains(&format!("dvchost={}", "\\=".repeat(100))));
        assert!(!line.contains(&"\\=".repeat(101)), "{line}");
    }
}
