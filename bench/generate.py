"""Writes log rows as Parquet, the same for every run: `generate.py ROWS FOLDER`.

One file a million rows, in order of time, ten days in all. About 300 bytes a row as text.
"""

import sys
from pathlib import Path

import duckdb

ROWS_A_FILE = 1_000_000
DAYS = 10

# h1 … h6 are independent pseudo-random numbers of the row number
SELECT = """
with base as (
  select i, cast(hash(i) >> 2 as bigint) h1, cast(hash(i + 1000000007) >> 2 as bigint) h2, cast(hash(i + 2000000011) >> 2 as bigint) h3,
    cast(hash(i * 31 + 7) >> 2 as bigint) h4, cast(hash(i * 17 + 3) >> 2 as bigint) h5
  from range(cast({first} as bigint), cast({last} as bigint)) r(i)
), fields as (
  select i, h1, h2, h3, h4, h5,
    timestamp '2026-01-01' + to_microseconds(cast(i * ({days} * 86400.0 * 1e6 / {rows}) as bigint)) as t,
    case when h1 % 100 < 70 then 'Information' when h1 % 100 < 85 then 'Warning' when h1 % 100 < 95 then 'Error'
         when h1 % 100 < 99 then 'Debug' else 'Critical' end as level,
    'svc-' || lpad(cast(h2 % 40 as varchar), 2, '0') as service,
    ['web', 'app', 'db', 'cache', 'edge'][1 + h3 % 5] || '-' || lpad(cast(h3 // 7 % 60 as varchar), 3, '0') as computer,
    '/' || ['api', 'static', 'auth', 'admin', 'feed'][1 + h4 % 5] || '/v' || (1 + h4 // 5 % 3) || '/'
        || ['users', 'orders', 'items', 'search', 'cart', 'pay', 'ship'][1 + h4 // 15 % 7] || '/' || (h4 // 105 % 4) as path,
    case when h5 % 1000 < 930 then 200 when h5 % 1000 < 960 then 404 when h5 % 1000 < 985 then 500 else 503 end as status
  from base
)
select
  t as TimeGenerated, computer as Computer, service as Service, level as Level, path as Path,
  cast(status as bigint) as StatusCode,
  round(-ln((h2 // 64 % 1000000 + 1) / 1000001.0) * 40 + 1, 3) as DurationMs,
  cast(200 + h3 // 512 % 90000 as bigint) as Bytes,
  'user-' || (h4 // 1024 % 1000000) as UserId,
  '10.' || (h1 // 128 % 256) || '.' || (h2 // 128 % 256) || '.' || (h3 // 128 % 256) as ClientIp,
  ['request handled', 'connection refused by upstream', 'timeout while reading from upstream', 'cache miss for key',
   'retry ' || (h5 // 4096 % 10) || ' of 10 after error', 'user session renewed', 'queue length above limit',
   'certificate will expire soon'][1 + h5 // 1024 % 8]
   || ' in ' || service || ' on ' || computer || ' for ' || path || ' with id req' || printf('%08x', i % 4294967296)
   || ' trace ' || printf('%016x', h1) || ' span ' || printf('%016x', h2)
   || case when h3 % 2000003 = 0 then ' seen by quetzal' when h4 % 500009 = 0 then ' seen by Axolotl' else '' end
   || ' status=' || status || ' worker=' || (h2 // 8 % 64) || ' region=eu-' || (h1 // 16 % 4) as Message
from fields
"""


def generate(rows: int, folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    for number, first in enumerate(range(0, rows, ROWS_A_FILE)):
        path = folder / f"logs-{number:04}.parquet"
        if path.exists():
            continue
        part = path.with_suffix(".part")
        select = SELECT.format(first=first, last=min(first + ROWS_A_FILE, rows), rows=rows, days=DAYS)
        connection.execute(f"copy ({select}) to '{part}' (format parquet, compression zstd, row_group_size 122880)")
        part.rename(path)


if __name__ == "__main__":
    generate(int(sys.argv[1]), Path(sys.argv[2]))
