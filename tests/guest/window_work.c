/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Linux guest's program that changes what is mapped at random and knows what each page must hold:
 * window-work SEED OPERATIONS THREADS. Each thread has an area of pages; it maps, unmaps, protects,
 * discards and moves them, writes code and calls it, and forks children that check their copy and
 * write to it. Accesses that are not allowed must fault. Prints one line for each thread.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 192, PAGE = 4096, THREADS_MAX = 8 };
enum { NONE, READ, WRITE, ALL }; /* rights; ALL: code, too */

typedef struct Page {
    uint8_t mapped, shared, rights;
    uint32_t value; /* what its first and last word hold */
} Page;

typedef struct Work {
    Page page[PAGES];
    uint8_t *area;
    uint64_t random;
    unsigned operations, faults, forks, calls, wrong, number;
} Work;

static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t ready;

static uint32_t below(Work *w, uint32_t n)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->random >> 33) % n;
}

static void on_fault(int number)
{
    if (!ready) {
        signal(number, SIG_DFL);
        return;
    }
    ready = 0;
    siglongjmp(back, 1);
}

static uint8_t *at(Work *w, unsigned page)
{
    return w->area + (size_t)page * PAGE;
}

static void wrong(Work *w, const char *what, unsigned page, uint32_t got, uint32_t want)
{
    if (w->wrong++ < 3) {
        printf("window-work: thread %u, operation %u: %s, page %u: %#x, not %#x\n", w->number,
               w->operations, what, page, got, want);
        fflush(stdout);
    }
}

static int protection(unsigned rights)
{
    return rights == NONE  ? PROT_NONE
         : rights == READ  ? PROT_READ
         : rights == WRITE ? PROT_READ | PROT_WRITE
                           : PROT_READ | PROT_WRITE | PROT_EXEC;
}

/* Two words of the page; 0: it faulted. */
static int load(uint8_t *page, uint32_t *first, uint32_t *last)
{
    if (sigsetjmp(back, 1)) {
        return 0;
    }
    ready = 1;
    *first = *(volatile uint32_t *)page;
    *last = *(volatile uint32_t *)(page + PAGE - 4);
    ready = 0;
    return 1;
}

static int store(uint8_t *page, uint32_t value)
{
    if (sigsetjmp(back, 1)) {
        return 0;
    }
    ready = 1;
    *(volatile uint32_t *)page = value;
    *(volatile uint32_t *)(page + PAGE - 4) = value;
    ready = 0;
    return 1;
}

static void check(Work *w, unsigned n, const char *who)
{
    const Page *p = &w->page[n];
    uint32_t first = 0, last = 0;
    int there = load(at(w, n), &first, &last), want = p->mapped && p->rights != NONE;

    w->faults += !there;
    if (there != want) {
        wrong(w, who, n, there, want);
    } else if (there && (first != p->value || last != p->value)) {
        wrong(w, who, n, first != p->value ? first : last, p->value);
    }
}

static void put(Work *w, unsigned n)
{
    Page *p = &w->page[n];
    uint32_t value = below(w, 1u << 30);
    int there = store(at(w, n), value), want = p->mapped && p->rights >= WRITE;

    w->faults += !there;
    if (there != want) {
        wrong(w, "a store", n, there, want);
    }
    p->value = there ? value : p->value;
}

/* mov eax, value; ret: where the page's first word is part of it, so its value is lost. */
static void call(Work *w, unsigned n)
{
    Page *p = &w->page[n];
    uint32_t value = below(w, 1u << 30), got;
    uint8_t *code = at(w, n) + 64 * below(w, 60) + 8;

    if (!p->mapped || p->rights != ALL) {
        return;
    }
    code[5] = 0xc3;
    memcpy(code + 1, &value, 4);
    code[0] = 0xb8;
    got = ((uint32_t(*)(void))code)();
    w->calls++;
    if (got != value) {
        wrong(w, "a call", n, got, value);
    }
}

static void map(Work *w, unsigned n, unsigned count)
{
    int shared = below(w, 3) == 0, rights = below(w, 4);

    mmap(at(w, n), (size_t)count * PAGE, protection(rights),
         (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (unsigned k = n; k < n + count; k++) {
        w->page[k] = (Page){1, shared, rights, 0};
    }
}

static void unmap(Work *w, unsigned n, unsigned count)
{
    munmap(at(w, n), (size_t)count * PAGE);
    memset(&w->page[n], 0, count * sizeof(Page));
}

static void protect(Work *w, unsigned n, unsigned count)
{
    unsigned rights = below(w, 4);

    for (unsigned k = n; k < n + count; k++) {
        if (w->page[k].mapped) {
            mprotect(at(w, k), PAGE, protection(rights));
            w->page[k].rights = rights;
        }
    }
}

static void discard(Work *w, unsigned n, unsigned count)
{
    for (unsigned k = n; k < n + count; k++) {
        if (w->page[k].mapped && !w->page[k].shared) {
            madvise(at(w, k), PAGE, MADV_DONTNEED);
            w->page[k].value = 0;
        }
    }
}

/* One page goes elsewhere, over what is there. */
static void move(Work *w, unsigned n)
{
    unsigned to = below(w, PAGES);

    if (w->page[n].mapped && to != n &&
        mremap(at(w, n), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(w, to)) != MAP_FAILED) {
        w->page[to] = w->page[n];
        w->page[n] = (Page){0};
    }
}

/* The child sees the same, and what it writes is its own. */
static void copy(Work *w)
{
    unsigned before = w->wrong;
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        for (unsigned n = 0; n < PAGES; n++) {
            check(w, n, "in a child");
        }
        for (unsigned n = 0; n < PAGES; n++) {
            if (!w->page[n].shared && below(w, 2)) {
                put(w, n);
                check(w, n, "written by a child");
            }
        }
        _exit(w->wrong > before);
    }
    w->forks++;
    for (unsigned k = 0; k < 20; k++) { /* while the child looks at what must not change */
        unsigned n = below(w, PAGES);

        if (!w->page[n].shared) {
            put(w, n);
        }
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || status) {
        wrong(w, "a child", 0, (uint32_t)status, 0);
    }
}

static void operate(Work *w)
{
    unsigned n = below(w, PAGES), count = 1 + below(w, 1u << below(w, 6));

    count = n + count > PAGES ? PAGES - n : count;
    switch (below(w, 100)) {
    case 0 ... 7:
        map(w, n, count);
        break;
    case 8 ... 9:
        unmap(w, n, count);
        break;
    case 10 ... 17:
        protect(w, n, count);
        break;
    case 18 ... 20:
        discard(w, n, count);
        break;
    case 21 ... 23:
        move(w, n);
        break;
    case 24 ... 33:
        call(w, n);
        break;
    case 34 ... 60:
        put(w, n);
        break;
    case 61:
        if (below(w, 8) == 0) {
            copy(w);
        }
        break;
    default:
        check(w, n, "a page");
    }
}

static void *work(void *opaque)
{
    Work *w = opaque;

    w->area = mmap(NULL, (size_t)PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map(w, 0, PAGES);
    for (unsigned todo = w->operations, n = 0; n < todo; n++) {
        w->operations = n;
        operate(w);
    }
    for (unsigned n = 0; n < PAGES; n++) {
        check(w, n, "at the end");
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static Work all[THREADS_MAX];
    pthread_t thread[THREADS_MAX];
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
    unsigned threads = argc > 3 ? (unsigned)atoi(argv[3]) : 1;

    threads = threads > THREADS_MAX ? THREADS_MAX : threads;
    sigaction(SIGSEGV, &action, NULL);
    for (unsigned n = 0; n < threads; n++) {
        all[n].random = (argc > 1 ? strtoull(argv[1], NULL, 0) : 1) * 1000003 + n;
        all[n].operations = argc > 2 ? (unsigned)atoi(argv[2]) : 100000;
        all[n].number = n;
        pthread_create(&thread[n], NULL, work, &all[n]);
    }
    for (unsigned n = 0; n < threads; n++) {
        pthread_join(thread[n], NULL);
        printf("window-work: thread %u: %u faults, %u forks, %u calls of new code, %u wrong\n", n,
               all[n].faults, all[n].forks, all[n].calls, all[n].wrong);
    }
    return 0;
}
