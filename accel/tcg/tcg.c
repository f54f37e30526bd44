/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software engine as the machine sees it: it runs target/i386/rt on the thread of each vCPU,
 * with one code cache for all.
 * Not here: record and replay.
 */
#include "accel/tcg/host.h"
#include "accel/tcg/lockstep.h"
#include "accel/tcg/perf.h"
#include "accel/tcg/vdso.h"
#include "accel/tcg/window.h"
#include "softmmu/run/board.h"
#include "softmmu/run/run.h"
#include "target/i386/cpu.h"
#include "target/i386/pv.h"
#include "target/i386/rt/block.h"
#include "target/i386/rt/rt.h"
#include "target/i386/rt/stub_host.h"
#include "target/i386/shutdown.h"
#include "target/i386/translate/cache_host.h"
#include "util/log.h"
#include "util/map.h"
#include "util/trace.h"

enum { MB = 1 << 20, CODE_MB = 256, CODE_MB_MOST = 1024, AREAS_LEAST = 4096, WINDOW_CPUS = 12 };

/* Decoded blocks: what one vCPU has to itself, several share out. */
enum { ARENA_ALONE = 8 * MB, ARENA_EACH = 2 * MB, TRANSLATE_AFTER = 8 };

typedef struct TcgCpu { /* hangs at Vcpu.engine */
    MemListener listener, ports;
    bool new_state; /* it was pushed: what the guest knows of time may be wrong */
    Cpu *rt;
    void *arena;
    size_t arena_bytes;
    Lockstep *lockstep;  /* NULL: off */
    bool window_refused; /* the host has no address space left for it */
} TcgCpu;

/* ---- life ---- */

/* What the interpreter needs; what translating needs besides is asked when it starts. */
static bool tcg_usable(const Accel *a, Error **why_not)
{
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("popcnt")) {
        return error_set(why_not, "this CPU is below x86-64-v2: it lacks SSE4.2 or POPCNT");
    }
    return true;
}

enum { THREAD_MULTI, THREAD_SINGLE };

/* Without what it needs of the host the guest still runs, slowly. */
static bool code_start(Tcg *t, Error **err)
{
    /* QEMU's tb-size counts MB: so do numbers that are no sensible size. */
    uint64_t bytes = t->tb_size < MB ? t->tb_size * MB : t->tb_size;
    Error *lacks = NULL;

    if (bytes > (uint64_t)CODE_MB_MOST * MB) {
        return error_set(err, "tb-size=%" PRIu64 ": at most %d MB", t->tb_size, CODE_MB_MOST);
    }
    if (!code_cache_possible(&lacks)) {
        g_printerr("tcg: interpreting: %s\n", error_text(lacks));
        error_free(lacks);
        return true;
    }
    t->code = code_cache_new(bytes ? bytes : CODE_MB * MB, err);
    return t->code != NULL;
}

/* Was the direct window asked for? Then it is said why there is none. */
static bool window_asked(const Tcg *t)
{
    return t->window == ON || t->window_test != WINDOW_AS_SAID;
}

/* It is given by default, but not where translated code is compared with the interpreter. */
static bool window_wanted(const Tcg *t)
{
    return t->code && (window_asked(t) || (t->window == AUTO && !t->lockstep));
}

static void window_lacks(const Tcg *t, const char *why)
{
    if (window_asked(t)) {
        g_printerr("tcg: no window: %s\n", why);
    }
}

/* Another vCPU may change the tables while they are looked at. */
static bool check_possible(const Tcg *t, Error **err)
{
    unsigned cpus = machine_config(t->accel.machine)->smp.maxcpus;

    if (t->window_check && cpus > 1) { /* also one that is plugged in later */
        return error_set(err, "x-window-check=on: compares for one vCPU only, not for %u", cpus);
    }
    return true;
}

static bool tcg_start(Accel *a, Error **err)
{
    Tcg *t = (Tcg *)a;

    a->one_at_a_time = t->thread == THREAD_SINGLE;
    if (!check_possible(t, err)) {
        return false;
    }
    if (log_on(LOG_OP)) {
        log_printf("op: this translator has no intermediate form; see in_asm and out_asm\n");
    }
    if (!perf_open(t, err)) {
        return false;
    }
    if (!t->interpreter && !code_start(t, err)) {
        return false;
    }
    if (window_wanted(t)) {
        machine_config(a->machine)->ram_file = true;
        t->window_most = window_area_limit();
        if (t->window_most < AREAS_LEAST) {
            window_lacks(t, "vm.max_map_count allows too few mappings");
        }
    }
    return true;
}

static void tcg_finalize(Object *obj)
{
    Tcg *t = (Tcg *)obj;

    code_cache_free(t->code);
    perf_close(t);
}

static void map_changed(MemListener *l)
{
    Cpu *c = ((TcgCpu *)l)->rt;

    phys_flush(c); /* the world stands still: memory_commit() sees to that */
    if (c->code) {
        trans_flush(c->code);
    }
}

/* ---- which devices answer without being called ---- */

static void answers_begin(RtRanges *r)
{
    r->count = 0;
}

static void answers_add(RtRanges *all, const MemRange *r)
{
    if (r->region->rt && !r->ram && all->count < RT_RANGES) {
        all->range[all->count++] =
            (RtRange){r->addr, r->size, r->offset, r->region->rt, r->region->rt_data};
    }
}

static RtRanges *memory_answers(MemListener *l)
{
    return &((TcgCpu *)l)->rt->answers[RT_MEMORY];
}

static RtRanges *port_answers(MemListener *l)
{
    return &((TcgCpu *)((char *)l - offsetof(TcgCpu, ports)))->rt->answers[RT_PORTS];
}

static void memory_begins(MemListener *l)
{
    answers_begin(memory_answers(l));
}

static void memory_adds(MemListener *l, const MemRange *r)
{
    answers_add(memory_answers(l), r);
}

static void ports_begin(MemListener *l)
{
    answers_begin(port_answers(l));
}

static void ports_add(MemListener *l, const MemRange *r)
{
    answers_add(port_answers(l), r);
}

/* Not where all is compared: the world is asked for everything then, and told again. */
static void answers_start(TcgCpu *t, Vcpu *cpu)
{
    const Tcg *tcg = (Tcg *)cpu->accel;

    if (tcg->lockstep) {
        t->rt->tsc_hz = 0;
        return;
    }
    clock_answer(cpu->clock, &t->rt->clock);
    t->rt->clock.gettime = vdso_gettime();
    t->listener.begin = memory_begins;
    t->listener.add = t->listener.keep = memory_adds;
    t->ports = (MemListener){.begin = ports_begin, .add = ports_add, .keep = ports_add};
    memory_listen(machine_port_space(cpu->dev.machine), &t->ports);
}

static void answers_stop(TcgCpu *t, Vcpu *cpu)
{
    memory_unlisten(machine_port_space(cpu->dev.machine), &t->ports);
    t->rt->answers[RT_MEMORY].count = t->rt->answers[RT_PORTS].count = 0;
}

static void log_changed(MemListener *l, Ram *ram, unsigned clients)
{
    phys_flush(((TcgCpu *)l)->rt); /* pages remember whether anybody listens */
}

static void marks_cleared(MemListener *l, Ram *ram)
{
    Cpu *c = ((TcgCpu *)l)->rt;

    tlb_drop_writes(c);
    if (ram->shared) {
        window_drop(c);
    }
}

/* Who calls when events and blocks are to be told. */
static const RtHost *host_of_now(const Tcg *t)
{
    if (log_on(LOG_EXEC)) {
        return &tcg_host_exec;
    }
    return perf_wanted(t) || log_on(LOG_INT | LOG_IN_ASM | LOG_OUT_ASM) ? &tcg_host_logs
                                                                        : &tcg_host;
}

static void window_begin(TcgCpu *t, Tcg *tcg, unsigned id)
{
    t->window_refused =
        id >= WINDOW_CPUS || !window_reserve(t->rt, &tcg->window_areas, tcg->window_most);
    if (t->window_refused) {
        window_lacks(tcg, "the host has no address space for it");
    }
    t->rt->window.always = tcg->window_test == WINDOW_ALWAYS;
    t->rt->window.early = tcg->window_test == WINDOW_EARLY;
    t->rt->window.paranoid = tcg->window_check;
}

static bool tcg_vcpu_create(Vcpu *cpu, Error **err)
{
    const Tcg *tcg = (Tcg *)cpu->accel;
    TcgCpu *t = g_new0(TcgCpu, 1);

    t->arena_bytes = machine_config(tcg->accel.machine)->smp.cpus == 1 ? ARENA_ALONE : ARENA_EACH;
    t->arena = map_zeroed(t->arena_bytes);
    if (!t->arena) {
        size_t bytes = t->arena_bytes;

        g_free(t);
        return error_set(err, "no %zu bytes of memory for decoded code", bytes);
    }
    if (!fpu_host_new(cpu_rt(cpu), err)) {
        map_free(t->arena, t->arena_bytes);
        g_free(t);
        return false;
    }
    t->rt = cpu_rt(cpu);
    t->rt->host = host_of_now(tcg);
    t->rt->vcpu = cpu;
    t->rt->takes_turns = cpu->accel->one_at_a_time;
    t->listener = (MemListener){
        .commit = map_changed,
        .log = log_changed,
        .cleaned = marks_cleared,
    };
    t->rt->code = tcg->code;
    t->rt->code_hits = memory_code_hits(cpu->memory.memory);
    t->rt->translate_after = TRANSLATE_AFTER;
    t->rt->stir = tcg->stir ? (uint64_t)tcg->stir << 32 | (cpu->id + 1) : 0;
    t->rt->store_gap = tcg->gap;
    if (tcg->lockstep && tcg->code) {
        t->lockstep = lockstep_new(t->rt, tcg->lockstep);
    }
    rt_init(t->rt, t->arena, t->arena_bytes);
    if (window_wanted(tcg) && tcg->window_most >= AREAS_LEAST) {
        window_begin(t, (Tcg *)cpu->accel, cpu->id);
    }
    cpu->engine = t;
    answers_start(t, cpu);
    memory_listen(&cpu->memory, &t->listener);
    return true;
}

static void flush_code(void *opaque)
{
    trans_flush(opaque);
}

/* Pages of RAM know the units that are made of them. RAM may outlive the engine, and go
 * before it. */
static void tcg_vcpu_destroy(Vcpu *cpu)
{
    TcgCpu *t = cpu->engine;

    if (t->rt->code) {
        vcpus_exclusive(cpu->dev.machine, flush_code, t->rt->code);
    }
    memory_unlisten(&cpu->memory, &t->listener);
    answers_stop(t, cpu);
    TRACE("tcg.figures", "cpu%u: %" PRIu64 " instructions", cpu->id, t->rt->retired);
    window_release(t->rt);
    lockstep_free(t->lockstep);
    fpu_host_free(t->rt);
    map_free(t->arena, t->arena_bytes);
    t->rt->blocks = NULL; /* resets and gates reach t->rt under every engine */
    t->rt->code = NULL;
    t->rt->host = NULL;
    g_free(t);
    cpu->engine = NULL;
}

/* ---- running ---- */

/* -d nochain, which the monitor's `log` may ask for when code is linked already. */
static void nochain(Vcpu *cpu)
{
    Cpu *c = cpu_rt(cpu);

    if (log_on(LOG_NOCHAIN) && !c->unlinked && !c->stir && c->code) {
        vcpus_exclusive(cpu->dev.machine, flush_code, c->code);
    }
}

static void tcg_vcpu_run(Vcpu *cpu, VcpuExit *exit)
{
    Cpu *c = cpu_rt(cpu);
    const Tcg *tcg = (const Tcg *)cpu->accel;
    TcgCpu *t = cpu->engine;
    RtExit why;

    if (t->new_state) {
        t->new_state = false;
        pv_refresh(cpu);
    }
    nochain(cpu);
    vcpu_enter(cpu);
    /* The monitor's `log` changes it while vCPUs are parked. */
    c->host = lockstep_host(t->lockstep, host_of_now(tcg), machine_cpu_count(cpu->dev.machine) > 1);
    if (!c->stir) {
        c->unlinked = log_on(LOG_NOCHAIN) || tcg->lockstep;
        c->unit_max = tcg->one_insn ? 1 : UNIT_MAX;
    }
    if (!tcg->lockstep) { /* the local APIC may come and go */
        c->apic = &cpu->intc_registers;
        c->apic_msrs = &cpu->intc_msrs;
    }
    if (c->s.taken) { /* another engine acknowledged it */
        uint8_t vector = c->s.taken;

        c->s.taken = 0;
        rt_interrupt(c, vector);
    }
    why = rt_run(c);
    vcpu_leave(cpu);
    cpu_attended(c); /* events are looked at next; a kick from here on ends the next run at once */
    switch (why) {
    case RT_HALT:
        exit->kind = EXIT_HALT;
        break;
    case RT_SHUTDOWN:
        shutdown_report(cpu);
        exit->kind = EXIT_SHUTDOWN;
        break;
    case RT_DEBUG:
        exit->kind = EXIT_DEBUG;
        exit->debug = c->debug_hit;
        c->debug_hit = (DebugHit){0};
        break;
    default:
        exit->kind = EXIT_KICK;
    }
}

static bool tcg_debug(Vcpu *cpu, const DebugPlan *plan, Error **err)
{
    rt_debug(cpu_rt(cpu), plan);
    return true;
}

static void tcg_vcpu_kick(Vcpu *cpu)
{
    cpu_kick(cpu_rt(cpu));
}

/* Without its signal stack a thread could not turn host faults into the guest's. */
static void tcg_vcpu_thread(Vcpu *cpu, bool begins)
{
    Error *err = NULL;

    if (!begins) {
        fpu_host_detach(cpu_rt(cpu));
    } else if (!fpu_host_attach(cpu_rt(cpu), &err)) {
        g_printerr("cpu%u: %s\n", cpu->id, error_text(err));
        error_free(err);
        machine_request_exit(cpu->dev.machine, 1);
    }
}

static void tcg_pull(Vcpu *cpu, uint32_t sections)
{
    if (sections & X86_FPU) {
        fpu_store_image(cpu_rt(cpu));
    }
}

static void tcg_push(Vcpu *cpu, uint32_t sections)
{
    ((TcgCpu *)cpu->engine)->new_state = true;
    if (sections & X86_FPU) {
        fpu_load_image(cpu_rt(cpu));
    }
    rt_state_loaded(cpu_rt(cpu));
}

/* ---- figures ---- */

static unsigned block_count(const BlockCache *blocks)
{
    unsigned n = 0;

    for (unsigned i = 0; i < BLOCK_BUCKETS; i++) {
        for (const Block *b = blocks->bucket[i]; b; b = b->chain) {
            n++;
        }
    }
    return n;
}

static void add_cache(const CodeCache *code, GString *out)
{
    const TransFigures *f = &code->figures;

    g_string_append_printf(out,
                           "translated: %" PRIu64 " blocks of %" PRIu64 " instructions, %" PRIu64
                           " bytes of code; %u of %u KB in use, emptied %" PRIu64 " times\n",
                           f->units, f->insns, f->host_bytes, code->used / 1024, code->size / 1024,
                           f->flushes);
}

static unsigned percent(uint64_t part, uint64_t all)
{
    return all ? part * 100 / all : 0;
}

static void add_blocks(const Vcpu *cpu, const BlockCache *blocks, GString *out)
{
    uint64_t all = blocks->found + blocks->known + blocks->decoded;

    g_string_append_printf(out,
                           "CPU#%u: blocks looked up %" PRIu64
                           " times: %u %% were decoded, %u %% only translated, %u %% new\n",
                           cpu->id, all, percent(blocks->found, all), percent(blocks->known, all),
                           percent(blocks->decoded, all));
}

static void add_cpu(Vcpu *cpu, GString *out)
{
    const Cpu *c = cpu_rt(cpu);
    const TcgCpu *t = cpu->engine;

    g_string_append_printf(out,
                           "CPU#%u: %" PRIu64 " instructions interpreted; %u blocks decoded, "
                           "%zu of %zu KB in use, emptied %u times\n",
                           cpu->id, c->retired, block_count(c->blocks),
                           (size_t)(c->blocks->next - (uint8_t *)t->arena) / 1024,
                           t->arena_bytes / 1024, c->blocks->resets);
    add_blocks(cpu, c->blocks, out);
    if (c->code) {
        g_string_append_printf(out,
                               "CPU#%u: translated code entered %" PRIu64
                               " times, TLB filled %" PRIu64 " times from there\n",
                               cpu->id, c->entries, c->fills);
    }
}

static void add_window(Vcpu *cpu, GString *out)
{
    const Window *w = &cpu_rt(cpu)->window;
    const WindowFigures *f = &w->figures;

    if (((TcgCpu *)cpu->engine)->window_refused) {
        g_string_append_printf(out, "CPU#%u: no window: the host has no room for it\n", cpu->id);
    }
    if (!w->store) {
        return;
    }
    g_string_append_printf(out,
                           "CPU#%u: window%s: given %" PRIu64 " times, taken away %" PRIu64
                           " times; %u pages in %u mappings, mapped %" PRIu64 "\n",
                           cpu->id, w->lost ? " (lost)" : "", f->promotions, f->demotions, w->count,
                           w->areas, f->pages);
    g_string_append_printf(out,
                           "CPU#%u: window: %" PRIu64 " faults, %" PRIu64
                           " of them interpreted; unmapped %" PRIu64 " pages, closed %" PRIu64
                           ", all %" PRIu64 " times\n",
                           cpu->id, f->faults, f->refused, f->forgotten, f->closed, f->drops);
}

static void tcg_figures(Accel *a, GString *out)
{
    const CodeCache *code = ((Tcg *)a)->code;

    if (code) {
        add_cache(code, out);
    }
    for (unsigned i = 0; i < machine_cpu_count(a->machine); i++) {
        add_cpu(machine_cpu(a->machine, i), out);
        add_window(machine_cpu(a->machine, i), out);
    }
}

/* ---- interrupts ---- */

static bool tcg_irq_window(Vcpu *cpu, bool want)
{
    Cpu *c = cpu_rt(cpu);
    bool open = rt_can_interrupt(c);

    rt_want_window(c, want && !open);
    return open;
}

static void tcg_irq_inject(Vcpu *cpu, uint8_t vector)
{
    vcpu_enter(cpu);
    rt_interrupt(cpu_rt(cpu), vector);
    vcpu_leave(cpu);
}

static bool tcg_nmi(Vcpu *cpu)
{
    Cpu *c = cpu_rt(cpu);

    if (!rt_can_nmi(c)) {
        return false; /* s.nmi_pending makes rt_run() come back when it can */
    }
    vcpu_enter(cpu);
    rt_nmi(c);
    vcpu_leave(cpu);
    return true;
}

static bool tcg_smi(Vcpu *cpu)
{
    Cpu *c = cpu_rt(cpu);

    if (!rt_can_smi(c)) {
        return false; /* s.smi_pending makes rt_run() come back when it can */
    }
    vcpu_enter(cpu);
    rt_smi(c);
    vcpu_leave(cpu);
    return true;
}

static void tcg_init(Vcpu *cpu)
{
    vcpu_enter(cpu);
    rt_reset(cpu_rt(cpu), true, cpu->id == 0);
    vcpu_leave(cpu);
}

static void tcg_sipi(Vcpu *cpu, uint8_t page)
{
    vcpu_enter(cpu);
    rt_sipi(cpu_rt(cpu), page);
    vcpu_leave(cpu);
}

static int64_t tcg_clock_get(Accel *a)
{
    return clock_now(machine_clock(a->machine, CLOCK_GUEST)) + ((Tcg *)a)->clock_offset;
}

static void tcg_clock_set(Accel *a, int64_t ns)
{
    ((Tcg *)a)->clock_offset = ns - clock_now(machine_clock(a->machine, CLOCK_GUEST));
}

static const char *const threads[] = {"multi", "single", NULL};
static const char *const window_tests[] = {"off", "always", "early", NULL};

static const Prop tcg_props[] = {
    PROP_AS(Tcg, "tb-size", tb_size, 0, "size of the translation cache, in MB or as 64M; 0: chosen",
            .max = 1ll << 30, .unit = UNIT_BYTES),
    PROP_ENUM(Tcg, thread, THREAD_MULTI, threads, "a thread for each vCPU, or one after the other"),
    PROP_AS(Tcg, "one-insn-per-tb", one_insn, false, "translate one instruction at a time"),
    PROP_AS(Tcg, "x-lockstep", lockstep, 0,
            "compare translated code with the interpreter: the first so many runs of each unit, "
            "and one of 64",
            .max = 1000000),
    PROP_AS(Tcg, "x-stir", stir, 0,
            "a seed: flush TLB and translated code and split units at random", .max = INT32_MAX),
    PROP_AS(Tcg, "x-gap", gap, 0,
            "wait for so many PAUSEs between the check of a store and the store", .max = 1000000),
    PROP_AS(Tcg, "x-unstopped", unstopped, false,
            "decode without stopping the others first: wrong, to show that x-gap finds it"),
    PROP_AUTO(Tcg, window, "user code reaches its memory through the host's page tables"),
    PROP_ROW(Tcg, "x-window", window_test, &prop_enum,
             "a test mode: all user code has the window, or soon", .dflt = WINDOW_AS_SAID,
             .choices = window_tests),
    PROP_AS(Tcg, "x-window-check", window_check, false,
            "compare what the window maps with the guest's page tables, and end at a difference"),
    PROP(Tcg, interpreter, false, "interpret for ever, translate nothing"),
    PROP(Tcg, perfmap, false, "write /tmp/perf-PID.map, for perf to name translated code"),
    PROP(Tcg, jitdump, false, "write ./jit-PID.dump, for perf to know translated code"),
    PROP_END,
};

const AccelClass Tcg_class = {
    .class = {"tcg-accel", "software: runs everywhere, no virtualisation needed",
              &Accel_class.class, sizeof(Tcg), tcg_props, .finalize = tcg_finalize, .alias = "tcg"},
    .caps = ACCEL_DIRTY_LOG | ACCEL_STEP,
    .usable = tcg_usable,
    .start = tcg_start,
    .vcpu_create = tcg_vcpu_create,
    .vcpu_destroy = tcg_vcpu_destroy,
    .vcpu_run = tcg_vcpu_run,
    .vcpu_kick = tcg_vcpu_kick,
    .vcpu_thread = tcg_vcpu_thread,
    .figures = tcg_figures,
    .pull = tcg_pull,
    .push = tcg_push,
    .irq_window = tcg_irq_window,
    .irq_inject = tcg_irq_inject,
    .nmi = tcg_nmi,
    .smi = tcg_smi,
    .init = tcg_init,
    .sipi = tcg_sipi,
    .clock_get = tcg_clock_get,
    .clock_set = tcg_clock_set,
    .debug = tcg_debug,
};
CLASS(Tcg);
