"""The command line as a person sees it: formats, errors with their place, what commands print."""

import csv
import io
import json
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import BINARIES, product_environment, wait_until


@pytest.fixture(scope="module")
def cli(product):
    environment = {**product_environment(), "WATCHKEEPER_CONNECTION": str(product.data / "connection.json")}

    def run(*arguments, code=0, stdin=""):
        done = subprocess.run(
            [BINARIES / "watchkeeper", *map(str, arguments)], input=stdin, capture_output=True, text=True,
            timeout=60, env=environment)
        assert done.returncode == code, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    return run


QUERY = "print a = 1, b = 'x \"y\", z', c = 1.5, d = dynamic({'k': [1, 2]}), e = datetime(2024-01-02)"


def test_query_prints_every_format(cli):
    table = cli("query", QUERY)
    for part in ("a", "long", "string", "dynamic", '{"k":[1,2]}', "2024-01-02T00:00:00Z", "1 row"):
        assert part in table, table
    answer = json.loads(cli("query", QUERY, "--format", "json"))
    assert [column["type"] for column in answer["tables"][0]["columns"]] == ["long", "string", "real", "dynamic", "datetime"]
    line = json.loads(cli("query", "-", "--format", "jsonl", stdin=QUERY))
    assert (line["a"], line["b"], line["c"]) == (1, 'x "y", z', 1.5)
    rows = list(csv.reader(io.StringIO(cli("query", QUERY, "--format", "csv"))))
    assert rows[0] == ["a", "b", "c", "d", "e"]
    assert rows[1][:3] == ["1", 'x "y", z', "1.5"]


def test_a_mistake_in_a_query_is_underlined(cli):
    errors = cli("query", "print a = 1\n| where nosuch > 1", code=1)
    assert "nosuch" in errors and "--> line 2, column 9" in errors
    assert "2 | | where nosuch > 1\n  |         ^^^^^^" in errors


def test_timespan_limits_the_time(cli, product):
    wait_until(lambda: product.query_or_none("Heartbeat | take 1"), 60, "a heartbeat")
    seen = lambda *arguments: json.loads(cli("query", "Heartbeat | count", "--format", "jsonl", *arguments))["Count"]
    assert seen("--timespan", "PT1H") > 0
    assert seen("--timespan", "2020-01-01/2020-01-02") == 0
    assert "ISO 8601" in cli("query", "print 1", "--timespan", "yesterday", code=1)


def test_tables_are_listed_and_one_is_described(cli):
    names = [json.loads(line)["Table"] for line in cli("tables", "--format", "jsonl").splitlines()]
    assert {"Heartbeat", "Perf", "Syslog"} <= set(names)
    columns = dict(csv.reader(io.StringIO(cli("tables", "Heartbeat", "--format", "csv"))))
    assert (columns["TimeGenerated"], columns["Computer"]) == ("datetime", "string")
    assert 'did you mean "Heartbeat"?' in cli("tables", "heartbeat", code=1)


def test_keys_are_shown_and_replaced(cli, product):
    before = json.loads(cli("workspace", "keys"))
    assert before["customerId"] == product.ready["workspace_id"]
    after = json.loads(cli("workspace", "keys", "--regenerate", "secondary"))
    assert after["primarySharedKey"] == before["primarySharedKey"]
    assert after["secondarySharedKey"] != before["secondarySharedKey"]
    assert json.loads(cli("workspace", "keys")) == after
    product.keys_were_replaced()


def test_principals_are_added_listed_and_removed(cli, product):
    made = json.loads(cli("workspace", "principals", "add", "cli test", "--role", "Reader", "--days", "1"))
    listed = cli("workspace", "principals", "list")
    assert made["clientId"] in listed and made["clientSecret"] not in listed
    second = json.loads(cli("workspace", "principals", "secret", made["clientId"]))
    secret = second.get("clientSecret") or second["secret"]
    answer = product.session.post(
        f"{product.url}/{product.ready['tenant_id']}/oauth2/v2.0/token",
        data={"grant_type": "client_credentials", "client_id": made["clientId"], "client_secret": secret,
              "scope": "https://api.loganalytics.io/.default"})
    assert answer.status_code == 200, answer.text
    cli("workspace", "principals", "remove", made["clientId"])
    assert made["clientId"] not in cli("workspace", "principals", "list")
    assert "Wizard" in cli("workspace", "principals", "add", "x", "--role", "Wizard", code=1)


def test_config_shows_values_with_their_origin(cli, tmp_path):
    file = tmp_path / "config.toml"
    file.write_text("[store]\nflush_seconds = 61\n")
    shown = cli("config", "show", "--config", file)
    line = next(line for line in shown.splitlines() if line.startswith("store.flush_seconds"))
    assert "61" in line and str(file) in line
    assert any("default" in line for line in shown.splitlines())
    file.write_text("[store]\nflush_second = 61\n")
    assert "flush_seconds" in cli("config", "show", "--config", file, code=1)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_know_the_commands(cli, shell):
    script = cli("completions", shell)
    for command in ("import", "query", "tables", "kql"):
        assert command in script


def test_commands_without_a_server_say_what_to_do(cli, tmp_path):
    errors = cli("query", "print 1", "--connection", tmp_path / "none.json", code=1)
    assert "none.json" in errors and "watchkeeper up" in errors


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.csv").write_text("Level,Message\n1,one\n2,two\n")
    (tmp_path / "b.jsonl").write_text('{"Level":2,"Tag":"x"}\n{"Level":3,"Tag":"y"}\n')
    pq.write_table(pa.table({"Level": [1, 3], "Size": [0.5, 1.5]}), tmp_path / "c.parquet")
    return tmp_path


def test_kql_joins_files_of_different_formats_and_prints_every_format(cli, files):
    tables = [part for name, file in (("A", "a.csv"), ("B", "b.jsonl"), ("C", "c.parquet")) for part in ("--table", f"{name}={files / file}")]
    query = "A | join kind=fullouter B on Level | join kind=leftouter C on Level | count"
    assert json.loads(cli("kql", query, *tables)) == {"Count": 3}
    query = "A | join kind=inner B on Level | project Level, Message, Tag"
    assert cli("kql", query, *tables, "--format", "csv") == "Level,Message,Tag\n2,two,x\n"
    assert json.loads(cli("kql", query, *tables, "--format", "json")) == [{"Level": 2, "Message": "two", "Tag": "x"}]
    table = cli("kql", "-", *tables, "--format", "table", stdin=query)
    assert "Message" in table and "1 row" in table
    errors = cli("kql", "A | where Levl == 1", *tables, code=1)
    assert "1:11:" in errors and "^^^^" in errors
    assert "none.csv" in cli("kql", "A", "--table", f"A={files / 'none.csv'}", code=1)


def test_kql_says_what_a_query_cost_how_it_ran_and_what_would_be_better(files):
    query = "A | where Message contains 'on' | summarize makeset(Level)"
    command = [BINARIES / "watchkeeper", "kql", query, "--table", f"A={files / 'a.csv'}", "--statistics", "--explain"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and json.loads(run.stdout) == {"set_Level": [1]}, run.stderr
    assert 'Message contains "on" reads the whole text' in run.stderr and "makeset is an old name: write make_set" in run.stderr
    assert "1 rows in " in run.stderr and "AggregateExec" in run.stderr and "output_rows=1" in run.stderr
    # a plan names files, not where they lie
    assert "a.csv" in run.stderr and str(files) not in run.stderr
    quiet = subprocess.run(command[:5], capture_output=True, text=True, timeout=60)
    assert "AggregateExec" not in quiet.stderr and "rows in" not in quiet.stderr and "makeset" in quiet.stderr


def test_kql_answers_line_by_line(cli, files):
    questions = [{"id": "one", "query": "A | summarize s = sum(Level)"}, {"id": 2, "query": "A |\n wher x"}]
    output = cli("kql", "--jsonl", "--table", f"A={files / 'a.csv'}", stdin="".join(json.dumps(q) + "\n" for q in questions))
    answers = [json.loads(line) for line in output.splitlines()]
    assert answers[0] == {"id": "one", "columns": [{"name": "s", "type": "long"}], "rows": [[3]]}
    assert (answers[1]["id"], answers[1]["error"]["line"]) == (2, 2)
    parsed = cli("kql", "--jsonl", "--parse-only", stdin=json.dumps(questions[0]) + "\n")
    assert json.loads(parsed) == {"id": "one", "columns": [], "rows": []}
