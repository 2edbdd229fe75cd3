//! Sources of events: the system's log, and text files.

use std::path::Path;
use std::sync::Arc;

use watchkeeper_model::expression::Expression;
use watchkeeper_model::item::{DataItem, EVENT, Event};
use watchkeeper_model::xpath::XPath;

use super::filter;
use super::text::nobody;
use crate::collect::Collected;
use crate::workflow::module::{Context, Failure, Item, Module, SECOND, Setup};
use crate::workflow::platform::{EventSource, LogSource};

/// How often sources are looked at.
const INTERVAL: i64 = SECOND;
/// Reads of one look; what is left is read at the next.
const READS_AT_ONCE: usize = 16;

fn next(context: &mut Context<'_>) {
    // whole seconds: all sources together are one wake-up
    context.wake_at((context.now / INTERVAL + 1) * INTERVAL);
}

struct System {
    key: String,
    files: Vec<String>,
    expression: Option<Expression<XPath>>,
    source: Option<Box<dyn EventSource>>,
}

/// `System.SystemLog.EventProvider` and `Microsoft.Unix.SyslogProvider`: `Files/File` (else the journal), `Expression`.
///
/// # Errors
/// When the expression cannot be understood.
pub fn system(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let files = setup.configuration.child("Files").map(|files| {
        files.children.iter().map(|file| file.text.trim().to_owned()).filter(|file| !file.is_empty()).collect()
    });
    Ok(Box::new(System {
        key: format!("workflow/{}", setup.seed.simple()),
        files: files.unwrap_or_default(),
        expression: filter::read(setup.configuration)?,
        source: None,
    }))
}

impl Module for System {
    fn start(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        next(context);
        Ok(())
    }

    fn wake(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        next(context);
        if self.source.is_none() {
            self.source = Some(context.platform.system_log(&self.key, &self.files).map_err(Failure::new)?);
        }
        let Some(source) = &mut self.source else { return Ok(()) };
        let mut out = Collected::default();
        let events = source.read(context.now, context.positions, &mut out);
        context.outbox.events.take_positions(&mut out);
        let items: Vec<Item> = events
            .into_iter()
            .map(|event| DataItem::event(EVENT, event.time, nobody(), event.event))
            .filter(|item| self.expression.as_ref().is_none_or(|one| filter::matches(one, item, context.now)))
            .map(Arc::new)
            .collect();
        for item in items {
            context.emit(item);
        }
        Ok(())
    }
}

struct Lines {
    key: String,
    directory: String,
    pattern: String,
    separator: Option<char>,
    from_beginning: bool,
    expression: Option<Expression<XPath>>,
    /// Lines are events; else they are log entries.
    as_events: bool,
    source: Option<Box<dyn LogSource>>,
}

/// `System.ApplicationLog.GenericLog.EventProvider`: `LogFileDirectory`, `LogFilePattern`, `LogIsUTF8`.
///
/// # Errors
/// When a parameter is missing.
pub fn lines(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    new(setup, None, false)
}

/// `System.ApplicationLog.GenericLog.FilteredEventProvider`: the same with `Expression`, as events.
///
/// # Errors
/// As [`lines`].
pub fn filtered_lines(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    new(setup, None, true)
}

/// `System.ApplicationLog.GenericCSVLog.FilteredEventProvider`: the same with `Separator`; each column is a parameter.
///
/// # Errors
/// As [`lines`].
pub fn filtered_columns(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let separator = setup.configuration.value("Separator").and_then(|text| text.chars().next()).unwrap_or(',');
    new(setup, Some(separator), true)
}

fn new(setup: &Setup<'_>, separator: Option<char>, as_events: bool) -> Result<Box<dyn Module>, String> {
    Ok(Box::new(Lines {
        key: format!("workflow/{}", setup.seed.simple()),
        directory: setup.required("LogFileDirectory")?.trim_end_matches('/').to_owned(),
        pattern: setup.required("LogFilePattern")?.to_owned(),
        separator,
        from_beginning: setup.flag("FromBeginning")?.unwrap_or(false),
        expression: filter::read(setup.configuration)?,
        as_events,
        source: None,
    }))
}

impl Module for Lines {
    fn start(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        // where the files stand now is where reading begins
        self.wake(context)
    }

    fn wake(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        next(context);
        if self.source.is_none() {
            let pattern = format!("{}/{}", self.directory, self.pattern);
            let source = context.platform.log_files(&self.key, &pattern, self.from_beginning);
            self.source = Some(source.map_err(Failure::new)?);
        }
        let Some(source) = &mut self.source else { return Ok(()) };
        let mut out = Collected::default();
        let lines = source.read(context.positions, &mut out);
        if out.more {
            context.wake_at(context.now + SECOND / i64::try_from(READS_AT_ONCE).unwrap_or(1));
        }
        context.outbox.events.take_positions(&mut out);
        for line in lines {
            let columns: Vec<String> = match self.separator {
                None => vec![line.text.clone()],
                Some(separator) => columns(&line.text, separator),
            };
            let entry = DataItem::log_line(context.now, nobody(), &line.directory, &line.file, columns.clone());
            let item = if self.as_events {
                let path = Path::new(&line.directory).join(&line.file);
                DataItem::event(
                    EVENT,
                    context.now,
                    nobody(),
                    Event {
                        publisher: "GenericLog".to_owned(),
                        level: 4,
                        computer: context.origin.computer.clone(),
                        channel: path.display().to_string(),
                        description: line.text,
                        params: columns,
                        data: vec![entry.body],
                        ..Event::default()
                    },
                )
            } else {
                entry
            };
            if self.expression.as_ref().is_none_or(|one| filter::matches(one, &item, context.now)) {
                context.emit(item);
            }
        }
        Ok(())
    }
}

/// The columns of a line; a quoted column may hold the separator, and quotes twice.
fn columns(line: &str, separator: char) -> Vec<String> {
    let mut columns = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let Some(column) = columns.last_mut() else { break };
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                column.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if column.is_empty() => quoted = true,
            other if other == separator && !quoted => columns.push(String::new()),
            other => column.push(other),
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_end_at_separators_outside_of_quotes() {
        for (line, expected) in [
            ("a,b,,c", vec!["a", "b", "", "c"]),
            ("\"a,b\",c", vec!["a,b", "c"]),
            ("\"say \"\"x\"\"\",1", vec!["say \"x\"", "1"]),
            ("a\"b,c", vec!["a\"b", "c"]),
            ("", vec![""]),
        ] {
            assert_eq!(columns(line, ','), expected, "{line}");
        }
    }
}
