"""The management group end to end: a pack is imported, its objects are found, a condition turns them red and green."""

import os
import subprocess

from conftest import BINARIES, ROOT, product_environment, wait_until

PACK = (ROOT / "tests" / "packs" / "Test.Level.xml").read_text()


def call(product, method, path, **more):
    answer = product.session.request(
        method, f"{product.url}{path}", headers={"Authorization": f"Bearer {product.token()}"}, **more)
    return answer


def get(product, path):
    answer = call(product, "GET", path)
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
    return answer.json()


def watchkeeper(product, *arguments):
    environment = {**product_environment(), "WATCHKEEPER_CONNECTION": str(product.data / "connection.json")}
    return subprocess.run([BINARIES / "watchkeeper", *arguments], env=environment, capture_output=True, text=True, timeout=60)


def pack_file(tmp_path, level):
    file = tmp_path / "Test.Level.xml"
    file.write_text(PACK.replace("LEVEL_FILE", str(level)))
    return file


def write_level(level, value):
    # in one step: the monitor never reads half a value
    new = level.with_suffix(".new")
    new.write_text(f"{value}\n")
    os.replace(new, level)


def tanks(product):
    return get(product, "/api/objects?class=Test.Level!Test.Level.Tank")


def health_of(product, object_id):
    return get(product, f"/api/objects/{object_id}")["health"]


def alerts(product, state="open"):
    return [alert for alert in get(product, f"/api/alerts?state={state}") if alert["name"] == "The tank is full"]


def test_a_condition_turns_object_and_computer_red_with_one_alert_and_back_also_over_a_kill(own_product, tmp_path):
    product = own_product.start()
    level = tmp_path / "level"
    write_level(level, 10)
    imported = watchkeeper(product, "pack", "import", str(pack_file(tmp_path, level)))
    assert imported.returncode == 0, imported.stderr
    assert "imported Test.Level 1.0.0.0" in imported.stdout
    [tank] = wait_until(lambda: tanks(product), 60, "the tank is found")
    assert tank["name"] == "tank" and tank["agentId"]
    [computer] = [agent["object"] for agent in get(product, "/api/agents")]
    wait_until(lambda: health_of(product, tank["id"]) == "Success", 30, "the tank is green")
    wait_until(lambda: health_of(product, computer) == "Success", 30, "the computer is green")

    write_level(level, 95)
    wait_until(lambda: health_of(product, tank["id"]) == "Error", 30, "the tank is red")
    wait_until(lambda: health_of(product, computer) == "Error", 30, "the computer is red")
    [alert] = wait_until(lambda: alerts(product), 30, "the alert")
    assert alert["severity"] == "Error" and alert["priority"] == "High"
    assert alert["description"].startswith("tank on ")
    rows = wait_until(
        lambda: product.query_or_none(f"Alert | where AlertId == '{alert['id']}' | project AlertName, AlertState"),
        30, "the row of the alert")
    assert rows == [{"AlertName": "The tank is full", "AlertState": "New"}]
    explained = watchkeeper(product, "health", computer)
    assert explained.returncode == 0 and "tank" in explained.stdout, explained.stderr

    product.kill()
    product.start()
    assert [found["id"] for found in tanks(product)] == [tank["id"]]
    assert health_of(product, tank["id"]) == "Error"
    assert health_of(product, computer) == "Error"
    assert [open_["id"] for open_ in alerts(product)] == [alert["id"]]

    write_level(level, 10)
    wait_until(lambda: health_of(product, tank["id"]) == "Success", 60, "the tank is green again")
    wait_until(lambda: health_of(product, computer) == "Success", 30, "the computer is green again")
    wait_until(lambda: alerts(product) == [], 30, "the alert is closed")
    assert [closed["id"] for closed in alerts(product, "all")] == [alert["id"]], "there was one alert only"


def test_a_broken_pack_is_refused_with_file_and_line_and_nothing_of_it_is_imported(product, tmp_path):
    file = tmp_path / "Broken.xml"
    file.write_text(PACK.replace("Test.Level", "Test.Broken").replace('TypeID="WK!Watchkeeper.Script.TooHigh"', 'TypeID="WK!Watchkeeper.Script.TooHihg"'))
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if "TooHihg" in text)
    for command in (["pack", "check", str(file)], ["pack", "import", str(file)]):
        refused = watchkeeper(product, *command)
        assert refused.returncode == 1, refused.stdout
        assert f"{file}:{line}:" in refused.stderr, refused.stderr
        assert "Test.Broken.Monitor" in refused.stderr
        assert "did you mean 'Watchkeeper.Script.TooHigh'" in refused.stderr
    assert call(product, "GET", "/api/packs/Test.Broken").status_code == 404


def test_a_pack_is_listed_exported_compared_and_removed(product, tmp_path):
    file = pack_file(tmp_path, tmp_path / "none")
    assert watchkeeper(product, "pack", "import", str(file)).returncode == 0
    listed = watchkeeper(product, "pack", "list", "--format", "csv")
    assert "Test.Level,1.0.0.0,Level of a tank" in listed.stdout, listed.stderr
    exported = watchkeeper(product, "pack", "export", "Test.Level")
    again = tmp_path / "again.xml"
    again.write_text(exported.stdout.replace("<Critical>90</Critical>", "<Critical>95</Critical>"))
    changed = watchkeeper(product, "pack", "diff", "Test.Level", str(again))
    assert "Test.Level.Monitor" in changed.stdout and "95" in changed.stdout, changed.stderr
    shown = watchkeeper(product, "pack", "show", "Test.Level")
    assert "Test.Level.Discovery" in shown.stdout, shown.stderr
    assert watchkeeper(product, "pack", "remove", "Test.Level").returncode == 0
    assert call(product, "GET", "/api/packs/Test.Level").status_code == 404
