/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mux=on: several front ends share a stream, one of them hears. Ctrl-A is the escape:
 *
 *   h ? help    x end the program    s commit disks    b break    c next front end
 *   t time stamps    Ctrl-A itself
 */
#include "chardev/chardev.h"
#include "softmmu/run/run.h"

#include <string.h>

enum { CTRL_A = 1 };

static void say(Chardev *chr, const char *text)
{
    char_write(chr, text, strlen(text));
}

static void tell_focus(Chardev *chr, CharEvent event)
{
    CharFront *f = &chr->front[chr->focus];

    if (f->event && object_enter(f->obj)) {
        f->event(f->obj, event);
        object_leave(f->obj);
    }
}

void mux_turn(Chardev *chr)
{
    if (chr->turning) {
        chr->turning = false;
        tell_focus(chr, CHAR_FOCUS_OUT);
        chr->focus = (chr->focus + 1) % chr->fronts;
        tell_focus(chr, CHAR_FOCUS_IN);
    }
}

/* Inside the front end already. */
static void send_break(Chardev *chr)
{
    CharFront *f = &chr->front[chr->focus];

    if (f->event) {
        f->event(f->obj, CHAR_BREAK);
    }
}

static void help(Chardev *chr)
{
    say(chr, "\r\n"
             "Ctrl-A h    print this help\r\n"
             "Ctrl-A x    end the machine\r\n"
             "Ctrl-A s    write what disks hold back (there are no disks in this version)\r\n"
             "Ctrl-A t    switch time stamps on and off\r\n"
             "Ctrl-A b    send a break\r\n"
             "Ctrl-A c    switch between the console and the monitor\r\n"
             "Ctrl-A Ctrl-A    send Ctrl-A\r\n");
}

static void switch_stamps(Chardev *chr)
{
    pthread_mutex_lock(&chr->mutex);
    chr->stamps = !chr->stamps;
    chr->line_begins = true;
    pthread_mutex_unlock(&chr->mutex);
}

/* What follows Ctrl-A; true: the byte is for the front end. */
static bool escape(Chardev *chr, uint8_t byte)
{
    switch (byte) {
    case 'h':
    case '?':
        help(chr);
        break;
    case 'x':
        say(chr, "\r\nrhea: terminated\r\n");
        machine_request_exit(machine_of(&chr->obj), 0);
        break;
    case 's':
        say(chr, "\r\nthere are no disks to commit\r\n");
        break;
    case 'b':
        send_break(chr);
        break;
    case 'c':
        chr->turning = true;
        break;
    case 't':
        switch_stamps(chr);
        break;
    }
    return byte == CTRL_A;
}

size_t mux_input(Chardev *chr, const uint8_t *data, size_t n)
{
    size_t i = 0;

    for (; i < n && !chr->turning; i++) {
        bool pass = chr->escaped ? escape(chr, data[i]) : data[i] != CTRL_A;

        chr->escaped = !chr->escaped && data[i] == CTRL_A;
        if (pass) {
            g_byte_array_append(chr->front[chr->focus].in, &data[i], 1);
        }
    }
    return i;
}

/* Lines begin with the time since the stream was opened. */
void mux_stamp(Chardev *chr, const uint8_t *data, size_t n, GByteArray *to)
{
    for (size_t i = 0; i < n; i++) {
        if (chr->line_begins) {
            int64_t ms = (g_get_monotonic_time() - chr->started_us) / 1000;
            g_autofree char *stamp =
                g_strdup_printf("[%02d:%02d:%02d.%03d] ", (int)(ms / 3600000),
                                (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));

            g_byte_array_append(to, (uint8_t *)stamp, strlen(stamp));
        }
        chr->line_begins = data[i] == '\n';
        g_byte_array_append(to, &data[i], 1);
    }
}
