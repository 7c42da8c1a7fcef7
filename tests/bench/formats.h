/*
 * formats - what rows cost in each format that ClickHouse takes
 *
 * The engine makes wide rows itself and is asked for them in a format; then
 * they are inserted back from memory into an empty table like those peerd
 * makes. So no encoder has a part in it: the client's CPU is that of packing
 * (LZ4, as peerd packs) and of sending. Figures are for a million rows.
 */
#ifndef PEERD_BENCH_FORMATS_H
#define PEERD_BENCH_FORMATS_H

#include "tests/bench/bench.h"

enum format {
	FORMAT_ROWBINARY,
	FORMAT_ROWBINARY_LZ4,
	FORMAT_NATIVE,
	FORMAT_NATIVE_LZ4,
	FORMAT_JSON,
	FORMAT_COUNT
};

struct format_cost {
	double seconds;
	double megabytes; /* on the wire, of a million bytes */
	double client_cpu;
	double engine_cpu;
};

const char *format_title(enum format f);

void formats_prepare(const struct bench *b, int rows);
struct format_cost formats_measure(const struct bench *b, enum format f, int rows);

#endif
