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
