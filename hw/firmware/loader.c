/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -device loader in QEMU's spelling (its docs/system/generic-loader.rst): a file (raw or ELF) or a
 * number goes into memory, ROM included, before the guest starts and again after each reset;
 * cpu-num lets that CPU start there. A CPU starts in real mode, so its start address must be below
 * 1 MB. Not modelled: U-Boot images, Intel hex files, data of CPU-specific address spaces.
 */
#include "hw/firmware/loader.h"

#include "accel/accel.h"
#include "softmmu/run/machine_impl.h"
#include "target/i386/state.h"

#include <elf.h>
#include <string.h>

enum { NOWHERE = -1, NO_CPU = 0xffffffff, REAL_MODE_END = 1 << 20 };

typedef struct Piece {
    uint64_t at;
    size_t offset, size;
} Piece;

struct Loader {
    Device dev;
    uint64_t addr, data;
    uint32_t data_len, cpu_num;
    bool data_be, force_raw;
    char *file;
    uint8_t *bytes;
    GArray *pieces; /* Piece: which bytes go where */
    uint64_t start;
    MachineHook hook;
};

/* ---- what goes where ---- */

static void add_piece(Loader *l, uint64_t at, size_t offset, size_t size)
{
    Piece p = {at, offset, size};

    g_array_append_val(l->pieces, p);
}

static bool elf32(Loader *l, size_t n)
{
    const Elf32_Ehdr *e = (const void *)l->bytes;

    for (unsigned i = 0; i < e->e_phnum; i++) {
        Elf32_Phdr ph;
        uint64_t at = e->e_phoff + (uint64_t)i * e->e_phentsize;

        if (at + sizeof ph > n) {
            return false;
        }
        memcpy(&ph, l->bytes + at, sizeof ph);
        if (ph.p_type == PT_LOAD && (ph.p_offset > n || ph.p_filesz > n - ph.p_offset)) {
            return false;
        }
        if (ph.p_type == PT_LOAD) {
            add_piece(l, ph.p_paddr, ph.p_offset, ph.p_filesz);
        }
    }
    l->start = e->e_entry;
    return true;
}

static bool elf64(Loader *l, size_t n)
{
    const Elf64_Ehdr *e = (const void *)l->bytes;

    for (unsigned i = 0; i < e->e_phnum; i++) {
        Elf64_Phdr ph;
        uint64_t at = e->e_phoff + (uint64_t)i * e->e_phentsize;

        if (e->e_phoff > n || at + sizeof ph > n) {
            return false;
        }
        memcpy(&ph, l->bytes + at, sizeof ph);
        if (ph.p_type == PT_LOAD && (ph.p_offset > n || ph.p_filesz > n - ph.p_offset)) {
            return false;
        }
        if (ph.p_type == PT_LOAD) {
            add_piece(l, ph.p_paddr, ph.p_offset, ph.p_filesz);
        }
    }
    l->start = e->e_entry;
    return true;
}

static bool read_file(Loader *l, Error **err)
{
    g_autofree char *path = machine_find_file(l->dev.machine, l->file);
    g_autoptr(GError) why = NULL;
    char *data;
    gsize n;

    if (!path) {
        return error_set(err, "there is no file %s", l->file);
    }
    if (!g_file_get_contents(path, &data, &n, &why)) {
        return error_set(err, "file %s: %s", path, why->message);
    }
    l->bytes = (uint8_t *)data;
    if (!l->force_raw && n > sizeof(Elf64_Ehdr) && !memcmp(data, ELFMAG, SELFMAG)) {
        return (data[EI_CLASS] == ELFCLASS64 ? elf64(l, n) : elf32(l, n)) ||
               error_set(err, "ELF file %s is damaged", path);
    }
    if (l->addr == (uint64_t)NOWHERE) {
        return error_set(err, "file %s is no ELF file and needs addr=", path);
    }
    add_piece(l, l->addr, 0, n);
    return true;
}

static bool take_data(Loader *l, Error **err)
{
    if (l->addr == (uint64_t)NOWHERE) {
        return error_set(err, "data needs addr=");
    }
    uint64_t value = l->data_be ? GUINT64_TO_BE(l->data) >> (64 - 8 * l->data_len) : l->data;

    if (l->data_len < 8 && l->data >> 8 * l->data_len) {
        return error_set(err, "data %#" PRIx64 " has more than %u bytes", l->data, l->data_len);
    }
    l->bytes = g_memdup2(&value, 8);
    add_piece(l, l->addr, 0, l->data_len);
    return true;
}

/* ---- putting it there ---- */

static void start_cpu(Loader *l)
{
    GPtrArray *cpus = l->dev.machine->cpus;
    Vcpu *cpu = l->cpu_num < cpus->len ? cpus->pdata[l->cpu_num] : NULL;
    X86Segment *cs;

    if (!cpu || !cpu->state) {
        return;
    }
    cs = &cpu->state->seg[SEG_CS];
    cs->selector = l->start >> 4 & 0xf000;
    cs->base = (uint64_t)cs->selector << 4;
    cpu->state->rip = l->start - cs->base;
    cpu->changed |= X86_GPR | X86_SEGS;
}

/* As a debugger writes, so that ROM takes it too. */
static void put_all(Loader *l)
{
    for (guint i = 0; i < l->pieces->len; i++) {
        const Piece *p = &g_array_index(l->pieces, Piece, i);

        mem_write(machine_space(l->dev.machine), (Access){.debug = true}, p->at,
                  l->bytes + p->offset, p->size);
    }
    if (l->cpu_num != NO_CPU) {
        start_cpu(l);
    }
}

static void heard(Object *obj, MachineNews news)
{
    if (news == MACHINE_WAS_RESET) {
        put_all(CAST(Loader, obj));
    }
}

/* The reset that starts a machine makes no news, so the first time is when the machine runs. */
static void loader_reset(Object *obj, ResetKind kind)
{
    if (kind == RESET_POWER && CAST(Loader, obj)->pieces) {
        put_all(CAST(Loader, obj));
    }
}

static bool check_cpu(Loader *l, Error **err)
{
    if (l->cpu_num == NO_CPU) {
        return true;
    }
    if (l->cpu_num >= l->dev.machine->cpus->len) {
        return error_set(err, "there is no CPU %u", l->cpu_num);
    }
    l->start = l->start != (uint64_t)NOWHERE ? l->start : l->addr;
    return l->start < REAL_MODE_END ||
           error_set(err, "a CPU cannot start at %#" PRIx64 ", above 1 MB", l->start);
}

static bool loader_realize(Loader *l, Error **err)
{
    bool ok = true;

    l->pieces = g_array_new(FALSE, FALSE, sizeof(Piece));
    l->start = NOWHERE;
    if (l->file && l->data_len) {
        return error_set(err, "a loader takes a file or data, not both");
    }
    if (!l->file && !l->data_len && l->cpu_num == NO_CPU) {
        return error_set(err, "a loader needs file=, data= with data-len=, or cpu-num=");
    }
    ok = l->file ? read_file(l, err) : !l->data_len || take_data(l, err);
    if (!ok || !check_cpu(l, err)) {
        return false;
    }
    l->hook = (MachineHook){&l->dev.obj, heard, NULL};
    machine_listen(l->dev.machine, &l->hook);
    return true;
}

static void loader_finalize(Object *obj)
{
    Loader *l = (Loader *)obj;

    g_free(l->bytes);
    if (l->pieces) {
        g_array_unref(l->pieces);
    }
}

static const Prop loader_props[] = {
    PROP(Loader, addr, UINT64_MAX, "where it goes, or where the CPU starts"),
    PROP(Loader, data, 0, "a number"),
    PROP_AS(Loader, "data-len", data_len, 0, "its bytes", .max = 8),
    PROP_AS(Loader, "data-be", data_be, false, "the number is big-endian"),
    PROP_AS(Loader, "cpu-num", cpu_num, NO_CPU, "this CPU starts there"),
    PROP_TEXT(Loader, file, NULL, "a raw or an ELF file"),
    PROP_AS(Loader, "force-raw", force_raw, false, "take an ELF file as it is"),
    PROP_END,
};
static const StateField loader_state[] = {
    STATE_SKIP(Loader, bytes, "config"),
    STATE_SKIP(Loader, pieces, "config"),
    STATE_SKIP(Loader, start, "config"),
    STATE_SKIP(Loader, hook, "config"),
    STATE_END,
};

const DeviceClass Loader_class = {
    .class = {"loader", "puts a file or a number into memory", &Device_class.class, sizeof(Loader),
              loader_props, .finalize = loader_finalize},
    .state = loader_state,
    .realize = METHOD(Loader, loader_realize),
    .reset = loader_reset,
};
CLASS(Loader);
