//! Who got what, when, with which verdict: writing it down, and asking for it.

use jiff::{SignedDuration, Timestamp};
use pinfold_policy::digest::BodyId;

use crate::Store;
use crate::entry::{Exchange, Gap, Notice, Tunnel, Visit, What};
use crate::error::StoreError;
use crate::ledger::{
    self, AskedUrls, Bounds, Changed, Contents, Excerpt, ExchangeRow, Exposure, Filter, OpenTunnel, Receipt,
    Receiver, Sought, Traffic, TunnelRow, Unseen,
};
use crate::month::Month;
use crate::place::Place;
use crate::register::{cursors, incidents_of};

/// Of these the last is kept however old it is: whether something has changed since is asked at each start.
const KEPT: [What; 2] = [What::RootChanged, What::IssuerChanged];

impl Store {
    /// Records a guarded exchange. A refusal, and a client's first receipt of a body at a URL with an outcome, is on
    /// disk when this returns; a repeat is counted, shares the row of its minute, and follows within a second.
    ///
    /// # Errors
    /// [`StoreError`] when it is not recorded: then nothing guarded may be released.
    pub async fn record(&self, exchange: Exchange) -> Result<Receipt, StoreError> {
        self.inner.ledger()?.record(exchange).await
    }

    /// Records a tunnel, or the refusal of one; on disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`] when it is not recorded.
    pub async fn tunnel_opened(&self, tunnel: Tunnel) -> Result<OpenTunnel, StoreError> {
        self.inner.ledger()?.tunnel_opened(tunnel).await
    }

    /// Counts a request to a host of which nobody looks at what it sends, in the row of its hour. Never blocks; on disk within
    /// a second. Beyond a bound for each client, and one for all, hosts are not told apart, and then clients neither.
    pub fn visited(&self, visit: Visit) {
        if let Some(gateway) = &self.inner.gateway {
            gateway.ledger.visited(visit);
        }
    }

    /// Records what happened beside the traffic; on disk when this returns. Whoever cannot know whether it was, after a
    /// crash, may do so again: one of the same name and time is there once.
    ///
    /// # Errors
    /// [`StoreError`] when it is not recorded.
    pub async fn notice(&self, notice: Notice) -> Result<(), StoreError> {
        self.inner.ledger()?.notice(notice).await
    }

    /// Rows of the ledger, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn exchanges(&self, filter: &Filter) -> Result<Vec<ExchangeRow>, StoreError> {
        ledger::exchanges(&self.inner.data_dir, filter).await
    }

    /// A bounded part of the ledger, the newest first, in bounded time.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read, or not within the time.
    pub async fn excerpt(&self, wanted: &Excerpt) -> Result<Vec<ExchangeRow>, StoreError> {
        ledger::excerpt(&self.inner.data_dir, wanted).await
    }

    /// Up to `limit` tunnels, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn tunnels(&self, limit: u32) -> Result<Vec<TunnelRow>, StoreError> {
        ledger::tunnels(&self.inner.data_dir, limit).await
    }

    /// The gaps of the ledger: what could not be recorded, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn gaps(&self) -> Result<Vec<Gap>, StoreError> {
        ledger::gaps(&self.inner.data_dir).await
    }

    /// Up to `limit` notices, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn notices(&self, limit: u32) -> Result<Vec<Notice>, StoreError> {
        ledger::notices(&self.inner.data_dir, limit).await
    }

    /// The newest notice of its kind, as far back as the ledger reaches.
    ///
    /// # Errors
    /// [`StoreError`] when a month cannot be read.
    pub async fn last_notice(&self, what: What) -> Result<Option<Notice>, StoreError> {
        Ok(ledger::last_notice(&self.inner.data_dir, what).await?.map(|(_, notice)| notice))
    }

    /// Who received a body, as far back as the ledger reaches, the last first.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn receivers(&self, id: BodyId) -> Result<Vec<Receiver>, StoreError> {
        ledger::receivers(&self.inner.data_dir, id).await
    }

    /// Who may have received what is sought, and who was refused; and what that rests on.
    ///
    /// # Errors
    /// [`StoreError`] when a month of the window cannot be read.
    pub async fn exposure(&self, sought: &Sought) -> Result<Exposure, StoreError> {
        let incidents = match sought.body {
            Some(body) => {
                let mut reader = self.inner.register.reader().await?;
                incidents_of(&mut reader.connection, body).await.map_err(reader.failed())?
            }
            None => Vec::new(),
        };
        ledger::exposure(&self.inner.data_dir, sought, &incidents).await
    }

    /// How many hosts clients talked to of which nobody looked at what they sent, as far as the ledger reaches back.
    ///
    /// # Errors
    /// [`StoreError`] when a month cannot be read.
    pub async fn unseen(&self) -> Result<Unseen, StoreError> {
        ledger::unseen(&self.inner.data_dir).await
    }

    /// What passed from `since` to `until`, summed up by all that a verdict depends on. `reading` is told of each month.
    ///
    /// # Errors
    /// [`StoreError`] when a month of the window cannot be read.
    pub async fn traffic(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        reading: impl FnMut(&str),
    ) -> Result<Traffic, StoreError> {
        let window = Sought { since, until, ..Sought::default() };
        ledger::traffic(&self.inner.data_dir, &window, Bounds::default(), reading).await
    }

    /// The URLs that were asked for, by month, since the month of `since`.
    ///
    /// # Errors
    /// [`StoreError`] when the ledger cannot be found.
    pub fn asked_urls(&self, since: Option<Timestamp>) -> Result<AskedUrls, StoreError> {
        AskedUrls::new(&self.inner.data_dir, since)
    }

    /// When the first exchange was that the ledger still has.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn recorded_since(&self) -> Result<Option<Timestamp>, StoreError> {
        ledger::recorded_since(&self.inner.data_dir).await
    }

    /// What URLs answered with in place of what was expected there, by month, since the month of `since`. Reads whole months.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn changed(&self, since: Timestamp) -> Result<Vec<Changed>, StoreError> {
        ledger::changed(&self.inner.data_dir, since).await
    }

    /// Whether the ledger holds a verdict of a pin or of a decision at this subject, with any query: that it was verified,
    /// or differed from, or had expired or been rejected there.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn was_judged_by_a_pin(&self, subject: &str) -> Result<bool, StoreError> {
        ledger::was_judged_by_a_pin(&self.inner.data_dir, subject).await
    }

    /// Drops the months of the ledger whose last moment is longer ago than `retention`, the oldest first, and tells of each.
    /// A month is kept where one of `outputs` has not acknowledged all of its events yet, or a tunnel that began in it is
    /// open. Gives the months that are kept for an output.
    ///
    /// # Errors
    /// [`StoreError`] when a month cannot be read, told of or removed, or only the gateway could.
    pub async fn drop_old(
        &self,
        retention: SignedDuration,
        outputs: &[String],
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let ledger = self.inner.ledger()?;
        let Ok(oldest) = now.checked_sub(retention) else { return Ok(Vec::new()) };
        let mut awaited = Vec::new();
        for month in ledger::ended_before(&self.inner.data_dir, oldest, now)? {
            let Contents { exchanges, tunnels, is_open } =
                ledger::contents(&self.inner.data_dir, month).await?;
            if is_open {
                continue;
            }
            if !self.have_all(outputs, month, ledger.tip(month)).await? {
                awaited.push(month.to_string());
                continue;
            }
            let text = format!("{month}, with {exchanges} rows of exchanges and {tunnels} of tunnels");
            let policy_version = self.decisions().borrow().version();
            let dropped = Notice::of_gateway(What::LedgerDropped, now, text, policy_version);
            self.notice(dropped.about(month.to_string())).await?;
            for what in KEPT {
                if let Some((told, notice)) = ledger::last_notice(&self.inner.data_dir, what).await?
                    && told == month
                {
                    ledger.keep_notice(notice, Month::of(now)).await?;
                }
            }
            ledger.remove(month).await?;
        }
        Ok(awaited)
    }

    /// Whether each output has acknowledged the events of a month up to `tip`.
    async fn have_all(&self, outputs: &[String], month: Month, tip: Place) -> Result<bool, StoreError> {
        for output in outputs {
            let standing = cursors(&mut self.inner.register.reader().await?, output).await?;
            if standing.own.get(&month).copied().unwrap_or_default().rows_to(tip) > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
