# SPDX-License-Identifier: GPL-2.0-or-later
# A ROM for the monitor's test: in 16-, 32- and 64-bit code it says so on the serial port and waits for a
# key there. The loops lie at 0xf8000, 0xf9000 and 0xfa000. A page fault on the way to the last one.
    .set REAL_MODE_FIRST, 1
    .set SERIAL, 0x3f8
    .include "start.inc"

    .macro SAY a, b
    mov $SERIAL, %edx
    .irp c, 'm', 'o', 'd', 'e', \a, \b, 13, 10
    mov $\c, %al
    out %al, %dx
    .endr
    .endm

    # Until a key is there; take it.
    .macro WAIT
1:  mov $(SERIAL + 5), %edx
    in %dx, %al
    test $1, %al
    jz 1b
    mov $SERIAL, %edx
    in %dx, %al
    .endm

    .code16
main16:
    SAY '1', '6'
    jmp loop16
    .code32
main32:
    SAY '3', '2'
    jmp loop32
    .include "long.inc"
    .code64
main64:
    TRY64
    mov 0x600010, %al           # behind the last page that is mapped
    CAUGHT
    SAY '6', '4'
    jmp loop64

    .org 0x8000
    .code16
loop16:
    mov $0x1616, %ax
    WAIT
    ret

    .org 0x9000
    .code32
loop32:
    mov $0x32323232, %eax
    WAIT
    jmp to_long

    .org 0xa000
    .code64
loop64:
    mov $0x6464646464646464, %rax
    WAIT
    SAY 'o', 'k'
    jmp finish64

    .include "end.inc"
