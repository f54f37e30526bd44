/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expressions of monitor commands: 64-bit numbers, registers of the chosen vCPU. As in QEMU:
 *
 *   sum     = mask { (+ | -) mask }        the weakest
 *   mask    = product { (& | "|" | ^) product }
 *   product = unary { (* | / | %) unary }
 *   unary   = - unary | + unary | ~ unary | ( sum ) | 'c' | $register | number
 *
 * Blanks may stand anywhere; two expressions one after another are two arguments. Numbers are
 * decimal, 0x... or 0... (octal). A / in front of a letter begins the name of a file. Division is
 * that of unsigned numbers.
 */
#include "monitor/hmp_command.h"
#include "target/i386/state.h"

#include <errno.h>
#include <string.h>

enum { MOST_NESTED = 64 };

typedef struct Expr {
    Hmp *h;
    unsigned depth;
    Error **err;
} Expr;

/* ---- registers ---- */

static const char *const gpr64[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const gpr32[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
static const char *const gpr16[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
static const char *const gpr8[] = {"al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"};
static const char *const segs[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};

static int index_of(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (!strcmp(names[i], name)) {
            return i;
        }
    }
    return -1;
}

static bool general(const X86State *s, const char *name, uint64_t *to)
{
    int i;

    if ((i = index_of(gpr64, 16, name)) >= 0) {
        *to = s->gpr[i];
    } else if ((i = index_of(gpr32, 8, name)) >= 0) {
        *to = (uint32_t)s->gpr[i];
    } else if ((i = index_of(gpr16, 8, name)) >= 0) {
        *to = (uint16_t)s->gpr[i];
    } else if ((i = index_of(gpr8, 8, name)) >= 0) {
        *to = (uint8_t)(s->gpr[i & 3] >> (i & 4 ? 8 : 0));
    }
    return i >= 0;
}

static uint64_t linear_pc(const X86State *s)
{
    bool long_code = s->efer & EFER_LMA && s->seg[SEG_CS].attr & ATTR_L;

    return long_code ? s->rip : (uint32_t)(s->seg[SEG_CS].base + s->rip);
}

static bool special(const X86State *s, const char *name, uint64_t *to)
{
    const struct {
        const char *name;
        uint64_t value;
    } table[] = {
        {"rip", s->rip},        {"eip", (uint32_t)s->rip}, {"ip", (uint16_t)s->rip},
        {"pc", linear_pc(s)},   {"rflags", s->rflags},     {"eflags", (uint32_t)s->rflags},
        {"fp", s->gpr[R_BP]},   {"cr0", s->cr0},           {"cr2", s->cr2},
        {"cr3", s->cr3},        {"cr4", s->cr4},           {"efer", s->efer},
        {"dr0", s->dr[0]},      {"dr1", s->dr[1]},         {"dr2", s->dr[2]},
        {"dr3", s->dr[3]},      {"dr6", s->dr6},           {"dr7", s->dr7},
        {"gdtr", s->gdtr.base}, {"idtr", s->idtr.base},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        if (!strcmp(table[i].name, name)) {
            *to = table[i].value;
            return true;
        }
    }
    return false;
}

static bool segment(const X86State *s, const char *name, uint64_t *to)
{
    g_autofree char *stem = g_strndup(name, strcspn(name, "_"));
    int i = index_of(segs, SEG_COUNT, stem);

    if (i >= 0 && name[strlen(stem)] && strcmp(name + strlen(stem), "_base")) {
        return false;
    }
    *to = i < 0 ? 0 : strchr(name, '_') ? s->seg[i].base : s->seg[i].selector;
    return i >= 0;
}

bool hmp_register(const X86State *s, const char *name, uint64_t *to)
{
    return general(s, name, to) || special(s, name, to) || segment(s, name, to);
}

/* ---- the grammar ---- */

static bool sum(Expr *e, uint64_t *to);

static bool wrong(Expr *e, const char *what)
{
    return *e->h->at ? error_set(e->err, "%s at '%s'", what, e->h->at)
                     : error_set(e->err, "%s at the end of the line", what);
}

static bool number(Expr *e, uint64_t *to)
{
    char *end;

    errno = 0;
    if (!g_ascii_isdigit(*e->h->at)) {
        return wrong(e, "a number is missing");
    }
    *to = g_ascii_strtoull(e->h->at, &end, 0);
    if (errno) {
        return wrong(e, "a number of more than 64 bits");
    }
    if (g_ascii_isalnum(*end)) {
        return wrong(e, "no number");
    }
    e->h->at = end;
    return true;
}

static bool register_value(Expr *e, uint64_t *to)
{
    size_t n = strspn(++e->h->at, G_CSET_a_2_z G_CSET_A_2_Z "0123456789_");
    g_autofree char *name = g_ascii_strdown(e->h->at, n);
    Vcpu *cpu = hmp_cpu(e->h, e->err);

    if (!cpu) {
        return false;
    }
    if (!cpu->state || !hmp_register(cpu->state, name, to)) {
        return error_set(e->err, "there is no register $%s", name);
    }
    e->h->at += n;
    return true;
}

static bool character(Expr *e, uint64_t *to)
{
    const char *at = e->h->at;

    if (!at[1] || at[2] != '\'') {
        return wrong(e, "no character between quotes");
    }
    *to = (uint8_t)at[1];
    e->h->at += 3;
    return true;
}

static bool unary(Expr *e, uint64_t *to);

static bool parenthesis(Expr *e, uint64_t *to)
{
    e->h->at++;
    if (!sum(e, to)) {
        return false;
    }
    hmp_skip(e->h);
    if (*e->h->at != ')') {
        return wrong(e, "a ) is missing");
    }
    e->h->at++;
    return true;
}

static bool signed_unary(Expr *e, char sign, uint64_t *to)
{
    e->h->at++;
    if (!unary(e, to)) {
        return false;
    }
    *to = sign == '-' ? -*to : sign == '~' ? ~*to : *to;
    return true;
}

static bool unary(Expr *e, uint64_t *to)
{
    bool ok;

    if (++e->depth > MOST_NESTED) {
        return error_set(e->err, "the expression is nested too deeply");
    }
    hmp_skip(e->h);
    switch (*e->h->at) {
    case '-':
    case '+':
    case '~':
        ok = signed_unary(e, *e->h->at, to);
        break;
    case '(':
        ok = parenthesis(e, to);
        break;
    case '$':
        ok = register_value(e, to);
        break;
    case '\'':
        ok = character(e, to);
        break;
    default:
        ok = number(e, to);
    }
    e->depth--;
    return ok;
}

static bool apply(Expr *e, char op, uint64_t *a, uint64_t b)
{
    if ((op == '/' || op == '%') && !b) {
        return error_set(e->err, "division by zero");
    }
    switch (op) {
    case '+':
        *a += b;
        break;
    case '-':
        *a -= b;
        break;
    case '&':
        *a &= b;
        break;
    case '|':
        *a |= b;
        break;
    case '^':
        *a ^= b;
        break;
    case '*':
        *a *= b;
        break;
    case '/':
        *a /= b;
        break;
    default:
        *a %= b;
    }
    return true;
}

/* "4 /tmp/x" is a number and the name of a file: no operand begins with a letter. */
static bool is_operator(const char *at, const char *ops)
{
    return *at && strchr(ops, *at) &&
           !(*at == '/' && (g_ascii_isalpha(at[1]) || (at[1] && strchr("/._", at[1]))));
}

static bool chain(Expr *e, const char *ops, bool (*part)(Expr *e, uint64_t *to), uint64_t *to)
{
    uint64_t right;
    char op;

    if (!part(e, to)) {
        return false;
    }
    for (hmp_skip(e->h); is_operator(e->h->at, ops); hmp_skip(e->h)) {
        op = *e->h->at++;
        if (!part(e, &right) || !apply(e, op, to, right)) {
            return false;
        }
    }
    return true;
}

static bool product(Expr *e, uint64_t *to)
{
    return chain(e, "*/%", unary, to);
}

static bool mask(Expr *e, uint64_t *to)
{
    return chain(e, "&|^", product, to);
}

static bool sum(Expr *e, uint64_t *to)
{
    return chain(e, "+-", mask, to);
}

bool hmp_number(Hmp *h, uint64_t *to, Error **err)
{
    Expr e = {h, 0, err};

    return sum(&e, to);
}
