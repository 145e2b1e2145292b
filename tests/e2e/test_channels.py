"""A real gateway tells a real server of a review, signed with a key of its own vault."""

import asyncio
import subprocess
import threading
from pathlib import Path

from api.asking import ask_for
from channels.stage import Receiver, key, receiving
from servers import system
from servers.gateway import Gateway
from wicketgate.channels.signatures import headers, key_of
from wicketgate.model.secret import Secret

CONFIG = """\
gateway:
  state: state
  workers: 1
  listen: {{postgres: {port}}}
  channels:
    ops:
      {{kind: webhook, url: {{file: hook.url}}, secrets: [{{secret: key}}], private: true, ca_file: {ca}}}
"""


def test_a_review_is_told_of(tmp_path: Path) -> None:
    config = tmp_path / "wicket.yaml"
    port = system.free_port()
    config.write_text(CONFIG.format(port=port, ca=tmp_path / "receiver-ca.pem"))
    gateway = Gateway(config, port)
    # before there is another thread here: a process is forked
    gateway.start()
    ready, ended = threading.Event(), threading.Event()
    made: list[Receiver] = []

    async def run() -> None:
        async with receiving(tmp_path) as receiver:
            made.append(receiver)
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    try:
        assert ready.wait(10)
        [receiver] = made
        (tmp_path / "hook.url").write_text(f"{receiver.address}/c4nary\n")
        subprocess.run(
            [*gateway._wicket, "secret", "set", "key", "-c", config],
            input=key(),
            check=True,
            capture_output=True,
            cwd=tmp_path,
        )
        assert gateway.wicket("channels", "test", "ops") == "ops: it arrived\n"
        review = ask_for(tmp_path / "state")
        for _ in range(500):
            if len(receiver.got) > 1:
                break
            threading.Event().wait(0.02)
        tested, asked = receiver.got
        assert (tested.json["subject"], asked.json["subject"]) == ("0" * 26, review)
        assert asked.json["data"]["status"] == "pending"
        for each in receiver.got:
            known = headers(
                [key_of(Secret(key()))],
                each.headers["webhook-id"],
                int(each.headers["webhook-timestamp"]),
                each.body,
            )
            assert each.headers["webhook-signature"] == known["webhook-signature"]
        [told] = gateway.facts("channels", "list")
        assert (told["place"], told["pending"]) == (f"(file {tmp_path / 'hook.url'})", 0)
        assert "c4nary" not in gateway.log()
    finally:
        code = gateway.stop()
        ended.set()
        thread.join(10)
    assert code == 0
