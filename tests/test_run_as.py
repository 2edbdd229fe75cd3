"""Run As end to end: an account's secret reaches exactly the agents that may have it, and is nowhere to be read."""

import hashlib
import json
import os
import stat
import subprocess

from conftest import BINARIES, ROOT, product_environment, wait_until

SECRET = "s3cr$t <of> \"the\" & database'"
PROFILE = "Test.Tasks!Test.Tasks.Database"


def call(product, method, path, **more):
    return product.session.request(
        method, f"{product.url}{path}", headers={"Authorization": f"Bearer {product.token()}"}, **more)


def get(product, path):
    answer = call(product, "GET", path)
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
    return answer.json()


def watchkeeper(product, *arguments, stdin=None):
    environment = {**product_environment(), "WATCHKEEPER_CONNECTION": str(product.data / "connection.json")}
    return subprocess.run(
        [BINARIES / "watchkeeper", *arguments], env=environment, capture_output=True, text=True, timeout=60, input=stdin)


def done(product, *arguments, stdin=None):
    command = watchkeeper(product, *arguments, "--format", "json", stdin=stdin)
    assert command.returncode == 0, command.stderr
    return json.loads(command.stdout) if command.stdout.strip() else None


def the_computer(product):
    """The agent's row, once the agent is there and knows the tasks' objects."""
    def found():
        agents = [agent for agent in get(product, "/api/agents") if agent["connected"] and agent["object"]]
        return agents[0] if agents else None
    return wait_until(found, 60, "the agent")


def run(product, task, agent, **body):
    """Runs a task to its end."""
    def ended():
        answer = call(product, "POST", "/api/tasks", json={"task": task, "objects": [agent["object"]], **body})
        assert answer.status_code == 202, answer.text
        [submitted] = answer.json()
        result = wait_until(
            lambda: (lambda one: one if one["status"] in ("Succeeded", "Failed") else None)(
                get(product, f"/api/tasks/{submitted['run']}")), 60, "the result of the task")
        return result
    return wait_until(ended, 60, f"{task} runs")


def run_until(product, task, agent, condition):
    def ended():
        result = run(product, task, agent)
        return result if condition(result) else None
    return wait_until(ended, 60, f"the expected result of {task}")


def everything_below(folder):
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            yield file, file.read_bytes()


def test_a_secret_goes_to_the_listed_agents_only_and_is_nowhere_readable(own_product, tmp_path):
    product = own_product.start()
    imported = watchkeeper(product, "pack", "import", str(ROOT / "tests" / "packs" / "Test.Tasks.xml"))
    assert imported.returncode == 0, imported.stderr
    agent = the_computer(product)
    assert PROFILE in [profile["profile"] for profile in done(product, "run-as", "profiles")]

    without = run(product, "Test.Tasks!Test.Tasks.Show", agent)
    assert without["status"] == "Failed" and "Test.Tasks.Database" in without["error"], without

    # nobody may have it unless somebody says so
    account = done(product, "run-as", "accounts", "add", "orders", "--kind", "Basic", "--user", "reporter", stdin=SECRET + "\n")
    assert account["distribution"] == "listed-agents" and account["agents"] == []
    associated = done(product, "run-as", "associations", "set", PROFILE, "orders")
    assert associated["scope"] == "all objects"
    withheld = run_until(product, "Test.Tasks!Test.Tasks.Show", agent, lambda result: "Test.Tasks.Database" not in result["error"])
    assert withheld["status"] == "Failed" and withheld["output"] == "", withheld
    kept = product.data / "agent" / "data" / "configuration.json"
    assert "s3cr" not in kept.read_text()

    done(product, "run-as", "accounts", "distribute", "orders", agent["computer"])
    expected = f"reporter {hashlib.sha256(SECRET.encode()).hexdigest()}\n"
    shown = run_until(product, "Test.Tasks!Test.Tasks.Show", agent, lambda result: result["status"] == "Succeeded")
    assert shown["output"] == expected

    # a new secret follows by itself, with another version of the configuration
    versions = {get(product, "/api/agents")[0]["configurationVersion"]}
    file = tmp_path / "secret"
    file.write_text("another-s3cret")
    done(product, "run-as", "accounts", "secret", "orders", "--secret-file", str(file))
    expected = f"reporter {hashlib.sha256(b'another-s3cret').hexdigest()}\n"
    run_until(product, "Test.Tasks!Test.Tasks.Show", agent, lambda result: result["output"] == expected)
    versions.add(get(product, "/api/agents")[0]["configurationVersion"])
    assert len(versions) == 2

    # an association for the object beats the one for all
    done(product, "run-as", "accounts", "add", "own", "--kind", "Basic", "--user", "owner", "--all-agents", stdin="third-s3cret")
    done(product, "run-as", "associations", "set", PROFILE, "own", "--object", agent["object"])
    expected = f"owner {hashlib.sha256(b'third-s3cret').hexdigest()}\n"
    run_until(product, "Test.Tasks!Test.Tasks.Show", agent, lambda result: result["output"] == expected)
    done(product, "run-as", "associations", "remove", PROFILE, "--object", agent["object"])

    # only packs may ask for accounts
    leak = call(product, "POST", "/api/tasks", json={
        "task": "Test.Tasks!Test.Tasks.Echo", "objects": [agent["object"]],
        "parameters": {"Arguments": f'$RunAs[Name="{PROFILE}"]/Password$'}})
    assert leak.status_code == 400 and "Run As" in leak.text
    leak = call(product, "POST", "/api/overrides", json={
        "element": "Watchkeeper.Linux!Watchkeeper.Linux.Discovery", "context": "Unix!Microsoft.Unix.Computer",
        "parameter": "Arguments", "value": f'$RunAs[Name="{PROFILE}"]/Password$'})
    assert leak.status_code == 400 and "Run As" in leak.text

    used = watchkeeper(product, "run-as", "accounts", "remove", "orders")
    assert used.returncode == 1 and "Test.Tasks.Database" in used.stderr
    audited = wait_until(
        lambda: (lambda rows: rows if len(rows) >= 6 else None)(
            product.query_or_none("Audit | where Action has 'Run As' | project Action, Target, Result") or []),
        60, "the audit rows")
    assert {"create Run As account", "change Run As account", "associate Run As profile"} <= {row["Action"] for row in audited}

    listed = json.dumps(done(product, "run-as", "accounts", "list"))
    for secret in ("s3cr", "s3cret"):
        assert secret not in listed
        assert secret not in json.dumps(get(product, "/api/run-as/associations"))
        assert secret not in product.log_file.read_text(errors="replace")
    product.stop()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    for path, content in everything_below(product.data):
        if path != kept:
            for secret in (SECRET.encode(), b"another-s3cret", b"third-s3cret"):
                assert secret not in content, path


def test_a_program_runs_as_the_user_of_an_action_account_or_says_why_not(product):
    imported = watchkeeper(product, "pack", "import", str(ROOT / "tests" / "packs" / "Test.Tasks.xml"))
    assert imported.returncode == 0, imported.stderr
    agent = the_computer(product)
    before = run(product, "Test.Tasks!Test.Tasks.WhoAmI", agent)
    assert before["status"] == "Succeeded" and before["output"].strip() != "nobody", before

    done(product, "run-as", "accounts", "add", "nobody", "--kind", "ActionAccount", "--user", "nobody", "--no-secret",
         "--agent", agent["id"])
    done(product, "run-as", "associations", "set", "Test.Tasks!Test.Tasks.User", "nobody", "--class", "Microsoft.Unix.Library!Microsoft.Unix.Computer")
    if os.geteuid() == 0:
        run_until(product, "Test.Tasks!Test.Tasks.WhoAmI", agent, lambda result: result["output"] == "nobody\n")
    else:
        refused = run_until(product, "Test.Tasks!Test.Tasks.WhoAmI", agent, lambda result: result["status"] == "Failed")
        assert "does not run as root" in refused["error"]

    # without it no program runs as somebody else instead
    done(product, "run-as", "accounts", "distribute", "nobody", agent["id"], "--remove")
    refused = run_until(product, "Test.Tasks!Test.Tasks.WhoAmI", agent, lambda result: result["status"] == "Failed")
    assert "'nobody' is not distributed to this agent" in refused["error"], refused
    done(product, "run-as", "associations", "remove", "Test.Tasks!Test.Tasks.User", "--class", "Microsoft.Unix.Library!Microsoft.Unix.Computer")
    done(product, "run-as", "accounts", "remove", "nobody")
