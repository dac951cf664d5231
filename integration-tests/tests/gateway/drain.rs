//! SIGTERM: nothing new comes in, what is under way comes to its end.

use pinfold_integration_tests::{Answer, Gate, client, eventually, vendor};
use tokio::net::TcpStream;

use crate::{REVIEWED, gateway_pinning, verified};

#[tokio::test]
async fn sigterm_drains_an_exchange_in_flight() {
    let gate = Gate::closed();
    let vendor = vendor().serve("/app.js", Answer::script(REVIEWED).behind(&gate)).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    for http2 in [false, true] {
        // The port is another one after each start.
        let client = if http2 { client(&gateway).http2() } else { client(&gateway) };
        let url = vendor.url("/app.js");
        let asked = vendor.seen("/app.js").len();
        let reply = tokio::spawn(async move { client.get(url).await });
        vendor.asked("/app.js", asked + 1).await;
        gateway.begin_termination().await;
        eventually("the end of the listener", refusing(gateway.proxy())).await;
        gate.open();

        verified(&reply.await.unwrap(), REVIEWED);
        assert!(gateway.ended().await.success());
        gateway.start_again().await;
    }
}

#[tokio::test]
async fn sigterm_ends_an_idle_gateway_and_its_idle_connections() {
    let vendor = vendor().script("/app.js", REVIEWED).listen().await;
    let gateway = gateway_pinning(&vendor).await;
    let mut session = client(&gateway).open(&vendor.url("/").parse().unwrap()).await.unwrap().unwrap();
    let reply = session.ask(http::Method::GET, vendor.url("/app.js").parse().unwrap()).await.unwrap();
    verified(&reply, REVIEWED);

    assert!(gateway.terminate().await.success());
}

async fn refusing(proxy: std::net::SocketAddr) {
    while TcpStream::connect(proxy).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
