//! Who asks: the user of the one token that a request shows.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use pinfold_policy::token::{PREFIX, of_secret};
use pinfold_policy::user::Role;

use super::command::Declined;
use super::problem::{declined, problem};
use crate::door::Denied;
use crate::review::{Peer, Proof, Room, WrongPassword};

/// Whoever a token stands for.
#[derive(Clone, Debug)]
pub(super) struct Bearer {
    pub(super) user: Arc<str>,
    /// What the token is called.
    pub(super) token: Arc<str>,
    role: Role,
}

impl Bearer {
    /// What they are answered who may not decide.
    pub(super) fn refused(&self) -> Option<Response> {
        let text = "a token of the role viewer looks and does not decide: that takes the role reviewer";
        (!self.role.may_decide()).then(|| problem(StatusCode::FORBIDDEN, text, None))
    }
}

/// Lets those by who show a token.
pub(super) async fn admitted(
    State(room): State<Room>,
    Extension(Peer(source)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    if !room.is_private {
        return problem(
            StatusCode::FORBIDDEN,
            "no token is taken here: this console listens beyond loopback and speaks no TLS, so it would cross the network in \
             clear text",
            None,
        );
    }
    if request.uri().query().is_some_and(names_a_token) {
        let text = "a token has no place in a URL, which logs keep: remove this one, and make another";
        return problem(StatusCode::BAD_REQUEST, text, Some("send it as 'Authorization: Bearer'"));
    }
    let secret = match shown(request.headers()) {
        Ok(secret) => secret,
        Err(why) => return unauthorised(why),
    };
    let bearer = room.users().and_then(|users| {
        let token = of_secret(&users, secret, jiff::Timestamp::now())?;
        Some(Bearer { user: Arc::clone(&token.user), token: Arc::clone(&token.name), role: token.role })
    });
    let Some(bearer) = bearer else {
        // Nobody meets 256 bits by trying: who shows the right one waits for nobody else's tries.
        return match room.door.wrong_token(source) {
            Denied::Wrong => {
                let source = source.to_canonical();
                (room.review.wrong_password)(WrongPassword { source, user: None, by: Proof::Token });
                unauthorised("this token is wrong, has ended, or its user may not do so any more")
            }
            Denied::Wait(wait) => {
                let mut response = problem(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too many wrong tokens came from your address",
                    None,
                );
                let seconds = wait.as_secs().saturating_add(1);
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
        };
    };
    let Some(_share) = room.programs.take(Arc::clone(&bearer.user)) else {
        let text =
            "as many requests of this token's user as may be are being answered: try again in a moment";
        return declined(&Declined::Later(text.to_owned()));
    };
    request.extensions_mut().insert(bearer);
    next.run(request).await
}

/// Whether a query carries a token, by the parameter's name or by its look.
fn names_a_token(query: &str) -> bool {
    let is_named = |pair: &str| pair.split('=').next() == Some("access_token");
    let mut behind = query.split(PREFIX).skip(1);
    query.split('&').any(is_named)
        || behind.any(|rest| rest.bytes().take(64).filter(u8::is_ascii_hexdigit).count() == 64)
}

/// The secret in the one `Authorization` of a request.
fn shown(headers: &HeaderMap) -> Result<&str, &'static str> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    match (fields.next(), fields.next()) {
        (None, _) => {
            Err("show a token, as 'Authorization: Bearer': a session of the console opens nothing here")
        }
        (Some(_), Some(_)) => Err("there are two Authorization fields, which could be read in two ways"),
        (Some(field), None) => {
            let split = field.to_str().ok().and_then(|text| text.split_once(' '));
            let bearer = split.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            bearer.map(|(_, secret)| secret.trim()).ok_or("Authorization is not of the scheme Bearer")
        }
    }
}

fn unauthorised(why: &str) -> Response {
    let mut response =
        problem(StatusCode::UNAUTHORIZED, why, Some("'pinfold token add USER --name NAME' makes one"));
    let challenge = HeaderValue::from_static("Bearer realm=\"pinfold\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_url_is_seen_by_its_name_or_its_look() {
        let look = format!("q={PREFIX}{}", "0a".repeat(32));
        for query in ["access_token=x", "a=b&access_token=", &look] {
            assert!(names_a_token(query), "{query}");
        }
        for query in ["", "q=pinfold_x.js", "q=access_token", "token=1"] {
            assert!(!names_a_token(query), "{query}");
        }
    }

    #[test]
    fn one_field_of_one_scheme_shows_a_secret() {
        let headers = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            headers
        };
        assert_eq!(shown(&headers(&["bearer x"])), Ok("x"));
        for wrong in [&[][..], &["Bearer x", "Bearer x"], &["Basic eA=="], &["Bearer"], &["x"]] {
            assert!(shown(&headers(wrong)).is_err(), "{wrong:?}");
        }
    }
}
