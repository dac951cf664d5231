//! The log of a gateway's life, on standard error: standard output belongs to the ready line and to events.
//!
//! Some of what is logged comes from outside: a name in a certificate, what a server said. Whatever it holds, a record
//! stays one printable line, and a value cannot be taken for another field.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::debug_fn;

use crate::failure::Failure;
use crate::printable::printable;
use crate::terminal::Terminal;

const VARIABLE: &str = "PINFOLD_LOG";
const FORMAT: &str = "PINFOLD_LOG_FORMAT";

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    /// An object on a line of its own. Its strings are JSON's, so no value can end it or its field.
    Json,
}

impl Format {
    fn wanted(name: Option<&str>) -> Result<Self, Failure> {
        match name {
            None | Some("" | "text") => Ok(Self::Text),
            Some("json") => Ok(Self::Json),
            Some(other) => Err(Failure::configuration(format!("${FORMAT} is not understood: {other}"))
                .hint("write 'text' or 'json'")),
        }
    }
}

/// Starts logging at the level that `$PINFOLD_LOG` names, else `info`, in the format that `$PINFOLD_LOG_FORMAT` names, else
/// as text. Gives the format: what is for people to read has no place among objects.
pub(crate) fn start(terminal: &Terminal) -> Result<Format, Failure> {
    let wanted = std::env::var(VARIABLE).ok().filter(|wanted| !wanted.is_empty());
    let format = Format::wanted(std::env::var(FORMAT).ok().as_deref())?;
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or("info")).map_err(|error| {
        Failure::configuration(format!("${VARIABLE} is not understood: {error}"))
            .hint("name a level such as 'debug', or levels of crates: 'info,pinfold_proxy=debug'")
    })?;
    let plain = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let started = match format {
        Format::Text => {
            let fields = debug_fn(|writer, field, value| {
                writer.write_str(&shown(field.name(), &format!("{value:?}")))
            });
            plain.fmt_fields(fields.delimited(" ")).with_ansi(terminal.color_err).try_init()
        }
        Format::Json => {
            plain.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
    };
    started.map_err(|error| Failure::could_not(format!("cannot start logging: {error}")))?;
    Ok(format)
}

/// A field as it stands in a line. The message has no name before it.
fn shown(name: &str, value: &str) -> String {
    let value = printable(value);
    match name {
        "message" => value.into_owned(),
        _ if value.contains([' ', '"', '=']) => format!("{name}=\"{}\"", value.replace('"', "\\\"")),
        _ => format!("{name}={value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_nobody_knows_is_a_mistake() {
        for (name, format) in
            [(None, Format::Text), (Some("text"), Format::Text), (Some("json"), Format::Json)]
        {
            assert_eq!(Format::wanted(name).ok(), Some(format), "{name:?}");
        }
        assert!(Format::wanted(Some("xml")).is_err());
    }

    #[test]
    fn what_comes_from_outside_stays_in_its_field_and_on_its_line() {
        for (value, expected) in [
            ("cdn.vendor.test:443", "error=cdn.vendor.test:443"),
            ("no answer", "error=\"no answer\""),
            ("x client=127.0.0.1", "error=\"x client=127.0.0.1\""),
            ("a\" level=\"", "error=\"a\\\" level=\\\"\""),
            ("a\r\n2026-11-23 INFO forged", "error=\"a\\r\\n2026-11-23 INFO forged\""),
            ("\u{1b}[2J\u{9b}31m\u{202e}", "error=\\u{1b}[2J\\u{9b}31m\\u{202e}"),
        ] {
            assert_eq!(shown("error", value), expected);
        }
        assert_eq!(shown("message", "an old line\nstopped"), "an old line\\nstopped");
    }
}
