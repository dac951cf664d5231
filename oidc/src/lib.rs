//! `OpenID` Connect Core 1.0, of it the authorization code flow with PKCE (RFC 7636), as a client with a secret.
//!
//! This crate remembers nothing of a flow: whoever begins one keeps its `state`, `nonce` and verifier, bound to a browser, and
//! lets each count once. What it asks, it asks of the provider alone: over HTTPS, without redirects, within bounds of
//! time and size.

mod https;
mod token;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use jsonwebtoken::jwk::JwkSet;
use rustls::ClientConfig;
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Semaphore;
use url::Url;

use self::https::Https;
pub use self::token::Claims;

/// What the provider says of itself is asked anew after this.
const KNOWN_FOR: Duration = Duration::from_secs(10 * 60);
/// Requests at one time. More wait, and give up as all do.
const AT_ONE_TIME: usize = 4;

/// Which provider, and as whom we come to it.
pub struct Settings {
    /// Its identifier, as its tokens name it.
    pub issuer: String,
    /// Ours, as it knows us.
    pub client_id: String,
    /// The secret that goes with it, read anew each time, or why there is none.
    pub secret: Arc<dyn Fn() -> Result<String, String> + Send + Sync>,
    /// What we ask to be told; `openid` among them.
    pub scopes: Vec<String>,
    /// Whom to trust for its certificate.
    pub tls: Arc<ClientConfig>,
}

/// A provider.
pub struct Provider {
    settings: Settings,
    https: Https,
    known: Mutex<Option<(Arc<Metadata>, Instant)>>,
    turns: Semaphore,
}

/// What it says of itself (`OpenID` Connect Discovery 1.0 §3), as far as we use it.
#[derive(Clone, Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// A flow that begins.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Where the browser comes back to, exactly as the provider has it.
    pub redirect_uri: String,
    /// What comes back with it.
    pub state: String,
    /// What the token will hold.
    pub nonce: String,
    /// The SHA-256 of the verifier, in base64url.
    pub challenge: String,
    /// Whether the person must prove who they are now, whatever the provider remembers of them.
    pub afresh: bool,
}

/// What a browser came back with, and what was kept of its flow.
#[derive(Clone, Debug)]
pub struct Finish {
    /// As when it began.
    pub redirect_uri: String,
    /// The code.
    pub code: String,
    /// Who answered, where the answer says it (RFC 9207).
    pub issuer: Option<String>,
    /// As when it began.
    pub nonce: String,
    /// The verifier.
    pub verifier: String,
}

/// Why nobody is vouched for.
#[derive(Debug, Error)]
pub enum OidcError {
    /// The provider cannot be asked.
    #[error("the identity provider cannot be asked: {0}")]
    Unreachable(String),
    /// It says of itself what cannot be.
    #[error("the identity provider's metadata are of no use: {0}")]
    Metadata(&'static str),
    /// Our secret cannot be had.
    #[error("{0}")]
    Secret(String),
    /// Another provider answered.
    #[error("another issuer answered than the one that was asked")]
    OtherIssuer,
    /// It did not take the code.
    #[error("the identity provider did not take the code: {0}")]
    Code(String),
    /// What it gave proves nothing.
    #[error("the identity provider's token proves nothing: {0}")]
    Token(&'static str),
}

impl Provider {
    /// Asks nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let https = Https::new(&settings.tls);
        Self { settings, https, known: Mutex::new(None), turns: Semaphore::new(AT_ONE_TIME) }
    }

    /// Where to send a browser.
    ///
    /// # Errors
    /// [`OidcError`] where the provider does not say.
    pub async fn begin(&self, begin: &Begin) -> Result<String, OidcError> {
        let known = self.known().await?;
        let mut url = endpoint(&self.settings.issuer, &known.authorization_endpoint)?;
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &self.settings.client_id)
                .append_pair("redirect_uri", &begin.redirect_uri)
                .append_pair("scope", &self.settings.scopes.join(" "))
                .append_pair("state", &begin.state)
                .append_pair("nonce", &begin.nonce)
                .append_pair("code_challenge", &begin.challenge)
                .append_pair("code_challenge_method", "S256");
            if begin.afresh {
                query.append_pair("prompt", "login").append_pair("max_age", "0");
            }
        }
        Ok(url.into())
    }

    /// Whom the provider vouches for.
    ///
    /// # Errors
    /// [`OidcError`]: nobody, then.
    pub async fn finish(&self, finish: &Finish, now: SystemTime) -> Result<Claims, OidcError> {
        let known = self.known().await?;
        match &finish.issuer {
            Some(issuer) if *issuer != self.settings.issuer => return Err(OidcError::OtherIssuer),
            None if known.authorization_response_iss_parameter_supported => {
                return Err(OidcError::OtherIssuer);
            }
            Some(_) | None => {}
        }
        let token = self.redeem(&known, finish).await?;
        let uri = endpoint(&self.settings.issuer, &known.jwks_uri)?;
        // Asked for each time: a key that was taken back counts no more, and a new one at once.
        let (status, body) = self.ask(self.https.get(&uri)).await?;
        if !status.is_success() {
            return Err(OidcError::Metadata("its keys are not where it says"));
        }
        let keys: JwkSet =
            serde_json::from_slice(&body).map_err(|_| OidcError::Metadata("its keys are no key set"))?;
        let expected = token::Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: &finish.nonce,
        };
        token::verified(&token, &keys, &expected, now)
    }

    /// The identity token for a code.
    async fn redeem(&self, known: &Metadata, finish: &Finish) -> Result<String, OidcError> {
        #[derive(Deserialize)]
        struct Given {
            id_token: Option<String>,
        }
        let url = endpoint(&self.settings.issuer, &known.token_endpoint)?;
        let secret = (self.settings.secret)().map_err(OidcError::Secret)?;
        // `client_secret_basic` is what counts where nothing is said (Discovery §3).
        let methods = known.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let has = |method| methods.iter().any(|has| has == method);
        let is_basic = has("client_secret_basic") || !has("client_secret_post");
        let client = (&*self.settings.client_id, &*secret);
        let form = redemption(finish, client, is_basic);
        let (status, body) = self.ask(self.https.post(&url, is_basic.then_some(client), form)).await?;
        if !status.is_success() {
            return Err(OidcError::Code(format!("it answers {status}")));
        }
        let given: Given = serde_json::from_slice(&body)
            .map_err(|_| OidcError::Token("the answer is not what it should be"))?;
        given.id_token.ok_or(OidcError::Token("there is none"))
    }

    async fn known(&self) -> Result<Arc<Metadata>, OidcError> {
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((known, _)) = known.as_ref().filter(|(_, since)| since.elapsed() < KNOWN_FOR) {
                return Ok(Arc::clone(known));
            }
        }
        let issuer = self.settings.issuer.trim_end_matches('/');
        let at = format!("{issuer}/.well-known/openid-configuration");
        let url = Url::parse(&at).map_err(|_| OidcError::Metadata("the issuer is no URL"))?;
        let (status, body) = self.ask(self.https.get(&url)).await?;
        if !status.is_success() {
            return Err(OidcError::Unreachable(format!("it answers {status} at {at}")));
        }
        let known: Metadata = serde_json::from_slice(&body)
            .map_err(|_| OidcError::Metadata("they are not what they should be"))?;
        // Discovery §4.3: else one provider could speak for another.
        if known.issuer != self.settings.issuer {
            return Err(OidcError::Metadata("they name another issuer"));
        }
        let known = Arc::new(known);
        let fresh = Some((Arc::clone(&known), Instant::now()));
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(known)
    }

    async fn ask(
        &self,
        asking: impl Future<Output = Result<https::Answer, String>>,
    ) -> Result<https::Answer, OidcError> {
        let asked = async {
            let _turn = self.turns.acquire().await.map_err(|_| "nobody can be asked any more".to_owned())?;
            asking.await
        };
        match tokio::time::timeout(https::WITHIN, asked).await {
            Ok(answer) => answer.map_err(OidcError::Unreachable),
            Err(_) => Err(OidcError::Unreachable(format!("no answer within {} s", https::WITHIN.as_secs()))),
        }
    }
}

/// The form that hands a code in, with who we are where the head does not say it.
fn redemption(finish: &Finish, (client, secret): (&str, &str), is_basic: bool) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", &finish.code)
        .append_pair("redirect_uri", &finish.redirect_uri)
        .append_pair("code_verifier", &finish.verifier);
    if !is_basic {
        form.append_pair("client_id", client).append_pair("client_secret", secret);
    }
    form.finish()
}

/// Whether a provider may be asked at this URL: by HTTPS, and in clear text on this machine alone.
#[must_use]
pub fn may_be_asked(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => is_loopback,
        _ => false,
    }
}

/// An endpoint that the metadata name. What began by HTTPS does not go on in clear text.
fn endpoint(issuer: &str, named: &str) -> Result<Url, OidcError> {
    let url = Url::parse(named).map_err(|_| OidcError::Metadata("an endpoint is no URL"))?;
    if !may_be_asked(&url) || (issuer.starts_with("https:") && url.scheme() != "https") {
        return Err(OidcError::Metadata("an endpoint is not asked by https"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_asked_by_https_or_on_this_machine() {
        let asked = |text: &str| Url::parse(text).is_ok_and(|url| may_be_asked(&url));
        for right in ["https://idp.test", "http://127.0.0.1:1", "http://[::1]/x", "http://localhost:9000/"] {
            assert!(asked(right), "{right}");
        }
        for wrong in [
            "http://idp.test",
            "http://localhost.evil.test",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "file:///x",
        ] {
            assert!(!asked(wrong), "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_of_a_provider_that_is_asked_by_https_is_too() {
        assert!(endpoint("https://idp.test", "https://keys.idp.test/jwks").is_ok());
        for wrong in ["http://idp.test/jwks", "http://127.0.0.1/jwks", "/jwks", "", "javascript:alert(1)"] {
            assert!(endpoint("https://idp.test", wrong).is_err(), "{wrong}");
        }
        assert!(endpoint("http://127.0.0.1:9000", "http://127.0.0.1:9000/jwks").is_ok());
    }

    #[test]
    fn the_secret_is_in_the_form_only_where_the_head_does_not_have_it() {
        let finish = Finish {
            redirect_uri: "https://pinfold.test/sign-in/callback".to_owned(),
            code: "c&client_id=evil".to_owned(),
            issuer: None,
            nonce: String::new(),
            verifier: "v".to_owned(),
        };
        let basic = redemption(&finish, ("pinfold", "s3cret"), true);
        assert!(!basic.contains("s3cret") && basic.contains("code=c%26client_id%3Devil"), "{basic}");
        let posted = redemption(&finish, ("pinfold", "s3cret"), false);
        assert!(posted.contains("client_id=pinfold&client_secret=s3cret"), "{posted}");
    }
}
