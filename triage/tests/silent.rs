//! Ways by which something else comes into a use that stayed, without a word of the use or of what it names being another.

use pinfold_triage::{Capability, Fact, Limits, compare};

fn html(old: &str, new: &str) -> Vec<Fact> {
    let findings = compare(Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None);
    assert_eq!(findings.not_analysed, None, "{new}");
    findings.facts.into_iter().filter(|fact| fact.capability == Capability::Html).collect()
}

/// The script around it, with a use of `given`.
fn around(script: &str, given: &str) -> String {
    format!("(function (cfg, other) {{ {script} show(1); el.innerHTML = clean({given}); }})(page, 1);")
}

/// Of each script, what it gives to a use is told where `HELD` is another, and is no fact where that is called another.
#[track_caller]
fn is_told(scripts: &[(&str, &str)]) {
    let mut silent = Vec::new();
    for (script, given) in scripts {
        let with = |held: &str| around(&script.replace("HELD", held), given);
        let facts = html(&with("cfg.first"), &with("other.second"));
        match facts.first().map(|fact| fact.sites.as_slice()) {
            Some([site]) if !site.origins.is_empty() || site.differs.is_some() => {}
            Some(sites) => silent.push(format!("{script}: {sites:?}")),
            None => silent.push(format!("{script}: nothing")),
        }
        let renamed = with("cfg.first").replace("cfg", "settings").replace("far", "away");
        assert_eq!(html(&with("cfg.first"), &format!("one(); {renamed} two();")), [], "{script}");
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

/// An addition that is told, and one that is not.
#[track_caller]
fn is_told_of_each(given: &str, before: &str, attacks: &[&str], benign: &[&str]) {
    let old = around(before, given);
    let facts = |more: &str| html(&old, &around(&format!("{before} {more}"), given));
    let silent: Vec<_> = attacks.iter().filter(|attack| facts(attack).is_empty()).collect();
    assert!(silent.is_empty(), "{silent:#?}");
    for more in benign {
        assert_eq!(facts(more), [], "{more}");
    }
}

#[test]
fn a_getter_that_reads_an_outer_variable() {
    is_told(&[
        ("var far = HELD; var o = { get href() { return far } };", "o.href"),
        ("var far = HELD; var o = { href() { return far } };", "o.href()"),
        ("var far = HELD; var o = { href: function () { return far } };", "o.href()"),
        ("var far = HELD; var o = { href: () => far };", "o.href()"),
        ("var far = HELD; var o = {}; o.href = function () { return far };", "o.href()"),
        ("var far = HELD; function make() { return far } var u = make();", "u"),
        ("var far = HELD; var make = () => far; ", "make()"),
        ("var far; function make() { return far } far = HELD; var u = make();", "u"),
    ]);
}

#[test]
fn a_member_of_a_class_that_reads_an_outer_variable() {
    is_told(&[
        ("var far = HELD; class Way { get href() { return far } } var o = new Way();", "o.href"),
        ("var far = HELD; class Way { href = far } var o = new Way();", "o.href"),
        ("var far = HELD; class Way { static href = far }", "Way.href"),
        ("class Way { static href = HELD }", "Way.href"),
        ("var far = HELD; class Way { static get href() { return far } }", "Way.href"),
        ("class Way { constructor() { this.href = HELD } } var o = new Way();", "o.href"),
    ]);
}

#[test]
fn a_member_of_a_class_behind_many_others() {
    let before: String = (0..40).map(|at| format!("method{at}() {{ return show({at}) }} ")).collect();
    let long: String = (0..40).map(|at| format!("show({at}); ")).collect();
    for member in [
        "static href = HELD;",
        "static get href() { return HELD }",
        "static href() { return HELD }",
        "static { this.href = HELD }",
        "static href() { LONG return HELD }",
    ] {
        let member = member.replace("LONG", &long);
        let given =
            if member.contains("href()") && !member.contains("get") { "Way.href()" } else { "Way.href" };
        is_told(&[(&format!("class Way {{ {before} {member} }}"), given)]);
        is_told(&[(&format!("var Way = class {{ {before} {member} }};"), given)]);
    }
}

#[test]
fn an_object_that_is_written_to_under_another_name() {
    is_told_of_each(
        "u.src",
        "var u = { src: cfg.base };",
        &[
            "var v = u; v.src = 'https://evil.test';",
            "var v; v = u; v.src = 'https://evil.test';",
            "var w = u, v = w; v.src = 'https://evil.test';",
            "(function (v) { v.src = 'https://evil.test' })(u);",
            "[u].forEach(function (v) { v.src = 'https://evil.test' });",
            "for (var v of [u]) v.src = 'https://evil.test';",
            "var { v } = { v: u }; v.src = 'https://evil.test';",
            "var all = { u }; all.u.src = 'https://evil.test';",
        ],
        &["var v = other; v.src = cfg.more;", "(function (v) { v.src = 1 })(other);", "var v = u;"],
    );
    is_told(&[
        ("var u = {}; var v = u; v.src = HELD;", "u.src"),
        ("var u = {}, v; (v = u).src = HELD;", "u.src"),
    ]);
}

#[test]
fn variables_that_are_swapped() {
    is_told_of_each(
        "a",
        "var a = cfg.base, b = cfg.text, t = 0;",
        &["[a, b] = [b, a];", "t = a; a = b; b = t;", "({ a: b, b: a } = { a, b });", "[b, a] = [a, b];"],
        &["t = a; b = t;", "[b, t] = [t, b];"],
    );
    let script = |swap: &str| around(&format!("var a = cfg.base, b = cfg.text; {swap}"), "a");
    assert!(!html(&script("[a, b] = [a, b];"), &script("[b, a] = [a, b];")).is_empty());
    assert!(!html(&script("[a, b] = [a, b];"), &script("[a, b] = [b, a];")).is_empty());
}

#[test]
fn an_object_that_is_written_to_by_what_it_is_handed_to() {
    is_told_of_each(
        "u.src",
        "var u = { src: cfg.base }; function fill(o, x) { o.src = x } function shown(o) { return o.src }",
        &[
            "fill(u, 'https://evil.test');",
            "Object.assign(u, { src: 'https://evil.test' });",
            "Object.defineProperty(u, 'src', { value: 'https://evil.test' });",
            "Object.defineProperties(u, { src: { value: 'https://evil.test' } });",
            "Reflect.set(u, 'src', 'https://evil.test');",
            "cfg.tools.fill(u, 'https://evil.test');",
            "u['s' + 'rc'] = 'https://evil.test';",
            "delete u.src;",
            "Object.setPrototypeOf(u, other);",
            "u.__proto__ = other;",
            "u.__defineGetter__('src', () => other);",
            "fill.call(null, u, 'https://evil.test');",
            "u.src += 'https://evil.test';",
            "[u.src] = ['https://evil.test'];",
            "({ at: u.src } = { at: 'https://evil.test' });",
            "for (u.src of ['https://evil.test']);",
            "new Filler(u, 'https://evil.test');",
        ],
        &[
            "fill(other, 'a text');",
            "Object.assign(other, { src: cfg.more });",
            "show(u.src);",
            "shown(other);",
        ],
    );
    is_told(&[
        ("var u = {}; function fill(o, x) { o.src = x } fill(u, HELD);", "u.src"),
        ("var u = {}; function fill(o) { o.src = HELD } fill(u);", "u.src"),
        (
            "var u = {}; function fill(o) { cfg.one(1); cfg.two(2); cfg.three(3); cfg.four(4); cfg.five(5); cfg.six(6); cfg.seven(7); cfg.eight(8); cfg.nine(9); cfg.ten(10); o.src = HELD } fill(u);",
            "u.src",
        ),
        ("var u = {}; Object.assign(u, { src: HELD });", "u.src"),
        ("var u = {}; Object.defineProperty(u, 'src', { get: () => HELD });", "u.src"),
        ("var u = {}; Reflect.set(u, 'src', HELD);", "u.src"),
        ("var far = HELD, u = {}; Reflect.set(u, 'src', far);", "u.src"),
    ]);
}

#[test]
fn a_method_that_is_handed_on() {
    is_told(&[
        ("var u = {}, obj = { set(x) { this.src = x } }; var f = obj.set; f.call(u, HELD);", "u.src"),
        ("var u = {}, obj = { set(x) { this.src = x } }; var f = obj.set; f.apply(u, [HELD]);", "u.src"),
        ("var u = {}, obj = { set(x) { this.src = x } }; obj.set.bind(u)(HELD);", "u.src"),
        ("var u = {}, obj = { set(x) { this.src = x } }; var f = obj.set.bind(u); f(HELD);", "u.src"),
        ("var u = { set(x) { this.src = x } }; u.set(HELD);", "u.src"),
    ]);
    is_told_of_each(
        "u.src",
        "var u = { src: cfg.base }, obj = { set(x) { this.src = x } }; var f = obj.set;",
        &[
            "f.call(u, 'https://evil.test');",
            "f.apply(u, ['https://evil.test']);",
            "f.bind(u)('https://evil.test');",
            "var g = f.bind(u); g('https://evil.test');",
            "Reflect.apply(f, u, ['https://evil.test']);",
        ],
        &["f.call(other, 'a text');", "f.bind(other)('a text');"],
    );
}

#[test]
fn a_condition_around_an_assignment() {
    is_told(&[
        ("var u = cfg.base; if (HELD) u = cfg.text;", "u"),
        ("var u = cfg.base; if (HELD) { show(2); u = cfg.text; }", "u"),
        ("var u = cfg.base; if (cfg.rare) show(2); else if (HELD) u = cfg.text;", "u"),
        ("var u = cfg.base; HELD && (u = cfg.text);", "u"),
        ("var u = cfg.base; HELD ? (u = cfg.text) : 0;", "u"),
        ("var u = cfg.base; while (HELD) u = cfg.text;", "u"),
        ("var u = cfg.base; for (; HELD; ) u = cfg.text;", "u"),
        ("var u = cfg.base; switch (HELD) { case 1: u = cfg.text }", "u"),
        ("var u = cfg.base; switch (1) { case HELD: u = cfg.text }", "u"),
        ("var u = {}; if (HELD) u.src = cfg.text;", "u.src"),
        ("var u = []; if (HELD) u.push(cfg.text);", "u"),
        ("var u = cfg.base; (function () { if (HELD) return; u = cfg.text })();", "u"),
    ]);
    let script = |test: &str| around(&format!("var u = cfg.base; if ({test}) u = cfg.text;"), "u");
    assert!(!html(&script("document.cookie"), &script("true")).is_empty());
    assert!(!html(&script("document.cookie"), &script("!document.cookie")).is_empty());
}

/// What one member of an object holds is nothing to what reads another.
#[test]
fn another_member_of_an_object_is_no_fact() {
    for (script, given) in [
        ("var u = {}; u.src = cfg.base; u.more = HELD;", "u.src"),
        ("var u = { src: cfg.base, more: HELD };", "u.src"),
        ("var u = {}; u.src = cfg.base; if (HELD) u.more = 1;", "u.src"),
        ("function u() {} u.src = cfg.base; u.more = function () { return HELD };", "u.src"),
        ("var u = {}; u.src = function () { return cfg.base }; u.more = HELD;", "u.src()"),
        ("class Way { static src = cfg.base; static more = HELD }", "Way.src"),
        ("var u = {}; u.src = cfg.base; Object.assign(u, { more: HELD });", "u.src"),
    ] {
        let with = |held: &str| around(&script.replace("HELD", held), given);
        assert_eq!(html(&with("cfg.first"), &with("other.second")), [], "{script}");
    }
}

/// Where it is not clear that no other member is read, all of them count.
#[test]
fn a_member_that_reads_others_is_told_with_them() {
    is_told(&[
        ("var u = {}; u.more = HELD; u.src = function () { return this.more };", "u.src()"),
        ("var u = {}; u.more = HELD; u.src = function () { return u.more };", "u.src()"),
        ("var u = { more: HELD, get src() { return this.more } };", "u.src"),
        ("var u = { more: HELD, src() { return this.more } };", "u.src()"),
        ("var u = {}; u.more = HELD;", "u[cfg.key]"),
        ("var u = {}; u.more = HELD; u[cfg.key] = cfg.text;", "u"),
        ("var u = {}; u[HELD] = cfg.text;", "u.src"),
        ("var u = {}; u.__proto__ = HELD;", "u.src"),
        ("var u = []; u.push(HELD);", "u.join('')"),
        ("var u = {}; u.more = HELD;", "u.toString()"),
        ("var u = {}; u.more = HELD; u.src = cfg.base;", "cfg.write(u)"),
        ("var u = { more: HELD }; var { more } = u;", "more"),
        ("var u = { more: HELD }; var v = u;", "v.more"),
        ("var u = {}; u.more = HELD; var src = function () { return this.more }; u.src = src;", "u.src()"),
    ]);
}

/// Each use reads the whole list: it is read once for all of them.
#[test]
fn a_list_of_many_members_that_is_handed_to_many_uses() {
    let script = |word: &str| {
        let members: Vec<_> = (0..30_000).map(|at| format!("cfg.part{at}")).collect();
        let uses: String = (0..2000).map(|at| format!("el.innerHTML = f(list, {at});\n")).collect();
        format!("(function (cfg) {{ var list = [{}, cfg.{word}]; {uses} }})(page)", members.join(", "))
    };
    let facts = html(&script("first"), &script("second"));
    assert_eq!(facts.first().map(|fact| fact.others), Some(2000));
    assert_eq!(html(&script("first"), &format!("one(); {}", script("first"))), []);
}
