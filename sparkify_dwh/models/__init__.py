"""The warehouse as SQLAlchemy models, and the declarations that feed it."""

from ..declare import Declarations
from . import audit, staging
from .base import Base
from .sources import SOURCES
from .star import TARGETS

#: The warehouse that the library ships.
SPARKIFY = Declarations(sources=SOURCES, targets=TARGETS)

__all__ = ["SPARKIFY", "Base", "audit", "staging"]
