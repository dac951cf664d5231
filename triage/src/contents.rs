//! What is said of a body that is more than a script: a program, an archive, a module, a document.
//!
//! Everything here is a fact about bytes, and nothing a judgement. Names in it are the attacker's, and bounded.

use crate::findings::{Findings, SaidVersion};

/// Names, members, sections of a kind that are listed.
pub const NAMED: usize = 200;

/// What a body is and holds, next to the reviewed one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// What the reviewed body is.
    pub reviewed_format: Option<Format>,
    /// What the new body is.
    pub format: Format,
    /// Bytes of the reviewed body.
    pub reviewed_size: Option<usize>,
    /// Bytes of the new body.
    pub size: usize,
    /// Single facts, before and now.
    pub properties: Vec<Property>,
    /// Who signed it, where that can be.
    pub signing: Option<Signing>,
    /// Sections and segments that are not what they were.
    pub sections: Vec<Section>,
    /// Names that it takes, gives or needs, and did not, or does no more.
    pub names: Vec<Names>,
    /// Members that are not what they were; [`NAMED`] at most.
    pub members: Vec<Member>,
    /// How many members there are of each kind, also of those that are not listed.
    pub counts: MemberCounts,
    /// What readers of the same bytes could read in different ways.
    pub oddities: Vec<Oddity>,
    /// What a package manager runs by itself, where it changed.
    pub install_scripts: Vec<InstallScript>,
    /// The version that its manifest of npm says, until it is known for all of it.
    pub(crate) version: Option<SaidVersion>,
}

/// What bytes are, by the bytes alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A program or library of Windows.
    Pe,
    /// A program or library of Linux and others.
    Elf,
    /// A program or library of macOS, also for several processors.
    MachO,
    /// A compound file: an MSI, or an older document of Office.
    Ole,
    /// A package of macOS.
    Xar,
    /// A zip archive.
    Zip,
    /// A zip archive with a `.nuspec`.
    Nupkg,
    /// An archive of Electron.
    Asar,
    /// One compressed file: often a tar archive.
    Gzip,
    /// A tar archive.
    Tar,
    /// A module of WebAssembly.
    Wasm,
    /// A cabinet.
    Cabinet,
    /// A 7z archive.
    SevenZip,
    /// HTML, XML and what else begins with a tag.
    Document,
    /// Text, a script too.
    Text,
    /// None of these.
    #[default]
    Other,
}

impl Format {
    /// The stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Pe => "pe",
            Self::Elf => "elf",
            Self::MachO => "mach-o",
            Self::Ole => "ole",
            Self::Xar => "xar",
            Self::Zip => "zip",
            Self::Nupkg => "nupkg",
            Self::Asar => "asar",
            Self::Gzip => "gzip",
            Self::Tar => "tar",
            Self::Wasm => "wasm",
            Self::Cabinet => "cabinet",
            Self::SevenZip => "7z",
            Self::Document => "document",
            Self::Text => "text",
            Self::Other => "other",
        }
    }

    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Pe => "Windows program (PE)",
            Self::Elf => "Linux program (ELF)",
            Self::MachO => "macOS program (Mach-O)",
            Self::Ole => "compound file (MSI or OLE)",
            Self::Xar => "macOS package (xar)",
            Self::Zip => "zip archive",
            Self::Nupkg => "NuGet package (zip)",
            Self::Asar => "Electron archive (asar)",
            Self::Gzip => "gzip file",
            Self::Tar => "tar archive",
            Self::Wasm => "WebAssembly module",
            Self::Cabinet => "cabinet",
            Self::SevenZip => "7z archive",
            Self::Document => "document (HTML or XML)",
            Self::Text => "text",
            Self::Other => "bytes of no known type",
        }
    }
}

/// One fact, before and now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Which.
    pub what: &'static str,
    /// In the reviewed version.
    pub reviewed: Option<Box<str>>,
    /// In the new version.
    pub new: Option<Box<str>>,
}

/// Who signed both versions. Whether anybody trusts them is not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// How they compare.
    pub change: SignerChange,
    /// Of the reviewed version; the first is the outer one.
    pub reviewed: Vec<Signature>,
    /// Of the new version; the first is the outer one.
    pub new: Vec<Signature>,
}

/// How the signers of both versions compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerChange {
    /// Neither is signed.
    Unsigned,
    /// There is no reviewed version, and the new one is signed.
    Signed,
    /// The same certificates: whoever could use their keys signed other bytes.
    SameSigner,
    /// Other certificates.
    OtherSigner,
    /// The reviewed one was signed.
    Gone,
    /// The reviewed one was not signed.
    Appeared,
    /// Nobody can say: what cannot be read names nobody.
    Unknown,
}

impl SignerChange {
    /// The stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Signed => "signed",
            Self::SameSigner => "same-signer",
            Self::OtherSigner => "other-signer",
            Self::Gone => "gone",
            Self::Appeared => "appeared",
            Self::Unknown => "unknown",
        }
    }

    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Unsigned => "neither version has a signature",
            Self::Signed => "it names a signer; there is nothing to compare with",
            Self::SameSigner => {
                "the same certificate as before; it says which key signed, and not that these bytes are what its owner meant"
            }
            Self::OtherSigner => "another certificate than before",
            Self::Gone => "the reviewed version had a signature, and this one has none",
            Self::Appeared => "the reviewed version had no signature, and this one has",
            Self::Unknown => "whether the signer is the same cannot be said: a signature cannot be read",
        }
    }
}

/// One signature. What it says of its signer is what the bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Why it could not be read. Nothing else is known then.
    pub unreadable: bool,
    /// The certificate's subject.
    pub signer: Box<str>,
    /// The certificate's issuer.
    pub issuer: Box<str>,
    /// The certificate's serial number, in hexadecimal digits.
    pub serial: Box<str>,
    /// SHA-256 of the certificate, in hexadecimal digits.
    pub thumbprint: Box<str>,
    /// The time of the countersignature, as it says itself; RFC 3339.
    pub countersigned: Option<Box<str>>,
    /// Whether the digest in it is that of the file. `None` where that cannot be worked out.
    pub of_these_bytes: Option<bool>,
    /// Whether the certificate's key made it. `None` for a kind of key that is not known.
    pub by_that_key: Option<bool>,
}

/// A part of a program that is not what it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Its name.
    pub name: Box<str>,
    /// What it was.
    pub reviewed: Option<SectionFacts>,
    /// What it is.
    pub new: Option<SectionFacts>,
    /// Whether more than a few bytes changed: it is new or gone, an eighth larger or smaller, has other rights, or another entropy.
    pub notable: bool,
}

/// A section of one version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SectionFacts {
    /// Bytes in the file.
    pub size: usize,
    /// Bits of entropy of each byte: what is packed or encrypted has nearly 8.
    pub entropy: f64,
    /// Whether it can be written.
    pub writable: bool,
    /// Whether it can be run.
    pub executable: bool,
}

/// Names of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `imports`, `exports`, `libraries`, `dependencies`.
    pub kind: &'static str,
    /// Those that are new; [`NAMED`] at most.
    pub added: Vec<Box<str>>,
    /// Those that are gone; [`NAMED`] at most.
    pub removed: Vec<Box<str>>,
    /// How many are new.
    pub added_count: usize,
    /// How many are gone.
    pub removed_count: usize,
}

/// A member of an archive that is not what it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its name as it stands there.
    pub name: Box<str>,
    /// What it was.
    pub reviewed: Option<MemberFacts>,
    /// What it is.
    pub new: Option<MemberFacts>,
    /// What it newly does or holds, where it was looked into.
    pub findings: Option<Box<Findings>>,
}

/// A member of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberFacts {
    /// Bytes, unpacked; what the archive says where it was not unpacked.
    pub size: u64,
    /// SHA-256, in hexadecimal digits. `None` where it was not unpacked.
    pub digest: Option<Box<str>>,
}

/// How many members changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberCounts {
    /// Those that are new.
    pub added: usize,
    /// Those that are gone.
    pub removed: usize,
    /// Those that are others under their name.
    pub changed: usize,
    /// Those that are the same.
    pub same: usize,
}

/// Something in the new version that two readers could read in two ways, or that leads out of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// Which.
    pub kind: OddityKind,
    /// Where: a member's name, or nothing.
    pub member: Box<str>,
    /// Whether the reviewed version had it too.
    pub reviewed: bool,
}

/// Which oddity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OddityKind {
    /// A name that leads out of the place where it is unpacked.
    Outside,
    /// A link that leads out of it.
    LinkOutside,
    /// A name that stands there twice.
    Twice,
    /// Its own header says something else than the directory.
    HeadersDiffer,
    /// A member that the directory does not list.
    Unlisted,
    /// Two members share bytes.
    Overlapping,
    /// More than one directory.
    TwoDirectories,
    /// Bytes in front of the archive.
    Prefixed,
    /// Bytes behind its end.
    Appended,
    /// It is encrypted.
    Encrypted,
    /// It holds more or fewer bytes than it says.
    SizeDiffers,
    /// It was a file and is none, or the other way round; or it is new, and neither a file nor a link.
    OtherRole,
    /// Its directory does not hold as many members as it says.
    OtherCount,
    /// A manifest of a package manager that could not be read here.
    Manifest,
}

impl OddityKind {
    /// The stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Outside => "outside",
            Self::LinkOutside => "link-outside",
            Self::Twice => "twice",
            Self::HeadersDiffer => "headers-differ",
            Self::Unlisted => "unlisted",
            Self::Overlapping => "overlapping",
            Self::TwoDirectories => "two-directories",
            Self::Prefixed => "prefixed",
            Self::Appended => "appended",
            Self::Encrypted => "encrypted",
            Self::SizeDiffers => "size-differs",
            Self::OtherRole => "other-role",
            Self::OtherCount => "other-count",
            Self::Manifest => "manifest",
        }
    }

    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Outside => "its name leads out of the place where it is unpacked",
            Self::LinkOutside => "it is a link that leads out of the place where it is unpacked",
            Self::Twice => "its name stands there more than once: readers differ in which they take",
            Self::HeadersDiffer => "its own header says something else than the directory",
            Self::Unlisted => {
                "the directory does not list it: readers from front to back find it, others do not"
            }
            Self::Overlapping => "it shares bytes with another member",
            Self::TwoDirectories => "there is more than one directory: readers differ in which they take",
            Self::Prefixed => "there are bytes in front of the archive",
            Self::Appended => "there are bytes behind the end",
            Self::Encrypted => "it is encrypted, and was not looked into",
            Self::SizeDiffers => "it does not hold as many bytes as it says",
            Self::OtherRole => {
                "it is a file, a link or something else than these, and was not, or is of no known kind"
            }
            Self::OtherCount => {
                "the directory does not list as many members as it says: readers differ in where they end"
            }
            Self::Manifest => {
                "it is a manifest that could not be read here: what is run when it is installed is not known"
            }
        }
    }
}

/// A command that a package manager runs by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallScript {
    /// The manifest that says so.
    pub member: Box<str>,
    /// When it is run: `preinstall`, `postinstall` and so on.
    pub name: Box<str>,
    /// What was run.
    pub reviewed: Option<Box<str>>,
    /// What is run.
    pub new: Option<Box<str>>,
}
