"""Every command in docs/ runs as it is printed, against a running product.

A fence of `sh` or `python` is run in order of its page, in a folder of its own that holds connection.json; one whose
info string says `skip: reason` is not.
"""

import os
import re
import subprocess
import sys

import pytest

from conftest import BINARIES, ROOT, product_environment, wait_until

FENCE = re.compile(r"^```(sh|python)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted((ROOT / "docs").glob("*.md"))


def commands(page):
    for language, info, text in FENCE.findall(page.read_text()):
        if not info.strip().startswith("skip:"):
            yield language, text


@pytest.mark.parametrize("page", [page for page in PAGES if any(commands(page))], ids=lambda page: page.stem)
def test_the_commands_of_a_page_run(page, product, tmp_path):
    wait_until(lambda: product.query_or_none("Heartbeat | take 1"), 60, "a heartbeat")
    connection = product.data / "connection.json"
    (tmp_path / "connection.json").write_bytes(connection.read_bytes())
    environment = {
        **product_environment(), "PATH": f"{BINARIES}:{os.environ['PATH']}", "WATCHKEEPER_CONNECTION": str(connection),
        "REQUESTS_CA_BUNDLE": product.ready["ca_file"],
    }
    for language, text in commands(page):
        runner = ["bash", "-euo", "pipefail", "-c", text] if language == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(runner, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{page.name}:\n{text}\n{done.stdout}\n{done.stderr}"
    product.keys_were_replaced()
