use super::*;

fn depth(source: &str) -> usize {
    nesting(source).depth
}

#[test]
fn brackets_and_chains_count() {
    for link in [
        "(",
        "[",
        "{",
        "!",
        "a=>",
        "a?b:",
        "a=",
        "if(a)",
        "else if(a)",
        "if(a)x;else ",
        "if(a)do{}while(b);else ",
        "if(a)try{}finally{}else ",
        "a+",
        "a.b.",
        "typeof ",
        "`${",
        "f()(",
    ] {
        let found = depth(&link.repeat(1000));
        assert!(found >= 1000, "{link}: {found}");
    }
}

#[test]
fn what_stands_side_by_side_does_not() {
    for part in [
        "f(a);",
        "[1],",
        "if(a){b()}",
        "if(a){b()}else{c()}\n",
        "x = {a: 1};",
        "var a = b\n",
        "function f(){}",
        "case 1:",
    ] {
        let found = depth(&part.repeat(1000));
        assert!(found < 10, "{part}: {found}");
    }
}

#[test]
fn strings_comments_and_regular_expressions_hide_no_brackets() {
    let deep = "(".repeat(500);
    for before in [
        "x = '\"';",
        "// `\n",
        "/* ' */",
        "x = /[/'\"`]/;",
        "if (a) /'/.test(b);",
        "x = function(){} / '/+'",
        "a = b / c; '/';",
        "`${a + '`'}`;",
        "<!-- `\n",
        "{} /'/;",
        "x = a ? b : {} / '/+'",
        "return /`/;",
        "x = a++ / '/+'",
        "\"\\\n\";",
    ] {
        assert!(depth(&format!("{before}{deep}")) >= 500, "{before}");
    }
    for around in ["'#'", "\"#\"", "`#`", "/*#*/", "//#\n", "x=/[#]/"] {
        assert!(depth(&around.replace('#', &deep)) < 10, "{around}");
    }
}
