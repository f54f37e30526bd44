/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Framing of packets: "Overview" and "Packet acknowledgment" in the appendix "Remote protocol" of
 * gdb's manual. Run-length encoding, which only a stub may send, is not used.
 *
 *   IDLE --$--> BODY --#--> FIRST --hex--> SECOND --hex--> IDLE
 *
 * A $ is never part of a packet (it is escaped there), so it begins a new one wherever it stands.
 */
#include "gdbstub/packet.h"

enum { IDLE, BODY, FIRST, SECOND };

void wire_init(Wire *w)
{
    *w = (Wire){.data = g_byte_array_new()};
}

void wire_free(Wire *w)
{
    g_byte_array_free(w->data, TRUE);
    w->data = NULL;
}

void wire_reset(Wire *w)
{
    g_byte_array_set_size(w->data, 0);
    w->state = IDLE;
}

static void begin(Wire *w)
{
    g_byte_array_set_size(w->data, 0);
    w->state = BODY;
    w->sum = 0;
    w->raw = 0;
    w->escaped = false;
}

static void body(Wire *w, uint8_t byte)
{
    if (byte == '#') {
        w->state = FIRST;
        return;
    }
    w->sum += byte;
    if (++w->raw > PACKET_MAX) {
        return;
    }
    if (!w->escaped && byte == '}') {
        w->escaped = true;
        return;
    }
    byte ^= w->escaped ? 0x20 : 0;
    w->escaped = false;
    g_byte_array_append(w->data, &byte, 1);
}

static WireEvent between(Wire *w, uint8_t byte)
{
    return byte == 3 ? WIRE_INTERRUPT : byte == '-' ? WIRE_REFUSED : WIRE_MORE;
}

/* Both digits of the sum are there. A packet may hold zeros, but text ends with one more. */
static WireEvent ended(Wire *w, int digit)
{
    static const uint8_t zero = 0;

    w->state = IDLE;
    if (digit < 0 || w->said == 0xff || (w->said << 4 | digit) != w->sum) {
        return WIRE_BAD;
    }
    if (w->raw > PACKET_MAX) {
        return WIRE_TOO_LONG;
    }
    g_byte_array_append(w->data, &zero, 1);
    g_byte_array_set_size(w->data, w->data->len - 1);
    return WIRE_PACKET;
}

WireEvent wire_take(Wire *w, uint8_t byte)
{
    if (byte == '$') {
        begin(w);
        return WIRE_MORE;
    }
    switch (w->state) {
    case BODY:
        body(w, byte);
        return WIRE_MORE;
    case FIRST:
        w->said = g_ascii_xdigit_value(byte); /* 0xff: no digit */
        w->state = SECOND;
        return WIRE_MORE;
    case SECOND:
        return ended(w, g_ascii_xdigit_value(byte));
    default:
        return between(w, byte);
    }
}

void wire_put(GByteArray *out, const void *data, size_t n)
{
    const uint8_t *at = data;
    uint8_t sum = 0;

    g_byte_array_append(out, (const uint8_t *)"$", 1);
    for (size_t i = 0; i < n; i++) {
        bool special = at[i] == '$' || at[i] == '#' || at[i] == '}' || at[i] == '*';
        uint8_t pair[2] = {'}', at[i] ^ 0x20};
        const uint8_t *what = special ? pair : &at[i];

        for (unsigned k = 0; k < (special ? 2u : 1u); k++) {
            sum += what[k];
        }
        g_byte_array_append(out, what, special ? 2 : 1);
    }
    g_autofree char *tail = g_strdup_printf("#%02x", sum);

    g_byte_array_append(out, (const uint8_t *)tail, 3);
}
