//! Text logs through rotation, with an agent that dies at every step.
#![allow(clippy::unwrap_used)]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use watchkeeper_agent::collect::{Collected, Collector, Origin};
use watchkeeper_agent::config::TextLogConfig;
use watchkeeper_agent::linux::text_logs::TextLog;
use watchkeeper_agent::queue::{Class, Lane, Queue, QueueLimits};
use watchkeeper_wire::proto::Compression;
use watchkeeper_wire::{Values, decode_rows, encode_rows};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    No,
    /// After the lines were read, before they were kept.
    BeforeKeeping,
    AfterKeeping,
}

/// A log folder, and an agent's collector and disk queue.
struct World {
    folder: tempfile::TempDir,
    config: TextLogConfig,
    settled: Duration,
    collector: TextLog,
    queue: Queue,
    lines: Vec<String>,
    operations: usize,
}

fn text_log(config: &TextLogConfig, settled: Duration) -> TextLog {
    TextLog::new(config).with_times(Duration::ZERO, settled)
}

fn open_queue(folder: &Path) -> Queue {
    Queue::open(folder, QueueLimits::with_max_bytes(64 << 20)).unwrap()
}

impl World {
    fn new(pattern: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("log")).unwrap();
        let paths = vec![folder.path().join("log").join(pattern).display().to_string()];
        let config = TextLogConfig { paths, table: "App_CL".to_owned(), from_beginning: false };
        let settled = Duration::from_secs(3600);
        let queue = open_queue(&folder.path().join("queue"));
        let collector = text_log(&config, settled);
        Self { folder, config, settled, collector, queue, lines: Vec::new(), operations: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("log").join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn copy_and_truncate(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
        OpenOptions::new().write(true).open(self.path(from)).unwrap().set_len(0).unwrap();
    }

    fn restart(&mut self) {
        self.collector = text_log(&self.config, self.settled);
        self.queue = open_queue(&self.folder.path().join("queue"));
        let acknowledged = self.queue.acknowledged(Lane::Bulk);
        self.queue.rewind(Lane::Bulk);
        assert!(self.queue.read_next(Lane::Bulk).unwrap().is_none_or(|next| next.sequence > acknowledged));
        self.queue.rewind(Lane::Bulk);
    }

    /// One look of the agent at its files.
    fn look(&mut self, death: Death) {
        loop {
            let mut out = Collected::default();
            let origin = Origin { computer: "box".to_owned(), ..Origin::default() };
            self.collector.collect(7, &origin, self.queue.positions(), &mut out).unwrap();
            let more = out.more;
            if death == Death::BeforeKeeping {
                self.restart();
                return;
            }
            let rows = u32::try_from(out.rows()).unwrap();
            let (tables, positions) = out.finish();
            if !tables.is_empty() || !positions.is_empty() {
                let (compression, payload) = encode_rows(tables).unwrap();
                self.queue.append(Class::Event, rows, compression.into(), payload, &positions).unwrap();
            }
            if death == Death::AfterKeeping {
                self.restart();
                return;
            }
            if !more {
                return;
            }
        }
    }

    /// Takes what is in the queue, as the server does.
    fn take(&mut self) -> Vec<String> {
        let mut last = 0;
        while let Some(batch) = self.queue.read_next(Lane::Bulk).unwrap() {
            last = batch.sequence;
            let compression = Compression::try_from(batch.compression).unwrap();
            for table in decode_rows(compression, &batch.payload).unwrap() {
                if table.name == "Operation" {
                    self.operations += 1;
                }
                for column in table.columns.iter().filter(|column| column.name == "RawData") {
                    let Some(Values::Strings(values)) = &column.values else { panic!("RawData is a string") };
                    self.lines.extend(values.values.iter().cloned());
                }
            }
        }
        self.queue.acknowledge(Lane::Bulk, last).unwrap();
        self.lines.clone()
    }
}

type Step = fn(&World);

/// Runs a scenario once for each place of death and once with a death after every step, and expects the same lines.
fn survives_death_at_every_step(pattern: &str, steps: &[Step], expected: &[&str]) {
    let mut plans: Vec<Vec<Death>> = vec![vec![Death::No; steps.len()], vec![Death::AfterKeeping; steps.len()]];
    // as if the agent was not there all the time: what was rotated twice is found when a pattern names it
    if pattern.ends_with('*') {
        plans.push(vec![Death::BeforeKeeping; steps.len()]);
    }
    for place in 0..steps.len() {
        for death in [Death::BeforeKeeping, Death::AfterKeeping] {
            let mut plan = vec![Death::No; steps.len()];
            plan[place] = death;
            plans.push(plan);
        }
    }
    for plan in plans {
        let mut world = World::new(pattern);
        world.write("app.log", "old\n");
        world.look(Death::No);
        for (step, death) in steps.iter().zip(&plan) {
            step(&world);
            world.look(*death);
        }
        for _ in 0..3 {
            world.look(Death::No);
        }
        let mut lines = world.take();
        // the lines of two files come in the order of the files, which a death may change
        lines.sort();
        assert_eq!(lines, expected, "{plan:?}");
    }
}

#[test]
fn lines_come_once_whatever_dies_while_a_file_grows() {
    survives_death_at_every_step(
        "*.log",
        &[
            |world| world.write("app.log", "1 one\n2 two\n"),
            |world| world.write("app.log", "3 par"),
            |world| world.write("app.log", "tial\r\n\n4 four\n"),
            |world| world.write("other.log", "5 of a new file\n"),
        ],
        &["1 one", "2 two", "3 partial", "4 four", "5 of a new file"],
    );
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_its_successor_from_its_beginning() {
    let steps: &[Step] = &[
        |world| world.write("app.log", "1\n2\n"),
        |world| {
            world.write("app.log", "3\n");
            world.rename("app.log", "app.log.1");
            world.write("app.log", "5\n");
            // the writer has not yet noticed
            world.write("app.log.1", "4\n");
        },
        |world| {
            world.write("app.log", "6\n");
            world.rename("app.log.1", "app.log.2");
            world.rename("app.log", "app.log.1");
            world.write("app.log", "7\n");
            world.write("app.log.3.gz", "not text\n");
        },
        |world| world.write("app.log", "8\n"),
    ];
    let expected = ["1", "2", "3", "4", "5", "6", "7", "8"];
    survives_death_at_every_step("app.log", steps, &expected);
    survives_death_at_every_step("app.log*", steps, &expected);
}

#[test]
fn a_file_that_is_copied_and_truncated_gives_each_line_once() {
    let steps: &[Step] = &[
        |world| world.write("app.log", "1 first\n2 second\n"),
        |world| {
            world.write("app.log", "3 before the copy\n");
            world.copy_and_truncate("app.log", "app.log.1");
            world.write("app.log", "4 after it\n");
        },
        // now longer than before it was truncated
        |world| world.write("app.log", "5 the file is longer than it was\n6 and longer than that\n"),
        |world| {
            world.rename("app.log.1", "app.log.2");
            world.copy_and_truncate("app.log", "app.log.1");
        },
        |world| world.write("app.log", "7\n"),
    ];
    let expected = [
        "1 first",
        "2 second",
        "3 before the copy",
        "4 after it",
        "5 the file is longer than it was",
        "6 and longer than that",
        "7",
    ];
    survives_death_at_every_step("app.log", steps, &expected);
    survives_death_at_every_step("app.log*", steps, &expected);
}

#[test]
fn a_copy_that_is_seen_before_the_original_is_truncated_is_not_read_again() {
    let mut world = World::new("app.log*");
    world.write("app.log", "");
    world.look(Death::No);
    world.write("app.log", "1\n2\n");
    world.look(Death::No);
    fs::copy(world.path("app.log"), world.path("app.log.1")).unwrap();
    world.look(Death::No);
    world.write("app.log", "3\n");
    world.look(Death::No);
    fs::write(world.path("app.log"), "4\n").unwrap();
    world.look(Death::No);
    world.look(Death::No);
    assert_eq!(world.take(), ["1", "2", "3", "4"]);
}

#[test]
fn a_new_file_with_the_inode_of_a_removed_one_is_read_from_its_beginning() {
    let mut world = World::new("*.log");
    world.look(Death::No);
    world.write("a.log", "1 of the first\n");
    world.look(Death::No);
    fs::remove_file(world.path("a.log")).unwrap();
    world.restart();
    // most file systems give the inode to the next file; the result is the same where they do not
    world.write("b.log", "2 of the second, which is longer\n");
    world.look(Death::No);
    assert_eq!(world.take(), ["1 of the first", "2 of the second, which is longer"]);
}

#[test]
fn a_removed_file_is_read_to_its_end_with_the_line_that_has_none() {
    let mut world = World::new("*.log");
    world.settled = Duration::ZERO;
    world.restart();
    world.look(Death::No);
    world.write("a.log", "1\n");
    world.look(Death::No);
    world.write("a.log", "2\n3 without an end");
    fs::remove_file(world.path("a.log")).unwrap();
    world.look(Death::No);
    world.look(Death::No);
    assert_eq!(world.take(), ["1", "2", "3 without an end"]);
    world.look(Death::No);
    assert_eq!(world.queue.positions().keys("text/App_CL/").count(), 0);
}

#[test]
fn long_lines_are_cut_and_counted_and_bytes_that_are_no_text_are_replaced() {
    const LIMIT: usize = 64 * 1024;
    let mut world = World::new("*.log");
    world.look(Death::No);
    world.write("a.log", b"\xef\xbb\xbfwith a mark\n\xff\xfe bytes\n");
    world.write("a.log", "x".repeat(LIMIT));
    world.write("a.log", "\n");
    // two bytes a character: the limit is in the middle of one
    world.write("a.log", format!("y{}", "é".repeat(LIMIT)));
    world.look(Death::No);
    world.look(Death::BeforeKeeping);
    world.write("a.log", "é still the long line\nshort\n");
    world.look(Death::No);
    let lines = world.take();
    assert_eq!(lines.len(), 5, "{:?}", lines.iter().map(String::len).collect::<Vec<_>>());
    assert_eq!((lines[0].as_str(), lines[1].as_str()), ("with a mark", "\u{fffd}\u{fffd} bytes"));
    assert_eq!(lines[2].len(), LIMIT);
    assert!(lines[3].len() > LIMIT - 2 && lines[3].len() <= LIMIT && !lines[3].contains('\u{fffd}'));
    assert_eq!(lines[4], "short");
    assert_eq!(world.operations, 1);
}

#[test]
fn a_large_file_comes_in_batches_and_whole() {
    let mut world = World::new("*.log");
    world.look(Death::No);
    let numbers: Vec<String> = (0..60_000).map(|number| format!("{number:05} {}", "z".repeat(60))).collect();
    world.write("a.log", numbers.join("\n") + "\n");
    // death after the first batch
    world.look(Death::AfterKeeping);
    world.look(Death::No);
    assert!(world.take() == numbers);
}
