//! Broken queries: where the mistake is reported and what is said about it. And no text may make the parser panic.

use proptest::prelude::*;
use watchkeeper_kql::parse;

/// Query, line, column, a part of the message with its help.
const MISTAKES: &[(&str, usize, usize, &str)] = &[
    ("Heartbeat | sumarize count()", 1, 13, "did you mean `summarize`?"),
    ("Heartbeat | wher a == 1", 1, 13, "did you mean `where`?"),
    ("Heartbeat | projectaway a", 1, 13, "did you mean `project-away`?"),
    ("Heartbeat | mv-expnd a", 1, 13, "did you mean `mv-expand`?"),
    ("Heartbeat | bananas", 1, 13, "expected an operator after `|`, found `bananas`"),
    ("Heartbeat |", 1, 12, "expected an operator after `|`, found the end of the query"),
    ("Heartbeat | | take 5", 1, 13, "expected an operator"),
    ("Heartbeat\n| where\n| take 5", 3, 1, "expected an expression, found `|`"),
    ("Heartbeat | where Computer ==", 1, 30, "expected an expression"),
    ("Heartbeat | where Computer === 'a'", 1, 30, "compare with `==`"),
    ("Heartbeat | where (Computer == 'a'", 1, 35, "expected `)`"),
    ("Heartbeat | where Computer == 'a')", 1, 34, "expected `;`, `|` or the end of the query, found `)`"),
    ("Heartbeat | where Computer in 'a'", 1, 31, "expected `(` after `in`"),
    ("Heartbeat | where Computer in ('a', )", 1, 37, "expected an expression"),
    ("Heartbeat | where a between 1 .. 2", 1, 29, "expected `(` after `between`"),
    ("Heartbeat | where a between (1, 2)", 1, 31, "expected `..` between the limits"),
    ("Heartbeat | where a && b", 1, 21, "did you mean `and`?"),
    ("Heartbeat | where not a", 1, 23, "expected `|` or the end of `where`, found `a`"),
    ("Heartbeat | where and a", 1, 19, "expected an expression, found `and`"),
    ("Heartbeat | where !a", 1, 19, "not(…)"),
    ("Heartbeat | where Computer cotains 'a'", 1, 28, "did you mean `contains`?"),
    ("Heartbeat | where Computer == 'abc", 1, 31, "the string is not closed"),
    ("Heartbeat | where Computer == \"abc\n| take 5", 1, 31, "the string is not closed"),
    ("print ```abc", 1, 7, "the string is not closed"),
    ("print 'a\\d'", 1, 9, "`\\d` is not an escape sequence"),
    ("print “a”", 1, 7, "straight quotes"),
    ("print datetime(2024-01-01", 1, 7, "the literal `datetime(` is not closed"),
    ("print 99999999999999999999", 1, 7, "larger than a long"),
    ("print 1e999", 1, 7, "larger than a real"),
    ("print 99999999999d", 1, 7, "longer than a timespan"),
    ("print dynamic({\"a\" 1})", 1, 20, "expected `:` and a value"),
    ("print dynamic([1, )", 1, 19, "expected a JSON value"),
    ("print dynamic([a])", 1, 16, "quote a text: `\"a\"`"),
    ("print a = ", 1, 11, "expected an expression"),
    ("print f(1", 1, 10, "expected `,` or `)`"),
    ("print a[1", 1, 10, "expected `]`"),
    ("print a.", 1, 9, "expected a name after `.`"),
    ("print 1 2", 1, 9, "expected `|` or the end of `print`"),
    ("Heartbeat take 5", 1, 11, "expected `;`, `|` or the end of the query"),
    ("Heartbeat | count take 5", 1, 19, "begin an operator with a pipe: `| take`"),
    ("Heartbeat | take", 1, 17, "expected an expression"),
    ("Heartbeat | top 5 Computer", 1, 19, "expected `by`"),
    ("Heartbeat | top 5 by", 1, 21, "expected an expression"),
    ("Heartbeat | sort Computer", 1, 18, "expected `by`"),
    ("Heartbeat | order by Computer nulls", 1, 36, "expected `last`"),
    ("Heartbeat | order by Computer dsc", 1, 31, "did you mean `desc`?"),
    ("Heartbeat | summarize count() yb Computer", 1, 31, "did you mean `by`?"),
    ("Heartbeat | summarize count() by", 1, 33, "expected an expression"),
    ("Heartbeat | extend", 1, 19, "expected an expression"),
    ("Heartbeat | join (Perf) onn Computer", 1, 25, "did you mean `on`?"),
    ("Heartbeat | join kind= (Perf) on Computer", 1, 24, "expected a value after `=`"),
    ("Heartbeat | mv-expand a to typeof(strng)", 1, 35, "did you mean `string`?"),
    ("Heartbeat | mv-apply a on take 5", 1, 27, "expected `(` and operators"),
    ("Heartbeat | parse a wth 'b' c", 1, 21, "did you mean `with`?"),
    ("Heartbeat | parse a with", 1, 25, "expected a pattern"),
    ("Heartbeat | make-series count() on t step", 1, 42, "expected an expression"),
    ("Heartbeat | make-series count() from a to b step c", 1, 33, "expected `on`"),
    ("range x from 1 too 5 step 1", 1, 16, "did you mean `to`?"),
    ("range x from 1 to 5", 1, 20, "expected `step`"),
    ("datatable(a:strin)['b']", 1, 13, "did you mean `string`?"),
    ("datatable(a string)['b']", 1, 13, "expected `:` and a type"),
    ("datatable(a:string)['b'", 1, 24, "expected `,` or `]`"),
    ("let = 5; print 1", 1, 5, "expected a name after `let`"),
    ("let a 5; print a", 1, 7, "expected `=`"),
    ("let a = ; print a", 1, 9, "expected an expression"),
    ("let f = (a:long) a; print f(1)", 1, 18, "expected `{`"),
    ("let f = (a) { a }; print f(1)", 1, 13, "expected `;`, `|` or the end of the query"),
    ("let f = () { 1 ; print f()", 1, 27, "expected `}`"),
    ("declare query_parameter(a:long); print a", 1, 9, "did you mean `query_parameters`?"),
    (".show tables", 1, 1, "management command"),
    ("Heartbeat | fork take 5", 1, 18, "expected `(`"),
    ("Heartbeat | scan with (step a true;)", 1, 31, "expected `:` and the condition"),
    ("Heartbeat | evaluate", 1, 21, "expected the name of a function"),
    ("Heartbeat | render", 1, 19, "expected the name of a chart"),
    ("E | make-graph a -> b", 1, 18, "expected `-->`"),
    ("G | graph-match a --> b", 1, 17, "expected a node of the pattern"),
];

#[test]
fn mistakes_are_reported_where_they_are() {
    let mut wrong = Vec::new();
    for (query, line, column, part) in MISTAKES {
        let parsed = parse(query);
        let Some(first) = parsed.diagnostics.first() else {
            wrong.push(format!("{query:?}: nothing is reported, expected {line}:{column} {part}"));
            continue;
        };
        let (at_line, at_column) = first.line_column(query);
        if (at_line, at_column) != (*line, *column) || !first.to_string().contains(part) {
            wrong.push(format!("{query:?}: {at_line}:{at_column} {first}; expected {line}:{column} {part}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn several_mistakes_are_reported_at_once() {
    let query = "T | wher a == 1 | sumarize count() | take;\nlet x = ;\nT | where b == (1 | take 5";
    let places: Vec<_> = parse(query).diagnostics.iter().map(|d| d.line_column(query)).collect();
    assert_eq!(places, [(1, 5), (1, 19), (1, 42), (2, 9), (3, 27)]);
}

#[test]
fn deep_nesting_is_a_mistake_and_not_a_crash() {
    for (open, close) in
        [("(", ")"), ("f(", ")"), ("-", ""), ("[", "]"), ("dynamic(", ")"), ("a[", "]"), ("(T | where ", ")")]
    {
        let query = format!("print {}1{}", open.repeat(10_000), close.repeat(10_000));
        let parsed = parse(&query);
        assert!(!parsed.diagnostics.is_empty(), "{open}");
    }
    for link in [" + 1", ".a", " has 'b'", "[0]"] {
        let parsed = parse(&format!("print a{}", link.repeat(100_000)));
        assert_eq!(parsed.diagnostics.len(), 1, "{link}");
    }
    let json = format!("print dynamic({}1{})", "[".repeat(10_000), "]".repeat(10_000));
    assert!(parse(&json).diagnostics[0].message.contains("nests deeper"));
}

#[test]
fn long_lists_of_conditions_are_no_mistake() {
    let query = format!("T | where {}", vec!["a == 1 and b == 2"; 5_000].join(" or "));
    assert!(parse(&query).diagnostics.is_empty());
}

const SOUP: &[&str] = &[
    "T",
    "|",
    "where",
    "summarize",
    "by",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    "=",
    "==",
    "and",
    "or",
    "'a'",
    "\"b",
    "1",
    "1d",
    "1..2",
    "-",
    "--",
    "-->",
    "*",
    "dynamic(",
    "datetime(",
    "typeof(",
    "mv-expand",
    "mv-apply",
    "on",
    "to",
    "with",
    "make-series",
    "step",
    "from",
    "in",
    "!in~",
    "between",
    "let",
    "f",
    "=>",
    ":",
    "scan",
    "graph-match",
    "make-graph",
    "union",
    "fork",
    "find",
    "search",
    "join",
    "kind=inner",
    "hint.a=b",
    "['x y']",
    ".",
    "..",
    "print",
    "range",
    "parse",
    "render",
    "top-nested",
    "of",
    "partition",
    "evaluate",
    "datatable",
    "externaldata",
    "@'",
    "```",
    "h\"x\"",
    "\n",
    "//",
    "\\",
    "é",
    "😀",
    "0x",
    "1e",
    "$left",
    "declare",
    "pattern",
    "restrict access to",
    "macro-expand",
    "as",
    "toscalar(",
];

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        parse(&text);
    }

    #[test]
    fn no_soup_of_tokens_makes_the_parser_panic(words in prop::collection::vec(prop::sample::select(SOUP), 0..60), glued in any::<bool>()) {
        let text = words.join(if glued { "" } else { " " });
        let parsed = parse(&text);
        if parsed.diagnostics.is_empty() {
            let printed = watchkeeper_kql::syntax::print::print(&parsed.query);
            prop_assert!(parse(&printed).diagnostics.is_empty(), "{text}\n{printed}");
        }
        for diagnostic in &parsed.diagnostics {
            prop_assert!(diagnostic.span.start <= diagnostic.span.end && diagnostic.span.end as usize <= text.len());
            prop_assert!(text.is_char_boundary(diagnostic.span.start as usize));
        }
    }
}
