/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory from the host's kernel by pages: large tables, and code that is written while it runs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory that is taken as it is touched, on huge pages if the host has them. 0 < bytes;
 * NULL: none (errno). */
void *map_zeroed(size_t bytes);

/* The same on small pages: for large tables of which little is touched. */
void *map_sparse(size_t bytes);

/* One memory seen at two addresses, so that none can be both written and executed. false: none
 * (errno), *write and *run are NULL. */
bool map_twice(size_t bytes, uint8_t **write, const uint8_t **run);

/* Have memory of map_twice() that has been written to lie on huge pages from now on, if the host
 * can. at, bytes: multiples of 2 MB, counted from its beginning. Takes about a millisecond for 2
 * MB. */
void map_gather(const void *at, size_t bytes);

/* Gives back what one of them returned; NULL: nothing. */
void map_free(const void *at, size_t bytes);
