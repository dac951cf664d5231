//! Hosts that imitate a vendor's host or a pinned one, so that whoever reads a page or a log takes them for it.
//!
//! Whoever wants a second stage to go unseen names its host like one that is expected: `cornm100.io`, `jsde1ivr.net`,
//! `comm100-cdn.net`. What is compared is the label that somebody registered, as it is shown to people, by the
//! [public suffix list]. Letters that look alike are those of [UTS 39], and a few pairs that a reader takes for one letter.
//!
//! Nothing is refused by this: it is a hint, and says of which kind. So it would rather miss a short name than cry at
//! every page: labels of fewer than five letters and digits are only compared where somebody used other alphabets.
//!
//! [public suffix list]: https://publicsuffix.org/
//! [UTS 39]: https://www.unicode.org/reports/tr39/#Confusable_Detection

mod fold;
mod well_known;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use self::fold::{fold, has_digit, shown};
use self::well_known::is_well_known;
use crate::host::{Host, HostPattern};
use crate::policy::Rulebook;

/// Shorter labels are one edit from half of all words.
const SHORTEST: usize = 5;
/// From here on one edit counts below every public suffix, and not only below that of the host that is imitated.
const LONG: usize = 7;
/// A label of so many letters is no part of another by chance; with a digit in it, one of fewer.
const DISTINCTIVE: usize = 8;
const DISTINCTIVE_WITH_DIGIT: usize = 6;
/// Domains of one label (`vendor.com`, `vendor.io`) that are told apart when it is imitated.
const SAME_LABEL: usize = 8;
/// Domains that are protected. Beyond them what is expected is still no imitation of anything.
const MOST_PROTECTED: usize = 20_000;
/// What is put before or behind a name to make another one that sounds like the owner's.
const ADDED: [&str; 37] = [
    "analytics",
    "api",
    "app",
    "assets",
    "cdn",
    "cdns",
    "client",
    "cloud",
    "code",
    "content",
    "dev",
    "dist",
    "download",
    "downloads",
    "files",
    "hosting",
    "img",
    "js",
    "lib",
    "libs",
    "login",
    "media",
    "min",
    "my",
    "net",
    "online",
    "plugin",
    "prod",
    "script",
    "scripts",
    "secure",
    "static",
    "stats",
    "support",
    "update",
    "updates",
    "www",
];

/// What a host imitates, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookalike {
    /// The registered domain that is expected.
    pub imitates: Box<str>,
    /// By which means.
    pub how: How,
}

/// How a host imitates another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// Letters that look like others: `cornm100.io`, or those of another alphabet.
    Homoglyphs,
    /// Digits in the place of letters, or letters in that of digits: `jsde1ivr.net`.
    Digits,
    /// The label of the other one in a domain of somebody else: `comm100-cdn.net`, `comm100.com.evil.net`.
    OtherDomain,
    /// One letter more, less or another, or two exchanged: `jsdelvr.net`.
    OneEdit,
}

impl How {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Homoglyphs, Self::Digits, Self::OtherDomain, Self::OneEdit];

    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Homoglyphs => "letters that look alike",
            Self::Digits => "digits for letters",
            Self::OtherDomain => "its label in another domain",
            Self::OneEdit => "one letter away",
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The hosts that are expected, indexed by what their imitations have in common with them. Asking costs the same with
/// ten of them as with ten thousand.
#[derive(Debug, Default)]
pub struct Lookalikes {
    /// Domains of which everything below is expected.
    own: HashSet<Box<str>>,
    protected: Vec<Protected>,
    /// By [`fold()`] of the label.
    by_fold: HashMap<Box<str>, Vec<usize>>,
    /// By the hash of a label with one letter left out, or none. What is found is compared itself.
    by_deletion: HashMap<u64, Vec<usize>>,
    /// [`ADDED`], each as [`fold()`] gives it.
    added: HashSet<String>,
    hasher: RandomState,
}

/// A registered domain that may be imitated.
#[derive(Debug)]
struct Protected {
    domain: Box<str>,
    /// What was registered, as it is shown.
    label: Box<str>,
    suffix: Box<str>,
}

impl Protected {
    fn claims(&self, name: &str) -> bool {
        name.strip_suffix(&*self.domain).is_some_and(|front| front.is_empty() || front.ends_with('.'))
    }

    fn len(&self) -> usize {
        self.label.chars().count()
    }

    fn is_distinctive(&self) -> bool {
        self.len() >= DISTINCTIVE || (self.len() >= DISTINCTIVE_WITH_DIGIT && has_digit(&self.label))
    }

    /// How a label imitates this one that [`fold()`] does not tell from it, if it is taken for it.
    fn how(&self, label: &str) -> Option<How> {
        if self.len() < SHORTEST {
            return (!label.is_ascii()).then_some(How::Homoglyphs);
        }
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
        Some(if *label == *self.label {
            How::OtherDomain
        } else if label.is_ascii() && digits(label) != digits(&self.label) {
            How::Digits
        } else {
            How::Homoglyphs
        })
    }
}

impl Lookalikes {
    /// Protects the hosts that vendors claim, and those that are pinned.
    #[must_use]
    pub fn of(rules: &Rulebook) -> Self {
        let claimed = rules.vendors.all().iter().flat_map(|vendor| vendor.hosts.iter().cloned());
        Self::new(claimed.chain(rules.pins.hosts().into_iter().map(HostPattern::Exact)))
    }

    /// Protects these hosts.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = HostPattern>) -> Self {
        let added = ADDED.iter().map(|word| fold(word)).collect();
        let mut index = Self { added, ..Self::default() };
        for host in hosts {
            match host {
                HostPattern::Exact(Host::Name(name)) | HostPattern::Below(name) => index.expect(&name),
                HostPattern::Exact(Host::Ip(_)) => {}
            }
        }
        index
    }

    fn expect(&mut self, name: &str) {
        // Of a public suffix (`*.github.io`) there is nothing that was registered, and all below it is claimed.
        let own = psl::domain_str(name).unwrap_or(name);
        if !self.own.insert(own.into()) {
            return;
        }
        self.protect(own);
        // Whoever serves from below a suffix that belongs to a company is also imitated by that company's name.
        if let Some(company) = company(own)
            && !self.own.contains(company)
        {
            self.protect(company);
        }
    }

    fn protect(&mut self, domain: &str) {
        let Some((label, suffix)) = domain.split_once('.') else { return };
        let at = self.protected.len();
        if at == MOST_PROTECTED {
            return;
        }
        let label = shown(label);
        let same = self.by_fold.entry(fold(&label).into()).or_default();
        let known = |at: &usize| self.protected.get(*at).map(|known| (&*known.label, &*known.domain));
        if same.len() == SAME_LABEL || same.iter().filter_map(known).any(|(_, known)| known == domain) {
            return;
        }
        let is_new = !same.iter().filter_map(known).any(|(known, _)| *known == *label);
        same.push(at);
        // One of each label is enough for what is near to it, unless its suffix must be the same.
        if label.chars().count() >= SHORTEST && (is_new || label.chars().count() < LONG) {
            for near in with_one_left_out(&label) {
                self.by_deletion.entry(self.hasher.hash_one(&*near)).or_default().push(at);
            }
        }
        self.protected.push(Protected { domain: domain.into(), label: label.into(), suffix: suffix.into() });
    }

    /// What `host` imitates, if it does: no address, nothing that is expected itself, and no well-known name.
    #[must_use]
    pub fn imitated(&self, host: &Host) -> Option<Lookalike> {
        let name = host.name()?;
        let registered = psl::domain_str(name)?;
        if is_well_known(registered) || self.is_own(name) {
            return None;
        }
        let (label, suffix) = registered.split_once('.')?;
        let label = shown(label);
        let whole = Asked { name, label: &label, suffix };
        let before = name.strip_suffix(registered).and_then(|before| before.strip_suffix('.'));
        let mut subdomains =
            before.into_iter().flat_map(|before| before.split('.')).zip(name.split('.').skip(1));
        self.taken_for(&whole)
            .or_else(|| self.near(&whole))
            .or_else(|| self.in_part(&whole))
            .or_else(|| subdomains.find_map(|(label, next)| self.below(name, label, next)))
    }

    fn is_own(&self, name: &str) -> bool {
        let mut rest = name;
        loop {
            if self.own.contains(rest) {
                return true;
            }
            let Some((_, parent)) = rest.split_once('.') else { return false };
            rest = parent;
        }
    }

    /// The same label, or one that is read as the same.
    fn taken_for(&self, asked: &Asked<'_>) -> Option<Lookalike> {
        let mut same = self.by_fold(&fold(asked.label), asked.name).peekable();
        let first = *same.peek()?;
        let one = same.find(|one| *one.suffix == *asked.suffix).unwrap_or(first);
        Some(Lookalike { imitates: one.domain.clone(), how: one.how(asked.label)? })
    }

    fn near(&self, asked: &Asked<'_>) -> Option<Lookalike> {
        let mut candidates = with_one_left_out(asked.label)
            .filter_map(|near| self.by_deletion.get(&self.hasher.hash_one(&*near)))
            .flatten()
            .filter_map(|at| self.protected.get(*at));
        let one = candidates.find(|one| {
            (one.len() >= LONG || *one.suffix == *asked.suffix)
                && strsim::osa_distance(&one.label, asked.label) == 1
                && !one.claims(asked.name)
        })?;
        Some(Lookalike { imitates: one.domain.clone(), how: How::OneEdit })
    }

    /// The label as a word of another one, or with something added that sounds like its owner.
    fn in_part(&self, asked: &Asked<'_>) -> Option<Lookalike> {
        let is_long = |one: &Protected| one.len() >= SHORTEST;
        let words = asked.label.split('-').find_map(|word| self.word(asked.name, word, is_long));
        words.or_else(|| {
            let folded = fold(asked.label);
            let cuts = folded.char_indices().map(|(at, _)| at).filter_map(|at| folded.split_at_checked(at));
            let mut parts = cuts.flat_map(|(front, back)| [(front, back), (back, front)]);
            parts.find_map(|(part, rest)| {
                let is_added = self.added.contains(rest.trim_matches('-'));
                let mut found = self.by_fold(part, asked.name);
                let one = found.find(|one| one.is_distinctive() || (is_added && one.len() >= SHORTEST))?;
                Some(Lookalike { imitates: one.domain.clone(), how: How::OtherDomain })
            })
        })
    }

    /// A label in front of somebody else's domain, and the one behind it. What is a word of everyday language stands there
    /// by chance (`segment.shop.example`), unless more of the domain follows (`segment.com.shop.example`).
    fn below(&self, name: &str, label: &str, next: &str) -> Option<Lookalike> {
        let label = shown(label);
        let goes_on = |one: &Protected| one.suffix.split('.').next() == Some(next);
        self.word(name, &label, |one| one.is_distinctive() || (one.len() >= SHORTEST && goes_on(one)))
            .or_else(|| label.split('-').find_map(|word| self.word(name, word, Protected::is_distinctive)))
    }

    fn word(&self, name: &str, word: &str, counts: impl Fn(&Protected) -> bool) -> Option<Lookalike> {
        let one = self.by_fold(&fold(word), name).find(|one| counts(one))?;
        Some(Lookalike { imitates: one.domain.clone(), how: one.how(word)? })
    }

    fn by_fold<'s>(&'s self, folded: &str, name: &'s str) -> impl Iterator<Item = &'s Protected> + use<'s> {
        let found = self.by_fold.get(folded).into_iter().flatten();
        found.filter_map(|at| self.protected.get(*at)).filter(move |one| !one.claims(name))
    }
}

/// What is asked about: the whole name, the label that was registered, and below which suffix.
struct Asked<'a> {
    name: &'a str,
    label: &'a str,
    suffix: &'a str,
}

/// The domain of the company that lets others register below a suffix of its own: `amazonaws.com` for
/// `bucket.s3.amazonaws.com`.
fn company(domain: &str) -> Option<&str> {
    let mut rest = domain;
    let mut company = None;
    while psl::suffix(rest.as_bytes())?.typ() == Some(psl::Type::Private) {
        company = Some(rest);
        rest = rest.split_once('.')?.1;
    }
    // What was registered at a registry: by now it is all that is left, or it was the last suffix.
    company.and_then(|suffix| psl::domain_str(rest).or(Some(suffix)))
}

/// A label, and what is left of it without each of its letters.
fn with_one_left_out(label: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let shorter = label.char_indices().map(|(at, left_out)| {
        let (front, back) = label.split_at_checked(at).unwrap_or_default();
        Cow::Owned([front, back.strip_prefix(left_out).unwrap_or_default()].concat())
    });
    std::iter::once(Cow::Borrowed(label)).chain(shorter)
}

#[cfg(test)]
mod tests;
