//! `join` of all kinds. Null keys match nothing; strings of rows without a partner are empty, not null.

use std::collections::HashMap;

use datafusion::common::{Column, JoinType};
use datafusion::functions_aggregate::expr_fn::first_value;
use datafusion::logical_expr::{Expr as DfExpr, LogicalPlan, LogicalPlanBuilder};
use watchkeeper_kql::Schema;
use watchkeeper_kql::typed::{Expr, JoinColumn, JoinKind, Relation, Side};

use super::{Planned, Planner, column, expr};
use crate::error::QueryError;

/// One side with its columns under names that the other side cannot have.
struct Prepared {
    plan: LogicalPlan,
    /// New name by old name.
    names: HashMap<String, String>,
    keys: Vec<String>,
    groups: Vec<String>,
    outer: Vec<(String, String)>,
}

impl Planner<'_> {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn join(
        &self,
        schema: &Schema,
        left: &Relation,
        right: &Relation,
        kind: JoinKind,
        on: &[(Expr, Expr)],
        columns: &[JoinColumn],
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let left_keys: Vec<&Expr> = on.iter().map(|(left, _)| left).collect();
        let right_keys: Vec<&Expr> = on.iter().map(|(_, right)| right).collect();
        let mut left = self.side(self.relation(left, body)?, &left_keys, "l")?;
        let right = self.side(self.relation(right, body)?, &right_keys, "r")?;
        if kind == JoinKind::InnerUnique {
            left = self.unique(left)?;
        }
        let join_type = match kind {
            JoinKind::InnerUnique | JoinKind::Inner => JoinType::Inner,
            JoinKind::LeftOuter => JoinType::Left,
            JoinKind::RightOuter => JoinType::Right,
            JoinKind::FullOuter => JoinType::Full,
            JoinKind::LeftSemi => JoinType::LeftSemi,
            JoinKind::RightSemi => JoinType::RightSemi,
            JoinKind::LeftAnti => JoinType::LeftAnti,
            JoinKind::RightAnti => JoinType::RightAnti,
        };
        // inside the body of another operator both sides belong to the same group
        let mut pairs: Vec<(String, String)> = left.keys.iter().cloned().zip(right.keys.iter().cloned()).collect();
        for group in &left.groups {
            if let (Some(l), Some(r)) = (left.names.get(group), right.names.get(group)) {
                pairs.push((l.clone(), r.clone()));
            }
        }
        let (on_left, on_right): (Vec<Column>, Vec<Column>) =
            pairs.iter().map(|(l, r)| (Column::new_unqualified(l), Column::new_unqualified(r))).unzip();
        let builder = LogicalPlanBuilder::from(left.plan.clone());
        let joined = if on_left.is_empty() {
            match join_type {
                JoinType::Inner => builder.cross_join(right.plan.clone())?,
                other => builder.join_on(right.plan.clone(), other, [datafusion::logical_expr::lit(true)])?,
            }
        } else {
            builder.join(right.plan.clone(), join_type, (on_left, on_right), None)?
        }
        .build()?;

        let mut list: Vec<DfExpr> = Vec::new();
        for output in columns {
            let side = if output.side == Side::Left { &left } else { &right };
            let source = side
                .names
                .get(&output.source)
                .ok_or_else(|| QueryError::execution(format!("a side of the join has no column {}", output.source)))?;
            let value = match schema.get(&output.name) {
                Some(known) => expr::without_null(column(source), known.ty),
                None => column(source),
            };
            list.push(value.alias(&output.name));
        }
        let from_left = !matches!(kind, JoinKind::RightSemi | JoinKind::RightAnti | JoinKind::RightOuter);
        let keeper = if (from_left && !left.groups.is_empty()) || right.groups.is_empty() { &left } else { &right };
        let hidden = keeper.groups.iter().chain(keeper.outer.iter().map(|(_, hidden)| hidden));
        for name in hidden {
            if let Some(source) = keeper.names.get(name) {
                list.push(column(source).alias(name));
            }
        }
        let plan = LogicalPlanBuilder::from(joined).project(list)?.build()?;
        Ok(Planned { groups: keeper.groups.clone(), outer: keeper.outer.clone(), ..Planned::new(plan) })
    }

    fn side(&self, mut input: Planned, keys: &[&Expr], prefix: &str) -> Result<Prepared, QueryError> {
        input.order.clear();
        let scope = self.scope(&input);
        let mut names = HashMap::new();
        let mut list = Vec::new();
        for field in input.plan.schema().fields() {
            let fresh = self.fresh(prefix);
            list.push(column(field.name()).alias(&fresh));
            names.insert(field.name().clone(), fresh);
        }
        let mut key_names = Vec::new();
        for key in keys {
            let fresh = self.fresh("j");
            list.push(self.expr(key, &scope)?.alias(&fresh));
            key_names.push(fresh);
        }
        let plan = input.builder().project(list)?.build()?;
        Ok(Prepared { plan, names, keys: key_names, groups: input.groups, outer: input.outer })
    }

    /// One row for each key (`innerunique`): any, but one and the same row for all its columns.
    fn unique(&self, side: Prepared) -> Result<Prepared, QueryError> {
        let group_keys: Vec<String> = side
            .keys
            .iter()
            .cloned()
            .chain(side.groups.iter().filter_map(|group| side.names.get(group).cloned()))
            .collect();
        let group: Vec<DfExpr> = group_keys.iter().map(|name| column(name).alias(name)).collect();
        let rest: Vec<String> = side
            .plan
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .filter(|name| !group_keys.contains(name))
            .collect();
        let packed = self.fresh("a");
        let mut fields = Vec::new();
        for name in &rest {
            fields.push(datafusion::logical_expr::lit(name.as_str()));
            fields.push(column(name));
        }
        if rest.is_empty() {
            let plan = LogicalPlanBuilder::from(side.plan.clone()).aggregate(group, Vec::<DfExpr>::new())?.build()?;
            return Ok(Prepared { plan, ..side });
        }
        let row = datafusion::functions::expr_fn::named_struct(fields);
        let aggregate = first_value(row, vec![]).alias(&packed);
        let grouped = LogicalPlanBuilder::from(side.plan.clone()).aggregate(group, vec![aggregate])?.build()?;
        let mut list: Vec<DfExpr> = group_keys.iter().map(|name| column(name).alias(name)).collect();
        for name in &rest {
            list.push(datafusion::functions::expr_fn::get_field(column(&packed), name.as_str()).alias(name));
        }
        let plan = LogicalPlanBuilder::from(grouped).project(list)?.build()?;
        Ok(Prepared { plan, ..side })
    }
}
