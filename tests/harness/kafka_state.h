/*
 * kafka_state - tables rebuilt from topics
 *
 * A consumer that knows of peerd what docs/kafka.md says. Records in plain-json
 * that kcat has read (kafka.h) are put into a Postgres database and folded, by
 * SQL, into the rows that they leave. Views, called as the tables of the source,
 * show these rows, so that whatever asks the source can ask here too.
 *
 *	kafka_state_init()	in an empty database
 *	kafka_state_add()	records, in any order of topics; of the stream only
 *				when the snapshot is there
 *	kafka_state_fold()	those since the last time; NULL, or what is wrong:
 *				an id seen twice, more deletes than inserts
 *	kafka_state_disorder()	NULL, or records of a partition that are not in the
 *				order of the source's commits
 *	kafka_state_forget()	for another mirror
 *
 * Rows of a snapshot that was given up do not count. Tables without key need
 * PEERD_KAFKA_KEYLESS = hash; TRUNCATE must be among PEERD_KAFKA_CONTROL.
 */
#ifndef PEERD_HARNESS_KAFKA_STATE_H
#define PEERD_HARNESS_KAFKA_STATE_H

#include <libpq-fe.h>

struct kafka_records;

/* tables: names in schema public of the source, NULL-terminated. */
void kafka_state_init(PGconn *here, PGconn *source, const char *const *tables);

void kafka_state_add(PGconn *here, const char *topic, const struct kafka_records *rs);
const char *kafka_state_fold(PGconn *here);
const char *kafka_state_disorder(PGconn *here);
void kafka_state_forget(PGconn *here);

#endif
