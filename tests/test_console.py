"""The console in a real browser: its Playwright tests against real servers.

They need Node.js, the console's packages (`npm ci` in `console`) and a Chromium; `CHROMIUM` names another one.
"""

import os
import shutil
import subprocess

import pytest

from conftest import ROOT, product_environment, wait_until
from test_management_group import alerts, pack_file, watchkeeper, write_level

CONSOLE = ROOT / "console"
DEADLINE_SECONDS = 3600


@pytest.fixture
def browser():
    """The browser's path; the test skips where the machine has none, or the console's packages are not installed."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.skip("no Chromium: install one, or name it in CHROMIUM")
    if not (CONSOLE / "node_modules" / ".bin" / "playwright").exists():
        pytest.skip("the console's packages are not installed: run `npm ci` in console")
    return path


def run_browser(product, browser, *specs, **more):
    """Runs Playwright's tests of these files against a product."""
    page = product.session.get(f"{product.url}/")
    assert page.status_code == 200, f"the server carries no console: build console/dist, then the server ({page.status_code})"
    run = subprocess.run(
        ["npx", "playwright", "test", "-c", "e2e/playwright.config.ts", *specs],
        cwd=CONSOLE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=DEADLINE_SECONDS,
        env={**product_environment(), "WATCHKEEPER_READY_FILE": str(product.ready_file), "CHROMIUM": browser, **more},
    )
    assert run.returncode == 0, run.stdout


def test_the_console_works_in_a_browser(product, browser):
    wait_until(lambda: product.query_or_none("Heartbeat | take 1"), 120, "the first heartbeat")
    run_browser(product, browser, "console.spec", "logs.spec")


def test_the_pages_of_the_management_group_work_in_a_browser(own_product, browser, tmp_path):
    product = own_product.start()
    level = tmp_path / "level"
    write_level(level, 95)
    imported = watchkeeper(product, "pack", "import", str(pack_file(tmp_path, level)))
    assert imported.returncode == 0, imported.stderr
    wait_until(lambda: alerts(product), 120, "the alert of the full tank")
    run_browser(product, browser, "group.spec", "monitoring.spec", "authoring.spec", "administration.spec")
