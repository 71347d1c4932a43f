"""The warehouse as SQLAlchemy models, and the declarations that feed it."""

from .base import Base, key_column, staged, table_of
from .charts import CHARTS
from .declare import Declarations
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
