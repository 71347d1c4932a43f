"""The ``audit`` schema: runs, loaded object versions, counts, refused rows, erasures, the lock."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .base import ID_WIDTH, MAX_WIDTH, Base, key_column

SCHEMA = "audit"
#: Events of a run, in the order in which they may follow each other.
STARTED, LOADED, NOTHING_NEW, ROLLED_BACK, REFUSED = (
    "started",
    "loaded",
    "nothing new",
    "rolled back",
    "refused",
)


def _args(comment: str, *sortkey: str) -> tuple[dict[str, object]]:
    # EVEN: appended and scanned, never joined with the star; sorted by what queries filter on.
    options: dict[str, object] = {
        "schema": SCHEMA,
        "comment": comment,
        "redshift_diststyle": "EVEN",
    }
    if sortkey:
        options["redshift_sortkey"] = sortkey
    return (options,)


class LoadRun(Base):
    """Starts and ends of runs; append-only."""

    __tablename__ = "load_run"
    __table_args__ = _args("Starts and ends of loads, append-only", "at")

    run_id: Mapped[str] = key_column(sa.String(ID_WIDTH), "Run; sorts by time")
    event: Mapped[str] = key_column(
        sa.String(16), "started, loaded, nothing new, rolled back or refused"
    )
    at: Mapped[datetime] = mapped_column(sa.DateTime, comment="When, UTC")
    host: Mapped[str] = mapped_column(sa.String(255), comment="Machine of the loader")
    pid: Mapped[int] = mapped_column(sa.BigInteger, comment="Process of the loader")
    db_user: Mapped[str] = mapped_column(sa.String(128), comment="User at the database")
    engine: Mapped[str] = mapped_column(sa.String(32), comment="duckdb or redshift")
    version: Mapped[str] = mapped_column(sa.String(32), comment="Version of this library")
    reason: Mapped[str | None] = mapped_column(
        sa.String(4096), comment="Why the run ended as it did"
    )
    error: Mapped[str | None] = mapped_column(
        sa.String(64), comment="Class of the error that ended it"
    )
    exit_code: Mapped[int | None] = mapped_column(
        sa.SmallInteger, comment="Exit code of its command"
    )


class LoadFile(Base):
    """The ledger: object versions that were loaded."""

    __tablename__ = "load_file"
    __table_args__ = _args("Ledger of loaded object versions", "source", "key")

    run_id: Mapped[str] = key_column(sa.String(ID_WIDTH), "Run that loaded it")
    source: Mapped[str] = key_column(sa.String(ID_WIDTH), "Source, such as events")
    key: Mapped[str] = key_column(sa.String(4096), "Absolute path, or s3:// address")
    version: Mapped[str] = mapped_column(sa.String(128), comment="mtime in ns, or etag")
    size: Mapped[int] = mapped_column(sa.BigInteger, comment="Bytes")
    rows_read: Mapped[int] = mapped_column(sa.BigInteger, comment="Records counted in the object")
    rows_staged: Mapped[int] = mapped_column(sa.BigInteger, comment="Records staged")
    rows_refused: Mapped[int] = mapped_column(
        sa.BigInteger, comment="Records refused by the parser or by a rule"
    )


class CompactedObject(Base):
    """The objects that a compacted object was made from, one row each."""

    __tablename__ = "compacted_object"
    __table_args__ = _args("Objects and the compacted objects they went into", "source", "into_key")

    into_key: Mapped[str] = key_column(sa.String(4096), "Address of the compacted object")
    position: Mapped[int] = key_column(sa.BigInteger, "Order within it, from 1")
    into_version: Mapped[str] = mapped_column(sa.String(128), comment="Its mtime in ns, or etag")
    into_size: Mapped[int] = mapped_column(sa.BigInteger, comment="Its bytes")
    source: Mapped[str] = mapped_column(sa.String(ID_WIDTH), comment="Source, such as songs")
    key: Mapped[str] = mapped_column(
        sa.String(4096), comment="Object that was compacted: absolute path, or s3:// address"
    )
    version: Mapped[str] = mapped_column(sa.String(128), comment="mtime in ns, or etag")
    size: Mapped[int] = mapped_column(sa.BigInteger, comment="Bytes")
    rows_read: Mapped[int] = mapped_column(sa.BigInteger, comment="Records counted in the object")
    rows_kept: Mapped[int] = mapped_column(
        sa.BigInteger, comment="Records that became lines; the reader refuses the others"
    )
    at: Mapped[datetime] = mapped_column(sa.DateTime, comment="When, UTC")


class LoadStep(Base):
    """What a step of a run did and how long it took."""

    __tablename__ = "load_step"
    __table_args__ = _args("Steps of loads with rows and seconds", "run_id")

    run_id: Mapped[str] = key_column(sa.String(ID_WIDTH), "Run")
    position: Mapped[int] = key_column(sa.Integer, "Order within the run")
    step: Mapped[str] = mapped_column(sa.String(64), comment="Step, such as stage or merge")
    target: Mapped[str | None] = mapped_column(sa.String(128), comment="Source or table")
    rows: Mapped[int | None] = mapped_column(sa.BigInteger, comment="Rows it touched")
    seconds: Mapped[float] = mapped_column(sa.Double, comment="Seconds it took")


class LoadBook(Base):
    """The books of runs, one account a row."""

    __tablename__ = "load_book"
    __table_args__ = _args("Books of loads: what became of every row", "run_id")

    run_id: Mapped[str] = key_column(sa.String(ID_WIDTH), "Run")
    target: Mapped[str] = key_column(sa.String(128), "Source or table")
    account: Mapped[str] = key_column(sa.String(64), "Account, such as read, staged, merged")
    rows: Mapped[int] = mapped_column(sa.BigInteger, comment="Rows")


class QualityResult(Base):
    """The measured value of each rule in a run, passed or not."""

    __tablename__ = "quality_result"
    __table_args__ = _args("Measured values of all rules of loads", "run_id")

    run_id: Mapped[str] = key_column(sa.String(ID_WIDTH), "Run")
    rule: Mapped[str] = key_column(sa.String(64), "Rule")
    target: Mapped[str] = key_column(sa.String(128), "Source or table it guards")
    severity: Mapped[str] = mapped_column(sa.String(16), comment="reject, warn or fail")
    value: Mapped[float] = mapped_column(sa.Double, comment="Rows that broke it, or a ratio")
    limit_value: Mapped[float | None] = mapped_column(
        sa.Double, comment="Most that passes; NULL when the rule only refuses rows"
    )
    passed: Mapped[bool] = mapped_column(sa.Boolean, comment="Whether the run may go on")


class RejectedRow(Base):
    """The quarantine: refused records, one a row."""

    __tablename__ = "rejected_row"
    __table_args__ = _args("Refused records with rule, reason, place and text", "run_id")

    run_id: Mapped[str] = key_column(sa.String(ID_WIDTH), "Run")
    position: Mapped[int] = key_column(sa.BigInteger, "Order within the run")
    source: Mapped[str] = mapped_column(sa.String(ID_WIDTH), comment="Source, such as events")
    rule: Mapped[str] = mapped_column(sa.String(64), comment="First rule it broke")
    reason: Mapped[str] = mapped_column(sa.String(1024), comment="What the rule demands")
    key: Mapped[str | None] = mapped_column(sa.String(4096), comment="Object it stands in")
    line: Mapped[int | None] = mapped_column(
        sa.BigInteger, comment="Line it starts in; 0: the object as a whole"
    )
    raw: Mapped[str | None] = mapped_column(
        sa.String(MAX_WIDTH), comment="The record, cut at 65,535 bytes; no text as \\xNN"
    )
    raw_bytes: Mapped[int] = mapped_column(sa.BigInteger, comment="True size of the record")
    at: Mapped[datetime] = mapped_column(sa.DateTime, comment="When, UTC")


class ErasureRecord(Base):
    """Erased persons, whom later loads leave out; append-only."""

    __tablename__ = "erasure"
    __table_args__ = _args("Persons that were erased, without who they were; append-only", "at")

    erasure_id: Mapped[str] = key_column(sa.String(ID_WIDTH), "Erasure; sorts by time")
    at: Mapped[datetime] = mapped_column(sa.DateTime, comment="When, UTC")
    digest: Mapped[str] = mapped_column(
        sa.String(64), comment="SHA-256 of the salt, a colon and the person's id; hexadecimal"
    )
    salt: Mapped[str] = mapped_column(
        sa.String(64), comment="Random, the same for all erasures of a warehouse"
    )
    host: Mapped[str] = mapped_column(sa.String(255), comment="Machine it was done from")
    pid: Mapped[int] = mapped_column(sa.BigInteger, comment="Process that did it")
    db_user: Mapped[str] = mapped_column(sa.String(128), comment="User at the database")
    engine: Mapped[str] = mapped_column(sa.String(32), comment="duckdb or redshift")
    version: Mapped[str] = mapped_column(sa.String(32), comment="Version of this library")


class ErasureCount(Base):
    """What an erasure removed from one table."""

    __tablename__ = "erasure_count"
    __table_args__ = _args("Rows that erasures removed or blanked, by table", "erasure_id")

    erasure_id: Mapped[str] = key_column(sa.String(ID_WIDTH), "Erasure")
    target: Mapped[str] = key_column(sa.String(128), "Table")
    rows: Mapped[int] = mapped_column(sa.BigInteger, comment="Rows removed or blanked")


class LoadLock(Base):
    """What a loader locks: the table on Redshift."""

    __tablename__ = "load_lock"
    __table_args__ = _args("Locked by the loader at work")

    id: Mapped[int] = key_column(sa.Integer, "Always 1")
