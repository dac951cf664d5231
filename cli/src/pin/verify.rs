//! `pinfold pin verify`: fetches what is pinned as the gateway would, and judges it as the gateway would.

use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use pinfold_config::Loaded;
use pinfold_policy::digest::BodyId;
use pinfold_policy::pin::PinUrl;
use pinfold_policy::policy::{Expectation, Policy};
use pinfold_policy::reason::Reason;
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::verdict::{Verdict, judge};
use pinfold_proxy::{FetchError, Looked, Upstream};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{artifact_url, decisions, progress, shortened};
use crate::Found;
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::listing::{Column, Listing};
use crate::terminal::Terminal;
use crate::wiring;
use crate::words::{counted, path_json, size};

/// Fetches at one time. Vendors are asked like by one browser, and what is held stays small.
const AT_ONCE: usize = 8;

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// Pinned URLs; all exact ones without any.
    #[arg(value_name = "URL", value_parser = artifact_url)]
    urls: Vec<ArtifactUrl>,
}

/// What came, against what is pinned.
enum State {
    /// The gateway would release it, by this rule.
    Same(Arc<str>),
    /// It would refuse it.
    Differs(Reason),
    /// It would release it, if the pin had not expired.
    Expired,
    /// There is no whole 200.
    Unreachable(FetchError),
}

impl State {
    fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allow(cleared) => Self::Same(cleared.rule()),
            Verdict::Withhold(Reason::ExpiredPin, _) => Self::Expired,
            Verdict::Withhold(reason, _) => Self::Differs(reason),
            // Patterns alone bind, and an exact pin decides without them.
            Verdict::Bind(..) => Self::Differs(Reason::DigestMismatch),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Same(_) => "same",
            Self::Differs(_) => "differs",
            Self::Expired => "expired",
            Self::Unreachable(_) => "unreachable",
        }
    }

    fn why(&self) -> String {
        match self {
            Self::Same(rule) => rule.to_string(),
            Self::Differs(reason) => reason.to_string(),
            Self::Expired => Reason::ExpiredPin.to_string(),
            Self::Unreachable(error) => error.to_string(),
        }
    }
}

/// One URL, and what became of its fetch.
struct Row<'u> {
    url: &'u ArtifactUrl,
    /// When its newest pin was added.
    added: Option<Date>,
    now: Option<Now>,
    state: State,
}

/// What the vendor serves.
struct Now {
    id: BodyId,
    len: u64,
    media_type: Option<String>,
    path: Value,
}

/// Compares, and tells each URL's state. It is a finding where a URL differs or its pin has expired.
pub(crate) async fn run(
    configuration: &Configuration,
    options: VerifyOptions,
    terminal: &Terminal,
) -> Result<Found, Failure> {
    let Loaded { config, .. } = configuration.load()?;
    let upstream = Upstream::new(&wiring::settings(&config)?, Vec::new(), wiring::temporary())
        .map_err(|error| Failure::could_not(format!("cannot set up TLS: {error}")))?;
    let decisions = decisions(&config).await?;
    let policy = Policy::new(Arc::new(config.rulebook), decisions);
    let urls = targets(&policy, options.urls)?;
    let rows = compare(&policy, upstream, &urls).await?;
    if terminal.json {
        terminal.print_json(&rows.iter().map(|row| row_json(row, &policy)).collect())?;
    } else {
        show(&rows, &policy, terminal)?;
    }
    let count = |word: &str| rows.iter().filter(|row| row.state.word() == word).count();
    if count("differs") + count("expired") > 0 {
        return Ok(Found::Something);
    }
    match count("unreachable") {
        0 => Ok(Found::Nothing),
        some => Err(Failure::could_not(format!("{} could not be fetched", counted(some, "URL")))
            .hint("all others are the same; try these again")),
    }
}

/// The URLs that were named, or all that exact pins are about, each once.
fn targets(policy: &Policy, named: Vec<ArtifactUrl>) -> Result<Vec<ArtifactUrl>, Failure> {
    let is_pinned = |url: &ArtifactUrl| !policy.expect(url).deciding().pins().is_empty();
    if let Some(url) = named.iter().find(|url| !is_pinned(url)) {
        return Err(Failure::configuration(format!("{url} is not pinned"))
            .hint("'pinfold pin add URL' fetches a script and pins it"));
    }
    let mut urls = named;
    if urls.is_empty() {
        urls.extend(policy.rules().pins.all().iter().filter_map(|pin| match &pin.url {
            PinUrl::Exact(url) => Some(url.clone()),
            PinUrl::Pattern(_) => None,
        }));
    }
    let mut seen = std::collections::HashSet::new();
    urls.retain(|url| seen.insert(url.key().to_owned()));
    Ok(urls)
}

async fn compare<'u>(
    policy: &Policy,
    upstream: Upstream,
    urls: &'u [ArtifactUrl],
) -> Result<Vec<Row<'u>>, Failure> {
    let upstream = Arc::new(upstream);
    let progress = progress(urls.len());
    let mut fetches = JoinSet::new();
    let mut waiting = urls.iter().enumerate();
    let mut rows = Vec::new();
    loop {
        while fetches.len() < AT_ONCE {
            let Some((at, url)) = waiting.next() else { break };
            let (upstream, url) = (Arc::clone(&upstream), url.clone());
            progress.set_message(url.to_string());
            fetches.spawn(async move { (at, upstream.look(&url).await) });
        }
        let Some(fetched) = fetches.join_next().await else { break };
        let (at, looked) =
            fetched.map_err(|error| Failure::could_not(format!("a fetch failed, this is a bug: {error}")))?;
        progress.inc(1);
        if let Some(url) = urls.get(at) {
            rows.push((at, row(policy, url, looked)));
        }
    }
    progress.finish_and_clear();
    rows.sort_by_key(|(at, _)| *at);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn row<'u>(policy: &Policy, url: &'u ArtifactUrl, looked: Result<Looked, FetchError>) -> Row<'u> {
    let expected = policy.expect(url);
    let added = expected.deciding().pins().iter().filter_map(|pin| pin.added).max();
    match looked {
        Err(error) => Row { url, added, now: None, state: State::Unreachable(error) },
        Ok(Looked { held, media_type, path }) => {
            let now = Some(Now { id: held.id(), len: held.len(), media_type, path: path_json(&path) });
            let verdict = judge(&expected, Ok(held), Timestamp::now(), policy.revocations());
            Row { url, added, now, state: State::of(verdict) }
        }
    }
}

fn show(rows: &[Row<'_>], policy: &Policy, terminal: &Terminal) -> Result<(), Failure> {
    let mut listing = Listing::new([
        Column::Text("STATE"),
        Column::Text("PINNED"),
        Column::Number("SIZE NOW"),
        Column::Wide("URL"),
        Column::Wide("DIGEST NOW"),
        Column::Wide("WHY"),
    ]);
    // Whole where they may be searched for.
    let digest = |now: &Now| match terminal.width {
        Some(_) => shortened(&now.id.into()),
        None => now.id.to_string(),
    };
    for Row { url, added, now, state } in rows {
        listing.row([
            state.word().to_owned(),
            added.map_or("-".to_owned(), |day| day.to_string()),
            now.as_ref().map_or("-".to_owned(), |now| size(now.len)),
            url.to_string(),
            now.as_ref().map_or("-".to_owned(), digest),
            state.why(),
        ]);
    }
    if listing.is_empty() {
        terminal.note("no exact pin to compare");
    } else {
        terminal.print(&listing.render(terminal))?;
    }
    let is_pattern = |pin: &&pinfold_policy::pin::Pin| matches!(pin.url, PinUrl::Pattern(_));
    let patterns = policy.rules().pins.all().iter().filter(is_pattern).count();
    if patterns > 0 {
        terminal.note(&format!("{}: nothing says which URLs to fetch", counted(patterns, "pattern")));
    }
    Ok(())
}

fn row_json(row: &Row<'_>, policy: &Policy) -> Value {
    let Row { url, added, now, state } = row;
    let expected: Expectation<'_> = policy.expect(url);
    let pins = expected.deciding().pins().iter().map(|pin| {
        json!({
            "digests": pin.digests.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "expires": pin.expires.map(|day| day.to_string()),
            "file": &*pin.place.file,
            "line": pin.place.line,
        })
    });
    json!({
        "url": url.key(),
        "state": state.word(),
        "why": state.why(),
        "added": added.map(|day| day.to_string()),
        "digest": now.as_ref().map(|now| now.id.to_string()),
        "bytes": now.as_ref().map(|now| now.len),
        "media_type": now.as_ref().and_then(|now| now.media_type.as_deref()),
        "path": now.as_ref().map(|now| &now.path),
        "pins": pins.collect::<Value>(),
    })
}
