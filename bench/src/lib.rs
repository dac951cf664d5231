//! What the benches measure on: lists of pins like those that people keep, of any length, and a script. Always the same
//! ones.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use pinfold_policy::digest::{Digest, Digests};
use pinfold_policy::pin::{Pin, PinUrl, PinUrlError, Place};

/// A `pinfold.toml` whose one vendor claims the hosts of [`url`].
pub const GATEWAY_TOML: &str = "[[vendor]]\nname = \"vendor\"\nhosts = [\"*.vendor.test\"]\n";

/// The URL of pin number `at`: some 70 bytes, like those of the public script CDNs.
#[must_use]
pub fn url(at: usize) -> String {
    format!("https://cdn{}.vendor.test/npm/package-{at:07}@10.4.2/dist/bundle.min.js", at % 10)
}

/// The digest of pin number `at`: SHA-384, as most pages write it.
#[must_use]
pub fn digest(at: usize) -> Digest {
    Digest::Sha384(Digests::of(&at.to_le_bytes()).sha384)
}

/// `count` pins of [`url`], and one pattern on each of their hosts.
///
/// # Errors
/// None: the URLs are right.
pub fn pins(count: usize) -> Result<Vec<Pin>, PinUrlError> {
    let file: Arc<str> = "pins.toml".into();
    let pin = |url: &str, at: usize| {
        let bare = Pin::bare(PinUrl::parse(url)?, Place { file: Arc::clone(&file), line: 1 });
        Ok(Pin { digests: [digest(at)].into(), ..bare })
    };
    let patterns = (0..10).map(|host| pin(&format!("https://cdn{host}.vendor.test/fonts/*/**/*.js"), host));
    (0..count).map(|at| pin(&url(at), at)).chain(patterns).collect()
}

/// A `pins.toml` of `count` blocks with all that a reviewer writes. Every fourth pin has two digests.
#[must_use]
pub fn pins_toml(count: usize) -> String {
    let mut text = String::with_capacity(count * 300);
    for at in 0..count {
        let (url, digest) = (url(at), digest(at));
        let second = if at % 4 == 0 { format!(", \"{}\"", self::digest(at + count)) } else { String::new() };
        let team = at / 100 % 40;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "[[pin]]\nurl = \"{url}\"\ndigests = [\"{digest}\"{second}]\nrelease = \"10.4.{team}\"\n\
             owner = \"web-team-{team}\"\nreason = \"reviewed in SEC-{}\"\nadded = 2026-11-23\n\n",
            at / 10,
        );
    }
    text
}

/// Some `len` bytes of a script that compresses like one.
#[must_use]
pub fn script(len: usize) -> Vec<u8> {
    let mut text = String::with_capacity(len + 200);
    let mut seed = 1_u32;
    while text.len() < len {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (name, number) = (seed >> 20, seed & 0xffff);
        let _ = writeln!(
            text,
            "function f{name}(e,t){{return void 0===t?e.get(\"k{number:x}\"):n{}.call(this,e,{number})}}",
            number % 97
        );
    }
    text.truncate(len);
    text.into_bytes()
}

/// User and system time of all threads, in the hundredths of a second in which Linux counts it (proc_pid_stat(5)); zero
/// elsewhere.
#[must_use]
pub fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}
