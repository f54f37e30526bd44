/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine kvm in this process, on a KVM that is there: what no unit test can show without one.
 * Written pages by log and by ring, doorbells and interrupts by event descriptors, NMI, SMI,
 * pauses, too many slots. The guests are a few 16-bit instructions each (code.S), so hosts will do
 * that only interpret. Not tested here: long mode and everything that Linux does
 * (tests/guest/nested.py).
 */
#include "accel/kvm/kvm.h"
#include "softmmu/memory/memory_impl.h"
#include "softmmu/run/clock.h"
#include "softmmu/run/run.h"
#include "target/i386/state.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CODE = 0x1000, PAGE_BYTES = 4096, LOGGED = 0x80000, STEP = 0, LETTER = 1, END = 15 };

typedef struct Rig {
    Machine *m;
    Accel *a;
    Vcpu *cpu, *cpu2;
    Object *owner;
    Region ports, ram, bells, more[8];
    Timer timer;
    MachineHook hook;
    char letters[8];
    unsigned letter_count;
    int fd, calls, resets;
    MachineState stood; /* the state in which it was last seen not running */
    int64_t host_ns[2], kvm_ns[2];
    void (*step)(struct Rig *r, unsigned n); /* on the vCPU's thread */
    void (*stopped)(struct Rig *r);          /* on the event loop    */
} Rig;

typedef struct Owner {
    Object obj;
    Rig *rig;
} Owner;

static const Class Owner_class = {"kvm-rig", "a guest's ports", &Object_class, sizeof(Owner)};

static MemResult port_written(Object *obj, Io *io)
{
    Rig *r = CAST(Owner, obj)->rig;

    if (io->offset == STEP && r->step) {
        r->step(r, io->value);
    } else if (io->offset == LETTER && r->letter_count + 1 < sizeof r->letters) {
        r->letters[r->letter_count++] = io->value;
    } else if (io->offset == END) {
        machine_request_shutdown(r->m, SHUTDOWN_GUEST);
    }
    return MEM_OK;
}

static MemResult bell_written(Object *obj, Io *io)
{
    CAST(Owner, obj)->rig->calls++;
    return MEM_OK;
}

static MemResult nothing_read(Object *obj, Io *io)
{
    return MEM_OK;
}

static const MemOps port_ops = {nothing_read, port_written, {1, 1, false}, {0}};
static const MemOps bell_ops = {nothing_read, bell_written, {1, 2, false}, {0}};

static void heard(Object *obj, MachineNews news)
{
    Rig *r = CAST(Owner, obj)->rig;
    MachineState state = machine_state(r->m);

    r->resets += news == MACHINE_WAS_RESET;
    if (news == MACHINE_WAS_RESET) {
        machine_request_shutdown(r->m, SHUTDOWN_QUIT);
    }
    if (news == MACHINE_STATE_CHANGED && state != MACHINE_RUNNING && state != MACHINE_SHUTDOWN) {
        r->stood = state;
        if (r->stopped) {
            r->stopped(r);
        }
    }
}

static void put_code(Rig *r, const char *code, const char *end)
{
    board_code16(r->cpu, CODE, code, end - code);
}

static bool rig_try(Rig *r, const char *option, const char *value, Error **err)
{
    g_autoptr(GString) log = g_string_new("");

    *r = (Rig){.m = board_machine(board_new()), .fd = eventfd(0, EFD_NONBLOCK)};
    r->a = accel_pick(r->m, "kvm", log, err);
    return r->a && (!option || prop_set(&r->a->obj, option, TEXT(value), err)) &&
           accel_start(r->a, err) && (r->cpu = cpu_create(r->m, "max", 0, err));
}

static void rig_init(Rig *r, const char *option, const char *value)
{
    Error *err = NULL;

    if (!rig_try(r, option, value, &err)) {
        g_error("%s", error_text(err)); /* who runs this has seen that there is a KVM */
    }
    r->owner = object_new(&Owner_class, (Object *)r->m, "rig");
    CAST(Owner, r->owner)->rig = r;
    region_init_io(&r->ports, r->owner, "steps", 16, &port_ops);
    region_map(machine_ports(r->m), 0xf0, &r->ports, 0);
    r->hook = (MachineHook){r->owner, heard, NULL};
    machine_listen(r->m, &r->hook);
}

#define RUN(r, name)                                     \
    do {                                                 \
        extern const char guest_##name[];                \
        extern const char guest_##name##_end[];          \
        put_code((r), guest_##name, guest_##name##_end); \
        check(machine_run((r)->m), 0);                   \
    } while (0)

static void rig_free(Rig *r)
{
    machine_unlisten(r->m, &r->hook);
    device_remove(&r->cpu->dev);
    for (unsigned i = 0; i < G_N_ELEMENTS(r->more); i++) {
        region_free(&r->more[i]);
    }
    region_free(&r->bells);
    region_free(&r->ports);
    region_free(&r->ram);
    close(r->fd);
}

static int rung(int fd)
{
    uint64_t times = 0;

    return read(fd, &times, sizeof times) == sizeof times ? (int)times : 0;
}

/* Some hosts without VT-x and AMD-V have a KVM that interprets: it overruns rings, and its TSC is
 * the processor's, come what may. */
static bool interprets(const char *test)
{
    bool so = !kvm_processor(NULL);

    if (so) {
        printf("skip kvm guest: %s: this host's KVM interprets\n", test);
    }
    return so;
}

/* ---- written pages ---- */

static void logged_ram(Rig *r, uint64_t at, uint64_t bytes)
{
    region_init_ram(&r->ram, r->owner, "logged", bytes, RAM_PRIVATE, NULL);
    region_map(machine_memory(r->m), at, &r->ram, 1);
    ram_log(r->ram.ram, DIRTY_MIGRATION, true);
}

static uint64_t written(Rig *r)
{
    uint64_t bits = 0;

    lock_take(machine_lock(r->m));
    for (unsigned page = 0; page < 16; page++) {
        bits |= (uint64_t)ram_take_dirty(r->ram.ram, DIRTY_MIGRATION, page * PAGE_BYTES, PAGE_BYTES)
             << page;
    }
    lock_drop(machine_lock(r->m));
    return bits;
}

static void see_written(Rig *r, unsigned n)
{
    static const uint64_t want[] = {0, 1 << 0 | 1 << 3, 1 << 5, 1 << 3};

    r->calls++;
    check(written(r), want[n & 3]);
}

static void pages_are_seen(const char *option, const char *value)
{
    Rig r;

    rig_init(&r, option, value);
    logged_ram(&r, LOGGED, 16 * PAGE_BYTES);
    check(((Kvm *)r.a)->ring_pages, option ? atoi(value) : 0);
    r.step = see_written;
    RUN(&r, dirty);
    check(r.calls, 3);
    rig_free(&r);
}

TEST(
    "kvm guest: the kernel's log tells of each page that was written, and again after it was asked")
{
    pages_are_seen(NULL, NULL);
}

TEST("kvm guest: rings of written pages tell the same")
{
    pages_are_seen("dirty-ring-size", "1024");
}

TEST("kvm guest: a ring that is full is emptied while the guest runs; no page is lost")
{
    Rig r;
    unsigned pages = 0;

    if (interprets("full rings")) {
        return;
    }
    rig_init(&r, "dirty-ring-size", "1024");
    logged_ram(&r, 16 << 20, 4096 * PAGE_BYTES);
    RUN(&r, many);
    lock_take(machine_lock(r.m));
    for (unsigned page = 0; page < 4096; page++) {
        pages += ram_take_dirty(r.ram.ram, DIRTY_MIGRATION, page * PAGE_BYTES, PAGE_BYTES);
    }
    lock_drop(machine_lock(r.m));
    check(pages, 3000);
    rig_free(&r);
}

/* ---- event descriptors ---- */

TEST("kvm guest: doorbells ring in the kernel, without the vCPU coming out")
{
    Rig r;

    rig_init(&r, NULL, NULL);
    int port = eventfd(0, EFD_NONBLOCK);
    Doorbell bell[] = {{.addr = 0, .size = 1, .any = true, .fd = port},
                       {.addr = 0x10, .size = 2, .value = 7, .fd = r.fd}};
    region_init_io(&r.more[0], r.owner, "port bell", 1, &bell_ops);
    region_map(machine_ports(r.m), 0xe0, &r.more[0], 0);
    region_init_io(&r.bells, r.owner, "memory bell", 0x1000, &bell_ops);
    region_map(machine_memory(r.m), 0xd0000, &r.bells, 1);
    region_doorbell(&r.more[0], &bell[0], true);
    region_doorbell(&r.bells, &bell[1], true);
    /* What comes out all the same is to call the device, so that it would be noticed. */
    DoorbellList *kept[] = {r.more[0].bells, r.bells.bells};
    r.more[0].bells = r.bells.bells = NULL;
    RUN(&r, bells);
    r.more[0].bells = kept[0];
    r.bells.bells = kept[1];
    check(rung(port), 2);
    check(rung(r.fd), 1);
    check(r.calls, 1); /* the other value */
    region_doorbell(&r.bells, &bell[1], false);
    region_doorbell(&r.more[0], &bell[0], false);
    rig_free(&r);
    close(port);
}

static void ring_fd(Rig *r, unsigned n)
{
    const uint64_t one = 1;

    check(write(r->fd, &one, sizeof one), sizeof one);
}

TEST("kvm guest: an event descriptor interrupts the guest by its route; one that waits for EOI "
     "does not")
{
    const AccelClass *kvm;
    Error *err = NULL;
    Rig r;

    rig_init(&r, NULL, NULL);
    kvm = (const AccelClass *)r.a->obj.class;
    check(kvm->route(r.a, 5, &(MsiMessage){.addr = 0xfee00000, .data = 0x60}, NULL), true);
    check(kvm->irqfd(r.a, r.fd, r.fd, 5, true, &err), false);
    check_str(error_text(err), "no event descriptor that waits for interrupt 5's EOI: the kernel's "
                               "interrupt controller is a split one");
    error_free(err);
    check(kvm->irqfd(r.a, r.fd, -1, 5, true, NULL), true);
    r.step = ring_fd;
    RUN(&r, irq);
    check_str(r.letters, "i");
    check(kvm->irqfd(r.a, r.fd, -1, 5, false, NULL), true);
    rig_free(&r);
}

/* ---- events ---- */

static void send_nmi(Rig *r, unsigned n)
{
    vcpu_event(r->cpu, VCPU_NMI);
}

static void send_smi(Rig *r, unsigned n)
{
    vcpu_event(r->cpu, VCPU_SMI);
}

TEST("kvm guest: an NMI reaches its handler")
{
    Rig r;

    rig_init(&r, NULL, NULL);
    r.step = send_nmi;
    RUN(&r, nmi);
    check_str(r.letters, "n");
    rig_free(&r);
}

TEST("kvm guest: an SMI runs the handler behind SMBASE and comes back; without SMM it is said once")
{
    extern const char guest_smm[];
    extern const char guest_smm_end[];
    Rig r;

    rig_init(&r, NULL, NULL);
    r.step = send_smi;
    r.cpu->state->smbase = 0x40000;
    mem_write(machine_space(r.m), (Access){0}, 0x48000, guest_smm, guest_smm_end - guest_smm);
    RUN(&r, smi);
    check(r.cpu->state->smbase, 0x40000);
    check_str(r.letters, r.a->no_smm ? "b" : "sb");
    if (r.a->no_smm) {
        printf("skip kvm guest: SMI: this host's KVM has no system management mode\n");
    }
    rig_free(&r);
}

TEST("kvm guest: a triple fault is told, and resets the machine")
{
    Rig r;

    rig_init(&r, NULL, NULL);
    RUN(&r, triple);
    check(r.resets, 1);
    check(r.cpu->state->rip, 0xfff0);
    check(r.cpu->state->seg[SEG_CS].base, 0xffff0000);
    rig_free(&r);
}

/* ---- pauses ---- */

enum { PAUSE_NS = 300000000 };

static int64_t host_now(Rig *r)
{
    return clock_now(machine_clock(r->m, CLOCK_HOST));
}

static void ask_pause(Rig *r, unsigned n)
{
    r->host_ns[0] = host_now(r);
    r->kvm_ns[0] = ((const AccelClass *)r->a->obj.class)->clock_get(r->a);
    machine_request_pause(r->m, MACHINE_PAUSED);
}

static void go_on(Object *obj, unsigned n)
{
    Rig *r = CAST(Owner, obj)->rig;

    check(machine_resume(r->m, NULL), true);
    r->host_ns[1] = host_now(r);
    r->kvm_ns[1] = ((const AccelClass *)r->a->obj.class)->clock_get(r->a);
}

static void wait_paused(Rig *r)
{
    timer_set(&r->timer, host_now(r) + PAUSE_NS);
}

TEST("kvm guest: TSC and kvmclock stand while the machine is paused")
{
    uint64_t tsc[2];
    Rig r;

    rig_init(&r, NULL, NULL);
    timer_init(&r.timer, machine_clock(r.m, CLOCK_HOST), r.owner, go_on, 0);
    r.step = ask_pause;
    r.stopped = wait_paused;
    RUN(&r, pause);
    mem_read(machine_space(r.m), (Access){0}, 0x7000, tsc, sizeof tsc);
    int64_t ran = (tsc[1] - tsc[0]) * 1000000 / (cpu_tsc_hz(r.cpu) / 1000);
    check(r.stood, MACHINE_PAUSED);
    check(tsc[1] > tsc[0], true);
    check(r.host_ns[1] - r.host_ns[0] >= PAUSE_NS, true);
    if (!interprets("TSC")) {
        check(ran < r.host_ns[1] - r.host_ns[0] - PAUSE_NS / 2, true);
    }
    check(r.kvm_ns[1] - r.kvm_ns[0] < r.host_ns[1] - r.host_ns[0] - PAUSE_NS / 2, true);
    timer_set(&r.timer, -1);
    rig_free(&r);
}

static int acknowledge(Object *intc)
{
    vcpu_intr(vcpu_current(), false);
    return 0x60;
}

static void halt_and_interrupt(Rig *r)
{
    r->cpu->state->activity = CPU_HALTED;
    r->cpu->changed = X86_ALL;
    vcpu_intr(r->cpu, true);
    timer_set(&r->timer, host_now(r));
}

static void too_late(Object *obj, unsigned n)
{
    machine_request_exit(CAST(Owner, obj)->rig->m, 1);
}

TEST("kvm guest: an interrupt of the 8259's that comes while the machine stands ends HLT behind it")
{
    static const IntcOps ops = {.acknowledge = acknowledge};
    Timer limit;
    Rig r;

    rig_init(&r, NULL, NULL);
    timer_init(&r.timer, machine_clock(r.m, CLOCK_HOST), r.owner, go_on, 0);
    timer_init(&limit, machine_clock(r.m, CLOCK_HOST), r.owner, too_late, 0);
    timer_set(&limit, host_now(&r) + 20000000000);
    r.cpu->intc_ops = &ops;
    r.step = ask_pause;
    r.stopped = halt_and_interrupt;
    RUN(&r, halt);
    check_str(r.letters, "h");
    timer_set(&limit, -1);
    timer_set(&r.timer, -1);
    rig_free(&r);
}

/* ---- AVX ---- */

/* XCR0 is set from here: some emulated AMD-V has no intercept of XSETBV, so KVM would not hear of a
 * guest's own. */
static void flat_with_avx(X86State *s)
{
    s->cr0 |= CR0_PE;
    s->cr4 |= CR4_OSFXSR | CR4_OSXSAVE;
    s->xcr0 = 7;
    s->seg[SEG_CS].limit = 0xffffffff;
    s->seg[SEG_CS].attr |= ATTR_G | ATTR_DB;
    s->seg[SEG_SS].attr |= ATTR_DB;
}

static void pause_here(Rig *r, unsigned n)
{
    machine_request_pause(r->m, MACHINE_PAUSED);
}

/* All that the first vCPU is, the second one becomes, and goes on alone. */
static void move_over(Rig *r)
{
    X86State *from = r->cpu->state, *to = r->cpu2->state;

    check(from->fpu.zmm[7][3], 0x0807060504030201 + 7);
    *to = *from;
    r->cpu2->changed = X86_ALL;
    vcpu_hold(r->cpu, true);
    timer_set(&r->timer, host_now(r));
}

TEST("kvm guest: AVX registers go from one vCPU to another; CPUID tells the size of XCR0's "
     "components")
{
    extern const char guest_avx[];
    extern const char guest_avx_end[];
    uint64_t in[8], out[8] = {0};
    uint32_t bytes = 0;
    Rig r;

    if (interprets("AVX")) {
        return;
    }
    rig_init(&r, NULL, NULL);
    r.cpu2 = cpu_create(r.m, "max", 1, NULL);
    timer_init(&r.timer, machine_clock(r.m, CLOCK_HOST), r.owner, go_on, 0);
    r.step = pause_here;
    r.stopped = move_over;
    for (unsigned n = 0; n < 8; n++) {
        in[n] = 0x0807060504030201 + n;
    }
    mem_write(machine_space(r.m), (Access){0}, 0x9000, in, sizeof in);
    put_code(&r, guest_avx, guest_avx_end);
    flat_with_avx(r.cpu->state);
    check(machine_run(r.m), 0);
    mem_read(machine_space(r.m), (Access){0}, 0x9040, out, sizeof out);
    mem_read(machine_space(r.m), (Access){0}, 0x9100, &bytes, sizeof bytes);
    check(memcmp(in, out, sizeof in), 0);
    check(bytes, 576 + 256);
    check(r.cpu2->state->xcr0, 7);
    timer_set(&r.timer, -1);
    device_remove(&r.cpu2->dev);
    rig_free(&r);
}

/* ---- slots ---- */

static void map_more(Rig *r, unsigned n)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(r->more); i++) {
        region_init_ram(&r->more[i], r->owner, "more", PAGE_BYTES, RAM_PRIVATE, NULL);
        region_map(machine_memory(r->m), 0x2000000 + i * 2 * PAGE_BYTES, &r->more[i], 0);
    }
}

static void end_it(Rig *r)
{
    machine_request_shutdown(r->m, SHUTDOWN_QUIT);
}

TEST("kvm guest: when the kernel has no more slots the machine stops with an internal error")
{
    Rig r;

    rig_init(&r, NULL, NULL);
    ((Kvm *)r.a)->max_slots = 4;
    r.step = map_more;
    r.stopped = end_it;
    RUN(&r, wait);
    check(r.stood, MACHINE_INTERNAL_ERROR);
    rig_free(&r);
}
