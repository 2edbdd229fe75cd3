//! Prints the tabular operators.

use super::Printer;
use crate::syntax::{
    Expr, FindColumn, GraphPattern, GraphPatternElement, MatchOperator, NamedExpr, Operator, OperatorKind, ParsePiece,
    Pipeline, ScanOutput, SeriesRange,
};

impl Printer {
    fn body(&mut self, body: &Pipeline) {
        self.put(" (");
        self.pipeline(body);
        self.put(")");
    }

    fn optional(&mut self, before: &str, expr: Option<&Expr>) {
        if let Some(expr) = expr {
            self.put(before);
            self.expr(expr);
        }
    }

    fn by(&mut self, before: &str, columns: &[NamedExpr]) {
        if !columns.is_empty() {
            self.put(before);
            self.list(columns, Self::named);
        }
    }

    fn tables(&mut self, tables: &[Expr]) {
        if !tables.is_empty() {
            self.put("in (");
            self.list(tables, Self::tabular);
            self.put(") ");
        }
    }

    fn find_columns(&mut self, word: &str, columns: &[FindColumn]) {
        if columns.is_empty() {
            return;
        }
        self.put(word);
        self.list(columns, |out, column| {
            match column.name.text.as_str() {
                _ if column.pack => out.put("pack(*)"),
                "*" => out.put("*"),
                _ => out.name(&column.name),
            }
            if let Some(ty) = column.ty {
                out.put(&format!(": {ty}"));
            }
        });
    }

    pub(super) fn operator(&mut self, operator: &Operator) {
        let word = word(&operator.kind);
        self.put(word);
        self.put(" ");
        self.properties(&operator.parameters);
        match &operator.kind {
            OperatorKind::As { name } => self.name(name),
            OperatorKind::AssertSchema { schema } => self.schema(schema),
            OperatorKind::Count { name: Some(name) } => {
                self.put("as ");
                self.name(name);
            }
            OperatorKind::Distinct { columns }
            | OperatorKind::ProjectAway { columns }
            | OperatorKind::ProjectKeep { columns }
            | OperatorKind::ProjectByNames { names: columns }
            | OperatorKind::Union { tables: columns } => self.list(columns, Self::expr),
            OperatorKind::Extend { columns }
            | OperatorKind::Print { columns }
            | OperatorKind::Project { columns }
            | OperatorKind::ProjectRename { columns }
            | OperatorKind::Serialize { columns } => self.list(columns, Self::named),
            OperatorKind::Evaluate { call, schema } => {
                self.call(call);
                if let Some(schema) = schema {
                    self.put(" : ");
                    self.schema(schema);
                }
            }
            OperatorKind::Facet { by, with } => {
                self.put("by ");
                self.list(by, Self::expr);
                if let Some(with) = with {
                    self.put(" with");
                    self.body(with);
                }
            }
            OperatorKind::Find { sources, predicate, project, project_smart, project_away } => {
                self.tables(sources);
                self.put("where ");
                self.expr(predicate);
                self.put(if *project_smart { " project-smart" } else { "" });
                self.find_columns(" project ", project);
                self.find_columns(" project-away ", project_away);
            }
            OperatorKind::Fork { legs } => {
                for leg in legs {
                    if let Some(name) = &leg.name {
                        self.name(name);
                        self.put(" =");
                    }
                    self.body(&leg.body);
                }
            }
            OperatorKind::Invoke { call } => self.expr(call),
            OperatorKind::Join { table, on, predicate } => {
                self.expr(table);
                if !on.is_empty() {
                    self.put(" on ");
                    self.list(on, Self::expr);
                }
                self.optional(" where ", predicate.as_ref());
            }
            OperatorKind::Lookup { table, on } => {
                self.expr(table);
                if !on.is_empty() {
                    self.put(" on ");
                    self.list(on, Self::expr);
                }
            }
            OperatorKind::MacroExpand { group, name, body } => {
                self.expr(group);
                self.put(" as ");
                self.name(name);
                self.put(" (\n");
                self.statements(body);
                self.put(")");
            }
            OperatorKind::MvApply { items, limit, body } => {
                self.expand_items(items);
                self.optional(" limit ", limit.as_ref());
                self.put(" on");
                self.body(body);
            }
            OperatorKind::MvExpand { items, limit } => {
                self.expand_items(items);
                self.optional(" limit ", limit.as_ref());
            }
            OperatorKind::ParseKv { expr, schema, properties } => {
                self.expr(expr);
                self.put(" as ");
                self.schema(schema);
                self.with_properties(properties);
            }
            OperatorKind::Partition { by, of, braces, body } => {
                self.put("by ");
                self.expr(by);
                self.optional(" in ", of.as_ref());
                if *braces {
                    self.put(" {");
                    self.pipeline(body);
                    self.put("}");
                } else {
                    self.body(body);
                }
            }
            OperatorKind::PartitionBy { by, body } => {
                self.expr(by);
                self.body(body);
            }
            OperatorKind::ProjectReorder { columns } => self.list(columns, |out, (column, order)| {
                out.expr(column);
                out.order(*order);
            }),
            OperatorKind::Range { name, from, to, step } => {
                self.name(name);
                self.optional(" from ", Some(from));
                self.optional(" to ", Some(to));
                self.optional(" step ", Some(step));
            }
            OperatorKind::Reduce { by, with } => {
                self.put("by ");
                self.named(by);
                self.by(" with ", with);
            }
            OperatorKind::Sample { count } | OperatorKind::Take { count } => self.named(count),
            OperatorKind::SampleDistinct { count, of } => {
                self.named(count);
                self.put(" of ");
                self.named(of);
            }
            OperatorKind::Search { sources, predicate } => {
                self.tables(sources);
                self.expr(predicate);
            }
            OperatorKind::Sort { keys } => {
                self.put("by ");
                self.list(keys, Self::sort_key);
            }
            OperatorKind::Summarize { aggregates, by, bin } => {
                self.list(aggregates, Self::named);
                self.by(" by ", by);
                self.optional(" bin = ", bin.as_ref());
            }
            OperatorKind::Top { count, by } => {
                self.named(count);
                self.put(" by ");
                self.list(by, Self::sort_key);
            }
            OperatorKind::TopHitters { count, of, by } => {
                self.named(count);
                self.put(" of ");
                self.named(of);
                if let Some(by) = by {
                    self.put(" by ");
                    self.sort_key(by);
                }
            }
            OperatorKind::Where { predicate }
            | OperatorKind::GraphWhereNodes { predicate }
            | OperatorKind::GraphWhereEdges { predicate } => self.expr(predicate),
            OperatorKind::GraphMatch(question) | OperatorKind::GraphShortestPaths(question) => self.question(question),
            other => self.clauses(other),
        }
    }

    /// The operators with clauses of their own.
    fn clauses(&mut self, kind: &OperatorKind) {
        match kind {
            OperatorKind::MakeGraph { source, target, directed, nodes, node_id, partitioned_by } => {
                self.name(source);
                self.put(if *directed { " --> " } else { " -- " });
                self.name(target);
                if !nodes.is_empty() {
                    self.put(" with ");
                    self.list(nodes, |out, nodes| {
                        out.expr(&nodes.table);
                        out.put(" on ");
                        out.name(&nodes.key);
                    });
                }
                if let Some(name) = node_id {
                    self.put(" with_node_id = ");
                    self.name(name);
                }
                if let Some(partitioned) = partitioned_by {
                    self.optional(" partitioned-by ", Some(&partitioned.by));
                    self.body(&partitioned.body);
                }
            }
            OperatorKind::GraphToTable { tables } => self.list(tables, |out, table| {
                out.put(if table.edges { "edges" } else { "nodes" });
                if let Some(name) = &table.name {
                    out.put(" as ");
                    out.name(name);
                }
                out.put(" ");
                out.properties(&table.parameters);
            }),
            OperatorKind::MakeSeries { aggregates, axis, range, by } => {
                self.list(aggregates, |out, (aggregate, default)| {
                    out.named(aggregate);
                    out.optional(" default = ", default.as_ref());
                });
                self.put(" on ");
                self.named(axis);
                match range {
                    SeriesRange::FromToStep { from, to, step } => {
                        self.optional(" from ", from.as_ref());
                        self.optional(" to ", to.as_ref());
                        self.optional(" step ", Some(step));
                    }
                    SeriesRange::InRange { from, to, step } => {
                        self.optional(" in range(", Some(from));
                        self.optional(", ", Some(to));
                        self.optional(", ", Some(step));
                        self.put(")");
                    }
                }
                self.by(" by ", by);
            }
            OperatorKind::Parse { kind, flags, expr, pieces, .. } => {
                for (option, value) in [("kind=", kind), ("flags=", flags)] {
                    if let Some(value) = value {
                        self.put(option);
                        self.name(value);
                        self.put(" ");
                    }
                }
                self.expr(expr);
                self.put(" with");
                for piece in pieces {
                    self.put(" ");
                    match piece {
                        ParsePiece::Star => self.put("*"),
                        ParsePiece::Text(text) => self.string(text),
                        ParsePiece::Column { name, ty } => {
                            self.name(name);
                            if let Some(ty) = ty {
                                self.put(&format!(": {ty}"));
                            }
                        }
                    }
                }
            }
            OperatorKind::Render { kind, properties } => {
                self.put(&kind.text);
                if !properties.is_empty() {
                    self.put(" with (");
                    self.list(properties, |out, property| {
                        out.put(&property.name.text);
                        out.put("=");
                        out.list(&property.values, Self::expr);
                    });
                    self.put(")");
                }
            }
            OperatorKind::Scan { order_by, partition_by, declare, steps } => {
                if !order_by.is_empty() {
                    self.put("order by ");
                    self.list(order_by, Self::sort_key);
                }
                if !partition_by.is_empty() {
                    self.put(" partition by ");
                    self.list(partition_by, Self::expr);
                }
                if !declare.is_empty() {
                    self.put(" declare (");
                    self.list(declare, |out, column| {
                        out.name(&column.name);
                        out.put(&format!(": {}", column.ty));
                        out.optional(" = ", column.default.as_ref());
                    });
                    self.put(")");
                }
                self.put(" with (\n");
                for step in steps {
                    self.put("step ");
                    self.name(&step.name);
                    self.put(if step.optional { " optional" } else { "" });
                    self.put(match step.output {
                        None => "",
                        Some(ScanOutput::All) => " output=all",
                        Some(ScanOutput::Last) => " output=last",
                        Some(ScanOutput::None) => " output=none",
                    });
                    self.optional(": ", Some(&step.condition));
                    self.put(if step.assignments.is_empty() { "" } else { " => " });
                    self.list(&step.assignments, |out, assignment| {
                        out.name(&assignment.name);
                        out.optional(" = ", Some(&assignment.value));
                    });
                    self.put(";\n");
                }
                self.put(")");
            }
            OperatorKind::TopNested { parts } => {
                for (index, part) in parts.iter().enumerate() {
                    self.put(if index > 0 { ", top-nested " } else { "" });
                    if let Some(count) = &part.count {
                        self.named(count);
                    }
                    self.put(" of ");
                    self.named(&part.of);
                    if let Some(others) = &part.others {
                        self.put(" with others = ");
                        self.named(others);
                    }
                    self.put(" by ");
                    self.sort_key(&part.by);
                }
            }
            _ => {}
        }
    }

    fn expand_items(&mut self, items: &[crate::syntax::ExpandItem]) {
        self.list(items, |out, item| {
            out.named(&item.item);
            if let Some(ty) = item.to {
                out.put(&format!(" to typeof({ty})"));
            }
        });
    }

    fn question(&mut self, question: &MatchOperator) {
        self.list(&question.patterns, Self::pattern);
        self.optional(" where ", question.predicate.as_ref());
        self.by(" project ", &question.project);
    }

    fn pattern(&mut self, pattern: &GraphPattern) {
        for element in &pattern.elements {
            match element {
                GraphPatternElement::Node { name, .. } => {
                    self.put("(");
                    if let Some(name) = name {
                        self.name(name);
                    }
                    self.put(")");
                }
                GraphPatternElement::Edge { name, direction, hops, .. } => {
                    let (before, after) = Self::edge_ends(*direction);
                    self.put(before);
                    if name.is_some() || hops.is_some() {
                        self.put("[");
                        if let Some(name) = name {
                            self.name(name);
                        }
                        if let Some(hops) = hops {
                            self.put("*");
                            self.optional("", hops.from.as_ref());
                            self.put(" .. ");
                            self.optional("", hops.to.as_ref());
                        }
                        self.put("]");
                    }
                    self.put(after);
                }
            }
        }
    }
}

fn word(kind: &OperatorKind) -> &'static str {
    match kind {
        OperatorKind::As { .. } => "as",
        OperatorKind::AssertSchema { .. } => "assert-schema",
        OperatorKind::Consume => "consume",
        OperatorKind::Count { .. } => "count",
        OperatorKind::Distinct { .. } => "distinct",
        OperatorKind::Evaluate { .. } => "evaluate",
        OperatorKind::ExecuteAndCache => "execute-and-cache",
        OperatorKind::Extend { .. } => "extend",
        OperatorKind::Facet { .. } => "facet",
        OperatorKind::Find { .. } => "find",
        OperatorKind::Fork { .. } => "fork",
        OperatorKind::Getschema => "getschema",
        OperatorKind::MakeGraph { .. } => "make-graph",
        OperatorKind::GraphMatch(_) => "graph-match",
        OperatorKind::GraphShortestPaths(_) => "graph-shortest-paths",
        OperatorKind::GraphToTable { .. } => "graph-to-table",
        OperatorKind::GraphMarkComponents => "graph-mark-components",
        OperatorKind::GraphWhereNodes { .. } => "graph-where-nodes",
        OperatorKind::GraphWhereEdges { .. } => "graph-where-edges",
        OperatorKind::Invoke { .. } => "invoke",
        OperatorKind::Join { .. } => "join",
        OperatorKind::Lookup { .. } => "lookup",
        OperatorKind::MacroExpand { .. } => "macro-expand",
        OperatorKind::MakeSeries { .. } => "make-series",
        OperatorKind::MvApply { .. } => "mv-apply",
        OperatorKind::MvExpand { .. } => "mv-expand",
        OperatorKind::Parse { only_matches: false, .. } => "parse",
        OperatorKind::Parse { .. } => "parse-where",
        OperatorKind::ParseKv { .. } => "parse-kv",
        OperatorKind::Partition { .. } => "partition",
        OperatorKind::PartitionBy { .. } => "__partitionby",
        OperatorKind::Print { .. } => "print",
        OperatorKind::Project { .. } => "project",
        OperatorKind::ProjectAway { .. } => "project-away",
        OperatorKind::ProjectByNames { .. } => "project-by-names",
        OperatorKind::ProjectKeep { .. } => "project-keep",
        OperatorKind::ProjectRename { .. } => "project-rename",
        OperatorKind::ProjectReorder { .. } => "project-reorder",
        OperatorKind::Range { .. } => "range",
        OperatorKind::Reduce { .. } => "reduce",
        OperatorKind::Render { .. } => "render",
        OperatorKind::Sample { .. } => "sample",
        OperatorKind::SampleDistinct { .. } => "sample-distinct",
        OperatorKind::Scan { .. } => "scan",
        OperatorKind::Search { .. } => "search",
        OperatorKind::Serialize { .. } => "serialize",
        OperatorKind::Sort { .. } => "sort",
        OperatorKind::Summarize { .. } => "summarize",
        OperatorKind::Take { .. } => "take",
        OperatorKind::Top { .. } => "top",
        OperatorKind::TopHitters { .. } => "top-hitters",
        OperatorKind::TopNested { .. } => "top-nested",
        OperatorKind::Union { .. } => "union",
        OperatorKind::Where { .. } => "where",
        OperatorKind::Error => "",
    }
}
