/*
 * pginfo_int - shared by the pginfo files only
 */
#ifndef PEERD_CONN_PGINFO_INT_H
#define PEERD_CONN_PGINFO_INT_H

#include <stdbool.h>

struct err;

/* "source tables do not exist", with reason and subject; returns false. */
bool pginfo_missing_table(const char *schema, const char *name, struct err *err);

#endif
