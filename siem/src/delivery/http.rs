//! Requests to a SIEM over HTTPS.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use tokio::time::timeout;
use url::Url;

use super::PATIENCE;
use super::batch::{Batch, lines};
use super::mask::masked;
use super::unsent::{Refusal, Unsent};
use crate::secret::SecretFile;

/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// What of an answer goes into an error, in characters.
const TOLD: usize = 200;

/// A client that speaks TLS alone.
pub(super) struct Https(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// What was answered.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    /// What it was asked with, which the answer may repeat.
    token: Option<HeaderValue>,
}

impl Https {
    pub(super) fn new(tls: &Arc<ClientConfig>) -> Self {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(ClientConfig::clone(tls))
            .https_only()
            .enable_http1()
            .build();
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// Posts, and gives whatever is answered.
    pub(super) async fn post(&self, to: &Url, headers: &[Header], body: Bytes) -> io::Result<Reply> {
        let uri = Uri::try_from(to.as_str()).map_err(io::Error::other)?;
        let mut request = Request::post(uri).body(Full::new(body)).map_err(io::Error::other)?;
        for (name, value) in headers {
            request.headers_mut().insert(name, value.clone());
        }
        let token =
            headers.iter().find(|(name, _)| name == header::AUTHORIZATION).map(|(_, value)| value.clone());
        let asking = async {
            let (head, body) = self.0.request(request).await.map_err(whole_story)?.into_parts();
            #[expect(clippy::disallowed_methods, reason = "Limited bounds it")]
            let body = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>(Reply { status: head.status, body: body.to_bytes(), token })
        };
        timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Reply {
    /// The reply, if it says that what was posted was taken.
    pub(super) fn taken(self) -> Result<Self, Unsent> {
        if self.status.is_success() {
            return Ok(self);
        }
        let story = refused(&self);
        match self.status {
            // Firewalls that look into requests answer 403 to what they take for an attack, and any client can ask for such a URL.
            status @ (StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::PAYLOAD_TOO_LARGE) => {
                Err(Unsent::Refused(Refusal { status, code: None, at: None, story }))
            }
            // Whom it lets in, how much it can take, and where it is, has nothing to do with what is posted.
            _ => Err(Unsent::Trouble(story)),
        }
    }
}

/// A header of a request.
pub(super) type Header = (header::HeaderName, HeaderValue);

/// Refused, in the words of the receiver as far as they are printable, and the token is not among them.
fn refused(reply: &Reply) -> io::Error {
    let said = String::from_utf8_lossy(&reply.body);
    let token =
        reply.token.as_ref().and_then(|token| token.as_bytes().splitn(2, |byte| *byte == b' ').nth(1));
    let said = masked(&said, token.unwrap_or_default());
    let printable = said.chars().map(|char| if char.is_control() { ' ' } else { char });
    let said: String = printable.take(TOLD).collect();
    let colon = if said.trim().is_empty() { "" } else { ": " };
    io::Error::other(format!("the receiver answers {}{colon}{}", reply.status, said.trim()))
}

/// The client's error and what caused it: alone, it says only that something failed.
fn whole_story(error: hyper_util::client::legacy::Error) -> io::Error {
    let mut story = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        story = format!("{story}: {next}");
        cause = next.source();
    }
    io::Error::other(story)
}

/// Lines, posted a piece of a batch at a time.
pub(super) struct Post {
    https: Https,
    to: Url,
    token: Option<SecretFile>,
}

impl Post {
    pub(super) fn to(to: &Url, tls: &Arc<ClientConfig>, token: Option<SecretFile>) -> Self {
        Self { https: Https::new(tls), to: to.clone(), token }
    }

    /// Sends the next piece of a batch.
    pub(super) async fn send(&self, batch: &mut Batch) -> Result<(), Unsent> {
        let mut headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))];
        if let Some(token) = &self.token {
            headers.push((header::AUTHORIZATION, token.authorization("Bearer").map_err(io::Error::other)?));
        }
        let piece = batch.piece();
        let count = piece.len();
        self.https.post(&self.to, &headers, lines(piece)).await?.taken()?;
        batch.advance(count);
        Ok(())
    }
}
