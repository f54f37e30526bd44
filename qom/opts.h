/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named values as people write them: "isa-serial,id=com1,chardev=c0" or {"driver":"isa-serial",
 * ...}.
 *
 * key=value: pairs between commas, two commas are one in a value; a first word without = is the
 * value of the implied name; later ones mean NAME=on, noNAME means NAME=off. The last of several
 * equal names counts. JSON: members of objects inside are named a.b, lists of texts are lists.
 */
#pragma once
#include "qom/prop.h"

typedef struct Opt {
    char *name;
    Value value; /* its own */
    bool used;   /* somebody asked for it */
    const char *origin; /* the option that it came from, for errors; a constant, or NULL */
} Opt;

typedef struct Opts {
    GPtrArray *list; /* Opt * */
    bool json;
} Opts;

/* implied may be NULL: then the first word needs a = too. The caller frees the result. */
Opts *opts_parse(const char *text, const char *implied, Error **err);
Opts *opts_new(void);

/* The members of a JSON object, as from its text. */
struct json_object;
Opts *opts_of_json(struct json_object *from, Error **err);
void opts_free(Opts *o);

void opts_add(Opts *o, const char *name, Value value); /* copies both */

/* The last value of that name (- and _ are equal), NULL if there is none; it counts as used. */
const Value *opts_find(Opts *o, const char *name);

/* As a text, NULL if there is none. Numbers and booleans are no texts: "" for them. */
const char *opts_text(Opts *o, const char *name);

/* Keep what is there; missing leaves *to alone. */
bool opts_bool(Opts *o, const char *name, bool *to, Error **err);
bool opts_number(Opts *o, const char *name, Unit unit, uint64_t *to, uint64_t max, Error **err);

/* Is help asked for: "help", "?" or NAME,help? */
bool opts_help(Opts *o);

/* Every name must be among these (ends with NULL); the nearest right one is the hint. */
bool opts_known(Opts *o, const char *const *names, Error **err);

/* The first name that nobody asked for, or NULL. */
const char *opts_unused(Opts *o);

/* Set all that are unused as properties. */
bool opts_set(Opts *o, Object *obj, Error **err);

/* As key=value again: "isa-serial,id=com1" with implied "driver". The caller frees it. */
char *opts_print(const Opts *o, const char *implied);
