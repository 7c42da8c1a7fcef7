#include "lib/conn/pginfo.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/conn/pgconn.h"

#define OLDEST_SERVER 120000

/*
 * A managed server grants replication by membership (rds_replication) or says
 * so in a setting instead of by the role's attribute.
 */
static const char server_query[] =
    "SELECT current_user, current_database(),"
    " (SELECT oid FROM pg_database WHERE datname = current_database()),"
    " current_setting('wal_level'), r.rolsuper,"
    " r.rolsuper OR r.rolreplication"
    "  OR coalesce(current_setting('rds.logical_replication', true) = 'on', false)"
    "  OR EXISTS (SELECT FROM pg_roles m WHERE m.rolname = 'rds_replication'"
    "   AND pg_has_role(m.oid, 'MEMBER')),"
    " has_database_privilege(current_database(), 'CREATE'), pg_is_in_recovery(),"
    " current_setting('hot_standby_feedback') = 'on',"
    " current_setting('max_wal_senders'), (SELECT count(*) FROM pg_stat_replication),"
    " current_setting('max_replication_slots'), (SELECT count(*) FROM pg_replication_slots),"
    " version()"
    " FROM pg_roles r WHERE r.rolname = current_user";

static void
read_flavour(struct pginfo_server *s, const char *version)
{
	str_copy(s->flavour, sizeof(s->flavour), version);
	s->flavour[strcspn(s->flavour, " ")] = '\0';
	if (strstr(version, "-YB-") != NULL)
		str_copy(s->flavour, sizeof(s->flavour), "YugabyteDB");
}

static void
read_server(struct pginfo_server *s, const PGresult *res)
{
	str_copy(s->role, sizeof(s->role), pgcell(res, 0, 0));
	str_copy(s->database, sizeof(s->database), pgcell(res, 0, 1));
	s->database_oid = (uint32_t)pgcell_i64(res, 0, 2);
	str_copy(s->wal_level, sizeof(s->wal_level), pgcell(res, 0, 3));
	s->superuser = pgcell_bool(res, 0, 4);
	s->replication = pgcell_bool(res, 0, 5);
	s->create_database = pgcell_bool(res, 0, 6);
	s->in_recovery = pgcell_bool(res, 0, 7);
	s->hot_standby_feedback = pgcell_bool(res, 0, 8);
	s->max_wal_senders = (int)pgcell_i64(res, 0, 9);
	s->wal_senders = (int)pgcell_i64(res, 0, 10);
	s->max_replication_slots = (int)pgcell_i64(res, 0, 11);
	s->replication_slots = (int)pgcell_i64(res, 0, 12);
	read_flavour(s, pgcell(res, 0, 13));
}

/* Some managed servers keep pg_control_system() from ordinary roles: then it stays unknown. */
static void
read_identifier(struct pgconn *c, struct pginfo_server *s)
{
	struct err ignored = ERR_INIT;
	PGresult *res;

	res = pgconn_exec(c, &ignored, "SELECT system_identifier FROM pg_control_system()");
	if (res == NULL)
		return;
	s->system_identifier = (uint64_t)pgcell_i64(res, 0, 0);
	PQclear(res);
}

bool
pginfo_load_server(struct pgconn *c, struct pginfo_server *s_r, struct err *err)
{
	struct pginfo_server s = { .version = pgconn_version(c) };
	PGresult *res = pgconn_exec(c, err, server_query);

	if (res == NULL)
		return false;
	if (PQntuples(res) != 1) {
		PQclear(res);
		return err_set(err, ERR_PROTOCOL, "the server does not know the current role");
	}
	read_server(&s, res);
	PQclear(res);
	read_identifier(c, &s);
	*s_r = s;
	return true;
}

bool
pginfo_check_server(const struct pginfo_server *s, const char *side, struct err *err)
{
	if (strcmp(s->flavour, "YugabyteDB") == 0)
		return err_set(err, ERR_CONFIG, "the %s is YugabyteDB, which is not supported",
		    side);
	if (s->version < OLDEST_SERVER) {
		err_set(err, ERR_CONFIG,
		    "the %s runs PostgreSQL %d.%d, version 12 or later is needed", side,
		    s->version / 10000, s->version % 100);
		return err_hint(err, "upgrade the server");
	}
	return true;
}
