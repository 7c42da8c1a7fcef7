/*
 * keyfile - DIR/catalog.key, for those who give no key of their own
 *
 * Made on the first start with a random key, mode 0600; one line in the form
 * of PEERD_CATALOG_KEY. It is as precious as the catalog: without it the
 * sealed secrets cannot be opened. A file that others may read is refused.
 */
#ifndef PEERD_CATALOG_KEYFILE_H
#define PEERD_CATALOG_KEYFILE_H

#include <stdbool.h>

struct err;
struct seal_ring;

#define KEYFILE_NAME "catalog.key"

/*
 * Add the keys of DIR/catalog.key to the ring. Without such a file: make one
 * when `make` is set, else add nothing.
 */
bool keyfile_load(const char *dir, bool make, struct seal_ring *ring, struct err *err);

#endif
