/*
 * peerctl against a scripted peerd on a Unix socket: what it asks for, what it
 * shows, and how it ends.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/suite.h"

#define STEPS_MAX  8
#define TEXT_BYTES 65536

/* ---- the scripted peerd ------------------------------------------------ */

struct step {
	const char *request; /* "POST /api/v1/peers/create" */
	const char *body;    /* exactly; NULL: not looked at */
	int status;
	const char *answer;
};

static char *dir, *socket_path;

static void
make_dir(void)
{
	dir = text("/tmp/peerctl-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	socket_path = text("%s/s", dir);
}

static void
remove_dir(void)
{
	ck_assert_int_eq(system(text("rm -rf '%s'", dir)), 0);
}

/* The whole request; false at the end of the connection. */
static bool
read_request(int fd, char *to, char **body_r)
{
	size_t n = 0, length = 0;
	char *end = NULL, *header;
	ssize_t got;

	while (end == NULL || n < (size_t)(end + 4 - to) + length) {
		got = read(fd, to + n, TEXT_BYTES - 1 - n);
		if (got <= 0)
			return false;
		n += (size_t)got;
		to[n] = '\0';
		end = strstr(to, "\r\n\r\n");
		header = strcasestr(to, "\r\nContent-Length:");
		if (end != NULL && header != NULL && header < end)
			length = strtoul(header + strlen("\r\nContent-Length:"), NULL, 10);
	}
	*body_r = end + 4;
	return true;
}

/* Complain where the test will look: in the answer, which peerctl shows. */
static void
answer_step(int fd, const struct step *s, const char *request, const char *body)
{
	size_t n = s != NULL ? strlen(s->request) : 0;
	const char *wrong = NULL;

	if (s == NULL)
		wrong = text("unexpected request %.60s", request);
	else if (strncmp(request, s->request, n) != 0 || request[n] != ' ')
		wrong = text("expected %s, got %.60s", s->request, request);
	else if (s->body != NULL && strcmp(body, s->body) != 0)
		wrong = text("expected body %s, got %s", s->body, body);
	dprintf(fd, "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
	    wrong != NULL ? 418 : s->status, strlen(wrong != NULL ? wrong : s->answer),
	    wrong != NULL ? wrong : s->answer);
	if (wrong != NULL)
		fprintf(stderr, "script: %s\n", wrong);
}

static void
serve(int listener, const struct step *steps)
{
	static char request[TEXT_BYTES];
	char *body;

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(1);
		if (read_request(fd, request, &body)) {
			answer_step(fd, steps->request != NULL ? steps : NULL, request, body);
			steps += steps->request != NULL;
		}
		close(fd);
	}
}

static pid_t
start_script(const struct step *steps)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", socket_path);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(listener, 16), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		serve(listener, steps);
	close(listener);
	return pid;
}

/* ---- running peerctl ---------------------------------------------------- */

struct result {
	int code;
	char *out, *err;
};

static char *
slurp(const char *path)
{
	char *to = calloc(1, TEXT_BYTES);
	FILE *f = fopen(path, "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_lt(fread(to, 1, TEXT_BYTES, f), TEXT_BYTES);
	fclose(f);
	return to;
}

/* args as a shell would read them */
static struct result
peerctl(const char *args)
{
	const char *out = text("%s/out", dir), *err = text("%s/err", dir);
	int status = system(text("PEERD_SOCKET='%s' PEERD_PASSWORD=secret '%s' %s >'%s' 2>'%s' "
				 "</dev/null",
	    socket_path, daemon_program("peerctl"), args, out, err));

	ck_assert(WIFEXITED(status));
	return (struct result){ .code = WEXITSTATUS(status), .out = slurp(out), .err = slurp(err) };
}

static struct result
peerctl_with(const struct step *steps, const char *args)
{
	pid_t pid = start_script(steps);
	struct result r = peerctl(args);

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return r;
}

/* ---- one call, one answer ----------------------------------------------- */

#define OVERVIEW                                                                               \
	"{\"mirrors\":[{\"name\":\"orders\",\"sourceName\":\"a\",\"destinationName\":\"b\","   \
	"\"status\":\"STATUS_RUNNING\",\"lagBytes\":\"1536\",\"lagMs\":\"250\","               \
	"\"rowsPerSecond\":1234.4,\"rowsSynced\":\"5000000\",\"newField\":1},"                 \
	"{\"name\":\"big\",\"sourceName\":\"a\",\"destinationName\":\"c\","                    \
	"\"status\":\"STATUS_SNAPSHOT\",\"lagBytes\":\"-1\",\"lagMs\":\"-1\",\"rowsSynced\":"  \
	"\"0\","                                                                               \
	"\"errorMessage\":\"connection lost\\n\\u001b[31m\",\"errorHint\":\"is it up?\","      \
	"\"tables\":[{\"sourceTable\":\"public.t\",\"rowsLoaded\":\"500\",\"rowsEstimated\":"  \
	"\"1000\","                                                                            \
	"\"partitionsCompleted\":1,\"partitionsTotal\":4},{\"sourceTable\":\"public.longer\"," \
	"\"rowsLoaded\":\"7\",\"rowsEstimated\":\"-1\",\"partitionsCompleted\":2,"             \
	"\"partitionsTotal\":2,\"error\":\"no key\"}]}]}"

static const struct {
	const char *args;
	struct step step;
	int code;
	const char *out, *err; /* must occur; NULL: must be empty */
} calls[] = {
	{ "status", { "GET /api/v1/mirrors/overview", NULL, 200, OVERVIEW }, 0,
	    "orders  RUNNING   a -> b                 1.5 KiB   0.2 s   1,234  5,000,000\n", NULL },
	{ "status", { "GET /api/v1/mirrors/overview", NULL, 200, OVERVIEW }, 0,
	    "big     SNAPSHOT  a -> c                       -       -       0        507\n"
	    "  error: connection lost ?[31m\n  hint: is it up?\n  public.longer: error: no key\n"
	    "  public.t       [##########----------]  50%  500 of about 1,000 rows, 1 of 4 parts\n"
	    "  public.longer  [####################] 100%  7 rows, 2 of 2 parts\n",
	    NULL },
	{ "status", { "GET /api/v1/mirrors/overview", NULL, 200, "{\"mirrors\":[]}" }, 0,
	    "no mirrors\n", NULL },
	{ "--json status", { "GET /api/v1/mirrors/overview", NULL, 200, "{\"mirrors\":[]}" }, 0,
	    "{\"mirrors\":[]}\n", NULL },
	{ "status", { "GET /api/v1/mirrors/overview", NULL, 200, "{\"mirrors\":5}" }, 1, NULL,
	    "error: field \"mirrors\": expected an array: peerd's answer\n" },
	{ "status", { "GET /api/v1/mirrors/overview", NULL, 404, "<html>" }, 1, NULL,
	    "error: answered with status 404 and no message\n" },
	{ "peers list",
	    { "GET /api/v1/peers/list", NULL, 200,
		"{\"items\":[{\"name\":\"src\",\"type\":\"POSTGRES\"},{\"name\":\"k\",\"type\":9}]"
		"}" },
	    0, "PEER  TYPE\nsrc   POSTGRES\nk     KAFKA\n", NULL },
	{ "peers create src postgres host=localhost port=5432 require_tls=true "
	  "options.sslcert=/c 'password=a b'",
	    { "POST /api/v1/peers/create",
		"{\"peer\":{\"name\":\"src\",\"type\":\"POSTGRES\",\"postgresConfig\":{"
		"\"host\":\"localhost\",\"port\":5432,\"password\":\"a b\",\"requireTls\":true,"
		"\"options\":{\"sslcert\":\"/c\"}}}}",
		200, "{\"status\":\"CREATED\"}" },
	    0, "peer src created\n", NULL },
	{ "peers create --allow-update --disable-validation k KAFKA servers=a:1 servers=b:2",
	    { "POST /api/v1/peers/create",
		"{\"peer\":{\"name\":\"k\",\"type\":\"KAFKA\",\"kafkaConfig\":{\"servers\":[\"a:"
		"1\","
		"\"b:2\"]}},\"allowUpdate\":true,\"disableValidation\":true}",
		200, "{}" },
	    0, "peer k created\n", NULL },
	{ "peers create src postgres",
	    { "POST /api/v1/peers/create", NULL, 409,
		"{\"code\":6,\"message\":\"peer "
		"exists\",\"hint\":\"allow_update\",\"status\":\"FAILED\"}" },
	    1, NULL, "error: peer exists\nhint: allow_update\n" },
	{ "-j peers create src postgres",
	    { "POST /api/v1/peers/create", NULL, 409,
		"{\"code\":6,\"message\":\"peer exists\",\"status\":\"FAILED\"}" },
	    1, "{\"code\":6,\"message\":\"peer exists\",\"status\":\"FAILED\"}\n",
	    "error: peer exists\n" },
	{ "peers validate src postgres host=h",
	    { "POST /api/v1/peers/validate",
		"{\"peer\":{\"name\":\"src\",\"type\":\"POSTGRES\",\"postgresConfig\":{\"host\":"
		"\"h\"}}}",
		200, "{\"status\":\"VALID\"}" },
	    0, "peer src is valid\n", NULL },
	{ "peers drop src", { "POST /api/v1/peers/drop", "{\"peerName\":\"src\"}", 200, "{}" }, 0,
	    "peer src dropped\n", NULL },
	{ "mirrors list",
	    { "GET /api/v1/mirrors/list", NULL, 200,
		"{\"mirrors\":[{\"id\":\"1\",\"name\":\"m\",\"sourceName\":\"a\","
		"\"destinationName\":\"b\","
		"\"createdAt\":1767323045678,\"status\":\"STATUS_PAUSED\"}]}" },
	    0, "m       PAUSED  a       b            2026-01-02T03:04:05Z\n", NULL },
	{ "mirrors create m --from a --to b -t public.t:public.t --table=public.u:x.y",
	    { "POST /api/v1/flows/cdc/create",
		"{\"connectionConfigs\":{\"flowJobName\":\"m\",\"tableMappings\":["
		"{\"sourceTableIdentifier\":\"public.t\",\"destinationTableIdentifier\":\"public."
		"t\"},"
		"{\"sourceTableIdentifier\":\"public.u\",\"destinationTableIdentifier\":\"x.y\"}],"
		"\"doInitialSnapshot\":true,\"sourceName\":\"a\",\"destinationName\":\"b\"}}",
		200, "{\"workflowId\":\"m-peerflow\"}" },
	    0, "mirror m created\n", NULL },
	{ "mirrors create m --exclude 'public.\"a:b\":x,y' -t 'public.\"a:b\":c.d' "
	  "--soft-delete-col-name= --do-initial-snapshot=false --max-batch-size 5 --env A=1=2 "
	  "--resync",
	    { "POST /api/v1/flows/cdc/create",
		"{\"connectionConfigs\":{\"flowJobName\":\"m\",\"tableMappings\":["
		"{\"sourceTableIdentifier\":\"public.\\\"a:b\\\"\",\"destinationTableIdentifier\":"
		"\"c.d\","
		"\"exclude\":[\"x\",\"y\"]}],\"maxBatchSize\":5,\"doInitialSnapshot\":false,"
		"\"resync\":true,"
		"\"softDeleteColName\":\"\",\"env\":{\"A\":\"1=2\"}}}",
		200, "{}" },
	    0, "mirror m created\n", NULL },
	{ "mirrors create m --validate-only --wait",
	    { "POST /api/v1/mirrors/cdc/validate", NULL, 200, "{}" }, 0, "mirror m is valid\n",
	    NULL },
	{ "mirrors pause m",
	    { "POST /api/v1/mirrors/state_change",
		"{\"flowJobName\":\"m\",\"requestedFlowState\":\"STATUS_PAUSED\"}", 200, "{}" },
	    0, "mirror m will pause\n", NULL },
	{ "mirrors resync m",
	    { "POST /api/v1/mirrors/state_change",
		"{\"flowJobName\":\"m\",\"requestedFlowState\":\"STATUS_RESYNC\"}", 200, "{}" },
	    0, "mirror m will be loaded again\n", NULL },
	{ "mirrors resume nope",
	    { "POST /api/v1/mirrors/state_change", NULL, 404,
		"{\"code\":5,\"message\":\"mirror \\\"nope\\\" does not exist\"}" },
	    1, NULL, "error: mirror \"nope\" does not exist\n" },
	{ "mirrors drop m --skip-destination-drop",
	    { "POST /api/v1/mirrors/state_change",
		"{\"flowJobName\":\"m\",\"requestedFlowState\":\"STATUS_TERMINATING\","
		"\"skipDestinationDrop\":true}",
		200, "{}" },
	    0, "mirror m will be dropped\n", NULL },
	{ "mirrors logs m --level error -n 2",
	    { "POST /api/v1/mirrors/logs",
		"{\"flowJobName\":\"m\",\"level\":\"error\",\"numPerPage\":2}", 200,
		"{\"errors\":[{\"flowName\":\"m\",\"errorMessage\":\"x\\ny\",\"errorType\":"
		"\"error\","
		"\"errorTimestamp\":1767323045678.0,\"id\":2},{\"flowName\":\"mm\","
		"\"errorMessage\":\"z\"}]}" },
	    0, "2026-01-02T03:04:05Z error x y\n", NULL },
};

static void
expect_text(const char *got, const char *words, const char *what)
{
	if (words == NULL)
		ck_assert_msg(got[0] == '\0', "%s: %s", what, got);
	else
		ck_assert_msg(strstr(got, words) != NULL, "%s: %s", what, got);
}

/* Without a destination's name the kind of the peer decides. */
static const struct {
	int status;
	const char *type;  /* the answer */
	const char *names; /* for the tables */
} namings[] = {
	{ 200, "{\"peerType\":\"POSTGRES\"}", "public.t public.\\\"a.b\\\" x.y" },
	{ 200, "{\"peerType\":\"CLICKHOUSE\"}", "t \\\"a.b\\\" x.y" },
	{ 404, "{\"code\":5,\"message\":\"no such peer\"}", "public.t public.\\\"a.b\\\" x.y" },
};

START_TEST(tables_have_names_on_the_destination)
{
	const char *names = namings[_i].names, *second = strchr(names, ' ') + 1;
	const char *third = strchr(second, ' ') + 1;
	struct step steps[] = {
		{ "GET /api/v1/peers/type/b", NULL, namings[_i].status, namings[_i].type },
		{ "POST /api/v1/flows/cdc/create",
		    text("{\"connectionConfigs\":{\"flowJobName\":\"m\",\"tableMappings\":["
			 "{\"sourceTableIdentifier\":\"public.t\","
			 "\"destinationTableIdentifier\":\"%.*s\"},"
			 "{\"sourceTableIdentifier\":\"public.\\\"a.b\\\"\","
			 "\"destinationTableIdentifier\":\"%.*s\"},"
			 "{\"sourceTableIdentifier\":\"public.u\","
			 "\"destinationTableIdentifier\":\"%s\"}],"
			 "\"doInitialSnapshot\":true,\"destinationName\":\"b\"}}",
			(int)(second - names - 1), names, (int)(third - second - 1), second, third),
		    200, "{}" },
		{ 0 },
	};
	struct result r = peerctl_with(steps,
	    "mirrors create m --to b -t public.t -t 'public.\"a.b\"' -t public.u:x.y");

	expect_text(r.err, NULL, "stderr");
	ck_assert_str_eq(r.out, "mirror m created\n");
	ck_assert_int_eq(r.code, 0);
}
END_TEST

START_TEST(one_call)
{
	struct step steps[2] = { calls[_i].step };
	struct result r = peerctl_with(steps, calls[_i].args);

	expect_text(r.err, calls[_i].err, "stderr");
	expect_text(r.out, calls[_i].out, "stdout");
	ck_assert_int_eq(r.code, calls[_i].code);
}
END_TEST

/* ---- usage ---------------------------------------------------------------- */

static const struct {
	const char *args;
	int code;
	const char *err;
} misuses[] = {
	{ "", 2, "usage: peerctl [OPTION]... COMMAND" },
	{ "mirrors", 2, "usage: peerctl mirrors COMMAND" },
	{ "statsu", 2, "did you mean \"status\"?" },
	{ "mirrors lst", 2, "did you mean \"list\"?" },
	{ "xyzzy", 2, "peerctl --help lists the commands" },
	{ "status --wtach", 2, "did you mean --watch?" },
	{ "status -x", 2, "unknown option \"-x\"" },
	{ "status --json=1", 2, "option --json takes no value" },
	{ "status --interval", 2, "option --interval wants a value" },
	{ "status --watch --interval 0", 2, "out of range" },
	{ "status orders", 2, "unexpected \"orders\"" },
	{ "mirrors pause", 2, "usage: peerctl mirrors pause [OPTION]... NAME" },
	{ "mirrors create --from a", 2, "a mirror wants a name, or --file" },
	{ "mirrors create", 2, "a mirror wants a name, or --file" },
	{ "mirrors create m --table :b", 2, "expected SOURCE:DESTINATION" },
	{ "mirrors create m --exclude a.b:c", 2, "no --table has the source \"a.b\"" },
	{ "mirrors create m --max-batch-size many", 2, "expected a whole number" },
	{ "mirrors create m --env A", 2, "expected NAME=VALUE" },
	{ "peers create a", 2, "a peer wants a name and a type" },
	{ "peers create a mysql", 2, "known types: postgres, clickhouse, kafka" },
	{ "peers create a postgres hsot=x", 2, "did you mean \"host\"?" },
	{ "peers create a postgres host", 2, "expected KEY=VALUE" },
	{ "peers create a postgres port=x", 2, "expected a whole number" },
	{ "peers create a postgres -f x", 2, "exclude each other" },
	{ "peers create -f /nonexistent/file", 1, "could not open \"/nonexistent/file\"" },
	{ "status --socket /x --url http://y", 2, "exclude each other" },
	{ "status --url http://y --password-file /nonexistent/file", 1, "could not open" },
	{ "status --socket /nonexistent/socket", 1, "No such file or directory" },
	{ "status --url ftp://127.0.0.1", 1, "error: could not talk to peerd" },
};

START_TEST(misuse)
{
	struct result r = peerctl(misuses[_i].args);

	expect_text(r.err, misuses[_i].err, "stderr");
	expect_text(r.out, NULL, "stdout");
	ck_assert_int_eq(r.code, misuses[_i].code);
}
END_TEST

/* ---- files ---------------------------------------------------------------- */

static char *
file_with(const char *words)
{
	char *path = text("%s/file", dir);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(words, f);
	ck_assert_int_eq(fclose(f), 0);
	return path;
}

START_TEST(request_from_file)
{
	static const struct step steps[] = {
		{ "POST /api/v1/flows/cdc/create",
		    "{\"connectionConfigs\":{\"flowJobName\":\"other\",\"maxBatchSize\":9,"
		    "\"doInitialSnapshot\":false}}",
		    200, "{}" },
		{ 0 },
	};
	const char *path = file_with("{\"connection_configs\": {\"flow_job_name\": \"m\",\n"
				     "\"do_initial_snapshot\": false, \"max_batch_size\": 5}}\n");
	struct result r = peerctl_with(steps,
	    text("mirrors create other --max-batch-size 9 --file '%s'", path));

	expect_text(r.err, NULL, "stderr");
	ck_assert_str_eq(r.out, "mirror other created\n");
	ck_assert_int_eq(r.code, 0);
}
END_TEST

START_TEST(bad_file_is_refused_in_words)
{
	const char *path = file_with("{\"connection_configs\": {\"flow_job_nam\": \"m\"}}");
	struct result r = peerctl(text("mirrors create -f '%s'", path));

	expect_text(r.err, "field \"connection_configs\": unknown field \"flow_job_nam\": file",
	    "stderr");
	expect_text(r.err, "did you mean \"flow_job_name\"?", "stderr");
	ck_assert_int_eq(r.code, 1);
}
END_TEST

START_TEST(secret_from_file)
{
	static const struct step steps[] = {
		{ "POST /api/v1/peers/create",
		    "{\"peer\":{\"name\":\"a\",\"type\":\"POSTGRES\",\"postgresConfig\":{"
		    "\"password\":\"hunter2\"}}}",
		    200, "{}" },
		{ 0 },
	};
	struct result r = peerctl_with(steps,
	    text("peers create a postgres --from-file "
		 "'password=%s'",
		file_with("hunter2\n")));

	expect_text(r.err, NULL, "stderr");
	ck_assert_int_eq(r.code, 0);
}
END_TEST

/* ---- waiting ---------------------------------------------------------------- */

#define CREATE                                                   \
	{                                                        \
		"POST /api/v1/flows/cdc/create", NULL, 200, "{}" \
	}
#define LOOK(state, more)                                       \
	{                                                       \
		"GET /api/v1/mirrors/overview", NULL, 200,      \
		    "{\"mirrors\":[{\"name\":\"m\",\"status\":" \
		    "\"STATUS_" state "\"" more "}]}"           \
	}
#define LOADED(n)                                                                           \
	",\"tables\":[{\"sourceTable\":\"s.t\",\"rowsLoaded\":\"" n "\",\"rowsEstimated\":" \
	"\"100\"}]"

static const struct {
	const char *args;
	struct step steps[STEPS_MAX];
	int code;
	const char *out, *err;
} waits[] = {
	{ "mirrors create m --wait",
	    { CREATE, LOOK("SETUP", ""), LOOK("SNAPSHOT", LOADED("5")),
		LOOK("SNAPSHOT", LOADED("7")), LOOK("SNAPSHOT", LOADED("64")), LOOK("RUNNING", ""),
		{ 0 } },
	    0, "m: SETUP\nm: SNAPSHOT 5%\nm: SNAPSHOT 64%\nm: RUNNING\n", NULL },
	{ "mirrors create m --wait", { CREATE, LOOK("COMPLETED", ""), { 0 } }, 0, "m: COMPLETED\n",
	    NULL },
	{ "mirrors create m --wait",
	    { CREATE, LOOK("SETUP", ",\"errorMessage\":\"busy\""),
		LOOK("FAILED", ",\"errorMessage\":\"no slot\",\"errorHint\":\"add one\""), { 0 } },
	    1, "m: error: busy\nm: SETUP\n",
	    "error: mirror \"m\" is FAILED: no slot\nhint: add one\n" },
	{ "mirrors create m --wait",
	    { CREATE, LOOK("SETUP", ""),
		{ "GET /api/v1/mirrors/overview", NULL, 200, "{\"mirrors\":[]}" }, { 0 } },
	    1, "m: SETUP\n", "error: mirror \"m\" does not exist any more\n" },
	{ "mirrors create m --wait",
	    { CREATE,
		{ "GET /api/v1/mirrors/overview", NULL, 503,
		    "{\"code\":14,\"message\":\"starting\"}" },
		LOOK("RUNNING", ""), { 0 } },
	    0, "m: RUNNING\n", NULL },
	{ "mirrors create m --wait --json", { CREATE, LOOK("RUNNING", ""), { 0 } }, 0, "{}\n",
	    NULL },
	{ "mirrors pause m --wait",
	    { { "POST /api/v1/mirrors/state_change", NULL, 200, "{}" }, LOOK("RUNNING", ""),
		LOOK("PAUSING", ""), LOOK("PAUSED", ""), { 0 } },
	    0, "m: RUNNING\nm: PAUSING\nm: PAUSED\n", NULL },
	{ "mirrors resume m --wait",
	    { { "POST /api/v1/mirrors/state_change", NULL, 200, "{}" }, LOOK("FAILED", ""),
		LOOK("RUNNING", ""), { 0 } },
	    0, "m: FAILED\nm: RUNNING\n", NULL },
	{ "mirrors resync m --wait",
	    { { "POST /api/v1/mirrors/state_change", NULL, 200, "{}" }, LOOK("RESYNC", ""),
		LOOK("SETUP", ""), LOOK("RUNNING", ""), { 0 } },
	    0, "m: RESYNC\nm: SETUP\nm: RUNNING\n", NULL },
	{ "mirrors drop m --wait",
	    { { "POST /api/v1/mirrors/state_change", NULL, 200, "{}" }, LOOK("TERMINATING", ""),
		{ "GET /api/v1/mirrors/overview", NULL, 200, "{\"mirrors\":[]}" }, { 0 } },
	    0, "m: TERMINATING\nm: dropped\n", NULL },
};

START_TEST(waits_for_the_end)
{
	struct result r = peerctl_with(waits[_i].steps, waits[_i].args);

	expect_text(r.err, waits[_i].err, "stderr");
	ck_assert_str_eq(r.out, waits[_i].out);
	ck_assert_int_eq(r.code, waits[_i].code);
}
END_TEST

/* ---- mirrors status: two calls ---------------------------------------------- */

START_TEST(one_mirror_in_full)
{
	static const struct step steps[] = {
		{ "POST /api/v1/mirrors/status", "{\"flowJobName\":\"m\",\"includeFlowInfo\":true}",
		    200,
		    "{\"flowJobName\":\"m\",\"cdcStatus\":{\"cdcBatches\":[{\"numRows\":1000,"
		    "\"endTime\":\"2026-01-02T03:04:05Z\",\"batchId\":\"8\"},{\"batchId\":\"7\"}]},"
		    "\"currentFlowState\":\"STATUS_RUNNING\"}" },
		LOOK("RUNNING",
		    ",\"sourceName\":\"a\",\"confirmedLsn\":\"0/"
		    "1A\",\"rowsSynced\":\"9\",\"workerPid\":42" LOADED("100")),
		{ 0 },
	};
	struct result r = peerctl_with(steps, "mirrors status m");

	expect_text(r.err, NULL, "stderr");
	expect_text(r.out, "m: RUNNING\n  source       a\n", "stdout");
	expect_text(r.out, "  rows         100 loaded, 9 streamed, 0 a second\n", "stdout");
	expect_text(r.out, "  confirmed    0/1A\n  worker       pid 42\n", "stdout");
	expect_text(r.out, "s.t                           100    0/0\n", "stdout");
	expect_text(r.out, "    8  1,000  2026-01-02T03:04:05Z\n    7      0  running\n", "stdout");
	ck_assert_int_eq(r.code, 0);
}
END_TEST

/* ---- help, man page and completion agree -------------------------------------- */

/* Without the backslashes that roff wants before hyphens. */
static char *
plain_man_page(void)
{
	char *page = slurp("packaging/man/peerctl.1"), *to = page;

	for (const char *from = page; *from != '\0'; from++)
		if (from[0] != '\\' || from[1] != '-')
			*to++ = *from;
	*to = '\0';
	return page;
}

START_TEST(man_page_has_every_option)
{
	const char *page = plain_man_page();
	char *words = peerctl("complete -- peerctl").out, *group, *command, *option;
	char *save1, *save2, *save3;

	for (group = strtok_r(words, "\n", &save1); group != NULL;
	     group = strtok_r(NULL, "\n", &save1)) {
		if (group[0] == '-') {
			ck_assert_msg(strstr(page, group) != NULL, "%s", group);
			continue;
		}
		char *commands = peerctl(text("complete -- peerctl %s", group)).out;

		for (command = strtok_r(commands, "\n", &save2); command != NULL;
		     command = strtok_r(NULL, "\n", &save2)) {
			bool alone = strcmp(group, "status") == 0;
			const char *name = alone ? group : text("%s %s", group, command);

			if (command[0] == '-' && !alone)
				continue;
			ck_assert_msg(strstr(page, text(".SS %s", name)) != NULL, "%s", name);
			char *options = peerctl(text("complete -- peerctl %s", name)).out;

			for (option = strtok_r(options, "\n", &save3); option != NULL;
			     option = strtok_r(NULL, "\n", &save3))
				ck_assert_msg(strstr(page, option) != NULL, "%s %s", name, option);
		}
	}
}
END_TEST

START_TEST(completes_names)
{
	static const struct step peers[] = {
		{ "GET /api/v1/peers/list", NULL, 200,
		    "{\"items\":[{\"name\":\"src\",\"type\":3}]}" },
		{ 0 },
	};
	static const struct step mirrors[] = {
		{ "GET /api/v1/mirrors/list", NULL, 200, "{\"mirrors\":[{\"name\":\"m1\"}]}" },
		{ 0 },
	};

	ck_assert_str_eq(peerctl_with(peers, "complete -- peerctl mirrors create --from").out,
	    "src\n");
	ck_assert_int_eq(unlink(socket_path), 0);
	expect_text(peerctl_with(mirrors, "complete -- peerctl mirrors pause").out, "\nm1\n",
	    "stdout");
	expect_text(peerctl("complete -- peerctl nonsense").out, NULL, "stdout");
	expect_text(peerctl("complete -- peerctl mirrors create").out, "--max-batch-size\n",
	    "stdout");
}
END_TEST

static const char *const help_calls[] = { "--help", "-h", "mirrors --help", "mirrors create --help",
	"status -h", "--version", "-V" };

START_TEST(help_goes_to_stdout)
{
	struct result r = peerctl(help_calls[_i]);

	expect_text(r.err, NULL, "stderr");
	expect_text(r.out, "peerctl", "stdout");
	ck_assert_int_eq(r.code, 0);
	for (const char *line = r.out; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		ck_assert_uint_le(strcspn(line, "\n"), 90);
	}
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int
main(void)
{
	Suite *s = suite_create("peerctl");
	TCase *tc = suite_case(s, "peerctl", NULL, NULL, make_dir, remove_dir);

	suite_loop(tc, one_call, 0, COUNT(calls));
	suite_loop(tc, tables_have_names_on_the_destination, 0, COUNT(namings));
	suite_loop(tc, misuse, 0, COUNT(misuses));
	suite_test(tc, request_from_file);
	suite_test(tc, bad_file_is_refused_in_words);
	suite_test(tc, secret_from_file);
	suite_loop(tc, waits_for_the_end, 0, COUNT(waits));
	suite_test(tc, one_mirror_in_full);
	suite_test(tc, man_page_has_every_option);
	suite_test(tc, completes_names);
	suite_loop(tc, help_goes_to_stdout, 0, COUNT(help_calls));
	return suite_main(s);
}
