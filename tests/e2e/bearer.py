"""libpq 18 signs in by OAUTHBEARER: `python bearer.py LIBRARY CONNINFO`, the token in BEARER_TOKEN.

It speaks through libpq's own hook for flows (PQsetAuthDataHook), as an application with tokens of its own,
and prints JSON: what libpq was told of the issuer, and what became of a query or the error.
"""

import ctypes
import json
import os
import sys

_TOKEN = 1  # PQAUTHDATA_OAUTH_BEARER_TOKEN


class Request(ctypes.Structure):
    """PGoauthBearerRequest (libpq-fe.h)."""

    _fields_ = (
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("poll", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_char_p),
        ("user", ctypes.c_void_p),
    )


def main(library: str, conninfo: str) -> None:
    pq = ctypes.CDLL(library)
    pq.PQconnectdb.restype = pq.PQexec.restype = ctypes.c_void_p
    pq.PQerrorMessage.restype = pq.PQgetvalue.restype = ctypes.c_char_p
    told: list[str] = []
    token = ctypes.c_char_p(os.environ["BEARER_TOKEN"].encode())

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    def hook(kind: int, connection: int, data: int) -> int:
        if kind != _TOKEN:
            return 0
        request = ctypes.cast(data, ctypes.POINTER(Request)).contents
        told.extend(str((each or b"").decode()) for each in (request.openid_configuration, request.scope))
        request.token = token
        return 1

    pq.PQsetAuthDataHook(hook)
    connection = ctypes.c_void_p(pq.PQconnectdb(conninfo.encode()))
    value = None
    if pq.PQstatus(connection) == 0:
        result = ctypes.c_void_p(pq.PQexec(connection, b"SELECT 40 + 2"))
        value = pq.PQgetvalue(result, 0, 0).decode()
    print(json.dumps({"told": told, "value": value, "error": pq.PQerrorMessage(connection).decode()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
