//! What happened, as a closed list that detection rules can name, and how much it matters.

use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Outcome;
use pinfold_store::entry::{Tunnel, TunnelEnd, What};

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident $name:literal $code:literal $types:expr;)+) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Action {
            $($(#[$doc])* $variant,)+
        }

        impl Action {
            /// `event.action`.
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// `event.code`. A code never changes its meaning, and is never given to another action.
            pub(super) fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// `event.type`, of those that ECS allows for the categories of the event.
            pub(super) fn types(self) -> &'static [&'static str] {
                match self { $(Self::$variant => $types),+ }
            }
        }
    };
}

actions! {
    /// An artifact was refused.
    ArtifactBlocked "artifact-blocked" "PF-1001" &["access", "denied"];
    /// An artifact was refused, and its body kept.
    ArtifactQuarantined "artifact-quarantined" "PF-1002" &["access", "denied"];
    /// An artifact passed that nobody verified.
    ArtifactObserved "artifact-observed" "PF-1003" &["access", "allowed"];
    /// An artifact matched its pin or approval.
    ArtifactVerified "artifact-verified" "PF-1004" &["access", "allowed"];
    /// An artifact was refused, and a reviewed one went out in its place.
    ArtifactSubstituted "artifact-substituted" "PF-1005" &["access", "allowed"];
    /// A tunnel was opened, and has closed.
    TunnelClosed "tunnel-closed" "PF-2001" &["connection", "allowed", "end"];
    /// A tunnel was not opened, or was ended by the gateway.
    TunnelRefused "tunnel-refused" "PF-2002" &["connection", "denied"];
    /// A tunnel was opened, and the gateway stopped before it could see how it ended.
    TunnelLost "tunnel-lost" "PF-2003" &["connection", "allowed"];
    /// Exchanges and tunnels are missing in the ledger: it could not be written.
    RecordingGap "recording-gap" "PF-3001" &["info"];
    /// Changed files are in force.
    PolicyReloaded "policy-reloaded" "PF-3002" &["change"];
    /// Changed files cannot be used.
    ReloadFailed "reload-failed" "PF-3003" &["info"];
    /// A month of the ledger was dropped.
    LedgerDropped "ledger-dropped" "PF-3005" &["deletion"];
    /// An output was away for too long, and will never get some events.
    FeedOverflow "feed-overflow" "PF-3004" &["info"];
    /// An output's receiver refuses an event for good.
    EventRefused "event-refused" "PF-3008" &["info"];
    /// A gateway runs.
    GatewayStarted "gateway-started" "PF-3006" &["start"];
    /// It stops, in order.
    GatewayStopped "gateway-stopped" "PF-3007" &["end"];
    /// The gateway's root is another than before.
    RootChanged "root-changed" "PF-5001" &["change"];
    /// Its issuing CA is another than before.
    IssuerChanged "issuer-changed" "PF-5002" &["change"];
    /// The issuing CA signed a certificate for a host.
    LeafSigned "leaf-signed" "PF-5003" &["creation"];
    /// Credentials for the proxy or the console were wrong.
    LoginFailed "login-failed" "PF-3301" &["start"];
    /// Somebody signed in at the console.
    SignedIn "signed-in" "PF-3302" &["start"];
    /// A recheck saw other content than the pinned, for the first time.
    Drift "drift" "PF-3101" &["info"];
    /// Further drifts of a URL are only counted.
    UrlVolatile "url-volatile" "PF-3102" &["info"];
    /// A digest was refused for the first time at a URL.
    DigestQuarantined "digest-quarantined" "PF-4006" &["info"];
    /// A client asked for a host that imitates one that is expected.
    LookalikeHost "lookalike-host" "PF-3103" &["info"];
    /// A pinned host answers by another delivery path than ever before.
    PathChanged "path-changed" "PF-3104" &["info"];
    /// The gateway's test of itself failed.
    CanaryFailed "canary-failed" "PF-3201" &["error"];
    /// It passed again.
    CanaryRecovered "canary-recovered" "PF-3202" &["info"];
    /// A digest may be served at a URL.
    DigestApproved "digest-approved" "PF-4001" &["change"];
    /// Someone approved of that, and more people must.
    ApprovalPending "approval-pending" "PF-4002" &["info"];
    /// A digest is not released at a URL.
    DigestRejected "digest-rejected" "PF-4003" &["change"];
    /// A digest is never released again.
    DigestRevoked "digest-revoked" "PF-4004" &["change"];
    /// A digest is not revoked any more.
    DigestReinstated "digest-reinstated" "PF-4005" &["change"];
}

impl Action {
    pub(super) fn of_exchange(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Verified => Self::ArtifactVerified,
            Outcome::Substituted => Self::ArtifactSubstituted,
            Outcome::Observed => Self::ArtifactObserved,
            Outcome::Blocked => Self::ArtifactBlocked,
            Outcome::Quarantined => Self::ArtifactQuarantined,
        }
    }

    pub(super) fn of_tunnel(tunnel: &Tunnel, end: Option<TunnelEnd>) -> Self {
        match (tunnel.reason, end) {
            (Some(_), _) => Self::TunnelRefused,
            (None, Some(_)) => Self::TunnelClosed,
            (None, None) => Self::TunnelLost,
        }
    }

    pub(super) fn of_notice(what: What) -> Self {
        match what {
            What::PolicyReloaded => Self::PolicyReloaded,
            What::ReloadFailed => Self::ReloadFailed,
            What::LedgerDropped => Self::LedgerDropped,
            What::FeedOverflow => Self::FeedOverflow,
            What::EventRefused => Self::EventRefused,
            What::Started => Self::GatewayStarted,
            What::Stopped => Self::GatewayStopped,
            What::RootChanged => Self::RootChanged,
            What::IssuerChanged => Self::IssuerChanged,
            What::LeafSigned => Self::LeafSigned,
            What::LoginFailed => Self::LoginFailed,
            What::SignedIn => Self::SignedIn,
            What::Drift => Self::Drift,
            What::UrlVolatile => Self::UrlVolatile,
            What::Quarantined => Self::DigestQuarantined,
            What::LookalikeHost => Self::LookalikeHost,
            What::PathChanged => Self::PathChanged,
            What::CanaryFailed => Self::CanaryFailed,
            What::CanaryRecovered => Self::CanaryRecovered,
            What::Approved => Self::DigestApproved,
            What::ApprovalPending => Self::ApprovalPending,
            What::Rejected => Self::DigestRejected,
            What::Revoked => Self::DigestRevoked,
            What::Reinstated => Self::DigestReinstated,
        }
    }

    /// `event.kind`: a refusal is an alert.
    pub(super) fn kind(self) -> &'static str {
        if self.is_refusal() { "alert" } else { "event" }
    }

    /// `event.outcome`: whether the client got what it asked for, or the gateway could do what it must.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Self::ArtifactBlocked
            | Self::ArtifactQuarantined
            | Self::TunnelRefused
            | Self::RecordingGap
            | Self::ReloadFailed
            | Self::FeedOverflow
            | Self::EventRefused
            | Self::LoginFailed
            | Self::CanaryFailed => "failure",
            Self::ArtifactObserved
            | Self::ArtifactVerified
            | Self::ArtifactSubstituted
            | Self::TunnelClosed
            | Self::PolicyReloaded
            | Self::LedgerDropped
            | Self::GatewayStarted
            | Self::GatewayStopped
            | Self::RootChanged
            | Self::IssuerChanged
            | Self::LeafSigned
            | Self::SignedIn
            | Self::Drift
            | Self::UrlVolatile
            | Self::DigestQuarantined
            | Self::LookalikeHost
            | Self::PathChanged
            | Self::CanaryRecovered
            | Self::DigestApproved
            | Self::ApprovalPending
            | Self::DigestRejected
            | Self::DigestRevoked
            | Self::DigestReinstated => "success",
            Self::TunnelLost => "unknown",
        }
    }

    pub(super) fn is_refusal(self) -> bool {
        match self {
            Self::ArtifactBlocked | Self::ArtifactQuarantined | Self::TunnelRefused => true,
            Self::ArtifactObserved
            | Self::ArtifactVerified
            | Self::ArtifactSubstituted
            | Self::TunnelClosed
            | Self::TunnelLost
            | Self::RecordingGap
            | Self::PolicyReloaded
            | Self::LedgerDropped
            | Self::GatewayStarted
            | Self::GatewayStopped
            | Self::RootChanged
            | Self::IssuerChanged
            | Self::LeafSigned
            | Self::LoginFailed
            | Self::SignedIn
            | Self::ReloadFailed
            | Self::FeedOverflow
            | Self::EventRefused
            | Self::Drift
            | Self::UrlVolatile
            | Self::DigestQuarantined
            | Self::LookalikeHost
            | Self::PathChanged
            | Self::CanaryFailed
            | Self::CanaryRecovered
            | Self::DigestApproved
            | Self::ApprovalPending
            | Self::DigestRejected
            | Self::DigestRevoked
            | Self::DigestReinstated => false,
        }
    }
}

/// `event.severity`, on the scale of Elastic's detection rules: 0 nothing, 21 low, 47 medium, 73 high, 99 critical.
/// Where there is a reason, it alone gives it: content that changed matters as much where it was only observed.
pub(super) fn severity(action: Action, reason: Option<Reason>) -> u64 {
    let Some(reason) = reason else { return severity_of_none(action) };
    match reason {
        Reason::Revoked => 99,
        Reason::DigestMismatch | Reason::Rejected | Reason::PathChanged => 73,
        Reason::Unpinned
        | Reason::ExpiredPin
        | Reason::UnlistedHost
        | Reason::Redirect
        | Reason::BodyTooLarge
        | Reason::BadEncoding
        | Reason::PartialContent
        | Reason::MalformedResponse
        | Reason::PrivateAddress
        | Reason::PortNotAllowed
        | Reason::ClientNotAllowed
        | Reason::HostMismatch
        | Reason::SniMismatch
        | Reason::UpstreamTls
        | Reason::StoreUnavailable
        | Reason::Internal => 47,
        Reason::UpstreamStatus
        | Reason::Truncated
        | Reason::WebsocketBlocked
        | Reason::CredentialsRequired
        | Reason::MethodNotAllowed
        | Reason::NotHttp
        | Reason::MalformedRequest
        | Reason::HeadersTooLarge
        | Reason::RequestTimeout
        | Reason::UpstreamUnreachable
        | Reason::UpstreamTimeout
        | Reason::Loop
        | Reason::Overloaded
        | Reason::Held => 21,
    }
}

/// Files that cannot be used are rules that somebody believes to be in force. Content that changed matters as much before
/// anybody asked for it, and a revocation taken back lets bytes pass that were held to be hostile. A gateway that lets its
/// canary pass may let anything pass. A root that nobody changed on purpose was changed by somebody else.
fn severity_of_none(action: Action) -> u64 {
    match action {
        Action::CanaryFailed => 99,
        Action::Drift | Action::DigestQuarantined | Action::LookalikeHost => 73,
        Action::ReloadFailed
        | Action::FeedOverflow
        | Action::EventRefused
        | Action::RootChanged
        | Action::UrlVolatile
        | Action::PathChanged
        | Action::DigestReinstated => 47,
        Action::DigestRevoked | Action::IssuerChanged | Action::LoginFailed => 21,
        Action::ArtifactBlocked
        | Action::ArtifactQuarantined
        | Action::ArtifactObserved
        | Action::ArtifactVerified
        | Action::ArtifactSubstituted
        | Action::TunnelClosed
        | Action::TunnelRefused
        | Action::TunnelLost
        | Action::RecordingGap
        | Action::PolicyReloaded
        | Action::CanaryRecovered
        | Action::LedgerDropped
        | Action::GatewayStarted
        | Action::GatewayStopped
        | Action::LeafSigned
        | Action::SignedIn
        | Action::DigestApproved
        | Action::ApprovalPending
        | Action::DigestRejected => 0,
    }
}
