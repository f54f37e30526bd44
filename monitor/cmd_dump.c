/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that save memory: qapi/dump.qapi.
 *
 * While a dump is written the machine is in state save-vm; afterwards it goes on if it ran before.
 * With detach a thread of its own writes, and the end is carried out on the event loop.
 */
#include "monitor/dump.h"
#include "monitor/monitor_impl.h"
#include "qapi/commands.h"
#include "qapi/events.h"
#include "softmmu/run/run.h"
#include "target/i386/cpu.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 1 << 16 };

struct Dump {
    Machine *machine;
    DumpPlan *plan; /* NULL: it has ended */
    DumpStatus status;
    uint64_t total, completed; /* once it has ended */
    int fd;
    bool ran; /* the machine did */
    Error *why;
    GThread *thread;
    GSource *source;
};

/* ---- memsave, pmemsave ---- */

typedef size_t Reader(Machine *m, Vcpu *cpu, uint64_t at, void *to, size_t n);

static size_t read_linear(Machine *m, Vcpu *cpu, uint64_t at, void *to, size_t n)
{
    return cpu_peek(cpu, at, to, n);
}

static size_t read_physical(Machine *m, Vcpu *cpu, uint64_t at, void *to, size_t n)
{
    mem_read(machine_space(m), (Access){.debug = true}, at, to, n);
    return n;
}

static bool save(Machine *m, Vcpu *cpu, Reader *reader, uint64_t at, uint64_t size, int fd,
                 Error **err)
{
    uint8_t piece[PIECE];

    for (uint64_t done = 0; done < size;) {
        size_t n = MIN(size - done, sizeof piece);
        ssize_t did;

        if (reader(m, cpu, at + done, piece, n) != n) {
            return error_set(err, "there is nothing at some addresses from %#" PRIx64, at + done);
        }
        did = write(fd, piece, n);
        if (did < 0 && errno != EINTR) {
            return error_errno(err, errno, "cannot write");
        }
        done += MAX(did, 0);
    }
    return true;
}

static bool save_file(Machine *m, Vcpu *cpu, Reader *reader, int64_t at, int64_t size,
                      const char *name, Error **err)
{
    int fd;
    bool ok;

    if (size < 0) {
        return error_set(err, "parameter size: is negative");
    }
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        return error_errno(err, errno, "%s", name);
    }
    ok = save(m, cpu, reader, at, size, fd, err);
    if (close(fd) && ok) {
        ok = error_errno(err, errno, "%s", name);
    }
    return ok || error_prefix(err, "%s: ", name);
}

bool qmp_memsave(Machine *m, const MemsaveArgs *arg, Error **err)
{
    int64_t index = arg->has_cpu_index ? arg->cpu_index : 0;
    bool ok;

    machine_hold(m);
    lock_take(&m->lock);
    if (index < 0 || index >= machine_cpu_count(m)) {
        ok = error_set(err, "parameter cpu-index: there is no CPU %" PRId64, index);
    } else {
        ok = save_file(m, machine_cpu(m, index), read_linear, arg->val, arg->size, arg->filename,
                       err);
    }
    lock_drop(&m->lock);
    machine_release(m);
    return ok;
}

bool qmp_pmemsave(Machine *m, const PmemsaveArgs *arg, Error **err)
{
    bool ok;

    machine_hold(m);
    ok = save_file(m, NULL, read_physical, arg->val, arg->size, arg->filename, err);
    machine_release(m);
    return ok;
}

/* ---- dump-guest-memory ---- */

static void status_of(const Dump *d, DumpQueryResult *to)
{
    if (d) {
        to->status = d->status;
        to->completed = d->plan ? d->plan->completed : d->completed;
        to->total = d->plan ? d->plan->total : d->total;
    }
}

bool qmp_query_dump(Machine *m, DumpQueryResult *ret, Error **err)
{
    status_of(monitors_of(m)->dump, ret);
    return true;
}

bool qmp_query_dump_guest_memory_capability(Machine *m, DumpGuestMemoryCapability *ret, Error **err)
{
    *LIST_ADD(&ret->formats) = DUMP_GUEST_MEMORY_FORMAT_ELF;
    return true;
}

/* On the event loop, when everything is written or has failed. */
static void ended(Dump *d)
{
    DumpCompletedEvent event = {.error = (char *)(d->why ? error_text(d->why) : NULL)};

    d->status = d->why ? DUMP_STATUS_FAILED : DUMP_STATUS_COMPLETED;
    d->total = d->plan->total;
    d->completed = d->plan->completed;
    g_clear_pointer(&d->plan, dump_plan_free);
    status_of(d, &event.result);
    if (d->ran) {
        machine_resume(d->machine, NULL);
    } else if (machine_state(d->machine) == MACHINE_SAVING) {
        machine_pause(d->machine, MACHINE_PAUSED);
    }
    event_dump_completed(d->machine, &event);
}

static void write_file(Dump *d)
{
    dump_write(d->plan, d->fd, &d->why);
    if (close(d->fd) && !d->why) {
        error_errno(&d->why, errno, "cannot write the dump");
    }
}

static gpointer writer(gpointer opaque)
{
    Dump *d = opaque;

    write_file(d);
    source_wake(d->source);
    return NULL;
}

static gboolean writer_ended(gpointer opaque)
{
    Dump *d = opaque;

    g_thread_join(g_steal_pointer(&d->thread));
    ended(d);
    return G_SOURCE_CONTINUE;
}

void dump_free(Dump *d)
{
    if (d) {
        if (d->thread) {
            d->plan->cancel = true;
            g_thread_join(d->thread);
        }
        if (d->plan) {
            dump_plan_free(d->plan);
        }
        if (d->source) {
            source_free(d->source);
        }
        error_free(d->why);
        g_free(d);
    }
}

static int open_file(Machine *m, const char *protocol, Error **err)
{
    const char *name = g_str_has_prefix(protocol, "file:") ? protocol + strlen("file:") : NULL;
    int fd;

    if (g_str_has_prefix(protocol, "fd:")) {
        return fd_take(monitors_of(m), protocol + strlen("fd:"), err);
    }
    if (!name) {
        error_set(err, "parameter protocol: %s is not file:NAME or fd:NAME", protocol);
        return -1;
    }
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_errno(err, errno, "%s", name);
    }
    return fd;
}

static bool check(Machine *m, const DumpGuestMemoryArgs *arg, Error **err)
{
    Dump *d = monitors_of(m)->dump;

    if (d && d->plan) {
        return error_set(err, "a dump is being written already");
    }
    if (arg->has_format && arg->format != DUMP_GUEST_MEMORY_FORMAT_ELF) {
        return error_set(err, "parameter format: this version writes elf only");
    }
    if (arg->has_begin != arg->has_length) {
        return error_set(err, "parameter %s is missing: begin and length come together",
                         arg->has_begin ? "length" : "begin");
    }
    if (arg->has_begin && (arg->paging || arg->begin < 0 || arg->length <= 0)) {
        return arg->paging ? error_set(err, "parameter begin: is not for paging")
                           : error_set(err, "parameter begin or length: is not positive");
    }
    return true;
}

/* Everything stands until ended(). */
static bool start(Machine *m, Dump *d, const DumpGuestMemoryArgs *arg, Error **err)
{
    d->ran = machine_state(m) == MACHINE_RUNNING;
    machine_hold(m);
    lock_take(&m->lock);
    d->plan = dump_plan(m, arg->paging, arg->has_begin ? arg->begin : 0,
                        arg->has_begin ? (uint64_t)arg->length : UINT64_MAX, err);
    lock_drop(&m->lock);
    if (d->plan) {
        d->fd = open_file(m, arg->protocol, err);
    }
    if (d->plan && d->fd >= 0 && d->ran) {
        machine_pause(m, MACHINE_SAVING);
    }
    machine_release(m);
    return d->plan && d->fd >= 0;
}

bool qmp_dump_guest_memory(Machine *m, const DumpGuestMemoryArgs *arg, Error **err)
{
    Monitors *all = monitors_of(m);
    Dump *d;

    if (!check(m, arg, err)) {
        return false;
    }
    d = g_new0(Dump, 1);
    d->machine = m;
    if (!start(m, d, arg, err)) {
        dump_free(d);
        return false;
    }
    dump_free(all->dump);
    all->dump = d;
    d->status = DUMP_STATUS_ACTIVE;
    if (arg->has_detach && arg->detach) {
        d->source = source_new(m, writer_ended, d);
        d->thread = g_thread_new("dump", writer, d);
        return true;
    }
    write_file(d);
    ended(d);
    return !d->why || error_set(err, "%s", error_text(d->why));
}
