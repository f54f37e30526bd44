/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's clock_gettime(), which it maps into each process (vdso(7)), called while the guest's
 * FPU is in the host's registers. That it leaves them alone is nowhere promised; so its code is
 * read first, along all branches: no instruction may be of the FPU's, jump through a register or
 * lead outside. The system call that it may end in keeps all registers but rax, rcx and r11.
 * Not here: other functions of the vDSO, one of which uses vector registers (getrandom).
 */
#include "accel/tcg/vdso.h"

#include "target/i386/decode/table.h"

#include <elf.h>
#include <glib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

_Static_assert(sizeof(struct timespec) == sizeof(RtTime), "the kernel fills one in");
_Static_assert(CLOCK_MONOTONIC == RT_CLOCK_MONOTONIC, "the kernel is asked for it");

/* ---- reading code ---- */

typedef struct Reading {
    const uint8_t *code;
    size_t size;
    GArray *todo;  /* of size_t: where branches lead */
    uint8_t *seen; /* an instruction begins there    */
} Reading;

static bool leaves(const Insn *i)
{
    return i->op == OP_RET || i->op == OP_UD2 || i->op == OP_INT3;
}

static bool registers_general(const Insn *i)
{
    static const uint32_t forbidden =
        1u << OPERAND_ST | 1u << OPERAND_MM | 1u << OPERAND_XMM | 1u << OPERAND_K;

    for (unsigned n = 0; n < G_N_ELEMENTS(i->operand); n++) {
        if (forbidden >> i->operand[n].kind & 1) {
            return false;
        }
    }
    return insn_row(i)->fpu == ROW_FPU_NONE && !(i->flags & (INSN_EVEX | INSN_XOP));
}

/* From one address to where the code returns or jumps. */
static bool run_is_general(Reading *r, size_t at)
{
    while (at < r->size && !r->seen[at]) {
        Insn i;

        r->seen[at] = 1;
        if (decode(CODE_64, r->code + at, r->size - at, &i) != DECODE_OK ||
            !registers_general(&i)) {
            return false;
        }
        at += i.len;
        if (i.operand[0].kind == OPERAND_REL) {
            size_t to = at + i.imm;

            g_array_append_val(r->todo, to);
            if (i.op == OP_JMP) {
                return true;
            }
        } else if (leaves(&i)) {
            return true;
        } else if (insn_row(&i)->attr & ROW_BRANCH && i.op != OP_SYSCALL) {
            return false;
        }
    }
    return at < r->size;
}

bool code_is_general(const uint8_t *code, size_t size, size_t entry)
{
    g_autofree uint8_t *seen = g_malloc0(size);
    g_autoptr(GArray) todo = g_array_new(FALSE, FALSE, sizeof(size_t));
    Reading r = {code, size, todo, seen};
    bool general = true;

    g_array_append_val(todo, entry);
    while (general && todo->len) {
        size_t at = g_array_index(todo, size_t, todo->len - 1);

        g_array_set_size(todo, todo->len - 1);
        general = run_is_general(&r, at);
    }
    return general;
}

/* ---- the vDSO's file, as it is mapped ---- */

typedef struct Vdso {
    const uint8_t *base, *code; /* address 0 of the file; its executable segment */
    size_t size;
    const Elf64_Sym *symbol;
    const char *text;
    const uint32_t *hash;
} Vdso;

static const void *find_table(const Vdso *v, const Elf64_Dyn *dyn, Elf64_Sxword tag)
{
    while (dyn->d_tag != DT_NULL && dyn->d_tag != tag) {
        dyn++;
    }
    return dyn->d_tag == tag ? v->base + dyn->d_un.d_ptr : NULL;
}

static void find_tables(Vdso *v, const Elf64_Dyn *dyn)
{
    v->symbol = find_table(v, dyn, DT_SYMTAB);
    v->text = find_table(v, dyn, DT_STRTAB);
    v->hash = find_table(v, dyn, DT_HASH);
}

static bool vdso_find(Vdso *v)
{
    const uint8_t *file = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
    const Elf64_Phdr *segment, *dynamic = NULL;

    *v = (Vdso){0};
    if (!file) {
        return false;
    }
    segment = (const Elf64_Phdr *)(file + header->e_phoff);
    for (unsigned n = 0; n < header->e_phnum; n++, segment++) {
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_X) {
            v->base = file + segment->p_offset - segment->p_vaddr;
            v->code = file + segment->p_offset;
            v->size = segment->p_filesz;
        } else if (segment->p_type == PT_DYNAMIC) {
            dynamic = segment;
        }
    }
    if (v->code && dynamic) {
        find_tables(v, (const Elf64_Dyn *)(v->base + dynamic->p_vaddr));
    }
    return v->symbol && v->text && v->hash;
}

GetTime *vdso_gettime(void)
{
    Vdso v;

    if (!vdso_find(&v)) {
        return NULL;
    }
    for (uint32_t n = 0; n < v.hash[1]; n++) { /* as many symbols as chains */
        const Elf64_Sym *s = &v.symbol[n];
        const uint8_t *at = v.base + s->st_value;

        if (!strcmp(v.text + s->st_name, "__vdso_clock_gettime") && at >= v.code &&
            code_is_general(v.code, v.size, at - v.code)) {
            return (GetTime *)at;
        }
    }
    return NULL;
}
