"""Erasure, and how runs ended

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erasure",
        sa.Column(
            "erasure_id",
            sa.String(length=64),
            autoincrement=False,
            nullable=False,
            comment="Erasure; sorts by time",
        ),
        sa.Column("at", sa.DateTime(), nullable=False, comment="When, UTC"),
        sa.Column(
            "digest",
            sa.String(length=64),
            nullable=False,
            comment="SHA-256 of the salt, a colon and the person's id; hexadecimal",
        ),
        sa.Column(
            "salt",
            sa.String(length=64),
            nullable=False,
            comment="Random, the same for all erasures of a warehouse",
        ),
        sa.Column(
            "host", sa.String(length=255), nullable=False, comment="Machine it was done from"
        ),
        sa.Column("pid", sa.BigInteger(), nullable=False, comment="Process that did it"),
        sa.Column("db_user", sa.String(length=128), nullable=False, comment="User at the database"),
        sa.Column("engine", sa.String(length=32), nullable=False, comment="duckdb or redshift"),
        sa.Column(
            "version", sa.String(length=32), nullable=False, comment="Version of this library"
        ),
        sa.PrimaryKeyConstraint("erasure_id", name=op.f("pk_erasure")),
        schema="audit",
        comment="Persons that were erased, without who they were; append-only",
        redshift_diststyle="EVEN",
        redshift_sortkey=("at",),
    )
    op.create_table(
        "erasure_count",
        sa.Column(
            "erasure_id",
            sa.String(length=64),
            autoincrement=False,
            nullable=False,
            comment="Erasure",
        ),
        sa.Column(
            "target", sa.String(length=128), autoincrement=False, nullable=False, comment="Table"
        ),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="Rows removed or blanked"),
        sa.PrimaryKeyConstraint("erasure_id", "target", name=op.f("pk_erasure_count")),
        schema="audit",
        comment="Rows that erasures removed or blanked, by table",
        redshift_diststyle="EVEN",
        redshift_sortkey=("erasure_id",),
    )
    op.add_column(
        "load_run",
        sa.Column(
            "error",
            sa.String(length=64),
            nullable=True,
            comment="Class of the error that ended it",
        ),
        schema="audit",
    )
    op.add_column(
        "load_run",
        sa.Column(
            "exit_code", sa.SmallInteger(), nullable=True, comment="Exit code of its command"
        ),
        schema="audit",
    )


def downgrade() -> None:
    op.drop_column("load_run", "exit_code", schema="audit")
    op.drop_column("load_run", "error", schema="audit")
    op.drop_table("erasure_count", schema="audit")
    op.drop_table("erasure", schema="audit")
