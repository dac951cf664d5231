//! Where events go.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use pinfold_store::Repeats;
use rustls::ClientConfig;
use url::Url;

use crate::record::Format;
use crate::secret::SecretFile;
use crate::trying::Trying;

/// One `[[siem]]` of the configuration.
#[derive(Clone, Debug)]
pub struct Output {
    /// How an event is written.
    pub format: Format,
    /// Where to.
    pub target: Target,
    /// Whether repeats come as one counted event or as an event each.
    pub repeats: Repeats,
    /// Whom to trust, and as whom to come. Only what speaks TLS has it: [`crate::trust`].
    pub tls: Option<Arc<ClientConfig>>,
    /// How many bytes of the ledger may wait for it. Beyond that the oldest events are passed over, and that is said.
    pub max_backlog: u64,
    /// What is sent as `Authorization`, read anew for each request.
    pub token: Option<SecretFile>,
    /// Says for how long it has failed.
    pub trying: Trying,
}

impl Output {
    /// Under which name the store remembers what this output has got. Another format or target is another output.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.format.as_str(), self.target)
    }
}

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Appended to this file, which is made when it is not there and made again when it was rotated away.
    File(PathBuf),
    /// Written to standard output.
    Stdout,
    /// Messages of RFC 5424.
    Syslog {
        /// How they travel.
        transport: Transport,
        /// A name, or an address without brackets.
        host: Box<str>,
        /// The receiver's port.
        port: u16,
    },
    /// Posted to this `https://` URL, a batch of lines at a time.
    Https(Url),
    /// Posted to the HTTP Event Collector at this `https://` URL, to which the collector's own paths are added.
    Splunk(Url),
}

/// How syslog messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A datagram each (RFC 5426). What is lost on the way, nobody knows.
    Udp,
    /// Counted octets in a stream (RFC 6587 §3.4.1).
    Tcp,
    /// The same in TLS (RFC 5425).
    Tls,
}

impl fmt::Display for Target {
    /// As `to` has it in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Stdout => f.write_str("stdout:"),
            Self::Syslog { transport, host, port } => {
                let transport = match transport {
                    Transport::Udp => "udp",
                    Transport::Tcp => "tcp",
                    Transport::Tls => "tls",
                };
                let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
                write!(f, "syslog+{transport}://{open}{host}{close}:{port}")
            }
            Self::Https(url) => write!(f, "{url}"),
            Self::Splunk(url) => write!(f, "splunk+{url}"),
        }
    }
}
