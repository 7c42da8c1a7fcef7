#include "lib/control/metrics.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define SOURCES_MAX 8

static const struct family {
	const char *name;
	const char *type;
	const char *help;
} families[METRIC_COUNT] = {
#define X(id, type, exposed, help) [METRIC_##id] = { exposed, #type, help },
	METRICS(X)
#undef X
};

/* The samples of one scrape, by family. */
struct metrics {
	struct buf samples[METRIC_COUNT];
};

struct metrics_registry {
	struct source {
		metrics_source_fn *fn;
		void *arg;
	} sources[SOURCES_MAX];
	size_t n;
	struct metrics_start start;
};

struct metrics_registry *
metrics_registry_new(void)
{
	struct metrics_registry *r = xcalloc(1, sizeof(*r));

	r->start.mono_us = clock_mono_us();
	r->start.wall_us = clock_wall_us();
	metrics_registry_add(r, metrics_of_process, &r->start);
	return r;
}

void
metrics_registry_free(struct metrics_registry **r)
{
	MEM_FREE(*r);
}

void
metrics_registry_add(struct metrics_registry *r, metrics_source_fn *source, void *arg)
{
	if (r->n == SOURCES_MAX)
		bug("more than %d sources of metrics", SOURCES_MAX);
	r->sources[r->n++] = (struct source){ .fn = source, .arg = arg };
}

void
metrics_registry_remove(struct metrics_registry *r, metrics_source_fn *source, void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->sources[i].fn != source || r->sources[i].arg != arg)
			r->sources[kept++] = r->sources[i];
	r->n = kept;
}

static void
add_label(struct buf *to, const char *name, const char *value, bool first)
{
	buf_printf(to, "%s%s=\"", first ? "{" : ",", name);
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			buf_str_add(to, "\\n");
		else if (*value == '"' || *value == '\\')
			buf_printf(to, "\\%c", *value);
		else
			buf_char(to, *value);
	}
	buf_char(to, '"');
}

static void
add_value(struct buf *to, double value)
{
	if (isnan(value))
		buf_str_add(to, " NaN\n");
	else if (isinf(value))
		buf_str_add(to, value > 0 ? " +Inf\n" : " -Inf\n");
	else if (value == trunc(value) && fabs(value) < 1e17)
		buf_printf(to, " %.0f\n", value); /* a count, to its last digit */
	else
		buf_printf(to, " %.15g\n", value);
}

void
metrics_add(struct metrics *m, enum metric id, double value, ...)
{
	struct buf *to = &m->samples[id];
	const char *name, *text;
	bool first = true;
	va_list ap;

	buf_str_add(to, families[id].name);
	va_start(ap, value);
	while ((name = va_arg(ap, const char *)) != NULL) {
		text = va_arg(ap, const char *);
		if (text == NULL || !str_utf8_valid(text, strlen(text)))
			continue;
		add_label(to, name, text, first);
		first = false;
	}
	va_end(ap);
	if (!first)
		buf_char(to, '}');
	add_value(to, value);
}

static void
print_family(const struct family *f, const struct buf *samples, struct buf *out)
{
	if (samples->n == 0)
		return;
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, f->type);
	buf_add(out, samples->p, samples->n);
}

void
metrics_print(const struct metrics_registry *r, struct buf *out)
{
	struct metrics m;

	for (int i = 0; i < METRIC_COUNT; i++)
		buf_init(&m.samples[i], HTTP_REPLY_MAX);
	for (size_t i = 0; i < r->n; i++)
		r->sources[i].fn(&m, r->sources[i].arg);
	for (int i = 0; i < METRIC_COUNT; i++) {
		print_family(&families[i], &m.samples[i], out);
		buf_done(&m.samples[i]);
	}
}
