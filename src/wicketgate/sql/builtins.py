"""Columns of PostgreSQL's own relations that hold other people's values: an immutable table of classes.
`secret` always applies; `catalog-value` where the database holds sensitive columns.
"""

from collections.abc import Mapping

SECRET = "secret"  # noqa: S105 - the name of a data class
VALUE = "catalog-value"

_EVERY = "*"

_CLASSES: dict[str, dict[str, str]] = {
    "pg_authid": {"rolpassword": SECRET},
    "pg_shadow": {"passwd": SECRET},
    "pg_user_mapping": {"umoptions": SECRET},
    "pg_user_mappings": {"umoptions": SECRET},
    "pg_subscription": {"subconninfo": SECRET},
    "pg_hba_file_rules": {_EVERY: SECRET},
    "pg_ident_file_mappings": {_EVERY: SECRET},
    "pg_file_settings": {"setting": SECRET},
    "pg_stat_wal_receiver": {"conninfo": SECRET},
    "pg_stat_activity": {"query": VALUE},
    "pg_prepared_statements": {"statement": VALUE},
    "pg_cursors": {"statement": VALUE},
    "pg_stats": dict.fromkeys(
        (
            "most_common_vals histogram_bounds most_common_elems most_common_freqs elem_count_histogram"
            " most_common_elem_freqs range_length_histogram range_bounds_histogram range_empty_frac"
            " null_frac avg_width n_distinct correlation"
        ).split(),
        VALUE,
    ),
    "pg_stats_ext": dict.fromkeys(
        (
            "most_common_vals most_common_val_nulls most_common_freqs most_common_base_freqs n_distinct"
            " dependencies"
        ).split(),
        VALUE,
    ),
    "pg_stats_ext_exprs": dict.fromkeys(
        (
            "expr most_common_vals histogram_bounds most_common_elems most_common_freqs elem_count_histogram"
            " most_common_elem_freqs range_length_histogram range_bounds_histogram range_empty_frac"
            " null_frac avg_width n_distinct correlation"
        ).split(),
        VALUE,
    ),
    "pg_statistic": dict.fromkeys(
        [f"stavalues{n}" for n in range(1, 6)]
        + [f"stanumbers{n}" for n in range(1, 6)]
        + ["stanullfrac", "stawidth", "stadistinct"],
        VALUE,
    ),
    "pg_statistic_ext_data": dict.fromkeys("stxdmcv stxdexpr stxdndistinct stxddependencies".split(), VALUE),
    "pg_locks": dict.fromkeys(["objid", "classid", "objsubid"], VALUE),
    "pg_sequences": {"last_value": VALUE},
    "pg_largeobject": {"data": VALUE},
    "pg_backend_memory_contexts": {"ident": VALUE},
    "pg_replication_origin_status": {},
    "pg_stat_replication": {},
}

_EXTENSIONS: dict[str, dict[str, str]] = {
    "pg_stat_statements": {"query": VALUE},
}


def classes_of(schema: str, name: str, column: str, sensitive: bool, extension: bool) -> str | None:
    """The class that a system relation's column holds by itself."""
    table: Mapping[str, str] | None = None
    if schema == "pg_catalog":
        table = _CLASSES.get(name)
    elif schema == "information_schema":
        # user mappings' options, as SQL's own views show them
        if name in ("user_mapping_options", "_pg_user_mappings"):
            return SECRET if column in ("option_value", "umoptions") else None
    elif extension:
        table = _EXTENSIONS.get(name)
    if table is None:
        return None
    found = table.get(column) or table.get(_EVERY)
    return found if found == SECRET or sensitive else None
