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

/// Starts logging at the level that `$PINFOLD_LOG` names, else `info`.
pub(crate) fn start(terminal: &Terminal) -> Result<(), Failure> {
    let wanted = std::env::var(VARIABLE).ok().filter(|wanted| !wanted.is_empty());
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or("info")).map_err(|error| {
        Failure::configuration(format!("${VARIABLE} is not understood: {error}"))
            .hint("name a level such as 'debug', or levels of crates: 'info,pinfold_proxy=debug'")
    })?;
    let fields =
        debug_fn(|writer, field, value| writer.write_str(&shown(field.name(), &format!("{value:?}"))));
    let subscriber = tracing_subscriber::fmt()
        .fmt_fields(fields.delimited(" "))
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(terminal.color_err)
        .with_target(false);
    subscriber.try_init().map_err(|error| Failure::could_not(format!("cannot start logging: {error}")))
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
