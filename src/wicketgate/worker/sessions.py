"""The sessions of one worker: by id, by cancel key, counted by identity; ended one by one or all together.
It must never give out a cancel key whose proof can be guessed, nor cancel on a proof that does not match.

A key's number is 31 bits, positive: node (8) | worker (5) | slot (18); proofs are 32 random bytes, of which
old clients are told the first 4.
"""

import hmac
from collections.abc import Callable, Iterator

from wicketgate.model.decision import Denial
from wicketgate.model.session import Admission
from wicketgate.worker.session import Session

SLOTS = 1 << 18
WORKERS = 1 << 5
NODES = 1 << 8
PROOF = 32
"""Bytes of a cancel key's secret, where the client's protocol has room for them."""


def key_number(node: int, worker: int, slot: int) -> int:
    """The number of a cancel key. Raises ValueError where a part is out of range."""
    if not (0 <= node < NODES and 0 <= worker < WORKERS and 0 <= slot < SLOTS):
        raise ValueError(f"no key for node {node}, worker {worker}, slot {slot}")
    return node << 23 | worker << 18 | slot


def key_owner(number: int) -> tuple[int, int, int] | None:
    """node, worker, slot; None where the number was never given out."""
    if not 0 <= number < 1 << 31:
        return None
    return number >> 23, number >> 18 & (WORKERS - 1), number & (SLOTS - 1)


class Opening:
    """A session between its admission and its first byte: it can be doomed meanwhile."""

    __slots__ = ("admission", "doom")

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.doom: tuple[Denial, str] | None = None


class Sessions:
    """token: n random bytes. most: open sessions of this worker at most."""

    def __init__(
        self, node: int, worker: int, token: Callable[[int], bytes], per_identity: int, most: int
    ) -> None:
        self._node = node
        self._worker = worker
        self._token = token
        self._per_identity = per_identity
        self._most = min(most, SLOTS)
        self._by_id: dict[str, Session] = {}
        self._by_slot: dict[int, Session] = {}
        self._opening: dict[str, Opening] = {}
        self._identities: dict[str, int] = {}
        self._free: list[int] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._by_id) + len(self._opening)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_id.values()))

    # -- opening --------------------------------------------------------------------------------------------
    def begin(self, admission: Admission) -> Opening | Denial:
        """Count a session that was admitted; a Denial where its identity, or all, have too many."""
        name = admission.identity.name
        count = self._identities.get(name, 0)
        if count >= self._per_identity or len(self) >= self._most:
            return Denial(
                "limit",
                "Too many open sessions.",
                f"{count} sessions of this identity, {len(self)} in this worker",
                hint="Close sessions that you don't use.",
            )
        self._identities[name] = count + 1
        opening = self._opening[admission.session] = Opening(admission)
        return opening

    def give_up(self, opening: Opening) -> None:
        """The session did not come to be."""
        if self._opening.pop(opening.admission.session, None) is not None:
            self._uncount(opening.admission)

    def key(self, size: int = PROOF) -> tuple[int, int, bytes]:
        """A free slot, its key's number, and a fresh proof of `size` bytes."""
        if self._free:
            slot = self._free.pop()
        else:
            slot = self._next
            self._next += 1
        return slot, key_number(self._node, self._worker, slot), self._token(size)

    def release_key(self, slot: int) -> None:
        """A slot whose session did not come to be."""
        self._free.append(slot)

    def add(self, opening: Opening, session: Session) -> None:
        """The session is open."""
        del self._opening[opening.admission.session]
        self._by_id[session.admission.session] = session
        self._by_slot[session.slot] = session

    def remove(self, session: Session) -> bool:
        """The session is over. False: it was removed before."""
        if self._by_id.pop(session.admission.session, None) is None:
            return False
        del self._by_slot[session.slot]
        self._free.append(session.slot)
        self._uncount(session.admission)
        return True

    def _uncount(self, admission: Admission) -> None:
        name = admission.identity.name
        left = self._identities[name] - 1
        if left:
            self._identities[name] = left
        else:
            del self._identities[name]

    # -- reaching -------------------------------------------------------------------------------------------
    def owns(self, number: int) -> bool:
        """Whether this worker gave out such a key."""
        owner = key_owner(number)
        return owner is not None and owner[:2] == (self._node, self._worker)

    def by_key(self, number: int, proof: bytes) -> Session | None:
        """The session of a cancel key, if the whole proof matches."""
        owner = key_owner(number)
        if owner is None:
            return None
        session = self._by_slot.get(owner[2])
        if owner[:2] != (self._node, self._worker) or session is None:
            return None
        return session if hmac.compare_digest(session.proof, proof) else None

    def end(self, session: str, denial: Denial, reason: str) -> bool:
        """End a session by its id, also one that is being opened. False: there is none."""
        opening = self._opening.get(session)
        if opening is not None:
            opening.doom = opening.doom or (denial, reason)
            return True
        found = self._by_id.get(session)
        if found is None:
            return False
        found.end(denial, reason)
        return True

    def end_all(self, denial: Denial, reason: str) -> None:
        """End every session, also those being opened."""
        for session in [*self._opening, *self._by_id]:
            self.end(session, denial, reason)

    def end_idle(self, denial: Denial, reason: str) -> None:
        """End those with nothing in flight and no transaction open; the others end themselves when idle."""
        for opening in self._opening.values():
            opening.doom = opening.doom or (denial, reason)
        for session in self:
            if not session.closed and session.conversation.idle():
                session.end(denial, reason)

    def end_busy(self, session: str, denial: Denial, reason: str) -> None:
        """End a session that has something in flight, or a transaction open."""
        found = self._by_id.get(session)
        if found is not None and not found.closed and not found.conversation.idle():
            found.end(denial, reason)

    def hold(self, held: bool) -> None:
        """Take no new work from clients while `held`."""
        for session in self:
            session.hold(held)
