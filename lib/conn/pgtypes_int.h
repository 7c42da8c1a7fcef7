/*
 * pgtypes_int - inside pgtypes: what a type is, how each kind is made
 *
 * pgtypes.c walks from columns to types; pgtypes_kinds.c looks at one type on
 * both sides; pgtypes_sql.c only writes statements, from plain values.
 */
#ifndef PEERD_CONN_PGTYPES_INT_H
#define PEERD_CONN_PGTYPES_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/conn/pgtypes.h"

struct arena;
struct buf;

/* Everything below is made by initdb and has the same name on every server. */
#define PGTYPES_FIRST_USER_OID 16384u

struct pgtype {
	uint32_t oid; /* on the source */
	char kind;    /* pg_type.typtype: b c d e m r */
	const char *schema;
	const char *name;
	uint32_t part;	       /* the type it is made of: element, base, range; or 0 */
	uint32_t relid;	       /* of a composite's attributes */
	bool of_table;	       /* the row type of a table or view */
	const char *extension; /* "" when it belongs to none */
	const char *extension_schema;
};

struct pgtypes_walk {
	struct pgconn *src;
	struct pgconn *dst;
	PeerdWorker__MirrorTable *const *tables;
	size_t ntables;
	struct arena *a; /* request: of one copy */
	uint32_t *seen;
	size_t nseen;
	size_t seen_room;
};

/* A list of texts: enum labels, or pairs flattened. */
struct pgtypes_list {
	const char **v;
	size_t n;
};

struct pgtypes_domain {
	const char *base;
	const char *collation;	  /* qualified, or "" */
	const char *default_expr; /* or "" */
	bool not_null;
	struct pgtypes_list checks; /* name, definition, name, definition ... */
};

struct pgtypes_range {
	const char *subtype;
	const char *opclass; /* qualified, or "" for the subtype's default */
	const char *collation;
	const char *diff;
	const char *multirange_schema; /* "" before Postgres 14 */
	const char *multirange;
};

/* ---- pgtypes.c */

bool pgtypes_ensure(struct pgtypes_walk *w, uint32_t oid, struct err *err);

/* ---- pgtypes_kinds.c: make the type exist on the destination */

bool pgtypes_make_enum(struct pgtypes_walk *w, const struct pgtype *t, struct err *err);
bool pgtypes_make_domain(struct pgtypes_walk *w, const struct pgtype *t, struct err *err);
bool pgtypes_make_composite(struct pgtypes_walk *w, const struct pgtype *t, struct err *err);
bool pgtypes_make_range(struct pgtypes_walk *w, const struct pgtype *t, struct err *err);
bool pgtypes_make_extension(struct pgtypes_walk *w, const struct pgtype *t, struct err *err);

/* ---- pgtypes_sql.c */

void pgtypes_sql_enum(struct buf *sql, const struct pgtype *t, const struct pgtypes_list *labels);

/* Add the labels of want that have lacks, each where it belongs; nothing when none is missing. */
void pgtypes_sql_enum_add(struct buf *sql, const struct pgtype *t, const struct pgtypes_list *want,
    const struct pgtypes_list *have);
void pgtypes_sql_domain(struct buf *sql, const struct pgtype *t, const struct pgtypes_domain *d);

/* attrs: name, type, collation ("" for the type's own), name ... */
void pgtypes_sql_composite(struct buf *sql, const struct pgtype *t,
    const struct pgtypes_list *attrs);
void pgtypes_sql_range(struct buf *sql, const struct pgtype *t, const struct pgtypes_range *r);

#endif
