//! Functions of the language whose meaning depends on the row's columns or on how the call is written.

use super::calls::{ADD, SUBTRACT, bag_pack, check_count, moved_now};
use super::convert::{self, convert};
use super::expression::{call, column};
use super::{Analyzer, Labelled, Outcome, Stop, Value, literal};
use crate::diagnostics::Span;
use crate::functions;
use crate::syntax;
use crate::typed::{Expr, operators};
use crate::types::{Column, Literal, Type};

impl Analyzer<'_> {
    /// The value of such a call; none if the function is an ordinary one.
    pub(super) fn special_call(&mut self, written: &syntax::Call, span: Span) -> Outcome<Option<Expr>> {
        let Some(signature) = functions::scalar(&written.name.text) else { return Ok(None) };
        let star = matches!(written.args.first().map(|arg| &arg.kind), Some(syntax::ExprKind::Star));
        if !star {
            match signature.name {
                "case" | "column_ifexists" | "iscolumnexists" | "ago" | "now" | "not" | "bag_pack"
                | "bag_pack_columns" | "pack_all" | "column_names_of" | "all" | "any" | "map" | "inner_nodes"
                | "node_degree_in" | "node_degree_out" | "labels" | "node_id" | "range" | "parse_json" | "tostring" => {
                }
                _ => return Ok(None),
            }
            check_count(signature, written, span)?;
        }
        let args = &written.args;
        Ok(Some(match signature.name {
            "pack_array" if star => {
                let values = self.columns(span).iter().map(|found| column(found, span)).collect();
                call("pack_array", values, Type::Dynamic, span)
            }
            "estimate_data_size" if star => {
                let values = self.columns(span).iter().map(|found| column(found, span)).collect();
                call("estimate_data_size", values, Type::Long, span)
            }
            _ if star => return Err(Stop::semantic(span, format!("{}() does not take `*`", signature.name))),
            "case" => self.case(args, span)?,
            "column_ifexists" => self.column_if_exists(args, span)?,
            "iscolumnexists" => {
                let name = self.constant_text(&args[0], "the column name")?;
                literal::expr(Literal::Bool(self.columns(span).iter().any(|found| found.name == name)), span)
            }
            "ago" => {
                let by = self.scalar_as(&args[0], Type::Timespan, "argument 1 of ago()")?;
                moved_now(SUBTRACT, by, span)
            }
            "now" => match args.first() {
                None => call("now", Vec::new(), Type::Datetime, span),
                Some(by) => {
                    let by = self.scalar_as(by, Type::Timespan, "argument 1 of now()")?;
                    moved_now(ADD, by, span)
                }
            },
            "not" => {
                let value = self.condition(&args[0])?;
                call(operators::NOT, vec![value], Type::Bool, span)
            }
            "tostring" => {
                let value = self.scalar(&args[0])?;
                if value.ty == Type::String { value } else { call("tostring", vec![value], Type::String, span) }
            }
            "parse_json" => {
                let value = self.scalar(&args[0])?;
                match value.ty {
                    Type::Dynamic => call("parse_json", vec![value], Type::Dynamic, span),
                    Type::String => call("parse_json", vec![value], Type::Dynamic, span),
                    _ => convert(value, Type::Dynamic),
                }
            }
            "bag_pack" => self.bag(args, span)?,
            "bag_pack_columns" => {
                let mut pairs = Vec::new();
                for arg in args {
                    let name = match &arg.kind {
                        syntax::ExprKind::Name(name) => name.clone(),
                        _ => return Err(Stop::semantic(arg.span, "bag_pack_columns() takes names of columns")),
                    };
                    pairs.push((name, self.scalar(arg)?));
                }
                bag_pack(pairs.into_iter(), span)
            }
            "pack_all" => {
                let ignore = match args.first() {
                    Some(arg) => {
                        let value = self.scalar(arg)?;
                        self.constant(&value)? == Literal::Bool(true)
                    }
                    None => false,
                };
                let columns = self.columns(span);
                let mut bag = bag_pack(columns.iter().map(|found| (found.name.clone(), column(found, span))), span);
                if ignore && let crate::typed::ExprKind::Call { function, .. } = &mut bag.kind {
                    *function = "pack_all".to_owned();
                }
                bag
            }
            "column_names_of" => match self.isolated(|analyzer| analyzer.value(&args[0]))? {
                Value::Relation(Labelled { relation, .. }) => {
                    let names: Vec<String> = relation.schema.names().map(literal::json_string).collect();
                    literal::expr(Literal::Dynamic(format!("[{}]", names.join(","))), span)
                }
                _ => return Err(Stop::semantic(args[0].span, "column_names_of() needs a table")),
            },
            "range" => self.range_array(args, span)?,
            "all" | "any" | "map" => self.graph_lambda(signature.name, args, span)?,
            name => self.graph_function(name, args, span)?,
        }))
    }

    pub(super) fn columns(&self, _span: Span) -> Vec<Column> {
        self.row.as_ref().map(|row| row.schema.columns.clone()).unwrap_or_default()
    }

    /// `case(condition, value, …, else)`, and its values as one type.
    fn case(&mut self, args: &[syntax::Expr], span: Span) -> Outcome<Expr> {
        if args.len().is_multiple_of(2) {
            let message =
                "case() needs an odd number of arguments: pairs of condition and value, and a value for all else";
            return Err(Stop::semantic(span, message));
        }
        let mut typed = Vec::new();
        for (index, arg) in args.iter().enumerate() {
            let is_condition = index % 2 == 0 && index + 1 < args.len();
            typed.push(if is_condition { self.condition(arg)? } else { self.scalar(arg)? });
        }
        let count = typed.len();
        let is_value = |index: usize| index % 2 == 1 || index + 1 == count;
        let types = typed.iter().enumerate().filter(|(index, _)| is_value(*index)).map(|(_, expr)| expr.ty);
        let ty = convert::common(types).map_err(|(a, b)| {
            Stop::semantic(span, format!("the values of case() must have one type, but these are {a} and {b}"))
        })?;
        let args = typed
            .into_iter()
            .enumerate()
            .map(|(index, expr)| if is_value(index) { convert(expr, ty) } else { expr })
            .collect();
        Ok(call("case", args, ty, span))
    }

    fn column_if_exists(&mut self, args: &[syntax::Expr], span: Span) -> Outcome<Expr> {
        let name = self.constant_text(&args[0], "the column name")?;
        let found = self.columns(span).into_iter().find(|found| found.name == name);
        match found {
            Some(found) => Ok(column(&found, span)),
            None => self.scalar(&args[1]),
        }
    }

    fn bag(&mut self, args: &[syntax::Expr], span: Span) -> Outcome<Expr> {
        if args.len() % 2 == 1 {
            return Err(Stop::semantic(span, "bag_pack() needs pairs of a key and a value"));
        }
        let mut typed = Vec::new();
        for (index, arg) in args.iter().enumerate() {
            let value = self.scalar(arg)?;
            typed.push(if index % 2 == 0 { convert(value, Type::String) } else { value });
        }
        Ok(call("bag_pack", typed, Type::Dynamic, span))
    }

    /// `range(start, stop, step)` with its three arguments of types that go together.
    fn range_array(&mut self, args: &[syntax::Expr], span: Span) -> Outcome<Expr> {
        let start = self.scalar(&args[0])?;
        let stop = self.scalar(&args[1])?;
        let step = match args.get(2) {
            Some(step) => self.scalar(step)?,
            None if matches!(start.ty, Type::Datetime | Type::Timespan) => {
                literal::expr(Literal::Timespan(crate::types::Ticks(crate::types::Ticks::PER_HOUR)), span)
            }
            None => literal::long(1, span),
        };
        let args = range_types(start, stop, step, span)?;
        Ok(call("range", args, Type::Dynamic, span))
    }
}

/// Start, stop and step of a range: numbers of one type, or times with a timespan.
pub(super) fn range_types(start: Expr, stop: Expr, step: Expr, span: Span) -> Outcome<Vec<Expr>> {
    let loose = |expr: Expr, ty: Type| if expr.ty == Type::Dynamic { convert(expr, ty) } else { expr };
    let (start, stop, step) = match (start.ty, stop.ty, step.ty) {
        (Type::Datetime | Type::Timespan, _, _) => {
            let ty = start.ty;
            (start, loose(stop, ty), loose(step, Type::Timespan))
        }
        (_, Type::Datetime | Type::Timespan, _) => {
            let ty = stop.ty;
            (loose(start, ty), stop, loose(step, Type::Timespan))
        }
        _ => (loose(start, Type::Long), loose(stop, Type::Long), loose(step, Type::Long)),
    };
    if start.ty.is_numeric() && stop.ty.is_numeric() && step.ty.is_numeric() {
        let mut ty = convert::widest(convert::widest(start.ty, stop.ty), step.ty);
        if ty == Type::Int {
            ty = Type::Long;
        }
        return Ok(vec![convert(start, ty), convert(stop, ty), convert(step, ty)]);
    }
    if start.ty == stop.ty && matches!(start.ty, Type::Datetime | Type::Timespan) && step.ty == Type::Timespan {
        return Ok(vec![start, stop, step]);
    }
    let message = format!("a range cannot go from {} to {} by {}", start.ty, stop.ty, step.ty);
    Err(Stop::semantic(span, message))
}
