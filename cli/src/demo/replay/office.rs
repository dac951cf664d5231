//! The office: four computers, of which one asks every six hours.

use std::net::Ipv4Addr;

use crate::demo::client::Computer;

/// A browser, as far as a vendor tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Agent {
    Desktop,
    Phone,
    Tablet,
}

impl Agent {
    pub(super) const ALL: [Self; 3] = [Self::Desktop, Self::Phone, Self::Tablet];

    /// `User-Agent`.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Desktop => "pinfold-demo (desktop)",
            Self::Phone => "pinfold-demo (phone)",
            Self::Tablet => "pinfold-demo (tablet)",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Desktop => "desktops",
            Self::Phone => "phones",
            Self::Tablet => "tablets",
        }
    }

    /// Whether somebody thought of it when the pins were made.
    pub(super) fn is_known_to_reviewers(self) -> bool {
        match self {
            Self::Desktop | Self::Phone => true,
            Self::Tablet => false,
        }
    }
}

/// A computer of the office.
#[derive(Clone, Copy, Debug)]
pub(super) struct Desk {
    pub(super) computer: Computer,
    pub(super) agent: Agent,
}

const fn desk(name: &'static str, last: u8, agent: Agent) -> Desk {
    Desk { computer: Computer { name, address: Ipv4Addr::new(127, 0, 0, last) }, agent }
}

/// All of them, in the order in which they ask.
pub(super) const DESKS: [Desk; 4] = [
    desk("phone", 21, Agent::Phone),
    desk("desktop", 22, Agent::Desktop),
    desk("tablet", 23, Agent::Tablet),
    desk("laptop", 24, Agent::Desktop),
];
