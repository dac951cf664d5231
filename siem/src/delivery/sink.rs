//! The rim of a delivery: whatever takes batches.

use std::future::pending;
use std::io;

use tokio::time::Instant;

use super::batch::{Batch, lines};
use super::http::Post;
use super::splunk::Splunk;
use super::syslog::Syslog;
use super::unsent::Unsent;
use super::writer::Writer;
use crate::observer::Observer;
use crate::output::{Output, Target};

/// Where an output's batches go.
pub(super) enum Sink {
    Lines(Writer),
    Syslog(Box<Syslog>),
    Https(Box<Post>),
    Splunk(Box<Splunk>),
}

impl Sink {
    /// Opens nothing yet but the thread that files need.
    pub(super) fn of(output: &Output, observer: &Observer) -> io::Result<Self> {
        let tls = || output.tls.as_ref().ok_or_else(|| io::Error::other("TLS was not set up"));
        Ok(match &output.target {
            Target::File(path) => Self::Lines(Writer::to_file(path)?),
            Target::Stdout => Self::Lines(Writer::to_stdout()?),
            Target::Syslog { transport, host, port } => {
                let to = (*transport, &**host, *port);
                Self::Syslog(Box::new(Syslog::to(to, output.tls.clone(), &observer.hostname)))
            }
            Target::Https(to) => Self::Https(Box::new(Post::to(to, tls()?, output.token.clone()))),
            Target::Splunk(to) => {
                let token = output.token.clone();
                let splunk = Splunk::to(to, tls()?, token, output.format, &observer.hostname)?;
                Self::Splunk(Box::new(splunk))
            }
        })
    }

    /// Sends what is left of a batch, or the next piece of that. After an error some of it may need no second attempt.
    pub(super) async fn send(&mut self, batch: &mut Batch) -> Result<(), Unsent> {
        match self {
            Self::Lines(writer) => {
                let written = writer.write(lines(batch.rest())).await;
                batch.advance(written.lines);
                Ok(written.outcome?)
            }
            Self::Syslog(syslog) => Ok(syslog.send(batch).await?),
            Self::Https(post) => post.send(batch).await,
            Self::Splunk(splunk) => splunk.send(batch).await,
        }
    }

    /// Whether what was sent has been taken as well. Of syslog nobody knows, and a datagram proves nothing ever.
    pub(super) fn confirms(&self) -> bool {
        match self {
            Self::Syslog(syslog) => syslog.is_datagrams(),
            Self::Lines(_) | Self::Https(_) | Self::Splunk(_) => true,
        }
    }

    /// Ends what is open, in order, and gives whether the receiver has read all of it.
    pub(super) async fn close(&mut self) -> bool {
        match self {
            Self::Syslog(syslog) => syslog.close().await,
            Self::Lines(_) | Self::Https(_) | Self::Splunk(_) => true,
        }
    }

    /// Since when a connection is open that can be ended in order.
    pub(super) fn opened(&self) -> Option<Instant> {
        match self {
            Self::Syslog(syslog) => syslog.opened(),
            Self::Lines(_) | Self::Https(_) | Self::Splunk(_) => None,
        }
    }

    /// Whether the receiver has ended the connection that was open. The next batch opens another.
    pub(super) fn is_gone(&mut self) -> bool {
        match self {
            Self::Syslog(syslog) => syslog.is_gone(),
            Self::Lines(_) | Self::Https(_) | Self::Splunk(_) => false,
        }
    }

    /// Waits until it has.
    pub(super) async fn gone(&mut self) {
        match self {
            Self::Syslog(syslog) => syslog.gone().await,
            Self::Lines(_) | Self::Https(_) | Self::Splunk(_) => pending().await,
        }
    }
}
