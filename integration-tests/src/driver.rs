//! A real browser that does what it is told, through its driver (W3C WebDriver).

use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use tempfile::TempDir;
use thirtyfour::prelude::*;
use thirtyfour::{ChromeCapabilities, LoggingPrefsLogLevel};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::chromium::certutil;
use crate::eventually;

/// How a browser shows pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looks {
    /// How wide a page is, in CSS pixels.
    pub width: u32,
    /// How high a page is, in CSS pixels.
    pub height: u32,
    /// Whether pages are to be dark.
    pub dark: bool,
}

impl Default for Looks {
    fn default() -> Self {
        Self { width: 1400, height: 1000, dark: false }
    }
}

/// A headless Chromium with an empty profile and no proxy.
pub async fn driven(looks: Looks) -> Driven {
    driven_trusting(looks, None).await
}

/// The same, which trusts this root.
pub async fn driven_trusting(looks: Looks, root: Option<&Path>) -> Driven {
    let home = tempfile::Builder::new().prefix("pinfold-driver-").tempdir().unwrap();
    if let Some(root) = root {
        let store = home.path().join(".pki/nssdb");
        std::fs::create_dir_all(&store).unwrap();
        certutil(&store, &["-N", "--empty-password"]).await;
        certutil(&store, &["-A", "-n", "root", "-t", "C,,", "-i", root.to_str().unwrap()]).await;
    }
    let (driver, port) = eventually("chromedriver", async {
        loop {
            if let Some(started) = started(&home).await {
                return started;
            }
        }
    })
    .await;
    let opening = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities(looks));
    let browser = eventually("a browser", opening).await.unwrap();
    Driven { browser, driver, home }
}

/// A driver and its port. It lets the system pick one for IPv4, takes the same for IPv6, and ends where somebody has that.
async fn started(home: &TempDir) -> Option<(Child, String)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return Some((driver, port.trim_end_matches('.').to_owned()));
        }
    }
    None
}

fn capabilities(looks: Looks) -> ChromeCapabilities {
    let mut wanted = DesiredCapabilities::chrome();
    for arg in [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-proxy-server",
        // What a page wants from elsewhere, it does not get.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ] {
        wanted.add_arg(arg).unwrap();
    }
    if looks.dark {
        wanted.add_arg("--force-dark-mode").unwrap();
    }
    // A window is never narrower than 500 pixels; a device can be.
    let metrics = json!({ "width": looks.width, "height": looks.height, "pixelRatio": 1.0, "touch": false, "mobile": false });
    wanted.add_experimental_option("mobileEmulation", json!({ "deviceMetrics": metrics })).unwrap();
    wanted.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
    wanted
}

/// A browser that is driven.
#[derive(Debug)]
pub struct Driven {
    /// What drives it.
    pub browser: WebDriver,
    driver: Child,
    home: TempDir,
}

impl Driven {
    /// Opens a page and waits until it has loaded.
    pub async fn open(&self, url: &str) {
        eventually(url, self.browser.goto(url)).await.unwrap();
    }

    /// Types into the field of this id.
    pub async fn types(&self, id: &str, text: &str) {
        self.browser.find(By::Id(id)).await.unwrap().send_keys(text).await.unwrap();
    }

    /// Clicks the first element that this CSS selector names, and waits for the page that follows.
    pub async fn clicks(&self, selector: &str) {
        let element = self.browser.find(By::Css(selector)).await.unwrap();
        self.value("window.isBefore = true").await;
        eventually(selector, element.click()).await.unwrap();
        // The driver waits for a page only where one has begun to load by then.
        let following = async {
            let is_there = "return !window.isBefore && document.readyState === 'complete'";
            while !self.browser.execute(is_there, Vec::new()).await.is_ok_and(|is| *is.json() == json!(true))
            {
                tokio::task::yield_now().await;
            }
        };
        eventually(&format!("the page behind {selector}"), following).await;
    }

    /// What stands on the page, as people see it.
    pub async fn text(&self) -> String {
        self.browser.find(By::Css("body")).await.unwrap().text().await.unwrap()
    }

    /// What an expression is on the page, which the page's policy does not hold up.
    pub async fn value(&self, expression: &str) -> serde_json::Value {
        let returned = self.browser.execute(format!("return {expression}"), Vec::new()).await.unwrap();
        returned.json().clone()
    }

    /// What the browser has complained about since it was asked last: errors of scripts, and violations of a policy.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.browser.get_log("browser").await.unwrap();
        log.into_iter().map(|entry| entry.message).collect()
    }

    /// Ends it.
    pub async fn quit(self) {
        let Self { browser, mut driver, home } = self;
        browser.quit().await.unwrap();
        driver.kill().await.unwrap();
        drop(home);
    }
}
