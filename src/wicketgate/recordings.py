"""The journal's files, read for the API and the CLI: listed by the index, told, exported, verified.
Like office.py it is composition. It must never call a journal sound that it could not read whole."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import orjson

from wicketgate.admin.ports import JournalLine, RecordedSession
from wicketgate.admin.replay import replay
from wicketgate.journal.checkpoint import Checkpoint, parse_checkpoint, read_public_key
from wicketgate.journal.decrypt import Opener, is_closed
from wicketgate.journal.export import export
from wicketgate.journal.index import Index
from wicketgate.journal.parse import Line
from wicketgate.journal.read_export import read_export
from wicketgate.journal.report import Finding, Report, Verdict
from wicketgate.journal.verify import verify
from wicketgate.journal.verify_export import verify_export
from wicketgate.model.errors import GatewayError

T = TypeVar("T")


def _line(line: Line) -> JournalLine:
    head = {**line.members, "t": line.wall, "k": line.kind, "q": line.q}
    if line.digest is not None:
        head["h"] = line.digest
    body: Mapping[str, Any] | None = None
    if is_closed(line):
        head["closed"] = True
    elif line.body is not None and line.digest is not None:
        try:
            found = orjson.loads(line.body)
        except orjson.JSONDecodeError:
            found = None
        body = found if isinstance(found, dict) else None
    return JournalLine(head, body)


def _where(finding: Finding) -> str:
    place = "/".join(part for part in (finding.node, finding.writer) if part)
    if finding.segment is not None:
        place += f"/{finding.segment:06d}.log"
    if finding.block is not None:
        place += f" block {finding.block}"
    if finding.line is not None:
        place += f" line {finding.line}" + (f" to {finding.through}" if finding.through is not None else "")
    if finding.session is not None:
        place += f" session {finding.session}"
    return place.strip()


def told(report: Report) -> dict[str, Any]:
    """A report as facts: {"ok", "verdict", "findings": [text], and what was counted}."""
    findings = []
    for each in report.findings:
        kind = "note" if each.note else "UNPROVEN" if each.doubt else "FAULT"
        place = _where(each)
        findings.append(f"{kind} {each.fault.value}{f' at {place}' if place else ''}: {each.detail}")
    return {
        "ok": report.sound,
        "verdict": report.verdict.value,
        "findings": findings,
        "lines": report.lines,
        "blocks": report.blocks,
        "segments": report.segments,
        "writers": report.writers,
        "sessions_closed": report.sessions_closed,
        "sessions_open": report.sessions_open,
        "erased": report.erased,
        "checkpoints": report.checkpoints,
        "unwitnessed_lines": report.unwitnessed,
    }


def worst(verdicts: Iterable[str]) -> Verdict:
    """The worst of several reports' verdicts."""
    order = (Verdict.BROKEN, Verdict.UNWITNESSED, Verdict.SOUND)
    return min(map(Verdict, verdicts), key=order.index, default=Verdict.UNWITNESSED)


def read_keys(path: Path) -> tuple[bytes, ...]:
    """Public keys (PEM, one after another, or one raw or in hex). Raises GatewayError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GatewayError(f"the public key can't be read from {path}: {error.strerror}") from None
    mark = b"-----BEGIN"
    parts = [mark + part for part in content.split(mark)[1:]] or [content]
    try:
        return tuple(read_public_key(part) for part in parts)
    except ValueError:
        raise GatewayError(f"{path} holds no Ed25519 public key") from None


def read_expected(path: Path) -> Checkpoint:
    """A checkpoint that was kept elsewhere. Raises GatewayError."""
    try:
        return parse_checkpoint(path.read_bytes().strip())
    except (OSError, ValueError):
        raise GatewayError(f"{path} holds no checkpoint") from None


class JournalRecordings:
    """One journal's folder (admin/ports.Recordings). Blocking; any thread.

    index: where the derived index is kept, None: in memory. keys, checkpoints: asked for when needed: raw
    public keys that are trusted, and the checkpoints that the store keeps. opener: of what is encrypted.
    """

    def __init__(
        self,
        folder: Path,
        index: Path | None = None,
        keys: Callable[[], Sequence[bytes]] = tuple,
        checkpoints: Callable[[], Sequence[Checkpoint]] = tuple,
        opener: Opener | None = None,
    ) -> None:
        self._folder = folder
        self._opener = opener
        self._index = Index(folder, index, opener)
        self._keys = keys
        self._checkpoints = checkpoints

    def close(self) -> None:
        self._index.close()

    def sessions(self) -> list[RecordedSession]:
        return [
            RecordedSession(
                each.session,
                each.identity,
                each.resource,
                each.opened,
                each.closed,
                each.reason,
                each.statements,
                each.database,
                each.account,
            )
            for each in self._sound(self._index.sessions)
        ]

    def lines(self, session: str) -> list[JournalLine]:
        return [_line(each) for each in self._sound(lambda: self._index.read(session))]

    def export(self, session: str) -> bytes | None:
        return self._sound(lambda: export(self._folder, session, self._checkpoints(), self._opener))

    def verify(self, expect: Checkpoint | None = None) -> dict[str, Any]:
        """Raises GatewayError without a public key: nothing can be proven then."""
        # the store's checkpoints first: the journal may be written meanwhile
        checkpoints = self._checkpoints()
        keys = self._keys()
        if not keys:
            raise GatewayError("a public key is needed to verify: name it with --key")
        return told(verify(self._folder, checkpoints, keys, expect))

    @staticmethod
    def _sound(read: Callable[[], T]) -> T:
        try:
            return read()
        except OSError as error:
            raise GatewayError("the journal can't be read", str(error)) from None

    # -- for the CLI, without any gateway --------------------------------------------------------------------
    def listed(self, identity: str | None, most: int | None) -> list[dict[str, Any]]:
        """As GET /sessions gives them, newest first. Whether one is open can't be told from files."""
        found = [each for each in self.sessions() if identity is None or each.identity == identity]
        found.sort(key=lambda each: (each.opened, each.session), reverse=True)
        return [
            {
                "session": each.session,
                "state": "closed" if each.closed is not None else "not closed",
                "identity": each.identity,
                "resource": each.resource,
                "opened": each.opened,
                "closed": each.closed,
                "reason": each.reason,
                "statements": each.statements,
                "database": each.database or None,
                "account": each.account or None,
                "source": None,
            }
            for each in found[:most]
        ]

    def replayed(self, session: str, show: Any, protocols: Mapping[str, str]) -> dict[str, Any] | None:
        """As GET /sessions/…/recording gives it; None if there is none."""
        lines = self.lines(session)
        return asdict(replay(session, lines, show, protocols)) if lines else None


def exported(path: Path, show: Any, protocols: Mapping[str, str]) -> dict[str, Any]:
    """An exported session, as GET /sessions/…/recording gives it. Raises GatewayError."""
    try:
        session, lines = read_export(path)
    except OSError as error:
        raise GatewayError(f"{path} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise GatewayError(f"{path}: {error}") from None
    return asdict(replay(session, [_line(each) for each in lines], show, protocols))


def verify_file(path: Path, keys: Sequence[bytes], expect: Checkpoint | None) -> dict[str, Any]:
    """An exported session, verified. Raises GatewayError where it can't be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GatewayError(f"{path} can't be read: {error.strerror}") from None
    return told(verify_export(content, keys, expect))
