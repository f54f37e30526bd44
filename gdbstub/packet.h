/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of gdb's remote protocol on a stream of bytes: `$data#sum`, acknowledged by + and - until
 * both sides agree not to, and the byte 3 between packets, which interrupts.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { PACKET_MAX = 0x4000 }; /* bytes of data, as they travel; said to gdb as PacketSize */

typedef enum {
    WIRE_MORE,     /* nothing yet                                       */
    WIRE_PACKET,   /* a whole one is in Wire.data, '\0' behind it       */
    WIRE_BAD,      /* one with a wrong sum, to be refused               */
    WIRE_TOO_LONG, /* one above PACKET_MAX with a right sum: not kept   */
    WIRE_REFUSED,  /* the other side wants the last one again           */
    WIRE_INTERRUPT,
} WireEvent;

typedef struct Wire {
    GByteArray *data; /* of the packet that comes in: escapes are undone */
    uint8_t state, sum, said;
    bool escaped;
    size_t raw; /* bytes of it so far */
} Wire;

void wire_init(Wire *w);
void wire_free(Wire *w);
void wire_reset(Wire *w); /* a new connection */

/* The next byte that came in. */
WireEvent wire_take(Wire *w, uint8_t byte);

/* Append a packet of n bytes of data, escaped and summed. */
void wire_put(GByteArray *out, const void *data, size_t n);
