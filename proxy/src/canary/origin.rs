//! The canary's origin: the other end of a pipe in this process. Nothing listens, so nobody else can reach it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::{Ipv4Addr, SocketAddr};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{DuplexStream, duplex};

use crate::fetch::VendorStream;

/// What its pins are for.
pub(super) const REVIEWED: &[u8] = b"console.log('this is the canary, as it was reviewed');\n";
/// What stands in its place.
pub(super) const TAMPERED: &[u8] = b"console.log('this is the canary, and somebody has changed it');\n";

pub(super) const REVIEWED_PATH: &str = "/reviewed.js";
pub(super) const TAMPERED_PATH: &str = "/tampered.js";

/// Bytes that may be under way.
const PIPE: usize = 16 * 1024;
/// Where it says that it is.
pub(crate) const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Leads to the origin, whatever is asked for.
#[derive(Clone, Debug)]
pub(crate) struct OwnOrigin;

impl tower_service::Service<Uri> for OwnOrigin {
    type Response = VendorStream;
    type Error = Infallible;
    type Future = Ready<Result<VendorStream, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (ours, theirs) = duplex(PIPE);
        tokio::spawn(serve(theirs));
        ready(Ok(VendorStream::of_pipe(ours, NOWHERE)))
    }
}

async fn serve(stream: DuplexStream) {
    let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(&request)) });
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // Whoever asked has what it wanted, or says what is wrong.
    drop(serving.await);
}

fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let body = match request.uri().path() {
        REVIEWED_PATH => REVIEWED,
        TAMPERED_PATH => TAMPERED,
        _ => b"",
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body)));
    if body.is_empty() {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript"));
    response
}
