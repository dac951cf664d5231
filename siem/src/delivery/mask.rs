//! A token in what somebody else has written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// So much of a token in a row is masked, in characters: whoever repeats it may cut it off.
const SHORTEST: usize = 8;

/// The text without the token, in any case, in base64 with whatever stands before it there, whole or in parts.
pub(super) fn masked(text: &str, token: &[u8]) -> String {
    // The two alphabets of base64 differ in two letters.
    let alike = |byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte.to_ascii_lowercase(),
    };
    let bytes: Vec<u8> = text.bytes().map(|byte| alike(&byte)).collect();
    let mut is_secret = vec![false; bytes.len()];
    let in_base64 = [0, 1, 2].map(|before| STANDARD.encode([&vec![0; before], token].concat()).into_bytes());
    for spelled in in_base64.iter().map(Vec::as_slice).chain([token]) {
        let spelled: Vec<u8> = spelled.iter().map(alike).collect();
        let length = spelled.len().min(SHORTEST);
        if length == 0 {
            continue;
        }
        for part in spelled.windows(length) {
            let found = bytes.windows(length).enumerate().filter(|(_, there)| *there == part);
            for (at, _) in found {
                is_secret.iter_mut().skip(at).take(length).for_each(|is_secret| *is_secret = true);
            }
        }
    }
    let is_secret = |at: usize| is_secret.get(at).copied().unwrap_or_default();
    text.char_indices().map(|(at, char)| if is_secret(at) { '*' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &[u8] = b"d41d8cd9-8f00-4204-a980-0998ecf8427e";

    #[test]
    fn a_token_is_masked_however_it_is_spelled() {
        assert_eq!(
            masked("no \u{e9}: D41D8CD9-8F00-4204-A980-0998ECF8427E.", TOKEN),
            format!("no \u{e9}: {}.", "*".repeat(36))
        );
        // Cut off, or without its beginning.
        assert_eq!(masked("token d41d8cd9-8f00...", TOKEN), format!("token {}...", "*".repeat(13)));
        assert_eq!(masked("x8427e", b"8427e"), "x*****");
        for before in ["", "x:", "Splunk ", "Bearer ", "user:"] {
            let encoded = STANDARD.encode([before.as_bytes(), TOKEN].concat());
            for encoded in [encoded.clone(), encoded.replace('+', "-").replace('/', "_").replace('=', "")] {
                let text = masked(&format!("Basic {encoded}!"), TOKEN);
                let left = text.chars().filter(|char| *char != '*').count();
                assert!(
                    text.starts_with("Basic ") && left <= "Basic !".len() + 4 * before.len() / 3 + 6,
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_token_stays() {
        let said = "invalid token: 4204, d41d8cd; authorization is Splunk";
        assert_eq!(masked(said, TOKEN), said);
        assert_eq!(masked("", TOKEN), "");
        assert_eq!(masked(said, b""), said);
    }
}
