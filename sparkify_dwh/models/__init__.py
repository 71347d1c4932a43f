"""The warehouse as SQLAlchemy models, and the declarations that feed it. Nothing that executes."""

from .charts import CHARTS
from .declare import Declarations
from .sources import SOURCES
from .targets import TARGETS

#: The declarations of the warehouse that the library ships.
SPARKIFY = Declarations(sources=SOURCES, targets=TARGETS, charts=CHARTS)
