"""How the demo prints: each question, what came back, what was refused and why."""

from collections.abc import Sequence

from rich.console import Console, Group
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from demo.script import Question

ROWS = 4
"""Rows of an answer that are printed."""


def step(console: Console, text: str) -> None:
    console.print(Text("• ", style="bold cyan") + Text(text))


def answer(
    console: Console, question: Question, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(column), overflow="ellipsis", no_wrap=True, max_width=34)
    for row in rows[:ROWS]:
        table.add_row(*(Text("NULL", style="dim") if cell is None else Text(str(cell)) for cell in row))
    more = Text(f"… {len(rows):,} rows in all", style="dim") if len(rows) > ROWS else Text()
    _panel(console, question, Group(table, more) if more else table, "green", "answered")


def refusal(console: Console, question: Question, code: str, message: str, hint: str | None) -> None:
    text = Text(message, style="bold")
    text.append(f"\nSQLSTATE {code}", style="dim")
    if hint:
        text.append(f"\n{hint}", style="dim")
    _panel(console, question, text, "red", "refused")


def review(console: Console, question: Question, seen: str) -> None:
    """What a person was shown while the statement waited, and her answer."""
    _panel(
        console, question, Text(seen.strip() or "(nobody answered)"), "yellow", "held, and approved by Ana"
    )


def _panel(
    console: Console, question: Question, body: Group | Table | Text, colour: str, verdict: str
) -> None:
    shown = (
        question.sql if not question.values else f"{question.sql}  -- {', '.join(map(str, question.values))}"
    )
    sql = Syntax(shown, "sql", word_wrap=True, background_color="default")
    console.print(
        Panel(
            Group(sql, Text(), body),
            title=question.why,
            title_align="left",
            subtitle=verdict,
            border_style=colour,
        )
    )
