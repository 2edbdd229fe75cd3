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
