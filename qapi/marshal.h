/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of the monitor protocol between JSON and C, by tables that scripts/qapi.py makes.
 *
 * C side: a text is a char * of its own, a list is {n, item} with an array of its own, a struct
 * lies inside its owner, or behind a pointer when it may be missing; numbers, enums and lists that
 * may be missing have a has_NAME before them. qapi_clear() frees all of it.
 */
#pragma once
#include "util/error.h"

struct json_object;
struct Machine;

typedef enum QapiKind {
    QAPI_BOOL,
    QAPI_INT,
    QAPI_UINT,
    QAPI_NUMBER,
    QAPI_TEXT,
    QAPI_ENUM,
    QAPI_LIST,
    QAPI_STRUCT, /* with cases: a union */
    QAPI_ALTERNATE,
    QAPI_ANY,
} QapiKind;

typedef struct QapiType QapiType;

typedef struct QapiMember {
    const char *name; /* NULL ends a list of members */
    const QapiType *type;
    unsigned offset;
    int has; /* offset of has_NAME; -1: there is none */
    bool optional, pointer;
} QapiMember;

typedef struct QapiCase {
    int value;
    const QapiType *type; /* NULL ends a list of cases */
    unsigned offset;
} QapiCase;

struct QapiType {
    const char *name;
    QapiKind kind;
    unsigned size;
    const char *const *values; /* of an enum, ends with NULL */
    const QapiType *element;   /* of a list */
    const QapiMember *members;
    const QapiCase *cases;
    unsigned tag; /* offset of what says which case, or which member of an alternate, is there */
    bool open;    /* unknown members are kept */
    unsigned all; /* offset of the json_object * of an open struct */
};

/* Read `from` (NULL: nothing was given) into the zeroed *to. An error names the member; what was
 * read so far is freed. */
bool qapi_read(const QapiType *type, struct json_object *from, void *to, Error **err);

/* The same value as JSON; the caller drops it (json_object_put). */
struct json_object *qapi_write(const QapiType *type, const void *from);

/* Free what a value owns and zero it. */
void qapi_clear(const QapiType *type, void *value);

/* Another zeroed element at the end of a list; the others move. */
#define LIST_ADD(list) ((__typeof__((list)->item))qapi_list_add((list), sizeof *(list)->item))
void *qapi_list_add(void *list, size_t size);

/* A text as JSON; bytes that are no UTF-8 are replaced. */
struct json_object *qapi_text(const char *text);

/* The index of an enum's value, -1: there is none. */
int qapi_enum_find(const QapiType *type, const char *value);

/* ---- what tables.c holds ---- */

struct Monitor;

typedef struct QapiCommand {
    const char *name; /* NULL ends the list */
    const QapiType *arg, *ret;
    bool (*run)(struct Monitor *mon, const void *arg, void *ret, Error **err);
    bool oob;   /* may run out of band */
    bool first; /* belongs to the negotiation */
} QapiCommand;

extern const QapiCommand qapi_commands[]; /* by name */
extern const char qapi_schema[];

const QapiCommand *qapi_command_find(const char *name, Error **err);

typedef struct QapiEvent {
    const char *name;
    const QapiType *data; /* NULL: none */
    bool limited;         /* once a second */
    const char *key;      /* for each value of that member; NULL: in all */
} QapiEvent;

/* Hand an event to whoever listens to the machine; any thread. */
void qapi_emit(struct Machine *m, const QapiEvent *event, const void *data);
