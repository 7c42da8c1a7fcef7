/*
 * mirror - peers and mirrors made through the API
 *
 * Each call fails the test when peerd refuses; tests of refusals use api_post()
 * with the bodies made here. `tables` is a comma-separated list of schema.table
 * names, each mirrored to its own name, or "a:b" for another name there; a text
 * that starts with "[" is the JSON array itself (see mapping()).
 * `options` is JSON text of further fields ("'resync': true"), or NULL.
 */
#ifndef PEERD_HARNESS_MIRROR_H
#define PEERD_HARNESS_MIRROR_H

#include <stdbool.h>

struct cluster;

#define MIRROR_WAIT_MS 60000

/* The body of peers/create for a cluster; host may be NULL for "localhost". */
char *peer_body(const char *name, const struct cluster *c, const char *database, const char *host);
void peer_create(const char *name, const struct cluster *c, const char *database);

/* One element of table_mappings; the identifiers may hold anything. */
char *mapping(const char *source, const char *destination);

/* The body of flows/cdc/create from peer "src" to peer "dst". */
char *mirror_body(const char *name, const char *tables, const char *options);
void mirror_create(const char *name, const char *tables, const char *options);

/* Create and wait until it runs. */
void mirror_run(const char *name, const char *tables, const char *options);

char *mirror_state(const char *name);  /* STATUS_UNKNOWN when there is none */
char *mirror_errors(const char *name); /* its newest errors, "; " between; "" for none */
void mirror_wait(const char *name, const char *state);
void mirror_change(const char *name, const char *state); /* state_change, and wait for it */
void mirror_drop(const char *name);			 /* terminate, wait until it is gone */

#endif
