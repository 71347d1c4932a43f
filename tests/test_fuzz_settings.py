"""Settings, options, jsonpaths files, keys and manifests of any kind are accepted or refused."""

from __future__ import annotations

import json
import os
import re
import tempfile
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fuzzing import fuzzed
from support.records import event, line, lines
from support.reference import Reference
from support.reference_checks import same_books
from support.rig import NO_LIMIT
from support.warehouses import OnDuckDB, OnRedshift, Source, new_bucket
from typer.main import get_command
from typer.testing import CliRunner

from sparkify_dwh import SPARKIFY, Settings, SettingsError, SparkifyError
from sparkify_dwh.cli import app
from sparkify_dwh.storage.jsonpaths import read_jsonpaths
from sparkify_dwh.storage.objects import Listing
from sparkify_dwh.storage.s3 import S3, S3Address, parse_address

pytestmark = pytest.mark.usefixtures("aws_keys")
#: Most examples of each test in a long run.
MANY = 3_000
(EVENTS,) = (source for source in SPARKIFY.sources if source.name == "events")
NAMES = sorted(Settings.model_fields)

ODD_TEXTS = [
    *("", " ", "0", "-1", "1e999", "nan", "true", "null", "[]", "{}", '{"a": 1}', "a:b", "//@:"),
    *("duckdb:///", "duckdb://", "://", "redshift+redshift_connector://", "512MB", "-5 GB", "80%"),
    *("redshift+redshift_connector://u:p@h:99999999/d", "~", "/", "../", "'", '"', "\x1b[2J"),
    *("s3://", "s3:///", "s3://b", "s3://b/x/", "S3://b/", "%s{0}", "\ud800", "é" * 300),
]
TEXTS = st.text(max_size=20) | st.sampled_from(ODD_TEXTS)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the settings of the test."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("SPARKIFY_")]:
        if not name.startswith("SPARKIFY_SOAK"):
            monkeypatch.delenv(name)


def accepted(**values: Any) -> Settings | None:
    """The settings, or None if they are refused with a reason."""
    try:
        settings = Settings(**values)
    except SettingsError:
        return None
    repr(settings), settings.masked()
    return settings


# Settings ----------------------------------------------------------------------------------------


def test_values_of_any_type_are_accepted_or_refused() -> None:
    @fuzzed("settings as keywords", 150, MANY)
    @given(st.dictionaries(st.sampled_from(NAMES) | TEXTS, VALUES, max_size=4))
    def check(values: dict[str, Any]) -> None:
        values.pop("config", None)
        accepted(**values)

    check()


def test_values_of_the_environment_are_accepted_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    @fuzzed("settings of the environment", 200, MANY)
    @given(st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=4))
    def check(values: dict[str, str]) -> None:
        with monkeypatch.context() as patch:
            for name, value in values.items():
                if "\0" not in value and value.isprintable():
                    patch.setenv(f"SPARKIFY_{name.upper()}", value)
            accepted()

    check()


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    return json.dumps("" if value is None else str(value)).replace("\\ud", "\\\\ud")


def test_files_of_any_content_are_accepted_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "any.toml"
    values = st.dictionaries(st.sampled_from([*NAMES, "log-data", "infra.x"]), VALUES, max_size=5)
    text = values.map(lambda items: "\n".join(f"{k} = {_toml(v)}" for k, v in items.items()))
    whole = st.tuples(text, st.sampled_from(["", "[infra]\n", "[sources]\n", "[[x]]\n"]), text)
    unlike = st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
    bodies = whole.map(lambda parts: "\n".join(parts).encode("utf-8", "replace"))

    @fuzzed("settings files", 300, MANY)
    @given(bodies | st.binary(max_size=60) | unlike)
    def check(body: bytes) -> None:
        file.write_bytes(body)
        accepted(config=file)

    check()


def test_the_stronger_place_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keyword, environment, file, default, compared with a reference of three lines."""
    file = tmp_path / "some.toml"
    texts = st.none() | st.text("abc/:'\" é\\", min_size=1, max_size=6)

    @fuzzed("strength of places", 100, 5_000)
    @given(texts, texts, texts)
    def check(keyword: str | None, environment: str | None, in_file: str | None) -> None:
        file.write_text(
            "" if in_file is None else f"log_data = {json.dumps(in_file)}", encoding="utf-8"
        )
        with monkeypatch.context() as patch:
            if environment is not None:
                patch.setenv("SPARKIFY_LOG_DATA", environment)
            settings = Settings(config=file, log_data=keyword)
        values = [value for value in (keyword, environment, in_file) if value is not None]
        assert settings.log_data == (values[0] if values else None)

    check()


def _options() -> list[tuple[str, ...]]:
    """Each command with its options, except commands that change a cluster or take long."""
    found = []
    group: Any = get_command(app)
    for name, command in group.commands.items():
        if name in ("infra", "demo") or hasattr(command, "commands"):
            continue
        options = [opt for each in command.params for opt in each.opts if opt.startswith("--")]
        found.append((name, *sorted(set(options) - {"--help", "--install-completion"})))
    return found


def test_commands_with_any_options_end_with_an_exit_code() -> None:
    commands = {name: options for name, *options in _options()}
    odd = (
        "0",
        "-1",
        "x",
        "",
        "nan",
        "1e400",
        "'",
        "\x1b[2J",
        "s3:///",
        "duckdb:///x/y",
        "../z",
        ".",
    )
    values = st.sampled_from(odd)

    def words(name: str) -> st.SearchStrategy[list[str]]:
        option = st.sampled_from(commands[name])
        pairs = st.lists(
            st.tuples(option, values).map(list) | option.map(lambda o: [o]), max_size=3
        )
        argument = st.lists(values, max_size=1)
        return st.tuples(argument, pairs).map(lambda got: [name, *got[0], *chain(*got[1])])

    chosen = st.sampled_from(sorted(commands)).flatmap(words)

    @fuzzed("command lines", 40, 500)
    @given(chosen)
    def check(arguments: list[str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            here = Path.cwd()
            os.chdir(folder)
            try:
                done = CliRunner().invoke(app, arguments)
            finally:
                os.chdir(here)
        assert done.exit_code in (0, 2, 3, 4, 5, 6, 10), (arguments, done.output)
        assert "Traceback" not in done.output or "-v" in arguments or "--verbose" in arguments
        assert "\x1b" not in done.output

    check()


# jsonpaths ---------------------------------------------------------------------------------------

BRACKETS = st.from_regex(r"\$(\['[a-z '\"éA-Z.]{0,4}'\]|\[[0-9]{1,2}\]){0,2}", fullmatch=True)
DOTS = st.from_regex(r"\$(\.[a-zA-Zé ]{0,4}|\[[0-9]\]){0,2}", fullmatch=True)
ODD_PATHS = st.sampled_from(["$", "", "$.*", "$..a", "$.a['b']", "$[*]", "a"])
PATHS = BRACKETS | DOTS | ODD_PATHS


def copy_accepts(value: Any) -> bool:
    """Whether COPY accepts a jsonpaths file for the events."""
    if not isinstance(value, dict) or list(value) != ["jsonpaths"]:
        return False
    paths = value["jsonpaths"]
    if not isinstance(paths, list) or len(paths) != len(EVENTS.columns):
        return False
    kinds = []
    for path in paths:
        if not isinstance(path, str) or path[:1] != "$":
            return False
        rest, kind = path[1:], set()
        while rest:
            if found := re.match(r"\[[0-9]+\]", rest):
                pass
            elif found := re.match(r"\['[^'\]]+'\]", rest):
                kind.add("brackets")
            elif found := re.match(r"\.[^'.\[\]*?@()]+", rest):
                kind.add("dots")
            else:
                return False
            rest = rest[found.end() :]
        kinds.append(kind)
    return len(set().union(*kinds)) < 2


def read_paths(data: bytes) -> None:
    """Reads a jsonpaths file; raises where COPY would misread it."""
    Path("paths.json").write_bytes(data)
    read_jsonpaths(S3(Settings()), "paths.json", EVENTS.name, EVENTS.keys)


def test_jsonpaths_files_are_accepted_as_by_copy() -> None:
    number = len(EVENTS.columns)
    one = st.one_of(
        *(st.lists(paths, min_size=number, max_size=number) for paths in (BRACKETS, DOTS)),
        st.lists(PATHS | VALUES, min_size=number - 1, max_size=number + 1),
    )
    files = one.map(lambda paths: {"jsonpaths": paths}) | VALUES
    files |= one.map(lambda paths: {"jsonpaths": paths, "x": 1})
    outcomes = set()

    @fuzzed("jsonpaths files", 200, MANY)
    @given(files, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    def check(value: Any, encoding: str) -> None:
        data = json.dumps(value, ensure_ascii=False).encode(encoding, "replace")
        try:
            read_paths(data)
            passed = True
        except SettingsError:
            passed = False
        if encoding == "utf-8" and "\ud800" not in str(value):
            assert passed == copy_accepts(value)
        outcomes.add(passed)

    check()
    assert outcomes == {True, False}


def test_jsonpaths_of_any_bytes_are_refused() -> None:
    @fuzzed("jsonpaths of any bytes", 200, MANY)
    @given(st.binary(max_size=80) | st.sampled_from([b"[" * 5_000, b'{"jsonpaths":' * 2_000]))
    def check(data: bytes) -> None:
        with pytest.raises(SettingsError):
            read_paths(data)

    check()


# Keys and manifests ------------------------------------------------------------------------------

PARTS = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/"), max_size=8
) | st.sampled_from(["..", ".", "_x", "x~", "a.json", "b.json.gz", ".json", "%2F", "+", "é", " "])
KEYS = st.tuples(st.lists(PARTS, max_size=3), st.sampled_from(["", ".json", ".json.gz", "~"])).map(
    lambda got: "/".join(got[0]) + got[1]
)


def is_data(key: str) -> bool:
    """Whether a load reads a key below the prefix, as rules.md says."""
    names = key.split("/")
    good = key.endswith((".json", ".json.gz"))
    return good and not any(name[:1] in (".", "_") for name in names if name)


def test_keys_are_listed_or_skipped_by_the_rules() -> None:
    @fuzzed("keys of a listing", 300, MANY)
    @given(KEYS, st.sampled_from(["", "logs/", "a b/%2e/"]))
    def check(key: str, prefix: str) -> None:
        whole = prefix + key
        listing = Listing()
        item = {"Key": whole, "ETag": '"x"', "Size": 1, "LastModified": "2018-11-01T00:00:00Z"}
        S3._add(listing, "bucket", prefix, item, False)
        assert [each.key for each in listing.objects] == [f"s3://bucket/{whole}"] * is_data(key)
        assert listing.skipped == (not is_data(key) and not whole.endswith("/"))
        assert parse_address(f"s3://bucket/{whole}") == S3Address("bucket", whole)

    check()


def test_objects_with_any_keys_load_on_both_engines(
    migrated: OnRedshift, s3_server: Any, template: Path, tmp_path: Path
) -> None:
    """Listing, manifest, COPY and its views find them; the books equal the reference."""
    keys = st.lists(KEYS.filter(lambda k: 0 < len(k.encode()) < 900), min_size=1, max_size=5)

    @fuzzed("objects with any keys, on both engines", 3, 40)
    @given(keys.map(lambda found: sorted(set(found))))
    def check(found: list[str]) -> None:
        migrated.empty()
        source, star, new = Source(s3_server), Reference(), []
        for number, key in enumerate(found):
            body = lines(event(sessionId=number), event(level="x"))
            address = source.put("events", key, body)
            if is_data(key) and not key.endswith(".gz"):
                new.append((address, body))
            elif is_data(key):
                source.delete("events", key)
        books = star.load(events=new)
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            on_duckdb = OnDuckDB(Path(folder) / "w.duckdb", template, source, **NO_LIMIT)
            for store in (migrated.use(source, **NO_LIMIT), on_duckdb):
                run = store.load()
                loaded = {row[0] for row in store.query("SELECT key FROM audit.load_file")}
                assert loaded == {address for address, _ in new}
                if run.event == "loaded":
                    same_books(run, books)
                assert store.load().event == "nothing new"

    check()


def test_a_manifest_names_each_object_as_it_is(s3_server: Any) -> None:
    from sparkify_dwh.dialects.redshift.work_files import WorkFiles
    from sparkify_dwh.storage.objects import Object

    bucket = new_bucket(s3_server, "work")

    @fuzzed("manifests", 8, 200)
    @given(st.lists(KEYS, min_size=1, max_size=6))
    def check(keys: list[str]) -> None:
        given_ = Settings(
            work_prefix=bucket.url("work/"),
            aws_endpoint_url=s3_server.endpoint_url,
            aws_region="us-east-1",
        )
        work = WorkFiles(given_, S3(given_))
        objects = [Object(f"s3://bucket/{key}", "x", 1) for key in keys]
        address = work.manifest(EVENTS, objects, "plain", True)
        manifest = json.loads(work.s3.read(address))
        assert [entry["url"] for entry in manifest["entries"]] == [each.key for each in objects]
        assert all(entry["mandatory"] is True for entry in manifest["entries"])
        work.remove()

    check()


def test_addresses_of_any_text_are_refused_or_split() -> None:
    @fuzzed("addresses", 200, MANY)
    @given(TEXTS | TEXTS.map(lambda text: f"s3://{text}"))
    def check(text: str) -> None:
        try:
            place = parse_address(text)
        except SparkifyError:
            return
        assert place.bucket
        assert "/" not in place.bucket
        assert str(place).startswith("s3://")
        assert line({"x": str(place)})

    check()
