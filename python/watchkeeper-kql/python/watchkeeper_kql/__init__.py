"""The Kusto Query Language over pandas, polars, Arrow and files.

    import watchkeeper_kql as wk

    wk.query("T | where x > 1 | summarize count() by y", T=frame).to_pandas()
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from . import _native
from ._errors import KqlError
from ._native import Diagnostic, __version__
from ._results import Result, Table
from ._tables import gather

__all__ = ["Diagnostic", "KqlError", "Result", "Table", "__version__", "check", "parse", "query"]


def query(
    text: str,
    tables: Mapping[str, Any] | None = None,
    /,
    *,
    parameters: Mapping[str, Any] | None = None,
    timeout: float = 600.0,
    memory_limit: int | None = None,
    plan: bool = False,
    **more_tables: Any,
) -> Result:
    """Runs a query over tables, which are given by name: as keywords, or in a mapping.

    A table is a pandas or polars frame, anything else that speaks Arrow (`__arrow_c_stream__`, `__arrow_c_array__`), a
    path of Parquet, CSV or JSON-lines files (a file, a folder, a pattern, the folder of a Delta table), a mapping of
    columns or a list of rows (these two need pyarrow).

    `parameters` are the values of `declare query_parameters`. `timeout` is in seconds. `memory_limit` is in bytes (one
    GiB unless given, for all queries together); what needs more spills to disk. With `plan`, the result says by which
    plan it was computed. Ctrl+C ends a query, and other threads run while one does.
    """
    answer = _native.query(
        text, gather(tables, more_tables), _texts(parameters), float(timeout), memory_limit, plan
    )
    return Result(answer)


def parse(text: str) -> list[Diagnostic]:
    """What is wrong with the syntax of a text: nothing, where the list is empty. Names are not looked up."""
    return _native.parse(text)


def check(
    text: str,
    tables: Mapping[str, Any] | None = None,
    /,
    *,
    parameters: Mapping[str, Any] | None = None,
    **more_tables: Any,
) -> list[Diagnostic]:
    """What is wrong with a text over these tables, without running it.

    Tables are given as for `query`; a mapping of column names to types of the language is enough:
    `check(text, logs={"level": "string", "ms": "long"})`.
    """
    return _native.check(text, gather(tables, more_tables, schemas=True), _texts(parameters))


def _texts(parameters: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: _text(value) for name, value in (parameters or {}).items()}


def _text(value: Any) -> str:
    """A value as the language writes it. Text stays as it is: for a parameter that is a string, it is its value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return f"{value // timedelta(microseconds=1)}microseconds"
    if isinstance(value, (dict, list, tuple)):
        return f"dynamic({json.dumps(value)})"
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)
