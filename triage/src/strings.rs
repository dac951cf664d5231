//! Hosts that stand in any bytes, as ASCII and as UTF-16.

use std::collections::{HashMap, HashSet};

use crate::hosts::{Named, hosts_in, in_urls};

/// Shorter texts are noise.
const SHORTEST: usize = 6;
/// Hosts by themselves are whole texts of at least so many bytes: shorter ones stand in noise by chance.
const SHORTEST_HOST: usize = 8;
/// Longer texts are looked at in pieces, so that a text costs no more than its length.
const PIECE: usize = 2048;
/// No host is longer, nor is what is shown of a URL: pieces overlap by that.
const OVERLAP: usize = 320;
/// Hosts that are told apart.
const MOST: usize = 10_000;
/// URLs of one host: many of one do not push out the others.
const URLS: usize = 5;

/// Hosts that stand in some bytes.
#[derive(Default)]
pub(crate) struct InBytes {
    pub(crate) named: Vec<Named>,
    /// There are more than are told apart.
    pub(crate) has_more: bool,
}

/// Hosts of the new bytes that do not stand in the reviewed ones. Both are read at the same time.
pub(crate) fn new_hosts(reviewed: Option<&[u8]>, new: &[u8]) -> InBytes {
    let (known, found) = std::thread::scope(|scope| {
        let known = reviewed.map(|reviewed| scope.spawn(|| named_in(reviewed)));
        let found = named_in(new);
        (known.and_then(|known| known.join().ok()).unwrap_or_default(), found)
    });
    let known: HashSet<_> = known.named.into_iter().map(|named| named.host).collect();
    let InBytes { mut named, has_more } = found;
    named.retain(|named| !known.contains(&named.host));
    InBytes { named, has_more }
}

/// All hosts of some bytes, a few of their URLs with them.
fn named_in(bytes: &[u8]) -> InBytes {
    let mut found = Found::default();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let narrow = rest.iter().take_while(|byte| is_plain(**byte)).count();
        if narrow >= SHORTEST {
            found.text(rest.get(..narrow).unwrap_or_default());
        }
        // A letter, a zero, a letter, a zero: the run of the first letter is one long.
        let wide = if narrow == 1 { wide(rest) } else { Vec::new() };
        if wide.len() >= SHORTEST {
            found.text(&wide);
        }
        at += (narrow + 1).max(wide.len() * 2);
    }
    found.in_bytes
}

/// A text in UTF-16, the low byte first, as far as it is ASCII.
fn wide(bytes: &[u8]) -> Vec<u8> {
    let pairs = bytes.chunks_exact(2);
    pairs
        .map_while(|pair| match pair {
            [low, 0] if is_plain(*low) => Some(*low),
            _ => None,
        })
        .collect()
}

fn is_plain(byte: u8) -> bool {
    (b' '..0x7f).contains(&byte)
}

#[derive(Default)]
struct Found {
    in_bytes: InBytes,
    /// The URLs of each.
    seen: HashMap<String, Vec<String>>,
}

impl Found {
    fn text(&mut self, text: &[u8]) {
        if !text.contains(&b'.') {
            return;
        }
        let mut from = 0;
        while from < text.len() {
            let piece = text.get(from..text.len().min(from + PIECE + OVERLAP)).unwrap_or_default();
            let is_cut = from + piece.len() < text.len();
            self.piece(&String::from_utf8_lossy(piece), text.len() <= PIECE, is_cut);
            from += PIECE;
        }
    }

    fn piece(&mut self, text: &str, is_whole: bool, is_cut: bool) {
        let is_host = is_whole && text.len() >= SHORTEST_HOST && !text.contains("//");
        let whole = is_host.then(|| hosts_in(text)).into_iter().flatten();
        for named in in_urls(text).chain(whole) {
            // What is cut off here stands in the next piece whole.
            if is_cut && text.ends_with(&named.url) && named.url.len() < OVERLAP {
                continue;
            }
            self.take(named);
        }
    }

    fn take(&mut self, named: Named) {
        if self.seen.len() >= MOST && !self.seen.contains_key(&named.host) {
            self.in_bytes.has_more = true;
            return;
        }
        let urls = self.seen.entry(named.host.clone()).or_default();
        if urls.len() < URLS && !urls.contains(&named.url) {
            urls.push(named.url.clone());
            self.in_bytes.named.push(named);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(bytes: &[u8]) -> Vec<String> {
        named_in(bytes).named.into_iter().map(|named| named.host).collect()
    }

    #[test]
    fn a_host_in_utf_16_is_found() {
        let wide: Vec<u8> = "https://wide.evil.test/a".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(hosts(&[b"\x01\x02", wide.as_slice(), b"\0\0"].concat()), ["wide.evil.test"]);
        assert_eq!(hosts(&[b"\x01", wide.as_slice()].concat()), ["wide.evil.test"], "at an odd place");
        let backwards: Vec<u8> =
            "https://wide.evil.test/".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(hosts(&backwards), ["wide.evil.test"]);
    }

    #[test]
    fn hosts_between_other_bytes_are_found() {
        assert_eq!(
            hosts(b"\x90\x90http://evil.test/x\0\x90c2.evil.example\0"),
            ["evil.test", "c2.evil.example"]
        );
        assert_eq!(hosts(b"\0jquery.min.js\0kernel32.dll\0a.b\0"), [""; 0]);
    }

    #[test]
    fn a_host_at_the_seam_of_two_pieces_is_found() {
        for before in PIECE - 30..PIECE + 30 {
            let text = format!("{}https://seam.evil.test/", " ".repeat(before));
            assert!(hosts(text.as_bytes()).contains(&"seam.evil.test".to_owned()), "{before}");
        }
    }
}
