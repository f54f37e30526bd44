/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/i386/decode/table.h"
#include "tests/lib/test.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static Insn of(CodeSize code, const char *bytes, unsigned n, DecodeResult want)
{
    Insn i;
    check(decode(code, (const uint8_t *)bytes, n, &i), want);
    return i;
}
#define CODE(SIZE, BYTES)      of(CODE_##SIZE, BYTES, sizeof(BYTES) - 1, DECODE_OK)
#define UNDEFINED(SIZE, BYTES) of(CODE_##SIZE, BYTES, sizeof(BYTES) - 1, DECODE_UD)

TEST("decode: add [rax+rcx*4-8], edx has its operands, base, index, scale and displacement")
{
    Insn i = CODE(64, "\x01\x54\x88\xf8");
    check(i.op, OP_ADD);
    check(i.len, 4);
    check(i.operand[0].kind, OPERAND_MEM);
    check(i.operand[0].size, 4);
    check(i.operand[1].kind, OPERAND_GPR);
    check(i.operand[1].reg, 2);
    check(i.base, 0);
    check(i.index, 1);
    check(i.scale, 2);
    check(i.disp, -8);
    check(insn_row(&i)->attr & ROW_LOCK, ROW_LOCK);
}

TEST("decode: without REX AH is the fifth byte register, with it SPL")
{
    Insn i = CODE(64, "\x88\xe0");
    check(i.operand[1].kind, OPERAND_HIGH);
    check(i.operand[1].reg, 0);
    i = CODE(64, "\x40\x88\xe0");
    check(i.operand[1].kind, OPERAND_GPR);
    check(i.operand[1].reg, 4);
}

TEST("decode: a REX in front of another prefix does not count")
{
    Insn i = CODE(64, "\x48\x66\x01\xc8");
    check(i.opsize, 2);
    check(i.len, 4);
    check(i.prefix & PREFIX_REX, 0);
}

TEST("decode: LOCK needs a memory destination of an instruction that allows it")
{
    CODE(64, "\xf0\x01\x08");
    UNDEFINED(64, "\xf0\x01\xc8");
    UNDEFINED(64, "\xf0\x03\x08");
    UNDEFINED(64, "\xf0\x39\x08");
    UNDEFINED(64, "\xf0\x0f\xa3\x08");
}

TEST("decode: more than 15 bytes is DECODE_LONG, too few given DECODE_SHORT")
{
    of(CODE_64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 16,
       DECODE_LONG);
    CODE(64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90");
    of(CODE_64, "\x48\xb8\x01\x02", 4, DECODE_SHORT);
    of(CODE_64, "", 0, DECODE_SHORT);
}

TEST("decode: 16-bit addresses: bp is in SS, an override beats it, [1234] has no base")
{
    Insn i = CODE(16, "\x8b\x46\xfe");
    check(i.base, 5);
    check(i.seg, 2);
    i = CODE(16, "\x26\x8b\x46\xfe");
    check(i.seg, 0);
    i = CODE(16, "\x8b\x16\x34\x12");
    check(i.base, REG_NONE);
    check(i.disp, 0x1234);
    check(i.addrsize, 2);
}

TEST("decode: far pointers, ENTER and moffs keep both of their parts")
{
    Insn i = CODE(32, "\xea\x78\x56\x34\x12\x08\x00");
    check(i.op, OP_JMP_FAR);
    check(i.imm, 0x812345678);
    i = CODE(64, "\xc8\x10\x00\x03");
    check(i.imm, 0x300000010);
    i = CODE(64, "\x64\x48\xa1\x88\x77\x66\x55\x44\x33\x22\x11");
    check(i.imm, 0x1122334455667788);
    check(i.seg, 4);
}

TEST("decode: C4 and C5 are LES and LDS in 32-bit code where memory follows, else VEX")
{
    check(CODE(32, "\xc4\x06").op, OP_LES);
    check(CODE(32, "\xc4\xe2\x78\xf2\xc1").op, OP_ANDN);
    check(CODE(64, "\xc4\xe2\xf0\xf2\xc1").opsize, 8);
    UNDEFINED(64, "\x66\xc4\xe2\x78\xf2\xc1");
    UNDEFINED(64, "\xc4\xe2\x7c\xf2\xc1");
}

TEST("decode: VEX.pp shows as the prefix it stands for")
{
    check(CODE(64, "\xc5\xf9\x6f\xc1").prefix, PREFIX_OPSIZE);
    check(CODE(64, "\xc5\xfa\x6f\xc1").prefix, PREFIX_REP);
    check(CODE(64, "\xc5\xfb\x70\xc1\x00").prefix, PREFIX_REPNE);
}

TEST("decode: names of all mnemonics are there")
{
    for (unsigned op = 0; op < OP_COUNT; op++) {
        check(op_names[op] != NULL, true);
    }
    check_str(op_names[OP_VFMADD132PD], "VFMADD132PD");
}

/* At the end of a page, nothing behind it. */
static void check_short(uint8_t *end, const uint8_t *bytes, CodeSize code)
{
    Insn whole, part;
    DecodeResult want = decode(code, bytes, 24, &whole);
    for (unsigned n = 0; n <= 15; n++) {
        memcpy(end - n, bytes, n);
        DecodeResult got = decode(code, end - n, n, &part);
        bool same = got == want && part.len == whole.len;
        if (want == DECODE_OK ? (n < whole.len ? got != DECODE_SHORT : !same)
                              : (got != DECODE_SHORT && !same)) {
            check(got, want);
        }
    }
}

TEST("decode: with fewer bytes than it has an instruction is short, and nothing behind is read")
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t seed = 88172645463325252u;
    check(mprotect(at + page, page, PROT_NONE), 0);
    for (unsigned k = 0; k < 30000; k++) {
        uint8_t bytes[24];
        for (unsigned n = 0; n < sizeof bytes; n += 8) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17; /* xorshift */
            memcpy(bytes + n, &seed, 8);
        }
        if (k & 1) {
            bytes[0] = "\x0f\xc4\x62\xc5"[k / 2 % 4];
        }
        check_short(at + page, bytes, k % 3);
    }
    munmap(at, 2 * page);
}
