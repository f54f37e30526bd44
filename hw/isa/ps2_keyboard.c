/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol half of a PS/2 keyboard: it answers every command of IBM's "PS/2 Hardware Interface
 * Technical Reference", keyboards, so that firmware and drivers find and set it up.
 *
 * Not modelled: keys. Nothing types on it yet; scan code sets, LEDs and rates are stored.
 */
#include "hw/isa/ps2_keyboard.h"

#include <string.h>

enum { ACK = 0xfa, RESEND = 0xfe, ECHO = 0xee, TEST_PASSED = 0xaa };
enum { DEFAULT_RATE = 0x2b, DEFAULT_SET = 2 };

void ps2_put(Ps2Queue *q, uint8_t byte)
{
    if (q->count < PS2_QUEUE) {
        q->data[q->count++] = byte;
    }
}

uint8_t ps2_take(Ps2Queue *q)
{
    uint8_t byte = q->data[0];

    if (q->count) {
        q->count--;
        memmove(q->data, q->data + 1, q->count);
        q->data[q->count] = 0;
    }
    return byte;
}

static void answer(Ps2Keyboard *k, uint8_t byte)
{
    k->last = byte;
    ps2_put(&k->out, byte);
}

static void defaults(Ps2Keyboard *k)
{
    k->rate = DEFAULT_RATE;
    k->set = DEFAULT_SET;
    k->leds = 0;
}

void ps2_keyboard_reset(Ps2Keyboard *k)
{
    *k = (Ps2Keyboard){.scans = true};
    defaults(k);
}

static void parameter(Ps2Keyboard *k, uint8_t byte)
{
    uint8_t command = k->command;

    k->command = 0;
    answer(k, ACK);
    switch (command) {
    case 0xed:
        k->leds = byte & 7;
        break;
    case 0xf3:
        k->rate = byte & 0x7f;
        break;
    case 0xf0:
        if (!byte) {
            answer(k, k->set);
        } else if (byte <= 3) {
            k->set = byte;
        }
        break;
    }
}

static void command_received(Ps2Keyboard *k, uint8_t byte)
{
    k->out = (Ps2Queue){0}; /* a command ends what it was sending */
    switch (byte) {
    case 0xed: /* LEDs, scan code set, rate, and keys of set 3: a parameter follows */
    case 0xf0:
    case 0xf3:
    case 0xfb:
    case 0xfc:
    case 0xfd:
        k->command = byte;
        answer(k, ACK);
        break;
    case 0xee:
        answer(k, ECHO);
        break;
    case 0xf2:
        answer(k, ACK);
        answer(k, 0xab);
        answer(k, 0x83);
        break;
    case 0xf4:
        k->scans = true;
        answer(k, ACK);
        break;
    case 0xf5:
    case 0xf6:
        k->scans = byte == 0xf6;
        defaults(k);
        answer(k, ACK);
        break;
    case 0xf7:
    case 0xf8:
    case 0xf9:
    case 0xfa:
        answer(k, ACK);
        break;
    case 0xfe:
        answer(k, k->last);
        break;
    case 0xff:
        ps2_keyboard_reset(k);
        answer(k, ACK);
        answer(k, TEST_PASSED);
        break;
    default:
        answer(k, RESEND);
    }
}

void ps2_keyboard_receive(Ps2Keyboard *k, uint8_t byte)
{
    if (k->command && byte < 0xed) {
        parameter(k, byte);
    } else {
        k->command = 0;
        command_received(k, byte);
    }
}

const StateField ps2_queue_state[] = {
    STATE(Ps2Queue, data),
    STATE(Ps2Queue, count, .below = PS2_QUEUE + 1),
    STATE_END,
};

const StateField ps2_keyboard_state[] = {
    STATE_STRUCT(Ps2Keyboard, out, Ps2Queue, ps2_queue_state),
    STATE(Ps2Keyboard, command),
    STATE(Ps2Keyboard, last),
    STATE(Ps2Keyboard, set),
    STATE(Ps2Keyboard, leds),
    STATE(Ps2Keyboard, rate),
    STATE(Ps2Keyboard, scans, .below = 2),
    STATE_END,
};
