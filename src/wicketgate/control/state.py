"""The dictionary that workers replicate, as the control process holds it, and the sockets that they share.
A worker must never see half of a change: puts travel with the commit behind them.
"""

import errno
import socket
from collections.abc import Callable, Collection, Sequence
from typing import Any

from wicketgate.control.link import Link
from wicketgate.control.messages import Commit, Put, encode
from wicketgate.control.ports import Listen


class State:
    """broadcast: encoded messages to every worker."""

    def __init__(self, broadcast: Callable[[bytes], None]) -> None:
        self._broadcast = broadcast
        self._entries: dict[tuple[str, str], Put] = {}
        self._number = 1
        self._changed = False

    def put(self, section: str, key: str, value: Any, blob: bytes | None = None) -> None:
        """Change an entry (None: remove it) and send it; it holds with the next commit.

        What holds already is not sent again.
        """
        put = Put(section, key, value, blob)
        removed = value is None and blob is None
        known = self._entries.get((section, key))
        if known == put or (known is None and removed):
            return
        if removed:
            del self._entries[section, key]
        else:
            self._entries[section, key] = put
        self._changed = True
        self._broadcast(encode(put))

    def replace(
        self, section: str, entries: dict[str, Any], but: Collection[tuple[str, str]] = frozenset()
    ) -> None:
        """Make a section hold exactly these. but: (section, key) of what is newer, and stays as it is."""
        for other, key in list(self._entries):
            if other == section and key not in entries and (section, key) not in but:
                self.put(section, key, None)
        for key, value in entries.items():
            if (section, key) not in but:
                self.put(section, key, value)

    @property
    def number(self) -> int:
        """Of the newest commit that changed anything."""
        return self._number

    def get(self, section: str, key: str) -> Any:
        """The entry's value, or None."""
        put = self._entries.get((section, key))
        return None if put is None else put.value

    def commit(self) -> None:
        """What was put holds; without a put, a sign of life."""
        if self._changed:
            self._changed = False
            self._number += 1
        self._broadcast(encode(Commit(self._number)))

    def commit_changes(self) -> None:
        """Commit, if anything was put since the last one."""
        if self._changed:
            self.commit()

    def bring(self, link: Link) -> None:
        """Everything, to a worker that has just begun."""
        for put in self._entries.values():
            link.send(put)
        link.send(Commit(self._number))


def bind(listen: Listen, log: Callable[[str], None]) -> list[socket.socket]:
    """Listening sockets of one port, IPv4 and IPv6. Port 0: one free port for all hosts.

    An IPv6 address on a host without IPv6 is left out. Raises OSError where none, or another, can't be bound.
    """
    sockets: list[socket.socket] = []
    port = listen.port
    try:
        for host in listen.hosts:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, protocol, _, address in dict.fromkeys(found):
                try:
                    sockets.append(_bind(family, kind, protocol, (address[0], port, *address[2:])))
                except OSError as error:
                    missing = error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
                    if family != socket.AF_INET6 or not missing:
                        raise OSError(error.errno, f"port {port} on {host}: {error.strerror}") from error
                    log(f"no IPv6 here: {host} is left out")
                    continue
                port = port or sockets[-1].getsockname()[1]
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, f"port {port}: no address of {', '.join(listen.hosts)}")
    except BaseException:
        for each in sockets:
            each.close()
        raise
    return sockets


def _bind(family: int, kind: int, protocol: int, address: Sequence[Any]) -> socket.socket:
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(tuple(address))
        listening.listen(4096)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
