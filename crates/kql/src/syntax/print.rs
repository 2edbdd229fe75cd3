//! Prints a tree back to a query text. Parsing that text gives the same tree, places aside.
//!
//! Every nested operation gets parentheses and names get brackets where a word could mean something else.

use super::{
    BinaryOp, Call, EdgeDirection, Expr, ExprKind, InOp, Json, Literal, Name, Order, ParameterType, Pipeline, Query,
    Statement, StatementKind, TableSchema, TextOp, TypeOf, UnaryOp,
};
use super::{Function, LetValue, NamedExpr, Nulls, Parameter, Property, SortKey};
use crate::lexer::{is_word_part, is_word_start};

#[path = "print_operator.rs"]
mod operator;

/// The text of a query.
pub fn print(query: &Query) -> String {
    let mut out = Printer { out: String::new() };
    out.statements(&query.statements);
    out.out
}

struct Printer {
    out: String,
}

impl Printer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn list<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Self, &T)) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.put(", ");
            }
            print(self, item);
        }
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            self.statement(&statement.kind);
            self.put(";\n");
        }
    }

    fn statement(&mut self, statement: &StatementKind) {
        match statement {
            StatementKind::Let { name, value } => {
                self.put("let ");
                self.name(name);
                self.put(" = ");
                match value {
                    LetValue::Expr(expr) => self.tabular(expr),
                    LetValue::Function(function) => self.function(function),
                }
            }
            StatementKind::Set { name, value } => {
                self.put("set ");
                self.name(name);
                if let Some(value) = value {
                    self.put(" = ");
                    self.expr(value);
                }
            }
            StatementKind::QueryParameters(parameters) => {
                self.put("declare query_parameters");
                self.parameters(parameters);
            }
            StatementKind::Pattern { name, definition } => {
                self.put("declare pattern ");
                self.name(name);
                if let Some(definition) = definition {
                    self.put(" = ");
                    self.parameters(&definition.parameters);
                    if let Some(path) = &definition.path {
                        self.put("[");
                        self.parameter(path);
                        self.put("]");
                    }
                    self.put(" {\n");
                    for rule in &definition.rules {
                        self.put("(");
                        self.list(&rule.arguments, Self::expr);
                        self.put(")");
                        if let Some(path) = &rule.path {
                            self.put(".[");
                            self.expr(path);
                            self.put("]");
                        }
                        self.put(" = {\n");
                        self.statements(&rule.body);
                        self.put("};\n");
                    }
                    self.put("}");
                }
            }
            StatementKind::RestrictAccess(entities) => {
                self.put("restrict access to (");
                self.list(entities, Self::expr);
                self.put(")");
            }
            StatementKind::AliasDatabase { name, value } => {
                self.put("alias database ");
                self.name(name);
                self.put(" = ");
                self.expr(value);
            }
            StatementKind::Expression(expr) => self.tabular(expr),
        }
    }

    fn function(&mut self, function: &Function) {
        self.put(if function.view { "view " } else { "" });
        self.parameters(&function.parameters);
        self.put(" {\n");
        self.statements(&function.body);
        self.put("}");
    }

    fn parameters(&mut self, parameters: &[Parameter]) {
        self.put("(");
        self.list(parameters, Self::parameter);
        self.put(")");
    }

    fn parameter(&mut self, parameter: &Parameter) {
        self.name(&parameter.name);
        self.put(": ");
        match &parameter.ty {
            ParameterType::Scalar(ty) => self.put(ty.name()),
            ParameterType::Table(schema) => self.schema(schema),
        }
        if let Some(default) = &parameter.default {
            self.put(" = ");
            self.expr(default);
        }
    }

    fn schema(&mut self, schema: &TableSchema) {
        let mut columns: Vec<Option<&super::ColumnDeclaration>> = schema.columns.iter().map(Some).collect();
        if schema.open {
            columns.insert(if schema.star_first { 0 } else { columns.len() }, None);
        }
        self.put("(");
        self.list(&columns, |out, column| match column {
            None => out.put("*"),
            Some(column) => {
                out.name(&column.name);
                out.put(": ");
                out.put(column.ty.name());
            }
        });
        self.put(")");
    }

    fn name(&mut self, name: &Name) {
        self.name_text(&name.text);
    }

    fn name_text(&mut self, text: &str) {
        let mut chars = text.chars();
        let word = chars.next().is_some_and(is_word_start) && chars.all(is_word_part);
        if word && !crate::parser::is_reserved(text) {
            self.put(text);
        } else {
            self.put("[");
            self.string(text);
            self.put("]");
        }
    }

    fn string(&mut self, text: &str) {
        self.put("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => {
                    self.out.push('\\');
                    self.out.push(c);
                }
                '\n' => self.put("\\n"),
                '\r' => self.put("\\r"),
                _ => self.out.push(c),
            }
        }
        self.put("\"");
    }

    /// An expression where a pipeline needs no parentheses.
    fn tabular(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Pipeline(pipeline) => self.pipeline(pipeline),
            _ => self.expr(expr),
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        let mut first = true;
        if let Some(source) = &pipeline.source {
            self.expr(source);
            first = false;
        }
        for operator in &pipeline.operators {
            self.put(if first { "" } else { "\n| " });
            self.operator(operator);
            first = false;
        }
    }

    fn bracketed(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Binary { .. } | ExprKind::Unary { .. } | ExprKind::In { .. } | ExprKind::Between { .. } => {
                self.put("(");
                self.expr(expr);
                self.put(")");
            }
            _ => self.expr(expr),
        }
    }

    fn named(&mut self, named: &NamedExpr) {
        match named.names.as_slice() {
            [] => {}
            [name] => {
                self.name(name);
                self.put(" = ");
            }
            names => {
                self.put("(");
                self.list(names, Self::name);
                self.put(") = ");
            }
        }
        self.expr(&named.expr);
    }

    fn sort_key(&mut self, key: &SortKey) {
        self.named(&key.key);
        self.order(key.order);
        match key.nulls {
            Some(Nulls::First) => self.put(" nulls first"),
            Some(Nulls::Last) => self.put(" nulls last"),
            None => {}
        }
    }

    fn order(&mut self, order: Option<Order>) {
        self.put(match order {
            None => "",
            Some(Order::Ascending) => " asc",
            Some(Order::Descending) => " desc",
            Some(Order::GrannyAscending) => " granny-asc",
            Some(Order::GrannyDescending) => " granny-desc",
        });
    }

    fn call(&mut self, call: &Call) {
        self.put(&call.name.text);
        self.arguments(&call.args);
    }

    fn arguments(&mut self, args: &[Expr]) {
        self.put("(");
        self.list(args, Self::expr);
        self.put(")");
    }

    fn properties(&mut self, properties: &[Property]) {
        for property in properties {
            self.put(&property.name.text);
            self.put("=");
            self.expr(&property.value);
            self.put(" ");
        }
    }

    fn with_properties(&mut self, properties: &[Property]) {
        if properties.is_empty() {
            return;
        }
        self.put(" with (");
        self.list(properties, |out, property| {
            out.name(&property.name);
            out.put(" = ");
            out.expr(&property.value);
        });
        self.put(")");
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Error => {}
            ExprKind::Literal(literal) => self.literal(literal),
            ExprKind::Name(name) => self.name_text(name),
            ExprKind::Star => self.put("*"),
            ExprKind::Wildcard(name) => self.put(name),
            ExprKind::Unary { op, operand } => {
                self.put(if *op == UnaryOp::Negate { "-" } else { "+" });
                self.bracketed(operand);
            }
            ExprKind::Binary { op, left, right } => {
                self.bracketed(left);
                self.put(" ");
                self.binary_op(*op);
                self.put(" ");
                self.bracketed(right);
            }
            ExprKind::In { op, negated, value, items } => {
                self.bracketed(value);
                self.put(if *negated { " !" } else { " " });
                self.put(match op {
                    InOp::In => "in ",
                    InOp::InCi => "in~ ",
                    InOp::HasAny => "has_any ",
                    InOp::HasAll => "has_all ",
                });
                self.arguments(items);
            }
            ExprKind::Between { negated, value, from, to } => {
                self.bracketed(value);
                self.put(if *negated { " !between (" } else { " between (" });
                self.expr(from);
                self.put(" .. ");
                self.expr(to);
                self.put(")");
            }
            ExprKind::Call(call) => {
                self.name(&call.name);
                self.arguments(&call.args);
            }
            ExprKind::Path { base, name } => {
                self.bracketed(base);
                self.put(".");
                self.name(name);
            }
            ExprKind::PathCall { base, call } => {
                self.bracketed(base);
                self.put(".");
                self.call(call);
            }
            ExprKind::Index { base, index } => {
                self.bracketed(base);
                self.put("[");
                self.expr(index);
                self.put("]");
            }
            ExprKind::ToScalar(inner) => self.enclosed("toscalar(", inner, ")"),
            ExprKind::ToTable(inner) => self.enclosed("totable(", inner, ")"),
            ExprKind::Pipeline(_) => self.enclosed("(", expr, ")"),
            ExprKind::Named { name, value } => {
                self.name(name);
                self.put(" = ");
                self.expr(value);
            }
            _ => self.source(&expr.kind),
        }
    }

    fn enclosed(&mut self, open: &str, inner: &Expr, close: &str) {
        self.put(open);
        self.tabular(inner);
        self.put(close);
    }

    /// The expressions that make tables.
    fn source(&mut self, kind: &ExprKind) {
        match kind {
            ExprKind::Datatable { schema, properties, values } => {
                self.put("datatable ");
                self.properties(properties);
                self.schema(schema);
                self.put("[");
                self.list(values, Self::expr);
                self.put("]");
            }
            ExprKind::ExternalData { schema, parameters, uris, properties } => {
                self.put("externaldata ");
                self.properties(parameters);
                self.schema(schema);
                self.put("[");
                self.list(uris, Self::expr);
                self.put("]");
                self.with_properties(properties);
            }
            ExprKind::InlineExternalTable(table) => {
                self.put("inline_external_table");
                self.schema(&table.schema);
                self.put(" ");
                self.properties(&table.parameters);
                if !table.partitions.is_empty() {
                    self.put("partition by ");
                    self.parameters(&table.partitions);
                }
                if !table.path_format.is_empty() {
                    self.put(" pathformat=(");
                    for part in &table.path_format {
                        self.expr(part);
                        self.put(" ");
                    }
                    self.put(")");
                }
                self.put(" ");
                self.arguments(&table.uris);
                self.with_properties(&table.properties);
            }
            ExprKind::EntityGroup(entities) => {
                self.put("entity_group [");
                self.list(entities, Self::expr);
                self.put("]");
            }
            ExprKind::TypeOf(TypeOf::Scalar(ty)) => self.put(&format!("typeof({ty})")),
            ExprKind::TypeOf(TypeOf::Table(schema)) => {
                self.put("typeof");
                self.schema(schema);
            }
            _ => {}
        }
    }

    fn binary_op(&mut self, op: BinaryOp) {
        let (word, negated) = match op {
            BinaryOp::Or => ("or", false),
            BinaryOp::And => ("and", false),
            BinaryOp::Equal => ("==", false),
            BinaryOp::NotEqual => ("!=", false),
            BinaryOp::Less => ("<", false),
            BinaryOp::LessOrEqual => ("<=", false),
            BinaryOp::Greater => (">", false),
            BinaryOp::GreaterOrEqual => (">=", false),
            BinaryOp::Add => ("+", false),
            BinaryOp::Subtract => ("-", false),
            BinaryOp::Multiply => ("*", false),
            BinaryOp::Divide => ("/", false),
            BinaryOp::Modulo => ("%", false),
            BinaryOp::Text { op: TextOp::EqualCi, negated } => (if negated { "!~" } else { "=~" }, false),
            BinaryOp::Text { op, negated } => (text_op(op), negated),
        };
        self.put(if negated { "!" } else { "" });
        self.put(word);
    }

    fn literal(&mut self, literal: &Literal) {
        match literal {
            Literal::Bool(value) => self.put(if *value { "true" } else { "false" }),
            Literal::Long(value) if *value < 0 => self.put(&format!("0x{value:x}")),
            Literal::Long(value) => self.put(&value.to_string()),
            Literal::Real(value) => self.put(&format!("{value:?}")),
            Literal::String(string) => {
                self.put(if string.hidden { "h" } else { "" });
                self.string(&string.value);
            }
            Literal::Timespan(ticks) => self.put(&format!("{ticks}tick")),
            Literal::Typed { ty, text } => self.put(&format!("{ty}({text})")),
            Literal::Dynamic(json) => {
                self.put("dynamic(");
                self.json(json);
                self.put(")");
            }
        }
    }

    fn json(&mut self, json: &Json) {
        match json {
            Json::Null => self.put("null"),
            Json::Bool(value) => self.put(if *value { "true" } else { "false" }),
            Json::Long(value) => self.put(&value.to_string()),
            Json::Real(value) => self.put(&format!("{value:?}")),
            Json::String(text) => self.string(text),
            Json::Timespan(ticks) => self.put(&format!("{ticks}tick")),
            Json::Typed { ty, text } => self.put(&format!("{ty}({text})")),
            Json::Array(items) => {
                self.put("[");
                self.list(items, Self::json);
                self.put("]");
            }
            Json::Object(members) => {
                self.put("{");
                self.list(members, |out, (name, value)| {
                    out.string(name);
                    out.put(": ");
                    out.json(value);
                });
                self.put("}");
            }
        }
    }

    fn edge_ends(direction: EdgeDirection) -> (&'static str, &'static str) {
        match direction {
            EdgeDirection::Forward => ("-", "->"),
            EdgeDirection::Backward => ("<-", "-"),
            EdgeDirection::Any => ("-", "-"),
        }
    }
}

fn text_op(op: TextOp) -> &'static str {
    match op {
        TextOp::EqualCi => "=~",
        TextOp::Has => "has",
        TextOp::HasCs => "has_cs",
        TextOp::HasPrefix => "hasprefix",
        TextOp::HasPrefixCs => "hasprefix_cs",
        TextOp::HasSuffix => "hassuffix",
        TextOp::HasSuffixCs => "hassuffix_cs",
        TextOp::Contains => "contains",
        TextOp::ContainsCs => "contains_cs",
        TextOp::StartsWith => "startswith",
        TextOp::StartsWithCs => "startswith_cs",
        TextOp::EndsWith => "endswith",
        TextOp::EndsWithCs => "endswith_cs",
        TextOp::MatchesRegex => "matches regex",
        TextOp::Like => "like",
        TextOp::LikeCs => "like_cs",
    }
}
