use super::*;

fn kinds(asked: Asked<'_>, answered: Answered<'_>) -> String {
    classify(&asked, &answered).to_string()
}

fn at(path: &str) -> Asked<'_> {
    Asked { path, ..Asked::default() }
}

#[test]
fn what_the_browser_wants_counts_whatever_the_vendor_calls_it() {
    for destination in [
        "script",
        "worker",
        "sharedworker",
        "serviceworker",
        "audioworklet",
        "paintworklet",
        "sharedstorageworklet",
        "webbundle",
        "Script",
        "empty,script",
        "image, script;x=y",
    ] {
        let asked = Asked { destinations: destination, path: "/a.png", ..Asked::default() };
        let answered = Answered { content_types: &["image/png"], ..Answered::default() };
        assert_eq!(kinds(asked, answered), "script", "{destination}");
    }
    let worker = Asked { service_worker: true, path: "/sw", ..Asked::default() };
    assert_eq!(kinds(worker, Answered::default()), "script");
}

#[test]
fn the_type_counts_whatever_the_path_is_called() {
    for (content_type, expected) in [
        ("text/javascript", "script"),
        ("Application/JavaScript; charset=utf-8", "script"),
        ("text/livescript", "script"),
        (" application/wasm ", "wasm"),
        ("text/css", "style"),
        ("image/svg+xml", "document"),
        ("application/xhtml+xml", "document"),
        ("application/x-msdownload", "installer"),
        ("image/png", ""),
        ("text/plain", ""),
        ("text/plain, text/javascript", "script"),
        ("text/javascript (x)", "script"),
        ("text/javascript x", "script"),
        ("text/javascript\t;", "script"),
        ("application/webbundle", "script"),
        ("application/signed-exchange;v=b3", "script"),
        ("application/x-ns-proxy-autoconfig", "script"),
        ("text/xsl", "document"),
        ("multipart/x-mixed-replace; boundary=x", "document"),
        ("application/x-java-jnlp-file", "installer"),
        ("application/octet-stream; name=\"setup.exe\"", "installer"),
        ("application/json", ""),
        ("font/woff2", ""),
        ("video/mp4", ""),
        ("application/zip", ""),
        ("application/gzip", ""),
        ("application/x-tar", ""),
        ("application/octet-stream", ""),
    ] {
        let answered = Answered { content_types: &[content_type], ..Answered::default() };
        assert_eq!(kinds(at("/x"), answered), expected, "{content_type}");
    }
}

#[test]
fn names_count_in_the_path_and_in_the_disposition() {
    for (path, expected) in [
        ("/a/app.js", "script"),
        ("/a/APP.MJS", "script"),
        ("/a/setup.exe", "installer"),
        ("/a/setup.exe.", "installer"),
        ("/a/setup.bat%20", "installer"),
        ("/install.sh", "installer"),
        ("/a/app.js;v=1", "script"),
        ("/a/setup.exe::$DATA", "installer"),
        ("/a/setup.exe%00.png", "installer"),
        ("/a.js/logo.png", ""),
        ("/app.js.map", ""),
        ("/archive.tar.gz", ""),
        ("/archive.zip", ""),
        ("/segment.ts", ""),
        ("/readme.txt", ""),
        ("/noextension", ""),
    ] {
        assert_eq!(kinds(at(path), Answered::default()), expected, "{path}");
    }
    for name in ["Setup.EXE", "setup%2Eexe", "..\\setup.exe", "setup.exe%20", "setup\u{ff0e}exe"] {
        let value = format!("attachment; filename=x.txt; filename*=UTF-8''{name}");
        let renamed = Answered { dispositions: &[value.as_bytes()], ..Answered::default() };
        assert_eq!(kinds(at("/picture.png"), renamed), "installer", "{name}");
    }
}

#[test]
fn a_name_that_cannot_be_read_may_be_any() {
    let value = b"attachment; filename*=UTF-16''%00s";
    let hidden = Answered { dispositions: &[value], ..Answered::default() };
    assert_eq!(kinds(at("/picture.png"), hidden), "script,wasm,style,document,installer");
}

#[test]
fn a_redirect_counts_by_the_name_that_it_leads_to() {
    for (location, expected) in [
        ("https://evil.test/app.js?x#y", "script"),
        ("//user@evil.test/setup.exe", "installer"),
        ("/moved/app.mjs", "script"),
        ("app.js", "script"),
        ("https://vendor.com", ""),
        ("https://vendor.com?next=app.js", ""),
        ("https://vendor.test/login", ""),
        ("https://vendor.test/logo.png", ""),
    ] {
        let answered = Answered { locations: &[location], ..Answered::default() };
        assert_eq!(kinds(at("/livechat"), answered), expected, "{location}");
    }
}

#[test]
fn magic_counts_whatever_the_type_says() {
    for (start, expected) in [
        (&b"\0asm\x01\0\0\0"[..], "wasm"),
        (b"MZ\x90\0", "installer"),
        (b"\x7fELF", "installer"),
        (b"#!/bin/sh", "installer"),
        (b"\xef\xbb\xbf#!/bin/sh", "installer"),
        (b"\xcf\xfa\xed\xfe", "installer"),
        (b"!<arch>\ndebian-binary", "installer"),
        (b"\xed\xab\xee\xdb\x03", "installer"),
        (b"MSCF\0\0", "installer"),
        (b"\x89PNG\r\n\x1a\n", ""),
        (b"PK\x03\x04", ""),
        (b"!<arch>\nlib.o/", ""),
        (b"", ""),
    ] {
        let answered = Answered { content_types: &["image/png"], starts: &[start], ..Answered::default() };
        assert_eq!(kinds(at("/x.png"), answered), expected, "{start:?}");
    }
}

/// A caller that looks at [`MAGIC_LEN`] bytes alone sees each of them.
#[test]
fn no_magic_reaches_beyond_what_callers_look_at() {
    for magic in INSTALLER_MAGIC {
        let behind_a_mark = [BYTE_ORDER_MARK, magic].concat();
        assert!(behind_a_mark.len() <= MAGIC_LEN, "{magic:?}");
        let answered = Answered { starts: &[&behind_a_mark], ..Answered::default() };
        assert_eq!(kinds(at("/x"), answered), "installer", "{magic:?}");
    }
}

#[test]
fn one_response_can_be_several_kinds() {
    let answered = Answered { content_types: &["text/html"], starts: &[b"MZ"], ..Answered::default() };
    assert_eq!(kinds(at("/app.js"), answered), "script,document,installer");
}

#[test]
fn nobody_waits_for_bytes_that_cannot_matter() {
    for start in [&b""[..], b"M", b"\x7fE", b"\xef\xbb", b"\xef\xbb\xbf#", b"\0as", b"RIFF\0\0\0\0WEB"] {
        assert!(could_become_magic(start), "{start:?}");
    }
    for start in [&b":\n\n"[..], b"data: 1", b"{\"", b"MZ", b"<", b"\xef\xbb\xbfq", b"#!"] {
        assert!(!could_become_magic(start), "{start:?}");
    }
}
