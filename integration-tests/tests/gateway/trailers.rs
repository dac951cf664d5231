//! Fields behind a body: gRPC needs them, and nothing that is judged may hang on them.

use pinfold_integration_tests::{Answer, client, gateway, sha256, vendor};

use crate::{REVIEWED, verified};

#[tokio::test]
async fn the_trailers_of_an_unguarded_answer_arrive_and_those_of_a_script_do_not() {
    let call = Answer::typed("application/grpc", &b"\0\0\0\0\0"[..]).trailer("grpc-status", "0");
    let call = call.trailer("content-type", "text/javascript").trailer("set-cookie", "a=b");
    let script = Answer::script(REVIEWED).trailer("grpc-status", "0");
    let vendor = vendor().http2_only().serve("/call", call).serve("/app.js", script).listen().await;
    let gateway = gateway().vendor(&vendor).pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;
    let client = client(&gateway).http2().header("te", "trailers");

    let reply = client.get(vendor.url("/call")).await;
    assert_eq!(reply.trailers().get("grpc-status").unwrap(), "0");
    assert_eq!(reply.trailers().len(), 1, "{:?}", reply.trailers());
    assert_eq!(vendor.seen("/call")[0].header("te"), Some("trailers"));

    let reply = client.get(vendor.url("/app.js")).await;
    verified(&reply, REVIEWED);
    assert!(reply.trailers().is_empty());
}
