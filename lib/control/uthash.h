/*
 * uthash - the library, with memory that does not fail
 */
#ifndef PEERD_CONTROL_UTHASH_H
#define PEERD_CONTROL_UTHASH_H

#include "lib/base/mem.h"

#define uthash_malloc(n) xmalloc(n)
#include <uthash.h>

#endif
