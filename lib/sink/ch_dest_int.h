/*
 * ch_dest_int - what the files of a ClickHouse destination share
 *
 *	ch_dest.c	the handle and its calls (dest.h)
 *	ch_dest_check.c	will a mirror work? names, rights, tables
 *	ch_dest_table.c	tables of a mirror as the server has them
 *	ch_dest_swap.c	the end of a resync
 *	ch_fence.c	loaders of an abandoned load are shut out
 *	ch_load.c	rows of a snapshot (loader.h)
 *	ch_chunks.c	and how they are sent
 *	ch_sink.c ...	changes (sink.h)
 *
 * They put together what chclient.h, ch_ddl.h, ch_encode.h and ch_meta.h do.
 */
#ifndef PEERD_SINK_CH_DEST_INT_H
#define PEERD_SINK_CH_DEST_INT_H

#include <stdbool.h>

#include "lib/conn/chclient.h"
#include "lib/sink/ch_ddl.h"
#include "lib/sink/ch_meta.h"
#include "lib/sink/ch_types.h"
#include "lib/sink/dest.h"
#include "lib/types/ident.h"

/* ---- ch_dest_table.c */

/*
 * A connection and what a mirror's tables there are made with. opt is not
 * looked at before ch_side_options().
 */
struct ch_side {
	struct chclient *c;
	const PeerdbPeers__ClickhouseConfig *peer;
	const PeerdbFlow__FlowConnectionConfigs *mirror;
	struct ch_options opt;
};

bool ch_side_options(struct ch_side *s, struct err *err);
struct ch_place ch_side_place(const struct ch_side *s);

/* A table's name there; to holds CH_NAME_MAX + 1 bytes. */
bool ch_side_name(const struct table_ident *ident, char *to, struct err *err);

/* As the mirror wants it. Everything is in a, or the side's. */
bool ch_side_table(struct ch_side *s, struct arena *a, const struct table *t,
    struct ch_table **ct_r, struct err *err);

/* As the server has it. found_r: NULL when it is not there. */
bool ch_side_find(struct ch_side *s, struct arena *a, const struct ch_table *ct,
    const struct ch_found_table **found_r, struct err *err);

/*
 * Both: the types that values are encoded for are those the table has, whoever
 * made it. ERR_CONFIG when it is not there or does not suit.
 */
bool ch_side_bind(struct ch_side *s, struct arena *a, const struct table *t, struct ch_table **ct_r,
    struct err *err);
bool ch_side_bind_found(struct ch_side *s, struct arena *a, const struct table *t,
    struct ch_table **ct_r, const struct ch_found_table **found_r, struct err *err);

/* What an insert of the table's rows needs besides its statement; how many there are. */
#define CH_INSERT_SETTINGS_MAX 3
size_t ch_insert_settings(const struct ch_table *ct, struct ch_setting *to);

bool ch_side_run(struct ch_side *s, const struct ch_statements *list, struct err *err);

/* ---- ch_dest_swap.c: see dest.h */

bool ch_side_discard(struct ch_side *s, const struct ch_meta *m, const struct table_ident *name,
    struct err *err);
bool ch_side_swap(struct ch_side *s, struct ch_meta *m, struct dest_tables tables, struct err *err);

/* Of a table that is to be loaded, the one whose place it takes; found_r: NULL for none. */
bool ch_side_replaced(struct ch_side *s, struct arena *a, const struct ch_table *loaded,
    struct ch_table **ct_r, const struct ch_found_table **found_r, struct err *err);

/* done_r: false when it is to be made as the mirror wants it. */
bool ch_side_create_like_replaced(struct ch_side *s, const struct ch_meta *m, struct arena *a,
    const struct ch_table *loaded, bool *done_r, struct err *err);

/* ---- ch_dest_check.c */

bool ch_dest_check_name(const struct table_ident *name, struct err *err);

/* again: see dest.h. */
bool ch_dest_check_tables(struct ch_side *s, struct dest_tables tables, bool again,
    struct err *err);

/* ---- ch_load.c */

#define CH_ANOTHER_ATTEMPT "another attempt at the snapshot has begun"

bool ch_loader_open(const struct loader_config *cfg, struct loader **l_r, struct err *err);

#endif
