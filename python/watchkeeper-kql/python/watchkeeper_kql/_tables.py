"""What people have as tables, as the native module takes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from . import _native
from ._errors import KqlError


def gather(tables: Mapping[str, Any] | None, more: Mapping[str, Any], schemas: bool = False) -> _native.Tables:
    """The tables of a query. With `schemas`, a mapping of columns may give their types and no rows."""
    gathered = _native.Tables()
    for given in (tables or {}, more):
        for name, value in given.items():
            _add(gathered, name, value, schemas)
    return gathered


def _add(tables: _native.Tables, name: str, value: Any, schemas: bool) -> None:
    if isinstance(value, (str, os.PathLike)):
        tables.add_path(name, os.fspath(value))
    elif schemas and isinstance(value, Mapping) and all(isinstance(ty, str) for ty in value.values()):
        tables.add_schema(name, list(value.items()))
    elif _is(value, "pandas", "DataFrame"):
        tables.add_stream(name, _of_pandas(name, value))
    elif _is(value, "polars", "DataFrame"):
        tables.add_stream(name, _of_polars(value))
    elif _is(value, "polars", "LazyFrame"):
        tables.add_stream(name, _of_polars(value.collect()))
    elif hasattr(value, "__arrow_c_stream__"):
        _refuse_columns(name, value)
        tables.add_stream(name, value)
    elif hasattr(value, "__arrow_c_array__"):
        tables.add_array(name, value)
    elif isinstance(value, Mapping):
        tables.add_stream(name, _of_python(name, lambda arrow: arrow.table(dict(value))))
    elif isinstance(value, (list, tuple)):
        tables.add_stream(name, _of_python(name, lambda arrow: arrow.Table.from_pylist(list(value))))
    else:
        raise TypeError(
            f"table {name} is of {type(value).__name__}; a table is a pandas or polars frame, anything with "
            "__arrow_c_stream__, a path, a mapping of columns or a list of rows"
        )


def _is(value: Any, module: str, name: str) -> bool:
    """Whether a value is of a class of a module, which is not imported for the question."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name, ()))


def _refuse_columns(name: str, value: Any) -> None:
    for module in ("pandas", "polars"):
        if _is(value, module, "Series"):
            raise TypeError(f"table {name} is a single column; make a frame of it with to_frame()")


def _of_pandas(name: str, frame: Any) -> Any:
    """A frame as an Arrow table. An index is a column where it has a name, and left out where it only counts."""
    named = any(level is not None for level in frame.index.names)
    return _of_python(name, lambda arrow: arrow.Table.from_pandas(frame, preserve_index=named))


def _of_polars(frame: Any) -> Any:
    """A frame whose columns of nothing but nulls are text: as columns of no type, polars hands them on with a buffer
    that Arrow does not allow there."""
    import polars

    untyped = [name for name, ty in frame.schema.items() if ty == polars.Null]
    return frame.with_columns(polars.col(untyped).cast(polars.String)) if untyped else frame


def _of_python(name: str, make: Any) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise ImportError(f"table {name} is handed over by pyarrow: pip install pyarrow") from None
    try:
        return make(pyarrow)
    except (pyarrow.ArrowException, ValueError, TypeError, AttributeError) as error:
        raise KqlError(f"table {name} cannot be made columns of one type each: {error}") from error
