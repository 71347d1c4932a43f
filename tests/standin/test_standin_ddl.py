"""Tables declared as on Redshift, in the catalog and for INSERT."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .client import Client
from .server import Database, Isolation

EVENTS = """
CREATE TABLE app.events (
    id BIGINT IDENTITY(0, 1),
    user_id BIGINT NOT NULL ENCODE az64 DISTKEY,
    "Name" VARCHAR(8) DEFAULT 'x' ENCODE lzo,
    at TIMESTAMP SORTKEY,
    amount DECIMAL(10, 2),
    PRIMARY KEY (user_id),
    UNIQUE (name)
) DISTSTYLE KEY BACKUP YES
"""


@pytest.fixture
def client(redshift: Database) -> Iterator[Client]:
    with Client(redshift) as connected:
        connected("CREATE SCHEMA app")
        connected.commit()
        yield connected


def columns(client: Client, table: str) -> dict[str, tuple[str, int | None]]:
    rows = client(
        "SELECT column_name, data_type, character_maximum_length FROM svv_all_columns "
        f"WHERE table_name = '{table}' ORDER BY ordinal_position"
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def test_keys_encodings_and_distribution_are_kept(client: Client) -> None:
    """r_CREATE_TABLE_NEW, r_PG_TABLE_DEF"""
    client(EVENTS)
    client("SET search_path TO app")
    found = client(
        'SELECT "column", type, encoding, distkey, sortkey, "notnull" FROM pg_table_def '
        "WHERE tablename = 'events' ORDER BY \"column\""
    )
    assert found == [
        ["amount", "numeric(10,2)", "none", False, 0, False],
        ["at", "timestamp without time zone", "none", False, 1, False],
        ["id", "bigint", "none", False, 0, True],
        ["name", "character varying(8)", "lzo", False, 0, False],
        ["user_id", "bigint", "az64", True, 0, True],
    ]


def test_table_info_skips_empty_tables(client: Client) -> None:
    """r_SVV_TABLE_INFO: nothing is returned for an empty table."""
    client(EVENTS)
    query = (
        'SELECT "schema", "table", diststyle, sortkey1, sortkey_num, tbl_rows FROM svv_table_info'
    )
    assert client(query) == []
    client("INSERT INTO app.events (user_id) VALUES (1), (2)")
    assert client(query) == [["app", "events", "KEY(user_id)", "at", 1, 2]]
    client("CREATE TABLE app.other (a INT) DISTSTYLE ALL COMPOUND SORTKEY (a)")
    client("INSERT INTO app.other VALUES (1)")
    assert client("SELECT diststyle FROM svv_table_info WHERE \"table\" = 'other'") == [["ALL"]]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("VARCHAR", ("character varying", 256)),
        ("TEXT", ("character varying", 256)),
        ("VARCHAR(MAX)", ("character varying", 65535)),
        ("NVARCHAR(12)", ("character varying", 12)),
        ("CHARACTER VARYING(12)", ("character varying", 12)),
        ("CHAR", ("character", 1)),
        ("DECIMAL", ("numeric", None)),
        ("FLOAT", ("double precision", None)),
        ("DOUBLE PRECISION", ("double precision", None)),
        ("INT8", ("bigint", None)),
        ("TIMESTAMP WITHOUT TIME ZONE", ("timestamp without time zone", None)),
    ],
)
def test_types_as_redshift_reads_them(
    client: Client, declared: str, expected: tuple[str, int | None]
) -> None:
    """r_Character_types, r_Numeric_types201"""
    client(f"CREATE TABLE t (a {declared})")
    assert columns(client, "t")["a"] == expected


@pytest.mark.parametrize("declared", ["VARCHAR(65536)", "CHAR(4097)"])
def test_longest_texts(client: Client, declared: str) -> None:
    """r_Character_types: 65535 bytes of VARCHAR, 4096 of CHAR."""
    assert "cannot exceed" in client.error(f"CREATE TABLE t (a {declared})")["M"]


def test_widths_count_bytes_on_insert_and_update(client: Client) -> None:
    """r_Character_types"""
    client("CREATE TABLE t (a VARCHAR(4), b CHAR(2))")
    client("INSERT INTO t VALUES ('éé', 'ab')")
    client.commit()
    for sql in ("INSERT INTO t (a) VALUES ('ééé')", "UPDATE t SET a = 'ééé'"):
        error = client.error(sql)
        assert error["C"] == "22001"
        assert error["M"] == "value too long for type character varying(4)"
    assert client.error("INSERT INTO t (b) SELECT 'éé'")["M"].endswith("type character(2)")
    assert client.error("INSERT INTO t (a) VALUES ('abcde')")["C"] == "22001"


def test_widths_hold_in_every_kind_of_table(client: Client) -> None:
    client("CREATE TABLE t (a VARCHAR(2))")
    client("CREATE TEMP TABLE s (LIKE t)")
    client("CREATE TABLE u AS SELECT a FROM t")
    client("ALTER TABLE t ADD COLUMN b VARCHAR(2)")
    client.commit()
    for sql in ("INSERT INTO s VALUES ('éé')", "INSERT INTO u VALUES ('éé')"):
        assert client.error(sql)["C"] == "22001"
    assert client.error("INSERT INTO t (b) VALUES ('éé')")["C"] == "22001"


def test_not_null_is_enforced(client: Client) -> None:
    """t_Defining_constraints"""
    client("CREATE TABLE t (a INT NOT NULL, b INT)")
    client.commit()
    error = client.error("INSERT INTO t (b) VALUES (1)")
    assert error["M"] == "Cannot insert a NULL value into column a"
    assert "code:      8007" in error["D"]


def test_keys_are_not_enforced_but_known(client: Client) -> None:
    """t_Defining_constraints: PRIMARY KEY, UNIQUE and FOREIGN KEY are informational."""
    client("CREATE TABLE p (a INT PRIMARY KEY, b INT UNIQUE)")
    client("CREATE TABLE c (a INT REFERENCES p (a), b INT, FOREIGN KEY (b) REFERENCES p (b))")
    client("INSERT INTO p VALUES (1, 1), (1, 1)")
    client("INSERT INTO c VALUES (7, 8)")
    client("ALTER TABLE c ADD CONSTRAINT again FOREIGN KEY (a) REFERENCES p (a)")
    client("INSERT INTO p VALUES (1, 1)")
    client("DELETE FROM p")
    client.commit()
    kinds = client("SELECT contype FROM pg_constraint WHERE conrelid = 'c'::regclass ORDER BY 1")
    assert kinds == [["f"], ["f"], ["f"]]
    assert client.error("INSERT INTO p (b) VALUES (1)")["M"].startswith("Cannot insert a NULL")


def test_identity_provides_values_that_copy_and_insert_omit(client: Client) -> None:
    """r_CREATE_TABLE_NEW"""
    client("CREATE TABLE t (id BIGINT IDENTITY(0, 1), a INT)")
    client("INSERT INTO t (a) VALUES (5), (6)")
    assert client("SELECT id, a FROM t ORDER BY id") == [[0, 5], [1, 6]]


def test_a_distkey_needs_its_style_and_its_column(client: Client) -> None:
    assert "DISTSTYLE KEY" in client.error("CREATE TABLE t (a INT) DISTSTYLE KEY")["M"]
    assert "named in key" in client.error("CREATE TABLE t (a INT) SORTKEY (b)")["M"]


def test_like_copies_the_columns_and_on_request_the_defaults(client: Client) -> None:
    client("CREATE TABLE t (a INT DEFAULT 3 NOT NULL, b VARCHAR(5))")
    client("CREATE TABLE plain (LIKE t)")
    client("CREATE TABLE full_copy (LIKE t INCLUDING DEFAULTS)")
    client("INSERT INTO full_copy (b) VALUES ('x')")
    assert client("SELECT a FROM full_copy") == [[3]]
    client.commit()
    assert "NULL" in client.error("INSERT INTO plain (b) VALUES ('x')")["M"]


def test_only_varchar_can_be_widened(client: Client) -> None:
    """r_ALTER_TABLE: not in a transaction block, and only the size of VARCHAR."""
    client(
        "CREATE TABLE t (a VARCHAR(4), d VARCHAR(4) DEFAULT 'x', k VARCHAR(4) PRIMARY KEY, "
        "e VARCHAR(4) ENCODE text255)"
    )
    client("INSERT INTO t (a, k) VALUES ('abcd', 'k')")
    client.commit()
    widen = "ALTER TABLE t ALTER COLUMN {} TYPE VARCHAR({})"
    error = client.error(widen.format("a", 8))
    assert error["C"] == "25001"
    assert error["M"] == "ALTER TABLE ALTER COLUMN cannot run inside a transaction block"
    client.autocommit = True
    client(widen.format("a", 8))
    assert columns(client, "t")["a"][1] == 8
    client("INSERT INTO t (a, k) VALUES ('éééé', 'l')")
    assert client.error("INSERT INTO t (a, k) VALUES ('ééééé', 'm')")["C"] == "22001"
    for column, size, why in [
        ("d", 8, "default"),
        ("k", 8, "primary"),
        ("e", 8, "encoding"),
        ("a", 5, "longer than"),
    ]:
        assert why in client.error(widen.format(column, size))["M"]


def test_add_drop_and_rename_columns(client: Client) -> None:
    """r_ALTER_TABLE"""
    client("CREATE TABLE t (a INT DISTKEY, b INT SORTKEY, c INT)")
    client("INSERT INTO t VALUES (1, 2, 3)")
    client("ALTER TABLE t ADD COLUMN d VARCHAR(3) DEFAULT 'x' NOT NULL ENCODE zstd")
    client("ALTER TABLE t RENAME COLUMN c TO e")
    assert client("SELECT e, d FROM t") == [[3, "x"]]
    client("ALTER TABLE t DROP COLUMN e")
    client("ALTER TABLE t RENAME TO u")
    client.commit()
    assert "non-null default" in client.error("ALTER TABLE u ADD COLUMN f INT NOT NULL")["M"]
    assert "distkey" in client.error("ALTER TABLE u DROP COLUMN a")["M"]
    assert "sortkey" in client.error("ALTER TABLE u DROP COLUMN b")["M"]


def test_comments_views_and_schemas(client: Client) -> None:
    client("CREATE TABLE app.t (a INT)")
    client("COMMENT ON TABLE app.t IS 'a table; with ''quotes'''")
    client("COMMENT ON COLUMN app.t.a IS 'a column'")
    client("CREATE OR REPLACE VIEW app.v AS SELECT a FROM app.t")
    assert client("SELECT table_name, table_type, remarks FROM svv_all_tables ORDER BY 1") == [
        ["t", "TABLE", "a table; with 'quotes'"],
        ["v", "VIEW", None],
    ]
    client("DROP TABLE app.t CASCADE")
    client("DROP SCHEMA app CASCADE")
    assert client("SELECT * FROM svv_all_tables") == []


def test_text_is_ordered_by_code_point(client: Client) -> None:
    """c_collation_sequences: Redshift does not sort text by locale."""
    client("CREATE TABLE t (a VARCHAR(4))")
    client("INSERT INTO t VALUES ('a'), ('B'), ('é'), ('Z')")
    assert client("SELECT a FROM t ORDER BY a") == [["B"], ["Z"], ["a"], ["é"]]


def test_delete_using_and_update_from(client: Client) -> None:
    """r_DELETE, r_UPDATE"""
    client("CREATE TABLE t (a INT, b INT)")
    client("CREATE TEMP TABLE s (a INT, b INT)")
    client("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    client("INSERT INTO s VALUES (1, 10), (2, 20)")
    client("UPDATE t SET b = s.b FROM s WHERE t.a = s.a")
    client("DELETE FROM t USING s WHERE t.a = s.a AND s.b = 10")
    assert client("SELECT a, b FROM t ORDER BY a") == [[2, 20], [3, 3]]


@pytest.mark.parametrize("isolation", ["SNAPSHOT", "SERIALIZABLE"])
def test_the_isolation_level_is_shown(
    make_redshift: Callable[[Isolation], Database], isolation: Isolation
) -> None:
    """r_STV_DB_ISOLATION_LEVEL"""
    with Client(make_redshift(isolation)) as client:
        (found,) = client("SELECT isolation_level FROM stv_db_isolation_level")[0]
        assert found.strip().upper().startswith(isolation)


def test_slices(client: Client) -> None:
    """r_STV_SLICES"""
    assert client.one("SELECT count(DISTINCT slice) FROM stv_slices") == 2
