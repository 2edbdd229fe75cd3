"""The error of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._native import Diagnostic


class KqlError(ValueError):
    """A query that has a mistake, or that cannot be run.

    `message` is the first mistake in words. `line` and `column` are its place in the text, counted from one; both are
    None where the error has no place. `diagnostics` are all mistakes.
    """

    def __init__(self, message: str, text: str = "", diagnostics: list[Diagnostic] | None = None):
        super().__init__(message)
        self.message = message
        self.text = text
        self.diagnostics = list(diagnostics or [])
        self.line = self.diagnostics[0].line if self.diagnostics else None
        self.column = self.diagnostics[0].column if self.diagnostics else None

    def __str__(self) -> str:
        return "\n".join(_shown(self.text, found) for found in self.diagnostics) or self.message

    def __reduce__(self):
        # diagnostics stay in the process that found them: an error may come from a worker process
        return (KqlError, (str(self),))


def _shown(text: str, found: Diagnostic) -> str:
    """A mistake with its line, and a mark below what it speaks of."""
    lines = text.splitlines()
    source = lines[found.line - 1] if found.line <= len(lines) else ""
    end = found.end_column if found.end_line == found.line else len(source) + 1
    edge = " " * len(str(found.line))
    # tabs stay tabs, so that the mark stands below its text
    before = "".join("\t" if character == "\t" else " " for character in source[: found.column - 1])
    shown = [
        f"{found.line}:{found.column}: {found.message}",
        f"{found.line} | {source}",
        f"{edge} | {before}{'^' * max(1, end - found.column)}",
    ]
    if found.help:
        shown.append(f"{edge} = {found.help}")
    return "\n".join(shown)
