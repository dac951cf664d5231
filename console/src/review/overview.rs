//! How the gateway fares, on one page.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pinfold_store::item::{Item, ItemState};

use super::answer::{page, to, trouble};
use super::picture::{Part, parts};
use super::routes::Room;
use super::words::ago;
use crate::text::Text;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    user: Text,
    form: String,
    flows: Vec<FlowRow>,
    waiting: usize,
    longest: Option<Waiting>,
    clients: u64,
    vendors: Vec<VendorRow>,
    checks: Vec<CheckRow>,
}

struct FlowRow {
    name: &'static str,
    sum: u64,
    parts: Vec<Part>,
}

struct Waiting {
    incident: String,
    since: String,
}

struct VendorRow {
    name: Text,
    mode: &'static str,
    hosts: Text,
    waiting: usize,
    drifting: u64,
    unreachable: u64,
}

struct CheckRow {
    name: &'static str,
    trouble: Option<Text>,
}

pub(super) async fn show(State(room): State<Room>, headers: HeaderMap) -> Response {
    let Some(visitor) = room.visitor(&headers) else { return to("/sign-in") };
    let (overview, items) = match ((room.review.overview)(()).await, (room.review.items)(()).await) {
        (Ok(overview), Ok(items)) => (overview, items),
        (Err(why), _) | (_, Err(why)) => return trouble(&why),
    };
    let waiting: Vec<&Item> = items.iter().filter(|item| item.state == ItemState::Waiting).collect();
    let longest = waiting.iter().min_by_key(|item| item.first);
    let flows = ["Last hour", "Last day"].into_iter().zip(&overview.flows);
    let vendors = overview.vendors.iter().map(|vendor| VendorRow {
        name: Text::of(&vendor.name),
        mode: vendor.mode,
        hosts: Text::of(&vendor.hosts.join(", ")),
        waiting: waiting.iter().filter(|item| item.vendor.as_deref() == Some(&*vendor.name)).count(),
        drifting: vendor.drifting,
        unreachable: vendor.unreachable,
    });
    let checks = (room.shown.ready)().await.into_iter();
    let shown = OverviewPage {
        user: Text::of(&visitor.session.user.name),
        form: room.forms.token(Some(&visitor.token)),
        flows: flows
            .map(|(name, flow)| FlowRow {
                name,
                sum: flow.outcomes.iter().map(|(_, count)| count).sum(),
                parts: parts(flow),
            })
            .collect(),
        waiting: waiting.len(),
        longest: longest.map(|item| Waiting {
            incident: item.incident.to_string(),
            since: ago(item.first, overview.now),
        }),
        clients: waiting.iter().map(|item| item.clients).max().unwrap_or_default(),
        vendors: vendors.collect(),
        checks: checks
            .map(|check| CheckRow { name: check.name, trouble: check.trouble.as_deref().map(Text::of) })
            .collect(),
    };
    page(StatusCode::OK, &shown)
}
