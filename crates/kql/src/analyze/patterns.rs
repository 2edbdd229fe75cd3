//! Patterns over graphs: their nodes and edges, the conditions on a match, and the functions about elements.

use std::rc::Rc;

use super::convert::convert;
use super::expression::{call, column};
use super::joins::word;
use super::naming::Names;
use super::scope::{Element, GraphRow, Row};
use super::{Analyzer, Outcome, Stop, calls, literal};
use crate::diagnostics::Span;
use crate::graph::{Cycles, DEGREE_IN, DEGREE_OUT, EdgeDirection, GraphPattern, MOST_HOPS, MakeGraph, PatternEdge};
use crate::syntax::{self, GraphPatternElement};
use crate::typed::{Expr, ExprKind, NamedExpr};
use crate::types::{Column, Literal, Type};

impl Analyzer<'_> {
    /// The pattern of `graph-match` or `graph-shortest-paths`.
    pub(super) fn match_pattern(
        &mut self,
        graph: &MakeGraph,
        operator: &syntax::Operator,
        written: &syntax::MatchOperator,
    ) -> Outcome<GraphPattern> {
        let mut pattern = GraphPattern {
            nodes: Vec::new(),
            edges: Vec::new(),
            cycles: cycles(operator)?,
            conditions: Vec::new(),
            project: Vec::new(),
        };
        for sequence in &written.patterns {
            self.sequence(&mut pattern, sequence, graph.directed)?;
        }
        connected(&pattern, written)?;
        let most: u32 = pattern.edges.iter().map(|edge| edge.hops.map_or(1, |(_, most)| most)).sum();
        if most > MOST_HOPS {
            let message = format!("the edges of a pattern are together at most {MOST_HOPS} long, not {most}");
            return Err(Stop::semantic(operator.span, message));
        }
        let mut row = GraphRow {
            elements: elements(&pattern),
            node_schema: graph.node_schema.clone(),
            edge_schema: graph.edges.schema.clone(),
            each: true,
            item: None,
        };
        let mut conditions = Vec::new();
        if let Some(predicate) = &written.predicate {
            conjuncts(predicate, &mut conditions);
        }
        for condition in conditions {
            let typed = self.match_condition(&row, condition)?;
            pattern.conditions.push(typed);
        }
        row.each = false;
        pattern.project = self.match_columns(&row, &written.project, operator.span)?;
        Ok(pattern)
    }

    /// One sequence `(a)-[e]->(b)…` of the pattern.
    fn sequence(&mut self, pattern: &mut GraphPattern, written: &syntax::GraphPattern, directed: bool) -> Outcome<()> {
        let mut left = None;
        let mut between = None;
        for element in &written.elements {
            match element {
                GraphPatternElement::Node { name, span } => {
                    let name = name.as_ref().map(|name| name.text.clone());
                    if name.is_some() && pattern.edges.iter().any(|edge| edge.name == name) {
                        return Err(Stop::semantic(*span, "a node and an edge of the pattern have one name"));
                    }
                    let known = pattern.nodes.iter().position(|known| name.is_some() && *known == name);
                    let right = known.unwrap_or_else(|| {
                        pattern.nodes.push(name);
                        pattern.nodes.len() - 1
                    });
                    if let (Some(left), Some((name, direction, hops))) = (left, between.take()) {
                        pattern.edges.push(PatternEdge { name, left, right, direction, hops });
                    }
                    left = Some(right);
                }
                GraphPatternElement::Edge { name, direction, hops, span } => {
                    let name = name.as_ref().map(|name| name.text.clone());
                    let taken = pattern.edges.iter().any(|edge| edge.name == name) || pattern.nodes.contains(&name);
                    if name.is_some() && taken {
                        let message = format!("`{}` is in the pattern already", name.unwrap_or_default());
                        return Err(Stop::semantic(*span, message).help("give every edge its own name".to_owned()));
                    }
                    let direction = match direction {
                        _ if !directed => EdgeDirection::Any,
                        syntax::EdgeDirection::Forward => EdgeDirection::Forward,
                        syntax::EdgeDirection::Backward => EdgeDirection::Backward,
                        syntax::EdgeDirection::Any => EdgeDirection::Any,
                    };
                    let hops = match hops {
                        Some(hops) => Some(self.hops(hops, *span)?),
                        None => None,
                    };
                    between = Some((name, direction, hops));
                }
            }
        }
        Ok(())
    }

    fn hops(&mut self, written: &syntax::EdgeHops, span: Span) -> Outcome<(u32, u32)> {
        let from = match &written.from {
            Some(from) => self.hop_count(from)?,
            None => 1,
        };
        let Some(to) = &written.to else {
            let help = format!("write both ends, for instance *{from}..5");
            return Err(Stop::semantic(span, "an edge of variable length needs a largest length").help(help));
        };
        let to_count = self.hop_count(to)?;
        if from > to_count {
            return Err(Stop::semantic(to.span, format!("the largest length {to_count} is below the least, {from}")));
        }
        if to_count == 0 || to_count > MOST_HOPS {
            let message = format!("the largest length of an edge is between 1 and {MOST_HOPS}, not {to_count}");
            return Err(Stop::semantic(to.span, message));
        }
        Ok((from, to_count))
    }

    fn hop_count(&mut self, written: &syntax::Expr) -> Outcome<u32> {
        let value = self.isolated(|analyzer| analyzer.scalar(written))?;
        let number = match self.constant(&value)? {
            Literal::Long(number) => u32::try_from(number).ok(),
            Literal::Int(number) => u32::try_from(number).ok(),
            _ => None,
        };
        number.ok_or_else(|| Stop::semantic(written.span, "the length of an edge is a whole number from 0 on"))
    }

    /// A condition on a match. A property of a path stands for that of each of its edges, all of which must meet the
    /// condition; where that does not type, for the list of them.
    fn match_condition(&mut self, row: &GraphRow, written: &syntax::Expr) -> Outcome<Expr> {
        let each = self.with_row(graph_row(row.clone()), |analyzer| analyzer.condition(written));
        let mut typed = match each {
            Ok(typed) => typed,
            Err(stop) => {
                let lists = GraphRow { each: false, ..row.clone() };
                let listed = self.with_row(graph_row(lists), |analyzer| analyzer.condition(written));
                return listed.map_err(|_| stop);
            }
        };
        let mut paths = Vec::new();
        single_paths(row, &typed, &mut paths);
        paths.dedup();
        match paths.as_slice() {
            [] => Ok(typed),
            [path] => {
                to_columns(path, &mut typed);
                let span = typed.span;
                Ok(call("all", vec![element(path, span), typed], Type::Bool, span))
            }
            _ => {
                let help = "use all(), any() or map() for one of them".to_owned();
                Err(Stop::semantic(written.span, "a condition compares the edges of two paths with each other")
                    .help(help))
            }
        }
    }

    fn match_columns(&mut self, row: &GraphRow, written: &[syntax::NamedExpr], span: Span) -> Outcome<Vec<NamedExpr>> {
        if written.is_empty() {
            let help = "add project with what you want to see of each match, for instance project a.name".to_owned();
            return Err(Stop::semantic(span, "a match gives no columns without project").help(help));
        }
        let mut names = Names::default();
        let mut columns = Vec::new();
        for item in written {
            for output in self.with_row(graph_row(row.clone()), |analyzer| analyzer.output(item))? {
                let name = match (&output.name, output.declared) {
                    (Some(name), true) if !names.take(name) => {
                        return Err(Stop::semantic(item.span, format!("the column `{name}` is given twice")));
                    }
                    (Some(name), true) => name.clone(),
                    (Some(name), false) => names.unique(name),
                    (None, _) => names.next_column(),
                };
                columns.push(NamedExpr { name, expr: output.expr });
            }
        }
        Ok(columns)
    }

    /// `all(e, condition)`, `any(e, condition)`, `map(e, value)`; `e` may be `inner_nodes(e)`.
    pub(super) fn graph_lambda(&mut self, name: &str, args: &[syntax::Expr], span: Span) -> Outcome<Expr> {
        let row = self.graph_row(name, span)?;
        if row.item.is_some() {
            return Err(Stop::semantic(span, format!("{name}() cannot stand within all(), any() or map()")));
        }
        let (over, item) = match &args[0].kind {
            syntax::ExprKind::Call(inner) if inner.name.text == "inner_nodes" && inner.args.len() == 1 => {
                let path = path_named(&row, name, &inner.args[0])?;
                let over = element(&path, inner.args[0].span);
                (call("inner_nodes", vec![over], Type::Dynamic, args[0].span), Element::Node)
            }
            _ => (element(&path_named(&row, name, &args[0])?, args[0].span), Element::Edge),
        };
        let schema = row.schema_of(item).clone();
        let inner = GraphRow { each: false, item: Some(item), ..row.as_ref().clone() };
        let row = Row { schema, graph: Some(Rc::new(inner)), ..Row::default() };
        let value = self.with_row(row, |analyzer| match name {
            "map" => analyzer.scalar(&args[1]).map(|value| convert(value, Type::Dynamic)),
            _ => analyzer.condition(&args[1]),
        })?;
        let ty = if name == "map" { Type::Dynamic } else { Type::Bool };
        Ok(call(name, vec![over, value], ty, span))
    }

    /// `node_degree_in(n)`, `node_degree_out(n)`, `labels(x)`; without an argument, of what `all()` and its like go
    /// over.
    pub(super) fn graph_function(&mut self, name: &str, args: &[syntax::Expr], span: Span) -> Outcome<Expr> {
        let row = self.graph_row(name, span)?;
        let degree = match name {
            "node_degree_in" => DEGREE_IN,
            "node_degree_out" => DEGREE_OUT,
            "labels" => {
                // Only graphs that are stored have labels; those of make-graph have none (reference "labels()").
                if let Some(arg) = args.first() {
                    named_element(&row, name, arg)?;
                }
                return Ok(literal::expr(Literal::Dynamic("[]".to_owned()), span));
            }
            "inner_nodes" => {
                let message = "inner_nodes() stands only as first argument of all(), any() and map()";
                return Err(Stop::semantic(span, message));
            }
            _ => return Err(Stop::unsupported(span, format!("{name}() is not supported"))),
        };
        let kind = match args.first() {
            Some(arg) => match named_element(&row, name, arg)? {
                (step, Element::Node) => ExprKind::StepColumn { step, column: degree.to_owned() },
                (step, _) => {
                    return Err(Stop::semantic(arg.span, format!("{name}() needs a node, but `{step}` is an edge")));
                }
            },
            None if row.item == Some(Element::Node) => ExprKind::Column(degree.to_owned()),
            None => {
                let message = format!("{name}() needs a node of the pattern, or to stand within inner_nodes()");
                return Err(Stop::semantic(span, message));
            }
        };
        Ok(Expr { kind, ty: Type::Long, span })
    }

    fn graph_row(&self, name: &str, span: Span) -> Outcome<Rc<GraphRow>> {
        let graph = self.row.as_ref().and_then(|row| row.graph.clone());
        graph.ok_or_else(|| {
            let message = format!("{name}() has a meaning only in graph-match and graph-shortest-paths");
            Stop::semantic(span, message)
        })
    }
}

fn graph_row(graph: GraphRow) -> Row {
    Row { graph: Some(Rc::new(graph)), ..Row::default() }
}

/// An element by its name, as the functions about paths have it.
fn element(name: &str, span: Span) -> Expr {
    let kind = ExprKind::StepColumn { step: name.to_owned(), column: String::new() };
    Expr { kind, ty: Type::Dynamic, span }
}

/// `element.property`.
pub(super) fn property(graph: &GraphRow, name: &str, kind: Element, found: &Column, span: Span) -> Expr {
    if kind == Element::Path && !graph.each {
        let value = convert(column(found, span), Type::Dynamic);
        return call("map", vec![element(name, span), value], Type::Dynamic, span);
    }
    let kind = ExprKind::StepColumn { step: name.to_owned(), column: found.name.clone() };
    Expr { kind, ty: found.ty, span }
}

/// The element itself: a bag of its properties, and for a path the list of those of its edges.
pub(super) fn whole_element(graph: &GraphRow, name: &str, kind: Element, span: Span) -> Expr {
    let columns: &[Column] = &graph.schema_of(kind).columns;
    if kind == Element::Path {
        let bag = calls::bag_pack(columns.iter().map(|found| (found.name.clone(), column(found, span))), span);
        return call("map", vec![element(name, span), bag], Type::Dynamic, span);
    }
    let of = |found: &Column| property(graph, name, kind, found, span);
    calls::bag_pack(columns.iter().map(|found| (found.name.clone(), of(found))), span)
}

fn named_element(row: &GraphRow, function: &str, written: &syntax::Expr) -> Outcome<(String, Element)> {
    let syntax::ExprKind::Name(name) = &written.kind else {
        return Err(Stop::semantic(written.span, format!("{function}() needs the name of an element of the pattern")));
    };
    let names: Vec<&str> = row.elements.iter().map(|(name, _)| name.as_str()).collect();
    match row.element(name) {
        Some(element) => Ok((name.clone(), element)),
        None => Err(Stop::unknown(written.span, format!("the pattern has no element named `{name}`"))
            .help(super::suggest::did_you_mean(name, names))),
    }
}

fn path_named(row: &GraphRow, function: &str, written: &syntax::Expr) -> Outcome<String> {
    let (name, element) = named_element(row, function, written)?;
    if element == Element::Path {
        return Ok(name);
    }
    let what = if element == Element::Node { "node" } else { "single edge" };
    let message = format!("{function}() needs an edge of variable length, but `{name}` is a {what}");
    Err(Stop::semantic(written.span, message).help(format!("name its property: {name}.…")))
}

fn elements(pattern: &GraphPattern) -> Vec<(String, Element)> {
    let nodes = pattern.nodes.iter().flatten().map(|name| (name.clone(), Element::Node));
    let edges = pattern.edges.iter().filter_map(|edge| {
        let kind = if edge.hops.is_some() { Element::Path } else { Element::Edge };
        Some((edge.name.clone()?, kind))
    });
    nodes.chain(edges).collect()
}

fn cycles(operator: &syntax::Operator) -> Outcome<Cycles> {
    for parameter in &operator.parameters {
        if !matches!(parameter.name.text.as_str(), "cycles" | "output") {
            let message = format!("there is no parameter `{}` here", parameter.name.text);
            return Err(Stop::unknown(parameter.name.span, message));
        }
    }
    match word(operator, "cycles") {
        None | Some(("unique_edges", _)) => Ok(Cycles::UniqueEdges),
        Some(("all", _)) => Ok(Cycles::All),
        Some(("none", _)) => Ok(Cycles::None),
        Some((other, span)) => Err(Stop::semantic(span, format!("cycles is all, none or unique_edges, not `{other}`"))),
    }
}

/// Sequences of a pattern must share nodes, directly or through others.
fn connected(pattern: &GraphPattern, written: &syntax::MatchOperator) -> Outcome<()> {
    let mut reached = vec![false; pattern.nodes.len()];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    for _ in 0..pattern.edges.len() {
        for edge in &pattern.edges {
            let either = reached[edge.left] || reached[edge.right];
            (reached[edge.left], reached[edge.right]) = (either, either);
        }
    }
    if reached.iter().all(|reached| *reached) {
        return Ok(());
    }
    let span = written.patterns.last().map(|sequence| sequence.span).unwrap_or_default();
    let help = "name a node that both sequences have".to_owned();
    Err(Stop::semantic(span, "the sequences of a pattern must be connected").help(help))
}

/// The parts of a condition that must all hold.
fn conjuncts<'e>(expr: &'e syntax::Expr, found: &mut Vec<&'e syntax::Expr>) {
    match &expr.kind {
        syntax::ExprKind::Binary { op: syntax::BinaryOp::And, left, right } => {
            conjuncts(left, found);
            conjuncts(right, found);
        }
        _ => found.push(expr),
    }
}

/// The paths whose properties stand for those of each edge.
fn single_paths(row: &GraphRow, expr: &Expr, found: &mut Vec<String>) {
    match &expr.kind {
        ExprKind::StepColumn { step, column }
            if !column.is_empty() && row.element(step) == Some(Element::Path) && !found.contains(step) =>
        {
            found.push(step.clone());
        }
        ExprKind::Call { args, .. } => args.iter().for_each(|arg| single_paths(row, arg, found)),
        ExprKind::InRelation { value, .. } => single_paths(row, value, found),
        _ => {}
    }
}

/// The path's properties as columns of its edges.
fn to_columns(path: &str, expr: &mut Expr) {
    match &mut expr.kind {
        ExprKind::StepColumn { step, column } if step == path && !column.is_empty() => {
            expr.kind = ExprKind::Column(std::mem::take(column));
        }
        ExprKind::Call { args, .. } => args.iter_mut().for_each(|arg| to_columns(path, arg)),
        ExprKind::InRelation { value, .. } => to_columns(path, value),
        _ => {}
    }
}
