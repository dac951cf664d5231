//! What a response could be run as.
//!
//! A response gets the *set* of kinds that any client could make of it: by what the browser says it wants
//! (Fetch metadata), by the media type, by the names in the URL and in `Content-Disposition`, and by its first
//! bytes. Each source can lie or be missing, so each only adds. The lists are closed.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::file_name::{extensions, file_names};
use crate::image::could_become_image;

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
    /// Every value of `Sec-Fetch-Dest` ([Fetch metadata](https://www.w3.org/TR/fetch-metadata/#sec-fetch-dest-header)),
    /// with commas between them.
    pub destinations: &'a str,
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
    /// `Content-Disposition`, each value as it came.
    pub dispositions: &'a [&'a [u8]],
    /// `Location` of a redirect, each value as it came.
    pub locations: &'a [&'a str],
    /// The first bytes of the body, decoded and as they came: [`MAGIC_LEN`] of each are enough.
    pub starts: &'a [&'a [u8]],
}

/// How many bytes of a body its magic takes: the longest one, behind a byte order mark.
pub const MAGIC_LEN: usize = 17;

/// The kinds that a request alone points to: enough to strip conditions and ranges before the vendor is asked.
#[must_use]
pub fn classify_request(asked: &Asked<'_>) -> Kinds {
    let mut kinds = Kinds::NONE;
    if asked.service_worker {
        kinds.insert(Kind::Script);
    }
    kinds.extend(asked.destinations.split([',', ';', ' ', '\t']).filter_map(by_destination));
    kinds.extend(by_name(file_name(asked.path)));
    kinds
}

/// Every kind that any client could make of this response.
#[must_use]
pub fn classify(asked: &Asked<'_>, answered: &Answered<'_>) -> Kinds {
    let mut kinds = classify_request(asked);
    for content_type in answered.content_types {
        // Several types in one field, or in several: each is what some client takes.
        kinds.extend(content_type.split(',').filter_map(|one| by_media_type(&essence(one))));
    }
    // Older clients take a name from the type too.
    let types = answered.content_types.iter().map(|content_type| content_type.as_bytes());
    let named = file_names(answered.dispositions.iter().copied().chain(types));
    kinds.extend(named.names.iter().flat_map(|name| by_name(name)));
    if named.is_hidden {
        kinds.extend(Kind::ALL);
    }
    // What a redirect leads to comes under the name that it has there.
    kinds.extend(answered.locations.iter().flat_map(|location| by_name(file_name(path_of(location)))));
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

/// The path of a reference, absolute or not: a host called `vendor.com` is no DOS program.
fn path_of(reference: &str) -> &str {
    let reference = reference.split(['?', '#']).next().unwrap_or_default();
    let Some((_, rest)) = reference.split_once("//") else { return reference };
    rest.find('/').and_then(|start| rest.get(start..)).unwrap_or_default()
}

/// Type and subtype of a media type, in lower case. It ends where the most lenient reader would end it: Chromium takes
/// `text/javascript (x)` and `text/javascript x` for scripts.
#[must_use]
pub fn essence(content_type: &str) -> Cow<'_, str> {
    let start = content_type.trim_start_matches(['\t', '\n', '\r', ' ']);
    lower(start.split(['\t', '\n', '\r', ' ', ';', '(', ',']).next().unwrap_or_default())
}

/// In lower case, as most is already.
pub(crate) fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        text.to_ascii_lowercase().into()
    } else {
        text.into()
    }
}

/// The destinations of [Fetch](https://fetch.spec.whatwg.org/#concept-request-destination) that run what they get, and
/// those of Chromium: worklets of shared storage, and bundles, which bring scripts along for other URLs.
fn by_destination(destination: &str) -> Option<Kind> {
    match &*lower(destination) {
        "script"
        | "worker"
        | "sharedworker"
        | "serviceworker"
        | "audioworklet"
        | "paintworklet"
        | "sharedstorageworklet"
        | "webbundle" => Some(Kind::Script),
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

/// Media types of code beyond the standard's: what Deno and Babel run, proxy auto-configuration, and what brings
/// responses along for other URLs ([web bundles](https://wpack-wg.github.io/bundled-responses/), signed exchanges).
pub const OTHER_SCRIPT_TYPES: [&str; 10] = [
    "application/signed-exchange",
    "application/typescript",
    "application/webbundle",
    "application/x-javascript-config",
    "application/x-ns-proxy-autoconfig",
    "application/x-typescript",
    "text/jsx",
    "text/tsx",
    "text/typescript",
    "text/x-typescript",
];

/// Media types of documents that run their own code, besides every `+xml`. `text/xsl` is XML to browsers, and each part
/// of `multipart/x-mixed-replace` can be a page.
pub const DOCUMENT_TYPES: [&str; 11] = [
    "application/mhtml",
    "application/x-mimearchive",
    "application/xml",
    "application/xml-external-parsed-entity",
    "message/rfc822",
    "multipart/related",
    "multipart/x-mixed-replace",
    "text/html",
    "text/xml",
    "text/xml-external-parsed-entity",
    "text/xsl",
];

/// Media types of programs and packages: what a desktop offers to run or install.
pub const INSTALLER_TYPES: [&str; 90] = [
    "application/appinstaller",
    "application/appx",
    "application/appxbundle",
    "application/bat",
    "application/cab",
    "application/dos-exe",
    "application/exe",
    "application/hta",
    "application/internet-shortcut",
    "application/java",
    "application/java-archive",
    "application/java-vm",
    "application/msi",
    "application/msix",
    "application/msixbundle",
    "application/vnd.android.package-archive",
    "application/vnd.appimage",
    "application/vnd.apple.installer+xml",
    "application/vnd.debian.binary-package",
    "application/vnd.flatpak",
    "application/vnd.microsoft.portable-executable",
    "application/vnd.ms-cab-compressed",
    "application/vnd.ms-htmlhelp",
    "application/vnd.rpm",
    "application/vnd.snap",
    "application/x-apple-aspen-config",
    "application/x-apple-diskimage",
    "application/x-bash",
    "application/x-bat",
    "application/x-batch",
    "application/x-cab",
    "application/x-cab-compressed",
    "application/x-cd-image",
    "application/x-chrome-extension",
    "application/x-csh",
    "application/x-deb",
    "application/x-debian-package",
    "application/x-dmg",
    "application/x-dosexec",
    "application/x-elf",
    "application/x-exe",
    "application/x-executable",
    "application/x-iso-image",
    "application/x-iso9660-image",
    "application/x-java-archive",
    "application/x-java-class",
    "application/x-java-jnlp-file",
    "application/x-java-vm",
    "application/x-mach-binary",
    "application/x-ms-application",
    "application/x-ms-installer",
    "application/x-ms-shortcut",
    "application/x-ms-wim",
    "application/x-msdos-program",
    "application/x-msdownload",
    "application/x-msi",
    "application/x-perl",
    "application/x-pie-executable",
    "application/x-powershell",
    "application/x-python",
    "application/x-python-code",
    "application/x-redhat-package-manager",
    "application/x-rpm",
    "application/x-ruby",
    "application/x-sh",
    "application/x-sharedlib",
    "application/x-shellscript",
    "application/x-snap",
    "application/x-vbs",
    "application/x-vbscript",
    "application/x-vhd",
    "application/x-win-lnk",
    "application/x-windows-installer",
    "application/x-winexe",
    "application/x-xpinstall",
    "application/x-zsh",
    "text/vbs",
    "text/vbscript",
    "text/x-bash",
    "text/x-bat",
    "text/x-cmd",
    "text/x-msdos-batch",
    "text/x-perl",
    "text/x-powershell",
    "text/x-ps1",
    "text/x-python",
    "text/x-ruby",
    "text/x-script.python",
    "text/x-sh",
    "text/x-shellscript",
];

/// The kind that a media type's [`essence`] stands for.
#[must_use]
pub fn by_media_type(essence: &str) -> Option<Kind> {
    if SCRIPT_TYPES.contains(&essence) || OTHER_SCRIPT_TYPES.contains(&essence) {
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

/// Extensions of JavaScript files, of its dialects (not `.ts`, which is a piece of video more often), of proxy
/// auto-configuration and of what brings scripts along for other URLs.
pub const SCRIPT_EXTENSIONS: [&str; 12] =
    ["cjs", "cts", "es6", "js", "jsm", "jsx", "mjs", "mts", "pac", "sxg", "tsx", "wbn"];
/// Extensions of documents that run their own code.
pub const DOCUMENT_EXTENSIONS: [&str; 20] = [
    "atom", "dhtml", "htm", "html", "mathml", "mht", "mhtml", "mml", "rdf", "rss", "shtml", "svg", "svgz",
    "xbl", "xht", "xhtml", "xml", "xsl", "xslt", "xul",
];
/// Extensions of programs, packages, disk images, archives that run and scripts that a shell takes.
pub const INSTALLER_EXTENSIONS: [&str; 113] = [
    "aab",
    "air",
    "apk",
    "apkm",
    "apks",
    "app",
    "appimage",
    "appinstaller",
    "application",
    "appref-ms",
    "appx",
    "appxbundle",
    "bash",
    "bat",
    "cab",
    "chm",
    "cmd",
    "com",
    "command",
    "cpl",
    "crx",
    "csh",
    "deb",
    "dex",
    "diagcab",
    "dll",
    "dmg",
    "ear",
    "efi",
    "egg",
    "esd",
    "exe",
    "fish",
    "flatpak",
    "flatpakref",
    "gadget",
    "gem",
    "hta",
    "img",
    "inf",
    "ipa",
    "iso",
    "jar",
    "jnlp",
    "jse",
    "ksh",
    "library-ms",
    "lnk",
    "mobileconfig",
    "mpkg",
    "msc",
    "msi",
    "msix",
    "msixbundle",
    "msp",
    "mst",
    "msu",
    "nupkg",
    "ocx",
    "pif",
    "pkg",
    "ps1",
    "ps1xml",
    "psc1",
    "psd1",
    "psm1",
    "py",
    "pyc",
    "pyo",
    "pyw",
    "pyz",
    "pyzw",
    "reg",
    "rpm",
    "run",
    "scf",
    "scpt",
    "scptd",
    "scr",
    "sct",
    "search-ms",
    "settingcontent-ms",
    "sh",
    "shb",
    "shs",
    "snap",
    "sparseimage",
    "swbn",
    "tcsh",
    "terminal",
    "toast",
    "url",
    "vb",
    "vbe",
    "vbs",
    "vbscript",
    "vhd",
    "vhdx",
    "vmdk",
    "vsix",
    "war",
    "whl",
    "wim",
    "workflow",
    "wsc",
    "wsf",
    "wsh",
    "xapk",
    "xbap",
    "xip",
    "xll",
    "xpi",
    "zsh",
];

fn by_name(name: &str) -> impl Iterator<Item = Kind> {
    extensions(name).into_iter().filter_map(|extension| by_extension(&extension))
}

fn by_extension(extension: &str) -> Option<Kind> {
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

/// The first bytes of what is run or installed: PE, ELF, Mach-O (and Java classes), OLE, xar, scripts with an
/// interpreter; and of packages: deb, rpm, cabinets, Chromium's extensions, Android's code, Windows' shortcuts.
const INSTALLER_MAGIC: [&[u8]; 17] = [
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
    b"!<arch>\ndebian",
    b"\xed\xab\xee\xdb",
    b"MSCF",
    b"Cr24",
    b"dex\n",
    b"\x4c\0\0\0\x01\x14\x02\0",
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

/// Whether more bytes could still make a magic of `start`, of something that runs or of an image. Where none could, there is no need to wait for them: a
/// stream of events may begin with three bytes and go on an hour later.
#[must_use]
pub fn could_become_magic(start: &[u8]) -> bool {
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let begins = |magic: &&[u8]| {
        let is_shorter = |start: &[u8]| start.len() < magic.len() && magic.starts_with(start);
        is_shorter(start) || is_shorter(text)
    };
    let mut all = INSTALLER_MAGIC.iter().copied().chain([WASM_MAGIC, BYTE_ORDER_MARK]);
    all.any(|magic| begins(&magic)) || could_become_image(start)
}

#[cfg(test)]
mod tests;
