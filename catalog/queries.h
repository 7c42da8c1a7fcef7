/*
 * queries - every statement of the SQLite backend, by name
 *
 * Parameters are bound in the order of their numbers (or question marks). The
 * whole list is prepared when the catalog opens, so a text that does not fit
 * the schema shows at the first start and not in the middle of the night.
 */
#ifndef PEERD_CATALOG_QUERIES_H
#define PEERD_CATALOG_QUERIES_H

/* the mirror's history keeps about this many changes of state */
#define STATE_HISTORY_KEPT "1000"

#define CATALOG_QUERIES(X)                                                                         \
	/* names of numbers */                                                                     \
	X(STATUS_NAME, "INSERT OR REPLACE INTO status_names VALUES (?, ?)")                        \
	X(PEER_TYPE_NAME, "INSERT OR REPLACE INTO peer_type_names VALUES (?, ?)")                  \
	X(SEALED_COUNT, "SELECT (SELECT count(*) FROM peers) + (SELECT count(*) FROM alerts)")     \
	/* peers */                                                                                \
	X(PEERS,                                                                                   \
	    "SELECT id, name, type, config, key_id, created_us, updated_us"                        \
	    " FROM peers ORDER BY name")                                                           \
	X(PEER_INSERT,                                                                             \
	    "INSERT INTO peers (name, type, config, key_id, created_us, updated_us)"               \
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?5)")                                                    \
	X(PEER_UPDATE,                                                                             \
	    "UPDATE peers SET type = ?2, config = ?3, key_id = ?4, updated_us = ?5"                \
	    " WHERE name = ?1")                                                                    \
	X(PEER_RESEAL,                                                                             \
	    "UPDATE peers SET config = ?2, key_id = ?3 WHERE name = ?1 AND key_id <> ?3")          \
	X(PEER_DELETE, "DELETE FROM peers WHERE name = ?")                                         \
	X(PEER_EXISTS, "SELECT 1 FROM peers WHERE name = ?")                                       \
	X(PEER_USERS,                                                                              \
	    "SELECT name FROM mirrors WHERE source = ?1 OR destination = ?1 ORDER BY name")        \
	/* mirrors */                                                                              \
	X(MIRRORS,                                                                                 \
	    "SELECT m.id, m.name, m.source, m.destination, m.config, m.tables, m.wanted,"          \
	    " m.status, m.phase, m.drop_stats, m.skip_destination_drop, m.error_code,"             \
	    " m.error, m.error_hint, m.generation, coalesce(b.last_batch_id, 0) + 1,"              \
	    " m.checkpoint, m.created_us, m.updated_us, m.state_us"                                \
	    " FROM mirrors m LEFT JOIN batch_totals b ON b.mirror = m.name ORDER BY m.name")       \
	X(MIRROR_INSERT,                                                                           \
	    "INSERT INTO mirrors (name, source, destination, config, tables, wanted, status,"      \
	    " phase, drop_stats, skip_destination_drop, error_code, error, error_hint,"            \
	    " created_us, updated_us, state_us)"                                                   \
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?14)")     \
	X(MIRROR_CONFIG, "UPDATE mirrors SET config = ?2, updated_us = ?3 WHERE name = ?1")        \
	X(MIRROR_TABLES, "UPDATE mirrors SET tables = ?2, updated_us = ?3 WHERE name = ?1")        \
	X(MIRROR_STATUS, "SELECT status FROM mirrors WHERE name = ?")                              \
	X(MIRROR_STATE,                                                                            \
	    "UPDATE mirrors SET wanted = ?2, phase = ?4, drop_stats = ?5,"                         \
	    " skip_destination_drop = ?6, error_code = ?7, error = ?8, error_hint = ?9,"           \
	    " state_us = CASE WHEN status = ?3 THEN state_us ELSE ?10 END,"                        \
	    " status = ?3, updated_us = ?10 WHERE name = ?1")                                      \
	X(MIRROR_ERROR,                                                                            \
	    "UPDATE mirrors SET error_code = ?2, error = ?3, error_hint = ?4 WHERE name = ?1")     \
	X(MIRROR_GENERATION_GET, "SELECT generation FROM mirrors WHERE name = ?")                  \
	X(MIRROR_GENERATION, "UPDATE mirrors SET generation = ?2 WHERE name = ?1")                 \
	X(MIRROR_CHECKPOINT,                                                                       \
	    "UPDATE mirrors SET checkpoint = max(checkpoint, ?2) WHERE name = ?1")                 \
	X(MIRROR_DELETE, "DELETE FROM mirrors WHERE name = ?")                                     \
	X(HISTORY_ADD,                                                                             \
	    "INSERT INTO state_history (mirror, from_status, to_status, event, error, at_us)"      \
	    " VALUES (?, ?, ?, ?, ?, ?)")                                                          \
	X(HISTORY_PRUNE,                                                                           \
	    "DELETE FROM state_history WHERE mirror = ?1 AND id <= (SELECT id"                     \
	    " FROM state_history WHERE mirror = ?1 ORDER BY id DESC"                               \
	    " LIMIT 1 OFFSET " STATE_HISTORY_KEPT ")")                                             \
	X(HISTORY_FORGET, "DELETE FROM state_history WHERE mirror = ?")                            \
	X(HISTORY,                                                                                 \
	    "SELECT id, from_status, to_status, event, error, at_us FROM state_history"            \
	    " WHERE mirror = ? ORDER BY id DESC LIMIT ?")                                          \
	/* snapshot ledger */                                                                      \
	X(LOAD_ID, "SELECT snapshot_id FROM snapshots WHERE mirror = ?")                           \
	X(LOAD_FORGET, "DELETE FROM snapshots WHERE mirror = ?")                                   \
	X(LOAD_PLAN, "INSERT INTO snapshots VALUES (?, ?, ?)")                                     \
	X(LOAD_TABLE, "INSERT INTO snapshot_tables VALUES (?, ?, ?, ?, ?, ?, ?)")                  \
	X(LOAD_PARTITION,                                                                          \
	    "INSERT INTO snapshot_partitions VALUES (?, ?, ?, ?, ?, ?, ?, ?)"                      \
	    " ON CONFLICT DO NOTHING")                                                             \
	X(LOAD_STATE, "UPDATE snapshot_tables SET state = ?3 WHERE mirror = ?1 AND source = ?2")   \
	X(LOAD_TABLES,                                                                             \
	    "SELECT t.table_index, t.source, t.destination, t.partitions_total,"                   \
	    " t.rows_estimated, t.state, count(p.partition), total(p.rows), total(p.bytes),"       \
	    " coalesce(min(p.start_us), 0), coalesce(max(p.end_us), 0),"                           \
	    " total(p.end_us - p.start_us)"                                                        \
	    " FROM snapshot_tables t LEFT JOIN snapshot_partitions p"                              \
	    " ON p.mirror = t.mirror AND p.table_index = t.table_index"                            \
	    " WHERE t.mirror = ? GROUP BY t.table_index ORDER BY t.table_index")                   \
	X(LOAD_PARTITIONS,                                                                         \
	    "SELECT table_index, partition, rows, bytes, start_us, end_us, range"                  \
	    " FROM snapshot_partitions WHERE mirror = ? ORDER BY table_index, partition")          \
	/* batches and counts */                                                                   \
	X(BATCH_ADD,                                                                               \
	    "INSERT INTO cdc_batches SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS"           \
	    " (SELECT 1 FROM batch_totals WHERE mirror = ?1 AND forgotten_to >= ?2)"               \
	    " ON CONFLICT DO NOTHING")                                                             \
	X(BATCH_TOTAL,                                                                             \
	    "INSERT INTO batch_totals VALUES (?1, 1, ?3, ?2, 0) ON CONFLICT (mirror)"              \
	    " DO UPDATE SET batches = batches + 1, rows = rows + ?3,"                              \
	    " last_batch_id = max(last_batch_id, ?2)")                                             \
	X(BATCH_COUNT,                                                                             \
	    "INSERT INTO table_counts VALUES (?1, ?2, ?3, ?4, ?5, ?6)"                             \
	    " ON CONFLICT (mirror, destination) DO UPDATE SET inserts = inserts + ?3,"             \
	    " updates = updates + ?4, deletes = deletes + ?5,"                                     \
	    " latest_batch_id = max(latest_batch_id, ?6)")                                         \
	X(BATCH_PRUNE, "DELETE FROM cdc_batches WHERE mirror = ? AND batch_id <= ?")               \
	X(BATCH_PRUNED,                                                                            \
	    "UPDATE batch_totals SET forgotten_to = max(forgotten_to, ?2) WHERE mirror = ?1")      \
	X(BATCHES_DOWN,                                                                            \
	    "SELECT batch_id, start_lsn, end_lsn, rows, start_us, end_us FROM cdc_batches"         \
	    " WHERE mirror = ? AND batch_id < ? AND batch_id > ?"                                  \
	    " ORDER BY batch_id DESC LIMIT ?")                                                     \
	X(BATCHES_UP,                                                                              \
	    "SELECT batch_id, start_lsn, end_lsn, rows, start_us, end_us FROM cdc_batches"         \
	    " WHERE mirror = ? AND batch_id < ? AND batch_id > ?"                                  \
	    " ORDER BY batch_id LIMIT ?")                                                          \
	X(BATCHES_PAGE,                                                                            \
	    "SELECT count(*), total(batch_id < ?2), total(batch_id > ?2) FROM cdc_batches"         \
	    " WHERE mirror = ?1")                                                                  \
	X(BATCHES_FORGET, "DELETE FROM cdc_batches WHERE mirror = ?")                              \
	X(TOTALS_FORGET, "DELETE FROM batch_totals WHERE mirror = ?")                              \
	X(COUNTS_FORGET, "DELETE FROM table_counts WHERE mirror = ?")                              \
	X(COUNTS,                                                                                  \
	    "SELECT destination, inserts, updates, deletes, latest_batch_id"                       \
	    " FROM table_counts WHERE mirror = ? ORDER BY destination")                            \
	X(TOTALS,                                                                                  \
	    "SELECT (SELECT batches FROM batch_totals WHERE mirror = ?1),"                         \
	    " (SELECT rows FROM batch_totals WHERE mirror = ?1),"                                  \
	    " (SELECT total(inserts) FROM table_counts WHERE mirror = ?1),"                        \
	    " (SELECT total(updates) FROM table_counts WHERE mirror = ?1),"                        \
	    " (SELECT total(deletes) FROM table_counts WHERE mirror = ?1),"                        \
	    " (SELECT total(rows) FROM snapshot_partitions WHERE mirror = ?1)")                    \
	/* logs */                                                                                 \
	X(LOG_ADD, "INSERT INTO logs (mirror, level, message, at_us) VALUES (?, ?, ?, ?)")         \
	X(LOG_PRUNE,                                                                               \
	    "DELETE FROM logs WHERE mirror = ?1 AND id <= (SELECT id FROM logs"                    \
	    " WHERE mirror = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)")                              \
	X(LOGS_DOWN,                                                                               \
	    "SELECT id, mirror, level, message, at_us FROM logs"                                   \
	    " WHERE (?1 = '' OR instr(mirror, ?1) > 0) AND (?2 = '' OR level = ?2)"                \
	    " AND id < ?3 AND id > ?4 ORDER BY id DESC LIMIT ?5")                                  \
	X(LOGS_UP,                                                                                 \
	    "SELECT id, mirror, level, message, at_us FROM logs"                                   \
	    " WHERE (?1 = '' OR instr(mirror, ?1) > 0) AND (?2 = '' OR level = ?2)"                \
	    " AND id < ?3 AND id > ?4 ORDER BY id LIMIT ?5")                                       \
	X(LOGS_PAGE,                                                                               \
	    "SELECT count(*), total(id < ?3), total(id > ?3) FROM logs"                            \
	    " WHERE (?1 = '' OR instr(mirror, ?1) > 0) AND (?2 = '' OR level = ?2)")               \
	X(LOGS_FORGET, "DELETE FROM logs WHERE mirror = ?")                                        \
	/* settings, tags, alerts, scripts */                                                      \
	X(SETTINGS, "SELECT name, value FROM settings ORDER BY name")                              \
	X(SETTING_SET, "INSERT OR REPLACE INTO settings VALUES (?, ?)")                            \
	X(SETTING_CLEAR, "DELETE FROM settings WHERE name = ?")                                    \
	X(TAGS, "SELECT key, value FROM tags WHERE mirror = ? ORDER BY key")                       \
	X(TAGS_FORGET, "DELETE FROM tags WHERE mirror = ?")                                        \
	X(TAG_SET, "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)")                                 \
	X(ALERTS, "SELECT id, service_type, config, key_id, mirrors FROM alerts ORDER BY id")      \
	X(ALERT_INSERT,                                                                            \
	    "INSERT INTO alerts (service_type, config, key_id, mirrors) VALUES ('', x'', '', '')") \
	X(ALERT_UPDATE,                                                                            \
	    "UPDATE alerts SET service_type = ?2, config = ?3, key_id = ?4, mirrors = ?5"          \
	    " WHERE id = ?1")                                                                      \
	X(ALERT_RESEAL,                                                                            \
	    "UPDATE alerts SET config = ?2, key_id = ?3 WHERE id = ?1 AND key_id <> ?3")           \
	X(ALERT_DELETE, "DELETE FROM alerts WHERE id = ?")                                         \
	X(SCRIPTS, "SELECT id, name, lang, source FROM scripts ORDER BY name")                     \
	X(SCRIPT_INSERT, "INSERT INTO scripts (name, lang, source) VALUES (?, ?, ?)")              \
	X(SCRIPT_UPDATE, "UPDATE scripts SET name = ?2, lang = ?3, source = ?4 WHERE id = ?1")     \
	X(SCRIPT_DELETE, "DELETE FROM scripts WHERE id = ?")

#endif
