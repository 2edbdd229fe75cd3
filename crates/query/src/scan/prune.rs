//! Conditions in stored form, and which files and row groups they leave.

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, lit};
use roaring::RoaringBitmap;
use watchkeeper_kql::{Schema, Ticks, Type};
use watchkeeper_store::{Bound, DataFile, TermIndex};

/// A condition on runtime columns as one on stored columns that is true wherever the first is. None: nothing to say.
pub fn stored_form(expr: &Expr, schema: &Schema) -> Option<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            match (stored_form(left, schema), stored_form(right, schema)) {
                (Some(left), Some(right)) => Some(left.and(right)),
                (one, other) => one.or(other),
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            Some(stored_form(left, schema)?.or(stored_form(right, schema)?))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) => comparison(&column.name, *op, value, schema),
            (Expr::Literal(value, _), Expr::Column(column)) => comparison(&column.name, op.swap()?, value, schema),
            _ => None,
        },
        _ => None,
    }
}

fn comparison(name: &str, op: Operator, value: &ScalarValue, schema: &Schema) -> Option<Expr> {
    let ty = schema.get(name)?.ty;
    let column = Expr::Column(Column::new_unqualified(name));
    let build = |op, value: ScalarValue| {
        Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(column.clone()), op, Box::new(lit(value)))))
    };
    match ty {
        Type::Datetime => {
            let ScalarValue::Int64(Some(ticks)) = value else { return None };
            let exact = (ticks - Ticks::UNIX_EPOCH.0).rem_euclid(Ticks::PER_MICROSECOND) == 0;
            let stored = ScalarValue::TimestampMicrosecond(Some(Ticks(*ticks).to_unix_micros()), Some("UTC".into()));
            match op {
                Operator::Gt | Operator::GtEq => build(Operator::GtEq, stored),
                Operator::Lt | Operator::LtEq => build(Operator::LtEq, stored),
                Operator::Eq if exact => build(Operator::Eq, stored),
                _ => None,
            }
        }
        // a file without the column has nulls where the runtime form has empty strings
        Type::String => match (op, value) {
            (Operator::Eq, ScalarValue::Utf8View(Some(text))) if !text.is_empty() => build(op, value.clone()),
            _ => None,
        },
        Type::Dynamic | Type::Decimal => None,
        _ => match op {
            Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => build(op, value.clone()),
            _ => None,
        },
    }
}

/// Whether a file can hold rows for a condition in stored form, by its least and greatest values.
pub fn file_may_match(file: &DataFile, condition: &Expr) -> bool {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            file_may_match(file, left) && file_may_match(file, right)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            file_may_match(file, left) || file_may_match(file, right)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (Expr::Column(column), Expr::Literal(value, _)) = (left.as_ref(), right.as_ref()) else { return true };
            let wanted = match value {
                ScalarValue::TimestampMicrosecond(Some(value), _) | ScalarValue::Int64(Some(value)) => *value,
                ScalarValue::Int32(Some(value)) => i64::from(*value),
                _ => return true,
            };
            let Some(statistics) = file.statistics.columns.get(&column.name) else { return true };
            let (Some(Bound::Long(min)), Some(Bound::Long(max))) = (&statistics.min, &statistics.max) else {
                return true;
            };
            match op {
                Operator::Eq => *min <= wanted && wanted <= *max,
                Operator::Lt => *min < wanted,
                Operator::LtEq => *min <= wanted,
                Operator::Gt => *max > wanted,
                Operator::GtEq => *max >= wanted,
                _ => true,
            }
        }
        _ => true,
    }
}

/// What a filter asks of the words in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub column: String,
    pub text: String,
    /// The text is one whole word (`has`); otherwise all its words occur (`==`).
    pub word: bool,
}

/// The words that each row of the result must have.
pub fn words(filter: &Expr, schema: &Schema, found: &mut Vec<Words>) {
    let mut add = |column: &Expr, value: &Expr, word: bool| {
        let (Expr::Column(column), Expr::Literal(ScalarValue::Utf8View(Some(text)), _)) = (column, value) else {
            return;
        };
        if schema.get(&column.name).is_some_and(|known| known.ty == Type::String) && !text.is_empty() {
            found.push(Words { column: column.name.clone(), text: text.clone(), word });
        }
    };
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            words(left, schema, found);
            words(right, schema, found);
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => add(left, right, false),
        Expr::ScalarFunction(call)
            if call.name().split('(').next().is_some_and(|n| n == "__has" || n == "__has_cs") =>
        {
            if let [column, value] = call.args.as_slice() {
                add(column, value, true);
            }
        }
        _ => {}
    }
}

/// The row groups that can hold all the words. None: the index cannot say.
pub fn row_groups(index: &TermIndex, words: &[Words]) -> Option<RoaringBitmap> {
    let mut all: Option<RoaringBitmap> = None;
    for wanted in words {
        let groups = match wanted.word {
            true => index.row_groups_with(&wanted.column, &wanted.text),
            false => index.row_groups_with_all(&wanted.column, &wanted.text),
        };
        all = match (all, groups) {
            (Some(all), Some(groups)) => Some(all & groups),
            (all, groups) => all.or(groups),
        };
    }
    all
}
