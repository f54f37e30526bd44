/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory from the host's kernel. */
#include "tests/lib/test.h"
#include "util/map.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

enum { BYTES = (2 << 20) + 4096 };

TEST("map: zeroed memory of megabytes begins where a huge page could")
{
    uint8_t *at = map_zeroed(BYTES), *small = map_zeroed(1);

    check((uintptr_t)at % (2 << 20), 0);
    check(at[0] | at[BYTES - 1] | small[0], 0);
    at[BYTES - 1] = 1;
    map_free(at, BYTES);
    map_free(small, 1);
    map_free(NULL, 1);
}

TEST("map: of a sparse table only the page is taken that is touched")
{
    enum { PAGES = BYTES / 4096 };
    uint8_t *at = map_sparse(BYTES);
    unsigned char there[PAGES];
    unsigned taken = 0;

    at[BYTES / 2] = 1;
    check(mincore(at, BYTES, there), 0);
    for (unsigned n = 0; n < PAGES; n++) {
        taken += there[n] & 1;
    }
    check(taken, 1);
    map_free(at, BYTES);
}

TEST("map: what is written at one address is there at the other, which cannot be written")
{
    uint8_t *write;
    const uint8_t *run;

    check(map_twice(4096, &write, &run), true);
    write[5] = 7;
    check(run[5], 7);
    check(mprotect(write, 4096, PROT_READ), 0);
    map_free(write, 4096);
    map_free(run, 4096);
}

/* How perf knows memory whose names are in /tmp/perf-PID.map. */
TEST("map: what is run is /dev/zero's, which is what perf looks up names for, and is never written")
{
    g_autofree char *maps = NULL, *begin = NULL;
    const char *line;
    uint8_t *write;
    const uint8_t *run;

    check(map_twice(BYTES, &write, &run), true);
    begin = g_strdup_printf("%" PRIxPTR "-", (uintptr_t)run);
    check(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL), true);
    line = strstr(maps, begin);
    check(line && g_str_has_prefix(strchr(line, ' '), " r-xs "), true);
    check(line && strstr(line, "/dev/zero") < strchr(line, '\n'), true);
    map_free(write, BYTES);
    map_free(run, BYTES);
}

TEST("map: more than there is is refused")
{
    uint8_t *write;
    const uint8_t *run;

    check(map_twice(SIZE_MAX / 4, &write, &run), false);
    check(write == NULL && run == NULL, true);
    check(map_zeroed(SIZE_MAX / 4) == NULL, true);
}

TEST("map: what was written stays when it is gathered on a huge page, at both addresses")
{
    uint8_t *write;
    const uint8_t *run;

    check(map_twice(BYTES, &write, &run), true);
    check((uintptr_t)write % (2 << 20) + (uintptr_t)run % (2 << 20), 0);
    for (unsigned at = 0; at < 2 << 20; at += 4096) {
        write[at] = at >> 12;
    }
    map_gather(write, 2 << 20);
    map_gather(run, 2 << 20);
    for (unsigned at = 0; at < 2 << 20; at += 4096) {
        check(run[at], (at >> 12) & 255);
    }
    write[77] = 3;
    check(run[77], 3);
    map_free(write, BYTES);
    map_free(run, BYTES);
}
