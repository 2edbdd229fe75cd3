//! The tabular operators of the syntax tree.

use super::{Call, Expr, Name, NamedExpr, Order, Pipeline, SortKey, Statement, TableSchema};
use crate::diagnostics::Span;
use crate::types::Type;

#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    pub kind: OperatorKind,
    /// `name = value` pairs directly after the keyword: `kind=inner`, `hint.strategy=shuffle`, `isfuzzy=true`,
    /// `withsource=T`, `bagexpansion=array`, `with_itemindex=i`, `with_match_id=m`, `cycles=none`, …
    /// A bare word as value is a name expression.
    pub parameters: Vec<Property>,
    pub span: Span,
}

/// `name = value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    pub name: Name,
    pub value: Expr,
}

#[derive(Debug, Clone, PartialEq)]
pub enum OperatorKind {
    /// `as name`.
    As {
        name: Name,
    },
    AssertSchema {
        schema: TableSchema,
    },
    Consume,
    /// `count`, `count as name`.
    Count {
        name: Option<Name>,
    },
    /// Expressions; a lone star is `distinct *`.
    Distinct {
        columns: Vec<Expr>,
    },
    Evaluate {
        call: Call,
        schema: Option<TableSchema>,
    },
    ExecuteAndCache,
    Extend {
        columns: Vec<NamedExpr>,
    },
    Facet {
        by: Vec<Expr>,
        with: Option<Pipeline>,
    },
    /// `find in (tables) where predicate project …`.
    Find {
        sources: Vec<Expr>,
        predicate: Expr,
        project: Vec<FindColumn>,
        project_smart: bool,
        project_away: Vec<FindColumn>,
    },
    Fork {
        legs: Vec<ForkLeg>,
    },
    Getschema,
    /// `make-graph source --> target with nodes on id, …`, `… with_node_id = name`, `… partitioned-by c (…)`.
    MakeGraph {
        source: Name,
        target: Name,
        /// `-->`; false for `--`.
        directed: bool,
        nodes: Vec<GraphNodes>,
        node_id: Option<Name>,
        partitioned_by: Option<Box<PartitionedGraph>>,
    },
    GraphMatch(MatchOperator),
    GraphShortestPaths(MatchOperator),
    /// `graph-to-table nodes as N with_node_id=id, edges as E`.
    GraphToTable {
        tables: Vec<GraphTable>,
    },
    /// `graph-mark-components kind=weak with_component_id=c`: all in the parameters.
    GraphMarkComponents,
    GraphWhereNodes {
        predicate: Expr,
    },
    GraphWhereEdges {
        predicate: Expr,
    },
    /// A call, also with a path: `invoke database("d").f(1)`.
    Invoke {
        call: Expr,
    },
    /// `on` items are names, `$left.a == $right.b`, or other conditions.
    Join {
        table: Expr,
        on: Vec<Expr>,
        predicate: Option<Expr>,
    },
    Lookup {
        table: Expr,
        on: Vec<Expr>,
    },
    /// `macro-expand group as name ( statements )`.
    MacroExpand {
        group: Expr,
        name: Name,
        body: Vec<Statement>,
    },
    MakeSeries {
        aggregates: Vec<(NamedExpr, Option<Expr>)>,
        axis: NamedExpr,
        range: SeriesRange,
        by: Vec<NamedExpr>,
    },
    MvApply {
        items: Vec<ExpandItem>,
        limit: Option<Expr>,
        body: Pipeline,
    },
    MvExpand {
        items: Vec<ExpandItem>,
        limit: Option<Expr>,
    },
    /// `parse` and, with `only_matches`, `parse-where`. `kind` and `flags` as written.
    Parse {
        only_matches: bool,
        kind: Option<Name>,
        flags: Option<Name>,
        expr: Expr,
        pieces: Vec<ParsePiece>,
    },
    ParseKv {
        expr: Expr,
        schema: TableSchema,
        properties: Vec<Property>,
    },
    /// `partition by c (operators)`, `partition by c { tabular expression }`. `braces`: the second form, where the
    /// body is an expression of its own.
    Partition {
        by: Expr,
        of: Option<Expr>,
        braces: bool,
        body: Pipeline,
    },
    /// `__partitionby c id guid (operators)`.
    PartitionBy {
        by: Expr,
        body: Pipeline,
    },
    Print {
        columns: Vec<NamedExpr>,
    },
    Project {
        columns: Vec<NamedExpr>,
    },
    /// Names and wildcards.
    ProjectAway {
        columns: Vec<Expr>,
    },
    ProjectByNames {
        names: Vec<Expr>,
    },
    ProjectKeep {
        columns: Vec<Expr>,
    },
    ProjectRename {
        columns: Vec<NamedExpr>,
    },
    ProjectReorder {
        columns: Vec<(Expr, Option<Order>)>,
    },
    Range {
        name: Name,
        from: Expr,
        to: Expr,
        step: Expr,
    },
    Reduce {
        by: NamedExpr,
        with: Vec<NamedExpr>,
    },
    /// `render kind with (properties)`; the older list without parentheses has the same form.
    Render {
        kind: Name,
        properties: Vec<RenderProperty>,
    },
    Sample {
        count: NamedExpr,
    },
    SampleDistinct {
        count: NamedExpr,
        of: NamedExpr,
    },
    Scan {
        order_by: Vec<SortKey>,
        partition_by: Vec<Expr>,
        declare: Vec<ScanDeclaration>,
        steps: Vec<ScanStep>,
    },
    /// `search in (tables) predicate`.
    Search {
        sources: Vec<Expr>,
        predicate: Expr,
    },
    Serialize {
        columns: Vec<NamedExpr>,
    },
    Sort {
        keys: Vec<SortKey>,
    },
    /// `bin` is the older `by … bin = value`.
    Summarize {
        aggregates: Vec<NamedExpr>,
        by: Vec<NamedExpr>,
        bin: Option<Expr>,
    },
    Take {
        count: NamedExpr,
    },
    /// One key in the reference; more are accepted.
    Top {
        count: NamedExpr,
        by: Vec<SortKey>,
    },
    TopHitters {
        count: NamedExpr,
        of: NamedExpr,
        by: Option<SortKey>,
    },
    TopNested {
        parts: Vec<TopNestedPart>,
    },
    Union {
        tables: Vec<Expr>,
    },
    Where {
        predicate: Expr,
    },
    /// An operator that does not exist; a diagnostic says so. The rest up to the next pipe was skipped.
    Error,
}

/// `name`, `name:type` or `pack(*)` (`name` is empty) in `find`.
#[derive(Debug, Clone, PartialEq)]
pub struct FindColumn {
    pub name: Name,
    pub ty: Option<Type>,
    /// `pack(*)`, `pack_all()`.
    pub pack: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ForkLeg {
    pub name: Option<Name>,
    pub body: Pipeline,
}

/// `table on key`.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphNodes {
    pub table: Expr,
    pub key: Name,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PartitionedGraph {
    pub by: Expr,
    pub body: Pipeline,
}

/// `graph-match` and `graph-shortest-paths`; `cycles=` and `output=` are parameters of the operator.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchOperator {
    pub patterns: Vec<GraphPattern>,
    pub predicate: Option<Expr>,
    pub project: Vec<NamedExpr>,
}

/// `(a)-[e*1..3]->(b)<--(c)`.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphPattern {
    pub elements: Vec<GraphPatternElement>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum GraphPatternElement {
    Node { name: Option<Name>, span: Span },
    Edge { name: Option<Name>, direction: EdgeDirection, hops: Option<Box<EdgeHops>>, span: Span },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EdgeDirection {
    /// `-->`, `-[e]->`.
    Forward,
    /// `<--`, `<-[e]-`.
    Backward,
    /// `--`, `-[e]-`.
    Any,
}

/// `*from..to`.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeHops {
    pub from: Option<Expr>,
    pub to: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct GraphTable {
    /// False for nodes.
    pub edges: bool,
    pub name: Option<Name>,
    /// `with_node_id = n`, `with_source_id = s`, `with_target_id = t`.
    pub parameters: Vec<Property>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SeriesRange {
    /// `from a to b step c`.
    FromToStep { from: Option<Expr>, to: Option<Expr>, step: Expr },
    /// `in range(a, b, c)`.
    InRange { from: Expr, to: Expr, step: Expr },
}

/// `name = expression to typeof(type)`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpandItem {
    pub item: NamedExpr,
    pub to: Option<Type>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ParsePiece {
    Text(String),
    Star,
    Column { name: Name, ty: Option<Type> },
}

/// `name` may have several values: `series = a, b`.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderProperty {
    pub name: Name,
    pub values: Vec<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ScanDeclaration {
    pub name: Name,
    pub ty: Type,
    pub default: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ScanStep {
    pub name: Name,
    pub optional: bool,
    pub output: Option<ScanOutput>,
    pub condition: Expr,
    pub assignments: Vec<ScanAssignment>,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScanOutput {
    All,
    Last,
    None,
}

/// `name = expression`.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanAssignment {
    pub name: Name,
    pub value: Expr,
}

/// `top-nested n of key with others = x by aggregate desc`.
#[derive(Debug, Clone, PartialEq)]
pub struct TopNestedPart {
    pub count: Option<NamedExpr>,
    pub of: NamedExpr,
    pub others: Option<NamedExpr>,
    pub by: SortKey,
}
