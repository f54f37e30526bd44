/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/hmp_command.h"
#include "target/i386/cpu.h"
#include "target/i386/rt/host.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <string.h>
#include <unistd.h>

enum { TABLES = 0x10000, CODE = 0x2000, DATA = 0x3000 };

/* A machine with a CPU that never runs, and a person at its monitor. */
typedef struct Desk {
    Board *b;
    Hmp h;
    X86State *s;
} Desk;

static Desk desk_new(void)
{
    Desk d = {board_new()};
    Vcpu *cpu = cpu_create(board_machine(d.b), "qemu64", 0, NULL);

    d.s = cpu->state;
    d.h = (Hmp){.m = board_machine(d.b), .out = g_string_new("")};
    d.s->cr0 = CR0_PE | CR0_ET;
    d.s->seg[SEG_CS].attr = ATTR_DB | ATTR_P | ATTR_S | ATTR_CODE;
    return d;
}

static const char *ask(Desk *d, const char *line)
{
    g_string_truncate(d->h.out, 0);
    hmp_line(&d->h, line);
    return d->h.out->str;
}

static void desk_free(Desk *d)
{
    g_string_free(d->h.out, TRUE);
}

static void put(Desk *d, uint64_t at, const void *bytes, size_t n)
{
    mem_write(machine_space(d->h.m), (Access){0}, at, bytes, n);
}

static void put8(Desk *d, uint64_t at, uint64_t value)
{
    put(d, at, &value, 8);
}

#define check_has(text, part) check(strstr((text), (part)) != NULL, true)

/* 4-level paging: 2 MB at 0 writable; 4 KB at 0x200000 a user's, read-only, no-execute. */
static void long_mode(Desk *d)
{
    put8(d, TABLES, (TABLES + 0x1000) | 7);
    put8(d, TABLES + 0x1000, (TABLES + 0x2000) | 7);
    put8(d, TABLES + 0x2000, 0x83);
    put8(d, TABLES + 0x2008, (TABLES + 0x3000) | 7);
    put8(d, TABLES + 0x3000, 1ull << 63 | DATA | 5);
    d->s->cr3 = TABLES;
    d->s->cr4 = CR4_PAE;
    d->s->efer = EFER_LME | EFER_LMA | EFER_NXE;
    d->s->cr0 = CR0_PE | CR0_PG | CR0_WP;
    d->s->seg[SEG_CS].attr = ATTR_L | ATTR_P | ATTR_S | ATTR_CODE;
}

TEST("hmp: expressions: registers, arithmetic, + and - bind least, as in QEMU")
{
    Desk d = desk_new();

    d.s->gpr[R_AX] = 0x1122334455667788;
    d.s->rip = 0xfff0;
    d.s->seg[SEG_CS].base = 0xffff0000;
    check_str(ask(&d, "print $rax"), "0x1122334455667788\n");
    check_str(ask(&d, "p/d $al - $ah"), "17\n");
    check_str(ask(&d, "p $pc"), "0xfffffff0\n");
    check_str(ask(&d, "p $eip+(2*3) & ~1"), "0xfff6\n");
    check_str(ask(&d, "p 1|2+4"), "0x7\n");
    check_str(ask(&d, "p/c 'a'+1"), "'b'\n");
    check_str(ask(&d, "p/d -1"), "-1\n");
    check_str(ask(&d, "p/x 010"), "0x8\n");
    desk_free(&d);
}

TEST("hmp: a wrong expression says what is wrong and where")
{
    Desk d = desk_new();

    check_str(ask(&d, "p 1+"), "Error: a number is missing at the end of the line\n");
    check_str(ask(&d, "p $nix"), "Error: there is no register $nix\n");
    check_str(ask(&d, "p 1/0"), "Error: division by zero\n");
    check_str(ask(&d, "p (1"), "Error: a ) is missing at the end of the line\n");
    check_str(ask(&d, "p 12ab"), "Error: no number at '12ab'\n");
    check_str(ask(&d, "p 1 2"), "0x1\nError: too many arguments: 2\nprint EXPRESSION\n");
    check_has(ask(&d, "p ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1"),
              "nested too deeply");
    desk_free(&d);
}

TEST("hmp: an unknown command is told with the nearest one; an empty line does nothing")
{
    Desk d = desk_new();

    check_str(ask(&d, "pint 1"), "Error: there is no command pint\ndid you mean print?\n");
    check_str(ask(&d, "info register"),
              "Error: there is no command info register\ndid you mean info registers?\n");
    check_str(ask(&d, "   "), "");
    check_str(ask(&d, "xp/4xz 0"), "Error: z is no format\nformats: x d u o c i; sizes: b h w g\n");
    check_has(ask(&d, "help"), "\nx[/FMT] ADDR -- ");
    check_has(ask(&d, "help info"), "info registers [-a | CPU] -- ");
    check_str(ask(&d, "help cpu"), "cpu CPU -- choose the vCPU that later commands mean\n");
    desk_free(&d);
}

TEST("hmp: x and xp show memory in every format, and remember the last one")
{
    Desk d = desk_new();

    put(&d, DATA, "Hi\n\0\xff\xff\xff\x7f\1\2\3\4\5\6\7\10\21\22\23\24", 20);
    check_str(ask(&d, "xp/5xw 0x3000"),
              "0000000000003000: 0x000a6948 0x7fffffff 0x04030201 0x08070605\n"
              "0000000000003010: 0x14131211\n");
    check_str(ask(&d, "xp/4c 0x3000"), "0000000000003000: 'H' 'i' '\\n' '\\x00'\n");
    check_str(ask(&d, "xp/2dh 0x3004"), "0000000000003004:     -1  32767\n");
    check_str(ask(&d, "xp 0x3006"), "0000000000003006:  32767\n");
    check_str(ask(&d, "x/1og 0x3008"), "0000000000003008:   040070140240400601001\n");
    check_str(ask(&d, "x/2ub 0x3004"), "0000000000003004: 255 255\n");
    check_str(ask(&d, "xp/w 0x7ffffffff000"), "Error: cannot access memory at 0x7ffffffff000\n");
    desk_free(&d);
}

TEST("hmp: x/i disassembles in the mode of the CPU")
{
    Desk d = desk_new();

    put(&d, CODE, "\xb8\x34\x12\x00\x00\x48\x89\xd8\x90", 9);
    check_has(ask(&d, "x/1i 0x2000"), "0x00002000:  b8 34 12 00 00           mov eax, 0x1234\n");
    d.s->seg[SEG_CS].attr &= ~ATTR_DB;
    check_has(ask(&d, "x/2i 0x2000"), "mov ax, 0x1234\n0x00002003:  00 00");
    put(&d, DATA, "\x0f\x00\xd0", 3); /* real mode has no such instruction */
    check_has(ask(&d, "x/1i 0x3000"), "lldt ax\n");
    long_mode(&d);
    d.s->rip = CODE + 5;
    check_str(ask(&d, "x/2i $pc"), "0x0000000000002005:  48 89 d8                 mov rax, rbx\n"
                                   "0x0000000000002008:  90                       nop\n");
    check_has(ask(&d, "x/1i 0x400000"), "Error: cannot access memory at 0x400000\n");
    desk_free(&d);
}

TEST("hmp: sum, gva2gpa, gpa2hva, ports")
{
    Desk d = desk_new();

    put(&d, DATA, "abcd", 4);
    check_str(ask(&d, "sum 0x3000 4"), "08378\n");
    check_str(ask(&d, "gva2gpa 0x3000"), "gpa: 0x3000\n");
    long_mode(&d);
    check_str(ask(&d, "gva2gpa 0x200123"), "gpa: 0x3123\n");
    check_str(ask(&d, "gva2gpa 0x201000"), "Unmapped\n");
    check_has(ask(&d, "gpa2hva 0x3000"), "Host virtual address for 0x3000 (ram) is 0x");
    check_str(ask(&d, "gpa2hva 0x7000000"), "Error: there is no RAM at 0x7000000\n");
    check_str(ask(&d, "i/h 0x3f8"), "portw[0x03f8] = 0xffff\n");
    check_str(ask(&d, "o 0x10000 1"), "Error: there is no port 0x10000\n");
    desk_free(&d);
}

TEST("hmp: info registers in QEMU's layout, by mode; cpu chooses whose")
{
    Desk d = desk_new();
    const char *text;

    d.s->gpr[R_BX] = 0xffffffff12345678;
    d.s->rflags = FLAG_ONE | FLAG_ZF | FLAG_PF;
    text = ask(&d, "info registers");
    check_has(text, "\nCPU#0\nEAX=00000000 EBX=12345678 ECX=");
    check_has(text, "EFL=00000046 [---Z-P-] CPL=0 II=0 A20=");
    check_has(text, "CS =f000 ffff0000 0000ffff 00409800 DPL=0 CS32 [---]\n");
    long_mode(&d);
    text = ask(&d, "info registers 0");
    check_has(text, "RAX=0000000000000000 RBX=ffffffff12345678");
    check_has(text, "CR3=0000000000010000 CR4=00000020");
    check_has(text, "EFER=0000000000000d00");
    check_has(text, "XMM15=");
    cpu_create(board_machine(d.b), "qemu64", 1, NULL);
    check_has(ask(&d, "info registers -a"), "\nCPU#1\n");
    check_str(ask(&d, "info registers 2"), "Error: there is no CPU 2\n");
    check_str(ask(&d, "cpu 1"), "");
    check_has(ask(&d, "info registers"), "\nCPU#1\n");
    desk_free(&d);
}

TEST("hmp: info tlb and mem list what the page tables map, with the rights of all levels")
{
    Desk d = desk_new();

    check_str(ask(&d, "info mem"), "PG disabled\n");
    long_mode(&d);
    check_str(ask(&d, "info tlb"), "0000000000000000: 0000000000000000 --P-----W\n"
                                   "0000000000200000: 0000000000003000 X------U-\n");
    check_str(ask(&d, "info mem"), "0000000000000000-0000000000200000 0000000000200000 -rw\n"
                                   "0000000000200000-0000000000201000 0000000000001000 ur-\n");
    desk_free(&d);
}

TEST("hmp: info tlb ends where page tables lead into themselves for ever")
{
    Desk d = desk_new();

    long_mode(&d);
    for (int i = 0; i < 512; i++) {
        put8(&d, TABLES + 8 * i, TABLES | 7);
    }
    check_has(ask(&d, "info tlb"), "(and more: the tables are too many to show)\n");
    check_has(ask(&d, "info mem"), "0000000000000000-");
    desk_free(&d);
}

TEST("hmp: info pagetable shows every level and what an access would do")
{
    Desk d = desk_new();
    const char *text;

    long_mode(&d);
    text = ask(&d, "info pagetable 0x200010");
    check_has(text, "linear address 0x200010, CPU#0, 4-level paging, CR3 0x10000\n");
    check_has(text, "  PML4E[  0] at 0x0000000000010000 = 0x0000000000011007  writable  user\n");
    check_has(text, "  PTE  [  0] at 0x0000000000013000 = 0x8000000000003005  user  no-execute  "
                    "page of 4 KB\nphysical address 0x3010: RAM or ROM, ram\n");
    check_has(text, "kernel read   : allowed\n");
    check_has(text, "kernel write  : page fault, error code 0x3: the page is read-only\n");
    check_has(text, "user   execute: page fault, error code 0x15: the page is not executable\n");
    text = ask(&d, "info pagetable 0");
    check_has(text, "user   read   : page fault, error code 0x5: the page is the kernel's\n");
    check_has(ask(&d, "info pagetable 0x201000"), "read   : page fault, error code 0x0: not");
    put8(&d, TABLES + 0x3008, 1ull << 51 | 1);
    check_has(ask(&d, "info pagetable 0x201000"), "RESERVED BITS 0x8000000000000\n");
    check_has(ask(&d, "info pagetable 0x201000"), "error code 0xb: a reserved bit is set\n");
    check_has(ask(&d, "info pagetable 1<<"), "Error: ");
    check_has(ask(&d, "info pagetable 0x800000000000"), "not canonical");
    desk_free(&d);
}

/* 32-bit paging: 4 MB at 0 by a large page, 4 KB at 0x400000. */
TEST("hmp: info pagetable and mem in 32-bit paging, with and without PSE")
{
    Desk d = desk_new();
    uint32_t directory[2] = {0xe7, (TABLES + 0x1000) | 7}, table = DATA | 3;

    put(&d, TABLES, directory, sizeof directory);
    put(&d, TABLES + 0x1000, &table, 4);
    d.s->cr3 = TABLES;
    d.s->cr4 = CR4_PSE;
    d.s->cr0 = CR0_PE | CR0_PG;
    check_str(ask(&d, "info mem"), "0000000000000000-0000000000400000 0000000000400000 urw\n"
                                   "0000000000400000-0000000000401000 0000000000001000 -rw\n");
    check_has(ask(&d, "info pagetable 0x400123"),
              "32-bit paging, CR3 0x10000\n"
              "  PDE  [  1] at 0x0000000000010004 = 0x00011007  writable  user\n"
              "  PTE  [  0] at 0x0000000000011000 = 0x00003003  writable  page of 4 KB\n"
              "physical address 0x3123: ");
    check_has(ask(&d, "info pagetable 0"), "dirty  page of 4 MB\n");
    check_has(d.h.out->str, "user   execute: allowed\n");
    d.s->cr4 = 0; /* without PSE the first entry leads to a table at 0 */
    check_has(ask(&d, "info pagetable 0"),
              "  PTE  [  0] at 0x0000000000000000 = 0x00000000  not present\n");
    desk_free(&d);
}

TEST("hmp: info pagetable and tlb in PAE paging: the first level is in the CPU")
{
    Desk d = desk_new();

    put8(&d, TABLES, 0x83);
    put8(&d, TABLES + 8, 1ull << 63 | 0x200000 | 0x87);
    d.s->pdpte[3] = TABLES | 1;
    d.s->cr4 = CR4_PAE;
    d.s->cr0 = CR0_PE | CR0_PG;
    d.s->efer = EFER_NXE;
    check_str(ask(&d, "info tlb"), "00000000c0000000: 0000000000000000 --P-----W\n"
                                   "00000000c0200000: 0000000000200000 X-P----UW\n");
    check_has(ask(&d, "info pagetable 0xc0200000"),
              "PAE paging, CR3 0x0\n  PDPTE[  3] in the CPU    "
              "        = 0x0000000000010001\n  PDE  [  1] ");
    check_has(d.h.out->str,
              "kernel execute: page fault, error code 0x11: the page is not executable\n");
    check_has(ask(&d, "info pagetable 0"),
              "  PDPTE[  0] in the CPU            = 0x0000000000000000  not present\n");
    d.s->efer = 0; /* now bit 63 is reserved */
    check_has(ask(&d, "info pagetable 0xc0200000"), "RESERVED BITS 0x8000000000000000\n");
    desk_free(&d);
}

TEST("hmp: info gdt, idt and tss read the tables as the CPU would")
{
    Desk d = desk_new();
    static const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cff3000000ffff, 0x00008b004000006b,
                                   0};

    put(&d, DATA, gdt, sizeof gdt);
    put8(&d, 0x3100 + 14 * 8, 0x12348e0000085678);
    put8(&d, 0x4004, 0x0000001000009000);
    d.s->gdtr = (X86Table){DATA, sizeof gdt - 1};
    d.s->idtr = (X86Table){0x3100, 0x7ff};
    d.s->seg[SEG_TR] = (X86Segment){0x18, 0x8b, 0x6b, 0x4000};
    check_str(ask(&d, "info gdt"),
              "GDT at 0x3000, limit 0x27\n"
              "0008  00cf9b000000ffff  code, 32-bit, base 00000000 limit ffffffff, readable, "
              "accessed, DPL 0\n"
              "0010  00cff3000000ffff  data, 32-bit, base 00000000 limit ffffffff, writable, "
              "accessed, DPL 3\n"
              "0018  00008b004000006b  32-bit TSS, busy, base 00004000 limit 0000006b, DPL 0\n");
    check_str(ask(&d, "info idt 14"),
              "IDT at 0x3100, limit 0x7ff\n0e  0008:12345678  32-bit interrupt gate, DPL 0\n");
    check_has(ask(&d, "info tss"), "32-bit TSS 0018 at 0x4000, limit 0x6b\n");
    check_has(ask(&d, "info tss"), "ESP0       00009000\nSS0        0010\n");
    check_str(ask(&d, "info ldt"), "there is no LDT\n");
    check_str(ask(&d, "info idt 256"), "Error: there is no vector 0x100\n");
    d.s->cr0 = 0;
    put8(&d, 0x40, 0xf0000000feed);
    d.s->idtr = (X86Table){0, 0x3ff};
    check_has(ask(&d, "info idt 16"), "10  0000:feed\n");
    desk_free(&d);
}

TEST("hmp: info exceptions tells address, error code and what was wrong")
{
    Desk d = desk_new();
    Cpu *c = cpu_rt(machine_cpu(d.h.m, 0));

    RtHost host = {0};

    check_str(ask(&d, "info exceptions"),
              "only the software engine (-accel tcg) knows the exceptions of CPU#0\n");
    c->host = &host;
    check_str(ask(&d, "info exceptions"), "CPU#0 has had no exception since its reset\n");
    c->last[0] = (LastException){.vector = EXC_GP,
                                 .has_error = true,
                                 .error = 0x18,
                                 .cs = 8,
                                 .rip = 0x1234,
                                 .why = "selector %x is beyond %x",
                                 .why_value = {0x18, 0x17}};
    c->last_count = 1;
    check_str(ask(&d, "info exceptions"),
              "The last exceptions of CPU#0, oldest first:\n"
              "  0x0d general protection, error code 0x18 at 0008:00001234, stack 0\n"
              "       selector 0x18 is beyond 0x17\n");
    desk_free(&d);
}

TEST("hmp: completion offers commands, topics and nothing else")
{
    Desk d = desk_new();
    size_t from;
    g_auto(GStrv) all = hmp_complete(&d.h, "in", &from);
    check(from, 0);
    check_str(all[0], "info");
    check_str(all[1], NULL);
    g_auto(GStrv) topics = hmp_complete(&d.h, "info  ts", &from);
    check(from, 6);
    check_str(topics[0], "tss");
    check_str(topics[1], NULL);
    g_auto(GStrv) help = hmp_complete(&d.h, "help info id", &from);
    check_str(help[0], "idt");
    g_auto(GStrv) none = hmp_complete(&d.h, "x/i 0x", &from);
    check_str(none[0], NULL);
    desk_free(&d);
}

TEST("hmp: memsave, pmemsave and dump-guest-memory write files; ringbufs are read and written")
{
    Desk d = desk_new();
    g_autofree char *folder = g_dir_make_tmp("hmp-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "file", NULL), *bytes = NULL, *core = NULL;
    g_autofree char *save = g_strdup_printf("memsave 0x200000 4 %s", path);
    g_autofree char *psave = g_strdup_printf("pmemsave 0x3001 2 %s", path);
    g_autofree char *dump = g_strdup_printf("dump-guest-memory %s", path);

    put(&d, DATA, "abcd", 4);
    long_mode(&d);
    check_str(ask(&d, save), "");
    check(g_file_get_contents(path, &bytes, NULL, NULL), true);
    check_str(bytes, "abcd");
    g_clear_pointer(&bytes, g_free);
    check_str(ask(&d, psave), "");
    check(g_file_get_contents(path, &bytes, NULL, NULL), true);
    check_str(bytes, "bc");
    check_str(ask(&d, dump), "");
    check(g_file_get_contents(path, &core, NULL, NULL), true);
    check(!memcmp(core, "\177ELF", 4), true);
    check_has(ask(&d, "info dump"), "Status: completed\n");
    check_str(ask(&d, "pmemsave 0 1"), "Error: FILE is missing\n");
    check_str(ask(&d, "ringbuf_write serial0 some text"), "");
    check_str(ask(&d, "ringbuf_read serial0 100"), "some text\n");
    check_has(ask(&d, "chardev-remove nix"), "Error: ");
    unlink(path);
    rmdir(folder);
    desk_free(&d);
}
