//! What the demo's `pinfold.toml` says, and why: the file and the story are made of the same list.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::demo::artifacts::{CHAT_HOST, DOWNLOAD_HOST, LOOK_ALIKE_HOST};

/// The name of the file, below the demo's directory, with the root that stands in for the public ones.
pub(crate) const PUBLIC_ROOT: &str = "stand-in-public-root.pem";

/// One setting that differs from its default, or several with the same reason.
pub(crate) struct Setting {
    /// The table's header; empty for the top of the file, and in the table of the setting before.
    table: &'static str,
    /// Keys and values, as TOML has them.
    keys: Vec<(String, String)>,
    /// Why it is set.
    pub(crate) why: &'static str,
}

impl Setting {
    fn new(table: &'static str, key: &str, value: &str, why: &'static str) -> Self {
        Self { table, keys: vec![(key.to_owned(), value.to_owned())], why }
    }

    /// The lines of the file.
    pub(crate) fn lines(&self) -> Vec<String> {
        let keys = self.keys.iter().map(|(key, value)| format!("{key} = {value}"));
        let table = Some(self.table).filter(|table| !table.is_empty()).map(str::to_owned);
        table.into_iter().chain(keys).collect()
    }
}

/// The settings of the demo, in the order of the file.
pub(crate) fn settings(vendor: SocketAddr, look_alike: SocketAddr) -> Vec<Setting> {
    let fixed = |host: &str, address: SocketAddr| (format!("\"{host}\""), format!("\"{address}\""));
    vec![
        Setting::new(
            "",
            "listen",
            "[\"127.0.0.1:0\"]",
            "Any free port, so that the demo is in nobody's way.",
        ),
        Setting::new(
            "[other_hosts]",
            "tls",
            "\"intercept\"",
            "The default is \"tunnel\": connections to hosts that are no vendor's stay closed to pinfold. The \
             second stage comes from such a host, so here they are opened and judged too.",
        ),
        Setting::new(
            "",
            "scripts",
            "\"block\"",
            "The default is \"allow\". With \"block\", code runs only if it comes from a vendor on the list.",
        ),
        Setting::new(
            "[certs]",
            "name_constraints",
            "false",
            "By default pinfold's certificate authority can sign for the vendor's hosts and for no others. To \
             open connections to any host it must be able to sign for any host. That is the price of the two \
             settings above: its key becomes as precious as everybody's connections.",
        ),
        Setting {
            table: "[egress.resolve]",
            keys: vec![
                fixed(CHAT_HOST, vendor),
                fixed(DOWNLOAD_HOST, vendor),
                fixed(LOOK_ALIKE_HOST, look_alike),
            ],
            why: "The stand-in names lead to servers on this machine.",
        },
        Setting::new(
            "[upstream_tls]",
            "extra_roots",
            &format!("[\"{PUBLIC_ROOT}\"]"),
            "The certificate authority that stands in for the public ones.",
        ),
        Setting {
            table: "[[vendor]]",
            keys: vec![
                ("name".to_owned(), "\"comm100\"".to_owned()),
                ("hosts".to_owned(), format!("[\"{CHAT_HOST}\", \"{DOWNLOAD_HOST}\"]")),
            ],
            why: "Whose code is let in at all, once it is reviewed.",
        },
        Setting::new(
            "",
            "unpinned",
            "\"quarantine\"",
            "The default is \"block\". What nobody has reviewed is refused either way; with \"quarantine\" it is \
             kept for whoever reviews it.",
        ),
        Setting::new(
            "",
            "recheck",
            "\"always\"",
            "The default is \"15m\": reviewed code is served without asking the vendor, who is looked at in the \
             background, and nobody in this story would ever meet the changed files. Here the vendor is asked each time.",
        ),
    ]
}

/// The text of the file.
pub(crate) fn file(settings: &[Setting]) -> String {
    let mut text = String::from("# Written by 'pinfold demo'.\n");
    for setting in settings {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# {}\n{}", setting.why, setting.lines().join("\n"));
    }
    text
}
