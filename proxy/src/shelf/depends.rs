//! What a vendor's answer depends on beside the URL, and so who else may have it.

use http::response::Parts;
use http::{HeaderMap, HeaderName, header};
use pinfold_policy::digest::BodyId;
use pinfold_store::shelf::Variant;

use crate::ask::Ask;
use crate::headers::texts;
use crate::recheck;

/// Fields that one answer may depend on.
const MOST_NAMES: usize = 16;

/// Who may have an answer.
pub(super) enum Audience {
    /// All who ask alike.
    Alike(Depends),
    /// The client that it was given to, and nobody else, for what that client sent.
    ThisClient,
    /// One client each, whoever asks.
    OneEach,
}

/// The fields of a request that an answer depends on, beside the coding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Depends {
    /// Sorted, without `Origin`.
    names: Box<[HeaderName]>,
    /// Whether the vendor names `Origin` too: bodies may depend on it then, and not heads alone.
    pub(super) on_origin: bool,
}

impl Audience {
    /// Who may have what `ask` was answered with `vendor`'s head.
    ///
    /// What depends on a field that rechecks would not send is for one client too: it would never be looked at again.
    pub(super) fn of(ask: &Ask, vendor: &Parts) -> Self {
        if is_for_credentials(ask, vendor) {
            return Self::ThisClient;
        }
        match Depends::read(&vary(vendor)).filter(|depends| depends.names.len() <= MOST_NAMES) {
            Some(depends) if depends.is_imitated(ask) => Self::Alike(depends),
            Some(_) => Self::ThisClient,
            None => Self::OneEach,
        }
    }
}

impl Depends {
    /// What a list of names says, in lower case. `None` where it depends on everything, on what a client is known by, or on
    /// what has no name.
    pub(super) fn read(vary: &str) -> Option<Self> {
        let (mut names, mut on_origin) = (Vec::new(), false);
        for name in vary.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                "*" | "cookie" | "authorization" => return None,
                "accept-encoding" => {}
                "origin" => on_origin = true,
                name => names.push(name.parse().ok()?),
            }
        }
        names.sort_unstable_by(|one: &HeaderName, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        Some(Self { names: names.into(), on_origin })
    }

    /// Whether these are fields alone that a browser sets by what it asks for, so that one page sends others with each of its
    /// files.
    pub(super) fn is_of_kind_alone(&self) -> bool {
        self.names.iter().all(|name| *name == header::ACCEPT || name.as_str().starts_with("sec-fetch-"))
    }

    fn is_imitated(&self, ask: &Ask) -> bool {
        let mut values = self
            .names
            .iter()
            .flat_map(|name| ask.headers.get_all(name).iter().map(move |value| (name, value)));
        values.all(|(name, value)| recheck::imitates(name, value))
    }

    /// The variant that `ask` is for.
    pub(super) fn variant(&self, ask: &Ask) -> Variant {
        let on_origin = self.on_origin.then_some("origin");
        let names: Vec<&str> = self.names.iter().map(HeaderName::as_str).chain(on_origin).collect();
        Variant {
            url: ask.url.key().into(),
            origin: origin(ask).into(),
            vary: names.join(",").into(),
            values: self.values(ask),
        }
    }

    /// A digest over the values of these fields without `Origin`, each as it came: values that mean the same in other words
    /// are another variant, and only cost a fetch.
    pub(super) fn values(&self, ask: &Ask) -> BodyId {
        if self.names.is_empty() {
            return BodyId([0; 32]);
        }
        let mut all = Vec::new();
        for name in &self.names {
            for value in ask.headers.get_all(name) {
                // A colon stands in no name, and a line feed in no value.
                all.extend_from_slice(name.as_str().as_bytes());
                all.push(b':');
                all.extend_from_slice(value.as_bytes());
                all.push(b'\n');
            }
        }
        BodyId::of(&[all.into()])
    }
}

/// Whether an answer may have been made for who asked, and for nobody else.
pub(crate) fn is_personal(ask: &Ask, vendor: &Parts) -> bool {
    let depends_on_cookie = || Depends::read(&vary(vendor)).is_none();
    is_for_credentials(ask, vendor) || (ask.headers.contains_key(header::COOKIE) && depends_on_cookie())
}

/// Whether it was given for credentials (RFC 9111 §3.5), or for a cookie and the vendor wants nobody else to have it.
fn is_for_credentials(ask: &Ask, vendor: &Parts) -> bool {
    let has = |name| ask.headers.contains_key(name);
    has(header::AUTHORIZATION) || (has(header::COOKIE) && is_private(&vendor.headers))
}

fn vary(vendor: &Parts) -> String {
    texts(&vendor.headers, header::VARY).join(",").to_ascii_lowercase()
}

pub(super) fn origin(ask: &Ask) -> String {
    texts(&ask.headers, header::ORIGIN).join(",")
}

fn is_private(headers: &HeaderMap) -> bool {
    let directives = texts(headers, header::CACHE_CONTROL).join(",").to_ascii_lowercase();
    directives.split(',').any(|one| matches!(one.trim().split('=').next(), Some("private" | "no-store")))
}
