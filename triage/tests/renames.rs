//! What a difference leaves out because local names alone are others, and what somebody could try to have left out with it.

use pinfold_triage::{
    Change, Diff, DifferenceAsked, Findings, Limits, Mark, NotAnalysed, Renamed, compare, compare_by,
};

fn changed(old: &str, new: &str) -> Findings {
    let findings = compare(Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None);
    assert_eq!(findings.not_analysed, None, "{new}");
    findings
}

fn diff(old: &str, new: &str) -> Diff {
    changed(old, new).diff
}

fn lines(diff: &Diff, side: Mark) -> Vec<&str> {
    let lines = diff.hunks.iter().flat_map(|hunk| &hunk.lines);
    lines.filter(|line| line.mark == side).map(|line| line.text.trim()).collect()
}

/// A function whose lines use names, so that they are paired.
fn script(inside: &str) -> String {
    format!(
        "(function (user, pass) {{\nvar form = user.form;\nlisten(form, user, pass);\n{inside}\n}})(a, b);"
    )
}

#[track_caller]
fn shows(old: &str, new: &str) {
    let diff = diff(old, new);
    assert!(diff.added > 0 && diff.removed > 0, "{new}: {diff:?}");
}

#[test]
fn a_script_that_was_minified_anew_has_no_difference() {
    let old =
        "(function (e) { function t(n, r) { return n.a + r } e.x = t; var { a: o, b } = e; t(o, b) })(w);";
    let new =
        "(function (t) { function n(r, e) { return r.a + e } t.x = n; var { a: i, b: x } = t; n(i, x) })(w);";
    let found = changed(old, new);
    assert_eq!((found.diff.added, found.diff.removed, found.diff.hunks.len()), (0, 0, 0), "{:?}", found.diff);
    assert_eq!(found.diff.renamed, Renamed::LeftOut { lines: 6 });
    assert_eq!(found.change, Change::Names);
}

#[test]
fn what_changed_is_shown_with_the_names_of_the_new_version() {
    let old = "(function (e) { var n = e.a; use(n, e); send(n, 'one'); use(n, e) })(w);";
    let new = "(function (t) { var r = t.a; use(r, t); send(r, 'two'); use(r, t) })(w);";
    let diff = diff(old, new);
    assert_eq!(lines(&diff, Mark::Removed), ["send(r, \"one\");"]);
    assert_eq!(lines(&diff, Mark::Added), ["send(r, \"two\");"]);
    assert_eq!(diff.renamed, Renamed::LeftOut { lines: 4 });
}

#[test]
fn a_name_on_changed_lines_alone_is_paired_by_what_it_is_called() {
    let old = "(function () { var trim = /a/, end = 1; use(trim, end, 1); })(); (function () { keep(1) })();";
    let new = "(function () { var trim = /a/, end = 2; use(trim, end, 2); })(); (function () { keep(1) })();";
    let diff = diff(old, new);
    assert_eq!(lines(&diff, Mark::Added), ["var trim = /a/, end = 2;", "use(trim, end, 2);"]);
}

#[test]
fn to_the_letter_every_renamed_line_is_shown() {
    let (old, new) = ("(function (e) { use(e) })(w);", "(function (t) { use(t) })(w);");
    let letters = compare_by(
        DifferenceAsked::of(true, None),
        Some(old.as_bytes()),
        new.as_bytes(),
        Limits::default(),
        &|_| None,
    )
    .diff;
    assert_eq!((letters.added, letters.removed, letters.renamed), (2, 2, Renamed::Shown));
}

#[test]
fn two_locals_that_changed_places_are_shown() {
    shows(&script("send(user); keep(pass);"), &script("send(pass); keep(user);"));
    shows(&script("send(user, pass);"), &script("send(pass, user);"));
}

#[test]
fn two_parameters_that_changed_places_are_shown() {
    let old = "(function () { function move(from, to) { to.all = from.all } use(move) })();";
    shows(old, "(function () { function move(to, from) { to.all = from.all } use(move) })();");
}

#[test]
fn a_local_that_became_a_global_is_shown() {
    let old = script("var n = form.send; n(user);");
    shows(&old, &script("var n = form.send; fetch(user);"));
    shows(&script("(function (n) { n(user) })(form)"), &script("(function (n) { fetch(user) })(form)"));
    // Whatever it is called on the other side.
    shows(&script("var fetch = form.send; fetch(user);"), &script("var n = form.send; fetch(user);"));
}

#[test]
fn a_global_that_was_shadowed_is_shown() {
    let old = script("(function () { var n = form.send; n(pass); fetch(user) })();");
    let new = script("(function () { var fetch = form.send; fetch(pass); fetch(user) })();");
    let diff = diff(&old, &new);
    assert_eq!(lines(&diff, Mark::Removed), ["fetch(user);"]);
    assert_eq!(lines(&diff, Mark::Added), ["fetch(user);"]);
    let said = diff.hunks.iter().flat_map(|hunk| &hunk.lines).filter_map(|line| line.other_names.as_deref());
    assert_eq!(said.collect::<Vec<_>>(), ["fetch"]);
}

#[test]
fn a_function_in_a_block_that_shadows_a_global_around_it_is_shown() {
    shows(&script("{ function n() {} } fetch(user);"), &script("{ function fetch() {} } fetch(user);"));
}

#[test]
fn a_local_that_takes_the_name_of_a_function_in_a_block_is_shown() {
    let with = |name: &str| script(&format!("var {name} = user; {{ function f() {{}} }} send({name});"));
    shows(&with("n"), &with("f"));
    let inside = |name: &str| {
        script(&format!(
            "(function ({name}) {{ (function () {{ {{ function f() {{}} }} {name}(pass) }})() }})(user)"
        ))
    };
    shows(&inside("n"), &inside("f"));
}

#[test]
fn a_variable_that_takes_the_name_of_what_is_caught_around_it_is_shown() {
    let with = |name: &str| {
        script(&format!("try {{ form() }} catch (e) {{ var {name} = user; keep(e) }} send({name});"))
    };
    shows(&with("n"), &with("e"));
}

#[test]
fn a_name_of_the_body_does_not_shadow_one_among_the_parameters() {
    let with = |name: &str| {
        script(&format!("function g(then = () => {name}(pass)) {{ var {name} = form }} use(g);"))
    };
    shows(&with("n"), &with("fetch"));
}

#[test]
fn a_name_that_code_in_a_string_can_meet_is_shown() {
    let with = |name: &str| script(&format!("var {name} = form.send; eval(user);"));
    shows(&with("n"), &with("token"));
    let with = |name: &str| script(&format!("var {name} = form.send; with (user) {{ {name}(pass) }}"));
    shows(&with("n"), &with("fetch"));
    // It sees what is around it by being called so.
    let with = |name: &str| script(&format!("(function ({name}) {{ {name}(pass) }})(user)"));
    shows(&with("n"), &with("eval"));
}

#[test]
fn a_property_that_is_called_otherwise_is_shown() {
    shows(&script("form.submit(user)"), &script("form.reset(user)"));
    // It has the name of a local variable.
    shows(
        &script("return { user };"),
        "(function (pass2, pass) {\nvar form = pass2.form;\nlisten(form, pass2, pass);\nreturn { pass2 };\n})(a, b);",
    );
    shows(&script("var { token } = user; use(token);"), &script("var { secret } = user; use(secret);"));
    shows(
        &script("var token; ({ token } = user); use(token);"),
        &script("var secret; ({ secret } = user); use(secret);"),
    );
    // The one is a property, and the other the prototype.
    shows(
        &script("var __proto__ = user; use({ __proto__ });"),
        &script("var n = user; use({ __proto__: n });"),
    );
}

#[test]
fn a_property_that_is_written_out_is_the_same() {
    let diff = diff(
        &script("var { token } = user; use({ token });"),
        &script("var { token: n } = user; use({ token: n });"),
    );
    assert_eq!((diff.added, diff.removed), (0, 0), "{diff:?}");
}

#[test]
fn a_label_that_is_called_otherwise_is_shown() {
    let old = script("one: for (;;) { two: for (;;) { if (user) break one; else break two } }");
    shows(
        &old,
        &old.replace("break one", "break three").replace("break two", "break one").replace("three", "two"),
    );
    shows(&old, &old.replace("one", "n"));
}

#[test]
fn an_export_that_is_called_otherwise_is_shown() {
    let old = "var a = 1, b = 2; export { a, b as c }; export function f() {} export var { d } = a;";
    for new in [
        "var b = 1, a = 2; export { b, a as c }; export function f() {} export var { d } = b;",
        "var a = 1, b = 2; export { a, b as e }; export function f() {} export var { d } = a;",
        "var a = 1, b = 2; export { a, b as c }; export function g() {} export var { d } = a;",
        "var a = 1, b = 2; export { a, b as c }; export function f() {} export var { e } = a;",
    ] {
        shows(old, new);
        assert_ne!(changed(old, new).change, Change::Names, "{new}");
    }
    shows("import { a } from 'm'; a();", "import { b } from 'm'; b();");
    let same = diff(
        old,
        "var x = 1, y = 2; export { x as a, y as c }; export function f() {} export var { d } = x;",
    );
    assert_eq!((same.added, same.removed), (0, 0), "{same:?}");
}

#[test]
fn a_global_of_the_page_that_is_called_otherwise_is_shown() {
    for (old, new) in [
        ("var token = 1; use(token);", "var secret = 1; use(secret);"),
        ("function n() {} n();", "function fetch() {} fetch();"),
        ("let a = 1; use(a);", "let b = 1; use(b);"),
    ] {
        shows(old, new);
        assert_ne!(changed(old, new).change, Change::Names, "{new}");
    }
}

#[test]
fn a_string_that_is_another_is_shown() {
    shows(&script("send(user, 'a');"), &script("send(user, 'b');"));
    // Text that looks like what stands for a name.
    shows(&script("send(`\0`, user);"), &script("send(`user`, user);"));
}

#[test]
fn a_name_that_is_used_for_two_at_once_is_shown() {
    shows(&script("var n = user, r = pass; use(n, r);"), &script("var n = user, r = pass; use(n, n);"));
    shows(
        &script("var n = user; use(n); n = pass; use(n);"),
        &script("var n = user; use(n); r = pass; use(n); var r;"),
    );
}

#[test]
fn two_things_are_not_called_alike_in_one_line() {
    // In the reviewed version `t` is what `e` is now, and there was an `e` that is gone.
    let old = "(function (t) { use(t); keep(t.a); var e = make(); send(t, e, 1); use(t) })(w);";
    let new = "(function (e) { use(e); keep(e.a); send(e, 2); use(e) })(w);";
    let diff = diff(old, new);
    assert_eq!(lines(&diff, Mark::Removed), ["var e = make();", "send(t, e, 1);"]);
}

#[test]
fn where_the_time_is_over_every_line_is_shown_and_that_is_said() {
    let over = Limits::default().until(std::time::Instant::now());
    let (old, new) = (script("send(user)"), script("send(pass)"));
    let diff = compare(Some(old.as_bytes()), new.as_bytes(), over, &|_| None).diff;
    assert_eq!(diff.renamed, Renamed::NotKnown(NotAnalysed::TimeOver));
    assert!(diff.added > 0);
}

/// What is said of names beside the changed lines.
fn said(old: &str, new: &str) -> Vec<String> {
    let diff = diff(old, new);
    let lines = diff.hunks.into_iter().flat_map(|hunk| hunk.lines);
    lines.filter_map(|line| line.other_names.map(Into::into)).collect()
}

#[test]
fn a_parameter_that_stands_on_one_line_alone_is_not_said_to_be_another() {
    let old = script("use(user.map((e) => e.first), 'one');");
    let new = script("use(user.map((e) => [e.second, e.third]), 'two');");
    assert_eq!(said(&old, &new), [""; 0]);
}

#[test]
fn a_parameter_that_shadows_a_variable_of_other_lines_is_said_to_be_another() {
    let old = script("var card = form.card; keep(card);\nuse(user.map((e) => card.first), 'one');");
    let new = script("var card = form.card; keep(card);\nuse(user.map((card) => card.first), 'two');");
    assert_eq!(said(&old, &new), ["card"]);
}
