#include "cmd/peerd/options.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/control/listen.h"

#define LINE_MAX_BYTES 4096

struct option_row {
	const char *name;
	const char *arg; /* what stands for the value in the help; NULL: a switch */
	size_t offset;	 /* of the char * in struct options */
	const char *fallback;
	const char *help;
};

#define ROW(name, arg, member, fallback, help)                              \
	{                                                                   \
		name, arg, offsetof(struct options, member), fallback, help \
	}

/* In the file all but the first. */
static const struct option_row rows[] = {
	ROW("config", "FILE", config, NULL, "read these options from FILE first, as name = value"),
	ROW("state-dir", "DIR", state_dir, "/var/lib/peerd", "catalog, key and control socket"),
	ROW("http-listen", "HOST:PORT", http_listen, "127.0.0.1:3000", "REST API"),
	ROW("sql-listen", "HOST:PORT", sql_listen, "127.0.0.1:9900", "SQL mode"),
	ROW("password-file", "FILE", password_file, NULL,
	    "the password, in the first line; else PEERD_PASSWORD"),
	ROW("worker-path", "FILE", worker_path, NULL, "peerd-worker; default: beside peerd"),
	ROW("tls-certificate", "FILE", tls_certificate, NULL,
	    "PEM; with tls-key, listeners speak TLS"),
	ROW("tls-key", "FILE", tls_key, NULL, "PEM, its private key"),
	ROW("open-metrics", "yes|no", open_metrics, "no", "/metrics without a password"),
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

static char **
option_at(struct options *o, const struct option_row *row)
{
	return (char **)(void *)((char *)o + row->offset);
}

static const struct option_row *
row_find(const char *name)
{
	for (size_t i = 0; i < NROWS; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

static const char *
row_nearest(const char *name)
{
	const char *best = NULL;
	unsigned best_distance = 4;

	for (size_t i = 0; i < NROWS; i++)
		if (str_distance(rows[i].name, name) < best_distance) {
			best_distance = str_distance(rows[i].name, name);
			best = rows[i].name;
		}
	return best;
}

static bool
refuse_name(const char *name, struct err *err)
{
	const char *nearest = row_nearest(name);

	err_set(err, ERR_INVALID, "unknown option \"%s\"", name);
	return nearest != NULL ? err_hint(err, "did you mean \"%s\"?", nearest)
			       : err_hint(err, "--help lists them");
}

static void
option_put(struct options *o, const struct option_row *row, const char *value)
{
	char **at = option_at(o, row);

	free(*at);
	*at = xstrdup(value);
}

/* ---- the file */

static char *
trim(char *s)
{
	size_t n;

	while (isspace((unsigned char)*s))
		s++;
	for (n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
		s[n - 1] = '\0';
	return s;
}

/* "name = value"; blank lines and those that begin with # say nothing. */
static bool
read_line(struct options *o, char *line, struct err *err)
{
	char *name = trim(line);
	char *equals = strchr(name, '=');
	const struct option_row *row;

	if (name[0] == '\0' || name[0] == '#')
		return true;
	if (equals == NULL)
		return err_set(err, ERR_INVALID, "expected name = value");
	*equals = '\0';
	name = trim(name);
	row = row_find(name);
	if (row == NULL || row == &rows[0])
		return refuse_name(name, err);
	option_put(o, row, trim(equals + 1));
	return true;
}

static bool
read_file(struct options *o, const char *path, struct err *err)
{
	FILE *f = fopen(path, "re");
	char line[LINE_MAX_BYTES];
	unsigned n = 0;
	bool ok = true;

	if (f == NULL)
		return err_set(err, ERR_INVALID, "could not read \"%s\": %s", path,
		    strerror(errno));
	while (ok && fgets(line, sizeof(line), f) != NULL) {
		n++;
		if (strchr(line, '\n') == NULL && !feof(f))
			ok = err_set(err, ERR_INVALID, "the line is too long");
		else
			ok = read_line(o, line, err);
	}
	if (!ok)
		err_context(err, "%s, line %u", path, n);
	fclose(f);
	return ok;
}

/* ---- the command line */

struct cursor {
	int argc;
	char **argv;
	int i;
};

/* "--name value" or "--name=value"; name_r without the dashes, value_r NULL when there is none. */
static void
split_option(struct cursor *c, char *name_r, size_t size, const char **value_r)
{
	const char *arg = c->argv[c->i] + 2;
	const char *equals = strchr(arg, '=');
	size_t n = equals != NULL ? (size_t)(equals - arg) : strlen(arg);

	snprintf(name_r, size, "%.*s", (int)n, arg);
	if (equals != NULL)
		*value_r = equals + 1;
	else if (c->i + 1 < c->argc)
		*value_r = c->argv[++c->i];
	else
		*value_r = NULL;
}

static bool
read_switch(struct options *o, const char *arg)
{
	const struct {
		const char *name;
		bool *to;
	} switches[] = {
		{ "-n", &o->check_only },
		{ "--help", &o->help },
		{ "-h", &o->help },
		{ "--version", &o->version },
	};

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (strcmp(switches[i].name, arg) == 0) {
			*switches[i].to = true;
			return true;
		}
	return false;
}

static bool
read_option(struct options *o, struct cursor *c, struct err *err)
{
	const struct option_row *row;
	const char *value;
	char name[64];

	if (!str_starts(c->argv[c->i], "--"))
		return err_set(err, ERR_INVALID, "unexpected argument \"%s\"", c->argv[c->i]);
	split_option(c, name, sizeof(name), &value);
	row = row_find(name);
	if (row == NULL)
		return refuse_name(name, err);
	if (value == NULL)
		return err_set(err, ERR_INVALID, "--%s needs a value: %s", name, row->arg);
	option_put(o, row, value);
	return true;
}

static bool
read_command_line(struct options *o, int argc, char **argv, struct err *err)
{
	struct cursor c = { argc, argv, 1 };

	for (; c.i < argc; c.i++)
		if (!read_switch(o, argv[c.i]) && !read_option(o, &c, err))
			return false;
	return true;
}

/* ---- defaults and secrets */

static char *
path_beside_self(const char *name)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n <= 0)
		return xstrdup(name);
	self[n] = '\0';
	slash = strrchr(self, '/');
	return xasprintf("%.*s/%s", (int)(slash - self), self, name);
}

static void
fill_defaults(struct options *o)
{
	for (size_t i = 0; i < NROWS; i++)
		if (*option_at(o, &rows[i]) == NULL && rows[i].fallback != NULL)
			option_put(o, &rows[i], rows[i].fallback);
	if (o->worker_path == NULL)
		o->worker_path = path_beside_self("peerd-worker");
}

/* Out of the environment, where /proc would show it as long as we live. */
static char *
take_secret(const char *name)
{
	char *value = getenv(name);
	char *copy;

	if (value == NULL)
		return NULL;
	copy = value[0] != '\0' ? xstrdup(value) : NULL;
	mem_wipe(value, strlen(value));
	unsetenv(name);
	return copy;
}

static bool
read_password_file(struct options *o, struct err *err)
{
	FILE *f = fopen(o->password_file, "re");
	char line[LINE_MAX_BYTES] = "";

	if (f == NULL)
		return err_set(err, ERR_INVALID, "could not read password-file \"%s\": %s",
		    o->password_file, strerror(errno));
	if (fgets(line, sizeof(line), f) != NULL)
		line[strcspn(line, "\r\n")] = '\0';
	fclose(f);
	if (line[0] == '\0')
		return err_set(err, ERR_INVALID, "password-file \"%s\" is empty", o->password_file);
	free(o->password);
	o->password = xstrdup(line);
	mem_wipe(line, sizeof(line));
	return true;
}

bool
options_read(int argc, char **argv, struct options *o_r, struct err *err)
{
	struct options given = { 0 };

	o_r->password = take_secret("PEERD_PASSWORD");
	o_r->catalog_key = take_secret("PEERD_CATALOG_KEY");
	/* twice: once for --config alone, then over what the file says */
	if (!read_command_line(&given, argc, argv, err)) {
		options_free(&given);
		return false;
	}
	if (given.config != NULL && !read_file(o_r, given.config, err)) {
		options_free(&given);
		return false;
	}
	options_free(&given);
	if (!read_command_line(o_r, argc, argv, err))
		return false;
	fill_defaults(o_r);
	return o_r->password_file == NULL || o_r->help || o_r->version ||
	    read_password_file(o_r, err);
}

void
options_free(struct options *o)
{
	for (size_t i = 0; i < NROWS; i++)
		MEM_FREE(*option_at(o, &rows[i]));
	if (o->password != NULL)
		mem_wipe(o->password, strlen(o->password));
	if (o->catalog_key != NULL)
		mem_wipe(o->catalog_key, strlen(o->catalog_key));
	MEM_FREE(o->password);
	MEM_FREE(o->catalog_key);
}

/* ---- checking and printing */

static bool
check_listen(const char *name, const char *where, struct err *err)
{
	char host[256];
	uint16_t port;

	return listen_parse(where, host, sizeof(host), &port, err) || err_context(err, "%s", name);
}

bool
options_check(const struct options *o, struct err *err)
{
	if (!check_listen("http-listen", o->http_listen, err) ||
	    !check_listen("sql-listen", o->sql_listen, err))
		return false;
	if (strcmp(o->open_metrics, "yes") != 0 && strcmp(o->open_metrics, "no") != 0)
		return err_set(err, ERR_INVALID, "open-metrics is \"yes\" or \"no\", not \"%s\"",
		    o->open_metrics);
	if ((o->tls_certificate == NULL) != (o->tls_key == NULL))
		return err_set(err, ERR_INVALID, "tls-certificate and tls-key go together");
	if (access(o->worker_path, X_OK) == 0)
		return true;
	err_set(err, ERR_INVALID, "worker \"%s\" cannot be executed: %s", o->worker_path,
	    strerror(errno));
	return err_hint(err, "set worker-path to where peerd-worker is");
}

void
options_print(const struct options *o)
{
	for (size_t i = 1; i < NROWS; i++) {
		const char *value = *option_at((struct options *)o, &rows[i]);

		if (value != NULL)
			printf("%s = %s\n", rows[i].name, value);
	}
}

void
options_help(void)
{
	printf("usage: peerd [option ...]\n\n"
	       "The control plane: REST API, catalog, and a worker process for each mirror.\n\n");
	for (size_t i = 0; i < NROWS; i++) {
		int width = printf("  --%s %s", rows[i].name, rows[i].arg);

		printf("%*s%s", width < 30 ? 30 - width : 1, "", rows[i].help);
		if (rows[i].fallback != NULL)
			printf(" (%s)", rows[i].fallback);
		printf("\n");
	}
	printf("  -n                          check the options, print them, and leave\n"
	       "  --version                   print the version\n"
	       "  --help                      print this\n\n"
	       "Environment: PEERD_PASSWORD, PEERD_CATALOG_KEY. Without a password peerd\n"
	       "listens on loopback addresses only.\n");
}
