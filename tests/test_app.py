"""The composition root: what it opens late it closes, and what a policy declares is seen by all."""

from pathlib import Path

from wicketgate.app import LateStore, StoreOfLoop
from wicketgate.settings import default_settings


def held(file: Path) -> int:
    """How many descriptors of this process stand for the file."""
    return sum(each.exists() and each.resolve() == file for each in Path("/proc/self/fd").iterdir())


async def test_a_store_that_was_opened_late_is_closed(tmp_path: Path) -> None:
    settings = default_settings(tmp_path / "wicket.yaml")
    settings.state.mkdir()
    file = settings.state / "wicketgate.sqlite"
    store = LateStore(StoreOfLoop(settings))
    await store.close()
    assert not file.exists()
    number = await store.node_number("a" * 32)
    assert held(file)
    await store.close()
    await store.close()
    assert not held(file)
    assert await store.node_number("a" * 32) == number
    await store.close()
