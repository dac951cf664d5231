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

/// Schemes behind which slashes may be left out.
const SCHEMES: [&str; 5] = ["https:", "http:", "wss:", "ws:", "ftp:"];
/// Characters of a text that is read as browsers do.
const LONGEST_TEXT: usize = 1 << 16;
/// Bytes of a URL that are looked at.
const LONGEST: usize = 512;

/// All hosts that a text names, as they are asked for: a text can hold more of them than there is time or room for.
pub(crate) fn hosts_in(text: &str) -> impl Iterator<Item = Named> {
    let mut found = in_urls(text).peekable();
    let others = if found.peek().is_none() { otherwise_in(text) } else { Vec::new() };
    found.chain(others)
}

/// Those of a text in which none stands behind two slashes.
fn otherwise_in(text: &str) -> Vec<Named> {
    let read = as_browsers_read(text).map(|text| in_urls(&text).collect::<Vec<_>>());
    read.filter(|found| !found.is_empty()).unwrap_or_else(|| by_itself(text).into_iter().collect())
}

/// A text that is a URL to browsers, in the one way of writing it: `https:evil.test`, `/\\evil.test`, with line breaks.
fn as_browsers_read(text: &str) -> Option<String> {
    let text: String = text
        .trim_start_matches(|char: char| char <= ' ')
        .chars()
        .filter(|char| !matches!(char, '\t' | '\n' | '\r'))
        .map(|char| match char {
            '\\' => '/',
            '\u{3002}' | '\u{ff0e}' | '\u{ff61}' => '.',
            other => other,
        })
        .take(LONGEST_TEXT)
        .collect();
    let scheme = SCHEMES
        .into_iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let rest = match scheme {
        Some(scheme) => text.get(scheme.len()..)?,
        None if text.starts_with("//") => &text,
        None => return None,
    };
    Some(format!("{}//{}", scheme.unwrap_or_default(), rest.trim_start_matches('/')))
}

/// Hosts behind two slashes.
pub(crate) fn in_urls(text: &str) -> impl Iterator<Item = Named> {
    text.match_indices("//").filter_map(|(slashes, _)| in_url(text, slashes))
}

/// The host behind the two slashes at a place.
fn in_url(text: &str, slashes: usize) -> Option<Named> {
    let (before, after) =
        (text.get(..slashes).unwrap_or_default(), text.get(slashes + 2..).unwrap_or_default());
    // A text of slashes alone would be as many URLs, each of them as long as what is left of it.
    let after = after.get(..after.floor_char_boundary(LONGEST)).unwrap_or_default();
    let scheme = before.strip_suffix(':').map(|before| {
        let from = before.rfind(|char: char| !char.is_ascii_alphanumeric() && char != '+').map_or(0, |at| {
            at + before.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
        });
        before.get(from..).unwrap_or_default()
    });
    let authority = after
        .split(|char: char| is_end(char) || matches!(char, '/' | '?' | '#' | '\\'))
        .next()
        .unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let number = scheme.filter(|scheme| !scheme.is_empty()).and_then(|_| number_of(host));
    let host = number.or_else(|| host_of(host))?;
    let is_named = match scheme {
        Some("") => is_registered(&host),
        Some(_) => true,
        None => !before.ends_with(':') && is_registered(&host),
    };
    if !is_named {
        return None;
    }
    let url = after.split(is_end).next().unwrap_or_default();
    let url = scheme.map_or_else(|| format!("//{url}"), |scheme| format!("{scheme}://{url}"));
    Some(Named { host, url })
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

/// What hosts are written with.
pub(crate) fn is_of_host(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '-' | '_' | '.')
}

/// The host of an authority, in lower case.
fn host_of(authority: &str) -> Option<String> {
    let host = authority.split(':').next().unwrap_or_default().trim_end_matches('.');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|char| is_of_host(char) && char != '.')
            && !label.starts_with('-')
    };
    let is_host = host.len() <= 253 && host.contains('.') && host.split('.').all(is_label);
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    (is_host && (!is_number || is_address(host))).then(|| host.to_lowercase())
}

/// An address that is written in another way: `3232235777`, `0x7f.1`, `[2001:db8::1]`.
fn number_of(authority: &str) -> Option<String> {
    if let Some((address, _)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address.parse::<std::net::Ipv6Addr>().ok().map(|address| format!("[{address}]"));
    }
    let parts: Vec<u64> = authority.split(':').next()?.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 0xff) {
        return None;
    }
    let start = first.iter().zip([24, 16, 8]).map(|(part, shift)| part << shift).sum::<u64>();
    let address = u32::try_from(start.checked_add(*last)?).ok()?;
    Some(std::net::Ipv4Addr::from(address).to_string())
}

fn number(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    match lower.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if lower.len() > 1 && lower.starts_with('0') => u64::from_str_radix(&lower, 8).ok(),
        None => lower.parse().ok(),
    }
}

fn is_address(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok() || host.starts_with('[')
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
        hosts_in(text).map(|named| named.host).collect()
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
    fn a_text_of_slashes_alone_takes_no_more_room_than_its_hosts() {
        let text = "//a.test".repeat(20_000);
        let found: Vec<_> = in_urls(&text).collect();
        assert_eq!(found.len(), 20_000);
        assert!(found.iter().all(|named| named.host == "a.test" && named.url.len() <= LONGEST + 2));
    }

    #[test]
    fn a_domain_is_what_was_registered() {
        assert_eq!(domain_of("a.b.evil.co.uk"), "evil.co.uk");
        assert_eq!(domain_of("a.evil.test"), "evil.test");
        assert_eq!(domain_of("10.1.2.3"), "10.1.2.3");
    }
}
