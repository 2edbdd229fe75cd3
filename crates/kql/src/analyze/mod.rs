//! From the syntax tree to the typed tree: names, types, and everything that [`crate::typed`] says is normalised away.
//!
//! Columns of some plugins are known only when they run. Analysis stops at the first such plugin and gives its
//! relation ([`Analysis::NeedsSchema`]); the caller runs it, appends the schema to [`Options::known`], and analyzes
//! again, until the answer is [`Analysis::Complete`]. So nothing after such a plugin is guessed.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::diagnostics::{Code, Diagnostic, Span};
use crate::graph::MakeGraph;
use crate::syntax;
use crate::typed::{self, Operator, Relation, SharedId, TableSource};
use crate::types::{Literal, Schema};

mod aggregate;
mod calls;
mod convert;
mod expression;
mod graphs;
mod joins;
mod literal;
mod naming;
mod patterns;
mod pipeline;
mod plugins;
mod projection;
mod rows;
mod scope;
mod search;
mod sources;
mod special;
mod suggest;
mod text;

use scope::{Binding, Lambda, Row, Scope};

/// What tables and saved functions there are.
pub trait Catalog {
    fn table(&self, source: &TableSource, name: &str) -> Option<Schema>;
    /// Tables of the query's own workspace, for wildcards and suggestions.
    fn table_names(&self) -> Vec<String>;
    fn function(&self, name: &str) -> Option<StoredFunction>;
}

/// Tables by name, and nothing else.
impl Catalog for BTreeMap<String, Schema> {
    fn table(&self, source: &TableSource, name: &str) -> Option<Schema> {
        match source {
            TableSource::Local => self.get(name).cloned(),
            _ => None,
        }
    }

    fn table_names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }

    fn function(&self, _name: &str) -> Option<StoredFunction> {
        None
    }
}

/// A saved function as text: `(a:long, T:(*))` (or empty) and the body without its braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFunction {
    pub parameters: String,
    pub body: String,
}

/// What a request brings with the text.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Values for `declare query_parameters`, as text; a literal of the declared type, or for a string the text itself.
    pub parameters: BTreeMap<String, String>,
    /// Schemas of the plugins that were run already, in the order in which [`Analysis::NeedsSchema`] asked.
    pub known: Vec<Schema>,
}

/// The outcome of an analysis without errors.
#[derive(Debug, Clone, PartialEq)]
pub enum Analysis {
    Complete(typed::Query),
    /// The columns of this relation must be known first: run it, append its schema to [`Options::known`], and keep its
    /// rows for [`Operator::Evaluate`]'s `known`. `shared` are the relations that it may refer to.
    NeedsSchema {
        relation: Box<Relation>,
        shared: Vec<Relation>,
    },
}

/// Analyzes a query text.
pub fn analyze(text: &str, catalog: &dyn Catalog, options: &Options) -> Result<Analysis, Vec<Diagnostic>> {
    let parsed = crate::parse(text);
    if !parsed.diagnostics.is_empty() {
        return Err(parsed.diagnostics);
    }
    let mut analyzer = Analyzer::new(catalog, options);
    match analyzer.query(&parsed.query) {
        Ok(()) => {
            let Analyzer { results, shared, settings, .. } = analyzer;
            Ok(Analysis::Complete(typed::Query { results, shared, options: settings }))
        }
        Err(Stop::Error(diagnostic)) => Err(vec![*diagnostic]),
        Err(Stop::Open(relation)) => Ok(Analysis::NeedsSchema { relation, shared: analyzer.shared }),
    }
}

/// Why analysis ended early.
#[derive(Debug)]
enum Stop {
    Error(Box<Diagnostic>),
    Open(Box<Relation>),
}

impl Stop {
    fn new(code: Code, span: Span, message: impl Into<String>) -> Stop {
        Stop::Error(Box::new(Diagnostic { code, span, message: message.into(), help: None }))
    }

    fn help(self, help: impl Into<Option<String>>) -> Stop {
        match self {
            Stop::Error(mut diagnostic) => {
                diagnostic.help = help.into();
                Stop::Error(diagnostic)
            }
            open => open,
        }
    }

    fn semantic(span: Span, message: impl Into<String>) -> Stop {
        Stop::new(Code::Semantic, span, message)
    }

    fn unknown(span: Span, message: impl Into<String>) -> Stop {
        Stop::new(Code::UnknownName, span, message)
    }

    fn unsupported(span: Span, message: impl Into<String>) -> Stop {
        Stop::new(Code::Unsupported, span, message)
    }
}

type Outcome<T> = Result<T, Stop>;

/// What an expression turned out to be.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "short-lived: one at a time on the stack")]
enum Value {
    Scalar(typed::Expr),
    Relation(Labelled),
    Graph(Box<MakeGraph>),
}

/// A relation and the name that `withsource` and the result list show for it.
#[derive(Debug, Clone)]
struct Labelled {
    relation: Relation,
    label: Option<String>,
}

/// How deep functions may call one another.
const MAX_CALL_DEPTH: usize = 64;

struct Analyzer<'a> {
    catalog: &'a dyn Catalog,
    options: &'a Options,
    scope: Scope,
    row: Option<Rc<Row>>,
    /// Columns of the enclosing row while in the body of `mv-apply`.
    outer: Option<Rc<Row>>,
    /// The source of the body that is being analyzed (`mv-apply`, `partition`).
    body_source: Option<Relation>,
    shared: Vec<Relation>,
    results: Vec<typed::QueryResult>,
    settings: Vec<(String, Literal)>,
    /// Names that `restrict access to` allows.
    allowed: Option<Vec<String>>,
    next_row: usize,
    /// How many plugins with unknown columns were met.
    met: usize,
    depth: usize,
    /// Results that the statement gives beside its last relation (`fork`, `facet`, `render`).
    extra: Vec<typed::QueryResult>,
    /// Names that the statement gives to the statements after it (`graph-to-table nodes as N, edges as E`).
    exports: Vec<(String, Binding)>,
    render: Option<typed::Render>,
}

impl<'a> Analyzer<'a> {
    fn new(catalog: &'a dyn Catalog, options: &'a Options) -> Analyzer<'a> {
        Analyzer {
            catalog,
            options,
            scope: Scope::default(),
            row: None,
            outer: None,
            body_source: None,
            shared: Vec::new(),
            results: Vec::new(),
            settings: Vec::new(),
            allowed: None,
            next_row: 0,

            met: 0,
            depth: 0,
            extra: Vec::new(),
            exports: Vec::new(),
            render: None,
        }
    }

    fn query(&mut self, query: &syntax::Query) -> Outcome<()> {
        for (at, statement) in query.statements.iter().enumerate() {
            if let syntax::StatementKind::Expression(expr) = &statement.kind {
                let before = self.results.len();
                self.result(expr)?;
                let exports = std::mem::take(&mut self.exports);
                let last = !query.statements[at + 1..]
                    .iter()
                    .any(|later| matches!(later.kind, syntax::StatementKind::Expression(_)));
                if !exports.is_empty() && !last {
                    // The tables are results where later statements ask for them by name.
                    self.results.truncate(before);
                }
                for (name, binding) in exports {
                    self.scope = self.scope.with(&name, binding);
                }
            } else {
                self.declaration(statement)?;
            }
        }
        if self.results.is_empty() {
            let help = "end the query with a tabular expression, for instance the name of a table".to_owned();
            return Err(Stop::semantic(query.span, "the query has no result").help(help));
        }
        Ok(())
    }

    /// A statement whose value is a result of the query.
    fn result(&mut self, expr: &syntax::Expr) -> Outcome<()> {
        let labelled = match self.value(expr)? {
            Value::Relation(labelled) => labelled,
            Value::Scalar(value) => Labelled { relation: print_scalar(value), label: None },
            Value::Graph(_) => {
                let help = "ask it with graph-match, or turn it into tables with graph-to-table".to_owned();
                return Err(Stop::semantic(expr.span, "a graph is not a result by itself").help(help));
            }
        };
        let extra = std::mem::take(&mut self.extra);
        let render = self.render.take();
        if let Some(tables) = plugins::funnel_tables(&labelled.relation) {
            let result = |relation| typed::QueryResult { name: None, relation, render: None };
            self.results.extend(tables.map(result));
        } else if extra.is_empty() {
            let name = self.result_label(expr, labelled.label);
            self.results.push(typed::QueryResult { name, relation: labelled.relation, render });
        } else {
            self.results.extend(extra);
        }
        Ok(())
    }

    /// Only `as` names a result; the name of a table does not.
    fn result_label(&self, expr: &syntax::Expr, label: Option<String>) -> Option<String> {
        match &expr.kind {
            syntax::ExprKind::Pipeline(pipeline) => match pipeline.operators.last().map(|operator| &operator.kind) {
                Some(syntax::OperatorKind::As { .. }) => label,
                _ => None,
            },
            _ => None,
        }
    }

    /// Everything but expression statements.
    fn declaration(&mut self, statement: &syntax::Statement) -> Outcome<()> {
        use syntax::StatementKind;
        match &statement.kind {
            StatementKind::Let { name, value } => self.bind_let(name, value),
            StatementKind::Set { name, value } => {
                let literal = match value {
                    None => Literal::Bool(true),
                    Some(value) => self.word_or_constant(value)?,
                };
                self.settings.push((name.text.clone(), literal));
                Ok(())
            }
            StatementKind::QueryParameters(parameters) => self.query_parameters(parameters),
            StatementKind::Pattern { name, .. } => {
                self.scope = self.scope.with(&name.text, Binding::Other("pattern"));
                Ok(())
            }
            StatementKind::RestrictAccess(entities) => {
                let allowed = entities.iter().map(entity_text).collect();
                self.allowed = Some(allowed);
                Ok(())
            }
            StatementKind::AliasDatabase { name, .. } => {
                self.scope = self.scope.with(&name.text, Binding::Other("database alias"));
                Ok(())
            }
            StatementKind::Expression(_) => Ok(()),
        }
    }

    fn bind_let(&mut self, name: &syntax::Name, value: &syntax::LetValue) -> Outcome<()> {
        let binding = match value {
            syntax::LetValue::Function(function) => Binding::Function(Rc::new(Lambda {
                name: name.text.clone(),
                function: function.clone(),
                scope: self.scope.clone(),
                foreign: false,
            })),
            syntax::LetValue::Expr(expr) if matches!(expr.kind, syntax::ExprKind::EntityGroup(_)) => {
                Binding::Other("entity group")
            }
            syntax::LetValue::Expr(expr) => {
                let value = self.isolated(|analyzer| analyzer.value(expr))?;
                self.render = None;
                self.binding(value)
            }
        };
        self.scope = self.scope.with(&name.text, binding);
        Ok(())
    }

    fn binding(&self, value: Value) -> Binding {
        match value {
            Value::Scalar(expr) => Binding::Scalar { expr, row: self.row.as_ref().map(|row| row.id) },
            Value::Relation(labelled) => Binding::Relation { relation: labelled.relation, label: labelled.label },
            Value::Graph(graph) => Binding::Graph(graph),
        }
    }

    fn query_parameters(&mut self, parameters: &[syntax::Parameter]) -> Outcome<()> {
        for parameter in parameters {
            let syntax::ParameterType::Scalar(ty) = parameter.ty else {
                return Err(Stop::semantic(parameter.span, "a query parameter must be scalar"));
            };
            let given = self.options.parameters.get(&parameter.name.text);
            let literal = match (given, &parameter.default) {
                (Some(text), _) => literal::from_text(ty, text).ok_or_else(|| {
                    let message =
                        format!("the value `{text}` given for parameter `{}` is not a {ty}", parameter.name.text);
                    Stop::semantic(parameter.span, message)
                })?,
                (None, Some(default)) => {
                    let value = self.isolated(|analyzer| analyzer.scalar(default))?;
                    let value = convert::implicit(value, ty, "the default")?;
                    let binding = Binding::Scalar { expr: value, row: None };
                    self.scope = self.scope.with(&parameter.name.text, binding);
                    continue;
                }
                (None, None) => {
                    let message = format!("no value was given for the query parameter `{}`", parameter.name.text);
                    return Err(Stop::semantic(parameter.span, message));
                }
            };
            let expr = typed::Expr { ty: literal.ty(), kind: typed::ExprKind::Literal(literal), span: parameter.span };
            self.scope = self.scope.with(&parameter.name.text, Binding::Scalar { expr, row: None });
        }
        Ok(())
    }

    /// Runs with no row at hand: what is analyzed cannot see the columns around it.
    fn isolated<T>(&mut self, run: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        let row = self.row.take();
        let outer = self.outer.take();
        let extra = std::mem::take(&mut self.extra);
        let result = run(self);
        self.row = row;
        self.outer = outer;
        self.extra = extra;
        result
    }

    /// Runs with the columns of `schema` at hand.
    fn with_row<T>(&mut self, row: Row, run: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.next_row += 1;
        let row = Row { id: self.next_row, outer: row.outer.or_else(|| self.outer.clone()), ..row };
        let before = self.row.replace(Rc::new(row));
        let result = run(self);
        self.row = before;
        result
    }

    fn over<T>(&mut self, schema: &Schema, run: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.with_row(Row { schema: schema.clone(), ..Row::default() }, run)
    }

    /// Keeps a relation to be computed once.
    fn share(&mut self, relation: Relation) -> Relation {
        if matches!(relation.operator, Operator::Shared(_)) {
            return relation;
        }
        let (schema, span) = (relation.schema.clone(), relation.span);
        self.shared.push(relation);
        Relation { operator: Operator::Shared(SharedId(self.shared.len() - 1)), schema, open: false, span }
    }
}

fn entity_text(expr: &syntax::Expr) -> String {
    match &expr.kind {
        syntax::ExprKind::Name(name) | syntax::ExprKind::Wildcard(name) => name.clone(),
        syntax::ExprKind::Star => "*".to_owned(),
        syntax::ExprKind::Path { name, .. } => name.text.clone(),
        _ => String::new(),
    }
}

/// A scalar as a result is a table of one cell.
fn print_scalar(value: typed::Expr) -> Relation {
    let span = value.span;
    let schema = Schema::new(vec![crate::types::Column::new("print_0", value.ty)]);
    let columns = vec![typed::NamedExpr { name: "print_0".to_owned(), expr: value }];
    Relation { operator: Operator::Print { columns }, schema, open: false, span }
}
