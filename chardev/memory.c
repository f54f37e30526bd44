/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Back ends without a host end: null swallows everything, ringbuf keeps the last bytes written for
 * whoever reads them (the monitor's ringbuf-read, tests).
 */
#include "chardev/memory.h"

#include <string.h>

static size_t null_write(Chardev *chr, const uint8_t *data, size_t n)
{
    return n;
}

static bool null_complete(Object *obj, Error **err)
{
    char_opened((Chardev *)obj, true);
    return true;
}

static const ChardevClass NullChardev_class = {
    .class = {"chardev-null", "swallows everything", &Chardev_class.class, sizeof(Chardev),
              .complete = null_complete},
    .write = null_write,
};
CLASS(NullChardev);

struct RingChardev {
    Chardev chr;
    uint64_t size;
    uint8_t *ring;
    uint64_t written, read; /* ever; size is a power of two */
};

static size_t ring_write(Chardev *chr, const uint8_t *data, size_t n)
{
    RingChardev *r = (RingChardev *)chr;

    for (size_t i = 0; i < n; i++) {
        r->ring[r->written++ & (r->size - 1)] = data[i];
    }
    r->read = MAX(r->read, r->written > r->size ? r->written - r->size : 0);
    return n;
}

size_t ring_read(RingChardev *r, uint8_t *to, size_t n)
{
    size_t done = 0;

    pthread_mutex_lock(&r->chr.mutex);
    for (; done < n && r->read < r->written; done++) {
        to[done] = r->ring[r->read++ & (r->size - 1)];
    }
    pthread_mutex_unlock(&r->chr.mutex);
    return done;
}

static bool ring_complete(Object *obj, Error **err)
{
    RingChardev *r = (RingChardev *)obj;

    if (r->size & (r->size - 1)) {
        return error_set(err, "size=%" PRIu64 ": is not a power of two", r->size);
    }
    r->ring = g_malloc0(r->size);
    char_opened(&r->chr, true);
    return true;
}

static void ring_finalize(Object *obj)
{
    g_free(((RingChardev *)obj)->ring);
}

static const Prop ring_props[] = {
    PROP(RingChardev, size, 1 << 16, "how many bytes are kept; a power of two", .min = 1,
         .max = 1 << 28, .unit = UNIT_BYTES),
    PROP_END,
};

const ChardevClass RingChardev_class = {
    .class = {"chardev-ringbuf", "keeps the last bytes", &Chardev_class.class, sizeof(RingChardev),
              ring_props, .finalize = ring_finalize, .alias = "chardev-memory",
              .complete = ring_complete},
    .write = ring_write,
};
CLASS(RingChardev);
