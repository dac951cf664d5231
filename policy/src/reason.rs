//! Why an exchange was not simply verified: one closed list, shared by the wire, the ledger, metrics and docs.

use std::fmt;
use std::str::FromStr;

/// What the client gets for a [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A response of this status.
    Status(u16),
    /// A response with the status that the vendor gave.
    VendorStatus,
    /// No response: the connection ends.
    ConnectionEnds,
}

/// Whether a refused body is kept in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// If the vendor's rule, or `other_hosts.scripts`, says so.
    ByRule,
    /// Always.
    Yes,
    /// Never: it is known already, or not whole.
    No,
    /// There is no body.
    NoBody,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $code:literal $answer:expr, $keep:ident, $observable:literal, $text:literal;)+) => {
        /// Why an artifact was not released as verified, or a request not carried.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The token that stands in headers, logs, the ledger and metrics.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// What the client gets.
            #[must_use]
            pub fn answer(self) -> Answer {
                match self { $(Self::$variant => $answer),+ }
            }

            /// Whether the body is kept.
            #[must_use]
            pub fn keep(self) -> Keep {
                match self { $(Self::$variant => Keep::$keep),+ }
            }

            /// Whether observe mode lets the exchange pass all the same.
            #[must_use]
            pub fn yields_to_observe_mode(self) -> bool {
                match self { $(Self::$variant => $observable),+ }
            }

            /// One line for strangers: what happened, nothing of the policy.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

use Answer::{ConnectionEnds, Status, VendorStatus};

reasons! {
    /// A pin exists, and the digest is another.
    DigestMismatch "digest-mismatch" Status(403), ByRule, true, "the content differs from what was reviewed";
    /// No pin, approval or rejection ever matched the URL.
    Unpinned "unpinned" Status(403), ByRule, true, "nobody has reviewed this content yet";
    /// The digest is never released again.
    Revoked "revoked" Status(403), No, false, "this content has been revoked";
    /// A reviewer rejected the digest for this URL.
    Rejected "rejected" Status(403), No, false, "this content has been rejected";
    /// The digest is pinned, and the pin has expired.
    ExpiredPin "expired-pin" Status(403), No, true, "the review of this content has expired";
    /// The host's certificate issuer or address range changed.
    PathChanged "path-changed" Status(403), Yes, true, "the way to the vendor has changed";
    /// An artifact from a host that no vendor claims.
    UnlistedHost "unlisted-host" Status(403), ByRule, false, "code from this host is not allowed";
    /// A redirect that leads where nothing is judged.
    Redirect "redirect" Status(403), No, true, "the vendor redirects to a host that is not checked";
    /// The vendor answered something else than 200.
    UpstreamStatus "upstream-status" VendorStatus, No, true, "the vendor did not deliver the content";
    /// Larger than `limits.max_body`, or expanding more than `limits.max_ratio`.
    BodyTooLarge "body-too-large" Status(502), No, true, "the content is too large to check";
    /// A content coding that is unknown, stacked too high, or not what the bytes are.
    BadEncoding "bad-encoding" Status(502), No, true, "the content's encoding is invalid";
    /// The body ended before its framing or coding did.
    Truncated "truncated" Status(502), No, true, "the content arrived incomplete";
    /// A part of a body where a whole one was asked for.
    PartialContent "partial-content" Status(502), No, true, "only a part of the content arrived";
    /// A response that HTTP does not allow, or allows to be read in two ways.
    MalformedResponse "malformed-response" Status(502), No, false, "the vendor's answer is not valid HTTP";
    /// The address is private, loopback, link-local, metadata or pinfold's own.
    PrivateAddress "private-address" Status(403), NoBody, false, "the address is not allowed";
    /// The port is not in `egress.connect_ports` or `egress.http_ports`.
    PortNotAllowed "port-not-allowed" Status(403), NoBody, false, "the port is not allowed";
    /// The client's address is not in `clients.allow`.
    ClientNotAllowed "client-not-allowed" Status(403), NoBody, false, "this client may not use the proxy";
    /// `websocket = "block"`.
    WebsocketBlocked "websocket-blocked" Status(403), NoBody, false, "websockets to this vendor are not allowed";
    /// Proxy credentials are missing or wrong.
    CredentialsRequired "credentials-required" Status(407), NoBody, false, "the proxy needs credentials";
    /// `Host` or `:authority` is not the tunnel's host.
    HostMismatch "host-mismatch" Status(421), NoBody, false, "the request names another host than its connection";
    /// CONNECT or TRACE inside an intercepted connection.
    MethodNotAllowed "method-not-allowed" Status(405), NoBody, false, "the method is not allowed";
    /// The SNI is not the host that CONNECT named.
    SniMismatch "sni-mismatch" ConnectionEnds, NoBody, false, "the TLS server name differs from the tunnel's host";
    /// Neither TLS nor HTTP where one of them must be.
    NotHttp "not-http" ConnectionEnds, NoBody, false, "the protocol in the tunnel is not HTTP";
    /// A request that HTTP does not allow.
    MalformedRequest "malformed-request" Status(400), NoBody, false, "the request is not valid HTTP";
    /// A header section beyond the limit.
    HeadersTooLarge "headers-too-large" Status(431), NoBody, false, "the header section is too large";
    /// The request's head did not arrive in time.
    RequestTimeout "request-timeout" Status(408), NoBody, false, "the request did not arrive in time";
    /// The vendor's certificate or handshake is not acceptable.
    UpstreamTls "upstream-tls" Status(502), NoBody, false, "the vendor's TLS could not be verified";
    /// No connection to the vendor.
    UpstreamUnreachable "upstream-unreachable" Status(502), NoBody, false, "the vendor cannot be reached";
    /// The vendor fell silent.
    UpstreamTimeout "upstream-timeout" Status(504), NoBody, false, "the vendor did not answer in time";
    /// The request has been through this gateway before.
    Loop "loop" Status(502), NoBody, false, "the request came back to this proxy";
    /// A limit on connections or memory is reached.
    Overloaded "overloaded" Status(503), NoBody, false, "the proxy is busy";
    /// The content is still being checked.
    Held "held" Status(503), NoBody, false, "the content is still being checked";
    /// What must be recorded could not be.
    StoreUnavailable "store-unavailable" Status(503), NoBody, false, "the proxy cannot record the exchange";
    /// A bug, stopped before it could release anything.
    Internal "internal" Status(503), NoBody, false, "the proxy failed";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The text is no reason's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a reason code")]
pub struct UnknownReason;

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(code: &str) -> Result<Self, UnknownReason> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code).ok_or(UnknownReason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_a_token_and_names_one_reason() {
        for reason in Reason::ALL {
            assert!(reason.code().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{reason}");
            assert_eq!(reason.code().parse(), Ok(*reason));
        }
        assert_eq!("nonsense".parse::<Reason>(), Err(UnknownReason));
    }

    #[test]
    fn observe_mode_changes_the_ten_reasons_of_the_contract_and_no_other() {
        let yielding: Vec<_> = Reason::ALL
            .iter()
            .filter(|reason| reason.yields_to_observe_mode())
            .map(|reason| reason.code())
            .collect();
        assert_eq!(
            yielding,
            [
                "digest-mismatch",
                "unpinned",
                "expired-pin",
                "path-changed",
                "redirect",
                "upstream-status",
                "body-too-large",
                "bad-encoding",
                "truncated",
                "partial-content"
            ]
        );
    }
}
