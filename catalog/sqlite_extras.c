#include "catalog/extras.h"
#include "catalog/sqlite_int.h"

#include "lib/base/arena.h"

#define EXTRAS_ARENA (16 * 1024)

static bool
run_on_id(struct catalog *c, enum query q, const char *kind, int64_t id, struct err *err)
{
	struct stmt s = stmt_for(c, q);
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)id);
	stmt_int(&s, id);
	return stmt_run_on(&s, kind, text, err);
}

/* A save answers with the id of its row. */
struct save {
	catalog_saved_fn *fn;
	void *arg;
	int64_t id;
};

static void
save_answer(void *arg, const struct err *err)
{
	const struct save *save = arg;

	save->fn(save->arg, err, save->id);
}

/* ---- settings */

static bool
setting_read(const struct stmt *s, struct arena *a, void *row_r, struct err *err)
{
	struct catalog_setting *set = row_r;

	set->name = col_text(s, 0, a);
	set->value = col_text(s, 1, a);
	return true;
}

void
catalog_settings_load(struct catalog *c, catalog_settings_fn *fn, void *arg)
{
	struct stmt s = stmt_for(c, Q_SETTINGS);
	struct err err = ERR_INIT;
	struct rows rows = { 0 };
	bool ok;

	ok = rows_read(&rows, &s, sizeof(struct catalog_setting), setting_read, &err);
	fn(arg, ok ? NULL : &err, rows.p, rows.n);
	rows_done(&rows);
}

static bool
setting_set(struct catalog *c, const char *name, const char *value, struct err *err)
{
	struct stmt s = stmt_for(c, value != NULL ? Q_SETTING_SET : Q_SETTING_CLEAR);

	stmt_text(&s, name);
	if (value != NULL)
		stmt_text(&s, value);
	return stmt_run(&s, err);
}

void
catalog_setting_set(struct catalog *c, const char *name, const char *value, catalog_done_fn *done,
    void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && setting_set(c, name, value, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}

/* ---- tags */

static bool
tag_read(const struct stmt *s, struct arena *a, void *row_r, struct err *err)
{
	struct catalog_tag *tag = row_r;

	tag->key = col_text(s, 0, a);
	tag->value = col_text(s, 1, a);
	return true;
}

void
catalog_tags_list(struct catalog *c, const char *mirror, catalog_tags_fn *fn, void *arg)
{
	struct stmt s = stmt_for(c, Q_TAGS);
	struct err err = ERR_INIT;
	struct rows rows = { 0 };
	bool ok;

	stmt_text(&s, mirror);
	ok = rows_read(&rows, &s, sizeof(struct catalog_tag), tag_read, &err);
	fn(arg, ok ? NULL : &err, rows.p, rows.n);
	rows_done(&rows);
}

static bool
mirror_check_exists(struct catalog *c, const char *mirror, struct err *err)
{
	struct stmt s = stmt_for(c, Q_MIRROR_STATUS);
	int64_t status;

	stmt_text(&s, mirror);
	if (!stmt_number(&s, -1, &status, err))
		return false;
	return status >= 0 || err_set(err, ERR_NOT_FOUND, "mirror \"%s\" does not exist", mirror);
}

static bool
tag_set(struct catalog *c, const char *mirror, const struct catalog_tag *tag, struct err *err)
{
	struct stmt s = stmt_for(c, Q_TAG_SET);

	stmt_text(&s, mirror);
	stmt_text(&s, tag->key);
	stmt_text(&s, tag->value);
	return stmt_run(&s, err);
}

static bool
tags_replace(struct catalog *c, const char *mirror, const struct catalog_tag *tags, size_t n,
    struct err *err)
{
	struct stmt old = stmt_for(c, Q_TAGS_FORGET);
	size_t i;

	if (!mirror_check_exists(c, mirror, err))
		return false;
	stmt_text(&old, mirror);
	if (!stmt_run(&old, err))
		return false;
	for (i = 0; i < n; i++)
		if (!tag_set(c, mirror, &tags[i], err))
			return false;
	return true;
}

void
catalog_tags_replace(struct catalog *c, const char *mirror, const struct catalog_tag *tags,
    size_t n, catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && tags_replace(c, mirror, tags, n, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}

/* ---- alerts */

/* What a sealed alert is bound to: its number. */
struct alert_name {
	char s[24];
};

static struct alert_name
alert_name(int64_t id)
{
	struct alert_name name;

	snprintf(name.s, sizeof(name.s), "%lld", (long long)id);
	return name;
}

static bool
alert_read(const struct stmt *s, struct arena *a, void *row_r, struct err *err)
{
	struct catalog_alert *alert = row_r;
	struct slice config;
	struct sealed sealed;

	alert->id = col_int(s, 0);
	alert->service_type = col_text(s, 1, a);
	sealed.blob = col_blob(s, 2, a);
	sealed.key_id = col_text(s, 3, a);
	alert->mirrors = col_text(s, 4, a);
	if (!seal_open(&s->c->ring, "alerts", alert_name(alert->id).s, &sealed, a, &config, err))
		return false;
	alert->config = arena_strndup(a, (const char *)config.p, config.n);
	return true;
}

static bool
alerts_read(struct catalog *c, struct rows *rows, struct err *err)
{
	struct stmt s = stmt_for(c, Q_ALERTS);

	return rows_read(rows, &s, sizeof(struct catalog_alert), alert_read, err);
}

void
catalog_alerts_load(struct catalog *c, catalog_alerts_fn *fn, void *arg)
{
	struct err err = ERR_INIT;
	struct rows rows = { 0 };
	bool ok = alerts_read(c, &rows, &err);

	fn(arg, ok ? NULL : &err, rows.p, rows.n);
	rows_done(&rows);
}

static bool
alert_write(struct catalog *c, int64_t id, const struct catalog_alert *alert, struct err *err)
{
	struct arena *a = arena_new(EXTRAS_ARENA);
	struct stmt s = stmt_for(c, Q_ALERT_UPDATE);
	struct alert_name name = alert_name(id);
	struct sealed sealed;
	bool ok = false;

	if (seal_close(&c->ring, "alerts", name.s, slice_str(alert->config), a, &sealed, err)) {
		stmt_int(&s, id);
		stmt_text(&s, alert->service_type);
		stmt_blob(&s, sealed.blob);
		stmt_text(&s, sealed.key_id);
		stmt_text(&s, alert->mirrors);
		ok = stmt_run_on(&s, "alert", name.s, err);
	}
	arena_free(&a);
	return ok;
}

/* A new row gets its number first, because the seal is bound to it. */
static bool
alert_save(struct catalog *c, const struct catalog_alert *alert, int64_t *id_r, struct err *err)
{
	struct stmt s = stmt_for(c, Q_ALERT_INSERT);
	int64_t id = alert->id;

	if (id < 0) {
		if (!stmt_run(&s, err))
			return false;
		id = sqlite3_last_insert_rowid(c->db);
	}
	if (!alert_write(c, id, alert, err))
		return false;
	*id_r = id;
	return true;
}

void
catalog_alert_save(struct catalog *c, const struct catalog_alert *alert, catalog_saved_fn *fn,
    void *arg)
{
	struct save save = { .fn = fn, .arg = arg, .id = -1 };
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && alert_save(c, alert, &save.id, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, save_answer, &save);
}

void
catalog_alert_delete(struct catalog *c, int64_t id, catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && run_on_id(c, Q_ALERT_DELETE, "alert", id, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}

static bool
alert_reseal(struct catalog *c, const struct catalog_alert *alert, struct arena *a, struct err *err)
{
	struct alert_name name = alert_name(alert->id);
	struct stmt s = stmt_for(c, Q_ALERT_RESEAL);
	struct sealed sealed;

	if (!seal_close(&c->ring, "alerts", name.s, slice_str(alert->config), a, &sealed, err))
		return false;
	stmt_int(&s, alert->id);
	stmt_blob(&s, sealed.blob);
	stmt_text(&s, sealed.key_id);
	return stmt_run(&s, err);
}

bool
alerts_reseal(struct catalog *c, struct err *err)
{
	const struct catalog_alert *alert;
	struct rows rows = { 0 };
	bool ok;
	size_t i;

	ok = alerts_read(c, &rows, err);
	for (i = 0; ok && i < rows.n; i++) {
		alert = (const struct catalog_alert *)rows.p + i;
		ok = alert_reseal(c, alert, rows.strings, err);
	}
	rows_done(&rows);
	return ok;
}

/* ---- scripts */

static bool
script_read(const struct stmt *s, struct arena *a, void *row_r, struct err *err)
{
	struct catalog_script *script = row_r;

	script->id = col_int(s, 0);
	script->name = col_text(s, 1, a);
	script->lang = col_text(s, 2, a);
	script->source = col_blob(s, 3, a);
	return true;
}

void
catalog_scripts_load(struct catalog *c, catalog_scripts_fn *fn, void *arg)
{
	struct stmt s = stmt_for(c, Q_SCRIPTS);
	struct err err = ERR_INIT;
	struct rows rows = { 0 };
	bool ok;

	ok = rows_read(&rows, &s, sizeof(struct catalog_script), script_read, &err);
	fn(arg, ok ? NULL : &err, rows.p, rows.n);
	rows_done(&rows);
}

static bool
script_save(struct catalog *c, const struct catalog_script *script, int64_t *id_r, struct err *err)
{
	bool new = script->id < 0;
	struct stmt s = stmt_for(c, new ? Q_SCRIPT_INSERT : Q_SCRIPT_UPDATE);

	if (!new)
		stmt_int(&s, script->id);
	stmt_text(&s, script->name);
	stmt_text(&s, script->lang);
	stmt_blob(&s, script->source);
	if (!stmt_run_on(&s, "script", script->name, err)) {
		if (err->code == ERR_EXISTS)
			err_set(err, ERR_EXISTS, "script \"%s\" exists already", script->name);
		return false;
	}
	*id_r = new ? sqlite3_last_insert_rowid(c->db) : script->id;
	return true;
}

void
catalog_script_save(struct catalog *c, const struct catalog_script *script, catalog_saved_fn *fn,
    void *arg)
{
	struct save save = { .fn = fn, .arg = arg, .id = -1 };
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && script_save(c, script, &save.id, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, save_answer, &save);
}

void
catalog_script_delete(struct catalog *c, int64_t id, catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && run_on_id(c, Q_SCRIPT_DELETE, "script", id, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}
