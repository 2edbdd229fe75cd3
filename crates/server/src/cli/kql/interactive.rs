//! Queries asked on a terminal, with history and completion. Enter runs a query; after a line that ends with `|` or a
//! backslash, or with an open bracket, it goes on in the next line.

use std::sync::Arc;

use reedline::{
    ColumnarMenu, Completer, CompletionResult, DefaultPrompt, DefaultPromptSegment, Emacs, FileBackedHistory, KeyCode,
    KeyModifiers, MenuBuilder, Reedline, ReedlineEvent, ReedlineMenu, Signal, Span, Suggestion, ValidationResult,
    Validator, default_emacs_keybindings,
};
use watchkeeper_kql::editor;
use watchkeeper_query::{Tables, TablesCatalog};

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
        let found = editor::complete(line, pos, &TablesCatalog(self.tables.as_ref()));
        let span = Span::new(found.word.start as usize, found.word.end as usize);
        let suggestion = |item: editor::Completion| Suggestion {
            value: item.label,
            description: Some(item.description).filter(|text| !text.is_empty()).map(str::to_owned),
            span,
            ..Suggestion::default()
        };
        CompletionResult::fresh(found.items.into_iter().map(suggestion).collect::<Vec<_>>())
    }
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
        let mut words = Words { tables: Arc::new(tables) };
        let mut found = |text: &str| -> Vec<String> {
            let found = words.complete(text, text.len());
            found.suggestions().iter().map(|suggestion| suggestion.value.clone()).collect()
        };
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
