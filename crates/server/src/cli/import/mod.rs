//! `watchkeeper import`: files into a table, each row once.

mod chunks;
mod input;
mod prepare;
mod resume;
mod send;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::Value;
use tokio::sync::mpsc;
use watchkeeper_ingest::arrow_rows::check_table;
use watchkeeper_kql::{Column, Type};

use super::client::{Client, Target};
use super::tables::set_retention;
use chunks::Chunks;
use input::{Format, Input};
use prepare::{Preparer, Wishes};
use resume::Resume;
use send::Sender;

/// Batches on their way at the same time.
const IN_FLIGHT: usize = 4;
/// How often a line is printed where there is no terminal.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Load files into a table. Started again after a crash, it goes on where it was; nothing is stored twice.
#[derive(Args)]
pub struct Import {
    /// Files, or patterns in quotes: JSON lines, CSV, TSV, Parquet, syslog; gzip and zstd are unpacked.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The table. A new one is made when its name ends in _CL.
    #[arg(long, value_name = "NAME")]
    table: String,
    /// What is in the files [default: by name or content].
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The column that becomes TimeGenerated [default: TimeGenerated, timestamp, time or @timestamp].
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// The type of a column that the table does not have yet [default: by the values of the first batch].
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = column_type)]
    types: Vec<Column>,
    /// Keep the table's rows this long first, in days; rows older than the table's retention are refused.
    #[arg(long, value_name = "N")]
    retention_days: Option<u32>,
    /// Report rows that do not fit, and go on without them.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    target: Target,
}

fn column_type(text: &str) -> Result<Column, String> {
    let (name, ty) = text.split_once('=').ok_or("write it as COLUMN=TYPE, for instance id=string")?;
    let ty = Type::from_name(ty).ok_or_else(|| {
        format!(
            "{ty:?} is no type; there are bool, int, long, real, decimal, datetime, timespan, string, guid, dynamic"
        )
    })?;
    Ok(Column::new(name, ty))
}

/// What the reading thread hands over.
enum Message {
    Batch(Batch),
    /// Rows that the server has since an earlier run.
    Known(u64),
    Bad(u64),
    Note(String),
}

struct Batch {
    id: String,
    key: String,
    body: Vec<u8>,
    rows: u64,
    /// Nothing else is on its way meanwhile.
    is_alone: bool,
    /// For messages.
    place: String,
    resume: Arc<Resume>,
}

#[derive(Default)]
struct Counts {
    stored: u64,
    known: u64,
    bad: u64,
}

impl Import {
    pub fn run(self) -> anyhow::Result<()> {
        super::block_on(self.start())
    }

    async fn start(self) -> anyhow::Result<()> {
        let mut inputs = Vec::new();
        for path in input::expand(&self.files)? {
            inputs.push(Input::inspect(&path, self.format, &self.table)?);
        }
        let client = self.target.connect().await?;
        if let Some(days) = self.retention_days {
            set_retention(&client, &self.table, days).await?;
        }
        let mut columns = table_columns(&client, &self.table).await?;
        check_table(&self.table, !columns.is_empty())?;
        if columns.is_empty() {
            columns.extend(watchkeeper_store::STANDARD_COLUMNS.iter().map(|(name, ty)| Column::new(*name, *ty)));
        }
        for column in self.types {
            match columns.iter().find(|known| known.name == column.name) {
                None => columns.push(column),
                Some(known) if known.ty == column.ty => {}
                Some(known) => bail!("column {} is {} and cannot become {}", known.name, known.ty, column.ty),
            }
        }
        let progress = Progress::new(inputs.iter().map(|input| input.size).sum());
        let wishes = Wishes { table: self.table.clone(), time: self.time, skip_bad: self.skip_bad };
        let preparer = Preparer::new(wishes, columns);
        let (out, batches) = mpsc::channel(2);
        let workspace = client.workspace_id.clone();
        let read = Arc::clone(&progress.read);
        let reader = std::thread::spawn(move || read_all(&inputs, preparer, &workspace, &read, &out));
        let sender = Sender::new(self.target, client, &self.table);
        let began = Instant::now();
        let mut counts = Counts::default();
        let sent = tokio::select! {
            sent = send_all(&sender, batches, &progress, &mut counts) => sent,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped; the same command goes on from here")),
        };
        progress.bar.finish_and_clear();
        // the reader ends by itself when nobody takes its batches, but a file may be slow: only its own end is awaited
        let result = match sent {
            Ok(()) => match reader.join() {
                Ok(result) => result,
                Err(_) => bail!("the files could not be read to their end; this is a mistake in watchkeeper"),
            },
            Err(error) => Err(error),
        };
        eprintln!("{}", counts.summary(&self.table, began.elapsed()));
        result
    }
}

impl Counts {
    fn summary(&self, table: &str, elapsed: Duration) -> String {
        let mut text = format!("{} rows stored in {table}", HumanCount(self.stored));
        if self.known > 0 {
            text.push_str(&format!(", {} were there already", HumanCount(self.known)));
        }
        if self.bad > 0 {
            text.push_str(&format!(", {} bad rows left out", HumanCount(self.bad)));
        }
        format!("{text} ({:.1} s)", elapsed.as_secs_f64())
    }
}

/// The columns of a table; none where it is not there.
async fn table_columns(client: &Client, table: &str) -> anyhow::Result<Vec<Column>> {
    let path = format!("/v1/workspaces/{}/metadata", client.workspace_id);
    let metadata = client.json(client.request(Method::GET, &path)).await?;
    let tables = metadata["tables"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(found) = tables.iter().find(|found| found["name"] == table) else { return Ok(Vec::new()) };
    let column = |column: &Value| {
        let (name, ty) = (column["name"].as_str()?, column["type"].as_str()?);
        Some(Column::new(name, Type::from_name(ty)?))
    };
    let columns = found["columns"].as_array().into_iter().flatten().map(column).collect::<Option<_>>();
    columns.with_context(|| format!("the server describes the table {table} in a way that is not known here"))
}

/// Reads all files, and hands over what the server does not have.
fn read_all(
    inputs: &[Input],
    mut preparer: Preparer,
    workspace: &str,
    read: &Arc<AtomicU64>,
    out: &mpsc::Sender<Message>,
) -> anyhow::Result<()> {
    for input in inputs {
        let resume = Arc::new(Resume::open(workspace, &input.identity)?);
        let result = read_file(input, &mut preparer, &resume, read, out);
        let result = result.with_context(|| format!("the import stopped in {}", input.path.display()));
        // the other side has gone: it says why
        if !result? {
            return Ok(());
        }
    }
    Ok(())
}

/// False when nobody takes batches any more.
fn read_file(
    input: &Input,
    preparer: &mut Preparer,
    resume: &Arc<Resume>,
    read: &Arc<AtomicU64>,
    out: &mpsc::Sender<Message>,
) -> anyhow::Result<bool> {
    let mut chunks = Chunks::open(input, Arc::clone(read))?;
    while let Some(chunk) = chunks.next()? {
        if chunk.number == 0 {
            preparer.begin(input, &chunk)?;
        }
        let key = resume::key(chunk.number, &chunk.digest);
        let mut messages = Vec::new();
        if let Some(rows) = resume.rows(&key) {
            messages.push(Message::Known(rows));
        } else {
            let prepared = preparer.prepare(input, &chunk)?;
            messages.push(Message::Bad(prepared.bad));
            let rows = prepared.batch.num_rows();
            if rows > 0 {
                let last = chunk.content.place(chunk.content.rows() - 1);
                messages.push(Message::Batch(Batch {
                    id: format!("import/{}/{key}", input.identity),
                    key,
                    body: prepare::encode(&prepared.batch)?,
                    rows: rows as u64,
                    is_alone: prepared.has_new_columns,
                    place: format!("{}:{} to {last}", input.path.display(), chunk.content.place(0)),
                    resume: Arc::clone(resume),
                }));
            }
        }
        let notes = preparer.notes.drain(..).map(Message::Note);
        for message in notes.chain(messages) {
            if out.blocking_send(message).is_err() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

async fn send_all(
    sender: &Sender,
    mut batches: mpsc::Receiver<Message>,
    progress: &Progress,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let mut in_flight = FuturesUnordered::new();
    let mut reports = tokio::time::interval_at(tokio::time::Instant::now() + REPORT_EVERY, REPORT_EVERY);
    let mut is_open = true;
    let mut is_alone = false;
    while is_open || !in_flight.is_empty() {
        let may_take = is_open && !is_alone && in_flight.len() < IN_FLIGHT;
        tokio::select! {
            message = batches.recv(), if may_take => match message {
                None => is_open = false,
                Some(Message::Known(rows)) => counts.known += rows,
                Some(Message::Bad(rows)) => counts.bad += rows,
                Some(Message::Note(note)) => progress.tell(&note),
                Some(Message::Batch(batch)) => {
                    if batch.is_alone {
                        while let Some(done) = in_flight.next().await {
                            count(done?, counts, progress);
                        }
                    }
                    is_alone = batch.is_alone;
                    in_flight.push(send(sender, batch, progress));
                }
            },
            Some(done) = in_flight.next() => {
                is_alone = false;
                count(done?, counts, progress);
            }
            _ = reports.tick() => progress.report(),
        }
    }
    Ok(())
}

/// Rows of a batch, and whether the server had it.
async fn send(sender: &Sender, batch: Batch, progress: &Progress) -> anyhow::Result<(u64, bool)> {
    let tell = |text: &str| progress.tell(text);
    let sent = sender.send(&batch.id, batch.body, &tell).await;
    let duplicate = sent.with_context(|| format!("the import stopped: {} was not stored", batch.place))?;
    batch.resume.remember(&batch.key, batch.rows)?;
    Ok((batch.rows, duplicate))
}

fn count((rows, duplicate): (u64, bool), counts: &mut Counts, progress: &Progress) {
    *(if duplicate { &mut counts.known } else { &mut counts.stored }) += rows;
    progress.show(counts.stored + counts.known);
}

/// How far the import is: a bar on a terminal, lines elsewhere.
struct Progress {
    bar: ProgressBar,
    /// Bytes of the files.
    read: Arc<AtomicU64>,
    size: u64,
    rows: AtomicU64,
}

impl Progress {
    fn new(size: u64) -> Progress {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(size) } else { ProgressBar::hidden() };
        let template = "{bar:30} {percent}%  {msg}  {bytes_per_sec}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Progress { bar, read: Arc::default(), size, rows: AtomicU64::new(0) }
    }

    fn tell(&self, text: &str) {
        if self.bar.is_hidden() {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }

    fn show(&self, rows: u64) {
        self.rows.store(rows, Ordering::Relaxed);
        self.bar.set_position(self.read.load(Ordering::Relaxed));
        self.bar.set_message(format!("{} rows", HumanCount(rows)));
    }

    fn report(&self) {
        if self.bar.is_hidden() {
            let percent = self.read.load(Ordering::Relaxed) * 100 / self.size.max(1);
            eprintln!("{} rows, {percent} % of the files read", HumanCount(self.rows.load(Ordering::Relaxed)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_written_with_their_column() {
        assert_eq!(column_type("id=string"), Ok(Column::new("id", Type::String)));
        assert!(column_type("id").is_err());
        assert!(column_type("id=text").unwrap_err().contains("\"text\" is no type"));
    }

    #[test]
    fn the_summary_says_what_became_of_all_rows() {
        let counts = Counts { stored: 20_000, known: 3, bad: 1 };
        let text = counts.summary("T_CL", Duration::from_millis(1500));
        assert_eq!(text, "20,000 rows stored in T_CL, 3 were there already, 1 bad rows left out (1.5 s)");
    }
}
