//! A process that ingests numbered rows is killed with SIGKILL at random moments, again and again on the same
//! folder; afterwards every acknowledged row is there exactly once, and no batch is there in part.
//! `WATCHKEEPER_CRASH_RUNS` says how often (20), `WATCHKEEPER_CRASH_SEED` repeats the moments.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use common::{append, numbers, options, schema};
use rand::{Rng, SeedableRng, rngs::StdRng};
use watchkeeper_store::{Store, StoreOptions};

const FOLDER: &str = "WATCHKEEPER_CRASH_FOLDER";
const FIRST: &str = "WATCHKEEPER_CRASH_FIRST";
/// Batch number b has the rows from b * WIDTH on.
const WIDTH: i64 = 100;

fn rows_of(batch: i64) -> std::ops::Range<i64> {
    batch * WIDTH..batch * WIDTH + batch % 20 + 1
}

/// The process to be killed: appends, flushes and joins files as fast as it can, and prints what is acknowledged.
#[test]
#[ignore = "it is started by the test below"]
fn ingest_until_killed() {
    let folder = std::env::var(FOLDER).expect("the parent test sets it");
    let next = Arc::new(AtomicI64::new(std::env::var(FIRST).unwrap().parse().unwrap()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let options = StoreOptions {
            flush_bytes: 50_000,
            compaction_files: 3,
            vacuum_grace: Duration::ZERO,
            background: Some(Duration::from_secs(3600)),
            ..options(Path::new(&folder))
        };
        let store = Store::open(options).await.unwrap();
        store.ensure_table(schema("T")).await.unwrap();
        let mut senders = Vec::new();
        for sender in 0..4 {
            let (store, next) = (store.clone(), next.clone());
            senders.push(tokio::spawn(async move {
                loop {
                    let batch = next.fetch_add(1, Ordering::Relaxed);
                    let id = batch.to_string();
                    store.append(append("T", rows_of(batch), Some(&id))).await.unwrap();
                    // one write a line, so that lines of the senders do not mix
                    std::io::stdout().write_all(format!("\nacknowledged {batch}\n").as_bytes()).unwrap();
                    if sender == 0 && batch % 8 == 0 {
                        store.flush("T").await.unwrap();
                        store.upkeep(chrono::Utc::now().date_naive()).await.unwrap();
                    }
                }
            }));
        }
        futures::future::join_all(senders).await;
    });
}

/// Starts the process, kills it after a while; returns the batches that it acknowledged.
fn run_and_kill(folder: &Path, first: i64, random: &mut StdRng) -> Vec<i64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ingest_until_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let kill_after = random.random_range(1..300);
    let delay = Duration::from_micros(random.random_range(0..20_000));
    let mut acknowledged = Vec::new();
    let mut killed = false;
    // the lines end when the process is dead
    for line in lines {
        if let Some(batch) = line.unwrap().strip_prefix("acknowledged ").and_then(|batch| batch.parse().ok()) {
            acknowledged.push(batch);
        }
        if !killed && acknowledged.len() >= kill_after {
            // not to wait for anything, but to hit other moments than right after an acknowledgement
            std::thread::sleep(delay);
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the process ended by itself");
    acknowledged
}

#[test]
fn every_acknowledged_row_survives_sigkill_exactly_once() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let runs = number("WATCHKEEPER_CRASH_RUNS").unwrap_or(20);
    let seed = number("WATCHKEEPER_CRASH_SEED").unwrap_or_else(rand::random);
    println!("WATCHKEEPER_CRASH_SEED={seed} WATCHKEEPER_CRASH_RUNS={runs}");
    let mut random = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut acknowledged = Vec::new();
    let mut first = 1;
    for run in 0..runs {
        acknowledged.extend(run_and_kill(dir.path(), first, &mut random));
        let found = runtime.block_on(async {
            let store = Store::open(options(dir.path())).await.unwrap();
            numbers(&store, "T")
        });
        let mut batches: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for n in found {
            batches.entry(n / WIDTH).or_default().push(n);
        }
        for (batch, rows) in &batches {
            assert_eq!(*rows, rows_of(*batch).collect::<Vec<_>>(), "seed {seed}, run {run}, batch {batch}");
        }
        for batch in &acknowledged {
            assert!(batches.contains_key(batch), "seed {seed}, run {run}: batch {batch} was acknowledged and is lost");
        }
        first = batches.keys().last().unwrap() + 1000;
    }
}
