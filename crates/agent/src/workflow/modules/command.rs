//! Commands: `System.CommandExecuter`, its probe, and what the methods of the UNIX agent's provider become here.

use std::ffi::OsString;

use watchkeeper_model::item::DataItem;
use watchkeeper_model::node::Node;

use super::text::{fill_node, nobody};
use super::xml;
use crate::workflow::exec::{Execution, Finished, execute};
use crate::workflow::job::{Job, Limits, Weight};
use crate::workflow::module::{Context, Failure, Item, Module, Setup, number};

struct Executer {
    configuration: Node,
    limits: Limits,
    user: Option<String>,
}

/// `System.CommandExecuter` and `System.CommandExecuterProbe`: `ApplicationName`, `WorkingDirectory`, `CommandLine`,
/// `TimeoutSeconds`, `RequireOutput`. The command line is read as a shell reads it, without a shell.
///
/// # Errors
/// When a parameter is missing or cannot be.
pub fn executer(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    setup.required("ApplicationName")?;
    let limits = setup.limits.or_seconds(setup.number("TimeoutSeconds")?);
    Ok(Box::new(Executer { configuration: setup.configuration.clone(), limits, user: setup.user()? }))
}

impl Module for Executer {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        for item in items {
            let filled = fill_node(&self.configuration, Some(item), context.accounts)?;
            let words = words(filled.value("CommandLine").unwrap_or_default()).map_err(Failure::new)?;
            let execution = Execution {
                program: filled.value("ApplicationName").unwrap_or_default().into(),
                arguments: words.into_iter().map(OsString::from).collect(),
                folder: filled.value("WorkingDirectory").map(Into::into),
                environment: Vec::new(),
                user: self.user.clone(),
                output_limit: self.limits.output,
            };
            let require = filled.value("RequireOutput").is_some_and(|text| text.eq_ignore_ascii_case("true"));
            let (now, source) = (context.now, item.source);
            context.begin(Job::new(Weight::Process, self.limits, async move {
                let finished = execute(execution).await?;
                if require && finished.stdout.trim().is_empty() {
                    return Err(Failure::new(format!(
                        "the command gave no output (exit code {}): {}",
                        finished.code,
                        finished.stderr.trim()
                    )));
                }
                Ok(vec![output(now, source, &finished)])
            }));
        }
        Ok(())
    }
}

fn output(now: i64, source: watchkeeper_model::ids::ObjectId, finished: &Finished) -> DataItem {
    DataItem::command_output(now, source, &finished.stdout, &finished.stderr, finished.code)
}

/// The words of a command line: spaces part them, quotes and backslashes keep them together. Nothing else is special.
pub(super) fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some(end) if end == character => break,
                        Some('\\') if character == '"' => match characters.next() {
                            Some(escaped @ ('"' | '\\' | '$' | '`')) => word.push(escaped),
                            Some(other) => word.extend(['\\', other]),
                            None => word.push('\\'),
                        },
                        Some(other) => word.push(other),
                        None => return Err(format!("the command line has a {character} without an end")),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(characters.next().unwrap_or('\\')),
            space if space.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

struct Invoke {
    configuration: Node,
    limits: Limits,
    user: Option<String>,
}

/// `Microsoft.Unix.WSMan.Invoke.*`: `InvokeAction` `ExecuteCommand`, `ExecuteShellCommand` or `ExecuteScript`, and
/// `Input` with the method's parameters. The agent is on the machine that `TargetSystem` names, so that the method runs
/// here; the result has `StdOut`, `StdErr`, `ReturnCode`.
///
/// # Errors
/// When the method is another.
pub fn invoke(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let action = setup.required("InvokeAction")?;
    if !matches!(action, "ExecuteCommand" | "ExecuteShellCommand" | "ExecuteScript") {
        return Err(format!(
            "InvokeAction is {action:?}; ExecuteCommand, ExecuteShellCommand and ExecuteScript run here"
        ));
    }
    setup.required("Input").or_else(|problem| {
        if setup.configuration.child("Input").is_some_and(|input| !input.children.is_empty()) {
            Ok("")
        } else {
            Err(problem)
        }
    })?;
    let limits = setup.limits.or_seconds(setup.number("TimeoutSeconds")?);
    Ok(Box::new(Invoke { configuration: setup.configuration.clone(), limits, user: setup.user()? }))
}

impl Module for Invoke {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        for item in items {
            // read before it is filled in: no value of an item and no password becomes an element
            let input = self.configuration.child("Input").map_or_else(|| Ok(Node::default()), parameters);
            let input = fill_node(&input.map_err(Failure::new)?, Some(item), context.accounts)?;
            let action = self.configuration.value("InvokeAction").unwrap_or_default();
            let text = |name: &str| {
                let found = input.children.iter().find(|child| child.name.eq_ignore_ascii_case(name));
                found.map(|child| child.text.clone()).unwrap_or_default()
            };
            let (program, arguments) = match action {
                "ExecuteScript" => {
                    let mut arguments = vec!["-c".to_owned(), text("Script"), "script".to_owned()];
                    arguments.extend(words(&text("Arguments")).map_err(Failure::new)?);
                    ("/bin/sh".to_owned(), arguments)
                }
                "ExecuteCommand" => {
                    let mut words = words(&text("command")).map_err(Failure::new)?.into_iter();
                    (words.next().unwrap_or_default(), words.collect())
                }
                _ => ("/bin/sh".to_owned(), vec!["-c".to_owned(), text("command")]),
            };
            let seconds = number::<u64>(&input, "timeout").unwrap_or(None);
            let limits = self.limits.or_seconds(seconds);
            let execution = Execution {
                program: program.into(),
                arguments: arguments.into_iter().map(OsString::from).collect(),
                folder: None,
                environment: Vec::new(),
                user: self.user.clone(),
                output_limit: limits.output,
            };
            let now = context.now;
            context.begin(Job::new(Weight::Process, limits, async move {
                let finished = execute(execution).await?;
                Ok(vec![output(now, nobody(), &finished)])
            }));
        }
        Ok(())
    }
}

/// The parameters of a method: an element within the text, or the elements themselves.
fn parameters(input: &Node) -> Result<Node, String> {
    if !input.children.is_empty() {
        return Ok(match input.children.as_slice() {
            [only] if !only.children.is_empty() => only.clone(),
            _ => input.clone(),
        });
    }
    let nodes = xml::read(&input.text).map_err(|problem| format!("the Input of the method: {problem}"))?;
    nodes.into_iter().next().ok_or_else(|| "the Input of the method is empty".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_becomes_words_as_in_a_shell() {
        for (line, expected) in [
            ("", vec![]),
            (" a  b ", vec!["a", "b"]),
            ("'a b' \"c d\" e\\ f", vec!["a b", "c d", "e f"]),
            ("\"a \\\"b\\\" \\n\" ''", vec!["a \"b\" \\n", ""]),
            ("$(rm) `x` ;|&", vec!["$(rm)", "`x`", ";|&"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        assert!(words("'a").is_err());
    }

    #[test]
    fn the_parameters_of_a_method_are_read_from_its_input() {
        let input = Node::text(
            "Input",
            "<p:ExecuteShellCommand_INPUT xmlns:p=\"x\"><p:command>echo &quot;1&quot;</p:command><p:timeout>5</p:timeout></p:ExecuteShellCommand_INPUT>",
        );
        let read = parameters(&input).unwrap();
        assert_eq!(read.value("command"), Some("echo \"1\""));
        assert_eq!(number::<u64>(&read, "timeout"), Ok(Some(5)));
    }
}
