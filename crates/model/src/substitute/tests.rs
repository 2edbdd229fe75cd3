use proptest::prelude::*;

use super::*;
use crate::ids::{ElementId, ObjectId};

struct Server {
    config: Node,
    property: &'static str,
}

impl Resolver for Server {
    fn resolve(&self, variable: &Variable) -> Resolved<'_> {
        match &variable.kind {
            VariableKind::Config { path } => match path.iter().try_fold(&self.config, |node, name| node.child(name)) {
                Some(node) => Resolved::Content(node),
                None => Resolved::Unknown(format!("there is no parameter '{}'", path.join("/"))),
            },
            VariableKind::Target { value: TargetValue::Property { .. }, .. } => {
                Resolved::Outside(self.property.to_owned())
            }
            VariableKind::Element { name, .. } => Resolved::Text(name.clone().unwrap_or("self".to_owned())),
            VariableKind::Data { .. } | VariableKind::RunAs { .. } => Resolved::Later,
            _ => Resolved::Unknown("not here".to_owned()),
        }
    }
}

fn server(property: &'static str) -> Server {
    let condition = Node::new("Expression").with_child(Node::text("Exists", "$Data/Count$"));
    let config = Node::new("Configuration").with_child(Node::text("Threshold", "90")).with_child(condition);
    Server { config, property }
}

#[test]
fn texts_are_read_into_variables() {
    let cases: [(&str, &[&str]); 18] = [
        ("no variable", &[]),
        ("costs $5 or $6", &[]),
        ("$MPElement$", &["$MPElement$"]),
        ("a $Config/X$ b $Config/Y/Z$", &["$Config/X$", "$Config/Y/Z$"]),
        ("$Data/Property[@Name='a$b']$!", &["$Data/Property[@Name='a$b']$"]),
        ("$Data[Default='']/Context/Property[@Name=\"x\"]$", &["$Data[Default='']/Context/Property[@Name=\"x\"]$"]),
        ("$Target/Host/Host/Property[Type=\"W!A.B\"]/P$", &["$Target/Host/Host/Property[Type=\"W!A.B\"]/P$"]),
        ("$MPElement[Name='W!A.B']/P$", &["$MPElement[Name='W!A.B']/P$"]),
        (
            "$RunAs[Name=\"U!P\"]/UserName$$RunAs[Name=\"U!P\"]/Password$",
            &["$RunAs[Name=\"U!P\"]/UserName$", "$RunAs[Name=\"U!P\"]/Password$"],
        ),
        ("$x$Target/Id$", &["$Target/Id$"]),
        // what scripts write
        ("$Data = $Config + 1", &[]),
        ("$Data[0] = $x", &[]),
        ("$Target.Id", &[]),
        ("if ($Config/\n 2) { $x }", &[]),
        ("$DataSource/x$", &[]),
        ("$$", &[]),
        ("$Config/", &[]),
        ("ä$ö$MPElement$ü", &["$MPElement$"]),
    ];
    for (text, expected) in cases {
        let template = Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let found: Vec<&str> = template.variables().map(|variable| variable.text.as_str()).collect();
        assert_eq!(found, expected, "{text}");
        struct Same;
        impl Resolver for Same {
            fn resolve(&self, _: &Variable) -> Resolved<'_> {
                Resolved::Later
            }
        }
        assert_eq!(template.fill(&Same).unwrap(), text);
    }
}

#[test]
fn variables_that_start_as_one_but_are_none_are_named() {
    for (text, problem) in [
        ("x $Target/Nothing$", "after 'Target' come"),
        ("$Target/Property[Type=\"A\"]$", "names no property"),
        ("$Target/ManagementGroup/Size$", "'Id' and 'Name', not 'Size'"),
        ("$Data/a[$", "expected a value"),
        ("$Config//x$", "names no parameter"),
        ("$RunAs[Name=\"x\"]$", "after the name"),
        ("$MPElement[Nme=\"x\"]$", "expected [Name="),
    ] {
        let error = Template::parse(text).unwrap_err();
        assert!(error.problem.contains(problem), "{text}: {error}");
    }
}

#[test]
fn elements_are_filled_and_what_is_for_the_agent_stays() {
    let node = Node::new("Configuration")
        .with_child(Node::text("Value", "$Config/Threshold$ %").with_attribute("Type", "$MPElement[Name=\"A!B\"]$"))
        .with_child(Node::text("Expression", " $Config/Expression$ "))
        .with_child(Node::text("Text", "$Target/Property[Type=\"A\"]/P$: $Data/StdOut$"));
    let filled = substitute(&node, &server("disk")).unwrap();
    let expected = Node::new("Configuration")
        .with_child(Node::text("Value", "90 %").with_attribute("Type", "A!B"))
        .with_child(Node::new("Expression").with_child(Node::text("Exists", "$Data/Count$")))
        .with_child(Node::text("Text", "disk: $Data/StdOut$"));
    assert_eq!(filled, expected);
}

#[test]
fn unknown_variables_are_all_named_with_their_element() {
    let node = Node::new("Configuration")
        .with_child(Node::text("A", "$Config/Missing$").with_attribute("b", "$Config/Other$"))
        .with_child(Node::new("C").with_child(Node::text("D", "$FileResource[Name=\"x\"]/Path$")));
    let problems: Vec<String> = substitute(&node, &server("")).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "Configuration/A/@b: $Config/Other$: there is no parameter 'Other'",
            "Configuration/A: $Config/Missing$: there is no parameter 'Missing'",
            "Configuration/C/D: $FileResource[Name=\"x\"]/Path$: not here",
        ]
    );
}

#[test]
fn a_discovered_value_cannot_smuggle_a_variable_to_the_agent() {
    let node = Node::text("CommandLine", "$Target/Property[Type=\"A\"]/P$");
    let problems = substitute(&node, &server("x $RunAs[Name=\"U!P\"]/Password$")).unwrap_err();
    assert!(problems[0].problem.contains("reads like a variable"), "{problems:?}");
    assert_eq!(substitute(&node, &server("costs $5")).unwrap().text, "costs $5");
}

#[test]
fn the_agent_fills_data_and_accounts() {
    let source = ObjectId::of(ElementId::of("Test", "Class"), ["one"]);
    let item = DataItem::property_bag(0, source, [("State", "$RunAs[Name=\"U!P\"]/Password$")]);
    let run_as = |profile: &str, field: &str| (profile == "U!P").then(|| format!("<{field}>"));
    let fill = |text: &str, missing_is_empty| {
        substitute_text(text, &DataResolver { item: Some(&item), run_as, missing_is_empty })
    };
    assert_eq!(fill("$RunAs[Name=\"U!P\"]/UserName$", false).unwrap(), "<UserName>");
    assert!(fill("$RunAs[Name=\"V!P\"]/UserName$", true).is_err());
    let taken = fill("is $Data/Property[@Name='State']$", false).unwrap();
    assert_eq!(taken, "is $RunAs[Name=\"U!P\"]/Password$", "what is put in is not read again");
    assert_eq!(fill("[$Data/Missing$]", true).unwrap(), "[]");
    assert_eq!(fill("[$Data[Default='none']/Missing$]", false).unwrap(), "[none]");
    assert!(fill("[$Data/Missing$]", false).is_err());
    assert!(fill("$Config/X$", true).is_err());
}

#[test]
fn parameters_of_alerts_fill_their_places() {
    let parameters = ["sda".to_owned(), "{0}".to_owned()];
    for (text, expected) in
        [("{0} is full", "sda is full"), ("{1}{0}", "{0}sda"), ("{2} {10} {x} { {0", "{2} {10} {x} { {0"), ("", "")]
    {
        assert_eq!(fill_parameters(text, &parameters), expected);
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reading_panic(parts in proptest::collection::vec(proptest::sample::select(vec![
        "$", "Data", "/", "[", "]", "Default", "Name", "=", "'", "\"", "Target", "Host/", "Property", "Config", "é", " ",
        "\n", "MPElement", "RunAs", "ManagementGroup/", "Id",
    ]), 0..24)) {
        let text = parts.concat();
        if let Ok(template) = Template::parse(&text) {
            let written: String = template.parts.iter().map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Variable(variable) => variable.text.as_str(),
            }).collect();
            prop_assert_eq!(written, text);
        }
    }
}
