# SPDX-License-Identifier: GPL-2.0-or-later
# A ROM of 64 KB at 0xf0000: for each digit that comes by COM1, 10,000 << digit rounds of a loop in real mode
# with loads, stores, calls and a segment override; then a dot goes back.
    .code16
    .text
start:
    cli
    cld
    xor %ax, %ax
    mov %ax, %ss
    mov $0x7000, %sp
    mov $0x1000, %ax
    mov %ax, %ds
    mov $0x2000, %ax
    mov %ax, %es
    mov $0x3fb, %dx             # 115200 baud, 8N1: QEMU and we do not care about the rate
    mov $0x03, %al
    out %al, %dx
    mov $'R', %al
    call send
wait:
    mov $0x3fd, %dx
    in %dx, %al
    test $1, %al
    jz wait
    mov $0x3f8, %dx
    in %dx, %al
    sub $'0', %al
    cmp $15, %al
    ja wait
    mov %al, %cl
    mov $10000, %ebp
    shl %cl, %ebp
    xor %si, %si
round:
    mov %si, %bx
    and $0x3ffe, %bx
    mov (%bx), %ax
    call mix
    mov %ax, %es:0x100(%bx)
    add %ax, 2(%bx)
    inc %si
    push %si
    pop %di
    test $4, %di
    jz 1f
    ror $3, %ax
    mov %ax, (%bx)
1:  dec %ebp
    jnz round
    mov $'.', %al
    call send
    jmp wait
mix:
    xor %si, %ax
    rol $5, %ax
    add $0x1234, %ax
    ret
send:
    push %ax
    mov $0x3fd, %dx
2:  in %dx, %al
    test $0x20, %al
    jz 2b
    pop %ax
    mov $0x3f8, %dx
    out %al, %dx
    ret
    .org 0xfff0
    ljmp $0xf000, $start
    .org 0x10000
