//! Implicit conversions between types, made explicit as calls of the `to…` functions; and the types that several
//! expressions have in common.

use super::Stop;
use crate::diagnostics::{Code, Span};
use crate::typed::{Expr, ExprKind, operators};
use crate::types::{Literal, Type};

/// The conversion function to a type.
pub(super) const fn function_to(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "tobool",
        Type::Int => "toint",
        Type::Long => "tolong",
        Type::Real => "toreal",
        Type::Decimal => "todecimal",
        Type::Datetime => "todatetime",
        Type::Timespan => "totimespan",
        Type::String => "tostring",
        Type::Guid => "toguid",
        Type::Dynamic => "todynamic",
    }
}

/// Converts without asking whether the language does so by itself. Constants are converted at once where that is
/// exact.
pub(super) fn convert(expr: Expr, to: Type) -> Expr {
    if expr.ty == to {
        return expr;
    }
    let span = expr.span;
    if let ExprKind::Literal(literal) = &expr.kind
        && let Some(literal) = convert_literal(literal, to)
    {
        return Expr { kind: ExprKind::Literal(literal), ty: to, span };
    }
    if to == Type::Dynamic {
        // A scalar as a dynamic value: a string stays a string, it is not parsed.
        return Expr {
            kind: ExprKind::Call { function: operators::TO_DYNAMIC.to_owned(), args: vec![expr] },
            ty: to,
            span,
        };
    }
    Expr { kind: ExprKind::Call { function: function_to(to).to_owned(), args: vec![expr] }, ty: to, span }
}

fn convert_literal(literal: &Literal, to: Type) -> Option<Literal> {
    Some(match (literal, to) {
        (Literal::Null(_), Type::String) => Literal::String(String::new()),
        (Literal::Null(_), _) => Literal::Null(to),
        (Literal::Int(value), Type::Long) => Literal::Long(i64::from(*value)),
        (Literal::Int(value), Type::Real) => Literal::Real(f64::from(*value)),
        (Literal::Long(value), Type::Int) => Literal::Int(i32::try_from(*value).ok()?),
        (Literal::Long(value), Type::Real) => Literal::Real(*value as f64),
        (Literal::Long(value), Type::Decimal) => Literal::Decimal(value.to_string()),
        (Literal::Int(value), Type::Decimal) => Literal::Decimal(value.to_string()),
        (Literal::Long(value), Type::Dynamic) => Literal::Dynamic(value.to_string()),
        (Literal::Int(value), Type::Dynamic) => Literal::Dynamic(value.to_string()),
        (Literal::Bool(value), Type::Dynamic) => Literal::Dynamic(value.to_string()),
        (Literal::String(value), Type::Dynamic) => Literal::Dynamic(super::literal::json_string(value)),
        _ => return None,
    })
}

/// Whether the language converts `from` to `to` by itself.
pub(super) fn is_implicit(from: Type, to: Type) -> bool {
    from == to
        || from == Type::Dynamic
        || to == Type::Dynamic
        || (from.is_integer() && to.is_numeric())
        || (from == Type::Real && to == Type::Decimal)
        || (from == Type::Decimal && to == Type::Real)
}

/// The wider of two numeric types.
pub(super) fn widest(a: Type, b: Type) -> Type {
    let rank = |ty: Type| match ty {
        Type::Int => 0,
        Type::Long => 1,
        Type::Real => 2,
        _ => 3,
    };
    if rank(a) >= rank(b) { a } else { b }
}

/// The type that values of these types have in common: equal, the widest number, or the one beside dynamic.
pub(super) fn common(types: impl IntoIterator<Item = Type>) -> Result<Type, (Type, Type)> {
    let mut common: Option<Type> = None;
    for ty in types {
        common = Some(match common {
            None => ty,
            Some(before) if before == ty => ty,
            Some(Type::Dynamic) => ty,
            Some(before) if ty == Type::Dynamic => before,
            Some(before) if before.is_numeric() && ty.is_numeric() => widest(before, ty),
            Some(before) => return Err((before, ty)),
        });
    }
    Ok(common.unwrap_or(Type::Dynamic))
}

/// Converts to `to` if the language does so by itself; `what` names the place in the message.
pub(super) fn implicit(expr: Expr, to: Type, what: &str) -> Result<Expr, Stop> {
    if is_implicit(expr.ty, to) {
        return Ok(convert(expr, to));
    }
    let help = format!("convert it with {}()", function_to(to));
    Err(Stop::new(Code::Semantic, expr.span, format!("{what} must be {to}, but this is {}", expr.ty)).help(help))
}

/// Two operands of one type, where one side may stay dynamic.
pub(super) fn comparable(left: Expr, right: Expr, span: Span, operator: &str) -> Result<(Expr, Expr), Stop> {
    let (a, b) = (left.ty, right.ty);
    if a == b || a == Type::Dynamic || b == Type::Dynamic {
        return Ok((left, right));
    }
    if a.is_numeric() && b.is_numeric() {
        let ty = widest(a, b);
        return Ok((convert(left, ty), convert(right, ty)));
    }
    if (a == Type::Bool && b.is_numeric()) || (b == Type::Bool && a.is_numeric()) {
        return Ok((convert(left, Type::Long), convert(right, Type::Long)));
    }
    if (a == Type::Guid && b == Type::String) || (b == Type::Guid && a == Type::String) {
        return Ok((convert(left, Type::String), convert(right, Type::String)));
    }
    let (wrong, to) = if a == Type::String { (a, b) } else { (b, a) };
    let message = format!("{operator} cannot compare {a} with {b}");
    Err(Stop::new(Code::Semantic, span, message).help(format!("convert the {wrong} with {}()", function_to(to))))
}
