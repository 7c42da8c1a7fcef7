#include <ctype.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "lib/conn/chclient_int.h"

/* An exception stands in the last part of a body; no server writes longer ones. */
#define TAIL_MAX  (64 * KIB)
#define WORDS_MAX 1200

#define OVERLOADED "DESTINATION_OVERLOADED"

/* ---- what the server's codes mean (ClickHouse: src/Common/ErrorCodes.cpp) */

/* What to do next, for several codes each. */
#define HINT_LOGIN  "check the peer's user and password"
#define HINT_RIGHTS "grant the peer's user SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE there"

static const struct exception {
	int code;
	enum err_code means;
	const char *sqlstate;
	bool slow; /* less would be carried out */
	const char *hint;
} exceptions[] = {
	/* who, and what may he do */
	{ 192, ERR_CONFIG, "28P01", false, HINT_LOGIN },  /* UNKNOWN_USER */
	{ 193, ERR_CONFIG, "28P01", false, HINT_LOGIN },  /* WRONG_PASSWORD */
	{ 194, ERR_CONFIG, "28P01", false, HINT_LOGIN },  /* REQUIRED_PASSWORD */
	{ 516, ERR_CONFIG, "28P01", false, HINT_LOGIN },  /* AUTHENTICATION_FAILED */
	{ 195, ERR_CONFIG, "28000", false, NULL },	  /* IP_ADDRESS_NOT_ALLOWED */
	{ 164, ERR_CONFIG, "42501", false, HINT_RIGHTS }, /* READONLY */
	{ 291, ERR_CONFIG, "42501", false, HINT_RIGHTS }, /* DATABASE_ACCESS_DENIED */
	{ 392, ERR_CONFIG, "42501", false, HINT_RIGHTS }, /* QUERY_IS_PROHIBITED */
	{ 497, ERR_CONFIG, "42501", false, HINT_RIGHTS }, /* ACCESS_DENIED */

	/* what is not there, or is already */
	{ 60, ERR_CONFIG, "42P01", false, NULL },  /* UNKNOWN_TABLE */
	{ 218, ERR_CONFIG, "42P01", false, NULL }, /* TABLE_IS_DROPPED */
	{ 81, ERR_CONFIG, "3D000", false, NULL },  /* UNKNOWN_DATABASE */
	{ 57, ERR_CONFIG, "42P07", false, NULL },  /* TABLE_ALREADY_EXISTS */
	{ 10, ERR_CONFIG, "42703", false, NULL },  /* NOT_FOUND_COLUMN_IN_BLOCK */
	{ 16, ERR_CONFIG, "42703", false, NULL },  /* NO_SUCH_COLUMN_IN_TABLE */
	{ 47, ERR_CONFIG, "42703", false, NULL },  /* UNKNOWN_IDENTIFIER */

	/* values and types */
	{ 6, ERR_DATA, "22000", false, NULL },	 /* CANNOT_PARSE_TEXT */
	{ 26, ERR_DATA, "22000", false, NULL },	 /* CANNOT_PARSE_QUOTED_STRING */
	{ 27, ERR_DATA, "22000", false, NULL },	 /* CANNOT_PARSE_INPUT_ASSERTION_FAILED */
	{ 32, ERR_DATA, "22000", false, NULL },	 /* ATTEMPT_TO_READ_AFTER_EOF */
	{ 33, ERR_DATA, "22000", false, NULL },	 /* CANNOT_READ_ALL_DATA */
	{ 38, ERR_DATA, "22000", false, NULL },	 /* CANNOT_PARSE_DATE */
	{ 41, ERR_DATA, "22000", false, NULL },	 /* CANNOT_PARSE_DATETIME */
	{ 53, ERR_DATA, "22000", false, NULL },	 /* TYPE_MISMATCH */
	{ 69, ERR_DATA, "22003", false, NULL },	 /* ARGUMENT_OUT_OF_BOUND */
	{ 70, ERR_DATA, "22000", false, NULL },	 /* CANNOT_CONVERT_TYPE */
	{ 72, ERR_DATA, "22000", false, NULL },	 /* CANNOT_PARSE_NUMBER */
	{ 117, ERR_DATA, "22000", false, NULL }, /* INCORRECT_DATA */
	{ 128, ERR_DATA, "54000", false, NULL }, /* TOO_LARGE_ARRAY_SIZE */
	{ 131, ERR_DATA, "54000", false, NULL }, /* TOO_LARGE_STRING_SIZE */
	{ 321, ERR_DATA, "22003", false, NULL }, /* VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE */
	{ 349, ERR_DATA, "23502", false, NULL }, /* CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN */
	{ 407, ERR_DATA, "22003", false, NULL }, /* DECIMAL_OVERFLOW */
	{ 469, ERR_DATA, "23514", false, NULL }, /* VIOLATED_CONSTRAINT */
	{ 691, ERR_DATA, "22000", false, NULL }, /* UNKNOWN_ELEMENT_OF_ENUM */

	/* too much at a time */
	{ 159, ERR_TRANSIENT, "57014", true, NULL },  /* TIMEOUT_EXCEEDED */
	{ 160, ERR_TRANSIENT, "57014", true, NULL },  /* TOO_SLOW */
	{ 173, ERR_TRANSIENT, "53200", true, NULL },  /* CANNOT_ALLOCATE_MEMORY */
	{ 201, ERR_TRANSIENT, "53400", true, NULL },  /* QUOTA_EXCEEDED */
	{ 202, ERR_TRANSIENT, "53300", true, NULL },  /* TOO_MANY_SIMULTANEOUS_QUERIES */
	{ 241, ERR_TRANSIENT, "53200", true, NULL },  /* MEMORY_LIMIT_EXCEEDED */
	{ 252, ERR_TRANSIENT, "53400", true, NULL },  /* TOO_MANY_PARTS */
	{ 439, ERR_TRANSIENT, "53000", true, NULL },  /* CANNOT_SCHEDULE_TASK */
	{ 745, ERR_TRANSIENT, "53300", true, NULL },  /* SERVER_OVERLOADED */
	{ 243, ERR_TRANSIENT, "53100", false, NULL }, /* NOT_ENOUGH_SPACE */

	/* disks, networks, replicas; a stop of the server */
	{ 3, ERR_TRANSIENT, "08006", false, NULL },    /* UNEXPECTED_END_OF_FILE */
	{ 49, ERR_TRANSIENT, "58000", false, NULL },   /* LOGICAL_ERROR */
	{ 74, ERR_TRANSIENT, "58030", false, NULL },   /* CANNOT_READ_FROM_FILE_DESCRIPTOR */
	{ 75, ERR_TRANSIENT, "58030", false, NULL },   /* CANNOT_WRITE_TO_FILE_DESCRIPTOR */
	{ 76, ERR_TRANSIENT, "58030", false, NULL },   /* CANNOT_OPEN_FILE */
	{ 95, ERR_TRANSIENT, "08006", false, NULL },   /* CANNOT_READ_FROM_SOCKET */
	{ 96, ERR_TRANSIENT, "08006", false, NULL },   /* CANNOT_WRITE_TO_SOCKET */
	{ 198, ERR_TRANSIENT, "08006", false, NULL },  /* DNS_ERROR */
	{ 203, ERR_TRANSIENT, "53300", false, NULL },  /* NO_FREE_CONNECTION */
	{ 209, ERR_TRANSIENT, "08006", false, NULL },  /* SOCKET_TIMEOUT */
	{ 210, ERR_TRANSIENT, "08006", false, NULL },  /* NETWORK_ERROR */
	{ 225, ERR_TRANSIENT, "57P03", false, NULL },  /* NO_ZOOKEEPER */
	{ 236, ERR_TRANSIENT, "57P01", false, NULL },  /* ABORTED */
	{ 242, ERR_TRANSIENT, "57P03", false, NULL },  /* TABLE_IS_READ_ONLY: replica starts */
	{ 244, ERR_TRANSIENT, "57P03", false, NULL },  /* UNEXPECTED_ZOOKEEPER_ERROR */
	{ 254, ERR_TRANSIENT, "57P03", false, NULL },  /* NO_ACTIVE_REPLICAS */
	{ 279, ERR_TRANSIENT, "08006", false, NULL },  /* ALL_CONNECTION_TRIES_FAILED */
	{ 285, ERR_TRANSIENT, "57P03", false, NULL },  /* TOO_FEW_LIVE_REPLICAS */
	{ 286, ERR_TRANSIENT, "57P03", false, NULL },  /* UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE */
	{ 289, ERR_TRANSIENT, "57P03", false, NULL },  /* REPLICA_IS_NOT_IN_QUORUM */
	{ 319, ERR_TRANSIENT, "08007", false, NULL },  /* UNKNOWN_STATUS_OF_INSERT */
	{ 373, ERR_TRANSIENT, "55006", false, NULL },  /* SESSION_IS_LOCKED */
	{ 394, ERR_TRANSIENT, "57014", false, NULL },  /* QUERY_WAS_CANCELLED */
	{ 415, ERR_TRANSIENT, "57P03", false, NULL },  /* ALL_REPLICAS_LOST */
	{ 416, ERR_TRANSIENT, "57P03", false, NULL },  /* REPLICA_STATUS_CHANGED */
	{ 425, ERR_TRANSIENT, "58000", false, NULL },  /* SYSTEM_ERROR */
	{ 473, ERR_TRANSIENT, "40P01", false, NULL },  /* DEADLOCK_AVOIDED */
	{ 499, ERR_TRANSIENT, "58030", false, NULL },  /* S3_ERROR */
	{ 999, ERR_TRANSIENT, "57P03", false, NULL },  /* KEEPER_EXCEPTION */
	{ 1000, ERR_TRANSIENT, "58000", false, NULL }, /* POCO_EXCEPTION */
	{ 1001, ERR_TRANSIENT, "58000", false, NULL }, /* STD_EXCEPTION */
	{ 1002, ERR_TRANSIENT, "58000", false, NULL }, /* UNKNOWN_EXCEPTION */
};

static const struct exception *
exception_of(int code)
{
	static const struct exception other = { 0, ERR_CONFIG, "", false, NULL };

	for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++)
		if (exceptions[i].code == code)
			return &exceptions[i];
	return &other;
}

bool
chclient_is_overloaded(const struct err *err)
{
	return strcmp(err->reason, OVERLOADED) == 0;
}

/* ---- the words of an exception */

/*
 * Code: 60. DB::Exception: Table a.b doesn't exist. (UNKNOWN_TABLE) (version 26.7.2.1)
 * Code: 60, e.displayText() = DB::Exception: Table a.b doesn't exist., e.what() = DB::Exception
 *
 * Returns the code; 0: there is none. The number is followed by '.' or ','.
 */
static int
read_code(const char *text)
{
	unsigned long code;
	char *end;

	if (!str_starts(text, "Code: ") || !isdigit((unsigned char)text[6]))
		return 0;
	code = strtoul(text + 6, &end, 10);
	return (*end == '.' || *end == ',') && code < 100000 ? (int)code : 0;
}

/* What stands between the exception's class and its trailers, on one line. */
static void
copy_words(char *to, size_t size, const char *text)
{
	static const char *const ends[] = { ", e.what() = ", " (version ", "Stack trace" };
	const char *from = strstr(text, "Exception: "), *end = text + strlen(text), *found;
	size_t n = 0;

	from = from != NULL ? from + strlen("Exception: ") : text;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if ((found = strstr(from, ends[i])) != NULL && found < end)
			end = found;
	while (end > from && (isspace((unsigned char)end[-1]) || end[-1] == ','))
		end--;
	for (; from < end && n < size - 1; from++)
		to[n++] = iscntrl((unsigned char)*from) ? ' ' : *from;
	to[n] = '\0';
}

static bool
set_exception(int code, const char *text, struct err *err)
{
	const struct exception *ex = exception_of(code);
	char words[WORDS_MAX];

	copy_words(words, sizeof(words), text);
	err_set(err, ex->means, "ClickHouse: %s (code %d)", words, code);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", ex->sqlstate);
	if (ex->slow)
		err_reason(err, OVERLOADED);
	if (ex->hint != NULL)
		err_hint(err, "%s", ex->hint);
	return false;
}

/* ---- answers that are not the server's own */

static bool
set_redirect(const struct httpc_answer *http, struct err *err)
{
	const char *to = httpc_header(http, "Location");

	err_set(err, ERR_CONFIG, "the server answers with a redirect (status %d) to %.*s",
	    http->status, to != NULL ? (int)strcspn(to, "?#") : 7, to != NULL ? to : "nowhere");
	return err_hint(err, "redirects are not followed: give the peer the final host and port");
}

static const struct stranger {
	int status;
	enum err_code means;
	const char *sqlstate;
	const char *words;
} strangers[] = {
	{ 401, ERR_CONFIG, "28P01", "user or password is not accepted" },
	{ 403, ERR_CONFIG, "28000", "access is refused" },
	{ 404, ERR_CONFIG, "", "there is no ClickHouse HTTP interface" },
	{ 407, ERR_CONFIG, "28000", "a proxy wants a password" },
	{ 408, ERR_TRANSIENT, "", "the request took too long" },
	{ 413, ERR_CONFIG, "", "a proxy refuses bodies of this size" },
	{ 429, ERR_TRANSIENT, "", "too many requests" },
};

/* A status without a word of ClickHouse: a proxy's, or somebody else's server. */
static bool
set_stranger(const struct httpc_answer *http, struct err *err)
{
	static const struct stranger away = { 0, ERR_TRANSIENT, "", "the server is not available" };
	static const struct stranger other = { 0, ERR_CONFIG, "", "this is no ClickHouse" };
	const struct stranger *s = http->status >= 500 ? &away : &other;
	char words[200];

	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		if (strangers[i].status == http->status)
			s = &strangers[i];
	copy_words(words, sizeof(words), buf_str(&http->body));
	err_set(err, s->means, "%s (status %d)%s%s", s->words, http->status,
	    words[0] != '\0' ? ": " : "", words);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", s->sqlstate);
	if (http->status == 429)
		err_reason(err, OVERLOADED);
	if (s->means == ERR_CONFIG)
		err_hint(err, "check the peer's host, port, user and password");
	return false;
}

/* ---- exceptions in a body that began well */

/*
 * Newer servers announce a random tag and mark the place with it:
 *	\r\n __exception__ \r\n TAG \r\n Code: ... \r\n LENGTH TAG \r\n __exception__ \r\n
 */
static const char *
find_marked(const char *tail, const char *tag)
{
	char mark[128];
	const char *at;

	snprintf(mark, sizeof(mark), "__exception__\r\n%s\r\n", tag);
	at = strstr(tail, mark);
	return at != NULL ? at + strlen(mark) : NULL;
}

/*
 * Older ones just go on with it on a line of its own, as the end of the body. A
 * row has it only as its one cell: a tab tells that this is data.
 */
static const char *
find_unmarked(const char *tail)
{
	const char *at = tail, *next;

	while ((next = strstr(at, "\nCode: ")) != NULL)
		at = next + 1;
	if (read_code(at) == 0 || strchr(at, '\t') != NULL || strstr(at, "Exception: ") == NULL)
		return NULL;
	return strstr(at, " (version ") != NULL || strstr(at, ", e.what() = ") != NULL ? at : NULL;
}

static const char *
find_exception(const struct httpc_answer *http)
{
	const char *tag = httpc_header(http, "X-ClickHouse-Exception-Tag");
	const char *text = buf_str(&http->body);

	if (http->status != 200)
		return read_code(text) != 0 ? text : NULL;
	if (http->body.n > TAIL_MAX)
		text += http->body.n - TAIL_MAX;
	return tag != NULL ? find_marked(text, tag) : find_unmarked(text);
}

/* ---- any answer */

bool
cherror_exception(const struct httpc_answer *http, struct err *err)
{
	const char *header = httpc_header(http, "X-ClickHouse-Exception-Code");
	const char *text = find_exception(http);
	int code = 0;

	if (header != NULL)
		code = (int)strtol(header, NULL, 10);
	else if (text != NULL)
		code = read_code(text);
	if (code == 0)
		return false;
	set_exception(code, text != NULL ? text : buf_str(&http->body), err);
	return true;
}

bool
cherror_check(const struct httpc_answer *http, struct err *err)
{
	if (cherror_exception(http, err))
		return false;
	if (http->status >= 300 && http->status < 400)
		return set_redirect(http, err);
	return http->status == 200 || set_stranger(http, err);
}
