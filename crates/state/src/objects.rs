//! Discovered objects, their relationships, who discovered them, and what became of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::batch::{self, row};
use crate::{Changes, State, StateError, documents};

/// An object. Times are microseconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    pub object_id: String,
    /// The full name of its class.
    pub class: String,
    /// The display name.
    pub name: String,
    /// The names of its hosts, outermost last.
    pub path: String,
    /// The agent that manages it; empty: the management servers.
    pub agent_id: String,
    /// By `Class/Property`.
    pub properties: BTreeMap<String, String>,
    pub discovered_at: i64,
    pub modified_at: i64,
}

/// A relationship between two objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relationship {
    pub relationship_id: String,
    /// The full name of its class.
    pub class: String,
    pub source: String,
    pub target: String,
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHistory {
    pub changed_at: i64,
    /// `discovered`, `changed` or `removed`.
    pub change: String,
    /// As it was after the change, or before its removal.
    pub object: Object,
}

/// What a discovery found for an object, all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiscoveryRecord {
    /// Identity of the discovery.
    pub discovery: String,
    /// Identity of the object that it ran for.
    pub target: String,
    /// The agent that sent it.
    pub agent_id: String,
    /// As JSON.
    pub document: String,
    /// When it was first found; records are read in this order.
    pub found_at: i64,
}

const COLUMNS: &str =
    "SELECT object_id, class, name, path, agent_id, discovered_at, modified_at, properties FROM objects";

impl State {
    /// Every object, for a server that starts.
    pub async fn objects(&self) -> Result<Vec<Object>, StateError> {
        sqlx::query(COLUMNS).fetch_all(&self.pool).await?.iter().map(read_object).collect()
    }

    pub async fn object(&self, object_id: &str) -> Result<Option<Object>, StateError> {
        let sql = format!("{COLUMNS} WHERE object_id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(object_id).fetch_optional(&self.pool).await?;
        row.as_ref().map(read_object).transpose()
    }

    /// Every relationship.
    pub async fn relationships(&self) -> Result<Vec<Relationship>, StateError> {
        let sql = "SELECT relationship_id, class, source, target FROM relationships";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(Relationship {
                    relationship_id: row.try_get(0)?,
                    class: row.try_get(1)?,
                    source: row.try_get(2)?,
                    target: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// What all discoveries found, for a server that starts.
    pub async fn discovery_records(&self) -> Result<Vec<DiscoveryRecord>, StateError> {
        let sql = format!("{RECORDS} ORDER BY found_at, discovery, target");
        read_records(&sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?)
    }

    /// The latest change first.
    pub async fn object_history(&self, object_id: &str) -> Result<Vec<ObjectHistory>, StateError> {
        let sql = "SELECT changed_at, change, document FROM object_history WHERE object_id = $1 \
                   ORDER BY changed_at DESC";
        let rows = sqlx::query(sql).bind(object_id).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                let object = documents::read("the object's history", row, 2)?;
                Ok(ObjectHistory { changed_at: row.try_get(0)?, change: row.try_get(1)?, object })
            })
            .collect()
    }
}

impl Changes {
    /// The objects of these identities.
    pub async fn objects(&mut self, ids: &[String]) -> Result<Vec<Object>, StateError> {
        let ids: Vec<_> = ids.iter().map(|id| row![id]).collect();
        let head = format!("{COLUMNS} WHERE object_id IN (");
        batch::fetch(self.connection(), &head, ")", &ids).await?.iter().map(read_object).collect()
    }

    /// Writes objects, new or changed; of two with the same identity the later.
    pub async fn put_objects(&mut self, objects: &[Object]) -> Result<(), StateError> {
        let last: BTreeMap<&str, &Object> = objects.iter().map(|object| (object.object_id.as_str(), object)).collect();
        let rows = last
            .into_values()
            .map(|object| {
                let properties = documents::write("the object's properties", &object.properties)?;
                Ok(row![
                    &object.object_id,
                    &object.class,
                    &object.name,
                    &object.path,
                    &object.agent_id,
                    properties,
                    object.discovered_at,
                    object.modified_at,
                ])
            })
            .collect::<Result<Vec<_>, StateError>>()?;
        batch::execute(
            self.connection(),
            "INSERT INTO objects (object_id, class, name, path, agent_id, properties, discovered_at, modified_at)",
            "ON CONFLICT (object_id) DO UPDATE SET class = excluded.class, name = excluded.name, \
             path = excluded.path, agent_id = excluded.agent_id, properties = excluded.properties, \
             modified_at = excluded.modified_at",
            &rows,
        )
        .await?;
        Ok(())
    }

    /// Removes objects with their states, sources and relationships.
    pub async fn delete_objects(&mut self, ids: &[String]) -> Result<(), StateError> {
        let ids: Vec<_> = ids.iter().map(|id| row![id]).collect();
        for head in [
            "DELETE FROM discovery_sources WHERE item IN (SELECT relationship_id FROM relationships WHERE source IN (",
            "DELETE FROM discovery_sources WHERE item IN (SELECT relationship_id FROM relationships WHERE target IN (",
        ] {
            batch::execute(self.connection(), head, "))", &ids).await?;
        }
        for head in [
            "DELETE FROM discovery_sources WHERE item IN (",
            "DELETE FROM relationships WHERE source IN (",
            "DELETE FROM relationships WHERE target IN (",
            "DELETE FROM monitor_states WHERE object_id IN (",
            "DELETE FROM objects WHERE object_id IN (",
        ] {
            batch::execute(self.connection(), head, ")", &ids).await?;
        }
        Ok(())
    }

    /// Writes relationships; one that is there stays.
    pub async fn put_relationships(&mut self, relationships: &[Relationship]) -> Result<(), StateError> {
        let rows: Vec<_> = relationships
            .iter()
            .map(|relationship| {
                row![&relationship.relationship_id, &relationship.class, &relationship.source, &relationship.target,]
            })
            .collect();
        let head = "INSERT INTO relationships (relationship_id, class, source, target)";
        batch::execute(self.connection(), head, "ON CONFLICT (relationship_id) DO NOTHING", &rows).await?;
        Ok(())
    }

    pub async fn delete_relationships(&mut self, ids: &[String]) -> Result<(), StateError> {
        let ids: Vec<_> = ids.iter().map(|id| row![id]).collect();
        for head in
            ["DELETE FROM discovery_sources WHERE item IN (", "DELETE FROM relationships WHERE relationship_id IN ("]
        {
            batch::execute(self.connection(), head, ")", &ids).await?;
        }
        Ok(())
    }

    /// What a discovery has found: identities of objects and relationships. A source is the discovery and its target.
    pub async fn discovered_by(&mut self, source: &str) -> Result<Vec<String>, StateError> {
        let sql = "SELECT item FROM discovery_sources WHERE source = $1 ORDER BY item";
        let rows = sqlx::query(sql).bind(source).fetch_all(self.connection()).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Notes that a discovery found these items.
    pub async fn add_discovered(&mut self, source: &str, items: &[String]) -> Result<(), StateError> {
        let rows: Vec<_> = items.iter().map(|item| row![item, source]).collect();
        let head = "INSERT INTO discovery_sources (item, source)";
        batch::execute(self.connection(), head, "ON CONFLICT DO NOTHING", &rows).await?;
        Ok(())
    }

    /// Notes that a discovery finds these items no more, and gives those that no other discovery finds either.
    pub async fn remove_discovered(&mut self, source: &str, items: &[String]) -> Result<Vec<String>, StateError> {
        let pairs: Vec<_> = items.iter().map(|item| row![item, source]).collect();
        let head = "DELETE FROM discovery_sources WHERE (item, source) IN (";
        batch::execute(self.connection(), head, ")", &pairs).await?;
        let keys: Vec<_> = items.iter().map(|item| row![item]).collect();
        let head = "SELECT DISTINCT item FROM discovery_sources WHERE item IN (";
        let still = batch::fetch(self.connection(), head, ")", &keys).await?;
        let still: std::collections::HashSet<String> =
            still.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        Ok(items.iter().filter(|item| !still.contains(*item)).cloned().collect())
    }

    /// Writes what discoveries found; the time of the first stays.
    pub async fn put_discovery_records(&mut self, records: &[DiscoveryRecord]) -> Result<(), StateError> {
        let number = self.number();
        let rows: Vec<_> = records
            .iter()
            .map(|each| row![&each.discovery, &each.target, &each.agent_id, &each.document, each.found_at, number])
            .collect();
        let head = "INSERT INTO discovery_data (discovery, target, agent_id, document, found_at, change_number)";
        let tail = "ON CONFLICT (discovery, target) DO UPDATE SET document = excluded.document, \
                    agent_id = excluded.agent_id, change_number = excluded.change_number";
        batch::execute(self.connection(), head, tail, &rows).await?;
        Ok(())
    }

    /// Forgets what discoveries found, by discovery and target.
    pub async fn delete_discovery_records(&mut self, of: &[(String, String)]) -> Result<(), StateError> {
        let rows: Vec<_> = of.iter().map(|(discovery, target)| row![discovery, target]).collect();
        let head = "DELETE FROM discovery_data WHERE (discovery, target) IN (";
        batch::execute(self.connection(), head, ")", &rows).await?;
        self.note_gone(of).await
    }

    pub async fn add_object_history(&mut self, entries: &[ObjectHistory]) -> Result<(), StateError> {
        let rows = entries
            .iter()
            .map(|entry| {
                let document = documents::write("the object's history", &entry.object)?;
                Ok(row![&entry.object.object_id, entry.changed_at, &entry.change, document])
            })
            .collect::<Result<Vec<_>, StateError>>()?;
        let head = "INSERT INTO object_history (object_id, changed_at, change, document)";
        batch::execute(self.connection(), head, "", &rows).await?;
        Ok(())
    }
}

const RECORDS: &str = "SELECT discovery, target, agent_id, document, found_at FROM discovery_data";

/// What discoveries found that was written after a change.
pub(crate) async fn records_since(
    connection: &mut AnyConnection,
    since: i64,
) -> Result<Vec<DiscoveryRecord>, StateError> {
    let sql = format!("{RECORDS} WHERE change_number > $1 ORDER BY found_at, discovery, target");
    read_records(&sqlx::query(sqlx::AssertSqlSafe(sql)).bind(since).fetch_all(connection).await?)
}

fn read_records(rows: &[AnyRow]) -> Result<Vec<DiscoveryRecord>, StateError> {
    rows.iter()
        .map(|row| {
            Ok(DiscoveryRecord {
                discovery: row.try_get(0)?,
                target: row.try_get(1)?,
                agent_id: row.try_get(2)?,
                document: row.try_get(3)?,
                found_at: row.try_get(4)?,
            })
        })
        .collect()
}

fn read_object(row: &AnyRow) -> Result<Object, StateError> {
    Ok(Object {
        object_id: row.try_get(0)?,
        class: row.try_get(1)?,
        name: row.try_get(2)?,
        path: row.try_get(3)?,
        agent_id: row.try_get(4)?,
        discovered_at: row.try_get(5)?,
        modified_at: row.try_get(6)?,
        properties: documents::read("the object's properties", row, 7)?,
    })
}
