/*
 * kafkamockd - librdkafka's mock cluster as a server of its own
 *
 *	kafkamockd NODES FILE
 *
 * Writes the list of its nodes, host:port with commas between, to the file
 * (whole, or not at all) and serves until a signal ends it. What was produced
 * is gone then. For machines where no real broker can be had.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define NODES_MAX 16
#define WORDS_MAX 512

static bool
publish(const char *servers, const char *path)
{
	char *draft = xasprintf("%s.draft", path);
	FILE *f = fopen(draft, "we");
	bool ok = f != NULL && fputs(servers, f) >= 0;

	if (f != NULL)
		ok &= fclose(f) == 0;
	ok = ok && rename(draft, path) == 0;
	MEM_FREE(draft);
	return ok;
}

int
main(int argc, char **argv)
{
	char words[WORDS_MAX] = "no mock cluster";
	rd_kafka_mock_cluster_t *cluster;
	struct err err;
	rd_kafka_t *rk;
	uint64_t nodes;

	if (argc != 3 || !str_to_u64(argv[1], 1, NODES_MAX, &nodes, &err)) {
		fprintf(stderr, "usage: kafkamockd NODES FILE\n");
		return 2;
	}
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), words, sizeof(words));
	cluster = rk != NULL ? rd_kafka_mock_cluster_new(rk, (int)nodes) : NULL;
	if (cluster == NULL) {
		fprintf(stderr, "kafkamockd: %s\n", words);
		return 1;
	}
	if (!publish(rd_kafka_mock_cluster_bootstraps(cluster), argv[2])) {
		fprintf(stderr, "kafkamockd: could not write %s: %m\n", argv[2]);
		return 1;
	}
	for (;;)
		pause();
}
