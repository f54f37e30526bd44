/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which general registers the 64-bit code of programs names: the share of instructions that name
 * each, as an operand or in an address. `register-census ELF-FILE...`
 * Not here: how often instructions run; registers that an instruction implies (PUSH, string
 * operations), and whether it reads or writes them.
 */
#include "target/i386/decode/insn.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Census {
    uint64_t named[16], instructions, bytes_bad;
    uint64_t
        some[4]; /* name at least one of R8 to R11, of R12 to R15, of RSI RDI R8 R9, of RBX RBP */
} Census;

static const uint16_t sets[4] = {0x0f00, 0xf000, 0x03c0, 0x0028};

static void count_insn(Census *c, const Insn *i)
{
    unsigned mask = 0;

    for (unsigned n = 0; n < 4; n++) {
        const Operand *o = &i->operand[n];

        if (o->kind == OPERAND_GPR) {
            mask |= 1u << (o->reg & 15);
        } else if (o->kind == OPERAND_HIGH) {
            mask |= 1u << (o->reg & 3);
        } else if (o->kind == OPERAND_MEM) {
            mask |= i->base < 16 ? 1u << i->base : 0;
            mask |= i->index < 16 ? 1u << i->index : 0;
        }
    }
    for (unsigned n = 0; n < 16; n++) {
        c->named[n] += mask >> n & 1;
    }
    for (unsigned n = 0; n < 4; n++) {
        c->some[n] += (mask & sets[n]) != 0;
    }
    c->instructions++;
}

static void count_code(Census *c, const uint8_t *code, uint64_t size)
{
    Insn i;

    for (uint64_t at = 0; at < size;) {
        unsigned left = size - at < 15 ? (unsigned)(size - at) : 15;

        if (decode(CODE_64, code + at, left, &i) == DECODE_OK) {
            count_insn(c, &i);
            at += i.len;
        } else {
            c->bytes_bad++;
            at++;
        }
    }
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long end;

    if (f && !fseek(f, 0, SEEK_END) && (end = ftell(f)) > 0) {
        rewind(f);
        *size = (size_t)end;
        bytes = malloc(*size);
        if (bytes && fread(bytes, 1, *size, f) != *size) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (f) {
        fclose(f);
    }
    return bytes;
}

/* The executable sections; false: not a 64-bit ELF file. */
static bool count_elf(Census *c, const uint8_t *bytes, size_t size)
{
    Elf64_Ehdr h;

    if (size < sizeof h) {
        return false;
    }
    memcpy(&h, bytes, sizeof h);
    if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_machine != EM_X86_64 ||
        h.e_shentsize != sizeof(Elf64_Shdr) || h.e_shoff > size ||
        (size - h.e_shoff) / sizeof(Elf64_Shdr) < h.e_shnum) {
        return false;
    }
    for (unsigned n = 0; n < h.e_shnum; n++) {
        Elf64_Shdr s;

        memcpy(&s, bytes + h.e_shoff + n * sizeof s, sizeof s);
        if (s.sh_type == SHT_PROGBITS && s.sh_flags & SHF_EXECINSTR && s.sh_offset <= size &&
            s.sh_size <= size - s.sh_offset) {
            count_code(c, bytes + s.sh_offset, s.sh_size);
        }
    }
    return true;
}

static void print_census(const char *name, const Census *c)
{
    static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    double all = c->instructions ? (double)c->instructions / 100 : 1;

    printf("%s: %llu instructions, %llu bytes are none\n ", name,
           (unsigned long long)c->instructions, (unsigned long long)c->bytes_bad);
    for (unsigned n = 0; n < 16; n++) {
        printf(" %s %.1f%%", names[n], (double)c->named[n] / all);
    }
    printf("\n  one of r8-r11 %.1f%%, r12-r15 %.1f%%, rsi rdi r8 r9 %.1f%%, rbx rbp %.1f%%\n",
           (double)c->some[0] / all, (double)c->some[1] / all, (double)c->some[2] / all,
           (double)c->some[3] / all);
}

int main(int argc, char **argv)
{
    int failed = argc < 2;

    for (int n = 1; n < argc; n++) {
        Census c = {.instructions = 0};
        size_t size = 0;
        uint8_t *bytes = read_file(argv[n], &size);

        if (bytes && count_elf(&c, bytes, size)) {
            print_census(argv[n], &c);
        } else {
            fprintf(stderr, "register-census: %s: no ELF file of 64-bit code\n", argv[n]);
            failed = 1;
        }
        free(bytes);
    }
    return failed;
}
