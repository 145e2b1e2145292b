"""A whole protocol in one file, against the seam alone: one line asks, rows and a dot answer."""

from wicketgate.masking.transforms import TRANSFORMS, apply
from wicketgate.model.clearance import Clearance, Outcome
from wicketgate.model.decision import Denial
from wicketgate.model.identity import Claim
from wicketgate.model.secret import Secret
from wicketgate.model.statement import UNKNOWN_FACTS, Effect, Facts, Statement
from wicketgate.protocols import base

EFFECTS = {"get": Effect.READ, "put": Effect.WRITE, "drop": Effect.DEFINE}


def classify(line: bytes, sensitive: dict[str, str]) -> Facts:
    command, *names = line.decode("utf-8", "replace").split(" ")[:2]
    if command not in EFFECTS or not names:
        return UNKNOWN_FACTS
    classes = frozenset(each for column, each in sensitive.items() if column.split(".")[0] in names)
    return Facts(frozenset({EFFECTS[command]}), frozenset({command}), frozenset(names), classes=classes)


def refusal(denial: Denial) -> bytes:
    return f"! {denial.kind}: {denial.message}\n".encode()


class SigningIn:
    def __init__(self, about: base.Greeting | base.Call) -> None:
        self.about, self.needs_secret, self.received, self.out = about, False, b"", b""
        self.outcome, self.parting = None, False
        self.rest, self.tls_request, self.refuse = lambda: self.received, lambda: None, refusal

    def receive(self, data: bytes) -> None:
        self.received += data
        if self.outcome is None and b"\n" in self.received:
            line, _, self.received = self.received.partition(b"\n")
            self.signed(line.decode("utf-8", "replace"))

    def bytes_to_send(self) -> bytes:
        out, self.out = self.out, b""
        return out


class Greeter(SigningIn):
    def signed(self, line: str) -> None:
        name, token, resource, *_ = [*line.split(" "), "", ""]
        claim = Claim(name, resource, Secret(token.encode()), self.about.source)
        allowed = self.about.secure or self.about.plain_allowed
        self.outcome = base.SignedIn(claim, None) if allowed else base.GreetingFailed("in plain text")


class Caller(SigningIn):
    def begin(self, binding: bytes | None) -> None:
        self.needs_secret = True

    def provide(self, secret: Secret) -> None:
        self.needs_secret, self.out = False, secret.reveal() + b"\n"

    def signed(self, line: str) -> None:
        self.outcome = base.Connected(None) if line == "welcome" else base.DialFailed("not welcome")


class Talk:
    pause_client = pause_upstream = waiting = False  # waiting: for the gate
    over: str | None = None
    clearance: Clearance | None = None  # of the statement that runs: one at a time

    def __init__(self, setting: base.Setting) -> None:
        self.desk, self.host = setting.desk, setting.host
        self.sensitive = dict(setting.admission.resource.sensitive.get("main", {}))
        self.client, self.upstream, self.asked, self.rows = b"hello\n", b"", b"", b""
        self.idle = lambda: self.clearance is None and not self.waiting

    def receive_client(self, data: bytes) -> None:
        self.asked += data
        while b"\n" in self.asked and not self.waiting and self.clearance is None:
            line, _, self.asked = self.asked.partition(b"\n")
            self.waiting, self.asking = True, line
            verdict = self.desk.submit(Statement(classify(line, self.sensitive), line, line), self.woken)
            if verdict is not None:
                self.answered(verdict)

    def answered(self, verdict: Clearance | Denial | None) -> None:
        self.waiting = False
        if isinstance(verdict, Clearance):
            self.clearance, self.outcome, self.denial = verdict, Outcome(), None
            self.upstream += self.asking + b"\n"
        elif self.clearance is not None:
            self.denial = verdict
        elif verdict is not None:
            self.client += refusal(verdict)

    def woken(self, verdict: Clearance | Denial | None) -> None:
        self.answered(verdict)
        self.receive_upstream(b"")
        self.host.wake()

    def receive_upstream(self, data: bytes) -> None:
        self.rows += data
        while b"\n" in self.rows and not self.waiting and self.clearance is not None:
            row, _, rest = self.rows.partition(b"\n")
            if row == b".":
                self.show(b".\n" if self.denial is None else refusal(self.denial))
                self.outcome.code = "limit" if self.denial else None
                self.desk.settle(self.clearance, self.outcome)
                self.clearance = None
            elif self.denial is None and self.clearance.allowance.left <= 0:
                self.waiting = True
                return self.desk.more(self.clearance, self.woken)
            elif self.denial is None:
                self.clearance.allowance.left -= 1
                self.outcome.rows += 1
                self.show(self.masked(row, self.clearance))
            self.rows = rest
        self.receive_client(b"")

    def masked(self, row: bytes, clearance: Clearance) -> bytes:
        values = row.split(b" ")
        for column, data_class in self.sensitive.items():
            relation, number = column.split(".")
            transform = clearance.decision.transform(data_class)
            if relation.encode() in self.asking and transform != "reveal":
                values[int(number)] = apply(transform, [values[int(number)]], data_class)[0] or b"-"
                self.outcome.masked[data_class] = self.outcome.masked.get(data_class, 0) + 1
        return b" ".join(values) + b"\n"

    def show(self, data: bytes) -> None:
        self.client, self.outcome.kept = self.client + data, self.outcome.kept + data
        self.outcome.size = self.outcome.length = len(self.outcome.kept)

    def to_client(self) -> bytes:
        out, self.client = self.client, b""
        return out

    def to_upstream(self) -> bytes:
        out, self.upstream = self.upstream, b""
        return out

    def client_gone(self) -> None:
        self.over = "client"

    def upstream_gone(self, detail: str) -> None:
        self.over = "upstream"

    def end(self, denial: Denial, reason: str) -> None:
        self.client, self.over = self.client + refusal(denial), reason


TOY = base.ProtocolSpec(
    "toy", 7, lambda _: base.Preamble("begin"), Greeter, Caller, Talk, dict, str, transforms=TRANSFORMS
)
