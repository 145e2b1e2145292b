"""One real OpenBao for the tests of custody."""

from collections.abc import Iterator

import pytest

from servers.certificates import Authority
from servers.openbao import OpenBao


@pytest.fixture(scope="session")
def openbao(authority: Authority) -> Iterator[OpenBao]:
    """With `db/sales` (password, user), and the policy `sales` that may read what lies below `db`."""
    server = OpenBao(authority)
    server.put("db/sales", {"password": "c4nary-of-sales", "user": "app", "port": 5432, "none": ""})
    server.policy("sales", 'path "secret/data/db/*" { capabilities = ["read"] }')
    yield server
    server.destroy()
