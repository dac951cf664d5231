//! Real published scripts, fetched by package name with the ordinary npm client and kept under `target/fixtures`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::gateway::target_dir;

/// A browser library of which several versions are served in tests.
#[derive(Clone, Copy, Debug)]
pub struct Library {
    /// Its npm package.
    pub package: &'static str,
    /// Versions in the order of their release, and the file that browsers load.
    releases: &'static [(&'static str, &'static str)],
}

/// One published version.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its version.
    pub version: &'static str,
    /// The file's path inside the package.
    pub path: &'static str,
    /// The script as published.
    pub script: Vec<u8>,
}

/// Popular libraries, each with versions that follow one another.
pub const LIBRARIES: [Library; 7] = [
    Library {
        package: "jquery",
        releases: &[
            ("3.6.4", "dist/jquery.min.js"),
            ("3.7.0", "dist/jquery.min.js"),
            ("3.7.1", "dist/jquery.min.js"),
        ],
    },
    Library {
        package: "lodash",
        releases: &[("4.17.19", "lodash.min.js"), ("4.17.20", "lodash.min.js"), ("4.17.21", "lodash.min.js")],
    },
    Library {
        package: "react-dom",
        releases: &[
            ("17.0.2", "umd/react-dom.production.min.js"),
            ("18.2.0", "umd/react-dom.production.min.js"),
            ("18.3.1", "umd/react-dom.production.min.js"),
        ],
    },
    Library {
        package: "vue",
        releases: &[
            ("3.3.13", "dist/vue.global.prod.js"),
            ("3.4.21", "dist/vue.global.prod.js"),
            ("3.4.38", "dist/vue.global.prod.js"),
        ],
    },
    Library { package: "d3", releases: &[("7.8.5", "dist/d3.min.js"), ("7.9.0", "dist/d3.min.js")] },
    Library {
        package: "moment",
        releases: &[
            ("2.29.3", "min/moment.min.js"),
            ("2.29.4", "min/moment.min.js"),
            ("2.30.1", "min/moment.min.js"),
        ],
    },
    Library {
        package: "bootstrap",
        releases: &[
            ("5.3.1", "dist/js/bootstrap.bundle.min.js"),
            ("5.3.2", "dist/js/bootstrap.bundle.min.js"),
            ("5.3.3", "dist/js/bootstrap.bundle.min.js"),
        ],
    },
];

/// The library of an npm package.
#[must_use]
pub fn library(package: &str) -> Library {
    *LIBRARIES.iter().find(|library| library.package == package).expect("a library of the list above")
}

impl Library {
    /// Its versions, oldest first; fetches what is not there yet.
    #[must_use]
    pub fn versions(self) -> Vec<Release> {
        let release = |&(version, path): &(&'static str, &'static str)| {
            let script = extract(&archive(self.package, version), path);
            assert!(!script.is_empty(), "{} {version} has no {path}", self.package);
            Release { version, path, script }
        };
        self.releases.iter().map(release).collect()
    }
}

/// What looks for pages that some people cannot use, as a script to run in them.
#[must_use]
pub fn axe() -> String {
    String::from_utf8(extract(&archive("axe-core", "4.14.1"), "axe.min.js")).unwrap()
}

/// The package's archive. Packed aside and renamed, so that no other test process ever sees half of one.
fn archive(package: &str, version: &str) -> PathBuf {
    static PACKING: Mutex<()> = Mutex::new(());
    let fixtures = target_dir().join("fixtures");
    let name = format!("{package}-{version}.tgz");
    let archive = fixtures.join(&name);
    // A test that failed while packing leaves nothing that another could trip over.
    let _one_at_a_time = PACKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if archive.exists() {
        return archive;
    }
    std::fs::create_dir_all(&fixtures).unwrap();
    let aside = tempfile::tempdir_in(&fixtures).unwrap();
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", "--pack-destination"])
        .arg(aside.path())
        .arg(format!("{package}@{version}"));
    run(npm.current_dir(aside.path()));
    std::fs::rename(aside.path().join(&name), &archive).unwrap();
    archive
}

fn extract(archive: &Path, path: &str) -> Vec<u8> {
    run(Command::new("tar")
        .args(["--extract", "--gzip", "--to-stdout", "--file"])
        .arg(archive)
        .arg(format!("package/{path}")))
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
