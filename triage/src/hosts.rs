//! Hosts in texts: in URLs, behind two slashes, and by themselves.

/// A host, and the URL that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) host: String,
    pub(crate) url: String,
}

/// Registries of names that nobody can register, for tests and examples.
const RESERVED: [&str; 4] = ["test", "example", "invalid", "onion"];
/// Suffixes of which a name of two labels is a host, and no member of something: `form.name` is no host.
const PLAIN: [&str; 28] = [
    "com", "net", "org", "io", "co", "dev", "app", "cc", "ru", "cn", "xyz", "top", "info", "biz", "online",
    "site", "club", "shop", "de", "uk", "eu", "fr", "nl", "tk", "pw", "su", "test", "example",
];

/// Bytes of a URL that are looked at.
const LONGEST: usize = 1024;

/// All hosts that a text names.
pub(crate) fn hosts_in(text: &str) -> Vec<Named> {
    let mut found = in_urls(text);
    if found.is_empty() {
        found.extend(by_itself(text));
    }
    found
}

/// Hosts behind two slashes.
pub(crate) fn in_urls(text: &str) -> Vec<Named> {
    let mut found = Vec::new();
    for (slashes, _) in text.match_indices("//") {
        let (before, after) =
            (text.get(..slashes).unwrap_or_default(), text.get(slashes + 2..).unwrap_or_default());
        let scheme = before.strip_suffix(':').map(|before| {
            let from =
                before.rfind(|char: char| !char.is_ascii_alphanumeric() && char != '+').map_or(0, |at| {
                    at + before.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
                });
            before.get(from..).unwrap_or_default()
        });
        // No host is longer, and no more is shown of a URL: a text of many slashes costs no more than its length.
        let after = after.get(..after.floor_char_boundary(LONGEST)).unwrap_or_default();
        let authority = after
            .split(|char: char| is_end(char) || matches!(char, '/' | '?' | '#' | '\\'))
            .next()
            .unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let Some(host) = host_of(host) else { continue };
        let is_named = match scheme {
            Some(scheme) => !scheme.is_empty(),
            None => !before.ends_with(':') && is_registered(&host),
        };
        if !is_named {
            continue;
        }
        let url = after.split(is_end).next().unwrap_or_default();
        let url = scheme.map_or_else(|| format!("//{url}"), |scheme| format!("{scheme}://{url}"));
        found.push(Named { host, url });
    }
    found
}

fn is_end(char: char) -> bool {
    char.is_whitespace()
        || char.is_control()
        || matches!(char, '"' | '\'' | '`' | '<' | '>' | ')' | '(' | '{' | '}' | ',' | ';' | '|' | '^')
}

/// A text that is a host, perhaps with a port and a path.
fn by_itself(text: &str) -> Option<Named> {
    let text = text.trim();
    if text.len() > 512 || text.contains(is_end) {
        return None;
    }
    let (authority, path) = text.split_at(text.find(['/', '?']).unwrap_or(text.len()));
    let host = host_of(authority)?;
    let labels = host.split('.').count();
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_host = is_registered(&host) && (labels > 2 || path.len() > 1 || PLAIN.contains(&last))
        // `a.min.js` is a file.
        && !matches!(last, "js" | "py" | "sh" | "pl" | "rs" | "ts" | "zip" | "mov" | "name");
    let is_host = is_host || (is_address(&host) && authority.len() >= 7);
    is_host.then(|| Named { host, url: text.to_owned() })
}

/// The host of an authority, in lower case.
fn host_of(authority: &str) -> Option<String> {
    let host = authority.split(':').next().unwrap_or_default().trim_end_matches('.');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|char| char.is_alphanumeric() || matches!(char, '-' | '_'))
            && !label.starts_with('-')
    };
    let is_host = host.len() <= 253 && host.contains('.') && host.split('.').all(is_label);
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    (is_host && (!is_number || is_address(host))).then(|| host.to_lowercase())
}

fn is_address(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok()
}

fn is_registered(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    is_address(host)
        || RESERVED.contains(&last)
        || psl::suffix(host.as_bytes())
            .is_some_and(|suffix| suffix.is_known() && suffix.as_bytes().len() < host.len())
}

/// What was registered of a host.
pub(crate) fn domain_of(host: &str) -> &str {
    if is_address(host) { host } else { psl::domain_str(host).unwrap_or(host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Vec<String> {
        hosts_in(text).into_iter().map(|named| named.host).collect()
    }

    #[test]
    fn hosts_are_found_in_urls_and_by_themselves() {
        for (text, host) in [
            ("https://cdn.evil.example/a.js?b#c", "cdn.evil.example"),
            ("wss://Evil.test:8443/", "evil.test"),
            ("//evil.test/a", "evil.test"),
            ("see http://user@evil.test. or", "evil.test"),
            ("<script src='https://evil.test/x'>", "evil.test"),
            ("http://10.1.2.3/x", "10.1.2.3"),
            ("collect.evil.test", "collect.evil.test"),
            ("evil.com/collect", "evil.com"),
            ("evil.co.uk", "evil.co.uk"),
        ] {
            assert_eq!(hosts(text), [host], "{text}");
        }
    }

    #[test]
    fn members_files_and_versions_are_none() {
        for text in [
            "form.name",
            "jquery.min.js",
            "1.12.4",
            "click.bs.data-api",
            "// a comment",
            "a.b.c",
            "",
            "e.g. this",
            "://",
        ] {
            assert_eq!(hosts(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_domain_is_what_was_registered() {
        assert_eq!(domain_of("a.b.evil.co.uk"), "evil.co.uk");
        assert_eq!(domain_of("a.evil.test"), "evil.test");
        assert_eq!(domain_of("10.1.2.3"), "10.1.2.3");
    }
}
