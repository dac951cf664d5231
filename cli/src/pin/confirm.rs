//! `pinfold pin confirm`: a person's word on what pinfold learned by itself: it becomes an approval, or it is dropped.

use clap::Args;
use jiff::Timestamp;
use pinfold_config::Loaded;
use pinfold_policy::decisions::Basis;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::Store;
use pinfold_store::item::{Confirmed, InForce};
use serde_json::{Value, json};

use crate::Found;
use crate::configuration::Configuration;
use crate::decision::{self, who};
use crate::desk::{self, At, Desk, Written, agreement_json};
use crate::failure::Failure;
use crate::printable::printable;
use crate::terminal::{Terminal, Tone};

/// What was learned, and what is said of it.
#[derive(Debug, Args)]
pub(crate) struct ConfirmOptions {
    /// The URL at which it was learned, or the number of its record.
    #[arg(value_name = "URL")]
    pub(crate) learned: String,
    /// Why, for whoever asks later. Must be given.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    /// The last day on which it counts, or a number of days: 2027-05-01, 90d.
    #[arg(long, value_name = "DAY")]
    pub(crate) expires: Option<String>,
    /// Do not confirm it: bar these bytes from the URL. Nothing is learned there any more.
    #[arg(long)]
    pub(crate) drop: bool,
}

/// Confirms what was learned, or drops it.
pub(crate) async fn run(
    configuration: &Configuration,
    options: ConfirmOptions,
    terminal: &Terminal,
) -> Result<Found, Failure> {
    let (who, now) = (who(), Timestamp::now());
    let written = Written::read(&who, &options.reason, options.expires.as_deref(), now)?;
    // A mistake in a list of pins must not keep anyone from deciding.
    let Loaded { config, .. } = configuration.load_without_pins()?;
    let Some(store) = super::store(&config).await? else { return Err(nothing(&options.learned)) };
    let desk = Desk { configuration, store: &store, approvers: config.approvers };
    let done = async {
        let record = record(desk.store, &options.learned).await?;
        said(&desk, (record, options.drop), &written, terminal).await
    };
    let done = done.await;
    store.close().await?;
    done
}

/// Says it of what was learned by a record: that it may be served, or that it is dropped.
pub(crate) async fn said(
    desk: &Desk<'_>,
    (record, drops): (u64, bool),
    written: &Written<'_>,
    terminal: &Terminal,
) -> Result<Found, Failure> {
    let (confirmed, word) = if drops {
        (desk.drop_learned(record, written).await?, "dropped")
    } else {
        (desk.confirm(record, written).await?, "confirmed")
    };
    let Confirmed { version, pin, already } = &confirmed;
    let in_force = decision::in_force(desk.store, *version).await?;
    if terminal.json {
        terminal.print_json(&as_json(&confirmed, in_force))?;
    } else {
        let outcome = if drops { desk::dropped(pin) } else { desk::confirmed(pin) };
        let already = if *already { ", as it had been before; nothing was changed" } else { "" };
        let pending = if pin.agreement.is_some() && !drops { " by one person" } else { "" };
        terminal.print(&format!(
            "{} {}{pending}{already}\n  {outcome}\n  {}\n  {}",
            printable(&pin.subject),
            terminal.paint(Tone::Strong, word),
            pin.digest,
            decision::in_force_text(in_force),
        ))?;
    }
    if !drops {
        for (warning, hint) in desk.against(At::learned(pin), Timestamp::now()).await? {
            terminal.warn(&warning, hint);
        }
    }
    Ok(decision::found(in_force))
}

/// The record that somebody means: its number, or that of what is learned alone at a URL.
pub(crate) async fn record(store: &Store, text: &str) -> Result<u64, Failure> {
    if let Ok(record) = text.parse() {
        return Ok(record);
    }
    let url = ArtifactUrl::parse(text)
        .map_err(|error| Failure::configuration(format!("'{}': {error}", printable(text))))?;
    let learned = store.approved().await?.into_iter().map(|approved| approved.approval);
    let learned: Vec<_> = learned.filter(|approval| approval.basis == Basis::Learned).collect();
    let at = |subject: &str| learned.iter().find(|approval| *approval.subject == *subject);
    let found = at(url.key())
        .or_else(|| at(url.key_without_query()))
        .and_then(|approval| approval.record.parse().ok());
    found.ok_or_else(|| nothing(text))
}

fn nothing(text: &str) -> Failure {
    Failure::could_not(format!("nothing that waits to be confirmed was learned at {}", printable(text)))
        .hint("'pinfold pin list --learned' shows what was; what was dropped is named by its record")
}

fn as_json(confirmed: &Confirmed, in_force: InForce) -> Value {
    let Confirmed { pin, already, .. } = confirmed;
    let decided = pin.decided.as_ref();
    json!({
        "record": pin.record,
        "subject": &*pin.subject,
        "digest": pin.digest.to_string(),
        "kind": pin.kind.as_str(),
        "state": pin.state.as_str(),
        "basis": decided.map(|decided| decided.basis.as_str()),
        "agreement": agreement_json(pin.agreement.as_ref()),
        "expires": decided.and_then(|decided| decided.expires).map(|end| end.to_string()),
        "already": already,
        "in_force": decision::in_force_word(in_force),
    })
}
