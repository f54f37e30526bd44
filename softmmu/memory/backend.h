/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory made by the user: -object memory-backend-ram, -file, -memfd. */
#pragma once
#include "qom/prop.h"
#include "softmmu/memory/memory.h"
#include "softmmu/run/machine.h"

typedef struct MemoryBackend {
    Object obj;
    uint64_t size, align, huge_size;
    char *path;
    OnOffAuto share;
    bool merge, dump, prealloc, discard, readonly, huge, seal;
    uint32_t prealloc_threads, policy;
    Ram *ram; /* once it is complete */
    bool used;
} MemoryBackend;

extern const Class MemoryBackend_class;

/* The machine's main memory as a region: that of the back end config.memory_backend names (config
 * has its size then), else memory of config.ram_bytes: a memfd if that can be had and
 * config.ram_file asks for it, else anonymous. */
bool machine_init_ram(Machine *m, Region *r, Object *owner, const char *name, Error **err);
