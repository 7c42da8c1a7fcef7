#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conn/pgslot.h"
#include "workers/probe_int.h"

#define QUERY_MAX 8192

/* ---- GetSlotInfo */

/* %s in order: wal_status and what it may still keep (13), spill counters (14) and their table */
static const char slots_query[] =
    "SELECT s.slot_name, (pg_control_checkpoint()).redo_lsn, s.restart_lsn, s.active,"
    " s.confirmed_flush_lsn, r.sent_lsn, w.lsn,"
    " (s.confirmed_flush_lsn - s.restart_lsn) / 1048576, (w.lsn - s.confirmed_flush_lsn) / 1048576,"
    " a.wait_event_type, a.wait_event, a.state,"
    " pg_size_bytes(current_setting('logical_decoding_work_mem', true)) / 1048576, %s, %s"
    " FROM pg_replication_slots s"
    " CROSS JOIN (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
    "  ELSE pg_current_wal_lsn() END) w(lsn)"
    " LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid"
    " LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid%s"
    " WHERE s.slot_type = 'logical' AND s.database = current_database() ORDER BY 1";

enum {
	SLOT_NAME,
	SLOT_REDO,
	SLOT_RESTART,
	SLOT_ACTIVE,
	SLOT_CONFIRMED,
	SLOT_SENT,
	SLOT_CURRENT,
	SLOT_RESTART_MB,
	SLOT_LAG_MB,
	SLOT_WAIT_TYPE,
	SLOT_WAIT,
	SLOT_STATE,
	SLOT_WORK_MEM,
	SLOT_WAL_STATUS,
	SLOT_SAFE_SIZE,
	SLOT_RESET,
	SLOT_SPILL_TXNS,
	SLOT_SPILL_COUNT,
	SLOT_SPILL_BYTES,
};

static PGresult *
query_slots(struct pgconn *c, struct err *err)
{
	int version = pgconn_version(c);
	char query[QUERY_MAX];

	snprintf(query, sizeof(query), slots_query,
	    version >= 130000 ? "s.wal_status, s.safe_wal_size" : "'', NULL",
	    version >= 140000 ? "extract(epoch FROM st.stats_reset)::int8, st.spill_txns,"
				" st.spill_count, st.spill_bytes"
			      : "NULL, NULL, NULL, NULL",
	    version >= 140000 ? " LEFT JOIN pg_stat_replication_slots st USING (slot_name)" : "");
	return pgconn_exec(c, err, query);
}

static bool
is_managed(const struct probe *p, const char *slot)
{
	if (str_starts(slot, PGSLOT_PREFIX))
		return true;
	for (size_t i = 0; i < p->req->n_slots; i++)
		if (strcmp(p->req->slots[i], slot) == 0)
			return true;
	return false;
}

/* An absent value and 0 differ. */
static void
set_optional(const PGresult *res, int row, int col, protobuf_c_boolean *has_r, int64_t *value_r)
{
	*has_r = !PQgetisnull(res, row, col);
	*value_r = *has_r ? pgcell_i64(res, row, col) : 0;
}

static void
read_slot_numbers(PeerdbRoute__SlotInfo *s, const PGresult *res, int row)
{
	s->has_active = s->has_lag_in_mb = s->has_restart_to_confirmed_mb = true;
	s->has_confirmed_to_current_mb = true;
	s->active = pgcell_bool(res, row, SLOT_ACTIVE);
	s->restart_to_confirmed_mb = strtof(pgcell(res, row, SLOT_RESTART_MB), NULL);
	s->confirmed_to_current_mb = strtof(pgcell(res, row, SLOT_LAG_MB), NULL);
	s->lag_in_mb = s->confirmed_to_current_mb;
	set_optional(res, row, SLOT_WORK_MEM, &s->has_logical_decoding_work_mem_mb,
	    &s->logical_decoding_work_mem_mb);
	set_optional(res, row, SLOT_SAFE_SIZE, &s->has_safe_wal_size, &s->safe_wal_size);
	set_optional(res, row, SLOT_RESET, &s->has_stats_reset, &s->stats_reset);
	set_optional(res, row, SLOT_SPILL_TXNS, &s->has_spill_txns, &s->spill_txns);
	set_optional(res, row, SLOT_SPILL_COUNT, &s->has_spill_count, &s->spill_count);
	set_optional(res, row, SLOT_SPILL_BYTES, &s->has_spill_bytes, &s->spill_bytes);
}

static void
read_slot(PeerdbRoute__SlotInfo *s, const PGresult *res, int row)
{
	s->slot_name = xstrdup(pgcell(res, row, SLOT_NAME));
	s->redo_lsn = xstrdup(pgcell(res, row, SLOT_REDO));
	s->restart_lsn = xstrdup(pgcell(res, row, SLOT_RESTART));
	s->confirmed_flush_lsn = xstrdup(pgcell(res, row, SLOT_CONFIRMED));
	s->current_lsn = xstrdup(pgcell(res, row, SLOT_CURRENT));
	s->wal_status = xstrdup(pgcell(res, row, SLOT_WAL_STATUS));
	s->wait_event_type = xstrdup(pgcell(res, row, SLOT_WAIT_TYPE));
	s->wait_event = xstrdup(pgcell(res, row, SLOT_WAIT));
	s->backend_state = xstrdup(pgcell(res, row, SLOT_STATE));
	if (!PQgetisnull(res, row, SLOT_SENT))
		s->sent_lsn = xstrdup(pgcell(res, row, SLOT_SENT));
	read_slot_numbers(s, res, row);
}

bool
probe_slots(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out, struct err *err)
{
	const PeerdbRoute__PostgresPeerActivityInfoRequest *req =
	    (const PeerdbRoute__PostgresPeerActivityInfoRequest *)in;
	PeerdbRoute__PeerSlotResponse *r = (PeerdbRoute__PeerSlotResponse *)out;
	PeerdbRoute__SlotInfo *s;
	struct pgconn *c;
	PGresult *res;

	if (!probe_open(p, p->req->peer, &c, err))
		return false;
	res = query_slots(c, err);
	pgconn_close(&c);
	if (res == NULL)
		return false;
	for (int i = 0; i < PQntuples(res); i++) {
		if (req->peerdb_managed_only && !is_managed(p, pgcell(res, i, SLOT_NAME)))
			continue;
		PROBE_ADD(r, slot_data, peerdb_route__slot_info__init, s);
		read_slot(s, res, i);
	}
	PQclear(res);
	return true;
}

/* ---- GetStatInfo */

static const char activity_query[] =
    "SELECT pid, wait_event, wait_event_type, query_start, query,"
    " coalesce(extract(epoch FROM clock_timestamp() - query_start), 0), state"
    " FROM pg_stat_activity WHERE usename = current_user AND application_name LIKE 'peerd%'"
    " AND pid <> pg_backend_pid() ORDER BY pid";

bool
probe_activity(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out, struct err *err)
{
	PeerdbRoute__PeerStatResponse *r = (PeerdbRoute__PeerStatResponse *)out;
	PeerdbRoute__StatInfo *s;
	struct pgconn *c;
	PGresult *res;

	(void)in;
	if (!probe_open(p, p->req->peer, &c, err))
		return false;
	res = pgconn_exec(c, err, activity_query);
	pgconn_close(&c);
	if (res == NULL)
		return false;
	for (int i = 0; i < PQntuples(res); i++) {
		PROBE_ADD(r, stat_data, peerdb_route__stat_info__init, s);
		s->has_pid = s->has_duration = true;
		s->pid = pgcell_i64(res, i, 0);
		s->wait_event = xstrdup(pgcell(res, i, 1));
		s->wait_event_type = xstrdup(pgcell(res, i, 2));
		s->query_start = xstrdup(pgcell(res, i, 3));
		s->query = xstrdup(pgcell(res, i, 4));
		s->duration = strtof(pgcell(res, i, 5), NULL);
		s->state = xstrdup(pgcell(res, i, 6));
	}
	PQclear(res);
	return true;
}
