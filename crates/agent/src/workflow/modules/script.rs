//! Scripts in the shell's language, Python or Perl. What they write is described in
//! `docs/management-packs-scripts.md`.

use std::ffi::OsString;
use std::path::PathBuf;

use watchkeeper_model::ids::ObjectId;
use watchkeeper_model::item::{DISCOVERY, DataItem, PROPERTY_BAG};
use watchkeeper_model::node::Node;

use super::command::words;
use super::text::fill_node;
use super::xml;
use crate::workflow::exec::{Execution, Finished, execute};
use crate::workflow::job::{Job, Limits, Weight};
use crate::workflow::module::{Context, Failure, Item, Module, Setup};

/// A script is an argument of its interpreter, and the kernel takes no longer one.
const BODY_LIMIT: usize = 120 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Plain,
    PropertyBag,
    Discovery,
}

struct Script {
    configuration: Node,
    interpreter: (&'static str, &'static str),
    output: Output,
    limits: Limits,
    user: Option<String>,
    /// Where it may keep files, as `WATCHKEEPER_FILES`; those of another user could not write there.
    files: Option<PathBuf>,
}

/// `System.Script.Probe` and `System.Script.WriteAction`: the output as it is, as of a command.
///
/// # Errors
/// When a parameter is missing or cannot be.
pub fn plain(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    new(setup, Output::Plain)
}

/// `System.Script.PropertyBagProbe`
///
/// # Errors
/// As [`plain`].
pub fn property_bag(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    new(setup, Output::PropertyBag)
}

/// `System.Script.DiscoveryProbe`
///
/// # Errors
/// As [`plain`].
pub fn discovery(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    new(setup, Output::Discovery)
}

fn new(setup: &Setup<'_>, output: Output) -> Result<Box<dyn Module>, String> {
    let body = setup.required("ScriptBody")?;
    if body.len() > BODY_LIMIT {
        return Err(format!("ScriptBody has {} bytes; {BODY_LIMIT} are allowed", body.len()));
    }
    let name = setup.configuration.value("ScriptName").unwrap_or_default();
    let user = setup.user()?;
    Ok(Box::new(Script {
        configuration: setup.configuration.clone(),
        interpreter: interpreter(name, body)?,
        output,
        limits: setup.limits.or_seconds(setup.number("TimeoutSeconds")?),
        files: setup.files.clone().filter(|_| user.is_none()),
        user,
    }))
}

/// The program and its option for a script as an argument: by the first line, else by the name's ending.
fn interpreter(name: &str, body: &str) -> Result<(&'static str, &'static str), String> {
    let known = |program: &str| match program {
        "sh" | "dash" => Some(("/bin/sh", "-c")),
        "bash" => Some(("bash", "-c")),
        "python" | "python3" => Some(("python3", "-c")),
        "perl" => Some(("perl", "-e")),
        _ => None,
    };
    if let Some(line) = body.trim_start().strip_prefix("#!") {
        let line = line.lines().next().unwrap_or_default();
        let mut parts = line.split_whitespace().map(|part| part.rsplit('/').next().unwrap_or(part));
        let program = match parts.next() {
            Some("env") => parts.find(|part| !part.starts_with('-')),
            other => other,
        };
        return program
            .and_then(known)
            .ok_or_else(|| format!("the script is for {line:?}; sh, bash, python3 and perl run here"));
    }
    match name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
        Some("py") => Ok(("python3", "-c")),
        Some("pl") => Ok(("perl", "-e")),
        Some("bash") => Ok(("bash", "-c")),
        Some("vbs" | "js" | "ps1") => Err(format!("{name} is a script for Windows; it cannot run here")),
        _ => Ok(("/bin/sh", "-c")),
    }
}

impl Module for Script {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        for item in items {
            // the body is not filled in: its own $ are its own; what it needs comes as arguments and parameters
            let children = self.configuration.children.iter().filter(|child| child.name != "ScriptBody");
            let bare = Node { children: children.cloned().collect(), ..Node::new("Configuration") };
            let filled = fill_node(&bare, Some(item), context.accounts)?;
            let body = self.configuration.value("ScriptBody").unwrap_or_default().to_owned();
            let (program, option) = self.interpreter;
            let mut arguments: Vec<OsString> = vec![option.into(), body.into()];
            if option == "-c" && program != "python3" {
                arguments.push(filled.value("ScriptName").unwrap_or("script").into());
            }
            let given = words(filled.value("Arguments").unwrap_or_default()).map_err(Failure::new)?;
            arguments.extend(given.into_iter().map(OsString::from));
            let mut environment = filled.child("Parameters").map_or_else(Vec::new, |parameters| {
                let parameter = |one: &Node| {
                    let value = one.child("Value").map(|value| value.text.clone()).unwrap_or_default();
                    one.value("Name").map(|name| (name.to_owned(), value))
                };
                parameters.children.iter().filter_map(parameter).collect()
            });
            if let Some(folder) = &self.files {
                environment.push(("WATCHKEEPER_FILES".to_owned(), folder.to_string_lossy().into_owned()));
            }
            let files = self.files.clone();
            let execution = Execution {
                program: program.into(),
                arguments,
                folder: filled.value("WorkingDirectory").map(Into::into),
                environment,
                user: self.user.clone(),
                output_limit: self.limits.output,
            };
            let (output, now, source) = (self.output, context.now, item.source);
            context.begin(Job::new(Weight::Process, self.limits, async move {
                if let Some(folder) = files {
                    let cannot = |error| Failure::new(format!("cannot make the folder {}: {error}", folder.display()));
                    std::fs::create_dir_all(&folder).map_err(cannot)?;
                }
                let finished = execute(execution).await?;
                items_of(output, now, source, &finished)
            }));
        }
        Ok(())
    }
}

fn items_of(output: Output, now: i64, source: ObjectId, finished: &Finished) -> Result<Vec<DataItem>, Failure> {
    if output == Output::Plain {
        return Ok(vec![DataItem::command_output(now, source, &finished.stdout, &finished.stderr, finished.code)]);
    }
    if finished.code != 0 {
        let said: String = finished.stderr.trim().chars().take(1_000).collect();
        return Err(Failure::new(format!("the script ended with code {}: {said}", finished.code)));
    }
    let text = finished.stdout.trim_start();
    let wrong = |problem: String| Failure::new(format!("the output of the script: {problem}"));
    let items = if text.starts_with('<') {
        xml::read(text).map(|nodes| nodes.into_iter().map(|node| from_element(output, now, source, node)).collect())
    } else if output == Output::PropertyBag {
        bags(now, source, text)
    } else {
        snapshot(now, source, text).map(|item| vec![item])
    };
    items.map_err(wrong)
}

fn from_element(output: Output, now: i64, source: ObjectId, node: Node) -> DataItem {
    let kind = if output == Output::Discovery { DISCOVERY } else { PROPERTY_BAG };
    DataItem::new(kind, now, source, node.children)
}

/// A bag a line.
fn bags(now: i64, source: ObjectId, text: &str) -> Result<Vec<DataItem>, String> {
    let mut items = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let values = object(number, line)?;
        items.push(DataItem::property_bag(
            now,
            source,
            values.iter().map(|(name, value)| (name.as_str(), plain_text(value))),
        ));
    }
    Ok(items)
}

fn object(number: usize, line: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    serde_json::from_str(line).map_err(|error| {
        let start: String = line.chars().take(80).collect();
        format!("line {} is not a JSON object ({error}): {start}", number + 1)
    })
}

fn plain_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// An instance or relationship a line; all of them are one item.
fn snapshot(now: i64, source: ObjectId, text: &str) -> Result<DataItem, String> {
    let mut instances = Node::new("ClassInstances");
    let mut relationships = Node::new("RelationshipInstances");
    let mut kind = "0";
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line = object(number, line)?;
        let place = |problem: String| format!("line {}: {problem}", number + 1);
        if line.get("incremental").and_then(serde_json::Value::as_bool) == Some(true) {
            kind = "1";
        } else if let Some(class) = line.get("relationship").and_then(serde_json::Value::as_str) {
            let end = |name: &str, element: &str| {
                let object = line.get(name).and_then(serde_json::Value::as_object);
                object.ok_or_else(|| format!("no {name}")).and_then(|object| instance(element, object))
            };
            let node = Node::new("RelationshipInstance").with_attribute("TypeId", class);
            let node = node.with_child(end("source", "Source").map_err(place)?);
            relationships.children.push(removed(node.with_child(end("target", "Target").map_err(place)?), &line));
        } else {
            instances.children.push(removed(instance("ClassInstance", &line).map_err(place)?, &line));
        }
    }
    let children = vec![Node::text("DiscoveryType", kind), instances, relationships];
    Ok(DataItem::new(DISCOVERY, now, source, children))
}

fn removed(node: Node, line: &serde_json::Map<String, serde_json::Value>) -> Node {
    if line.get("removed").and_then(serde_json::Value::as_bool) == Some(true) {
        return node.with_attribute("Removed", "true");
    }
    node
}

fn instance(element: &str, object: &serde_json::Map<String, serde_json::Value>) -> Result<Node, String> {
    let class = object.get("class").and_then(serde_json::Value::as_str).ok_or("no \"class\"")?;
    let mut settings = Node::new("Settings");
    for (name, value) in object.get("properties").and_then(serde_json::Value::as_object).into_iter().flatten() {
        let setting = Node::new("Setting").with_child(Node::text("Name", name));
        settings.children.push(setting.with_child(Node::text("Value", plain_text(value))));
    }
    Ok(Node::new(element).with_attribute("TypeId", class).with_child(settings))
}

#[cfg(test)]
mod shipped_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::modules::text::{nobody, xml as write};

    fn finished(stdout: &str) -> Finished {
        Finished { stdout: stdout.to_owned(), stderr: String::new(), code: 0 }
    }

    #[test]
    fn output_becomes_bags_and_discovery_data() {
        let bags =
            items_of(Output::PropertyBag, 0, nobody(), &finished("{\"a\":1,\"b\":\"x\"}\n\n{\"a\":null}\n")).unwrap();
        assert_eq!(bags.len(), 2);
        assert!(write(&bags[0].body).contains("<Property Name=\"a\">1</Property><Property Name=\"b\">x</Property>"));
        let bag = "<DataItem type=\"System.PropertyBagData\"><Property Name=\"a\">1</Property></DataItem>";
        let from_xml = items_of(Output::PropertyBag, 0, nobody(), &finished(bag)).unwrap();
        assert_eq!(from_xml[0].body.children[0].text, "1");
        let lines = "{\"class\":\"C\",\"properties\":{\"Name\":\"n\"}}\n{\"relationship\":\"R\",\"source\":{\"class\":\"C\"},\"target\":{\"class\":\"D\"}}";
        let found = items_of(Output::Discovery, 0, nobody(), &finished(lines)).unwrap();
        let text = write(&found[0].body);
        for part in ["<DiscoveryType>0<", "TypeId=\"C\"", "<Name>Name</Name><Value>n</Value>", "<Target TypeId=\"D\">"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn output_that_is_neither_is_a_failure_that_shows_the_line() {
        let failure = items_of(Output::PropertyBag, 0, nobody(), &finished("{\"a\":1}\noops")).unwrap_err();
        assert!(failure.reason.contains("line 2") && failure.reason.contains("oops"), "{failure}");
        let failed = Finished { stdout: String::new(), stderr: "no such disk".into(), code: 3 };
        let failure = items_of(Output::Discovery, 0, nobody(), &failed).unwrap_err();
        assert!(failure.reason.contains("code 3: no such disk"), "{failure}");
    }

    #[test]
    fn the_interpreter_is_known_by_the_first_line_or_the_ending() {
        for (name, body, expected) in [
            ("a.sh", "echo", "/bin/sh"),
            ("a.py", "x", "python3"),
            ("a", "#!/usr/bin/env python3\n", "python3"),
            ("a", "#!/bin/bash -e\n", "bash"),
        ] {
            assert_eq!(interpreter(name, body).unwrap().0, expected, "{name} {body}");
        }
        assert!(interpreter("a.ps1", "x").is_err());
        assert!(interpreter("a", "#!/usr/bin/lua\n").is_err());
    }
}
