//! What a `dynamic` column costs as JSON text and as the Parquet variant type, plain and shredded: to make, to store,
//! to read two paths of, to print. The figures stand in `docs/decisions/0005-dynamic-is-json-text.md`.
//!
//! `cargo bench -p watchkeeper-query -p watchkeeper-server --bench dynamic_encoding`
//!
//! Times are processor time of the whole process (medians of [`RUNS`]), so that a busy machine does not change them.

use std::fs::File;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray, StringViewBuilder};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet_variant::VariantPath;
use parquet_variant_compute::{
    GetOptions, ShreddedSchemaBuilder, VariantArray, json_to_variant, shred_variant, unshred_variant, variant_get,
};
use parquet_variant_json::VariantToJson;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::{Column, Ticks, Type};
use watchkeeper_query::functions::frame::json;
use watchkeeper_query::{Engine, EngineOptions, MemoryTable, Request, Tables};
use watchkeeper_store::{KQL_TYPE, parquet_properties};

const RUNS: usize = 5;
const BATCH: usize = 8192;
const SEED: u64 = 59;

/// A kind of document and where its two values are.
struct Kind {
    name: &'static str,
    rows: usize,
    number: &'static str,
    text: &'static str,
    make: fn(&mut StdRng) -> String,
}

const KINDS: &[Kind] = &[
    Kind { name: "flat, 120 bytes", rows: 300_000, number: "status", text: "user", make: flat },
    Kind { name: "nested, 400 bytes", rows: 150_000, number: "request.status", text: "user.name", make: nested },
    Kind { name: "arrays, 2 KB", rows: 50_000, number: "request.status", text: "user.name", make: arrays },
];

fn one_of<'a>(random: &mut StdRng, of: &[&'a str]) -> &'a str {
    of[random.random_range(0..of.len())]
}

fn user(random: &mut StdRng) -> String {
    format!("{}{}", one_of(random, &["ann", "max", "félix", "zoe", "alexis"]), random.random_range(0..500))
}

fn status(random: &mut StdRng) -> &'static str {
    one_of(random, &["200", "200", "200", "200", "201", "204", "301", "404", "500"])
}

fn flat(random: &mut StdRng) -> String {
    format!(
        r#"{{"level":"{}","service":"{}","status": {}, "durationMs": {}.{}, "user":"{}","trace":"{:016x}"}}"#,
        one_of(random, &["info", "info", "warn", "error"]),
        one_of(random, &["checkout", "cart", "search", "identity"]),
        status(random),
        random.random_range(0..4000),
        random.random_range(0..1000),
        user(random),
        random.random::<u64>(),
    )
}

fn nested(random: &mut StdRng) -> String {
    format!(
        concat!(
            r#"{{"resource":{{"service.name":"{}","host.name":"node-{}","k8s.pod.name":"{}-{:08x}"}},"#,
            r#""trace":{{"id":"{:032x}","span":"{:016x}"}},"#,
            r#""request":{{"method":"{}","path":"/api/v2/{}/{}","status":{},"bytes":{},"headers":{{"agent":"{}","#,
            r#""accept":"application/json"}}}},"user":{{"id":{},"name":"{}","groups":["staff","{}"]}},"#,
            r#""note":"line {}\nnext \"quoted\"","ok":{}}}"#
        ),
        one_of(random, &["checkout", "cart", "search", "identity"]),
        random.random_range(0..40),
        one_of(random, &["checkout", "cart", "search"]),
        random.random::<u32>(),
        random.random::<u128>(),
        random.random::<u64>(),
        one_of(random, &["GET", "GET", "POST", "PUT"]),
        one_of(random, &["orders", "items", "users"]),
        random.random_range(0..100_000),
        status(random),
        random.random_range(0..100_000),
        one_of(random, &["curl/8.5.0", "Mozilla/5.0 (X11; Linux x86_64)"]),
        random.random_range(0..100_000),
        user(random),
        one_of(random, &["blue", "red", "green"]),
        random.random_range(0..1000),
        random.random_bool(0.9),
    )
}

fn arrays(random: &mut StdRng) -> String {
    let mut out =
        format!(r#"{{"request":{{"id":"{:016x}","status":{}}},"items":["#, random.random::<u64>(), status(random));
    for place in 0..random.random_range(24..32) {
        if place > 0 {
            out.push(',');
        }
        out.push_str(&format!(
            r#"{{"sku":"A-{:06}","count":{},"price":{}.{:02},"tags":["{}","new"]}}"#,
            random.random_range(0..100_000),
            random.random_range(1..9),
            random.random_range(1..500),
            random.random_range(0..100),
            one_of(random, &["shoes", "books", "garden"]),
        ));
    }
    out.push_str(r#"],"samples":["#);
    for place in 0..48 {
        out.push_str(&format!(
            "{}{}.{}",
            if place > 0 { "," } else { "" },
            random.random_range(0..100),
            random.random_range(1..10)
        ));
    }
    out.push_str(&format!(r#"],"user":{{"name":"{}"}}}}"#, user(random)));
    out
}

/// Processor time of all threads of this process so far.
fn processor_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("procfs is mounted");
    let of_task = |task: std::io::Result<std::fs::DirEntry>| -> Option<u64> {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok()
    };
    Duration::from_nanos(tasks.filter_map(of_task).sum())
}

fn median<T>(mut work: impl FnMut() -> T) -> (Duration, T) {
    let mut times = Vec::with_capacity(RUNS);
    let mut last = None;
    for _ in 0..RUNS {
        let from = processor_time();
        last = Some(black_box(work()));
        times.push(processor_time() - from);
    }
    times.sort();
    (times[RUNS / 2], last.expect("it ran"))
}

fn line(what: &str, form: &str, figure: String) {
    println!("  {what:<34} {form:<28} {figure:>12}");
}

fn took(what: &str, form: &str, time: Duration) {
    line(what, form, format!("{:.0} ms", time.as_secs_f64() * 1e3));
}

/// One column named `d`, written as the store writes its files.
fn write(path: &Path, field: &Field, batches: &[ArrayRef]) -> u64 {
    let schema: SchemaRef = Arc::new(Schema::new(vec![field.clone()]));
    let file = File::create(path).expect("a file in a new folder");
    let mut writer =
        ArrowWriter::try_new(file, Arc::clone(&schema), Some(parquet_properties(&schema))).expect("a writable schema");
    for batch in batches {
        let batch =
            RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(batch)]).expect("the column of the field");
        writer.write(&batch).expect("written");
    }
    writer.close().expect("closed");
    std::fs::metadata(path).expect("it was written").len()
}

/// The batches of `d`, of which only the leaves are read that `wanted` accepts.
fn read(path: &Path, wanted: fn(&str) -> bool) -> impl Iterator<Item = ArrayRef> + use<> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).expect("it was written")).expect("Parquet");
    let leaves = builder.parquet_schema().columns().iter().enumerate();
    let leaves: Vec<usize> = leaves.filter(|(_, leaf)| wanted(&leaf.path().string())).map(|(place, _)| place).collect();
    let mask = ProjectionMask::leaves(builder.parquet_schema(), leaves);
    let reader = builder.with_projection(mask).with_batch_size(BATCH).build().expect("readable");
    reader.map(|batch| Arc::clone(batch.expect("readable").column(0)))
}

fn texts(batch: &ArrayRef) -> &StringViewArray {
    batch.as_string_view()
}

/// The sum of the numbers and how many of the texts contain `x`.
type Answer = (i64, i64);

fn extract_text(batch: &ArrayRef, number: &[json::Step], text: &[json::Step]) -> Answer {
    let mut answer = (0, 0);
    for document in texts(batch).iter().flatten() {
        answer.0 += json::follow(document, number).and_then(|found| found.parse::<i64>().ok()).unwrap_or(0);
        let name = json::follow(document, text).and_then(json::unquote);
        answer.1 += i64::from(name.is_some_and(|name| name.contains('x')));
    }
    answer
}

/// The same with sonic-rs, which checks what it passes over.
fn extract_checked(batch: &ArrayRef, kind: &Kind) -> Answer {
    let mut answer = (0, 0);
    for document in texts(batch).iter().flatten() {
        let number = sonic_rs::get_from_str(document, kind.number.split('.'));
        answer.0 += number.ok().and_then(|found| found.as_raw_str().parse::<i64>().ok()).unwrap_or(0);
        let name = sonic_rs::get_from_str(document, kind.text.split('.'));
        answer.1 += i64::from(name.is_ok_and(|name| name.as_raw_str().contains('x')));
    }
    answer
}

fn typed(batch: &ArrayRef, path: &str, ty: DataType) -> ArrayRef {
    let path = VariantPath::try_from(path).expect("a path");
    let options = GetOptions::new_with_path(path).with_as_type(Some(Arc::new(Field::new("v", ty, true))));
    variant_get(batch, options).expect("a variant")
}

fn count(numbers: &ArrayRef, texts: &ArrayRef) -> Answer {
    let sum = numbers.as_primitive::<Int64Type>().iter().flatten().sum();
    (sum, texts.as_string_view().iter().flatten().filter(|text| text.contains('x')).count() as i64)
}

fn extract_variant(batch: &ArrayRef, kind: &Kind) -> Answer {
    count(&typed(batch, kind.number, DataType::Int64), &typed(batch, kind.text, DataType::Utf8View))
}

/// The typed leaf of a shredded path. All documents have it in its type, so that nothing is left in `value`.
fn shredded_leaf(batch: &ArrayRef, path: &str, ty: &DataType) -> ArrayRef {
    let mut at = Arc::clone(batch);
    for step in path.split('.') {
        at = Arc::clone(at.as_struct().column_by_name("typed_value").expect("shredded"));
        at = Arc::clone(at.as_struct().column_by_name(step).expect("shredded"));
    }
    let leaf = at.as_struct().column_by_name("typed_value").expect("shredded");
    assert_eq!(leaf.null_count(), 0, "each document has {path}");
    arrow::compute::cast(leaf, ty).expect("the type that was shredded")
}

fn is_typed_leaf(path: &str) -> bool {
    path.ends_with(".typed_value")
}

fn all(_: &str) -> bool {
    true
}

fn sum(answers: impl Iterator<Item = Answer>) -> Answer {
    answers.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

fn print_variant(array: &VariantArray) -> usize {
    let mut out = Vec::new();
    for row in 0..array.len() {
        array.value(row).to_json(&mut out).expect("a Vec takes everything");
    }
    out.len()
}

fn engine_answer(
    runtime: &tokio::runtime::Runtime,
    folder: &Path,
    documents: &ArrayRef,
    query: &str,
) -> (Duration, Answer) {
    let options = EngineOptions { memory_limit: 1 << 30, spill_dir: folder.to_path_buf(), threads: 1 };
    let engine = Engine::new(options);
    let schema = watchkeeper_kql::Schema::new(vec![Column::new("d", Type::Dynamic)]);
    let table = MemoryTable::new("T", schema, std::slice::from_ref(documents)).expect("one column");
    let tables: Arc<dyn Tables> = Arc::new(table);
    median(|| {
        let request = Request {
            timespan: None,
            parameters: Default::default(),
            now: Ticks::UNIX_EPOCH,
            deadline: Duration::from_secs(60),
            max_rows: 10,
            max_bytes: 1 << 20,
            cancel: CancellationToken::new(),
            plan: false,
        };
        let response = runtime.block_on(engine.run(query, Arc::clone(&tables), request)).expect("a result");
        let batch = response.tables[0].batches.iter().find(|batch| batch.num_rows() > 0).expect("one row").clone();
        let cell = |column: usize| batch.column(column).as_primitive::<Int64Type>().value(0);
        (cell(0), cell(1))
    })
}

fn measure(kind: &Kind, folder: &Path, runtime: &tokio::runtime::Runtime) {
    let mut random = StdRng::seed_from_u64(SEED);
    let documents: Vec<String> = (0..kind.rows).map(|_| (kind.make)(&mut random)).collect();
    let incoming = documents.iter().map(String::len).sum::<usize>();
    println!("{}: {} documents, {:.1} MB as they came", kind.name, kind.rows, incoming as f64 / 1e6);
    let path = |name: &str| -> PathBuf { folder.join(format!("{}-{name}.parquet", kind.rows)) };

    // encode
    let (time, as_text) = median(|| -> Vec<ArrayRef> {
        let chunks = documents.chunks(BATCH).map(|chunk| {
            let mut builder = StringViewBuilder::with_capacity(chunk.len());
            for document in chunk {
                builder.append_value(json::compact(document).expect("JSON"));
            }
            Arc::new(builder.finish()) as ArrayRef
        });
        chunks.collect()
    });
    took("encode", "text", time);
    let raw: Vec<ArrayRef> =
        documents.chunks(BATCH).map(|chunk| Arc::new(StringViewArray::from_iter_values(chunk)) as ArrayRef).collect();
    let (time, as_variant) =
        median(|| raw.iter().map(|batch| json_to_variant(batch).expect("JSON")).collect::<Vec<_>>());
    took("encode", "variant", time);
    let shape = ShreddedSchemaBuilder::new()
        .with_path(kind.number, &DataType::Int64)
        .and_then(|shape| shape.with_path(kind.text, &DataType::Utf8View))
        .expect("paths")
        .build();
    let (time, as_shredded) = median(|| {
        let shred = |batch| shred_variant(&json_to_variant(batch).expect("JSON"), &shape).expect("shreddable");
        raw.iter().map(shred).collect::<Vec<_>>()
    });
    took("encode", "variant, shredded", time);
    drop(raw);

    // write and size
    let text_field = Field::new("d", DataType::Utf8View, true)
        .with_metadata([(KQL_TYPE.to_owned(), "dynamic".to_owned())].into_iter().collect());
    let inner = |arrays: &[VariantArray]| -> Vec<ArrayRef> {
        arrays.iter().map(|array| Arc::new(array.inner().clone()) as ArrayRef).collect()
    };
    let forms: [(&str, &str, Field, Vec<ArrayRef>); 3] = [
        ("text", "text", text_field, as_text),
        ("variant", "variant", as_variant[0].field("d"), inner(&as_variant)),
        ("shredded", "variant, shredded", as_shredded[0].field("d"), inner(&as_shredded)),
    ];
    for (file, form, field, batches) in &forms {
        let (time, size) = median(|| write(&path(file), field, batches));
        took("write the file", form, time);
        line("file", form, format!("{:.2} MB", size as f64 / 1e6));
        let memory: usize = batches.iter().map(|batch| batch.get_array_memory_size()).sum();
        line("in memory", form, format!("{:.1} MB", memory as f64 / 1e6));
    }
    let batches: Vec<&dyn Array> = forms[0].3.iter().map(|batch| batch.as_ref()).collect();
    let in_memory = arrow::compute::concat(&batches).expect("batches of one type");
    drop((forms, as_variant, as_shredded, documents));

    // read and extract
    let steps = |text| json::path(text).expect("a path");
    let (number, text) = (steps(kind.number), steps(kind.text));
    let (time, _) = median(|| read(&path("text"), all).map(|batch| batch.len()).sum::<usize>());
    took("read only", "text", time);
    let (time, want) = median(|| sum(read(&path("text"), all).map(|batch| extract_text(&batch, &number, &text))));
    took("read, two paths", "text, the accessor", time);
    let (time, answer) = median(|| sum(read(&path("text"), all).map(|batch| extract_checked(&batch, kind))));
    assert_eq!(answer, want, "checked");
    took("read, two paths", "text, checked by sonic-rs", time);
    let query =
        format!("T | summarize sum(tolong(d.{})), countif(tostring(d.{}) contains \"x\")", kind.number, kind.text);
    let (time, answer) = engine_answer(runtime, folder, &in_memory, &query);
    assert_eq!(answer, want, "the engine");
    took("two paths, in memory", "text, the whole engine", time);
    let (time, _) = median(|| read(&path("variant"), all).map(|batch| batch.len()).sum::<usize>());
    took("read only", "variant", time);
    let (time, answer) = median(|| sum(read(&path("variant"), all).map(|batch| extract_variant(&batch, kind))));
    assert_eq!(answer, want, "variant");
    took("read, two paths", "variant", time);
    let (time, answer) = median(|| sum(read(&path("shredded"), all).map(|batch| extract_variant(&batch, kind))));
    assert_eq!(answer, want, "shredded");
    took("read, two paths", "shredded, all its columns", time);
    let (time, answer) = median(|| {
        let batches = read(&path("shredded"), is_typed_leaf);
        sum(batches.map(|batch| {
            let numbers = shredded_leaf(&batch, kind.number, &DataType::Int64);
            count(&numbers, &shredded_leaf(&batch, kind.text, &DataType::Utf8View))
        }))
    });
    assert_eq!(answer, want, "shredded leaves");
    took("read, two paths", "shredded, two columns", time);

    // print
    let variant = |batch: &ArrayRef| VariantArray::try_new(batch).expect("a variant");
    let (time, _) = median(|| {
        let print = |batch: ArrayRef| {
            let mut out = String::new();
            for document in texts(&batch).iter().flatten() {
                out.push_str(document);
            }
            out.len()
        };
        read(&path("text"), all).map(print).sum::<usize>()
    });
    took("read, print as JSON", "text", time);
    let (time, _) = median(|| read(&path("variant"), all).map(|batch| print_variant(&variant(&batch))).sum::<usize>());
    took("read, print as JSON", "variant", time);
    let (time, _) = median(|| {
        let whole = |batch: ArrayRef| print_variant(&unshred_variant(&variant(&batch)).expect("unshredded"));
        read(&path("shredded"), all).map(whole).sum::<usize>()
    });
    took("read, print as JSON", "variant, shredded", time);
}

fn main() {
    // test runners start every target to ask for its tests; there are none
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for kind in KINDS {
        measure(kind, folder.path(), &runtime);
    }
}
