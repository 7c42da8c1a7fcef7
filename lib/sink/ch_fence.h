/*
 * ch_fence - a load shuts out inserts of those before it
 *
 * An insert goes by the table's name. One that was held back on its way, by a
 * gateway or in the socket of a server that was stopped, may arrive when the
 * tables have been emptied for another attempt at the load. So each attempt
 * gives its tables a column that only its loaders know, and they name it:
 *
 *	_peerd_load_ATTEMPT_MIRROR UInt8 EPHEMERAL 0
 *
 * Such a column takes a byte a row on the way and none in the table, and no
 * query sees it. An insert that names one that is gone is refused.
 *
 *	ch_fence_raise()	before the table is emptied: ours instead of an earlier one's
 *	ch_fence_look()		a loader that gets to know the table: what to name
 *	ch_fence_tells()	its insert was refused: was that the fence?
 *	ch_fence_lower()	the table is in
 *	ch_fence_forget()	the mirror was dropped, perhaps in the middle of it
 *
 * Tables go without where the server has no such columns, the engine none that
 * can be added, the user no right to ALTER, or the rows are on other nodes (a
 * cluster). An attempt is made known (ch_meta.h) before its fence is raised, and
 * a loader looks for both: no fence tells either such a table or one that is in.
 *
 * Errors: as chclient.h.
 */
#ifndef PEERD_SINK_CH_FENCE_H
#define PEERD_SINK_CH_FENCE_H

#include <stdbool.h>

#include "lib/sink/ch_dest_int.h"

bool ch_fence_raise(struct ch_side *s, struct arena *a, const struct ch_table *ct,
    const char *attempt, struct err *err);

/* column_r: NULL for none. ERR_TRANSIENT when another attempt's is there. */
bool ch_fence_look(const struct ch_side *s, struct arena *a, const struct ch_found_table *found,
    const char *attempt, const char **column_r, struct err *err);

bool ch_fence_tells(const char *column, const struct err *err);
bool ch_fence_lower(struct ch_side *s, const struct ch_table *ct, const char *column,
    struct err *err);
bool ch_fence_forget(struct ch_side *s, struct err *err);

#endif
