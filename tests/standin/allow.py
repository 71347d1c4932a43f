"""The allow-list of what may reach Postgres, each entry with its page of Redshift's guide.

The page is the last part of https://docs.aws.amazon.com/redshift/latest/dg/<page>.html.
Names in `REFUSED_*` are documented as missing in Redshift. Any other name that is not listed may
well exist there; it is refused because the stand-in does not know it.
"""

from __future__ import annotations


def names(text: str) -> list[str]:
    """The words of a text, for lists that are easier to read this way."""
    return text.split()


_UNSUPPORTED_FUNCTIONS = "c_unsupported-postgresql-functions"
_UNSUPPORTED_FEATURES = "c_unsupported-postgresql-features"
_UNSUPPORTED_TYPES = "c_unsupported-postgresql-datatypes"
# sqlalchemy-redshift 1.0.0 and SQLAlchemy's own reflection send these to real clusters
_CATALOG = "c_join_PG"

FUNCTIONS: dict[str, str] = {
    # conditions
    "coalesce": "r_NVL_function",
    "nvl": "r_NVL_function",
    "nvl2": "r_NVL2",
    "nullif": "r_NULLIF_function",
    "greatest": "r_GREATEST_LEAST",
    "least": "r_GREATEST_LEAST",
    # text
    "ascii": "r_ASCII",
    "btrim": "r_BTRIM",
    "char_length": "r_CHAR_LENGTH",
    "character_length": "r_CHARACTER_LENGTH",
    "charindex": "r_CHARINDEX",
    "chr": "r_CHR",
    "concat": "r_CONCAT",
    "initcap": "r_INITCAP",
    "left": "r_LEFT",
    "len": "r_LEN",
    "length": "r_LENGTH",
    "lower": "r_LOWER",
    "lpad": "r_LPAD",
    "ltrim": "r_LTRIM",
    "octet_length": "r_OCTET_LENGTH",
    "position": "r_POSITION",
    "quote_ident": "r_QUOTE_IDENT",
    "regexp_count": "REGEXP_COUNT",
    "regexp_instr": "REGEXP_INSTR",
    "regexp_replace": "REGEXP_REPLACE",
    "regexp_substr": "REGEXP_SUBSTR",
    "repeat": "r_REPEAT",
    "replace": "r_REPLACE",
    "reverse": "r_REVERSE",
    "right": "r_LEFT",
    "rpad": "r_LPAD",
    "rtrim": "r_RTRIM",
    "split_part": "SPLIT_PART",
    "strpos": "r_STRPOS",
    "substr": "r_SUBSTRING",
    "substring": "r_SUBSTRING",
    "translate": "r_TRANSLATE",
    "trim": "r_TRIM",
    "upper": "r_UPPER",
    # hashes
    "func_sha1": "FUNC_SHA1",
    "md5": "r_MD5",
    "sha": "SHA",
    "sha1": "SHA1",
    "sha2": "SHA2",
    # JSON in text
    "is_valid_json": "IS_VALID_JSON",
    "json_extract_path_text": "JSON_EXTRACT_PATH_TEXT",
    # numbers
    "abs": "r_ABS",
    "ceil": "r_CEILING_FLOOR",
    "ceiling": "r_CEILING_FLOOR",
    "exp": "r_EXP",
    "floor": "r_FLOOR",
    "ln": "r_LN",
    "mod": "r_MOD",
    "power": "r_POWER",
    "random": "r_RANDOM",
    "round": "r_ROUND",
    "sign": "r_SIGN",
    "sqrt": "r_SQRT",
    "trunc": "r_TRUNC",
    # dates and times
    "convert_timezone": "CONVERT_TIMEZONE",
    "date_part": "r_DATE_PART_function",
    "date_trunc": "r_DATE_TRUNC",
    "dateadd": "r_DATEADD_function",
    "datediff": "r_DATEDIFF_function",
    "extract": "r_EXTRACT_function",
    "getdate": "r_GETDATE",
    "last_day": "r_LAST_DAY",
    "to_char": "r_TO_CHAR",
    "to_date": "r_TO_DATE_function",
    "to_number": "r_TO_NUMBER",
    "to_timestamp": "r_TO_TIMESTAMP",
    "cast": "r_CAST_function",
    # aggregates and windows
    "any_value": "r_ANY_VALUE",
    "avg": "r_AVG",
    "bool_and": "r_BOOL_AND",
    "bool_or": "r_BOOL_OR",
    "count": "r_COUNT",
    "listagg": "r_LISTAGG",
    "max": "r_MAX",
    "min": "r_MIN",
    "stddev": "r_STDDEV_functions",
    "stddev_pop": "r_STDDEV_functions",
    "stddev_samp": "r_STDDEV_functions",
    "sum": "r_SUM",
    "variance": "r_VARIANCE_functions",
    "cume_dist": "r_WF_CUME_DIST",
    "dense_rank": "r_WF_DENSE_RANK",
    "first_value": "r_WF_first_value",
    "lag": "r_WF_LAG",
    "last_value": "r_WF_first_value",
    "lead": "r_WF_LEAD",
    "nth_value": "r_WF_NTH",
    "ntile": "r_WF_NTILE",
    "percent_rank": "r_WF_PERCENT_RANK",
    "rank": "r_WF_RANK",
    "row_number": "r_WF_ROW_NUMBER",
    # system
    "current_database": "r_CURRENT_DATABASE",
    "current_schema": "r_CURRENT_SCHEMA",
    "current_setting": "r_CURRENT_SETTING",
    "has_schema_privilege": "HAS_SCHEMA_PRIVILEGE",
    "has_table_privilege": "HAS_TABLE_PRIVILEGE",
    "pg_backend_pid": "PG_BACKEND_PID",
    "pg_last_copy_count": "PG_LAST_COPY_COUNT",
    "pg_last_copy_id": "PG_LAST_COPY_ID",
    "version": "r_VERSION",
    # the catalog
    "col_description": _CATALOG,
    "format_type": _CATALOG,
    "obj_description": _CATALOG,
    "pg_get_constraintdef": _CATALOG,
    "pg_get_expr": _CATALOG,
    "pg_get_viewdef": _CATALOG,
    "pg_table_is_visible": _CATALOG,
}

REFUSED_FUNCTIONS: dict[str, str] = dict.fromkeys(
    names(
        "array_agg bit_length clock_timestamp convert convert_from convert_to corr div encode "
        "every format generate_series generate_subscripts get_bit get_byte justify_days "
        "justify_hours justify_interval overlay pg_sleep quote_nullable regexp_matches "
        "regexp_split_to_array regexp_split_to_table set_bit set_byte setseed string_agg "
        "transaction_timestamp width_bucket nextval currval lastval setval"
    ),
    _UNSUPPORTED_FUNCTIONS,
) | dict.fromkeys(
    # leader-node only: they cannot be used with a user's tables
    ["age", "now", "isfinite", "statement_timestamp", "timeofday"],
    "Date_functions_header",
)

# Words without parentheses
REFUSED_WORDS: dict[str, str] = dict.fromkeys(
    ["current_time", "current_timestamp", "localtime", "localtimestamp"], "Date_functions_header"
)

TYPES: dict[str, tuple[str, str]] = {
    # Redshift's name -> Postgres' name, page
    "smallint": ("smallint", "r_Numeric_types201"),
    "int2": ("smallint", "r_Numeric_types201"),
    "integer": ("integer", "r_Numeric_types201"),
    "int": ("integer", "r_Numeric_types201"),
    "int4": ("integer", "r_Numeric_types201"),
    "bigint": ("bigint", "r_Numeric_types201"),
    "int8": ("bigint", "r_Numeric_types201"),
    "decimal": ("numeric", "r_Numeric_types201"),
    "numeric": ("numeric", "r_Numeric_types201"),
    "real": ("real", "r_Numeric_types201"),
    "float4": ("real", "r_Numeric_types201"),
    "double precision": ("double precision", "r_Numeric_types201"),
    "float8": ("double precision", "r_Numeric_types201"),
    "float": ("double precision", "r_Numeric_types201"),
    "boolean": ("boolean", "r_Boolean_type"),
    "bool": ("boolean", "r_Boolean_type"),
    "char": ("char", "r_Character_types"),
    "character": ("char", "r_Character_types"),
    "nchar": ("char", "r_Character_types"),
    "bpchar": ("char", "r_Character_types"),
    "varchar": ("varchar", "r_Character_types"),
    "character varying": ("varchar", "r_Character_types"),
    "nvarchar": ("varchar", "r_Character_types"),
    "text": ("varchar", "r_Character_types"),
    "date": ("date", "r_Datetime_types"),
    "timestamp": ("timestamp", "r_Datetime_types"),
    "timestamp without time zone": ("timestamp", "r_Datetime_types"),
    "timestamptz": ("timestamptz", "r_Datetime_types"),
    "timestamp with time zone": ("timestamptz", "r_Datetime_types"),
    "time": ("time", "r_Datetime_types"),
    "interval": ("interval", "r_interval_literals"),
}
# The catalog tables that Redshift has too: c_join_PG
CATALOG_TABLES = frozenset(
    names(
        "pg_attrdef pg_attribute pg_catalog pg_class pg_constraint pg_database pg_description "
        "pg_group pg_namespace pg_table_def pg_tables pg_type pg_user pg_views"
    )
)
CATALOG_TYPES = frozenset({"regclass", "oid", "name"})

REFUSED_TYPES: dict[str, str] = dict.fromkeys(
    names(
        "json jsonb xml uuid bytea money serial bigserial smallserial inet cidr macaddr bit "
        "varbit hstore tsvector tsquery point line path polygon circle int4range"
    ),
    _UNSUPPORTED_TYPES,
)

# https://docs.aws.amazon.com/redshift/latest/dg/r_Dateparts_for_datetime_functions.html
DATE_PARTS: dict[str, str] = {
    alias: part
    for part, aliases in {
        "century": "century centuries c cent cents",
        "decade": "decade decades dec decs",
        "epoch": "epoch",
        "year": "year years y yr yrs",
        "quarter": "quarter quarters qtr qtrs",
        "month": "month months mon mons",
        "week": "week weeks w",
        "dow": "dow dayofweek dw weekday",
        "doy": "doy dayofyear dy yearday",
        "day": "day days d",
        "hour": "hour hours h hr hrs",
        "minute": "minute minutes m min mins",
        "second": "second seconds s sec secs",
        "millisecond": "millisecond milliseconds ms msec msecs msecond mseconds millisec millisecs",
        "microsecond": "microsecond microseconds us usec usecs usecond useconds microsec microsecs",
    }.items()
    for alias in aliases.split()
}

OPERATORS: dict[str, str] = {
    **dict.fromkeys(names("+ - * / % ^ |/ ||/ @ & | # << >>"), "r_OPERATOR_SYMBOLS"),
    **dict.fromkeys(names("= <> != < > <= >="), "r_comparison_condition"),
    "||": "r_concat_op",
    "::": "r_CAST_function",
    "~~": "r_patternmatching_condition_like",
    "!~~": "r_patternmatching_condition_like",
    "~": "pattern-matching-conditions-posix",
    "!~": "pattern-matching-conditions-posix",
}
REFUSED_OPERATORS: dict[str, str] = dict.fromkeys(
    ("~*", "!~*"), "pattern-matching-conditions-posix"
)

# https://docs.aws.amazon.com/redshift/latest/dg/c_Compression_encodings.html
ENCODINGS = frozenset(
    names(
        "raw az64 bytedict delta delta32k lzo mostly8 mostly16 mostly32 runlength text255 text32k "
        "zstd"
    )
)

# https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_ConfigurationRef.html
PARAMETERS: dict[str, str] = {
    "analyze_threshold_percent": "r_analyze_threshold_percent",
    "application_name": "r_STL_CONNECTION_LOG",
    "client_encoding": "copy-parameters-data-conversion",
    "datestyle": "r_datestyle",
    "enable_result_cache_for_session": "r_enable_result_cache_for_session",
    "extra_float_digits": "r_extra_float_digits",
    "query_group": "r_query_group",
    "search_path": "r_search_path",
    "statement_timeout": "r_statement_timeout",
    "timezone": "r_timezone_config",
    "wlm_query_slot_count": "r_wlm_query_slot_count",
}
# Postgres does not have these parameters: the stand-in stores them under a prefix
FOREIGN_PARAMETERS = frozenset(
    {
        "analyze_threshold_percent",
        "enable_result_cache_for_session",
        "query_group",
        "wlm_query_slot_count",
    }
)

REFUSED_STATEMENTS: dict[str, str] = {
    "create index": _UNSUPPORTED_FEATURES,
    "create unique index": _UNSUPPORTED_FEATURES,
    "create sequence": _UNSUPPORTED_FEATURES,
    "create trigger": _UNSUPPORTED_FEATURES,
    "create type": _UNSUPPORTED_FEATURES,
    "create domain": _UNSUPPORTED_FEATURES,
    "create rule": _UNSUPPORTED_FEATURES,
    "create extension": _UNSUPPORTED_FEATURES,
    "create tablespace": _UNSUPPORTED_FEATURES,
    "create unlogged": _UNSUPPORTED_FEATURES,
    "drop index": _UNSUPPORTED_FEATURES,
    "drop sequence": _UNSUPPORTED_FEATURES,
    "savepoint": _UNSUPPORTED_FUNCTIONS,
    "release": _UNSUPPORTED_FUNCTIONS,
    "rollback to": _UNSUPPORTED_FUNCTIONS,
    "values": _UNSUPPORTED_FEATURES,
    "listen": _UNSUPPORTED_FEATURES,
    "notify": _UNSUPPORTED_FEATURES,
    "cluster": _UNSUPPORTED_FEATURES,
    "do": _UNSUPPORTED_FEATURES,
    "reindex": _UNSUPPORTED_FEATURES,
}
