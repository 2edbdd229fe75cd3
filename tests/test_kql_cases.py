"""The query language against the cases of its reference, through the `watchkeeper kql --jsonl` command."""

import re
import subprocess
import sys

import pytest
from conftest import BINARIES, product_environment

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
