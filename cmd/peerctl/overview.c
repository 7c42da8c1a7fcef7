#include "cmd/peerctl/overview.h"

#include "cmd/peerctl/ctl.h"
#include "cmd/peerctl/text.h"
#include "lib/base/buf.h"
#include "lib/wire/pbjson.h"

bool
overview_fetch(struct ctl *ctl, PeerdbRoute__MirrorOverviewResponse **all_r, struct err *err)
{
	return ctl_get(ctl, "/mirrors/overview",
	    &peerdb_route__mirror_overview_response__descriptor, all_r, err);
}

void
overview_free(PeerdbRoute__MirrorOverviewResponse **all)
{
	if (*all != NULL)
		protobuf_c_message_free_unpacked(&(*all)->base, NULL);
	*all = NULL;
}

const PeerdbRoute__MirrorOverview *
overview_find(const PeerdbRoute__MirrorOverviewResponse *all, const char *name)
{
	for (size_t i = 0; i < all->n_mirrors; i++)
		if (strcmp(all->mirrors[i]->name, name) == 0)
			return all->mirrors[i];
	return NULL;
}

const char *
overview_state(PeerdbFlow__FlowStatus status)
{
	return pbjson_enum_name(&peerdb_flow__flow_status__descriptor, status) + strlen("STATUS_");
}

int64_t
overview_rows_loaded(const PeerdbRoute__MirrorOverview *m)
{
	int64_t n = 0;

	for (size_t i = 0; i < m->n_tables; i++)
		n += m->tables[i]->rows_loaded;
	return n;
}

double
overview_table_fraction(const PeerdbRoute__TableOverview *t)
{
	double done = 0;

	if (t->partitions_total > 0 && t->partitions_completed >= t->partitions_total)
		return 1;
	if (t->rows_estimated > 0)
		done = (double)t->rows_loaded / (double)t->rows_estimated;
	else if (t->partitions_total > 0)
		done = (double)t->partitions_completed / t->partitions_total;
	return done > 0.99 ? 0.99 : done; /* estimates are not to end it */
}

static void
add_progress(const PeerdbRoute__TableOverview *t, int width, struct buf *out)
{
	double done = overview_table_fraction(t);
	char loaded[TEXT_NUMBER], estimated[TEXT_NUMBER];
	int pad = width - (int)text_width(t->source_table);

	buf_printf(out, "  %s%*s  ", t->source_table, pad > 0 ? pad : 0, "");
	text_add_bar(out, done);
	buf_printf(out, " %3d%%  %s", (int)(done * 100), text_count(t->rows_loaded, loaded));
	if (t->rows_estimated >= 0 && done < 1)
		buf_printf(out, " of about %s", text_count(t->rows_estimated, estimated));
	buf_str_add(out, " rows");
	if (t->partitions_total > 0)
		buf_printf(out, ", %d of %d parts", (int)t->partitions_completed,
		    (int)t->partitions_total);
}

static int
widest_table(const PeerdbRoute__MirrorOverview *m)
{
	size_t width = 0;

	for (size_t i = 0; i < m->n_tables; i++) {
		size_t n = text_width(m->tables[i]->source_table);

		width = n > width ? n : width;
	}
	return (int)width;
}

void
overview_print_bars(const PeerdbRoute__MirrorOverview *m, struct buf *out)
{
	int width = widest_table(m);

	if (m->status != PEERDB_FLOW__FLOW_STATUS__STATUS_SNAPSHOT)
		return;
	for (size_t i = 0; i < m->n_tables; i++) {
		add_progress(m->tables[i], width, out);
		buf_char(out, '\n');
	}
}

static void
add_bars(struct table *t, const PeerdbRoute__MirrorOverview *m)
{
	int width = widest_table(m);
	struct buf line;

	if (m->status != PEERDB_FLOW__FLOW_STATUS__STATUS_SNAPSHOT)
		return;
	buf_init(&line, 4096);
	for (size_t i = 0; i < m->n_tables; i++) {
		buf_reset(&line);
		add_progress(m->tables[i], width, &line);
		table_note(t, "%s", buf_str(&line));
	}
	buf_done(&line);
}

static void
add_troubles(struct table *t, const PeerdbRoute__MirrorOverview *m)
{
	if (m->error_message[0] != '\0')
		table_note(t, "  error: %s", m->error_message);
	if (m->error_hint[0] != '\0')
		table_note(t, "  hint: %s", m->error_hint);
	for (size_t i = 0; i < m->n_tables; i++)
		if (m->tables[i]->error[0] != '\0')
			table_note(t, "  %s: error: %s", m->tables[i]->source_table,
			    m->tables[i]->error);
}

static void
add_mirror(struct table *t, const PeerdbRoute__MirrorOverview *m)
{
	char n[TEXT_NUMBER];

	table_cell(t, "%s", m->name);
	table_cell(t, "%s", overview_state(m->status));
	table_cell(t, "%s -> %s", m->source_name, m->destination_name);
	table_cell(t, "%s", text_bytes(m->lag_bytes, n));
	table_cell(t, "%s", text_duration(m->lag_ms, n));
	table_cell(t, "%s", text_count((int64_t)(m->rows_per_second + 0.5), n));
	table_cell(t, "%s", text_count(overview_rows_loaded(m) + m->rows_synced, n));
	add_troubles(t, m);
	add_bars(t, m);
}

void
overview_print(const PeerdbRoute__MirrorOverviewResponse *all, struct buf *out)
{
	static const char *const heads[] = { "MIRROR", "STATE", "SOURCE -> DESTINATION", "LAG",
		"BEHIND", "ROWS/S", "ROWS" };
	struct table *t;

	if (all->n_mirrors == 0) {
		buf_str_add(out, "no mirrors\n");
		return;
	}
	t = table_new("lllrrrr", heads);
	for (size_t i = 0; i < all->n_mirrors; i++)
		add_mirror(t, all->mirrors[i]);
	table_print(t, out);
	table_free(&t);
}
