#include "lib/sink/pg_fence.h"

#include "lib/base/err.h"
#include "lib/conn/pgconn.h"

#define ATTEMPTS     10 /* of two seconds each */
#define LOCK_TIMEOUT "55P03"

static bool
take_lock(struct pgconn *dst, const char *mirror, struct err *err)
{
	PGresult *res;

	if (!pgconn_run(dst, err, "SET lock_timeout = '2s'"))
		return false;
	res = pgconn_query(dst, err, "SELECT pg_advisory_lock(hashtextextended('peerd:' || $1, 0))",
	    1, mirror);
	PQclear(res);
	return res != NULL && pgconn_run(dst, err, "SET lock_timeout = 0");
}

static void
end_holder(struct pgconn *dst, const char *mirror)
{
	struct err ignored = ERR_INIT;

	PQclear(pgconn_query(dst, &ignored,
	    "SELECT pg_terminate_backend(l.pid) FROM pg_locks l,"
	    " (SELECT hashtextextended('peerd:' || $1, 0)) k(h)"
	    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
	    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
	    " AND (l.classid::bigint << 32) | l.objid::bigint = k.h",
	    1, mirror));
}

bool
pg_fence(struct pgconn *dst, const char *mirror, struct err *err)
{
	int attempt;

	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (take_lock(dst, mirror, err))
			return true;
		if (strcmp(err->sqlstate, LOCK_TIMEOUT) != 0)
			return false;
		end_holder(dst, mirror);
	}
	return err_set(err, ERR_TRANSIENT,
	    "another session on the destination still writes for mirror \"%s\"", mirror);
}
