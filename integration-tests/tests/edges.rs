//! Who may depend on whom: the architecture's allowed edges, read off `cargo metadata`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// What each crate may depend on of this workspace. The binary wires them all together; the tests may see everything.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("policy", &[]),
    ("body", &["policy"]),
    ("certs", &["policy"]),
    ("config", &["policy"]),
    ("store", &["policy", "body"]),
    ("siem", &["policy", "store"]),
    ("proxy", &["policy", "body", "certs", "store"]),
    ("triage", &[]),
    ("console", &["policy", "store", "triage"]),
    ("oidc", &[]),
    ("bench", &["policy", "body", "config"]),
    ("load", &[]),
    ("pairs", &["triage"]),
];

/// Crates that only one of ours may name, so that what they are for has one place.
const WRAPPED: [(&str, &[&str]); 8] = [
    ("policy", &["argon2", "password-hash", "scrypt", "bcrypt"]),
    ("body", &["flate2", "brotli", "zstd", "async-compression", "zlib-rs", "miniz_oxide", "ruzstd"]),
    ("store", &["sqlx", "rusqlite", "object_store", "tokio-postgres", "libsqlite3-sys"]),
    ("config", &["toml", "toml_edit", "toml_datetime", "toml_parser"]),
    ("certs", &["rcgen"]),
    ("oidc", &["jsonwebtoken", "openidconnect", "oauth2"]),
    ("triage", &["oxc_parser", "oxc_ast", "oxc_semantic", "oxc_codegen", "similar"]),
    ("triage", &["object", "goblin", "cfb", "cms", "tar", "zip", "wasmparser"]),
];

/// The yardstick that the load bench holds pinfold to decodes by itself. Triage unpacks members of archives for people to look
/// at; the decoders of `body` are those of HTTP, and what they give is judged.
const ALSO: [(&str, &str); 2] = [("load", "flate2"), ("triage", "flate2")];

/// What the pure crates never see, however far down.
const IMPURE: [&str; 6] = ["tokio", "hyper", "rustls", "mio", "socket2", "async-std"];

const EXEMPT: [&str; 1] = ["integration-tests"];

#[test]
fn crates_of_the_workspace_depend_on_each_other_as_designed() {
    let allowed = BTreeMap::from(ALLOWED);
    for package in members() {
        let name = short(package);
        if name == "cli" || EXEMPT.contains(&name) {
            continue;
        }
        let allowed = allowed
            .get(name)
            .unwrap_or_else(|| panic!("{name} has no allowed edges: decide them here first"));
        for dependency in direct(package).filter_map(|dependency| dependency.strip_prefix("pinfold-")) {
            assert!(allowed.contains(&dependency), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn codecs_databases_toml_certificates_and_password_hashes_have_one_crate_each() {
    for (owner, wrapped) in WRAPPED {
        for package in
            members().filter(|package| short(package) != owner && !EXEMPT.contains(&short(package)))
        {
            let name = short(package);
            let named = direct(package).filter(|dependency| wrapped.contains(dependency));
            let named: Vec<_> = named.filter(|dependency| !ALSO.contains(&(name, dependency))).collect();
            assert!(named.is_empty(), "{name} depends on {named:?}, which only {owner} may");
        }
    }
}

#[test]
fn the_pure_crates_never_see_a_runtime_a_socket_or_tls() {
    for pure in ["policy", "body", "triage"] {
        let package = members().find(|package| short(package) == pure).unwrap();
        let impure: Vec<_> = reachable(package).into_iter().filter(|name| IMPURE.contains(name)).collect();
        assert!(impure.is_empty(), "{pure} reaches {impure:?}");
    }
}

#[test]
fn folders_are_named_after_their_packages() {
    for package in members() {
        assert_eq!(package.manifest_path.parent().unwrap().file_name(), Some(short(package)));
    }
}

fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| {
        let locked = vec!["--locked".to_owned()];
        MetadataCommand::new().current_dir(env!("CARGO_MANIFEST_DIR")).other_options(locked).exec().unwrap()
    })
}

fn members() -> impl Iterator<Item = &'static Package> {
    metadata().workspace_packages().into_iter()
}

fn short(package: &Package) -> &str {
    package.name.strip_prefix("pinfold-").expect("packages of the workspace are called pinfold-…")
}

/// What a package names itself; dev-dependencies are free, as they never ship.
fn direct(package: &Package) -> impl Iterator<Item = &str> {
    let ships = |kind| kind != DependencyKind::Development;
    package
        .dependencies
        .iter()
        .filter(move |dependency| ships(dependency.kind))
        .map(|dependency| dependency.name.as_str())
}

/// All that a package links, however far down.
fn reachable(package: &Package) -> BTreeSet<&'static str> {
    let nodes: BTreeMap<&PackageId, _> =
        metadata().resolve.as_ref().unwrap().nodes.iter().map(|node| (&node.id, node)).collect();
    let names: BTreeMap<&PackageId, &str> =
        metadata().packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let mut seen = BTreeSet::from([&package.id]);
    let mut open = vec![&package.id];
    while let Some(id) = open.pop() {
        for dependency in &nodes[id].deps {
            let links = dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            if links && seen.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    seen.into_iter().map(|id| names[id]).collect()
}
