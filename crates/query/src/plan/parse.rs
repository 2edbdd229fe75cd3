//! `parse`, `parse-where`, `parse-kv`.

use datafusion::functions::expr_fn::get_field;
use datafusion::logical_expr::{Expr as DfExpr, lit};
use watchkeeper_kql::typed::{Expr, ParseKind, ParsePiece};
use watchkeeper_kql::{Literal, Schema, Type};

use super::{Planned, Planner, column, expr};
use crate::error::QueryError;
use crate::rows::extract::{Pattern, extract};
use crate::runtime::null_of;

impl Planner<'_> {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn parse(
        &self,
        input: Planned,
        schema: &Schema,
        kind: ParseKind,
        flags: &str,
        source: &Expr,
        pieces: &[ParsePiece],
        only_matches: bool,
    ) -> Result<Planned, QueryError> {
        let scope = self.scope(&input);
        let columns: Vec<(&String, Type)> = pieces
            .iter()
            .filter_map(|piece| match piece {
                ParsePiece::Column { name, ty } => Some((name, *ty)),
                _ => None,
            })
            .collect();
        let pattern = Pattern::Regex { pattern: regex(kind, flags, pieces), columns: columns.len() };
        let text = self.expr(source, &scope)?;
        let text = if source.ty == Type::String { text } else { expr::bound("tostring", &[source.ty], vec![text])? };
        let parts = self.fresh("p");
        let plan = super::order::with_column(&input.plan, extract(pattern)?.call(vec![text]), &parts)?;
        let mut extracted = input.with_plan(plan);
        let mut values = Vec::new();
        let mut fits: Option<DfExpr> = None;
        for (at, (name, ty)) in columns.iter().enumerate() {
            let raw = get_field(column(&parts), format!("c{at}"));
            let value = self.typed_text(raw, *ty)?;
            if *ty != Type::String {
                let not_null = value.clone().is_not_null();
                fits = Some(match fits {
                    Some(all) => all.and(not_null),
                    None => not_null,
                });
            }
            values.push(((*name).clone(), *ty, value));
        }
        let matched = column(&parts).is_not_null();
        let whole = match (kind, fits) {
            (ParseKind::Relaxed, _) | (_, None) => matched,
            (_, Some(fits)) => matched.and(fits),
        };
        if only_matches {
            let plan = extracted.builder().filter(whole.clone())?.build()?;
            extracted = extracted.with_plan(plan);
        }
        let mut output = Vec::new();
        for known in &schema.columns {
            // a column named twice in the pattern takes its last value
            let value = match values.iter().rev().find(|(name, _, _)| *name == known.name) {
                Some((_, ty, value)) => {
                    let value = match kind {
                        ParseKind::Relaxed => value.clone(),
                        _ => expr::case(vec![(whole.clone(), value.clone())], lit(null_of(*ty))),
                    };
                    expr::without_null(value, *ty)
                }
                None => column(&known.name),
            };
            output.push((known.name.clone(), value));
        }
        self.projected(&extracted, output)
    }

    pub(super) fn parse_kv(
        &self,
        input: Planned,
        schema: &Schema,
        source: &Expr,
        columns: &[(String, Type)],
        options: &[(String, Literal)],
    ) -> Result<Planned, QueryError> {
        let scope = self.scope(&input);
        let option = |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let text_option = |name: &str| match option(name) {
            Some(Literal::String(text)) => Some(text.clone()),
            _ => None,
        };
        let quotes = match text_option("quote") {
            Some(quote) => {
                let open = quote.chars().next();
                let close = quote.chars().nth(1).or(open);
                open.zip(close).into_iter().collect()
            }
            None => Vec::new(),
        };
        let source_text = self.expr(source, &scope)?;
        let parts = self.fresh("p");
        let keys: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        let pattern = match text_option("regex") {
            Some(pattern) => Pattern::KeyValueRegex { pattern, keys },
            None if option("pair_delimiter").is_none() && option("kv_delimiter").is_none() && quotes.is_empty() => {
                Pattern::KeyValueWords { keys }
            }
            None => Pattern::KeyValue {
                keys,
                pair: text_option("pair_delimiter").unwrap_or_else(|| " ".to_string()),
                value: text_option("kv_delimiter").unwrap_or_else(|| "=".to_string()),
                quotes,
                escape: text_option("escape").and_then(|text| text.chars().next()),
                greedy: matches!(option("greedy"), Some(Literal::Bool(true))),
            },
        };
        let plan = super::order::with_column(&input.plan, extract(pattern)?.call(vec![source_text]), &parts)?;
        let extracted = input.with_plan(plan);
        let mut output = Vec::new();
        for known in &schema.columns {
            let value = match columns.iter().position(|(name, _)| *name == known.name) {
                Some(at) => {
                    let value = self.typed_text(get_field(column(&parts), format!("c{at}")), columns[at].1)?;
                    expr::without_null(value, columns[at].1)
                }
                None => column(&known.name),
            };
            output.push((known.name.clone(), value));
        }
        self.projected(&extracted, output)
    }

    /// A piece of text as a column's type.
    fn typed_text(&self, text: DfExpr, ty: Type) -> Result<DfExpr, QueryError> {
        let function = match ty {
            Type::String => return Ok(text),
            Type::Bool => "tobool",
            Type::Int => "toint",
            Type::Long => "tolong",
            Type::Real => "toreal",
            Type::Decimal => "todecimal",
            Type::Datetime => "todatetime",
            Type::Timespan => "totimespan",
            Type::Guid => "toguid",
            Type::Dynamic => "todynamic",
        };
        expr::bound(function, &[Type::String], vec![text])
    }
}

/// The pattern as a regular expression. A column takes as little as it can, the last one everything to the end;
/// an integer column takes the digits.
fn regex(kind: ParseKind, flags: &str, pieces: &[ParsePiece]) -> String {
    let mut pattern = String::new();
    let own_flags: String = flags.chars().filter(|flag| "imsU".contains(*flag)).collect();
    match kind {
        ParseKind::Regex if own_flags.is_empty() => {}
        ParseKind::Regex => pattern.push_str(&format!("(?{own_flags})")),
        _ => pattern.push_str("(?s)"),
    }
    pattern.push('^');
    let mut number = 0;
    for (at, piece) in pieces.iter().enumerate() {
        let last = at + 1 == pieces.len();
        match piece {
            ParsePiece::Text(text) if kind == ParseKind::Regex => pattern.push_str(text),
            ParsePiece::Text(text) => pattern.push_str(&regex::escape(text)),
            ParsePiece::Skip => pattern.push_str(if last || kind == ParseKind::Regex { ".*" } else { ".*?" }),
            ParsePiece::Column { ty, .. } => {
                let bounded = last || matches!(pieces.get(at + 1), Some(ParsePiece::Text(_)));
                let take = match ty {
                    // nothing else says where the number ends
                    Type::Int | Type::Long if !bounded => r"\s*[-+]?[0-9]*",
                    Type::Real if !bounded => r"\s*[-+]?[0-9]*\.?[0-9]*",
                    Type::Int | Type::Long if kind != ParseKind::Relaxed => r"\s*[-+]?[0-9]+\s*",
                    Type::Real if kind != ParseKind::Relaxed => r"\s*[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?\s*",
                    // in an expression of the user's own, columns take as much as they can (flag U turns that round)
                    _ if last || kind == ParseKind::Regex => ".*",
                    _ => ".*?",
                };
                pattern.push_str(&format!("(?P<c{number}>{take})"));
                number += 1;
            }
        }
    }
    pattern
}
