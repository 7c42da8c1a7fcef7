/*
 * limits - every ceiling of peerd in one place, each with its reason
 *
 * Anything that grows with what a stranger sends is born with one of these.
 */
#ifndef PEERD_BASE_LIMITS_H
#define PEERD_BASE_LIMITS_H

#define KIB 1024u
#define MIB (1024u * 1024u)

/* One HTTP request body. A mirror of 10,000 tables is under 2 MiB of JSON. */
#define HTTP_BODY_MAX (8 * MIB)

/* One HTTP reply: a worker's largest answer (IPC_FRAME_MAX) grows when written as JSON. */
#define HTTP_REPLY_MAX (64 * MIB)

/* One frame between daemon and worker: a mirror's configuration or a probe's reply. */
#define IPC_FRAME_MAX (16 * MIB)

/* Bytes queued to a worker or to the daemon before the writer stops producing. */
#define IPC_QUEUE_MAX (32 * MIB)

/* Nested JSON: the deepest message of the contract has 8 levels. */
#define JSON_DEPTH_MAX 32

/* Values in one JSON text: cJSON takes 64 bytes for each, however short it is. */
#define JSON_VALUES_MAX 500000u

/* One message of the replication stream; Postgres' own limit for a row is 1 GiB. */
#define WAL_MESSAGE_MAX (1024u * MIB)

/* Payload of one change batch. Two exist (one fills, one is applied), and the
 * worker promises to stay under 64 MiB whatever the size of a transaction. */
#define BATCH_BYTES_MAX (8 * MIB)

/* Changes of one batch: the index arrays grow with it (about 50 bytes a change). */
#define BATCH_CHANGES_MAX 100000u

/* One CopyData message to the destination: rows are gathered up to this. */
#define COPY_CHUNK_BYTES (64 * KIB)

/* Columns of a table: Postgres' MaxHeapAttributeNumber is 1600. */
#define COLUMNS_MAX 1664

/* Longest SQL identifier in bytes, NAMEDATALEN - 1. */
#define IDENT_MAX 63

#endif
