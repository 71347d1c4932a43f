"""A stand-in for Amazon Redshift, for tests; README.md explains how to start and use it."""

from __future__ import annotations

from .faults import Faults, Statement
from .server import Database, Standin
from .store import Store

__all__ = ["Database", "Faults", "Standin", "Statement", "Store"]
