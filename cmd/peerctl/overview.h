/*
 * overview - all mirrors at one look
 *
 * Fetched by one call, shown as a table: a row a mirror, under it what is
 * wrong, and while it loads a bar for each table.
 */
#ifndef PEERD_CMD_PEERCTL_OVERVIEW_H
#define PEERD_CMD_PEERCTL_OVERVIEW_H

#include <stdbool.h>

#include "protos/route.pb-c.h"

struct buf;
struct ctl;
struct err;

bool overview_fetch(struct ctl *ctl, PeerdbRoute__MirrorOverviewResponse **all_r, struct err *err);
void overview_free(PeerdbRoute__MirrorOverviewResponse **all);

/* NULL when there is no such mirror. */
const PeerdbRoute__MirrorOverview *overview_find(const PeerdbRoute__MirrorOverviewResponse *all,
    const char *name);

void overview_print(const PeerdbRoute__MirrorOverviewResponse *all, struct buf *out);

/* A bar a table; nothing for a mirror that is not loading. */
void overview_print_bars(const PeerdbRoute__MirrorOverview *m, struct buf *out);

/* From 0 to 1: by rows where they can be estimated, else by partitions. */
double overview_table_fraction(const PeerdbRoute__TableOverview *t);

/* Rows that the snapshot loaded, of all tables. */
int64_t overview_rows_loaded(const PeerdbRoute__MirrorOverview *m);

/* "RUNNING" */
const char *overview_state(PeerdbFlow__FlowStatus status);

#endif
