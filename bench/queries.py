"""The queries of the benchmark: each in KQL, in DuckDB's SQL and in ClickHouse's SQL.

They run over one table of log rows (see generate.py). Analytic queries are what dashboards and alert rules ask;
search queries look for terms as people do in an incident. `{t}` stands for the table of the peer.
A case whose SQL is the same in both dialects gives one text.
"""

ANALYTICS = [
    ("count", "logs | count", "select count(*) from {t}"),
    ("count by level", "logs | summarize count() by Level", "select Level, count(*) from {t} group by Level"),
    ("count by hour", "logs | summarize count() by bin(TimeGenerated, 1h)",
     "select date_trunc('hour', TimeGenerated) h, count(*) from {t} group by h"),
    ("errors by hour and service", "logs | where Level == 'Error' | summarize count() by bin(TimeGenerated, 1h), Service",
     "select date_trunc('hour', TimeGenerated) h, Service, count(*) from {t} where Level = 'Error' group by h, Service"),
    ("top services by bytes", "logs | summarize b = sum(Bytes) by Service | top 10 by b",
     "select Service, sum(Bytes) b from {t} group by Service order by b desc limit 10"),
    ("average duration by path", "logs | summarize avg(DurationMs), max(DurationMs) by Path",
     "select Path, avg(DurationMs), max(DurationMs) from {t} group by Path"),
    ("percentiles by service", "logs | summarize percentiles(DurationMs, 50, 95, 99) by Service",
     "select Service, approx_quantile(DurationMs, [0.5, 0.95, 0.99]) from {t} group by Service",
     "select Service, quantilesTDigest(0.5, 0.95, 0.99)(DurationMs) from {t} group by Service"),
    ("distinct users", "logs | summarize dcount(UserId)", "select approx_count_distinct(UserId) from {t}",
     "select uniqHLL12(UserId) from {t}"),
    ("distinct users by hour", "logs | summarize dcount(UserId) by bin(TimeGenerated, 1h)",
     "select date_trunc('hour', TimeGenerated) h, approx_count_distinct(UserId) from {t} group by h",
     "select date_trunc('hour', TimeGenerated) h, uniqHLL12(UserId) from {t} group by h"),
    ("top users", "logs | summarize n = count() by UserId | top 20 by n",
     "select UserId, count(*) n from {t} group by UserId order by n desc limit 20"),
    ("status classes", "logs | summarize count() by c = StatusCode / 100",
     "select StatusCode // 100 c, count(*) from {t} group by c",
     "select intDiv(StatusCode, 100) c, count(*) from {t} group by c"),
    ("error share by service", "logs | summarize bad = countif(StatusCode >= 500), n = count() by Service | extend share = todouble(bad) / n",
     "select Service, count(*) filter (where StatusCode >= 500) bad, count(*) n, bad::double / n from {t} group by Service",
     "select Service, countIf(StatusCode >= 500) bad, count(*) n, bad / n from {t} group by Service"),
    ("one day", "logs | where TimeGenerated between (datetime(2026-01-05) .. datetime(2026-01-06)) | summarize count(), avg(DurationMs) by Computer",
     "select Computer, count(*), avg(DurationMs) from {t} where TimeGenerated between timestamp '2026-01-05' and timestamp '2026-01-06' group by Computer",
     "select Computer, count(*), avg(DurationMs) from {t} where TimeGenerated between toDateTime('2026-01-05 00:00:00', 'UTC') and toDateTime('2026-01-06 00:00:00', 'UTC') group by Computer"),
    ("one computer", "logs | where Computer == 'web-017' | summarize count() by bin(TimeGenerated, 1d), Level",
     "select date_trunc('day', TimeGenerated) d, Level, count(*) from {t} where Computer = 'web-017' group by d, Level"),
    ("slowest requests", "logs | where StatusCode >= 500 | top 100 by DurationMs | project TimeGenerated, Computer, Path, DurationMs",
     "select TimeGenerated, Computer, Path, DurationMs from {t} where StatusCode >= 500 order by DurationMs desc limit 100"),
    ("newest rows", "logs | top 100 by TimeGenerated desc",
     "select * from {t} order by TimeGenerated desc limit 100"),
    ("string functions", "logs | summarize count() by p = tostring(split(Path, '/')[1]), u = toupper(Level)",
     "select split_part(Path, '/', 2) p, upper(Level) u, count(*) from {t} group by p, u",
     "select splitByChar('/', Path)[2] p, upper(Level) u, count(*) from {t} group by p, u"),
    ("latest of each computer", "logs | summarize arg_max(TimeGenerated, Level, StatusCode) by Computer",
     "select Computer, max(TimeGenerated), arg_max(Level, TimeGenerated), arg_max(StatusCode, TimeGenerated) from {t} group by Computer",
     "select Computer, max(TimeGenerated), argMax(Level, TimeGenerated), argMax(StatusCode, TimeGenerated) from {t} group by Computer"),
    ("join with owners", "logs | where Level == 'Error' | summarize n = count() by Service | join kind=inner (logs | summarize total = count() by Service) on Service | project Service, n, total",
     "select a.Service, n, total from (select Service, count(*) n from {t} where Level = 'Error' group by Service) a join (select Service, count(*) total from {t} group by Service) b on a.Service = b.Service"),
    ("distinct pairs", "logs | distinct Computer, Service | count",
     "select count(*) from (select distinct Computer, Service from {t})"),
]

SEARCH = [
    ("rare term", "logs | where Message has 'quetzal' | count",
     "select count(*) from {t} where regexp_matches(Message, '(?i)\\bquetzal\\b')",
     "select count(*) from {t} where hasTokenCaseInsensitive(Message, 'quetzal')"),
    ("rare term, rows", "logs | where Message has 'quetzal' | take 100",
     "select * from {t} where regexp_matches(Message, '(?i)\\bquetzal\\b') limit 100",
     "select * from {t} where hasTokenCaseInsensitive(Message, 'quetzal') limit 100"),
    ("one request id", "logs | where Message has 'req00c0ffee'",
     "select * from {t} where regexp_matches(Message, '(?i)\\breq00c0ffee\\b')",
     "select * from {t} where hasTokenCaseInsensitive(Message, 'req00c0ffee')"),
    ("absent term", "logs | where Message has 'zzyzx' | count",
     "select count(*) from {t} where regexp_matches(Message, '(?i)\\bzzyzx\\b')",
     "select count(*) from {t} where hasTokenCaseInsensitive(Message, 'zzyzx')"),
    ("common term", "logs | where Message has 'timeout' | summarize count() by Service",
     "select Service, count(*) from {t} where regexp_matches(Message, '(?i)\\btimeout\\b') group by Service",
     "select Service, count(*) from {t} where hasTokenCaseInsensitive(Message, 'timeout') group by Service"),
    ("two terms", "logs | where Message has 'timeout' and Message has 'upstream' | count",
     "select count(*) from {t} where regexp_matches(Message, '(?i)\\btimeout\\b') and regexp_matches(Message, '(?i)\\bupstream\\b')",
     "select count(*) from {t} where hasTokenCaseInsensitive(Message, 'timeout') and hasTokenCaseInsensitive(Message, 'upstream')"),
    ("any of three", "logs | where Message has_any ('quetzal', 'axolotl', 'zzyzx') | count",
     "select count(*) from {t} where regexp_matches(Message, '(?i)\\b(quetzal|axolotl|zzyzx)\\b')",
     "select count(*) from {t} where multiSearchAnyCaseInsensitive(Message, ['quetzal', 'axolotl', 'zzyzx'])"),
    ("substring", "logs | where Message contains 'refus' | count",
     "select count(*) from {t} where contains(lower(Message), 'refus')",
     "select count(*) from {t} where positionCaseInsensitive(Message, 'refus') > 0"),
    ("regular expression", "logs | where Message matches regex 'retry [5-9] of' | count",
     "select count(*) from {t} where regexp_matches(Message, 'retry [5-9] of')",
     "select count(*) from {t} where match(Message, 'retry [5-9] of')"),
    ("term in one hour", "logs | where TimeGenerated between (datetime(2026-01-03 10:00) .. 1h) and Message has 'axolotl'",
     "select * from {t} where TimeGenerated between timestamp '2026-01-03 10:00:00' and timestamp '2026-01-03 11:00:00' and regexp_matches(Message, '(?i)\\baxolotl\\b')",
     "select * from {t} where TimeGenerated between toDateTime('2026-01-03 10:00:00', 'UTC') and toDateTime('2026-01-03 11:00:00', 'UTC') and hasTokenCaseInsensitive(Message, 'axolotl')"),
]


def texts(case):
    """(name, kql, duckdb, clickhouse)"""
    name, kql, duck, *house = case
    return name, kql, duck, house[0] if house else duck
