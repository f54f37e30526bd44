/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of one letter, and v packets: "Packets" in the appendix "Remote protocol" of gdb's
 * manual. What is not known gets the empty answer, as the protocol says; what is malformed E01.
 * Not here: non-stop mode, tracepoints, files, agent expressions.
 */
#include "gdbstub/stub.h"

#include <errno.h>
#include <string.h>

/* ---- registers ---- */

static void registers_read(GdbStub *s, const char *at, size_t n)
{
    Thread *t = thread_general(s);
    uint8_t bytes[GDB_REGISTER_MAX];
    size_t size;

    for (unsigned reg = 0; t && (size = s->arch->get(t->cpu, reg, bytes)); reg++) {
        reply_hex(s, bytes, size);
    }
    if (!t) {
        reply_error(s, ESRCH);
    }
}

/* The engine takes over what was changed. */
static void written(Vcpu *cpu, uint32_t sections)
{
    const AccelClass *engine = (const AccelClass *)cpu->accel->obj.class;

    cpu->changed |= sections;
    if (sections && engine->push) {
        engine->push(cpu, sections);
    }
}

static void registers_write(GdbStub *s, const char *at, size_t n)
{
    Thread *t = thread_general(s);
    uint8_t bytes[GDB_REGISTER_MAX];
    uint32_t changed = 0;
    size_t size;

    for (unsigned reg = 0; t && n && (size = s->arch->get(t->cpu, reg, bytes)); reg++) {
        if (n < 2 * size || parse_hex(at, 2 * size, bytes) != size) {
            break;
        }
        changed |= s->arch->set(t->cpu, reg, bytes, size);
        at += 2 * size;
        n -= 2 * size;
    }
    if (t) {
        written(t->cpu, changed);
    }
    !t || n ? reply_error(s, EINVAL) : reply_text(s, "OK");
}

static void register_read(GdbStub *s, const char *at, size_t n)
{
    Thread *t = thread_general(s);
    uint8_t bytes[GDB_REGISTER_MAX];
    uint64_t reg;
    size_t size = 0;

    if (t && parse_number(&at, &reg) && !*at && reg <= UINT16_MAX) {
        size = s->arch->get(t->cpu, reg, bytes);
    }
    size ? reply_hex(s, bytes, size) : reply_error(s, EINVAL);
}

static void register_write(GdbStub *s, const char *at, size_t n)
{
    Thread *t = thread_general(s);
    const char *end = at + n;
    uint8_t bytes[GDB_REGISTER_MAX];
    uint64_t reg;
    size_t size;
    uint32_t changed;

    if (!t || !parse_number(&at, &reg) || !parse_skip(&at, '=') || reg > UINT16_MAX ||
        end - at > 2 * GDB_REGISTER_MAX || !(size = parse_hex(at, end - at, bytes))) {
        reply_error(s, EINVAL);
        return;
    }
    changed = s->arch->set(t->cpu, reg, bytes, size);
    written(t->cpu, changed);
    changed ? reply_text(s, "OK") : reply_error(s, EINVAL);
}

/* ---- memory ---- */

/* How many bytes could be moved. PhyMemMode: addresses are guest-physical ones. */
static size_t memory_move(GdbStub *s, uint64_t addr, void *bytes, size_t n, bool write)
{
    Thread *t = thread_general(s);
    Access by = {.cpu = t ? t->cpu : NULL, .debug = true};
    MemResult result;

    if (!t) {
        return 0;
    }
    if (!s->physical) {
        return write ? s->arch->write(t->cpu, addr, bytes, n)
                     : s->arch->read(t->cpu, addr, bytes, n);
    }
    result = write ? mem_write(&t->cpu->memory, by, addr, bytes, n)
                   : mem_read(&t->cpu->memory, by, addr, bytes, n);
    return result == MEM_OK ? n : 0;
}

static bool range_parse(const char **at, uint64_t *addr, uint64_t *n)
{
    return parse_number(at, addr) && parse_skip(at, ',') && parse_number(at, n);
}

/* m and x: fewer bytes than asked for are an answer, too. */
static void memory_read(GdbStub *s, const char *at, bool binary)
{
    uint8_t bytes[PACKET_MAX / 2 - 8];
    uint64_t addr, n;

    if (!range_parse(&at, &addr, &n) || *at) {
        reply_error(s, EINVAL);
        return;
    }
    n = memory_move(s, addr, bytes, MIN(n, sizeof bytes), false);
    if (!n) {
        reply_error(s, EFAULT);
    } else if (binary) {
        reply_text(s, "b");
        reply_bytes(s, bytes, n);
    } else {
        reply_hex(s, bytes, n);
    }
}

static void memory_read_hex(GdbStub *s, const char *at, size_t n)
{
    memory_read(s, at, false);
}

static void memory_read_binary(GdbStub *s, const char *at, size_t n)
{
    memory_read(s, at, true);
}

static void memory_store(GdbStub *s, uint64_t addr, void *bytes, size_t n)
{
    if (memory_move(s, addr, bytes, n, true) == n) {
        reply_text(s, "OK");
    } else {
        reply_error(s, EFAULT);
    }
}

static void memory_write_hex(GdbStub *s, const char *at, size_t length)
{
    const char *end = at + length;
    uint8_t bytes[PACKET_MAX / 2];
    uint64_t addr, n;

    if (!range_parse(&at, &addr, &n) || !parse_skip(&at, ':') || n > sizeof bytes ||
        (uint64_t)(end - at) != 2 * n || parse_hex(at, 2 * n, bytes) != n) {
        reply_error(s, EINVAL);
        return;
    }
    memory_store(s, addr, bytes, n);
}

/* No bytes: gdb asks whether the packet is known. */
static void memory_write_binary(GdbStub *s, const char *at, size_t length)
{
    const char *end = at + length;
    uint64_t addr, n;

    if (!range_parse(&at, &addr, &n) || !parse_skip(&at, ':') || (uint64_t)(end - at) != n) {
        reply_error(s, EINVAL);
        return;
    }
    memory_store(s, addr, (void *)at, n);
}

/* ---- breakpoints ---- */

static bool point_parse(const char *at, Point *p)
{
    if (*at < '0' || *at > '4') {
        return false;
    }
    p->kind = *at++ - '0';
    return parse_skip(&at, ',') && range_parse(&at, &p->addr, &p->length) && !*at;
}

static void point_insert(GdbStub *s, const char *at, size_t n)
{
    Error *err = NULL;
    Point p;

    if (*at > '4' && g_ascii_isdigit(*at)) {
        return; /* a kind that comes later */
    }
    if (!point_parse(at, &p)) {
        reply_error(s, EINVAL);
    } else if (point_add(s, p, &err)) {
        reply_text(s, "OK");
    } else {
        const char *hint = error_hint_text(err);

        /* An O packet would be taken for the answer. */
        reply_text(s, "E.points.%s%s%s", error_text(err), *hint ? "; " : "", hint);
        error_free(err);
    }
}

/* Removing what is not there is no mistake: gdb may be told twice. */
static void point_delete(GdbStub *s, const char *at, size_t n)
{
    Point p;

    if (*at > '4' && g_ascii_isdigit(*at)) {
        return;
    }
    if (!point_parse(at, &p)) {
        reply_error(s, EINVAL);
        return;
    }
    point_remove(s, p);
    reply_text(s, "OK");
}

/* ---- running ---- */

/* c s C S, with an optional address: the thread of Hc moves, and with c all others, too. */
static void resume_old(GdbStub *s, char what, const char *at)
{
    unsigned place = s->control == ALL_THREADS ? s->general : s->control;
    Thread *t = thread_at(s, place);
    uint64_t signal, pc;
    g_autofree char *text = NULL;

    if (g_ascii_isupper(what)) {
        if (!parse_number(&at, &signal) || (*at && !parse_skip(&at, ';'))) {
            reply_error(s, EINVAL);
            return;
        }
        what = g_ascii_tolower(what);
    }
    bool jumps = *at;
    if (!t || (jumps && (!parse_number(&at, &pc) || *at))) {
        reply_error(s, EINVAL);
        return;
    }
    if (jumps) {
        written(t->cpu, s->arch->set_pc(t->cpu, pc));
    }
    text = what == 's' ? g_strdup_printf("s:%x;c", place + 1) : g_strdup("c");
    resume_parse(s, text);
    stub_resume(s);
}

static void resume_c(GdbStub *s, const char *at, size_t n)
{
    resume_old(s, at[-1], at);
}

static void resume_vcont(GdbStub *s, const char *at)
{
    if (!parse_skip(&at, ';') || !resume_parse(s, at)) {
        reply_error(s, EINVAL);
        return;
    }
    stub_resume(s);
}

static void status(GdbStub *s, const char *at, size_t n)
{
    stub_status(s);
}

/* ---- threads ---- */

static void thread_choose(GdbStub *s, const char *at, size_t n)
{
    char what = *at;
    unsigned place;

    if (what != 'g' && what != 'c') {
        return;
    }
    at++;
    if (!parse_thread(s, &at, &place) || *at) {
        reply_error(s, EINVAL);
        return;
    }
    *(what == 'g' ? &s->general : &s->control) = place;
    reply_text(s, "OK");
}

static void thread_alive(GdbStub *s, const char *at, size_t n)
{
    unsigned place;

    if (parse_thread(s, &at, &place) && thread_at(s, place)) {
        reply_text(s, "OK");
    } else {
        reply_error(s, ESRCH);
    }
}

/* ---- coming and going ---- */

static void detach(GdbStub *s, const char *at, size_t n)
{
    Error *err = NULL;

    stub_let_go(s);
    reply_text(s, "OK");
    if (!machine_resume(s->machine, &err)) {
        error_free(err);
    }
}

static void kill_machine(GdbStub *s, const char *at, size_t n)
{
    s->silent = true;
    machine_request_exit(s->machine, 0);
}

static void extend(GdbStub *s, const char *at, size_t n)
{
    s->extended = true;
    reply_text(s, "OK");
}

/* R has no answer; gdb asks again where it is. */
static void restart(GdbStub *s, const char *at, size_t n)
{
    s->silent = true;
    machine_request_reset(s->machine, RESET_POWER);
}

/* `run`: from the beginning, and stop there. stub.c answers when the reset has been. */
static void restart_and_tell(GdbStub *s)
{
    s->restarted = s->silent = true;
    machine_request_reset(s->machine, RESET_POWER);
}

/* In extended mode `run` follows, or an end of the session: the machine only stands. */
static void kill_politely(GdbStub *s)
{
    if (s->extended) {
        points_clear(s);
    } else {
        machine_request_exit(s->machine, 0);
    }
    reply_text(s, "OK");
}

static void packet_v(GdbStub *s, const char *at, size_t n)
{
    if (!strcmp(at, "Cont?")) {
        reply_text(s, "vCont;c;C;s;S;r");
    } else if (g_str_has_prefix(at, "Cont")) {
        resume_vcont(s, at + 4);
    } else if (g_str_has_prefix(at, "Kill;") || !strcmp(at, "Kill")) {
        kill_politely(s);
    } else if (g_str_has_prefix(at, "Attach;")) {
        stub_status(s);
    } else if (g_str_has_prefix(at, "Run")) {
        restart_and_tell(s);
    }
}

typedef void Packet(GdbStub *s, const char *at, size_t n);

static Packet *packet_find(char letter)
{
    static const struct {
        char letter;
        Packet *run;
    } packets[] = {
        {'?', status},
        {'!', extend},
        {'g', registers_read},
        {'G', registers_write},
        {'p', register_read},
        {'P', register_write},
        {'m', memory_read_hex},
        {'M', memory_write_hex},
        {'x', memory_read_binary},
        {'X', memory_write_binary},
        {'Z', point_insert},
        {'z', point_delete},
        {'c', resume_c},
        {'C', resume_c},
        {'s', resume_c},
        {'S', resume_c},
        {'H', thread_choose},
        {'T', thread_alive},
        {'D', detach},
        {'k', kill_machine},
        {'R', restart},
        {'v', packet_v},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(packets); i++) {
        if (packets[i].letter == letter) {
            return packets[i].run;
        }
    }
    return NULL;
}

void packet_run(GdbStub *s, const char *data, size_t n)
{
    Packet *run = n ? packet_find(*data) : NULL;

    if (n && (*data == 'q' || *data == 'Q')) {
        query_run(s, data, n);
    } else if (run) {
        run(s, data + 1, n - 1);
    }
}
