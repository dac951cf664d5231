//! `pinfold --server URL`: the same commands, of a gateway elsewhere, by its console's API.
//!
//! What comes back was printed by the command's own code there. It is hostile all the same: whatever is no plain character, no
//! end of a line and no tone of ours is shown as an escape.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pinfold_siem::{SecretFile, TrustFiles, trust};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::exposure::TextForm;
use crate::failure::{Failure, cause};
use crate::pin::confirm::ConfirmOptions;
use crate::pin::export::write_new;
use crate::printable::is_deceptive;
use crate::quarantine::{Action, check_output, hand_out};
use crate::terminal::{Terminal, Tone};
use crate::{Command, Found, PinCommand, decision};

/// For a connection.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);
/// For an answer: the gateway gives itself a minute for the longest one.
const ANSWERED_WITHIN: Duration = Duration::from_secs(90);
/// How long a comparison is waited for.
const COMPARED_WITHIN: Duration = Duration::from_secs(60);
/// The longest answer, in bytes: a body of 64 MiB, or a table.
const LONGEST: usize = 65 * 1024 * 1024;

/// Which gateway, and as whom.
#[derive(Debug, Args)]
pub(crate) struct RemoteOptions {
    /// Ask the gateway whose console is there, and not the files here [default: $PINFOLD_SERVER].
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// A file with a token of that console on its first line [default: the token in $PINFOLD_TOKEN].
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) of which one issued the console's [default: those that this system trusts].
    #[arg(long, global = true, value_name = "FILE")]
    server_ca: Option<PathBuf>,
}

/// A gateway elsewhere.
pub(crate) struct Server {
    url: Url,
    authorization: HeaderValue,
    ca: Option<PathBuf>,
}

impl RemoteOptions {
    /// The gateway that is named, if one is.
    pub(crate) fn server(self) -> Result<Option<Server>, Failure> {
        // An option that is there names one, also where a script left its value empty: else the command would act here.
        let named =
            self.server.or_else(|| std::env::var("PINFOLD_SERVER").ok().filter(|url| !url.is_empty()));
        let Some(named) = named else {
            if self.token_file.is_some() || self.server_ca.is_some() {
                return Err(Failure::configuration(
                    "--token-file and --server-ca are for a gateway elsewhere",
                )
                .hint("name it with --server URL"));
            }
            return Ok(None);
        };
        let url = server_url(&named)?;
        let authorization = match self.token_file {
            Some(file) => {
                let read = SecretFile::checked(file).and_then(|file| file.authorization("Bearer"));
                read.map_err(|error| Failure::configuration(error.to_string()).hint(error.hint()))?
            }
            None => of_environment()?,
        };
        Ok(Some(Server { url, authorization, ca: self.server_ca }))
    }
}

fn of_environment() -> Result<HeaderValue, Failure> {
    let token = std::env::var("PINFOLD_TOKEN").unwrap_or_default();
    let mut value = Some(token.trim())
        .filter(|token| !token.is_empty())
        .and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok())
        .ok_or_else(|| {
            Failure::configuration("a gateway elsewhere takes a token, and none is given").hint(
                "'pinfold token add USER --name NAME' makes one there; give it by --token-file FILE or in $PINFOLD_TOKEN",
            )
        })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Over TLS, or to this very machine: a token must not cross a network in clear text.
fn server_url(text: &str) -> Result<Url, Failure> {
    let wrong = |why: &str| {
        Failure::configuration(format!("--server is '{text}': {why}"))
            .hint("write scheme, host and port of its console alone: https://pinfold.corp.example:8081")
    };
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !is_bare || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it names more than a console"));
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_loopback(&host) => Ok(url),
        ("http", Some(_)) => {
            Err(wrong("the token would cross the network in clear text; http is for loopback alone"))
        }
        _ => Err(wrong("it is neither https nor http")),
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Carries a command out there.
pub(crate) async fn run(server: &Server, command: Command, terminal: &Terminal) -> Result<Found, Failure> {
    let text = if terminal.json { "json" } else { "text" };
    match command {
        Command::Quarantine(Action::List) => server.print(&["quarantine"], text, &[], terminal).await,
        Command::Quarantine(Action::Show(named)) => {
            server.print(&["quarantine", &named.id], text, &[], terminal).await
        }
        Command::Quarantine(Action::Diff { named, names, part }) => {
            let part = part.map(|part| part.to_string());
            let part = part.as_deref().map(|part| ("part", part));
            let query: Vec<_> = names.then_some(("names", "true")).into_iter().chain(part).collect();
            server.print(&["quarantine", &named.id, "triage"], text, &query, terminal).await
        }
        Command::Quarantine(Action::Approve { named, reason, expires }) => {
            server.decide(&named.id, ("approve", &reason, expires.as_deref()), terminal).await
        }
        Command::Quarantine(Action::Reject { named, everywhere: false, reason, expires }) => {
            server.decide(&named.id, ("reject", &reason, expires.as_deref()), terminal).await
        }
        Command::Quarantine(Action::Export { named, output }) => {
            check_output(output.as_deref())?;
            let item = server.item(&named.id).await?;
            let body = server.get(&["quarantine", &item.incident, "body"], &[]).await?;
            hand_out(&body, output.as_deref(), terminal).map(|()| Found::Nothing)
        }
        Command::Exposure(options) => {
            let form = match options.form() {
                TextForm::Table => text,
                TextForm::Csv => "csv",
                TextForm::Markdown => "markdown",
            };
            server.print(&["exposure"], form, &options.pairs(), terminal).await
        }
        Command::Pin(PinCommand::List(options)) => {
            let query = options.learned.then_some(("learned", "true"));
            server.print(&["pins"], text, query.as_slice(), terminal).await
        }
        Command::Pin(PinCommand::Export(options)) => {
            let learned = options.learned.then_some(("learned", "true"));
            let query: Vec<_> =
                learned.into_iter().chain(options.approved.then_some(("approved", "true"))).collect();
            let Some(file) = options.output else {
                return server.print(&["pins.toml"], text, &query, terminal).await;
            };
            let printed = server.printed(Method::GET, &["pins.toml"], (text, &query, terminal), None).await?;
            write_new(&file, &printed.out)?;
            terminal.note(&format!("wrote {}", file.display()));
            Ok(Found::Nothing)
        }
        Command::Pin(PinCommand::Confirm(options)) => server.say(&options, terminal).await,
        Command::Quarantine(Action::Reject { everywhere: true, .. }) => {
            Err(local("quarantine reject --everywhere"))
        }
        other => Err(local(other.name())),
    }
}

fn local(name: &str) -> Failure {
    Failure::configuration(format!("'pinfold {name}' works on local files only, and not with --server"))
        .hint("run it on the gateway's machine, without --server and with $PINFOLD_SERVER unset")
}

/// What of an item a decision about it gives back.
struct Known {
    incident: String,
    shown: String,
}

/// What a command printed there.
struct Printed {
    out: String,
    err: String,
    code: u64,
}

impl Server {
    async fn print(
        &self,
        path: &[&str],
        form: &str,
        query: &[(&str, &str)],
        terminal: &Terminal,
    ) -> Result<Found, Failure> {
        let printed = self.printed(Method::GET, path, (form, query, terminal), None).await?;
        tell(&printed, terminal)
    }

    async fn decide(
        &self,
        id: &str,
        (act, reason, expires): (&str, &str, Option<&str>),
        terminal: &Terminal,
    ) -> Result<Found, Failure> {
        let reason = decision::reason(reason)?;
        let Known { incident, shown } = self.item(id).await?;
        let body = json!({ "act": act, "reason": reason, "expires": expires, "shown": shown });
        let form = if terminal.json { "json" } else { "text" };
        let path = ["quarantine", &*incident, "decision"];
        let printed = self.printed(Method::POST, &path, (form, &[], terminal), Some(&body)).await?;
        tell(&printed, terminal)
    }

    /// Confirms what was learned, or drops it.
    async fn say(&self, options: &ConfirmOptions, terminal: &Terminal) -> Result<Found, Failure> {
        let ConfirmOptions { learned, reason, expires, drop } = options;
        let reason = decision::reason(reason)?;
        let record = match learned.parse() {
            Ok(record) => record,
            Err(_) => self.learned_at(learned).await?,
        };
        let act = if *drop { "drop" } else { "confirm" };
        let body = json!({ "act": act, "reason": reason, "expires": expires });
        let form = if terminal.json { "json" } else { "text" };
        let path = ["pins", "learned", &record.to_string(), "decision"];
        let printed = self.printed(Method::POST, &path, (form, &[], terminal), Some(&body)).await?;
        tell(&printed, terminal)
    }

    /// The record of what was learned at a URL.
    async fn learned_at(&self, url: &str) -> Result<u64, Failure> {
        let found = self.get(&["pins", "learned"], &[("at", url)]).await?;
        let found: Value = serde_json::from_slice(&found).map_err(|_| senseless())?;
        found.pointer("/pins/0/record").and_then(Value::as_u64).ok_or_else(senseless)
    }

    /// An item by its incident, or by as much of the beginning as tells it from the others.
    async fn item(&self, id: &str) -> Result<Known, Failure> {
        let item = self.get(&["quarantine", id], &[]).await?;
        let item: Value = serde_json::from_slice(&item).map_err(|_| senseless())?;
        let text = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(senseless);
        Ok(Known { incident: text("incident")?, shown: text("shown")? })
    }

    async fn printed(
        &self,
        method: Method,
        path: &[&str],
        (form, query, terminal): (&str, &[(&str, &str)], &Terminal),
        body: Option<&Value>,
    ) -> Result<Printed, Failure> {
        let columns = terminal.width.map(|width| width.min(usize::from(u16::MAX)).to_string());
        let mut all = vec![("printed", form)];
        all.extend(columns.as_deref().map(|columns| ("columns", columns)));
        all.extend(terminal.color.then_some(("color", "true")));
        all.extend(query);
        let answer = self.ask(method, path, &all, body).await?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|_| senseless())?;
        let text =
            |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(senseless);
        let code = answer.get("code").and_then(Value::as_u64).ok_or_else(senseless)?;
        Ok(Printed { out: text("out")?, err: text("err")?, code })
    }

    async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Bytes, Failure> {
        self.ask(Method::GET, path, query, None).await
    }

    /// Asks until there is an answer: a comparison takes its time.
    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Bytes, Failure> {
        let url = self.resource(path, query)?;
        let started = Instant::now();
        loop {
            let asking = self.once(&method, &url, body);
            let answered =
                timeout(ANSWERED_WITHIN, asking).await.map_err(|_| self.failed("it does not answer"))?;
            match answered? {
                Answer::Given(bytes) => return Ok(bytes),
                Answer::Later if started.elapsed() < COMPARED_WITHIN => sleep(Duration::from_secs(1)).await,
                Answer::Later => return Err(self.failed("it is busy, and has no answer yet")),
            }
        }
    }

    fn resource(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Failure> {
        // An incident is letters and digits: whatever else is typed must not become another path.
        let is_plain = |part: &&str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        if path.iter().any(|part| part.is_empty() || part.starts_with('.') || !is_plain(part)) {
            return Err(Failure::could_not("no incident is called so in quarantine")
                .hint("'pinfold quarantine list' shows those that are there"));
        }
        let mut url = self.url.clone();
        url.set_path(&format!("/api/v1/{}", path.join("/")));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn once(&self, method: &Method, url: &Url, body: Option<&Value>) -> Result<Answer, Failure> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        let connecting = timeout(CONNECTED_WITHIN, TcpStream::connect((literal, port)));
        let stream = match connecting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.failed(&cause(&error))),
            Err(_) => return Err(self.failed("it does not answer")),
        };
        let sent = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let mut request = Request::builder()
            .method(method)
            .uri(url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())))
            .header(HOST, url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
            .header(ACCEPT, "*/*")
            .header(AUTHORIZATION, self.authorization.clone());
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(sent)).map_err(|_| self.failed("the request cannot be made"))?;
        if url.scheme() == "http" {
            let peer: Option<IpAddr> = stream.peer_addr().ok().map(|peer| peer.ip().to_canonical());
            if !peer.is_some_and(|peer| peer.is_loopback()) {
                return Err(self.failed("it is not on this machine, and http is for loopback alone"));
            }
            return self.exchange(stream, request).await;
        }
        let files = TrustFiles { ca: self.ca.as_deref(), client: None };
        let config = trust(files).map_err(|error| Failure::configuration(error.to_string()))?;
        let name = ServerName::try_from(literal.to_owned()).map_err(|_| self.failed("this is no name"))?;
        let connecting =
            timeout(CONNECTED_WITHIN, TlsConnector::from(Arc::clone(&config)).connect(name, stream));
        match connecting.await {
            Ok(Ok(stream)) => self.exchange(stream, request).await,
            Ok(Err(error)) => Err(self.failed(&format!("no TLS: {}", cause(&error)))),
            Err(_) => Err(self.failed("it does not answer")),
        }
    }

    async fn exchange<S>(&self, stream: S, request: Request<Full<Bytes>>) -> Result<Answer, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| self.failed(&error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(broken)?;
        let (head, body) = response.into_parts();
        let waits = head.status == StatusCode::SERVICE_UNAVAILABLE && head.headers.contains_key(RETRY_AFTER);
        let body = self.whole(body).await?;
        match head.status {
            StatusCode::OK => Ok(Answer::Given(body)),
            _ if waits => Ok(Answer::Later),
            status if status.is_redirection() => {
                Err(self
                    .failed("it answers with a redirect, and none is followed: is this the console itself?"))
            }
            status => Err(self.declined(status, &body)),
        }
    }

    /// The body of an answer, bounded.
    async fn whole(&self, mut body: Incoming) -> Result<Bytes, Failure> {
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.failed(&error.to_string()))?;
            let Ok(piece) = frame.into_data() else { continue };
            if whole.len() + piece.len() > LONGEST {
                return Err(self.failed("its answer is longer than 65 MiB"));
            }
            // Writing to memory does not fail.
            let _infallible = whole.write_all(&piece);
        }
        Ok(whole.into())
    }

    /// Why there is no answer, as the problem document says it.
    fn declined(&self, status: StatusCode, body: &[u8]) -> Failure {
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |key: &str| problem.get(key).and_then(Value::as_str).map(str::to_owned);
        let hint = text("hint");
        let detail = text("detail").unwrap_or_else(|| format!("it answers with status {status}"));
        match status {
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::configuration(detail).hint_if_any(hint)
            }
            _ => Failure::could_not(detail).hint_if_any(hint),
        }
    }

    fn failed(&self, why: &str) -> Failure {
        Failure::could_not(format!("{}: {why}", self.url.as_str().trim_end_matches('/')))
            .hint("name the console of a gateway that runs; see [console] in its pinfold.toml")
    }
}

enum Answer {
    Given(Bytes),
    Later,
}

fn senseless() -> Failure {
    Failure::could_not("the answer is not one of pinfold's API")
        .hint("is this the console of a gateway of this version?")
}

/// Prints what was printed there.
fn tell(printed: &Printed, terminal: &Terminal) -> Result<Found, Failure> {
    if terminal.json {
        let value: Value = serde_json::from_str(&printed.out).map_err(|_| senseless())?;
        terminal.print_json(&value)?;
    } else if !printed.out.is_empty() {
        terminal.print_bytes(plain(&printed.out, terminal.color).as_bytes())?;
    }
    if !printed.err.is_empty() {
        terminal.note(plain(&printed.err, terminal.color_err).trim_end_matches('\n'));
    }
    match printed.code {
        0 => Ok(Found::Nothing),
        1 => Ok(Found::Something),
        _ => Ok(Found::Unknown),
    }
}

/// Text from elsewhere with nothing in it but plain characters, ends of lines, and tones of ours where they are wanted.
fn plain(text: &str, color: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        if let Some((tone, behind)) = toned(rest) {
            shown.push_str(if color { tone } else { "" });
            rest = behind;
            continue;
        }
        match char {
            '\n' => shown.push(char),
            deceptive if is_deceptive(deceptive) => shown.extend(deceptive.escape_default()),
            other => shown.push(other),
        }
        rest = rest.get(char.len_utf8()..).unwrap_or_default();
    }
    shown
}

/// A beginning that sets a tone of ours or ends one, and what follows.
fn toned(text: &str) -> Option<(&str, &str)> {
    let codes = Tone::ALL.map(Tone::code).into_iter().chain(["0"]);
    let mut lengths =
        codes.map(|code| format!("\u{1b}[{code}m")).filter(|tone| text.starts_with(tone.as_str()));
    text.split_at_checked(lengths.next()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_tls_or_to_this_machine() {
        for right in
            ["https://pinfold.test:8081", "http://127.0.0.1:8081/", "http://[::1]:1", "http://localhost:1"]
        {
            assert!(server_url(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "pinfold.test",
            "http://pinfold.test",
            "http://127.0.0.1.pinfold.test",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "https://ada:x@pinfold.test",
            "https://pinfold.test/console",
            "https://pinfold.test/?token=x",
        ] {
            assert!(matches!(server_url(wrong), Err(Failure::Configuration(_))), "{wrong}");
        }
    }

    #[test]
    fn an_answer_can_set_our_tones_and_nothing_else_of_a_terminal() {
        let text = "\u{1b}[31mbad\u{1b}[0m\n\u{1b}[2J\u{1b}]0;x\u{7}\u{202e}\r";
        assert_eq!(plain(text, true), "\u{1b}[31mbad\u{1b}[0m\n\\u{1b}[2J\\u{1b}]0;x\\u{7}\\u{202e}\\r");
        assert!(plain(text, false).starts_with("bad\n\\u{1b}[2J"));
    }
}
