"""What compacted objects were made of

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: Comments of the origin columns in staging: before and after.
COMMENTS = {
    "_object": (
        "File the row came from; NULL on Redshift",
        "Object the row came from; on Redshift of compacted objects only",
    ),
    "_line": (
        "Line of the file the row starts in; NULL on Redshift",
        "Line of the object the row starts in; on Redshift of compacted ones only",
    ),
}


def upgrade() -> None:
    op.create_table(
        "compacted_object",
        sa.Column(
            "into_key",
            sa.String(length=4096),
            autoincrement=False,
            nullable=False,
            comment="Address of the compacted object",
        ),
        sa.Column(
            "position",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Order within it, from 1",
        ),
        sa.Column(
            "into_version",
            sa.String(length=128),
            nullable=False,
            comment="Its mtime in ns, or etag",
        ),
        sa.Column("into_size", sa.BigInteger(), nullable=False, comment="Its bytes"),
        sa.Column("source", sa.String(length=64), nullable=False, comment="Source, such as songs"),
        sa.Column(
            "key",
            sa.String(length=4096),
            nullable=False,
            comment="Object that was compacted: absolute path, or s3:// address",
        ),
        sa.Column("version", sa.String(length=128), nullable=False, comment="mtime in ns, or etag"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="Bytes"),
        sa.Column(
            "rows_read", sa.BigInteger(), nullable=False, comment="Records counted in the object"
        ),
        sa.Column(
            "rows_kept",
            sa.BigInteger(),
            nullable=False,
            comment="Records that became lines; the reader refuses the others",
        ),
        sa.Column("at", sa.DateTime(), nullable=False, comment="When, UTC"),
        sa.PrimaryKeyConstraint("into_key", "position", name=op.f("pk_compacted_object")),
        schema="audit",
        comment="Objects and the compacted objects they went into",
        redshift_diststyle="EVEN",
        redshift_sortkey=("source", "into_key"),
    )
    _comment(1)


def downgrade() -> None:
    _comment(0)
    op.drop_table("compacted_object", schema="audit")


def _comment(which: int) -> None:
    for table in ("events", "songs"):
        for column, texts in COMMENTS.items():
            op.alter_column(
                *(table, column),
                comment=texts[which],
                existing_comment=texts[1 - which],
                schema="staging",
            )
