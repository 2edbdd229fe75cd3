"""Diagnostics and recoveries: what an agent does by itself when a monitor changes its state, and what is kept of it."""

import pytest

from conftest import ROOT, wait_until
from test_management_group import get, health_of, watchkeeper, write_level
from test_run_as import done

PACK = "Test.Responses"
LOOK, HANG, OPEN = (f"{PACK}!{PACK}.{name}" for name in ("Look", "Hang", "Open"))


@pytest.fixture
def pumps(own_product, tmp_path):
    """Two pumps with low pressure: their objects by name, and `level` sets the pressure of one."""
    folder = tmp_path / "pumps"
    folder.mkdir()
    for name in ("first", "second"):
        write_level(folder / name, 10)
    pack = tmp_path / f"{PACK}.yaml"
    pack.write_text((ROOT / "tests" / "packs" / f"{PACK}.yaml").read_text().replace("FOLDER", str(folder)))
    product = own_product.start()
    imported = watchkeeper(product, "pack", "import", str(pack))
    assert imported.returncode == 0, imported.stderr
    found = lambda: {one["name"]: one["id"] for one in get(product, f"/api/objects?class={PACK}!{PACK}.Pump")}
    wait_until(lambda: len(found()) == 2, 60, "the pumps are found")
    pumps = found()
    for name in pumps:
        wait_until(lambda: health_of(product, pumps[name]) == "Success", 60, f"{name} is green")
    own_product.level = lambda name, value: write_level(folder / name, value)
    return pumps


def runs(product, object_id, element):
    """The runs of a diagnostic or recovery that have ended, with their output."""
    ended = [one for one in get(product, f"/api/tasks?object={object_id}") if one["task"] == element and one["status"] in ("Succeeded", "Failed")]
    return [get(product, f"/api/tasks/{one['run']}") for one in ended]


def test_a_diagnostic_runs_when_its_state_is_entered_and_its_output_is_kept(own_product, pumps):
    product, first = own_product, pumps["first"]
    product.level("first", 60)
    wait_until(lambda: health_of(product, first) == "Warning", 60, "it is yellow")
    assert runs(product, first, LOOK) == [], "yellow is not its state"
    product.level("first", 95)
    wait_until(lambda: health_of(product, first) == "Error", 60, "it is red")
    [looked] = wait_until(lambda: runs(product, first, LOOK), 60, "the diagnostic has run")
    assert looked["status"] == "Succeeded" and "the valve of first is shut, the pressure is 95" in looked["output"], looked
    assert looked["submittedBy"] == "System", looked
    [hung] = wait_until(lambda: runs(product, first, HANG), 60, "one that hangs is ended")
    assert hung["status"] == "Failed" and "1 s" in hung["error"], hung
    shown = done(product, "tasks", "result", looked["run"])
    assert "the pressure is 95" in shown["output"] and shown["task"] == LOOK
    assert {LOOK, HANG} == {one["task"] for one in done(product, "tasks", "runs", "--object", first)}
    wait_until(
        lambda: product.query_or_none(f"Audit | where Action startswith 'task ' and Action has '{PACK}.Look' and Result == 'Succeeded'"), 60,
        "its row in the audit")

    # it stays red: nothing runs again; red once more: it runs again. The other pump is nobody's business
    product.level("first", 96)
    product.level("first", 10)
    wait_until(lambda: health_of(product, first) == "Success", 60, "it is green")
    assert len(runs(product, first, LOOK)) == 1
    product.level("first", 97)
    wait_until(lambda: len(runs(product, first, LOOK)) == 2, 60, "it ran for the second time")
    assert runs(product, pumps["second"], LOOK) == []
    assert runs(product, first, OPEN) == [], "the recovery is off"


def test_a_recovery_after_its_diagnostic_mends_the_object_that_an_override_names(own_product, pumps):
    product, first, second = own_product, pumps["first"], pumps["second"]
    done(product, "overrides", "set", OPEN, "Enabled=true", "--object", first)
    [effective] = [one for one in done(product, "overrides", "effective", OPEN, first) if one["name"] == "Enabled"]
    assert effective["value"] == "true"
    product.level("second", 95)
    wait_until(lambda: runs(product, second, LOOK), 60, "the diagnostic of the second")
    product.level("first", 95)
    [opened] = wait_until(lambda: runs(product, first, OPEN), 90, "the recovery has run")
    assert opened["status"] == "Succeeded" and "the valve of first is open" in opened["output"], opened
    [looked] = runs(product, first, LOOK)
    assert looked["finishedAt"] <= opened["finishedAt"], "after the diagnostic"
    wait_until(lambda: health_of(product, first) == "Success", 60, "it is mended")
    assert health_of(product, second) == "Error" and runs(product, second, OPEN) == [], "for the second it is off"
