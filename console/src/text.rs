//! Text from outside, as pages show it.

use std::fmt;
use std::net::IpAddr;

use pinfold_policy::printable::{printable, printable_code};

/// A text in which every character that a reader would not see as itself is an escape. Templates escape it for HTML; nothing
/// from outside gets into one but as this, or as a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(String);

impl Text {
    pub(crate) fn of(text: &str) -> Self {
        Self(printable(text).into_owned())
    }

    /// The same of a line of code, with its backslashes as they are.
    pub(crate) fn of_code(text: &str) -> Self {
        Self(printable_code(text).into_owned())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<IpAddr> for Text {
    fn from(address: IpAddr) -> Self {
        Self(address.to_string())
    }
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::*;

    #[derive(Template)]
    #[template(ext = "html", source = "<p title=\"{{ text }}\">{{ text }}</p>")]
    struct Page {
        text: Text,
    }

    #[test]
    fn what_is_shown_is_neither_markup_nor_invisible() {
        let shown = |text: &str| Page { text: Text::of(text) }.render().unwrap();
        let planted = shown("\"><script>alert(1)</script>");
        let escaped = "&#34;&#62;&#60;script&#62;alert(1)&#60;/script&#62;";
        assert_eq!(planted, format!("<p title=\"{escaped}\">{escaped}</p>"));
        assert!(shown("{{ 7 * 7 }}{% raw %}").contains("{{ 7 * 7 }}{% raw %}"));
        assert!(shown("gpj.\u{202e}exe\u{200b}\0").contains("gpj.\\u{202e}exe\\u{200b}\\u{0}"));
    }
}
