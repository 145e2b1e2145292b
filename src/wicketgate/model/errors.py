"""Our few errors: each has a message for the client and a detail for the journal, which can't be mixed up."""


class GatewayError(Exception):
    """public: may be shown to anyone. detail: for the journal and the operator's log; never a secret."""

    def __init__(self, public: str, detail: str = "") -> None:
        super().__init__(public)
        self.public = public
        self.detail = detail


class PolicyError(GatewayError):
    """A policy or settings file that must not be loaded. public says file, line and what is wrong."""


class JournalFailed(GatewayError):
    """The record could not be written: nothing may pass."""


class KeyMissing(GatewayError):
    """What was recorded is encrypted, and its key is not at hand. detail says why."""

    def __init__(self, detail: str) -> None:
        super().__init__("the recording is encrypted, and its key is not at hand", detail)


class UpstreamFailed(GatewayError):
    """The target could not be reached or did not let us in."""


class NodeSilent(GatewayError):
    """Another node was asked to do something, and did not take it."""


class Unreadable(GatewayError):
    """One thing that is kept was changed beside the gateway, and stays unreadable."""


class StoreFailed(GatewayError):
    """What must last could not be read or written: nothing new may start on the strength of it."""
