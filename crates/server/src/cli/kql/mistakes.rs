//! What is wrong with a query text, with the place underlined.

use std::fmt::Write;

use watchkeeper_kql::Diagnostic;

/// Each mistake with its line of the text and a mark below what it speaks of.
pub fn report(text: &str, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let (line, column) = diagnostic.line_column(text);
        let source = text.lines().nth(line - 1).unwrap_or("");
        let number = line.to_string();
        let edge = " ".repeat(number.len());
        let span = diagnostic.span;
        let marked = text.get(span.start as usize..span.end as usize).unwrap_or("");
        let length = marked.lines().next().unwrap_or("").chars().count().max(1);
        // tabs stay tabs, so that the mark stands below its text
        let before: String =
            source.chars().take(column - 1).map(|character| if character == '\t' { '\t' } else { ' ' }).collect();
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(out, "{line}:{column}: {}", diagnostic.message);
        let _ = writeln!(out, "{number} | {source}");
        let _ = writeln!(out, "{edge} | {before}{}", "^".repeat(length));
        if let Some(help) = &diagnostic.help {
            let _ = writeln!(out, "{edge} = {help}");
        }
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use watchkeeper_kql::{Code, Span};

    use super::*;

    #[test]
    fn the_offending_text_is_underlined_in_its_line() {
        let text = "Logs\n| where\tLvel == 1";
        let start = text.find("Lvel").expect("it is there");
        let diagnostic = Diagnostic {
            code: Code::UnknownName,
            span: Span::new(start, start + 4),
            message: "there is no column `Lvel`".to_owned(),
            help: Some("did you mean `Level`?".to_owned()),
        };
        let expected =
            "2:9: there is no column `Lvel`\n2 | | where\tLvel == 1\n  |        \t^^^^\n  = did you mean `Level`?";
        assert_eq!(report(text, &[diagnostic]), expected);
    }
}
