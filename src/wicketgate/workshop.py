"""The composition of a worker: what it is given, and how the control process executes it.
It imports nothing of the control plane, so that a worker starts fast and holds little."""

import datetime
import functools
import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from wicketgate.control.messages import Welcome
from wicketgate.gate.gate import Gate
from wicketgate.gate.ports import PolicyInForce
from wicketgate.identity.authenticate import Authenticator
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.journal.keyfile import KeySupply
from wicketgate.journal.writer import Writer
from wicketgate.model.resource import Resource
from wicketgate.policy.engine import Engine
from wicketgate.policy.load import ProtocolRules, load_shipped
from wicketgate.protocols.base import ProtocolSpec
from wicketgate.protocols.registry import protocols
from wicketgate.worker.main import run as run_worker
from wicketgate.worker.ports import GateNeeds, GatePort, WorkerPorts


def log(line: str) -> None:
    """One line for the operator. Never a secret."""
    sys.stderr.write(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%S.%fZ} {line}\n")
    sys.stderr.flush()


boot = functools.partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
"""Nanoseconds of the boot clock: it never steps back, and counts a suspended machine's time."""


def rules_of(specs: Mapping[str, ProtocolSpec]) -> dict[str, ProtocolRules]:
    """What the policy's loader needs of each protocol."""
    return {
        spec.name: ProtocolRules(
            name=spec.name,
            default_port=spec.default_port,
            validate=spec.validate,
            check_column=spec.check_column,
            transforms=spec.transforms,
            tls_modes=spec.tls_modes,
        )
        for spec in specs.values()
    }


def worker_ports(specs: Mapping[str, ProtocolSpec]) -> WorkerPorts:
    """Everything that a worker is given. specs: the protocols that it speaks."""
    return WorkerPorts(
        protocols=specs,
        build_journal=_journal_of,
        build_gate=partial(build_gate, specs),
        resource=_resource_of,
        clock=time.time_ns,
        boot=boot,
        token=os.urandom,
        log=log,
        issuers=_issuers_of,
        takes=_takes,
    )


def _journal_of(welcome: Welcome, keys: KeySupply | None) -> Writer:
    return Writer(
        Path(welcome.journal),
        welcome.node,
        welcome.writer,
        time.time_ns,
        boot,
        os.urandom,
        bool(welcome.settings.get("synced", False)),
        keys=keys,
    )


def _resource_of(gate: GatePort, name: str) -> Resource | None:
    assert isinstance(gate, Gate)
    return gate.policy.engine.policy.resources.get(name)


def _issuers_of(gate: GatePort) -> Mapping[str, str]:
    assert isinstance(gate, Gate)
    issuers = gate.policy.engine.policy.issuers
    return {name: issuer.discovery for name, issuer in issuers.items()}


def _takes(gate: GatePort, certificate: bytes) -> bool:
    assert isinstance(gate, Gate)
    assert isinstance(gate.authenticator, Authenticator)
    return gate.authenticator.shows_workload(certificate)


def build_gate(specs: Mapping[str, ProtocolSpec], needs: GateNeeds) -> Gate:
    """The gate of one worker, kept up to date by what the control process replicates."""
    rules = rules_of(specs)

    def policy() -> PolicyInForce:
        held = needs.replica.get("policy", "text") or {}
        loaded = load_shipped(held["text"], rules)
        return PolicyInForce(Engine(loaded), loaded.digest)

    def people(held: PolicyInForce) -> Authenticator:
        replica = needs.replica
        policy = held.engine.policy
        issuers = IssuerTokens(
            policy.issuers, replica.section("issuers"), policy.saml, policy.mesh, replica.section("seen")
        )
        return Authenticator(
            replica.section("tokens"), replica.section("identities"), issuers, replica.section("grants")
        )

    key = needs.token(32)
    first = policy()
    gate = Gate(
        first,
        people(first),
        needs.journal,
        needs.asks,
        needs.clock,
        needs.boot,
        needs.token,
        needs.touch,
        key,
        needs.count,
        needs.usage,
    )

    seen = dict(needs.replica.section("seen"))

    def changed(sections: frozenset[str]) -> None:
        nonlocal seen
        if "policy" in sections:
            gate.policy = policy()
        if "seen" in sections:
            before, seen = seen, dict(needs.replica.section("seen"))
            if before.items() <= seen.items():
                # somebody came: nobody who is here is another for it
                sections -= {"seen"}
        if sections & {"policy", "tokens", "identities", "issuers", "seen", "grants"}:
            gate.authenticator = people(gate.policy)

    needs.replica.on_commit(changed)
    return gate


def main(arguments: Sequence[str]) -> int:
    """`python -m wicketgate.workshop FD`: how the control process executes a worker."""
    if len(arguments) != 1:
        log("this is executed by the gateway itself: use `wicket serve`")
        return 2
    return run_worker(int(arguments[0]), worker_ports(protocols()))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
