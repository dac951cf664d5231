//! The corporate identity provider: whom it vouches for, and what they may do here.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use pinfold_config::settings::Oidc;
use pinfold_console::{IdentityProvider, ProviderBegin, ProviderFinish, Vouched};
use pinfold_oidc::{Begin, Claims, Finish, OidcError, Provider, Settings};
use pinfold_policy::user::{MOST_NAME, check_name};
use pinfold_siem::{TrustFiles, read_secret, trust};
use url::Url;

use crate::failure::Failure;

/// What the console asks of it.
pub(crate) fn provider(oidc: &Oidc) -> Result<IdentityProvider, Failure> {
    let provider = Arc::new(Provider::new(settings(oidc)?));
    let rules = Arc::new(oidc.clone());
    let host = Url::parse(&oidc.issuer).ok().and_then(|issuer| issuer.host_str().map(str::to_owned));
    let begins = Arc::clone(&provider);
    Ok(IdentityProvider {
        name: host.unwrap_or_default().into(),
        begin: Arc::new(move |begin| {
            let provider = Arc::clone(&begins);
            Box::pin(async move {
                let ProviderBegin { redirect_uri, state, nonce, challenge, afresh } = begin;
                let begun = provider.begin(&Begin { redirect_uri, state, nonce, challenge, afresh }).await;
                begun.map_err(|error| told(&error))
            })
        }),
        finish: Arc::new(move |finish| {
            let (provider, rules) = (Arc::clone(&provider), Arc::clone(&rules));
            Box::pin(async move {
                let ProviderFinish { redirect_uri, code, issuer, nonce, verifier } = finish;
                let finish = Finish { redirect_uri, code, issuer, nonce, verifier };
                let claims =
                    provider.finish(&finish, SystemTime::now()).await.map_err(|error| told(&error))?;
                vouched(&rules, &claims)
            })
        }),
    })
}

/// What they take, checked.
pub(crate) fn settings(oidc: &Oidc) -> Result<Settings, Failure> {
    let tls = trust(TrustFiles { ca: oidc.ca.as_deref(), client: None });
    let tls = tls.map_err(|error| {
        Failure::configuration(format!("the identity provider cannot be asked: {error}"))
            .hint("console.oidc.ca names a file of certificates in PEM; without it the system's roots count ('ca-certificates')")
    })?;
    let file = oidc.client_secret_file.clone();
    secret(&file)?;
    Ok(Settings {
        issuer: oidc.issuer.clone(),
        client_id: oidc.client_id.clone(),
        // Read anew each time, so that another one counts from then on.
        secret: Arc::new(move || secret(&file).map_err(|failure| super::reload::told(&failure).0)),
        scopes: oidc.scopes.clone(),
        tls,
    })
}

fn secret(file: &Path) -> Result<String, Failure> {
    let contents =
        read_secret(file).map_err(|error| Failure::configuration(error.to_string()).hint(error.hint()))?;
    let text = String::from_utf8(contents).ok();
    let secret = text.as_deref().and_then(|text| text.lines().next()).map(str::trim).unwrap_or_default();
    if secret.is_empty() {
        let message = format!("{}: there is no secret on its first line", file.display());
        return Err(Failure::configuration(message).hint("write what the identity provider gave you into it"));
    }
    Ok(secret.to_owned())
}

/// The log has what is wrong. The page is for strangers, who need not know of files, addresses or keys here.
fn told(error: &OidcError) -> String {
    tracing::warn!("nobody could sign in by the identity provider: {error}");
    let text = match error {
        OidcError::Unreachable(_) => "The identity provider does not answer as it should",
        OidcError::Metadata(_) | OidcError::Secret(_) => {
            "The identity provider cannot be used as it is set up; the gateway's log says why"
        }
        OidcError::OtherIssuer | OidcError::Code(_) | OidcError::Token(_) => {
            "The identity provider does not vouch for this sign-in"
        }
    };
    text.to_owned()
}

fn vouched(rules: &Oidc, claims: &Claims) -> Result<Vouched, String> {
    let values = claims.texts(&rules.groups);
    let given = rules.roles.iter().filter(|(value, _)| values.contains(&&**value)).map(|(_, role)| *role);
    let Some(role) = given.max() else {
        tracing::warn!(subject = %claims.sub, "somebody of the identity provider has no role here");
        return Err("The identity provider knows you, and nothing gives you a role here".to_owned());
    };
    let shown = claims.text(&rules.name).filter(|name| check_name(name).is_ok());
    let name = shown.map_or_else(|| claims.sub.chars().take(MOST_NAME).collect(), str::to_owned);
    Ok(Vouched {
        who: who(&rules.issuer, &claims.sub).into(),
        name: name.into(),
        role,
        auth_time: claims.auth_time,
    })
}

/// As whom the history has them: by what stays theirs for good. No local name has a colon, so that no user can be one of these;
/// what is no letter or digit is escaped, so that two of them cannot look alike, and the first `@` ends the subject.
fn who(issuer: &str, subject: &str) -> String {
    let mut who = "oidc:".to_owned();
    for byte in subject.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => who.push(char::from(byte)),
            other => who.push_str(&format!("%{other:02X}")),
        }
    }
    let issuer = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    format!("{who}@{}", issuer.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_of_the_provider_is_no_local_user_and_no_other_subject() {
        let of = |subject| who("https://login.test/realms/a", subject);
        assert_eq!(of("248289761001"), "oidc:248289761001@login.test/realms/a");
        assert_eq!(of("ada@corp.test"), "oidc:ada%40corp.test@login.test/realms/a");
        assert_ne!(of("ada%40corp.test"), of("ada@corp.test"));
        assert_ne!(of("ada"), who("https://login.test/realms/b", "ada"));
        assert!(check_name(&of("ada")).is_err());
    }
}
