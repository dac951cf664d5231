//! Triage on updates that were published, and on the planted attacks of its tests.
//!
//! The libraries are fetched by `npm pack`, as `npm` is configured here, into the folder that is the only argument, once.
//! None of them is part of this repository.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints what it measured")]

mod libraries;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use pinfold_triage::{Diff, DifferenceAsked, Findings, Limits, NotAnalysed, Renamed, compare, compare_by};

use crate::libraries::LIBRARIES;

/// The best of so many.
const TIMES: usize = 5;
/// A bundle is made of updates until it is that large.
const BUNDLE: usize = 2 << 20;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: pinfold-pairs FOLDER");
        return ExitCode::from(2);
    };
    match run(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pinfold-pairs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path) -> Result<(), Box<dyn Error>> {
    println!(
        "| update | KiB | ms | change | functions | facts, new of them | guards gone | hosts | changed lines, to the letter | but for names |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    let (mut lines, mut together) = ([0, 0], 0);
    let (mut bundle_old, mut bundle_new) = (Vec::new(), Vec::new());
    for (package, old, new, file) in LIBRARIES {
        let (old_script, new_script) =
            (script(folder, package, old, file)?, script(folder, package, new, file)?);
        let name = format!("{package} {old} → {new}, {file}");
        let (changed, has_together) = row(&name, &old_script, &new_script);
        together += usize::from(has_together);
        for (all, changed) in lines.iter_mut().zip(changed) {
            *all += changed;
        }
        if bundle_new.len() < BUNDLE {
            bundle_old.extend(old_script.iter().chain(b"\n;"));
            bundle_new.extend(new_script.iter().chain(b"\n;"));
        }
    }
    row("a bundle of the first of them", &bundle_old, &bundle_new);
    let [to_the_letter, but_names] = lines;
    println!("\n{to_the_letter} changed lines of all updates, {but_names} of them by more than local names");
    println!("{together} of {} updates newly do several things in one function", LIBRARIES.len());
    planted()
}

/// Prints what is said of one update, and gives how many lines its difference has, to the letter and but for local names, and
/// whether one function newly does several things.
fn row(name: &str, old: &[u8], new: &[u8]) -> ([usize; 2], bool) {
    let (findings, took) = measured(old, new);
    let letters = compare_by(DifferenceAsked::of(true, None), Some(old), new, Limits::default(), &|_| None);
    let changed = |diff: &Diff| diff.added + diff.removed;
    let lines = [changed(&letters.diff), changed(&findings.diff)];
    let left_out = match &findings.diff.renamed {
        Renamed::LeftOut { lines } => format!("{lines} left out"),
        Renamed::Shown => "none left out".to_owned(),
        Renamed::NotKnown(why) => why.code().to_owned(),
    };
    let Findings { change, not_analysed, facts, losses, hosts, functions, .. } = &findings;
    let change = not_analysed.as_ref().map_or(change.code(), NotAnalysed::code);
    let novel = facts.iter().filter(|fact| fact.reviewed == 0).count();
    println!(
        "| {name} | {} | {:.1} | {change} | {} | {}, {novel} | {} | {} | {} | {}; {left_out} |",
        new.len() >> 10,
        took.as_secs_f64() * 1e3,
        functions.len(),
        facts.len(),
        losses.len(),
        hosts.len(),
        lines[0],
        lines[1],
    );
    for together in &findings.together {
        eprintln!("  {name}: {}", together.text());
    }
    for fact in facts {
        let site = fact.sites.first().map(|site| &*site.excerpt).unwrap_or_default();
        eprintln!("  {name}: {} {} → {}: {site}", fact.capability.code(), fact.reviewed, fact.new);
    }
    for loss in losses {
        let site = loss.gone.first().map(|site| &*site.excerpt).unwrap_or_default();
        eprintln!("  {name}: {} {} → {}: {site}", loss.guard.code(), loss.reviewed, loss.new);
    }
    for host in hosts {
        eprintln!("  {name}: {}{}", host.host, if host.hidden { ", hidden" } else { "" });
    }
    (lines, !findings.together.is_empty())
}

fn measured(old: &[u8], new: &[u8]) -> (Findings, Duration) {
    let mut best = Duration::MAX;
    let mut findings = Findings::default();
    for _ in 0..TIMES {
        let begin = Instant::now();
        findings = compare(Some(old), new, Limits::default(), &|_| None);
        best = best.min(begin.elapsed());
    }
    (findings, best)
}

/// The attacks that the tests plant: each must have facts or hosts of its own.
fn planted() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../triage/tests/planted");
    let library = fs::read_to_string(folder.join("library.js"))?;
    let mut names: Vec<_> =
        fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    names.sort();
    let (mut all, mut named, mut together) = (0, 0, 0);
    println!("\n| planted | facts | hosts, hidden of them |\n|---|---|---|");
    for path in names.iter().filter(|path| !path.ends_with("library.js")) {
        let script = library.replace("/* planted */", &fs::read_to_string(path)?);
        let findings = compare(Some(library.as_bytes()), script.as_bytes(), Limits::default(), &|_| None);
        let codes: Vec<_> = findings.facts.iter().map(|fact| fact.capability.code()).collect();
        let hidden = findings.hosts.iter().filter(|host| host.hidden).count();
        let name = path.file_stem().unwrap_or_default().display();
        println!("| {name} | {} | {}, {hidden} |", codes.join(", "), findings.hosts.len());
        all += 1;
        named += usize::from(!codes.is_empty());
        together += usize::from(!findings.together.is_empty());
        for together in &findings.together {
            eprintln!("  {name}: {}", together.text());
        }
    }
    println!(
        "\n{named} of {all} planted attacks have facts of their own, {together} do several things in one function"
    );
    Ok(())
}

/// A file of a published package, fetched once.
fn script(folder: &Path, package: &str, version: &str, file: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let folder = folder.join(format!("{}-{version}", package.replace(['/', '@'], "")));
    let path = folder.join("package").join(file);
    if !path.exists() {
        fs::create_dir_all(&folder)?;
        let packed = Command::new("npm")
            .args(["pack", "--silent", "--ignore-scripts", &format!("{package}@{version}")])
            .current_dir(&folder)
            .output()?;
        let name = String::from_utf8(packed.stdout)?;
        let unpacked = Command::new("tar").args(["-xzf", name.trim()]).current_dir(&folder).status()?;
        if !packed.status.success() || !unpacked.success() {
            return Err(format!(
                "cannot fetch {package}@{version}: {}",
                String::from_utf8_lossy(&packed.stderr)
            )
            .into());
        }
    }
    fs::read(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}
