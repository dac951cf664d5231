//! pins.toml: reviewed pins and revocations.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use jiff::civil::Date;
use pinfold_policy::digest::{Digest, DigestError};
use pinfold_policy::kind::Kind;
use pinfold_policy::pin::{Pin, PinUrl, Place};
use toml::Spanned;
use toml::de::DeTable;

use crate::diagnostic::quoted;
use crate::section::{Section, choose};
use crate::source::{Mistake, SourceFile};

/// A pin is warned of when fewer days are left.
const SOON: i32 = 30;

/// What one pins file says.
#[derive(Debug)]
pub(crate) struct PinsFile {
    pub(crate) source: SourceFile,
    pub(crate) pins: Vec<PlacedPin>,
    pub(crate) revoked: Vec<Spanned<Digest>>,
}

/// A pin and where its parts stand.
#[derive(Debug)]
pub(crate) struct PlacedPin {
    pub(crate) pin: Pin,
    pub(crate) url: Range<usize>,
    pub(crate) kind: Range<usize>,
    pub(crate) digests: Vec<Spanned<Digest>>,
}

/// Reads a whole file. `name` is what the configuration calls it.
pub(crate) fn read(source: SourceFile, name: &str, today: Date) -> PinsFile {
    let Some(table) = crate::document::parse(&source) else {
        return PinsFile { source, pins: Vec::new(), revoked: Vec::new() };
    };
    let (pins, revoked) = entries(&source, &table, name, today);
    drop(table);
    PinsFile { source, pins, revoked }
}

fn entries(
    source: &SourceFile,
    table: &Spanned<DeTable<'_>>,
    name: &str,
    today: Date,
) -> (Vec<PlacedPin>, Vec<Spanned<Digest>>) {
    let name: Arc<str> = name.into();
    let mut root = Section::root(source, table);
    let pins = root.sections("pin").into_iter().filter_map(|block| pin(block, &name, today)).collect();
    let revoked = root.sections("revoke").into_iter().filter_map(revocation).collect();
    root.finish();
    (pins, revoked)
}

fn pin(mut block: Section<'_>, file: &Arc<str>, today: Date) -> Option<PlacedPin> {
    let url = block.parse("url", url);
    let url = block.required("url", url, "\"https://cdn.example.com/app.js\"");
    let digests = block.parse_list("digests", digest);
    let digests = block.required("digests", digests, "[\"sha256-…\"]");
    if block.is_empty_list("digests") {
        let mistake = Mistake::new("digests is empty: nothing could be served").hint(FETCH);
        block.file().error(block.place_of("digests").unwrap_or_default(), mistake);
    }
    let digests = warn_of_repeats(block.file(), digests.unwrap_or_default());
    let kind = block.parse("kind", |text| choose("kind", text, &Kind::ALL.map(|kind| (kind.as_str(), kind))));
    let release = block.text("release");
    let owner = block.text("owner");
    let reason = block.text("reason");
    warn_of_no_provenance(&block, [("owner", owner), ("reason", reason)]);
    let (added, expires) = dates(&mut block, today);

    let line = block.file().position(block.place().start).line;
    let place = block.place();
    let url_place = block.place_of("url").unwrap_or(place.clone());
    let kind_place = block.place_of("kind").unwrap_or(place);
    block.finish();
    let pin = Pin {
        url: url?,
        digests: digests.iter().map(|digest| *digest.get_ref()).collect(),
        kind: kind.unwrap_or(Kind::Script),
        release: release.map(Into::into),
        owner: owner.map(Into::into),
        reason: reason.map(Into::into),
        added,
        expires,
        place: Place { file: Arc::clone(file), line },
    };
    Some(PlacedPin { pin, url: url_place, kind: kind_place, digests })
}

fn revocation(mut block: Section<'_>) -> Option<Spanned<Digest>> {
    let revoked = block.parse("digest", digest);
    let revoked = block.required("digest", revoked, "\"sha256-…\"");
    if block.text("reason").is_none_or(str::is_empty) && !block.is_of_another_type("reason") {
        let mistake = Mistake::new("[[revoke]] has no reason: nobody will know why");
        block.file().warn(block.place(), mistake.hint("add reason = \"…\""));
    }
    let place = block.place_of("digest").unwrap_or_default();
    block.finish();
    Some(Spanned::new(place, revoked?))
}

fn url(text: &str) -> Result<PinUrl, Mistake> {
    PinUrl::parse(text).map_err(|error| {
        let https = format!("https://{text}");
        let bare = text.split('/').next().is_some_and(|host| host.contains('.'));
        let right = Some(https).filter(|https| bare && PinUrl::parse(https).is_ok());
        Mistake::new(format!("url {}: {error}", quoted(text)))
            .hint_if_any(right.map(|right| format!("write {}", quoted(&right))))
    })
}

const FETCH: &str = "run 'pinfold pin add URL' to fetch and write it";

fn digest(text: &str) -> Result<Digest, Mistake> {
    text.parse().map_err(|error: DigestError| {
        let hint = match &error {
            DigestError::Hex(right) => format!("write {}", quoted(right)),
            DigestError::NoAlgorithm
            | DigestError::Forgeable(_)
            | DigestError::UnknownAlgorithm(_)
            | DigestError::HexLength { .. }
            | DigestError::Base64(_)
            | DigestError::Length { .. } => FETCH.to_owned(),
        };
        Mistake::new(error.to_string()).hint(hint)
    })
}

fn warn_of_repeats(file: &SourceFile, digests: Vec<Spanned<Digest>>) -> Vec<Spanned<Digest>> {
    let mut seen = HashSet::new();
    for digest in &digests {
        if !seen.insert(digest.get_ref()) {
            file.warn(digest.span(), Mistake::new("the same digest is listed twice"));
        }
    }
    digests
}

/// A pin that nobody answers for and nobody can justify is one that nobody dares to remove.
fn warn_of_no_provenance(block: &Section<'_>, said: [(&str, Option<&str>); 2]) {
    let missing: Vec<_> = said
        .into_iter()
        .filter(|(key, text)| !block.is_of_another_type(key) && text.is_none_or(str::is_empty))
        .map(|(key, _)| key)
        .collect();
    if !missing.is_empty() {
        let mistake = Mistake::new(format!("[[pin]] has no {}", missing.join(" and no ")));
        block.file().warn(block.place(), mistake.hint("say who answers for it, and why it is allowed"));
    }
}

fn dates(block: &mut Section<'_>, today: Date) -> (Option<Date>, Option<Date>) {
    let added = block.date("added");
    let expires = block.date("expires");
    let Some(last) = expires else { return (added, expires) };
    let place = block.place_of("expires").unwrap_or_default();
    let file = block.file();
    if let Some(added) = added.filter(|added| *added > last) {
        file.error(place, Mistake::new(format!("expires {last} is before added {added}")));
        return (Some(added), expires);
    }
    let renew = "review it, then set a later day or remove the pin";
    let left = last.since(today).map_or(i32::MAX, |span| span.get_days());
    if left < 0 {
        file.warn(place, Mistake::new(format!("the pin expired on {last} and refuses")).hint(renew));
    } else if left < SOON {
        let days = if left == 1 { "1 day".to_owned() } else { format!("{left} days") };
        let when = if left == 0 { "today".to_owned() } else { format!("in {days}") };
        file.warn(place, Mistake::new(format!("the pin expires {when}")).hint(renew));
    }
    (added, expires)
}
