/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memsave, pmemsave, dump-guest-memory, info dump: memory in files; ringbuf_read, ringbuf_write,
 * chardev-remove, chardev-send-break. All by QMP's functions.
 */
#include "monitor/hmp_command.h"
#include "qapi/commands.h"

#include <string.h>

/* ---- memory ---- */

/* ADDR SIZE FILE */
static bool range(Hmp *h, uint64_t *addr, uint64_t *size, char **file, Error **err)
{
    return hmp_number(h, addr, err) && hmp_number(h, size, err) &&
           hmp_need_word(h, "FILE", file, err);
}

static bool memory_save(Hmp *h, Error **err)
{
    g_autofree char *file = NULL;
    uint64_t addr, size;

    return range(h, &addr, &size, &file, err) && qmp_memsave(h->m,
                                                             &(MemsaveArgs){.val = addr,
                                                                            .size = size,
                                                                            .filename = file,
                                                                            .has_cpu_index = true,
                                                                            .cpu_index = h->cpu},
                                                             err);
}

static bool physical_save(Hmp *h, Error **err)
{
    g_autofree char *file = NULL;
    uint64_t addr, size;

    return range(h, &addr, &size, &file, err) &&
           qmp_pmemsave(h->m, &(PmemsaveArgs){.val = addr, .size = size, .filename = file}, err);
}

static bool dump_memory(Hmp *h, Error **err)
{
    bool paging = hmp_flag(h, 'p');
    g_autofree char *file = NULL;

    if (!hmp_need_word(h, "FILE", &file, err)) {
        return false;
    }
    g_autofree char *protocol = g_strconcat("file:", file, NULL);
    return qmp_dump_guest_memory(
        h->m, &(DumpGuestMemoryArgs){.paging = paging, .protocol = protocol}, err);
}

static bool info_dump(Hmp *h, Error **err)
{
    DumpQueryResult r = {0};
    bool ok = qmp_query_dump(h->m, &r, err);

    if (ok) {
        hmp_say(h, "Status: %s\n", qapi_DumpStatus.values[r.status]);
    }
    if (ok && r.total) {
        hmp_say(h, "%" PRId64 " of %" PRId64 " bytes\n", r.completed, r.total);
    }
    qapi_clear(&qapi_DumpQueryResult, &r);
    return ok;
}

/* ---- chardevs ---- */

static bool ring_read(Hmp *h, Error **err)
{
    g_autofree char *device = NULL, *text = NULL;
    uint64_t size;

    if (!hmp_need_word(h, "CHARDEV", &device, err) || !hmp_number(h, &size, err) ||
        !qmp_ringbuf_read(h->m, &(RingbufReadArgs){.device = device, .size = size}, &text, err)) {
        return false;
    }
    hmp_say(h, "%s\n", text);
    return true;
}

static bool ring_write(Hmp *h, Error **err)
{
    g_autofree char *device = NULL, *data = NULL;

    if (!hmp_need_word(h, "CHARDEV", &device, err)) {
        return false;
    }
    data = hmp_rest(h);
    return qmp_ringbuf_write(h->m, &(RingbufWriteArgs){.device = device, .data = data}, err);
}

static bool remove_chardev(Hmp *h, Error **err)
{
    g_autofree char *id = NULL;

    return hmp_need_word(h, "ID", &id, err) &&
           qmp_chardev_remove(h->m, &(ChardevRemoveArgs){.id = id}, err);
}

static bool send_break(Hmp *h, Error **err)
{
    g_autofree char *id = NULL;

    return hmp_need_word(h, "ID", &id, err) &&
           qmp_chardev_send_break(h->m, &(ChardevSendBreakArgs){.id = id}, err);
}

static void complete_chardev(Hmp *h, HmpWords *words)
{
    ChardevInfoList list = {0};

    if (!hmp_more(h) && qmp_query_chardev(h->m, &list, NULL)) {
        for (unsigned i = 0; i < list.n; i++) {
            hmp_offer(words, list.item[i].label);
        }
    }
    qapi_clear(&qapi_ChardevInfoList, &list);
}

/* clang-format off */
static const HmpCommand commands[] = {
    {"memsave", "ADDR SIZE FILE", "memory at a linear address into a file", memory_save},
    {"pmemsave", "ADDR SIZE FILE", "memory at a physical address into a file", physical_save},
    {"dump-guest-memory", "[-p] FILE", "all memory as an ELF core file, for gdb and crash; -p: with linear addresses", dump_memory},
    {"dump", NULL, "how the last dump went", info_dump, .info = true},
    {"ringbuf_read", "CHARDEV SIZE", "take bytes out of a ringbuf", ring_read, complete_chardev},
    {"ringbuf_write", "CHARDEV TEXT", "put bytes into a ringbuf", ring_write, complete_chardev},
    {"chardev-remove", "ID", "remove a character device that nobody uses", remove_chardev, complete_chardev},
    {"chardev-send-break", "ID", "a break to whoever hears a character device", send_break, complete_chardev},
    {0},
};
/* clang-format on */
HMP_COMMANDS(commands);
