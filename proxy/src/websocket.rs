//! WebSockets: a GET that asks to switch, and an answer that proves it understood (RFC 6455 §4). Any other way to
//! switch protocols is refused: what follows it could not be judged.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::TokioIo;
use pinfold_policy::kind::Kinds;
use pinfold_policy::reason::Reason;
use pinfold_store::entry::Tunnel;
use sha1::{Digest as _, Sha1};

use crate::ask::{Ask, Extent};
use crate::counters::Carries;
use crate::fetch::{self, FetchError, Path};
use crate::gateway::Shared;
use crate::headers::{strip_hop_by_hop, text};
use crate::link::Link;
use crate::policy_cell::Snapshot;
use crate::prefixed::Prefixed;
use crate::respond::{ClientBody, respond};

/// The constant of RFC 6455 §1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether a request asks for a WebSocket.
pub(crate) fn is_asked_for(request: &Request<Incoming>) -> bool {
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        // Content would be the first frames for one parser, and not for another.
        && request.body().is_end_stream()
        && names_token(request.headers(), header::UPGRADE, "websocket")
        && names_token(request.headers(), header::CONNECTION, "upgrade")
}

fn names_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let mut tokens = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    tokens.any(|one| one.trim().eq_ignore_ascii_case(token))
}

/// Opens a WebSocket, or says why not.
pub(crate) async fn open(
    gateway: Arc<Shared>,
    link: Arc<Link>,
    mut request: Request<Incoming>,
) -> Response<ClientBody> {
    let client_side = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    let authority = link.authority(&head);
    let policy = gateway.policy.newest();
    let now = gateway.settings.clock.now();
    let ask = match Ask::admit(&link, head, policy.live.admission(), &gateway.via, now) {
        Ok(ask) => ask,
        Err(refusal) => return gateway.turn_down(&link, authority, refusal).await,
    };
    gateway.watch_for_lookalike_of(&ask, &policy);
    let (vendor_side, response) = match switch(&gateway, &policy, &ask).await {
        Ok(switched) => switched,
        Err(error) => return respond(gateway.refuse(&ask, &policy, Kinds::NONE, &error).await),
    };
    let dialled = response.extensions().get::<Path>().map(|path| path.0.address.ip());
    let row = Tunnel {
        id: ask.id,
        at: ask.at,
        asker: ask.asker.clone(),
        authority: ask.url.authority().clone(),
        server_name: link.tls.as_ref().and_then(|tls| tls.server_name.clone()),
        dialled,
        reason: None,
        incident: None,
        status: response.status().as_u16(),
        policy_version: policy.version(),
    };
    let open = gateway.record_tunnel(row).await;
    let follow = Arc::clone(&gateway);
    gateway.tasks.spawn(async move {
        // It keeps the connection's place until the WebSocket has ended.
        let _link = link;
        let (Ok(client), Ok(vendor)) = tokio::join!(client_side, vendor_side) else { return };
        let client = Prefixed::new(Bytes::new(), TokioIo::new(client));
        let vendor = Prefixed::new(Bytes::new(), TokioIo::new(vendor));
        follow.relay(client, vendor, (open, Carries::Websocket)).await;
    });
    response
}

/// Asks the vendor to switch, and checks that it did.
async fn switch(
    gateway: &Shared,
    policy: &Snapshot,
    ask: &Ask,
) -> Result<(hyper::upgrade::OnUpgrade, Response<ClientBody>), FetchError> {
    if !policy.expect(&ask.url).rules().websocket {
        return Err(FetchError::Body(Reason::WebsocketBlocked));
    }
    let mut headers = ask.vendor_headers(&gateway.via, Extent::AsAsked);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let key = text(&headers, header::SEC_WEBSOCKET_KEY).map(accept_for);
    let request = fetch::request(&ask.url, Method::GET, headers, fetch::empty())?;
    let mut answer = policy.live.upstream.send_http1(request).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(FetchError::Status(answer.status().as_u16()));
    }
    let accepted = text(answer.headers(), header::SEC_WEBSOCKET_ACCEPT).map(str::to_owned);
    if key.is_none() || key != accepted || !names_token(answer.headers(), header::UPGRADE, "websocket") {
        return Err(FetchError::Malformed("it switches protocols without the proof of RFC 6455".into()));
    }
    let vendor_side = hyper::upgrade::on(&mut answer);
    let mut response = Response::new(fetch::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = answer.headers().clone();
    strip_hop_by_hop(response.headers_mut());
    response.headers_mut().remove(header::ALT_SVC);
    response.headers_mut().remove("pinfold-verdict");
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    *response.extensions_mut() = answer.extensions().clone();
    Ok((vendor_side, response))
}

fn accept_for(key: &str) -> String {
    STANDARD.encode(Sha1::digest(format!("{key}{GUID}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_rfc_6455() {
        assert_eq!(accept_for("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
