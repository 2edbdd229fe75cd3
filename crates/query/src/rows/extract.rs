//! Taking a text apart by a pattern, for `parse` and `parse-kv`: text → struct of texts `c0`, `c1`, …, null where the
//! pattern does not match. The types of the columns are applied by the planner.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringViewBuilder, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::exec_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use regex::Regex;
use serde::{Deserialize, Serialize};

/// How a text is taken apart. Part of the function's name as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pattern {
    /// A regular expression whose groups `c0`, `c1`, … are the columns.
    Regex { pattern: String, columns: usize },
    /// `key=value` pairs.
    KeyValue {
        keys: Vec<String>,
        pair: String,
        value: String,
        quotes: Vec<(char, char)>,
        escape: Option<char>,
        greedy: bool,
    },
    /// Words of letters and digits; the word after a key is its value.
    KeyValueWords { keys: Vec<String> },
    /// A regular expression whose first group is a key and whose second is its value, as often as it matches.
    KeyValueRegex { pattern: String, keys: Vec<String> },
}

impl Pattern {
    fn columns(&self) -> usize {
        match self {
            Pattern::Regex { columns, .. } => *columns,
            Pattern::KeyValue { keys, .. } | Pattern::KeyValueWords { keys } | Pattern::KeyValueRegex { keys, .. } => {
                keys.len()
            }
        }
    }
}

/// The function of a pattern.
pub fn extract(pattern: Pattern) -> Result<ScalarUDF> {
    let compiled = match &pattern {
        Pattern::Regex { pattern, .. } | Pattern::KeyValueRegex { pattern, .. } => {
            Some(Regex::new(pattern).map_err(|error| {
                DataFusionError::Execution(format!(
                    "the pattern of parse is not a regular expression that can be run: {error}"
                ))
            })?)
        }
        Pattern::KeyValue { .. } | Pattern::KeyValueWords { .. } => None,
    };
    if let (Pattern::KeyValueRegex { .. }, Some(regex)) = (&pattern, &compiled)
        && regex.captures_len() != 3
    {
        return exec_err!("the regex of parse-kv needs two groups, for the key and for its value");
    }
    let described = serde_json::to_string(&pattern).map_err(|error| DataFusionError::External(Box::new(error)))?;
    let name = format!("$extract {described}");
    Ok(ScalarUDF::from(Extract { name, pattern, compiled, signature: Signature::any(1, Volatility::Immutable) }))
}

#[derive(Debug)]
struct Extract {
    name: String,
    pattern: Pattern,
    compiled: Option<Regex>,
    signature: Signature,
}

impl PartialEq for Extract {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Eq for Extract {}

impl std::hash::Hash for Extract {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.pattern.hash(state);
    }
}

impl Extract {
    fn fields(&self) -> Fields {
        (0..self.pattern.columns()).map(|at| Field::new(format!("c{at}"), DataType::Utf8View, true)).collect()
    }
}

impl ScalarUDFImpl for Extract {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(self.fields()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = args.args[0].to_array(args.number_rows)?;
        let Some(texts) = texts.as_string_view_opt() else {
            return exec_err!("only a string can be parsed, not {}", texts.data_type());
        };
        let columns = self.pattern.columns();
        let mut builders: Vec<StringViewBuilder> = (0..columns).map(|_| StringViewBuilder::new()).collect();
        let mut matched = Vec::with_capacity(args.number_rows);
        let mut found: Vec<Option<String>> = vec![None; columns];
        for text in texts {
            found.iter_mut().for_each(|value| *value = None);
            let text = text.unwrap_or("");
            let matches = match (&self.pattern, &self.compiled) {
                (Pattern::Regex { .. }, Some(regex)) => captures(regex, text, &mut found),
                (Pattern::KeyValue { keys, pair, value, quotes, escape, greedy }, _) => {
                    key_values(text, keys, pair, value, quotes, *escape, *greedy, &mut found);
                    true
                }
                (Pattern::KeyValueWords { keys }, _) => {
                    let mut words =
                        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).peekable();
                    while let Some(word) = words.next() {
                        if let (Some(column), Some(next)) = (keys.iter().position(|key| key == word), words.peek()) {
                            found[column].get_or_insert_with(|| (*next).to_string());
                        }
                    }
                    true
                }
                (Pattern::KeyValueRegex { keys, .. }, Some(regex)) => {
                    for captures in regex.captures_iter(text) {
                        let group = |at: usize| captures.get(at).map_or("", |group| group.as_str());
                        if let Some(column) = keys.iter().position(|key| key == group(1)) {
                            found[column].get_or_insert_with(|| group(2).to_string());
                        }
                    }
                    true
                }
                (Pattern::Regex { .. } | Pattern::KeyValueRegex { .. }, None) => false,
            };
            matched.push(matches);
            for (builder, value) in builders.iter_mut().zip(&found) {
                builder.append_option(value.as_deref());
            }
        }
        let arrays: Vec<ArrayRef> = builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        let array = if arrays.is_empty() {
            StructArray::new_empty_fields(args.number_rows, Some(NullBuffer::from(matched)))
        } else {
            StructArray::try_new(self.fields(), arrays, Some(NullBuffer::from(matched)))?
        };
        Ok(ColumnarValue::Array(Arc::new(array)))
    }
}

fn captures(regex: &Regex, text: &str, found: &mut [Option<String>]) -> bool {
    let Some(captures) = regex.captures(text) else {
        return false;
    };
    for (at, value) in found.iter_mut().enumerate() {
        *value = captures.name(&format!("c{at}")).map(|group| group.as_str().to_string());
    }
    true
}

/// Reads pairs from left to right; the first value of a key counts.
#[allow(clippy::too_many_arguments)]
fn key_values(
    text: &str,
    keys: &[String],
    pair: &str,
    separator: &str,
    quotes: &[(char, char)],
    escape: Option<char>,
    greedy: bool,
    found: &mut [Option<String>],
) {
    let mut rest = text;
    while !rest.is_empty() {
        let Some(at) = rest.find(separator) else {
            return;
        };
        let name_text = &rest[..at];
        let quoted = quotes.iter().find_map(|(open, close)| {
            let inside = name_text.strip_suffix(*close)?;
            inside.rfind(*open).map(|from| &inside[from + open.len_utf8()..])
        });
        // an earlier pair without a separator is no key
        let name = match (quoted, pair.is_empty(), name_text.rfind(pair)) {
            (Some(name), _, _) => name,
            (None, false, Some(last)) => &name_text[last + pair.len()..],
            _ => name_text,
        };
        let name = name.trim();
        rest = &rest[at + separator.len()..];
        let (value, after) = value_of(rest, pair, separator, quotes, escape, greedy);
        if let Some(column) = keys.iter().position(|key| key == name)
            && found[column].is_none()
        {
            found[column] = Some(value);
        }
        rest = after;
    }
}

fn value_of<'t>(
    rest: &'t str,
    pair: &str,
    separator: &str,
    quotes: &[(char, char)],
    escape: Option<char>,
    greedy: bool,
) -> (String, &'t str) {
    let quote = rest.chars().next().and_then(|first| quotes.iter().find(|(open, _)| *open == first));
    if let Some((open, close)) = quote {
        let mut value = String::new();
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            if escaped {
                value.push(c);
                escaped = false;
            } else if Some(c) == escape {
                escaped = true;
            } else if c == *close {
                let after = &rest[at + c.len_utf8()..];
                return (value, after.strip_prefix(pair).unwrap_or(after));
            } else {
                value.push(c);
            }
        }
        // no closing quote: the text is taken as it stands
        return (rest[open.len_utf8()..].to_string(), "");
    }
    if pair.is_empty() {
        return (rest.to_string(), "");
    }
    if greedy {
        // the value reaches to the last pair delimiter before the next key
        let next = rest.find(separator).unwrap_or(rest.len());
        if next == rest.len() {
            return (rest.to_string(), "");
        }
        return match rest[..next].rfind(pair) {
            Some(at) => (rest[..at].to_string(), &rest[at + pair.len()..]),
            None => (rest.to_string(), ""),
        };
    }
    match rest.find(pair) {
        Some(at) => (rest[..at].to_string(), &rest[at + pair.len()..]),
        None => (rest.to_string(), ""),
    }
}
