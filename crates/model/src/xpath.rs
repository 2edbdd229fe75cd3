//! The part of XPath 1.0 that packs use on data items and on configuration: parsed once, evaluated many times.
//! Prefixes of names are dropped, as elements here have local names only. No parent axis: elements know no parents.

mod evaluate;
mod parse;

use std::fmt;

use crate::node::Node;

/// The longest query, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;
/// The deepest nesting of predicates and parentheses.
pub const MAX_DEPTH: usize = 24;
/// How many elements one evaluation may visit; a query that needs more selects nothing.
pub const MAX_VISITS: u32 = 500_000;

/// Why a query cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("XPath '{query}': {problem} at character {position}")]
pub struct XPathError {
    /// The query (its start, if it is long).
    pub query: String,
    /// What is wrong.
    pub problem: String,
    /// In characters, from 1.
    pub position: usize,
}

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub struct XPath {
    text: String,
    expression: Expr,
}

#[derive(Debug, Clone, PartialEq)]
enum Expr {
    Path(Path),
    Text(String),
    Number(f64),
    Call(Function, Vec<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Negate(Box<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
struct Path {
    /// Starts at the document, whose only child is the item; else at the context element.
    absolute: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
struct Step {
    axis: Axis,
    test: Test,
    predicates: Vec<Expr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Child,
    Descendant,
    DescendantOrSelf,
    Itself,
    Attribute,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Name(String),
    Any,
    Text,
    /// `node()`: elements, texts and the document.
    Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Union,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    LocalName,
    Position,
    Last,
    Count,
    Contains,
    StartsWith,
    NormalizeSpace,
    StringLength,
    SubstringBefore,
    SubstringAfter,
    Substring,
    Translate,
    Concat,
    Text,
    Number,
    Boolean,
    Not,
    True,
    False,
    Sum,
    Floor,
    Ceiling,
    Round,
}

/// What a query gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Selected<'a> {
    /// Elements, in the order of the document.
    Elements(Vec<&'a Node>),
    /// Attributes and texts, in the order of the document.
    Texts(Vec<&'a str>),
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

impl XPath {
    /// Reads a query.
    ///
    /// # Errors
    /// With the position, where it is not XPath or not of the part that is supported.
    pub fn parse(text: &str) -> Result<Self, XPathError> {
        let expression = parse::parse(text)?;
        Ok(Self { text: text.trim().to_owned(), expression })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of the first that it selects in an element, or of the number or truth that it computes; `None` where
    /// it selects nothing.
    #[must_use]
    pub fn value(&self, context: &Node) -> Option<String> {
        evaluate::value(&self.expression, context)
    }

    /// The texts of all that it selects.
    #[must_use]
    pub fn values(&self, context: &Node) -> Vec<String> {
        match self.select(context) {
            Selected::Elements(nodes) => nodes.into_iter().map(string_value).collect(),
            Selected::Texts(texts) => texts.into_iter().map(str::to_owned).collect(),
            Selected::Text(text) => vec![text],
            Selected::Number(number) => vec![format_number(number)],
            Selected::Boolean(truth) => vec![truth.to_string()],
        }
    }

    /// Whether it selects anything, or what it computes is true.
    #[must_use]
    pub fn exists(&self, context: &Node) -> bool {
        match self.select(context) {
            Selected::Elements(nodes) => !nodes.is_empty(),
            Selected::Texts(texts) => !texts.is_empty(),
            Selected::Text(text) => !text.is_empty(),
            Selected::Number(number) => number != 0.0 && !number.is_nan(),
            Selected::Boolean(truth) => truth,
        }
    }

    /// All that it selects.
    #[must_use]
    pub fn select<'a>(&self, context: &'a Node) -> Selected<'a> {
        evaluate::select(&self.expression, context)
    }

    /// The same query with the item inside of `Context` named, where it starts with `Context/` and leaves it out.
    #[must_use]
    pub(crate) fn within_context(&self) -> Option<XPath> {
        let Expr::Path(path) = &self.expression else { return None };
        let at = path.steps.iter().position(|step| step.test == Test::Name("Context".to_owned()))?;
        let allowed = if path.absolute { 1 } else { 0 };
        if at != allowed || path.steps.get(at + 1)?.test == Test::Name("DataItem".to_owned()) {
            return None;
        }
        let mut path = path.clone();
        let inner = Step { axis: Axis::Child, test: Test::Name("DataItem".to_owned()), predicates: Vec::new() };
        path.steps.insert(at + 1, inner);
        Some(XPath { text: self.text.clone(), expression: Expr::Path(path) })
    }
}

impl fmt::Display for XPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl std::str::FromStr for XPath {
    type Err = XPathError;

    fn from_str(text: &str) -> Result<Self, XPathError> {
        Self::parse(text)
    }
}

/// All text of an element, its descendants' too.
#[must_use]
pub fn string_value(node: &Node) -> String {
    fn collect(node: &Node, out: &mut String) {
        out.push_str(&node.text);
        for child in &node.children {
            collect(child, out);
        }
    }
    let mut out = String::new();
    collect(node, &mut out);
    out
}

fn format_number(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    // negative zero prints without its sign
    if number == 0.0 { "0".to_owned() } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document() -> Node {
        let bind = |oid: &str, value: &str| {
            Node::new("SnmpVarBind").with_child(Node::text("OID", oid)).with_child(Node::text("Value", value))
        };
        let process = |name: &str, count: &str| {
            Node::new("ProcessInformation")
                .with_child(Node::text("ProcessName", name))
                .with_child(Node::text("ActiveInstanceCount", count))
        };
        Node::new("DataItem")
            .with_attribute("type", "Test")
            .with_child(Node::text("Property", "4").with_attribute("Name", "State"))
            .with_child(Node::text("Property", "7").with_attribute("Name", "Mode"))
            .with_child(Node::new("SnmpVarBinds").with_child(bind("1.3", "a")).with_child(bind("1.4", "b")))
            .with_child(
                Node::new("ProcessInformations").with_child(process("sshd", "2")).with_child(process("nginx", "5")),
            )
            .with_child(Node::new("Empty"))
    }

    #[test]
    fn queries_of_packs_select_what_they_mean() {
        let document = document();
        for (query, expected) in [
            ("Property[@Name='State']", Some("4")),
            ("Property[@Name=\"Mode\"]", Some("7")),
            ("Property[@Name = 'Mode' ]", Some("7")),
            (" Property ", Some("4")),
            ("Property[2]", Some("7")),
            ("Property[last()]", Some("7")),
            ("Property[position()=2]/@Name", Some("Mode")),
            ("/DataItem/SnmpVarBinds/SnmpVarBind[2]/Value", Some("b")),
            ("/Other/Property", None),
            ("SnmpVarBinds/SnmpVarBind[OID='1.4']/Value", Some("b")),
            ("ProcessInformations/ProcessInformation[./ProcessName ='nginx']/ActiveInstanceCount", Some("5")),
            ("//*[local-name()=\"ActiveInstanceCount\"]", Some("2")),
            ("//ActiveInstanceCount[. > 2]", Some("5")),
            ("//SnmpVarBind[1]/Value/text()", Some("a")),
            ("./Property", Some("4")),
            ("*[3]/*[1]/OID", Some("1.3")),
            ("Empty", Some("")),
            ("Missing", None),
            ("@type", Some("Test")),
            ("/DataItem/@type", Some("Test")),
            ("//@Name", Some("State")),
            ("Property/@Name[. = 'Mode']", Some("Mode")),
            ("count(Property)", Some("2")),
            ("count(//*[@Name])", Some("2")),
            ("sum(Property)", Some("11")),
            ("Property[1] + 2 * 3", Some("10")),
            ("(Property[1] - 1) div 2", Some("1.5")),
            ("concat(Property[1], '-', Property[2])", Some("4-7")),
            ("substring-after('a=b', '=')", Some("b")),
            ("substring('12345', 2, 3)", Some("234")),
            ("translate('ABC', 'ABC', 'ab')", Some("ab")),
            ("normalize-space('  a   b ')", Some("a b")),
            ("string-length('äö')", Some("2")),
            ("not(Missing)", Some("true")),
            ("Property = '7'", Some("true")),
            ("Property[contains(@Name, 'od')]", Some("7")),
            ("Property[starts-with(@Name, 'St') and . = 4]", Some("4")),
            ("Property[@Name='X' or @Name='Mode']", Some("7")),
            ("Property[not(@Name='State')]", Some("7")),
            ("Property[@Name!='State']", Some("7")),
            ("ns:Property", Some("4")),
            ("child::Property[attribute::Name='Mode']", Some("7")),
            ("descendant::OID", Some("1.3")),
            ("Missing | Property", Some("4")),
        ] {
            let parsed = XPath::parse(query).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(parsed.value(&document).as_deref(), expected, "{query}");
        }
        assert_eq!(XPath::parse("Property").unwrap().values(&document), ["4", "7"]);
        // each element once, whatever the ways to it
        assert_eq!(XPath::parse("count(//*//*)").unwrap().value(&document).as_deref(), Some("17"));
        assert_eq!(XPath::parse("count(//*)").unwrap().value(&document).as_deref(), Some("18"));
    }

    #[test]
    fn a_bad_query_says_what_is_wrong_and_where() {
        for (query, problem, position) in [
            ("", "the query is empty", 1),
            ("Property[@Name='X'", "expected ']'", 19),
            ("Property[@Name='X]", "the text in quotes does not end", 16),
            ("a//", "expected a name", 4),
            ("../x", "the parent axis is not supported", 1),
            ("parent::x", "the axis 'parent' is not supported", 1),
            ("foo(1)", "the function 'foo' is not supported", 1),
            ("contains('a')", "'contains' takes 2 arguments", 1),
            ("a b", "unexpected 'b'", 3),
            ("a[1]]", "unexpected ']'", 5),
            ("$x", "unexpected '$'", 1),
        ] {
            let error = XPath::parse(query).unwrap_err();
            assert!(error.problem.contains(problem), "{query}: {error}");
            assert_eq!(error.position, position, "{query}: {error}");
        }
        assert!(XPath::parse(&"(".repeat(5000)).is_err());
        assert!(XPath::parse(&"a[".repeat(3000)).is_err());
        assert!(XPath::parse(&"-".repeat(5000)).is_err());
        assert!(XPath::parse(&"a".repeat(MAX_LENGTH + 1)).is_err());
    }

    #[test]
    fn a_query_that_would_visit_everything_many_times_stops() {
        let mut wide = Node::new("DataItem");
        for _ in 0..2000 {
            wide.children.push(Node::text("x", "1"));
        }
        let query = XPath::parse("count(//*[count(//*[count(//*) > 0]) > 0])").unwrap();
        assert_eq!(query.value(&wide), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_or_the_evaluation_panic(text in "\\PC{0,60}") {
            if let Ok(query) = XPath::parse(&text) { let _ = query.value(&document()); }
        }

        #[test]
        fn no_mix_of_tokens_makes_the_parser_or_the_evaluation_panic(tokens in proptest::collection::vec(
            proptest::sample::select(vec![
                "/", "//", "Property", "*", "[", "]", "(", ")", "@", ".", "'", "\"x\"", "1", "2.5", "=", "<", "or",
                "and", "div", "mod", "-", "+", "|", "count(", "last()", "text()", "node()", "::", "self", ",", " ", "é",
            ]), 0..24)
        ) {
            if let Ok(query) = XPath::parse(&tokens.concat()) { let _ = query.value(&document()); }
        }
    }
}
