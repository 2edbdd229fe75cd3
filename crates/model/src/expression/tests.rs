use proptest::prelude::*;

use super::*;
use crate::ids::{ElementId, ObjectId};

fn item(properties: &[(&str, &str)]) -> DataItem {
    let source = ObjectId::of(ElementId::of("Test", "Class"), ["one"]);
    DataItem::property_bag(1_709_251_199_000_000, source, properties.iter().copied())
}

fn query(name: &str, kind: &str) -> Node {
    let query = Node::text("XPathQuery", format!("Property[@Name='{name}']")).with_attribute("Type", kind);
    Node::new("ValueExpression").with_child(query)
}

fn constant(value: &str, kind: &str) -> Node {
    Node::new("ValueExpression").with_child(Node::text("Value", value).with_attribute("Type", kind))
}

fn simple(left: Node, operator: &str, right: Node) -> Node {
    let simple = Node::new("SimpleExpression").with_child(left).with_child(Node::text("Operator", operator));
    Node::new("Expression").with_child(simple.with_child(right))
}

fn regex(operator: Node, pattern: &str) -> Node {
    let regex = Node::new("RegExExpression").with_child(query("Text", "String")).with_child(operator);
    Node::new("Expression").with_child(regex.with_child(Node::text("Pattern", pattern)))
}

fn wrap(kind: &str, inner: impl IntoIterator<Item = Node>) -> Node {
    let kind = Node { children: inner.into_iter().collect(), ..Node::new(kind) };
    Node::new("Expression").with_child(kind)
}

fn truth(expression: &Node, item: &DataItem) -> bool {
    Expression::<XPath>::read(expression).unwrap_or_else(|problems| panic!("{problems:?}")).matches(item)
}

#[test]
fn values_are_compared_as_their_type() {
    let item = item(&[("Count", "10\n"), ("Text", "Running"), ("Flag", "TRUE"), ("Time", "2024-02-29T12:00:00+01:00")]);
    for (name, kind, operator, value, expected) in [
        ("Count", "Integer", "Greater", "9", true),
        ("Count", "String", "Greater", "9", false),
        ("Count", "Integer", "Equal", "10.0", true),
        ("Count", "Double", "LessEqual", "9.99", false),
        ("Count", "UnsignedInteger", "NotEqual", "10", false),
        ("Count", "Integer", "Equal", "ten", false),
        ("Count", "Integer", "NotEqual", "ten", false),
        ("Text", "String", "Equal", "running", true),
        ("Text", "String", "NotEqual", "RUNNING", false),
        ("Text", "String", "Less", "s", true),
        ("Flag", "Boolean", "Equal", "true", true),
        ("Flag", "Boolean", "Equal", "1", true),
        ("Flag", "Boolean", "Equal", "0", false),
        ("Time", "Date", "Equal", "2024-02-29T11:00:00Z", true),
        ("Time", "Date", "Less", "2024-02-29", false),
        ("Missing", "String", "Equal", "", false),
        ("Missing", "String", "NotEqual", "x", false),
        ("Text", "String", "Like", "run%", true),
        ("Text", "String", "NotLike", "run%", false),
        ("Text", "String", "Like", "r_nning", true),
        ("Text", "String", "Like", "unn", false),
    ] {
        let expression = simple(query(name, kind), operator, constant(value, kind));
        assert_eq!(truth(&expression, &item), expected, "{name} {operator} {value}");
    }
    let large = simple(constant("9007199254740993", "Integer"), "Greater", constant("9007199254740992", "Integer"));
    assert!(truth(&large, &item), "whole numbers are exact");
    let sensitive = Node::text("Operator", "Equal").with_attribute("CaseSensitive", "true");
    let simple = Node::new("SimpleExpression").with_child(query("Text", "String")).with_child(sensitive);
    assert!(!truth(&simple.with_child(constant("running", "String")), &item));
}

#[test]
fn texts_match_patterns() {
    let item = item(&[("Text", "Error 42: disk FULL on sda")]);
    for (operator, pattern, expected) in [
        ("MatchesRegularExpression", r"error \d+", true),
        ("MatchesRegularExpression", "^disk", false),
        ("DoesNotMatchRegularExpression", "^disk", true),
        ("MatchesRegularExpression", "(full|empty)", true),
        ("MatchesWildcard", "error*sd?", true),
        ("MatchesWildcard", "error ##: *", true),
        ("MatchesWildcard", "*a*b*c", false),
        ("MatchesWildcard", "error", false),
        ("DoesNotMatchWildcard", "error", true),
        ("ContainsSubstring", "disk full", true),
        ("DoesNotContainSubstring", "disk full", false),
        ("ContainsSubstring", "*", false),
    ] {
        assert_eq!(truth(&regex(Node::text("Operator", operator), pattern), &item), expected, "{operator} {pattern}");
    }
    let sensitive = |operator| Node::text("Operator", operator).with_attribute("CaseSensitive", "true");
    assert!(!truth(&regex(sensitive("MatchesRegularExpression"), "error"), &item));
    assert!(!truth(&regex(sensitive("ContainsSubstring"), "full"), &item));
    assert!(!truth(&regex(sensitive("MatchesWildcard"), "error*"), &item));
}

#[test]
fn conditions_combine() {
    let item = item(&[("A", "1")]);
    let yes = || simple(query("A", "Integer"), "Equal", constant("1", "Integer"));
    let no = || simple(query("A", "Integer"), "Equal", constant("2", "Integer"));
    let exists = |name: &str| wrap("Exists", [query(name, "Integer")]);
    for (expression, expected) in [
        (wrap("And", [yes(), yes()]), true),
        (wrap("And", [yes(), no()]), false),
        (wrap("Or", [no(), yes()]), true),
        (wrap("Or", [no(), no()]), false),
        (wrap("Not", [no()]), true),
        (wrap("Not", [wrap("And", [exists("B"), yes()])]), true),
        (exists("A"), true),
        (exists("B"), false),
    ] {
        assert_eq!(truth(&expression, &item), expected, "{expression:?}");
    }
}

#[test]
fn times_of_day_and_weekdays() {
    // Thursday 23:59:59 UTC
    let item = item(&[("Time", "2024-02-29T23:59:59Z")]);
    for (start, end, days, inside, offset, expected) in [
        ("0", "86400", "16", "true", 0, true),
        ("0", "86400", "8", "true", 0, false),
        ("79200", "21600", "16", "true", 0, true),
        ("22:00", "06:00", "16", "true", 7200, true),
        ("22:00", "06:00", "32", "true", 7200, false),
        ("08:00", "17:00", "127", "true", 0, false),
        ("08:00", "17:00", "127", "false", 0, true),
    ] {
        let mut day_time = Node::new("DayTimeExpression").with_child(query("Time", "DateTime"));
        for (name, value) in [("StartTime", start), ("EndTime", end), ("Days", days), ("Inside", inside)] {
            day_time.children.push(Node::text(name, value));
        }
        let expression: Expression = Expression::read(&day_time).unwrap();
        let local = LocalItem { item: &item, utc_offset_seconds: offset };
        assert_eq!(expression.matches(&local), expected, "{start} {end} {days} {inside} {offset}");
    }
}

#[test]
fn problems_name_their_element() {
    let operator = |text: &str| Node::text("Operator", text);
    for (expression, element, problem) in [
        (Node::new("Expression"), "Expression", "empty"),
        (wrap("Nand", []), "Expression/Nand", "'Nand' is no kind of expression"),
        (wrap("And", []), "Expression/And", "'And' is empty"),
        (
            wrap("And", [wrap("Exists", [query("A", "Integer")]), wrap("Or", [])]),
            "Expression/And/Expression[2]/Or",
            "'Or' is empty",
        ),
        (
            simple(query("A", "Integer"), "Equals", constant("1", "Integer")),
            "Expression/SimpleExpression",
            "'Equals' is none of Equal, NotEqual",
        ),
        (
            simple(query("A", "Integre"), "Equal", constant("1", "Integer")),
            "Expression/SimpleExpression/ValueExpression",
            "the type 'Integre' is not known",
        ),
        (
            simple(query("A'", "Integer"), "Equal", constant("1", "Integer")),
            "Expression/SimpleExpression/ValueExpression/XPathQuery",
            "at character",
        ),
        (regex(operator("MatchesRegularExpression"), "(?=x)"), "Expression/RegExExpression/Pattern", "look-around"),
        (
            regex(operator("MatchesRegularExpression"), "(\\w{1000}){1000}"),
            "Expression/RegExExpression/Pattern",
            "too large",
        ),
        (regex(operator("Matches"), "x"), "Expression/RegExExpression", "'Matches' is none of"),
    ] {
        let problems = Expression::<XPath>::read(&expression).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].element, element, "{problems:?}");
        assert!(problems[0].problem.contains(problem), "{problems:?}");
    }
    let both = wrap("And", [wrap("Or", []), wrap("Nor", [])]);
    assert_eq!(Expression::<XPath>::read(&both).unwrap_err().len(), 2);
    let mut deep = Node::new("Expression");
    for _ in 0..200 {
        deep = wrap("Not", [deep]);
    }
    assert!(Expression::<XPath>::read(&deep).unwrap_err()[0].problem.contains("nested deeper"));
}

fn any_node() -> impl Strategy<Value = Node> {
    let names = proptest::sample::select(vec![
        "Expression",
        "And",
        "Or",
        "Not",
        "Exists",
        "SimpleExpression",
        "RegExExpression",
        "ValueExpression",
        "Operator",
        "Pattern",
        "Value",
        "XPathQuery",
        "DayTimeExpression",
        "StartTime",
        "EndTime",
        "Days",
    ]);
    let texts = proptest::sample::select(vec![
        "",
        "Equal",
        "MatchesWildcard",
        "A",
        "1",
        "(",
        "*a*",
        "MatchesRegularExpression",
    ]);
    let leaf = (names.clone(), texts).prop_map(|(name, text)| Node::text(name, text));
    leaf.prop_recursive(6, 40, 4, move |inner| {
        (names.clone(), proptest::collection::vec(inner, 0..4))
            .prop_map(|(name, children)| Node { children, ..Node::new(name) })
    })
}

/// What a wildcard means, written the slow way.
fn naive(tokens: &[Token], text: &[char]) -> bool {
    match (tokens.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((Token::Many, rest)), _) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
        (Some((Token::One, rest)), Some((_, after))) => naive(rest, after),
        (Some((Token::Digit, rest)), Some((first, after))) => first.is_ascii_digit() && naive(rest, after),
        (Some((Token::Literal(wanted), rest)), Some((first, after))) => wanted == first && naive(rest, after),
        _ => false,
    }
}

use super::pattern::Token;

proptest! {
    #[test]
    fn no_element_makes_reading_or_evaluating_panic(node in any_node()) {
        if let Ok(expression) = Expression::<XPath>::read(&node) { expression.matches(&item(&[("A", "1")])); }
    }

    #[test]
    fn wildcards_match_as_the_slow_way_does(pattern in "[ab*?#1]{0,8}", text in "[ab1]{0,10}") {
        let wildcard = Pattern::wildcard(&pattern, true).unwrap();
        let Pattern::Wildcard { tokens, .. } = &wildcard else { unreachable!() };
        let characters: Vec<char> = text.chars().collect();
        prop_assert_eq!(wildcard.matches(&text), naive(tokens, &characters));
    }
}
