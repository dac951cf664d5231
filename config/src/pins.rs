//! pins.toml: reviewed pins and revocations.

mod pieces;
mod plain;

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;

use jiff::civil::Date;
use pinfold_policy::digest::{Digest, DigestError};
use pinfold_policy::host::Authority;
use pinfold_policy::kind::Kind;
use pinfold_policy::pin::{Pin, PinUrl, Place};
use toml::Spanned;
use toml::de::DeTable;

use crate::crosscheck::Surroundings;
use crate::diagnostic::{Severity, quoted};
use crate::document;
use crate::section::{Section, choose};
use crate::source::{Mistake, SourceFile};

/// A pin is warned of when fewer days are left.
const SOON: i32 = 30;

/// What one pins file says.
#[derive(Debug)]
pub(crate) struct PinsFile {
    pub(crate) source: SourceFile,
    pub(crate) said: Said,
}

/// The blocks of a file or of a part of it, and where their parts stand.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) pins: Vec<Pin>,
    pub(crate) places: Places,
    pub(crate) revoked: Vec<Spanned<Digest>>,
}

/// Where the parts of pins stand, side by side: a list has a million of them, and nearly nobody asks.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// For each pin that of its kind, or of its header where it says none.
    kinds: Vec<Span>,
    /// Those of all digests of the first pin, then of the second.
    digests: Vec<Span>,
}

impl PinsFile {
    /// The digests of its `[[revoke]]` blocks, and where each stands.
    pub(crate) fn revoked_at(&self) -> impl Iterator<Item = (Digest, Place)> {
        self.said.revoked.iter().map(|revoked| {
            let line = self.source.line(revoked.span().start);
            (*revoked.get_ref(), Place { file: Arc::clone(self.source.name()), line })
        })
    }
}

/// A pin and where its parts stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<'p> {
    pub(crate) pin: &'p Pin,
    pub(crate) kind: Span,
    digests: &'p [Span],
}

/// Part of a text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        // No text is as long as 4 GiB.
        let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: place(range.start), end: place(range.end) }
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start as usize..span.end as usize
    }
}

impl Span {
    fn behind(self, offset: usize) -> Self {
        let Range { start, end } = self.into();
        (start + offset..end + offset).into()
    }
}

impl Places {
    /// How many pins.
    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// `pins` are those of the file, in its order.
    pub(crate) fn of<'p>(&'p self, pins: &'p [Pin]) -> impl Iterator<Item = Placed<'p>> {
        let mut rest = self.digests.as_slice();
        pins.iter().zip(&self.kinds).map(move |(pin, kind)| {
            let (digests, others) = rest.split_at_checked(pin.digests.len()).unwrap_or_default();
            rest = others;
            Placed { pin, kind: *kind, digests }
        })
    }

    fn append(&mut self, part: Self, offset: usize) {
        self.kinds.extend(part.kinds.into_iter().map(|span| span.behind(offset)));
        self.digests.extend(part.digests.into_iter().map(|span| span.behind(offset)));
    }
}

impl<'p> Placed<'p> {
    pub(crate) fn digests(self) -> impl Iterator<Item = (&'p Digest, Range<usize>)> {
        self.pin.digests.iter().zip(self.digests.iter().map(|span| (*span).into()))
    }
}

impl Said {
    /// Adds what a part of the text says that begins at byte `offset`, behind `lines` lines.
    fn append(&mut self, part: Self, offset: usize, lines: u32) {
        self.pins.extend(part.pins.into_iter().map(|mut pin| {
            pin.place.line = pin.place.line.saturating_add(lines);
            pin
        }));
        self.places.append(part.places, offset);
        let moved = |revoked: Spanned<Digest>| {
            let Range { start, end } = revoked.span();
            Spanned::new(start + offset..end + offset, revoked.into_inner())
        };
        self.revoked.extend(part.revoked.into_iter().map(moved));
    }
}

/// What a list of pins is read against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'r> {
    pub(crate) today: Date,
    pub(crate) surroundings: Surroundings<'r>,
}

/// Reads a whole file. `name` is what the configuration calls it.
pub(crate) fn read(source: SourceFile, name: &str, reading: Reading<'_>) -> PinsFile {
    let file = name.into();
    let said =
        pieces::read(&source, pieces::LENGTHS, |piece, shared| piece_of_list(piece, &file, reading, shared))
            .unwrap_or_else(|| whole(&source, &file, reading));
    PinsFile { source, said }
}

fn whole(source: &SourceFile, file: &Arc<str>, reading: Reading<'_>) -> Said {
    let read = |table| blocks(source, &table, file, reading, &mut Shared::default());
    document::parse(source).map(read).unwrap_or_default()
}

/// What a piece of a file says, unless it means something else there than on its own: see [`pieces`].
fn piece_of_list(
    piece: &SourceFile,
    file: &Arc<str>,
    reading: Reading<'_>,
    shared: &mut Shared,
) -> Option<Said> {
    if let Some(entries) = plain::entries(piece.text(), reading.today) {
        return Some(plain_blocks(piece, entries, file, reading, shared));
    }
    let table = document::parse(piece)?;
    let begins_with_block = pieces::begins_with_header(piece.text());
    let is_blocks = |key: &str, is_list| begins_with_block && is_list && ["pin", "revoke"].contains(&key);
    let mut entries = table.get_ref().iter();
    let stands_alone = entries.all(|(key, value)| is_blocks(key.get_ref(), value.get_ref().is_array()));
    stands_alone.then(|| blocks(piece, &table, file, reading, shared))
}

fn plain_blocks(
    source: &SourceFile,
    entries: Vec<Entry<'_>>,
    file: &Arc<str>,
    reading: Reading<'_>,
    shared: &mut Shared,
) -> Said {
    let mut reader = Reader::new(file, reading, shared);
    for entry in entries {
        reader.add(source, entry);
    }
    reader.said
}

fn blocks(
    source: &SourceFile,
    table: &Spanned<DeTable<'_>>,
    file: &Arc<str>,
    reading: Reading<'_>,
    shared: &mut Shared,
) -> Said {
    let mut root = Section::root(source, table);
    let mut reader = Reader::new(file, reading, shared);
    for block in root.sections("pin") {
        reader.pin(block);
    }
    let mut said = reader.said;
    said.revoked = root.sections("revoke").into_iter().filter_map(revocation).collect();
    root.finish();
    said
}

struct Reader<'r> {
    file: Arc<str>,
    reading: Reading<'r>,
    said: Said,
    shared: &'r mut Shared,
}

/// What many pins have in common, kept once: who answers for them, why, and where they are. Each thread has its own, so
/// that none waits for another to count.
#[derive(Default)]
struct Shared {
    texts: HashSet<Arc<str>>,
    authorities: HashSet<Arc<Authority>>,
}

impl Shared {
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(same) = self.texts.get(text) {
            return Arc::clone(same);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }

    fn url(&mut self, mut url: PinUrl) -> PinUrl {
        match &mut url {
            PinUrl::Exact(url) => url.share_authority(&mut self.authorities),
            PinUrl::Pattern(_) => {}
        }
        url
    }
}

/// A `[[pin]]` block, read.
struct Entry<'t> {
    place: Range<usize>,
    url: Spanned<PinUrl>,
    digests: Vec<Spanned<Digest>>,
    kind: Option<Spanned<Kind>>,
    release: Option<&'t str>,
    owner: Option<&'t str>,
    reason: Option<&'t str>,
    added: Option<Date>,
    expires: Option<Date>,
}

impl<'r> Reader<'r> {
    fn new(file: &str, reading: Reading<'r>, shared: &'r mut Shared) -> Self {
        Self { file: shared.text(file), reading, said: Said::default(), shared }
    }

    fn pin(&mut self, mut block: Section<'_>) {
        let url = block.parse("url", url);
        let url = block.required("url", url, "\"https://cdn.example.com/app.js\"");
        let digests = block.parse_list("digests", digest);
        let digests = block.required("digests", digests, "[\"sha256-…\"]");
        let none = digests.as_ref().is_none_or(Vec::is_empty);
        if none && block.is_empty_list("digests") {
            let mistake = Mistake::new("digests is empty: nothing could be served").hint(FETCH);
            block.file().error(block.place_of("digests").unwrap_or_default(), mistake);
        }
        let digests = digests.unwrap_or_default();
        warn_of_repeats(block.file(), &digests);
        let kind =
            block.parse("kind", |text| choose("kind", text, &Kind::ALL.map(|kind| (kind.as_str(), kind))));
        let release = block.text("release");
        let owner = block.text("owner");
        let reason = block.text("reason");
        warn_of_no_provenance(&block, [("owner", owner), ("reason", reason)]);
        let (added, expires) = dates(&mut block, self.reading.today);

        let (file, place) = (block.file(), block.place());
        let placed = |key: &str| block.place_of(key).unwrap_or(place.clone());
        let url = url.map(|url| Spanned::new(placed("url"), url));
        let kind = kind.map(|kind| Spanned::new(placed("kind"), kind));
        block.finish();
        let Some(url) = url else { return };
        self.add(file, Entry { place, url, digests, kind, release, owner, reason, added, expires });
    }

    fn add(&mut self, file: &SourceFile, entry: Entry<'_>) {
        let Entry { place, url, digests, kind, release, owner, reason, added, expires } = entry;
        let (url_place, line) = (url.span(), file.line(place.start));
        let url = self.shared.url(url.into_inner());
        self.reading.surroundings.check(file, &url, url_place);
        let kind_place = kind.as_ref().map_or(place, Spanned::span);
        let mut shared = |text: Option<&str>| text.map(|text| self.shared.text(text));
        self.said.pins.push(Pin {
            url,
            digests: digests.iter().map(|digest| *digest.get_ref()).collect(),
            kind: kind.map_or(Kind::Script, Spanned::into_inner),
            release: shared(release),
            owner: shared(owner),
            reason: shared(reason),
            added,
            expires,
            place: Place { file: Arc::clone(&self.file), line },
        });
        self.said.places.kinds.push(kind_place.into());
        self.said.places.digests.extend(digests.iter().map(|digest| Span::from(digest.span())));
    }
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

fn warn_of_repeats(file: &SourceFile, digests: &[Spanned<Digest>]) {
    for digest in repeated(digests) {
        file.warn(digest.span(), Mistake::new("the same digest is listed twice"));
    }
}

/// Those that stand before already. One alone is compared with nothing: nearly every pin has one.
fn repeated(digests: &[Spanned<Digest>]) -> impl Iterator<Item = &Spanned<Digest>> {
    let mut seen = BTreeSet::new();
    let compared = if digests.len() > 1 { digests } else { &[] };
    compared.iter().filter(move |digest| !seen.insert(digest.get_ref()))
}

/// A pin that nobody answers for and nobody can justify is one that nobody dares to remove.
fn warn_of_no_provenance(block: &Section<'_>, said: [(&str, Option<&str>); 2]) {
    let missing: Vec<_> = said
        .into_iter()
        .filter(|(key, text)| text.is_none_or(str::is_empty) && !block.is_of_another_type(key))
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
    let (file, place) = (block.file(), block.place_of("expires").unwrap_or_default());
    match about_dates(added, expires, today) {
        Some((Severity::Error, mistake)) => file.error(place, mistake),
        Some((Severity::Warning, mistake)) => file.warn(place, mistake),
        None => {}
    }
    (added, expires)
}

/// What there is to say about the days of a pin.
fn about_dates(added: Option<Date>, expires: Option<Date>, today: Date) -> Option<(Severity, Mistake)> {
    let last = expires?;
    if let Some(added) = added.filter(|added| *added > last) {
        return Some((Severity::Error, Mistake::new(format!("expires {last} is before added {added}"))));
    }
    let left = last.since(today).map_or(i32::MAX, |span| span.get_days());
    let message = if left < 0 {
        format!("the pin expired on {last} and refuses")
    } else if left < SOON {
        let days = if left == 1 { "1 day".to_owned() } else { format!("{left} days") };
        let when = if left == 0 { "today".to_owned() } else { format!("in {days}") };
        format!("the pin expires {when}")
    } else {
        return None;
    };
    let renew = "review it, then set a later day or remove the pin";
    Some((Severity::Warning, Mistake::new(message).hint(renew)))
}
