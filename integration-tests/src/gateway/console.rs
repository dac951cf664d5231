//! The console as whoever asks for health and metrics meets it.

use std::sync::Arc;

use serde_json::Value;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Gateway;
use crate::authority::{provider, roots};
use crate::eventually;

/// What the console answered.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its status.
    pub status: u16,
    /// All of its head.
    pub head: String,
    /// Its body.
    pub body: String,
}

impl Shown {
    /// The value of a field of its head, by its name in lower case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(is, _)| is.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Its body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The value of a sample, by its name and labels as they stand in the text; none where there is no such sample.
    #[must_use]
    pub fn sample(&self, name: &str) -> Option<u64> {
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        self.body.lines().find_map(value)
    }
}

impl Gateway {
    /// Asks its console for a page.
    pub async fn shows(&self, path: &str) -> Shown {
        let console = self.console().expect("the gateway has a console");
        self.console_says(&format!("GET {path} HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\n\r\n"))
            .await
    }

    /// Sends its console these bytes, which ask it to close the connection.
    pub async fn console_says(&self, request: &str) -> Shown {
        let asking = async {
            if self.files.console_is_tls() {
                asked(self.console_tls().await.unwrap(), request).await
            } else {
                let console = self.console().expect("the gateway has a console");
                asked(TcpStream::connect(console).await.unwrap(), request).await
            }
        };
        let answer = eventually("the console", asking).await;
        Shown::read(&answer)
    }

    /// A connection to its console whose certificate was verified, by the gateway's root or that of the origins.
    ///
    /// # Errors
    /// What TLS says.
    pub async fn console_tls(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let console = self.console().expect("the gateway has a console");
        let mut roots: RootCertStore = roots();
        roots.add(CertificateDer::from_pem_file(self.ca()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(("127.0.0.1", console.port())).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// Sends its console these bytes in clear text, whatever it speaks.
    pub async fn console_says_in_clear(&self, request: &str) -> Shown {
        let console = self.console().expect("the gateway has a console");
        let asking = async { asked(TcpStream::connect(console).await.unwrap(), request).await };
        Shown::read(&eventually("the console", asking).await)
    }
}

/// What is answered to these bytes, to the end.
async fn asked(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

impl Shown {
    fn read(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Shown { status: status.unwrap(), head: head.to_owned(), body: body.to_owned() }
    }
}

impl Gateway {
    /// Waits until `/readyz` answers with this status, and gives the answer.
    pub async fn is_ready_with(&self, status: u16) -> Shown {
        let becoming = async {
            loop {
                let shown = self.shows("/readyz").await;
                if shown.status == status {
                    return shown;
                }
                tokio::task::yield_now().await;
            }
        };
        eventually(&format!("/readyz to answer {status}"), becoming).await
    }

    /// Waits until a sample of its metrics is at least this.
    pub async fn counts(&self, sample: &str, least: u64) -> Shown {
        let counting = async {
            loop {
                let shown = self.shows("/metrics").await;
                if shown.sample(sample).is_some_and(|value| value >= least) {
                    return shown;
                }
                tokio::task::yield_now().await;
            }
        };
        eventually(&format!("{sample} to be {least}"), counting).await
    }
}
