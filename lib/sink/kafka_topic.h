/*
 * kafka_topic - what topics are called
 *
 * A name is made from a template, in which {mirror}, {schema} and {table}
 * stand for the mirror's name and for the table's on the destination; without
 * a template a table's topic is called as the table is ("public.orders").
 * Kafka takes 249 letters, digits, dots, underscores and hyphens at most.
 *
 * Errors: ERR_CONFIG for a name that Kafka would not take, with what to
 * change as hint; ERR_INVALID for an unknown placeholder.
 */
#ifndef PEERD_SINK_KAFKA_TOPIC_H
#define PEERD_SINK_KAFKA_TOPIC_H

#include <stdbool.h>

struct err;
struct table;

#define KAFKA_TOPIC_MAX 249

/* template: "" for the table's own name. t: NULL where only {mirror} may stand. */
bool kafka_topic_of(const char *template, const char *mirror, const struct table *t,
    char topic_r[KAFKA_TOPIC_MAX + 1], struct err *err);

#endif
