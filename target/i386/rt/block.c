/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding and making blocks of decoded instructions (block.h). Order of a new block: mark the
 * grains of the code page and take its version, then read the bytes (softmmu/memory/code.h). Code
 * in devices, and code that ends at the CS limit, is decoded byte by byte every time it runs.
 */
#include "target/i386/rt/block.h"

#include "target/i386/decode/table.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/mem.h"
#include "target/i386/rt/rt.h"
#include "target/i386/rt/walk.h"
#include "target/i386/translate/translate.h"

enum { INSN_BYTES = 15, WARM_COUNT = 7 };

void block_init(Cpu *c, void *arena, size_t bytes)
{
    c->blocks = arena;
    c->blocks->end = (uint8_t *)arena + bytes;
    block_loose(c->blocks)->mode = ~0u; /* no CPU's: never found */
    block_flush(c);
}

/* A CPU under another engine has no blocks. */
void fetch_flush(Cpu *c, bool global_too)
{
    BlockCache *cache = c->blocks;

    if (cache) {
        jump_flush(c, global_too);
    }
    for (unsigned w = 0; cache && w < FETCH_SIZE / 64; w++) {
        uint64_t bits = cache->fetch_used[w] & (global_too ? ~0ull : ~cache->fetch_global[w]);

        cache->fetch_used[w] &= ~bits;
        cache->fetch_global[w] &= ~bits;
        for (; bits; bits &= bits - 1) {
            cache->fetch[w * 64 + __builtin_ctzll(bits)].tag = 0;
        }
    }
}

/* reach: the page may be part of one of that size (tlb2_reach()). */
void fetch_flush_page(Cpu *c, uint64_t linear, unsigned reach)
{
    if (!c->blocks) {
        return;
    }
    jump_flush_page(c, linear, reach);
    fetch_at(c, linear)->tag = 0;
    for (unsigned w = 0; reach != REACH_PAGE && w < FETCH_SIZE / 64; w++) {
        for (uint64_t bits = c->blocks->fetch_used[w]; bits; bits &= bits - 1) {
            Fetch *f = &c->blocks->fetch[w * 64 + __builtin_ctzll(bits)];

            f->tag = f->tag >> reach == linear >> reach ? 0 : f->tag;
        }
    }
}

void block_flush(Cpu *c)
{
    BlockCache *cache = c->blocks;

    if (!cache) {
        return;
    }
    cache->next = (uint8_t *)(cache + 1);
    cache->resets++;
    for (unsigned n = 0; n < JUMP_SIZE; n++) {
        cache->jump[n].block = block_loose(cache);
    }
    for (unsigned n = 0; n < BLOCK_BUCKETS; n++) {
        cache->bucket[n] = NULL;
    }
    fetch_flush(c, true);
    c->block_break = true;
}

/* ---- where the bytes are ---- */

static Fetch *fetch_page(Cpu *c, uint64_t linear)
{
    uint64_t tag = fetch_tag(c, linear);
    Fetch *f = fetch_at(c, linear);

    if (f->tag != tag) {
        unsigned n = f - c->blocks->fetch;
        bool global;
        uint64_t phys = mem_fetch_address(c, linear, &global);
        const PhysPage *p = phys_page(c, phys);

        c->blocks->fetch_used[n / 64] |= 1ull << n % 64;
        c->blocks->fetch_global[n / 64] &= ~(1ull << n % 64);
        c->blocks->fetch_global[n / 64] |= (uint64_t)global << n % 64;
        f->tag = tag;
        f->phys = phys & ~(uint64_t)(GUEST_PAGE - 1);
        f->host = p->host;
        f->code = p->host ? p->code : NULL;
    }
    return f;
}

static uint64_t code_linear(const Cpu *c, uint64_t rip)
{
    uint64_t linear = c->code_base + rip;

    return c->code_size == CODE_64 ? linear : (uint32_t)linear;
}

static uint64_t code_rip(const Cpu *c, uint64_t linear)
{
    uint64_t rip = linear - c->code_base;

    return c->code_size == CODE_64 ? rip : (uint32_t)rip;
}

/* How far it is from s.rip to the next page. CS may begin anywhere. */
static uint64_t to_next_page(const Cpu *c)
{
    return GUEST_PAGE - (c->code_base + c->s.rip) % GUEST_PAGE;
}

/* The first byte there: the address of faults. */
static uint64_t next_page(const Cpu *c)
{
    return code_linear(c, c->s.rip + to_next_page(c));
}

static bool block_current(const Block *b)
{
    return b->code->version == b->version && (!b->code2 || b->code2->version == b->version2);
}

static bool block_in_limit(const Cpu *c, const Block *b)
{
    return c->s.rip + b->bytes - 1 <= c->code_limit;
}

static Block **block_bucket(BlockCache *cache, uint64_t phys, uint32_t mode)
{
    uint64_t hash = (phys ^ (uint64_t)mode << 7) * 0x9e3779b97f4a7c15u;

    return &cache->bucket[hash >> 48 & (BLOCK_BUCKETS - 1)];
}

/* ---- making them ---- */

void run_too_long(Cpu *c, const Insn *i)
{
    raise_error(c, EXC_GP, 0);
}

static void bind(Cpu *c, Insn *i, DecodeResult result)
{
    InsnRun *run = NULL;

    if (result == DECODE_LONG) {
        i->run = run_too_long;
        return;
    }
    if (result == DECODE_OK && insn_supported(c->features, i) &&
        (insn_row(i)->space == SPACE_LEGACY || c->mode & MODE_PE)) {
        run = bind_integer(c, i);
        run = run ? run : bind_system(c, i);
        run = run ? run : bind_vector(c, i);
    }
    i->run = run ? run : run_undefined;
}

static bool insn_ends_block(const Insn *i)
{
    return insn_row(i)->attr & (ROW_BRANCH | ROW_SERIAL) || i->run == run_undefined;
}

/* false: the page was open; the world was told meanwhile, so all may be different. */
static bool mark_grains(Cpu *c, const Fetch *f, uint64_t grains, uint32_t *version)
{
    CodePage *code = f->code;
    CodeMark mark = code_mark(code, grains);

    *version = mark.version;
    if (mark.open) {
        HOST_DO(c, code_page, f->host);
        code_close(code, mark);
    }
    return !mark.open;
}

/* One instruction anywhere: byte by byte, as a device sees it, up to the limit of CS. */
static Block *block_once(Cpu *c)
{
    Block *b = block_loose(c->blocks);
    Insn *i = b->insn;
    uint8_t bytes[INSN_BYTES + 1];
    DecodeResult result = DECODE_SHORT;
    unsigned n = 0;

    while (result == DECODE_SHORT && n <= INSN_BYTES) {
        uint64_t linear = code_linear(c, c->s.rip + n);

        if (c->s.rip + n > c->code_limit) {
            raise_error(c, EXC_GP, 0);
        }
        bytes[n++] = phys_read(c, fetch_page(c, linear)->phys | linear % GUEST_PAGE, 1);
        result = decode((CodeSize)c->code_size, bytes, n, i);
    }
    bind(c, i, result == DECODE_SHORT ? DECODE_LONG : result);
    b->count = 1;
    b->bytes = n;
    return b;
}

/* Room for the longest block, starting over if need be. */
static Block *block_room(Cpu *c)
{
    BlockCache *cache = c->blocks;

    if ((size_t)(cache->end - cache->next) < sizeof(Block) + BLOCK_MAX * sizeof(Insn)) {
        block_flush(c);
    }
    return (Block *)cache->next;
}

static void block_chain(Cpu *c, Block *b)
{
    Block **bucket = block_bucket(c->blocks, b->phys, b->mode);

    b->chain = *bucket;
    *bucket = b;
    c->blocks->next = (uint8_t *)&b->insn[b->count];
}

static Block *block_keep(Cpu *c, Block *b, uint64_t linear)
{
    block_chain(c, b);
    if (unlikely(c->host->log_code != NULL)) {
        uint8_t bytes[GUEST_PAGE];

        for (unsigned n = 0; n < b->bytes; n++) {
            bytes[n] = phys_read(c,
                                 b->code2 && (b->phys + n) / GUEST_PAGE != b->phys / GUEST_PAGE
                                     ? b->phys2 + (b->phys + n) % GUEST_PAGE
                                     : b->phys + n,
                                 1);
        }
        HOST_DO(c, log_code, code_rip(c, linear), bytes, b->bytes);
    }
    return b;
}

/* An instruction over two pages. NULL: start over. Loose if the second is a device's. */
static Block *block_cross(Cpu *c, Block *b, uint64_t linear, Fetch one)
{
    unsigned at = linear % GUEST_PAGE, n = GUEST_PAGE - at;
    Fetch two = *fetch_page(c, next_page(c));
    uint8_t bytes[INSN_BYTES];
    DecodeResult result;

    if (!two.code) {
        return block_once(c);
    }
    if (!mark_grains(c, &two, 1, &b->version2) ||
        !mark_grains(c, &one, code_grains(at, n), &b->version)) {
        return NULL;
    }
    for (unsigned k = 0; k < INSN_BYTES; k++) {
        bytes[k] = k < n ? one.host[at + k] : two.host[k - n];
    }
    result = decode((CodeSize)c->code_size, bytes, INSN_BYTES, b->insn);
    bind(c, b->insn, result == DECODE_SHORT ? DECODE_LONG : result);
    b->code2 = two.code;
    b->phys2 = two.phys;
    b->count = 1;
    b->bytes = b->insn->len > n ? b->insn->len : n + 1; /* bad opcodes, too, looked over there */
    return block_keep(c, b, linear);
}

/* Decode from `at` to a branch or the page's end. NULL: start over. */
static Block *block_fill(Cpu *c, Block *b, uint64_t linear, const Fetch *f)
{
    unsigned start = linear % GUEST_PAGE, at = start;
    uint64_t marked = 0;

    for (b->count = 0; b->count < BLOCK_MAX && at < GUEST_PAGE;) {
        Insn *i = &b->insn[b->count];
        DecodeResult result;
        uint64_t grains = code_grains(at, 1);

        do { /* the second time around if it reaches into a grain that was not marked */
            if (grains & ~marked) {
                uint32_t version;

                if (!mark_grains(c, f, grains, &version)) {
                    return NULL;
                }
                b->version = marked ? b->version : version;
                marked |= grains;
            }
            result = decode((CodeSize)c->code_size, f->host + at, GUEST_PAGE - at, i);
            grains = result == DECODE_SHORT ? 0 : code_grains(at, i->len ? i->len : 1);
        } while (grains & ~marked);
        if (result == DECODE_SHORT) {
            break;
        }
        bind(c, i, result);
        b->count++;
        at += result == DECODE_OK ? i->len : 1;
        if (result != DECODE_OK || insn_ends_block(i)) {
            break;
        }
    }
    b->bytes = at - start;
    return b->count ? block_keep(c, b, linear) : block_cross(c, b, linear, *f);
}

static Block *block_begin(Cpu *c, uint64_t linear, const Fetch *f)
{
    Block *b = block_room(c);

    *b = (Block){
        .phys = f->phys | linear % GUEST_PAGE,
        .page = f->phys,
        .code = f->code,
        .mode = c->mode,
    };
    return b;
}

/* What is known of code that has been translated already, perhaps for another vCPU or before these
 * blocks were forgotten: it is not interpreted first. */
static void block_translated(Block *b, const Trans *t)
{
    b->runs = UINT8_MAX;
    b->trans = t->page2 ? NULL : t;
}

/* Blocks are forgotten when the arena starts over: having been decoded before counts as a run, so
 * that what runs seldom but again and again is translated in the end. The count is in the lower
 * bits, behind a part of the hash. */
static void block_warm(BlockCache *cache, Block *b)
{
    uint64_t hash = (b->phys ^ (uint64_t)b->mode << 40 ^ b->version) * 0x9e3779b97f4a7c15u;
    uint16_t *warm = &cache->warm[hash >> 48 & (WARM_SIZE - 1)], tag = hash >> 32 & ~WARM_COUNT;

    if ((*warm & ~WARM_COUNT) != tag) {
        *warm = tag;
    }
    b->runs = *warm & WARM_COUNT;
    *warm += (*warm & WARM_COUNT) != WARM_COUNT;
}

static Block *block_make(Cpu *c, uint64_t linear, const Fetch *f)
{
    Block *b = block_fill(c, block_begin(c, linear, f), linear, f);
    const Trans *t = c->code && b && !b->code2 ? trans_known(c, c->mode, b->code, b->phys) : NULL;

    if (t) {
        block_translated(b, t);
    } else if (b && b != block_loose(c->blocks)) {
        block_warm(c->blocks, b);
    }
    return b;
}

/* A block of no instructions, if there is a unit for it; in the direct window, also if there is one
 * without. */
static Block *block_known(Cpu *c, uint64_t linear, const Fetch *f)
{
    uint64_t phys = f->phys | linear % GUEST_PAGE;
    const Trans *t = c->code ? trans_known(c, c->mode, f->code, phys) : NULL;
    const Trans *outside = !t && c->code && c->mode & MODE_WINDOW
                             ? trans_known(c, c->mode ^ MODE_WINDOW, f->code, phys)
                             : NULL;
    Block *b = NULL;

    if ((t && !t->page2) || (outside && !outside->page2)) {
        b = block_begin(c, linear, f);
        b->version = t ? t->version : outside->version;
        b->bytes = 1;
        if (t) {
            block_translated(b, t);
        }
        block_chain(c, b);
    }
    return b;
}

/* ---- finding them ---- */

bool block_second_page(const Cpu *c, const Block *b)
{
    uint64_t second = next_page(c);
    const Fetch *f = fetch_at(c, second);

    return f->tag == fetch_tag(c, second) && f->phys == b->phys2 &&
           b->code2->version == b->version2;
}

/* Does its second page, if there is one, still lie where it was decoded? */
static bool block_reaches(Cpu *c, const Block *b)
{
    return !b->code2 || fetch_page(c, next_page(c))->phys == b->phys2;
}

static Block *block_kept(Cpu *c, uint64_t phys, bool decoded)
{
    Block **at = block_bucket(c->blocks, phys, c->mode), *b;

    while ((b = *at)) {
        bool here = b->phys == phys && b->mode == c->mode;

        __builtin_prefetch(b->trans);
        if (here && !block_current(b)) { /* others are left: looking at their pages costs more */
            *at = b->chain;
            continue;
        }
        if (here && (b->count || !decoded) && block_reaches(c, b)) {
            return b;
        }
        at = &b->chain;
    }
    return NULL;
}

/* In a page with breakpoints every instruction is looked up anew. A step leaves where it stands. */
static const Block *block_guarded(Cpu *c, uint64_t linear)
{
    if (debug_breaks_at(c->debug, linear) && !c->debug_step) {
        c->debug_hit = (DebugHit){.reason = DEBUG_BREAK, .addr = linear};
        unwind(c);
    }
    return block_once(c);
}

const Block *block_at(Cpu *c, uint64_t phys)
{
    const Block *b = *block_bucket(c->blocks, phys, c->mode);

    while (b &&
           !(b->phys == phys && b->mode == c->mode && b->count && !b->code2 && block_current(b))) {
        b = b->chain;
    }
    return b;
}

bool block_ahead(Cpu *c, unsigned at, const Block **made)
{
    BlockCache *cache = c->blocks;
    uint64_t linear = code_linear(c, c->s.rip) / GUEST_PAGE * GUEST_PAGE + at;
    const Fetch f = *fetch_at(c, linear);

    *made = NULL;
    if (f.tag != fetch_tag(c, linear) || !f.code || at > GUEST_PAGE - INSN_BYTES ||
        (size_t)(cache->end - cache->next) < sizeof(Block) + BLOCK_MAX * sizeof(Insn)) {
        return true;
    }
    *made = block_make(c, linear, &f);
    cache->decoded += *made != NULL;
    return *made;
}

const Block *block_over(Cpu *c, uint64_t phys, uint64_t phys2)
{
    const Block *b = *block_bucket(c->blocks, phys, c->mode);

    while (b && !(b->phys == phys && b->mode == c->mode && b->code2 && b->phys2 == phys2 &&
                  block_current(b))) {
        b = b->chain;
    }
    return b;
}

static void fetch_next(Cpu *c, void *opaque)
{
    *(Fetch *)opaque = *fetch_page(c, next_page(c));
}

bool block_next_page(Cpu *c, uint64_t *phys)
{
    uint64_t rip = c->s.rip + to_next_page(c), last = rip + GUEST_PAGE - 1;
    Fetch f;

    if (!rip || last > c->code_limit || (c->code_size == CODE_16 && last > 0xffff) ||
        (unlikely(c->debug != NULL) && debug_breaks_in_page(c->debug, code_linear(c, rip)))) {
        return false;
    }
    if (!rt_tried(c, fetch_next, &f)) {
        return false;
    }
    *phys = f.phys;
    return f.code;
}

const Block *block_find_slow(Cpu *c, uint64_t linear, Jump *jump, bool decoded)
{
    Block *b = NULL;

    if (c->s.rip > c->code_limit) {
        raise_error(c, EXC_GP, 0);
    }
    if (unlikely(c->debug != NULL) && debug_breaks_in_page(c->debug, linear)) {
        return block_guarded(c, linear);
    }
    while (!b) {
        Fetch f = *fetch_page(c, linear); /* a copy: making the block may flush */

        if (!f.code) {
            return block_once(c);
        }
        b = block_kept(c, f.phys | linear % GUEST_PAGE, decoded);
        c->blocks->found += b != NULL;
        if (!b && !decoded) {
            b = block_known(c, linear, &f);
            c->blocks->known += b != NULL;
        }
        if (!b) {
            b = block_make(c, linear, &f);
            c->blocks->decoded += b != NULL;
        }
        if (!b && !c->go) {
            unwind(c); /* whoever stopped us may keep the page changing: let it */
        }
    }
    if (b == block_loose(c->blocks)) {
        return b;
    }
    if (!block_in_limit(c, b)) {
        return block_once(c);
    }
    *jump = (Jump){linear, b};
    return b;
}
