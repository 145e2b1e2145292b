"""`make bench`: start everything, run it interleaved, print ratios, write bench/RESULTS.md.

Each round runs every load against every peer once, in turning order; a ratio is the median over rounds of the
peer's rate by the reference's rate in the same round, so that a machine that slows down slows both.
"""

import argparse
import itertools
import resource
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psycopg

from bench import loads, peers, report
from bench.loads import Measured
from bench.peers import Peer
from servers import wheel

Load = Callable[[Peer], Measured]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each pgbench run")
    parser.add_argument(
        "--quick", action="store_true", help="one short round, written nowhere: does it run at all"
    )
    parser.add_argument("--only", default="", help="loads whose name contains this")
    parser.add_argument("--no-idle", action="store_true", help="leave out the 2 000 idle sessions")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 1
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wicketgate-bench-")))
        print("building the compiled wheel outside the checkout …", flush=True)
        site = wheel.install(folder / "wheel", {"WICKET_COMPILED": "1"})
        compiled = peers.assert_compiled(site)
        print(f"compiled modules run: {', '.join(compiled)}\nstarting servers …", flush=True)
        server = peers.server(folder, stack)
        ten = peers.gateway("wicketgate", server, folder, site, stack, rules=10)
        thousand = peers.gateway("1000 rules", server, folder, site, stack, rules=1000)
        everyone = [
            peers.direct(server),
            peers.relay(server, folder, stack),
            peers.pgbouncer(server, stack),
            ten,
        ]
        check_masks(ten)
        memory: dict[str, float] = {}
        if not options.no_idle:  # first: freed memory of other loads would hide what sessions need
            number = 100 if options.quick else peers.IDLE
            for peer in everyone[1:]:
                memory[peer.name] = loads.idle(peer, number)
                print(
                    f"idle sessions      {peer.name:11} {memory[peer.name] / 1000:8.1f} kB each", flush=True
                )
        seconds = options.seconds
        plan: dict[str, tuple[list[Peer], Load]] = {}
        for mode, clients in itertools.product(("prepared", "simple"), (8, 1)):
            plan[f"{mode} c={clients}"] = ([*everyone, thousand], pgbench(mode, clients, seconds))
        plan["extended c=8"] = (everyone, pgbench("extended", 8, seconds))
        plan["rows, unmasked"] = (everyone, lambda peer: loads.stream(peer, "plain"))
        plan["rows, 3 masked"] = (everyone, lambda peer: loads.stream(peer, "people"))
        for name, table, rows in (
            ("detect, a third", "chats", 100_000),
            ("detect, clean", "clean", 100_000),
        ):
            plan[name] = ([ten], masking(table, loads.EIGHT, rows, peers.DETECTED))
        plan["tokens, repeated"] = ([ten], masking("regulars", loads.SIX, loads.ROWS, peers.TOKENS))
        plan["tokens, distinct"] = ([ten], masking("people", loads.SIX, loads.ROWS, peers.TOKENS))
        plan["1 000 connections"] = (
            [*everyone, thousand],
            lambda peer: loads.connections(peer, folder, 100 if options.quick else 1000),
        )
        plan = {name: what for name, what in plan.items() if options.only in name}
        found: dict[tuple[str, str], list[Measured]] = defaultdict(list)
        for number in range(options.rounds):
            for name, (who, load) in plan.items():
                turn = number % len(who)
                for peer in who[turn:] + who[:turn]:
                    measured = load(peer)
                    found[name, peer.name].append(measured)
                    print(
                        f"round {number + 1}  {name:18} {peer.name:11} {measured.rate:12,.0f}/s "
                        f"{measured.cpu * 1e6:8.2f} µs of CPU",
                        flush=True,
                    )
        table = report.table(found, memory, statistics.median)
        print("\n" + table)
        if not options.quick and not options.only:
            report.write(table, compiled, options.rounds, seconds)


def pgbench(mode: str, clients: int, seconds: int) -> Load:
    return lambda peer: loads.statements(peer, mode, clients, seconds)


def masking(table: str, columns: str, rows: int, database: str) -> Load:
    return lambda peer: loads.stream(peer, table, columns, rows, database)


def check_masks(peer: Peer) -> None:
    """The gateway that is measured does mask: what is fast because it does nothing would be worth nothing."""
    with loads.connect(peer) as connection:
        row = connection.execute(
            "SELECT id, name, email, card, national_id, note FROM people LIMIT 1"
        ).fetchone()
        assert row is not None
        if "@example.test" in str(row[2]) or str(row[3]).startswith("4929") or "-" in str(row[4])[:4]:
            raise RuntimeError(f"the gateway does not mask: {row}")
        if row[1] is None or not row[1].startswith("Name "):
            raise RuntimeError(f"the gateway masks what is not sensitive: {row}")
        with loads.connect(peer, peers.TOKENS) as other:
            tokens = other.execute("SELECT email, card, national_id FROM people LIMIT 1").fetchone()
            if tokens is None or not all(str(token).startswith("wkp") for token in tokens):
                raise RuntimeError(f"the gateway gives no tokens: {tokens}")
        with loads.connect(peer, peers.DETECTED) as other:
            seen = other.execute("SELECT * FROM chats WHERE a LIKE 'mail %' LIMIT 1").fetchone()
            if seen is None or not all("[redacted" in cell for cell in seen):
                raise RuntimeError(f"the gateway does not see what it should: {seen}")
        try:
            connection.execute("DELETE FROM people")
        except psycopg.Error:
            return
        raise RuntimeError("the gateway let a DELETE through")


if __name__ == "__main__":
    main()
