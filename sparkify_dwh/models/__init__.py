"""The warehouse as SQLAlchemy models, and the declarations that feed it."""

from ..declare import Declarations
from . import audit, staging
from .analytics import CHARTS
from .base import Base, key_column, staged, table_of
from .sources import SOURCES
from .staging import StagedRow
from .targets import TARGETS

#: The warehouse that the library ships.
SPARKIFY = Declarations(sources=SOURCES, targets=TARGETS, charts=CHARTS)

__all__ = [
    "SPARKIFY",
    "Base",
    "StagedRow",
    "audit",
    "key_column",
    "staged",
    "staging",
    "table_of",
]
