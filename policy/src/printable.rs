//! Text from outside, made safe to look at.
//!
//! URLs, pages and user agents come from whoever attacks. On a terminal a control sequence can rewrite what stands
//! there, and there as on a page a bidirectional override can make one name look like another: each is shown as its escape.

use std::borrow::Cow;

/// Characters that leave no mark, or a blank one, although Unicode counts them as printable.
const BLANK: [char; 6] = ['\u{34f}', '\u{115f}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{ffa0}'];

/// `text` with every character escaped that a reader would not see as itself: `\u{202e}`.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|char| char == '\\' || is_deceptive(char)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            // Else an escape could be forged.
            '\\' => shown.push_str("\\\\"),
            deceptive if is_deceptive(deceptive) => shown.extend(deceptive.escape_default()),
            plain => shown.push(plain),
        }
    }
    Cow::Owned(shown)
}

/// The same for code, whose backslashes are its own: what would not be seen stands there as no code would have it, `⟦U+202E⟧`.
#[must_use]
pub fn printable_code(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_deceptive(char) {
            shown.push_str(&format!("⟦U+{:04X}⟧", u32::from(char)));
        } else {
            shown.push(char);
        }
    }
    Cow::Owned(shown)
}

/// Whether a reader would not see this character as itself: control, format (bidirectional and zero-width ones among
/// them), private and unassigned characters, separators other than the space, and fillers.
#[must_use]
pub fn is_deceptive(char: char) -> bool {
    if char.is_ascii() {
        return char.is_ascii_control();
    }
    // Behind another character, so that a combining mark counts as what it is there: printable.
    let behind = ['a', char];
    let escaped = String::from_iter(behind).escape_debug().count() > behind.len();
    escaped || BLANK.contains(&char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen_stays_as_it_is() {
        for text in ["https://cdn.example.com/a?b='c'&d=\"e\"", "grüße, e\u{301}, 日本語, 🦀", ""] {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn code_keeps_its_backslashes_and_shows_what_is_hidden_in_it() {
        assert_eq!(printable_code(r"/^h\d$/.test('\u{202e}')"), r"/^h\d$/.test('\u{202e}')");
        assert_eq!(
            printable_code("if (a\u{200b}b) /* \u{202e} */\t\u{1b}"),
            "if (a⟦U+200B⟧b) /* ⟦U+202E⟧ */⟦U+0009⟧⟦U+001B⟧"
        );
    }

    #[test]
    fn what_deceives_the_eye_is_escaped() {
        for (text, shown) in [
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{7f}\u{9b}", "\\u{7f}\\u{9b}"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("\u{3164}\u{a0}\u{2028}", "\\u{3164}\\u{a0}\\u{2028}"),
            ("\\u{202e}", "\\\\u{202e}"),
        ] {
            assert_eq!(printable(text), shown, "{text:?}");
        }
    }
}
