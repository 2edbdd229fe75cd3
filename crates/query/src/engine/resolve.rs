//! What has to run before a plan can be made: `toscalar`, `in (relation)`, shared relations, the limits of a series.

use datafusion::common::ScalarValue;
use futures::FutureExt;
use futures::future::BoxFuture;
use watchkeeper_kql::typed::{Expr, ExprKind, Operator, Query, Relation};

use super::run::Session;
use crate::error::QueryError;
use crate::plan::{Planner, Resolved, key};
use crate::runtime::null_of;
use crate::tables::Tables;
use crate::walk;

/// What resolving reads and fills.
struct Resolving<'a> {
    tables: &'a dyn Tables,
    resolved: &'a mut Resolved,
}

impl Session<'_> {
    pub(super) async fn resolve_shared(
        &self,
        query: &Query,
        tables: &dyn Tables,
        resolved: &mut Resolved,
    ) -> Result<(), QueryError> {
        for (at, relation) in query.shared.iter().enumerate() {
            let mut resolving = Resolving { tables, resolved };
            self.resolve(relation, &mut resolving).await?;
            let stored = self.store(relation, tables, resolved).await?;
            resolved.shared.insert(watchkeeper_kql::typed::SharedId(at), stored);
        }
        Ok(())
    }

    /// Runs what must run before `relation` can be planned.
    pub(super) async fn resolve_result(
        &self,
        relation: &Relation,
        tables: &dyn Tables,
        resolved: &mut Resolved,
    ) -> Result<(), QueryError> {
        self.resolve(relation, &mut Resolving { tables, resolved }).await
    }

    fn resolve<'f>(
        &'f self,
        relation: &'f Relation,
        with: &'f mut Resolving<'_>,
    ) -> BoxFuture<'f, Result<(), QueryError>> {
        async move {
            for child in walk::relations(relation) {
                self.resolve(child, with).await?;
            }
            let mut found = Vec::new();
            for expr in walk::expressions(relation) {
                walk::subqueries(expr, &mut found);
            }
            for expr in found {
                self.resolve_subquery(expr, with).await?;
            }
            match &relation.operator {
                Operator::MakeSeries { input, axis, from, to, .. } if from.is_none() || to.is_none() => {
                    let plan = Planner::new(with.tables, self.request, with.resolved).axis_limits(input, axis)?;
                    let batches = self.collect(plan).await?;
                    if let Some(batch) = batches.first() {
                        let limit = |at: usize| ScalarValue::try_from_array(batch.column(at), 0);
                        with.resolved.limits.insert(key(relation), (limit(0)?, limit(1)?));
                    }
                }
                _ => {}
            }
            Ok(())
        }
        .boxed()
    }

    async fn resolve_subquery(&self, expr: &Expr, with: &mut Resolving<'_>) -> Result<(), QueryError> {
        match &expr.kind {
            ExprKind::ToScalar(relation) => {
                self.resolve(relation, with).await?;
                let stored = self.store(relation, with.tables, with.resolved).await?;
                let first = stored.batches.iter().find(|batch| batch.num_rows() > 0);
                let value = match first {
                    Some(batch) => ScalarValue::try_from_array(batch.column(0), 0)?,
                    None => null_of(expr.ty),
                };
                with.resolved.scalars.insert(key(relation.as_ref()), value);
            }
            ExprKind::InRelation { relation, .. } => {
                self.resolve(relation, with).await?;
                let stored = self.store(relation, with.tables, with.resolved).await?;
                let mut values = std::collections::HashSet::new();
                for batch in &stored.batches {
                    for row in 0..batch.num_rows() {
                        values.insert(ScalarValue::try_from_array(batch.column(0), row)?);
                    }
                }
                with.resolved.sets.insert(key(relation.as_ref()), values.into_iter().collect());
            }
            _ => {}
        }
        Ok(())
    }
}
