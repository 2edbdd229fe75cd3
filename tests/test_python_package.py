"""The Python package `watchkeeper-kql`, as it is built with the rest of the workspace: its pages, its types, its errors."""

import datetime
import decimal
import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from conftest import BINARIES, ROOT

PACKAGE = ROOT / "python" / "watchkeeper-kql"
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A folder from which the package is imported: its Python files beside the module that cargo built."""
    module = BINARIES / "libwatchkeeper_kql_native.so"
    assert module.is_file(), f"{module} is missing: cargo build --workspace --bins --lib builds it"
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(PACKAGE / "python" / "watchkeeper_kql", folder / "watchkeeper_kql", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    (folder / "watchkeeper_kql" / "_native.abi3.so").symlink_to(module)
    return folder


@pytest.fixture(scope="module")
def wk(installed):
    sys.path.insert(0, str(installed))
    try:
        import watchkeeper_kql

        yield watchkeeper_kql
    finally:
        sys.path.remove(str(installed))


def python(installed, text, folder, **more):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run([sys.executable, "-c", text], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, **more)


@pytest.mark.parametrize("page", [PACKAGE / "README.md", ROOT / "docs" / "kql-elsewhere.md"], ids=lambda page: page.stem)
def test_what_a_page_shows_runs_and_prints_what_it_says(installed, tmp_path, page):
    text = page.read_text()
    examples = [*FENCE.findall(text), *re.findall(r"^```python skip: [^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    assert examples
    done = python(installed, "\n".join(examples), tmp_path)
    assert done.returncode == 0, done.stderr
    printed = "".join(re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert done.stdout == printed


def test_pandas_types_become_types_of_the_language(wk):
    frame = pd.DataFrame(
        {
            "nanos": pd.to_datetime(["2026-01-01T00:00:00.123456789", None]).astype("datetime64[ns]"),
            "zoned": pd.to_datetime(["2026-01-01 12:00", "2026-07-01 12:00"]).tz_localize("Europe/Vienna"),
            "text": ["a", None],
            "nullable": pd.array([2**53 + 1, None], dtype="Int64"),
            "category": pd.Categorical(["u", "v"]),
            "list": [[1, 2], None],
            "bag": [{"a": 1}, {"a": 2}],
            "took": pd.to_timedelta(["1.5s", None]),
            "flag": pd.array([True, None], dtype="boolean"),
            "amount": [decimal.Decimal("1.50"), None],
            "ratio": [1.5, float("nan")],
            "nothing": [None, None],
        },
        index=pd.Index([7, 8], name="id"),
    )
    result = wk.query("T", T=frame)
    assert result.columns == {
        "nanos": "datetime", "zoned": "datetime", "text": "string", "nullable": "long", "category": "string", "list": "dynamic",
        "bag": "dynamic", "took": "timespan", "flag": "bool", "amount": "decimal", "ratio": "real", "nothing": "string", "id": "long",
    }
    utc = datetime.timezone.utc
    first, second = result.to_pylist()
    assert first == {
        "nanos": datetime.datetime(2026, 1, 1, 0, 0, 0, 123456, utc), "zoned": datetime.datetime(2026, 1, 1, 11, tzinfo=utc), "text": "a",
        "nullable": 2**53 + 1, "category": "u", "list": [1, 2], "bag": {"a": 1}, "took": datetime.timedelta(seconds=1.5), "flag": True,
        "amount": decimal.Decimal("1.5"), "ratio": 1.5, "nothing": "", "id": 7,
    }
    assert second["zoned"] == datetime.datetime(2026, 7, 1, 10, tzinfo=utc)
    nulls = {name for name, value in second.items() if value is None}
    assert nulls == {"nanos", "nullable", "list", "took", "flag", "amount", "ratio"}
    # the hundreds of nanoseconds are there, though results show microseconds
    assert wk.query("T | where nanos == datetime(2026-01-01T00:00:00.1234567) | count", T=frame).to_pylist() == [{"Count": 1}]
    # an index that only counts is no column
    assert list(wk.query("T", T=frame.reset_index(drop=True)).columns)[-1] == "nothing"
    assert list(wk.query("T | take 1", T=frame).to_pandas()["text"]) == ["a"]


def test_polars_and_arrow_types_become_types_of_the_language(wk):
    frame = pl.DataFrame(
        {
            "text": ["a", None],
            "category": pl.Series(["x", "y"], dtype=pl.Categorical),
            "enum": pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"])),
            "list": [[1], [2, 3]],
            "time": [datetime.datetime(2026, 1, 1), None],
            "clock": [datetime.time(1, 2, 3), None],
            "big": pl.Series([2**64 - 1, 1], dtype=pl.UInt64),
            "small": pl.Series([1, -2], dtype=pl.Int8),
            "nothing": [None, None],
        }
    )
    columns = {
        "text": "string", "category": "string", "enum": "string", "list": "dynamic", "time": "datetime", "clock": "timespan",
        "big": "long", "small": "int", "nothing": "string",
    }
    for given in (frame, frame.lazy()):
        result = wk.query("T", T=given)
        assert result.columns == columns
        assert result.to_polars().select("text", "category", "enum", "list", "big", "small").rows() == [
            ("a", "x", "x", "[1]", None, 1), ("", "y", "y", "[2,3]", 1, -2)]
    batch = pa.record_batch(
        {
            "view": pa.array(["q", "r"], pa.string_view()),
            "large": pa.array(["q", "r"], pa.large_string()),
            "codes": pa.array(["a", "b"]).dictionary_encode(),
            "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
            "runs": pa.RunEndEncodedArray.from_arrays([1, 2], ["a", "b"]),
            "millis": pa.array([1000, None], pa.timestamp("ms")),
            "money": pa.array([decimal.Decimal("2.25"), None], pa.decimal128(10, 2)),
        }
    )

    class OnlyArray:
        def __arrow_c_array__(self, requested_schema=None):
            return batch.__arrow_c_array__(requested_schema)

    def batches():
        yield batch

    for given in (batch, pa.table(batch), pa.RecordBatchReader.from_batches(batch.schema, batches()), OnlyArray(), wk.query("T", T=batch)):
        rows = wk.query("T | sort by large asc", T=given).to_pylist()
        assert rows[0] == {
            "view": "q", "large": "q", "codes": "a", "map": {"k": 1}, "runs": "a", "money": decimal.Decimal("2.25"),
            "millis": datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.timezone.utc)}
    # results are arrow for anybody
    assert pa.table(wk.query("T | project view", T=batch)).column("view").to_pylist() == ["q", "r"]


def test_what_is_no_table_is_refused_in_words(wk, tmp_path):
    for given, kind, words in [
        (5, TypeError, "table T is of int; a table is a pandas or polars frame"),
        (pd.Series([1]), TypeError, "table T is a single column; make a frame of it with to_frame()"),
        (pl.Series([1]), TypeError, "table T is a single column"),
        (pd.DataFrame({"m": [1, "a"]}), wk.KqlError, "table T cannot be made columns of one type each"),
        (str(tmp_path / "*.parquet"), wk.KqlError, "there are no .parquet, .csv"),
        (pa.table([[1], [2]], names=["a", "a"]), wk.KqlError, "table T: there are two columns with the name a"),
    ]:
        with pytest.raises(kind, match=re.escape(words)):
            wk.query("T", T=given)
    with pytest.raises(wk.KqlError, match="the table T is given twice"):
        wk.query("T", {"T": [{"a": 1}]}, T=[{"a": 1}])


def test_errors_have_their_place(wk):
    frame = pd.DataFrame({"level": ["info"]})
    with pytest.raises(ValueError) as raised:
        wk.query("logs\n| where levl == 'x'", logs=frame)
    error = raised.value
    assert (type(error), error.line, error.column) == (wk.KqlError, 2, 9)
    assert str(error).splitlines()[1:3] == ["2 | | where levl == 'x'", "  |         ^^^^"]
    assert [(found.code, found.end_column) for found in error.diagnostics] == [("unknown-name", 13)]
    assert wk.parse("T | where x > 1") == []
    assert [(found.code, found.line) for found in wk.parse("T\n| wher x")] == [("syntax", 2)]
    assert wk.check("logs | where level == 'x'", logs=frame) == []
    assert [found.column for found in wk.check("T | where y", T={"x": "long"})] == [11]
    with pytest.raises(wk.KqlError, match="column x has the type integer; a type is one of bool, int"):
        wk.check("T", T={"x": "integer"})
    with pytest.raises(wk.KqlError, match="longer than its deadline of 10ms") as raised:
        wk.query("range x from 1 to 1000000000000 step 1 | summarize sum(x)", timeout=0.01)
    assert raised.value.line is None


def test_several_results_parameters_and_what_a_result_says(wk):
    frame = pd.DataFrame({"x": range(100)})
    result = wk.query("T | fork (count) (take 3)", T=frame)
    assert [len(table) for table in result.tables] == [1, 3]
    assert result.to_pylist() == [{"Count": 100}]
    text = "declare query_parameters(least: long, since: datetime); T | where x >= least | extend since | render table"
    result = wk.query(text, T=frame, parameters={"least": 70, "since": datetime.datetime(2026, 1, 1)}, plan=True)
    assert (len(result), result.render) == (30, "table")
    assert result.statistics["rows_scanned"] == 100
    assert result.plan
    shown = repr(result).splitlines()
    assert (shown[1].split(), len(shown), shown[-1]) == (["long", "datetime"], 24, "30 rows, the first 20 are shown")
    assert "2026-01-01T00:00:00Z</td>" in result._repr_html_()
    assert wk.query("T | summarize makeset(x)", T=frame).advice
    text = "declare query_parameters(took: timespan, bag: dynamic, flag: bool, words: string); print took, bag.k, flag, words"
    given = {"took": datetime.timedelta(days=-1, microseconds=3), "bag": {"k": 'it\'s "x"'}, "flag": True, "words": "x'y"}
    assert list(wk.query(text, parameters=given).to_pylist()[0].values()) == [given["took"], given["bag"]["k"], True, "x'y"]


def test_control_c_ends_a_query_while_other_threads_run(installed, tmp_path):
    text = """
import os, signal, threading, time
import watchkeeper_kql as wk

def interrupt():
    # the engine's threads are there as soon as the query is: this thread sees them because the query leaves it running
    while not any(name(task) == "watchkeeper-kql" for task in os.listdir("/proc/self/task")):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

def name(task):
    try:
        return open(f"/proc/self/task/{task}/comm").read().strip()
    except OSError:
        return None  # it ended meanwhile

threading.Thread(target=interrupt).start()
try:
    wk.query("range x from 1 to 1000000000000 step 1 | summarize sum(x)")
except KeyboardInterrupt:
    print("interrupted;", len(wk.query("range x from 1 to 5 step 1")), "rows afterwards")
"""
    done = python(installed, text, tmp_path)
    assert (done.stdout, done.returncode) == ("interrupted; 5 rows afterwards\n", 0), done.stderr


def test_a_forked_process_runs_queries_of_its_own(installed, tmp_path):
    text = """
import os
import watchkeeper_kql as wk

assert len(wk.query("range x from 1 to 3 step 1")) == 3
child = os.fork()
if child == 0:
    os._exit(len(wk.query("range x from 1 to 5 step 1")))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = python(installed, text, tmp_path)
    assert (done.stdout, done.returncode) == ("5\n", 0), done.stderr


def test_the_stub_names_what_the_module_has(wk):
    stub = (PACKAGE / "python" / "watchkeeper_kql" / "_native.pyi").read_text()
    native = wk._native
    declared = set(re.findall(r"^(?:class|def) (\w+)", stub, re.MULTILINE))
    assert declared == {name for name in dir(native) if not name.startswith("_")}
    for name, body in re.findall(r"^class (\w+):\n((?:    .*\n|\n)+)", stub, re.MULTILINE):
        members = {member for member in re.findall(r"^    def (\w+)", body, re.MULTILINE) if not member.startswith("_")}
        assert members == {member for member in dir(getattr(native, name)) if not member.startswith("_")}, name
