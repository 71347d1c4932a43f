"""The warehouse as declarations: tables, sources, targets, rules. Not here: what executes."""

from .charts import CHARTS
from .declare import Declarations
from .sources import SOURCES
from .targets import TARGETS

#: The declarations of the warehouse that the library ships.
SPARKIFY = Declarations(sources=SOURCES, targets=TARGETS, charts=CHARTS)
