//! How clients come to use this gateway and to trust it, and what it then does for them.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::answer::{file, page, to, trouble};
use super::routes::Room;
use crate::text::Text;

/// What clients are to trust, and what they get for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The root certificate.
    pub root_pem: String,
    /// Its SHA-256, as people compare it.
    pub fingerprint: String,
    /// What to type to trust a file `root.pem`, in lines.
    pub instructions: String,
    /// What is enforced by the rules in force, a sentence each.
    pub enforced: Vec<String>,
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    user: Text,
    form: String,
    fingerprint: Text,
    instructions: Vec<Text>,
    enforced: Vec<Text>,
    listeners: Vec<String>,
}

pub(super) async fn show(State(room): State<Room>, headers: HeaderMap) -> Response {
    let Some(visitor) = room.visitor(&headers) else { return to("/sign-in") };
    let setup = match (room.review.setup)(()).await {
        Ok(setup) => setup,
        Err(why) => return trouble(&why),
    };
    let shown = SetupPage {
        user: Text::of(&visitor.session.user.name),
        form: room.forms.token(Some(&visitor.token)),
        fingerprint: Text::of(&setup.fingerprint),
        instructions: setup.instructions.lines().map(Text::of).collect(),
        enforced: setup.enforced.iter().map(|line| Text::of(line)).collect(),
        listeners: room.shown.listeners.iter().map(ToString::to_string).collect(),
    };
    page(StatusCode::OK, &shown)
}

/// The root certificate, as a file.
pub(super) async fn root(State(room): State<Room>, headers: HeaderMap) -> Response {
    if room.visitor(&headers).is_none() {
        return to("/sign-in");
    }
    match (room.review.setup)(()).await {
        Ok(setup) => file("root.pem", "application/x-pem-file", setup.root_pem),
        Err(why) => trouble(&why),
    }
}
