//! That a form was ours: it comes from a page of this origin, and with a token that only such a page could hold.

use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha512_256};

use super::Token;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Makes and checks the tokens of forms.
pub(crate) struct Forms {
    key: [u8; 32],
    /// Of the origin: `https`, `http`.
    scheme: &'static str,
}

impl Forms {
    /// # Errors
    /// Where the system has no random bytes.
    pub(crate) fn new(scheme: &'static str) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self { key, scheme })
    }

    /// The token of all forms of one session; without one, of the form that begins it. It tells nothing of the session's own.
    pub(crate) fn token(&self, session: Option<&Token>) -> String {
        let mut hash = Sha512_256::new();
        // The key in front is enough, as this hash cannot be extended.
        hash.update(self.key);
        hash.update(session.map_or("", Token::as_str));
        URL_SAFE_NO_PAD.encode(hash.finalize())
    }

    /// Whether a form may be acted on.
    pub(crate) fn are_ours(&self, headers: &HeaderMap, session: Option<&Token>, token: &str) -> bool {
        // By their digests under the key: the time of a comparison tells nothing of the token.
        let blinded = |text: &str| Sha512_256::new().chain_update(self.key).chain_update(text).finalize();
        comes_from_here(headers, self.scheme) && blinded(&self.token(session)) == blinded(token)
    }
}

/// Whether the browser says that a page of this very origin sent it. With `Referrer-Policy: no-referrer` browsers send `Origin:
/// null` with a form (Fetch Standard, "append a request `Origin` header"), so that `Sec-Fetch-Site` says it, which no page can
/// set; one too old for that must name us. Whoever says neither is no browser with a form of ours.
fn comes_from_here(headers: &HeaderMap, scheme: &str) -> bool {
    let one = |name: HeaderName| {
        let mut fields = headers.get_all(name).iter();
        match (fields.next(), fields.next()) {
            (None, _) => Ok(None),
            (Some(field), None) => field.to_str().map(Some).map_err(drop),
            (Some(_), Some(_)) => Err(()),
        }
    };
    let (Ok(site), Ok(origin), Ok(Some(host))) =
        (one(SEC_FETCH_SITE), one(header::ORIGIN), one(header::HOST))
    else {
        return false;
    };
    let is_own = |origin: &str| origin.split_once("://") == Some((scheme, host));
    match (site, origin) {
        (Some("same-origin"), None | Some("null")) => true,
        (Some("same-origin") | None, Some(origin)) => is_own(origin),
        (Some(_), _) | (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_form_comes_from_a_page_of_the_same_host_and_port() {
        let host = ("host", "127.0.0.1:8081");
        for ours in [
            &[host, ("sec-fetch-site", "same-origin"), ("origin", "null")][..],
            &[host, ("sec-fetch-site", "same-origin")],
            &[host, ("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8081")],
            &[host, ("origin", "http://127.0.0.1:8081")],
        ] {
            assert!(comes_from_here(&headers(ours), "http"), "{ours:?}");
        }
        for foreign in [
            &[host][..],
            &[host, ("origin", "null")],
            &[host, ("origin", "http://127.0.0.1:9000")],
            &[host, ("origin", "http://localhost:8081")],
            &[host, ("origin", "https://127.0.0.1:8081")],
            &[host, ("origin", "http://127.0.0.1:8081"), ("origin", "http://evil.test")],
            // Another port of this machine is the same site, and somebody else's.
            &[host, ("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:9000")],
            &[host, ("sec-fetch-site", "same-site")],
            &[host, ("sec-fetch-site", "cross-site"), ("origin", "null")],
            &[host, ("sec-fetch-site", "none")],
            &[host, ("sec-fetch-site", "same-origin"), ("origin", "http://evil.test")],
            &[host, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "same-origin"), host, ("host", "evil.test")],
        ] {
            assert!(!comes_from_here(&headers(foreign), "http"), "{foreign:?}");
        }
    }

    #[test]
    fn under_tls_a_page_in_clear_text_of_the_same_host_is_foreign() {
        let from = |origin| headers(&[("host", "pinfold.test:8081"), ("origin", origin)]);
        assert!(comes_from_here(&from("https://pinfold.test:8081"), "https"));
        assert!(!comes_from_here(&from("http://pinfold.test:8081"), "https"));
    }

    #[test]
    fn a_token_is_of_one_session_and_one_process() {
        let (forms, others) = (Forms::new("http").unwrap(), Forms::new("http").unwrap());
        let (ada, eve) = (Token::new().unwrap(), Token::new().unwrap());
        let ours = headers(&[("host", "localhost"), ("sec-fetch-site", "same-origin")]);
        assert!(forms.are_ours(&ours, Some(&ada), &forms.token(Some(&ada))));
        for wrong in [forms.token(None), forms.token(Some(&eve)), others.token(Some(&ada)), String::new()] {
            assert!(!forms.are_ours(&ours, Some(&ada), &wrong));
        }
    }
}
