//! The syntax tree: a query text as written, before names are resolved. Every node has its place in the text.
//!
//! Scalar and tabular expressions are one type, because the text alone does not tell `let a = b;` apart. Parentheses
//! around an expression are not kept; its span includes them. Where the text was wrong, [`ExprKind::Error`] stands.

pub mod operator;
pub mod print;

pub use operator::{
    EdgeDirection, EdgeHops, ExpandItem, FindColumn, ForkLeg, GraphNodes, GraphPattern, GraphPatternElement,
    GraphTable, MatchOperator, Operator, OperatorKind, ParsePiece, PartitionedGraph, Property, RenderProperty,
    ScanAssignment, ScanDeclaration, ScanOutput, ScanStep, SeriesRange, TopNestedPart,
};

use crate::diagnostics::Span;
use crate::types::Type;

/// A whole query text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    pub statements: Vec<Statement>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub kind: StatementKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum StatementKind {
    /// `let name = value`.
    Let { name: Name, value: LetValue },
    /// `set name` or `set name = value`; a bare word as value is a [`ExprKind::Name`].
    Set { name: Name, value: Option<Expr> },
    /// `declare query_parameters(name:type = default, …)`.
    QueryParameters(Vec<Parameter>),
    /// `declare pattern name` and its definition, if it has one.
    Pattern { name: Name, definition: Option<PatternDefinition> },
    /// `restrict access to (entity, …)`; entities may have wildcards.
    RestrictAccess(Vec<Expr>),
    /// `alias database name = cluster("…").database("…")`.
    AliasDatabase { name: Name, value: Expr },
    /// A query that gives a result.
    Expression(Expr),
}

#[derive(Debug, Clone, PartialEq)]
pub enum LetValue {
    /// A scalar or tabular expression.
    Expr(Expr),
    /// `(a:long, T:(*)) { … }` or `view () { … }`.
    Function(Function),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub view: bool,
    pub parameters: Vec<Parameter>,
    /// Statements of the body; the last one that is an expression is the value.
    pub body: Vec<Statement>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    pub name: Name,
    pub ty: ParameterType,
    pub default: Option<Expr>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ParameterType {
    Scalar(Type),
    /// `(a:long, b:string)`, or open with a star: `(*)`, `(a:long, *)`.
    Table(TableSchema),
}

/// Columns with types between parentheses.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableSchema {
    pub columns: Vec<ColumnDeclaration>,
    /// A `*` is in the list: further columns of the input are kept or allowed. It may only stand first or last.
    pub open: bool,
    /// With `open`: the star came before the columns.
    pub star_first: bool,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDeclaration {
    pub name: Name,
    pub ty: Type,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PatternDefinition {
    pub parameters: Vec<Parameter>,
    /// `[name:type]` after the parameters.
    pub path: Option<Parameter>,
    pub rules: Vec<PatternRule>,
}

/// `("a", "b").["path"] = { body }`.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternRule {
    pub arguments: Vec<Expr>,
    pub path: Option<Expr>,
    pub body: Vec<Statement>,
    pub span: Span,
}

/// A name as it is meant: `['a b']` and `["a b"]` have the text `a b`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// Nothing that could be read; a diagnostic says what was expected.
    Error,
    Literal(Literal),
    /// A column, table, variable or parameter: `a`, `['a b']`, `$left`, and the bare words of options.
    Name(String),
    /// `*`.
    Star,
    /// A name with at least one `*` among other characters: `Sec*`, `*_CL`.
    Wildcard(String),
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `value in (items)` and its like; an item may be a tabular expression. `*` may be the value.
    In {
        op: InOp,
        negated: bool,
        value: Box<Expr>,
        items: Vec<Expr>,
    },
    Between {
        negated: bool,
        value: Box<Expr>,
        from: Box<Expr>,
        to: Box<Expr>,
    },
    Call(Call),
    /// `base.name`, for dynamic values as for databases and tables. The name may be a wildcard.
    Path {
        base: Box<Expr>,
        name: Name,
    },
    /// `base.function(…)`: `cluster("c").database("d").f(1)`.
    PathCall {
        base: Box<Expr>,
        call: Call,
    },
    /// `base[index]` and the older `base.[index]`.
    Index {
        base: Box<Expr>,
        index: Box<Expr>,
    },
    /// `toscalar(…)`.
    ToScalar(Box<Expr>),
    /// `totable(…)`.
    ToTable(Box<Expr>),
    /// A source and operators on it, or operators that begin by themselves.
    Pipeline(Pipeline),
    /// `datatable(a:long)[1, 2]`; cells row by row.
    Datatable {
        schema: TableSchema,
        properties: Vec<Property>,
        values: Vec<Expr>,
    },
    /// `externaldata(a:long)[uris] with (name = value)`.
    ExternalData {
        schema: TableSchema,
        parameters: Vec<Property>,
        uris: Vec<Expr>,
        properties: Vec<Property>,
    },
    /// `inline_external_table(…) kind=… …(uris) with (…)`.
    InlineExternalTable(Box<InlineExternalTable>),
    /// `entity_group [cluster("a").database("b"), …]`.
    EntityGroup(Vec<Expr>),
    /// `typeof(string)`, `typeof(*, a:long)`, `typeof(a:long, b:string)`.
    TypeOf(TypeOf),
    /// `(a, b) = …` is a named expression, but `a = 1` may also stand as an argument: `f(a = 1)`.
    Named {
        name: Name,
        value: Box<Expr>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum TypeOf {
    Scalar(Type),
    Table(TableSchema),
}

/// `name(arguments)`. An argument may be [`ExprKind::Star`], [`ExprKind::Named`] or a tabular expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub name: Name,
    pub args: Vec<Expr>,
    pub span: Span,
}

/// `source | operator | operator`. Without a source either the first operator begins a pipeline (`print`, `range`,
/// `union`, `find`, `search`, `evaluate`, `macro-expand`), or this is the body of an operator that gives the source
/// (`fork`, `facet`, `mv-apply`, `partition`, `make-graph … partitioned-by`).
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    pub source: Option<Box<Expr>>,
    pub operators: Vec<Operator>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct InlineExternalTable {
    pub schema: TableSchema,
    /// `kind = storage`, `dataformat = csv`, … in the order written.
    pub parameters: Vec<Property>,
    /// `partition by (name:type = expression, …)`.
    pub partitions: Vec<Parameter>,
    /// `pathformat = ("a" name datetime_pattern("yyyy", Day) …)`.
    pub path_format: Vec<Expr>,
    pub uris: Vec<Expr>,
    pub properties: Vec<Property>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Bool(bool),
    /// Digits or `0x…`.
    Long(i64),
    Real(f64),
    String(StringLiteral),
    /// `1d`, `10ms`, `1tick`, in ticks of 100 nanoseconds.
    Timespan(i64),
    /// `datetime(…)`, `long(…)`, `guid(…)`, …: the text between the parentheses, without surrounding space.
    Typed {
        ty: Type,
        text: String,
    },
    /// `dynamic(…)`.
    Dynamic(Json),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct StringLiteral {
    /// The text that is meant: escapes resolved, adjacent literals joined.
    pub value: String,
    /// Written with `h`: must not be logged.
    pub hidden: bool,
}

/// The value in `dynamic(…)`.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Long(i64),
    Real(f64),
    String(String),
    /// `1d`, in ticks.
    Timespan(i64),
    /// `datetime(…)` and its like within the value.
    Typed {
        ty: Type,
        text: String,
    },
    Array(Vec<Json>),
    /// In the order written; names may repeat.
    Object(Vec<(String, Json)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    Negate,
    Plus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Or,
    And,
    Equal,
    /// `!=` and `<>`.
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    /// `=~`, `has`, `!contains_cs`, `matches regex`, …
    Text {
        op: TextOp,
        negated: bool,
    },
}

/// The string predicates without their negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextOp {
    /// `=~`, negated `!~`.
    EqualCi,
    /// `has`, also written `:`.
    Has,
    HasCs,
    HasPrefix,
    HasPrefixCs,
    HasSuffix,
    HasSuffixCs,
    Contains,
    ContainsCs,
    StartsWith,
    StartsWithCs,
    EndsWith,
    EndsWithCs,
    MatchesRegex,
    Like,
    LikeCs,
}

/// The predicates with a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InOp {
    In,
    /// `in~`.
    InCi,
    HasAny,
    HasAll,
}

/// `name = expression`, `(a, b) = expression`, or an expression alone.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedExpr {
    pub names: Vec<Name>,
    pub expr: Expr,
    pub span: Span,
}

/// `expression asc nulls first`.
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    pub key: NamedExpr,
    /// None where not written.
    pub order: Option<Order>,
    pub nulls: Option<Nulls>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    Ascending,
    Descending,
    /// `granny-asc`, only in `project-reorder`: numbers within names by value.
    GrannyAscending,
    GrannyDescending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nulls {
    First,
    Last,
}
