//! `watchkeeper kql`: the query language over files, without a server.

mod interactive;
mod jsonl;
mod lsp;
mod mistakes;
mod print;

use std::io::{IsTerminal, Read};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::{Ticks, functions};
use watchkeeper_query::{Engine, EngineOptions, FileTables, QueryError, Request, Tables};

/// Query Parquet, Delta, CSV and JSON lines files without a server.
#[derive(Args)]
pub struct KqlArgs {
    /// The query; `-` reads it from standard input. Without one, a terminal asks for queries.
    query: Option<String>,
    /// A table over files: a file, a folder, a Delta table's folder, or a pattern in quotes. May be given again.
    #[arg(long, value_name = "NAME=PATH", value_parser = named_path)]
    table: Vec<(String, String)>,
    /// How results are printed [default: table on a terminal, otherwise jsonl].
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Answer each {"id", "query"} line of standard input with a line.
    #[arg(long, conflicts_with_all = ["query", "format"])]
    jsonl: bool,
    /// Serve an editor over standard input and output (Language Server Protocol).
    #[arg(long, conflicts_with_all = ["query", "jsonl", "format", "reference"])]
    lsp: bool,
    /// Print the page of all functions, with an example of each.
    #[arg(long, conflicts_with_all = ["query", "jsonl", "format"])]
    reference: bool,
    /// With --jsonl: only parse the queries.
    #[arg(long, requires = "jsonl")]
    parse_only: bool,
    /// Say on standard error what the query read and what it cost.
    #[arg(long, conflicts_with = "jsonl")]
    statistics: bool,
    /// Say on standard error by which plan it ran, with the rows and the time of each step.
    #[arg(long, conflicts_with = "jsonl")]
    explain: bool,
    /// Seconds until a query is given up.
    #[arg(long, default_value_t = 600)]
    timeout: u64,
    /// Memory for one query in MiB; more spills to disk.
    #[arg(long, default_value_t = 1024)]
    memory: usize,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Jsonl,
    Csv,
}

/// Everything that a query needs.
struct Shell {
    engine: Arc<Engine>,
    tables: Arc<dyn Tables>,
    timeout: Duration,
    statistics: bool,
    explain: bool,
}

impl KqlArgs {
    pub fn run(self) -> anyhow::Result<()> {
        if self.reference {
            return Ok(print::out(functions::reference::page().as_bytes())?);
        }
        super::block_on(self.start())
    }

    async fn start(self) -> anyhow::Result<()> {
        let (input, output) = (std::io::stdin(), std::io::stdout());
        if self.parse_only {
            return Ok(jsonl::parse_only(input.lock(), output.lock())?);
        }
        let mut tables = FileTables::default();
        for (name, path) in &self.table {
            tables.add(name, path).await?;
        }
        if self.lsp {
            return lsp::run(Arc::new(tables));
        }
        let options = EngineOptions {
            memory_limit: self.memory << 20,
            spill_dir: std::env::temp_dir(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        };
        let shell = Shell {
            engine: Arc::new(Engine::new(options)),
            tables: Arc::new(tables),
            timeout: Duration::from_secs(self.timeout),
            statistics: self.statistics,
            explain: self.explain,
        };
        if self.jsonl {
            let request = || shell.request();
            return Ok(jsonl::run(&shell.engine, &shell.tables, request, input.lock(), output.lock()).await?);
        }
        let on_terminal = output.is_terminal();
        let format = self.format.unwrap_or(if on_terminal { Format::Table } else { Format::Jsonl });
        let query = match self.query.as_deref() {
            None if input.is_terminal() && on_terminal => return interactive::run(&shell, format).await,
            Some(text) if text != "-" => text.to_owned(),
            _ => {
                let mut text = String::new();
                input.lock().read_to_string(&mut text).context("the query on standard input is not text")?;
                text
            }
        };
        match shell.answer(&query, format).await {
            Ok(printed) => Ok(print::out(&printed)?),
            Err(report) => bail!("{report}"),
        }
    }
}

impl Shell {
    fn request(&self) -> Request {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Request {
            timespan: None,
            parameters: Default::default(),
            now: Ticks::from_unix_micros(i64::try_from(micros).unwrap_or(i64::MAX)),
            deadline: self.timeout,
            max_rows: usize::MAX,
            max_bytes: usize::MAX,
            cancel: CancellationToken::new(),
            plan: self.explain,
        }
    }

    /// Runs a query: its results printed, or a report of what is wrong with it.
    async fn answer(&self, query: &str, format: Format) -> Result<Vec<u8>, String> {
        match self.engine.run(query, Arc::clone(&self.tables), self.request()).await {
            Ok(response) => {
                response.advice.iter().for_each(|advice| eprintln!("advice: {advice}"));
                response.plan.iter().for_each(|plan| eprint!("{plan}"));
                if self.statistics {
                    eprintln!("{}", print::statistics(&response));
                }
                Ok(print::response(&response, format))
            }
            Err(QueryError::Diagnostics { text, diagnostics }) => Err(mistakes::report(&text, &diagnostics)),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn named_path(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.to_owned())),
        _ => Err("write it as NAME=PATH, for instance logs='dir/*.parquet'".to_owned()),
    }
}
