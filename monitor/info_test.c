/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Topics of `info` about the board, and commands that steer: on a whole PC whose CPU never runs. */
#include "hw/pc/pc.h"
#include "monitor/hmp_command.h"
#include "qapi/commands.h"
#include "tests/lib/test.h"
#include "util/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static Hmp pc_desk(void)
{
    Machine *m = machine_new_class(&machine_class_find("pc", NULL)->class);
    Error *err = NULL;

    m->config.ram_bytes = m->config.maxmem_bytes = 64 << 20;
    if (!machine_class_of(m)->build(m, &err)) {
        check_str(error_text(err), NULL);
    }
    machine_reset(m, RESET_POWER);
    return (Hmp){.m = m, .out = g_string_new("")};
}

static void desk_free(Hmp *h)
{
    g_string_free(h->out, TRUE);
    machine_free(h->m);
}

static const char *ask(Hmp *h, const char *line)
{
    g_string_truncate(h->out, 0);
    hmp_line(h, line);
    return h->out->str;
}

#define check_has(text, part) check(strstr((text), (part)) != NULL, true)

TEST("hmp: info mtree shows regions, aliases and, with -f, what an access finds")
{
    Hmp h = pc_desk();
    const char *text = ask(&h, "info mtree");

    check_has(
        text,
        "address-space: memory\n  0000000000000000-000fffffffffffff (prio 0, container): memory\n");
    check_has(text, "(prio 0, ram): alias ");
    check_has(text, "memory-region: pc.ram\n");
    text = ask(&h, "info mtree -f");
    check_has(text, "  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios\n");
    check_has(text, "  00000000fee00000-00000000fee00fff (prio 1, i/o): lapic\n");
    check_has(text, " AS \"ports\", root: ports\n");
    check_has(ask(&h, "info mtree -D"), " [disabled]\n");
    check_has(ask(&h, "info mtree x"), "Error: too many arguments: x\nmtree [-f] [-D]\n");
    desk_free(&h);
}

TEST("hmp: info roms finds the firmware")
{
    Hmp h = pc_desk();

    check_has(ask(&h, "info roms"),
              "addr=00000000fffc0000 size=0x040000 mem=rom name=\"pc.bios\"\n");
    desk_free(&h);
}

TEST("hmp: info qtree and qom-tree show every device, qtree its properties")
{
    Hmp h = pc_desk();
    size_t from;

    check_has(ask(&h, "info qtree"), "      dev: PIIX3, id \"piix3\"\n");
    check_has(h.out->str, "  dev: ioapic, id \"ioapic\"\n    port = \"/machine/msi-port\"\n"
                          "    addr = 4273995776 (0xfec00000)\n");
    check_has(ask(&h, "info qtree -b"), "  dev: ioapic, id \"ioapic\"\n  dev: ");
    check_has(ask(&h, "info qom-tree"), "\n  /machine (pc-i440fx-7.2-machine)\n");
    check_has(ask(&h, "info qom-tree /machine/i440fx/pci.0"),
              "/pci.0 (PCI)\n  /host-bridge (i440FX)\n");
    check_str(ask(&h, "info qom-tree /nowhere"), "Error: there is no object /nowhere\n");
    g_auto(GStrv) paths = hmp_complete(&h, "info qom-tree /machine/io", &from);
    check_str(paths[0], "/machine/ioapic");
    desk_free(&h);
}

TEST("hmp: info pic, ioapic, lapic and irq show controllers and what reached them")
{
    Hmp h = pc_desk();
    const char *text = ask(&h, "info pic");

    check_has(text, "  pin 23 0x0000000000010000 dest=0 vec=0   edge  masked fixed physical\n");
    check_has(text,
              "pic2: irr=00 imr=00 isr=00 hprio=0 irq_base=00 rr_sel=0 elcr=00 fnm=0 lines=00");
    check_has(ask(&h, "info ioapic"), "ioapic: ver=0x20 id=0x00 sel=0x00 at 0xfec00000\n");
    text = ask(&h, "info lapic");
    check_has(
        text,
        "dumping local APIC state for CPU 0\n\nBASE     0xfee00900 xAPIC, bootstrap processor\n");
    check_has(text, "LVTT     0x00010000 masked vec 0, one-shot\n");
    check_has(text, "IRR      (none)\n");
    check_str(ask(&h, "info lapic 7"), "Error: there is no CPU 7\n");
    ask(&h, "o 0x43 0x30"); /* the 8254's first counter: mode 0 begins low, mode 2 high */
    ask(&h, "o 0x43 0x34");
    check_str(ask(&h, "info irq"), "IRQ statistics for ioapic (ioapic):\n  2: 2 (high)\n"
                                   "IRQ statistics for pic2 (isa-i8259):\n"
                                   "IRQ statistics for pic (isa-i8259):\n  0: 2 (high)\n");
    desk_free(&h);
}

TEST("hmp: commands that steer do what QMP's do")
{
    Hmp h = pc_desk();

    check_str(ask(&h, "info status"), "VM status: paused (prelaunch)\n");
    check_str(ask(&h, "cont"), "");
    check_str(ask(&h, "info status"), "VM status: running\n");
    check_str(ask(&h, "stop"), "");
    check_str(ask(&h, "info status"), "VM status: paused\n");
    check_has(ask(&h, "system_wakeup"), "Error: the guest does not sleep");
    check_str(ask(&h, "nmi"), "");
    check(machine_cpu(h.m, 0)->events & VCPU_NMI, VCPU_NMI);
    check_has(ask(&h, "info version"), "7.2.0 (Rhea ");
    check_has(ask(&h, "info jit"), "Error: a machine without an engine has no figures");
    check_str(ask(&h, "gdbserver none"), "Disabled gdbserver\n");
    check_has(ask(&h, "gdbserver nix:"), "Error: there is no device nix:");
    check_str(ask(&h, "quit now"), "Error: too many arguments: now\nquit takes none\n");
    check_str(ask(&h, "q"), "");
    check(machine_shutdown_reason(h.m), SHUTDOWN_QUIT);
    desk_free(&h);
}

TEST("hmp: log sets exactly these items, and none when one is wrong; logfile leads them to a file")
{
    Hmp h = pc_desk();
    g_autofree char *path = g_strdup_printf("/tmp/hmp-log-%d", getpid()), *all = NULL;
    g_autofree char *line = g_strconcat("logfile ", path, NULL);

    check_has(ask(&h, "log"), "  int  ");
    check_str(ask(&h, "log int,exec"), "");
    check(log_on(LOG_INT) && log_on(LOG_EXEC), true);
    check_has(ask(&h, "log unimp,wrong"), "Error: there is no log item wrong\n");
    check(log_on(LOG_INT), true);
    ask(&h, "log unimp");
    check(log_on(LOG_INT), false);
    check_str(ask(&h, line), "");
    log_printf("here\n");
    check_str(ask(&h, "logfile"), "");
    ask(&h, "log none");
    check(log_on(~0u), false);
    check(g_file_get_contents(path, &all, NULL, NULL), true);
    check_str(all, "here\n");
    unlink(path);
    check_str(ask(&h, "trace-event pic.* on"), "");
    check_str(ask(&h, "trace-event pic.* off"), "");
    check_has(ask(&h, "trace-event pic.take maybe"), "Error: maybe is not on or off\n");
    desk_free(&h);
}

TEST("hmp: queries that QMP has, in words")
{
    Hmp h = pc_desk();

    h.m->config.name = g_strdup("guinea pig");
    check_str(ask(&h, "info name"), "guinea pig\n");
    check_str(ask(&h, "info uuid"), "00000000-0000-0000-0000-000000000000\n");
    check_str(ask(&h, "info memory_size_summary"), "base memory: 67108864\nplugged memory: 0\n");
    check_has(ask(&h, "info kvm"), "kvm support: ");
    check_has(ask(&h, "info cpus"), "* CPU #0: thread_id=");
    check_has(ask(&h, "info pci"), "  Bus  0, device   1, function 0:\n"
                                   "    ISA bridge: PCI device 8086:7000\n");
    check_has(ask(&h, "info trace-events pic.*"), "pic.take : state 0\n");
    check_has(ask(&h, "info trace-events nix"), "Error: ");
    check_str(ask(&h, "info chardev"), "");
    desk_free(&h);
}

TEST("hmp: devices and objects come, show their properties, and go")
{
    Hmp h = pc_desk();
    size_t from;

    check_str(ask(&h, "device_add pci-testdev,id=mine"), "");
    check_has(ask(&h, "info pci"), "      id \"mine\"\n");
    check_has(ask(&h, "info qtree"), "dev: pci-testdev, id \"mine\"\n");
    g_auto(GStrv) ids = hmp_complete(&h, "device_del mi", &from);
    check_str(ids[0], "mine");
    check_has(ask(&h, "device_add pci-testdv"), "did you mean pci-testdev?");
    check_str(ask(&h, "device_add"), "Error: driver is missing\n");
    check_str(ask(&h, "device_add id=x"), "Error: driver is missing\n");
    check_has(ask(&h, "device_del nix"), "Error: there is no device nix\n");
    check_str(ask(&h, "object_add memory-backend-ram,id=more,size=1M"), "");
    check_str(ask(&h, "object_add memory-backend-ram,size=1M"), "Error: id is missing\n");
    check_str(ask(&h, "qom-get /objects/more size"), "1048576\n");
    check_has(ask(&h, "qom-set /objects/more size 5"), "Error: ");
    check_str(ask(&h, "object_del more"), "");
    check_has(ask(&h, "qom-get /objects/more size"), "Error: ");
    desk_free(&h);
}
