//! Values of columns as the interface takes them.

use serde_json::{Value, json};

use super::metadata::{Column, ColumnOption};
use crate::problem::{Part, Problem};

/// The option that says a level: 1 high, 2 medium, 3 low.
pub fn level(column: &Column, level: u8) -> Option<i64> {
    let words: &[&str] = match level {
        0 | 1 => &["high", "critical", "urgent"],
        2 => &["medium", "moderate", "normal"],
        _ => &["low"],
    };
    words.iter().find_map(|word| with_word(&column.options, word)).map(|option| option.value)
}

/// The reason for a state that means the end of the work on an item, or its beginning.
pub fn status<'a>(column: &'a Column, is_open: bool, words: &[&str]) -> Option<&'a ColumnOption> {
    let fits = |option: &&ColumnOption| option.state.is_some_and(|state| (state == 0) == is_open);
    let fitting: Vec<ColumnOption> = column.options.iter().filter(fits).cloned().collect();
    let wanted = words.iter().find_map(|word| with_word(&fitting, word)).or(fitting.first())?.value;
    column.options.iter().find(|option| option.value == wanted)
}

fn with_word<'a>(options: &'a [ColumnOption], word: &str) -> Option<&'a ColumnOption> {
    let says = |option: &&ColumnOption| {
        let label = option.label.to_lowercase();
        label == word || label.split(|letter: char| !letter.is_alphanumeric()).any(|part| part == word)
    };
    options.iter().find(says)
}

/// A text of an action's fields as the column takes it.
///
/// # Errors
/// When the column cannot have it.
pub fn typed(column: &Column, text: &str) -> Result<Value, Problem> {
    let trimmed = text.trim();
    let value = match column.kind.as_str() {
        "Picklist" | "State" | "Status" => {
            let known = |option: &&ColumnOption| {
                option.label.eq_ignore_ascii_case(trimmed) || option.value.to_string() == trimmed
            };
            column.options.iter().find(known).map(|option| json!(option.value))
        }
        "Integer" | "BigInt" => trimmed.parse::<i64>().ok().map(|number| json!(number)),
        "Decimal" | "Double" | "Money" => trimmed.parse::<f64>().ok().map(|number| json!(number)),
        "Boolean" => match trimmed.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Some(json!(true)),
            "false" | "no" | "0" => Some(json!(false)),
            _ => None,
        },
        "Lookup" | "Owner" | "Customer" => None,
        _ => Some(json!(text)),
    };
    value.ok_or_else(|| {
        let options: Vec<_> = column.options.iter().map(|option| option.label.as_str()).collect();
        let can = match (column.is_reference(), options.is_empty()) {
            (true, _) => "it refers to a row; give a column with a text or a choice".to_owned(),
            (false, true) => format!("it is a {}", column.kind),
            (false, false) => format!("it can be {}", options.join(", ")),
        };
        let message = format!("the column {} cannot have the value {text:?}: {can}", column.logical);
        Problem::new(Part::WorkItem, message, "look at the names and values of the action's fields")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: &str, options: &[(i64, &str, Option<i64>)]) -> Column {
        let option = |(value, label, state): &(i64, &str, Option<i64>)| ColumnOption {
            value: *value,
            label: (*label).to_owned(),
            state: *state,
        };
        Column {
            logical: "x".to_owned(),
            label: String::new(),
            kind: kind.to_owned(),
            options: options.iter().map(option).collect(),
        }
    }

    #[test]
    fn levels_and_states_are_found_by_their_words() {
        let urgency = column("Picklist", &[(10, "1 - High", None), (20, "2 - Medium", None), (30, "3 - Low", None)]);
        assert_eq!((level(&urgency, 1), level(&urgency, 2), level(&urgency, 3)), (Some(10), Some(20), Some(30)));
        assert_eq!(level(&column("Picklist", &[(1, "Allow", None)]), 3), None);
        let states = column(
            "Status",
            &[(1, "New", Some(0)), (3, "In Progress", Some(0)), (5, "Closed", Some(1)), (6, "Resolved", Some(1))],
        );
        let found = |is_open, words: &[&str]| status(&states, is_open, words).map(|option| option.value);
        assert_eq!(found(false, &["resolved", "closed"]), Some(6));
        assert_eq!(found(true, &["in progress"]), Some(3));
        assert_eq!(found(true, &["resolved"]), Some(1));
    }

    #[test]
    fn a_value_is_what_the_column_takes() {
        let urgency = column("Picklist", &[(10, "High", None)]);
        assert_eq!(typed(&urgency, "high").unwrap(), json!(10));
        assert_eq!(typed(&urgency, "10").unwrap(), json!(10));
        assert!(typed(&urgency, "Huge").unwrap_err().message.contains("it can be High"));
        assert_eq!(typed(&column("Boolean", &[]), "Yes").unwrap(), json!(true));
        assert_eq!(typed(&column("String", &[]), " a ").unwrap(), json!(" a "));
        assert!(typed(&column("Lookup", &[]), "a").is_err());
        assert!(typed(&column("Integer", &[]), "a").is_err());
    }
}
