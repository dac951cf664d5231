//! Which bodies were verified at a URL, and for whom: by what the vendor's answer depended on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use http::response::Parts;
use http::{HeaderName, HeaderValue, Response, header};
use jiff::{SignedDuration, Timestamp};
use pinfold_policy::cooldown::Run;
use pinfold_policy::digest::{BodyId, Digests};
use pinfold_policy::kind::Kinds;
use pinfold_policy::release::Newest;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::entry::DeliveryPath;
use pinfold_store::shelf::{Fields, Shelved, Variant};

use super::depends::{Depends, origin};
use super::{Fresh, is_same};
use crate::ask::Ask;
use crate::headers::text;
use crate::release::{in_newer_words, shaping_alone};

/// Variants of one URL, whatever its query, that are kept.
const VARIANTS: usize = 64;
/// Bodies of one variant that are kept, the one served last first.
const BODIES: usize = 4;
/// The smallest difference between two times on disk.
const TICK: SignedDuration = SignedDuration::from_micros(1);
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
    /// When the vendor served it last: later than what it served before, whatever a clock said in between. What is gone since
    /// counts as served.
    pub(crate) seen: Timestamp,
    /// From when on it served nothing else that was verified.
    first: Timestamp,
}

/// All variants, by the URL's match key without its query.
#[derive(Debug, Default)]
pub(crate) struct Variants(RwLock<HashMap<Box<str>, Vec<Known>>>);

#[derive(Debug)]
struct Known {
    variant: Variant,
    depends: Depends,
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
    /// Further bodies that others got who differ by their `Origin` alone.
    pub(crate) elsewhere: Vec<Arc<Served>>,
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
    /// What was on the shelf, the one asked for last first, and what rechecks saw of it since that was written.
    pub(crate) fn of(rows: Vec<Shelved>, seen: &[(Ask, Run)]) -> Self {
        let mut all: HashMap<Box<str>, Vec<Known>> = HashMap::new();
        for row in rows {
            let Some((key, known)) = Known::read(row) else { continue };
            let variants = all.entry(key).or_default();
            match variants.iter_mut().find(|one| one.variant == known.variant) {
                Some(one) => one.served.extend(known.served),
                None => variants.push(known),
            }
        }
        for (ask, run) in seen {
            let known = all.get_mut(ask.url.key_without_query()).into_iter().flatten();
            known.for_each(|one| one.was_seen(ask, run));
        }
        for one in all.values_mut().flatten() {
            one.put_in_order();
        }
        Self(RwLock::new(all))
    }

    /// The bodies that were verified for who asks like this, under heads of this very `Origin`.
    pub(crate) fn find(&self, ask: &Ask) -> Found {
        let (all, from) = (self.read(), origin(ask));
        let known = all.get(ask.url.key_without_query());
        let here = || known.into_iter().flatten();
        let own = here().find(|one| one.is_asked_by(ask, &from) && one.has_values_of(ask));
        let Some((own, newest)) = own.and_then(|own| Some((own, own.served.first()?))) else {
            return Found::default();
        };
        own.asked.store(ask.at.as_second(), Ordering::Relaxed);
        let others = here().filter(|one| one.is_for(ask, &from)).flat_map(|one| &one.served);
        let others = others.filter(|one| !own.served.iter().any(|own| is_same(&own.digests, &one.digests)));
        let elsewhere = others.map(|one| Arc::new(one.under(&newest.head))).collect();
        Found { served: own.served.clone(), elsewhere, takes_turns: own.takes_turns }
    }

    /// The same where there is none for this very `Origin`: under a head without what another one was allowed.
    pub(crate) fn find_for_other_origins(&self, ask: &Ask) -> Found {
        let (all, from) = (self.read(), origin(ask));
        let here = all.get(ask.url.key_without_query()).into_iter().flatten();
        let served = here.filter(|one| one.is_for(ask, &from)).flat_map(|one| &one.served);
        let mut served: Vec<_> = served.map(for_any_origin).collect();
        served.sort_by_key(|served| std::cmp::Reverse(served.seen));
        served.dedup_by(|one, other| is_same(&one.digests, &other.digests));
        Found { served, ..Found::default() }
    }

    /// Of some bodies, the one that the vendor served last at `url` to who asks like `ask`, whatever their `Origin`.
    pub(crate) fn newest(
        &self,
        ask: &Ask,
        url: &ArtifactUrl,
        is_one: impl Fn(&Digests) -> bool,
    ) -> Option<Newest> {
        let all = self.read();
        let known = all.get(url.key_without_query()).into_iter().flatten();
        let here = known.filter(|one| {
            (url.key() == url.key_without_query() || *one.variant.url == *url.key())
                && (one.depends.is_of_kind_alone() || one.has_values_of(ask))
        });
        let served = || here.clone().flat_map(|one| &one.served).filter(|one| is_one(&one.digests));
        let newest = served().max_by_key(|one| one.seen)?;
        let same = served().filter(|one| is_same(&one.digests, &newest.digests));
        let first = same.map(|one| one.first).min().unwrap_or(newest.first);
        Some(Newest { digests: newest.digests, first, last: newest.seen })
    }

    /// Which variant `ask` is for, as far as is known what the answer depends on.
    pub(crate) fn variant_of(&self, ask: &Ask) -> Variant {
        let (all, from) = (self.read(), origin(ask));
        let known = all
            .get(ask.url.key_without_query())
            .into_iter()
            .flatten()
            .find(|one| one.is_asked_by(ask, &from));
        known.map_or_else(|| Depends::default().variant(ask), |one| one.depends.variant(ask))
    }

    /// Remembers a body that was verified for `ask`; on disk again where it `is_damaged` there.
    pub(crate) fn put(
        &self,
        ask: &Ask,
        depends: Depends,
        fresh: &Fresh<'_>,
        now: Timestamp,
        is_damaged: bool,
    ) -> Put {
        let variant = depends.variant(ask);
        let mut put = Put::default();
        let mut all = self.write();
        let variants = all.entry(ask.url.key_without_query().into()).or_default();
        // What the vendor said last of what its answer depends on is what counts.
        let is_over = |one: &Known| one.is_asked_by(ask, &variant.origin) && one.variant.vary != variant.vary;
        put.gone.extend(variants.extract_if(.., |one| is_over(one)).flat_map(Known::into_rows));
        let mut known = match variants.iter().position(|one| one.variant == variant) {
            Some(at) => variants.swap_remove(at),
            None => {
                put.gone.extend(make_room(variants).into_iter().flat_map(Known::into_rows));
                Known::new(variant, depends, ask)
            }
        };
        known.take(ask, fresh, now, &mut put);
        if is_damaged && put.row.is_none() {
            put.row = known.served.first().map(|one| known.row(one));
        }
        variants.push(known);
        put
    }

    /// Counts what the vendor served last to who asks like this, of what is allowed, as served now. Gives what is to be written.
    pub(crate) fn keep(
        &self,
        ask: &Ask,
        now: Timestamp,
        is_allowed: impl Fn(&Digests) -> bool,
    ) -> Option<Shelved> {
        let (mut all, from) = (self.write(), origin(ask));
        let variants = all.get_mut(ask.url.key_without_query())?;
        let one = variants.iter_mut().find(|one| one.is_asked_by(ask, &from) && one.has_values_of(ask))?;
        let kept = one.served.iter_mut().find(|served| is_allowed(&served.digests))?;
        *kept = Arc::new(Served { seen: kept.seen.max(now), ..kept.under(&kept.head) });
        let id = kept.digests.sha256;
        one.put_in_order();
        one.written = now;
        one.served.iter().find(|served| served.digests.sha256 == id).map(|served| one.row(served))
    }

    /// Forgets all that was verified for who asks like this, whatever it depended on.
    pub(crate) fn remove(&self, ask: &Ask) -> Vec<(Variant, BodyId)> {
        let (mut all, from) = (self.write(), origin(ask));
        let Some(variants) = all.get_mut(ask.url.key_without_query()) else { return Vec::new() };
        variants.extract_if(.., |one| one.is_asked_by(ask, &from)).flat_map(Known::into_rows).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Box<str>, Vec<Known>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Box<str>, Vec<Known>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn new(variant: Variant, depends: Depends, ask: &Ask) -> Self {
        let asked = AtomicI64::new(ask.at.as_second());
        Self { variant, depends, asked, written: Timestamp::MIN, served: Vec::new(), takes_turns: false }
    }

    fn read(row: Shelved) -> Option<(Box<str>, Self)> {
        let url = ArtifactUrl::parse(&row.variant.url).ok()?;
        let depends = Depends::read(&row.variant.vary)?;
        let served = Served {
            digests: row.digests,
            len: row.len,
            head: head(fields(&row.head)),
            kinds: row.kinds,
            path: row.path,
            seen: row.seen,
            first: row.first,
        };
        let known = Self {
            variant: row.variant,
            depends,
            asked: AtomicI64::new(row.asked.as_second()),
            written: row.asked,
            served: vec![Arc::new(served)],
            takes_turns: false,
        };
        Some((url.key_without_query().into(), known))
    }

    /// Rechecks that ask like this saw one of the bodies until then.
    fn was_seen(&mut self, ask: &Ask, run: &Run) {
        if !(self.is_asked_by(ask, &origin(ask)) && self.has_values_of(ask)) {
            return;
        }
        for served in self.served.iter_mut().filter(|served| served.digests.sha256 == run.digest) {
            *served = Arc::new(Served { seen: served.seen.max(run.last), ..served.under(&served.head) });
        }
    }

    /// The one that was served last first. None was served before the vendor had left the one before it.
    fn put_in_order(&mut self) {
        self.served.sort_by_key(|served| std::cmp::Reverse(served.seen));
        let mut before = Timestamp::MIN;
        for served in self.served.iter_mut().rev() {
            let first = served.first.max(before);
            before = served.seen;
            *served = Arc::new(Served { first, ..served.under(&served.head) });
        }
    }

    /// Whether it is for who asks like this `from` an origin, whatever that is, if it decides nothing but heads.
    fn is_for(&self, ask: &Ask, from: &str) -> bool {
        *self.variant.url == *ask.url.key()
            && (!self.depends.on_origin || *self.variant.origin == *from)
            && self.has_values_of(ask)
    }

    /// Whether `ask` could get it `from` an origin, but for the fields that it depends on.
    fn is_asked_by(&self, ask: &Ask, from: &str) -> bool {
        *self.variant.url == *ask.url.key() && *self.variant.origin == *from
    }

    fn has_values_of(&self, ask: &Ask) -> bool {
        self.variant.values == self.depends.values(ask)
    }

    fn take(&mut self, ask: &Ask, fresh: &Fresh<'_>, now: Timestamp, put: &mut Put) {
        let before = self.served.first().map(|one| (one.digests.sha256, one.seen, one.first));
        let after_that = before.and_then(|(_, seen, _)| seen.checked_add(TICK).ok());
        let mut served = Served::of(fresh, after_that.map_or(now, |seen| seen.max(now)));
        let first = before.filter(|(digest, ..)| *digest == served.digests.sha256).map(|(.., first)| first);
        let is_news = first.is_none();
        served.first = first.unwrap_or(served.seen);
        self.takes_turns |= is_news && self.served.iter().any(|one| is_same(&one.digests, &served.digests));
        self.served.retain(|one| !is_same(&one.digests, &served.digests));
        self.served.insert(0, Arc::new(served));
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
            first: served.first,
        }
    }

    fn into_rows(self) -> impl Iterator<Item = (Variant, BodyId)> {
        let Self { variant, served, .. } = self;
        served.into_iter().map(move |one| (variant.clone(), one.digests.sha256))
    }
}

impl Served {
    /// The same body under another head.
    fn under(&self, head: &Parts) -> Self {
        let Self { digests, len, kinds, ref path, seen, first, .. } = *self;
        Self { digests, len, head: head.clone(), kinds, path: path.clone(), seen, first }
    }

    fn of(fresh: &Fresh<'_>, now: Timestamp) -> Self {
        let fresh_for = in_newer_words(&fresh.head.headers).map(|value| (header::CACHE_CONTROL, value));
        Self {
            digests: *fresh.cleared.digests(),
            len: fresh.cleared.len(),
            head: head(shaping_alone(&fresh.head.headers).chain(fresh_for)),
            kinds: fresh.kinds,
            path: fresh.path.cloned(),
            seen: now,
            first: now,
        }
    }
}

/// Takes one out where there are too many: of those that a page can make up the one asked for longest ago, by its query
/// or else by its `Origin`.
fn make_room(variants: &mut Vec<Known>) -> Option<Known> {
    if variants.len() < VARIANTS {
        return None;
    }
    let rank = |one: &Known| {
        (!one.variant.url.contains('?'), one.variant.origin.is_empty(), one.asked.load(Ordering::Relaxed))
    };
    let (first, _) = variants.iter().enumerate().min_by_key(|(_, one)| rank(one))?;
    Some(variants.swap_remove(first))
}

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
    Arc::new(served.under(&head))
}

/// What is no text in a value is replaced, so that what else it says stays.
fn pairs<'a>(fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>) -> Fields {
    fields
        .map(|(name, value)| (name.as_str().into(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect()
}

fn fields(fields: &Fields) -> impl Iterator<Item = (HeaderName, HeaderValue)> + '_ {
    fields.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
}
