//! Under what an office lives.

/// What stands between an office and a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Regime {
    /// Nothing: computers ask the vendor.
    NoProxy,
    /// Pins, and nothing in place of what they refuse.
    Pins,
    /// Pins, and the reviewed bytes in place of a refusal.
    Substitution,
    /// Pins, the shelf, and approval by rule of what was served unchanged for seven days.
    Cooldown,
}

impl Regime {
    pub(super) const ALL: [Self; 4] = [Self::NoProxy, Self::Pins, Self::Substitution, Self::Cooldown];

    /// In host names, names of vendors and JSON.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::NoProxy => "direct",
            Self::Pins => "pins",
            Self::Substitution => "substitution",
            Self::Cooldown => "cooldown",
        }
    }

    /// In the account of one incident.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::NoProxy => "no proxy",
            Self::Pins => "pins only",
            Self::Substitution => "pins and substitution",
            Self::Cooldown => "cooldown of 7 days",
        }
    }

    /// What the vendor's block says, beside name and hosts; none where no gateway is asked.
    ///
    /// With `always` the shelf does not come first, so that it shows what each rule does by itself.
    pub(super) fn rules(self) -> Option<&'static str> {
        match self {
            Self::NoProxy => None,
            Self::Pins => Some("recheck = \"always\"\n"),
            Self::Substitution => Some("recheck = \"always\"\nsubstitute = true\n"),
            Self::Cooldown => Some("recheck = \"5h\"\ncooldown = \"7d\"\n"),
        }
    }
}
