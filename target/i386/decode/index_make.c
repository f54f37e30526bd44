/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run by the build: reads the table and writes the decoder's index as C, so that the decoder finds
 * the few rows that may fit an opcode without searching. Also completes each row's condition with
 * what follows from its operands: VEX.vvvv must be 1111 where no operand uses it, and so on.
 */
#include "target/i386/decode/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 65536
enum { SPLIT_ABOVE = 3 };

typedef struct Maker {
    Slot slots[MAP_COUNT][256];
    uint16_t split[4096];
    unsigned splits;
    Candidate candidates[MANY];
    unsigned count;
} Maker;

static const Spec specs[SPEC_COUNT] = {SPEC_LIST(SPEC_ROW)};

static bool row_uses(const InsnRow *row, unsigned first, unsigned last)
{
    for (unsigned n = 0; n < 4; n++) {
        const Spec *spec = &specs[row->spec[n]];
        if (spec->side[0].kind != OPERAND_NONE && spec->src >= first && spec->src <= last) {
            return true;
        }
    }
    return false;
}

static bool row_has_modrm(const InsnRow *row)
{
    const uint32_t parts = 7u << KEY_REG | 7u << KEY_RM | 1u << KEY_MOD3;
    if ((row->mask & parts) || row_uses(row, SRC_REG, SRC_RM3)) {
        return true;
    }
    for (unsigned n = 0; n < 4; n++) {
        const Spec *spec = &specs[row->spec[n]];
        if (spec->side[0].kind == OPERAND_MEM && spec->imm == IMM_NONE) {
            return true;
        }
    }
    return false;
}

static void require(Candidate *c, unsigned bit, bool value)
{
    c->mask |= 1u << bit;
    c->value |= (uint32_t)value << bit;
}

static Candidate row_candidate(const InsnRow *row)
{
    Candidate c = {row->mask, row->value, (uint16_t)(row - decode_table), false};
    bool vvvv = row_uses(row, SRC_VVVV, SRC_VVVV);
    if (row->space != SPACE_LEGACY && !vvvv) {
        require(&c, KEY_NOVVVV, true);
    }
    if (row->space != SPACE_EVEX) {
        return c;
    }
    if (!vvvv && !(row->attr & ROW_VSIB)) {
        require(&c, KEY_NOV2, true);
    }
    if (!(row->attr & ROW_MASK) || (row->attr & ROW_MASK1)) {
        require(&c, KEY_K0, !(row->attr & ROW_MASK1));
    }
    if (!(row->attr & ROW_ZERO)) {
        require(&c, KEY_Z, false);
    }
    if (!(row->attr & (ROW_BCAST | ROW_RC | ROW_SAE))) {
        require(&c, KEY_B, false);
    }
    return c;
}

static unsigned row_span(const InsnRow *row)
{
    return row->attr & ROW_PLUS_R ? 8 : row->attr & ROW_PLUS_CC ? 16 : 1;
}

static bool row_covers(const InsnRow *row, unsigned map, unsigned opcode)
{
    return map_index(row->space, row->map) == (int)map && opcode >= row->opcode &&
           opcode < row->opcode + row_span(row);
}

/* A list of the rows for an opcode, or of those that ModRM.reg leaves. Returns the first. */
static uint16_t list(Maker *m, unsigned map, unsigned opcode, int reg)
{
    unsigned first = m->count;
    const uint32_t mask = 7u << KEY_REG;
    for (unsigned n = 0; n < decode_rows; n++) {
        const InsnRow *row = &decode_table[n];
        if (row_covers(row, map, opcode) &&
            (reg < 0 || !(((uint32_t)reg << KEY_REG ^ row->value) & row->mask & mask))) {
            m->candidates[m->count++] = row_candidate(row);
        }
    }
    if (m->count == first) {
        return SPLIT_NONE;
    }
    m->candidates[m->count - 1].last = true;
    return (uint16_t)first;
}

static void slot_make(Maker *m, unsigned map, unsigned opcode)
{
    Slot *s = &m->slots[map][opcode];
    unsigned before = m->count;
    uint16_t first = list(m, map, opcode, -1);
    if (first == SPLIT_NONE) {
        return;
    }
    s->first = first;
    s->flags = SLOT_USED;
    for (unsigned n = first; n < m->count; n++) {
        if (row_has_modrm(&decode_table[m->candidates[n].row])) {
            s->flags |= SLOT_MODRM;
        }
    }
    if (m->count - before == 1 && !m->candidates[first].mask) {
        s->first = m->candidates[first].row;
        s->flags |= SLOT_PLAIN;
        m->count = before;
    }
    if ((s->flags & SLOT_MODRM) && m->count - before > SPLIT_ABOVE) {
        m->count = before;
        s->first = (uint16_t)m->splits;
        s->flags |= SLOT_SPLIT;
        for (int reg = 0; reg < 8; reg++) {
            m->split[m->splits++] = list(m, map, opcode, reg);
        }
    }
}

static void print(const Maker *m, FILE *f)
{
    fprintf(f, "/* Made from the instruction table by decode-index. */\n"
               "#include \"target/i386/decode/spec.h\"\n\n"
               "const Slot decode_slots[MAP_COUNT][256] = {\n");
    for (unsigned map = 0; map < MAP_COUNT; map++) {
        fprintf(f, "[%u] = {\n", map);
        for (unsigned n = 0; n < 256; n++) {
            if (m->slots[map][n].flags) {
                fprintf(f, "[0x%02x] = {%u, %u},\n", n, m->slots[map][n].first,
                        m->slots[map][n].flags);
            }
        }
        fprintf(f, "},\n");
    }
    fprintf(f, "};\nconst uint16_t decode_split[] = {\n");
    for (unsigned n = 0; n < m->splits; n++) {
        fprintf(f, "%u,\n", m->split[n]);
    }
    fprintf(f, "};\nconst Candidate decode_candidates[] = {\n");
    for (unsigned n = 0; n < m->count; n++) {
        const Candidate *c = &m->candidates[n];
        fprintf(f, "{0x%x, 0x%x, %u, %d}, /* %s */\n", c->mask, c->value, c->row, c->last,
                op_names[decode_table[c->row].op]);
    }
    fprintf(f, "};\n");
}

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "w") : NULL;
    Maker *m = calloc(1, sizeof *m);
    if (!f || !m) {
        fprintf(stderr, "usage: decode-index OUTPUT.c\n");
        return 1;
    }
    for (unsigned map = 0; map < MAP_COUNT; map++) {
        for (unsigned opcode = 0; opcode < 256; opcode++) {
            slot_make(m, map, opcode);
        }
    }
    print(m, f);
    free(m);
    return fclose(f) ? 1 : 0;
}
