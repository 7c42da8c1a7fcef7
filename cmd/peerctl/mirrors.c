/*
 * mirrors - peerctl mirrors ..., except create
 */
#include "cmd/peerctl/args.h"
#include "cmd/peerctl/client.h"
#include "cmd/peerctl/ctl.h"
#include "cmd/peerctl/overview.h"
#include "cmd/peerctl/text.h"
#include "cmd/peerctl/wait.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "lib/wire/rfc3339.h"

#define LOG_LINES     50
#define BATCHES_SHOWN 5

static char *
name_of(const struct args *a)
{
	return (char *)(uintptr_t)a->words[0];
}

static const char *
time_from_ms(double ms, char to[RFC3339_SIZE])
{
	rfc3339_print((int64_t)(ms / 1000), 0, to);
	return to;
}

/* ---- list ------------------------------------------------------------------ */

int
run_mirrors_list(struct ctl *ctl, const struct args *a)
{
	static const char *const heads[] = { "MIRROR", "STATE", "SOURCE", "DESTINATION",
		"CREATED" };
	PeerdbRoute__ListMirrorsResponse *all = NULL;
	struct err err = ERR_INIT;
	char created[RFC3339_SIZE];
	struct table *t;

	if (!ctl_get(ctl, "/mirrors/list", &peerdb_route__list_mirrors_response__descriptor, &all,
		&err))
		return ctl_refused(ctl, &err);
	t = table_new("lllll", heads);
	for (size_t i = 0; i < all->n_mirrors; i++) {
		const PeerdbRoute__ListMirrorsItem *m = all->mirrors[i];

		table_cell(t, "%s", m->name);
		table_cell(t, "%s", overview_state(m->status));
		table_cell(t, "%s", m->source_name);
		table_cell(t, "%s", m->destination_name);
		table_cell(t, "%s", time_from_ms(m->created_at, created));
	}
	ctl_show_table(ctl, t, all->n_mirrors == 0 ? "no mirrors" : NULL);
	table_free(&t);
	protobuf_c_message_free_unpacked(&all->base, NULL);
	return CTL_DONE;
}

/* ---- status ---------------------------------------------------------------- */

static void
add_fact(struct buf *out, const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	buf_printf(out, "  %-12s ", name);
	text_add_clean(out, value);
	buf_char(out, '\n');
}

static void
add_facts(const PeerdbRoute__MirrorOverview *m, struct buf *out)
{
	char a[TEXT_NUMBER], b[TEXT_NUMBER], c[TEXT_NUMBER], line[6 * TEXT_NUMBER];

	buf_printf(out, "%s: %s\n", m->name, overview_state(m->status));
	add_fact(out, "source", m->source_name);
	add_fact(out, "destination", m->destination_name);
	snprintf(line, sizeof(line), "%s, %s", text_bytes(m->lag_bytes, a),
	    text_duration(m->lag_ms, b));
	add_fact(out, "lag", line);
	snprintf(line, sizeof(line), "%s loaded, %s streamed, %s a second",
	    text_count(overview_rows_loaded(m), a), text_count(m->rows_synced, b),
	    text_count((int64_t)(m->rows_per_second + 0.5), c));
	add_fact(out, "rows", line);
	add_fact(out, "received", m->received_lsn);
	add_fact(out, "confirmed", m->confirmed_lsn);
	if (m->worker_pid > 0) {
		snprintf(line, sizeof(line), "pid %d", (int)m->worker_pid);
		add_fact(out, "worker", line);
	}
	add_fact(out, "error", m->error_message);
	add_fact(out, "hint", m->error_hint);
}

static void
add_tables(const PeerdbRoute__MirrorOverview *m, struct buf *out)
{
	static const char *const heads[] = { "TABLE", "DESTINATION", "STATE", "LOADED", "PARTS" };
	struct table *t = table_new("lllrr", heads);
	char n[TEXT_NUMBER];

	for (size_t i = 0; i < m->n_tables; i++) {
		const PeerdbRoute__TableOverview *table = m->tables[i];

		table_cell(t, "%s", table->source_table);
		table_cell(t, "%s", table->destination_table);
		table_cell(t, "%s", table->state);
		table_cell(t, "%s", text_count(table->rows_loaded, n));
		table_cell(t, "%d/%d", (int)table->partitions_completed,
		    (int)table->partitions_total);
		if (table->error[0] != '\0')
			table_note(t, "  error: %s", table->error);
	}
	buf_char(out, '\n');
	table_print(t, out);
	table_free(&t);
}

static void
add_batches(const PeerdbRoute__MirrorStatusResponse *s, struct buf *out)
{
	static const char *const heads[] = { "BATCH", "ROWS", "ENDED" };
	struct table *t;
	char n[TEXT_NUMBER], ended[RFC3339_SIZE];

	if (s->status_case != PEERDB_ROUTE__MIRROR_STATUS_RESPONSE__STATUS_CDC_STATUS ||
	    s->cdc_status->n_cdc_batches == 0)
		return;
	t = table_new("rrl", heads);
	for (size_t i = 0; i < s->cdc_status->n_cdc_batches && i < BATCHES_SHOWN; i++) {
		const PeerdbRoute__CDCBatch *b = s->cdc_status->cdc_batches[i];

		if (b->end_time != NULL)
			rfc3339_print(b->end_time->seconds, b->end_time->nanos, ended);
		table_cell(t, "%lld", (long long)b->batch_id);
		table_cell(t, "%s", text_count(b->num_rows, n));
		table_cell(t, "%s", b->end_time != NULL ? ended : "running");
	}
	buf_char(out, '\n');
	table_print(t, out);
	table_free(&t);
}

static int
show_status(struct ctl *ctl, const char *name, const PeerdbRoute__MirrorStatusResponse *s)
{
	PeerdbRoute__MirrorOverviewResponse *all = NULL;
	const PeerdbRoute__MirrorOverview *m;
	struct err err = ERR_INIT;
	struct buf out;

	if (!overview_fetch(ctl, &all, &err))
		return ctl_refused(ctl, &err);
	buf_init(&out, 16 * MIB);
	m = overview_find(all, name);
	if (m != NULL) {
		add_facts(m, &out);
		overview_print_bars(m, &out);
		add_tables(m, &out);
	} else {
		buf_printf(&out, "%s: %s\n", name, overview_state(s->current_flow_state));
	}
	add_batches(s, &out);
	fputs(buf_str(&out), stdout);
	buf_done(&out);
	overview_free(&all);
	return CTL_DONE;
}

int
run_mirrors_status(struct ctl *ctl, const struct args *a)
{
	PeerdbRoute__MirrorStatusRequest req = PEERDB_ROUTE__MIRROR_STATUS_REQUEST__INIT;
	PeerdbRoute__MirrorStatusResponse *s = NULL;
	struct err err = ERR_INIT;
	int code = CTL_DONE;

	req.flow_job_name = name_of(a);
	req.has_include_flow_info = req.include_flow_info = true;
	if (!ctl_post(ctl, "/mirrors/status", &req.base,
		&peerdb_route__mirror_status_response__descriptor, &s, &err))
		return ctl_refused(ctl, &err);
	if (ctl->json)
		ctl_print_answer(ctl);
	else
		code = show_status(ctl, a->words[0], s);
	protobuf_c_message_free_unpacked(&s->base, NULL);
	return code;
}

/* ---- pause, resume, resync, drop --------------------------------------------------- */

static int
change_state(struct ctl *ctl, const struct args *a, PeerdbFlow__FlowStatus state,
    const struct wait_goal *goal, const char *what)
{
	PeerdbRoute__FlowStateChangeRequest req = PEERDB_ROUTE__FLOW_STATE_CHANGE_REQUEST__INIT;
	struct err err = ERR_INIT;

	req.flow_job_name = name_of(a);
	req.has_requested_flow_state = true;
	req.requested_flow_state = state;
	req.has_skip_destination_drop = req.skip_destination_drop = args_has(a,
	    "skip-destination-drop");
	req.has_drop_mirror_stats = req.drop_mirror_stats = args_has(a, "drop-mirror-stats");
	if (!ctl_post(ctl, "/mirrors/state_change", &req.base, NULL, NULL, &err))
		return ctl_refused(ctl, &err);
	if (ctl->json)
		ctl_print_answer(ctl);
	else if (!args_has(a, "wait"))
		printf("mirror %s %s\n", a->words[0], what);
	return args_has(a, "wait") ? wait_for(ctl, a->words[0], goal) : CTL_DONE;
}

int
run_mirrors_pause(struct ctl *ctl, const struct args *a)
{
	return change_state(ctl, a, PEERDB_FLOW__FLOW_STATUS__STATUS_PAUSED, &wait_paused,
	    "will pause");
}

int
run_mirrors_resume(struct ctl *ctl, const struct args *a)
{
	return change_state(ctl, a, PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING, &wait_resumed,
	    "will resume");
}

int
run_mirrors_resync(struct ctl *ctl, const struct args *a)
{
	return change_state(ctl, a, PEERDB_FLOW__FLOW_STATUS__STATUS_RESYNC, &wait_created,
	    "will be loaded again");
}

int
run_mirrors_drop(struct ctl *ctl, const struct args *a)
{
	return change_state(ctl, a, PEERDB_FLOW__FLOW_STATUS__STATUS_TERMINATING, &wait_dropped,
	    "will be dropped");
}

/* ---- logs ------------------------------------------------------------------- */

static void
print_log(const PeerdbRoute__MirrorLog *l, bool with_name)
{
	char when[RFC3339_SIZE];
	struct buf line;

	buf_init(&line, MIB);
	text_add_clean(&line, l->error_message);
	printf("%s %-5s %s%s%s\n", time_from_ms(l->error_timestamp, when), l->error_type,
	    with_name ? l->flow_name : "", with_name ? ": " : "", buf_str(&line));
	buf_done(&line);
}

int
run_mirrors_logs(struct ctl *ctl, const struct args *a)
{
	const char *limit = args_value(a, "limit"), *level = args_value(a, "level");
	const char *name = a->n_words > 0 ? a->words[0] : "";
	PeerdbRoute__ListMirrorLogsRequest req = PEERDB_ROUTE__LIST_MIRROR_LOGS_REQUEST__INIT;
	PeerdbRoute__ListMirrorLogsResponse *logs = NULL;
	struct err err = ERR_INIT;
	int64_t lines = LOG_LINES;

	if (limit != NULL && !str_to_i64(limit, 1, 100000, &lines, &err))
		return ctl_usage(a, &err);
	req.flow_job_name = (char *)(uintptr_t)name;
	req.level = (char *)(uintptr_t)(level != NULL ? level : "all");
	req.has_num_per_page = true;
	req.num_per_page = (int32_t)lines;
	if (!ctl_post(ctl, "/mirrors/logs", &req.base,
		&peerdb_route__list_mirror_logs_response__descriptor, &logs, &err))
		return ctl_refused(ctl, &err);
	if (ctl->json)
		ctl_print_answer(ctl);
	/* the API finds names by a part of them; only this one was asked for */
	for (size_t i = 0; i < logs->n_errors && !ctl->json; i++)
		if (name[0] == '\0' || strcmp(logs->errors[i]->flow_name, name) == 0)
			print_log(logs->errors[i], name[0] == '\0');
	protobuf_c_message_free_unpacked(&logs->base, NULL);
	return CTL_DONE;
}
