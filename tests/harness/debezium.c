#include "tests/harness/debezium.h"

#include <unistd.h>

#include "tests/harness/fail.h"
#include "tests/harness/files.h"
#include "tests/harness/janitor.h"
#include "tests/harness/kafka.h"
#include "tests/harness/proc.h"

#define SOURCE	"tests/debezium/Reader.java"
#define CLASSES tmp_path("debezium")

static char *
jars(void)
{
	return cache_newest("debezium-*");
}

static bool
compiler_runs(void)
{
	const char *const argv[] = { "javac", "-version", NULL };
	struct proc_spec spec = { .argv = argv, .log = "/dev/null" };

	return proc_run(&spec) == 0;
}

bool
debezium_available(void)
{
	if (jars() != NULL && compiler_runs())
		return true;
	fprintf(stderr,
	    "SKIPPED: no Debezium jars below %s, or no javac: run scripts/install-kafka\n",
	    cache_directory());
	return false;
}

void
debezium_compile(void)
{
	const char *const argv[] = { "javac", "-J-XX:TieredStopAtLevel=1", "-Xlint:all", "-Werror",
		"-d", CLASSES, "-cp", text("%s/*", jars()), SOURCE, NULL };
	struct proc_spec spec = { .argv = argv, .log = text("%s/javac.log", CLASSES) };

	directory_make(CLASSES);
	if (proc_run(&spec) != 0)
		test_fail("could not compile %s: %.2000s", SOURCE, file_read(spec.log));
}

void
debezium_done(void)
{
	tmp_remove(CLASSES);
}

char *
debezium_read(const struct kafka *k, const char *topic, const char *mode)
{
	const char *out = tmp_path("debezium.%d.out", (int)getpid());
	const char *errors = tmp_path("debezium.%d.err", (int)getpid());
	const char *const argv[] = {
		"sh",
		"-c",
		"exec java \"$@\" 2>\"$0\"",
		errors,
		"-Xmx128m",
		"-XX:TieredStopAtLevel=1",
		"-XX:+UseSerialGC",
		"-XX:-UsePerfData",
		text("-Djava.io.tmpdir=%s", CLASSES),
		"-cp",
		text("%s:%s/*", CLASSES, jars()),
		"Reader",
		kafka_servers(k, KAFKA_PLAIN),
		topic,
		mode,
		NULL,
	};
	struct proc_spec spec = { .argv = argv, .log = out };
	char *lines;

	if (proc_run(&spec) != 0)
		test_fail("Debezium could not read %s: %.3000s", topic, file_read(errors));
	lines = file_read(out);
	unlink(out);
	unlink(errors);
	return lines;
}
