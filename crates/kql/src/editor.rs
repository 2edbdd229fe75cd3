//! What an editor asks about a query text at a place: completions, hover, signatures, symbols, definitions.
//! Places are bytes of the text. A text with mistakes is answered as far as it can be read.

use std::collections::BTreeMap;

use crate::functions::reference::{self, FunctionKind};
use crate::functions::{self, Overload, Signature};
use crate::lexer::{Kind, Token, tokenize};
use crate::syntax::{LetValue, StatementKind};
use crate::typed::TableSource;
use crate::{Analysis, Catalog, Options, Schema, Span, analyze, parser};

/// What a completion stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionKind {
    Operator,
    Keyword,
    Table,
    Column,
    Variable,
    Function,
}

/// What may stand at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    pub label: String,
    pub kind: CompletionKind,
    /// The signature of a function, the type of a column.
    pub detail: String,
    pub description: &'static str,
}

/// The word before the place, and what begins with it, in the order of the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completions {
    pub word: Span,
    pub items: Vec<Completion>,
}

/// What is to be said about a word, in Markdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hover {
    pub word: Span,
    pub text: String,
}

/// The function whose arguments stand at a place.
#[derive(Debug, Clone, Copy)]
pub struct CallAt {
    pub signature: &'static Signature,
    pub description: &'static str,
    /// The argument at the place, counted from 0.
    pub argument: usize,
}

/// A name that a `let` gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    pub name: String,
    pub name_span: Span,
    /// The whole statement.
    pub span: Span,
    pub is_function: bool,
}

const STATEMENTS: &[&str] =
    &["alias", "datatable", "declare", "find", "let", "print", "range", "search", "set", "union"];

/// The words of operators' expressions and parameters.
const WORDS: &[&str] = &[
    "and",
    "asc",
    "between",
    "by",
    "contains",
    "desc",
    "endswith",
    "from",
    "has",
    "has_all",
    "has_any",
    "hint.",
    "in",
    "kind=",
    "matches regex",
    "nulls first",
    "nulls last",
    "on",
    "or",
    "startswith",
    "step",
    "to",
    "typeof",
    "with",
];

/// What `kind=` takes.
const KINDS: &[(&str, &[&str])] = &[
    (
        "join",
        &[
            "anti",
            "fullouter",
            "inner",
            "innerunique",
            "leftanti",
            "leftouter",
            "leftsemi",
            "rightanti",
            "rightouter",
            "rightsemi",
        ],
    ),
    ("lookup", &["inner", "leftouter"]),
    ("make-series", &["nonempty"]),
    ("mv-expand", &["array", "bag"]),
    ("parse", &["regex", "relaxed", "simple"]),
    ("parse-where", &["regex", "relaxed", "simple"]),
    ("union", &["inner", "outer"]),
];

/// Operators whose expressions take aggregates.
const AGGREGATING: &[&str] = &["summarize", "make-series", "top-nested", "evaluate", "mv-apply"];

/// What can stand in place of the word before `offset`.
pub fn complete(text: &str, offset: usize, catalog: &dyn Catalog) -> Completions {
    let place = Place::new(text, offset);
    let mut found = Found::default();
    if !place.in_literal {
        place.candidates(catalog, &mut found);
    }
    let prefix = text[place.word.start as usize..place.word.end as usize].to_lowercase();
    found.0.retain(|label, _| label.to_lowercase().starts_with(&prefix));
    Completions { word: place.word, items: found.0.into_values().collect() }
}

/// What is to be said about the word at `offset`.
pub fn hover(text: &str, offset: usize, catalog: &dyn Catalog) -> Option<Hover> {
    let (word, is_call) = word_at(text, offset)?;
    let place = Place::new(text, word.start as usize);
    let name = &text[word.start as usize..word.end as usize];
    let columns = place.columns(catalog);
    let column = columns.columns.iter().find(|column| column.name == name);
    let said = if let Some((signature, description)) = place.function(name).filter(|_| is_call) {
        let usages: Vec<String> = signature.overloads.iter().map(|overload| usage(signature, overload)).collect();
        format!("```kql\n{}\n```\n\n{description}", usages.join("\n"))
    } else if let Some(column) = column {
        format!("`{}`: {}", column.name, column.ty)
    } else if let Some(symbol) = definition(text, offset) {
        let statement = &text[symbol.span.start as usize..symbol.span.end as usize];
        format!("```kql\n{}\n```", statement.lines().next().unwrap_or_default())
    } else {
        let schema = catalog.table(&TableSource::Local, name)?;
        let columns: Vec<String> =
            schema.columns.iter().map(|column| format!("- `{}`: {}", column.name, column.ty)).collect();
        format!("**{name}**\n\n{}", columns.join("\n"))
    };
    Some(Hover { word, text: said })
}

/// The call whose arguments stand at `offset`.
pub fn call_at(text: &str, offset: usize) -> Option<CallAt> {
    let place = Place::new(text, offset);
    let called = |at: usize| {
        let name = place.before[..place.frames[at].first].iter().rev().nth(1).filter(|name| name.kind == Kind::Word)?;
        let outside = Place::new(text, name.start as usize);
        let (signature, description) = outside.function(place.token_text(*name))?;
        Some(CallAt { signature, description, argument: place.frames[at].commas })
    };
    (1..place.frames.len()).rev().find_map(called)
}

/// The names that the text's `let` statements give.
pub fn symbols(text: &str) -> Vec<Symbol> {
    let statements = crate::parse(text).query.statements;
    let symbol = |statement: crate::syntax::Statement| match statement.kind {
        StatementKind::Let { name, value } => Some(Symbol {
            name: name.text,
            name_span: name.span,
            span: statement.span,
            is_function: matches!(value, LetValue::Function(_)),
        }),
        _ => None,
    };
    statements.into_iter().filter_map(symbol).collect()
}

/// The `let` that gives the word at `offset` its meaning.
pub fn definition(text: &str, offset: usize) -> Option<Symbol> {
    let (word, _) = word_at(text, offset)?;
    let name = &text[word.start as usize..word.end as usize];
    symbols(text).into_iter().rfind(|symbol| symbol.name == name && symbol.name_span.start <= word.start)
}

/// `name(parameters) → what it gives`.
pub fn usage(signature: &Signature, overload: &Overload) -> String {
    format!("{} → {}", overload.usage(signature.name), overload.returns)
}

/// The word that `offset` touches, and whether a parenthesis follows it.
fn word_at(text: &str, offset: usize) -> Option<(Span, bool)> {
    let (tokens, _) = tokenize(text);
    let touches = |token: &Token| token.start as usize <= offset && offset <= token.end as usize;
    let at = tokens.iter().position(|token| token.kind == Kind::Word && touches(token))?;
    Some((tokens[at].span(), tokens.get(at + 1).is_some_and(|next| next.kind == Kind::OpenParen)))
}

#[derive(Default)]
struct Found(BTreeMap<String, Completion>);

impl Found {
    /// The first meaning of a name stays.
    fn add(&mut self, label: &str, kind: CompletionKind, detail: String, description: &'static str) {
        let completion = Completion { label: label.to_owned(), kind, detail, description };
        self.0.entry(label.to_owned()).or_insert(completion);
    }

    fn words<'w>(&mut self, words: impl IntoIterator<Item = &'w str>, kind: CompletionKind) {
        words.into_iter().for_each(|word| self.add(word, kind, String::new(), ""));
    }

    fn functions(&mut self, kind: FunctionKind, signatures: impl Iterator<Item = &'static Signature>) {
        for signature in signatures {
            if let Some(entry) = reference::entry(kind, signature.name) {
                let usages: Vec<String> = signature.overloads.iter().map(|one| usage(signature, one)).collect();
                self.add(signature.name, CompletionKind::Function, usages.join("\n"), entry.description);
            }
        }
    }
}

/// An open bracket, or the statement itself, with what stands in it before the place.
#[derive(Debug)]
struct Frame {
    /// Its first token, by its index.
    first: usize,
    pipes: Vec<usize>,
    commas: usize,
}

/// Where the text is asked about.
struct Place<'t> {
    text: &'t str,
    /// The tokens before the word.
    before: Vec<Token>,
    word: Span,
    /// The place is in a string, another literal or a comment.
    in_literal: bool,
    /// The statement and the brackets that are open, the innermost last; never empty.
    frames: Vec<Frame>,
}

impl<'t> Place<'t> {
    fn new(text: &'t str, offset: usize) -> Place<'t> {
        let (mut before, _) = tokenize(text);
        before.retain(|token| (token.start as usize) < offset && token.kind != Kind::End);
        let mut word = Span::new(offset, offset);
        let touched = before.last().copied().filter(|last| last.end as usize >= offset);
        let mut in_literal = false;
        match touched.map(|last| (last.kind, last)) {
            Some((Kind::Word, last)) => {
                word.start = last.start;
                before.pop();
            }
            Some((kind, last)) if (last.end as usize) > offset => {
                in_literal = matches!(kind, Kind::String | Kind::Typed);
            }
            _ => {}
        }
        let end = before.last().map_or(0, |last| last.end as usize);
        in_literal |= text.get(end..word.start as usize).is_some_and(|gap| {
            // a comment ends with its line
            gap.rsplit('\n').next().is_some_and(|line| line.contains("//"))
        });
        // `mv-ex` after a pipe is one word
        let mut operator = before.len();
        while let [.., first, minus] = &before[..operator]
            && (first.kind, minus.kind) == (Kind::Word, Kind::Minus)
            && first.end == minus.start
            && minus.end == before.get(operator).map_or(word.start, |next| next.start)
        {
            operator -= 2;
        }
        if operator > 0 && operator < before.len() && before[operator - 1].kind == Kind::Pipe {
            word.start = before[operator].start;
            before.truncate(operator);
        }
        let frames = frames(&before);
        Place { text, before, word, in_literal, frames }
    }

    fn token_text(&self, token: Token) -> &'t str {
        &self.text[token.start as usize..token.end as usize]
    }

    /// The kind and text of the token so far before the word.
    fn back(&self, count: usize) -> (Kind, &'t str) {
        match self.before.iter().rev().nth(count) {
            Some(token) => (token.kind, self.token_text(*token)),
            None => (Kind::End, ""),
        }
    }

    fn innermost(&self) -> &Frame {
        &self.frames[self.frames.len() - 1]
    }

    /// Where the statement begins.
    fn statement(&self) -> usize {
        self.before.get(self.frames[0].first).map_or(self.word.start, |first| first.start) as usize
    }

    /// The operator of the nearest pipe, with its hyphens, or the word that the statement begins with.
    fn operator(&self) -> &'t str {
        let piped = self.frames.iter().rev().find_map(|frame| frame.pipes.last()).map(|pipe| pipe + 1);
        let Some(first) = self.before.get(piped.unwrap_or(self.frames[0].first)) else { return "" };
        let rest = &self.text[first.start as usize..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').unwrap_or(rest.len());
        &rest[..end]
    }

    fn candidates(&self, catalog: &dyn Catalog, found: &mut Found) {
        match (self.back(0), self.back(1)) {
            ((Kind::Pipe, _), _) => return found.words(parser::operators(), CompletionKind::Operator),
            ((Kind::Word, "evaluate"), _) => return found.functions(FunctionKind::Plugin, functions::plugins()),
            ((Kind::Assign, _), (Kind::Word, "kind")) => {
                let kinds = KINDS.iter().find(|(operator, _)| *operator == self.operator());
                return found.words(kinds.iter().flat_map(|(_, kinds)| kinds.iter().copied()), CompletionKind::Keyword);
            }
            ((Kind::Dot, _), (Kind::Word, "$left" | "$right")) => return self.add_columns(catalog, found),
            ((Kind::Dot, _), _) => return,
            _ => {}
        }
        let begins = self.innermost().first == self.before.len();
        let begins_statement = begins && self.frames.len() == 1;
        if !begins_statement {
            self.add_columns(catalog, found);
        }
        for symbol in symbols(self.text) {
            if symbol.span.end as usize <= self.statement() {
                found.add(&symbol.name, CompletionKind::Variable, "let".to_owned(), "");
            }
        }
        for table in catalog.table_names() {
            found.add(&table, CompletionKind::Table, "table".to_owned(), "");
        }
        if begins_statement {
            return found.words(STATEMENTS.iter().copied(), CompletionKind::Keyword);
        }
        if AGGREGATING.contains(&self.operator()) {
            found.functions(FunctionKind::Aggregate, functions::aggregates());
        }
        found.functions(FunctionKind::Scalar, functions::scalars());
        found.words(WORDS.iter().copied(), CompletionKind::Keyword);
    }

    fn add_columns(&self, catalog: &dyn Catalog, found: &mut Found) {
        for column in self.columns(catalog).columns {
            found.add(&column.name, CompletionKind::Column, column.ty.name().to_owned(), "");
        }
    }

    /// The columns that the operator at the place gets: those of the longest pipeline before it that can be analyzed.
    fn columns(&self, catalog: &dyn Catalog) -> Schema {
        for frame in self.frames.iter().rev() {
            let first = match &self.before[frame.first.min(self.before.len())..] {
                [word, _, assign, value, ..]
                    if assign.kind == Kind::Assign && matches!(self.token_text(*word), "let") =>
                {
                    value.start as usize
                }
                [first, ..] => first.start as usize,
                [] => continue,
            };
            for pipe in frame.pipes.iter().rev() {
                let source = &self.text[first..self.before[*pipe].start as usize];
                let query = format!("{}{source}", &self.text[..self.statement()]);
                let relation = match analyze(&query, catalog, &Options::default()) {
                    Ok(Analysis::Complete(query)) => query.results.into_iter().next_back().map(|last| last.relation),
                    Ok(Analysis::NeedsSchema { relation, .. }) => Some(*relation),
                    Err(_) => None,
                };
                if let Some(relation) = relation {
                    return relation.schema;
                }
            }
        }
        Schema::default()
    }

    /// The function that a name at this place calls, and its sentence.
    fn function(&self, name: &str) -> Option<(&'static Signature, &'static str)> {
        let aggregate = || functions::aggregate(name).map(|signature| (FunctionKind::Aggregate, signature));
        let scalar = || functions::scalar(name).map(|signature| (FunctionKind::Scalar, signature));
        let (kind, signature) = if self.back(0) == (Kind::Word, "evaluate") {
            functions::plugin(name).map(|signature| (FunctionKind::Plugin, signature))
        } else if AGGREGATING.contains(&self.operator()) {
            aggregate().or_else(scalar)
        } else {
            scalar().or_else(aggregate)
        }?;
        Some((signature, reference::entry(kind, signature.name)?.description))
    }
}

fn frames(tokens: &[Token]) -> Vec<Frame> {
    let new = |first: usize| Frame { first, pipes: Vec::new(), commas: 0 };
    let mut frames = vec![new(0)];
    for (at, token) in tokens.iter().enumerate() {
        let last = frames.len() - 1;
        match token.kind {
            Kind::OpenParen | Kind::OpenBracket | Kind::OpenBrace => frames.push(new(at + 1)),
            Kind::CloseParen | Kind::CloseBracket | Kind::CloseBrace if last > 0 => frames.truncate(last),
            Kind::Semicolon => frames[last] = new(at + 1),
            Kind::Pipe => frames[last].pipes.push(at),
            Kind::Comma => frames[last].commas += 1,
            _ => {}
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, StoredFunction, Type};

    struct Logs;

    impl Catalog for Logs {
        fn table(&self, _: &TableSource, name: &str) -> Option<Schema> {
            let columns = vec![Column::new("Level", Type::String), Column::new("Took", Type::Long)];
            (name == "Logs").then(|| Schema::new(columns))
        }

        fn table_names(&self) -> Vec<String> {
            vec!["Logs".to_owned()]
        }

        fn function(&self, _: &str) -> Option<StoredFunction> {
            None
        }
    }

    /// The text without its `^`, and where that was.
    fn marked(text: &str) -> (String, usize) {
        (text.replace('^', ""), text.find('^').expect("a place"))
    }

    fn labels(text: &str) -> Vec<String> {
        let (text, offset) = marked(text);
        complete(&text, offset, &Logs).items.into_iter().map(|item| item.label).collect()
    }

    fn said(text: &str) -> Option<String> {
        let (text, offset) = marked(text);
        hover(&text, offset, &Logs).map(|hover| hover.text)
    }

    #[test]
    fn completions_follow_the_place() {
        for (text, present, absent) in [
            ("Lo^", "Logs", "Level"),
            ("Logs | summ^", "summarize", "sum"),
            ("Logs | mv-ap^", "mv-apply", "mv-expand"),
            ("Logs | where ^ == 'x' | take 1", "Level", "summarize"),
            ("Logs | extend Second = Took / 1000 | where ^", "Second", "take"),
            ("Logs | summarize n = count() by Level | where ^", "n", "Took"),
            ("Logs | join kind=^", "leftouter", "nonempty"),
            ("Logs | join (Logs | project Took | where ^", "Took", "Level"),
            ("Logs | summarize ^", "dcountif", "autocluster"),
            ("Logs | evaluate ^", "autocluster", "dcountif"),
            ("let limit = 5; Logs | take ^", "limit", "take"),
            ("let slow = Logs | where ^", "Took", "slow"),
        ] {
            let found = labels(text);
            assert!(found.iter().any(|label| label == present), "{text} offers no {present}: {found:?}");
            assert!(!found.iter().any(|label| label == absent), "{text} offers {absent}");
        }
        for text in ["Logs | where Level == 'Le^'", "Logs // Le^"] {
            assert_eq!(labels(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn every_kind_that_is_offered_for_a_join_is_one() {
        for kind in KINDS.iter().filter(|(operator, _)| *operator == "join").flat_map(|(_, kinds)| kinds.iter()) {
            let query = format!("Logs | join kind={kind} Logs on Level");
            assert!(analyze(&query, &Logs, &Options::default()).is_ok(), "{query}");
        }
    }

    #[test]
    fn hover_tells_signatures_types_and_definitions() {
        let strlen = said("Logs | extend strl^en(Level)").expect("a function");
        assert!(strlen.contains("strlen(source: string or dynamic) → long") && strlen.contains("Counts"), "{strlen}");
        assert_eq!(said("Logs | where Too^k > 1").as_deref(), Some("`Took`: long"));
        assert_eq!(said("let a = 5;\nprint a^").as_deref(), Some("```kql\nlet a = 5\n```"));
        assert!(said("Lo^gs").is_some_and(|text| text.contains("`Level`: string")));
        assert_eq!(said("nothing^"), None);
    }

    #[test]
    fn the_call_around_a_place_and_its_argument_are_found() {
        let (text, offset) = marked("print substring(strcat('a', 'b'), 1, ^");
        let call = call_at(&text, offset).expect("a call");
        assert_eq!((call.signature.name, call.argument), ("substring", 2));
    }

    #[test]
    fn a_let_is_found_from_its_use() {
        let (text, offset) = marked("let a = 1; let f = (x: long) { x }; print f^(a)");
        let found = definition(&text, offset).expect("f");
        assert_eq!(
            (&text[found.name_span.start as usize..found.name_span.end as usize], found.is_function),
            ("f", true)
        );
    }
}
