//! The typed tree: what a query means after parsing, name resolution and type checking. `query` turns it into
//! DataFusion plans; nothing after this stage sees query text except for messages.
//!
//! What the analyzer has already done, so that the planner need not:
//! - `let` scalars, views and functions, `invoke`, and saved functions are inlined (lambda parameters are bound by
//!   substitution; a tabular parameter by its relation).
//! - `project-away`, `project-keep`, `project-rename`, `project-reorder`, `extend` and wildcards are all
//!   [`Operator::Project`] with the complete list of output columns.
//! - `distinct` and `count` are [`Operator::Summarize`]; `top` is [`Operator::Top`]; `getschema` is a
//!   [`Operator::Datatable`]; `lookup` is a [`Operator::Join`]; `find` and `search` are unions of filtered tables.
//! - Implicit conversions (int → long → real, long → decimal, anything → dynamic in `case`, …) are explicit calls
//!   of the `to*` functions, so both sides of a comparison have one type, except where [`Expr::call`] of a comparison
//!   names `dynamic` on one side.
//! - Scalar operators are calls of functions with the names in [`operators`].
//! - Functions with several result columns (`series_stats`, `series_fit_line`, …) are calls of type dynamic whose value
//!   is a bag of the columns by name; each column is `to…(__index(call, "name"))`. `array_sort_asc` of several arrays
//!   is an array of arrays, and `__index(call, i)` the i-th.
//! - `pack_all()` and `bag_pack_columns(a, b)` are `bag_pack("a", a, "b", b)`; `pack_all(true)` is the call
//!   `pack_all` with these arguments, and leaves out what is null or empty.
//! - `now()` is a call that the planner replaces by one instant per query; `ago(x)` is `now() - x` by the analyzer.

use crate::diagnostics::Span;
use crate::types::{Literal, Schema, Type};

/// Canonical function names of the scalar operators.
pub mod operators {
    pub const ADD: &str = "__add";
    pub const SUBTRACT: &str = "__subtract";
    pub const MULTIPLY: &str = "__multiply";
    pub const DIVIDE: &str = "__divide";
    pub const MODULO: &str = "__modulo";
    pub const NEGATE: &str = "__negate";
    pub const AND: &str = "__and";
    pub const OR: &str = "__or";
    /// `not(x)` is the function of the language with this name.
    pub const NOT: &str = "not";
    pub const EQUAL: &str = "__equal";
    pub const NOT_EQUAL: &str = "__not_equal";
    pub const LESS: &str = "__less";
    pub const LESS_OR_EQUAL: &str = "__less_or_equal";
    pub const GREATER: &str = "__greater";
    pub const GREATER_OR_EQUAL: &str = "__greater_or_equal";
    /// `=~` and `!~`.
    pub const EQUAL_CI: &str = "__equal_ci";
    pub const NOT_EQUAL_CI: &str = "__not_equal_ci";
    /// `x between (a .. b)`: three arguments, both ends inclusive. The negation is `not(__between(…))`.
    pub const BETWEEN: &str = "__between";
    /// String predicates, each with two arguments (text, pattern); `!has` and its like are `not(…)` of these.
    /// Names ending in `_cs` are case-sensitive.
    pub const HAS: &str = "__has";
    pub const HAS_CS: &str = "__has_cs";
    pub const HAS_PREFIX: &str = "__hasprefix";
    pub const HAS_PREFIX_CS: &str = "__hasprefix_cs";
    pub const HAS_SUFFIX: &str = "__hassuffix";
    pub const HAS_SUFFIX_CS: &str = "__hassuffix_cs";
    pub const CONTAINS: &str = "__contains";
    pub const CONTAINS_CS: &str = "__contains_cs";
    pub const STARTS_WITH: &str = "__startswith";
    pub const STARTS_WITH_CS: &str = "__startswith_cs";
    pub const ENDS_WITH: &str = "__endswith";
    pub const ENDS_WITH_CS: &str = "__endswith_cs";
    pub const MATCHES_REGEX: &str = "__matches_regex";
    pub const LIKE: &str = "__like";
    pub const LIKE_CS: &str = "__like_cs";
    /// First argument the value, then each item (a dynamic-array item is expanded when the query runs).
    pub const IN: &str = "__in";
    pub const IN_CI: &str = "__in_ci";
    pub const HAS_ANY: &str = "__has_any";
    pub const HAS_ALL: &str = "__has_all";
    /// `a.b`, `a["b"]`, `a[0]`, `a[-1]`: (dynamic, string or long) → dynamic.
    pub const INDEX: &str = "__index";
    /// A scalar as a dynamic value; a string stays a JSON string and is not parsed.
    pub const TO_DYNAMIC: &str = "__dynamic";
}

/// A whole query text.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// One per tabular expression statement (and per leg of `fork` and `facet`), in order.
    pub results: Vec<QueryResult>,
    /// Relations that are computed once and read from several places (`materialize`, `as`), by [`SharedId`].
    pub shared: Vec<Relation>,
    /// `set name = value;` and `set name;` (then `true`).
    pub options: Vec<(String, Literal)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct QueryResult {
    /// The name given by `as` or by the leg of `fork`; otherwise none.
    pub name: Option<String>,
    pub relation: Relation,
    pub render: Option<Render>,
}

/// `render kind with (property = value, …)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Render {
    pub kind: String,
    pub properties: Vec<(String, Literal)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SharedId(pub usize);

/// A tabular expression with its output columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    pub operator: Operator,
    /// Complete unless [`Relation::open`].
    pub schema: Schema,
    /// True only for the relation of [`crate::Analysis::NeedsSchema`]: a plugin whose columns are known only when it
    /// runs (`bag_unpack`, `pivot` without a declared schema). Its input is complete.
    pub open: bool,
    pub span: Span,
}

/// `name = expression`.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedExpr {
    pub name: String,
    pub expr: Expr,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    pub expr: Expr,
    pub descending: bool,
    pub nulls_first: bool,
}

/// Where a named table lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TableSource {
    Local,
    /// `workspace("…").T`, `app("…").T`, `resource("…").T`.
    Workspace(String),
    /// `cluster("…").database("…").T`; an empty cluster is this one.
    Cluster {
        cluster: String,
        database: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinKind {
    InnerUnique,
    Inner,
    LeftOuter,
    RightOuter,
    FullOuter,
    LeftSemi,
    RightSemi,
    LeftAnti,
    RightAnti,
}

/// Where an output column of a join comes from, and under which name.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinColumn {
    pub name: String,
    pub side: Side,
    /// Name in that side's schema.
    pub source: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    Left,
    Right,
}

/// One input of a union: for each output column the input's expression (a column, a conversion or a null).
#[derive(Debug, Clone, PartialEq)]
pub struct UnionInput {
    pub relation: Relation,
    pub columns: Vec<NamedExpr>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ExpandColumn {
    /// Output name; replaces the input column of that name where there is one.
    pub name: String,
    pub expr: Expr,
    /// `to typeof(T)`; dynamic otherwise.
    pub to: Type,
}

/// A piece of a `parse` pattern.
#[derive(Debug, Clone, PartialEq)]
pub enum ParsePiece {
    /// A literal text (a regular expression with `kind = regex`).
    Text(String),
    /// `*`: skip.
    Skip,
    /// A column that takes the text up to the next piece.
    Column { name: String, ty: Type },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParseKind {
    Simple,
    Relaxed,
    Regex,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ScanStep {
    pub name: String,
    pub optional: bool,
    /// Which rows of a match `output` gives.
    pub output: ScanOutput,
    pub condition: Expr,
    /// Assignments to declared columns.
    pub assign: Vec<NamedExpr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScanOutput {
    All,
    Last,
    None,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TopNestedLevel {
    /// None: all values.
    pub count: Option<Expr>,
    pub key: NamedExpr,
    /// `with others = …`.
    pub others: Option<Expr>,
    pub aggregate: NamedExpr,
    pub descending: bool,
}

/// The tabular operators. An operator's expressions refer to columns of its input by name.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    Table {
        name: String,
        source: TableSource,
    },
    Shared(SharedId),
    /// Constant rows; every row has one literal per column of the schema, already of its type.
    Datatable {
        rows: Vec<Vec<Literal>>,
    },
    /// `print a = 1, …`: one row; the expressions have no columns.
    Print {
        columns: Vec<NamedExpr>,
    },
    /// `range x from a to b step c`: one column of the schema's type.
    Range {
        from: Expr,
        to: Expr,
        step: Expr,
    },
    ExternalData {
        uris: Vec<String>,
        options: Vec<(String, Literal)>,
    },
    Where {
        input: Box<Relation>,
        predicate: Expr,
    },
    /// The complete list of output columns.
    Project {
        input: Box<Relation>,
        columns: Vec<NamedExpr>,
    },
    /// Keys and aggregates, in output order keys first. An aggregate is an expression whose calls may include
    /// [`ExprKind::Aggregate`] anywhere (`count() * 2`), and otherwise only keys and constants.
    /// The name hint of several result columns (`arg_max`, `percentiles`) is resolved: see [`AggregateOutput`].
    Summarize {
        input: Box<Relation>,
        keys: Vec<NamedExpr>,
        aggregates: Vec<NamedExpr>,
    },
    Sort {
        input: Box<Relation>,
        keys: Vec<SortKey>,
    },
    Take {
        input: Box<Relation>,
        count: Expr,
    },
    Top {
        input: Box<Relation>,
        count: Expr,
        keys: Vec<SortKey>,
    },
    TopNested {
        input: Box<Relation>,
        levels: Vec<TopNestedLevel>,
    },
    TopHitters {
        input: Box<Relation>,
        count: Expr,
        of: NamedExpr,
        by: Option<Expr>,
    },
    Sample {
        input: Box<Relation>,
        count: Expr,
    },
    SampleDistinct {
        input: Box<Relation>,
        count: Expr,
        of: NamedExpr,
    },
    /// Equality join. `on` pairs an expression over the left with one over the right, of equal type.
    Join {
        left: Box<Relation>,
        right: Box<Relation>,
        kind: JoinKind,
        on: Vec<(Expr, Expr)>,
        columns: Vec<JoinColumn>,
    },
    Union {
        inputs: Vec<UnionInput>,
    },
    /// `bag` expands property bags to bags of one property (`kind=bag`) instead of `[key, value]` (`kind=array`).
    MvExpand {
        input: Box<Relation>,
        columns: Vec<ExpandColumn>,
        item_index: Option<String>,
        bag_as_array: bool,
        limit: Option<Expr>,
    },
    /// For each input row: expand as [`Operator::MvExpand`] into a small table, run `body` on it
    /// ([`Operator::RowTable`] is its source), and join the result back to the row's columns.
    MvApply {
        input: Box<Relation>,
        columns: Vec<ExpandColumn>,
        item_index: Option<String>,
        limit: Option<Expr>,
        body: Box<Relation>,
    },
    /// The source of the body of `mv-apply` or `partition`.
    RowTable,
    Parse {
        input: Box<Relation>,
        kind: ParseKind,
        flags: String,
        expr: Expr,
        pieces: Vec<ParsePiece>,
        only_matches: bool,
    },
    ParseKv {
        input: Box<Relation>,
        expr: Expr,
        columns: Vec<(String, Type)>,
        options: Vec<(String, Literal)>,
    },
    /// Default values per aggregate; `keys` as in summarize; the axis column's name and its limits (none: from the data).
    MakeSeries {
        input: Box<Relation>,
        aggregates: Vec<(NamedExpr, Option<Expr>)>,
        axis: NamedExpr,
        from: Option<Expr>,
        to: Option<Expr>,
        step: Expr,
        keys: Vec<NamedExpr>,
        /// The older `in range(start, stop, step)`: the last bin is included.
        include_end: bool,
        /// `kind=nonempty`: one series of defaults where the input is empty.
        nonempty: bool,
    },
    /// Fixes the order of rows for window functions; no change of rows.
    Serialize {
        input: Box<Relation>,
    },
    Scan {
        input: Box<Relation>,
        partition_by: Vec<Expr>,
        /// Declared columns with their defaults.
        declare: Vec<(String, Type, Option<Expr>)>,
        match_id: Option<String>,
        steps: Vec<ScanStep>,
    },
    /// Runs `body` (source: [`Operator::RowTable`]) once for each value of the key.
    Partition {
        input: Box<Relation>,
        by: Expr,
        body: Box<Relation>,
    },
    /// A plugin whose output is not a plain relation of its input: `bag_unpack`, `pivot`, `autocluster`, `ipv4_lookup`, …
    Evaluate {
        input: Option<Box<Relation>>,
        plugin: String,
        args: Vec<PluginArg>,
        known: Option<usize>,
    },
    Reduce {
        input: Box<Relation>,
        expr: Expr,
        options: Vec<(String, Literal)>,
    },
    /// No rows at all (`consume`).
    Consume {
        input: Box<Relation>,
    },
    AssertSchema {
        input: Box<Relation>,
    },
    /// `make-graph` … and the graph operators after it, as the analyzer resolved them.
    Graph(Box<crate::graph::GraphQuery>),
}

#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "few of them in a tree")]
pub enum PluginArg {
    Scalar(Expr),
    Relation(Relation),
    /// An aggregate, as `pivot(key, sum(x))` has.
    Aggregate(Expr),
    /// `name = value`.
    Option(String, Literal),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: Type,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    Literal(Literal),
    /// A column of the operator's input, by name.
    Column(String),
    /// In the body of `mv-apply` and `partition`: a column of the enclosing row.
    Outer(String),
    /// In `scan`: `step.column`, the state of a step. In a graph pattern: `element.column`, a property of a node or
    /// edge; the element itself, as `map(e, …)` has it, is named with an empty column.
    StepColumn {
        step: String,
        column: String,
    },
    /// A scalar function of the language by its canonical name, or an operator by its name in [`operators`].
    Call {
        function: String,
        args: Vec<Expr>,
    },
    /// Only within summarize, make-series, top-nested, pivot.
    Aggregate {
        function: String,
        args: Vec<Expr>,
        output: AggregateOutput,
    },
    /// `row_number()`, `prev(x, offset, default)`, `next`, `row_cumsum(x, restart)`, `row_rank_dense`, …
    Window {
        function: String,
        args: Vec<Expr>,
    },
    /// `toscalar(T)`: the first column of the first row.
    ToScalar(Box<Relation>),
    /// `x in (T)`: membership in the first column of a relation; `ci` for `in~`.
    InRelation {
        value: Box<Expr>,
        relation: Box<Relation>,
        ci: bool,
    },
}

/// Which of an aggregate's results a column takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AggregateOutput {
    Only,
    /// `arg_max(x, a, *)`, `arg_min`, `take_any(a, b)`: the i-th argument's value in the chosen row (0 is the
    /// extreme value itself for `arg_max` and `arg_min`). All outputs with equal function and arguments are of one row.
    Argument(usize),
    /// `percentiles(x, 50, 95)`: the i-th percentile.
    Percentile(usize),
}
