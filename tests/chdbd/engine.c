#include "tests/chdbd/engine.h"

#include <dlfcn.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

/* The library comes without a header: its C interface, as far as it is used here. */
typedef struct {
	void *internal;
} * chdb_conn;
typedef struct chdb_result chdb_result;
typedef struct chdb_insert chdb_insert;

/* X(what it returns, name, arguments) */
#define CHDB_CALLS(X)                                                                    \
	X(chdb_conn *, chdb_connect, (int argc, char **argv))                            \
	X(void, chdb_close_conn, (chdb_conn * conn))                                     \
	X(chdb_result *, chdb_query_n,                                                   \
	    (chdb_conn conn, const char *query, size_t query_len, const char *format,    \
		size_t format_len))                                                      \
	X(const char *, chdb_result_buffer, (chdb_result * result))                      \
	X(size_t, chdb_result_length, (chdb_result * result))                            \
	X(const char *, chdb_result_error, (chdb_result * result))                       \
	X(uint64_t, chdb_result_rows_read, (chdb_result * result))                       \
	X(uint64_t, chdb_result_bytes_read, (chdb_result * result))                      \
	X(uint64_t, chdb_result_rows_written, (chdb_result * result))                    \
	X(uint64_t, chdb_result_bytes_written, (chdb_result * result))                   \
	X(void, chdb_destroy_query_result, (chdb_result * result))                       \
	X(chdb_insert *, chdb_stream_insert_n,                                           \
	    (chdb_conn conn, const char *query, size_t query_len, const char *format,    \
		size_t format_len))                                                      \
	X(int, chdb_stream_append, (chdb_insert * insert, const void *data, size_t len)) \
	X(chdb_result *, chdb_stream_done, (chdb_insert * insert))                       \
	X(const char *, chdb_stream_insert_error, (chdb_insert * insert))                \
	X(void, chdb_stream_cancel_insert, (chdb_insert * insert))                       \
	X(void, chdb_destroy_insert_stream, (chdb_insert * insert))

static struct {
#define X(type, name, arguments) type(*name) arguments;
	CHDB_CALLS(X)
#undef X
} lib;

static char *data_option;
static struct session *first; /* the engine lives for as long as one session does */
static char version[64];

struct session {
	chdb_conn *conn;
};

struct insert {
	chdb_insert *stream;
};

static bool
load(void *handle, const char *name, void *to, struct err *err)
{
	void *address = dlsym(handle, name);

	if (address == NULL)
		return err_set(err, ERR_CONFIG, "the library has no %s", name);
	memcpy(to, &address, sizeof(address));
	return true;
}

static bool
load_all(const char *library, struct err *err)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

	if (handle == NULL)
		return err_set(err, ERR_CONFIG, "could not load the engine: %s", dlerror());
#define X(type, name, arguments)                  \
	if (!load(handle, #name, &lib.name, err)) \
		return false;
	CHDB_CALLS(X)
#undef X
	return true;
}

static bool
ask_version(struct err *err)
{
	struct slice query = slice_str("SELECT version()");
	struct answer answer;
	struct buf words;
	bool ok;

	buf_init(&words, ERR_MSG_MAX);
	ok = session_query(first, query, "TabSeparatedRaw", &answer, &words);
	if (ok) {
		snprintf(version, sizeof(version), "%.*s", (int)answer.bytes.n,
		    (const char *)answer.bytes.p);
		version[strcspn(version, "\n")] = '\0';
		answer_done(&answer);
	} else {
		err_set(err, ERR_CONFIG, "the engine does not work: %s", buf_str(&words));
	}
	buf_done(&words);
	return ok;
}

bool
engine_open(const char *library, const char *data, struct err *err)
{
	if (!load_all(library, err))
		return false;
	data_option = xasprintf("--path=%s", data);
	first = session_new();
	if (first == NULL)
		return err_set(err, ERR_CONFIG, "the engine does not open %s", data);
	return ask_version(err);
}

const char *
engine_version(void)
{
	return version;
}

void
engine_close(void)
{
	session_free(&first);
	MEM_FREE(data_option);
}

struct session *
session_new(void)
{
	char name[] = "clickhouse";
	char *argv[] = { name, data_option };
	chdb_conn *conn = lib.chdb_connect(2, argv);
	struct session *s;

	if (conn == NULL)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->conn = conn;
	return s;
}

void
session_free(struct session **s)
{
	if (*s == NULL)
		return;
	lib.chdb_close_conn((*s)->conn);
	MEM_FREE(*s);
}

static struct progress
progress_of(chdb_result *result)
{
	return (struct progress){
		.read_rows = lib.chdb_result_rows_read(result),
		.read_bytes = lib.chdb_result_bytes_read(result),
		.written_rows = lib.chdb_result_rows_written(result),
		.written_bytes = lib.chdb_result_bytes_written(result),
	};
}

/* Frees a result that is an exception, once its words are kept. */
static bool
is_good(chdb_result *result, struct buf *words)
{
	const char *error = lib.chdb_result_error(result);

	if (error == NULL)
		return true;
	buf_str_add(words, error);
	lib.chdb_destroy_query_result(result);
	return false;
}

bool
session_query(struct session *s, struct slice query, const char *format, struct answer *answer_r,
    struct buf *words)
{
	chdb_result *result = lib.chdb_query_n(*s->conn, (const char *)query.p, query.n, format,
	    strlen(format));

	if (!is_good(result, words))
		return false;
	*answer_r = (struct answer){
		.bytes = slice_of(lib.chdb_result_buffer(result), lib.chdb_result_length(result)),
		.progress = progress_of(result),
		.handle = result,
	};
	return true;
}

bool
session_run(struct session *s, const char *statement, struct buf *words)
{
	struct answer answer;

	if (!session_query(s, slice_str(statement), "Null", &answer, words))
		return false;
	answer_done(&answer);
	return true;
}

void
answer_done(struct answer *answer)
{
	lib.chdb_destroy_query_result(answer->handle);
}

static void
insert_free(struct insert **in)
{
	lib.chdb_destroy_insert_stream((*in)->stream);
	MEM_FREE(*in);
}

struct insert *
insert_begin(struct session *s, struct slice query, const char *format, struct buf *words)
{
	struct insert *in = xcalloc(1, sizeof(*in));
	const char *error;

	in->stream = lib.chdb_stream_insert_n(*s->conn, (const char *)query.p, query.n, format,
	    strlen(format));
	error = lib.chdb_stream_insert_error(in->stream);
	if (error != NULL) {
		buf_str_add(words, error);
		insert_free(&in);
	}
	return in;
}

bool
insert_add(struct insert *in, struct slice bytes, struct buf *words)
{
	const char *error;

	if (lib.chdb_stream_append(in->stream, bytes.p, bytes.n) == 0)
		return true;
	error = lib.chdb_stream_insert_error(in->stream);
	buf_str_add(words, error != NULL ? error : "Code: 1002. DB::Exception: append failed");
	return false;
}

bool
insert_end(struct insert **in, struct progress *progress_r, struct buf *words)
{
	chdb_result *result = lib.chdb_stream_done((*in)->stream);
	bool ok = is_good(result, words);

	if (ok) {
		*progress_r = progress_of(result);
		lib.chdb_destroy_query_result(result);
	}
	insert_free(in);
	return ok;
}

void
insert_cancel(struct insert **in)
{
	if (*in == NULL)
		return;
	lib.chdb_stream_cancel_insert((*in)->stream);
	insert_free(in);
}
