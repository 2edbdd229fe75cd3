//! From element to condition, with every problem named.

use super::{Comparison, DayTime, Expression, MAX_DEPTH, Operand, Operator, Pattern, Problem, Query, ValueType};
use crate::expression::boolean;
use crate::node::Node;

pub(super) fn read<Q: Query>(element: &Node) -> Result<Expression<Q>, Vec<Problem>> {
    let mut reader = Reader { path: vec![element.name.clone()], problems: Vec::new() };
    let expression = reader.expression(element);
    match expression {
        Some(expression) if reader.problems.is_empty() => Ok(expression),
        _ => Err(reader.problems),
    }
}

struct Reader {
    path: Vec<String>,
    problems: Vec<Problem>,
}

impl Reader {
    fn problem<T>(&mut self, element: &Node, problem: impl Into<String>) -> Option<T> {
        let element_path = self.path.join("/");
        self.problems.push(Problem { element: element_path, place: element.place, problem: problem.into() });
        None
    }

    fn inside<T>(&mut self, name: String, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.path.push(name);
        let result = read(self);
        self.path.pop();
        result
    }

    fn expression<Q: Query>(&mut self, element: &Node) -> Option<Expression<Q>> {
        if self.path.len() > 2 * MAX_DEPTH {
            return self.problem(element, format!("expressions are nested deeper than {MAX_DEPTH}"));
        }
        if element.name != "Expression" {
            return self.kind(element);
        }
        match element.children.as_slice() {
            [kind] => self.inside(kind.name.clone(), |reader| reader.kind(kind)),
            [] => self.problem(element, "the expression is empty"),
            many => self.problem(element, format!("an expression holds one condition, not {}", many.len())),
        }
    }

    fn kind<Q: Query>(&mut self, element: &Node) -> Option<Expression<Q>> {
        match element.name.as_str() {
            "SimpleExpression" => self.simple(element),
            "RegExExpression" => self.regex(element),
            "DayTimeExpression" => self.day_time(element),
            "UnaryExpression" => self.unary(element),
            "And" => self.all(element).map(Expression::And),
            "Or" => self.all(element).map(Expression::Or),
            "Not" => match self.all(element)?.pop() {
                Some(inner) if element.children.len() == 1 => Some(Expression::Not(Box::new(inner))),
                _ => self.problem(element, "'Not' holds one expression"),
            },
            "Exists" => self.value(element, 0).map(|(operand, _)| Expression::Exists(operand)),
            other => match Q::read_kind(element) {
                Some(Ok(query)) => Some(Expression::Own(query)),
                Some(Err(problem)) => self.problem(element, problem),
                None => self.problem(element, format!("'{other}' is no kind of expression")),
            },
        }
    }

    fn all<Q: Query>(&mut self, element: &Node) -> Option<Vec<Expression<Q>>> {
        if element.children.is_empty() {
            return self.problem(element, format!("'{}' is empty", element.name));
        }
        let read = |(index, child): (usize, &Node)| {
            let name =
                if element.children.len() > 1 { format!("{}[{}]", child.name, index + 1) } else { child.name.clone() };
            self.inside(name, |reader| reader.expression(child))
        };
        // all are read before the first problem ends it
        let read: Vec<Option<Expression<Q>>> = element.children.iter().enumerate().map(read).collect();
        read.into_iter().collect()
    }

    fn simple<Q: Query>(&mut self, element: &Node) -> Option<Expression<Q>> {
        let left = self.value(element, 0);
        let right = self.value(element, 1);
        let operator = self.operator(element);
        let ((left, left_kind), (right, right_kind), (operator, case_sensitive)) = (left?, right?, operator?);
        let constant_first = matches!(left, Operand::Value(_));
        let kind = if constant_first { left_kind.or(right_kind) } else { right_kind.or(left_kind) };
        let operator = match operator {
            "Equal" => Operator::Equal,
            "NotEqual" => Operator::NotEqual,
            "Greater" => Operator::Greater,
            "GreaterEqual" => Operator::GreaterEqual,
            "Less" => Operator::Less,
            "LessEqual" => Operator::LessEqual,
            "Like" | "NotLike" => {
                let Operand::Value(pattern) = &right else {
                    return self.problem(element, format!("the second value of '{operator}' is a constant"));
                };
                return match Pattern::like(pattern, case_sensitive) {
                    Ok(pattern) => Some(Expression::Match { value: left, pattern, negated: operator == "NotLike" }),
                    Err(problem) => self.problem(element, problem),
                };
            }
            other => {
                let known = "Equal, NotEqual, Greater, GreaterEqual, Less, LessEqual, Like, NotLike";
                return self.problem(element, format!("the operator '{other}' is none of {known}"));
            }
        };
        let kind = kind.unwrap_or(ValueType::String);
        Some(Expression::Compare(Comparison { left, operator, right, kind, case_sensitive }))
    }

    fn regex<Q: Query>(&mut self, element: &Node) -> Option<Expression<Q>> {
        let value = self.value(element, 0);
        let operator = self.operator(element);
        let Some(pattern) = element.child("Pattern") else {
            return self.problem(element, "'Pattern' is missing");
        };
        let ((value, _), (operator, case_sensitive)) = (value?, operator?);
        let negated = operator.starts_with("DoesNot");
        let read = match operator {
            "MatchesRegularExpression" | "DoesNotMatchRegularExpression" => {
                Pattern::regex(&pattern.text, case_sensitive)
            }
            "MatchesWildcard" | "DoesNotMatchWildcard" => Pattern::wildcard(&pattern.text, case_sensitive),
            "ContainsSubstring" | "DoesNotContainSubstring" => Pattern::substring(&pattern.text, case_sensitive),
            other => {
                let known = "MatchesRegularExpression, MatchesWildcard, ContainsSubstring, \
                     DoesNotMatchRegularExpression, DoesNotMatchWildcard, DoesNotContainSubstring";
                return self.problem(element, format!("the operator '{other}' is none of {known}"));
            }
        };
        match read {
            Ok(pattern) => Some(Expression::Match { value, pattern, negated }),
            Err(problem) => self.inside("Pattern".to_owned(), |reader| reader.problem(pattern, problem)),
        }
    }

    fn unary<Q: Query>(&mut self, element: &Node) -> Option<Expression<Q>> {
        let (value, _) = self.value(element, 0)?;
        match self.operator(element)?.0 {
            "IsNull" => Some(Expression::Not(Box::new(Expression::Exists(value)))),
            "IsNotNull" => Some(Expression::Exists(value)),
            other => self.problem(element, format!("the operator '{other}' is none of IsNull, IsNotNull")),
        }
    }

    fn day_time<Q: Query>(&mut self, element: &Node) -> Option<Expression<Q>> {
        let value = self.value(element, 0);
        let start = self.time_of_day(element, "StartTime");
        let end = self.time_of_day(element, "EndTime");
        let days = match element.value("Days").unwrap_or("127").parse() {
            Ok(days @ 1..=127) => Some(days),
            _ => self.problem(element, "'Days' is the sum of 1 Sunday, 2 Monday … 64 Saturday"),
        };
        let inside = match boolean(element.value("Inside").unwrap_or("true")) {
            Some(inside) => Some(inside),
            None => self.problem(element, "'Inside' is true or false"),
        };
        let (start, end, days, inside) = (start?, end?, days?, inside?);
        Some(Expression::DayTime(DayTime { value: value?.0, start, end, days, inside }))
    }

    /// Seconds since midnight, or `HH:MM`.
    fn time_of_day(&mut self, element: &Node, name: &str) -> Option<u32> {
        let text = element.value(name).unwrap_or_default();
        let seconds = match text.split_once(':') {
            None => text.parse().ok(),
            Some((hours, minutes)) => match (hours.parse::<u32>(), minutes.parse::<u32>()) {
                (Ok(hours), Ok(minutes @ 0..=59)) => hours.checked_mul(3600).map(|seconds| seconds + minutes * 60),
                _ => None,
            },
        };
        match seconds {
            Some(seconds @ 0..=86_400) => Some(seconds),
            _ => self.problem(element, format!("'{name}' is in seconds since midnight or HH:MM, not '{text}'")),
        }
    }

    fn operator<'a>(&mut self, element: &'a Node) -> Option<(&'a str, bool)> {
        let Some(operator) = element.child("Operator") else {
            return self.problem(element, "'Operator' is missing");
        };
        let case_sensitive = operator.attribute("CaseSensitive").or(element.attribute("CaseSensitive"));
        match boolean(case_sensitive.unwrap_or("false")) {
            Some(case_sensitive) => Some((operator.text.trim(), case_sensitive)),
            None => self.problem(element, "'CaseSensitive' is true or false"),
        }
    }

    fn value<Q: Query>(&mut self, element: &Node, index: usize) -> Option<(Operand<Q>, Option<ValueType>)> {
        let mut values = element.children_named("ValueExpression");
        let Some(value) = values.nth(index) else {
            let which = if index == 0 { "" } else { "the second " };
            return self.problem(element, format!("{which}'ValueExpression' is missing"));
        };
        self.inside(value.name.clone(), |reader| {
            let [content] = value.children.as_slice() else {
                return reader.problem(value, "it holds one query or one 'Value'");
            };
            let kind = match content.attribute("Type") {
                None => None,
                Some(text) => match value_type(text) {
                    Some(kind) => Some(kind),
                    None => return reader.problem(content, format!("the type '{text}' is not known")),
                },
            };
            if content.name == "Value" {
                return Some((Operand::Value(content.text.clone()), kind));
            }
            match Q::read(content) {
                Some(Ok(query)) => Some((Operand::Query(query), kind)),
                Some(Err(problem)) => reader.inside(content.name.clone(), |reader| reader.problem(content, problem)),
                None => reader.problem(content, format!("'{}' is neither a query nor a 'Value'", content.name)),
            }
        })
    }
}

fn value_type(text: &str) -> Option<ValueType> {
    Some(match text.trim() {
        "String" | "Guid" => ValueType::String,
        "Integer" => ValueType::Integer,
        "UnsignedInteger" => ValueType::UnsignedInteger,
        "Double" => ValueType::Double,
        "Boolean" => ValueType::Boolean,
        "Date" | "DateTime" => ValueType::Date,
        _ => return None,
    })
}
