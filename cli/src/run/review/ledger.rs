//! What the ledger says to a question that was typed into a page: by the code of `pinfold exposure`, one search at a time, and none
//! for long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pinfold_config::Loaded;
use pinfold_console::api::Declined;
use pinfold_console::{Leaf, Question, Statement, StatementFile};
use pinfold_store::{Excerpt, Sought};
use tokio::time::timeout;
use uuid::Uuid;

use super::Reviewing;
use crate::desk::unknown;
use crate::exposure::report::Report;
use crate::exposure::subject::{self, Subject};
use crate::exposure::{ExposureOptions, as_json, as_text, body, search};
use crate::failure::Failure;

/// Rows of one page of the ledger.
const ROWS: u32 = 100;
/// Rows that the page of a statement shows of those who may have received it, and of those who were refused.
const SIGHTED: usize = 100;
/// For a page of the ledger.
const WITHIN: Duration = Duration::from_secs(10);
/// For a statement, which reads all of its window.
pub(super) const STATED_WITHIN: Duration = Duration::from_secs(60);

impl Reviewing {
    /// A page of the ledger.
    pub(super) async fn ledger(&self, question: Question, before: Option<String>) -> Result<Leaf, Declined> {
        self.one_search(WITHIN, move |this| async move { this.leaf(question, before.as_deref()).await }).await
    }

    /// Who may have received something.
    pub(super) async fn exposure(&self, question: Question) -> Result<Statement, Declined> {
        self.one_search(STATED_WITHIN, move |this| async move {
            let (subject, report) = this.report(question).await?;
            // The page makes all of it safe to show.
            let plain = |text: &str| text.to_owned();
            let all = report.received.len() + report.refused.len();
            let (received, refused) = (report.received.iter(), report.refused.iter());
            let sighted: Vec<_> = received.take(SIGHTED).chain(refused.take(SIGHTED)).cloned().collect();
            Ok(Statement {
                taken_for: subject.as_str(),
                question: report.question(),
                said: report.statement(&plain),
                coverage: report.coverage(&plain),
                is_exposure: report.is_exposure(),
                more: all - sighted.len(),
                sighted,
            })
        })
        .await
    }

    /// The same, to hand on.
    pub(super) async fn exposure_file(
        &self,
        question: Question,
        file: StatementFile,
    ) -> Result<String, Declined> {
        self.one_search(STATED_WITHIN, move |this| async move {
            let (_, report) = this.report(question).await?;
            Ok(match file {
                StatementFile::Text => as_text(&report),
                StatementFile::Json => as_json(&report),
            })
        })
        .await
    }

    /// Whoever goes on asking waits for nobody, and loads the disk no more than one search does. One that takes too long is
    /// given up here and by the store, and keeps its place until it has ended.
    pub(super) async fn one_search<T: Send + 'static, F: Future<Output = Result<T, Failure>>>(
        &self,
        within: Duration,
        work: impl FnOnce(Self) -> F + Send + 'static,
    ) -> Result<T, Declined> {
        let Ok(place) = Arc::clone(&self.searching).try_acquire_owned() else {
            return Err(Declined::Later("another search is under way: try again in a moment".to_owned()));
        };
        let working = self.blocking::<T, Failure, _>(move |this| async move {
            let done = work(this).await;
            drop(place);
            done
        });
        let late = |_| {
            let seconds = within.as_secs();
            Failure::could_not(format!(
                "it was not found within {seconds} seconds: name a shorter time, or use 'pinfold exposure'"
            ))
        };
        Ok(timeout(within, working).await.map_err(late)??)
    }

    async fn leaf(&self, question: Question, before: Option<&str>) -> Result<Leaf, Failure> {
        let Question { subject, since, until } = question;
        let Loaded { config, .. } = self.configuration.load_without_pins()?;
        let (subject, options) = subject::read(&subject);
        let is_everything = since.is_none() && until.is_none();
        let options = options.within(since, until);
        let (mut sought, digest) = match subject {
            // Neither asks for anything that the options have a word for.
            Subject::Everything | Subject::Incident(_) if is_everything => (Sought::default(), None),
            Subject::Everything
            | Subject::Incident(_)
            | Subject::Url
            | Subject::Host
            | Subject::Digest
            | Subject::Client
            | Subject::User => options.sought(&config, Timestamp::now())?,
        };
        if let Some(digest) = digest {
            sought.body = Some(body(&self.store, &digest).await?);
        }
        let incident = match subject {
            Subject::Incident(incident) => Some(incident),
            Subject::Everything
            | Subject::Url
            | Subject::Host
            | Subject::Digest
            | Subject::Client
            | Subject::User => None,
        };
        let before = before.map(Uuid::parse_str).transpose();
        let before =
            before.map_err(|_| Failure::configuration("the link names no entry from which to go on"))?;
        let wanted = Excerpt { sought, incident, before, limit: ROWS + 1, within: WITHIN };
        let mut rows = self.store.excerpt(&wanted).await?;
        let has_more = rows.len() > ROWS as usize;
        rows.truncate(ROWS as usize);
        let last = rows.last().map(|row| row.exchange.id.to_string());
        Ok(Leaf { taken_for: subject.as_str(), rows, next: last.filter(|_| has_more) })
    }

    pub(super) async fn report(&self, question: Question) -> Result<(Subject, Report), Failure> {
        let now = Timestamp::now();
        let Loaded { config, .. } = self.configuration.load_without_pins()?;
        let (subject, options) = subject::read(&question.subject);
        let options = match subject {
            Subject::Incident(incident) => {
                let item = self.store.item(incident).await?;
                let (item, _) = item.ok_or_else(|| unknown(&incident.to_string()))?;
                ExposureOptions::of_body(item.digest)
            }
            Subject::Everything
            | Subject::Url
            | Subject::Host
            | Subject::Digest
            | Subject::Client
            | Subject::User => options,
        };
        let (mut sought, digest) = options.within(question.since, question.until).sought(&config, now)?;
        sought.ends = Some(Instant::now() + STATED_WITHIN);
        Ok((subject, search(&self.store, sought, digest, now).await?))
    }
}
