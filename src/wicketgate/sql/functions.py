"""What PostgreSQL's own functions do, by name. Immutable ones are pure; of the rest only listed ones are
known.
A stable or volatile function that is not listed here is unknown, whichever server version brought it.
"""

from enum import Enum


class Doing(Enum):
    """PURE reads nothing but its arguments (or harmless state). LEAKS returns data that no column is named
    for. WRITES, EXECUTES: its effect. CONFIGURES is set_config. UNKNOWN may do anything."""

    PURE = "pure"
    LEAKS = "leaks"
    WRITES = "writes"
    EXECUTES = "executes"
    CONFIGURES = "configures"
    UNKNOWN = "unknown"


_PURE = frozenset(
    """
    aclexplode age anytextcat array_to_json array_to_string col_description concat concat_ws convert
    convert_from convert_to current_database current_schema current_schemas current_setting current_user
    session_user user system_user date date_cmp_timestamptz date_eq_timestamptz date_ge_timestamptz
    date_gt_timestamptz
    date_le_timestamptz date_lt_timestamptz date_ne_timestamptz date_part date_trunc date_add date_subtract
    enum_first enum_last enum_range extract format format_type generate_series get_current_ts_config
    getdatabaseencoding getpgusername has_any_column_privilege has_column_privilege has_database_privilege
    has_foreign_data_wrapper_privilege has_function_privilege has_language_privilege
    has_parameter_privilege has_schema_privilege has_sequence_privilege has_server_privilege
    has_table_privilege has_tablespace_privilege has_type_privilege has_largeobject_privilege
    in_range inet_client_addr inet_client_port inet_server_addr inet_server_port
    interval_pl_timestamptz json_agg json_agg_strict json_build_array json_build_object json_object_agg
    json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict
    json_populate_record json_populate_recordset json_to_record json_to_recordset json_to_tsvector jsonb_agg
    jsonb_agg_strict jsonb_build_array jsonb_build_object jsonb_object_agg jsonb_object_agg_strict
    jsonb_object_agg_unique jsonb_object_agg_unique_strict
    jsonb_path_exists_tz jsonb_path_match_tz jsonb_path_query_array_tz
    jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record jsonb_populate_recordset
    jsonb_to_record jsonb_to_recordset jsonb_to_tsvector length make_timestamptz money mxid_age now numeric
    obj_description oidvectortypes overlaps pg_available_extension_versions pg_available_extensions
    pg_backend_pid pg_basetype pg_char_to_encoding pg_client_encoding pg_collation_for
    pg_collation_is_visible pg_column_compression pg_column_is_updatable pg_column_size
    pg_conf_load_time pg_config pg_conversion_is_visible pg_current_snapshot pg_current_xact_id
    pg_current_xact_id_if_assigned pg_describe_object pg_encoding_to_char pg_extension_update_paths
    pg_filenode_relation pg_function_is_visible pg_get_acl pg_get_catalog_foreign_keys pg_get_constraintdef
    pg_get_expr pg_get_function_arg_default pg_get_function_arguments pg_get_function_identity_arguments
    pg_get_function_result pg_get_function_sqlbody pg_get_functiondef pg_get_indexdef pg_get_keywords
    pg_get_object_address pg_get_partition_constraintdef pg_get_partkeydef pg_get_publication_tables
    pg_get_replica_identity_index pg_get_replication_slots pg_get_ruledef pg_get_serial_sequence
    pg_get_statisticsobjdef pg_get_statisticsobjdef_columns pg_get_statisticsobjdef_expressions
    pg_get_triggerdef pg_get_userbyid pg_get_viewdef pg_has_role pg_identify_object
    pg_identify_object_as_address pg_index_column_has_property pg_index_has_property
    pg_indexam_has_property pg_is_other_temp_schema pg_listening_channels pg_my_temp_schema
    pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible pg_options_to_table
    pg_postmaster_start_time pg_relation_filenode pg_relation_filepath pg_relation_is_publishable
    pg_relation_is_updatable pg_replication_origin_oid pg_sequence_parameters pg_settings_get_flags
    pg_show_all_settings pg_statistics_obj_is_visible pg_table_is_visible pg_tablespace_databases
    pg_tablespace_location pg_timezone_abbrevs pg_timezone_abbrevs_abbrevs pg_timezone_abbrevs_zone
    pg_timezone_names pg_trigger_depth
    pg_ts_config_is_visible pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible
    pg_type_is_visible pg_typeof phraseto_tsquery plainto_tsquery quote_literal quote_nullable regclass
    row_security_active row_to_json shobj_description statement_timestamp textanycat time timestamp
    timestamp_cmp_timestamptz timestamp_eq_timestamptz timestamp_ge_timestamptz timestamp_gt_timestamptz
    timestamp_le_timestamptz timestamp_lt_timestamptz timestamp_ne_timestamptz timestamptz
    timestamptz_cmp_date timestamptz_cmp_timestamp timestamptz_eq_date timestamptz_eq_timestamp
    timestamptz_ge_date timestamptz_ge_timestamp timestamptz_gt_date timestamptz_gt_timestamp
    timestamptz_le_date timestamptz_le_timestamp timestamptz_lt_date timestamptz_lt_timestamp
    timestamptz_mi_interval timestamptz_ne_date timestamptz_ne_timestamp timestamptz_pl_interval timetz
    timezone to_char to_date to_json to_jsonb to_number to_regclass to_regcollation to_regnamespace
    to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype to_regtypemod to_timestamp
    to_tsquery to_tsvector transaction_timestamp ts_debug ts_headline ts_match_tq ts_match_tt ts_parse
    ts_token_type txid_current txid_current_if_assigned txid_current_snapshot version websearch_to_tsquery
    xml xml_is_well_formed
    clock_timestamp timeofday random random_normal setseed gen_random_uuid uuidv4 uuidv7 array_sample
    array_shuffle pg_sleep pg_sleep_for pg_sleep_until currval lastval
    pg_is_in_recovery pg_is_wal_replay_paused pg_get_wal_replay_pause_state pg_current_wal_flush_lsn
    pg_current_wal_insert_lsn pg_current_wal_lsn pg_last_wal_receive_lsn pg_last_wal_replay_lsn
    pg_last_xact_replay_timestamp pg_last_committed_xact pg_xact_commit_timestamp
    pg_xact_commit_timestamp_origin pg_xact_status txid_status pg_blocking_pids
    pg_safe_snapshot_blocking_pids pg_collation_actual_version pg_database_collation_actual_version
    pg_database_size pg_indexes_size pg_relation_size pg_table_size pg_tablespace_size
    pg_total_relation_size pg_partition_ancestors pg_partition_tree pg_jit_available
    pg_notification_queue_usage pg_stat_clear_snapshot pg_stat_have_stats
    pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared pg_control_checkpoint
    pg_control_init pg_control_recovery pg_control_system pg_get_multixact_members pg_prepared_xact
    pg_get_wal_resource_managers pg_isolation_test_session_is_blocked pg_get_wait_events amvalidate
    lo_close lo_tell lo_tell64 lo_lseek lo_lseek64
    """.split()
)

_LEAKS = frozenset(
    """
    pg_stat_get_activity pg_stat_get_backend_activity pg_cursor pg_prepared_statement pg_mcv_list_items
    pg_stat_get_wal_receiver pg_stat_get_subscription pg_sequence_last_value pg_get_sequence_data
    pg_lock_status lo_get loread current_query
    pg_logical_slot_peek_changes pg_logical_slot_peek_binary_changes pg_get_backend_memory_contexts
    pg_get_shmem_allocations pg_show_replication_origin_status pg_stat_get_wal_senders
    table_to_xml table_to_xmlschema table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema
    schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema database_to_xml_and_xmlschema
    cursor_to_xml cursor_to_xmlschema
    """.split()
)

_WRITES = frozenset(
    """
    nextval setval pg_notify pg_export_snapshot lo_creat lo_create lo_from_bytea lo_put lowrite lo_unlink
    lo_truncate
    lo_truncate64 lo_open pg_advisory_lock pg_advisory_lock_shared pg_advisory_xact_lock
    pg_advisory_xact_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
    pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_logical_emit_message
    pg_logical_slot_get_changes pg_logical_slot_get_binary_changes
    """.split()
)

_EXECUTES = frozenset(
    """
    pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile pg_rotate_logfile_old
    pg_promote pg_switch_wal pg_create_restore_point pg_backup_start pg_backup_stop pg_start_backup
    pg_stop_backup pg_wal_replay_pause pg_wal_replay_resume pg_stat_reset pg_stat_reset_replication_slot
    pg_stat_reset_shared pg_stat_reset_single_function_counters pg_stat_reset_single_table_counters
    pg_stat_reset_slru pg_stat_reset_subscription_stats pg_replication_origin_advance
    pg_replication_origin_create pg_replication_origin_drop pg_replication_origin_session_reset
    pg_replication_origin_session_setup pg_replication_origin_xact_reset pg_replication_origin_xact_setup
    pg_replication_slot_advance pg_drop_replication_slot pg_create_logical_replication_slot
    pg_create_physical_replication_slot pg_copy_logical_replication_slot pg_copy_physical_replication_slot
    pg_log_backend_memory_contexts pg_import_system_collations brin_desummarize_range
    brin_summarize_new_values brin_summarize_range gin_clean_pending_list
    pg_read_file pg_read_file_old pg_read_binary_file pg_stat_file pg_ls_dir pg_ls_logdir pg_ls_waldir
    pg_ls_tmpdir pg_ls_archive_statusdir pg_ls_logicalmapdir pg_ls_logicalsnapdir pg_ls_replslotdir
    pg_ls_summariesdir pg_current_logfile pg_hba_file_rules pg_ident_file_mappings
    pg_show_all_file_settings lo_import lo_export
    """.split()
)

_RUNS_TEXT = frozenset(
    "query_to_xml query_to_xmlschema query_to_xml_and_xmlschema ts_stat ts_rewrite".split()
)
"""They run a query that they are given as text."""

POLYMORPHIC = frozenset(
    """
    array_append array_cat array_fill array_position array_positions array_prepend array_remove array_replace
    json_populate_record json_populate_recordset jsonb_populate_record jsonb_populate_recordset
    jsonb_populate_record_valid lag lead width_bucket
    """.split()
)
"""They make literals and parameters values of another argument's type: of a user's, this runs its checks."""

SINGLE = frozenset(
    """
    abs btrim concat concat_ws convert_from convert_to current_database current_schema current_setting
    date date_part date_trunc decode encode format initcap left lower lpad ltrim make_date
    make_interval make_timestamp make_timestamptz md5 normalize now numeric overlay pg_backend_pid position
    quote_ident quote_literal regexp_replace repeat replace reverse right round rpad rtrim sha224 sha256
    sha384 sha512 split_part statement_timestamp strpos substr substring text timezone to_char to_date
    to_number to_regclass to_timestamp transaction_timestamp translate trunc upper varchar version
    """.split()
)
"""They give one value made of their arguments; compared for equality, it is as good as written out."""

READS_BY_NAME = frozenset(name for name in _LEAKS if "_to_xml" in name)
"""They read relations that no FROM names."""

_CAREFUL = _LEAKS | _WRITES | _EXECUTES | _RUNS_TEXT | {"set_config"}


def builtin(name: str, volatility: str) -> Doing:
    """What pg_catalog's function of this name does. volatility: `i`, `s` or `v`, the worst of its
    overloads."""
    if name in _CAREFUL:
        if name in _LEAKS:
            return Doing.LEAKS
        if name in _WRITES:
            return Doing.WRITES
        if name in _EXECUTES:
            return Doing.EXECUTES
        return Doing.CONFIGURES if name == "set_config" else Doing.UNKNOWN
    if volatility == "i" or name in _PURE or name.startswith("pg_stat_get_"):
        return Doing.PURE
    return Doing.UNKNOWN


_TRUSTED_STABLE = frozenset(
    """btree_gin btree_gist citext cube earthdistance fuzzystrmatch hstore intarray isn ltree pg_trgm pgcrypto
    postgis postgis_raster postgis_topology seg timescaledb unaccent uuid-ossp vector""".split()
)
"""Extensions whose stable functions compute from their arguments and harmless state."""

_TRUSTED_VOLATILE = frozenset(
    """uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 gen_random_uuid gen_random_bytes gen_salt
    set_limit show_limit""".split()
)

_RUNNING_EXTENSIONS = frozenset(
    """dblink tablefunc xml2 plv8 plpython3u plperlu pltclu postgres_fdw file_fdw adminpack pageinspect
    pg_cron http pg_net""".split()
)


def extension_is_pure(extension: str, name: str, volatility: str) -> bool:
    """Whether an extension's function only computes: immutable ones are taken at their word."""
    if extension in _RUNNING_EXTENSIONS:
        return False
    if volatility == "i":
        return True
    if volatility == "s":
        return extension in _TRUSTED_STABLE
    return extension in _TRUSTED_STABLE and name in _TRUSTED_VOLATILE
