/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which RAM holds decoded code: versions, pages that are open or closed for unnoticed stores. */
#include "softmmu/memory/code.h"
#include "tests/lib/test.h"

TEST("code pages: a store into a grain with code raises the version, one beside does not")
{
    CodePage p = {0};
    CodeHits hits = 0;
    uint32_t version = code_mark(&p, code_grains(100, 40)).version;

    check(code_written(&p, &hits, 60, 4), false);
    check(code_written(&p, &hits, 192, 64), false);
    check(p.version, version);
    check(code_written(&p, &hits, 190, 4), true);
    check(p.version, version + 1);
    check(code_written(&p, &hits, 100, 4), false);
}

TEST("code pages: open until it is closed, and again when a write tag was made")
{
    CodePage p = {0};
    CodeHits hits = 0;
    CodeMark mark = code_mark(&p, 1);

    check(mark.open, true);
    check(code_open(&p), false); /* it holds code */
    code_close(&p, mark);
    check(code_mark(&p, 2).open, false);
    code_written(&p, &hits, 0, 4);
    check(code_mark(&p, 1).open, false); /* nobody made a write tag */
    code_written(&p, &hits, 0, 4);
    check(code_open(&p), true);
    check(code_mark(&p, 1).open, true);
}

TEST("code pages: one that was opened while the tags were being dropped is not closed")
{
    CodePage p = {0};
    CodeHits hits = 0;
    CodeMark mark = code_mark(&p, 1), late;

    code_close(&p, mark);
    code_written(&p, &hits, 0, 4);
    code_open(&p);
    mark = code_mark(&p, 1); /* drops tags ... */
    late = code_mark(&p, 2);
    check(late.open, true);
    code_close(&p, late);
    code_written(&p, &hits, 0, 4);
    code_open(&p); /* ... meanwhile one is made */
    code_close(&p, mark);
    check(code_mark(&p, 1).open, true);
}

TEST("code pages: code of bytes that have changed since is not put on the list")
{
    CodePage p = {0};
    CodeHits hits = 0;
    _Atomic uint64_t word = 1;
    CodeKill kill = {.word = &word, .value = 2};
    uint32_t version = code_mark(&p, 1).version;

    code_written(&p, &hits, 0, 4);
    check(code_publish(&p, version, &kill), false);
    check(code_publish(&p, code_mark(&p, 1).version, &kill), true);
    check(word, 1);
    code_written(&p, &hits, 0, 4);
    check(word, 2);
}
