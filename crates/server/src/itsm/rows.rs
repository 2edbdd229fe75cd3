//! Work items as rows of `ServiceDesk_CL`.

use watchkeeper_itsm::{Field, WorkItem, WorkItemKind, fields_of};
use watchkeeper_state::ItsmItem;
use watchkeeper_wire::TableBuilder;
use watchkeeper_wire::proto::Table;

/// The state of an item that was removed in the product.
const GONE: &str = "Deleted";

/// Rows of one connection and kind that are being collected.
pub struct Rows {
    connection: String,
    kind: WorkItemKind,
    now: i64,
    table: TableBuilder,
}

impl Rows {
    pub fn new(connection: &str, kind: WorkItemKind, now: i64) -> Self {
        Self { connection: connection.to_owned(), kind, now, table: TableBuilder::new("ServiceDesk_CL") }
    }

    /// A version of an item, on a computer.
    pub fn item(&mut self, item: &WorkItem, computer: &str) {
        self.row(&item.number, computer);
        self.table.datetime("LastModifiedDate_t", item.changed_at);
        for (field, column) in fields_of(self.kind) {
            if column.ends_with("_t") {
                if let Some(at) = item.dates.get(field) {
                    self.table.datetime(column, *at);
                }
            } else {
                self.table.string(column, item.texts.get(field).map_or("", String::as_str));
            }
        }
    }

    /// The last version of an item that was removed.
    pub fn gone(&mut self, item: &ItsmItem) {
        self.row(&item.number, &item.computer);
        let state = fields_of(self.kind).iter().find(|(field, _)| *field == Field::State).map(|(_, column)| *column);
        self.table.string(state.unwrap_or("IncidentState_s"), GONE).string("Title_s", &item.title);
        self.table.datetime("LastModifiedDate_t", self.now);
    }

    fn row(&mut self, number: &str, computer: &str) {
        self.table
            .row()
            .datetime("TimeGenerated", self.now)
            .string("SourceSystem", "ServiceDesk")
            .string("ServiceDeskConnectionName_s", &self.connection)
            .string("ServiceDeskWorkItemType_s", self.kind.name())
            .string("ServiceDeskId_s", number)
            .string("Computer", computer);
    }

    /// The rows; none where there are none.
    pub fn finish(self) -> Option<Table> {
        (self.table.rows() > 0).then(|| self.table.finish())
    }
}

/// An item as the operational store remembers it.
pub fn stored(item: &WorkItem, computer: String) -> ItsmItem {
    ItsmItem {
        item_key: item.key.clone(),
        number: item.number.clone(),
        title: item.texts.get(&Field::Title).cloned().unwrap_or_default(),
        computer,
        names: serde_json::to_string(&item.computers).unwrap_or_default(),
        version: version(item),
        changed_at: item.changed_at,
        is_open: item.is_open(),
        is_gone: false,
    }
}

/// What tells one version of an item from another.
fn version(item: &WorkItem) -> String {
    // maps in their order: the same item gives the same text
    let text = serde_json::to_string(item).unwrap_or_default();
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use watchkeeper_ingest::STANDARD_TABLES;
    use watchkeeper_itsm::OVER_STATES;

    use super::*;

    #[test]
    fn every_field_has_a_column_and_every_column_a_field() {
        let table = STANDARD_TABLES.iter().find(|table| table.name == "ServiceDesk_CL").unwrap();
        let mut columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        let own = ["ServiceDeskConnectionName_s", "ServiceDeskWorkItemType_s", "ServiceDeskId_s", "LastModifiedDate_t"];
        let mut wanted: Vec<&str> = own.into_iter().chain(["Computer"]).collect();
        wanted.extend(WorkItemKind::ALL.into_iter().flat_map(fields_of).map(|(_, column)| *column));
        columns.sort_unstable();
        wanted.sort_unstable();
        wanted.dedup();
        assert_eq!(columns, wanted);
    }

    /// What the numbers of the map count, and what the lists of the console show.
    #[test]
    fn the_console_means_the_same_states_by_over() {
        let queries = include_str!("../../../../console/src/pages/itsm/queries.ts");
        for state in OVER_STATES {
            assert!(queries.contains(&format!("'{state}'")) || queries.contains(&format!("\"{state}\"")), "{state}");
        }
    }

    #[test]
    fn a_version_changes_with_any_field() {
        let item = WorkItem { key: "k".to_owned(), changed_at: 1, ..WorkItem::default() };
        let mut other = item.clone();
        assert_eq!(version(&item), version(&other));
        other.texts.insert(Field::Title, "t".to_owned());
        assert_ne!(version(&item), version(&other));
    }
}
