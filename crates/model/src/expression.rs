//! Conditions (specification 4.8): read once from their element, evaluated on many items. Filters of workflows ask
//! for XPath queries on a data item; groups ask for properties of objects through the same language ([`Query`]).
//!
//! How values are compared:
//! - The type is that of the side that names one (the constant's first); without any it is `String`.
//! - Texts are compared without case, unless the operator has `CaseSensitive="true"`.
//! - Numbers: surrounding space does not count; two whole numbers are compared exactly, others as doubles.
//! - Booleans: `true`, `1`, `-1` and `false`, `0`, in any case. Dates: ISO 8601, UTC where no offset is given.
//! - A query that selects nothing, or a value that is not of the type, makes the comparison false, whatever the
//!   operator; `Not` around it is then true. `Exists` asks for presence.

mod pattern;
mod read;

use std::cmp::Ordering;

pub use pattern::{MAX_PATTERN, Pattern};

use crate::civil;
use crate::item::DataItem;
use crate::node::{Node, Place};
use crate::xpath::XPath;

/// The deepest nesting of expressions.
pub const MAX_DEPTH: usize = 32;

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{element}: {problem}")]
pub struct Problem {
    /// The way to the element (`Expression/And/Expression[2]/SimpleExpression/Operator`).
    pub element: String,
    /// Where it stands in its file.
    pub place: Place,
    /// What is wrong with it.
    pub problem: String,
}

/// What a condition can ask for, apart from constants.
pub trait Query: Sized {
    /// Reads a child of `ValueExpression`; `None`: it is no query.
    fn read(element: &Node) -> Option<Result<Self, String>>;

    /// Reads a kind of expression of its own; `None`: there is no such kind.
    fn read_kind(_element: &Node) -> Option<Result<Self, String>> {
        None
    }
}

impl Query for XPath {
    fn read(element: &Node) -> Option<Result<Self, String>> {
        (element.name == "XPathQuery").then(|| XPath::parse(&element.text).map_err(|error| error.to_string()))
    }
}

/// What answers the queries.
pub trait Facts<Q> {
    /// The value; `None` where there is none.
    fn value(&self, query: &Q) -> Option<String>;

    /// Whether an expression of the query's own kind is true.
    fn holds(&self, query: &Q) -> bool {
        self.value(query).is_some()
    }

    /// Seconds by which local time is ahead of UTC, for times of day.
    fn utc_offset_seconds(&self) -> i64 {
        0
    }
}

impl Facts<XPath> for DataItem {
    fn value(&self, query: &XPath) -> Option<String> {
        DataItem::value(self, query)
    }
}

/// A data item with the local time of where it is.
#[derive(Debug, Clone, Copy)]
pub struct LocalItem<'a> {
    /// The item.
    pub item: &'a DataItem,
    /// Seconds by which local time is ahead of UTC.
    pub utc_offset_seconds: i64,
}

impl Facts<XPath> for LocalItem<'_> {
    fn value(&self, query: &XPath) -> Option<String> {
        self.item.value(query)
    }

    fn utc_offset_seconds(&self) -> i64 {
        self.utc_offset_seconds
    }
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression<Q = XPath> {
    /// `SimpleExpression`
    Compare(Comparison<Q>),
    /// `RegExExpression`, `Like` and `NotLike`
    Match {
        /// What is matched.
        value: Operand<Q>,
        /// With what.
        pattern: Pattern,
        /// True where it does not match.
        negated: bool,
    },
    /// `DayTimeExpression`
    DayTime(DayTime<Q>),
    /// All are true.
    And(Vec<Expression<Q>>),
    /// One is true.
    Or(Vec<Expression<Q>>),
    /// The other is false.
    Not(Box<Expression<Q>>),
    /// There is a value.
    Exists(Operand<Q>),
    /// A kind of the query's own.
    Own(Q),
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand<Q> {
    /// Asked for.
    Query(Q),
    /// A constant.
    Value(String),
}

/// `SimpleExpression`
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison<Q> {
    /// The first value.
    pub left: Operand<Q>,
    /// How they are compared.
    pub operator: Operator,
    /// The second value.
    pub right: Operand<Q>,
    /// As what they are compared.
    pub kind: ValueType,
    /// Texts are compared with case.
    pub case_sensitive: bool,
}

/// `DayTimeExpression`: whether a time is inside (or outside) of a time of day on some weekdays.
#[derive(Debug, Clone, PartialEq)]
pub struct DayTime<Q> {
    /// The time.
    pub value: Operand<Q>,
    /// Seconds since midnight, inclusive.
    pub start: u32,
    /// Seconds since midnight, exclusive; before the start: of the next day.
    pub end: u32,
    /// 1 Sunday, 2 Monday … 64 Saturday: the days on which it starts.
    pub days: u8,
    /// False: true outside of the time.
    pub inside: bool,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

/// As what values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ValueType {
    String,
    Integer,
    UnsignedInteger,
    Double,
    Boolean,
    Date,
}

impl<Q: Query> Expression<Q> {
    /// Reads an element `Expression`, or the kind itself (`And`, `SimpleExpression`, …).
    ///
    /// # Errors
    /// All problems, each with its element.
    pub fn read(element: &Node) -> Result<Self, Vec<Problem>> {
        read::read(element)
    }
}

impl<Q> Expression<Q> {
    /// Whether it is true.
    pub fn matches(&self, facts: &impl Facts<Q>) -> bool {
        match self {
            Expression::Compare(comparison) => comparison.matches(facts),
            Expression::Match { value, pattern, negated } => {
                value.get(facts).is_some_and(|text| pattern.matches(&text) != *negated)
            }
            Expression::DayTime(day_time) => day_time.matches(facts),
            Expression::And(all) => all.iter().all(|one| one.matches(facts)),
            Expression::Or(any) => any.iter().any(|one| one.matches(facts)),
            Expression::Not(inner) => !inner.matches(facts),
            Expression::Exists(operand) => operand.get(facts).is_some(),
            Expression::Own(query) => facts.holds(query),
        }
    }

    /// Calls for each query in it.
    pub fn for_each_query(&self, call: &mut impl FnMut(&Q)) {
        let mut operand = |operand: &Operand<Q>| {
            if let Operand::Query(query) = operand {
                call(query);
            }
        };
        match self {
            Expression::Compare(comparison) => {
                operand(&comparison.left);
                operand(&comparison.right);
            }
            Expression::Match { value, .. } | Expression::Exists(value) => operand(value),
            Expression::DayTime(day_time) => operand(&day_time.value),
            Expression::And(inner) | Expression::Or(inner) => {
                for one in inner {
                    one.for_each_query(call);
                }
            }
            Expression::Not(inner) => inner.for_each_query(call),
            Expression::Own(query) => call(query),
        }
    }
}

impl<Q> Operand<Q> {
    fn get(&self, facts: &impl Facts<Q>) -> Option<String> {
        match self {
            Operand::Query(query) => facts.value(query),
            Operand::Value(value) => Some(value.clone()),
        }
    }
}

impl<Q> Comparison<Q> {
    fn matches(&self, facts: &impl Facts<Q>) -> bool {
        let (Some(left), Some(right)) = (self.left.get(facts), self.right.get(facts)) else { return false };
        let Some(order) = self.kind.compare(&left, &right, self.case_sensitive) else { return false };
        self.operator.accepts(order)
    }
}

impl<Q> DayTime<Q> {
    fn matches(&self, facts: &impl Facts<Q>) -> bool {
        let Some(time) = self.value.get(facts).and_then(|text| civil::parse_time(&text)) else { return false };
        let local = time.div_euclid(civil::SECOND) + facts.utc_offset_seconds();
        let day = local.div_euclid(civil::DAY_SECONDS);
        let of_day = local.rem_euclid(civil::DAY_SECONDS);
        let (start, end) = (i64::from(self.start), i64::from(self.end));
        let on = |day: i64| self.days >> civil::weekday_from_days(day) & 1 == 1;
        let within = if start < end {
            on(day) && (start..end).contains(&of_day)
        } else {
            (on(day) && of_day >= start) || (on(day - 1) && of_day < end)
        };
        within == self.inside
    }
}

impl Operator {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterEqual => order.is_ge(),
            Operator::Less => order.is_lt(),
            Operator::LessEqual => order.is_le(),
        }
    }
}

impl ValueType {
    /// The order of two values; `None` where one is not of this type.
    #[must_use]
    pub fn compare(self, left: &str, right: &str, case_sensitive: bool) -> Option<Ordering> {
        match self {
            ValueType::String if case_sensitive => Some(left.cmp(right)),
            ValueType::String => {
                let fold = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
                Some(fold(left).cmp(&fold(right)))
            }
            ValueType::Integer | ValueType::UnsignedInteger | ValueType::Double => compare_numbers(left, right),
            ValueType::Boolean => Some(boolean(left)?.cmp(&boolean(right)?)),
            ValueType::Date => Some(civil::parse_time(left)?.cmp(&civil::parse_time(right)?)),
        }
    }
}

fn compare_numbers(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (left.trim(), right.trim());
    if let (Ok(left), Ok(right)) = (left.parse::<i128>(), right.parse::<i128>()) {
        return Some(left.cmp(&right));
    }
    left.parse::<f64>().ok()?.partial_cmp(&right.parse::<f64>().ok()?)
}

/// A boolean as packs and scripts write it.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "1" | "-1" => Some(true),
        "0" => Some(false),
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
