/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting a kernel directly. The host decides where everything goes and puts it into fw_cfg; one
 * of our option ROMs (rom/), first in the boot order, loads it and jumps. Not modelled: PVH entry,
 * kernels of 64-bit ELF files.
 */
#include "hw/firmware/boot.h"

#include "hw/firmware/boot_impl.h"
#include "softmmu/run/board.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROM_UNIT = 512, ROM_LENGTH = 2, ROM_MAX = 128 * 1024 };

bool boot_add_rom(FwCfg *f, const char *name, const uint8_t *code, size_t n, int32_t index,
                  Error **err)
{
    size_t size = (n + 1 + ROM_UNIT - 1) / ROM_UNIT * ROM_UNIT;
    g_autofree char *file = g_strconcat("genroms/", name, NULL);
    g_autofree char *path = g_strdup_printf("/rom@%s", file);
    g_autofree uint8_t *rom = NULL;
    uint8_t sum = 0;

    if (size > ROM_MAX) {
        return error_set(err, "option ROM %s has %zu bytes, more than %d", name, n, ROM_MAX);
    }
    rom = g_malloc0(size);
    memcpy(rom, code, n);
    rom[ROM_LENGTH] = size / ROM_UNIT;
    for (size_t i = 0; i < size; i++) {
        sum += rom[i];
    }
    rom[size - 1] -= sum;
    return fw_cfg_file(f, file, rom, size, err) && (index < 0 || fw_cfg_boot(f, index, path, err));
}

GBytes *boot_read(const char *path, const char *what, Error **err)
{
    g_autoptr(GError) why = NULL;
    char *data;
    gsize n;

    if (!g_file_get_contents(path, &data, &n, &why)) {
        error_set(err, "%s %s: %s", what, path, why->message);
        return NULL;
    }
    return g_bytes_new_take(data, n);
}

void boot_item(FwCfg *f, uint16_t key, const char *path, GBytes *bytes, size_t from)
{
    size_t size = g_bytes_get_size(bytes) - from;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
        fw_cfg_backed(f, key, fd, from, size);
        return;
    }
    if (fd >= 0) {
        close(fd);
    }
    fw_cfg_take(f, key, g_bytes_new_from_bytes(bytes, from, size));
}

bool boot_kernel(Machine *m, FwCfg *f, BootMemory memory, Error **err)
{
    const MachineConfig *c = machine_config(m);
    g_autoptr(GBytes) bytes = NULL;

    if (!c->kernel) {
        if (c->initrd) {
            return error_set(err, "initrd %s is of no use without -kernel", c->initrd);
        }
        return !c->append || error_set(err, "-append is of no use without -kernel");
    }
    if (!(bytes = boot_read(c->kernel, "kernel", err))) {
        return false;
    }
    KernelFile k = {.path = c->kernel, .bytes = bytes};

    k.data = g_bytes_get_data(bytes, &k.size);
    return boot_is_multiboot(&k) ? boot_multiboot(m, f, &k, memory, err)
                                 : boot_linux(m, f, &k, memory, err);
}
