//! How the gateway fares, on one page.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pinfold_store::item::{Item, ItemState};

use super::answer::{page, to, trouble};
use super::picture::{Part, of_coverage, of_flow};
use super::routes::Room;
use super::words::{ago, counted, minute};
use crate::Coverage;
use crate::text::Text;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    user: Text,
    form: String,
    flows: Vec<FlowRow>,
    coverage: CoverageRow,
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

struct CoverageRow {
    since: String,
    judged: u64,
    sum: u64,
    /// Of a hundred; none where nothing has passed.
    share: Option<String>,
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
    /// What is to be known of it, each in words.
    state: Vec<String>,
}

struct CheckRow {
    name: &'static str,
    means: &'static str,
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
        state: state(
            waiting.iter().filter(|item| item.vendor.as_deref() == Some(&*vendor.name)).count() as u64,
            vendor.drifting,
            vendor.unreachable,
        ),
    });
    let checks = (room.shown.ready)().await.into_iter();
    let shown = OverviewPage {
        user: Text::of(&visitor.session.user.name),
        form: room.forms.token(Some(&visitor.token)),
        flows: flows
            .map(|(name, flow)| FlowRow {
                name,
                sum: flow.outcomes.iter().map(|(_, count)| count).sum(),
                parts: of_flow(flow),
            })
            .collect(),
        coverage: covered(&(room.shown.coverage)()),
        waiting: waiting.len(),
        longest: longest.map(|item| Waiting {
            incident: item.incident.to_string(),
            since: ago(item.first, overview.now),
        }),
        clients: waiting.iter().map(|item| item.clients).max().unwrap_or_default(),
        vendors: vendors.collect(),
        checks: checks
            .map(|check| CheckRow {
                name: check.name,
                means: means(check.name),
                trouble: check.trouble.as_deref().map(Text::of),
            })
            .collect(),
    };
    page(StatusCode::OK, &shown)
}

/// How a vendor is: what waits, at how many URLs it serves something else than expected, and at how many rechecks see nothing.
fn state(waiting: u64, drifting: u64, unreachable: u64) -> Vec<String> {
    let there = |count: u64, text: String| (count > 0).then_some(text);
    let verb = |count: u64, one: &str, many: &str| if count == 1 { one.to_owned() } else { many.to_owned() };
    let waits = format!("{} {}", counted(waiting, "item"), verb(waiting, "waits", "wait"));
    let drifts = format!(
        "{} {} something else than expected",
        counted(drifting, "URL"),
        verb(drifting, "serves", "serve")
    );
    let away = format!("the last recheck saw nothing at {}", counted(unreachable, "URL"));
    let state = [there(waiting, waits), there(drifting, drifts), there(unreachable, away)];
    let state: Vec<_> = state.into_iter().flatten().collect();
    if state.is_empty() { vec!["nothing waits".to_owned()] } else { state }
}

/// What a check is about, for whoever does not know the word; nothing of one that says it itself.
fn means(check: &str) -> &'static str {
    match check {
        "listening" => "takes connections of clients",
        "store" => "decisions and records can be written",
        "ca" => "the certificates by which it looks into connections",
        "canary" => "a test of itself: a tampered script is refused",
        _ => "",
    }
}

fn covered(coverage: &Coverage) -> CoverageRow {
    let judged = coverage.judged;
    let sum = coverage.unjudged.iter().fold(judged, |sum, (_, count)| sum.saturating_add(*count));
    // No share is said to be all while something is left.
    let share = (sum > 0).then(|| format!("{:.1} %", (1000.0 * judged as f64 / sum as f64).floor() / 10.0));
    CoverageRow { since: minute(coverage.since), judged, sum, share, parts: of_coverage(coverage) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_is_described_in_words_and_nothing_of_it_by_a_zero() {
        assert_eq!(state(0, 0, 0), ["nothing waits"]);
        assert_eq!(state(1, 0, 2), ["1 item waits", "the last recheck saw nothing at 2 URLs"]);
        assert_eq!(state(2, 1, 0), ["2 items wait", "1 URL serves something else than expected"]);
    }
}
