"""`python -m wicketgate.masking` as a process: JSON lines in and out, errors by line."""

import json
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent.parent.parent / "src"


def run(text: bytes, *arguments: str) -> tuple[int, list[dict[str, object]], str]:
    done = subprocess.run(
        [sys.executable, "-m", "wicketgate.masking", *arguments],
        input=text,
        capture_output=True,
        env={"PYTHONPATH": str(SOURCE), "LANG": "C"},
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def test_lines_are_answered_one_for_one_in_characters() -> None:
    text = "naïve 名 alice@example.com 😀 4111 1111 1111 1111"
    lines = [
        {"id": 1, "column": "note", "text": text},
        {"id": {"any": "thing"}, "text": "nothing"},
        {"id": None, "column": "ssn", "text": "521449031"},
        {"id": 4, "column": None, "text": '{"mail": "a\\u0040b.co"}'},
        {"id": 5, "text": "\ud800 a@b.co"},
    ]
    code, answers, errors = run("".join(json.dumps(line) + "\n" for line in lines).encode())
    assert (code, errors) == (0, "")
    assert [answer["id"] for answer in answers] == [1, {"any": "thing"}, None, 4, 5]
    spans = answers[0]["spans"]
    assert isinstance(spans, list)
    assert [(span["class"], text[span["start"] : span["end"]]) for span in spans] == [
        ("email", "alice@example.com"),
        ("payment-card", "4111 1111 1111 1111"),
    ]
    assert answers[0]["masked"] == "naïve 名 [redacted:email] 😀 [redacted:payment-card]"
    assert (answers[1]["masked"], answers[1]["spans"]) == ("nothing", [])
    assert answers[2]["spans"] == [{"class": "national-id", "start": 0, "end": 9}]
    assert answers[3]["masked"] == '{"mail": "[redacted:email]"}'


def test_bad_lines_are_told_by_number_and_the_others_go_on() -> None:
    text = b'{"id": 1, "text": "a@b.co"}\nhunter2\n\n[]\n{"text": "x"}\n{"id": 2}\n{"id": 3, "text": 4}\n'
    text += b'{"id": 4, "text": "x", "column": 5}\n\xff\n' + b"[" * 100_000 + b'\n{"id": 5, "text": "ok"}\n'
    code, answers, errors = run(text)
    assert code == 1
    assert [answer["id"] for answer in answers] == [1, 5]
    assert [line.partition(":")[0] for line in errors.splitlines()] == [
        f"line {number}" for number in (2, 4, 5, 6, 7, 8, 9, 10)
    ]
    assert "hunter2" not in errors


def test_classes_may_be_chosen() -> None:
    line = b'{"id": 1, "text": "a@b.co 4111111111111111"}\n'
    assert run(line, "--classes", "email")[1][0]["masked"] == "[redacted:email] 4111111111111111"
    code, _, errors = run(line, "--classes", "emails")
    assert code == 2
    assert "no data class emails" in errors
