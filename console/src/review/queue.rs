//! What was kept, what is most urgent first.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use pinfold_policy::reason::Reason;
use pinfold_store::incident::Incident;
use pinfold_store::item::{Item, ItemState};
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::{page, to, trouble};
use super::routes::Room;
use super::triage::{Glance, Urgency};
use super::words::{ago, counted, state_mark};
use crate::text::Text;

/// Rows of one page. Whoever has more of them narrows the filter.
const ROWS: usize = 200;

/// Which of them, as the URL says it, so that a view can be shared.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// `approved`, `rejected` (or revoked) or `all`; what waits without.
    #[serde(default)]
    state: String,
    /// The vendor that claims the host.
    #[serde(default)]
    vendor: String,
    /// A part of the URL, an incident or its beginning, or a digest.
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "queue.html")]
struct QueuePage {
    user: Text,
    form: String,
    rows: Vec<Row>,
    more: usize,
    waiting: usize,
    states: [(&'static str, &'static str, bool); 4],
    vendors: Vec<(Text, bool)>,
    q: Text,
}

/// What an item newly does, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtAGlance {
    /// This.
    Known(Glance),
    /// It is being read.
    BeingRead,
    /// Others are read first.
    NotYet,
}

impl AtAGlance {
    fn urgency(&self) -> &Urgency {
        match self {
            Self::Known(glance) => &glance.urgency,
            Self::BeingRead | Self::NotYet => &Urgency::BeingRead,
        }
    }

    fn line(&self) -> Option<Text> {
        match self {
            Self::Known(glance) => Some(Text::of(&glance.line)),
            Self::BeingRead | Self::NotYet => None,
        }
    }
}

struct Row {
    incident: String,
    line: Option<Text>,
    is_being_read: bool,
    /// Why it stands where it stands, while it waits.
    place: Option<String>,
    state: &'static str,
    mark: &'static str,
    agreed: Option<String>,
    url: Text,
    reason: &'static str,
    vendor: Text,
    clients: u64,
    asked: String,
    since: String,
    last: String,
}

pub(super) async fn show(
    State(room): State<Room>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let Some(visitor) = room.visitor(&headers) else { return to("/sign-in") };
    let all = match (room.review.items)(()).await {
        Ok(items) => Arc::new(items),
        Err(why) => return trouble(&why),
    };
    let waiting = all.iter().filter(|item| item.state == ItemState::Waiting).count();
    let vendors = vendors(&all, &asked.vendor);
    let mut items = in_order(&room, &all, |item| asked.wants(item)).await;
    if asked.is_for_all_that_waits() {
        room.line.keep(items.iter().map(|(item, _)| item.incident).collect());
    }
    let now = Timestamp::now();
    let more = items.len().saturating_sub(ROWS);
    items.truncate(ROWS);
    page(
        StatusCode::OK,
        &QueuePage {
            user: Text::of(&visitor.session.user.name),
            form: room.forms.token(Some(&visitor.token)),
            rows: items.iter().map(|(item, known)| row(item, known, now)).collect(),
            more,
            waiting,
            states: asked.states(),
            vendors,
            q: Text::of(&asked.q),
        },
    )
}

/// What is wanted, and what is known of it: what waits comes first, by what it newly does.
pub(crate) async fn in_order<'i>(
    room: &Room,
    all: &'i Arc<Vec<Item>>,
    wants: impl Fn(&Item) -> bool,
) -> Vec<(&'i Item, AtAGlance)> {
    let mut items: Vec<&Item> = all.iter().filter(|item| wants(item)).collect();
    items.sort_by_key(|item| before_reading(item));
    let asked = items.iter().map(|item| item.incident).collect();
    // Whatever keeps this from being known, the queue is there.
    let glances = (room.review.at_a_glance)((Arc::clone(all), asked)).await.unwrap_or_default();
    let glances = glances.into_iter().chain(std::iter::repeat(AtAGlance::NotYet));
    let mut items: Vec<_> = items.into_iter().zip(glances).collect();
    // Stable: what has the same place by the facts stays as it was.
    items.sort_by(|(one, its), (other, others)| {
        let is_done = |item: &Item| item.state != ItemState::Waiting;
        is_done(one).cmp(&is_done(other)).then_with(|| match is_done(one) {
            true => std::cmp::Ordering::Equal,
            false => its.urgency().cmp(others.urgency()),
        })
    });
    items
}

/// Where nothing is known of the bytes: what waits comes first; of that, what is in place of something that was expected, then
/// what most people wait for, then what has waited for longest.
fn before_reading(item: &Item) -> impl Ord + use<> {
    let replaces = matches!(item.reason, Reason::DigestMismatch | Reason::PathChanged | Reason::ExpiredPin);
    (item.state != ItemState::Waiting, !replaces, Reverse((item.clients, item.asked)), item.first)
}

/// What waits, in the order in which the queue had it last: an item's page leads on by it, and reads no queue.
#[derive(Default)]
pub(super) struct Line(Mutex<Option<Vec<Incident>>>);

impl Line {
    fn keep(&self, waiting: Vec<Incident>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(waiting);
    }

    fn known(&self) -> Option<Vec<Incident>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One waits no more.
    fn leave(&self, incident: Incident) {
        if let Some(waiting) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            waiting.retain(|other| *other != incident);
        }
    }

    /// As the queue has it now.
    async fn read(&self, room: &Room) -> Result<Vec<Incident>, String> {
        let all = Arc::new((room.review.items)(()).await?);
        let waiting = in_order(room, &all, |item| item.state == ItemState::Waiting).await;
        let waiting: Vec<_> = waiting.iter().map(|(item, _)| item.incident).collect();
        self.keep(waiting.clone());
        Ok(waiting)
    }

    /// The first of some that still waits.
    async fn first(
        &self,
        room: &Room,
        some: impl Iterator<Item = &Incident>,
    ) -> Result<Option<Incident>, String> {
        for incident in some {
            if (room.review.waits)(*incident).await? {
                return Ok(Some(*incident));
            }
            self.leave(*incident);
        }
        Ok(None)
    }
}

/// What waits in front of an item and behind it. Of one that waits no more, what comes first is behind it; if it was just decided,
/// also of what has come since the queue was read.
pub(super) async fn beside(
    room: &Room,
    item: &Item,
    is_just_decided: bool,
) -> Result<[Option<Incident>; 2], String> {
    let line = &room.line;
    if item.state != ItemState::Waiting {
        line.leave(item.incident);
        let known = line.known();
        let next = line.first(room, known.iter().flatten()).await?;
        return Ok(match next {
            None if is_just_decided || known.is_none() => [None, line.read(room).await?.first().copied()],
            next => [None, next],
        });
    }
    let waiting = match line.known().filter(|waiting| waiting.contains(&item.incident)) {
        Some(waiting) => waiting,
        None => line.read(room).await?,
    };
    let (before, behind) = around(&waiting, item.incident);
    Ok([line.first(room, before).await?, line.first(room, behind).await?])
}

/// What stands before one and behind it, the nearest first.
fn around(
    waiting: &[Incident],
    one: Incident,
) -> (impl Iterator<Item = &Incident>, impl Iterator<Item = &Incident>) {
    let at = waiting.iter().position(|other| *other == one).unwrap_or(waiting.len());
    let (before, behind) = waiting.split_at(at);
    (before.iter().rev(), behind.iter().skip(1))
}

impl Asked {
    fn is_for_all_that_waits(&self) -> bool {
        let Self { state, vendor, q } = self;
        !matches!(state.as_str(), "all" | "approved" | "rejected") && vendor.is_empty() && q.trim().is_empty()
    }

    fn states(&self) -> [(&'static str, &'static str, bool); 4] {
        [("", "Waiting"), ("approved", "Approved"), ("rejected", "Rejected or revoked"), ("all", "All")]
            .map(|(word, name)| (word, name, self.state == word))
    }

    pub(crate) fn wants(&self, item: &Item) -> bool {
        let is_of_state = match self.state.as_str() {
            "all" => true,
            "approved" => item.state == ItemState::Approved,
            "rejected" => matches!(item.state, ItemState::Rejected | ItemState::Revoked),
            _ => item.state == ItemState::Waiting,
        };
        let is_of_vendor = self.vendor.is_empty() || item.vendor.as_deref() == Some(self.vendor.as_str());
        let sought = self.q.trim();
        let is_sought = || {
            item.url.contains(sought)
                || item.incident.to_string().starts_with(&sought.to_ascii_uppercase())
                || item.digest.to_string() == sought
                || item.digest.to_hex() == sought
        };
        is_of_state && is_of_vendor && (sought.is_empty() || is_sought())
    }
}

fn vendors(items: &[Item], chosen: &str) -> Vec<(Text, bool)> {
    let mut names: Vec<_> = items.iter().filter_map(|item| item.vendor.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| (Text::of(name), name == chosen)).collect()
}

fn row(item: &Item, known: &AtAGlance, now: Timestamp) -> Row {
    let agreed = item.agreement.as_ref();
    Row {
        incident: item.incident.to_string(),
        line: known.line(),
        is_being_read: matches!(known, AtAGlance::BeingRead),
        place: (item.state == ItemState::Waiting).then(|| known.urgency().text()),
        state: item.state.as_str(),
        mark: state_mark(item.state),
        agreed: agreed.map(|agreed| format!("{} of {} approvals", agreed.by.len(), agreed.needed)),
        url: Text::of(&item.subject),
        reason: item.reason.text(),
        vendor: Text::of(item.vendor.as_deref().unwrap_or("none")),
        clients: item.clients,
        asked: counted(item.asked, "time"),
        since: ago(item.first, now),
        last: ago(item.last, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_an_item_is_what_stood_beside_it_in_the_queue() {
        let [first, second, third, gone] = [1, 2, 3, 4]
            .map(|number| format!("01M8K26MYBEJ294XG4W3AVWZ1{number}").parse::<Incident>().unwrap());
        let line = Line::default();
        assert_eq!(line.known(), None);
        line.keep(vec![first, second, gone, third]);
        line.leave(gone);
        let waiting = line.known().unwrap();
        let beside = |one| {
            let (before, behind) = around(&waiting, one);
            (before.copied().collect::<Vec<_>>(), behind.copied().collect::<Vec<_>>())
        };
        assert_eq!(beside(first), (vec![], vec![second, third]));
        assert_eq!(beside(third), (vec![second, first], vec![]));
        assert_eq!(beside(second), (vec![first], vec![third]));
    }

    #[test]
    fn the_order_of_all_that_waits_is_that_of_a_queue_without_a_filter() {
        let asked = |state: &str, vendor: &str, q: &str| {
            Asked { state: state.to_owned(), vendor: vendor.to_owned(), q: q.to_owned() }
                .is_for_all_that_waits()
        };
        assert!(asked("", "", " ") && asked("waiting", "", ""));
        for filtered in
            [asked("all", "", ""), asked("approved", "", ""), asked("", "a", ""), asked("", "", "x")]
        {
            assert!(!filtered);
        }
    }
}
