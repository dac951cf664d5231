//! Bytes there and back.

use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};

use super::{Hosts, connected};

/// CONNECT, and then bytes there and back.
pub(crate) async fn relay(listener: TcpListener, hosts: &Path) {
    let hosts = Arc::new(Hosts::read(hosts));
    loop {
        let (mut client, _) = listener.accept().await.expect("a client");
        let hosts = Arc::clone(&hosts);
        tokio::spawn(async move {
            client.set_nodelay(true)?;
            let target = connected(&mut client, &hosts).await?;
            let mut server = TcpStream::connect(target.address).await?;
            server.set_nodelay(true)?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await
        });
    }
}
