//! What makes a query slow, or will not be understood one day: said beside its results, as advice.

use watchkeeper_kql::typed::{Expr, ExprKind, Operator, Query, Relation, TableSource, operators};
use watchkeeper_kql::{Literal, deprecated};

use crate::walk::{expressions, relations, subqueries};

const TIME: &str = "TimeGenerated";

/// What there is to say of a query; `is_timed` where its request restricts the time of all tables.
pub fn advice(query: &Query, text: &str, is_timed: bool) -> Vec<String> {
    let mut advice = Advice { said: Vec::new() };
    let relations = query.results.iter().map(|result| &result.relation).chain(&query.shared);
    relations.for_each(|relation| advice.relation(relation, is_timed, is_timed));
    for name in deprecated(text) {
        advice.say(format!("{} is an old name: write {}", name.old, name.new));
    }
    advice.said
}

struct Advice {
    said: Vec<String>,
}

impl Advice {
    fn say(&mut self, text: String) {
        if !self.said.contains(&text) {
            self.said.push(text);
        }
    }

    /// `bounded`: what stands above takes only rows of some time, or a few of them.
    fn relation(&mut self, relation: &Relation, bounded: bool, is_timed: bool) {
        let here = match &relation.operator {
            Operator::Where { predicate, .. } => {
                self.texts(predicate);
                bounded || names_time(predicate)
            }
            Operator::Take { .. } => true,
            Operator::Project { .. }
            | Operator::Sort { .. }
            | Operator::Serialize { .. }
            | Operator::Parse { .. }
            | Operator::ParseKv { .. }
            | Operator::MvExpand { .. }
            | Operator::Union { .. } => bounded,
            Operator::MakeSeries { axis, from: Some(_), to: Some(_), .. } => names_time(&axis.expr) || is_timed,
            Operator::Table { name, source: TableSource::Local } => {
                if !bounded && relation.schema.get(TIME).is_some() {
                    self.say(format!(
                        "{name} is read from its first row to its last: add a condition on {TIME}, such as | where {TIME} > ago(1d)"
                    ));
                }
                return;
            }
            _ => is_timed,
        };
        relations(relation).into_iter().for_each(|input| self.relation(input, here, is_timed));
        let mut inner = Vec::new();
        expressions(relation).into_iter().for_each(|expr| subqueries(expr, &mut inner));
        for expr in inner {
            if let ExprKind::ToScalar(relation) | ExprKind::InRelation { relation, .. } = &expr.kind {
                self.relation(relation, is_timed, is_timed);
            }
        }
    }

    /// Searches for a part of a text that is a whole word.
    fn texts(&mut self, expr: &Expr) {
        let ExprKind::Call { function, args } = &expr.kind else { return };
        let parts = [operators::CONTAINS, operators::CONTAINS_CS].contains(&function.as_str());
        if let (true, [column, pattern]) = (parts, args.as_slice())
            && let (ExprKind::Column(column), ExprKind::Literal(Literal::String(word))) = (&column.kind, &pattern.kind)
            && !word.is_empty()
            && word.chars().all(char::is_alphanumeric)
        {
            self.say(format!(
                "{column} contains \"{word}\" reads the whole text of every row: if \"{word}\" is a word of its own there, has finds it by the index"
            ));
        }
        args.iter().for_each(|arg| self.texts(arg));
    }
}

fn names_time(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Column(name) => name == TIME,
        ExprKind::Call { args, .. } => args.iter().any(names_time),
        _ => false,
    }
}
