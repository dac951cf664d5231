//! The identity token: what it must be signed with, and what it must say (`OpenID` Connect Core 1.0 §3.1.3.7).

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

use crate::OidcError;

/// By what a token may be signed: public keys alone. With one of a shared secret, whoever knows that could vouch for anybody.
const SIGNED_BY: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// The provider's clock and ours may differ by this.
const LEEWAY: Duration = Duration::from_secs(60);
/// A token is of the flow that it came by, and not older.
const OLDEST: Duration = Duration::from_secs(10 * 60);
/// A longer subject is none (§2).
const LONGEST_SUBJECT: usize = 255;

/// Whom it must be from, for whom, and of which flow.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
}

/// What a token that was verified says.
#[derive(Clone, Debug, Deserialize)]
pub struct Claims {
    /// Who: the one name that stays with a person, and is never given to another (§5.7). Visible ASCII.
    pub sub: String,
    /// When they proved to the provider who they are, in seconds since 1970.
    pub auth_time: Option<u64>,
    /// One text: a list that the issuer is in could be another issuer's.
    iss: String,
    iat: u64,
    nonce: Option<String>,
    azp: Option<String>,
    aud: Value,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

impl Claims {
    /// A claim that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.others.get(name)?.as_str()
    }

    /// A claim that is a text, or a list of texts.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<&str> {
        match self.others.get(name) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            Some(value) => value.as_str().into_iter().collect(),
            None => Vec::new(),
        }
    }
}

/// What it says, if the provider said it, to us, in this flow, and just now.
pub(crate) fn verified(
    token: &str,
    keys: &JwkSet,
    expected: &Expected<'_>,
    now: SystemTime,
) -> Result<Claims, OidcError> {
    let no = OidcError::Token;
    let header =
        decode_header(token).map_err(|_| no("its head cannot be read, or its algorithm is none of ours"))?;
    if !SIGNED_BY.contains(&header.alg) {
        return Err(no("it is not signed by a public key"));
    }
    let key = key(keys, header.kid.as_deref(), header.alg)
        .ok_or(no("none of its keys is of that name and kind"))?;
    let key = DecodingKey::from_jwk(key).map_err(|_| no("its key is of no use"))?;
    let mut validation = Validation::new(header.alg);
    validation.leeway = LEEWAY.as_secs();
    validation.validate_nbf = true;
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let claims = decode::<Claims>(token, &key, &validation);
    let claims = claims.map_err(|_| no("its signature, issuer, audience or time is wrong"))?.claims;
    if claims.iss != expected.issuer {
        return Err(no("it names another issuer"));
    }
    // Another audience could show it to us as its own.
    let is_for_us_alone = match &claims.aud {
        Value::String(_) => true,
        Value::Array(all) => all.len() == 1,
        _ => false,
    };
    if !is_for_us_alone || claims.azp.as_deref().is_some_and(|azp| azp != expected.client_id) {
        return Err(no("it is for others too"));
    }
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err(no("it is of another flow"));
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let issued = Duration::from_secs(claims.iat);
    if issued > now + LEEWAY || issued + OLDEST < now {
        return Err(no("it was not issued just now"));
    }
    let is_subject = !claims.sub.is_empty()
        && claims.sub.len() <= LONGEST_SUBJECT
        && claims.sub.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_subject {
        return Err(no("its subject is none"));
    }
    Ok(claims)
}

/// The key of that name; without one, the only one that could be meant.
fn key<'k>(keys: &'k JwkSet, id: Option<&str>, algorithm: Algorithm) -> Option<&'k Jwk> {
    let fits = |key: &&Jwk| {
        let signs = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
        let is_of_it = key.common.key_algorithm.is_none_or(|of| of.to_string() == format!("{algorithm:?}"));
        signs && is_of_it && id.is_none_or(|id| key.common.key_id.as_deref() == Some(id))
    };
    let mut fitting = keys.keys.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Some(key),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use rcgen::{KeyPair, PublicKeyData as _};
    use serde_json::json;

    use super::*;

    const NONCE: &str = "a nonce";

    fn now() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    fn claims() -> Value {
        json!({ "iss": "https://idp.test", "aud": "pinfold", "sub": "1", "nonce": NONCE, "iat": now(), "exp": now() + 300 })
    }

    /// What a provider publishes of a key, under this name.
    fn jwk(key: &KeyPair, id: &str) -> Value {
        let point = key.der_bytes();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        json!({ "kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "x": part(1..33), "y": part(33..65) })
    }

    fn keys(all: &[Value]) -> JwkSet {
        serde_json::from_value(json!({ "keys": all })).unwrap()
    }

    fn signed(key: &KeyPair, id: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &EncodingKey::from_ec_der(&key.serialize_der())).unwrap()
    }

    fn read(token: &str, keys: &JwkSet) -> Result<Claims, OidcError> {
        let expected = Expected { issuer: "https://idp.test", client_id: "pinfold", nonce: NONCE };
        verified(token, keys, &expected, SystemTime::now())
    }

    #[test]
    fn what_a_token_must_say_and_what_it_must_not() {
        let key = KeyPair::generate().unwrap();
        let keys = keys(&[jwk(&key, "one")]);
        let says = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            read(&signed(&key, Some("one"), &claims), &keys).is_ok()
        };
        for (name, value) in [
            ("azp", json!("pinfold")),
            ("aud", json!(["pinfold"])),
            ("iat", json!(now() - 599)),
            ("iat", json!(now() + 50)),
            ("exp", json!(now() - 50)),
            ("nbf", json!(now() + 50)),
            ("auth_time", json!(now())),
            ("groups", json!({ "not": "a list" })),
            ("sub", json!("a".repeat(255))),
        ] {
            assert!(says(name, value.clone()), "{name}: {value}");
        }
        for (name, value) in [
            ("iss", json!("https://idp.test/")),
            ("iss", json!("https://evil.test")),
            ("iss", json!(["https://evil.test", "https://idp.test"])),
            ("iss", Value::Null),
            ("aud", json!("payroll")),
            ("aud", json!(["pinfold", "payroll"])),
            ("aud", json!(["pinfold", "pinfold"])),
            ("aud", json!([])),
            ("aud", json!({ "pinfold": true })),
            ("aud", Value::Null),
            ("azp", json!("payroll")),
            ("azp", json!(["pinfold"])),
            ("nonce", json!("another nonce")),
            ("nonce", json!("")),
            ("nonce", json!([NONCE])),
            ("nonce", Value::Null),
            ("iat", json!(now() - 700)),
            ("iat", json!(now() + 120)),
            ("iat", json!("now")),
            ("iat", json!(u64::MAX)),
            ("iat", json!(-1)),
            ("iat", Value::Null),
            ("exp", json!(now() - 120)),
            ("exp", json!(0)),
            ("exp", json!("never")),
            ("exp", Value::Null),
            ("nbf", json!(now() + 120)),
            ("auth_time", json!("yesterday")),
            ("sub", json!("")),
            ("sub", json!("a".repeat(256))),
            ("sub", json!("ada\u{202e}")),
            ("sub", json!("a da")),
            ("sub", json!(1)),
            ("sub", Value::Null),
        ] {
            assert!(!says(name, value.clone()), "{name}: {value}");
        }
    }

    #[test]
    fn a_claim_that_is_missing_is_no_claim_that_is_right() {
        let key = KeyPair::generate().unwrap();
        let keys = keys(&[jwk(&key, "one")]);
        for name in ["iss", "aud", "sub", "nonce", "iat", "exp"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            assert!(read(&signed(&key, Some("one"), &claims), &keys).is_err(), "{name}");
        }
    }

    #[test]
    fn a_token_counts_by_a_key_that_is_published_under_its_name_and_by_no_other() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let published = keys(&[jwk(&other, "two"), jwk(&key, "one")]);
        let by = |key: &KeyPair, id| read(&signed(key, id, &claims()), &published).is_ok();
        assert!(by(&key, Some("one")) && by(&other, Some("two")));
        assert!(!by(&other, Some("one")), "another key");
        assert!(!by(&key, Some("three")), "a name that is not published");
        assert!(!by(&key, None), "it could be any of them");
        let one = keys(&[jwk(&key, "one")]);
        assert!(read(&signed(&key, None, &claims()), &one).is_ok());
        assert!(read(&signed(&key, Some("one"), &claims()), &keys(&[])).is_err());
        // Two of one name: which of them is nobody's guess.
        let twice = keys(&[jwk(&key, "one"), jwk(&other, "one")]);
        assert!(read(&signed(&key, Some("one"), &claims()), &twice).is_err());
        let mut for_encryption = jwk(&key, "one");
        for_encryption["use"] = json!("enc");
        assert!(read(&signed(&key, Some("one"), &claims()), &keys(&[for_encryption])).is_err());
    }

    #[test]
    fn keys_that_are_not_understood_keep_nobody_from_those_that_are() {
        let key = KeyPair::generate().unwrap();
        let strange = [
            json!({ "kty": "AKP", "kid": "pq", "alg": "ML-DSA-65", "pub": "AAAA" }),
            json!({ "kty": "EC", "crv": "secp256k1", "kid": "k1", "x": "AAAA", "y": "AAAA" }),
            json!({ "kty": "RSA", "kid": "enc", "use": "enc", "alg": "RSA-OAEP-512", "n": "AQAB", "e": "AQAB" }),
            json!({ "kty": "RSA", "kid": "half" }),
        ];
        let keys = keys(&[&strange[..], &[jwk(&key, "one")]].concat());
        assert!(read(&signed(&key, Some("one"), &claims()), &keys).is_ok());
    }

    #[test]
    fn no_algorithm_of_a_shared_secret_counts_also_with_the_public_key_as_the_secret() {
        let key = KeyPair::generate().unwrap();
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = |algorithm: &str| part(&json!({ "alg": algorithm, "kid": "one", "typ": "JWT" }));
        let published = keys(&[jwk(&key, "one")]);
        for algorithm in ["none", "None", "NONE", "HS256", "ES256K", "RSA-OAEP", ""] {
            let unsigned = format!("{}.{}.", head(algorithm), part(&claims()));
            assert!(read(&unsigned, &published).is_err(), "{algorithm}");
        }
        let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
        for secret in [key.der_bytes(), key.public_key_pem().as_bytes(), b"".as_slice()] {
            let token = encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap();
            assert!(read(&token, &published).is_err());
            // Nor where the provider, or somebody in its place, publishes a shared secret as a key.
            let shared = json!({ "kty": "oct", "kid": "one", "k": URL_SAFE_NO_PAD.encode(secret) });
            assert!(read(&token, &keys(&[shared])).is_err());
        }
        // A signature by the right key under the name of another algorithm.
        let good = signed(&key, Some("one"), &claims());
        let (_, behind) = good.split_once('.').unwrap();
        for algorithm in ["ES384", "RS256", "EdDSA", "none"] {
            assert!(read(&format!("{}.{behind}", head(algorithm)), &published).is_err(), "{algorithm}");
        }
    }

    #[test]
    fn what_is_no_token_is_none() {
        let key = KeyPair::generate().unwrap();
        let (published, good) = (keys(&[jwk(&key, "one")]), signed(&key, Some("one"), &claims()));
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let deep = format!("{}.{}.AAAA", good.split('.').next().unwrap(), URL_SAFE_NO_PAD.encode(deep));
        for wrong in [
            "",
            ".",
            "..",
            "a.b.c",
            good.rsplit_once('.').unwrap().0,
            &format!("{good}.x"),
            &format!("{good}AAAA"),
            &deep,
        ] {
            assert!(read(wrong, &published).is_err(), "{wrong:.80}");
        }
    }

    #[test]
    fn groups_are_texts_or_one_text_and_nothing_that_merely_looks_like_it() {
        let key = KeyPair::generate().unwrap();
        let keys = keys(&[jwk(&key, "one")]);
        for (groups, texts) in [
            (json!(["a", "b"]), &["a", "b"][..]),
            (json!("a"), &["a"]),
            (json!(["a", 1, null, ["b"], { "c": "d" }]), &["a"]),
            (json!("a b"), &["a b"]),
            (json!({ "a": true }), &[]),
            (json!(true), &[]),
            (Value::Null, &[]),
        ] {
            let mut claims = claims();
            claims["groups"] = groups.clone();
            let read = read(&signed(&key, Some("one"), &claims), &keys).unwrap();
            assert_eq!(read.texts("groups"), texts, "{groups}");
        }
    }
}
