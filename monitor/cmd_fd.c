/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that clients pass: getfd, closefd. Names are shared by all monitors of a machine.
 * Not modelled: sets of descriptors (add-fd, /dev/fdset).
 */
#include "monitor/monitor_impl.h"
#include "qapi/commands.h"

#include <unistd.h>

int fd_take(Monitors *all, const char *name, Error **err)
{
    gpointer fd;

    if (!g_hash_table_lookup_extended(all->fds, name, NULL, &fd)) {
        error_set(err, "there is no descriptor %s", name);
        return -1;
    }
    g_hash_table_remove(all->fds, name);
    return GPOINTER_TO_INT(fd);
}

bool qmp_getfd(Monitor *mon, const GetfdArgs *arg, Error **err)
{
    Monitors *all = monitors_of(monitor_machine(mon));
    int fd = char_take_fd(monitor_chardev(mon)), old;

    if (fd < 0) {
        return error_set(err, "no descriptor came with the command");
    }
    if (!*arg->fdname || g_ascii_isdigit(*arg->fdname)) {
        close(fd);
        return error_set(err, "parameter fdname: wants a name that begins with no digit");
    }
    old = fd_take(all, arg->fdname, NULL);
    if (old >= 0) {
        close(old);
    }
    g_hash_table_insert(all->fds, g_strdup(arg->fdname), GINT_TO_POINTER(fd));
    return true;
}

bool qmp_closefd(Machine *m, const ClosefdArgs *arg, Error **err)
{
    int fd = fd_take(monitors_of(m), arg->fdname, err);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}
