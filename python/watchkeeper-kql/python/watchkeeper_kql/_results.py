"""Results as people use them."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from . import _native

# so many rows are shown, and so many characters of a cell
SHOWN_ROWS = 20
SHOWN_CHARACTERS = 60


class Table:
    """Rows of a result. Every library that reads Arrow takes it as it is; pandas, polars and pyarrow by a method."""

    def __init__(self, native: _native.Table):
        self._native = native

    @property
    def name(self) -> str:
        """The name of the result: `PrimaryResult`, unless the query gave one."""
        return self._native.name

    @property
    def columns(self) -> dict[str, str]:
        """Types of the language by the name of the column."""
        return dict(self._native.columns)

    def __len__(self) -> int:
        return len(self._native)

    def to_arrow(self) -> pyarrow.Table:
        """As a table of pyarrow."""
        import pyarrow

        return pyarrow.table(self)

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        """As a frame of pandas. Options are those of `pyarrow.Table.to_pandas`."""
        return self.to_arrow().to_pandas(**options)

    def to_polars(self) -> polars.DataFrame:
        """As a frame of polars."""
        import polars

        return polars.DataFrame(self)

    def to_pylist(self) -> list[dict[str, Any]]:
        """As a list of rows, with dynamic values as what their JSON says."""
        dynamic = [name for name, ty in self.columns.items() if ty == "dynamic"]
        rows = self.to_arrow().to_pylist()
        for row in rows:
            for name in dynamic:
                row[name] = None if row[name] is None else json.loads(row[name])
        return rows

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._native.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self._native.__arrow_c_schema__()

    def __repr__(self) -> str:
        columns = self.columns
        rows = [list(columns), list(columns.values()), *self._shown()]
        widths = [max(len(row[at]) for row in rows) for at in range(len(columns))]
        right = [ty in ("int", "long", "real", "decimal") for ty in columns.values()]
        lines = ["  ".join(_aligned(*cell) for cell in zip(row, widths, right)).rstrip() for row in rows]
        lines.insert(2, "  ".join("-" * width for width in widths))
        return "\n".join([*lines, self._size()])

    def _repr_html_(self) -> str:
        columns = self.columns
        head = "".join(f"<th>{html.escape(name)}<br><small>{ty}</small></th>" for name, ty in columns.items())
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self._shown()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table><p>{self._size()}</p>"

    def _shown(self) -> list[list[str]]:
        return [[_cell(text) for text in row] for row in self._native.texts(SHOWN_ROWS)]

    def _size(self) -> str:
        rows = len(self)
        size = f"{rows} row{'' if rows == 1 else 's'}"
        return size if rows <= SHOWN_ROWS else f"{size}, the first {SHOWN_ROWS} are shown"


class Result(Table):
    """The results of a query. A query with several (`fork`, `facet`, statements) has them in `tables`; the result itself
    stands for the first."""

    def __init__(self, answer: _native.Answer):
        super().__init__(answer.tables[0])
        self._answer = answer
        self.tables = [Table(table) for table in answer.tables]

    @property
    def advice(self) -> list[str]:
        """What would make the query faster, or keep it understood."""
        return self._answer.advice

    @property
    def statistics(self) -> dict[str, float]:
        """What the query read and cost."""
        return self._answer.statistics

    @property
    def render(self) -> str | None:
        """The chart that the query asks for with `render`."""
        return self._answer.render

    @property
    def plan(self) -> str | None:
        """By which plan it ran, where `query` was asked for it."""
        return self._answer.plan

    def __repr__(self) -> str:
        others = len(self.tables) - 1
        more = f"\n{others} more in .tables" if others else ""
        return super().__repr__() + more


def _cell(text: str) -> str:
    """A cell, which comes as JSON, for people: text without quotes, null as nothing, on one line and not too long."""
    if text == "null":
        return ""
    if text.startswith('"'):
        text = json.loads(text)
    text = " ".join(text.splitlines()) if "\n" in text or "\r" in text else text
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _aligned(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
