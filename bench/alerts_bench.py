"""Alert rules: so many rules, each evaluated every minute over its own query, while rows arrive. How many evaluations a
minute there are, how late the latest rule is, and what the server uses for it."""

import json
import os
import threading
import time

from product import Product

COMPUTERS = 200
ROWS_A_SECOND = 500


def request(product, connection, method, path, body=None):
    connection.request(method, path, None if body is None else json.dumps(body),
                       {"Content-Type": "application/json", "Authorization": f"Bearer {product.bearer()}"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
    return json.loads(text) if text else None


def send(product, connection, count):
    body = json.dumps([{"Machine": f"m{number % COMPUTERS}", "Counter": f"c{number % 7}", "Value": number % 100} for number in range(count)])
    connection.request("POST", "/api/logs?api-version=2016-04-01", body, product.collector_headers(len(body), "BenchPerf"))
    answer = connection.getresponse()
    answer.read()
    if answer.status not in (200, 429):
        raise RuntimeError(f"rows: {answer.status}")


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(product: Product, rules: int, seconds: int, say):
    sender = product.connect()
    send(product, sender, 100)
    while True:
        try:
            product.query("BenchPerf_CL | take 1")
            break
        except RuntimeError:
            time.sleep(0.2)
    stop = threading.Event()

    def keep_sending():
        while not stop.wait(1.0):
            send(product, sender, ROWS_A_SECOND)

    thread = threading.Thread(target=keep_sending)
    thread.start()
    began = time.perf_counter()
    for number in range(rules):
        query = f"BenchPerf_CL | where Machine_s == 'm{number % COMPUTERS}' and Counter_s == 'c{number % 7}' and Value_d > {number % 90}"
        condition = {"query": query, "timeAggregation": "Average", "metricMeasureColumn": "Value_d", "operator": "GreaterThan", "threshold": 1000,
                     "dimensions": [{"name": "Machine_s", "operator": "Include", "values": ["*"]}]}
        request(product, product.connection, "PUT",
                f"/subscriptions/s/resourceGroups/bench/providers/Microsoft.Insights/scheduledQueryRules/rule{number:05}?api-version=2021-08-01",
                {"location": "here", "properties": {"severity": 3, "enabled": True, "scopes": [], "evaluationFrequency": "PT1M", "windowSize": "PT5M",
                                                    "criteria": {"allOf": [condition]}}})
    say(f"{rules:,} rules made, each checked against its query", f"{time.perf_counter() - began:.0f} s")
    # every rule has had its first turn and is in its place
    time.sleep(70)
    before, used = statuses(product), cpu_seconds(product.process.pid)
    time.sleep(seconds)
    after, used = statuses(product), cpu_seconds(product.process.pid) - used
    stop.set()
    thread.join()
    evaluated = sum((after[key]["until"] - before[key]["until"]) / 60 for key in after)
    failing = sum(1 for one in after.values() if one["error"])
    lag = [one["asked"] - one["until"] for one in after.values()]
    lag.sort()
    say("evaluations a minute", f"{evaluated * 60 / seconds:,.0f} (goal 10,000)")
    say("behind at the end: median, 99th percentile, latest rule (60 s are its turn)",
        f"{lag[len(lag) // 2]:.0f} s, {lag[len(lag) * 99 // 100]:.0f} s, {lag[-1]:.0f} s")
    say("rules that fail", f"{failing}")
    say("processors used by the server", f"{used / seconds:.2f} of {os.cpu_count()}")


def statuses(product):
    """By rule: up to when it is evaluated (seconds), and its error."""
    import datetime

    now = time.time()
    found = request(product, product.connect(), "GET", "/api/alert-rules")  # one that waited is closed
    read = lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0
    return {one["key"]: {"until": read(one["health"]["evaluatedUntil"]), "error": one["health"]["error"], "asked": now} for one in found}
