/*
 * debezium - what Kafka Connect and Debezium's transforms make of a topic
 *
 * A program in Java (tests/debezium/Reader.java, which says what it prints) on
 * Debezium's and Kafka Connect's own jars. Those are brought by
 * scripts/install-kafka; where they or javac are missing,
 * debezium_available() is false and says so aloud.
 *
 *	debezium_compile()	once a program, before tests fork
 *	debezium_read()		all that is committed in the topic, a line each
 *
 * Calls fail the test with what Java says.
 */
#ifndef PEERD_HARNESS_DEBEZIUM_H
#define PEERD_HARNESS_DEBEZIUM_H

#include <stdbool.h>

struct kafka;

bool debezium_available(void); /* says so on stderr when not */
void debezium_compile(void);
void debezium_done(void);

char *debezium_read(const struct kafka *k, const char *topic, const char *mode);

#endif
