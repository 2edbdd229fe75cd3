//! What is wrong with a pack, for the person who has to mend it.

use std::fmt;

use crate::node::Place;

use super::common::At;
use super::limits;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is lost.
    Note,
    /// Probably a mistake; the element works.
    Warning,
    /// The element does not work.
    Error,
}

/// One thing wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// As the reader was told it.
    pub file: String,
    /// Line zero: the file as a whole.
    pub place: Place,
    /// The ID of the element that it is about; empty: the file.
    pub element: String,
    /// What is wrong and what to do.
    pub message: String,
    /// How bad.
    pub severity: Severity,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.file)?;
        if self.place.line > 0 {
            write!(out, ":{}:{}", self.place.line, self.place.column)?;
        }
        let severity = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(out, ": {severity}: ")?;
        if !self.element.is_empty() {
            write!(out, "{}: ", self.element)?;
        }
        out.write_str(&self.message)
    }
}

/// Collects the problems of one file.
#[derive(Debug)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
    left_out: usize,
}

impl Problems {
    /// None yet.
    #[must_use]
    pub fn of(file: &str) -> Self {
        Self { file: file.to_owned(), list: Vec::new(), left_out: 0 }
    }

    /// One more.
    pub fn add(&mut self, severity: Severity, at: At, element: &str, message: impl Into<String>) {
        if self.list.len() >= limits::PROBLEMS {
            self.left_out += 1;
            return;
        }
        self.list.push(Problem {
            file: self.file.clone(),
            place: at.0,
            element: element.to_owned(),
            message: message.into(),
            severity,
        });
    }

    /// One more that keeps the element from working.
    pub fn error(&mut self, at: At, element: &str, message: impl Into<String>) {
        self.add(Severity::Error, at, element, message);
    }

    /// One more that is probably a mistake.
    pub fn warning(&mut self, at: At, element: &str, message: impl Into<String>) {
        self.add(Severity::Warning, at, element, message);
    }

    /// One more that is worth knowing.
    pub fn note(&mut self, at: At, element: &str, message: impl Into<String>) {
        self.add(Severity::Note, at, element, message);
    }

    /// All, in the order found; the last one tells how many were left out.
    #[must_use]
    pub fn into_list(mut self) -> Vec<Problem> {
        if self.left_out > 0 {
            self.list.push(Problem {
                file: self.file,
                place: Place::default(),
                element: String::new(),
                message: format!("{} more problems are not listed", self.left_out),
                severity: Severity::Error,
            });
        }
        self.list
    }
}

/// The known name nearest to a wrong one, where one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    let allowed = (wrong.len() / 4).clamp(1, 6);
    known
        .into_iter()
        .filter(|name| name.len().abs_diff(wrong.len()) <= allowed)
        .map(|name| (distance(&lower, &name.to_lowercase()), name))
        .filter(|(away, _)| *away <= allowed)
        .min_by_key(|(away, name)| (*away, *name))
        .map(|(_, name)| name)
}

/// `, did you mean 'X'?` or nothing.
#[must_use]
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, known).map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

/// How many letters have to be put in, taken out or changed (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        for (column, other) in right.iter().enumerate() {
            let above = row.get(column + 1).copied().unwrap_or(usize::MAX - 1);
            let here = (diagonal + usize::from(letter != *other)).min(before + 1).min(above + 1);
            diagonal = above;
            if let Some(slot) = row.get_mut(column) {
                *slot = before;
            }
            before = here;
        }
        if let Some(slot) = row.get_mut(right.len()) {
            *slot = before;
        }
    }
    row.last().copied().unwrap_or(0)
}
