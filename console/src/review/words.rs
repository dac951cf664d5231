//! Numbers and times in words.

use jiff::Timestamp;
use pinfold_store::entry::DeliveryPath;
use pinfold_store::item::ItemState;

use crate::text::Text;

/// `1 client`, `2 clients`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Bytes: `41.2 KiB (42188 bytes)`.
pub(super) fn size(bytes: u64) -> String {
    let (mut scaled, mut unit) = (bytes as f64, "bytes");
    for larger in ["KiB", "MiB", "GiB"] {
        if scaled < 1024.0 {
            break;
        }
        (scaled, unit) = (scaled / 1024.0, larger);
    }
    if unit == "bytes" { counted(bytes, "byte") } else { format!("{scaled:.1} {unit} ({bytes} bytes)") }
}

/// With a capital in front.
pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// What a command says in its voice, as a sentence of a page.
pub(super) fn sentence(text: &str) -> String {
    let end = if text.ends_with(['.', '!', '?', ':']) { "" } else { "." };
    format!("{}{end}", capitalised(text))
}

/// To the minute, in UTC.
pub(super) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

/// `5 min`, `3 h`, `12 days`.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(time).as_mins().max(0);
    match minutes {
        0 => "just now".to_owned(),
        1..60 => format!("{minutes} min ago"),
        60..2880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1440),
    }
}

/// The rows of a delivery path, by the same names in the same order for each.
pub(super) fn path_rows(path: &DeliveryPath) -> [(&'static str, Text); 5] {
    let or = |text: Option<&str>, none: &str| Text::of(text.unwrap_or(none));
    [
        ("Address", Text::from(path.address.ip())),
        ("Protocol", Text::of(&format!("HTTP/{}", path.http_version))),
        ("TLS", or(path.tls_version.as_deref(), "none: clear text")),
        ("Certificate issuer", or(path.issuer.as_deref(), "none")),
        ("Certificate SHA-256", or(path.fingerprint.as_deref(), "none")),
    ]
}

/// A value in the query of a link.
pub(super) fn in_query(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// A mark and a word, so that no meaning hangs on a colour.
pub(super) fn state_mark(state: ItemState) -> &'static str {
    match state {
        ItemState::Waiting => "◷",
        ItemState::Approved => "✓",
        ItemState::Rejected => "✕",
        ItemState::Revoked => "⊘",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_place_in_a_link() {
        assert_eq!(in_query("https://a.test/?b=1&c#é\""), "https%3A%2F%2Fa.test%2F%3Fb%3D1%26c%23%C3%A9%22");
    }

    #[test]
    fn what_a_command_says_is_a_sentence_on_a_page() {
        assert_eq!(sentence("it had been decided so before"), "It had been decided so before.");
        assert_eq!(sentence("Wait 3 s."), "Wait 3 s.");
        assert_eq!(sentence("élan"), "Élan.");
    }

    #[test]
    fn sizes_and_times_are_short_and_exact_where_it_counts() {
        assert_eq!(size(1), "1 byte");
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(42_188), "41.2 KiB (42188 bytes)");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-28T12:00:00Z");
        for (time, said) in [
            ("2026-11-28T12:00:01Z", "just now"),
            ("2026-11-28T11:55:00Z", "5 min ago"),
            ("2026-11-27T12:00:00Z", "24 h ago"),
            ("2026-11-01T12:00:00Z", "27 days ago"),
        ] {
            assert_eq!(ago(at(time), now), said);
        }
    }
}
