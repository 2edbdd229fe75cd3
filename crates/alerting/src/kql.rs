//! The query that a condition is measured with: the rule's own text, its rows filtered and folded by dimension and by
//! bins of time, so that one query serves several windows.

use crate::Period;
use crate::rule::{Aggregation, Condition, DimensionOperator};

/// Operators that give each row by itself: over a longer range they give the same rows of a part of it.
const ROW_BY_ROW: [&str; 11] = [
    "where",
    "filter",
    "extend",
    "project",
    "project-away",
    "project-keep",
    "project-rename",
    "project-reorder",
    "parse",
    "parse-where",
    "parse-kv",
];
/// Words that make a row depend on the time of the query or on other rows.
const NOT_ROW_BY_ROW: [&str; 10] =
    ["ago", "now", "ingestion_time", "prev", "next", "toscalar", "totable", "row_number", "row_cumsum", "materialize"];

/// Which rows of time a query is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where the newest bin ends, microseconds since 1970; not included.
    pub end: i64,
    /// The length of a bin.
    pub grain: Period,
    /// How many; index 0 is the newest.
    pub bins: i64,
}

impl Span {
    /// Where the oldest bin begins.
    #[must_use]
    pub fn start(&self) -> i64 {
        self.end.saturating_sub(self.grain.micros().saturating_mul(self.bins))
    }
}

/// The rows of a query that are of computers: `functions` are names of functions that each give some in their column `Computer`.
#[must_use]
pub fn of_computers(text: &str, functions: &[String]) -> String {
    let any: Vec<String> = functions.iter().map(|function| format!("{COMPUTER} in~ ({function})")).collect();
    format!("{}\n| where {}", trimmed(text), any.join(" or "))
}

/// The column with the name of a row's computer.
pub const COMPUTER: &str = "Computer";

/// Columns of the result beside the dimensions `D0`, `D1`, …
pub const BIN: &str = "Bin";
pub const ROWS: &str = "Rows";
pub const VALUES: &str = "Values";
pub const SUM: &str = "Sum";
pub const LEAST: &str = "Least";
pub const MOST: &str = "Most";

/// The text that measures a condition over a span. Without a time column all rows are of the newest bin.
#[must_use]
pub fn measured(condition: &Condition, text: &str, time_column: Option<&str>, span: &Span) -> String {
    let text = trimmed(text);
    let mut lines = vec![text.to_owned()];
    for dimension in &condition.dimensions {
        if let Some(filter) = dimension_filter(dimension.operator, &dimension.name, &dimension.values) {
            lines.push(filter);
        }
    }
    let measure = condition.measure.as_deref().map(|column| format!("todouble({})", name(column)));
    let mut folds = vec![format!("{ROWS}=count()")];
    if let Some(measure) = &measure {
        folds.push(format!("{VALUES}=countif(isnotnull({measure}))"));
        match condition.aggregation {
            Aggregation::Average | Aggregation::Total => folds.push(format!("{SUM}=sum({measure})")),
            Aggregation::Minimum => folds.push(format!("{LEAST}=min({measure})")),
            Aggregation::Maximum => folds.push(format!("{MOST}=max({measure})")),
            Aggregation::Count => {}
        }
    }
    let mut by: Vec<String> = condition
        .dimensions
        .iter()
        .enumerate()
        .map(|(number, dimension)| format!("D{number}=tostring({})", name(&dimension.name)))
        .collect();
    if let Some(column) = condition.resource_id_column.as_deref() {
        by.push(format!("D{}=tostring({})", condition.dimensions.len(), name(column)));
    }
    if let Some(column) = time_column
        && span.bins > 1
    {
        let column = name(column);
        let (end, grain) = (watchkeeper_model::civil::format_time(span.end), span.grain.micros());
        lines.push(format!(
            "| extend {BIN}=iff(isnull({column}), 0, tolong(ceiling((datetime({end}) - {column}) / {grain}microsecond)) - 1)"
        ));
        // a bin of the query's own begins before the range: it counts in the oldest
        lines.push(format!(
            "| extend {BIN}=iff({BIN} < 0, 0, iff({BIN} >= {bins}, {bins} - 1, {BIN}))",
            bins = span.bins
        ));
        by.push(BIN.to_owned());
    }
    let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
    lines.push(format!("| summarize {}{by}", folds.join(", ")));
    lines.join("\n")
}

fn dimension_filter(operator: DimensionOperator, column: &str, values: &[String]) -> Option<String> {
    if values.iter().any(|value| value == "*") {
        return None;
    }
    let list: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    let operator = match operator {
        DimensionOperator::Include => "in",
        DimensionOperator::Exclude => "!in",
    };
    Some(format!("| where tostring({}) {operator} ({})", name(column), list.join(", ")))
}

/// A column's name in any query.
#[must_use]
pub fn name(text: &str) -> String {
    format!("[{}]", quoted(text))
}

/// A text as a literal.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// The text without what may follow the last expression.
#[must_use]
pub fn trimmed(text: &str) -> &str {
    let end = Scan::of(text).end;
    text.get(..end).unwrap_or(text)
}

/// Whether the query gives, for a part of its range of time, the rows of its result for all of it that are of that part.
#[must_use]
pub fn is_row_by_row(text: &str) -> bool {
    let scan = Scan::of(text);
    !scan.statements
        && !scan.nested_pipe
        && scan.begins_with_name
        && scan.operators.iter().all(|operator| ROW_BY_ROW.contains(&operator.as_str()))
        && !scan.words.iter().any(|word| NOT_ROW_BY_ROW.contains(&word.to_ascii_lowercase().as_str()))
}

/// What is seen of a query without reading it: texts and comments left out.
#[derive(Default)]
struct Scan {
    words: Vec<String>,
    /// The word after each `|` outside of parentheses.
    operators: Vec<String>,
    nested_pipe: bool,
    /// More than one statement.
    statements: bool,
    begins_with_name: bool,
    /// Behind the last letter that means something, `;` left out.
    end: usize,
}

impl Scan {
    fn of(text: &str) -> Scan {
        let mut scan = Scan::default();
        let (mut depth, mut after_pipe, mut separator) = (0_i32, false, false);
        let mut at = 0;
        let bytes = text.as_bytes();
        while at < bytes.len() {
            let rest = &text[at..];
            let byte = bytes[at];
            if rest.starts_with("//") {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            if byte.is_ascii_whitespace() {
                at += 1;
                continue;
            }
            if byte == b';' {
                separator = true;
                at += 1;
                continue;
            }
            if separator {
                scan.statements = true;
            }
            let length = match byte {
                b'"' | b'\'' => literal(rest),
                b'@' if rest[1..].starts_with(['"', '\'']) => 1 + verbatim(&rest[1..]),
                _ if rest.starts_with("```") => rest[3..].find("```").map_or(rest.len(), |end| end + 6),
                b'|' => {
                    match depth {
                        0 => after_pipe = true,
                        _ => scan.nested_pipe = true,
                    }
                    1
                }
                b'(' | b'[' | b'{' => {
                    depth += 1;
                    1
                }
                b')' | b']' | b'}' => {
                    depth -= 1;
                    1
                }
                b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || (after_pipe && c == '-');
                    let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
                    if std::mem::take(&mut after_pipe) {
                        scan.operators.push(word.to_ascii_lowercase());
                    } else if scan.words.is_empty() && scan.operators.is_empty() {
                        scan.begins_with_name = true;
                    }
                    scan.words.push(word.to_owned());
                    word.len()
                }
                _ => rest.chars().next().map_or(1, char::len_utf8),
            };
            at += length;
            scan.end = at.min(text.len());
        }
        let first = scan.words.first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
        let begins = ["let", "set", "declare", "union", "search", "find", "print", "range", "evaluate", "datatable"];
        scan.begins_with_name &= !begins.contains(&first.as_str());
        scan
    }
}

/// Length of a literal with escapes.
fn literal(text: &str) -> usize {
    let quote = text.chars().next().unwrap_or('"');
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            letter if letter == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of a literal without escapes, in which a doubled quote is one.
fn verbatim(text: &str) -> usize {
    let quote = text.chars().next().unwrap_or('"');
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter == quote && letters.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing::count_of;

    #[test]
    fn queries_that_give_each_row_by_itself_are_known() {
        for text in [
            "Syslog",
            "Perf | where ObjectName == \"a | summarize\" | extend X = 1 // | count\n",
            "Event | project-away A | where B in ('x', 'y');",
        ] {
            assert!(is_row_by_row(text), "{text}");
        }
        for text in [
            "Perf | summarize avg(CounterValue) by bin(TimeGenerated, 5m)",
            "Perf | where TimeGenerated > ago(5m)",
            "let x = 1; Perf | where A == x",
            "union Perf, Event",
            "Perf | where Computer in ((Heartbeat | distinct Computer))",
            "Perf | top 5 by CounterValue",
            "print 1",
            "Perf | invoke f()",
        ] {
            assert!(!is_row_by_row(text), "{text}");
        }
    }

    #[test]
    fn what_follows_the_last_expression_is_left_out() {
        assert_eq!(trimmed("Perf | take 1 ; // end\n ;"), "Perf | take 1");
        assert_eq!(trimmed("Perf | where A == 'x;//y'  "), "Perf | where A == 'x;//y'");
        assert_eq!(trimmed("Perf | where A == @'x\\' // c"), "Perf | where A == @'x\\'");
    }

    #[test]
    fn a_condition_is_folded_by_dimension_and_bin() {
        let mut condition = count_of("Syslog // all");
        condition.dimensions = crate::rule::testing::split_by(&["Computer", "a\"b"]);
        let span = Span { end: 0, grain: Period::seconds(60), bins: 5 };
        let text = measured(&condition, "Syslog // all", Some("TimeGenerated"), &span);
        assert_eq!(
            text,
            "Syslog\n\
             | extend Bin=iff(isnull([\"TimeGenerated\"]), 0, tolong(ceiling((datetime(1970-01-01T00:00:00Z) - \
             [\"TimeGenerated\"]) / 60000000microsecond)) - 1)\n\
             | extend Bin=iff(Bin < 0, 0, iff(Bin >= 5, 5 - 1, Bin))\n\
             | summarize Rows=count() by D0=tostring([\"Computer\"]), D1=tostring([\"a\\\"b\"]), Bin"
        );
        let one = measured(&condition, "Syslog", None, &Span { bins: 1, ..span });
        assert_eq!(one, "Syslog\n| summarize Rows=count() by D0=tostring([\"Computer\"]), D1=tostring([\"a\\\"b\"])");
    }

    #[test]
    fn rows_are_cut_to_the_computers_of_groups() {
        assert_eq!(
            of_computers("Heartbeat ; // all", &["f".to_owned(), "g".to_owned()]),
            "Heartbeat\n| where Computer in~ (f) or Computer in~ (g)"
        );
    }

    #[test]
    fn dimensions_filter() {
        let filter = |operator, values: &[&str]| {
            dimension_filter(operator, "A", &values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(filter(DimensionOperator::Include, &["*"]), None);
        assert_eq!(
            filter(DimensionOperator::Exclude, &["x", "y"]).as_deref(),
            Some("| where tostring([\"A\"]) !in (\"x\", \"y\")")
        );
    }
}
