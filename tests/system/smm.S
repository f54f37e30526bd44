# SPDX-License-Identifier: GPL-2.0-or-later
# System-management mode: entry, the save state map, where SMRAM is, RSM, changes to the saved state,
# a halted CPU, NMI and interrupt state (SDM volume 3, "System management mode").
# Port 0xb2 is the SMI here, as in a PC.
    .include "start.inc"
    .set SMBASE, 0x30000
    .set NEW_SMBASE, 0x50000
    .code32
main32:
    # A handler at SMBASE + 0x8000.
    mov $smi_handler, %esi
    mov $(SMBASE + 0x8000), %edi
    mov $(smi_handler_end - smi_handler), %ecx
    rep movsb
    mov $smi_handler, %esi
    mov $(NEW_SMBASE + 0x8000), %edi
    mov $(smi_handler_end - smi_handler), %ecx
    rep movsb
    movl $0, SCRATCH
    mov $0x1234, %ebx
    mov $0x5678, %esi
    mov $0xa5, %al
    out %al, $0xb2
behind_out:
    nop
    mov %ebx, %edi
    mov %esi, %ebp
    CHECK "an SMI runs the handler", SCRATCH, 1
    CHECK "... and comes back with the registers of the program", %edi, 0x1234
    CHECK "... all of them", %ebp, 0x5678
    mov SCRATCH + 4, %ebx
    CHECK "... the map says which revision it has", %ebx, 0x20064
    mov SCRATCH + 8, %ebx
    CHECK "... and where SMRAM is", %ebx, SMBASE
    mov SCRATCH + 12, %ebx
    CHECK "... in the handler protection is off", %ebx, 0
    mov SCRATCH + 16, %ebx
    and $0x100ff, %ebx
    CHECK "... the map has the program's EAX", %ebx, 0xa5
    mov SCRATCH + 20, %ebx
    CHECK "... and its RIP: behind OUT", %ebx, behind_out
    movw %cs, %bx
    movzwl %bx, %ebx
    CHECK "... CS is ours", %ebx, CODE0
    # now SMRAM moves
    movl $2, SCRATCH + 0x20
    mov $0xa6, %al
    out %al, $0xb2
    nop
    movl $0, SCRATCH
    movl $0, SCRATCH + 0x20
    out %al, $0xb2
    nop
    mov SCRATCH + 8, %ebx
    CHECK "SMRAM has moved", %ebx, NEW_SMBASE
    CHECK "... and the handler there runs", SCRATCH, 1
    TRY
    rsm
    CAUGHT
    CHECK "RSM outside: #UD", VECTOR, 6
    # the handler changes a register of the program
    movl $3, SCRATCH + 0x20
    mov $0, %ecx
    out %al, $0xb2
    nop
    mov %ecx, %ebx
    CHECK "RSM loads what the handler left in the map", %ebx, 0x4321
    FINISH

    .code16
smi_handler:
    xor %ax, %ax
    mov %ax, %es
    movl $1, %es:SCRATCH
    mov %cs:0xfefc, %eax
    mov %eax, %es:SCRATCH + 4
    mov %cs:0xff00, %eax
    mov %eax, %es:SCRATCH + 8
    mov %cr0, %eax
    and $1, %eax
    mov %eax, %es:SCRATCH + 12
    mov %cs:0xfff8, %eax
    mov %eax, %es:SCRATCH + 16
    mov %cs:0xff78, %eax
    mov %eax, %es:SCRATCH + 20
    cmpl $2, %es:SCRATCH + 0x20
    jne 1f
    movl $NEW_SMBASE, %cs:0xff00
1:  cmpl $3, %es:SCRATCH + 0x20
    jne 1f
    movl $0x4321, %cs:0xfff0
1:  rsm
smi_handler_end:
    .include "end.inc"
