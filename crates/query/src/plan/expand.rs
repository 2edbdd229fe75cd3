//! `mv-expand`, `mv-apply` and `partition`. The body of the last two runs once over all rows: each of its operators
//! works within the groups that hidden columns name.

use datafusion::common::{NullHandling, UnnestOptions};
use datafusion::logical_expr::{Expr as DfExpr, LogicalPlanBuilder, lit};
use watchkeeper_kql::typed::{ExpandColumn, Expr, Relation};
use watchkeeper_kql::{Schema, Type};

use super::order::OrderKey;
use super::{Planned, Planner, column, expr};
use crate::error::QueryError;
use crate::rows::expand::{expand_index, expand_items};

impl Planner<'_> {
    pub(super) fn expand(
        &self,
        input: Planned,
        schema: &Schema,
        columns: &[ExpandColumn],
        item_index: Option<&str>,
        bag_as_array: bool,
        limit: Option<&Expr>,
    ) -> Result<Planned, QueryError> {
        let scope = self.scope(&input);
        let limit = match limit {
            Some(limit) => i64::try_from(self.count(limit)?).unwrap_or(i64::MAX),
            None => i64::MAX,
        };
        let mut list: Vec<DfExpr> =
            input.plan.schema().fields().iter().map(|f| column(f.name()).alias(f.name())).collect();
        let mut expanded = Vec::new();
        for item in columns {
            let name = self.fresh("x");
            let value = self.expr(&item.expr, &scope)?;
            let items = expand_items(bag_as_array).call(vec![value, lit(limit)]);
            list.push(items.alias(&name));
            expanded.push(name);
        }
        let lists = input.builder().project(list)?.build()?;
        let index = self.fresh("o");
        let indexes = expand_index().call(expanded.iter().map(|name| column(name)).collect());
        let lists = super::order::with_column(&lists, indexes, &index)?;
        let mut unnested: Vec<datafusion::common::Column> =
            expanded.iter().map(datafusion::common::Column::new_unqualified).collect();
        unnested.push(datafusion::common::Column::new_unqualified(&index));
        let options = UnnestOptions { null_handling: NullHandling::Preserve, ..UnnestOptions::default() };
        let plan = LogicalPlanBuilder::from(lists).unnest_columns_with_options(unnested, options)?.build()?;
        let mut output = input.with_plan(plan);
        output.order.push(OrderKey { column: index.clone(), descending: false, nulls_first: false });
        let mut values = Vec::new();
        for known in &schema.columns {
            let value = match columns.iter().position(|item| item.name == known.name) {
                Some(at) => self.item(column(&expanded[at]), columns[at].to)?,
                None if item_index == Some(known.name.as_str()) => column(&index),
                None => column(&known.name),
            };
            values.push((known.name.clone(), value));
        }
        // without an order of the input the items' index alone orders nothing
        if input.order.is_empty() {
            output.order.clear();
        }
        self.projected(&output, values)
    }

    /// An item of an expanded array as the type asked for.
    pub(super) fn item(&self, item: DfExpr, to: Type) -> Result<DfExpr, QueryError> {
        let function = match to {
            Type::Dynamic => return Ok(item),
            Type::String => "tostring",
            Type::Bool => "tobool",
            Type::Int => "toint",
            Type::Long => "tolong",
            Type::Real => "toreal",
            Type::Decimal => "todecimal",
            Type::Datetime => "todatetime",
            Type::Timespan => "totimespan",
            Type::Guid => "toguid",
        };
        expr::bound(function, &[Type::Dynamic], vec![item])
    }

    pub(super) fn apply(
        &self,
        input: Planned,
        schema: &Schema,
        columns: &[ExpandColumn],
        item_index: Option<&str>,
        limit: Option<&Expr>,
        body: &Relation,
    ) -> Result<Planned, QueryError> {
        let old_order = input.order.clone();
        let old_outer = input.outer.clone();
        let old_groups = input.groups.clone();
        let names: Vec<String> = input.plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        let (numbered, row) = self.numbered(input)?;
        // every column of the row is carried through the body under a hidden name
        let mut outer = Vec::new();
        let mut list: Vec<DfExpr> =
            numbered.plan.schema().fields().iter().map(|f| column(f.name()).alias(f.name())).collect();
        for name in &names {
            if numbered.plan.schema().has_column_with_unqualified_name(name) {
                let hidden = self.fresh("h");
                list.push(column(name).alias(&hidden));
                outer.push((name.clone(), hidden));
            }
        }
        let plan = numbered.builder().project(list)?.build()?;
        let mut groups = old_groups.clone();
        groups.push(row.clone());
        let source = Planned { order: Vec::new(), groups, outer: outer.clone(), ..Planned::new(plan) };
        let mut expanded_schema = Schema::default();
        for field in source.plan.schema().fields() {
            if field.name().starts_with('$') {
                continue;
            }
            if let Some(known) = body_column(body, field.name()) {
                expanded_schema.columns.push(known);
            }
        }
        for item in columns {
            if expanded_schema.get(&item.name).is_none() {
                expanded_schema.columns.push(watchkeeper_kql::Column::new(&item.name, item.to));
            }
        }
        if let Some(index) = item_index {
            expanded_schema.columns.push(watchkeeper_kql::Column::new(index, Type::Long));
        }
        let mut rows = self.expand(source, &expanded_schema, columns, item_index, false, limit)?;
        rows.order.clear();
        let result = self.relation(body, Some(&rows))?;
        let mut values = Vec::new();
        for known in &schema.columns {
            let from_body = body.schema.get(&known.name).is_some();
            let value = match outer.iter().find(|(name, _)| *name == known.name) {
                _ if from_body => column(&known.name),
                Some((_, hidden)) => column(hidden),
                None => {
                    return Err(QueryError::execution(format!("mv-apply does not compute a column {}", known.name)));
                }
            };
            values.push((known.name.clone(), value));
        }
        // the enclosing order continues: the rows were numbered in it
        let mut order = Vec::new();
        if !old_order.is_empty() {
            order.push(OrderKey { column: row.clone(), descending: false, nulls_first: false });
        }
        order.extend(result.order.iter().cloned());
        let restored: Vec<(String, DfExpr)> = old_outer
            .iter()
            .map(|(_, hidden)| hidden)
            .chain(old_groups.iter())
            .filter_map(|name| {
                outer
                    .iter()
                    .find(|(outer_name, _)| outer_name == name)
                    .map(|(_, hidden)| (name.clone(), column(hidden)))
            })
            .collect();
        values.extend(restored);
        let carried = Planned { order, groups: Vec::new(), outer: Vec::new(), ..result };
        let projected = self.projected(&carried, values)?;
        Ok(Planned { groups: old_groups, outer: old_outer, ..projected })
    }

    /// The key's value is the group; rows whose key is null or empty have no part of their own in the language, but
    /// here form a group as any other.
    pub(super) fn partition(
        &self,
        input: Planned,
        schema: &Schema,
        by: &Expr,
        body: &Relation,
    ) -> Result<Planned, QueryError> {
        let scope = self.scope(&input);
        let group = self.fresh("g");
        let plan = super::order::with_column(&input.plan, self.expr(by, &scope)?, &group)?;
        let old_groups = input.groups.clone();
        let mut source = input.with_plan(plan);
        source.groups.push(group);
        let result = self.relation(body, Some(&source))?;
        let values = schema.names().map(|name| (name.to_string(), column(name))).collect();
        let carried = Planned { order: Vec::new(), groups: old_groups, ..result };
        self.projected(&carried, values)
    }
}

/// The column of the body's source by this name.
fn body_column(body: &Relation, name: &str) -> Option<watchkeeper_kql::Column> {
    row_table(body).and_then(|schema| schema.get(name).cloned())
}

/// The schema of the rows that a body reads.
fn row_table(relation: &Relation) -> Option<&Schema> {
    if matches!(relation.operator, watchkeeper_kql::typed::Operator::RowTable) {
        return Some(&relation.schema);
    }
    crate::walk::relations(relation).into_iter().find_map(row_table)
}
