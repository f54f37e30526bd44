/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values from texts and back: what every property type and every option agrees on. */
#pragma once
#include "qom/prop.h"

/* on, yes, true, y and off, no, false, n; or a boolean already. */
bool value_bool(const Value *v, bool *to);

/* A number, or a text: decimal, 0x..., and by unit 64K or 1.5G (bytes, powers of 1024), 10ms
 * (nanoseconds), 3GHz. Fractions must come out whole. */
bool value_number(const Value *v, Unit unit, Number *to);
const char *unit_wants(Unit unit); /* "a size, as 64K" */

Value value_copy(Value v); /* texts and lists are duplicated; value_clear() it */

/* As people would write it; lists with ':' between. The caller frees it. */
char *value_print(const Value *v);

/* Names of properties and options: on input - and _ are equal. */
bool name_equal(const char *a, const char *b);
