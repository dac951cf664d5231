//! Numbers, times and delivery paths in words.

use jiff::Timestamp;
use pinfold_store::entry::DeliveryPath;
use serde_json::{Value, json};

use crate::printable::printable;

/// `1 pin`, `2 pins`.
pub(crate) fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

/// Bytes in at most eight characters: `41.2 KiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut scaled = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    // What would round up to 1024 is one of the next unit.
    while scaled >= 1023.5 {
        let Some(larger) = units.next() else { break };
        scaled /= 1024.0;
        unit = larger;
    }
    if scaled < 99.95 { format!("{scaled:.1} {unit}") } else { format!("{scaled:.0} {unit}") }
}

/// Bytes, rounded and exact: `41.2 KiB (42188 bytes)`.
pub(crate) fn exact_size(bytes: u64) -> String {
    let exact = counted(bytes, "byte");
    if bytes < 1024 { exact } else { format!("{} ({exact})", size(bytes)) }
}

/// A time to the minute, in UTC: `2026-11-23 14:05`.
pub(crate) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

/// A time to the second, in UTC: `2026-11-23 14:05:59 UTC`.
pub(crate) fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Formats of the ledger before the fifth have no visits.
pub(crate) fn unwritten(until: Timestamp) -> String {
    format!("before {} nobody wrote down who talked to hosts that no vendor claims", second(until))
}

/// A time under a title that says which clock.
pub(crate) fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How bytes came, for people: address and protocol, then the certificate, parted by `then`.
pub(crate) fn path_text(path: &DeliveryPath, then: &str) -> String {
    let tls = path.tls_version.as_deref().unwrap_or("clear text");
    let mut text = format!("{}, HTTP/{} over {tls}", path.address, path.http_version);
    if let Some(issuer) = &path.issuer {
        text.push_str(&format!("{then}certificate by {}", printable(issuer)));
    }
    if let Some(fingerprint) = &path.fingerprint {
        text.push_str(&format!("{then}its SHA-256 {fingerprint}"));
    }
    text
}

/// How bytes came, for programs.
pub(crate) fn path_json(path: &DeliveryPath) -> Value {
    json!({
        "address": path.address.to_string(),
        "http_version": &*path.http_version,
        "tls_version": path.tls_version.as_deref(),
        "cipher": path.cipher.as_deref(),
        "certificate_issuer": path.issuer.as_deref(),
        "certificate_sha256": path.fingerprint.as_deref(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stay_short() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (42_188, "41.2 KiB"),
            (102_348, "99.9 KiB"),
            (102_400, "100 KiB"),
            (1_048_063, "1023 KiB"),
            (1_048_064, "1.0 MiB"),
            (64 * 1024 * 1024, "64.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn times_are_in_utc() {
        let time: Timestamp = "2026-11-23T14:05:59.9+02:00".parse().unwrap();
        assert_eq!(minute(time), "2026-11-23 12:05");
        assert_eq!(second(time), "2026-11-23 12:05:59 UTC");
    }
}
