//! The store as its users see it: rows durable and visible, stored once, flushed, joined, dropped.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use chrono::{Days, NaiveDate};
use common::{START, append, numbers, options, rows_at, schema};
use watchkeeper_kql::{Column, Type};
use watchkeeper_store::io::fault::{FaultIo, Faults};
use watchkeeper_store::{
    Append, AppendError, Bound, Retention, Store, StoreError, StoreOptions, TableSchema, TermIndex,
};

async fn open(options: StoreOptions) -> Arc<Store> {
    let store = Store::open(options).await.unwrap();
    store.ensure_table(schema("T")).await.unwrap();
    store
}

#[tokio::test]
async fn rows_are_visible_at_once_and_after_a_restart_and_after_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    store.append(append("T", 0..10, None)).await.unwrap();
    assert_eq!(numbers(&store, "T"), (0..10).collect::<Vec<_>>());
    drop(store);
    let store = Store::open(options(dir.path())).await.unwrap();
    assert_eq!(numbers(&store, "T"), (0..10).collect::<Vec<_>>());
    let before = store.snapshot("T").unwrap();
    store.flush("T").await.unwrap();
    let after = store.snapshot("T").unwrap();
    assert_eq!((after.hot.len(), after.files.len(), store.unflushed_bytes()), (0, 2, 0));
    assert_eq!((before.hot.len(), before.files.len()), (1, 0), "a snapshot does not change");
    store.append(append("T", 10..15, None)).await.unwrap();
    assert_eq!(numbers(&store, "T"), (0..15).collect::<Vec<_>>());
    drop(store);
    let store = Store::open(options(dir.path())).await.unwrap();
    assert_eq!(numbers(&store, "T"), (0..15).collect::<Vec<_>>());
    store.close().await.unwrap();
    assert!(matches!(store.append(append("T", [1], None)).await, Err(AppendError::Closed)));
    drop(store);
    let store = Store::open(options(dir.path())).await.unwrap();
    assert_eq!(store.unflushed_bytes(), 0);
    assert_eq!(numbers(&store, "T"), (0..15).collect::<Vec<_>>());
}

#[tokio::test]
async fn files_are_sorted_days_with_statistics_and_terms() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    store.append(append("T", 0..100, None)).await.unwrap();
    store.flush("T").await.unwrap();
    drop(store);
    let store = Store::open(options(dir.path())).await.unwrap();
    let snapshot = store.snapshot("T").unwrap();
    let mut files: Vec<_> = snapshot.files.iter().collect();
    files.sort_by_key(|file| file.date);
    let dates: Vec<_> = files.iter().map(|file| file.date.to_string()).collect();
    assert_eq!(dates, ["2026-02-28", "2026-03-01", "2026-03-02"][..dates.len()]);
    for file in files {
        let numbers = &file.statistics.columns["n"];
        assert!(matches!((&numbers.min, &numbers.max), (Some(Bound::Long(a)), Some(Bound::Long(b))) if a <= b));
        let index = TermIndex::open(file.term_index.as_ref().unwrap()).unwrap();
        assert_eq!(index.row_groups_with("message", "NUMBER").unwrap().len(), 1);
        assert_eq!(index.row_groups_with("message", "elsewhere").unwrap().len(), 0);
    }
}

#[tokio::test]
async fn a_batch_sent_twice_is_stored_once_also_after_flush_and_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    let (a, b) = tokio::join!(store.append(append("T", [1], Some("a"))), store.append(append("T", [1], Some("a"))));
    assert_eq!([a.unwrap().duplicate, b.unwrap().duplicate].iter().filter(|duplicate| **duplicate).count(), 1);
    for restart in 0..3 {
        store_twice(&Store::open(options(&dir.path().join("other"))).await.unwrap(), restart).await;
    }
    assert!(store.append(append("T", [1], Some("a"))).await.unwrap().duplicate);
    assert_eq!(numbers(&store, "T"), [1]);
}

async fn store_twice(store: &Store, restart: usize) {
    store.ensure_table(schema("T")).await.unwrap();
    assert_eq!(store.append(append("T", [1], Some("a"))).await.unwrap().duplicate, restart > 0);
    assert!(store.append(append("T", [1], Some("a"))).await.unwrap().duplicate);
    store.close().await.unwrap();
    assert_eq!(numbers(store, "T"), [1]);
}

#[tokio::test]
async fn an_append_to_several_tables_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    store.ensure_table(schema("U")).await.unwrap();
    let both = |other: &str| {
        let tables = [append("T", [1], None), append(other, [2], None)];
        Append { tables: tables.into_iter().flat_map(|append| append.tables).collect(), batch_id: None }
    };
    assert!(matches!(store.append(both("Absent")).await, Err(AppendError::UnknownTable(name)) if name == "Absent"));
    assert!(numbers(&store, "T").is_empty());
    store.append(both("U")).await.unwrap();
    store.flush("T").await.unwrap();
    drop(store);
    let store = Store::open(options(dir.path())).await.unwrap();
    assert_eq!((numbers(&store, "T"), numbers(&store, "U")), (vec![1], vec![2]));
}

#[tokio::test]
async fn columns_are_added_to_hot_rows_log_and_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    store.append(append("T", [1], None)).await.unwrap();
    store.flush("T").await.unwrap();
    store.append(append("T", [2], None)).await.unwrap();
    let columns = vec![Column::new("extra_d", Type::Real), Column::new("extra_s", Type::String)];
    store.add_columns("T", columns).await.unwrap();
    store.append(append("T", [3], None)).await.unwrap();
    drop(store);
    let store = Store::open(options(dir.path())).await.unwrap();
    let snapshot = store.snapshot("T").unwrap();
    assert!(
        snapshot.hot.iter().all(|batch| batch.schema() == snapshot.arrow_schema && batch["extra_s"].null_count() == 0)
    );
    store.flush("T").await.unwrap();
    store.upkeep(NaiveDate::MAX.checked_sub_days(Days::new(1)).unwrap()).await.unwrap();
    assert_eq!(numbers(&store, "T"), [] as [i64; 0], "far in the future retention has dropped everything");
    let wrong = store.add_columns("T", vec![Column::new("extra_d", Type::Long)]).await;
    assert!(matches!(wrong, Err(StoreError::Schema { .. })));
}

#[tokio::test]
async fn small_files_are_joined_while_a_snapshot_keeps_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(StoreOptions { vacuum_grace: std::time::Duration::ZERO, ..options(dir.path()) }).await;
    for n in 0..10 {
        store
            .append(Append { tables: vec![("T".into(), rows_at(&[n], |n| START + n))], batch_id: None })
            .await
            .unwrap();
        store.flush("T").await.unwrap();
    }
    let before = store.snapshot("T").unwrap();
    assert_eq!(before.files.len(), 10);
    let today = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
    store.upkeep(today).await.unwrap();
    assert_eq!(store.snapshot("T").unwrap().files.len(), 1);
    assert_eq!(numbers(&store, "T"), (0..10).collect::<Vec<_>>());
    assert!(before.files.iter().all(|file| file.path.exists()));
    drop(before);
    store.upkeep(today).await.unwrap();
    let left: Vec<_> = std::fs::read_dir(dir.path().join("tables/T/date=2026-03-01")).unwrap().collect();
    assert_eq!(left.len(), 1);
    drop(store);
    let store = Store::open(options(dir.path())).await.unwrap();
    assert_eq!(numbers(&store, "T"), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn days_past_their_retention_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(options(dir.path())).await.unwrap();
    let keep = Retention { interactive_days: 1, total_days: 1 };
    let table = TableSchema { retention: keep, ..schema("T") };
    store.ensure_table(table).await.unwrap();
    store.append(append("T", [1, 2], None)).await.unwrap();
    store.flush("T").await.unwrap();
    store.upkeep(NaiveDate::from_ymd_opt(2026, 3, 2).unwrap()).await.unwrap();
    assert_eq!(numbers(&store, "T"), [1]);
}

#[tokio::test]
async fn a_checkpoint_can_be_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    for n in 0..25 {
        store.append(append("T", [n], None)).await.unwrap();
        store.flush("T").await.unwrap();
    }
    store.upkeep(NaiveDate::from_ymd_opt(2026, 3, 2).unwrap()).await.unwrap();
    let log = dir.path().join("tables/T/_delta_log");
    assert!(log.join("_last_checkpoint").exists());
    store.append(append("T", [25], None)).await.unwrap();
    store.flush("T").await.unwrap();
    drop(store);
    let store = Store::open(options(dir.path())).await.unwrap();
    assert_eq!(numbers(&store, "T"), (0..26).collect::<Vec<_>>());
    let bounds = store.snapshot("T").unwrap();
    assert!(bounds.files.iter().all(|file| file.statistics.columns.contains_key("TimeGenerated")));
}

#[tokio::test]
async fn past_the_limit_senders_are_told_to_wait_until_rows_are_in_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(StoreOptions { max_unflushed_bytes: 4000, ..options(dir.path()) }).await;
    let mut stored = 0;
    let error = loop {
        match store.append(append("T", [stored], None)).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(stored > 0 && matches!(error, AppendError::BackPressure { limit: 4000, .. }), "{stored} {error}");
    assert_eq!(numbers(&store, "T"), (0..stored).collect::<Vec<_>>());
    store.flush_all().await.unwrap();
    store.append(append("T", [stored], None)).await.unwrap();
}

#[tokio::test]
async fn an_append_beyond_the_limit_gets_in_once_what_waits_is_in_files() {
    let dir = tempfile::tempdir().unwrap();
    let background = Some(std::time::Duration::from_millis(1));
    let store = open(StoreOptions { max_unflushed_bytes: 100_000, background, ..options(dir.path()) }).await;
    store.append(append("T", [0], None)).await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while let Err(error) = store.append(append("T", 1..5000, None)).await {
        assert!(matches!(error, AppendError::BackPressure { .. }), "{error}");
        assert!(std::time::Instant::now() < deadline, "the small append in front was never flushed");
        tokio::task::yield_now().await;
    }
    assert_eq!(numbers(&store, "T").len(), 5000);
}

#[tokio::test]
async fn on_a_full_disk_nothing_acknowledged_is_lost_and_appends_go_on_with_space() {
    let dir = tempfile::tempdir().unwrap();
    let io = FaultIo::default();
    let store = open(StoreOptions { io: Arc::new(io.clone()), ..options(dir.path()) }).await;
    store.append(append("T", [1], Some("1"))).await.unwrap();
    for space in [0, 10, 300] {
        io.set_faults(|faults| faults.space = Some(space));
        assert!(matches!(store.append(append("T", [2], Some("2"))).await, Err(AppendError::DiskFull { .. })));
        assert!(store.flush("T").await.unwrap_err().is_disk_full());
        assert_eq!(numbers(&store, "T"), [1]);
    }
    io.set_faults(|faults| faults.space = None);
    assert!(!store.append(append("T", [2], Some("2"))).await.unwrap().duplicate);
    store.flush("T").await.unwrap();
    assert_eq!(numbers(&store, "T"), [1, 2]);
    drop(store);
    let store = Store::open(options(dir.path())).await.unwrap();
    assert_eq!(numbers(&store, "T"), [1, 2]);
}

#[tokio::test]
async fn a_failed_sync_acknowledges_nothing_and_the_next_append_does_not_trust_the_segment() {
    let dir = tempfile::tempdir().unwrap();
    let io = FaultIo::new(Faults::default());
    let store = open(StoreOptions { io: Arc::new(io.clone()), ..options(dir.path()) }).await;
    store.append(append("T", [1], Some("1"))).await.unwrap();
    let next = io.syncs() + 1;
    io.set_faults(|faults| faults.failing_syncs = vec![next]);
    assert!(matches!(store.append(append("T", [2], Some("2"))).await, Err(AppendError::Io { .. })));
    assert_eq!(numbers(&store, "T"), [1]);
    assert!(!store.append(append("T", [2], Some("2"))).await.unwrap().duplicate);
    store.append(append("T", [3], Some("3"))).await.unwrap();
    drop(store);
    io.lose_unsynced(|_| 0).unwrap();
    let store = Store::open(options(dir.path())).await.unwrap();
    assert_eq!(numbers(&store, "T"), [1, 2, 3]);
}

fn segments(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir.join("wal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[tokio::test]
async fn a_torn_tail_is_cut_off_and_damage_before_it_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    let mut ends = Vec::new();
    for n in 0..4 {
        store.append(append("T", [n], None)).await.unwrap();
        ends.push(std::fs::metadata(&segments(dir.path())[0]).unwrap().len() as usize);
    }
    drop(store);
    let whole = std::fs::read(&segments(dir.path())[0]).unwrap();
    let check = async |bytes: Vec<u8>| {
        let copy = tempfile::tempdir().unwrap();
        drop(open(options(copy.path())).await);
        let path = segments(copy.path())[0].clone();
        std::fs::write(&path, &bytes).unwrap();
        Store::open(options(copy.path())).await.map(|store| numbers(&store, "T"))
    };
    assert_eq!(check(whole.clone()).await.unwrap(), [0, 1, 2, 3]);
    for cut in [ends[2] + 1, ends[2] + 30, ends[3] - 1] {
        assert_eq!(check(whole[..cut].to_vec()).await.unwrap(), [0, 1, 2], "cut at {cut}");
    }
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 8;
        bytes
    };
    assert_eq!(check(flipped(ends[3] - 5)).await.unwrap(), [0, 1, 2]);
    for at in [9, ends[0] - 5, ends[0] + 1, ends[0] + 5, ends[1] + 40] {
        let error = check(flipped(at)).await.unwrap_err();
        assert!(matches!(error, StoreError::CorruptLog { .. }), "flipped {at}: {error}");
    }
}

#[tokio::test]
async fn a_folder_is_opened_once() {
    let dir = tempfile::tempdir().unwrap();
    let _store = open(options(dir.path())).await;
    assert!(matches!(Store::open(options(dir.path())).await, Err(StoreError::Locked(_))));
}
