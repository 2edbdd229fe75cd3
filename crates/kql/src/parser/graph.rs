//! The graph operators and their patterns.

use super::Parser;
use crate::lexer::Kind;
use crate::syntax::{
    EdgeDirection, EdgeHops, GraphNodes, GraphPattern, GraphPatternElement, GraphTable, MatchOperator, OperatorKind,
    PartitionedGraph,
};

impl Parser<'_> {
    pub(super) fn graph_operator(&mut self, word: &str, start: usize) -> OperatorKind {
        match word {
            "make-graph" => self.make_graph(),
            "graph-match" => OperatorKind::GraphMatch(self.match_operator()),
            "graph-shortest-paths" => OperatorKind::GraphShortestPaths(self.match_operator()),
            "graph-to-table" => OperatorKind::GraphToTable { tables: self.list(Self::graph_table) },
            "graph-mark-components" => OperatorKind::GraphMarkComponents,
            "graph-where-nodes" => OperatorKind::GraphWhereNodes { predicate: self.expr() },
            "graph-where-edges" => OperatorKind::GraphWhereEdges { predicate: self.expr() },
            _ => {
                let span = self.span_from(start);
                self.error_at(span, format!("`{word}` cannot stand here"), None);
                OperatorKind::Error
            }
        }
    }

    fn make_graph(&mut self) -> OperatorKind {
        let source = self.name("the column of the source node");
        let directed = self.make_graph_arrow();
        let target = self.name("the column of the target node");
        let (mut nodes, mut node_id, mut partitioned_by) = (Vec::new(), None, None);
        if self.eat_word("with") {
            nodes = self.list(|parser| {
                let table = parser.entity();
                parser.expect_word("on");
                GraphNodes { table, key: parser.name("the column of the node's identity") }
            });
        }
        if self.eat_word("with_node_id") {
            self.expect(Kind::Assign, "`=`");
            node_id = Some(self.name("a name"));
        }
        if self.eat_hyphenated("partitioned-by") {
            let by = self.expr_before_parenthesis();
            partitioned_by = Some(Box::new(PartitionedGraph { by, body: self.parenthesized_pipeline() }));
        }
        OperatorKind::MakeGraph { source, target, directed, nodes, node_id, partitioned_by }
    }

    /// `-->` or `--`: true for the first.
    fn make_graph_arrow(&mut self) -> bool {
        if self.is(Kind::Minus) && self.peek_kind(1) == Kind::Minus {
            self.at += 2;
            return self.eat(Kind::Greater);
        }
        self.expected("`-->`");
        true
    }

    fn match_operator(&mut self) -> MatchOperator {
        let patterns = self.list(Self::graph_pattern);
        let predicate = self.eat_word("where").then(|| self.expr());
        let project = if self.eat_word("project") { self.named_list() } else { Vec::new() };
        MatchOperator { patterns, predicate, project }
    }

    fn graph_pattern(&mut self) -> GraphPattern {
        let start = self.start();
        let mut elements = vec![self.graph_node()];
        while matches!(self.kind(), Kind::Minus | Kind::Less) {
            elements.push(self.graph_edge());
            elements.push(self.graph_node());
        }
        GraphPattern { elements, span: self.span_from(start) }
    }

    fn graph_node(&mut self) -> GraphPatternElement {
        let start = self.start();
        let mut name = None;
        if self.expect(Kind::OpenParen, "a node of the pattern, `(name)`") {
            name = self.is_name().then(|| self.name("a name"));
            self.close(Kind::CloseParen, "`)` after the name of the node");
        }
        GraphPatternElement::Node { name, span: self.span_from(start) }
    }

    fn graph_edge(&mut self) -> GraphPatternElement {
        let start = self.start();
        let backward = self.eat(Kind::Less);
        self.expect(Kind::Minus, "`-`");
        let (mut name, mut hops) = (None, None);
        if self.eat(Kind::OpenBracket) {
            name = self.is_name().then(|| self.name("a name"));
            if self.eat(Kind::Star) {
                hops = Some(Box::new(self.edge_hops()));
            }
            self.close(Kind::CloseBracket, "`]` after the edge");
        }
        self.expect(Kind::Minus, "`-`");
        let forward = !backward && self.eat(Kind::Greater);
        let direction = match (backward, forward) {
            (true, _) => EdgeDirection::Backward,
            (_, true) => EdgeDirection::Forward,
            _ => EdgeDirection::Any,
        };
        GraphPatternElement::Edge { name, direction, hops, span: self.span_from(start) }
    }

    fn edge_hops(&mut self) -> EdgeHops {
        let from = (!self.is(Kind::DotDot)).then(|| self.postfix());
        if !self.eat(Kind::DotDot) {
            return EdgeHops { to: from.clone(), from };
        }
        let to = (!self.is(Kind::CloseBracket)).then(|| self.postfix());
        EdgeHops { from, to }
    }

    fn graph_table(&mut self) -> GraphTable {
        let edges = self.eat_word("edges");
        if !edges {
            self.expect_word("nodes");
        }
        let mut name = self.eat_word("as").then(|| self.name("a name after `as`"));
        let parameters = self.parameters(true, &[]);
        if name.is_none() {
            name = self.eat_word("as").then(|| self.name("a name after `as`"));
        }
        GraphTable { edges, name, parameters }
    }
}
