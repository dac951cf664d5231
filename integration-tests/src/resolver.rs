//! A name server on loopback whose answers a test changes as it goes.
//!
//! The gateway that asks it runs in a mount namespace of its own, in which `/etc/resolv.conf` knows no other. Name
//! servers have one port, so that this takes root.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::eventually;

/// RFC 1035 §4.1.1: a response, recursion desired and available.
const FLAGS: [u8; 2] = [0x81, 0x80];
const HEADER: usize = 12;
const LONGEST_QUESTION: usize = 512;

type Answers = Arc<Mutex<HashMap<String, Vec<IpAddr>>>>;

/// Starts one that knows no name.
pub async fn resolver() -> Resolver {
    // The first address of its network that no other test has taken.
    for last in 1..=u8::MAX {
        let address = Ipv4Addr::new(127, 53, 0, last);
        if let Ok(socket) = UdpSocket::bind((address, 53)).await {
            let (answers, silent) = (Answers::default(), watch::Sender::default());
            let task = tokio::spawn(serve(socket, Arc::clone(&answers), silent.clone()));
            return Resolver { address, task, answers, silent };
        }
    }
    panic!("no name server can be started at port 53 of loopback: that takes root");
}

/// A running name server. It ends when it is dropped.
#[derive(Debug)]
pub struct Resolver {
    address: Ipv4Addr,
    answers: Answers,
    task: JoinHandle<()>,
    /// Questions that it left open.
    silent: watch::Sender<usize>,
}

impl Resolver {
    /// Whatever ends in this gets no answer at all.
    pub const SILENT: &'static str = "silent.test";

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Waits until it has left so many questions open.
    pub async fn asked_in_vain(&self, times: usize) {
        let mut silent = self.silent.subscribe();
        let enough = silent.wait_for(|silent| *silent >= times);
        eventually(&format!("{times} questions without an answer"), enough).await.unwrap();
    }

    /// From now on a name has these addresses, in this order.
    pub fn answer(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.answers.lock().unwrap().insert(name.to_owned(), addresses);
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, answers: Answers, silent: watch::Sender<usize>) {
    let mut question = [0; LONGEST_QUESTION];
    loop {
        let (len, client) = socket.recv_from(&mut question).await.unwrap();
        if name(&question[..len]).0.ends_with(Resolver::SILENT) {
            silent.send_modify(|silent| *silent += 1);
            continue;
        }
        let answer = answer(&question[..len], &answers);
        socket.send_to(&answer, client).await.unwrap();
    }
}

/// The answer to one question (RFC 1035 §4.1, RFC 3596 §2).
fn answer(question: &[u8], answers: &Answers) -> Vec<u8> {
    let (name, end) = name(question);
    let kind = u16::from_be_bytes([question[end], question[end + 1]]);
    let known = answers.lock().unwrap().get(&name).cloned().unwrap_or_default();
    let wanted: Vec<_> = known.into_iter().filter(|address| kind == kind_of(*address)).collect();
    let mut message =
        [&question[..2], &FLAGS, &[0, 1], &[0, u8::try_from(wanted.len()).unwrap()], &[0; 4]].concat();
    message.extend_from_slice(&question[HEADER..end + 4]);
    for address in wanted {
        let bytes = match address {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        // The name of the question, the internet, and good for no time at all.
        message.extend([&[0xc0, 0x0c], &kind.to_be_bytes()[..], &[0, 1, 0, 0, 0, 0, 0]].concat());
        message.push(u8::try_from(bytes.len()).unwrap());
        message.extend(bytes);
    }
    message
}

fn kind_of(address: IpAddr) -> u16 {
    if address.is_ipv4() { 1 } else { 28 }
}

/// The name that is asked for, and where it ends.
fn name(question: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), HEADER);
    while question[at] > 0 {
        let end = at + 1 + usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..end]).to_lowercase());
        at = end;
    }
    (labels.join("."), at + 1)
}
