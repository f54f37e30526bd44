/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Option ROM that starts a Linux kernel given with -kernel: the kernel's real-mode code, its
 * protected-mode code, initrd and command line go where the host decided (boot_linux.c), then control
 * to the real-mode entry point: Documentation/arch/x86/boot.rst, "Running the Kernel".
 */
#include "common.inc"

        ROM_HEADER "Linux"

start:
        cld
        LOAD SETUP_ADDR, SETUP_SIZE, SETUP_DATA
        LOAD CMDLINE_ADDR, CMDLINE_SIZE, CMDLINE_DATA
        LOAD KERNEL_ADDR, KERNEL_SIZE, KERNEL_DATA
        LOAD INITRD_ADDR, INITRD_SIZE, INITRD_DATA

        GET CMDLINE_ADDR
        movl %eax, %ebx
        GET SETUP_ADDR
        subl %eax, %ebx         /* the stack ends below the command line */
        subl $16, %ebx
        shrl $4, %eax
        cli
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %fs
        movw %ax, %gs
        movw %ax, %ss
        movl %ebx, %esp
        addw $0x20, %ax         /* the entry point is 512 bytes in */
        pushw %ax
        pushw $0
        xorl %eax, %eax
        xorl %ebx, %ebx
        xorl %ecx, %ecx
        xorl %edx, %edx
        xorl %esi, %esi
        xorl %edi, %edi
        xorl %ebp, %ebp
        lretw

        ROM_COMMON
