//! An answer as it arrived.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use sfv::{BareItem, Item, Parser};

use super::ClientError;
use crate::{Coding, eventually};

/// More than any test serves.
const LARGEST_BODY: usize = 512 << 20;

/// A complete answer.
#[derive(Debug)]
pub struct Reply {
    head: http::response::Parts,
    body: Bytes,
    /// Boxed, since hardly any answer has them.
    trailers: Box<HeaderMap>,
}

impl Reply {
    pub(super) async fn read(response: Response<Incoming>) -> Result<Self, ClientError> {
        let (head, mut incoming) = response.into_parts();
        let (mut body, mut trailers) = (BytesMut::new(), Box::new(HeaderMap::new()));
        while let Some(frame) = incoming.frame().await {
            match frame?.into_data() {
                Ok(chunk) => {
                    assert!(body.len() + chunk.len() <= LARGEST_BODY, "a body without end");
                    body.extend_from_slice(&chunk);
                }
                Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
        Ok(Self { head, body: body.freeze(), trailers })
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// Its protocol version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// All its header fields.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// One header field as text; two fields of this name fail the test.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.headers.get_all(name).iter();
        let value = values.next()?.to_str().unwrap();
        assert!(values.next().is_none(), "more than one field {name}: {:?}", self.head.headers);
        Some(value)
    }

    /// The fields behind the body.
    #[must_use]
    pub fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    /// The body as it was sent, with its content coding.
    #[must_use]
    pub fn coded(&self) -> &Bytes {
        &self.body
    }

    /// The body without its content coding.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        Coding::named(self.header("content-encoding")).decode(&self.body)
    }

    /// The body as JSON, whatever its type.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body()).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// What `Pinfold-Verdict` says; its absence fails the test.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let field = self.header("pinfold-verdict").unwrap_or_else(|| panic!("no verdict: {self:?}"));
        Verdict::parse(field)
    }
}

/// An answer whose head is here and whose body comes as it comes.
#[derive(Debug)]
pub struct Begun {
    head: http::response::Parts,
    body: Incoming,
}

impl Begun {
    pub(super) fn new(answer: Response<Incoming>) -> Self {
        let (head, body) = answer.into_parts();
        Self { head, body }
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// Its `Pinfold-Verdict`.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict::parse(self.head.headers["pinfold-verdict"].to_str().unwrap())
    }

    /// Waits for the next bytes of the body; none at its end.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.try_next().await.map(Result::unwrap)
    }

    /// The same, and an error where the body breaks off.
    pub async fn try_next(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        let frame = eventually("more of a body", self.body.frame()).await?;
        frame.map(|frame| frame.into_data().ok()).transpose()
    }
}

/// A `Pinfold-Verdict`: a structured field (RFC 9651 §3.3), a token with parameters.
#[derive(Clone, Debug)]
pub struct Verdict(Item);

impl Verdict {
    /// Reads the field; one that is no item fails the test.
    #[must_use]
    pub fn parse(field: &str) -> Self {
        Self(Parser::new(field).parse().unwrap_or_else(|error| panic!("{error}: {field}")))
    }

    /// `verified`, `observed`, `blocked`, `quarantined` …
    #[must_use]
    pub fn token(&self) -> &str {
        self.0.bare_item.as_token().expect("a verdict is a token").as_str()
    }

    /// `reason=`, a token.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.parameter("reason").map(|item| item.as_token().expect("a reason is a token").as_str())
    }

    /// `incident=`, a string.
    #[must_use]
    pub fn incident(&self) -> Option<&str> {
        self.string("incident")
    }

    /// `vendor=`, a string.
    #[must_use]
    pub fn vendor(&self) -> Option<&str> {
        self.string("vendor")
    }

    /// `provisional`, alone: no person and no reviewed file has confirmed it.
    #[must_use]
    pub fn is_provisional(&self) -> bool {
        self.parameter("provisional").is_some_and(|item| *item == BareItem::Boolean(true))
    }

    /// `digest=`, a string.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.string("digest")
    }

    fn string(&self, name: &str) -> Option<&str> {
        self.parameter(name).map(|item| item.as_string().expect("this parameter is a string").as_str())
    }

    fn parameter(&self, name: &str) -> Option<&BareItem> {
        self.0.params.iter().find(|(key, _)| key.as_str() == name).map(|(_, item)| item)
    }
}
