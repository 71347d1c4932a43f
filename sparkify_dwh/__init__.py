"""An S3-to-Redshift warehouse as code: JSON files become a star schema with balanced books.

>>> from sparkify_dwh import Settings, Warehouse
>>> wh = Warehouse(Settings(log_data="data/log_data", song_data="data/song_data"))
>>> run = wh.load()  # doctest: +SKIP
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

#: Public name and the module it lives in; imported on first use, so that `sparkify --help`
#: starts without an engine or a driver.
_EXPORTS = {
    "Account": "merge",
    "BooksError": "errors",
    "Broken": "profiles",
    "Chart": "declare",
    "CheckError": "errors",
    "CheckResult": "results",
    "Compaction": "compaction",
    "Damage": "profiles",
    "DatabaseError": "errors",
    "Declarations": "declare",
    "Derivation": "declare",
    "Derived": "declare",
    "Erasure": "erasing",
    "Field": "declare",
    "FieldProfile": "profiles",
    "Frequency": "profiles",
    "InfraError": "errors",
    "KeyCandidate": "profiles",
    "LockError": "errors",
    "Lookup": "declare",
    "Measure": "quality",
    "MissingExtraError": "errors",
    "Observer": "observe",
    "Plan": "results",
    "Pruning": "pruning",
    "Profile": "profiles",
    "QualityError": "errors",
    "RejectLimitError": "errors",
    "Report": "report",
    "Resolution": "declare",
    "Rule": "declare",
    "Run": "results",
    "SPARKIFY": "models",
    "SchemaStatus": "schema",
    "SchemaVersionError": "errors",
    "Settings": "config",
    "SettingsError": "errors",
    "Source": "declare",
    "SourceBook": "audit",
    "SourceCheck": "waiting",
    "SourceError": "errors",
    "SourceProfile": "profiles",
    "SparkifyError": "errors",
    "Suggestion": "profiles",
    "Table": "results",
    "Target": "declare",
    "Together": "profiles",
    "UsageError": "errors",
    "Warehouse": "warehouse",
    "__version__": "version",
}

if TYPE_CHECKING:
    from .audit import SourceBook
    from .compaction import Compaction
    from .config import Settings
    from .declare import (
        Chart,
        Declarations,
        Derivation,
        Derived,
        Field,
        Lookup,
        Resolution,
        Rule,
        Source,
        Target,
    )
    from .erasing import Erasure
    from .errors import (
        BooksError,
        CheckError,
        DatabaseError,
        InfraError,
        LockError,
        MissingExtraError,
        QualityError,
        RejectLimitError,
        SchemaVersionError,
        SettingsError,
        SourceError,
        SparkifyError,
        UsageError,
    )
    from .merge import Account
    from .models import SPARKIFY
    from .observe import Observer
    from .profiles import (
        Broken,
        Damage,
        FieldProfile,
        Frequency,
        KeyCandidate,
        Profile,
        SourceProfile,
        Suggestion,
        Together,
    )
    from .pruning import Pruning
    from .quality import Measure
    from .report import Report
    from .results import CheckResult, Plan, Run, Table
    from .schema import SchemaStatus
    from .version import __version__
    from .waiting import SourceCheck
    from .warehouse import Warehouse

if "sqlalchemy" in sys.modules:
    # An engine that a user makes after this import has the mended dialects.
    from . import dialects as _dialects  # noqa: F401

__all__ = [
    "SPARKIFY",
    "Account",
    "BooksError",
    "Broken",
    "Chart",
    "CheckError",
    "CheckResult",
    "Compaction",
    "Damage",
    "DatabaseError",
    "Declarations",
    "Derivation",
    "Derived",
    "Erasure",
    "Field",
    "FieldProfile",
    "Frequency",
    "InfraError",
    "KeyCandidate",
    "LockError",
    "Lookup",
    "Measure",
    "MissingExtraError",
    "Observer",
    "Plan",
    "Profile",
    "Pruning",
    "QualityError",
    "RejectLimitError",
    "Report",
    "Resolution",
    "Rule",
    "Run",
    "SchemaStatus",
    "SchemaVersionError",
    "Settings",
    "SettingsError",
    "Source",
    "SourceBook",
    "SourceCheck",
    "SourceError",
    "SourceProfile",
    "SparkifyError",
    "Suggestion",
    "Table",
    "Target",
    "Together",
    "UsageError",
    "Warehouse",
    "__version__",
]


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
