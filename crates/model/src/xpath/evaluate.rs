//! Evaluation over borrowed elements, with a budget of visits.

use std::collections::HashSet;

use super::{Axis, Expr, Function, MAX_VISITS, Operator, Path, Selected, Step, Test, format_number, string_value};
use crate::node::Node;

#[derive(Debug, Clone, Copy)]
enum Item<'a> {
    /// What the whole element stands in.
    Document(&'a Node),
    Element(&'a Node),
    Attribute(&'a str, &'a str),
    Text(&'a str),
}

impl Item<'_> {
    fn text(self) -> String {
        match self {
            Item::Document(node) | Item::Element(node) => string_value(node),
            Item::Attribute(_, text) | Item::Text(text) => text.to_owned(),
        }
    }

    fn name(self) -> String {
        match self {
            Item::Element(node) => node.name.clone(),
            Item::Attribute(name, _) => name.to_owned(),
            Item::Document(_) | Item::Text(_) => String::new(),
        }
    }

    /// Where it is in memory, to tell it from its equals; the document from its element by the second part.
    fn identity(self) -> (usize, u8) {
        match self {
            Item::Document(node) => (std::ptr::from_ref(node) as usize, 0),
            Item::Element(node) => (std::ptr::from_ref(node) as usize, 1),
            Item::Attribute(name, _) => (name.as_ptr() as usize, 2),
            Item::Text(text) => (text.as_ptr() as usize, 3),
        }
    }
}

enum Value<'a> {
    Items(Vec<Item<'a>>),
    Text(String),
    Number(f64),
    Boolean(bool),
}

/// The budget is used up.
struct TooMuch;

type Result<T> = std::result::Result<T, TooMuch>;

struct Evaluation<'a> {
    root: &'a Node,
    visits: u32,
}

#[derive(Clone, Copy)]
struct Context<'a> {
    item: Item<'a>,
    position: usize,
    size: usize,
}

pub(super) fn value(expression: &Expr, root: &Node) -> Option<String> {
    match evaluate(expression, root)? {
        Value::Items(items) => items.first().map(|item| item.text()),
        other => Some(other.text()),
    }
}

pub(super) fn select<'a>(expression: &Expr, root: &'a Node) -> Selected<'a> {
    match evaluate(expression, root) {
        None => Selected::Elements(Vec::new()),
        Some(Value::Text(text)) => Selected::Text(text),
        Some(Value::Number(number)) => Selected::Number(number),
        Some(Value::Boolean(truth)) => Selected::Boolean(truth),
        Some(Value::Items(items)) => {
            let texts: Vec<&str> = items
                .iter()
                .filter_map(|item| match item {
                    Item::Attribute(_, text) | Item::Text(text) => Some(*text),
                    Item::Document(_) | Item::Element(_) => None,
                })
                .collect();
            if !texts.is_empty() {
                return Selected::Texts(texts);
            }
            let element = |item| match item {
                Item::Document(node) | Item::Element(node) => Some(node),
                Item::Attribute(..) | Item::Text(_) => None,
            };
            Selected::Elements(items.into_iter().filter_map(element).collect())
        }
    }
}

fn evaluate<'a>(expression: &Expr, root: &'a Node) -> Option<Value<'a>> {
    let mut evaluation = Evaluation { root, visits: MAX_VISITS };
    let context = Context { item: Item::Element(root), position: 1, size: 1 };
    evaluation.expression(expression, context).ok()
}

impl Value<'_> {
    fn text(self) -> String {
        match self {
            Value::Items(items) => items.first().map(|item| item.text()).unwrap_or_default(),
            Value::Text(text) => text,
            Value::Number(number) => format_number(number),
            Value::Boolean(truth) => truth.to_string(),
        }
    }

    fn number(self) -> f64 {
        match self {
            Value::Number(number) => number,
            Value::Boolean(truth) => f64::from(u8::from(truth)),
            other => text_number(&other.text()),
        }
    }

    fn truth(&self) -> bool {
        match self {
            Value::Items(items) => !items.is_empty(),
            Value::Text(text) => !text.is_empty(),
            Value::Number(number) => *number != 0.0 && !number.is_nan(),
            Value::Boolean(truth) => *truth,
        }
    }
}

fn text_number(text: &str) -> f64 {
    let text = text.trim();
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    if is_number { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

impl<'a> Evaluation<'a> {
    fn visit(&mut self) -> Result<()> {
        self.visits = self.visits.checked_sub(1).ok_or(TooMuch)?;
        Ok(())
    }

    fn expression(&mut self, expression: &Expr, context: Context<'a>) -> Result<Value<'a>> {
        self.visit()?;
        Ok(match expression {
            Expr::Path(path) => Value::Items(self.path(path, context.item)?),
            Expr::Text(text) => Value::Text(text.clone()),
            Expr::Number(number) => Value::Number(*number),
            Expr::Negate(inner) => Value::Number(-self.expression(inner, context)?.number()),
            Expr::Call(function, arguments) => self.call(*function, arguments, context)?,
            Expr::Binary(operator, left, right) => self.binary(*operator, left, right, context)?,
        })
    }

    fn binary(&mut self, operator: Operator, left: &Expr, right: &Expr, context: Context<'a>) -> Result<Value<'a>> {
        let left = self.expression(left, context)?;
        match operator {
            Operator::Or if left.truth() => return Ok(Value::Boolean(true)),
            Operator::And if !left.truth() => return Ok(Value::Boolean(false)),
            _ => {}
        }
        let right = self.expression(right, context)?;
        let arithmetic = |compute: fn(f64, f64) -> f64, left: Value, right: Value| {
            Value::Number(compute(left.number(), right.number()))
        };
        Ok(match operator {
            Operator::Or | Operator::And => Value::Boolean(right.truth()),
            Operator::Add => arithmetic(|a, b| a + b, left, right),
            Operator::Subtract => arithmetic(|a, b| a - b, left, right),
            Operator::Multiply => arithmetic(|a, b| a * b, left, right),
            Operator::Divide => arithmetic(|a, b| a / b, left, right),
            Operator::Modulo => arithmetic(|a, b| a % b, left, right),
            Operator::Union => match (left, right) {
                (Value::Items(mut items), Value::Items(more)) => {
                    items.extend(more);
                    Value::Items(distinct(items))
                }
                _ => Value::Items(Vec::new()),
            },
            comparison => Value::Boolean(self.compare(comparison, left, right)?),
        })
    }

    /// XPath 1.0, section 3.4: a comparison with items is true if it is for any of them.
    fn compare(&mut self, operator: Operator, left: Value<'a>, right: Value<'a>) -> Result<bool> {
        match (left, right) {
            (Value::Boolean(truth), other) => Ok(compare_truths(operator, truth, other.truth())),
            (other, Value::Boolean(truth)) => Ok(compare_truths(operator, other.truth(), truth)),
            (Value::Items(left), Value::Items(right)) => {
                for item in &left {
                    for other in &right {
                        self.visit()?;
                        if compare_single(operator, Value::Text(item.text()), Value::Text(other.text())) {
                            return Ok(true);
                        }
                    }
                }
                Ok(false)
            }
            (Value::Items(items), other) => {
                for item in items {
                    self.visit()?;
                    if compare_single(operator, Value::Text(item.text()), copy(&other)) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (other, Value::Items(items)) => {
                for item in items {
                    self.visit()?;
                    if compare_single(operator, copy(&other), Value::Text(item.text())) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (left, right) => Ok(compare_single(operator, left, right)),
        }
    }

    fn path(&mut self, path: &Path, from: Item<'a>) -> Result<Vec<Item<'a>>> {
        let mut current = vec![if path.absolute { Item::Document(self.root) } else { from }];
        for step in &path.steps {
            let mut next = Vec::new();
            for item in current {
                let found = self.step(step, item)?;
                next.extend(found);
            }
            current = distinct(next);
        }
        Ok(current)
    }

    fn step(&mut self, step: &Step, from: Item<'a>) -> Result<Vec<Item<'a>>> {
        let mut found = Vec::new();
        match step.axis {
            Axis::Itself => found.push(from),
            Axis::Child => self.children(from, &mut found)?,
            Axis::Descendant => self.descendants(from, &mut found)?,
            Axis::DescendantOrSelf => {
                found.push(from);
                self.descendants(from, &mut found)?;
            }
            Axis::Attribute => {
                if let Item::Element(node) = from {
                    found.extend(node.attributes.iter().map(|(name, value)| Item::Attribute(name, value)));
                }
            }
        }
        found.retain(|item| matches(&step.test, step.axis, *item));
        for predicate in &step.predicates {
            let size = found.len();
            let mut kept = Vec::new();
            for (index, item) in found.into_iter().enumerate() {
                let context = Context { item, position: index + 1, size };
                let keep = match self.expression(predicate, context)? {
                    Value::Number(number) => number == (index + 1) as f64,
                    other => other.truth(),
                };
                if keep {
                    kept.push(item);
                }
            }
            found = kept;
        }
        Ok(found)
    }

    fn children(&mut self, from: Item<'a>, found: &mut Vec<Item<'a>>) -> Result<()> {
        match from {
            Item::Document(node) => found.push(Item::Element(node)),
            Item::Element(node) => {
                if !node.text.is_empty() {
                    found.push(Item::Text(&node.text));
                }
                for child in &node.children {
                    self.visit()?;
                    found.push(Item::Element(child));
                }
            }
            Item::Attribute(..) | Item::Text(_) => {}
        }
        Ok(())
    }

    fn descendants(&mut self, from: Item<'a>, found: &mut Vec<Item<'a>>) -> Result<()> {
        let mut children = Vec::new();
        self.children(from, &mut children)?;
        for child in children {
            found.push(child);
            self.descendants(child, found)?;
        }
        Ok(())
    }

    fn call(&mut self, function: Function, arguments: &[Expr], context: Context<'a>) -> Result<Value<'a>> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.expression(argument, context)?);
        }
        let mut values = values.into_iter();
        let mut next = move || values.next().unwrap_or(Value::Items(vec![context.item]));
        Ok(match function {
            Function::Position => Value::Number(context.position as f64),
            Function::Last => Value::Number(context.size as f64),
            Function::LocalName => Value::Text(match next() {
                Value::Items(items) => items.first().map(|item| item.name()).unwrap_or_default(),
                _ => String::new(),
            }),
            Function::Count => Value::Number(match next() {
                Value::Items(items) => items.len() as f64,
                _ => 0.0,
            }),
            Function::Sum => Value::Number(match next() {
                Value::Items(items) => items.into_iter().map(|item| text_number(&item.text())).sum(),
                _ => f64::NAN,
            }),
            Function::Contains => Value::Boolean(next().text().contains(&next().text())),
            Function::StartsWith => Value::Boolean(next().text().starts_with(&next().text())),
            Function::NormalizeSpace => Value::Text(next().text().split_whitespace().collect::<Vec<_>>().join(" ")),
            Function::StringLength => Value::Number(next().text().chars().count() as f64),
            Function::SubstringBefore => {
                let (text, mark) = (next().text(), next().text());
                Value::Text(text.split_once(&mark).map(|(before, _)| before.to_owned()).unwrap_or_default())
            }
            Function::SubstringAfter => {
                let (text, mark) = (next().text(), next().text());
                Value::Text(text.split_once(&mark).map(|(_, after)| after.to_owned()).unwrap_or_default())
            }
            Function::Substring => {
                let (text, start) = (next().text(), next().number().round());
                let end = if arguments.len() == 3 { start + next().number().round() } else { f64::INFINITY };
                let within = |index: usize| (index + 1) as f64 >= start && ((index + 1) as f64) < end;
                Value::Text(text.chars().enumerate().filter(|(index, _)| within(*index)).map(|(_, c)| c).collect())
            }
            Function::Translate => {
                let (text, from, to) = (next().text(), next().text(), next().text());
                let map = |c: char| match from.chars().position(|known| known == c) {
                    Some(index) => to.chars().nth(index),
                    None => Some(c),
                };
                Value::Text(text.chars().filter_map(map).collect())
            }
            Function::Concat => Value::Text((0..arguments.len()).map(|_| next().text()).collect()),
            Function::Text => Value::Text(next().text()),
            Function::Number => Value::Number(next().number()),
            Function::Boolean => Value::Boolean(next().truth()),
            Function::Not => Value::Boolean(!next().truth()),
            Function::True => Value::Boolean(true),
            Function::False => Value::Boolean(false),
            Function::Floor => Value::Number(next().number().floor()),
            Function::Ceiling => Value::Number(next().number().ceil()),
            Function::Round => Value::Number((next().number() + 0.5).floor()),
        })
    }
}

fn matches(test: &Test, axis: Axis, item: Item<'_>) -> bool {
    match (test, item) {
        (Test::Node, _) | (Test::Text, Item::Text(_)) => true,
        (Test::Any, Item::Attribute(..)) => axis == Axis::Attribute,
        (Test::Any, Item::Element(_)) => true,
        (Test::Name(name), Item::Element(node)) => node.name == *name,
        (Test::Name(name), Item::Attribute(known, _)) => {
            known == name || known.split_once(':').is_some_and(|(_, local)| local == name)
        }
        _ => false,
    }
}

/// Without those that were there before. Items of one parent come in the order of the document; so does all of this.
fn distinct(items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    let mut seen = HashSet::with_capacity(items.len());
    items.into_iter().filter(|item| seen.insert(item.identity())).collect()
}

fn copy<'a>(value: &Value<'a>) -> Value<'a> {
    match value {
        Value::Items(items) => Value::Items(items.clone()),
        Value::Text(text) => Value::Text(text.clone()),
        Value::Number(number) => Value::Number(*number),
        Value::Boolean(truth) => Value::Boolean(*truth),
    }
}

fn compare_truths(operator: Operator, left: bool, right: bool) -> bool {
    compare_numbers(operator, f64::from(u8::from(left)), f64::from(u8::from(right)))
}

fn compare_single(operator: Operator, left: Value<'_>, right: Value<'_>) -> bool {
    if let (Operator::Equal | Operator::NotEqual, Value::Text(left), Value::Text(right)) = (operator, &left, &right) {
        return (left == right) == (operator == Operator::Equal);
    }
    compare_numbers(operator, left.number(), right.number())
}

fn compare_numbers(operator: Operator, left: f64, right: f64) -> bool {
    match operator {
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
        Operator::Less => left < right,
        Operator::LessEqual => left <= right,
        Operator::Greater => left > right,
        Operator::GreaterEqual => left >= right,
        _ => false,
    }
}
