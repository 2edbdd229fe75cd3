"""The query language against the cases of its reference, through the `watchkeeper kql --jsonl` command."""

import json
import re
import subprocess
import sys

import pytest
from conftest import BINARIES, ROOT, product_environment

# Of the examples with printed results, so many give exactly these. It only ever rises.
EXAMPLES_FLOOR = 448


def check(folder, cases, *arguments, parse=False):
    """Runs `check.py` over the cases of a file; gives how many passed and failed, and what it printed."""
    command = [sys.executable, str(folder / "check.py"), "--cases", str(folder / cases)]
    command += ["--parse"] if parse else []
    command += ["--", str(BINARIES / "watchkeeper"), "kql", "--jsonl", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900, env=product_environment())
    counts = re.search(r"(\d+) passed, (\d+) failed", ran.stdout)
    assert counts, f"check.py gave no counts:\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
    return int(counts[1]), int(counts[2]), ran.stdout


def test_examples_give_the_printed_tables(shared_cases):
    passed, failed, printed = check(shared_cases, "examples.jsonl")
    assert passed >= EXAMPLES_FLOOR, f"{passed} of {passed + failed} passed, fewer than before:\n{printed[-4000:]}"


@pytest.mark.parametrize("cases", ["parse.jsonl", "real-world.jsonl"])
def test_queries_that_people_write_are_parsed(shared_cases, cases):
    passed, failed, printed = check(shared_cases, cases, "--parse-only", parse=True)
    assert passed > 0 and failed == 0, f"{failed} of {passed + failed} are not parsed:\n{printed[-4000:]}"


# What a function of the page has below its name: an example and its result.
EXAMPLE = re.compile(r"```kql\n(.*?)\n```\n\n```text\n(.*?)\n```", re.DOTALL)


def kql(*arguments, questions=""):
    command = [BINARIES / "watchkeeper", "kql", *arguments]
    return subprocess.run(
        command, input=questions, capture_output=True, text=True, timeout=300, check=True, env=product_environment(),
    ).stdout


def printed(answer):
    """An answer as the page prints it: the columns' names, unless it is a `print` of one value, and the rows."""
    if "error" in answer:
        return answer["error"]["message"]
    names = [column["name"] for column in answer["columns"]]
    rows = [
        [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in row]
        for row in answer["rows"]
    ]
    return "\n".join(" | ".join(row) for row in ([] if names == ["print_0"] else [names]) + rows)


def test_the_page_of_functions_is_that_of_the_registry():
    page = (ROOT / "docs" / "kql-functions.md").read_text()
    assert page == kql("--reference"), "write it again: watchkeeper kql --reference >docs/kql-functions.md"


def test_the_examples_of_the_functions_give_the_results_that_are_printed():
    functions = (ROOT / "docs" / "kql-functions.md").read_text().split("\n### ")[1:]
    examples = [(function.split("\n")[0], *found) for function in functions for found in EXAMPLE.findall(function)]
    assert len(examples) >= 434, "a function lost its example"
    questions = "".join(json.dumps({"id": at, "query": query}) + "\n" for at, (_, query, _) in enumerate(examples))
    answers = [json.loads(line) for line in kql("--jsonl", questions=questions).splitlines()]
    assert [answer["id"] for answer in answers] == list(range(len(examples)))
    wrong = [
        f"{name}: {query}\n  is {printed(answer)}\n  not {result}"
        for (name, query, result), answer in zip(examples, answers, strict=True) if printed(answer) != result
    ]
    assert not wrong, "\n".join(wrong)


class LanguageClient:
    """An editor's side of `watchkeeper kql --lsp`."""

    def __init__(self, *arguments):
        command = [BINARIES / "watchkeeper", "kql", "--lsp", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=product_environment())
        self.asked = 0

    def send(self, **message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def receive(self):
        length = 0
        while (line := self.process.stdout.readline().strip()):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        assert length, "the language server ended"
        return json.loads(self.process.stdout.read(length))

    def notify(self, method, params):
        self.send(method=method, params=params)

    def ask(self, method, params=None):
        self.asked += 1
        self.send(id=self.asked, method=method, params=params)
        answer = self.receive()
        assert answer["id"] == self.asked and "error" not in answer, answer
        return answer["result"]

    def ask_at(self, method, line, character):
        return self.ask(method, {"textDocument": {"uri": "file:///q.kql"}, "position": {"line": line, "character": character}})

    def mistakes(self):
        message = self.receive()
        assert message["method"] == "textDocument/publishDiagnostics"
        return message["params"]["diagnostics"]


def test_the_language_server_helps_an_editor(tmp_path):
    (tmp_path / "logs.csv").write_text("Level,Took\nerror,3\n")
    client = LanguageClient("--table", f"Logs={tmp_path / 'logs.csv'}")
    try:
        assert client.ask("initialize", {"capabilities": {}})["capabilities"]["hoverProvider"]
        client.notify("initialized", {})
        text = "let least = 5;\nLogs | where Level != '\N{CRAB}' and Tok > least\n| extend n = strlen(Level)\n"
        client.notify("textDocument/didOpen", {"textDocument": {"uri": "file:///q.kql", "languageId": "kusto", "version": 1, "text": text}})
        (mistake,) = client.mistakes()
        # the crab is two units of UTF-16, which is what the protocol counts
        assert mistake["range"] == {"start": {"line": 1, "character": 31}, "end": {"line": 1, "character": 34}}
        assert "did you mean `Took`" in mistake["message"]
        change = {"range": mistake["range"], "text": "Took"}
        client.notify("textDocument/didChange", {"textDocument": {"uri": "file:///q.kql", "version": 2}, "contentChanges": [change]})
        assert client.mistakes() == []

        offered = {item["label"]: item for item in client.ask_at("textDocument/completion", 1, 34)}
        assert offered["Took"]["detail"] == "long"
        assert all(label.lower().startswith("too") for label in offered)
        operators = [item["label"] for item in client.ask_at("textDocument/completion", 2, 3)]
        assert "extend" in operators and "endofday" not in operators
        assert "Counts the characters" in client.ask_at("textDocument/hover", 2, 15)["contents"]["value"]
        assert client.ask_at("textDocument/hover", 1, 32)["contents"]["value"] == "`Took`: long"
        help = client.ask_at("textDocument/signatureHelp", 2, 20)
        assert help["signatures"][0]["label"] == "strlen(source: string or dynamic) \N{RIGHTWARDS ARROW} long"
        definition = client.ask_at("textDocument/definition", 1, 40)
        assert definition["range"] == {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 9}}
        symbols = client.ask("textDocument/documentSymbol", {"textDocument": {"uri": "file:///q.kql"}})
        assert [symbol["name"] for symbol in symbols] == ["least"]
        client.ask("shutdown")
        client.notify("exit", None)
        assert client.process.wait(timeout=60) == 0
    finally:
        client.process.kill()
        client.process.wait()
