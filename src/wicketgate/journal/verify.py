"""Is the journal what was written? Needs only the files, the checkpoints and the public key.
It must never call a journal sound because something that would tell otherwise is missing."""

from collections.abc import Iterable
from pathlib import Path

from wicketgate.journal.checkpoint import Checkpoint
from wicketgate.journal.report import Fault, Finding, Report
from wicketgate.journal.segments import strays, writers
from wicketgate.journal.walk import Walk
from wicketgate.journal.witness import gather


def verify(
    folder: Path,
    checkpoints: Iterable[Checkpoint],
    public_key: bytes | Iterable[bytes],
    expect: Checkpoint | None = None,
) -> Report:
    """Verify every writer of every node.

    checkpoints: those known from the store or a witness; the ones in the files are found by themselves.
    public_key: raw Ed25519 key, or several (one a node). expect: a checkpoint that an outside witness kept;
    what it signed must be there. A journal may be verified while it is written: checkpoints handed in must
    then have been made before the call.
    """
    keys = [public_key] if isinstance(public_key, bytes) else list(public_key)
    report = Report()
    try:
        files = writers(folder)
        witnesses = gather(files, checkpoints, keys, expect)
        report.findings += [
            Finding(Fault.STRANGE_FILE, f"{name} doesn't belong here") for name in strays(folder)
        ]
    except OSError as error:
        report.findings.append(Finding(Fault.UNREADABLE, str(error)))
        return report
    report.checkpoints = witnesses.checkpoints
    report.findings += witnesses.findings
    present = {(one.node, one.writer) for one in files}
    for node, writer in sorted(set(witnesses.positions) - present):
        detail = (
            f"writer {writer} is missing, of which {len(witnesses.positions[node, writer])} blocks are signed"
        )
        report.findings.append(Finding(Fault.WRITER_MISSING, detail, node, writer))
    if not witnesses.checkpoints:
        # An empty folder too: where the control process's files are taken away, nothing else would tell.
        detail = "no true checkpoint is known: nothing vouches for what is there, or that nothing is missing"
        report.findings.append(Finding(Fault.UNWITNESSED, detail))
    for node in sorted({one.node for one in files} - set(witnesses.nodes)):
        detail = f"no checkpoint of node {node} is known: nothing vouches for its lines"
        report.findings.append(Finding(Fault.UNWITNESSED, detail, node))
    for one in files:
        for name in one.strange:
            erasing = name.endswith(".erasing")
            fault = Fault.ERASING if erasing else Fault.STRANGE_FILE
            report.findings.append(Finding(fault, f"{name} doesn't belong here", one.node, one.writer))
        try:
            Walk(one, witnesses, report).run()
        except OSError as error:
            report.findings.append(Finding(Fault.UNREADABLE, str(error), one.node, one.writer))
    return report
