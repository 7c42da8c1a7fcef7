/*
 * kafka_int - what the files of the Kafka fixture share
 *
 * A client belongs to the caller, who ends it with rd_kafka_destroy().
 */
#ifndef PEERD_HARNESS_KAFKA_INT_H
#define PEERD_HARNESS_KAFKA_INT_H

#include <librdkafka/rdkafka.h>

#include "tests/harness/kafka.h"

#define KAFKA_ANSWER_MS	  1000 /* how long one question may take */
#define KAFKA_TOOL_ARGS	  8
#define KAFKA_TOOL_LOG(k) text("%s/tools.log", (k)->dir)

rd_kafka_t *kafka_client(const char *servers);

/* How many brokers the client's cluster counts; 0 when it does not answer, or `node` is missing. */
int kafka_count_brokers(rd_kafka_t *client, int node);

/* Run a class of Kafka's jars; args end with NULL. What it says is added to the log. */
void kafka_run_tool(const struct kafka *k, const char *class, const char *const *args);

#endif
