//! Where people put boxes of the map: an arrangement for each person and view, and one of everybody for each view.

use std::collections::BTreeMap;

use sqlx::{Any, Row, Transaction};

use crate::{State, StateError, now};

/// Whose arrangement is everybody's.
const EVERYBODY: &str = "";

/// The left upper corner of a box, in units of the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    pub x: i64,
    pub y: i64,
}

/// Which arrangement is meant: of a workspace, a subject and a view.
#[derive(Debug, Clone, Copy)]
pub struct ArrangementOf<'a> {
    pub workspace_id: &'a str,
    pub subject: &'a str,
    /// As the console names what it shows.
    pub view: &'a str,
}

/// What a person sees in a view: their own pins, or everybody's where they have no arrangement of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrangement {
    /// The person has an arrangement of their own.
    pub own: bool,
    /// There is one of everybody.
    pub shared: bool,
    pub pins: BTreeMap<String, Pin>,
}

impl State {
    /// What a person sees.
    pub async fn map_arrangement(&self, of: ArrangementOf<'_>) -> Result<Arrangement, StateError> {
        let rows = sqlx::query(
            "SELECT owner FROM map_arrangements WHERE workspace_id = $1 AND view = $2 AND (owner = $3 OR owner = '')",
        )
        .bind(of.workspace_id)
        .bind(of.view)
        .bind(of.subject)
        .fetch_all(&self.pool)
        .await?;
        let owners: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let own = owners.iter().any(|owner| owner == of.subject);
        let shared = owners.iter().any(|owner| owner == EVERYBODY);
        let rows = sqlx::query(
            "SELECT box, x, y FROM map_pins WHERE workspace_id = $1 AND owner = $2 AND view = $3 ORDER BY box",
        )
        .bind(of.workspace_id)
        .bind(if own { of.subject } else { EVERYBODY })
        .bind(of.view)
        .fetch_all(&self.pool)
        .await?;
        let pins = rows.iter().map(|row| Ok((row.try_get(0)?, Pin { x: row.try_get(1)?, y: row.try_get(2)? })));
        Ok(Arrangement { own, shared, pins: pins.collect::<Result<_, StateError>>()? })
    }

    /// Pins boxes, and lets go those without a place. The first change makes everybody's arrangement the person's own.
    pub async fn change_map_pins(
        &self,
        of: ArrangementOf<'_>,
        pins: &BTreeMap<String, Option<Pin>>,
    ) -> Result<(), StateError> {
        let mut transaction = self.writer.begin().await?;
        if put_arrangement(&mut transaction, of).await? {
            copy(&mut transaction, of, EVERYBODY, of.subject).await?;
        }
        for (name, pin) in pins {
            let query = match pin {
                None => "DELETE FROM map_pins WHERE workspace_id = $1 AND owner = $2 AND view = $3 AND box = $4",
                Some(_) => {
                    "INSERT INTO map_pins (workspace_id, owner, view, box, x, y) VALUES ($1, $2, $3, $4, $5, $6) \
                     ON CONFLICT (workspace_id, owner, view, box) DO UPDATE SET x = excluded.x, y = excluded.y"
                }
            };
            let query = sqlx::query(query).bind(of.workspace_id).bind(of.subject).bind(of.view).bind(name);
            let query = match pin {
                None => query,
                Some(pin) => query.bind(pin.x).bind(pin.y),
            };
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Removes a person's arrangement: they see everybody's again, where there is one. False where there was none.
    pub async fn delete_map_arrangement(&self, of: ArrangementOf<'_>) -> Result<bool, StateError> {
        let mut transaction = self.writer.begin().await?;
        let removed = remove(&mut transaction, of).await?;
        transaction.commit().await?;
        Ok(removed)
    }

    /// A person's arrangement becomes everybody's in place of the one that was; the person follows it from now on.
    /// False where the person has none.
    pub async fn share_map_arrangement(&self, of: ArrangementOf<'_>) -> Result<bool, StateError> {
        let everybody = ArrangementOf { subject: EVERYBODY, ..of };
        let mut transaction = self.writer.begin().await?;
        let known = sqlx::query(
            "UPDATE map_arrangements SET updated_at = $1 WHERE workspace_id = $2 AND owner = $3 AND view = $4",
        )
        .bind(now())
        .bind(of.workspace_id)
        .bind(of.subject)
        .bind(of.view)
        .execute(&mut *transaction)
        .await?;
        if known.rows_affected() == 0 {
            return Ok(false);
        }
        remove(&mut transaction, everybody).await?;
        put_arrangement(&mut transaction, everybody).await?;
        copy(&mut transaction, of, of.subject, EVERYBODY).await?;
        remove(&mut transaction, of).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Removes everybody's arrangement; those who followed it see the map without pins. False where there was none.
    pub async fn unshare_map_arrangement(&self, workspace_id: &str, view: &str) -> Result<bool, StateError> {
        self.delete_map_arrangement(ArrangementOf { workspace_id, subject: EVERYBODY, view }).await
    }

    /// How many boxes a subject has pinned in a workspace, in all views.
    pub async fn count_map_pins(&self, workspace_id: &str, subject: &str) -> Result<i64, StateError> {
        let row = sqlx::query("SELECT COUNT(*) FROM map_pins WHERE workspace_id = $1 AND owner = $2")
            .bind(workspace_id)
            .bind(subject)
            .fetch_one(&self.pool)
            .await?;
        Ok(row.try_get(0)?)
    }
}

/// True where there was none before.
async fn put_arrangement(transaction: &mut Transaction<'_, Any>, of: ArrangementOf<'_>) -> Result<bool, StateError> {
    let made = sqlx::query(
        "INSERT INTO map_arrangements (workspace_id, owner, view, updated_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (workspace_id, owner, view) DO NOTHING",
    )
    .bind(of.workspace_id)
    .bind(of.subject)
    .bind(of.view)
    .bind(now())
    .execute(&mut **transaction)
    .await?;
    Ok(made.rows_affected() > 0)
}

async fn copy(
    transaction: &mut Transaction<'_, Any>,
    of: ArrangementOf<'_>,
    from: &str,
    to: &str,
) -> Result<(), StateError> {
    sqlx::query(
        "INSERT INTO map_pins (workspace_id, owner, view, box, x, y) \
         SELECT workspace_id, $1, view, box, x, y FROM map_pins WHERE workspace_id = $2 AND owner = $3 AND view = $4",
    )
    .bind(to)
    .bind(of.workspace_id)
    .bind(from)
    .bind(of.view)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn remove(transaction: &mut Transaction<'_, Any>, of: ArrangementOf<'_>) -> Result<bool, StateError> {
    // its pins go with it
    let done = sqlx::query("DELETE FROM map_arrangements WHERE workspace_id = $1 AND owner = $2 AND view = $3")
        .bind(of.workspace_id)
        .bind(of.subject)
        .bind(of.view)
        .execute(&mut **transaction)
        .await?;
    Ok(done.rows_affected() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    fn changes(list: &[(&str, Option<(i64, i64)>)]) -> BTreeMap<String, Option<Pin>> {
        list.iter().map(|(name, at)| ((*name).to_owned(), at.map(|(x, y)| Pin { x, y }))).collect()
    }

    fn pins(list: &[(&str, (i64, i64))]) -> BTreeMap<String, Pin> {
        list.iter().map(|(name, (x, y))| ((*name).to_owned(), Pin { x: *x, y: *y })).collect()
    }

    #[tokio::test]
    async fn pins_are_a_persons_own_until_they_are_shared_and_then_everybodys() {
        stores::each(|place| async move {
            let state = place.open().await;
            let workspace = state.create_workspace("default").await.unwrap();
            let of = |subject| ArrangementOf { workspace_id: &workspace.id, subject, view: "workspace" };
            let (ada, bob) = (of("ada"), of("bob"));
            assert_eq!(state.map_arrangement(ada).await.unwrap(), Arrangement::default());
            assert!(!state.share_map_arrangement(ada).await.unwrap());

            state.change_map_pins(ada, &changes(&[("web", Some((1, -2))), ("db", Some((3, 4)))])).await.unwrap();
            state.change_map_pins(ada, &changes(&[("web", Some((5, 6))), ("db", None), ("no", None)])).await.unwrap();
            let own = state.map_arrangement(ada).await.unwrap();
            assert_eq!(own, Arrangement { own: true, shared: false, pins: pins(&[("web", (5, 6))]) });
            assert_eq!(state.map_arrangement(bob).await.unwrap(), Arrangement::default());
            assert_eq!(
                state.map_arrangement(ArrangementOf { view: "focus.web", ..ada }).await.unwrap(),
                Arrangement::default()
            );

            // everybody follows what is shared, the one who shared it too
            assert!(state.share_map_arrangement(ada).await.unwrap());
            let shared = Arrangement { own: false, shared: true, pins: pins(&[("web", (5, 6))]) };
            assert_eq!(state.map_arrangement(ada).await.unwrap(), shared);
            assert_eq!(state.map_arrangement(bob).await.unwrap(), shared);

            // the first change of one's own begins with what was seen, and nobody else sees it
            state.change_map_pins(bob, &changes(&[("db", Some((7, 8)))])).await.unwrap();
            let own = state.map_arrangement(bob).await.unwrap();
            assert_eq!(own.pins, pins(&[("db", (7, 8)), ("web", (5, 6))]));
            state.change_map_pins(bob, &changes(&[("db", None), ("web", None)])).await.unwrap();
            let own = state.map_arrangement(bob).await.unwrap();
            assert_eq!(own, Arrangement { own: true, shared: true, pins: BTreeMap::new() });
            assert_eq!(state.map_arrangement(ada).await.unwrap(), shared);
            assert_eq!(state.count_map_pins(&workspace.id, "bob").await.unwrap(), 0);
            assert!(state.delete_map_arrangement(bob).await.unwrap());
            assert!(!state.delete_map_arrangement(bob).await.unwrap());
            assert_eq!(state.map_arrangement(bob).await.unwrap(), shared);

            // another one in its place
            state.change_map_pins(bob, &changes(&[("web", Some((9, 9)))])).await.unwrap();
            assert_eq!(state.count_map_pins(&workspace.id, "bob").await.unwrap(), 1);
            assert!(state.share_map_arrangement(bob).await.unwrap());
            assert_eq!(state.map_arrangement(ada).await.unwrap().pins, pins(&[("web", (9, 9))]));
            assert!(state.unshare_map_arrangement(&workspace.id, "workspace").await.unwrap());
            assert!(!state.unshare_map_arrangement(&workspace.id, "workspace").await.unwrap());
            assert_eq!(state.map_arrangement(ada).await.unwrap(), Arrangement::default());
        })
        .await;
    }
}
