"""Writing ``sparkify.toml`` without losing a word of what the user wrote there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import MissingExtraError, SettingsError

#: What `sparkify infra init` writes; every key stands at its default.
INFRA_TABLE = """
[infra]
# What `sparkify infra create` makes; docs/infra.md explains each key.
name = "dwh"                 # everything is called sparkify-<name> and tagged sparkify=<name>
kind = "provisioned"         # or "serverless": billed only while queries run

# Provisioned (also paused and resumed by `sparkify infra pause`, `resume`)
node_type = "ra3.large"      # RA3 or RG types; DC2 is retired
nodes = 1                    # 1: single-node
# pause_at = "20:00"         # UTC, or cron(0 20 * * ? *)
# resume_at = "06:00"
snapshot_days = 1            # how long automated snapshots are kept
# cluster_identifier = "dwh-cluster"   # otherwise made from the stack's name

# Serverless
# base_capacity = 8          # RPU: 4 or a multiple of 8
# max_capacity = 64
# usage_limit = 60           # RPU-hours per period
# usage_limit_period = "monthly"        # daily, weekly
# usage_limit_action = "deactivate"     # emit-metric, log

database = "dwh"
admin_user = "sparkify_admin"   # its password lives in Secrets Manager, never here
port = 5439

# Who may connect. By default nobody but the VPC; `create --from-here` adds your own address.
publicly_accessible = false
allowed_cidrs = []           # such as ["203.0.113.0/24"]; never the whole internet

# Network: one is made, unless you name your own.
# vpc_id = "vpc-0123456789abcdef0"
# subnet_ids = ["subnet-...", "subnet-..."]
vpc_cidr = "10.61.0.0/24"
enhanced_vpc_routing = false

# COPY reads log_data, song_data, log_jsonpaths and [sources]; more of S3 only when named here.
source_prefixes = []
source_kms_keys = []
# role_name = "dwhRole"      # otherwise made from the stack's name

audit_logging = true
log_days = 90
manifest_days = 30

[infra.tags]
# team = "data"
"""

_HEAD = """# Settings of sparkify; `sparkify config` shows the effective values.
# log_data  = "s3://udacity-dend/log_data/"
# song_data = "s3://udacity-dend/song_data/"
# aws_region = "us-west-2"
"""


def init(path: Path) -> bool:
    """Adds the commented ``[infra]`` table; False, and nothing changed, where there is one.

    :raises SettingsError: when the file is no TOML or cannot be written.
    """
    text = _read(path) if path.exists() else _HEAD
    if "infra" in _parse(path, text):
        return False
    _write(path, text.rstrip("\n") + "\n" + INFRA_TABLE)
    return True


def write(
    path: Path, values: Mapping[str, str | None], infra: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Sets top-level keys, and keys of ``[infra]``; comments, order and other keys stay.

    :param values: None removes a key.
    :returns: what now stands there and did not before.
    :raises SettingsError: when the file is no TOML or cannot be written.
    """
    document = _parse(path, _read(path) if path.exists() else "")
    changed: dict[str, str] = {}
    tables = [(document, values, "")]
    if infra:
        tables.append((document.setdefault("infra", {}), infra, "infra."))
    dirty = False
    for table, wanted, prefix in tables:
        for key, value in wanted.items():
            if value is None:
                dirty |= table.pop(key, None) is not None
            elif table.get(key) != value:
                table[key] = value
                changed[prefix + key] = value
                dirty = True
    if dirty:
        _write(path, document.as_string())
    return changed


def _parse(path: Path, text: str) -> Any:
    try:
        import tomlkit
        from tomlkit.exceptions import ParseError
    except ImportError:
        raise MissingExtraError("aws", "sparkify infra") from None
    try:
        return tomlkit.parse(text)
    except ParseError as error:
        raise SettingsError(f"config file {path} is no valid TOML: {error}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"config file {path} cannot be read: {error}") from None


def _write(path: Path, text: str) -> None:
    path = path.resolve()
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_text(text, encoding="utf-8")
        if path.exists():
            fresh.chmod(path.stat().st_mode & 0o777)
        os.replace(fresh, path)  # noqa: PTH105
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise SettingsError(
            f"config file {path} cannot be written: {error}", "make it writable and run this again"
        ) from None
