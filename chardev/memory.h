/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A chardev that keeps the last bytes written. */
#pragma once
#include "chardev/chardev.h"

typedef struct RingChardev RingChardev;

extern const ChardevClass RingChardev_class;

/* Take out up to n of the bytes kept, oldest first; how many there were. Any thread. */
size_t ring_read(RingChardev *r, uint8_t *to, size_t n);
