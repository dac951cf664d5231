//! Relays between the gateway and a receiver of syslog: they take what the receiver never gets. It comes again all the same.

use std::net::Ipv4Addr;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::*;

/// nginx, which passes on what comes over a connection, and ends it in order where there is nobody to pass it on to.
struct Relay {
    #[expect(dead_code, reason = "its files go with it")]
    dir: tempfile::TempDir,
    #[expect(dead_code, reason = "it ends with it")]
    child: tokio::process::Child,
}

impl Relay {
    /// In the clear, or with TLS that ends there.
    async fn start(at: Port, to: u16, is_tls: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (chain, key) = server_identity("localhost");
        for (name, contents) in [("cert.pem", &chain), ("key.pem", &key)] {
            std::fs::write(dir.path().join(name), contents).unwrap();
        }
        let at = at.number();
        let listen = if is_tls {
            format!("{at} ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem")
        } else {
            at.to_string()
        };
        let configuration = format!(
            "load_module /usr/lib/nginx/modules/ngx_stream_module.so;
             daemon off; master_process off; pid nginx.pid; error_log stderr;
             events {{ }}
             stream {{ server {{ listen 127.0.0.1:{listen}; proxy_pass 127.0.0.1:{to}; }} }}"
        );
        std::fs::write(dir.path().join("nginx.conf"), configuration).unwrap();
        let child = Command::new("nginx")
            .arg("-p")
            .arg(dir.path())
            .args(["-c", "nginx.conf", "-e", "stderr"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("nginx is installed");
        Self { dir, child }
    }
}

/// What came, each once, in the order of the last time that it did.
fn each_once(messages: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut each: Vec<_> = ids(messages.iter().map(|message| record(message)));
    each.reverse();
    each.retain(|id| seen.insert(id.clone()));
    each.reverse();
    each
}

#[tokio::test]
async fn a_relay_that_ends_tls_in_order_with_nobody_behind_it_costs_no_event() {
    let vendor = vendor_of(TAMPERED).await;
    let (port, behind) = (Port::reserve(), Port::reserve());
    let to = format!("syslog+tls://localhost:{}", port.number());
    let relay = Relay::start(port, behind.number(), true).await;
    let gateway = refusing(&vendor).siem(&to, &[CA]).listen().await;
    refuse(&gateway, &vendor, 5).await;
    gateway.says("ends the connection on which events were written lately").await;
    refuse(&gateway, &vendor, 5).await;
    gateway.kill().await;
    gateway.start_again().await;
    refuse(&gateway, &vendor, 5).await;
    gateway.says("ends the connection on which events were written lately").await;

    let receiver = syslog(behind, Shown::Nothing);
    receiver.came(20).await;
    let told = told(&gateway).await;
    let is_end = |message: &String| message.contains("gateway-stopped");
    let messages = receiver.came_until("the end", |came| came.iter().any(is_end)).await;
    assert!(each_once(&messages).ends_with(&told), "{messages:?}");
    let refusals: Vec<_> = messages.into_iter().filter(|message| message.contains(" PF-1002 ")).collect();
    assert_eq!(each_once(&refusals).len(), 15);
    drop(relay);
}

#[tokio::test]
async fn a_receiver_behind_a_relay_that_takes_events_and_breaks_off_costs_none() {
    let vendor = vendor_of(TAMPERED).await;
    let (port, behind) = (Port::reserve(), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
    let (to, number) =
        (format!("syslog+tcp://127.0.0.1:{}", port.number()), behind.local_addr().unwrap().port());
    let relay = Relay::start(port, number, false).await;
    let gateway = refusing(&vendor).siem(&to, &[]).listen().await;
    refuse(&gateway, &vendor, 10).await;
    for _ in 0..3 {
        let (mut connection, _) = eventually("another attempt", behind.accept()).await.unwrap();
        assert!(connection.read_u8().await.is_ok());
        connection.set_zero_linger().unwrap();
    }
    drop(behind);

    let receiver = syslog(Port::again(number), Shown::Nothing);
    receiver.came(10).await;
    let told = told(&gateway).await;
    let is_end = |message: &String| message.contains("gateway-stopped");
    let messages = receiver.came_until("the end", |came| came.iter().any(is_end)).await;
    assert_eq!(each_once(&messages), told);
    let said = gateway.complaints().await;
    assert_eq!(said.matches("its events wait in the store").count(), 1, "it is warned of once: {said}");
    drop(relay);
}

#[tokio::test]
async fn a_receiver_that_is_told_of_the_end_gets_nothing_again() {
    let vendor = vendor_of(TAMPERED).await;
    let (tcp, tls) =
        (syslog(Port::reserve(), Shown::Nothing), syslog(Port::reserve(), Shown::As(Identity::Valid)));
    let gateway = refusing(&vendor)
        .siem(&format!("syslog+tcp://127.0.0.1:{}", tcp.port()), &[])
        .siem(&format!("syslog+tls://localhost:{}", tls.port()), &[CA])
        .listen()
        .await;
    refuse(&gateway, &vendor, 3).await;
    let mut all = told(&gateway).await;
    gateway.start_again().await;
    all.extend(told(&gateway).await);

    for receiver in [tcp, tls] {
        let messages = receiver.came(all.len()).await;
        assert_eq!(ids(messages.iter().map(|message| record(message))), all);
    }
}
