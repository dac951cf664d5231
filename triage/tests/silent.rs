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
            "var all = { u }, v = all.u; v.src = 'https://evil.test';",
            "var all = [u], v = all[0]; v.src = 'https://evil.test';",
            "var all = [u], [v] = all; v.src = 'https://evil.test';",
            "var v = new Proxy(u, {}); v.src = 'https://evil.test';",
            "var v = Object(u); v.src = 'https://evil.test';",
            "function held() { return u } held().src = 'https://evil.test';",
            "var held = () => u; held().src = 'https://evil.test';",
            "(() => u)().src = 'https://evil.test';",
        ],
        &[
            "var v = other; v.src = cfg.more;",
            "(function (v) { v.src = 1 })(other);",
            "var v = u;",
            "var all = { u, other }, v = all.other; v.src = cfg.more;",
            "var v = u.more; v.src = cfg.more;",
            "function held() { return other } held().src = cfg.more;",
            "function held() { var u = {}; return u } held().src = cfg.more;",
        ],
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
            "function put(...all) { all[0].src = 'https://evil.test' } put(u);",
            "function put() { arguments[0].src = 'https://evil.test' } put(u);",
            "function put(x, o) { o.src = x } put(...[1], u);",
            "function put(x, o) { o.src = x } put.bind(null, 'https://evil.test', u)();",
            "var all = { put(o) { o.src = 'https://evil.test' } }; var done = all.put(u);",
            "class Put { constructor(o) { o.src = 'https://evil.test' } } var done = new Put(u);",
        ],
        &[
            "fill(other, 'a text');",
            "Object.assign(other, { src: cfg.more });",
            "show(u.src);",
            "shown(other);",
            "function put(x, o) { o.src = x } put(u.more, other);",
            "class Put { constructor(o) { o.src = 1 } } var done = new Put(other);",
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
        ("var u = cfg.base; (function () { if (HELD) show(2); else return; u = cfg.text })();", "u"),
        ("var u = cfg.base; do u = cfg.text; while (HELD)", "u"),
        ("var u = cfg.base; for (var one of HELD) u = cfg.text;", "u"),
        ("var u = cfg.base; for (var one in HELD) u = cfg.text;", "u"),
        ("var u = {}; function fill(o) { o.src = cfg.text } if (HELD) fill(u);", "u.src"),
    ]);
    for [old, new] in [
        ["if (cfg.a) u = cfg.text;", "if (cfg.a); else u = cfg.text;"],
        ["cfg.a && (u = cfg.text);", "cfg.a || (u = cfg.text);"],
        ["cfg.a ? (u = cfg.text) : 0;", "cfg.a ? 0 : (u = cfg.text);"],
    ] {
        let script = |put: &str| around(&format!("var u = cfg.base; {put}"), "u");
        assert!(!html(&script(old), &script(new)).is_empty(), "{new}");
    }
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
        ("var u = {}; u.more = HELD; u.src = cfg.read;", "u.src()"),
        ("var u = { src: cfg.read }; u.more = HELD;", "u.src()"),
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

/// Which of them is meant is looked up, and not searched for each time.
#[test]
fn a_list_of_many_members_of_which_each_is_used() {
    let script = |word: &str| {
        let members: Vec<_> = (0..20_000).map(|at| format!("part{at}: 'a{at}'")).collect();
        let uses: String = (0..20_000).map(|at| format!("f(list.part{at});\n")).collect();
        format!("var list = {{ {}, last: {word} }}; {uses} el.innerHTML = list.last;", members.join(", "))
    };
    assert_eq!(html(&script("cfg.first"), &script("other.second")).len(), 1);
}

/// A call of what a name stands for is what that gives back, and not the name alone.
#[test]
fn a_function_that_the_use_calls_gives_back_something_else() {
    let long = "show(1); ".repeat(20);
    is_told(&[
        ("var far = HELD; async function f() { return await far }", "f()"),
        ("var far = HELD; function* f() { yield far }", "f()"),
        ("var far = HELD; function f() { try { return far } finally { show(2) } }", "f()"),
        ("var far = HELD; function f() { switch (cfg.a) { case 1: return far } }", "f()"),
        ("var far = HELD; function f() { return { a: far } }", "f()"),
        ("var far = HELD; var o = { get href() { var x = far; return x } };", "o.href"),
        (&format!("function f() {{ {long} if (cfg.a) return HELD; return 1 }}"), "f()"),
        (&format!("function f() {{ {long} return HELD }}"), "cfg.list.map(f)"),
    ]);
    // Through another function it is told, and not from where.
    let script = |far: &str| {
        let script = "function g() { show(2); return [far] } function f() { show(3); return g() }";
        around(&format!("var far = {far}; {script}"), "f()")
    };
    assert!(!html(&script("cfg.first"), &script("other.second")).is_empty());
}

/// Of two ways, one that leads to a global or a text hid the other.
#[test]
fn a_use_that_is_given_something_else_in_one_of_two_ways() {
    let is_told = |[old, new]: [&str; 2]| !html(&around("", old), &around("", new)).is_empty();
    for ways in [
        ["cfg.z ? cfg.a : cfg.b", "cfg.z ? cfg.a : location.hash"],
        ["cfg.z ? cfg.a : cfg.b", "cfg.y ? cfg.a : cfg.b"],
        ["cfg.z ? 'a' : f(other)", "cfg.z ? 'a' : atob(other)"],
        ["cfg.z && cfg.a", "location.hash && cfg.a"],
        ["cfg.z || cfg.a", "cfg.z || location.hash"],
        ["[...cfg.a]", "[...location.hash]"],
        ["f`${cfg.a}`", "f`${location.hash}`"],
        ["{ [cfg.a]: 1 }", "{ [location.hash]: 1 }"],
        ["{ get a() { return cfg.a } }", "{ get a() { return location.hash } }"],
        ["cfg.list.map(one => one.a)", "cfg.list.map(one => location.hash)"],
        ["import(cfg.a)", "import(location.hash)"],
    ] {
        assert!(is_told(ways), "{ways:?}");
    }
    let bound = |value: &str| around(&format!("var u = cfg.z ? 'a' : f({value});"), "u + 'b'");
    assert!(!html(&bound("cfg.a"), &bound("location.hash")).is_empty());
}

#[test]
fn a_function_that_is_handed_something_else_in_other_ways_than_one_by_one() {
    for (function, call) in [
        ("function set(...v) { u = v[0] }", "set(HELD)"),
        ("function set(a, v) { u = v }", "set(...[1, HELD])"),
        ("function set(a, v) { u = v }", "set.apply(null, [1, HELD])"),
        ("function set(a, v) { u = v }", "set.bind(null, 1)(HELD)"),
        ("function set(a, v) { u = v }", "var put = set.bind(null, 1); put(HELD)"),
        ("function set(s, v) { u = v }", "set`${HELD}`"),
        ("function set(v) { u = v }", "new set(HELD)"),
        ("function set(v) { u = v }", "[HELD].forEach(set)"),
        ("var set = v => { u = v };", "setTimeout(set, 0, HELD)"),
        ("var all = { set(v) { u = v } };", "all.set(HELD)"),
        ("class All { static set(v) { u = v } }", "All.set(HELD)"),
    ] {
        is_told(&[(&format!("var u; {function} {call};"), "u")]);
    }
}

#[test]
fn a_method_of_its_own_object_that_is_called_with_something_else() {
    let before = "var u = { src: cfg.base, move(x) { this.src = x }, show(x) { other.log(x) } };";
    is_told_of_each("u.src", before, &["u.move('https://evil.test');"], &["u.show('a text');"]);
}

#[test]
fn what_is_spread_over_a_member() {
    let script = |members: &str| around(&format!("var u = {{ {members} }};"), "u.src");
    let before = script("src: cfg.base, ...other");
    assert!(!html(&script("...other, src: cfg.base"), &before).is_empty());
    assert!(!html(&script("src: cfg.base"), &before).is_empty());
    assert_eq!(html(&before, &script("src: cfg.base, more: 1, ...other")), []);
}

/// Functions in a list that give the list back, and many uses of it: what goes beyond the bounds is read once.
#[test]
fn functions_that_give_back_each_other() {
    let script = |word: &str| {
        let functions = "() => list, ".repeat(2000);
        let uses: String = (0..1000).map(|at| format!("el.innerHTML = f(list, {at});\n")).collect();
        format!("(function (cfg) {{ var list = [{functions} () => cfg.{word}]; {uses} }})(page)")
    };
    assert!(!html(&script("first"), &script("second")).is_empty());
}

#[test]
fn a_call_of_many_arguments_that_is_handed_to_many_uses() {
    let script = |word: &str| {
        let arguments: String = (0..20_000).map(|at| format!("cfg.part{at}, ")).collect();
        let uses: String = (0..1000).map(|at| format!("el.innerHTML = f(all, {at});\n")).collect();
        format!("(function (cfg) {{ var all = g({arguments} cfg.{word}); {uses} }})(page)")
    };
    assert!(!html(&script("first"), &script("second")).is_empty());
}
