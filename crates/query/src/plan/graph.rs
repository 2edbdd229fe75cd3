//! Graphs: the tables of edges and nodes with the columns that are looked at, and the expressions of a pattern ready
//! for [`crate::whole::graph`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::DataType;
use watchkeeper_kql::graph::{GraphPattern, GraphQuery, GraphQuestion, GraphStep, MakeGraph, PART};
use watchkeeper_kql::typed::{Expr, ExprKind};
use watchkeeper_kql::{Schema, Type};

use super::{Planned, Planner, Scope, column, expr, key};
use crate::error::QueryError;
use crate::runtime::{arrow_type, null_of};
use crate::whole::expr::Compiled;
use crate::whole::graph::build::NodeShape;
use crate::whole::graph::compute::{Formula, Lambda, LambdaKind, Source};
use crate::whole::graph::{Change, Condition, GraphWork, Pattern, Question};

impl Planner<'_> {
    pub(super) fn graph(
        &self,
        query: &GraphQuery,
        schema: &Schema,
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let graph = &query.graph;
        let mut used = Used::default();
        let mut steps = Vec::new();
        for step in &graph.steps {
            steps.push(match step {
                GraphStep::WhereNodes(predicate) => {
                    Change::WhereNodes(self.graph_formula(predicate, &Names::default(), &mut used.nodes)?)
                }
                GraphStep::WhereEdges(predicate) => {
                    Change::WhereEdges(self.graph_formula(predicate, &Names::default(), &mut used.edges)?)
                }
                GraphStep::MarkComponents { strong, column } => {
                    Change::MarkComponents { strong: *strong, column: column.clone() }
                }
            });
        }
        let question = match &query.question {
            GraphQuestion::Match(pattern) => Question::Match(self.pattern(pattern, &mut used)?),
            GraphQuestion::ShortestPaths { pattern, all } => {
                Question::ShortestPaths { pattern: self.pattern(pattern, &mut used)?, all: *all }
            }
            GraphQuestion::Nodes { hash } => {
                let properties: Vec<String> = graph.node_schema.names().map(str::to_string).collect();
                used.nodes.extend(properties.iter().cloned());
                Question::Nodes { hash: self.identity_hash(graph, hash.is_some())?, properties }
            }
            GraphQuestion::Edges { source_hash, target_hash } => {
                let columns: Vec<String> = graph.edges.schema.names().map(str::to_string).collect();
                used.edges.extend(columns.iter().cloned());
                Question::Edges {
                    source_hash: self.identity_hash(graph, source_hash.is_some())?,
                    target_hash: self.identity_hash(graph, target_hash.is_some())?,
                    columns,
                }
            }
        };
        used.edges.extend([graph.source.clone(), graph.target.clone()]);
        let edges = self.relation(&graph.edges, body)?;
        let edges = self.only(edges, &graph.edges.schema, &used.edges, graph.part.as_ref())?;
        let mut tables = Vec::new();
        for table in &graph.nodes {
            used.nodes.insert(table.key.clone());
            let planned = self.relation(&table.relation, body)?;
            tables.push(self.only(planned, &table.relation.schema, &used.nodes, graph.part.as_ref())?);
        }
        let made: Vec<&String> = graph
            .steps
            .iter()
            .filter_map(|step| match step {
                GraphStep::MarkComponents { column, .. } => Some(column),
                _ => None,
            })
            .collect();
        let stored = |name: &str| used.nodes.contains(name) && !made.iter().any(|made| *made == name);
        let properties = graph.node_schema.columns.iter().filter(|known| stored(&known.name));
        let work = GraphWork {
            source: graph.source.clone(),
            target: graph.target.clone(),
            nodes: NodeShape {
                keys: graph.nodes.iter().map(|table| table.key.clone()).collect(),
                id: graph.node_id.clone(),
                properties: properties.map(|known| (known.name.clone(), null_of(known.ty))).collect(),
            },
            steps,
            part: graph.part.clone(),
            question,
            output: schema
                .columns
                .iter()
                .filter(|known| known.name != PART)
                .map(|known| arrow_type(known.ty))
                .collect(),
        };
        self.whole(edges, tables, schema, Arc::new(work))
    }

    /// A table with the columns that are looked at.
    fn only(
        &self,
        planned: Planned,
        schema: &Schema,
        used: &BTreeSet<String>,
        part: Option<&String>,
    ) -> Result<Planned, QueryError> {
        let kept = schema.names().filter(|name| used.contains(*name) || part.is_some_and(|part| part == name));
        let columns = kept.map(|name| (name.to_string(), column(name))).collect();
        self.projected(&planned, columns)
    }

    /// The hash of a node's identity, as the function `hash` computes it.
    fn identity_hash(&self, graph: &MakeGraph, wanted: bool) -> Result<Option<Compiled>, QueryError> {
        let Some(known) = graph.edges.schema.get(&graph.source).filter(|_| wanted) else { return Ok(None) };
        let hash = expr::bound("hash_xxhash64", &[known.ty], vec![column("id")])?;
        Ok(Some(Compiled::new(&hash, &[("id".to_string(), arrow_type(known.ty))])?))
    }

    fn pattern(&self, pattern: &GraphPattern, used: &mut Used) -> Result<Pattern, QueryError> {
        let mut compiling = Compiling { planner: self, pattern, used, lambdas: Vec::new() };
        let mut conditions = Vec::new();
        for condition in &pattern.conditions {
            let formula = compiling.formula(condition, None)?;
            conditions.push(match formula.sources.as_slice() {
                [Source::Lambda(number)] if is_lambda(condition) => Condition::All(*number),
                _ => Condition::Formula(formula),
            });
        }
        let project =
            pattern.project.iter().map(|named| compiling.formula(&named.expr, None)).collect::<Result<Vec<_>, _>>()?;
        Ok(Pattern {
            nodes: pattern.nodes.len(),
            edges: pattern.edges.clone(),
            cycles: pattern.cycles,
            lambdas: compiling.lambdas,
            conditions,
            project,
        })
    }

    /// An expression over elements of a pattern, by the names that they have in a plan, and over an item, whose columns
    /// are noted in `used`.
    fn graph_formula(&self, expr: &Expr, names: &Names, used: &mut BTreeSet<String>) -> Result<Formula, QueryError> {
        let mut items = HashMap::new();
        item_columns(expr, &mut items);
        let scope = Scope { elements: true, windows: names.calls.clone(), ..Scope::default() };
        let logical = self.expr(expr, &scope)?;
        let mut columns: Vec<(String, DataType)> = Vec::new();
        let mut sources = Vec::new();
        let mut refs: Vec<&str> = logical.column_refs().into_iter().map(|found| found.name.as_str()).collect();
        refs.sort_unstable();
        for name in refs {
            let (source, ty) = match (names.columns.get(name), items.get(name)) {
                (Some((source, ty)), _) => (source.clone(), *ty),
                (None, Some(ty)) => {
                    used.insert(name.to_string());
                    (Source::Item(name.to_string()), *ty)
                }
                (None, None) => {
                    return Err(QueryError::execution(format!("the pattern of a graph cannot look at {name}")));
                }
            };
            columns.push((name.to_string(), arrow_type(ty)));
            sources.push(source);
        }
        Ok(Formula { expr: Compiled::new(&logical, &columns)?, sources })
    }
}

/// Columns that the expressions look at.
#[derive(Default)]
struct Used {
    nodes: BTreeSet<String>,
    edges: BTreeSet<String>,
}

/// What names in a plan's expression stand for.
#[derive(Default)]
struct Names {
    columns: HashMap<String, (Source, Type)>,
    /// Lambdas by the address of their calls: the name of their column.
    calls: HashMap<usize, String>,
}

struct Compiling<'c> {
    planner: &'c Planner<'c>,
    pattern: &'c GraphPattern,
    used: &'c mut Used,
    lambdas: Vec<Lambda>,
}

impl Compiling<'_> {
    /// `over_nodes`: within a lambda, whether its items are nodes.
    fn formula(&mut self, expr: &Expr, over_nodes: Option<bool>) -> Result<Formula, QueryError> {
        let mut names = Names::default();
        self.elements(expr, &mut names)?;
        let used = if over_nodes == Some(true) { &mut self.used.nodes } else { &mut self.used.edges };
        self.planner.graph_formula(expr, &names, used)
    }

    /// Notes the elements and lambdas of an expression.
    fn elements(&mut self, expr: &Expr, names: &mut Names) -> Result<(), QueryError> {
        match &expr.kind {
            ExprKind::StepColumn { step, column } => {
                let name = Some(step.clone());
                let source = if let Some(node) = self.pattern.nodes.iter().position(|known| *known == name) {
                    self.used.nodes.insert(column.clone());
                    Source::Node(node, column.clone())
                } else if let Some(edge) = self.pattern.edges.iter().position(|known| known.name == name) {
                    self.used.edges.insert(column.clone());
                    Source::Edge(edge, column.clone())
                } else {
                    return Err(QueryError::execution(format!("the pattern has no element {step}")));
                };
                names.columns.insert(format!("{step}.{column}"), (source, expr.ty));
            }
            ExprKind::Call { args, .. } if is_lambda(expr) => {
                let number = self.lambda(expr, args)?;
                let name = format!("$lambda{number}");
                names.calls.insert(key(expr), name.clone());
                names.columns.insert(name, (Source::Lambda(number), expr.ty));
            }
            ExprKind::Call { args, .. } => {
                for arg in args {
                    self.elements(arg, names)?;
                }
            }
            ExprKind::InRelation { value, .. } => self.elements(value, names)?,
            _ => {}
        }
        Ok(())
    }

    fn lambda(&mut self, call: &Expr, args: &[Expr]) -> Result<usize, QueryError> {
        let wrong =
            || QueryError::execution("all(), any() and map() need an edge of variable length and an expression");
        let (ExprKind::Call { function, .. }, [over, value]) = (&call.kind, args) else { return Err(wrong()) };
        let kind = match function.as_str() {
            "all" => LambdaKind::All,
            "any" => LambdaKind::Any,
            _ => LambdaKind::Map,
        };
        let (over, inner_nodes) = match &over.kind {
            ExprKind::Call { args, .. } => (args.first().ok_or_else(wrong)?, true),
            _ => (over, false),
        };
        let ExprKind::StepColumn { step, .. } = &over.kind else { return Err(wrong()) };
        let path = self.pattern.edges.iter().position(|edge| edge.name.as_ref() == Some(step)).ok_or_else(wrong)?;
        let formula = self.formula(value, Some(inner_nodes))?;
        self.lambdas.push(Lambda { kind, path, inner_nodes, formula });
        Ok(self.lambdas.len() - 1)
    }
}

/// Whether a call is `all(e, x)`, `any(e, x)` or `map(e, x)`.
fn is_lambda(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call { function, .. } if matches!(function.as_str(), "all" | "any" | "map"))
}

/// The columns of the item that an expression is about, with their types; not those within lambdas.
fn item_columns(expr: &Expr, found: &mut HashMap<String, Type>) {
    match &expr.kind {
        ExprKind::Column(name) => {
            found.insert(name.clone(), expr.ty);
        }
        ExprKind::Call { .. } if is_lambda(expr) => {}
        ExprKind::Call { args, .. } => args.iter().for_each(|arg| item_columns(arg, found)),
        ExprKind::InRelation { value, .. } => item_columns(value, found),
        _ => {}
    }
}
