#include "tests/harness/tables.h"

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"

static const char *const ways[] = { "step", "burst" };

char *
table_sql(const char *sql, const char *name)
{
	struct buf b;
	char *copy;

	buf_init(&b, 1 * MIB);
	for (; *sql != '\0'; sql++)
		if (*sql == '@')
			buf_str_add(&b, name);
		else
			buf_char(&b, *sql);
	copy = text("%s", buf_str(&b));
	buf_done(&b);
	return copy;
}

static void
create_table(const struct table_case *k, const char *name)
{
	if (k->not_mirrored != NULL)
		sql_exec(rig.s, "%s", table_sql(k->not_mirrored, name));
	sql_exec(rig.s, "%s", table_sql(k->ddl, name));
	if (k->prepared)
		sql_exec(rig.d, "%s", table_sql(k->ddl, name));
	if (k->rows != NULL)
		sql_exec(rig.s, "%s", table_sql(k->rows, name));
}

void
tables_init(const struct table_case *cases, int n, const char *mirror, const char *options)
{
	struct buf list;

	rig_clusters_init();
	rig_init();
	buf_init(&list, 1 * MIB);
	for (int i = 0; i < 2 * n; i++) {
		const char *name = text("%s_%s", cases[i / 2].name, ways[i % 2]);

		create_table(&cases[i / 2], name);
		buf_printf(&list, "%spublic.%s", i > 0 ? "," : "", name);
	}
	mirror_run(mirror, buf_str(&list), options);
	buf_done(&list);
}

void
tables_done(void)
{
	rig_done();
	rig_clusters_done();
}

void
table_step(const struct table_case *k)
{
	const char *name = text("%s_%s", k->name, ways[0]);

	expect_equal(name);
	for (int i = 0; i < TABLE_CHANGES_MAX && k->changes[i] != NULL; i++) {
		sql_exec(rig.s, "%s", table_sql(k->changes[i], name));
		expect_equal(name);
	}
}

void
table_burst(const struct table_case *k)
{
	const char *name = text("%s_%s", k->name, ways[1]);

	for (int i = 0; i < TABLE_CHANGES_MAX && k->changes[i] != NULL; i++)
		sql_exec(rig.s, "%s", table_sql(k->changes[i], name));
	expect_equal(name);
}
