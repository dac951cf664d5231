//! `[[siem]]`: where events go, and what that takes.

use std::path::{Path, PathBuf};

use url::Url;

use crate::diagnostic::quoted;
use crate::section::Section;
use crate::settings::{Repeats, SiemFormat, SiemOutput, SiemTarget, Syslog};
use crate::source::Mistake;

const FORMATS: [(&str, SiemFormat); 3] =
    [("ecs", SiemFormat::Ecs), ("ocsf", SiemFormat::Ocsf), ("cef", SiemFormat::Cef)];
const REPEATS: [(&str, Repeats); 2] = [("counted", Repeats::Counted), ("all", Repeats::All)];
const SCHEMES: [(&str, Syslog); 3] =
    [("syslog+udp", Syslog::Udp), ("syslog+tcp", Syslog::Tcp), ("syslog+tls", Syslog::Tls)];

/// Reads all blocks. `base` is the directory that their relative paths start from.
pub(crate) fn read(root: &mut Section<'_>, base: &Path) -> Vec<SiemOutput> {
    let mut outputs: Vec<SiemOutput> = Vec::new();
    for mut block in root.sections("siem") {
        if let Some(output) = read_block(&mut block, base) {
            if outputs.iter().any(|other| other.to == output.to) {
                complain(&block, "to", Mistake::new("another [[siem]] writes there already"));
            }
            outputs.push(output);
        }
        block.finish();
    }
    outputs
}

fn read_block(block: &mut Section<'_>, base: &Path) -> Option<SiemOutput> {
    let format = block.choice("format", &FORMATS).unwrap_or_default();
    let repeats = block.choice("repeats", &REPEATS).unwrap_or_default();
    let max_backlog = block.size("max_backlog").unwrap_or(SiemOutput::MAX_BACKLOG);
    let to = block.parse("to", |text| target(base, text));
    let to = block.required("to", to, "\"file:pinfold-data/events.ndjson\"");
    let mut file = |key| block.parse(key, |text| path(base, text));
    let (token_file, ca) = (file("token_file"), file("ca"));
    let (client_cert, client_key) = (file("client_cert"), file("client_key"));
    let output =
        SiemOutput { format, to: to?, repeats, max_backlog, token_file, ca, client_cert, client_key };
    check(block, &output);
    Some(output)
}

/// What contradicts what.
fn check(block: &Section<'_>, output: &SiemOutput) {
    let (speaks_tls, takes_token) = match output.to {
        SiemTarget::File(_) | SiemTarget::Stdout | SiemTarget::Syslog(Syslog::Udp | Syslog::Tcp, ..) => {
            (false, false)
        }
        SiemTarget::Syslog(Syslog::Tls, ..) => (true, false),
        SiemTarget::Https(_) | SiemTarget::Splunk(_) => (true, true),
    };
    for key in ["ca", "client_cert", "client_key"] {
        if !speaks_tls && block.place_of(key).is_some() {
            let mistake = Mistake::new(format!("{key} is for outputs that speak TLS, and this one does not"));
            complain(block, key, mistake.hint(format!("remove {key}, or send to \"syslog+tls://…\"")));
        }
    }
    if !takes_token && block.place_of("token_file").is_some() {
        let mistake = Mistake::new("token_file is for \"https://…\" and \"splunk+https://…\" alone");
        complain(block, "token_file", mistake.hint("remove token_file"));
    }
    let is_splunk = matches!(output.to, SiemTarget::Splunk(_));
    if is_splunk && block.place_of("token_file").is_none() {
        let mistake = Mistake::new("an event collector takes nothing without a token");
        complain(
            block,
            "to",
            mistake.hint("add token_file = \"hec.token\", with the token on its first line"),
        );
    }
    if output.format == SiemFormat::Cef && matches!(output.to, SiemTarget::Https(_)) {
        let mistake = Mistake::new("format is \"cef\", and what goes to \"https://…\" is JSON");
        complain(block, "format", mistake.hint("use \"ecs\" or \"ocsf\", or send CEF by syslog"));
    }
    for (given, missing) in [("client_cert", "client_key"), ("client_key", "client_cert")] {
        if block.place_of(given).is_some() && block.place_of(missing).is_none() {
            let mistake = Mistake::new(format!("{given} is of no use without {missing}"));
            complain(block, given, mistake.hint(format!("add {missing}, a PEM file")));
        }
    }
}

fn complain(block: &Section<'_>, key: &str, mistake: Mistake) {
    let place = block.place_of(key).unwrap_or_else(|| block.place());
    block.file().error(place, mistake);
}

fn path(base: &Path, text: &str) -> Result<PathBuf, Mistake> {
    if text.is_empty() || text.contains('\0') {
        return Err(Mistake::new(format!("{} is not a path", quoted(text))));
    }
    Ok(base.join(text))
}

fn target(base: &Path, text: &str) -> Result<SiemTarget, Mistake> {
    match text.split_once(':') {
        Some(("file", name)) if !name.is_empty() => return path(base, name).map(SiemTarget::File),
        Some(("stdout", "")) => return Ok(SiemTarget::Stdout),
        Some(("https", _)) => return https(text).map(SiemTarget::Https),
        Some(("splunk+https", _)) => {
            return https(text.trim_start_matches("splunk+")).map(SiemTarget::Splunk);
        }
        Some((scheme, _)) => {
            if let Some((_, transport)) = SCHEMES.iter().find(|(name, _)| *name == scheme) {
                return syslog(*transport, text);
            }
        }
        None => {}
    }
    Err(Mistake::new(format!(
        "to is {}, expected \"file:PATH\", \"stdout:\", \"syslog+tls://HOST:PORT\", \"syslog+tcp://…\", \
         \"syslog+udp://…\", \"https://…\" or \"splunk+https://…\"",
        quoted(text)
    )))
}

/// Without the text in the mistake: it may hold a password.
fn https(text: &str) -> Result<String, Mistake> {
    let url = Url::parse(text).map_err(|error| Mistake::new(format!("to is no URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Mistake::new("to holds a user name or a password")
            .hint("put the token into a file of its own, and name it: token_file = \"siem.token\""));
    }
    if url.fragment().is_some() {
        return Err(Mistake::new(format!("to has a fragment, which is never sent: {}", quoted(text))));
    }
    Ok(url.into())
}

fn syslog(transport: Syslog, text: &str) -> Result<SiemTarget, Mistake> {
    let port = match transport {
        Syslog::Udp | Syslog::Tcp => 514,
        Syslog::Tls => 6514,
    };
    let wrong = || {
        Mistake::new(format!("to is {}, expected a host and a port and nothing behind them", quoted(text)))
            .hint(format!("write \"syslog+…://siem.example:{port}\""))
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) if is_bare && is_anonymous && !host.is_empty() => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            Ok(SiemTarget::Syslog(transport, host.to_ascii_lowercase(), port))
        }
        _ => Err(wrong()),
    }
}
