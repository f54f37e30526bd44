/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest instruction with its memory operand at [RDI] and its general operand in RAX, for the host
 * (SDM volume 2, "Instruction format"): what the translator does for its places, with the places of
 * stubs. Registers that the instruction implies stay where they are.
 * Not modelled: XOP; addresses with a vector index (gather.c); FNSTENV and its like (x87_state.c).
 */
#include "target/i386/decode/table.h"
#include "target/i386/rt/stub.h"
#include "target/i386/translate/encode.h"

enum { SAHF = 0x9e };

void stub_encode(const Insn *i, bool code64, StubCode *out)
{
    HostMap map = {.base = R_DI, .index = HOST_NONE};
    uint8_t code[ENCODE_MAX];
    unsigned len;

    for (unsigned n = 0; n < 16; n++) {
        map.gpr[n] = n;
    }
    for (unsigned n = 0; n < 4; n++) {
        if (i->operand[n].kind == OPERAND_GPR) {
            map.gpr[i->operand[n].reg & 15] = R_AX;
        }
    }
    len = encode_copy(i, code64, &map, code);
    out->len = 0;
    if (insn_row(i)->read & FLAGS_ARITH) {
        out->bytes[out->len++] = SAHF;
    }
    for (unsigned n = 0; n < len && out->len < sizeof out->bytes; n++) {
        out->bytes[out->len++] = code[n];
    }
}
