/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about the machine and its parts: qapi/machine.qapi, but for CPU models (cmd_cpu.c).
 * Not modelled: memory that was plugged in, threads for input and output, jobs, disks, migration:
 * there are none.
 */
#include "accel/accel.h"
#include "monitor/monitor_impl.h"
#include "qapi/commands.h"

#include <string.h>
#include <unistd.h>

extern const Class *const __start_classes[], *const __stop_classes[];

bool qmp_query_name(Machine *m, NameInfo *ret, Error **err)
{
    ret->name = g_strdup(m->config.name);
    return true;
}

bool qmp_query_uuid(Machine *m, UuidInfo *ret, Error **err)
{
    const uint8_t *u = m->config.uuid;

    ret->UUID = g_strdup_printf(
        "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2],
        u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
    return true;
}

bool qmp_query_target(Machine *m, TargetInfo *ret, Error **err)
{
    ret->arch = SYS_EMU_TARGET_X86_64;
    return true;
}

bool qmp_query_kvm(Machine *m, KvmInfo *ret, Error **err)
{
    const Class *kvm = class_find("kvm");
    const AccelClass *c = (const AccelClass *)kvm;

    ret->present = kvm && (!c->usable || c->usable(NULL, NULL));
    ret->enabled = kvm && m->accel && object_is(&m->accel->obj, kvm);
    return true;
}

bool qmp_query_machines(Machine *m, MachineInfoList *ret, Error **err)
{
    for (const Class *const *at = __start_classes; at < __stop_classes; at++) {
        const MachineClass *c = (const MachineClass *)*at;
        MachineInfo *info;

        if (!class_is(*at, &Machine_class)) {
            continue;
        }
        info = LIST_ADD(ret);
        info->name = g_strdup(c->name);
        info->alias = g_strdup(c->alias);
        info->cpu_max = c->max_cpus;
        info->default_ram_id = c->no_board ? NULL : g_strdup("pc.ram");
        if (!g_strcmp0(c->alias, "pc")) {
            info->has_is_default = info->is_default = true;
        }
    }
    return true;
}

bool qmp_query_current_machine(Machine *m, CurrentMachineParams *ret, Error **err)
{
    const MachineClass *c = machine_class_of(m);

    ret->wakeup_suspend_support = c && !c->no_board && m->config.acpi != OFF;
    return true;
}

bool qmp_query_memory_size_summary(Machine *m, MemoryInfo *ret, Error **err)
{
    const MachineClass *c = machine_class_of(m);

    ret->base_memory = c && c->no_board ? 0 : m->config.ram_bytes;
    ret->has_plugged_memory = true;
    return true;
}

bool qmp_query_iothreads(Machine *m, IOThreadInfoList *ret, Error **err)
{
    return true;
}

bool qmp_query_jobs(Machine *m, JobInfoList *ret, Error **err)
{
    return true;
}

/* ---- CPUs ---- */

/* Where the n-th CPU is, threads counted first. */
static CpuInstanceProperties place(const Machine *m, unsigned n)
{
    const SmpTopology *s = &m->config.smp;
    CpuInstanceProperties p = {
        .has_thread_id = true,
        .thread_id = n % s->threads,
        .has_core_id = true,
        .core_id = n / s->threads % s->cores,
        .has_die_id = s->dies > 1,
        .die_id = n / s->threads / s->cores % s->dies,
        .has_socket_id = true,
        .socket_id = n / s->threads / s->cores / s->dies,
    };

    return p;
}

bool qmp_query_cpus_fast(Machine *m, CpuInfoFastList *ret, Error **err)
{
    lock_take(&m->lock);
    for (unsigned i = 0; i < machine_cpu_count(m); i++) {
        Vcpu *cpu = machine_cpu(m, i);
        CpuInfoFast *info = LIST_ADD(ret);

        info->cpu_index = i;
        info->qom_path = object_path(&cpu->dev.obj);
        info->thread_id = vcpu_thread_id(cpu) ?: getpid();
        info->props = g_new(CpuInstanceProperties, 1);
        *info->props = place(m, i);
        info->target = SYS_EMU_TARGET_X86_64;
    }
    lock_drop(&m->lock);
    return true;
}

bool qmp_query_hotpluggable_cpus(Machine *m, HotpluggableCPUList *ret, Error **err)
{
    unsigned there;

    lock_take(&m->lock);
    there = machine_cpu_count(m);
    for (unsigned i = there ? m->config.smp.maxcpus : 0; i-- > 0;) {
        HotpluggableCPU *cpu = LIST_ADD(ret);

        cpu->type = g_strdup(machine_cpu(m, 0)->dev.obj.class->name);
        cpu->vcpus_count = 1;
        cpu->props = place(m, i);
        cpu->qom_path = i < there ? object_path(&machine_cpu(m, i)->dev.obj) : NULL;
    }
    lock_drop(&m->lock);
    return true;
}

/* ---- what there is none of, though every management program asks ---- */

bool qmp_query_block(Machine *m, BlockInfoList *ret, Error **err)
{
    return true;
}

bool qmp_query_named_block_nodes(Machine *m, const QueryNamedBlockNodesArgs *arg,
                                 BlockDeviceInfoList *ret, Error **err)
{
    return true;
}

bool qmp_query_migrate_capabilities(Machine *m, MigrationCapabilityStatusList *ret, Error **err)
{
    MigrationCapabilityStatus *events = LIST_ADD(ret);

    events->capability = MIGRATION_CAPABILITY_EVENTS;
    events->state = monitors_of(m)->migration_events;
    return true;
}

bool qmp_migrate_set_capabilities(Machine *m, const MigrateSetCapabilitiesArgs *arg, Error **err)
{
    for (unsigned i = 0; i < arg->capabilities.n; i++) { /* there is only this one */
        monitors_of(m)->migration_events = arg->capabilities.item[i].state;
    }
    return true;
}
