/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The code cache that the vCPUs of a machine share (docs/design/translator.md, "The cache"). Code
 * and records are only ever added, under a lock, until there is no room; then the world stops and
 * all goes. Look-up takes no lock: a bucket's chain grows at its head, and a record that is taken
 * out of it, because its page has changed, still leads on to the rest. The code of such a record
 * stays where it is: its entry leads to the loop (CodeKill).
 */
#include "target/i386/rt/host.h"
#include "target/i386/translate/unit.h"

enum {
    UNIT_ROOM = 96 << 10,
    DATA_ROOM =
        UNIT_MAX * 2 * sizeof(Insn) + FAULTS_MAX * sizeof(TransFault) + sizeof(Trans) + TRANS_LINE
};

/* AMD's from Zen on, and its licensees'. */
static bool quick_loop(void)
{
    uint32_t a = 0, b, c, d;

    __asm__("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    return (b == 0x68747541 && c == 0x444d4163) || /* AuthenticAMD */
           (b == 0x6f677948 && c == 0x656e6975);   /* HygonGenuine */
}

void trans_init(CodeCache *cache)
{
    cache->quick_loop = quick_loop();
    cache->fixed = trans_routines(cache);
    cache->used = cache->fixed;
    cache->generation = 1;
}

/* ---- room ---- */

static bool has_room(const CodeCache *cache)
{
    return cache->size - cache->used >= UNIT_ROOM &&
           cache->data_size - cache->data_used >= DATA_ROOM && cache->count < cache->most;
}

void trans_flush(CodeCache *cache)
{
    if (!cache->count) { /* each vCPU tells of each change of the memory map */
        return;
    }
    spin_lock(&cache->lock);
    for (uint32_t n = 0; n < cache->count; n++) {
        code_forget(cache->by_address[n]->page);
        if (cache->by_address[n]->page2) {
            code_forget(cache->by_address[n]->page2);
        }
    }
    for (unsigned n = 0; n < TRANS_BUCKETS; n++) {
        cache->bucket[n] = NULL;
    }
    cache->count = 0;
    cache->used = cache->fixed;
    cache->data_used = 0;
    cache->generation++;
    cache->figures.flushes++;
    spin_unlock(&cache->lock);
}

static void flush_full(Cpu *c, void *opaque)
{
    CodeCache *cache = opaque;

    (void)c;
    if (!has_room(cache)) { /* another one may have been here first */
        trans_flush(cache);
    }
}

/* ---- looking up ---- */

static _Atomic(Trans *) *bucket_of(CodeCache *cache, uint64_t phys, TransKey key)
{
    uint64_t hash =
        (phys ^ (uint64_t)key.mode << 40 ^ (uint64_t)key.window << 20) * 0x9e3779b97f4a7c15u;

    return &cache->bucket[hash >> 48 & (TRANS_BUCKETS - 1)];
}

static bool current(const Trans *t)
{
    return t->version == t->page->version && (!t->page2 || t->version2 == t->page2->version);
}

static bool same_key(TransKey a, TransKey b)
{
    return a.mode == b.mode && a.window == b.window;
}

static bool fits(const Trans *t, const Block *b, TransKey key)
{
    return t->phys == b->phys && same_key(t->key, key) && t->page == b->code &&
           t->version == b->version && (t->page2 || !b->code2) && current(t);
}

/* One of two pages, if the second is what follows now, else one of one page. */
static const Trans *look_up(Cpu *c, const Block *b, TransKey key, NextPage *next)
{
    const Trans *alone = NULL;

    for (const Trans *t = *bucket_of(c->code, b->phys, key); t; t = t->chain) {
        if (!fits(t, b, key)) {
            continue;
        }
        if (!t->page2) {
            alone = t;
        } else if (next_page_is(c, next) && t->phys2 == next->phys) {
            return t;
        }
    }
    return alone;
}

const Trans *trans_known(const Cpu *c, uint32_t mode, const CodePage *page, uint64_t phys)
{
    TransKey key = {mode, WINDOW_ALL};
    const Trans *t = mode & MODE_PLAIN ? *bucket_of(c->code, phys, key) : NULL;

    while (t && !(t->phys == phys && same_key(t->key, key) && t->page == page && current(t))) {
        t = t->chain;
    }
    return t;
}

/* ---- making ---- */

/* Single steps: the interpreter's. */
static bool mode_fits(const Cpu *c)
{
    return !(c->mode & MODE_STEP) && c->view != VIEW_SLOW;
}

/* Which part of the page lies in CS. false: code that begins there does not. */
static bool trans_key(const Cpu *c, const Block *b, TransKey *key)
{
    uint64_t last = c->code_size == CODE_16 && c->code_limit > 0xffff ? 0xffff : c->code_limit;
    int64_t page = c->s.rip - b->phys % GUEST_PAGE, left = last - page;

    *key = (TransKey){c->mode, WINDOW_ALL};
    if (!(c->mode & MODE_PLAIN)) {
        uint32_t low = page < 0 ? -page : 0, high = left >= GUEST_PAGE ? GUEST_PAGE - 1 : left;

        key->window = low | high << 16;
        return (int64_t)(b->phys % GUEST_PAGE + b->bytes) <= left + 1;
    }
    return true;
}

static void links(const Unit *u, Trans *t)
{
    const uint8_t *to[] = {
        [0] = u->entry,
        [LINK_FPU] = u->known,
        [LINK_BACK] = u->loops ? u->entry : u->ask,
        [LINK_BACK | LINK_FPU] = u->loops ? u->known : u->ask,
    };

    for (unsigned n = 0; n < 4; n++) {
        t->link[n] = u->cache->run + ((u->page2 ? u->link : to[n]) - u->cache->write);
    }
}

static Trans *record(CodeCache *cache, const Unit *u, const Block *b)
{
    Trans *t =
        (Trans *)(cache->data + ((cache->data_used + TRANS_LINE - 1) & -(uint32_t)TRANS_LINE));

    *t = (Trans){
        .phys = b->phys,
        .key = {u->mode, u->low | (uint32_t)u->high << 16},
        .version = b->version,
        .page = b->code,
        .phys2 = u->phys2,
        .version2 = u->version2,
        .page2 = u->page2,
        .entry = cache->run + (u->entry - cache->write),
        .far = cache->run + (u->far - cache->write),
        .from = u->out - cache->write,
        .to = u->e.at - cache->write,
        .insns = u->count,
        .faults = u->faults,
    };
    links(u, t);
    for (unsigned n = 0; n < u->faults; n++) {
        t->fault[n] = u->fault[n];
    }
    cache->data_used = (uint8_t *)&t->fault[u->faults] - cache->data;
    return t;
}

/* The first five bytes, a NOP, become a jump to the way out in front of the unit. */
static CodeKill kill_of(uint8_t *top, const uint8_t *out)
{
    int32_t distance = out - (top + 5);
    CodeKill kill = {.word = (_Atomic uint64_t *)top};

    __builtin_memcpy(&kill.value, top, 8);
    kill.value = (kill.value & ~0xffffffffffull) | 0xe9 | (uint64_t)(uint32_t)distance << 8;
    return kill;
}

static void prepare_kill(const Unit *u, Trans *t)
{
    t->kill = kill_of(u->top, u->top_out);
    t->kill2 = t->kill;
    if (u->alone_top) {
        t->kill_alone = kill_of(u->alone_top, u->out);
    }
}

static void unit_begin(Unit *u, Cpu *c, const Block *b, TransKey key, NextPage *next)
{
    __builtin_memset(u, 0, offsetof(Unit, insn));
    u->c = c;
    u->cache = c->code;
    u->mode = key.mode;
    u->view = c->view;
    u->page = b->page;
    u->recipe = -1;
    u->x87 = (X87Last){-1, -1};
    u->code64 = c->code_size == CODE_64;
    u->plain = key.mode & MODE_PLAIN;
    u->window = key.mode & MODE_WINDOW;
    u->low = key.window & 0xffff;
    u->high = key.window >> 16;
    unit_gather(u, b, next);
}

/* The next unit in the order of addresses. It is the first of each part that begins behind the one
 * before. */
static void number(CodeCache *cache, Trans *t)
{
    uint32_t before = cache->count ? cache->used : 0;

    for (uint32_t part = (before + CODE_PART - 1) / CODE_PART; part * CODE_PART < t->to; part++) {
        cache->first[part] = cache->count;
    }
    cache->by_address[cache->count] = t;
}

static Trans *make(Unit *u, const Block *b)
{
    CodeCache *cache = u->cache;
    uint32_t data_used = cache->data_used;
    Trans *t;

    u->e = (Emit){cache->write + cache->used, cache->write + cache->size, false};
    unit_emit(u);
    if (u->e.full) {
        cache->data_used = data_used;
        return NULL;
    }
    t = record(cache, u, b);
    prepare_kill(u, t);
    number(cache, t);
    cache->used = t->to;
    atomic_store_explicit(&cache->count, cache->count + 1, memory_order_release);
    cache->figures.units++;
    cache->figures.insns += u->count;
    cache->figures.host_bytes += t->to - t->from;
    return t;
}

/* Units whose page has changed would make the chain ever longer. Who is just reading one finds its
 * way on. */
static void forget_dead(_Atomic(Trans *) *bucket)
{
    Trans *before = NULL;

    for (Trans *t = *bucket; t; t = t->chain) {
        if (current(t)) {
            before = t;
        } else if (before) {
            before->chain = t->chain;
        } else {
            *bucket = t->chain;
        }
    }
}

static void publish(CodeCache *cache, Trans *t)
{
    _Atomic(Trans *) *bucket = bucket_of(cache, t->phys, t->key);

    forget_dead(bucket);
    if ((!t->kill_alone.word || code_publish(t->page, t->version, &t->kill_alone)) &&
        code_publish(t->page, t->version, &t->kill) &&
        (!t->page2 || code_publish(t->page2, t->version2, &t->kill2))) {
        t->chain = *bucket;
        *bucket = t;
    } else {
        *t->kill.word = t->kill.value; /* a page has changed meanwhile: nobody enters */
    }
}

static const Trans *find_slow(Cpu *c, const Block *b, TransKey key, NextPage *next)
{
    CodeCache *cache = c->code;
    const Trans *t;
    Unit u;
    bool room;

    if (!unit_ahead(c, b)) {
        return NULL;
    }
    unit_begin(&u, c, b, key, next); /* before the lock: it may walk the guest's tables */
    spin_lock(&cache->lock);
    next->asked = true;
    t = look_up(c, b, key, next);
    room = has_room(cache);
    if (!t && room) {
        Trans *made = make(&u, b);

        if (made) {
            publish(cache, made);
        }
        t = made;
    }
    spin_unlock(&cache->lock);
    if (!t && !room) {
        HOST_DO(c, exclusive, flush_full, cache);
        c->block_break = true; /* blocks may be gone, too */
    }
    return t;
}

const Trans *trans_find(Cpu *c, Block *b)
{
    NextPage next = {0};
    TransKey key;
    const Trans *t;

    if (unlikely(!mode_fits(c) || b == block_loose(c->blocks))) {
        return NULL;
    }
    if (!trans_key(c, b, &key) ||
        (b->code2 &&
         (!(c->mode & MODE_PLAIN) || !next_page_is(c, &next)))) { /* it has breakpoints */
        return NULL;
    }
    t = look_up(c, b, key, &next);
    if (!t) {
        t = find_slow(c, b, key, &next);
        if (t && unlikely(c->host->log_made != NULL)) {
            HOST_DO(c, log_made, c->s.rip, c->code->run + t->from, t->to - t->from);
        }
    }
    if (unlikely(c->code->used / CODE_CHUNK > c->code->gathered) && c->host->code_grown) {
        HOST_DO(c, code_grown);
    }
    if (t && !t->page2) {
        b->trans = t;
    }
    return t;
}

/* ---- by host address ---- */

/* A search by halves would read a dozen records that nobody has in the host's cache. */
static const Trans *trans_at(const CodeCache *cache, uint32_t at)
{
    uint32_t count = atomic_load_explicit(&cache->count, memory_order_acquire), n;

    if (!count || at < cache->by_address[0]->from || at >= cache->by_address[count - 1]->to) {
        return NULL;
    }
    for (n = cache->first[at / CODE_PART]; n < count && cache->by_address[n]->to <= at;) {
        n++;
    }
    return n < count && cache->by_address[n]->from <= at ? cache->by_address[n] : NULL;
}

static const Trans *trans_left(Cpu *c)
{
    uint32_t site = c->exit_site & ~(uint32_t)SITE_FLAGS;

    return c->code_generation == c->code->generation ? trans_at(c->code, site) : NULL;
}

bool trans_left_window(Cpu *c)
{
    const Trans *from = trans_left(c);

    return from && from->key.mode & MODE_WINDOW;
}

void trans_link(Cpu *c, const Trans *t)
{
    CodeCache *cache = c->code;
    uint32_t site = c->exit_site & ~(uint32_t)SITE_FLAGS;
    const uint8_t *to = t->link[(c->exit_site & SITE_BACK ? LINK_BACK : 0) |
                                (c->exit_site & SITE_FPU ? LINK_FPU : 0)];
    const Trans *from = trans_left(c);

    if (from && from->page == t->page && same_key(from->key, t->key)) {
        int32_t distance = to - (cache->run + site + 4);

        atomic_store_explicit((_Atomic int32_t *)(cache->write + site), distance,
                              memory_order_release);
    }
}

bool trans_fault(const CodeCache *cache, uintptr_t host, uint32_t *at, uintptr_t *leave)
{
    uint32_t offset = host - (uintptr_t)cache->run;
    const Trans *t = host - (uintptr_t)cache->run < cache->size ? trans_at(cache, offset) : NULL;

    for (unsigned n = 0; t && n < t->faults; n++) {
        if (offset >= t->fault[n].from && offset < t->fault[n].to) {
            *at = t->fault[n].at;
            *leave =
                (uintptr_t)(t->fault[n].leave ? cache->run + t->fault[n].leave : cache->leave_one);
            return true;
        }
    }
    return false;
}
