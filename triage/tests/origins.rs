//! Uses whose code stayed, and into which something else comes.

#![expect(clippy::panic, reason = "a test fails by it")]

use pinfold_triage::{Capability, Elsewhere, Fact, Findings, Limits, OtherOrigin, compare};

fn changed(old: &str, new: &str) -> Findings {
    compare(Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None)
}

/// The facts about HTML.
fn html(old: &str, new: &str) -> Vec<Fact> {
    changed(old, new).facts.into_iter().filter(|fact| fact.capability == Capability::Html).collect()
}

/// What is told of the only place of the only fact, which is told once.
fn origins(old: &str, new: &str) -> Vec<(String, String, String)> {
    let facts = html(old, new);
    let [fact] = facts.as_slice() else { panic!("{new}: {facts:?}") };
    let [site] = fact.sites.as_slice() else { panic!("{new}: {fact:?}") };
    assert_eq!((fact.others, fact.gone.len(), site.are_more_origins), (1, 0, false), "{new}: {fact:?}");
    let shown =
        |there: &Option<Elsewhere>| there.as_ref().map(|there| there.excerpt.to_string()).unwrap_or_default();
    let each = site.origins.iter();
    each.map(|OtherOrigin { name, old, new }| (name.to_string(), shown(old), shown(new))).collect()
}

/// A function that sets HTML from `u`.
fn sets(before: &str) -> String {
    format!("(function (cfg, other) {{ {before} show(u); el.innerHTML = clean(u); }})(page, 1);")
}

#[test]
fn a_use_whose_code_stayed_is_told_once_with_the_origin_that_changed() {
    let found = origins(&sets("var u = cfg.base;"), &sets("var u = 'https://evil.test';"));
    let wanted = ("u", "var u = cfg.base;", "var u = \"https://evil.test\";");
    assert_eq!(found, [(wanted.0.to_owned(), wanted.1.to_owned(), wanted.2.to_owned())]);
}

/// Whichever way something else comes into it.
#[test]
fn an_origin_that_changed_is_told_however_far_away_and_however_it_is_bound() {
    for script in [
        "var u = HELD;",
        "var far = HELD; var u = far;",
        "var far = HELD; var near = far.text; var u = near.part;",
        "var { text: u } = HELD;",
        "var { text: u = HELD } = cfg;",
        "var [, u = HELD] = cfg.list;",
        "var u; u = HELD;",
        "var u = cfg.a; if (cfg.b) u = HELD;",
        "var make = function () { return HELD; }; var u = make();",
        "var make = () => HELD; var u = make();",
        "var u = (() => HELD)();",
        "var u = (x => x)(HELD);",
        "var u = []; u.push(HELD);",
        "var u = {}; u.text = HELD;",
        "var u; for (u of HELD) show(u);",
        "var u; ({ text: u } = HELD);",
    ] {
        let with = |held: &str| sets(&script.replace("HELD", held));
        let facts = html(&with("cfg.first"), &with("other.second"));
        assert!(!facts.is_empty(), "{script}");
        assert!(facts[0].sites.len() == 1 && facts[0].gone.len() <= 1, "{script}: {facts:?}");
    }
}

#[test]
fn a_loop_variable_and_a_parameter_that_hold_something_else_are_told_once() {
    for script in [
        "(list, other) => { for (const u of HELD) { el.innerHTML = f(f(f(f(f(f(f(f(f(f(u)))))))))) } }",
        "(list, other) => { HELD.forEach((u) => { el.innerHTML = f(f(f(f(f(f(f(f(f(f(u)))))))))) }) }",
        "(list, other) => { const set = ({ u = HELD }) => { el.innerHTML = f(f(f(f(f(f(f(f(f(f(u)))))))))) }; set() }",
    ] {
        let with = |held: &str| script.replace("HELD", held);
        let found = origins(&with("list.first"), &with("other.second"));
        let [(name, was, is)] = found.as_slice() else { panic!("{script}: {found:?}") };
        assert_eq!(name, "u");
        assert!(was.contains("list.first") && is.contains("other.second"), "{script}: {found:?}");
    }
}

#[test]
fn renamed_and_moved_origins_are_no_fact() {
    let old = sets("function a(x) { return x.text; } var first = cfg.base; var u = a(first);");
    for new in [
        sets("function b(y) { return y.text; } var second = cfg.base; var u = b(second);"),
        sets("var first = cfg.base; var u = a(first); function a(x) { return x.text; }"),
        old.replace("cfg", "settings"),
    ] {
        assert_eq!(html(&old, &format!("one(); {new} two();")), [], "{new}");
    }
}

/// Another variable under the name that the first had, and one that only reads like it.
#[test]
fn an_origin_under_the_name_of_another_is_told() {
    let deep = |given: &str, before: &str| {
        format!(
            "(function (cfg, other) {{ {before} el.innerHTML = {}{given}{}; }})(page, f);",
            "f(".repeat(12),
            ")".repeat(12)
        )
    };
    for (old, new) in [
        (deep("u", "var u = cfg.a, v = cfg.b;"), deep("u", "var v = cfg.a, u = cfg.b;")),
        (deep("u", "var u = cfg.a;"), deep("v", "var u = cfg.a, v = cfg.secret;")),
        (deep("u", "var u = cfg.a;"), deep("u", "var u = cfg.secret;")),
        (deep("u", "var u = cfg.a;"), deep("u", "{ let u = cfg.a; show(u) } var u = cfg.secret;")),
        (deep("cfg", ""), deep("other", "")),
        (deep("u", "var u = cfg.a; u = clean(u);"), deep("u", "var u = clean(u); u = cfg.a;")),
    ] {
        assert!(!html(&old, &new).is_empty(), "{new}");
    }
}

/// Whoever changes the origins of many variables hides none behind them.
#[test]
fn more_origins_than_are_told_are_said_to_be_more() {
    let many = |word: &str, last: &str| {
        let before: String = (0..20).map(|at| format!("var v{at} = {word}.part{at};")).collect();
        let all: Vec<_> = (0..20).map(|at| format!("v{at}")).collect();
        format!("(function () {{ {before} var u = {last}; el.innerHTML = f({}, u); }})()", all.join(", "))
    };
    let facts = html(&many("first", "page.text"), &many("second", "page.secret"));
    let site = &facts[0].sites[0];
    assert!(site.are_more_origins && site.origins.len() == 8, "{site:?}");
}

#[test]
fn what_is_new_is_new_and_what_is_gone_is_gone_beside_what_stayed() {
    let old = "(function (cfg) { var u = cfg.a; el.innerHTML = u; gone.innerHTML = cfg.b; })(page)";
    let new = "(function (cfg) { var u = cfg.evil; el.innerHTML = u; there.innerHTML = cfg.c; })(page)";
    let facts = html(old, new);
    let shown = |site: &pinfold_triage::Site| (site.excerpt.to_string(), site.origins.len());
    let sites: Vec<_> = facts[0].sites.iter().map(shown).collect();
    let gone: Vec<_> = facts[0].gone.iter().map(shown).collect();
    let as_is = |text: &str, origins| (text.to_owned(), origins);
    assert_eq!(sites, [as_is("there.innerHTML = cfg.c;", 0), as_is("el.innerHTML = u;", 1)]);
    assert_eq!(gone, [as_is("gone.innerHTML = cfg.b;", 0)]);
}

#[test]
fn two_places_on_one_line_that_read_the_same_tell_both_origins() {
    let both = |first: &str, second: &str| {
        format!(
            "(function (p) {{ function a(el) {{ var u = p.{first}; return el.innerHTML = u, 1 }} function b(el) {{ var u = p.{second}; return \
             el.innerHTML = u, 1 }} }})(page)"
        )
    };
    let facts = html(&both("one", "two"), &both("three", "four"));
    let told: Vec<_> = facts[0].sites.iter().flat_map(|site| &site.origins).collect();
    assert_eq!(told.len(), 2, "{facts:?}");
}

#[test]
fn a_version_in_an_origin_is_no_difference_and_an_address_is_one() {
    let deep = |text: &str| {
        format!(
            "(function () {{ var u = {{ at: '{text}' }}; el.innerHTML = {}u{}; }})()",
            "f(".repeat(12),
            ")".repeat(12)
        )
    };
    assert_eq!(html(&deep("1.13.5"), &deep("1.13.6")), []);
    assert_eq!(html(&deep("lib@4.17.20/a"), &deep("lib@4.18.0/a")), []);
    for (old, new) in [
        ("10.0.0.1", "10.0.0.2"),
        ("1.13.5", "evil"),
        ("1.13.5 a", "1.13.6 b"),
        ("1.12345.5", "1.54321.5"),
        ("1.13", "1.14"),
    ] {
        assert!(!html(&deep(old), &deep(new)).is_empty(), "{new}");
    }
}

/// Whoever makes it long to find out which origins changed is told of all that changed all the same.
#[test]
fn uses_that_take_too_long_to_follow_are_told_as_new_and_as_gone() {
    let script = |word: &str| {
        let fills: String = (0..2000).map(|at| format!("held.part{at} = {word}.part{at};")).collect();
        let uses: String =
            (0..300).map(|at| format!("el.innerHTML = f(held, {at}, held.part{at});")).collect();
        format!("(function (el) {{ var held = {{}}; {fills} {uses} }})(page)")
    };
    let facts = html(&script("first"), &script("second"));
    let fact = &facts[0];
    assert_eq!((facts.len(), fact.reviewed, fact.others), (1, 300, 300));
    assert!(fact.sites.iter().any(|site| site.origins.is_empty() || site.are_more_origins), "{fact:?}");
}

#[test]
fn an_address_of_three_numbers_is_no_version() {
    for (was, is) in [
        ("//45.33.777/x", "//45.33.999/x"),
        ("https://a@1.2.345/x", "https://a@9.8.765/x"),
        ("https:/1.2.345/x", "https:/9.8.765/x"),
        ("https:1.2.345/x", "https:9.8.765/x"),
        ("//0x1.2.345/x", "//0x9.8.765/x"),
        ("\\\\\\\\1.2.345/x", "\\\\\\\\9.8.765/x"),
    ] {
        let with = |url: &str| sets(&format!("var u = cfg.get('{url}');"));
        assert!(!html(&with(was), &with(is)).is_empty(), "{is}");
    }
    let with = |url: &str| sets(&format!("var u = cfg.get('{url}');"));
    assert_eq!(html(&with("//cdn.test/a@1.2.3/x"), &with("//cdn.test/a@1.2.4/x")), []);
}

/// Of so much code only the beginning is compared.
#[test]
fn code_that_changed_far_behind_does_not_stand_there_as_before() {
    let same: String = (0..2500).map(|at| format!("[{at}], ")).collect();
    let script = |held: &str, last: &str| {
        format!(
            "(function (cfg, other) {{ var u = cfg.{held}; el.innerHTML = f(u, {same} other.{last}); }})(page, 1);"
        )
    };
    let facts = html(&script("first", "text"), &script("second", "evil"));
    let [fact] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!((fact.sites[0].origins.len(), fact.gone.len()), (0, 1), "{fact:?}");
}

/// The line stands for both: what is new on it is not as before.
#[test]
fn what_is_new_beside_code_that_stayed_is_not_told_as_before() {
    let script = |held: &str, beside: &str| {
        format!(
            "(function (cfg, other) {{ var u = cfg.{held}; show((el.innerHTML = u + document.cookie) + {beside}); }})(page, 1);"
        )
    };
    let facts = html(&script("first", "1"), &script("second", "(el.innerHTML = other.evil)"));
    assert_eq!(facts[0].others, 2, "{facts:?}");
    assert!(facts[0].sites.iter().all(|site| site.origins.is_empty()), "{facts:?}");
}

#[test]
fn many_origins_on_one_line_are_bounded_and_it_is_said() {
    let script = |held: &str| {
        let names: Vec<_> = (0..9).map(|at| format!("u{at}")).collect();
        let bound: String = names.iter().map(|name| format!("var {name} = cfg.{held}{name}; ")).collect();
        let uses: Vec<_> = names.iter().map(|name| format!("eval({name})")).collect();
        format!("(function (cfg) {{ {bound} show({}); }})(page);", uses.join("+"))
    };
    let facts = changed(&script("a"), &script("b")).facts;
    let told: Vec<_> =
        facts[0].sites.iter().map(|site| (site.origins.len(), site.are_more_origins)).collect();
    assert_eq!(told, [(8, true)], "{facts:?}");
}
