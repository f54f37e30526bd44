/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Line editing with history and completion, for terminals that understand ECMA-48's cursor
 * sequences (all do that are in use). Keys are those of Emacs and readline:
 *
 *   Ctrl-A Home, Ctrl-E End, Ctrl-B Left, Ctrl-F Right, Ctrl-P Up, Ctrl-N Down, Tab
 *   Backspace, Ctrl-D Delete, Ctrl-W word, Ctrl-K rest, Ctrl-U all, Ctrl-C forget, Ctrl-L redraw
 *
 * Not modelled: lines longer than the terminal is wide are redrawn on one line; letters beyond
 * ASCII are dropped.
 */
#include "monitor/edit.h"

#include <string.h>

enum { MOST_LINE = 4000, MOST_HISTORY = 100, MOST_ESCAPE = 8, MOST_SHOWN = 500, COLUMNS = 80 };
enum {
    CTRL_A = 1,
    CTRL_B,
    CTRL_C,
    CTRL_D,
    CTRL_E,
    CTRL_F,
    BACKSPACE = 8,
    TAB,
    NEWLINE,
    CTRL_K,
    CTRL_L
};
enum { RETURN = 13, CTRL_N, CTRL_P = 16, CTRL_U = 21, CTRL_W = 23, ESCAPE = 27, DELETE = 127 };

struct Edit {
    const char *prompt;
    GString *out, *line;
    size_t at; /* the cursor */
    EditComplete *complete;
    void *opaque;
    GPtrArray *history; /* char *, oldest first */
    guint place;        /* in it; its length: the line that is new */
    char *kept;         /* that line, while an older one is shown  */
    char *result;
    char escape[MOST_ESCAPE];
    unsigned escaped; /* bytes of an escape sequence so far */
    bool returned;    /* the byte before was a return       */
};

Edit *edit_new(const char *prompt, GString *out, EditComplete *complete, void *opaque)
{
    Edit *e = g_new0(Edit, 1);

    *e = (Edit){.prompt = prompt,
                .out = out,
                .line = g_string_new(""),
                .complete = complete,
                .opaque = opaque,
                .history = g_ptr_array_new_with_free_func(g_free)};
    return e;
}

void edit_free(Edit *e)
{
    g_string_free(e->line, TRUE);
    g_ptr_array_free(e->history, TRUE);
    g_free(e->kept);
    g_free(e->result);
    g_free(e);
}

/* ---- showing ---- */

static void put(Edit *e, const char *text)
{
    g_string_append(e->out, text);
}

void edit_show(Edit *e)
{
    put(e, e->prompt);
    put(e, e->line->str);
    if (e->at < e->line->len) {
        g_string_append_printf(e->out, "\033[%zuD", e->line->len - e->at);
    }
}

static void redraw(Edit *e)
{
    put(e, "\r\033[K");
    edit_show(e);
}

static void move(Edit *e, size_t to)
{
    if (to < e->at) {
        g_string_append_printf(e->out, "\033[%zuD", e->at - to);
    } else if (to > e->at) {
        g_string_append_printf(e->out, "\033[%zuC", to - e->at);
    }
    e->at = to;
}

/* ---- changing ---- */

static void insert(Edit *e, const char *text, size_t n)
{
    bool at_end = e->at == e->line->len;

    if (e->line->len + n > MOST_LINE) {
        put(e, "\a");
        return;
    }
    g_string_insert_len(e->line, e->at, text, n);
    e->at += n;
    if (at_end) {
        g_string_append_len(e->out, text, n);
    } else {
        redraw(e);
    }
}

static void cut(Edit *e, size_t from, size_t to)
{
    if (from < to) {
        g_string_erase(e->line, from, to - from);
        e->at = from;
        redraw(e);
    }
}

static size_t word_begin(const Edit *e)
{
    size_t at = e->at;

    while (at && e->line->str[at - 1] == ' ') {
        at--;
    }
    while (at && e->line->str[at - 1] != ' ') {
        at--;
    }
    return at;
}

static void replace(Edit *e, const char *text)
{
    g_string_assign(e->line, text);
    e->at = e->line->len;
    redraw(e);
}

/* ---- history ---- */

static void remember(Edit *e)
{
    GPtrArray *h = e->history;

    if (e->line->len && !(h->len && !strcmp(h->pdata[h->len - 1], e->line->str))) {
        if (h->len == MOST_HISTORY) {
            g_ptr_array_remove_index(h, 0);
        }
        g_ptr_array_add(h, g_strdup(e->line->str));
    }
    e->place = h->len;
    g_clear_pointer(&e->kept, g_free);
}

static void older(Edit *e)
{
    if (!e->place) {
        return;
    }
    if (e->place == e->history->len) {
        g_free(e->kept);
        e->kept = g_strdup(e->line->str);
    }
    replace(e, e->history->pdata[--e->place]);
}

static void newer(Edit *e)
{
    if (e->place < e->history->len) {
        e->place++;
        replace(e, e->place < e->history->len ? e->history->pdata[e->place] : e->kept ?: "");
    }
}

/* ---- completion ---- */

static size_t common(char **words)
{
    size_t n = strlen(words[0]);

    for (int i = 1; words[i]; i++) {
        size_t same = 0;

        while (same < n && words[i][same] == words[0][same]) {
            same++;
        }
        n = same;
    }
    return n;
}

static void list(Edit *e, char **words)
{
    size_t wide = 0, column = 0;

    for (int i = 0; words[i]; i++) {
        wide = MAX(wide, strlen(words[i]) + 2);
    }
    put(e, "\n");
    for (int i = 0; words[i] && i < MOST_SHOWN; i++) {
        if (column && column + wide > COLUMNS) {
            put(e, "\n");
            column = 0;
        }
        g_string_append_printf(e->out, "%-*s", (int)wide, words[i]);
        column += wide;
    }
    put(e, "\n");
    edit_show(e);
}

static void complete(Edit *e)
{
    g_autofree char *before = g_strndup(e->line->str, e->at);
    size_t from = 0, n;
    g_auto(GStrv) words = e->complete(e->opaque, before, &from);

    if (!words || !words[0]) {
        put(e, "\a");
        return;
    }
    n = common(words);
    if (n > e->at - from) {
        insert(e, words[0] + (e->at - from), n - (e->at - from));
    } else if (words[1]) {
        list(e, words);
    }
    if (!words[1] && e->at == e->line->len) {
        insert(e, " ", 1);
    }
}

/* ---- keys ---- */

static const char *finish(Edit *e)
{
    put(e, "\n");
    remember(e);
    g_free(e->result);
    e->result = g_strdup(e->line->str);
    g_string_truncate(e->line, 0);
    e->at = 0;
    return e->result;
}

static void forget(Edit *e)
{
    put(e, "^C\n");
    g_string_truncate(e->line, 0);
    e->at = 0;
    e->place = e->history->len;
    edit_show(e);
}

static void control(Edit *e, uint8_t byte)
{
    switch (byte) {
    case CTRL_A:
        move(e, 0);
        break;
    case CTRL_E:
        move(e, e->line->len);
        break;
    case CTRL_B:
        move(e, e->at - (e->at > 0));
        break;
    case CTRL_F:
        move(e, e->at + (e->at < e->line->len));
        break;
    case CTRL_P:
        older(e);
        break;
    case CTRL_N:
        newer(e);
        break;
    case BACKSPACE:
    case DELETE:
        cut(e, e->at - (e->at > 0), e->at);
        break;
    case CTRL_D:
        cut(e, e->at, e->at + (e->at < e->line->len));
        break;
    case CTRL_W:
        cut(e, word_begin(e), e->at);
        break;
    case CTRL_K:
        cut(e, e->at, e->line->len);
        break;
    case CTRL_U:
        cut(e, 0, e->line->len);
        break;
    case CTRL_C:
        forget(e);
        break;
    case CTRL_L:
        put(e, "\033[H\033[2J");
        edit_show(e);
        break;
    case TAB:
        complete(e);
        break;
    }
}

/* ESC [ A and its like, ESC [ 3 ~, ESC O H. */
static void sequence(Edit *e)
{
    static const struct {
        const char *text;
        uint8_t key;
    } keys[] = {{"[A", CTRL_P},  {"[B", CTRL_N}, {"[C", CTRL_F},  {"[D", CTRL_B},  {"[H", CTRL_A},
                {"[F", CTRL_E},  {"OA", CTRL_P}, {"OB", CTRL_N},  {"OC", CTRL_F},  {"OD", CTRL_B},
                {"OH", CTRL_A},  {"OF", CTRL_E}, {"[1~", CTRL_A}, {"[4~", CTRL_E}, {"[7~", CTRL_A},
                {"[8~", CTRL_E}, {"[3~", CTRL_D}};

    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (!strcmp(e->escape, keys[i].text)) {
            control(e, keys[i].key);
        }
    }
}

/* One that is too long to be known is read to its end, too. */
static void escape_byte(Edit *e, uint8_t byte)
{
    unsigned n = e->escaped - 1; /* bytes behind ESC so far */
    bool ends = n ? byte >= 0x40 && byte <= 0x7e : byte != '[' && byte != 'O';

    e->escape[n] = byte;
    e->escape[n + 1] = 0;
    e->escaped = ends ? 0 : MIN(e->escaped + 1, MOST_ESCAPE - 1);
    if (ends) {
        sequence(e);
    }
}

const char *edit_byte(Edit *e, uint8_t byte)
{
    bool after_return = e->returned;

    e->returned = byte == RETURN;
    if (e->escaped) {
        escape_byte(e, byte);
    } else if (byte == ESCAPE) {
        e->escaped = 1;
    } else if (byte == RETURN || (byte == NEWLINE && !after_return)) {
        return finish(e);
    } else if (byte < ' ' || byte == DELETE) {
        control(e, byte);
    } else if (byte < DELETE) {
        insert(e, (char[]){(char)byte}, 1);
    }
    return NULL;
}
