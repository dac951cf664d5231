//! SIGTERM: nothing new comes in, what is under way comes to its end.

use pinfold_integration_tests::{Answer, Gate, client, eventually, gateway, vendor};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

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

#[tokio::test]
async fn sigterm_ends_a_tunnel_in_which_nothing_was_said_and_records_it() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let gateway = gateway().set_in("egress.resolve", "silent.test", address).listen().await;
    let mut tunnel = client(&gateway).connect("silent.test:443").await.unwrap().unwrap();

    gateway.begin_termination().await;

    assert_eq!(eventually("the end of the tunnel", tunnel.read(&mut [0])).await.unwrap(), 0);
    assert!(gateway.ended().await.success());
    assert_eq!(gateway.rest_of_events().await[0].text("destination.domain"), Some("silent.test"));
}

async fn refusing(proxy: std::net::SocketAddr) {
    while TcpStream::connect(proxy).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
