#include "tests/harness/kafka.h"

#include <signal.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/files.h"
#include "tests/harness/janitor.h"
#include "tests/harness/kafka_int.h"
#include "tests/harness/poll.h"
#include "tests/harness/port.h"
#include "tests/harness/proc.h"

#define START_MS   90000
#define STOP_MS	   30000
#define CLUSTER_ID "cGVlcmQtdGVzdC1rYWZrYQ" /* any 16 bytes in base64 */

static const struct {
	const char *name;
	const char *protocol;
} listeners[KAFKA_LISTENERS] = {
	[KAFKA_PLAIN] = { "PLAIN", "PLAINTEXT" },
	[KAFKA_SASL] = { "SASL", "SASL_PLAINTEXT" },
	[KAFKA_TLS] = { "TLS", "SSL" },
	[KAFKA_SASL_TLS] = { "SASLTLS", "SASL_SSL" },
};

/* ---- the programs */

static char *
jars(void)
{
	return cache_newest("kafka-*/classes.jsa") != NULL ? cache_newest("kafka-*") : NULL;
}

static bool
java_runs(void)
{
	const char *const argv[] = { "java", "-version", NULL };
	struct proc_spec spec = { .argv = argv, .log = "/dev/null" };

	return proc_run(&spec) == 0;
}

bool
kafka_available(void)
{
	if (jars() != NULL && java_runs())
		return true;
	fprintf(stderr,
	    "SKIPPED: no Kafka broker below %s, or no Java: run scripts/install-kafka\n",
	    cache_directory());
	return false;
}

/* java CLASS ARGS...; what Java itself leaves behind goes to dir. */
static const char **
java_argv(const struct kafka *k, const char *dir, const char *class, const char *const *args)
{
	const char *const options[] = {
		"java",
		k->use == KAFKA_FOR_BENCH ? "-Xmx512m" : "-Xmx256m",
		k->use == KAFKA_FOR_BENCH ? "-XX:+TieredCompilation" : "-XX:TieredStopAtLevel=1",
		"-XX:+UseSerialGC",
		"-XX:-UsePerfData",
		text("-XX:SharedArchiveFile=%s/classes.jsa", jars()),
		text("-Djava.io.tmpdir=%s", dir),
		text("-Dlog4j.configuration=file:%s/log4j.properties", k->dir),
		"-cp",
		text("%s/*", jars()),
		class,
	};
	size_t n = sizeof(options) / sizeof(*options);
	const char **argv = xcalloc(n + KAFKA_TOOL_ARGS + 1, sizeof(*argv));

	memcpy(argv, options, sizeof(options));
	for (size_t i = 0; args[i] != NULL && i < KAFKA_TOOL_ARGS; i++)
		argv[n++] = args[i];
	return argv;
}

void
kafka_run_tool(const struct kafka *k, const char *class, const char *const *args)
{
	const char **argv = java_argv(k, k->dir, class, args);
	struct proc_spec spec = {
		.argv = argv,
		.log = KAFKA_TOOL_LOG(k),
		.unprivileged = true,
	};

	if (proc_run(&spec) != 0)
		test_fail("%s failed: %s", class, file_read(spec.log));
	MEM_FREE(argv);
}

/* ---- configuration */

/* For a quoted string of JAAS inside a properties file: both take a backslash away. */
static char *
jaas_quoted(const char *s)
{
	struct buf b;
	char *quoted;

	buf_init(&b, KIB);
	for (; *s != '\0'; s++)
		buf_str_add(&b, *s == '\\' ? "\\\\\\\\" : (char[]){ *s, '\0' });
	quoted = text("%s", buf_str(&b));
	buf_done(&b);
	return quoted;
}

static void
add_sasl(struct buf *b, const char *listener)
{
	static const char login[] = "org.apache.kafka.common.security";

	buf_printf(b,
	    "listener.name.%s.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n"
	    "listener.name.%s.plain.sasl.jaas.config=%s.plain.PlainLoginModule required "
	    "user_" KAFKA_USER "=\"%s\";\n",
	    listener, listener, login, jaas_quoted(KAFKA_PASSWORD));
	for (int bits = 256; bits <= 512; bits += 256)
		buf_printf(b,
		    "listener.name.%s.scram-sha-%d.sasl.jaas.config="
		    "%s.scram.ScramLoginModule required;\n",
		    listener, bits, login);
}

static void
add_listeners(struct buf *b, const struct kafka_node *node)
{
	const char *own = "", *all = "", *protocols = "";

	for (int i = 0; i < KAFKA_LISTENERS; i++) {
		own = text("%s%s%s://127.0.0.1:%d", own, i > 0 ? "," : "", listeners[i].name,
		    node->ports[i]);
		protocols = text("%s%s:%s,", protocols, listeners[i].name, listeners[i].protocol);
	}
	all = text("%s,CONTROLLER://127.0.0.1:%d", own, node->controller_port);
	buf_printf(b,
	    "listeners=%s\nadvertised.listeners=%s\n"
	    "listener.security.protocol.map=%sCONTROLLER:PLAINTEXT\n"
	    "controller.listener.names=CONTROLLER\ninter.broker.listener.name=%s\n",
	    all, own, protocols, listeners[KAFKA_PLAIN].name);
}

static void
add_voters(struct buf *b, const struct kafka *k)
{
	buf_str_add(b, "controller.quorum.voters=");
	for (int i = 0; i < k->nodes; i++)
		buf_printf(b, "%s%d@127.0.0.1:%d", i > 0 ? "," : "", i + 1,
		    k->node[i].controller_port);
	buf_char(b, '\n');
}

static void
add_tls(struct buf *b, const struct kafka *k)
{
	buf_printf(b,
	    "ssl.keystore.type=PEM\nssl.keystore.location=%s/both.pem\n"
	    "ssl.truststore.type=PEM\nssl.truststore.location=%s\n"
	    "listener.name.tls.ssl.client.auth=required\n",
	    k->dir, k->cert);
}

/* Copies where there are nodes for them, small buffers, short waits. */
static void
add_rest(struct buf *b, const struct kafka *k)
{
	int copies = k->nodes, needed = k->nodes > 1 ? 2 : 1;

	buf_printf(b,
	    "auto.create.topics.enable=false\ndefault.replication.factor=%d\n"
	    "min.insync.replicas=%d\n"
	    "offsets.topic.num.partitions=1\noffsets.topic.replication.factor=%d\n"
	    "transaction.state.log.num.partitions=3\n"
	    "transaction.state.log.replication.factor=%d\ntransaction.state.log.min.isr=%d\n"
	    "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000\n"
	    "group.initial.rebalance.delay.ms=0\n"
	    "broker.heartbeat.interval.ms=500\nbroker.session.timeout.ms=2500\n"
	    "log.cleaner.dedupe.buffer.size=4194304\nnum.network.threads=2\nnum.io.threads=4\n"
	    "background.threads=2\nnum.recovery.threads.per.data.dir=1\n",
	    copies, needed, copies, copies, needed);
}

static void
configure(const struct kafka *k, int node)
{
	const struct kafka_node *n = &k->node[node - 1];
	struct buf b;

	buf_init(&b, 64 * KIB);
	buf_printf(&b, "process.roles=broker,controller\nnode.id=%d\nlog.dirs=%s/data\n", node,
	    n->dir);
	add_voters(&b, k);
	add_listeners(&b, n);
	add_sasl(&b, "sasl");
	add_sasl(&b, "sasltls");
	add_tls(&b, k);
	add_rest(&b, k);
	file_write(text("%s/server.properties", n->dir), buf_str(&b));
	buf_done(&b);
}

static void
format_storage(const struct kafka *k, int node)
{
	const char *const args[] = {
		"format",
		"--cluster-id=" CLUSTER_ID,
		text("--config=%s/server.properties", k->node[node - 1].dir),
		"--add-scram",
		"SCRAM-SHA-256=[name=" KAFKA_USER ",password=\"" KAFKA_PASSWORD "\"]",
		"--add-scram",
		"SCRAM-SHA-512=[name=" KAFKA_USER ",password=\"" KAFKA_PASSWORD "\"]",
		NULL,
	};

	kafka_run_tool(k, "kafka.tools.StorageTool", args);
}

/* One certificate, its own authority, for servers and clients. */
static void
make_certificate(struct kafka *k)
{
	const char *const argv[] = {
		"sh",
		"-c",
		"cd \"$0\" && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "
		"/CN=localhost "
		"-addext subjectAltName=DNS:localhost,IP:127.0.0.1 "
		"-keyout key.pem -out cert.pem && cat key.pem cert.pem >both.pem",
		k->dir,
		NULL,
	};
	struct proc_spec spec = {
		.argv = argv,
		.log = KAFKA_TOOL_LOG(k),
		.unprivileged = true,
	};

	if (proc_run(&spec) != 0)
		test_fail("could not make a certificate: %s", file_read(spec.log));
	k->cert = text("%s/cert.pem", k->dir);
	k->key = text("%s/key.pem", k->dir);
}

/* ---- life */

static struct kafka *
new_cluster(const char *name, int nodes)
{
	struct kafka *k = xcalloc(1, sizeof(*k));

	if (nodes < 1 || nodes > KAFKA_NODES_MAX)
		test_fail("a Kafka cluster has 1 to %d nodes, not %d", KAFKA_NODES_MAX, nodes);
	k->name = name;
	k->nodes = nodes;
	k->dir = tmp_path("%s", name);
	directory_make(k->dir);
	for (int i = 0; i < nodes; i++) {
		k->node[i].dir = text("%s/%d", k->dir, i + 1);
		k->node[i].log = log_path("%s.%d.log", name, i + 1);
	}
	return k;
}

static void
take_ports(struct kafka_node *node)
{
	for (int i = 0; i < KAFKA_LISTENERS; i++)
		node->ports[i] = port_take();
	node->controller_port = port_take();
}

static pid_t
launch(const struct kafka *k, int node)
{
	const struct kafka_node *n = &k->node[node - 1];
	const char *const args[] = { text("%s/server.properties", n->dir), NULL };
	const char **argv = java_argv(k, n->dir, "kafka.Kafka", args);
	struct proc_spec spec = {
		.argv = argv,
		.log = n->log,
		.unprivileged = true,
		.adopted = true,
	};
	pid_t pid = proc_start(&spec);

	MEM_FREE(argv);
	file_write_pid(text("%s/pid", n->dir), pid);
	return pid;
}

static void
wait_ready(const struct kafka *k, int node, int brokers)
{
	const struct kafka_node *n = &k->node[node - 1];
	rd_kafka_t *client = kafka_client(text("127.0.0.1:%d", n->ports[KAFKA_PLAIN]));
	bool ready = poll_until(START_MS,
	    kafka_count_brokers(client, node) >= brokers || kafka_pid(k, node) == 0);

	rd_kafka_destroy(client);
	if (!ready || kafka_pid(k, node) == 0)
		test_fail("node %d of %s did not start, see %s", node, k->name, n->log);
}

struct kafka *
kafka_new(const char *name, int nodes, enum kafka_use use)
{
	struct kafka *k = new_cluster(name, nodes);

	k->use = use;
	file_write(text("%s/log4j.properties", k->dir),
	    "log4j.rootLogger=WARN, out\n"
	    "log4j.appender.out=org.apache.log4j.ConsoleAppender\n"
	    "log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
	    "log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %p %m (%c{1})%n\n");
	make_certificate(k);
	for (int i = 0; i < nodes; i++)
		take_ports(&k->node[i]);
	for (int node = 1; node <= nodes; node++) {
		directory_make(k->node[node - 1].dir);
		configure(k, node);
		format_storage(k, node);
	}
	for (int node = 1; node <= nodes; node++)
		launch(k, node);
	for (int node = 1; node <= nodes; node++)
		wait_ready(k, node, nodes);
	return k;
}

struct kafka *
kafka_new_mock(const char *name, int nodes)
{
	struct kafka *k = new_cluster(name, nodes);
	const char *const argv[] = {
		daemon_program("../tests/kafkamock/kafkamockd"),
		text("%d", nodes),
		text("%s/servers", k->dir),
		NULL,
	};
	struct proc_spec spec = {
		.argv = argv,
		.log = k->node[0].log,
		.adopted = true,
	};
	pid_t pid;

	k->is_mock = true;
	directory_make(k->node[0].dir);
	pid = proc_start(&spec);
	file_write_pid(text("%s/pid", k->node[0].dir), pid);
	if (!poll_until(START_MS, access(argv[2], F_OK) == 0 || !proc_alive(pid)) ||
	    !proc_alive(pid))
		test_fail("the mock cluster %s did not start, see %s", name, spec.log);
	k->mock_servers = file_read(argv[2]);
	return k;
}

void
kafka_free(struct kafka **k)
{
	if (*k == NULL)
		return;
	for (int node = 1; node <= (*k)->nodes; node++)
		kafka_stop(*k, node, KAFKA_KILL);
	tmp_remove((*k)->dir);
	MEM_FREE(*k);
}

const char *
kafka_servers(const struct kafka *k, enum kafka_listener listener)
{
	const char *servers = "";

	if (k->is_mock && listener != KAFKA_PLAIN)
		test_fail("the mock cluster has no listener %s", listeners[listener].name);
	if (k->is_mock)
		return k->mock_servers;
	for (int i = 0; i < k->nodes; i++)
		servers = text("%s%s127.0.0.1:%d", servers, i > 0 ? "," : "",
		    k->node[i].ports[listener]);
	return servers;
}

void
kafka_start(const struct kafka *k, int node)
{
	if (k->is_mock)
		test_fail("a node of the mock cluster does not come back");
	launch(k, node);
	wait_ready(k, node, 1);
}

pid_t
kafka_pid(const struct kafka *k, int node)
{
	return file_read_pid(text("%s/pid", k->node[node - 1].dir));
}

void
kafka_stop(const struct kafka *k, int node, enum kafka_stop how)
{
	pid_t pid = kafka_pid(k, node);

	if (pid == 0)
		return;
	kill(pid, how == KAFKA_KILL ? SIGKILL : SIGTERM);
	if (!proc_wait_reaped(pid, STOP_MS))
		test_fail("node %d of %s did not stop", node, k->name);
}

void
kafka_restart(const struct kafka *k, int node, enum kafka_stop how)
{
	kafka_stop(k, node, how);
	kafka_start(k, node);
}
