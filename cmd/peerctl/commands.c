/*
 * commands - every command of peerctl and every option
 */
#include "cmd/peerctl/args.h"
#include "cmd/peerctl/ctl.h"

const struct option global_options[] = {
	{ "socket", 's', "PATH",
	    "peerd's control socket; default $PEERD_SOCKET, else "
	    "/var/lib/peerd/peerd.sock",
	    NULL },
	{ "url", 'u', "URL",
	    "talk to the REST API at this address instead, for example "
	    "https://db1:3000; the password comes from $PEERD_PASSWORD",
	    NULL },
	{ "password-file", '\0', "FILE", "read the password for --url from this file", NULL },
	{ "ca-file", '\0', "FILE", "trust the certificates in this file instead of the system's",
	    NULL },
	{ "json", 'j', NULL, "print peerd's answer as it came", NULL },
	{ "help", 'h', NULL, "print help and exit", NULL },
	{ "version", 'V', NULL, "print the version and exit", NULL },
	{ 0 },
};

static const struct option status_options[] = {
	{ "watch", 'w', NULL, "draw it again and again", NULL },
	{ "interval", 'n', "SECONDS", "how often to draw it with --watch; default 1", NULL },
	{ 0 },
};

#define FROM_FILE                                                                \
	{                                                                        \
		"file", 'f', "FILE",                                             \
		    "read the request from FILE (- for standard input), in the " \
		    "API's own JSON form",                                       \
		    NULL                                                         \
	}

#define PEER_OPTIONS                                                  \
	FROM_FILE,                                                    \
	{                                                             \
		"from-file", '\0', "KEY=FILE",                        \
		    "set a field to what FILE holds (- for standard " \
		    "input): passwords, certificates",                \
		    NULL                                              \
	}

static const struct option peers_create_options[] = {
	PEER_OPTIONS,
	{ "allow-update", '\0', NULL,
	    "change a peer that exists; what is left out keeps its "
	    "stored value",
	    "allow_update" },
	{ "disable-validation", '\0', NULL, "do not connect to it first", "disable_validation" },
	{ 0 },
};

static const struct option peers_validate_options[] = {
	PEER_OPTIONS,
	{ 0 },
};

#define CONFIG(field) "connection_configs." field

static const struct option mirrors_create_options[] = {
	{ "from", '\0', "PEER", "the peer to read from", CONFIG("source_name") },
	{ "to", '\0', "PEER", "the peer to write to", CONFIG("destination_name") },
	{ "table", 't', "SRC[:DST]",
	    "mirror this table (schema.table); without DST to the "
	    "same name, in ClickHouse to table; once for each table",
	    NULL },
	{ "exclude", '\0', "TABLE:COL[,COL]", "leave out columns of a source table", NULL },
	FROM_FILE,
	{ "wait", '\0', NULL, "show the snapshot's progress until the mirror runs", NULL },
	{ "validate-only", '\0', NULL, "run the checks and create nothing", NULL },
	{ "attach-to-existing", '\0', NULL, "take a mirror of that name for this one",
	    "attach_to_existing" },
	{ "do-initial-snapshot", '\0', NULL,
	    "copy what is there first; --do-initial-snapshot=false "
	    "streams new changes only; default true",
	    CONFIG("do_initial_snapshot") },
	{ "initial-snapshot-only", '\0', NULL, "stop after the snapshot",
	    CONFIG("initial_snapshot_only") },
	{ "resync", '\0', NULL, "load fresh tables and swap them in", CONFIG("resync") },
	{ "publication-name", '\0', "NAME", "use this publication; default: one of its own",
	    CONFIG("publication_name") },
	{ "replication-slot-name", '\0', "NAME", "use this slot; default: one of its own",
	    CONFIG("replication_slot_name") },
	{ "max-batch-size", '\0', "ROWS", "most rows in a batch; default 1000000",
	    CONFIG("max_batch_size") },
	{ "idle-timeout-seconds", '\0', "SECONDS", "the longest a change may wait; default 60",
	    CONFIG("idle_timeout_seconds") },
	{ "snapshot-num-rows-per-partition", '\0', "ROWS",
	    "size of a part of the snapshot; "
	    "default 1000000",
	    CONFIG("snapshot_num_rows_per_partition") },
	{ "snapshot-max-parallel-workers", '\0', "N", "parts of a table read at a time; default 4",
	    CONFIG("snapshot_max_parallel_workers") },
	{ "snapshot-num-tables-in-parallel", '\0', "N", "tables read at a time; default 1",
	    CONFIG("snapshot_num_tables_in_parallel") },
	{ "soft-delete-col-name", '\0', "NAME",
	    "column that marks deleted rows; \"\" deletes them; "
	    "default _PEERDB_IS_DELETED",
	    CONFIG("soft_delete_col_name") },
	{ "synced-at-col-name", '\0', "NAME",
	    "column with the time of the copy; \"\" for none; "
	    "default _PEERDB_SYNCED_AT",
	    CONFIG("synced_at_col_name") },
	{ "system", '\0', "PG|Q", "type system; the same between two Postgres", CONFIG("system") },
	{ "env", '\0', "NAME=VALUE", "a setting of this mirror alone", NULL },
	{ "skip-validation", '\0', NULL, "create it without the checks",
	    CONFIG("skip_validation") },
	{ 0 },
};

#define WAIT                                                      \
	{                                                         \
		"wait", '\0', NULL, "wait until it is done", NULL \
	}

static const struct option wait_options[] = {
	WAIT,
	{ 0 },
};

static const struct option mirrors_drop_options[] = {
	WAIT,
	{ "skip-destination-drop", '\0', NULL, "leave the destination alone altogether", NULL },
	{ "drop-mirror-stats", '\0', NULL, "forget its batches and counts too", NULL },
	{ 0 },
};

static const struct option mirrors_logs_options[] = {
	{ "level", 'l', "LEVEL", "only info, warn or error", NULL },
	{ "limit", 'n', "N", "at most so many entries; default 50", NULL },
	{ 0 },
};

#define PEER_DETAILS                                                                             \
	"TYPE is postgres, clickhouse or kafka. KEY is any field of that type's configuration, " \
	"such as host, port, user, password and database; dots lead into parts of it, as in "    \
	"ssh_config.host or options.application_name."

const struct command commands[] = {
	{ NULL, "status", "", "Show every mirror: state, lag, rows, error.",
	    "LAG is how much of the source's log has not arrived, BEHIND how old the oldest "
	    "change is that has not. While a mirror takes its snapshot there is a bar a table.",
	    status_options, 0, 0, SUBJECT_NONE, run_status },

	{ "peers", "list", "", "List the peers.", NULL, NULL, 0, 0, SUBJECT_NONE, run_peers_list },
	{ "peers", "create", "NAME TYPE KEY=VALUE...", "Create a peer, or change one.",
	    PEER_DETAILS "\nA peer that exists with the same configuration is a success, with "
			 "another one it is refused unless --allow-update is given.",
	    peers_create_options, 0, -1, SUBJECT_NONE, run_peers_create },
	{ "peers", "validate", "NAME TYPE KEY=VALUE...", "Connect to a peer without creating it.",
	    PEER_DETAILS, peers_validate_options, 0, -1, SUBJECT_NONE, run_peers_validate },
	{ "peers", "drop", "NAME", "Drop a peer that no mirror uses.", NULL, NULL, 1, 1,
	    SUBJECT_PEER, run_peers_drop },

	{ "mirrors", "list", "", "List the mirrors.", NULL, NULL, 0, 0, SUBJECT_NONE,
	    run_mirrors_list },
	{ "mirrors", "create", "NAME", "Create a mirror.",
	    "With --file, NAME and the options override what the file says. Creating a mirror "
	    "again with the same configuration is a success.",
	    mirrors_create_options, 0, 1, SUBJECT_NONE, run_mirrors_create },
	{ "mirrors", "status", "NAME", "Show one mirror in full.", NULL, NULL, 1, 1, SUBJECT_MIRROR,
	    run_mirrors_status },
	{ "mirrors", "pause", "NAME", "Pause a mirror at the next safe point.", NULL, wait_options,
	    1, 1, SUBJECT_MIRROR, run_mirrors_pause },
	{ "mirrors", "resume", "NAME", "Resume a mirror that is paused or has failed.", NULL,
	    wait_options, 1, 1, SUBJECT_MIRROR, run_mirrors_resume },
	{ "mirrors", "resync", "NAME",
	    "Load a mirror's tables again, beside those that are "
	    "there, and swap them in.",
	    "Until the new tables take their place, the old ones stay as they are. Works on a "
	    "mirror that runs, is paused, has failed or is completed.",
	    wait_options, 1, 1, SUBJECT_MIRROR, run_mirrors_resync },
	{ "mirrors", "drop", "NAME",
	    "Drop a mirror with its slot and publication; the "
	    "destination's tables stay.",
	    NULL, mirrors_drop_options, 1, 1, SUBJECT_MIRROR, run_mirrors_drop },
	{ "mirrors", "logs", "[NAME]", "Show what happened, newest first.", NULL,
	    mirrors_logs_options, 0, 1, SUBJECT_MIRROR, run_mirrors_logs },

	/* for packaging/completions: what may follow these words */
	{ NULL, "complete", "WORD...", NULL, NULL, NULL, 0, -1, SUBJECT_NONE, run_complete },
};
const size_t commands_count = sizeof(commands) / sizeof(commands[0]);
