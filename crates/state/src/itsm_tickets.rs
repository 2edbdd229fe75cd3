//! Work items that were made of alerts: asked for before the product is asked, so that none is made twice.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::{State, StateError};

/// A work item of an alert. Times are microseconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItsmTicket {
    pub connection_id: String,
    /// What names it in the product.
    pub correlation_id: String,
    /// `Incident`, `Event`, `Alert`.
    pub kind: String,
    /// What the product knows it by; empty: it is not known whether it was made.
    pub ticket_key: String,
    pub number: String,
    pub link: String,
    pub is_open: bool,
    /// When the product was last asked to make it, or for `pending`; microseconds since 1970.
    pub attempted_at: i64,
    /// The last delivery that was carried out.
    pub delivery_id: String,
    pub changed_at: i64,
    /// A change without an answer: it may still arrive. Empty: there is none.
    pub pending: String,
}

const COLUMNS: &str = "SELECT connection_id, correlation_id, kind, ticket_key, number, link, is_open, attempted_at, \
                       delivery_id, changed_at, pending FROM itsm_tickets";

impl State {
    /// The work item of a correlation id.
    pub async fn itsm_ticket(
        &self,
        connection_id: &str,
        correlation_id: &str,
    ) -> Result<Option<ItsmTicket>, StateError> {
        let sql = format!("{COLUMNS} WHERE connection_id = $1 AND correlation_id = $2");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(connection_id)
            .bind(correlation_id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Writes what is known of a work item.
    pub async fn put_itsm_ticket(&self, ticket: &ItsmTicket) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO itsm_tickets (connection_id, correlation_id, kind, ticket_key, number, link, is_open, \
             attempted_at, delivery_id, changed_at, pending) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             ON CONFLICT (connection_id, correlation_id) DO UPDATE SET kind = excluded.kind, \
             ticket_key = excluded.ticket_key, number = excluded.number, link = excluded.link, \
             is_open = excluded.is_open, attempted_at = excluded.attempted_at, delivery_id = excluded.delivery_id, \
             changed_at = excluded.changed_at, pending = excluded.pending",
        )
        .bind(&ticket.connection_id)
        .bind(&ticket.correlation_id)
        .bind(&ticket.kind)
        .bind(&ticket.ticket_key)
        .bind(&ticket.number)
        .bind(&ticket.link)
        .bind(i64::from(ticket.is_open))
        .bind(ticket.attempted_at)
        .bind(&ticket.delivery_id)
        .bind(ticket.changed_at)
        .bind(&ticket.pending)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Forgets finished work items that nothing has happened to since a time.
    pub async fn forget_itsm_tickets(&self, connection_id: &str, before: i64) -> Result<(), StateError> {
        let sql = "DELETE FROM itsm_tickets WHERE connection_id = $1 AND is_open = 0 AND changed_at < $2";
        sqlx::query(sql).bind(connection_id).bind(before).execute(&self.writer).await?;
        Ok(())
    }
}

fn read(row: &AnyRow) -> Result<ItsmTicket, StateError> {
    Ok(ItsmTicket {
        connection_id: row.try_get(0)?,
        correlation_id: row.try_get(1)?,
        kind: row.try_get(2)?,
        ticket_key: row.try_get(3)?,
        number: row.try_get(4)?,
        link: row.try_get(5)?,
        is_open: row.try_get::<i64, _>(6)? != 0,
        attempted_at: row.try_get(7)?,
        delivery_id: row.try_get(8)?,
        changed_at: row.try_get(9)?,
        pending: row.try_get(10)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ItsmConnection, stores};

    #[tokio::test]
    async fn a_work_item_is_found_by_its_correlation_id_until_it_is_forgotten() {
        stores::each(|place| async move {
            let state = place.open().await;
            let connection =
                ItsmConnection { connection_id: "c".to_owned(), name: "n".to_owned(), ..ItsmConnection::default() };
            state.add_itsm_connection(&connection, "").await.unwrap();
            let mut ticket = ItsmTicket {
                connection_id: "c".to_owned(),
                correlation_id: "alert".to_owned(),
                is_open: true,
                changed_at: 5,
                ..ItsmTicket::default()
            };
            assert_eq!(state.itsm_ticket("c", "alert").await.unwrap(), None);
            state.put_itsm_ticket(&ticket).await.unwrap();
            (ticket.ticket_key, ticket.number, ticket.pending) =
                ("k".to_owned(), "INC1".to_owned(), "Resolve".to_owned());
            state.put_itsm_ticket(&ticket).await.unwrap();
            assert_eq!(state.itsm_ticket("c", "alert").await.unwrap(), Some(ticket.clone()));
            state.forget_itsm_tickets("c", 6).await.unwrap();
            assert!(state.itsm_ticket("c", "alert").await.unwrap().is_some());
            ticket.is_open = false;
            state.put_itsm_ticket(&ticket).await.unwrap();
            state.forget_itsm_tickets("c", 6).await.unwrap();
            assert_eq!(state.itsm_ticket("c", "alert").await.unwrap(), None);
        })
        .await;
    }
}
