/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain C: also read by the run-time library (target/i386/rt), which knows no GLib.
 *
 * Which RAM holds decoded code, in grains of 64 bytes, so that code and data that share a page stay
 * fast. A decoder marks its grains and takes the version, then reads the bytes, and remembers the
 * version with what it made; a writer stores its bytes, then looks at the grains and, if they are
 * marked, raises the version and clears them together. Either the decoder saw the new bytes or its
 * block carries an old version and is never run again.
 *
 * It may be running, though: a vCPU whose store finds no grains, because another has just cleared
 * them, may be in the middle of what it changes. So hits are counted, too (CodeHits), and who finds
 * no grains but that number changed leaves what it runs (code_heed() of the run-time library).
 *
 * Writers must notice. So a page is closed, or open: closed, no TLB has a write tag for it, and
 * every store passes here. Who marks grains of an open page has the write tags dropped everywhere
 * (RtHost.code_page) and then closes it; who fills a TLB opens a page without grains. Code that is
 * patched again and again mostly finds its page still closed.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Translated code of the page: a word that is written when the page's code changes, so that the
 * code leads out (target/i386/translate). */
typedef struct CodeKill {
    struct CodeKill *next;
    _Atomic uint64_t *word;
    uint64_t value;
} CodeKill;

/* How often code was hit in the memory that a machine's vCPUs share. */
typedef _Atomic uint64_t CodeHits;

typedef struct CodePage {
    _Atomic uint64_t grains;
    _Atomic uint32_t version;
    _Atomic uint32_t lock;
    CodeKill *kills; /* under the lock */
    /* Under the lock: how many write tags were made; that number + 1 when it was closed. */
    uint32_t opened, closed;
} CodePage;

/* Bits of the grains that [offset, offset+size) of a page touches; size 1 to 4096. */
static inline uint64_t code_grains(unsigned offset, unsigned size)
{
    unsigned first = offset / 64, last = (offset + size - 1) / 64;

    return (last >= 63 ? ~0ull : (1ull << (last + 1)) - 1) & ~((1ull << first) - 1);
}

/* 1: somebody has it. For short times: whoever waits spins. */
static inline void spin_lock(_Atomic uint32_t *lock)
{
    while (atomic_exchange_explicit(lock, 1, memory_order_acquire)) {
        __builtin_ia32_pause();
    }
}

static inline void spin_unlock(_Atomic uint32_t *lock)
{
    atomic_store_explicit(lock, 0, memory_order_release);
}

static inline void code_lock(CodePage *p)
{
    spin_lock(&p->lock);
}

static inline void code_unlock(CodePage *p)
{
    spin_unlock(&p->lock);
}

/* Somebody wrote there (vCPU, DMA, debugger), after the bytes. true: code was hit. The grains go
 * last: another writer that finds none goes on at once, and what it enters must lead out. */
static inline bool code_written(CodePage *p, CodeHits *hits, unsigned offset, unsigned size)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (__builtin_expect(!(p->grains & code_grains(offset, size)), 1)) {
        return false;
    }
    code_lock(p);
    p->version++;
    for (CodeKill *k = p->kills; k; k = k->next) {
        *k->word = k->value;
    }
    p->kills = NULL;
    ++*hits;
    p->grains = 0;
    code_unlock(p);
    return true;
}

/* Code made from bytes of that version is put on the list. false: they have changed since. */
static inline bool code_publish(CodePage *p, uint32_t version, CodeKill *kill)
{
    bool current;

    code_lock(p);
    current = p->version == version;
    if (current) {
        kill->next = p->kills;
        p->kills = kill;
    }
    code_unlock(p);
    return current;
}

/* All translated code is being thrown away. */
static inline void code_forget(CodePage *p)
{
    code_lock(p);
    p->kills = NULL;
    code_unlock(p);
}

/* What code_mark() found. */
typedef struct CodeMark {
    uint32_t version; /* to remember */
    uint32_t opened;  /* for code_close() */
    bool open;        /* the bytes may be written unnoticed: close it, then mark again */
} CodeMark;

/* Before the bytes are read. */
static inline CodeMark code_mark(CodePage *p, uint64_t grains)
{
    CodeMark mark;

    code_lock(p);
    mark = (CodeMark){p->version, p->opened, p->closed != p->opened + 1};
    p->grains |= grains;
    code_unlock(p);
    return mark;
}

/* Since that mark all write tags were dropped. Nothing happens if the page was opened meanwhile. */
static inline void code_close(CodePage *p, CodeMark mark)
{
    code_lock(p);
    if (p->opened == mark.opened) {
        p->closed = mark.opened + 1;
    }
    code_unlock(p);
}

/* May a write tag be made? Each counts, also while the page is open: who has dropped the tags and
 * is about to close it must hear of one that was made since. */
static inline bool code_open(CodePage *p)
{
    bool open;

    if (p->grains) {
        return false;
    }
    code_lock(p);
    open = !p->grains;
    p->opened += open;
    code_unlock(p);
    return open;
}
