//! The HTTP Event Collector of Splunk, with acknowledgement by the indexer where it is turned on.
//!
//! A collector that acknowledges answers a batch with a number, and says later on which numbers have been indexed. Until
//! then the batch counts as not delivered. After [`LONGEST_ACKNOWLEDGEMENT`] it is sent again.
//!
//! Of a batch with an event that it refuses a collector may have taken those before: they come again, under their ids.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use rustls::ClientConfig;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use url::Url;
use uuid::Uuid;

use super::batch::Batch;
use super::http::{Header, Https, Reply};
use super::unsent::{Refusal, Unsent};
use crate::record::{Format, Record};
use crate::secret::SecretFile;

/// How long a batch may stay unacknowledged.
const LONGEST_ACKNOWLEDGEMENT: Duration = Duration::from_secs(60);
/// The first pause between two questions. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One collector.
pub(super) struct Splunk {
    https: Https,
    events: Url,
    acknowledgements: Url,
    token: Option<SecretFile>,
    /// Whoever acknowledges does so for each channel.
    channel: HeaderValue,
    format: Format,
    hostname: Box<str>,
}

impl Splunk {
    pub(super) fn to(
        to: &Url,
        tls: &Arc<ClientConfig>,
        token: Option<SecretFile>,
        format: Format,
        hostname: &str,
    ) -> io::Result<Self> {
        let channel = HeaderValue::try_from(Uuid::new_v4().to_string()).map_err(io::Error::other)?;
        let (https, hostname) = (Https::new(tls), hostname.into());
        let (events, acknowledgements) = (below(to, "event")?, below(to, "ack")?);
        Ok(Self { https, events, acknowledgements, token, channel, format, hostname })
    }

    /// Sends the next piece of a batch.
    pub(super) async fn send(&self, batch: &mut Batch) -> Result<(), Unsent> {
        let piece = batch.piece();
        let count = piece.len();
        let body: String = piece.iter().map(|record| self.envelope(record)).collect();
        let answer = self.post(&self.events, body.into()).await?;
        if let Some(number) = answer.get("ackId").and_then(Value::as_u64) {
            self.wait_for(number).await?;
        }
        batch.advance(count);
        Ok(())
    }

    /// The event within what the collector wants to know of it. A line of JSON is an object there.
    fn envelope(&self, record: &Record) -> String {
        let event = match self.format {
            Format::Ecs | Format::Ocsf => record.line.clone(),
            Format::Cef => Value::from(&*record.line).to_string(),
        };
        let micros = record.at.as_microsecond();
        let time = format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        let host = Value::from(&*self.hostname);
        let source_type = self.format.as_str();
        format!(
            r#"{{"time":{time},"host":{host},"source":"pinfold","sourcetype":"pinfold:{source_type}","event":{event}}}"#
        )
    }

    async fn wait_for(&self, number: u64) -> io::Result<()> {
        let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let question = json!({ "acks": [number] }).to_string();
            let answer =
                self.post(&self.acknowledgements, question.into()).await.map_err(Unsent::into_trouble)?;
            let known = answer.get("acks").and_then(|acks| acks.get(number.to_string()));
            if known == Some(&Value::Bool(true)) {
                return Ok(());
            }
            if began.elapsed() > LONGEST_ACKNOWLEDGEMENT {
                return Err(io::Error::other("the collector takes events and does not acknowledge them"));
            }
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn post(&self, to: &Url, body: Bytes) -> Result<Value, Unsent> {
        let mut headers: Vec<Header> = vec![
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (HeaderName::from_static("x-splunk-request-channel"), self.channel.clone()),
        ];
        if let Some(token) = &self.token {
            headers.push((header::AUTHORIZATION, token.authorization("Splunk").map_err(io::Error::other)?));
        }
        let reply = taken(self.https.post(to, &headers, body).await?)?;
        let answer = serde_json::from_slice(&reply.body);
        let not_one = |_| io::Error::other("the receiver answers, and not as a collector does");
        Ok(answer.map_err(not_one)?)
    }
}

/// As [`Reply::taken`], by the code that a collector gives
/// (<https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/troubleshoot-http-event-collector>).
fn taken(reply: Reply) -> Result<Reply, Unsent> {
    // What is no collector's answer comes from a proxy before it.
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let code = answer.get("code").and_then(Value::as_u64);
    let at = answer.get("invalid-event-number").and_then(Value::as_u64);
    reply.taken().map_err(|unsent| match unsent {
        Unsent::Refused(refusal) if code.is_none_or(is_about_an_event) => {
            let at = at.and_then(|at| usize::try_from(at).ok());
            Unsent::Refused(Refusal { code, at, ..refusal })
        }
        Unsent::Trouble(_) | Unsent::Refused(_) => Unsent::Trouble(unsent.into_trouble()),
    })
}

/// Whether a code is about what was sent: no data, an invalid format, an event that is missing or blank, fields that cannot
/// be indexed, too much of it. All others are about tokens, indexes and channels, or about the collector.
fn is_about_an_event(code: u64) -> bool {
    matches!(code, 5 | 6 | 12 | 13 | 15 | 27)
}

/// The collector's own path below what is configured.
fn below(to: &Url, name: &str) -> io::Result<Url> {
    let base = to.as_str().trim_end_matches('/');
    Url::parse(&format!("{base}/services/collector/{name}")).map_err(io::Error::other)
}
