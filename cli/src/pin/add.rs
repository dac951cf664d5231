//! `pinfold pin add`: fetches as the gateway does, shows what came and how, and pins it.
//!
//! The digest that is written is the SHA-256 alone. It is the one by which quarantine, events, revocations and other
//! people's tools name a body, and a pins file in one notation can be searched and compared by eye.

use std::path::Path;

use clap::Args;
use jiff::civil::Date;
use pinfold_config::edit::{Change, NewPin, add_pins};
use pinfold_config::{Config, Loaded};
use pinfold_policy::digest::{BodyId, Digest};
use pinfold_policy::kind::{Answered, Asked, Kind, MAGIC_LEN, classify};
use pinfold_policy::pin::PinUrl;
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::vendor::OtherTls;
use pinfold_proxy::{FetchError, Looked, Upstream};
use pinfold_store::entry::DeliveryPath;
use serde_json::{Value, json};

use super::{artifact_url, progress, unwritten};
use crate::configuration::{Configuration, today};
use crate::failure::{Failure, cause};
use crate::printable::printable;
use crate::terminal::{Terminal, Tone};
use crate::wiring;
use crate::words::{exact_size, path_json, path_text};

/// What to pin.
#[derive(Debug, Args)]
pub(crate) struct AddOptions {
    /// Where it is served.
    #[arg(required = true, value_name = "URL", value_parser = artifact_url)]
    urls: Vec<ArtifactUrl>,
    /// Who answers for it.
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// The written justification.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The last day on which it counts, such as 2027-05-23.
    #[arg(long, value_name = "DATE")]
    expires: Option<Date>,
    /// The release that the URLs belong to.
    #[arg(long, value_name = "NAME")]
    release: Option<String>,
    /// What it may act as: script, wasm, style, document or installer [default: what the response is].
    #[arg(long)]
    kind: Option<Kind>,
    /// Show what would be pinned, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Something fetched, and what is to be written of it.
struct Candidate {
    url: ArtifactUrl,
    id: BodyId,
    len: u64,
    media_type: Option<String>,
    path: DeliveryPath,
    kind: Kind,
    /// Nothing in the response says what it is.
    kind_is_guess: bool,
}

/// Fetches all URLs, shows them, and writes their pins: all or, if one cannot be had, none.
pub(crate) async fn run(
    configuration: &Configuration,
    options: AddOptions,
    terminal: &Terminal,
) -> Result<(), Failure> {
    if *configuration == Configuration::BuiltIn {
        return Err(Failure::configuration("no pinfold.toml here to add pins beside")
            .hint("run 'pinfold init' to write one, or name it with --config"));
    }
    // A mistake in a pins file must not keep anyone from mending it.
    let Loaded { config, .. } = configuration.load_without_pins()?;
    let file = config.pins_files.first().ok_or_else(|| {
        Failure::configuration("'pins' in pinfold.toml names no file").hint("set it to [\"pins.toml\"]")
    })?;
    if options.expires.is_some_and(|day| day < today()) {
        return Err(Failure::configuration("the day of --expires has passed"));
    }
    let candidates = fetch_all(&config, &options, terminal).await?;
    for candidate in candidates.iter().filter(|_| !terminal.json) {
        terminal.print(&describe(candidate, terminal))?;
    }
    let written = if options.dry_run { Vec::new() } else { write(file, &candidates, &options)? };
    if terminal.json {
        return terminal.print_json(&result_json(&candidates, &written, file));
    }
    for (candidate, (change, line)) in candidates.iter().zip(&written) {
        terminal.print(&outcome(candidate, *change, file, *line))?;
    }
    warn_of_unjudged(&candidates, &config, terminal);
    match written.iter().any(|(change, _)| *change != Change::Unchanged) {
        true => terminal.note("a running gateway takes it up within seconds"),
        false if options.dry_run => terminal.note("dry run: nothing was written"),
        false => {}
    }
    Ok(())
}

async fn fetch_all(
    config: &Config,
    options: &AddOptions,
    terminal: &Terminal,
) -> Result<Vec<Candidate>, Failure> {
    let upstream = Upstream::new(&wiring::settings(config)?, Vec::new(), wiring::temporary())
        .map_err(|error| Failure::could_not(format!("cannot set up TLS: {error}")))?;
    let progress = progress(options.urls.len());
    let mut candidates = Vec::new();
    let mut failed: Vec<(&ArtifactUrl, FetchError)> = Vec::new();
    for url in &options.urls {
        progress.set_message(url.to_string());
        match upstream.look(url).await {
            Ok(looked) => candidates.push(candidate(url, looked, options.kind)?),
            Err(error) => failed.push((url, error)),
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let Some((last, before)) = failed.split_last() else { return Ok(candidates) };
    for (url, error) in before {
        terminal.complain(&cannot_fetch(url, error));
    }
    Err(cannot_fetch(last.0, &last.1))
}

fn cannot_fetch(url: &ArtifactUrl, error: &FetchError) -> Failure {
    let failure = Failure::could_not(format!("{url}: {error}; nothing was written"));
    match error {
        FetchError::Status(300..400) => failure.hint("pin the URL that it redirects to"),
        FetchError::Status(_) => failure.hint("open the URL in a browser: only a 200 is ever verified"),
        FetchError::Body(_) => {
            failure.hint("see [limits] in pinfold.toml: the gateway would refuse it as well")
        }
        FetchError::Tls { .. } => {
            failure.hint("a vendor with a root of its own: name the file in upstream_tls.extra_roots")
        }
        FetchError::Egress(_)
        | FetchError::Timeout { .. }
        | FetchError::Malformed(_)
        | FetchError::Broken(_)
        | FetchError::Request(_)
        | FetchError::Content(_) => failure,
    }
}

fn candidate(url: &ArtifactUrl, looked: Looked, named: Option<Kind>) -> Result<Candidate, Failure> {
    let Looked { held, media_type, path } = looked;
    let start = held.kept_for_quarantine().piece_at(0).map_err(|error| Failure::could_not(cause(&error)))?;
    let start: Vec<u8> = start.iter().copied().take(MAGIC_LEN).collect();
    let types: Vec<_> = media_type.as_deref().into_iter().collect();
    let answered = Answered { content_types: &types, starts: &[&start], ..Answered::default() };
    let kinds = classify(&Asked { path: url.path(), ..Asked::default() }, &answered);
    let several = kinds.iter().count() > 1;
    let kind = match named {
        Some(kind) => kind,
        // A login page in place of a script looks like this too: somebody has to look.
        None if several => {
            return Err(Failure::could_not(format!("{url}: could be run as {kinds}; nothing was written"))
                .hint("look at what it serves, then say what it may act as with --kind"));
        }
        None => kinds.iter().next().unwrap_or(Kind::Script),
    };
    let kind_is_guess = named.is_none() && kinds.is_empty();
    Ok(Candidate { url: url.clone(), id: held.id(), len: held.len(), media_type, path, kind, kind_is_guess })
}

fn write(file: &Path, candidates: &[Candidate], options: &AddOptions) -> Result<Vec<(Change, u32)>, Failure> {
    let pins: Vec<_> = candidates
        .iter()
        .map(|candidate| NewPin {
            url: PinUrl::Exact(candidate.url.clone()),
            digests: vec![Digest::from(candidate.id)],
            kind: candidate.kind,
            release: options.release.clone(),
            owner: options.owner.clone(),
            reason: options.reason.clone(),
            added: Some(today()),
            expires: options.expires,
        })
        .collect();
    Ok(add_pins(file, &pins).map_err(unwritten)?.changes)
}

fn describe(candidate: &Candidate, terminal: &Terminal) -> String {
    let media_type = candidate.media_type.as_deref().unwrap_or("no media type");
    let guess = if candidate.kind_is_guess { ", for nothing says what it is" } else { "" };
    format!(
        "{}\n  size    {}\n  type    {}\n  kind    {}{guess}\n  digest  {}\n  path    {}\n",
        terminal.paint(Tone::Strong, &printable(candidate.url.key())),
        exact_size(candidate.len),
        printable(media_type),
        candidate.kind,
        candidate.id,
        path_text(&candidate.path, "\n          "),
    )
}

fn outcome(candidate: &Candidate, change: Change, file: &Path, line: u32) -> String {
    let place = format!("{}:{line}", file.display());
    match change {
        Change::Appended => format!("{place}: pinned {}", candidate.url),
        Change::Unchanged => format!("{place}: {} had this digest already", candidate.url),
        Change::Extended => format!(
            "{place}: {} has one more digest; remove the others from the block when they are not wanted any more",
            candidate.url
        ),
    }
}

fn warn_of_unjudged(candidates: &[Candidate], config: &Config, terminal: &Terminal) {
    let rules = &config.rulebook;
    let mut hosts: Vec<_> = candidates
        .iter()
        .map(|candidate| candidate.url.host())
        .filter(|host| rules.vendors.of(host).is_none() && rules.other_tls == OtherTls::Tunnel)
        .collect();
    hosts.sort_unstable();
    hosts.dedup();
    for host in hosts {
        terminal.warn(
            &format!("no vendor claims {host} and it is tunnelled: its pins are never looked at"),
            "add the host to a [[vendor]] in pinfold.toml",
        );
    }
}

fn result_json(candidates: &[Candidate], written: &[(Change, u32)], file: &Path) -> Value {
    let word = |change: Change| match change {
        Change::Appended => "added",
        Change::Extended => "extended",
        Change::Unchanged => "unchanged",
    };
    let rows = candidates.iter().enumerate().map(|(at, candidate)| {
        let written = written.get(at);
        json!({
            "url": candidate.url.key(),
            "bytes": candidate.len,
            "media_type": candidate.media_type,
            "kind": candidate.kind.as_str(),
            "digest": candidate.id.to_string(),
            "path": path_json(&candidate.path),
            "change": written.map(|(change, _)| word(*change)),
            "file": written.map(|_| file.display().to_string()),
            "line": written.map(|(_, line)| line),
        })
    });
    rows.collect()
}
