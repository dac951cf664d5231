//! Requests to the provider: bounded, and answered by whoever was asked or by nobody.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::may_be_asked;

/// For one request with all of its answer, and the wait for a turn.
pub(crate) const WITHIN: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const LONGEST: usize = 256 * 1024;

/// A status and a body.
pub(crate) type Answer = (StatusCode, Bytes);

/// The client follows no redirect, keeps no cookie and asks no proxy.
pub(crate) struct Https(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Https {
    pub(crate) fn new(tls: &Arc<ClientConfig>) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(ClientConfig::clone(tls))
            .https_or_http()
            .enable_http1()
            .build();
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    pub(crate) async fn get(&self, url: &Url) -> Result<Answer, String> {
        let request = Request::get(url.as_str()).header(header::ACCEPT, "application/json");
        self.send(url, request.body(Full::default()).map_err(|error| error.to_string())?).await
    }

    /// Posts a form, as the client of this name and secret (RFC 6749 §2.3.1).
    pub(crate) async fn post(
        &self,
        url: &Url,
        basic: Option<(&str, &str)>,
        form: String,
    ) -> Result<Answer, String> {
        let request = Request::post(url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let mut request = request.body(Full::from(form)).map_err(|error| error.to_string())?;
        if let Some((name, secret)) = basic {
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = STANDARD.encode(format!("{}:{}", encoded(name), encoded(secret)));
            let mut value =
                HeaderValue::try_from(format!("Basic {pair}")).map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        self.send(url, request).await
    }

    async fn send(&self, url: &Url, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        if !may_be_asked(url) {
            return Err("it is to be asked by https".to_owned());
        }
        let (head, body) = self.0.request(request).await.map_err(|error| whole_story(&error))?.into_parts();
        #[expect(clippy::disallowed_methods, reason = "Limited bounds it")]
        let body = Limited::new(body, LONGEST).collect().await.map_err(|error| error.to_string())?;
        Ok((head.status, body.to_bytes()))
    }
}

/// The client's error and what caused it: alone, it says only that something failed.
fn whole_story(error: &hyper_util::client::legacy::Error) -> String {
    let mut story = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        story = format!("{story}: {next}");
        cause = next.source();
    }
    story
}
