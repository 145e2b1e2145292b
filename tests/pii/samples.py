"""What a labelled text is, and how values are put into texts."""

import json
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Sample:
    """column, text: as a database would give them. kind: which generator made it; names a row of the table.
    spans: (data class, start, end) in characters of text; empty for a negative."""

    kind: str
    column: str
    text: str
    spans: tuple[tuple[str, int, int], ...] = ()


def placed(kind: str, data_class: str, column: str, template: str, value: str) -> Sample:
    """The value in the place of `{}`."""
    start = template.index("{}")
    return Sample(kind, column, template.replace("{}", value, 1), ((data_class, start, start + len(value)),))


NEUTRAL = [
    "note",
    "notes",
    "comment",
    "body",
    "text",
    "description",
    "message",
    "details",
    "remarks",
    "payload",
    "content",
    "value",
]

PROSE = [
    "{}",
    "Customer gave {} during the chat.",
    "see {} (confirmed by support)",
    "old value: {}, please replace",
    "Updated on request -> {}",
    "2026-03-04 12:01:07 INFO payload received {}",
    "Le client a fourni {} hier.",
    "Der Kunde nannte {}.",
    "El cliente indicó {} ayer",
    "Il cliente ha fornito {}, grazie",
    "De klant gaf {} door",
    "Klient podał {} wczoraj",
    "O cliente informou {}",
    '"{}"',
    "({})",
    "first line\nsecond line {}\nthird",
    "a;b;{};d",
    "<td>{}</td>",
]
"""Where nothing says what the value is."""


def in_json(random: Random, kind: str, data_class: str, value: str) -> Sample:
    """In a JSON document: in a string of its own, within one, escaped, or deep inside."""
    key = random.choice(["v", "note", "field_1", "raw", "contents"])
    form = random.randint(0, 3)
    escaped = json.dumps(value, ensure_ascii=form == 3)[1:-1]
    if form == 1 and "@" in escaped:
        escaped = escaped.replace("@", "\\u0040")
    template = random.choice(
        [
            '{"%s": "{}"}',
            '{"id": 17, "a": [{"%s": "see {} there"}], "ok": true}',
            '[null, {"%s":"{}"}]',
            '{"%s":{"x":["{}", "y"]}}',
        ]
    ).replace("%s", key)
    return placed(
        kind, data_class, random.choice(["payload", "doc", "attributes", "extra"]), template, escaped
    )
