"""Wicketgate: a layer-7 gateway between AI agents and the databases, hosts and APIs that they reach."""

__version__ = "0.1.0"
