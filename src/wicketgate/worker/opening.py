"""Opens a session: admit, count, dial, converse. One path for every refusal.
It must never dial before the admission stands in the journal.
"""

from collections.abc import Callable
from dataclasses import dataclass

from wicketgate.model.decision import Denial
from wicketgate.model.errors import GatewayError, UpstreamFailed
from wicketgate.model.keyring import Keyring
from wicketgate.model.ports import Desk
from wicketgate.model.resource import Account, Resource
from wicketgate.model.secret import Secret
from wicketgate.model.session import Admission, Refused
from wicketgate.model.workload import CERTIFICATE
from wicketgate.protocols.base import Call, SignedIn
from wicketgate.protocols.conversing import Setting
from wicketgate.worker.catalogs import Catalogs
from wicketgate.worker.dial import Dialer, Dialled
from wicketgate.worker.digests import Digests
from wicketgate.worker.hosting import SessionHost
from wicketgate.worker.listen import Guest
from wicketgate.worker.ports import AskPort, GatePort
from wicketgate.worker.session import LINGER, Session, Surroundings
from wicketgate.worker.sessions import Opening, Sessions

UNAVAILABLE = Denial("unavailable", "The gateway can't open sessions now.", "", hint="Try again later.")
LOST = Denial("unavailable", "The gateway lost its control process.", "the control link is silent or closed")
SHUTDOWN = Denial("shutdown", "The gateway is shutting down.", "drain", hint="Connect again.")
UNRECORDED = Denial(
    "unavailable", "The session's record can't be written, so nothing may pass.", "the journal failed"
)


@dataclass(frozen=True, slots=True)
class OpeningLimits:
    """kept: bytes of an answer that the journal keeps. buffer: bytes that a conversation may hold."""

    kept: int = 65536
    buffer: int = 1 << 20


class Opener:
    """closed: why no session can be opened at all now, or None.

    asks: the control process, which decides again before it gives an account's secret.
    opened: told of each new session. record: writes the journal now, raises JournalFailed.
    """

    def __init__(
        self,
        around: Surroundings,
        gate: GatePort,
        sessions: Sessions,
        dialer: Dialer,
        catalogs: Catalogs,
        limits: OpeningLimits,
        closed: Callable[[], Denial | None],
        asks: AskPort,
        opened: Callable[[Session], None],
        closing: Callable[[Admission, str], None],
        record: Callable[[], None],
        log: Callable[[str], None],
        pseudonyms: Keyring | None,
    ) -> None:
        self._around = around
        self._gate = gate
        self._sessions = sessions
        self._dialer = dialer
        self._catalogs = catalogs
        self._limits = limits
        self._closed = closed
        self._asks = asks
        self._opened = opened
        self._closing = closing
        self._record = record
        self._log = log
        self._pseudonyms = pseudonyms
        self._digests = Digests()

    async def open(self, guest: Guest) -> None:
        """Make a session of a guest that signed in, or refuse it in its protocol."""
        assert isinstance(guest.outcome, SignedIn)
        try:
            denial = await self._open(guest, guest.outcome)
        except GatewayError as error:
            self._log(f"sign-in: {error.public} {error.detail}")
            denial = Denial("unavailable", error.public, error.detail)
        except Exception as error:
            self._log(f"sign-in: {type(error).__name__}: {error}")
            denial = UNAVAILABLE
        if denial is not None:
            self._refuse(guest, denial)

    def _refuse(self, guest: Guest, denial: Denial) -> None:
        transport = guest.transport
        try:
            transport.write(guest.greeter.refuse(denial))
        except Exception as error:
            self._log(f"refusal: {type(error).__name__}: {error}")
        self._around.count("sessions_refused")
        if guest.greeter.parting and not transport.is_closing():
            transport.resume_reading()
        else:
            transport.close()
        self._around.linger(transport, LINGER)

    async def _open(self, guest: Guest, signed: SignedIn) -> Denial | None:
        denial = self._closed()
        if denial is not None:
            return denial
        result = await self._gate.admit(signed.claim)
        if isinstance(result, Refused):
            self._record()
            return result.denial
        admission, desk = result
        reason = "unavailable"
        begun = self._sessions.begin(admission)
        if isinstance(begun, Denial):
            self._closing(admission, "limit")
            self._record()
            return begun
        self._dialer.acquire(admission.resource, admission.account)
        session = None
        try:
            self._record()
            answer = await self._connect(guest, signed, begun)
            if isinstance(answer, tuple):
                denial, reason = answer
                return denial
            if begun.doom is not None:
                answer.transport.abort()
                denial, reason = begun.doom
                return denial
            if guest.transport.is_closing():
                answer.transport.abort()
                reason = "client"
                return None
            session = self._start(guest, signed, begun, desk, answer)
        except UpstreamFailed as error:
            reason = "upstream"
            self._around.count("dials_failed")
            self._log(f"dial {admission.resource.name}: {error.detail}")
            return Denial("unavailable", error.public, error.detail)
        finally:
            if session is None:
                self._sessions.give_up(begun)
                self._dialer.release(admission.resource, admission.account)
                self._closing(admission, reason)
        return None

    async def _connect(self, guest: Guest, signed: SignedIn, begun: Opening) -> Dialled | tuple[Denial, str]:
        admission = begun.admission
        resource, account = admission.resource, admission.account
        if guest.spec.load_catalog is not None:
            catalog = await self._catalogs.first(resource.name, admission.database)
            if catalog is None and any(resource.sensitive.values()):
                return Denial(
                    "unavailable",
                    "This resource is closed for now.",
                    "its catalog could not be read, so nothing on it can be masked",
                    hint="Ask the operator: the gateway can't read the database's catalog.",
                ), "unavailable"
        return await self._dialer.dial(
            guest.spec,
            lambda keys: self.call(resource, account, admission, signed.startup, keys),
            resource,
            account,
            lambda: self._ask_secret(admission, signed.claim.secret),
        )

    async def _ask_secret(self, admission: Admission, presented: Secret) -> Secret:
        body = {
            "session": admission.session,
            "identity": admission.identity.name,
            "credential": admission.identity.credential_id,
            "resource": admission.resource.name,
            "database": admission.database,
            "account": admission.account.name,
            "version": admission.account.version,
        }
        # an issuer's token is kept nowhere: what it proves is judged there again, by the token itself; and
        # what a certificate says, though that the client has its key is known here alone
        proven = admission.identity.proof
        proof = presented if proven is not None else None
        if proven is not None and admission.identity.how == CERTIFICATE:
            proof = Secret(proven.claims)
        answer = await self._asks.ask("secret", body, proof)
        if answer.denial is not None or answer.secret is None:
            kind, message, cause = answer.denial or ["unavailable", "The target can't be reached.", ""]
            raise UpstreamFailed(message, f"secret: {kind}: {cause}")
        return answer.secret

    @staticmethod
    def call(
        resource: Resource,
        account: Account,
        admission: Admission,
        startup: object,
        keys: dict[object, object],
    ) -> Call:
        """What a Caller is made of."""
        return Call(resource, account, admission.database, admission.read_only, startup, keys)

    def _start(self, guest: Guest, signed: SignedIn, begun: Opening, desk: Desk, dialled: Dialled) -> Session:
        admission = begun.admission
        slot, number, proof = self._sessions.key(signed.proof)
        session = Session(
            self._around,
            admission,
            guest.source,
            guest.spec,
            guest.transport,
            dialled.transport,
            slot,
            proof,
            desk,
        )
        try:
            conversation = guest.spec.converse(
                Setting(
                    admission=admission,
                    desk=desk,
                    host=SessionHost(self._around, session),
                    startup=signed.startup,
                    session=dialled.session,
                    key=(number, proof),
                    kept=self._limits.kept,
                    buffer=self._limits.buffer,
                    pseudonyms=self._pseudonyms,
                    digest=self._digests.begin,
                )
            )
        except Exception:
            self._sessions.release_key(slot)
            dialled.transport.abort()
            raise
        self._sessions.add(begun, session)
        self._opened(session)
        session.start(conversation, guest.greeter.rest(), dialled.rest)
        return session
