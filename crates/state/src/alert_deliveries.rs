//! Notices of alerts and the queue of deliveries that is made of them: each is written with the change that it belongs
//! to, so that a server that ends at any moment loses none.

use serde_json::Value;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::batch::{self, row};
use crate::{Changes, State, StateError, documents};

/// An alert that fired, was resolved or closed, and of which nobody has been told.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertNotice {
    /// Sorts by time.
    pub id: String,
    pub alert_id: String,
    pub created_at: i64,
    pub document: Value,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeliveryStatus {
    #[default]
    Waiting = 0,
    Delivered = 1,
    /// Given up; can be replayed.
    Dead = 2,
}

/// One receiver is told of one event. Times are microseconds since 1970, 0 for never.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlertDelivery {
    pub id: String,
    /// Of a lane the oldest goes first.
    pub lane: String,
    /// Where it goes; what rests and is limited together.
    pub endpoint: String,
    pub alert_id: String,
    pub status: DeliveryStatus,
    pub attempts: u32,
    pub created_at: i64,
    pub next_at: i64,
    pub finished_at: i64,
    pub document: Value,
}

/// Which deliveries are asked for; all conditions hold.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    pub status: Option<DeliveryStatus>,
    pub alert_id: Option<String>,
    pub endpoint: Option<String>,
    /// At most so many, the newest first.
    pub limit: u32,
}

const COLUMNS: &str = "SELECT delivery_id, lane, endpoint, alert_id, status, attempts, created_at, next_at, \
                       finished_at, document FROM alert_deliveries d";

impl State {
    /// The newest first.
    pub async fn alert_deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<AlertDelivery>, StateError> {
        let mut conditions = Vec::new();
        let mut texts = Vec::new();
        if let Some(status) = filter.status {
            conditions.push(format!("status = {}", status as i64));
        }
        for (column, value) in [("alert_id", &filter.alert_id), ("endpoint", &filter.endpoint)] {
            if let Some(value) = value {
                texts.push(value);
                conditions.push(format!("{column} = ${}", texts.len()));
            }
        }
        let mut sql = COLUMNS.to_owned();
        if !conditions.is_empty() {
            sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        sql.push_str(&format!(" ORDER BY created_at DESC, delivery_id DESC LIMIT {}", filter.limit));
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for text in texts {
            query = query.bind(text);
        }
        query.fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    pub async fn alert_delivery(&self, id: &str) -> Result<Option<AlertDelivery>, StateError> {
        let sql = format!("{COLUMNS} WHERE delivery_id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(read).transpose()
    }

    /// When the next delivery that waits is due, or a notice waits (then 0).
    pub async fn next_alert_delivery(&self) -> Result<Option<i64>, StateError> {
        if sqlx::query("SELECT 1 FROM alert_notices LIMIT 1").fetch_optional(&self.pool).await?.is_some() {
            return Ok(Some(0));
        }
        let sql = "SELECT MIN(next_at) FROM alert_deliveries WHERE status = 0";
        Ok(sqlx::query(sql).fetch_one(&self.pool).await?.try_get(0)?)
    }

    /// How many deliveries an endpoint has had since a time, and when the first of them was.
    pub async fn delivered_since(&self, endpoint: &str, since: i64) -> Result<(i64, i64), StateError> {
        let sql = "SELECT COUNT(*), COALESCE(MIN(finished_at), 0) FROM alert_deliveries \
                   WHERE endpoint = $1 AND finished_at > $2 AND status = 1";
        let row = sqlx::query(sql).bind(endpoint).bind(since).fetch_one(&self.pool).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// What a server that ended had in hand is free again.
    pub async fn release_alert_deliveries(&self, server_id: &str) -> Result<(), StateError> {
        let sql = "UPDATE alert_deliveries SET claimed_until = 0 WHERE claimed_by = $1 AND status = 0";
        sqlx::query(sql).bind(server_id).execute(&self.writer).await?;
        Ok(())
    }

    /// A delivery is in a server's hand until a later time, if it still is in its hand.
    pub async fn hold_alert_delivery(&self, server_id: &str, id: &str, until: i64) -> Result<(), StateError> {
        let sql = "UPDATE alert_deliveries SET claimed_until = $1 \
                   WHERE delivery_id = $2 AND claimed_by = $3 AND status = 0";
        sqlx::query(sql).bind(until).bind(id).bind(server_id).execute(&self.writer).await?;
        Ok(())
    }

    /// Removes deliveries that were made before a time, and dead ones of before another.
    pub async fn groom_alert_deliveries(&self, delivered_before: i64, dead_before: i64) -> Result<u64, StateError> {
        let sql = "DELETE FROM alert_deliveries WHERE (status = 1 AND finished_at < $1) OR \
                   (status = 2 AND finished_at < $2)";
        let done = sqlx::query(sql).bind(delivered_before).bind(dead_before).execute(&self.writer).await?;
        Ok(done.rows_affected())
    }
}

impl Changes {
    pub async fn add_alert_notices(&mut self, notices: &[AlertNotice]) -> Result<(), StateError> {
        let rows = notices
            .iter()
            .map(|notice| {
                let document = documents::write("the notice of an alert", &notice.document)?;
                Ok(row![&notice.id, &notice.alert_id, notice.created_at, document])
            })
            .collect::<Result<Vec<_>, StateError>>()?;
        let head = "INSERT INTO alert_notices (notice_id, alert_id, created_at, document)";
        batch::execute(self.connection(), head, "", &rows).await?;
        Ok(())
    }

    /// The oldest notices; they are gone with the commit.
    pub async fn take_alert_notices(&mut self, limit: u32) -> Result<Vec<AlertNotice>, StateError> {
        let sql = format!(
            "DELETE FROM alert_notices WHERE notice_id IN (SELECT notice_id FROM alert_notices \
             ORDER BY created_at, notice_id LIMIT {limit}) RETURNING notice_id, alert_id, created_at, document"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(self.connection()).await?;
        let mut notices = rows
            .iter()
            .map(|row| {
                Ok(AlertNotice {
                    id: row.try_get(0)?,
                    alert_id: row.try_get(1)?,
                    created_at: row.try_get(2)?,
                    document: documents::read("the notice of an alert", row, 3)?,
                })
            })
            .collect::<Result<Vec<_>, StateError>>()?;
        notices.sort_by(|left, right| (left.created_at, &left.id).cmp(&(right.created_at, &right.id)));
        Ok(notices)
    }

    /// Writes deliveries, new or changed. One that was claimed is free again.
    pub async fn put_alert_deliveries(&mut self, deliveries: &[AlertDelivery]) -> Result<(), StateError> {
        let rows = deliveries
            .iter()
            .map(|delivery| {
                let document = documents::write("the delivery of an alert", &delivery.document)?;
                Ok(row![
                    &delivery.id,
                    &delivery.lane,
                    &delivery.endpoint,
                    &delivery.alert_id,
                    delivery.status as i64,
                    i64::from(delivery.attempts),
                    delivery.created_at,
                    delivery.next_at,
                    delivery.finished_at,
                    "",
                    0_i64,
                    document,
                ])
            })
            .collect::<Result<Vec<_>, StateError>>()?;
        batch::execute(
            self.connection(),
            "INSERT INTO alert_deliveries (delivery_id, lane, endpoint, alert_id, status, attempts, created_at, \
             next_at, finished_at, claimed_by, claimed_until, document)",
            "ON CONFLICT (delivery_id) DO UPDATE SET status = excluded.status, attempts = excluded.attempts, \
             next_at = excluded.next_at, finished_at = excluded.finished_at, claimed_by = excluded.claimed_by, \
             claimed_until = excluded.claimed_until, document = excluded.document",
            &rows,
        )
        .await?;
        Ok(())
    }

    /// Takes deliveries that are due for a server until a time: none whose lane has an older one that waits, none to an
    /// endpoint that rests.
    pub async fn claim_alert_deliveries(
        &mut self,
        server_id: &str,
        now: i64,
        until: i64,
        limit: u32,
    ) -> Result<Vec<AlertDelivery>, StateError> {
        let sql = format!(
            "{COLUMNS} WHERE d.status = 0 AND d.next_at <= $1 AND d.claimed_until <= $1 \
             AND NOT EXISTS (SELECT 1 FROM alert_deliveries o WHERE o.lane = d.lane AND o.status = 0 \
             AND (o.created_at < d.created_at OR (o.created_at = d.created_at AND o.delivery_id < d.delivery_id))) \
             AND NOT EXISTS (SELECT 1 FROM alert_endpoints e WHERE e.endpoint = d.endpoint AND e.resting_until > $1) \
             ORDER BY d.next_at, d.delivery_id LIMIT {limit}"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now).fetch_all(self.connection()).await?;
        let found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        for delivery in &found {
            let sql = "UPDATE alert_deliveries SET claimed_by = $1, claimed_until = $2 WHERE delivery_id = $3";
            sqlx::query(sql).bind(server_id).bind(until).bind(&delivery.id).execute(self.connection()).await?;
        }
        Ok(found)
    }

    /// An endpoint is left alone until a time; 0: no longer.
    pub async fn rest_alert_endpoint(&mut self, endpoint: &str, until: i64) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO alert_endpoints (endpoint, resting_until) VALUES ($1, $2) \
             ON CONFLICT (endpoint) DO UPDATE SET resting_until = excluded.resting_until",
        )
        .bind(endpoint)
        .bind(until)
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

fn read(row: &AnyRow) -> Result<AlertDelivery, StateError> {
    Ok(AlertDelivery {
        id: row.try_get(0)?,
        lane: row.try_get(1)?,
        endpoint: row.try_get(2)?,
        alert_id: row.try_get(3)?,
        status: match row.try_get::<i64, _>(4)? {
            0 => DeliveryStatus::Waiting,
            1 => DeliveryStatus::Delivered,
            _ => DeliveryStatus::Dead,
        },
        attempts: u32::try_from(row.try_get::<i64, _>(5)?).unwrap_or_default(),
        created_at: row.try_get(6)?,
        next_at: row.try_get(7)?,
        finished_at: row.try_get(8)?,
        document: documents::read("the delivery of an alert", row, 9)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stores;

    fn delivery(id: &str, lane: &str, created_at: i64) -> AlertDelivery {
        AlertDelivery {
            id: id.into(),
            lane: lane.into(),
            endpoint: format!("e-{lane}"),
            alert_id: "a".into(),
            created_at,
            next_at: created_at,
            document: json!({"x": 1}),
            ..AlertDelivery::default()
        }
    }

    async fn claim(state: &State, now: i64) -> Vec<String> {
        let mut changes = state.change().await.unwrap();
        let found = changes.claim_alert_deliveries("s", now, now + 60, 10).await.unwrap();
        changes.commit().await.unwrap();
        found.into_iter().map(|delivery| delivery.id).collect()
    }

    #[tokio::test]
    async fn deliveries_keep_the_order_of_their_lane_and_are_in_one_hand_at_a_time() {
        stores::each(|place| async move {
            let state = place.open().await;
            let mut changes = state.change().await.unwrap();
            let all = [delivery("1", "x", 10), delivery("2", "x", 11), delivery("3", "y", 12)];
            changes.put_alert_deliveries(&all).await.unwrap();
            changes.commit().await.unwrap();
            assert_eq!(claim(&state, 5).await, Vec::<String>::new(), "not yet due");
            assert_eq!(claim(&state, 20).await, ["1", "3"]);
            assert_eq!(claim(&state, 20).await, Vec::<String>::new(), "in hand");
            state.hold_alert_delivery("s", "1", 90).await.unwrap();
            state.hold_alert_delivery("another", "3", 90).await.unwrap();
            assert_eq!(claim(&state, 80).await, ["3"], "the claim of one has ended, the other is held");
            assert_eq!(claim(&state, 90).await, ["1"]);
            state.release_alert_deliveries("s").await.unwrap();
            assert_eq!(claim(&state, 91).await, ["1", "3"], "the server is back");
            let mut changes = state.change().await.unwrap();
            let done =
                AlertDelivery { status: DeliveryStatus::Delivered, finished_at: 92, attempts: 1, ..all[0].clone() };
            changes.put_alert_deliveries(std::slice::from_ref(&done)).await.unwrap();
            changes.rest_alert_endpoint("e-x", 100).await.unwrap();
            changes.commit().await.unwrap();
            assert_eq!(claim(&state, 99).await, Vec::<String>::new(), "the endpoint rests");
            assert_eq!(claim(&state, 100).await, ["2"]);
            assert_eq!(state.alert_delivery("1").await.unwrap(), Some(done));
            assert_eq!(state.delivered_since("e-x", 91).await.unwrap(), (1, 92));
            assert_eq!(state.next_alert_delivery().await.unwrap(), Some(11));
            let waiting =
                DeliveryFilter { status: Some(DeliveryStatus::Waiting), limit: 9, ..DeliveryFilter::default() };
            let ids: Vec<_> = state.alert_deliveries(&waiting).await.unwrap().into_iter().map(|one| one.id).collect();
            assert_eq!(ids, ["3", "2"]);
            assert_eq!(state.groom_alert_deliveries(93, 0).await.unwrap(), 1);
        })
        .await;
    }

    #[tokio::test]
    async fn notices_are_taken_once_in_their_order() {
        stores::each(|place| async move {
            let state = place.open().await;
            let notice = |id: &str, created_at| AlertNotice {
                id: id.into(),
                alert_id: "a".into(),
                created_at,
                document: json!({"event": id}),
            };
            let mut changes = state.change().await.unwrap();
            changes.add_alert_notices(&[notice("b", 2), notice("a", 2), notice("c", 1)]).await.unwrap();
            changes.commit().await.unwrap();
            assert_eq!(state.next_alert_delivery().await.unwrap(), Some(0));
            // given up in the middle: they are still there
            drop(state.change().await.unwrap().take_alert_notices(2).await.unwrap());
            let mut changes = state.change().await.unwrap();
            let first: Vec<_> = changes.take_alert_notices(2).await.unwrap().into_iter().map(|one| one.id).collect();
            changes.commit().await.unwrap();
            assert_eq!(first, ["c", "a"]);
            let mut changes = state.change().await.unwrap();
            assert_eq!(changes.take_alert_notices(2).await.unwrap(), [notice("b", 2)]);
            changes.commit().await.unwrap();
            assert_eq!(state.next_alert_delivery().await.unwrap(), None);
        })
        .await;
    }
}
