/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The head of a core file: ELF headers and notes (System V ABI, chapter 5; AMD64 and i386
 * supplements; Linux' struct elf_prstatus for what gdb reads).
 *
 * A guest whose CPUs are not in long mode and whose memory ends below 4 GB gives a 32-bit file. For
 * each CPU there are two notes: CORE/NT_PRSTATUS with the general registers, and QEMU/0 with
 * segments, control registers and GS's other base, by which crash and others find page tables.
 * Not modelled: FPU registers (NT_FPREGSET).
 */
#include "monitor/dump.h"
#include "target/i386/state.h"

#include <elf.h>
#include <string.h>

enum { PN_EXTENDED = 0xffff, ALIGN = 4096 };

/* ---- notes ---- */

static void put32(GByteArray *to, uint32_t v)
{
    g_byte_array_append(to, (const uint8_t *)&v, sizeof v);
}

static void put64(GByteArray *to, uint64_t v)
{
    g_byte_array_append(to, (const uint8_t *)&v, sizeof v);
}

static void zeros(GByteArray *to, size_t n)
{
    for (; n >= 4; n -= 4) {
        put32(to, 0);
    }
    for (; n; n--) {
        g_byte_array_append(to, (const uint8_t *)"", 1);
    }
}

static void note(GByteArray *to, const char *name, uint32_t type, const GByteArray *desc)
{
    size_t n = strlen(name) + 1;

    put32(to, n);
    put32(to, desc->len);
    put32(to, type);
    g_byte_array_append(to, (const uint8_t *)name, n);
    zeros(to, -n & 3);
    g_byte_array_append(to, desc->data, desc->len);
    zeros(to, -desc->len & 3);
}

static void status_64(GByteArray *d, const X86State *s, unsigned id)
{
    static const uint8_t order[] = {
        15, 14, 13,   12,   R_BP, R_BX, 11,   10,
        9,  8,  R_AX, R_CX, R_DX, R_SI, R_DI, R_AX}; /* the last: orig_rax */

    zeros(d, 32);
    put32(d, id + 1);
    zeros(d, 76);
    for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
        put64(d, s->gpr[order[i]]);
    }
    put64(d, s->rip);
    put64(d, s->seg[SEG_CS].selector);
    put64(d, s->rflags);
    put64(d, s->gpr[R_SP]);
    put64(d, s->seg[SEG_SS].selector);
    put64(d, s->seg[SEG_FS].base);
    put64(d, s->seg[SEG_GS].base);
    put64(d, s->seg[SEG_DS].selector);
    put64(d, s->seg[SEG_ES].selector);
    put64(d, s->seg[SEG_FS].selector);
    put64(d, s->seg[SEG_GS].selector);
    zeros(d, 8); /* no FPU registers */
}

static void status_32(GByteArray *d, const X86State *s, unsigned id)
{
    static const uint8_t order[] = {R_BX, R_CX, R_DX, R_SI, R_DI, R_BP, R_AX};

    zeros(d, 24);
    put32(d, id + 1);
    zeros(d, 44);
    for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
        put32(d, s->gpr[order[i]]);
    }
    put32(d, s->seg[SEG_DS].selector);
    put32(d, s->seg[SEG_ES].selector);
    put32(d, s->seg[SEG_FS].selector);
    put32(d, s->seg[SEG_GS].selector);
    put32(d, s->gpr[R_AX]); /* orig_eax */
    put32(d, s->rip);
    put32(d, s->seg[SEG_CS].selector);
    put32(d, s->rflags);
    put32(d, s->gpr[R_SP]);
    put32(d, s->seg[SEG_SS].selector);
    zeros(d, 4);
}

static void segment(GByteArray *d, uint32_t selector, uint32_t limit, uint32_t attr, uint64_t base)
{
    put32(d, selector);
    put32(d, limit);
    put32(d, attr << 8); /* as in a descriptor's upper half */
    put32(d, 0);
    put64(d, base);
}

static void system_registers(GByteArray *d, const X86State *s)
{
    static const uint8_t gprs[] = {R_AX, R_BX, R_CX, R_DX, R_SI, R_DI, R_SP, R_BP,
                                   8,    9,    10,   11,   12,   13,   14,   15};
    static const uint8_t segs[] = {SEG_CS, SEG_DS, SEG_ES,   SEG_FS,
                                   SEG_GS, SEG_SS, SEG_LDTR, SEG_TR};
    const uint64_t cr[] = {s->cr0, 0, s->cr2, s->cr3, s->cr4};

    put32(d, 1); /* version */
    put32(d, 440);
    for (unsigned i = 0; i < G_N_ELEMENTS(gprs); i++) {
        put64(d, s->gpr[gprs[i]]);
    }
    put64(d, s->rip);
    put64(d, s->rflags);
    for (unsigned i = 0; i < G_N_ELEMENTS(segs); i++) {
        const X86Segment *seg = &s->seg[segs[i]];

        segment(d, seg->selector, seg->limit, seg->attr, seg->base);
    }
    segment(d, 0, s->gdtr.limit, 0, s->gdtr.base);
    segment(d, 0, s->idtr.limit, 0, s->idtr.base);
    for (unsigned i = 0; i < G_N_ELEMENTS(cr); i++) {
        put64(d, cr[i]);
    }
    put64(d, s->kernel_gs_base);
}

static void add_notes(GByteArray *to, Machine *m, bool wide)
{
    for (unsigned i = 0; i < machine_cpu_count(m); i++) {
        g_autoptr(GByteArray) status = g_byte_array_new(), more = g_byte_array_new();
        const X86State *s = machine_cpu(m, i)->state;

        (wide ? status_64 : status_32)(status, s, i);
        system_registers(more, s);
        note(to, "CORE", NT_PRSTATUS, status);
        note(to, "QEMU", 0, more);
    }
}

/* ---- headers ---- */

static void program_header(GByteArray *to, bool wide, const Elf64_Phdr *p)
{
    Elf32_Phdr narrow = {p->p_type,   p->p_offset, p->p_vaddr, p->p_paddr,
                         p->p_filesz, p->p_memsz,  p->p_flags, p->p_align};

    g_byte_array_append(to, wide ? (const uint8_t *)p : (const uint8_t *)&narrow,
                        wide ? sizeof *p : sizeof narrow);
}

static void load_header(GByteArray *to, bool wide, const DumpPlan *p, DumpMapping map)
{
    for (guint i = 0; i < p->blocks->len; i++) {
        const DumpBlock *b = &g_array_index(p->blocks, DumpBlock, i);

        if (map.phys >= b->phys && map.phys - b->phys < b->size) {
            program_header(to, wide,
                           &(Elf64_Phdr){.p_type = PT_LOAD,
                                         .p_flags = PF_R | PF_W | PF_X,
                                         .p_offset = b->file_offset + (map.phys - b->phys),
                                         .p_vaddr = map.linear,
                                         .p_paddr = map.phys,
                                         .p_filesz = map.size,
                                         .p_memsz = map.size});
            return;
        }
    }
}

/* More than e_phnum can count: the first section header does (System V ABI, "PN_XNUM"). */
static void elf_header(GByteArray *to, bool wide, uint32_t count, uint64_t headers_end)
{
    bool many = count >= PN_EXTENDED;
    uint16_t shown = many ? PN_EXTENDED : count;

    if (wide) {
        Elf64_Ehdr e = {.e_type = ET_CORE,
                        .e_machine = EM_X86_64,
                        .e_version = EV_CURRENT,
                        .e_phoff = sizeof e,
                        .e_shoff = many ? headers_end : 0,
                        .e_ehsize = sizeof e,
                        .e_phentsize = sizeof(Elf64_Phdr),
                        .e_phnum = shown,
                        .e_shentsize = many ? sizeof(Elf64_Shdr) : 0,
                        .e_shnum = many};

        memcpy(e.e_ident, ELFMAG, SELFMAG);
        e.e_ident[EI_CLASS] = ELFCLASS64;
        e.e_ident[EI_DATA] = ELFDATA2LSB;
        e.e_ident[EI_VERSION] = EV_CURRENT;
        g_byte_array_append(to, (const uint8_t *)&e, sizeof e);
    } else {
        Elf32_Ehdr e = {.e_type = ET_CORE,
                        .e_machine = EM_386,
                        .e_version = EV_CURRENT,
                        .e_phoff = sizeof e,
                        .e_shoff = many ? headers_end : 0,
                        .e_ehsize = sizeof e,
                        .e_phentsize = sizeof(Elf32_Phdr),
                        .e_phnum = shown,
                        .e_shentsize = many ? sizeof(Elf32_Shdr) : 0,
                        .e_shnum = many};

        memcpy(e.e_ident, ELFMAG, SELFMAG);
        e.e_ident[EI_CLASS] = ELFCLASS32;
        e.e_ident[EI_DATA] = ELFDATA2LSB;
        e.e_ident[EI_VERSION] = EV_CURRENT;
        g_byte_array_append(to, (const uint8_t *)&e, sizeof e);
    }
}

static void section_header(GByteArray *to, bool wide, uint32_t count)
{
    Elf64_Shdr w = {.sh_info = count};
    Elf32_Shdr n = {.sh_info = count};

    g_byte_array_append(to, wide ? (const uint8_t *)&w : (const uint8_t *)&n,
                        wide ? sizeof w : sizeof n);
}

/* ---- all of it ---- */

static bool needs_64(const DumpPlan *p, Machine *m)
{
    const DumpBlock *last = &g_array_index(p->blocks, DumpBlock, p->blocks->len - 1);
    bool wide = last->phys + last->size > 1ull << 32;

    for (unsigned i = 0; i < machine_cpu_count(m); i++) {
        wide |= machine_cpu(m, i)->state->efer & EFER_LMA;
    }
    return wide;
}

static void add_loads(GByteArray *to, bool wide, const DumpPlan *p)
{
    for (guint i = 0; i < p->mappings->len; i++) {
        load_header(to, wide, p, g_array_index(p->mappings, DumpMapping, i));
    }
    for (guint i = 0; !p->mappings->len && i < p->blocks->len; i++) {
        const DumpBlock *b = &g_array_index(p->blocks, DumpBlock, i);

        load_header(to, wide, p, (DumpMapping){b->phys, b->phys, b->size});
    }
}

void dump_head(DumpPlan *p, Machine *m)
{
    bool wide = needs_64(p, m);
    uint32_t count = 1 + (p->mappings->len ?: p->blocks->len);
    uint64_t headers_end = wide ? sizeof(Elf64_Ehdr) + (uint64_t)count * sizeof(Elf64_Phdr)
                                : sizeof(Elf32_Ehdr) + (uint64_t)count * sizeof(Elf32_Phdr);
    uint64_t notes_at = headers_end + (count < PN_EXTENDED ? 0
                                       : wide              ? sizeof(Elf64_Shdr)
                                                           : sizeof(Elf32_Shdr));
    g_autoptr(GByteArray) notes = g_byte_array_new();
    uint64_t at;

    add_notes(notes, m, wide);
    at = (notes_at + notes->len + ALIGN - 1) / ALIGN * ALIGN;
    for (guint i = 0; i < p->blocks->len; i++) {
        DumpBlock *b = &g_array_index(p->blocks, DumpBlock, i);

        b->file_offset = at;
        at += b->size;
    }
    elf_header(p->head, wide, count, headers_end);
    program_header(p->head, wide,
                   &(Elf64_Phdr){.p_type = PT_NOTE,
                                 .p_offset = notes_at,
                                 .p_filesz = notes->len,
                                 .p_memsz = notes->len});
    add_loads(p->head, wide, p);
    if (count >= PN_EXTENDED) {
        section_header(p->head, wide, count);
    }
    g_byte_array_append(p->head, notes->data, notes->len);
    zeros(p->head, g_array_index(p->blocks, DumpBlock, 0).file_offset - p->head->len);
}
