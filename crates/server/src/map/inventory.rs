//! What machines and processes are: the newest row of each, kept in memory. They report themselves once an hour, so a map
//! of the present reads only the rows that came since the last one.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_map::{Computer, ProcessRow, Time, Window};
use watchkeeper_model::civil;
use watchkeeper_query::{QueryError, ResultTable};

use super::{ARRIVING, COMPUTERS, INVENTORY_BEFORE, Kept, PROCESSES, ask, ask_as, now, read};
use crate::queries::{Origin, Queries};

/// So far back rows are kept: the maps of a day need them.
const REACH: i64 = 24 * 60 * Time::MINUTE + INVENTORY_BEFORE;
/// A window that ends so long before now, or later, is one of the present.
const PRESENT: i64 = 6 * Time::MINUTE;
/// More rows are not kept: some 500 bytes each.
const MOST_ROWS: usize = 500_000;

/// A row of which the newest counts.
pub(super) trait Described: Send + Sync + Sized + 'static {
    const TABLE: &'static str;
    /// Gives the newest row of each.
    const QUERY: &'static str;

    fn read(tables: &[ResultTable]) -> Result<Vec<Self>, QueryError>;
    fn key(&self) -> (String, String);
    fn seen(&self) -> Time;
    fn kept(kept: &Kept) -> &Arc<Mutex<Inventory<Self>>>;
}

impl Described for Computer {
    const TABLE: &'static str = "VMComputer";
    const QUERY: &'static str = COMPUTERS;

    fn read(tables: &[ResultTable]) -> Result<Vec<Computer>, QueryError> {
        read::computers(tables)
    }
    fn key(&self) -> (String, String) {
        (self.machine.clone(), String::new())
    }
    fn seen(&self) -> Time {
        self.seen
    }
    fn kept(kept: &Kept) -> &Arc<Mutex<Inventory<Computer>>> {
        &kept.computers
    }
}

impl Described for ProcessRow {
    const TABLE: &'static str = "VMProcess";
    const QUERY: &'static str = PROCESSES;

    fn read(tables: &[ResultTable]) -> Result<Vec<ProcessRow>, QueryError> {
        read::processes(tables)
    }
    fn key(&self) -> (String, String) {
        (self.machine.clone(), self.process.clone())
    }
    fn seen(&self) -> Time {
        self.seen
    }
    fn kept(kept: &Kept) -> &Arc<Mutex<Inventory<ProcessRow>>> {
        &kept.processes
    }
}

/// The newest rows, and since when and until when they are all that there are.
pub(super) struct Inventory<R> {
    rows: HashMap<(String, String), Arc<R>>,
    /// All rows of this time and later are known, of those that had come until the other.
    whole: Option<(Time, Time)>,
}

impl<R> Default for Inventory<R> {
    fn default() -> Inventory<R> {
        Inventory { rows: HashMap::new(), whole: None }
    }
}

impl<R: Described> Inventory<R> {
    /// Takes rows that had come until an instant. A row from a clock that is ahead would hide those that come after it.
    fn take(&mut self, rows: Vec<R>, from: Time, now: Time) {
        for row in rows.into_iter().filter(|row| row.seen().0 < now.0 + PRESENT) {
            match self.rows.get_mut(&row.key()) {
                Some(known) if known.seen() > row.seen() => {}
                Some(known) => *known = Arc::new(row),
                None => {
                    self.rows.insert(row.key(), Arc::new(row));
                }
            }
        }
        let oldest = Time(now.0 - REACH);
        self.rows.retain(|_, row| row.seen() >= oldest);
        self.whole = Some((from.max(oldest), now));
        if self.rows.len() > MOST_ROWS {
            *self = Inventory::default();
        }
    }

    /// The newest rows of a window of the present; none where those of its beginning are not known.
    fn within(&self, window: Window) -> Option<Vec<Arc<R>>> {
        let (from, _) = self.whole?;
        let within = |row: &&Arc<R>| row.seen() >= window.from && row.seen().0 < window.to.0 + PRESENT;
        (from <= window.from).then(|| self.rows.values().filter(within).cloned().collect())
    }
}

/// The newest row of each machine or process in a window.
pub(super) async fn rows<R: Described>(
    queries: &Queries,
    window: Window,
    origin: &Origin,
) -> Result<Vec<Arc<R>>, QueryError> {
    let (now, kept) = (now(), R::kept(queries.kept()));
    let known = |from: Time| kept.lock().whole.filter(|(since, _)| *since <= from);
    if window.to.0 + PRESENT >= now.0
        && let Some((from, until)) = known(window.from)
    {
        catch_up::<R>(queries, from, until, now, origin).await?;
        let kept = Arc::clone(kept);
        let rows = tokio::task::spawn_blocking(move || kept.lock().within(window)).await;
        if let Some(rows) =
            rows.map_err(|error| QueryError::execution(format!("the inventory was not read: {error}")))?
        {
            return Ok(rows);
        }
    }
    Ok(R::read(&ask(queries, R::TABLE, R::QUERY, window, origin).await?)?.into_iter().map(Arc::new).collect())
}

/// Reads what came since an instant.
async fn catch_up<R: Described>(
    queries: &Queries,
    from: Time,
    until: Time,
    now: Time,
    origin: &Origin,
) -> Result<(), QueryError> {
    let came = format!("{} | where _IngestionTime >= datetime({})", R::TABLE, civil::format_time(until.0 - ARRIVING));
    let text = R::QUERY.replacen(R::TABLE, &came, 1);
    let window = Window { from: Time(now.0 - REACH), to: Time(now.0 + PRESENT) };
    let rows = R::read(&ask_as(true, queries, R::TABLE, &text, window, origin).await?)?;
    R::kept(queries.kept()).lock().take(rows, from, now);
    Ok(())
}

/// Reads what is not known yet of the last day.
pub(super) async fn keep_at_hand(queries: &Queries, now: Time, origin: &Origin) -> Result<(), QueryError> {
    refresh::<Computer>(queries, now, origin).await?;
    refresh::<ProcessRow>(queries, now, origin).await
}

async fn refresh<R: Described>(queries: &Queries, now: Time, origin: &Origin) -> Result<(), QueryError> {
    if queries.tables().schema(&TableSource::Local, R::TABLE).is_none() {
        return Ok(());
    }
    let whole = R::kept(queries.kept()).lock().whole;
    if let Some((from, until)) = whole {
        return catch_up::<R>(queries, from, until, now, origin).await;
    }
    let from = Time(now.0 - REACH);
    let window = Window { from, to: Time(now.0 + PRESENT) };
    let rows = R::read(&ask(queries, R::TABLE, R::QUERY, window, origin).await?)?;
    R::kept(queries.kept()).lock().take(rows, from, now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(100 * REACH);

    fn process(name: &str, minutes_ago: i64, path: &str) -> ProcessRow {
        ProcessRow {
            machine: "m".into(),
            process: name.into(),
            path: path.into(),
            seen: Time(NOW.0 - minutes_ago * Time::MINUTE),
            ..ProcessRow::default()
        }
    }

    fn last(minutes: i64) -> Window {
        Window { from: Time(NOW.0 - minutes * Time::MINUTE), to: NOW }
    }

    #[test]
    fn the_newest_row_of_each_is_known_in_windows_that_reach_back_no_further() {
        let mut inventory: Inventory<ProcessRow> = Inventory::default();
        assert_eq!(inventory.within(last(60)), None, "nothing was read yet");
        let rows =
            vec![process("a", 30, "new"), process("b", 90, "b"), process("ahead", -60, "x"), process("old", 2000, "x")];
        inventory.take(rows, Time(NOW.0 - REACH), NOW);
        inventory.take(vec![process("a", 50, "came late")], Time(NOW.0 - REACH), NOW);
        let names = |window| {
            let mut found: Vec<String> =
                inventory.within(window).unwrap().into_iter().map(|row| row.path.clone()).collect();
            found.sort();
            found
        };
        assert_eq!(names(last(60)), ["new"]);
        assert_eq!(names(last(120)), ["b", "new"]);
        assert_eq!(inventory.within(last(3 * REACH / Time::MINUTE)), None, "so far back nothing is kept");
    }
}
