//! Which bodies were verified at a URL, and for whom: by what the vendor's answer depended on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use jiff::{SignedDuration, Timestamp};
use pinfold_policy::digest::{BodyId, Digests};
use pinfold_policy::kind::Kinds;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::entry::DeliveryPath;
use pinfold_store::shelf::{Fields, Shelved, Variant};

use super::{Fresh, is_same};
use crate::ask::Ask;
use crate::headers::{text, texts};
use crate::release::{in_newer_words, passes};

/// Variants of one URL, whatever its query, that are kept. Clients choose their `Origin`.
const VARIANTS: usize = 64;
/// Bodies of one variant that are kept, the one served last first.
const BODIES: usize = 4;
/// Fields that one answer may depend on.
const VARY: usize = 16;
/// How old a row on disk may be, if only times have changed.
const WRITE_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// A body that was verified at a variant.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) digests: Digests,
    pub(crate) len: u64,
    /// The vendor's head, as far as a release depends on it.
    pub(crate) head: Parts,
    pub(crate) kinds: Kinds,
    pub(crate) path: Option<DeliveryPath>,
    /// When the vendor served it last.
    pub(crate) seen: Timestamp,
}

/// All variants, by the URL's match key without its query.
#[derive(Debug, Default)]
pub(crate) struct Variants(RwLock<HashMap<Box<str>, Vec<Known>>>);

#[derive(Debug)]
struct Known {
    variant: Variant,
    names: Box<[HeaderName]>,
    /// When a client asked last, in seconds since 1970.
    asked: AtomicI64,
    /// When its rows were written last.
    written: Timestamp,
    /// Never empty.
    served: Vec<Arc<Served>>,
    /// The vendor has gone back to a body that it had left: how else it decides between them, nobody knows.
    takes_turns: bool,
}

/// What was verified for a request, the one that the vendor served last first.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) served: Vec<Arc<Served>>,
    /// The vendor has gone back to a body that it had left.
    pub(crate) takes_turns: bool,
}

/// What a [`Variants::put`] leaves to do on disk.
#[derive(Default)]
pub(crate) struct Put {
    /// This is to be written.
    pub(crate) row: Option<Shelved>,
    /// These are gone.
    pub(crate) gone: Vec<(Variant, BodyId)>,
}

impl Variants {
    /// What was on the shelf, the one asked for last first.
    pub(crate) fn of(rows: Vec<Shelved>) -> Self {
        let mut all: HashMap<Box<str>, Vec<Known>> = HashMap::new();
        for row in rows {
            let Some((key, known)) = Known::read(row) else { continue };
            let variants = all.entry(key).or_default();
            match variants.iter_mut().find(|one| one.variant == known.variant) {
                Some(one) => one.served.extend(known.served),
                None => variants.push(known),
            }
        }
        for one in all.values_mut().flatten() {
            one.served.sort_by_key(|served| std::cmp::Reverse(served.seen));
        }
        Self(RwLock::new(all))
    }

    /// The bodies that were verified for who asks like this, the one that the vendor served last first. Heads are those of
    /// this very `Origin`; bodies are whatever any of them was served.
    pub(crate) fn find(&self, ask: &Ask) -> Found {
        let all = self.read();
        let here = || all.get(ask.url.key_without_query()).into_iter().flatten();
        let Some(own) = here().find(|one| one.is_for(ask) && *one.variant.origin == *origin(ask)) else {
            return Found::default();
        };
        own.asked.store(ask.at.as_second(), Ordering::Relaxed);
        let mut served = own.served.clone();
        for other in here().filter(|one| one.is_for(ask)).flat_map(|one| &one.served) {
            match served.iter_mut().find(|one| is_same(&one.digests, &other.digests)) {
                Some(known) if known.seen >= other.seen => {}
                Some(known) => *known = Arc::new(known.under(&known.head, other.seen)),
                None => served
                    .extend(own.served.first().map(|first| Arc::new(other.under(&first.head, other.seen)))),
            }
        }
        served.sort_by_key(|served| std::cmp::Reverse(served.seen));
        Found { served, takes_turns: own.takes_turns }
    }

    /// The same where there is none for this very `Origin`: under a head without what another one was allowed.
    pub(crate) fn find_for_other_origins(&self, ask: &Ask) -> Found {
        let all = self.read();
        let here = all.get(ask.url.key_without_query()).into_iter().flatten();
        let mut served: Vec<_> =
            here.filter(|one| one.is_for(ask)).flat_map(|one| &one.served).map(for_any_origin).collect();
        served.sort_by_key(|served| std::cmp::Reverse(served.seen));
        served.dedup_by(|one, other| is_same(&one.digests, &other.digests));
        Found { served, takes_turns: false }
    }

    /// When the vendor served one of some digests last at `url` to who asks like `ask`, whatever their `Origin`.
    pub(crate) fn last_seen(
        &self,
        ask: &Ask,
        url: &ArtifactUrl,
        is_one: impl Fn(&Digests) -> bool,
    ) -> Option<Timestamp> {
        let all = self.read();
        let known = all.get(url.key_without_query()).into_iter().flatten();
        let here = known.filter(|one| {
            (url.key() == url.key_without_query() || *one.variant.url == *url.key()) && one.has_values_of(ask)
        });
        here.flat_map(|one| &one.served).filter(|one| is_one(&one.digests)).map(|one| one.seen).max()
    }

    /// Which variant `ask` is for, as far as is known what the answer depends on.
    pub(crate) fn variant_of(&self, ask: &Ask) -> Variant {
        let all = self.read();
        let known = all.get(ask.url.key_without_query()).into_iter().flatten();
        let here =
            known.filter(|one| *one.variant.url == *ask.url.key() && *one.variant.origin == *origin(ask));
        let names = here.map(|one| &*one.names).next().unwrap_or_default();
        variant(ask, names)
    }

    /// Remembers a body that was verified for `ask`; on disk again where it `is_damaged` there. `None` where the answer is
    /// for this client alone.
    pub(crate) fn put(&self, ask: &Ask, fresh: &Fresh<'_>, now: Timestamp, is_damaged: bool) -> Option<Put> {
        let names = depends_on(ask, fresh.head)?;
        let served = Arc::new(Served::of(fresh, now));
        let variant = variant(ask, &names);
        let mut put = Put::default();
        let mut all = self.write();
        let variants = all.entry(ask.url.key_without_query().into()).or_default();
        // What the vendor said last of what its answer depends on is what counts.
        let is_over = |one: &Known| {
            (&one.variant.url, &one.variant.origin) == (&variant.url, &variant.origin)
                && one.variant.vary != variant.vary
        };
        put.gone.extend(variants.extract_if(.., |one| is_over(one)).flat_map(Known::into_rows));
        let at = match variants.iter().position(|one| one.variant == variant) {
            Some(at) => at,
            None => {
                if variants.len() >= VARIANTS {
                    let oldest =
                        variants.iter().enumerate().min_by_key(|(_, one)| one.asked.load(Ordering::Relaxed));
                    if let Some((oldest, _)) = oldest {
                        put.gone.extend(variants.swap_remove(oldest).into_rows());
                    }
                }
                variants.push(Known::new(variant, names, ask));
                variants.len() - 1
            }
        };
        let known = variants.get_mut(at)?;
        known.take(ask, served, now, &mut put);
        if is_damaged && put.row.is_none() {
            put.row = known.served.first().map(|one| known.row(one));
        }
        Some(put)
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Box<str>, Vec<Known>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Box<str>, Vec<Known>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn new(variant: Variant, names: Box<[HeaderName]>, ask: &Ask) -> Self {
        let asked = AtomicI64::new(ask.at.as_second());
        Self { variant, names, asked, written: Timestamp::MIN, served: Vec::new(), takes_turns: false }
    }

    fn read(row: Shelved) -> Option<(Box<str>, Self)> {
        let url = ArtifactUrl::parse(&row.variant.url).ok()?;
        let names = row.variant.vary.split(',').filter(|name| !name.is_empty());
        let names = names.map(|name| name.parse().ok()).collect::<Option<_>>()?;
        let served = Served {
            digests: row.digests,
            len: row.len,
            head: head(fields(&row.head)),
            kinds: row.kinds,
            path: row.path,
            seen: row.seen,
        };
        let known = Self {
            variant: row.variant,
            names,
            asked: AtomicI64::new(row.asked.as_second()),
            written: row.asked,
            served: vec![Arc::new(served)],
            takes_turns: false,
        };
        Some((url.key_without_query().into(), known))
    }

    /// Whether it is about what `ask` asks for, whatever its `Origin`.
    fn is_for(&self, ask: &Ask) -> bool {
        *self.variant.url == *ask.url.key() && self.has_values_of(ask)
    }

    fn has_values_of(&self, ask: &Ask) -> bool {
        self.names.is_empty() || self.variant.values == values(ask, &self.names)
    }

    fn take(&mut self, ask: &Ask, served: Arc<Served>, now: Timestamp, put: &mut Put) {
        let before = self.served.first().map(|one| one.digests.sha256);
        let is_news = before != Some(served.digests.sha256);
        self.takes_turns |= is_news && self.served.iter().any(|one| is_same(&one.digests, &served.digests));
        self.served.retain(|one| !is_same(&one.digests, &served.digests));
        self.served.insert(0, served);
        let surplus = self.served.drain(BODIES.min(self.served.len())..);
        put.gone.extend(surplus.map(|one| (self.variant.clone(), one.digests.sha256)));
        self.asked.fetch_max(ask.at.as_second(), Ordering::Relaxed);
        if is_news || now.duration_since(self.written).abs() > WRITE_AGAIN {
            self.written = now;
            put.row = self.served.first().map(|one| self.row(one));
        }
    }

    fn row(&self, served: &Served) -> Shelved {
        let asked = Timestamp::from_second(self.asked.load(Ordering::Relaxed)).unwrap_or(served.seen);
        Shelved {
            variant: self.variant.clone(),
            digests: served.digests,
            len: served.len,
            head: pairs(served.head.headers.iter()),
            kinds: served.kinds,
            path: served.path.clone(),
            seen: served.seen,
            asked,
        }
    }

    fn into_rows(self) -> impl Iterator<Item = (Variant, BodyId)> {
        let Self { variant, served, .. } = self;
        served.into_iter().map(move |one| (variant.clone(), one.digests.sha256))
    }
}

impl Served {
    /// The same body under another head, seen last at another time.
    fn under(&self, head: &Parts, seen: Timestamp) -> Self {
        let Self { digests, len, kinds, ref path, .. } = *self;
        Self { digests, len, head: head.clone(), kinds, path: path.clone(), seen }
    }

    fn of(fresh: &Fresh<'_>, now: Timestamp) -> Self {
        let vendor = fresh.head.headers.iter().filter(|(name, _)| passes(name) || SHAPING.contains(name));
        let vendor = vendor.map(|(name, value)| (name.clone(), value.clone()));
        let fresh_for = in_newer_words(&fresh.head.headers).map(|value| (header::CACHE_CONTROL, value));
        Self {
            digests: *fresh.cleared.digests(),
            len: fresh.cleared.len(),
            head: head(vendor.chain(fresh_for)),
            kinds: fresh.kinds,
            path: fresh.path.cloned(),
            seen: now,
        }
    }
}

/// Fields of the vendor's that shape a release, and do not pass.
const SHAPING: [HeaderName; 2] = [header::CONTENT_TYPE, header::CACHE_CONTROL];

fn head(fields: impl Iterator<Item = (HeaderName, HeaderValue)>) -> Parts {
    let (mut parts, ()) = Response::new(()).into_parts();
    for (name, value) in fields {
        parts.headers.append(name, value);
    }
    parts
}

/// What one origin is allowed says nothing of another, unless it is allowed to all (Fetch, "CORS check").
fn for_any_origin(served: &Arc<Served>) -> Arc<Served> {
    if text(&served.head.headers, header::ACCESS_CONTROL_ALLOW_ORIGIN) == Some("*") {
        return Arc::clone(served);
    }
    let own = served.head.headers.iter().filter(|(name, _)| !name.as_str().starts_with("access-control-"));
    let head = head(own.map(|(name, value)| (name.clone(), value.clone())));
    Arc::new(served.under(&head, served.seen))
}

/// The fields that an answer depends on, beside `Origin` and the coding, by its `Vary`. `None` where it is for one client
/// alone: it depends on everything, or on what a client is known by, or it was given for credentials (RFC 9111 §3.5), or
/// for a cookie and the vendor wants nobody else to have it.
fn depends_on(ask: &Ask, vendor: &Parts) -> Option<Box<[HeaderName]>> {
    let has = |name| ask.headers.contains_key(name);
    if has(header::AUTHORIZATION) || (has(header::COOKIE) && is_private(&vendor.headers)) {
        return None;
    }
    let theirs = texts(&vendor.headers, header::VARY).join(",").to_ascii_lowercase();
    let mut names = Vec::new();
    for name in theirs.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match name {
            "*" | "cookie" | "authorization" => return None,
            "accept-encoding" | "origin" => {}
            name => names.push(name.parse().ok()?),
        }
    }
    names.sort_unstable_by(|one: &HeaderName, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    (names.len() <= VARY).then(|| names.into())
}

fn is_private(headers: &HeaderMap) -> bool {
    let directives = texts(headers, header::CACHE_CONTROL).join(",").to_ascii_lowercase();
    directives.split(',').any(|one| matches!(one.trim().split('=').next(), Some("private" | "no-store")))
}

fn variant(ask: &Ask, names: &[HeaderName]) -> Variant {
    let texts: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
    Variant {
        url: ask.url.key().into(),
        origin: origin(ask).into(),
        vary: texts.join(",").into(),
        values: if names.is_empty() { BodyId([0; 32]) } else { values(ask, names) },
    }
}

fn origin(ask: &Ask) -> String {
    texts(&ask.headers, header::ORIGIN).join(",")
}

/// A digest over the values of these fields, each as it came: values that mean the same in other words are another
/// variant, and only cost a fetch.
fn values(ask: &Ask, names: &[HeaderName]) -> BodyId {
    let mut all = Vec::new();
    for name in names {
        for value in ask.headers.get_all(name) {
            // No line feed stands in a value.
            all.extend_from_slice(value.as_bytes());
            all.push(b'\n');
        }
        all.push(b'\n');
    }
    BodyId::of(&[all.into()])
}

fn pairs<'a>(fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>) -> Fields {
    fields.filter_map(|(name, value)| Some((name.as_str().into(), value.to_str().ok()?.into()))).collect()
}

fn fields(fields: &Fields) -> impl Iterator<Item = (HeaderName, HeaderValue)> + '_ {
    fields.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
}
