/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * q and Q packets: "General query packets" in gdb's manual; and QEMU's own: sstep, PhyMemMode.
 *
 * The memory map says that there may be memory everywhere: addresses are linear ones, and what lies
 * at them changes with the guest's page tables, while gdb reads the map once.
 */
#include "gdbstub/stub.h"
#include "monitor/hmp.h"

#include <errno.h>
#include <string.h>

/* The text behind a prefix; NULL: another one. */
static const char *behind(const char *text, const char *prefix)
{
    return g_str_has_prefix(text, prefix) ? text + strlen(prefix) : NULL;
}

/* ---- what both sides can do ---- */

/* Once for each gdb that comes: what makes it at home here. */
static void offer_script(void)
{
    if (g_file_test(RHEA_DATADIR "/rhea-gdb.py", G_FILE_TEST_EXISTS)) {
        g_printerr("%s: gdb has come; in it, 'source " RHEA_DATADIR "/rhea-gdb.py' adds "
                   "disassembly of 16- and 32-bit code and commands\n",
                   g_get_prgname() ?: "rhea");
    }
}

static void supported(GdbStub *s, const char *at)
{
    s->swbreak = strstr(at, "swbreak+");
    s->hwbreak = strstr(at, "hwbreak+");
    offer_script();
    reply_text(s,
               "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;qXfer:memory-map:read+;"
               "qXfer:threads:read+;vContSupported+;swbreak+;hwbreak+;binary-upload+;PhyMemMode+",
               PACKET_MAX);
}

/* ---- threads ---- */

static void thread_list(GdbStub *s)
{
    reply_text(s, "m");
    for (guint i = 0; i < s->threads->len; i++) {
        reply_text(s, "%s%x", i ? "," : "", i + 1);
    }
}

static void thread_info(GdbStub *s, const char *at)
{
    g_autoptr(GString) name = g_string_new("");
    unsigned place;

    if (!parse_thread(s, &at, &place) || !thread_at(s, place)) {
        reply_error(s, ESRCH);
        return;
    }
    thread_name(s, place, name);
    reply_hex(s, name->str, name->len);
}

static char *threads_document(GdbStub *s)
{
    GString *out = g_string_new("<?xml version=\"1.0\"?>\n<threads>\n");

    for (guint i = 0; i < s->threads->len; i++) {
        const Thread *t = s->threads->pdata[i];

        g_string_append_printf(out, "<thread id=\"%x\" core=\"%u\" name=\"cpu%u\">%s</thread>\n",
                               i + 1, t->cpu->id, t->cpu->id, s->arch->activity(t->cpu));
    }
    g_string_append(out, "</threads>\n");
    return g_string_free(out, FALSE);
}

/* ---- documents ---- */

static char *memory_map(GdbStub *s)
{
    return g_strdup("<?xml version=\"1.0\"?>\n<memory-map>\n"
                    "<memory type=\"ram\" start=\"0x0\" length=\"0x8000000000000000\"/>\n"
                    "<memory type=\"ram\" start=\"0x8000000000000000\" "
                    "length=\"0x8000000000000000\"/>\n</memory-map>\n");
}

static char *description(GdbStub *s)
{
    Thread *t = thread_general(s);

    if (!s->description && t) {
        s->description = s->arch->describe(t->cpu);
    }
    return g_strdup(s->description);
}

/* A part of a document: l before the last one, else m. */
static void part(GdbStub *s, const char *text, const char *at)
{
    uint64_t from, n, all = text ? strlen(text) : 0;

    if (!text || !parse_number(&at, &from) || !parse_skip(&at, ',') || !parse_number(&at, &n) ||
        *at) {
        reply_error(s, EINVAL);
        return;
    }
    from = MIN(from, all);
    n = MIN(MIN(n, all - from), PACKET_MAX / 2 - 8); /* each may be escaped */
    reply_text(s, from + n == all ? "l" : "m");
    reply_bytes(s, text + from, n);
}

static void transfer(GdbStub *s, const char *at)
{
    static const struct {
        const char *name;
        char *(*make)(GdbStub *s);
    } documents[] = {
        {"features:read:target.xml:", description},
        {"memory-map:read::", memory_map},
        {"threads:read::", threads_document},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(documents); i++) {
        const char *rest = behind(at, documents[i].name);

        if (rest) {
            g_autofree char *text = documents[i].make(s);

            part(s, text, rest);
            return;
        }
    }
    if (behind(at, "features:read:")) { /* the object is known, that annex is not */
        reply_text(s, "E00");
    }
}

/* ---- the monitor ---- */

/* The command means gdb's thread; `cpu` chooses another for good. What it prints goes ahead of the
 * answer. */
static void monitor(GdbStub *s, const char *at)
{
    size_t n = strlen(at);
    g_autofree char *line = g_malloc0(n / 2 + 1), *text = NULL;
    unsigned cpu = s->general == ALL_THREADS ? 0 : s->general;

    if (n && parse_hex(at, n, (uint8_t *)line) != n / 2) {
        reply_error(s, EINVAL);
        return;
    }
    text = hmp_run(s->machine, &cpu, line);
    n = 0;
    for (const char *c = text; *c; c++) { /* terminals' line ends are not gdb's */
        text[n] = *c;
        n += *c != '\r';
    }
    s->general = cpu < s->threads->len ? cpu : s->general;
    stub_say(s, text, n);
    reply_text(s, "OK");
}

/* ---- QEMU's own ---- */

static void sstep_set(GdbStub *s, const char *at)
{
    uint64_t bits;

    if (!parse_number(&at, &bits) || *at ||
        bits & ~(uint64_t)(DEBUG_STEP | DEBUG_NO_IRQ | DEBUG_NO_TIMER)) {
        reply_error(s, EINVAL);
        return;
    }
    s->sstep = bits;
    reply_text(s, "OK");
}

static void physical_set(GdbStub *s, const char *at)
{
    if (at[0] < '0' || at[0] > '1' || at[1]) {
        reply_error(s, EINVAL);
        return;
    }
    s->physical = *at == '1';
    reply_text(s, "OK");
}

static bool query_emulator(GdbStub *s, const char *data)
{
    const char *rest;

    if (!strcmp(data, "qqemu.sstepbits")) {
        reply_text(s, "ENABLE=%x,NOIRQ=%x,NOTIMER=%x", DEBUG_STEP, DEBUG_NO_IRQ, DEBUG_NO_TIMER);
    } else if (!strcmp(data, "qqemu.sstep")) {
        reply_text(s, "0x%x", s->sstep);
    } else if (!strcmp(data, "qqemu.PhyMemMode")) {
        reply_text(s, "%d", s->physical);
    } else if ((rest = behind(data, "Qqemu.sstep="))) {
        sstep_set(s, behind(rest, "0x") ?: rest);
    } else if ((rest = behind(data, "Qqemu.PhyMemMode:"))) {
        physical_set(s, rest);
    } else {
        return false;
    }
    return true;
}

/* ---- all of them ---- */

static void no_ack(GdbStub *s)
{
    reply_text(s, "OK");
    stub_send(s, s->reply->str, s->reply->len); /* this one is still acknowledged */
    g_string_truncate(s->reply, 0);
    s->no_ack = s->silent = true;
}

static bool is_query(const char *data, const char *name)
{
    const char *rest = behind(data, name);

    return rest && (!*rest || *rest == ':' || *rest == ',');
}

void query_run(GdbStub *s, const char *data, size_t n)
{
    const char *rest;

    if (is_query(data, "qSupported")) {
        supported(s, data);
    } else if (!strcmp(data, "QStartNoAckMode")) {
        no_ack(s);
    } else if ((rest = behind(data, "qXfer:"))) {
        transfer(s, rest);
    } else if ((rest = behind(data, "qRcmd,"))) {
        monitor(s, rest);
    } else if (!strcmp(data, "qC")) {
        reply_text(s, "QC%x", (s->general == ALL_THREADS ? 0 : s->general) + 1);
    } else if (!strcmp(data, "qfThreadInfo")) {
        thread_list(s);
    } else if (!strcmp(data, "qsThreadInfo")) {
        reply_text(s, "l");
    } else if ((rest = behind(data, "qThreadExtraInfo,"))) {
        thread_info(s, rest);
    } else if (is_query(data, "qAttached")) {
        reply_text(s, "1"); /* gdb leaves the machine when it ends */
    } else if (is_query(data, "qSymbol")) {
        reply_text(s, "OK"); /* none is wanted */
    } else {
        query_emulator(s, data);
    }
}
