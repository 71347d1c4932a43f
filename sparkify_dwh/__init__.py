"""An S3-to-Redshift warehouse as code: JSON files become a star schema with balanced books.

>>> from sparkify_dwh import Settings, Warehouse
>>> wh = Warehouse(Settings(log_data="data/log_data", song_data="data/song_data"))
>>> run = wh.load()  # doctest: +SKIP

The public names are listed in ``__init__.pyi``. Each is imported on first use, so that
``sparkify --help`` starts without an engine or a driver.
"""

from __future__ import annotations

import sys

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

if "sqlalchemy" in sys.modules:
    # Engines created after this import use our dialects.
    from .core import engines as _engines  # noqa: F401
