/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Framing of packets. */
#include "gdbstub/packet.h"
#include "tests/lib/test.h"

#include <string.h>

/* The last event that a text causes. */
static WireEvent feed(Wire *w, const char *text)
{
    WireEvent last = WIRE_MORE;

    while (*text) {
        WireEvent e = wire_take(w, *text++);

        last = e == WIRE_MORE ? last : e;
    }
    return last;
}

TEST("packet: a packet with the right sum is taken, with a wrong one or no digits refused")
{
    Wire w;

    wire_init(&w);
    check(feed(&w, "$m0,4#fd"), WIRE_PACKET);
    check_str((const char *)w.data->data, "m0,4");
    check(feed(&w, "$m0,4#FD"), WIRE_PACKET);
    check(feed(&w, "$m0,4#fe"), WIRE_BAD);
    check(feed(&w, "$m0,4#zd"), WIRE_BAD);
    check(feed(&w, "$m0,4#f-"), WIRE_BAD);
    check(feed(&w, "$#00"), WIRE_PACKET);
    check(w.data->len, 0);
    wire_free(&w);
}

TEST("packet: a packet that is cut short gives way to the next")
{
    Wire w;

    wire_init(&w);
    check(feed(&w, "$m0,ffff$?#3f"), WIRE_PACKET);
    check_str((const char *)w.data->data, "?");
    check(feed(&w, "$m0,4#$?#3f"), WIRE_PACKET);
    check(feed(&w, "$m0,4#f$?#3f"), WIRE_PACKET);
    wire_free(&w);
}

TEST("packet: escapes are undone; what looks like an interrupt inside is data")
{
    Wire w;

    wire_init(&w);
    check(feed(&w, "$X}\x03\x03#db"), WIRE_PACKET);
    check(w.data->len, 3);
    check(w.data->data[1], '#');
    check(w.data->data[2], 3);
    check(feed(&w, "\x03"), WIRE_INTERRUPT);
    check(feed(&w, "+++"), WIRE_MORE);
    check(feed(&w, "-"), WIRE_REFUSED);
    wire_free(&w);
}

TEST("packet: too long a packet takes no memory and is told from a wrong one")
{
    Wire w;

    wire_init(&w);
    for (unsigned extra = 0; extra < 2; extra++) {
        wire_take(&w, '$');
        for (unsigned n = 0; n < (1 << 20) + extra; n++) {
            wire_take(&w, n < 1 << 20 ? 0x80 : 1);
        }
        check(w.data->len <= PACKET_MAX, true);
        check(feed(&w, "#00"), extra ? WIRE_BAD : WIRE_TOO_LONG);
    }
    wire_free(&w);
}

TEST("packet: what is sent comes back as it was")
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    WireEvent last = WIRE_MORE;
    uint8_t all[256];
    Wire w;

    for (unsigned n = 0; n < sizeof all; n++) {
        all[n] = n;
    }
    wire_init(&w);
    wire_put(out, all, sizeof all);
    for (guint n = 0; n < out->len; n++) {
        last = wire_take(&w, out->data[n]);
    }
    check(last, WIRE_PACKET);
    check(w.data->len, sizeof all);
    check(memcmp(w.data->data, all, sizeof all), 0);
    wire_free(&w);
}
