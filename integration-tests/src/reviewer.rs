//! Somebody who reviews at the console, with nothing but requests: a browser without a screen and without scripts.

use std::fmt::Write as _;

use crate::{Gateway, Shown};

/// A visitor of a gateway's console, with the cookie that it was given last.
#[derive(Clone, Debug)]
pub struct Reviewer<'g> {
    gateway: &'g Gateway,
    /// `Cookie`, as it goes out.
    pub cookie: Option<String>,
    /// What a browser says of where a form is from.
    pub origin: Vec<(&'static str, String)>,
}

/// Nobody yet, with a browser that says that its forms come from the console's own pages.
#[must_use]
pub fn reviewer(gateway: &Gateway) -> Reviewer<'_> {
    Reviewer { gateway, cookie: None, origin: vec![("Sec-Fetch-Site", "same-origin".to_owned())] }
}

impl Reviewer<'_> {
    /// The same, whose forms come from elsewhere.
    #[must_use]
    pub fn from(mut self, fields: &[(&'static str, &str)]) -> Self {
        self.origin = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self
    }

    /// Opens a page.
    pub async fn open(&self, path: &str) -> Shown {
        self.ask("GET", path, "").await
    }

    /// Sends a form as it is.
    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let encoded = |text: &str| {
            text.bytes().fold(String::new(), |mut encoded, byte| {
                write!(encoded, "%{byte:02X}").unwrap();
                encoded
            })
        };
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        self.ask("POST", path, &fields.join("&")).await
    }

    /// Opens a page, and fills in and sends a form of it with the token that stands there.
    pub async fn fill(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Shown {
        let open = self.open(page).await;
        let (token, shown) = (token(&open), hidden(&open, "shown").unwrap_or_default());
        self.send(path, &[&[("form", &*token), ("shown", &shown)], fields].concat()).await
    }

    /// Signs in, and keeps the cookie.
    pub async fn sign_in(&mut self, name: &str, password: &str) -> Shown {
        let shown = self.fill("/sign-in", "/sign-in", &[("name", name), ("password", password)]).await;
        if let Some(cookie) = shown.field("set-cookie") {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        shown
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Shown {
        let console = self.gateway.console().expect("the gateway has a console");
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\n");
        if let Some(cookie) = &self.cookie {
            write!(request, "Cookie: {cookie}\r\n").unwrap();
        }
        if method == "POST" {
            for (name, value) in &self.origin {
                write!(request, "{name}: {value}\r\n").unwrap();
            }
            write!(request, "Content-Type: application/x-www-form-urlencoded\r\n").unwrap();
            write!(request, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        self.gateway.console_says(&format!("{request}\r\n{body}")).await
    }
}

/// The token of the forms of a page.
#[must_use]
pub fn token(page: &Shown) -> String {
    hidden(page, "form").unwrap_or_else(|| panic!("no form: {}\n{}", page.head, page.body))
}

/// The value of a hidden field of a page.
#[must_use]
pub fn hidden(page: &Shown, name: &str) -> Option<String> {
    let (_, rest) = page.body.split_once(&format!("name=\"{name}\" value=\""))?;
    rest.split('"').next().map(str::to_owned)
}
