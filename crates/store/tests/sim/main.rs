//! Simulation from a seed: appends, flushes and upkeep, the power going at a random file operation with torn and
//! garbled unsynced bytes, failing syncs. After each restart every acknowledged row is there exactly once, and an
//! append that was not acknowledged is there at most once and whole.
//! `WATCHKEEPER_SIM_SEED` repeats a run, `WATCHKEEPER_SIM_RUNS` says how many.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use common::{append, numbers, options, schema};
use rand::{Rng, SeedableRng, rngs::StdRng};
use watchkeeper_store::io::fault::{FaultIo, Faults};
use watchkeeper_store::{Store, StoreOptions};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Acknowledged,
    Unknown,
}

/// What was sent: first number, count, whether it was acknowledged.
#[derive(Default)]
struct Sent {
    batches: BTreeMap<i64, (i64, Fate)>,
    next: i64,
}

impl Sent {
    fn check(&self, seed: u64, found: &[i64]) {
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "seed {seed}: a row is there twice: {found:?}");
        let mut explained = 0;
        for (first, (count, fate)) in &self.batches {
            let there = found.iter().filter(|n| (*first..first + count).contains(n)).count() as i64;
            let whole = there == *count || (there == 0 && *fate == Fate::Unknown);
            assert!(whole, "seed {seed}: batch {first}, {fate:?}: {there} of {count} rows");
            explained += there;
        }
        assert_eq!(explained, found.len() as i64, "seed {seed}: rows that nobody sent");
    }
}

async fn simulate(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut sent = Sent::default();
    for _ in 0..random.random_range(2..5) {
        let io = FaultIo::new(Faults {
            power_cut_at: Some(random.random_range(5..150)),
            failing_syncs: (0..random.random_range(0..3)).map(|_| random.random_range(1..40)).collect(),
            space: None,
        });
        let options = StoreOptions { io: Arc::new(io.clone()), compaction_files: 2, ..options(dir.path()) };
        if let Ok(store) = Store::open(options).await {
            run(&store, &mut sent, &mut random, seed).await;
        }
        io.cut_power();
        io.lose_unsynced(|below| random.random_range(0..below)).unwrap();
        let store = match Store::open(common::options(dir.path())).await {
            Ok(store) => store,
            Err(error) => panic!("seed {seed}: {error}"),
        };
        let found = store.snapshot("T").map(|_| numbers(&store, "T")).unwrap_or_default();
        sent.check(seed, &found);
        // what an unacknowledged batch turned out to be stays so
        sent.batches.retain(|first, _| found.binary_search(first).is_ok());
        sent.batches.values_mut().for_each(|batch| batch.1 = Fate::Acknowledged);
        resend(&store, &sent, &mut random, seed).await;
        if random.random_bool(0.5) {
            store.close().await.unwrap();
            let found = store.snapshot("T").map(|_| numbers(&store, "T")).unwrap_or_default();
            sent.check(seed, &found);
        }
    }
}

/// Sends batches until the power goes.
async fn run(store: &Store, sent: &mut Sent, random: &mut StdRng, seed: u64) {
    if store.ensure_table(schema("T")).await.is_err() {
        return;
    }
    let mut failures = 0;
    while failures < 5 {
        let result = match random.random_range(0..10) {
            0 => store.flush("T").await.map_err(|error| error.to_string()),
            1 => store.upkeep(NaiveDate::from_ymd_opt(2026, 3, 3).unwrap()).await.map_err(|error| error.to_string()),
            _ => {
                let (first, count) = (sent.next, random.random_range(1..5));
                sent.next += count;
                sent.batches.insert(first, (count, Fate::Unknown));
                let id = first.to_string();
                let result = store.append(append("T", first..first + count, Some(&id))).await;
                if result.is_ok() {
                    sent.batches.insert(first, (count, Fate::Acknowledged));
                }
                result.map(drop).map_err(|error| error.to_string())
            }
        };
        failures += u32::from(result.is_err());
        let found = numbers(store, "T");
        sent.check(seed, &found);
    }
}

/// A sender that saw no acknowledgement, or lost it, sends again: nothing is stored twice.
async fn resend(store: &Store, sent: &Sent, random: &mut StdRng, seed: u64) {
    for (first, (count, _)) in &sent.batches {
        if random.random_bool(0.2) {
            let again = store.append(append("T", *first..first + count, Some(&first.to_string()))).await.unwrap();
            assert!(again.duplicate, "seed {seed}: batch {first}");
        }
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn whatever_the_disk_does_acknowledged_rows_are_there_exactly_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let runs = from_environment("WATCHKEEPER_SIM_RUNS").unwrap_or(12);
    let first = from_environment("WATCHKEEPER_SIM_SEED").unwrap_or_else(|| rand::random_range(0..1 << 40));
    println!("WATCHKEEPER_SIM_SEED={first} WATCHKEEPER_SIM_RUNS={runs}");
    for seed in first..first + runs {
        runtime.block_on(simulate(seed));
    }
}
