/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate, the stub cache, x87 state and its checks; what single instructions do is compared with
 * the host by tests/cpu. */
#include "target/i386/rt/fpu.h"
#include "target/i386/rt/stub.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

enum { SYSTEM_ON = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE };

/* clang-format off */
GUEST(own_control, ".code64\n movl $0xdfc0, 0x30000\n ldmxcsr 0x30000\n movw $0x0c7f, 0x30004\n"
                   " fldcw 0x30004\n fld1\n out %al, $0x80\n stmxcsr 0x30008\n fnstcw 0x3000c\n hlt");
GUEST(keep, ".code64\n movups %xmm3, %xmm4\n hlt");
GUEST(where_real, ".code16\n fninit\n fld1\n fldl 0x4000\n fnstenv 0x4100\n .byte 0x66\n fnstenv 0x4200\n hlt");
GUEST(where_long, ".code64\n fninit\n fldl 0x30010\n fxsave64 0x31000\n fnstenv 0x30100\n hlt");
GUEST(one_nop, ".code64\n fnop\n hlt");
GUEST(one_sse, ".code64\n xorps %xmm0, %xmm0\n hlt");
GUEST(one_mmx, ".code64\n pxor %mm0, %mm0\n hlt");
GUEST(one_avx, ".code64\n vxorps %ymm0, %ymm1, %ymm2\n hlt");
GUEST(one_wait, ".code64\n fwait\n hlt");
GUEST(pending, ".code64\n fninit\n movl $0x37b, 0x30000\n fldcw 0x30000\n fld1\n fldz\n fdivrp\n nop\n fnstsw %ax\n"
               " fld1\n hlt");
GUEST(divide, ".code64\n movl $0x1f00, 0x30000\n ldmxcsr 0x30000\n divss %xmm1, %xmm0\n hlt");
GUEST(upper, ".code32\n vzeroupper\n hlt");
GUEST(area, ".code64\n mov $7, %eax\n xor %edx, %edx\n xsave64 0x31000\n fninit\n pxor %xmm5, %xmm5\n"
            " xrstor64 0x31000\n hlt");
GUEST(initial, ".code64\n fldl 0x30010\n fninit\n fnstenv 0x30100\n hlt");
GUEST(unmasked, ".code64\n vpxor %xmm1, %xmm1, %xmm1\n mov $0x200000, %eax\n vmaskmovps (%rax), %xmm1, %xmm2\n"
                " vpmaskmovd %xmm2, %xmm1, (%rax)\n hlt");
GUEST(constant, ".code64\n mov $0x200000, %eax\n ldmxcsr (%rax)\n vldmxcsr (%rax)\n hlt");
/* clang-format on */

static BareCpu *loaded(CodeSize code, const uint8_t *from, const uint8_t *end)
{
    BareCpu *b = bare_new(code);

    bare_load(b, from, end);
    b->c->s.cr4 |= SYSTEM_ON;
    b->c->s.xcr0 = XSTATE_X87 | XSTATE_SSE | (b->c->fpu->save_mask & XSTATE_AVX);
    rt_state_loaded(b->c);
    return b;
}

static uint32_t word(const BareCpu *b, unsigned at, unsigned bytes)
{
    uint32_t v = 0;

    memcpy(&v, b->ram + at, bytes);
    return v;
}

static uint32_t host_mxcsr(void)
{
    return __builtin_ia32_stmxcsr();
}

static uint16_t host_fcw(void)
{
    uint16_t fcw;

    __asm__ volatile("fnstcw %0" : "=m"(fcw));
    return fcw;
}

typedef struct Seen {
    uint32_t mxcsr;
    uint16_t fcw;
    unsigned ferrs;
} Seen;

static void look(Cpu *c, uint16_t port, uint32_t value, unsigned size)
{
    Seen *seen = ((BareCpu *)c->vcpu)->own;

    seen->mxcsr = host_mxcsr();
    seen->fcw = host_fcw();
}

TEST("fpu: code outside the library runs with the program's control words, the guest with its own")
{
    BareCpu *b = loaded(CODE_64, own_control, own_control_end);
    Seen seen = {0};

    b->own = &seen;
    b->host.port_write = look;
    check(bare_run(b), RT_HALT);
    check(seen.mxcsr, 0x1f80);
    check(seen.fcw, 0x37f);
    check(host_mxcsr(), 0x1f80);
    check(host_fcw(), 0x37f);
    check(word(b, 0x30008, 4), 0xdfc0);
    check(word(b, 0x3000c, 2), 0x0c7f);
    bare_free(b);
}

TEST("fpu: state goes in and comes out as it was, upper halves included")
{
    BareCpu *b = loaded(CODE_64, keep, keep_end);
    X86Fpu *f = &b->c->s.fpu, in;

    for (unsigned n = 0; n < 16; n++) {
        f->zmm[n][0] = n * 0x1111;
        f->zmm[n][2] = b->c->fpu->save_mask & XSTATE_AVX ? ~(uint64_t)n : 0;
    }
    f->st[3][0] = 0x8123456789abcdef;
    f->st[3][1] = 0xc00e;
    f->fcw = 0x127f;
    f->fsw = 5 << 11;
    f->ftw = 0x5a;
    in = *f;
    rt_state_loaded(b->c);
    check(bare_run(b), RT_HALT);
    fpu_store_image(b->c);
    check(f->zmm[4][0], 3 * 0x1111);
    check(f->zmm[9][2], in.zmm[9][2]);
    check(!memcmp(f->st, in.st, sizeof in.st), 1);
    check(f->fcw, 0x127f);
    check(f->fsw, 5 << 11);
    check(f->ftw, 0x5a);
    bare_free(b);
}

TEST("fpu: FNSTENV in real mode gives linear addresses and the opcode, in both sizes")
{
    BareCpu *b = loaded(CODE_16, where_real, where_real_end);
    uint32_t at = BARE_CODE + 4; /* of the second load */

    check(bare_run(b), RT_HALT);
    check(word(b, 0x4106, 2), at & 0xffff);
    check(word(b, 0x4108, 2), (at >> 16) << 12 | 0x506);
    check(word(b, 0x410a, 2), 0x4000);
    check(word(b, 0x420c, 4), at & 0xffff);
    check(word(b, 0x4210, 4), (at >> 16) << 12 | 0x506);
    bare_free(b);
}

TEST("fpu: FXSAVE64 and FNSTENV name the guest's instruction and operand, never the host's")
{
    BareCpu *b = loaded(CODE_64, where_long, where_long_end);

    check(bare_run(b), RT_HALT);
    check(word(b, 0x31000 + FX_FIP, 4), BARE_CODE + 2);
    check(word(b, 0x31000 + FX_FIP + 4, 4), 0);
    check(word(b, 0x31000 + FX_FDP, 4), 0x30010);
    check(word(b, 0x30100 + 12, 4), BARE_CODE + 2);
    check(word(b, 0x30100 + 20, 4), 0x30010);
    bare_free(b);
}

TEST("fpu: FNINIT forgets the last instruction and operand")
{
    BareCpu *b = loaded(CODE_64, initial, initial_end);

    check(bare_run(b), RT_HALT);
    check(word(b, 0x30100 + 12, 4), 0);
    check(word(b, 0x30100 + 20, 4), 0);
    bare_free(b);
}

/* The code runs with the large page at 2 MB as the entry's flags say, and WP set. */
static int fault_on_page(const uint8_t *from, const uint8_t *end, uint64_t flags)
{
    BareCpu *b = loaded(CODE_64, from, end);
    uint64_t entry = 0x200000 | flags;
    uint32_t mxcsr = 0x1f80;
    int vector;

    memcpy(b->ram + BARE_TABLES + 0x3008, &entry, sizeof entry);
    memcpy(b->ram + 0x200000, &mxcsr, sizeof mxcsr);
    b->c->s.cr0 |= CR0_WP;
    rt_state_loaded(b->c);
    bare_run(b);
    vector = bare_fault(b);
    bare_free(b);
    return vector;
}

TEST("fpu: masked moves do not fault where nothing is selected; LDMXCSR reads and does not write")
{
    check(fault_on_page(unmasked, unmasked_end, 0x80), -1);
    check(fault_on_page(constant, constant_end, 0x81), -1);
    check(fault_on_page(constant, constant_end, 0x80), EXC_PF);
}

/* The exception that the code ends with when bits of CR0 and CR4 are set and cleared; -1: none. */
static int fault_with(const uint8_t *from, const uint8_t *end, uint64_t cr0, uint64_t no_cr4)
{
    BareCpu *b = loaded(CODE_64, from, end);
    int vector;

    b->c->s.cr0 |= cr0;
    b->c->s.cr4 &= ~no_cr4;
    rt_state_loaded(b->c);
    bare_run(b);
    vector = bare_fault(b);
    bare_free(b);
    return vector;
}

TEST("fpu: EM, TS, MP, OSFXSR and OSXSAVE decide between #UD and #NM as the manual's table has it")
{
    check(fault_with(one_nop, one_nop_end, 0, 0), -1);
    check(fault_with(one_nop, one_nop_end, CR0_EM, 0), EXC_NM);
    check(fault_with(one_nop, one_nop_end, CR0_TS, 0), EXC_NM);
    check(fault_with(one_wait, one_wait_end, CR0_TS, 0), -1);
    check(fault_with(one_wait, one_wait_end, CR0_TS | CR0_MP, 0), EXC_NM);
    check(fault_with(one_mmx, one_mmx_end, CR0_EM | CR0_TS, 0), EXC_UD);
    check(fault_with(one_mmx, one_mmx_end, CR0_TS, CR4_OSFXSR), EXC_NM);
    check(fault_with(one_sse, one_sse_end, 0, CR4_OSFXSR), EXC_UD);
    check(fault_with(one_sse, one_sse_end, CR0_TS, 0), EXC_NM);
    check(fault_with(one_avx, one_avx_end, 0, CR4_OSXSAVE), EXC_UD);
}

TEST("fpu: a pending x87 exception is #MF at the next waiting instruction")
{
    BareCpu *b = loaded(CODE_64, pending, pending_end);

    bare_run(b);
    check(bare_fault(b), EXC_MF);
    check(b->c->last[0].rip, BARE_CODE + (pending_end - pending) - 3);
    check(b->c->s.gpr[R_AX] & 0x84, 0x84);
    bare_free(b);
}

static void on_ferr(Cpu *c)
{
    Seen *seen = ((BareCpu *)c->vcpu)->own;

    seen->ferrs++;
    cpu_kick(c);
}

TEST("fpu: with CR0.NE clear it is FERR# instead, and the instruction waits for an interrupt")
{
    BareCpu *b = loaded(CODE_64, pending, pending_end);
    Seen seen = {0};

    b->own = &seen;
    b->host.ferr = on_ferr;
    b->c->s.cr0 &= ~(uint64_t)CR0_NE;
    rt_state_loaded(b->c);
    check(bare_run(b), RT_KICK);
    check(seen.ferrs, 1);
    check(b->c->s.rip, BARE_CODE + (pending_end - pending) - 3);
    check(bare_fault(b), -1);
    bare_free(b);
}

TEST("fpu: an unmasked SSE exception is #XM, and #UD without OSXMMEXCPT")
{
    check(fault_with(divide, divide_end, 0, 0), EXC_XM);
    check(fault_with(divide, divide_end, 0, CR4_OSXMMEXCPT), EXC_UD);
}

TEST("fpu: VZEROUPPER outside 64-bit mode leaves the upper eight registers alone")
{
    BareCpu *b = loaded(CODE_32, upper, upper_end);

    if (b->c->fpu->save_mask & XSTATE_AVX) {
        for (unsigned n = 0; n < 16; n++) {
            b->c->s.fpu.zmm[n][2] = 0x1234;
        }
        rt_state_loaded(b->c);
        check(bare_run(b), RT_HALT);
        fpu_store_image(b->c);
        check(b->c->s.fpu.zmm[7][2], 0);
        check(b->c->s.fpu.zmm[8][2], 0x1234);
    }
    bare_free(b);
}

TEST("fpu: XSAVE and XRSTOR bring back what was there, with the guest's XSTATE_BV")
{
    BareCpu *b = loaded(CODE_64, area, area_end);

    b->c->s.fpu.zmm[5][0] = 0xabcdef;
    b->c->s.fpu.fcw = 0x27f;
    rt_state_loaded(b->c);
    check(bare_run(b), RT_HALT);
    fpu_store_image(b->c);
    check(b->c->s.fpu.zmm[5][0], 0xabcdef);
    check(b->c->s.fpu.fcw, 0x27f);
    check(word(b, 0x31000 + XSAVE_BV, 4) & ~7u, 0);
    check(word(b, 0x31000 + FX_XMM + 5 * 16, 4), 0xabcdef);
    bare_free(b);
}

TEST("fpu: a full stub cache is emptied, and code that was bound before still runs")
{
    BareCpu *b = loaded(CODE_64, keep, keep_end);
    uint32_t generation;

    b->c->s.fpu.zmm[3][0] = 77;
    rt_state_loaded(b->c);
    check(bare_run(b), RT_HALT);
    generation = b->c->fpu->generation;
    for (uint32_t n = 0; n < STUB_SLOTS; n++) { /* mov eax, n: each is new */
        StubCode code = {.len = 5, .bytes = {0xb8, n, n >> 8, n >> 16}};

        stub_find(b->c, &code, false);
    }
    check(b->c->fpu->generation != generation, 1);
    b->c->s.rip = BARE_CODE;
    b->c->s.activity = CPU_RUNNING;
    memset(b->c->s.fpu.zmm, 0, sizeof b->c->s.fpu.zmm);
    b->c->s.fpu.zmm[3][0] = 78;
    fpu_load_image(b->c);
    check(bare_run(b), RT_HALT);
    fpu_store_image(b->c);
    check(b->c->s.fpu.zmm[4][0], 78);
    bare_free(b);
}

TEST("fpu: no address of the stub cache is writable and executable")
{
    BareCpu *b = bare_new(CODE_64);
    FILE *maps = fopen("/proc/self/maps", "r");
    uintptr_t write = (uintptr_t)b->c->fpu->code_write, run = (uintptr_t)b->c->fpu->code_run;
    unsigned found = 0, both = 0;
    unsigned long from, to;
    char line[512], rights[8];

    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 &&
            ((write >= from && write < to) || (run >= from && run < to))) {
            found++;
            both += strchr(rights, 'w') && strchr(rights, 'x');
        }
    }
    fclose(maps);
    check(found, 2);
    check(both, 0);
    bare_free(b);
}
