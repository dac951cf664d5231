//! What a response could be run as.
//!
//! A response gets the *set* of kinds that any client could make of it: by what the browser says it wants
//! (Fetch metadata), by the media type, by the names in the URL and in `Content-Disposition`, and by its first
//! bytes. Each source can lie or be missing, so each only adds. The lists are closed.

use std::fmt;
use std::str::FromStr;

/// What an artifact can act as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// JavaScript, in whatever way it is loaded.
    Script,
    /// A WebAssembly module.
    Wasm,
    /// A style sheet.
    Style,
    /// HTML, XHTML, SVG, other XML and MHTML: what runs its own inline code.
    Document,
    /// Programs, packages, disk images, archives that run, shell and batch scripts.
    Installer,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Script, Self::Wasm, Self::Style, Self::Document, Self::Installer];

    /// As it stands in configuration files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Wasm => "wasm",
            Self::Style => "style",
            Self::Document => "document",
            Self::Installer => "installer",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a kind, expected script, wasm, style, document or installer")]
pub struct UnknownKind;

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kinds(u8);

impl Kinds {
    /// No kind: nothing that runs.
    pub const NONE: Self = Self(0);
    /// What a vendor's `guard` is unless it says otherwise: script, wasm, installer.
    pub const GUARDED_BY_DEFAULT: Self = Self(bit(Kind::Script) | bit(Kind::Wasm) | bit(Kind::Installer));

    /// Adds one kind.
    pub fn insert(&mut self, kind: Kind) {
        self.0 |= bit(kind);
    }

    /// Whether `kind` is in the set.
    #[must_use]
    pub fn contains(self, kind: Kind) -> bool {
        self.0 & bit(kind) != 0
    }

    /// Whether the sets share a kind.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds of the set, in the order of [`Kind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

const fn bit(kind: Kind) -> u8 {
    match kind {
        Kind::Script => 1,
        Kind::Wasm => 2,
        Kind::Style => 4,
        Kind::Document => 8,
        Kind::Installer => 16,
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        let mut set = Self::NONE;
        for kind in kinds {
            set.insert(kind);
        }
        set
    }
}

impl fmt::Display for Kinds {
    /// Names with commas: `script,document`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, kind) in self.iter().enumerate() {
            write!(f, "{}{kind}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// What the request says of what it wants.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// `Sec-Fetch-Dest` ([Fetch metadata](https://www.w3.org/TR/fetch-metadata/#sec-fetch-dest-header)).
    pub destination: Option<&'a str>,
    /// `Service-Worker: script` is present.
    pub service_worker: bool,
    /// The path of the match key.
    pub path: &'a str,
}

/// What the response says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answered<'a> {
    /// `Content-Type`, each value as it came.
    pub content_types: &'a [&'a str],
    /// Every file name that `Content-Disposition` gives.
    pub file_names: &'a [&'a str],
    /// The first bytes of the body, decoded and as they came: [`MAGIC_LEN`] of each are enough.
    pub starts: &'a [&'a [u8]],
}

/// How many bytes of a body its magic takes.
pub const MAGIC_LEN: usize = 8;

/// The kinds that a request alone points to: enough to strip conditions and ranges before the vendor is asked.
#[must_use]
pub fn classify_request(asked: &Asked<'_>) -> Kinds {
    let mut kinds = Kinds::NONE;
    if asked.service_worker {
        kinds.insert(Kind::Script);
    }
    kinds.extend(asked.destination.and_then(by_destination));
    kinds.extend(by_names(file_name(asked.path)));
    kinds
}

/// Every kind that any client could make of this response.
#[must_use]
pub fn classify(asked: &Asked<'_>, answered: &Answered<'_>) -> Kinds {
    let mut kinds = classify_request(asked);
    for content_type in answered.content_types {
        // Several types in one field, or in several: each is what some client takes.
        kinds.extend(content_type.split(',').filter_map(|one| by_media_type(essence(one).as_str())));
    }
    kinds.extend(answered.file_names.iter().flat_map(|name| by_names(name)));
    kinds.extend(answered.starts.iter().filter_map(|start| by_magic(start)));
    kinds
}

impl Extend<Kind> for Kinds {
    fn extend<I: IntoIterator<Item = Kind>>(&mut self, kinds: I) {
        for kind in kinds {
            self.insert(kind);
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Type and subtype of a media type, in lower case. It ends where the most lenient reader would end it: Chromium takes
/// `text/javascript (x)` and `text/javascript x` for scripts.
#[must_use]
pub fn essence(content_type: &str) -> String {
    let start = content_type.trim_start_matches(['\t', '\n', '\r', ' ']);
    start.split(['\t', '\n', '\r', ' ', ';', '(', ',']).next().unwrap_or_default().to_ascii_lowercase()
}

fn by_destination(destination: &str) -> Option<Kind> {
    match destination.trim().to_ascii_lowercase().as_str() {
        "script" | "worker" | "sharedworker" | "serviceworker" | "audioworklet" | "paintworklet" => {
            Some(Kind::Script)
        }
        "style" => Some(Kind::Style),
        "document" | "iframe" | "frame" | "fencedframe" | "embed" | "object" | "xslt" => Some(Kind::Document),
        _ => None,
    }
}

/// The JavaScript essences of the [MIME Sniffing standard](https://mimesniff.spec.whatwg.org/#javascript-mime-type).
pub const SCRIPT_TYPES: [&str; 16] = [
    "application/ecmascript",
    "application/javascript",
    "application/x-ecmascript",
    "application/x-javascript",
    "text/ecmascript",
    "text/javascript",
    "text/javascript1.0",
    "text/javascript1.1",
    "text/javascript1.2",
    "text/javascript1.3",
    "text/javascript1.4",
    "text/javascript1.5",
    "text/jscript",
    "text/livescript",
    "text/x-ecmascript",
    "text/x-javascript",
];

const DOCUMENT_TYPES: [&str; 7] = [
    "text/html",
    "text/xml",
    "application/xml",
    "application/mhtml",
    "application/x-mimearchive",
    "message/rfc822",
    "multipart/related",
];

/// Media types of programs and packages: what a desktop offers to run or install.
pub const INSTALLER_TYPES: [&str; 42] = [
    "application/appx",
    "application/appxbundle",
    "application/hta",
    "application/java-archive",
    "application/msix",
    "application/msixbundle",
    "application/vnd.android.package-archive",
    "application/vnd.appimage",
    "application/vnd.apple.installer+xml",
    "application/vnd.debian.binary-package",
    "application/vnd.flatpak",
    "application/vnd.microsoft.portable-executable",
    "application/vnd.ms-cab-compressed",
    "application/vnd.snap",
    "application/x-apple-diskimage",
    "application/x-bat",
    "application/x-chrome-extension",
    "application/x-csh",
    "application/x-deb",
    "application/x-debian-package",
    "application/x-dosexec",
    "application/x-elf",
    "application/x-executable",
    "application/x-iso9660-image",
    "application/x-java-archive",
    "application/x-mach-binary",
    "application/x-ms-application",
    "application/x-ms-installer",
    "application/x-ms-shortcut",
    "application/x-ms-wim",
    "application/x-msdos-program",
    "application/x-msdownload",
    "application/x-msi",
    "application/x-pie-executable",
    "application/x-powershell",
    "application/x-redhat-package-manager",
    "application/x-rpm",
    "application/x-sh",
    "application/x-sharedlib",
    "application/x-shellscript",
    "application/x-xpinstall",
    "text/x-shellscript",
];

/// The kind that a media type's [`essence`] stands for.
#[must_use]
pub fn by_media_type(essence: &str) -> Option<Kind> {
    if SCRIPT_TYPES.contains(&essence) {
        return Some(Kind::Script);
    }
    if INSTALLER_TYPES.contains(&essence) {
        return Some(Kind::Installer);
    }
    if DOCUMENT_TYPES.contains(&essence) || essence.ends_with("+xml") {
        return Some(Kind::Document);
    }
    match essence {
        "application/wasm" => Some(Kind::Wasm),
        "text/css" => Some(Kind::Style),
        _ => None,
    }
}

/// Extensions of JavaScript files.
pub const SCRIPT_EXTENSIONS: [&str; 4] = ["js", "mjs", "cjs", "jsm"];
const DOCUMENT_EXTENSIONS: [&str; 13] =
    ["html", "htm", "xhtml", "xht", "shtml", "svg", "svgz", "xml", "xsl", "xslt", "mht", "mhtml", "mathml"];
/// Extensions of programs, packages, disk images, archives that run and scripts that a shell takes.
pub const INSTALLER_EXTENSIONS: [&str; 59] = [
    "apk",
    "app",
    "appimage",
    "application",
    "appref-ms",
    "appx",
    "appxbundle",
    "bash",
    "bat",
    "cab",
    "cmd",
    "com",
    "command",
    "cpl",
    "crx",
    "csh",
    "deb",
    "dll",
    "dmg",
    "exe",
    "flatpakref",
    "hta",
    "img",
    "iso",
    "jar",
    "jnlp",
    "jse",
    "ksh",
    "lnk",
    "mpkg",
    "msc",
    "msi",
    "msix",
    "msixbundle",
    "msp",
    "mst",
    "nupkg",
    "pif",
    "pkg",
    "ps1",
    "psm1",
    "reg",
    "rpm",
    "run",
    "scpt",
    "scr",
    "sh",
    "snap",
    "url",
    "vbe",
    "vbs",
    "vhd",
    "vhdx",
    "vsix",
    "war",
    "wsf",
    "wsh",
    "xpi",
    "zsh",
];

/// Clients save under the name as it stands, or with its escapes decoded.
fn by_names(name: &str) -> impl Iterator<Item = Kind> {
    [by_name(name), by_name(&percent_decoded(name))].into_iter().flatten()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        match (byte, crate::url::escape(tail)) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn by_name(name: &str) -> Option<Kind> {
    // Windows drops trailing dots and spaces from a file name: "setup.exe." installs as "setup.exe".
    // A slash or a backslash in it ends a folder for some client.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim_end_matches(['.', ' ', '\0']);
    let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
    let extension = extension.as_str();
    if SCRIPT_EXTENSIONS.contains(&extension) {
        return Some(Kind::Script);
    }
    if INSTALLER_EXTENSIONS.contains(&extension) {
        return Some(Kind::Installer);
    }
    if DOCUMENT_EXTENSIONS.contains(&extension) {
        return Some(Kind::Document);
    }
    match extension {
        "wasm" => Some(Kind::Wasm),
        "css" => Some(Kind::Style),
        _ => None,
    }
}

/// The first bytes of what is run or installed: PE, ELF, Mach-O (and Java classes), OLE, xar, scripts with an interpreter.
const INSTALLER_MAGIC: [&[u8]; 11] = [
    b"MZ",
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"\xbe\xba\xfe\xca",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"xar!",
    b"#!",
];
const WASM_MAGIC: &[u8] = b"\0asm";
/// A byte order mark does not keep a shell from reading what follows.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn by_magic(start: &[u8]) -> Option<Kind> {
    if start.starts_with(WASM_MAGIC) {
        return Some(Kind::Wasm);
    }
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let fits = |magic: &&[u8]| start.starts_with(magic) || text.starts_with(magic);
    INSTALLER_MAGIC.iter().any(fits).then_some(Kind::Installer)
}

/// Whether more bytes could still make a magic of `start`. Where none could, there is no need to wait for them: a
/// stream of events may begin with three bytes and go on an hour later.
#[must_use]
pub fn could_become_magic(start: &[u8]) -> bool {
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let begins = |magic: &&[u8]| {
        let is_shorter = |start: &[u8]| start.len() < magic.len() && magic.starts_with(start);
        is_shorter(start) || is_shorter(text)
    };
    let mut all = INSTALLER_MAGIC.iter().copied().chain([WASM_MAGIC, BYTE_ORDER_MARK]);
    all.any(|magic| begins(&magic))
}

#[cfg(test)]
mod tests;
