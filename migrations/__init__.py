"""Alembic migrations; the wheel ships them as ``sparkify_dwh.migrations``."""
