//! The vendors, and the rules in force for each.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pinfold_store::item::ItemState;

use super::VendorState;
use super::answer::{page, to, trouble};
use super::routes::Room;
use super::words::{counted, in_query};
use crate::text::Text;

/// Hosts that are shown of one vendor.
const HOSTS: usize = 200;

/// One vendor, with its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorRules {
    /// How it is.
    pub state: VendorState,
    /// Each rule by its key, as a configuration file has it, and its value.
    pub rules: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "vendors.html")]
struct VendorsPage {
    user: Text,
    form: String,
    vendors: Vec<Row>,
}

struct Row {
    name: Text,
    link: String,
    hosts: Vec<Text>,
    more_hosts: usize,
    rules: Vec<(&'static str, Text)>,
    waiting: Option<String>,
    drifting: u64,
    unreachable: u64,
}

pub(super) async fn show(State(room): State<Room>, headers: HeaderMap) -> Response {
    let Some(visitor) = room.visitor(&headers) else { return to("/sign-in") };
    let (vendors, items) = match ((room.review.vendors)(()).await, (room.review.items)(()).await) {
        (Ok(vendors), Ok(items)) => (vendors, items),
        (Err(why), _) | (_, Err(why)) => return trouble(&why),
    };
    let waiting = |vendor: &VendorRules| {
        let of_theirs = items.iter().filter(|item| item.vendor.as_deref() == Some(&*vendor.state.name));
        of_theirs.filter(|item| item.state == ItemState::Waiting).fold(0, |count, _| count + 1)
    };
    let row = |vendor: &VendorRules| Row::of(vendor, waiting(vendor));
    let shown = VendorsPage {
        user: Text::of(&visitor.session.user.name),
        form: room.forms.token(Some(&visitor.token)),
        vendors: vendors.iter().map(row).collect(),
    };
    page(StatusCode::OK, &shown)
}

impl Row {
    fn of(vendor: &VendorRules, waiting: u64) -> Self {
        let VendorRules { state, rules } = vendor;
        let rules = rules.iter().map(|(key, value)| (*key, Text::of(value)));
        Self {
            name: Text::of(&state.name),
            link: in_query(&state.name),
            hosts: state.hosts.iter().take(HOSTS).map(|host| Text::of(host)).collect(),
            more_hosts: state.hosts.len().saturating_sub(HOSTS),
            rules: rules.collect(),
            waiting: (waiting > 0).then(|| counted(waiting, "item")),
            drifting: state.drifting,
            unreachable: state.unreachable,
        }
    }
}
