/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware configuration device, as firmware for virtual machines expects it (the Linux kernel's
 * Documentation/ABI/testing/sysfs-firmware-qemu_fw_cfg, SeaBIOS and OVMF): selector at port 0x510,
 * data at 0x511, a DMA address of 64 big-endian bits at 0x514 whose lower half starts the transfer.
 * Not modelled: items that the guest may write.
 */
#include "hw/firmware/fw_cfg.h"

#include "softmmu/run/machine.h"
#include "util/trace.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { SELECT = 0, DATA = 1, DMA = 4, PORT = 0x510 };
enum { NAME_MAX_ = 55, FILES_MAX = 0x100, CHUNK = 4096 };
enum { ID_PORTS = 1, ID_DMA = 2 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

static const uint64_t dma_signature = 0x51454d5520434647; /* "QEMU CFG" */

typedef struct Item {
    GBytes *bytes;
    char *name; /* of a file */
    GBytes *(*make)(Machine *m);
} Item;

typedef struct Backed { /* part of a file of the host's */
    int fd;
    uint64_t from, size;
} Backed;

struct FwCfg {
    Device dev;
    Region ports, dma;
    GHashTable *numbered; /* key -> GBytes */
    GHashTable *backed;   /* key -> Backed; these go first */
    GPtrArray *files;     /* Item *, sorted by name once the directory was made */
    GPtrArray *boot;      /* Boot *, sorted by index */
    void (*last)(Machine *m);
    bool complete; /* the directory was made: nothing more can be added */
    uint16_t key;
    uint32_t offset;
    uint64_t dma_address;
};

typedef struct Boot {
    int32_t index;
    char *path;
} Boot;

typedef struct DirectoryEntry { /* big-endian */
    uint32_t size;
    uint16_t select, reserved;
    char name[NAME_MAX_ + 1];
} DirectoryEntry;

typedef struct DmaRequest { /* in guest memory, big-endian */
    uint32_t control, length;
    uint64_t address;
} DmaRequest;

/* ---- items ---- */

void fw_cfg_take(FwCfg *f, uint16_t key, GBytes *bytes)
{
    g_hash_table_insert(f->numbered, GUINT_TO_POINTER((guint)key), bytes);
}

void fw_cfg_backed(FwCfg *f, uint16_t key, int fd, uint64_t from, uint64_t size)
{
    Backed *b = g_new(Backed, 1);

    *b = (Backed){fd, from, size};
    g_hash_table_insert(f->backed, GUINT_TO_POINTER((guint)key), b);
}

static void backed_free(void *opaque)
{
    close(((Backed *)opaque)->fd);
    g_free(opaque);
}

void fw_cfg_item(FwCfg *f, uint16_t key, const void *data, size_t n)
{
    fw_cfg_take(f, key, g_bytes_new(data, n));
}

void fw_cfg_number(FwCfg *f, uint16_t key, uint64_t value, unsigned size)
{
    fw_cfg_item(f, key, &value, size);
}

static Item *file_find(FwCfg *f, const char *name)
{
    for (guint i = 0; i < f->files->len; i++) {
        Item *item = f->files->pdata[i];

        if (!strcmp(item->name, name)) {
            return item;
        }
    }
    return NULL;
}

static Item *file_add(FwCfg *f, const char *name, Error **err)
{
    Item *item = file_find(f, name);

    if (strlen(name) > NAME_MAX_) {
        error_set(err, "firmware file name %s is longer than %d characters", name, NAME_MAX_);
        return NULL;
    }
    if (!item && (f->files->len == FILES_MAX || f->complete)) {
        error_set(err, "no room for firmware file %s", name);
        return NULL;
    }
    if (!item) {
        item = g_new0(Item, 1);
        item->name = g_strdup(name);
        g_ptr_array_add(f->files, item);
    }
    return item;
}

bool fw_cfg_file(FwCfg *f, const char *name, const void *data, size_t n, Error **err)
{
    Item *item = file_add(f, name, err);

    if (item) {
        g_clear_pointer(&item->bytes, g_bytes_unref);
        item->bytes = g_bytes_new(data, n);
        item->make = NULL;
    }
    return item;
}

bool fw_cfg_lazy(FwCfg *f, const char *name, GBytes *(*make)(Machine *m), Error **err)
{
    Item *item = file_add(f, name, err);

    if (item) {
        g_clear_pointer(&item->bytes, g_bytes_unref);
        item->make = make;
    }
    return item;
}

/* ---- boot order ---- */

bool fw_cfg_boot(FwCfg *f, int32_t index, const char *path, Error **err)
{
    guint at = 0;

    for (; at < f->boot->len && ((Boot *)f->boot->pdata[at])->index <= index; at++) {
        const Boot *b = f->boot->pdata[at];

        if (b->index == index) {
            return error_set(err, "bootindex %d is taken by %s", index, b->path);
        }
    }
    Boot *new = g_new0(Boot, 1);

    *new = (Boot){index, g_strdup(path)};
    g_ptr_array_insert(f->boot, at, new);
    return true;
}

static GBytes *boot_order(FwCfg *f)
{
    GString *text = g_string_new("");

    for (guint i = 0; i < f->boot->len; i++) {
        g_string_append_printf(text, "%s%s", i ? "\n" : "", ((Boot *)f->boot->pdata[i])->path);
    }
    gsize n = text->len + 1; /* with its end */

    return g_bytes_new_take(g_string_free(text, FALSE), n);
}

/* ---- directory ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(Item *const *)a)->name, (*(Item *const *)b)->name);
}

static void make_files(FwCfg *f)
{
    for (guint i = 0; i < f->files->len;) {
        Item *item = f->files->pdata[i];

        if (!item->bytes) {
            item->bytes = item->make(f->dev.machine);
        }
        if (item->bytes) {
            i++;
        } else {
            g_ptr_array_remove_index(f->files, i);
        }
    }
    if (f->boot->len && !file_find(f, "bootorder")) {
        file_add(f, "bootorder", NULL)->bytes = boot_order(f);
    }
    g_ptr_array_sort(f->files, by_name);
}

/* Files are made, sorted and numbered when somebody first asks what there is. */
static void complete(FwCfg *f)
{
    if (f->complete) {
        return;
    }
    if (f->last) {
        f->last(f->dev.machine);
    }
    make_files(f);
    f->complete = true;
    g_autoptr(GByteArray) all = g_byte_array_new();
    uint32_t count = GUINT32_TO_BE(f->files->len);

    g_byte_array_append(all, (void *)&count, 4);
    for (guint i = 0; i < f->files->len; i++) {
        Item *item = f->files->pdata[i];
        DirectoryEntry e = {GUINT32_TO_BE(g_bytes_get_size(item->bytes)),
                            GUINT16_TO_BE(FW_CFG_FILES + i), 0, ""};

        g_strlcpy(e.name, item->name, sizeof e.name);
        g_byte_array_append(all, (void *)&e, sizeof e);
    }
    fw_cfg_item(f, FW_CFG_DIRECTORY, all->data, all->len);
}

void fw_cfg_before_directory(FwCfg *f, void (*add)(Machine *m))
{
    f->last = add;
}

GBytes *fw_cfg_find(FwCfg *f, const char *name)
{
    complete(f);
    Item *item = file_find(f, name);

    return item ? item->bytes : NULL;
}

void fw_cfg_each(FwCfg *f, void (*each)(const char *name, size_t bytes, void *opaque), void *opaque)
{
    for (guint i = 0; i < f->files->len; i++) {
        const Item *item = f->files->pdata[i];

        each(item->name, item->bytes ? g_bytes_get_size(item->bytes) : 0, opaque);
    }
}

/* What is selected: bytes of ours, or of a file. */
typedef struct Source {
    const uint8_t *data;
    const Backed *file;
    uint64_t size;
} Source;

static Source selected(FwCfg *f)
{
    guint file = f->key - FW_CFG_FILES;
    GBytes *bytes = NULL;
    const Backed *backed = g_hash_table_lookup(f->backed, GUINT_TO_POINTER((guint)f->key));
    gsize n = 0;

    if (backed) {
        return (Source){NULL, backed, backed->size};
    }
    if (f->key == FW_CFG_DIRECTORY || f->key >= FW_CFG_FILES) {
        complete(f);
    }
    if (f->key >= FW_CFG_FILES && file < f->files->len) {
        bytes = ((Item *)f->files->pdata[file])->bytes;
    } else {
        bytes = g_hash_table_lookup(f->numbered, GUINT_TO_POINTER((guint)f->key));
    }
    const uint8_t *data = bytes ? g_bytes_get_data(bytes, &n) : NULL;

    return (Source){data, NULL, n};
}

/* Behind its end there are zeros; and where a file has become shorter. */
static void source_read(const Source *s, uint64_t offset, uint8_t *to, size_t n)
{
    size_t have = offset < s->size ? MIN(s->size - offset, n) : 0, done = 0;

    memset(to, 0, n);
    if (s->data) {
        memcpy(to, s->data + offset, have);
        return;
    }
    while (s->file && done < have) {
        ssize_t got =
            pread(s->file->fd, to + done, have - done, (off_t)(s->file->from + offset + done));

        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            return;
        }
        done += got > 0 ? (size_t)got : 0;
    }
}

/* ---- registers ---- */

static void select_item(FwCfg *f, uint16_t key)
{
    f->key = key & 0xbfff; /* bit 14 asks for writing */
    f->offset = 0;
}

static MemResult ports_read(FwCfg *f, Io *io)
{
    uint8_t byte;

    io->value = 0;
    if (io->offset != DATA || io->size != 1) {
        return MEM_OK;
    }
    Source s = selected(f);

    source_read(&s, f->offset, &byte, 1);
    io->value = byte;
    f->offset += !io->by.debug && f->offset < s.size;
    f->dev.quiet = true;
    return MEM_OK;
}

static MemResult ports_write(FwCfg *f, Io *io)
{
    if (io->offset == SELECT && io->size == 2) {
        select_item(f, io->value);
    }
    return MEM_OK;
}

/* False: there is no memory. */
static bool copy_out(FwCfg *f, uint64_t to, uint32_t length)
{
    uint8_t chunk[CHUNK];
    AddressSpace *as = machine_space(f->dev.machine);
    Source s = selected(f);

    for (uint32_t done = 0, step; done < length; done += step) {
        step = MIN(length - done, CHUNK);
        source_read(&s, f->offset, chunk, step);
        if (mem_write(as, (Access){0}, to + done, chunk, step) != MEM_OK) {
            return false;
        }
        f->offset += f->offset < s.size ? MIN(s.size - f->offset, step) : 0;
    }
    return true;
}

static uint32_t dma_carry_out(FwCfg *f, uint32_t control, uint32_t length, uint64_t address)
{
    if (control & DMA_SELECT) {
        select_item(f, control >> 16);
    }
    if (control & DMA_READ) {
        return copy_out(f, address, length) ? 0 : DMA_ERROR;
    }
    if (control & DMA_WRITE) {
        return DMA_ERROR;
    }
    if (control & DMA_SKIP) {
        uint64_t end = MAX(selected(f).size, f->offset);

        f->offset = MIN((uint64_t)f->offset + length, end);
    }
    return 0;
}

static void dma_start(FwCfg *f)
{
    AddressSpace *as = machine_space(f->dev.machine);
    uint64_t at = f->dma_address;
    DmaRequest r;

    f->dma_address = 0;
    if (mem_read(as, (Access){0}, at, &r, sizeof r) != MEM_OK) {
        guest_error(f, "no DMA request can be read at %#" PRIx64, at);
        return;
    }
    TRACE("fw_cfg.dma", "control %#x length %#x address %#" PRIx64, GUINT32_FROM_BE(r.control),
          GUINT32_FROM_BE(r.length), GUINT64_FROM_BE(r.address));
    uint32_t result = dma_carry_out(f, GUINT32_FROM_BE(r.control), GUINT32_FROM_BE(r.length),
                                    GUINT64_FROM_BE(r.address));

    result = GUINT32_TO_BE(result);
    mem_write(as, (Access){0}, at, &result, 4);
}

static MemResult dma_read(FwCfg *f, Io *io)
{
    uint64_t big = GUINT64_TO_BE(dma_signature);

    io->value = 0;
    memcpy(&io->value, (uint8_t *)&big + io->offset, io->size);
    return MEM_OK;
}

static MemResult dma_write(FwCfg *f, Io *io)
{
    if (io->size == 8) {
        f->dma_address = GUINT64_FROM_BE(io->value);
        dma_start(f);
    } else if (io->size == 4 && io->offset == 0) {
        f->dma_address = (uint64_t)GUINT32_FROM_BE((uint32_t)io->value) << 32;
    } else if (io->size == 4 && io->offset == 4) {
        f->dma_address |= GUINT32_FROM_BE((uint32_t)io->value);
        dma_start(f);
    }
    return MEM_OK;
}

static const MemOps ports_ops = {
    .read = METHOD(FwCfg, ports_read),
    .write = METHOD(FwCfg, ports_write),
    .accepts = {1, 2, true},
};
static const MemOps dma_ops = {
    .read = METHOD(FwCfg, dma_read),
    .write = METHOD(FwCfg, dma_write),
    .accepts = {1, 8},
};

/* ---- life ---- */

FwCfg *fw_cfg_of(Machine *m)
{
    Object *obj = object_at((Object *)m, "fw_cfg");

    return obj && object_is(obj, &FwCfg_class) ? (FwCfg *)obj : NULL;
}

static void item_free(void *opaque)
{
    Item *item = opaque;

    g_clear_pointer(&item->bytes, g_bytes_unref);
    g_free(item->name);
    g_free(item);
}

static void boot_free(void *opaque)
{
    g_free(((Boot *)opaque)->path);
    g_free(opaque);
}

static void fw_cfg_init(Object *obj)
{
    FwCfg *f = (FwCfg *)obj;

    f->numbered = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_bytes_unref);
    f->backed = g_hash_table_new_full(NULL, NULL, NULL, backed_free);
    f->files = g_ptr_array_new_with_free_func(item_free);
    f->boot = g_ptr_array_new_with_free_func(boot_free);
    fw_cfg_item(f, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_number(f, FW_CFG_ID, ID_PORTS | ID_DMA, 4);
}

static void fw_cfg_finalize(Object *obj)
{
    FwCfg *f = (FwCfg *)obj;

    g_hash_table_unref(f->numbered);
    g_hash_table_unref(f->backed);
    g_ptr_array_unref(f->files);
    g_ptr_array_unref(f->boot);
}

static bool fw_cfg_realize(FwCfg *f, Error **err)
{
    Region *ports = machine_ports(f->dev.machine);

    region_init_io(&f->ports, &f->dev.obj, "fw_cfg", 2, &ports_ops);
    region_init_io(&f->dma, &f->dev.obj, "fw_cfg-dma", 8, &dma_ops);
    region_map(ports, PORT, &f->ports, 0);
    region_map(ports, PORT + DMA, &f->dma, 0);
    return true;
}

static const StateField fw_cfg_state[] = {
    STATE(FwCfg, key),
    STATE(FwCfg, offset),
    STATE(FwCfg, dma_address),
    STATE_SKIP(FwCfg, ports, "config"),
    STATE_SKIP(FwCfg, dma, "config"),
    STATE_SKIP(FwCfg, backed, "config"),
    STATE_SKIP(FwCfg, numbered, "config"),
    STATE_SKIP(FwCfg, files, "config"),
    STATE_SKIP(FwCfg, boot, "config"),
    STATE_SKIP(FwCfg, last, "config"),
    STATE_SKIP(FwCfg, complete, "config"),
    STATE_END,
};

const DeviceClass FwCfg_class = {
    .class = {"fw_cfg_io", "what firmware reads about the machine", &Device_class.class,
              sizeof(FwCfg), .init = fw_cfg_init, .finalize = fw_cfg_finalize},
    .onboard = true,
    .state = fw_cfg_state,
    .realize = METHOD(FwCfg, fw_cfg_realize),
};
CLASS(FwCfg);
