//! Reading what people send as JSON: every problem is found, each with its place, none stops the reading.

use std::cell::RefCell;
use std::fmt;

use serde_json::{Map, Value};

use crate::Period;

/// Something wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// For instance `properties.criteria.allOf[0].operator`.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Everything that is wrong with what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}{} {}", problem.path, problem.message)?;
        }
        Ok(())
    }
}

/// Problems while they are found.
#[derive(Debug, Default)]
pub struct Found(RefCell<Vec<Problem>>);

impl Found {
    pub fn add(&self, path: impl Into<String>, message: impl Into<String>) {
        self.0.borrow_mut().push(Problem { path: path.into(), message: message.into() });
    }

    /// The value, where nothing is wrong.
    ///
    /// # Errors
    /// All problems that were found.
    pub fn checked<T>(self, value: Option<T>) -> Result<T, Problems> {
        let problems = self.0.into_inner();
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(Problems(problems)),
        }
    }
}

/// The fields of an object.
#[derive(Clone)]
pub struct Fields<'v> {
    map: Option<&'v Map<String, Value>>,
    path: String,
    found: &'v Found,
}

impl<'v> Fields<'v> {
    /// The object at a place; something else is a problem.
    pub fn of(value: &'v Value, path: impl Into<String>, found: &'v Found) -> Fields<'v> {
        let path = path.into();
        if !value.is_object() {
            found.add(path.as_str(), "is not an object");
        }
        Fields { map: value.as_object(), path, found }
    }

    #[must_use]
    pub fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub fn problem(&self, name: &str, message: impl Into<String>) {
        self.found.add(self.path(name), message);
    }

    /// The objects of a list.
    pub fn objects(&self, name: &str) -> Vec<Fields<'v>> {
        let items = self.list(name).iter().enumerate();
        items.map(|(number, value)| Fields::of(value, self.path(&format!("{name}[{number}]")), self.found)).collect()
    }

    /// The object of a field.
    pub fn object(&self, name: &str) -> Option<Fields<'v>> {
        Some(Fields::of(self.get(name)?, self.path(name), self.found))
    }

    /// A field that is there and not null.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'v Value> {
        self.map?.get(name).filter(|value| !value.is_null())
    }

    fn read<T>(&self, name: &str, what: &str, read: impl Fn(&'v Value) -> Option<T>) -> Option<T> {
        let value = self.get(name)?;
        let found = read(value);
        if found.is_none() {
            self.problem(name, format!("is {value}; {what} is needed"));
        }
        found
    }

    /// A field that has to be there.
    pub fn needed<T>(&self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && self.get(name).is_none() {
            self.problem(name, "is missing");
        }
        value
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.read(name, "a text", |value| value.as_str().map(str::to_owned))
    }

    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.read(name, "true or false", Value::as_bool)
    }

    /// A number; some clients send it as text.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.read(name, "a number", |value| {
            let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
            number.is_finite().then_some(number)
        })
    }

    /// A whole number within limits.
    pub fn integer(&self, name: &str, least: i64, most: i64) -> Option<i64> {
        let what = format!("a whole number from {least} to {most}");
        self.read(name, &what, |value| {
            let float = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15);
            let number = value.as_i64().or_else(|| float.map(|number| number as i64));
            number.or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| (least..=most).contains(number))
        })
    }

    pub fn period(&self, name: &str) -> Option<Period> {
        self.read(name, "an ISO 8601 duration like PT5M or P1D", |value| Period::parse(value.as_str()?))
    }

    /// A time, microseconds since 1970.
    pub fn time(&self, name: &str) -> Option<i64> {
        self.read(name, "a time like 2026-01-31T00:00:00Z", |value| {
            watchkeeper_model::civil::parse_time(value.as_str()?)
        })
    }

    /// One of some words, without regard to case.
    pub fn one_of<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let what = format!("one of {}", list.join(", "));
        self.read(name, &what, |value| {
            let text = value.as_str()?;
            words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
        })
    }

    /// A list; nothing where the field is not there.
    pub fn list(&self, name: &str) -> &'v [Value] {
        self.read(name, "a list", Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for (number, value) in self.list(name).iter().enumerate() {
            match value.as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => self.problem(&format!("{name}[{number}]"), format!("is {value}; a text is needed")),
            }
        }
        texts
    }

    /// Texts by name.
    pub fn pairs(&self, name: &str) -> Vec<(String, String)> {
        let Some(map) = self.read(name, "an object of texts", Value::as_object) else { return Vec::new() };
        let mut pairs = Vec::new();
        for (key, value) in map {
            match value {
                Value::String(text) => pairs.push((key.clone(), text.clone())),
                Value::Null => pairs.push((key.clone(), String::new())),
                _ => self.problem(&format!("{name}.{key}"), format!("is {value}; a text is needed")),
            }
        }
        pairs
    }
}
