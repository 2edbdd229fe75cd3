//! Random queries never end the parser or the analyzer: no panic, no overflow of the stack, no query without end.
//!
//! Texts come from a small grammar that mixes types on purpose, and from the queries in this repository (and those of
//! the folder `WATCHKEEPER_KQL_CASES`) with pieces of them cut, doubled, swapped and spliced. Execution `n` depends on
//! nothing but the seed and `n`. `WATCHKEEPER_FUZZ_RUNS` says how many there are, `WATCHKEEPER_FUZZ_SEED` which ones,
//! `WATCHKEEPER_FUZZ_FIRST` at which to begin and, when it is set, every text is printed before it is read: so an
//! abort that cannot be caught is found from the last line of progress.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use watchkeeper_kql::functions::{self, Signature};
use watchkeeper_kql::syntax::print::print;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Analysis, Catalog, Column, Options, Schema, StoredFunction, Type, analyze, parse};

/// Executions of the run that is part of the normal tests.
const SHORT_RUN: u64 = 4_000;
/// The stack that servers give to the threads that read queries.
const STACK: usize = 2 << 20;
/// A text that a long run reads for more seconds than this counts as one without end.
const PATIENCE: u64 = 120;
/// How often a plugin whose columns are not known is answered with some.
const MAX_ANSWERS: usize = 3;

struct Tables;

fn schema(columns: &[(&str, Type)]) -> Schema {
    Schema::new(columns.iter().map(|(name, ty)| Column::new(*name, *ty)).collect())
}

impl Catalog for Tables {
    fn table(&self, _source: &TableSource, name: &str) -> Option<Schema> {
        match name {
            "T" => Some(schema(&[
                ("b", Type::Bool),
                ("i", Type::Int),
                ("l", Type::Long),
                ("r", Type::Real),
                ("m", Type::Decimal),
                ("d", Type::Datetime),
                ("t", Type::Timespan),
                ("s", Type::String),
                ("g", Type::Guid),
                ("v", Type::Dynamic),
            ])),
            "U" => Some(schema(&[("l", Type::Long), ("s", Type::String), ("odd name", Type::Dynamic)])),
            "Empty" => Some(Schema::default()),
            _ => None,
        }
    }

    fn table_names(&self) -> Vec<String> {
        ["T", "U", "Empty"].map(str::to_owned).to_vec()
    }

    fn function(&self, name: &str) -> Option<StoredFunction> {
        let (parameters, body) = match name {
            "F" => ("(a:long, b:string = 'x')", "T | where l == a and s == b"),
            "G" => ("(X:(*))", "X | take 1"),
            "Again" => ("(a:long)", "Again(a + 1)"),
            "Wrong" => ("(a", "T | |"),
            _ => return None,
        };
        Some(StoredFunction { parameters: parameters.to_owned(), body: body.to_owned() })
    }
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.draw() % end.max(1) as u64) as usize
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}

const NAMES: &[&str] =
    &["b", "i", "l", "r", "m", "d", "t", "s", "g", "v", "x", "['odd name']", "nobody", "$left.l", "*"];

const LITERALS: &[&str] = &[
    "0",
    "1",
    "-1",
    "9223372036854775807",
    "99999999999999999999",
    "0x7fffffffffffffff",
    "1.5",
    "1e308",
    "1e999",
    "real(nan)",
    "real(-inf)",
    "int(2147483648)",
    "int(null)",
    "long(-9223372036854775808)",
    "decimal(1e-40)",
    "decimal(12345678901234567890123456789012345678)",
    "true",
    "bool(null)",
    "datetime(2024-02-29)",
    "datetime(0000-13-99)",
    "datetime(9999-12-31T23:59:59.9999999)",
    "datetime(null)",
    "1d",
    "100000000000d",
    "1.5tick",
    "timespan(1.02:03:04.5)",
    "time(null)",
    "''",
    "'a'",
    "'é\u{1F600}\\u00e9'",
    "@'\\d+('",
    "h'hidden'",
    "```a\nb```",
    "guid(74be27de-1e4e-49d9-b579-fe0b331d3642)",
    "guid(x)",
    "dynamic(null)",
    "dynamic([1,'a',null,{'k':[]}])",
    "dynamic({\"a\":1e400})",
    "typeof(long)",
    "typeof(nothing)",
    "(T)",
    "(U | project s)",
];

const OPERATORS: &[&str] = &[
    "+",
    "-",
    "*",
    "/",
    "%",
    "<",
    "<=",
    ">",
    ">=",
    "==",
    "!=",
    "<>",
    "=~",
    "!~",
    "and",
    "or",
    "has",
    "!has",
    "has_cs",
    "contains",
    "!contains_cs",
    "startswith",
    "endswith_cs",
    "hasprefix",
    "matches regex",
    "like",
    ":",
];

const LIST_OPERATORS: &[&str] = &["in", "!in", "in~", "!in~", "has_any", "has_all", "between", "!between"];

fn call(random: &mut Random, depth: usize, families: &[&'static Signature]) -> String {
    let signature = families[random.below(families.len())];
    let overload = &signature.overloads[random.below(signature.overloads.len())];
    let mut count = overload.parameters.len();
    if random.one_in(4) {
        count = random.below(count + 3);
    }
    let args: Vec<String> = (0..count).map(|_| expression(random, depth)).collect();
    format!("{}({})", signature.name, args.join(", "))
}

fn expression(random: &mut Random, depth: usize) -> String {
    if depth == 0 {
        let items = if random.one_in(2) { NAMES } else { LITERALS };
        return random.pick(items).to_owned();
    }
    let deeper = depth - 1;
    match random.below(14) {
        0..=3 => {
            let (left, right) = (expression(random, deeper), expression(random, deeper));
            format!("{left} {} {right}", random.pick(OPERATORS))
        }
        4..=7 => call(random, deeper, &functions::scalars().collect::<Vec<_>>()),
        8 => {
            let (value, first, second) =
                (expression(random, deeper), expression(random, deeper), expression(random, deeper));
            let operator = random.pick(LIST_OPERATORS);
            let between = if operator.ends_with("between") { " .. " } else { ", " };
            format!("{value} {operator} ({first}{between}{second})")
        }
        9 => format!("({})", expression(random, deeper)),
        10 => format!("-{}", expression(random, deeper)),
        11 => format!("{}[{}]", expression(random, deeper), expression(random, deeper)),
        12 => format!("{}.{}", expression(random, deeper), random.pick(NAMES)),
        _ => format!("toscalar({})", pipeline(random, deeper)),
    }
}

fn expressions(random: &mut Random, depth: usize) -> String {
    let count = random.below(3) + 1;
    let items: Vec<String> = (0..count)
        .map(|_| {
            let item = expression(random, depth);
            if random.one_in(2) { format!("{} = {item}", random.pick(NAMES)) } else { item }
        })
        .collect();
    items.join(", ")
}

fn aggregates(random: &mut Random, depth: usize) -> String {
    let first = call(random, depth, &functions::aggregates().collect::<Vec<_>>());
    if random.one_in(3) { format!("x = {first} + {}", expression(random, depth)) } else { first }
}

fn operator(random: &mut Random, depth: usize) -> String {
    let name = |random: &mut Random| random.pick(NAMES);
    let e = |random: &mut Random| expression(random, depth);
    let list = |random: &mut Random| expressions(random, depth);
    let kinds =
        ["innerunique", "inner", "leftouter", "rightouter", "fullouter", "leftsemi", "rightanti", "leftanti", "no"];
    match random.below(32) {
        0..=2 => format!("where {}", e(random)),
        3..=5 => format!("extend {}", list(random)),
        6 => format!("project {}", list(random)),
        7 => format!("project-away {}, {}*", name(random), name(random)),
        8 => format!("project-rename {} = {}", name(random), name(random)),
        9 => format!("project-reorder {} granny-asc, {}", name(random), name(random)),
        10..=12 => format!("summarize {} by {}", aggregates(random, depth), list(random)),
        13 => format!("summarize {}, {}", aggregates(random, depth), aggregates(random, depth)),
        14 => format!("sort by {} desc nulls first, {}", e(random), e(random)),
        15 => format!("top {} by {}", e(random), e(random)),
        16 => format!("distinct {}", list(random)),
        17 => {
            format!("join kind={} ({}) on {}", random.pick(&kinds), pipeline(random, depth), e(random))
        }
        18 => format!("union withsource=w ({}), U", pipeline(random, depth)),
        19 => format!("mv-expand {} = {} to typeof(long) limit {}", name(random), e(random), e(random)),
        20 => format!("mv-apply x = {} on ({})", e(random), operator(random, depth.saturating_sub(1))),
        21 => format!(
            "make-series {} default = {} on {} from {} to {} step {} by {}",
            aggregates(random, depth),
            e(random),
            name(random),
            e(random),
            e(random),
            e(random),
            name(random)
        ),
        22 => format!("parse {} with 'a' {}:long * 'b' y", e(random), name(random)),
        23 => format!("parse-kv {} as (k:long, w:string) with (pair_delimiter={})", e(random), e(random)),
        24 => format!("partition by {} ({})", name(random), operator(random, depth.saturating_sub(1))),
        25 => format!(
            "scan declare (n:long = {}) with (step a: {} => n = {}; step c: {};)",
            e(random),
            e(random),
            e(random),
            e(random)
        ),
        26 => format!("top-nested {} of {} by {}", e(random), e(random), aggregates(random, depth)),
        27 => format!("evaluate {}", call(random, depth, &functions::plugins().collect::<Vec<_>>())),
        28 => format!(
            "make-graph {} --> {} with U on {} | graph-match (p)-[q*1..3]->(o) where {} project {}",
            name(random),
            name(random),
            name(random),
            e(random),
            list(random)
        ),
        29 => format!("fork ({}) ({})", operator(random, depth.saturating_sub(1)), operator(random, 0)),
        30 => format!("serialize {} | as Z | render timechart with (title={})", list(random), e(random)),
        _ => format!("lookup ({}) on {}", pipeline(random, depth), name(random)),
    }
}

fn pipeline(random: &mut Random, depth: usize) -> String {
    let deeper = depth.saturating_sub(1);
    let mut text = match random.below(9) {
        0..=4 => "T".to_owned(),
        5 => "U".to_owned(),
        6 => format!("print {}", expressions(random, deeper)),
        7 => {
            let (from, to, step) = (expression(random, 0), expression(random, 0), expression(random, deeper));
            format!("range x from {from} to {to} step {step}")
        }
        _ => format!("{}({})", random.pick(&["F", "G", "Again", "Wrong", "h"]), expression(random, deeper)),
    };
    for _ in 0..random.below(if depth > 1 { 4 } else { 2 }) {
        text.push_str(" | ");
        text.push_str(&operator(random, deeper));
    }
    text
}

fn generated(random: &mut Random) -> String {
    let depth = 1 + random.below(4);
    let mut text = String::new();
    if random.one_in(4) {
        let (value, body) = (expression(random, depth), expression(random, 1));
        text = match random.below(3) {
            0 => format!("let x = {value}; "),
            1 => format!("let h = (x:long, y:string = {value}) {{ {body} }}; "),
            _ => format!("let h = (x:(*)) {{ x | where {body} }}; let x = {value}; "),
        };
    }
    text.push_str(&pipeline(random, depth));
    text
}

/// Where tokens of a text begin and end, roughly: words, quoted strings, single signs.
fn pieces(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = |sign: char| sign.is_alphanumeric() || sign == '_';
        let end = if word(first) {
            rest.find(|sign| !word(sign)).unwrap_or(rest.len())
        } else if first.is_whitespace() {
            rest.find(|sign: char| !sign.is_whitespace()).unwrap_or(rest.len())
        } else if first == '"' || first == '\'' {
            rest[1..].find(first).map_or(1, |at| at + 2)
        } else {
            first.len_utf8()
        };
        found.push(&rest[..end]);
        rest = &rest[end..];
    }
    found
}

fn mutated(random: &mut Random, corpus: &[String]) -> String {
    let base = &corpus[random.below(corpus.len())];
    let other = pieces(&corpus[random.below(corpus.len())]);
    let mut parts: Vec<String> = pieces(base).into_iter().map(str::to_owned).collect();
    for _ in 0..=random.below(4) {
        let at = random.below(parts.len() + 1);
        let end = (at + 1 + random.below(6)).min(parts.len());
        match random.below(8) {
            0 => drop(parts.drain(at..end)),
            1 => {
                let doubled = parts[at..end].to_vec();
                let most = if random.one_in(20) { 300 } else { 2 };
                for _ in 0..=random.below(most) {
                    parts.splice(at..at, doubled.iter().cloned());
                }
            }
            2 if end > at => {
                let with = random.below(parts.len());
                parts.swap(at, with);
            }
            3 | 4 if !other.is_empty() => {
                let from = random.below(other.len());
                let to = (from + 1 + random.below(12)).min(other.len());
                parts.splice(at..end, other[from..to].iter().map(|&piece| piece.to_owned()));
            }
            5 => parts.insert(at, expression(random, 1)),
            6 => parts.insert(
                at,
                random
                    .pick(&["(", ")", "[", "]", "{", "}", "|", ";", "'", ",", "..", "\0", "é", "//", "=>"])
                    .to_owned(),
            ),
            _ if end > at => parts[at] = expression(random, 0),
            _ => {}
        }
    }
    parts.concat()
}

/// Every query that stands in the repository's case files and tests, and those of the folder of cases.
fn corpus() -> Vec<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the crates");
    let mut queries = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(crates.join("query/tests/cases"))
        .expect("the case files")
        .map(|entry| entry.expect("a case file").path())
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(file).expect("a case file");
        let before_results = text.split("\n\n").filter_map(|case| case.split_once("\n----").map(|(query, _)| query));
        queries.extend(before_results.map(str::to_owned));
    }
    for file in ["parse_print.rs", "parse_mistakes.rs"] {
        let text = std::fs::read_to_string(crates.join("kql/tests").join(file)).expect("a test");
        let quoted = text.lines().filter_map(|line| line.trim().strip_prefix('"')?.rsplit_once('"'));
        queries.extend(quoted.map(|(query, _)| query.replace("\\n", "\n").replace("\\\"", "\"").replace("\\\\", "\\")));
    }
    if let Some(folder) = std::env::var_os("WATCHKEEPER_KQL_CASES").map(PathBuf::from) {
        for file in ["parse.jsonl", "examples.jsonl", "real-world.jsonl"] {
            let Ok(text) = std::fs::read_to_string(folder.join(file)) else { continue };
            for line in text.lines() {
                let case: serde_json::Value = serde_json::from_str(line).expect("a case is JSON");
                queries.extend(case["query"].as_str().map(str::to_owned));
            }
        }
    }
    assert!(queries.len() > 100, "only {} queries to change", queries.len());
    queries
}

/// Reads a text in every way that the crate offers; says whether it is a query without mistakes.
fn read(text: &str) -> bool {
    let parsed = parse(text);
    for diagnostic in &parsed.diagnostics {
        let _ = (diagnostic.line_column(text), diagnostic.to_string());
    }
    if !parsed.diagnostics.is_empty() {
        return false;
    }
    let _ = print(&parsed.query);
    let mut options = Options::default();
    for _ in 0..MAX_ANSWERS {
        match analyze(text, &Tables, &options) {
            Ok(Analysis::NeedsSchema { .. }) => {
                options.known.push(schema(&[("x", Type::Long), ("s", Type::String), ("v", Type::Dynamic)]));
            }
            Ok(Analysis::Complete(_)) => return true,
            Err(diagnostics) => {
                for diagnostic in &diagnostics {
                    let _ = (diagnostic.line_column(text), diagnostic.to_string());
                }
                return false;
            }
        }
    }
    true
}

fn panics(text: &str) -> bool {
    catch_unwind(|| read(text)).is_err()
}

/// A text that panics too, from which no piece can be taken.
fn shrunken(text: &str) -> String {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut parts: Vec<String> = pieces(text).into_iter().map(str::to_owned).collect();
    let mut size = parts.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < parts.len() {
            let mut fewer = parts.clone();
            fewer.drain(at..(at + size).min(parts.len()));
            if panics(&fewer.concat()) {
                parts = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    std::panic::set_hook(hook);
    parts.concat()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text}, not a number")))
}

/// Ends the process when one text is read for longer than [`PATIENCE`]. Seconds count only while the process runs: one
/// that is paused reads nothing.
fn watch(reading: Arc<Mutex<(u64, String)>>) {
    std::thread::spawn(move || {
        let (mut last, mut seconds) = (u64::MAX, 0);
        loop {
            std::thread::park_timeout(Duration::from_secs(1));
            let now = reading.lock().expect("no panic while it is held");
            seconds = if now.0 == last { seconds + 1 } else { 0 };
            last = now.0;
            if seconds > PATIENCE {
                eprintln!("execution {} has read for {seconds} seconds without an end:\n{}", now.0, now.1);
                std::process::abort();
            }
        }
    });
}

fn fuzz() {
    let runs = number("WATCHKEEPER_FUZZ_RUNS").unwrap_or(SHORT_RUN);
    let seed = number("WATCHKEEPER_FUZZ_SEED").unwrap_or(1);
    let from = number("WATCHKEEPER_FUZZ_FIRST");
    let corpus = corpus();
    let reading = Arc::new(Mutex::new((0, String::new())));
    if runs > SHORT_RUN {
        watch(Arc::clone(&reading));
    }
    let first = from.unwrap_or(0);
    let mut accepted = 0;
    for at in first..first + runs {
        let mut random = Random(seed.wrapping_mul(0xd134_2543_de82_ef95) ^ at);
        let text = if random.one_in(2) { generated(&mut random) } else { mutated(&mut random, &corpus) };
        if from.is_some() {
            println!("{at}: {text}");
        } else if at % 100_000 == 0 {
            println!("seed {seed}, execution {at}");
        }
        *reading.lock().expect("no panic while it is held") = (at, text.clone());
        match catch_unwind(|| read(&text)) {
            Ok(without_mistakes) => accepted += u64::from(without_mistakes),
            Err(_) => panic!(
                "seed {seed}, execution {at}, {} queries to change\nshrunken: {}\ntext: {text}",
                corpus.len(),
                shrunken(&text)
            ),
        }
    }
    println!("{runs} executions from seed {seed}, {accepted} of them queries without mistakes");
    assert!(from.is_some() || accepted * 50 > runs, "only {accepted} of {runs} texts get through the analyzer");
}

#[test]
fn no_text_ends_the_parser_or_the_analyzer() {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(fuzz).expect("a thread");
    assert!(thread.join().is_ok(), "a text panics; the seed and the text stand above");
}
