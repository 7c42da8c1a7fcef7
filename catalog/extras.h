/*
 * extras - settings, alerts, tags and scripts in the catalog
 *
 * Small things beside peers and mirrors. All of catalog.h holds here too:
 * answers by completion, writes at once, rows borrowed during the completion.
 */
#ifndef PEERD_CATALOG_EXTRAS_H
#define PEERD_CATALOG_EXTRAS_H

#include "catalog/catalog.h"

/* ---- settings: name -> value, overriding a default */

struct catalog_setting {
	const char *name;
	const char *value;
};

typedef void catalog_settings_fn(void *arg, const struct err *err,
    const struct catalog_setting *rows, size_t n);

void catalog_settings_load(struct catalog *c, catalog_settings_fn *fn, void *arg);

/* value NULL: back to the default. */
void catalog_setting_set(struct catalog *c, const char *name, const char *value,
    catalog_done_fn *done, void *arg);

/* ---- tags of a mirror */

struct catalog_tag {
	const char *key;
	const char *value;
};

typedef void catalog_tags_fn(void *arg, const struct err *err, const struct catalog_tag *rows,
    size_t n);

void catalog_tags_list(struct catalog *c, const char *mirror, catalog_tags_fn *fn, void *arg);

/* Replaces all of them. NOT_FOUND for an unknown mirror. */
void catalog_tags_replace(struct catalog *c, const char *mirror, const struct catalog_tag *tags,
    size_t n, catalog_done_fn *done, void *arg);

/* ---- alerts: whom to tell; the config holds tokens and is sealed */

struct catalog_alert {
	int64_t id;
	const char *service_type; /* slack, email, webhook */
	const char *config;	  /* JSON text, secrets in clear */
	const char *mirrors;	  /* JSON array of names; "[]": all */
};

typedef void catalog_alerts_fn(void *arg, const struct err *err, const struct catalog_alert *rows,
    size_t n);

/* Answer of a save: the id of the row. */
typedef void catalog_saved_fn(void *arg, const struct err *err, int64_t id);

void catalog_alerts_load(struct catalog *c, catalog_alerts_fn *fn, void *arg);

/* id below 0: a new row, else NOT_FOUND unless it exists. */
void catalog_alert_save(struct catalog *c, const struct catalog_alert *a, catalog_saved_fn *fn,
    void *arg);
void catalog_alert_delete(struct catalog *c, int64_t id, catalog_done_fn *done, void *arg);

/* ---- scripts */

struct catalog_script {
	int64_t id;
	const char *name; /* unique */
	const char *lang; /* lua */
	struct slice source;
};

typedef void catalog_scripts_fn(void *arg, const struct err *err, const struct catalog_script *rows,
    size_t n);

void catalog_scripts_load(struct catalog *c, catalog_scripts_fn *fn, void *arg);
void catalog_script_save(struct catalog *c, const struct catalog_script *s, catalog_saved_fn *fn,
    void *arg);
void catalog_script_delete(struct catalog *c, int64_t id, catalog_done_fn *done, void *arg);

#endif
