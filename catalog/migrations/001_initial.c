#include "catalog/migrations.h"

/*
 * Times are microseconds since 1970 (0: none), LSNs 64-bit integers. History
 * (batches, counts, logs, state changes) goes by the mirror's name and without
 * a foreign key: it may outlive the mirror.
 *
 * The views are what people may read; docs/catalog.md describes them.
 */
/* clang-format off */
const char catalog_migration_001[] =
	/* names of the numbers, filled from the protobuf enums at every start */
	"CREATE TABLE status_names ("
	"	number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;"
	"CREATE TABLE peer_type_names ("
	"	number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;"

	/* ---- what is wanted and what is */

	"CREATE TABLE peers ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	name TEXT NOT NULL UNIQUE,"
	"	type INTEGER NOT NULL,"
	"	config BLOB NOT NULL,"			/* sealed */
	"	key_id TEXT NOT NULL,"
	"	created_us INTEGER NOT NULL,"
	"	updated_us INTEGER NOT NULL) STRICT;"

	"CREATE TABLE mirrors ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	name TEXT NOT NULL UNIQUE,"
	"	source TEXT NOT NULL REFERENCES peers (name),"
	"	destination TEXT NOT NULL REFERENCES peers (name),"
	"	config BLOB NOT NULL,"
	"	tables BLOB NOT NULL,"			/* empty before setup is done */
	"	wanted INTEGER NOT NULL CHECK (wanted IN (1, 2, 3)),"
	"	status INTEGER NOT NULL,"
	"	phase INTEGER NOT NULL,"
	"	drop_stats INTEGER NOT NULL,"
	"	skip_destination_drop INTEGER NOT NULL,"
	"	error_code INTEGER NOT NULL,"
	"	error TEXT NOT NULL,"
	"	error_hint TEXT NOT NULL,"
	"	generation INTEGER NOT NULL DEFAULT 0,"
	"	checkpoint INTEGER NOT NULL DEFAULT 0,"
	"	created_us INTEGER NOT NULL,"
	"	updated_us INTEGER NOT NULL,"
	"	state_us INTEGER NOT NULL) STRICT;"
	"CREATE INDEX mirrors_source ON mirrors (source);"
	"CREATE INDEX mirrors_destination ON mirrors (destination);"

	"CREATE TABLE state_history ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	mirror TEXT NOT NULL,"
	"	from_status INTEGER NOT NULL,"
	"	to_status INTEGER NOT NULL,"
	"	event TEXT NOT NULL,"
	"	error TEXT NOT NULL,"
	"	at_us INTEGER NOT NULL) STRICT;"
	"CREATE INDEX state_history_mirror ON state_history (mirror, id);"

	/* ---- snapshot ledger */

	"CREATE TABLE snapshots ("
	"	mirror TEXT PRIMARY KEY REFERENCES mirrors (name) ON DELETE CASCADE,"
	"	snapshot_id TEXT NOT NULL,"
	"	planned_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE snapshot_tables ("
	"	mirror TEXT NOT NULL REFERENCES snapshots (mirror) ON DELETE CASCADE,"
	"	table_index INTEGER NOT NULL,"
	"	source TEXT NOT NULL,"
	"	destination TEXT NOT NULL,"
	"	partitions_total INTEGER NOT NULL,"
	"	rows_estimated INTEGER NOT NULL,"
	"	state INTEGER NOT NULL,"
	"	PRIMARY KEY (mirror, table_index)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE snapshot_partitions ("
	"	mirror TEXT NOT NULL,"
	"	table_index INTEGER NOT NULL,"
	"	partition INTEGER NOT NULL,"
	"	range TEXT NOT NULL,"
	"	rows INTEGER NOT NULL,"
	"	bytes INTEGER NOT NULL,"
	"	start_us INTEGER NOT NULL,"
	"	end_us INTEGER NOT NULL,"
	"	PRIMARY KEY (mirror, table_index, partition),"
	"	FOREIGN KEY (mirror, table_index)"
	"	    REFERENCES snapshot_tables (mirror, table_index) ON DELETE CASCADE)"
	"	STRICT, WITHOUT ROWID;"

	/* ---- history */

	"CREATE TABLE cdc_batches ("
	"	mirror TEXT NOT NULL,"
	"	batch_id INTEGER NOT NULL,"
	"	start_lsn INTEGER NOT NULL,"
	"	end_lsn INTEGER NOT NULL,"
	"	rows INTEGER NOT NULL,"
	"	start_us INTEGER NOT NULL,"
	"	end_us INTEGER NOT NULL,"
	"	PRIMARY KEY (mirror, batch_id)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE batch_totals ("
	"	mirror TEXT PRIMARY KEY,"
	"	batches INTEGER NOT NULL,"
	"	rows INTEGER NOT NULL,"
	"	last_batch_id INTEGER NOT NULL,"
	"	forgotten_to INTEGER NOT NULL)"		/* batches up to here are no longer kept */
	"	STRICT, WITHOUT ROWID;"
	"CREATE TABLE table_counts ("
	"	mirror TEXT NOT NULL,"
	"	destination TEXT NOT NULL,"
	"	inserts INTEGER NOT NULL,"
	"	updates INTEGER NOT NULL,"
	"	deletes INTEGER NOT NULL,"
	"	latest_batch_id INTEGER NOT NULL,"
	"	PRIMARY KEY (mirror, destination)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE logs ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	mirror TEXT NOT NULL,"
	"	level TEXT NOT NULL,"
	"	message TEXT NOT NULL,"
	"	at_us INTEGER NOT NULL) STRICT;"
	"CREATE INDEX logs_mirror ON logs (mirror, id, level);"

	/* ---- settings, tags, alerts, scripts */

	"CREATE TABLE settings ("
	"	name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE tags ("
	"	mirror TEXT NOT NULL REFERENCES mirrors (name) ON DELETE CASCADE,"
	"	key TEXT NOT NULL,"
	"	value TEXT NOT NULL,"
	"	PRIMARY KEY (mirror, key)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE alerts ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	service_type TEXT NOT NULL,"
	"	config BLOB NOT NULL,"			/* sealed */
	"	key_id TEXT NOT NULL,"
	"	mirrors TEXT NOT NULL) STRICT;"		/* JSON array of names */
	"CREATE TABLE scripts ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	name TEXT NOT NULL UNIQUE,"
	"	lang TEXT NOT NULL,"
	"	source BLOB NOT NULL) STRICT;"

	/* ---- views */

#define TIME(column) \
	"CASE WHEN " #column " > 0 THEN " \
	"strftime('%Y-%m-%dT%H:%M:%fZ', " #column " / 1e6, 'unixepoch') END"
#define LSN(column)	"printf('%X/%X', " #column " >> 32, " #column " & 4294967295)"
#define STATUS(column)	"(SELECT s.name FROM status_names s WHERE s.number = " #column ")"

	"CREATE VIEW v_peers AS"
	"	SELECT p.id, p.name, t.name AS type, " TIME(p.created_us) " AS created_at, "
		TIME(p.updated_us) " AS updated_at"
	"	FROM peers p LEFT JOIN peer_type_names t ON t.number = p.type;"

	"CREATE VIEW v_mirrors AS"
	"	SELECT m.id, m.name, m.source, m.destination,"
	"	CASE m.wanted WHEN 1 THEN 'running' WHEN 2 THEN 'paused' ELSE 'dropped' END"
	"	    AS wanted, "
		STATUS(m.status) " AS status, " STATUS(m.phase) " AS phase,"
	"	m.error, m.error_hint AS hint, " LSN(m.checkpoint) " AS checkpoint, m.generation,"
	"	coalesce(b.batches, 0) AS batches, coalesce(b.rows, 0) AS batch_rows, "
		TIME(m.created_us) " AS created_at, " TIME(m.updated_us) " AS updated_at, "
		TIME(m.state_us) " AS state_since"
	"	FROM mirrors m LEFT JOIN batch_totals b ON b.mirror = m.name;"

	"CREATE VIEW v_state_history AS"
	"	SELECT id, mirror, " STATUS(from_status) " AS from_status, "
		STATUS(to_status) " AS to_status, event, error, " TIME(at_us) " AS at"
	"	FROM state_history;"

	"CREATE VIEW v_snapshot_tables AS"
	"	SELECT t.mirror, s.snapshot_id, t.table_index, t.source, t.destination,"
	"	CASE t.state WHEN 0 THEN 'waiting' WHEN 1 THEN 'loading' WHEN 2 THEN 'indexing'"
	"	    WHEN 3 THEN 'done' ELSE 'error' END AS state,"
	"	t.partitions_total, count(p.partition) AS partitions_done, t.rows_estimated,"
	"	coalesce(sum(p.rows), 0) AS rows, coalesce(sum(p.bytes), 0) AS bytes, "
		TIME(min(p.start_us)) " AS started_at,"
	"	CASE WHEN count(p.partition) >= t.partitions_total THEN "
		TIME(max(p.end_us)) " END AS ended_at"
	"	FROM snapshot_tables t JOIN snapshots s ON s.mirror = t.mirror"
	"	LEFT JOIN snapshot_partitions p"
	"	    ON p.mirror = t.mirror AND p.table_index = t.table_index"
	"	GROUP BY t.mirror, t.table_index;"

	"CREATE VIEW v_snapshot_partitions AS"
	"	SELECT p.mirror, s.snapshot_id, p.table_index, t.source, t.destination,"
	"	p.partition, p.range, p.rows, p.bytes, " TIME(p.start_us) " AS started_at, "
		TIME(p.end_us) " AS ended_at"
	"	FROM snapshot_partitions p JOIN snapshots s ON s.mirror = p.mirror"
	"	JOIN snapshot_tables t ON t.mirror = p.mirror AND t.table_index = p.table_index;"

	"CREATE VIEW v_batches AS"
	"	SELECT mirror, batch_id, " LSN(start_lsn) " AS start_lsn, "
		LSN(end_lsn) " AS end_lsn,"
	"	rows, " TIME(start_us) " AS started_at, " TIME(end_us) " AS ended_at"
	"	FROM cdc_batches;"

	"CREATE VIEW v_table_counts AS"
	"	SELECT mirror, destination, inserts, updates, deletes,"
	"	inserts + updates + deletes AS total, latest_batch_id FROM table_counts;"

	"CREATE VIEW v_logs AS"
	"	SELECT id, mirror, level, message, " TIME(at_us) " AS at FROM logs;"

	"CREATE VIEW v_settings AS SELECT name, value FROM settings;"
	"CREATE VIEW v_tags AS SELECT mirror, key, value FROM tags;"
	"CREATE VIEW v_alerts AS SELECT id, service_type, mirrors FROM alerts;"
	"CREATE VIEW v_scripts AS"
	"	SELECT id, name, lang, length(source) AS bytes FROM scripts;";
