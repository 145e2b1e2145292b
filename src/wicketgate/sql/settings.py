"""Which PostgreSQL settings a session may change, and to which values.
What is not listed here is unknown, never allowed: a setting may change how text is read or what runs.
"""

ALLOWED = frozenset(
    """
    application_name array_nulls bytea_output check_function_bodies client_connection_check_interval
    client_encoding client_min_messages constraint_exclusion cpu_index_tuple_cost
    cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction datestyle default_statistics_target
    default_table_access_method default_tablespace default_text_search_config default_toast_compression
    default_transaction_deferrable default_transaction_isolation default_transaction_read_only
    default_with_oids effective_cache_size effective_io_concurrency enable_async_append enable_bitmapscan
    enable_distinct_reordering enable_gathermerge enable_group_by_reordering enable_hashagg enable_hashjoin
    enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material enable_memoize
    enable_mergejoin enable_nestloop enable_parallel_append enable_parallel_hash enable_partition_pruning
    enable_partitionwise_aggregate enable_partitionwise_join enable_presorted_aggregate
    enable_self_join_elimination enable_seqscan enable_sort enable_tidscan escape_string_warning
    extra_float_digits from_collapse_limit geqo geqo_effort geqo_generations geqo_pool_size
    geqo_seed geqo_selection_bias geqo_threshold gin_fuzzy_search_limit gin_pending_list_limit
    hash_mem_multiplier icu_validation_level idle_in_transaction_session_timeout idle_session_timeout
    intervalstyle jit jit_above_cost jit_expressions jit_inline_above_cost jit_optimize_above_cost
    jit_tuple_deforming join_collapse_limit lc_messages lc_monetary lc_numeric lc_time lock_timeout
    logical_decoding_work_mem maintenance_io_concurrency maintenance_work_mem max_parallel_maintenance_workers
    max_parallel_workers max_parallel_workers_per_gather min_parallel_index_scan_size
    min_parallel_table_scan_size operator_precedence_warning parallel_leader_participation
    parallel_setup_cost parallel_tuple_cost password_encryption plan_cache_mode quote_all_identifiers
    random_page_cost recursive_worktable_factor restrict_nonsystem_relation_kind role row_security
    scram_iterations search_path seed seq_page_cost session_authorization standard_conforming_strings
    statement_timeout stats_fetch_consistency synchronize_seqscans synchronous_commit tcp_keepalives_count
    tcp_keepalives_idle tcp_keepalives_interval tcp_user_timeout temp_buffers temp_tablespaces timezone
    transaction_deferrable transaction_isolation transaction_read_only transaction_timeout
    vacuum_buffer_usage_limit vacuum_cost_delay vacuum_cost_limit
    vacuum_cost_page_dirty vacuum_cost_page_hit vacuum_cost_page_miss
    work_mem xmlbinary xmloption
    """.split()
)
"""Names as PostgreSQL 13 to 18 know them, lower case. Each only costs its own session, or has a value
rule."""

PLANNER = frozenset(
    """
    constraint_exclusion cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction
    effective_cache_size effective_io_concurrency enable_async_append enable_bitmapscan
    enable_distinct_reordering enable_gathermerge enable_group_by_reordering enable_hashagg enable_hashjoin
    enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material enable_memoize
    enable_mergejoin enable_nestloop enable_parallel_append enable_parallel_hash enable_partition_pruning
    enable_partitionwise_aggregate enable_partitionwise_join enable_presorted_aggregate
    enable_self_join_elimination enable_seqscan enable_sort enable_tidscan from_collapse_limit geqo
    geqo_effort geqo_generations geqo_pool_size geqo_seed geqo_selection_bias geqo_threshold
    hash_mem_multiplier join_collapse_limit max_parallel_workers max_parallel_workers_per_gather
    min_parallel_index_scan_size min_parallel_table_scan_size parallel_leader_participation
    parallel_setup_cost parallel_tuple_cost plan_cache_mode random_page_cost recursive_worktable_factor
    seq_page_cost work_mem
    """.split()
)
"""Settings that choose how a statement is carried out. A plan that sorts puts rows in the order of hidden
values: who may choose plans may ask for that order."""

READ_ONLY = frozenset({"transaction_read_only", "default_transaction_read_only"})
"""Settings that lift or put on a read-only session."""

IDENTITY = frozenset({"role", "session_authorization"})
"""Settings that say who the session acts as."""

_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off")


def canonical(name: str) -> str:
    """A setting's name as this module lists it: PostgreSQL compares names without regard to ASCII case."""
    lowered = name.lower()
    return "timezone" if lowered == "time zone" else lowered


def allowed(name: str) -> bool:
    """Whether a session may change this setting at all. Custom settings (`a.b`) may not."""
    return canonical(name) in ALLOWED


def chooses_plans(name: str) -> bool:
    """Whether a setting may not be changed where there are sensitive columns. jit does not choose."""
    return canonical(name) in PLANNER


def boolean(value: str) -> bool | None:
    """A boolean as PostgreSQL's parse_bool reads it (unique prefixes count), None for anything else."""
    text = value.lower()
    if text == "1" or (text and any(word.startswith(text) for word in _TRUE)):
        return True if text != "o" else None
    if text == "0" or (text and any(word.startswith(text) for word in _FALSE)):
        return False if text != "o" else None
    return None


def encoding_is_utf8(value: str) -> bool:
    """Whether a name of an encoding means UTF-8: PostgreSQL ignores case and all but letters and digits."""
    return "".join(c for c in value.lower() if c.isascii() and c.isalnum()) in ("utf8", "unicode")


def refusal(name: str, value: str | None, user: str | None, read_only: bool) -> str | None:
    """Why this value may not be set, for the client, or None where it may. Asks nothing about `allowed`.

    value: the literal, or None where it cannot be told. user: the account's login; None where unknown (at
    sign-in no value of an identity setting is then let through).
    """
    key = canonical(name)
    if key == "client_encoding" and (value is None or not encoding_is_utf8(value)):
        return "client_encoding can only be UTF8 through this gateway"
    if key == "standard_conforming_strings" and (value is None or boolean(value) is not True):
        return "standard_conforming_strings can only be on through this gateway"
    if key in IDENTITY and (value is None or user is None or value != user):
        return f"{key} cannot be changed through this gateway"
    if read_only and key in READ_ONLY and (value is None or boolean(value) is not True):
        return "this session is read-only"
    return None
