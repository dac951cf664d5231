//! `pinfold exposure`: who may have received something, who was refused, and what one may say about everybody else.
//!
//! Reads only, beside a gateway that runs and without one.

mod csv;
mod json;
mod markdown;
pub(crate) mod report;
pub(crate) mod subject;
mod table;

use std::net::IpAddr;

use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use pinfold_config::{Config, Loaded};
use pinfold_console::api::Exposing;
use pinfold_policy::digest::{BodyId, Digest, DigestError};
use pinfold_policy::host::Host;
use pinfold_policy::pin::PinUrl;
use pinfold_policy::verdict::Outcome;
use pinfold_store::{Sought, Store, StoreError};

use self::report::Report;
use crate::Found;
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::pin::revoke::bare_hex;
use crate::terminal::Terminal;
use crate::window;

/// What is sought. All that is said must be met; times are in UTC.
#[derive(Debug, Default, Args)]
pub(crate) struct ExposureOptions {
    /// The bytes: sha256, sha384 or sha512, in hex or in SRI notation (sha256-…).
    #[arg(long)]
    digest: Option<String>,
    /// A URL, with any query if it has none, or a pattern, as a pin has it.
    #[arg(long)]
    url: Option<String>,
    /// A host, on any port; of tunnels too.
    #[arg(long)]
    host: Option<String>,
    /// A client's address.
    #[arg(long, value_name = "ADDRESS")]
    client: Option<String>,
    /// A user's name.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A vendor's name.
    #[arg(long, value_name = "NAME")]
    vendor: Option<String>,
    /// What was decided.
    #[arg(long, value_parser = PossibleValuesParser::new(Outcome::ALL.map(Outcome::as_str)))]
    verdict: Option<String>,
    /// The first moment: 2026-11-23, 2026-11-23T14:05, 2026-11-23T14:05:00+01:00, or so long ago: 7d, 12h, 30m.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The last moment, likewise; a day counts to its end.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[arg(skip)]
    names: window::Names,
    /// Print what was found as CSV.
    #[arg(long, conflicts_with_all = ["json", "markdown"])]
    csv: bool,
    /// Print a report that can be handed on.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// How an answer is printed, where it is not wanted as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextForm {
    Table,
    Csv,
    Markdown,
}

/// Searches the ledger, and prints what was found as it is wanted.
pub(crate) async fn run(
    configuration: &Configuration,
    options: ExposureOptions,
    terminal: &Terminal,
) -> Result<Found, Failure> {
    let now = Timestamp::now();
    // A mistake in a pins file must not keep anyone from knowing.
    let Loaded { config, .. } = configuration.load_without_pins()?;
    let (sought, digest) = options.sought(&config, now)?;
    let store = Store::open_to_look(&config.data_dir).await.map_err(|error| match error {
        StoreError::Absent { .. } => nothing_yet(&error.to_string()),
        other => other.into(),
    })?;
    terminal.warn_of_damage(&store);
    let done = search(&store, sought, digest, now).await;
    store.close().await?;
    tell(&done?, options.form(), terminal)
}

/// Prints what was found as it is wanted.
pub(crate) fn tell(report: &Report, form: TextForm, terminal: &Terminal) -> Result<Found, Failure> {
    if terminal.json {
        terminal.print_json(&json::render(report))?;
    } else if form == TextForm::Csv {
        terminal.print_bytes(&csv::render(report)?)?;
        // What the rows are worth, for whoever pipes them on.
        let said = [report.statement(&table::shown), report.coverage(&table::shown)].concat();
        terminal.note(&said.join("\n"));
    } else if form == TextForm::Markdown {
        terminal.print(&markdown::render(report))?;
    } else {
        terminal.print(&table::render(report, terminal))?;
    }
    Ok(match report.is_exposure() {
        true => Found::Something,
        false if report.is_in_the_dark() || report.unwritten_until().is_some() => Found::Unknown,
        false => Found::Nothing,
    })
}

/// Searches the ledger.
pub(crate) async fn search(
    store: &Store,
    mut sought: Sought,
    digest: Option<Digest>,
    now: Timestamp,
) -> Result<Report, Failure> {
    if let Some(digest) = &digest {
        sought.body = Some(body(store, digest).await?);
    }
    let exposure = store.exposure(&sought).await?;
    if exposure.coverage.recorded_since.is_none() {
        return Err(nothing_yet("the ledger has no entry yet"));
    }
    Ok(Report::new(sought, digest, exposure, now))
}

fn nothing_yet(message: &str) -> Failure {
    Failure::could_not(message).hint(
        "there is no record to search, which does not say that nobody received anything: is --config that of the gateway, \
         and does its traffic pass through it?",
    )
}

/// As text that can be handed on.
pub(crate) fn as_text(report: &Report) -> String {
    markdown::render(report)
}

/// As JSON, as `--json` prints it.
pub(crate) fn as_json(report: &Report) -> String {
    format!("{:#}", json::render(report))
}

/// The ledger knows bodies by their SHA-256.
pub(crate) async fn body(store: &Store, digest: &Digest) -> Result<BodyId, Failure> {
    if let Digest::Sha256(bytes) = digest {
        return Ok(BodyId(*bytes));
    }
    let digests = store.digests_of(digest).await?;
    digests.map(|digests| digests.sha256).ok_or_else(|| {
        Failure::could_not(format!("who received {digest} cannot be told"))
            .hint("the ledger names bodies by their SHA-256, and no body with this digest was in quarantine or is on the shelf: \
                   search by the sha256 digest of the bytes, or by --url or --host")
    })
}

impl ExposureOptions {
    /// As somebody elsewhere asks.
    pub(crate) fn asked(asked: Exposing) -> Self {
        let Exposing { digest, url, host, client, user, vendor, verdict, since, until } = asked;
        Self {
            digest,
            url,
            host,
            client,
            user,
            vendor,
            verdict,
            since,
            until,
            names: window::Names::default(),
            csv: false,
            markdown: false,
        }
    }

    /// What is sought, as it is asked elsewhere.
    pub(crate) fn pairs(&self) -> Vec<(&'static str, &str)> {
        let pairs = [
            ("digest", &self.digest),
            ("url", &self.url),
            ("host", &self.host),
            ("client", &self.client),
            ("user", &self.user),
            ("vendor", &self.vendor),
            ("verdict", &self.verdict),
            ("since", &self.since),
            ("until", &self.until),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }

    /// The form that was asked for.
    pub(crate) fn form(&self) -> TextForm {
        match (self.csv, self.markdown) {
            (true, _) => TextForm::Csv,
            (false, true) => TextForm::Markdown,
            (false, false) => TextForm::Table,
        }
    }

    /// For these bytes.
    pub(crate) fn of_body(body: BodyId) -> Self {
        Self { digest: Some(Digest::from(body).to_string()), ..Self::default() }
    }

    /// The same, within a window that a page's fields say.
    pub(crate) fn within(self, since: Option<String>, until: Option<String>) -> Self {
        Self { since, until, names: window::Names::FIELDS, ..self }
    }

    /// What is sought, as the ledger has it.
    pub(crate) fn sought(
        &self,
        config: &Config,
        now: Timestamp,
    ) -> Result<(Sought, Option<Digest>), Failure> {
        let (mut sought, digest) = self.read(now)?;
        sought.masked_url = sought.url.as_ref().and_then(|url| config.ledger.redact.as_recorded(url));
        Ok((sought, digest))
    }

    fn read(&self, now: Timestamp) -> Result<(Sought, Option<Digest>), Failure> {
        let subjects = [&self.digest, &self.url, &self.host, &self.client, &self.user, &self.vendor];
        let others = [&self.verdict, &self.since, &self.until];
        if subjects.into_iter().chain(others).all(Option::is_none) {
            return Err(Failure::configuration("exposure of what? nothing was named").hint(
                "name a subject, a window or both: pinfold exposure --digest sha256-… --since 7d; 'pinfold exposure --help' \
                 lists them",
            ));
        }
        let (since, until) = window::read(self.names, self.since.as_deref(), self.until.as_deref(), now)?;
        let outcome = |word: &String| {
            let found = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word);
            found.ok_or_else(|| Failure::configuration(format!("no verdict is called '{word}'")))
        };
        let sought = Sought {
            body: None,
            url: self.url.as_deref().map(url).transpose()?,
            masked_url: None,
            host: self.host.as_deref().map(host).transpose()?,
            client: self.client.as_deref().map(client).transpose()?,
            user: self.user.as_deref().map(Into::into),
            vendor: self.vendor.as_deref().map(Into::into),
            outcome: self.verdict.as_ref().map(outcome).transpose()?,
            since,
            until,
            ends: None,
        };
        Ok((sought, self.digest.as_deref().map(digest).transpose()?))
    }
}

/// Reads a digest in any notation that a report of an incident may have: SRI, hex, `sha256:` or `sha256-` and hex.
fn digest(text: &str) -> Result<Digest, Failure> {
    let text = text.trim();
    let named = text.replacen(':', "-", 1);
    let error = match named.parse::<Digest>() {
        Ok(digest) => return Ok(digest),
        Err(DigestError::NoAlgorithm) => bare_hex(text).unwrap_or(DigestError::NoAlgorithm),
        Err(error) => error,
    };
    if let DigestError::Hex(sri) = &error
        && let Ok(digest) = sri.parse()
    {
        return Ok(digest);
    }
    Err(Failure::configuration(error.to_string())
        .hint("a digest is 64, 96 or 128 hex digits, or sha256-, sha384- or sha512- and base64"))
}

fn url(text: &str) -> Result<PinUrl, Failure> {
    PinUrl::parse(text).map_err(|error| {
        Failure::configuration(format!("--url is '{text}': {error}")).hint(
            "write it with its scheme, https://cdn.example/app.js; a star stands for a part of the path; a host alone is --host",
        )
    })
}

fn host(text: &str) -> Result<Host, Failure> {
    text.parse().map_err(|error| {
        Failure::configuration(format!("--host is '{text}': {error}"))
            .hint("write the name alone, without scheme, port and path: cdn.example")
    })
}

fn client(text: &str) -> Result<IpAddr, Failure> {
    let address = text.parse::<IpAddr>().map_err(|_| {
        Failure::configuration(format!("--client is '{text}', which is no address"))
            .hint("write one IPv4 or IPv6 address, as the gateway sees it; a user's name is --user")
    })?;
    Ok(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use pinfold_policy::digest::Digests;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-27T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_digest_is_read_as_incident_reports_write_it() {
        for of in Digests::of(b"x").all() {
            let hex: String = of.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            let name = of.algorithm().as_str();
            for text in [
                of.to_string(),
                hex.clone(),
                hex.to_uppercase(),
                format!(" {hex}\n"),
                format!("{name}:{hex}"),
                format!("{name}-{hex}"),
            ] {
                assert_eq!(digest(&text).unwrap(), of, "{text}");
            }
        }
        for wrong in
            ["", "x", "sha1-AAAA", "sha256-AAAA", "md5:d41d8cd98f00b204e9800998ecf8427e", &"z".repeat(64)]
        {
            assert!(matches!(digest(wrong), Err(Failure::Configuration(_))), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_question_is_answered_with_how_to_ask() {
        let some = |text: &str| Some(text.to_owned());
        let none = ExposureOptions::default;
        for (options, hint) in [
            (none(), "--since 7d"),
            (ExposureOptions { url: some("cdn.example"), ..none() }, "--host"),
            (ExposureOptions { host: some("https://cdn.example/"), ..none() }, "without scheme"),
            (ExposureOptions { client: some("ada"), ..none() }, "--user"),
            (ExposureOptions { since: some("1d"), until: some("2d"), ..none() }, "exchange"),
            (ExposureOptions { since: some("soon"), ..none() }, "2026-11-23"),
        ] {
            let Err(Failure::Configuration(complaint)) = options.read(now()) else { panic!("{options:?}") };
            assert!(complaint.hint.as_ref().is_some_and(|text| text.contains(hint)), "{complaint:?}");
        }
    }
}
