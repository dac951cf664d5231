//! A real browser that really validates: the root stands in the certificate store of a profile made for one test.

use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

use crate::{Via, eventually};

/// A headless Chromium with an empty profile, going through a proxy and trusting its root.
pub async fn chromium(via: impl Into<Via>) -> Chromium {
    let via = via.into();
    let proxy = format!("--proxy-server=http://{}", via.proxy);
    set_up(&via, proxy).await
}

/// The same, which goes where the PAC file at that URL says.
pub async fn chromium_configured_by(via: impl Into<Via>, pac: &str) -> Chromium {
    set_up(&via.into(), format!("--proxy-pac-url={pac}")).await
}

async fn set_up(via: &Via, proxy: String) -> Chromium {
    let home = tempfile::Builder::new().prefix("pinfold-chromium-").tempdir().unwrap();
    let store = home.path().join(".pki/nssdb");
    std::fs::create_dir_all(&store).unwrap();
    certutil(&store, &["-N", "--empty-password"]).await;
    let chromium = Chromium { home, proxy };
    for root in &via.roots {
        chromium.trust(root).await;
    }
    chromium
}

/// A browser for one test.
#[derive(Debug)]
pub struct Chromium {
    home: TempDir,
    /// The option that says which proxy.
    proxy: String,
}

impl Chromium {
    /// Trusts one more root, in PEM, such as that of a site that is not intercepted.
    pub async fn trust(&self, root: &str) {
        let file = tempfile::Builder::new().suffix(".pem").tempfile_in(self.home.path()).unwrap();
        std::fs::write(file.path(), root).unwrap();
        // The name must differ from root to root; the file's does.
        let path = file.path().to_str().unwrap();
        certutil(&self.home.path().join(".pki/nssdb"), &["-A", "-n", path, "-t", "C,,", "-i", path]).await;
    }

    /// Opens a page, waits until it has loaded, and takes the document that its scripts have left behind.
    pub async fn open(&self, url: impl AsRef<str>) -> Page {
        let mut command = Command::new("chromium");
        command
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
            ])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--disable-default-apps", "--disable-extensions"])
            .arg(&self.proxy)
            .arg(format!("--user-data-dir={}", self.home.path().join("profile").display()))
            .args(["--dump-dom", url.as_ref()])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = eventually("the end of chromium", command.output()).await.unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "chromium: {}: {log}", output.status);
        Page { dom: String::from_utf8(output.stdout).unwrap(), log }
    }
}

/// A page after its scripts have run.
#[derive(Debug)]
pub struct Page {
    dom: String,
    log: String,
}

impl Page {
    /// The document, serialised.
    #[must_use]
    pub fn dom(&self) -> &str {
        &self.dom
    }

    /// What the browser complained about.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The text of its `title`, which test pages let their scripts set.
    #[must_use]
    pub fn title(&self) -> &str {
        let title = self.dom.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        title.unwrap_or_else(|| panic!("no title: {}\n{}", self.dom, self.log)).0
    }
}

pub(crate) async fn certutil(store: &Path, args: &[&str]) {
    let mut command = Command::new("certutil");
    command.arg("-d").arg(format!("sql:{}", store.display())).args(args).stdin(Stdio::null());
    let output = eventually("certutil", command.output()).await.unwrap();
    assert!(output.status.success(), "certutil: {}", String::from_utf8_lossy(&output.stderr));
}
