//! Vendors that can't be reached, or can't be believed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use http::Method;
use pinfold_integration_tests::{
    Answer, Gate, Identity, client, eventually, gateway, origin_root_key_pem, origin_root_pem, vendor,
};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::{REVIEWED, gateway_pinning, pinning, refused, vendor_of, verified};

#[tokio::test]
async fn a_vendor_with_a_bad_certificate_is_refused() {
    for identity in [
        Identity::SelfSigned,
        Identity::Expired,
        Identity::NotYetValid,
        Identity::WrongName,
        Identity::CommonNameOnly,
        Identity::MissingIntermediate,
        Identity::IssuedByALeaf,
    ] {
        let vendor = vendor().script("/app.js", REVIEWED).identity(identity).listen().await;
        let gateway = gateway_pinning(&vendor).await;

        refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "upstream-tls");
        assert!(vendor.seen("/app.js").is_empty(), "{identity:?}");
    }
}

/// A server that only OpenSSL still makes: with this key, signed by the vendors' root with this digest. It serves the
/// files of its directory, and says which.
async fn weak_server(dir: &Path, key: &str, digest: &str) -> (Child, String) {
    std::fs::write(dir.join("root.pem"), origin_root_pem()).unwrap();
    std::fs::write(dir.join("root.key"), origin_root_key_pem()).unwrap();
    std::fs::write(dir.join("names"), "subjectAltName=DNS:cdn.vendor.test\n").unwrap();
    std::fs::write(dir.join("app.js"), REVIEWED).unwrap();
    let openssl = |args: String| {
        let mut command = Command::new("openssl");
        command.args(args.split(' ')).current_dir(dir).stderr(Stdio::piped()).kill_on_drop(true);
        command
    };
    let request =
        format!("req -newkey {key} -nodes -keyout leaf.key -subj /CN=cdn.vendor.test -out leaf.csr");
    let sign =
        format!("x509 -req -in leaf.csr -CA root.pem -CAkey root.key -{digest} -extfile names -out leaf.pem");
    for step in [request, sign] {
        assert!(eventually("a certificate", openssl(step).status()).await.unwrap().success());
    }
    let serve = "s_server -accept 127.0.0.1:0 -cert leaf.pem -key leaf.key -cipher DEFAULT:@SECLEVEL=0 -naccept 1 -WWW";
    let mut server = openssl(serve.to_owned()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = eventually("the server's address", async {
        loop {
            let line = said.next_line().await.unwrap().expect("s_server says where it listens");
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                return address.to_owned();
            }
        }
    });
    let address = address.await;
    (server, address)
}

#[tokio::test]
async fn a_vendor_with_a_weak_key_or_a_weak_signature_is_refused() {
    for (key, digest, is_weak) in
        [("rsa:1024", "sha256", true), ("rsa:2048", "sha1", true), ("rsa:2048", "sha256", false)]
    {
        let dir = tempfile::tempdir().unwrap();
        let (server, address) = weak_server(dir.path(), key, digest).await;
        let vendor = vendor().unreachable().listen().await;
        let gateway = pinning(&vendor).set_in("egress.resolve", vendor.host(), address).listen().await;

        let reply = client(&gateway).get(vendor.url("/app.js")).await;
        // It takes one connection, and leaves.
        let said = eventually("the server's end", server.wait_with_output()).await.unwrap().stderr;
        let asked = String::from_utf8_lossy(&said).contains("FILE:app.js");

        assert_eq!(asked, !is_weak, "{key} {digest}: {reply:?}");
        if is_weak {
            refused(&reply, 502, "blocked", "upstream-tls");
        } else {
            verified(&reply, REVIEWED);
        }
    }
}

#[tokio::test]
async fn a_root_is_trusted_only_where_the_file_says_so() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).set_in("upstream_tls", "extra_roots", json!([])).listen().await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "upstream-tls");
}

#[tokio::test]
async fn a_vendor_that_is_down_is_a_502() {
    let vendor = vendor().unreachable().listen().await;
    let gateway = gateway_pinning(&vendor).await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "upstream-unreachable");
}

#[tokio::test]
async fn a_vendor_that_never_answers_is_a_504() {
    let gate = Gate::closed();
    let vendor = vendor().serve("/app.js", Answer::script(REVIEWED).behind(&gate)).listen().await;
    let gateway = pinning(&vendor).set_in("limits", "upstream_timeout", "1s").listen().await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 504, "blocked", "upstream-timeout");
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_the_gateway_whole() {
    let gate = Gate::closed();
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/slow.js", Answer::script(REVIEWED).behind(&gate));
    let gateway = gateway_pinning(&vendor).await;

    let leaver = tokio::spawn({
        let (client, url) = (client(&gateway), vendor.url("/slow.js"));
        async move { client.get(url).await }
    });
    vendor.asked("/slow.js", 1).await;
    leaver.abort();
    assert!(leaver.await.unwrap_err().is_cancelled());
    gate.open();

    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
}

/// An origin that answers the first request of each connection, and ends or resets it at the second. How many it got.
async fn fickle_origin(resets: bool) -> (SocketAddr, watch::Receiver<usize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (got, seen) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let got = got.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                got.send_modify(|got| *got += 1);
                let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
                stream.write_all(answer.as_bytes()).await.unwrap();
                if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    got.send_modify(|got| *got += 1);
                }
                if resets {
                    stream.set_zero_linger().unwrap();
                }
            });
        }
    });
    (address, seen)
}

#[tokio::test]
async fn a_kept_connection_that_ends_when_it_is_used_again() {
    const URL: &str = "http://fickle.test/";
    for resets in [false, true] {
        let (address, got) = fickle_origin(resets).await;
        let gateway = gateway().set_in("egress.resolve", "fickle.test", address.to_string()).listen().await;
        for _ in 0..3 {
            let reply = client(&gateway).get(URL).await;
            assert_eq!(reply.status(), 200, "{reply:?}");
        }
        assert_eq!(*got.borrow(), 5, "the first, and each other twice");

        // What may change something is never repeated.
        let reply = client(&gateway).ask(Method::POST, URL).await;
        refused(&reply, 502, "blocked", "upstream-unreachable");
        assert_eq!(*got.borrow(), 6);
    }
}
