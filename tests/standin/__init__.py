"""A stand-in for Amazon Redshift, for tests. README.md says how to start it and what it knows."""

from __future__ import annotations

from .faults import Faults, Statement
from .server import Database, Standin
from .store import Store

__all__ = ["Database", "Faults", "Standin", "Statement", "Store"]
