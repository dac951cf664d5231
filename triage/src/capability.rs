//! What a script can do to a page, a person and a network, and by which names.

/// One thing that a script can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// `fetch`
    Fetch,
    /// `XMLHttpRequest`
    Xhr,
    /// `navigator.sendBeacon`
    Beacon,
    /// `WebSocket`
    WebSocket,
    /// `EventSource`
    EventSource,
    /// `RTCPeerConnection`
    WebRtc,
    /// `import(…)`
    DynamicImport,
    /// A script element, or `importScripts`.
    InjectedScript,
    /// An image that is made.
    Image,
    /// A frame that is made.
    Frame,
    /// A form that is made, sent, or sent elsewhere.
    Form,
    /// Style sheets, media, fonts and whatever else has an address.
    Resource,
    /// The page goes elsewhere.
    Navigation,
    /// `eval`
    Eval,
    /// `Function` as a constructor.
    FunctionConstructor,
    /// A string as a timer's code.
    StringTimer,
    /// `document.write`
    DocumentWrite,
    /// `innerHTML` and its like.
    Html,
    /// An attribute that is code.
    InlineHandler,
    /// `Worker`, `SharedWorker`
    Worker,
    /// `navigator.serviceWorker`
    ServiceWorker,
    /// `WebAssembly`
    WebAssembly,
    /// `document.cookie`
    Cookies,
    /// Web storage and databases.
    Storage,
    /// Listens to keys.
    KeyListener,
    /// Listens to forms and their fields.
    FormListener,
    /// Names password fields.
    PasswordField,
    /// Names fields of payment cards.
    CardField,
    /// The clipboard.
    Clipboard,
    /// `navigator.credentials`
    Credentials,
    /// `navigator.geolocation`
    Geolocation,
    /// Camera, microphone or screen.
    MediaCapture,
    /// Asks to be allowed something: to notify, to reach devices or files, to be paid.
    Permission,
    /// A message to any origin.
    PostMessageAny,
    /// A message to an origin that is named.
    PostMessage,
    /// A message to the window that it runs in.
    PostMessageOwn,
    /// Listens to messages from anywhere.
    UncheckedMessage,
    /// `debugger`
    Debugger,
    /// Asks whether a program drives the browser, or whether its tools are open.
    Automation,
    /// Asks for language or time zone.
    Locale,
    /// Asks where it runs.
    Location,
    /// Asks which browser it is.
    UserAgent,
    /// Compares the date.
    Date,
    /// Mines, by the words of those who do.
    Miner,
    /// A member of a global object, by a name that nobody can read off the code.
    UnknownGlobal,
    /// A known global, by a name that has to be put together.
    HiddenGlobal,
    /// An element that is made, by a name that nobody can read off the code.
    UnknownElement,
    /// A listener, for an event that nobody can read off the code.
    UnknownEvent,
    /// Text or numbers become other text.
    Decoder,
    /// All names of a global object, in a list: one of them may be picked without being named.
    ListedGlobals,
    /// A table that is turned round before it is read.
    ShuffledTable,
}

/// What capabilities are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// What leaves the page, or comes into it.
    Network,
    /// Text becomes code.
    Code,
    /// What people type, and what pages keep.
    Data,
    /// It does not do the same everywhere.
    Environment,
    /// Names and text that do not stand in the code: hidden, decoded, or read off a list.
    Obfuscation,
}

impl Group {
    /// In the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Network, Self::Code, Self::Data, Self::Environment, Self::Obfuscation];

    /// The stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Code => "code",
            Self::Data => "data",
            Self::Environment => "environment",
            Self::Obfuscation => "obfuscation",
        }
    }

    /// What is true of all in it, in words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Code => "text becomes code",
            Self::Data => "reach for data",
            Self::Environment => "not the same everywhere",
            Self::Obfuscation => "names and text that do not stand in the code",
        }
    }
}

impl Capability {
    /// What it is about.
    #[must_use]
    pub fn group(self) -> Group {
        match self {
            Self::Fetch
            | Self::Xhr
            | Self::Beacon
            | Self::WebSocket
            | Self::EventSource
            | Self::WebRtc
            | Self::DynamicImport
            | Self::InjectedScript
            | Self::Image
            | Self::Frame
            | Self::Form
            | Self::Resource
            | Self::Navigation => Group::Network,
            Self::Eval
            | Self::FunctionConstructor
            | Self::StringTimer
            | Self::DocumentWrite
            | Self::Html
            | Self::InlineHandler
            | Self::Worker
            | Self::ServiceWorker
            | Self::WebAssembly
            | Self::Miner => Group::Code,
            Self::Cookies
            | Self::Storage
            | Self::KeyListener
            | Self::FormListener
            | Self::PasswordField
            | Self::CardField
            | Self::Clipboard
            | Self::Credentials
            | Self::Geolocation
            | Self::MediaCapture
            | Self::Permission
            | Self::PostMessageAny
            | Self::PostMessage
            | Self::PostMessageOwn
            | Self::UncheckedMessage => Group::Data,
            Self::Debugger
            | Self::Automation
            | Self::Locale
            | Self::Location
            | Self::UserAgent
            | Self::Date => Group::Environment,
            Self::UnknownGlobal
            | Self::HiddenGlobal
            | Self::UnknownElement
            | Self::UnknownEvent
            | Self::Decoder
            | Self::ListedGlobals
            | Self::ShuffledTable => Group::Obfuscation,
        }
    }

    /// Whether it can take something, let something in, or hide: neither does what is asked of the environment, nor a message that
    /// stays where it was written.
    #[must_use]
    pub fn has_weight(self) -> bool {
        self.group() != Group::Environment && self != Self::PostMessageOwn
    }

    /// The stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.names().0
    }

    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Fetch => ("fetch", "sends or loads with fetch"),
            Self::Xhr => ("xhr", "sends or loads with XMLHttpRequest"),
            Self::Beacon => ("beacon", "sends a beacon"),
            Self::WebSocket => ("websocket", "opens a WebSocket"),
            Self::EventSource => ("event-source", "opens an EventSource"),
            Self::WebRtc => ("webrtc", "connects to a peer"),
            Self::DynamicImport => ("dynamic-import", "imports a module"),
            Self::InjectedScript => ("injected-script", "adds a script element"),
            Self::Image => ("image", "makes an image, which loads from anywhere"),
            Self::Frame => ("frame", "adds a frame"),
            Self::Form => ("form", "makes, sends or redirects a form"),
            Self::Resource => ("resource", "loads a picture, style, medium or script from an address"),
            Self::Navigation => ("navigation", "takes the page elsewhere"),
            Self::Eval => ("eval", "runs text as code: eval"),
            Self::FunctionConstructor => ("function-constructor", "runs text as code: Function"),
            Self::StringTimer => ("string-timer", "runs text as code: a timer"),
            Self::DocumentWrite => ("document-write", "writes into the document"),
            Self::Html => ("html", "sets HTML from text"),
            Self::InlineHandler => ("inline-handler", "sets an attribute that is code"),
            Self::Worker => ("worker", "starts a worker"),
            Self::ServiceWorker => ("service-worker", "installs a service worker"),
            Self::WebAssembly => ("webassembly", "runs WebAssembly"),
            Self::Cookies => ("cookies", "reads or sets cookies"),
            Self::Storage => ("storage", "reads or writes what the browser stores"),
            Self::KeyListener => ("key-listener", "listens to keys"),
            Self::FormListener => ("form-listener", "listens to or reads forms and fields"),
            Self::PasswordField => ("password-field", "names password fields"),
            Self::CardField => ("card-field", "names payment card fields"),
            Self::Clipboard => ("clipboard", "uses the clipboard"),
            Self::Credentials => ("credentials", "uses stored credentials"),
            Self::Geolocation => ("geolocation", "asks where the person is"),
            Self::MediaCapture => ("media-capture", "uses camera, microphone or screen"),
            Self::Permission => {
                ("permission", "asks for a permission, a payment, or to reach devices or files")
            }
            Self::PostMessageAny => {
                ("post-message-any", "posts a message to any origin, or to one that cannot be read")
            }
            Self::PostMessage => ("post-message", "posts a message to another origin"),
            Self::PostMessageOwn => ("post-message-own", "posts a message to the window that it runs in"),
            Self::UncheckedMessage => {
                ("unchecked-message", "listens to messages, and does not check where they come from")
            }
            Self::Debugger => ("debugger", "stops where a debugger is open"),
            Self::Automation => {
                ("automation", "looks for signs that it is watched: automation, or open developer tools")
            }
            Self::Locale => ("locale", "asks for language or time zone"),
            Self::Location => ("location", "asks on which page it runs"),
            Self::UserAgent => ("user-agent", "asks which browser it is"),
            Self::Date => ("date", "asks for or compares the date"),
            Self::Miner => ("miner", "speaks a miner's words"),
            Self::UnknownGlobal => {
                ("unknown-global", "hides which global it uses: the name is made as it runs")
            }
            Self::HiddenGlobal => (
                "hidden-global",
                "hides the name of a global: it is put together, and does not stand in the code",
            ),
            Self::UnknownElement => {
                ("unknown-element", "hides which element it makes: the name is made as it runs")
            }
            Self::UnknownEvent => {
                ("unknown-event", "hides which event it listens to: the name is made as it runs")
            }
            Self::Decoder => ("decoder", "decodes text, or makes it of numbers"),
            Self::ListedGlobals => ("listed-globals", "lists all members of a global object"),
            Self::ShuffledTable => {
                ("shuffled-table", "hides its names: they come from a table that it puts in order as it runs")
            }
        }
    }
}

/// What the path of a global stands for, once `window.` and its like are gone.
pub(crate) fn of_global(path: &str) -> Option<Capability> {
    Some(match path {
        "fetch" | "fetchLater" => Capability::Fetch,
        "XMLHttpRequest" | "XDomainRequest" => Capability::Xhr,
        "navigator.sendBeacon" => Capability::Beacon,
        "WebSocket" | "WebSocketStream" | "WebTransport" => Capability::WebSocket,
        "EventSource" => Capability::EventSource,
        "RTCPeerConnection" | "webkitRTCPeerConnection" => Capability::WebRtc,
        "importScripts" => Capability::InjectedScript,
        "Image" => Capability::Image,
        "Audio" | "FontFace" => Capability::Resource,
        "open"
        | "location.assign"
        | "location.replace"
        | "document.location.assign"
        | "document.location.replace"
        | "navigation.navigate" => Capability::Navigation,
        "eval" | "execScript" => Capability::Eval,
        "Function" => Capability::FunctionConstructor,
        "document.write" | "document.writeln" => Capability::DocumentWrite,
        "Worker" | "SharedWorker" => Capability::Worker,
        "navigator.serviceWorker" => Capability::ServiceWorker,
        "WebAssembly" => Capability::WebAssembly,
        "document.cookie" | "cookieStore" => Capability::Cookies,
        "localStorage" | "sessionStorage" | "indexedDB" | "caches" | "openDatabase" | "Storage" => {
            Capability::Storage
        }
        "navigator.clipboard" => Capability::Clipboard,
        "navigator.credentials" | "PasswordCredential" | "FederatedCredential" | "PublicKeyCredential" => {
            Capability::Credentials
        }
        "navigator.geolocation" => Capability::Geolocation,
        "navigator.mediaDevices" | "navigator.getUserMedia" => Capability::MediaCapture,
        "Notification"
        | "PaymentRequest"
        | "navigator.permissions"
        | "navigator.usb"
        | "navigator.hid"
        | "navigator.serial"
        | "navigator.bluetooth"
        | "navigator.requestMIDIAccess"
        | "navigator.contacts"
        | "navigator.registerProtocolHandler"
        | "showOpenFilePicker"
        | "showSaveFilePicker"
        | "showDirectoryPicker" => Capability::Permission,
        "atob" | "unescape" | "TextDecoder" | "String.fromCharCode" | "String.fromCodePoint" => {
            Capability::Decoder
        }
        "navigator.webdriver"
        | "outerWidth"
        | "outerHeight"
        | "callPhantom"
        | "_phantom"
        | "__nightmare"
        | "Firebug" => Capability::Automation,
        "navigator.language" | "navigator.languages" | "navigator.userLanguage" | "Intl.DateTimeFormat" => {
            Capability::Locale
        }
        "location.hostname"
        | "location.host"
        | "location.href"
        | "location.origin"
        | "location.pathname"
        | "document.location"
        | "document.location.href"
        | "document.location.host"
        | "document.location.hostname"
        | "document.baseURI"
        | "origin"
        | "document.domain"
        | "document.URL"
        | "document.referrer"
        | "document.documentURI" => Capability::Location,
        "navigator.userAgent"
        | "navigator.platform"
        | "navigator.vendor"
        | "navigator.userAgentData"
        | "navigator.appVersion" => Capability::UserAgent,
        _ => return None,
    })
}

/// What the name of a member says by itself, whatever it is a member of.
pub(crate) fn of_member(name: &str) -> Option<Capability> {
    Some(match name {
        "sendBeacon" => Capability::Beacon,
        "XMLHttpRequest" => Capability::Xhr,
        "WebSocket" => Capability::WebSocket,
        "EventSource" => Capability::EventSource,
        "RTCPeerConnection" => Capability::WebRtc,
        "importScripts" => Capability::InjectedScript,
        "innerHTML"
        | "outerHTML"
        | "insertAdjacentHTML"
        | "createContextualFragment"
        | "srcdoc"
        | "setHTMLUnsafe"
        | "parseFromString"
        | "createPolicy" => Capability::Html,
        "serviceWorker" => Capability::ServiceWorker,
        "WebAssembly" => Capability::WebAssembly,
        "cookie" => Capability::Cookies,
        "localStorage" | "sessionStorage" | "indexedDB" => Capability::Storage,
        "clipboardData" | "clipboard" => Capability::Clipboard,
        "geolocation" => Capability::Geolocation,
        "getUserMedia" | "getDisplayMedia" => Capability::MediaCapture,
        "pushManager" => Capability::Permission,
        "webdriver" => Capability::Automation,
        "resolvedOptions" | "timeZone" => Capability::Locale,
        "addModule" => Capability::Worker,
        "insertRule" | "addRule" | "replaceSync" | "adoptedStyleSheets" => Capability::Resource,
        "formAction" => Capability::Form,
        "getFullYear" | "getUTCFullYear" | "getHours" | "getUTCHours" | "getDay" | "getUTCDay"
        | "getDate" | "getMonth" | "getTimezoneOffset" => Capability::Date,
        "onkeydown" | "onkeyup" | "onkeypress" => Capability::KeyListener,
        "onsubmit" | "oninput" | "onbeforeinput" => Capability::FormListener,
        "onpaste" | "oncopy" | "oncut" => Capability::Clipboard,
        _ => return None,
    })
}

/// What an event is about.
pub(crate) fn of_event(name: &str) -> Option<Capability> {
    Some(match name {
        "keydown" | "keyup" | "keypress" => Capability::KeyListener,
        "submit" | "input" | "change" | "beforeinput" | "formdata" => Capability::FormListener,
        "paste" | "copy" | "cut" => Capability::Clipboard,
        _ => return None,
    })
}

/// What an element can do that is made.
pub(crate) fn of_element(tag: &str) -> Option<Capability> {
    Some(match tag {
        "script" => Capability::InjectedScript,
        "img" | "image" => Capability::Image,
        "iframe" | "frame" | "fencedframe" | "embed" | "object" => Capability::Frame,
        "form" => Capability::Form,
        "link" | "video" | "audio" | "source" | "track" => Capability::Resource,
        _ => return None,
    })
}

/// What a regular expression is about, if what it looks for are fields that people fill in with what they keep to themselves.
pub(crate) fn of_pattern(pattern: &str) -> Option<Capability> {
    pattern.split('|').find_map(|way| {
        let word: String = way.chars().filter(char::is_ascii_alphanumeric).collect();
        // In a pattern, a gesture rather than the number of a card.
        let found = if word == "pan" { None } else { of_text(&word) };
        found.filter(|found| matches!(found, Capability::CardField | Capability::PasswordField))
    })
}

/// What a text is about, if it names something that people want to keep to themselves.
pub(crate) fn of_text(text: &str) -> Option<Capability> {
    // A page of text names everything.
    if text.len() > 256 {
        return None;
    }
    let text: String = text.chars().filter(|char| !matches!(char, '-' | '_' | ' ')).collect();
    let text = text.to_ascii_lowercase();
    const CARD: [&str; 11] = [
        "cardnum",
        "ccnum",
        "cardcvc",
        "cardcvv",
        "cccsc",
        "ccexp",
        "cvv",
        "creditcard",
        "cardexp",
        "securitycode",
        "cardholder",
    ];
    const MINER: [&str; 6] =
        ["stratum+tcp", "cryptonight", "coinhive", "hashespersecond", "randomx", "monero"];
    if CARD.iter().any(|word| text.contains(word)) || text == "cvc" || text == "pan" {
        Some(Capability::CardField)
    } else if text.contains("password") || text.contains("passwd") {
        Some(Capability::PasswordField)
    } else if loads(&text) {
        Some(Capability::Resource)
    } else if is_code(&text) {
        Some(Capability::InlineHandler)
    } else if MINER.iter().any(|word| text.contains(word)) {
        Some(Capability::Miner)
    } else {
        None
    }
}

/// Whether what a text says loads something: a style, or rules by which pages are loaded ahead.
fn loads(text: &str) -> bool {
    let is_address = text.contains("url(") && !text.contains("url(#") && !text.contains("url(data:");
    is_address || text.contains("@import") || text.contains("imageset(") || text == "speculationrules"
}

/// `javascript:`, and something behind it that does something.
fn is_code(text: &str) -> bool {
    text.strip_prefix("javascript:").is_some_and(|code| {
        !matches!(code.trim_end_matches(';'), "" | "void(0)" | "void0" | "false" | "//" | "undefined")
    })
}
