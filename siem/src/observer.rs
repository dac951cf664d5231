//! The gateway that saw it.

/// Which gateway the events are from: `observer.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observer {
    /// The machine's host name.
    pub hostname: Box<str>,
    /// The gateway's version.
    pub version: Box<str>,
}

impl Observer {
    /// A gateway of this version on this machine.
    #[must_use]
    pub fn on_this_machine(version: &str) -> Self {
        let system = rustix::system::uname();
        Self { hostname: system.nodename().to_string_lossy().into(), version: version.into() }
    }
}
