//! Queries asked on a terminal, with history and completion. Enter runs a query; after a line that ends with `|` or a
//! backslash, or with an open bracket, it goes on in the next line.

use std::collections::BTreeSet;
use std::sync::Arc;

use reedline::{
    ColumnarMenu, Completer, CompletionResult, DefaultPrompt, DefaultPromptSegment, Emacs, FileBackedHistory, KeyCode,
    KeyModifiers, MenuBuilder, Reedline, ReedlineEvent, ReedlineMenu, Signal, Span, Suggestion, ValidationResult,
    Validator, default_emacs_keybindings,
};
use watchkeeper_kql::functions;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_query::Tables;

use super::{Format, Shell, print};

const MENU: &str = "completions";

pub async fn run(shell: &Shell, format: Format) -> anyhow::Result<()> {
    let mut keys = default_emacs_keybindings();
    let complete = ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext]);
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, complete);
    let mut editor = Reedline::create()
        .with_completer(Box::new(Words { tables: Arc::clone(&shell.tables) }))
        .with_validator(Box::new(Unfinished))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(ColumnarMenu::default().with_name(MENU))))
        .with_edit_mode(Box::new(Emacs::new(keys)));
    if let Some(folder) = crate::config::default_data_dir().parent() {
        // without a writable place the history lasts as long as the session
        if let Ok(history) = FileBackedHistory::with_file(2000, folder.join("watchkeeper-kql-history")) {
            editor = editor.with_history(Box::new(history));
        }
    }
    println!("Tables: {}. Tab completes, Ctrl+D ends.", shell.tables.names().join(", "));
    let prompt = DefaultPrompt::new(DefaultPromptSegment::Basic("kql".to_owned()), DefaultPromptSegment::Empty);
    loop {
        match editor.read_line(&prompt)? {
            Signal::Success(text) if text.trim().is_empty() => {}
            Signal::Success(text) => match shell.answer(&text, format).await {
                Ok(printed) => print::out(&printed)?,
                Err(report) => eprintln!("{report}"),
            },
            Signal::CtrlC => {}
            _ => return Ok(()),
        }
    }
}

struct Unfinished;

impl Validator for Unfinished {
    fn validate(&self, line: &str) -> ValidationResult {
        let open = line.matches(['(', '[', '{']).count();
        let closed = line.matches([')', ']', '}']).count();
        match line.trim_end().ends_with(['|', '\\', ',']) || open > closed {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Complete,
        }
    }
}

/// Completion of tables, columns, operators and functions.
struct Words {
    tables: Arc<dyn Tables>,
}

impl Completer for Words {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let before = line.get(..pos).unwrap_or(line);
        let start = word_start(before);
        let span = Span::new(start, before.len());
        let suggestions: Vec<Suggestion> = words(self.tables.as_ref(), before)
            .into_iter()
            .map(|value| Suggestion { value, span, ..Suggestion::default() })
            .collect();
        CompletionResult::fresh(suggestions)
    }
}

fn word_start(before: &str) -> usize {
    let word = before.char_indices().rev().take_while(|(_, c)| c.is_alphanumeric() || *c == '_' || *c == '-');
    word.last().map_or(before.len(), |(at, _)| at)
}

/// What can stand in place of the word before the cursor.
fn words(tables: &dyn Tables, before: &str) -> BTreeSet<String> {
    let start = word_start(before);
    let word = before[start..].to_lowercase();
    let place = before[..start].trim_end();
    let mut all: BTreeSet<String> = BTreeSet::new();
    if place.ends_with('|') {
        all.extend(watchkeeper_kql::parser::operators().map(str::to_owned));
    } else if place.is_empty() || place.ends_with(';') {
        all.extend(tables.names());
        all.extend(["let", "print", "range", "union", "search", "find", "datatable"].map(str::to_owned));
    } else {
        let names = tables.names();
        for name in &names {
            let columns = tables.schema(&TableSource::Local, name).filter(|_| before.contains(name.as_str()));
            all.extend(columns.iter().flat_map(|schema| schema.names()).map(str::to_owned));
        }
        all.extend(names);
        let signatures = functions::scalars().chain(functions::aggregates()).chain(functions::plugins());
        all.extend(signatures.map(|signature| signature.name.to_owned()).filter(|name| !name.starts_with("__")));
    }
    all.retain(|candidate| candidate.to_lowercase().starts_with(&word));
    all
}

#[cfg(test)]
mod tests {
    use watchkeeper_query::FileTables;

    use super::*;

    #[tokio::test]
    async fn completion_knows_the_place_of_the_word() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("logs.csv");
        std::fs::write(&path, "Level,Message\n1,x\n").expect("a file");
        let mut tables = FileTables::default();
        tables.add("logs", &path.to_string_lossy()).await.expect("the table");
        let found = |text: &str| words(&tables, text).into_iter().collect::<Vec<_>>();
        assert_eq!(found("lo"), ["logs"]);
        assert_eq!(found("logs | summ"), ["summarize"]);
        assert!(found("logs | where Le").contains(&"Level".to_owned()));
        assert_eq!(found("logs | where startofy"), ["startofyear"]);
    }

    #[test]
    fn a_line_with_an_open_end_goes_on() {
        for (line, complete) in [("logs |", false), ("logs | where (a", false), ("logs | count", true)] {
            assert_eq!(matches!(Unfinished.validate(line), ValidationResult::Complete), complete, "{line}");
        }
    }
}
