//! What a vendor answers to a request, and what could be made of it.

use std::borrow::Cow;

use http::{HeaderValue, Method, StatusCode, header};
use pinfold_policy::image::image_type;
use pinfold_policy::kind::{Answered, Kind, Kinds, classify};
use pinfold_policy::part::is_blind_part;
use pinfold_policy::policy::Expectation;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::entry::DeliveryPath;

use super::party;
use crate::ask::{Ask, Extent};
use crate::fetch::{self, FetchError, Path};
use crate::gateway::Shared;
use crate::headers::{texts, values};
use crate::hold;
use crate::incoming::Arriving;
use crate::late;
use crate::policy_cell::Snapshot;
use crate::respond::ClientBody;

/// What a vendor answered, and what could be made of it.
pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Arriving,
    pub(crate) path: Option<DeliveryPath>,
    pub(crate) kinds: Kinds,
    /// The type that it needs to be rendered, where it is an image under a missing or a wrong one.
    image_type: Option<&'static str>,
    /// Nothing of its body has come yet: its kinds are those of its head.
    pub(super) is_late: bool,
}

impl Answer {
    pub(super) fn is_blind_part(&self) -> bool {
        let headers = &self.head.headers;
        self.head.status == StatusCode::PARTIAL_CONTENT
            && is_blind_part(
                &values(headers, header::CONTENT_RANGE),
                &borrowed(&texts(headers, header::CONTENT_TYPE)),
            )
    }

    /// `nosniff` is about to be added: an image that renders because browsers look at it needs its type.
    pub(super) fn suit_nosniff(&mut self) {
        if let Some(image_type) = self.image_type {
            self.head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(image_type));
        }
    }

    /// What a 304 confirms may be a script all the same, where a page asks for one as an image: whoever uses it next asks
    /// again, and says then what for.
    pub(super) fn confirm_once(&mut self) {
        if self.head.status == StatusCode::NOT_MODIFIED {
            for name in [header::EXPIRES, header::AGE, header::PRAGMA] {
                self.head.headers.remove(name);
            }
            self.head.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
    }

    /// A redirect to where nothing is judged is kept by no client: fetched as data and cached, it would lead a later
    /// request for a script there, and no one would ask here.
    pub(super) fn forget_a_way_out(&mut self, ask: &Ask, policy: &Snapshot) {
        let leads_out =
            || !redirect_target(&ask.url, &self.head).is_some_and(|to| policy.judges_scripts_at(&to));
        if self.head.status.is_redirection()
            && self.head.headers.contains_key(header::LOCATION)
            && leads_out()
        {
            self.head.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            self.head.headers.remove(header::EXPIRES);
        }
    }
}

/// Asks the vendor, and looks at the beginning of what it answers.
pub(crate) async fn fetch(
    gateway: &Shared,
    ask: &Ask,
    policy: &Snapshot,
    expected: &Expectation<'_>,
    method: Method,
    extent: Extent,
    body: ClientBody,
) -> Result<Answer, FetchError> {
    let fetched = send(gateway, ask, policy, expected, method, extent, body).await;
    fetched.inspect_err(|error| gateway.counters.upstream_error(error.reason()))
}

async fn send(
    gateway: &Shared,
    ask: &Ask,
    policy: &Snapshot,
    expected: &Expectation<'_>,
    method: Method,
    extent: Extent,
    body: ClientBody,
) -> Result<Answer, FetchError> {
    let is_head = method == Method::HEAD;
    let headers = ask.vendor_headers(&gateway.via, extent);
    let whole = extent == Extent::Whole;
    let request = fetch::request(&ask.url, method, headers, body)?;
    let upstream = &policy.live.upstream;
    let answer = match (ask.is_canary, whole) {
        (true, _) => upstream.send_to_own_origin(request).await,
        (false, true) => upstream.send_guarded(request).await,
        (false, false) => upstream.send(request).await,
    };
    let (head, body) = answer?.into_parts();
    if head.status.is_informational() {
        return Err(FetchError::Malformed("it switches protocols, and nobody asked for that".into()));
    }
    let path = head.extensions.get::<Path>().map(|path| path.0.clone());
    let mut body = Arriving::new(body, gateway.settings.limits.upstream_timeout);
    // Where an earlier answer was guarded, this one's first byte is waited for.
    let is_late = !is_head && !whole && late::is_late(expected, &head, &mut body).await;
    let starts = if is_head || is_late {
        hold::Starts::default()
    } else {
        let mut reservation = policy.live.upstream.reservation(ask.asker.address.ip(), party(policy, ask));
        hold::look_at_start(&mut body, &head.headers, &gateway.beginnings, &mut reservation).await?
    };
    let kinds = kinds_of(ask, &head, &starts);
    let image_type = image_type(&borrowed(&texts(&head.headers, header::CONTENT_TYPE)), starts.shown());
    Ok(Answer { head, body, path, kinds, image_type, is_late })
}

/// Every kind that some client could make of an answer.
pub(crate) fn kinds_of(ask: &Ask, head: &http::response::Parts, starts: &hold::Starts) -> Kinds {
    let (types, locations) =
        (texts(&head.headers, header::CONTENT_TYPE), texts(&head.headers, header::LOCATION));
    let answered = Answered {
        content_types: &borrowed(&types),
        dispositions: &values(&head.headers, header::CONTENT_DISPOSITION),
        locations: if head.status.is_redirection() { &borrowed(&locations) } else { &[] },
        starts: &[&starts.decoded, &starts.wire],
    };
    let mut kinds = classify(&ask.facts(), &answered);
    if starts.is_hidden {
        kinds.extend([Kind::Installer, Kind::Wasm]);
    }
    kinds
}

pub(crate) fn borrowed<'a>(texts: &'a [Cow<'_, str>]) -> Vec<&'a str> {
    texts.iter().map(|text| &**text).collect()
}

/// Where a redirect leads, if it says so once and clearly.
pub(super) fn redirect_target(url: &ArtifactUrl, head: &http::response::Parts) -> Option<ArtifactUrl> {
    let mut locations = head.headers.get_all(header::LOCATION).iter();
    // Letters beyond ASCII have no place in it, and browsers take them as UTF-8: what goes out is escaped.
    let location = std::str::from_utf8(locations.next()?.as_bytes()).ok()?;
    if locations.next().is_some() { None } else { url.join(location) }
}
