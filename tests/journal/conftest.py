"""Fixtures: a node's journal, empty or with sessions in it."""

from pathlib import Path

import pytest

from journal.node import Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "journal")


@pytest.fixture
def recorded(node: Node) -> Node:
    """Two sessions of one worker in four blocks, all witnessed, and one more unwitnessed."""
    writer = node.writer("worker1")
    node.play(writer)
    node.play(writer)
    node.seal(writer)
    node.checkpoint()
    node.play(writer)
    node.seal(writer)
    node.checkpoint()
    node.play(writer, 1)
    node.seal(writer)
    return node
