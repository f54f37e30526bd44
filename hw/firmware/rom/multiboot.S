/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Option ROM that starts a multiboot kernel (Multiboot Specification 0.6.96): kernel and the block
 * with multiboot information and modules go where the host decided (boot_multiboot.c); the memory
 * map is asked of the BIOS; then 32-bit protected mode as section 3.2 wants it.
 */
#include "common.inc"

MAP = 0x8000            /* the memory map, below 64 KB so that the BIOS can write it */
MAP_END = 0x9000
MAP_ENTRY = 20
SMAP = 0x534d4150
INFO_MAP_LENGTH = 44    /* in the multiboot information */
INFO_MAP = 48

        ROM_HEADER "multiboot"

start:
        cld
        LOAD KERNEL_ADDR, KERNEL_SIZE, KERNEL_DATA
        LOAD INITRD_ADDR, INITRD_SIZE, INITRD_DATA
        GET KERNEL_ENTRY
        pushl %eax
        GET INITRD_ADDR
        pushl %eax

        xorl %ebx, %ebx
        movw %bx, %es
        movw $MAP, %di
1:      movl $0xe820, %eax
        movl $MAP_ENTRY, %ecx
        movl $SMAP, %edx
        movl $MAP_ENTRY, %es:(%di)      /* size of the entry that follows */
        pushw %di
        addw $4, %di
        int $0x15
        popw %di
        jc 2f
        cmpl $SMAP, %eax
        jne 2f
        addw $(MAP_ENTRY + 4), %di
        testl %ebx, %ebx
        jz 2f
        cmpw $(MAP_END - MAP_ENTRY - 4), %di
        jb 1b
2:      movzwl %di, %esi
        subl $MAP, %esi                 /* length of the map */
        popl %ebx                       /* multiboot information */
        popl %ebp                       /* entry point */

        cli
        xorl %ecx, %ecx
        movw %cs, %cx
        shll $4, %ecx                   /* this ROM's linear address */
        leal gdt(%ecx), %eax
        pushl %eax
        pushw $(gdt_end - gdt - 1)
        movw %sp, %di
        lgdtl %ss:(%di)
        leal protected(%ecx), %eax
        pushl $CODE32
        pushl %eax
        movl %cr0, %eax
        orl $1, %eax
        movl %eax, %cr0
        lretl                           /* the stack segment still has its real-mode base */

        .code32
protected:
        movw $DATA32, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %fs
        movw %ax, %gs
        movw %ax, %ss
        movl %esi, INFO_MAP_LENGTH(%ebx)
        movl $MAP, INFO_MAP(%ebx)
        movl $0x2badb002, %eax
        jmp *%ebp
        .code16

        .balign 8
gdt:    .quad 0
        .quad 0x00cf9b000000ffff        /* code, flat */
        .quad 0x00cf93000000ffff        /* data, flat */
gdt_end:
CODE32 = 8
DATA32 = 16

        ROM_COMMON
