/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a line to a command: finding it, its format, its words; help and completion (hmp_command.h).
 * Not modelled: commands separated by ; and abbreviated names.
 */
#include "monitor/hmp_command.h"

#include "softmmu/run/run.h"
#include "util/nearest.h"

#include <string.h>

extern const HmpCommand *const __start_hmp[], *const __stop_hmp[];

enum { MOST_ITEMS = 1 << 16 };

/* ---- commands by name ---- */

/* Is it one of "quit|q"? */
static bool called(const HmpCommand *c, const char *name, size_t n)
{
    for (const char *at = c->name; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (strcspn(at, "|") == n && !strncmp(at, name, n)) {
            return true;
        }
    }
    return false;
}

typedef void EachCommand(const HmpCommand *c, void *opaque);

static void each_command(EachCommand *fn, void *opaque)
{
    for (const HmpCommand *const *t = __start_hmp; t < __stop_hmp; t++) {
        for (const HmpCommand *c = *t; c->name; c++) {
            fn(c, opaque);
        }
    }
}

typedef struct Search {
    const char *name;
    size_t n;
    bool info;
    const HmpCommand *found;
    Nearest near;
} Search;

/* Of "print|p" the first: it is the whole word. The copy lives as long as the search. */
static void offer_near(Search *s, const char *name)
{
    g_autofree char *first = g_strndup(name, strcspn(name, "|"));

    nearest_try(&s->near, first);
    if (s->near.best == first) {
        s->near.best = name;
    }
}

static void search(const HmpCommand *c, void *opaque)
{
    Search *s = opaque;

    if (c->info == s->info) {
        offer_near(s, c->name);
        s->found = called(c, s->name, s->n) ? c : s->found;
    }
}

static const HmpCommand *find(const char *name, size_t n, bool info, Error **err)
{
    g_autofree char *copy = g_strndup(name, n);
    Search s = {name, n, info, NULL, {copy}};

    each_command(search, &s);
    if (!s.found) {
        error_set(err, "there is no command %s%s", info ? "info " : "", copy);
        if (s.near.best) {
            error_hint(err, "did you mean %s%.*s?", info ? "info " : "",
                       (int)strcspn(s.near.best, "|"), s.near.best);
        } else {
            error_hint(err, "'help%s' lists them", info ? " info" : "");
        }
    }
    return s.found;
}

/* ---- arguments ---- */

void hmp_skip(Hmp *h)
{
    h->at += strspn(h->at, " \t");
}

bool hmp_more(Hmp *h)
{
    hmp_skip(h);
    return *h->at;
}

bool hmp_flag(Hmp *h, char letter)
{
    hmp_skip(h);
    if (h->at[0] == '-' && h->at[1] == letter && (!h->at[2] || strchr(" \t", h->at[2]))) {
        h->at += 2;
        return true;
    }
    return false;
}

/* "two words" are one. */
char *hmp_word(Hmp *h)
{
    const char *end;
    char *word;

    if (!hmp_more(h)) {
        return NULL;
    }
    if (*h->at == '"' && (end = strchr(h->at + 1, '"'))) {
        word = g_strndup(h->at + 1, end - h->at - 1);
        h->at = end + 1;
    } else {
        size_t n = strcspn(h->at, " \t");

        word = g_strndup(h->at, n);
        h->at += n;
    }
    return word;
}

char *hmp_rest(Hmp *h)
{
    hmp_skip(h);
    char *rest = g_strchomp(g_strdup(h->at));

    h->at += strlen(h->at);
    return rest;
}

bool hmp_need_word(Hmp *h, const char *what, char **to, Error **err)
{
    *to = hmp_word(h);
    return *to || error_set(err, "%s is missing", what);
}

Vcpu *hmp_cpu(Hmp *h, Error **err)
{
    if (h->cpu >= machine_cpu_count(h->m)) {
        h->cpu = 0;
    }
    if (!machine_cpu_count(h->m)) {
        error_set(err, "this machine has no CPU");
        return NULL;
    }
    return machine_cpu(h->m, h->cpu);
}

/* /10xw, in any order after the count. */
static bool parse_format(Hmp *h, Error **err)
{
    char *end;
    uint64_t count = g_ascii_strtoull(h->at + 1, &end, 10);

    h->format.count = end == h->at + 1 ? 1 : MIN(count, MOST_ITEMS + 1);
    if (!h->format.count || h->format.count > MOST_ITEMS) {
        return error_set(err, "a count is between 1 and %d", MOST_ITEMS);
    }
    for (; *end && !strchr(" \t", *end); end++) {
        static const char sizes[] = "bhwg";
        const char *size = strchr(sizes, *end);

        if (size) {
            h->format.size = 1 << (size - sizes);
        } else if (strchr("xduoci", *end)) {
            h->format.letter = *end;
        } else {
            error_set(err, "%c is no format", *end);
            return error_hint(err, "formats: x d u o c i; sizes: b h w g");
        }
    }
    h->at = end;
    return true;
}

/* ---- running ---- */

static bool run_command(Hmp *h, const HmpCommand *c, Error **err)
{
    bool ok;

    if (c->looks) {
        machine_hold(h->m);
        lock_take(machine_lock(h->m));
    }
    ok = c->run(h, err);
    if (ok && hmp_more(h)) {
        ok = error_set(err, "too many arguments: %s", h->at);
        error_hint(err, "%.*s %s", (int)strcspn(c->name, "|"), c->name, c->args ?: "takes none");
    }
    if (c->looks) {
        lock_drop(machine_lock(h->m));
        machine_release(h->m);
    }
    return ok;
}

static bool run_line(Hmp *h, Error **err)
{
    const HmpCommand *c;
    size_t n;

    hmp_skip(h);
    n = strcspn(h->at, " \t/");
    c = find(h->at, n, false, err);
    if (!c) {
        return false;
    }
    h->at += n;
    h->format = (HmpFormat){0};
    hmp_skip(h);
    if (*h->at == '/' && c->formats && !parse_format(h, err)) {
        return false;
    }
    return run_command(h, c, err);
}

void hmp_line(Hmp *h, const char *line)
{
    g_autofree char *copy = g_strchomp(g_strdup(line));
    Error *err = NULL;

    h->at = copy;
    if (hmp_more(h) && !run_line(h, &err)) {
        hmp_say(h, "Error: %s\n", error_text(err));
        if (*error_hint_text(err)) {
            hmp_say(h, "%s\n", error_hint_text(err));
        }
    }
    error_free(err);
    h->at = NULL;
}

/* ---- completion ---- */

void hmp_offer(HmpWords *words, const char *word)
{
    if (g_str_has_prefix(word, words->begin)) {
        g_ptr_array_add(words->list, g_strdup(word));
    }
}

static void offer_command(const HmpCommand *c, void *opaque)
{
    g_auto(GStrv) names = g_strsplit(c->name, "|", -1);

    for (int i = 0; names[i]; i++) {
        hmp_offer(opaque, names[i]);
    }
}

static void offer_plain(const HmpCommand *c, void *opaque)
{
    if (!c->info) {
        offer_command(c, opaque);
    }
}

static void offer_info(const HmpCommand *c, void *opaque)
{
    if (c->info) {
        offer_command(c, opaque);
    }
}

void hmp_offer_commands(HmpWords *words, bool info)
{
    each_command(info ? offer_info : offer_plain, words);
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* line: up to the cursor. h->at: the arguments before the word that is being typed. */
char **hmp_complete(Hmp *h, const char *line, size_t *from)
{
    size_t indent = strspn(line, " \t"), n = strcspn(line + indent, " \t/"), end = strlen(line);
    HmpWords words = {.list = g_ptr_array_new()};
    const HmpCommand *c;

    while (end && !strchr(" \t", line[end - 1])) {
        end--;
    }
    *from = end;
    words.begin = line + end;
    if (end == indent) {
        hmp_offer_commands(&words, false);
    } else if ((c = find(line + indent, n, false, NULL)) && c->complete) {
        g_autofree char *before = g_strndup(line + indent + n, end - indent - n);

        h->at = before;
        c->complete(h, &words);
        h->at = NULL;
    }
    g_ptr_array_sort(words.list, by_text);
    g_ptr_array_add(words.list, NULL);
    return (char **)g_ptr_array_free(words.list, FALSE);
}

/* ---- help, info ---- */

typedef struct Listing {
    GPtrArray *commands;
    bool info;
} Listing;

static void take_command(const HmpCommand *c, void *opaque)
{
    Listing *l = opaque;

    if (c->info == l->info) {
        g_ptr_array_add(l->commands, (void *)c);
    }
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const HmpCommand *const *)a)->name, (*(const HmpCommand *const *)b)->name);
}

static void print_help(Hmp *h, const HmpCommand *c)
{
    hmp_say(h, "%s%s%s%s%s -- %s\n", c->info ? "info " : "", c->name, c->formats ? "[/FMT]" : "",
            c->args ? " " : "", c->args ?: "", c->about);
}

static bool list_all(Hmp *h, bool info)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    Listing l = {all, info};

    each_command(take_command, &l);
    g_ptr_array_sort(all, by_name);
    for (guint i = 0; i < all->len; i++) {
        print_help(h, all->pdata[i]);
    }
    return true;
}

static bool help(Hmp *h, Error **err)
{
    g_autofree char *name = hmp_word(h), *topic = hmp_word(h);
    bool info = name && !strcmp(name, "info");
    const HmpCommand *c;

    if (!name || (info && !topic)) {
        return list_all(h, info);
    }
    c = find(info ? topic : name, strlen(info ? topic : name), info, err);
    if (c) {
        print_help(h, c);
    }
    return c;
}

static bool info(Hmp *h, Error **err)
{
    g_autofree char *name = hmp_word(h);
    const HmpCommand *c;

    if (!name) {
        return list_all(h, true);
    }
    c = find(name, strlen(name), true, err);
    return c && run_command(h, c, err);
}

static void complete_help(Hmp *h, HmpWords *words)
{
    g_autofree char *first = hmp_word(h);

    if (!first || (!strcmp(first, "info") && !hmp_more(h))) {
        hmp_offer_commands(words, first);
    }
}

static void complete_info(Hmp *h, HmpWords *words)
{
    g_autofree char *first = hmp_word(h);
    const HmpCommand *c = first ? find(first, strlen(first), true, NULL) : NULL;

    if (!first) {
        hmp_offer_commands(words, true);
    } else if (c && c->complete) {
        c->complete(h, words);
    }
}

/* clang-format off */
static const HmpCommand commands[] = {
    {"help|?", "[COMMAND]", "list the commands, or say what one takes", help, complete_help},
    {"info", "[TOPIC] ...", "show something of the machine; alone: list the topics", info, complete_info},
    {0},
};
/* clang-format on */
HMP_COMMANDS(commands);
