/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Back ends of guest memory: anonymous, a file (also of hugetlbfs, or a temporary one in a folder),
 * a memfd. Options are QEMU's.
 * Not modelled: NUMA policies other than the default, persistent memory, ROM back ends.
 */
#include "softmmu/memory/backend.h"

#include "qom/prop.h"
#include "softmmu/memory/memory_impl.h"
#include "softmmu/run/board.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- common ---- */

static void backend_init(Object *obj)
{
    MemoryBackend *b = (MemoryBackend *)obj;

    b->merge = b->dump = true;
}

static void backend_finalize(Object *obj)
{
    MemoryBackend *b = (MemoryBackend *)obj;

    if (b->ram) {
        ram_unref(b->ram);
    }
}

static bool backend_check(const MemoryBackend *b, Error **err)
{
    if (!b->size) {
        error_set(err, "%s: it has no size", b->obj.name);
        return error_hint(err, "size=512M says how large it is");
    }
    if (b->align & (b->align - 1) || b->huge_size & (b->huge_size - 1)) {
        return error_set(err, "%s: align and hugetlbsize are powers of two", b->obj.name);
    }
    return true;
}

static void advise(const MemoryBackend *b, const Ram *ram)
{
    /* a kernel without KSM refuses the first: no harm */
    madvise(ram->host, ram->size, b->merge ? MADV_MERGEABLE : MADV_UNMERGEABLE);
    madvise(ram->host, ram->size, b->dump ? MADV_DODUMP : MADV_DONTDUMP);
}

static bool advice_changed(Object *obj, Error **err)
{
    MemoryBackend *b = (MemoryBackend *)obj;

    advise(b, b->ram);
    return true;
}

/* What is the same once it is mapped. */
static bool backend_finish(MemoryBackend *b, Ram *ram, Error **err)
{
    if (!ram) {
        return false;
    }
    advise(b, ram);
    if (b->prealloc && madvise(ram->host, ram->size, MADV_POPULATE_WRITE)) {
        error_errno(err, errno, "%s: cannot allocate %" PRIu64 " bytes now", b->obj.name, b->size);
        ram_unref(ram);
        return false;
    }
    b->ram = ram;
    b->obj.fixed = true;
    return true;
}

static const char *const policies[] = {"default", NULL};

static const Prop backend_props[] = {
    PROP(MemoryBackend, size, 0, "bytes", .unit = UNIT_BYTES, .max = 1ll << 46),
    PROP_AUTO(MemoryBackend, share, "other processes may map it"),
    PROP(MemoryBackend, prealloc, false, "allocate all of it at once"),
    PROP_AS(MemoryBackend, "prealloc-threads", prealloc_threads, 1, "accepted; the kernel does it",
            .min = 1, .max = 1024),
    PROP(MemoryBackend, merge, true, "let the kernel merge equal pages", .live = true,
         .changed = advice_changed),
    PROP(MemoryBackend, dump, true, "include it in core dumps", .live = true,
         .changed = advice_changed),
    PROP_ENUM(MemoryBackend, policy, 0, policies, "NUMA policy"),
    PROP_END,
};

const Class MemoryBackend_class = {
    .name = "memory-backend",
    .about = "memory for the guest",
    .parent = &Object_class,
    .size = sizeof(MemoryBackend),
    .props = backend_props,
    .init = backend_init,
    .finalize = backend_finalize,
};

/* ---- anonymous ---- */

static bool ram_complete(Object *obj, Error **err)
{
    MemoryBackend *b = (MemoryBackend *)obj;

    return backend_check(b, err) &&
           backend_finish(
               b, ram_new(obj->name, b->size, b->share == ON ? RAM_SHARED : RAM_PRIVATE, err), err);
}

static const Class MemoryBackendRam_class = {
    .name = "memory-backend-ram",
    .about = "anonymous memory",
    .parent = &MemoryBackend_class,
    .size = sizeof(MemoryBackend),
    .complete = ram_complete,
};
CLASS(MemoryBackendRam);

/* ---- memfd ---- */

static bool memfd_complete(Object *obj, Error **err)
{
    MemoryBackend *b = (MemoryBackend *)obj;
    unsigned flags = MFD_CLOEXEC | (b->seal ? MFD_ALLOW_SEALING : 0);
    uint64_t page = b->huge_size ?: b->huge ? 2 << 20 : PAGE;

    if (!backend_check(b, err)) {
        return false;
    }
    if (b->huge) {
        flags |= MFD_HUGETLB | (b->huge_size ? __builtin_ctzll(page) << MFD_HUGE_SHIFT : 0);
    }
    uint64_t size = (b->size + page - 1) / page * page;
    int fd = memfd_create(obj->name, flags);
    if (fd < 0 || ftruncate(fd, size)) {
        error_errno(err, errno, "%s: no memfd of %" PRIu64 " bytes", obj->name, size);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    if (b->seal) {
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    }
    Ram *ram = ram_map(obj->name, size, page, fd, b->share != OFF, err);
    if (!ram) {
        close(fd);
    }
    return backend_finish(b, ram, err);
}

static const Prop memfd_props[] = {
    PROP_AS(MemoryBackend, "hugetlb", huge, false, "of huge pages"),
    PROP_AS(MemoryBackend, "hugetlbsize", huge_size, 0, "size of a huge page", .unit = UNIT_BYTES,
            .max = 1ll << 40),
    PROP(MemoryBackend, seal, true, "its size may not change"),
    PROP_END,
};

static const Class MemoryBackendMemfd_class = {
    .name = "memory-backend-memfd",
    .about = "memory that other processes can be given (share is on)",
    .parent = &MemoryBackend_class,
    .size = sizeof(MemoryBackend),
    .props = memfd_props,
    .complete = memfd_complete,
};
CLASS(MemoryBackendMemfd);

/* ---- a file ---- */

static int open_temporary(const char *folder)
{
    g_autofree char *name = g_build_filename(folder, "rhea-memory-XXXXXX", NULL);
    int fd = mkostemp(name, O_CLOEXEC);

    if (fd >= 0) {
        unlink(name);
    }
    return fd;
}

static int open_backing(const MemoryBackend *b)
{
    struct stat st;

    if (!stat(b->path, &st) && S_ISDIR(st.st_mode)) {
        return open_temporary(b->path);
    }
    return open(b->path, O_CLOEXEC | (b->readonly ? O_RDONLY : O_RDWR | O_CREAT), 0600);
}

/* A file that is there keeps its size if it is large enough; a shorter one grows. */
static bool fit(const MemoryBackend *b, int fd, uint64_t size, Error **err)
{
    struct stat st;

    if (fstat(fd, &st)) {
        return error_errno(err, errno, "%s: %s", b->obj.name, b->path);
    }
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size < size) {
        if (st.st_size) {
            error_set(err, "%s: %s has %" PRIu64 " bytes, not %" PRIu64, b->obj.name, b->path,
                      (uint64_t)st.st_size, size);
            return error_hint(err, "an empty or new file takes the size that is asked for");
        }
        if (b->readonly || ftruncate(fd, size)) {
            return error_errno(err, b->readonly ? EROFS : errno, "%s: %s", b->obj.name, b->path);
        }
    }
    return true;
}

static bool file_complete(Object *obj, Error **err)
{
    MemoryBackend *b = (MemoryBackend *)obj;
    struct statfs fs;
    Ram *ram = NULL;

    if (!backend_check(b, err)) {
        return false;
    }
    if (!b->path) {
        error_set(err, "%s: it has no file", obj->name);
        return error_hint(err, "mem-path=FILE names one");
    }
    int fd = open_backing(b);
    if (fd < 0 || fstatfs(fd, &fs)) {
        error_errno(err, errno, "%s: %s", obj->name, b->path);
    } else {
        uint64_t page = MAX((uint64_t)fs.f_bsize, PAGE); /* of hugetlbfs: the huge page's size */
        uint64_t size = (b->size + page - 1) / page * page;

        if (fit(b, fd, size, err)) {
            ram = ram_map(obj->name, size, MAX(page, b->align), fd, b->share == ON && !b->readonly,
                          err);
        }
    }
    if (!ram && fd >= 0) {
        close(fd);
    }
    return backend_finish(b, ram, err);
}

static const Prop file_props[] = {
    PROP_AS(MemoryBackend, "mem-path", path, 0, "a file, or a folder for one without a name"),
    PROP(MemoryBackend, align, 0, "alignment in host memory", .unit = UNIT_BYTES, .max = 1ll << 40),
    PROP_AS(MemoryBackend, "discard-data", discard, false, "its contents need not be written back"),
    PROP(MemoryBackend, readonly, false, "open the file read-only; writes stay private"),
    PROP_END,
};

static const Class MemoryBackendFile_class = {
    .name = "memory-backend-file",
    .about = "memory in a file",
    .parent = &MemoryBackend_class,
    .size = sizeof(MemoryBackend),
    .props = file_props,
    .complete = file_complete,
};
CLASS(MemoryBackendFile);

/* ---- for boards ---- */

bool machine_init_ram(Machine *m, Region *r, Object *owner, const char *name, Error **err)
{
    MachineConfig *config = machine_config(m);

    if (!config->memory_backend) {
        /* A file is wished for, not needed. */
        if (config->ram_file &&
            region_init_ram(r, owner, name, config->ram_bytes, RAM_SHARED, NULL)) {
            return true;
        }
        return region_init_ram(r, owner, name, config->ram_bytes, RAM_PRIVATE, err);
    }
    Object *found = object_resolve((Object *)m, config->memory_backend, &MemoryBackend_class, err);
    if (!found) {
        return error_prefix(err, "memory-backend: ");
    }
    MemoryBackend *b = CAST(MemoryBackend, found);
    if (b->used) {
        return error_set(err, "memory-backend: %s is in use", found->name);
    }
    if (b->size != config->ram_bytes) {
        error_set(err, "memory-backend: %s has %" PRIu64 " bytes, the machine %" PRIu64,
                  found->name, b->size, config->ram_bytes);
        return error_hint(err, "give -m the same size");
    }
    b->used = true;
    region_init_ram_from(r, owner, name, b->ram);
    r->size = b->size;
    return true;
}
