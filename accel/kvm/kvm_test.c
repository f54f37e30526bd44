/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be told about KVM without one: device nodes that are none, and their ways out. */
#include "accel/kvm/kvm.h"
#include "tests/lib/test.h"

#include <string.h>
#include <unistd.h>

static void refuses(const char *path, const char *why, const char *hint)
{
    Error *err = NULL;

    check(kvm_open(path, &err), -1);
    check_str(error_text(err), why);
    check(strstr(error_hint_text(err), hint) != NULL, true);
    error_free(err);
}

TEST("kvm: without a device node the module, or passing the device in, is what helps")
{
    refuses("/nonexistent/kvm", "/nonexistent/kvm: there is no such device", "modprobe kvm_intel");
    refuses("/nonexistent/kvm", "/nonexistent/kvm: there is no such device", "--device /dev/kvm");
}

TEST("kvm: a node that is another device, or a file, is not taken for KVM's")
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("kvm-XXXXXX", &path, NULL);
    g_autofree char *why = g_strdup_printf("%s: is not KVM's device", path);

    refuses("/dev/null", "/dev/null: is not KVM's device", "10:232");
    refuses(path, why, "10:232");
    close(fd);
    unlink(path);
}

static void refused(int why, const char *said, const char *hint)
{
    Error *err = NULL;

    check(kvm_refused("/dev/kvm", why, &err), -1);
    check_str(error_text(err), said);
    check(strstr(error_hint_text(err), hint) != NULL, true);
    error_free(err);
}

TEST("kvm: a node without permission names the group, a busy one the other hypervisor")
{
    refused(EACCES, "/dev/kvm: no permission", "usermod -aG kvm");
    refused(EBUSY, "/dev/kvm: busy", "another hypervisor");
}

TEST("kvm: breakpoints and watches that need more than four debug registers are refused")
{
    const uint64_t breaks[] = {0x1000, 0x2000, 0x3000};
    const DebugWatch two[] = {{0x10, 0x13, DEBUG_WRITE}, {0x21, 0x22, DEBUG_READ}};
    DebugPlan plan = {.breaks = breaks, .break_count = 3, .watches = two, .watch_count = 1};
    KvmArmed a = {0};
    Error *err = NULL;

    check(kvm_debug_translate(&plan, &a, &err), true);
    check(a.n, 4);
    check(a.d.arch.debugreg[7] >> 28 & 15, 0xd); /* writes of four bytes */
    check(a.hit[3].reason, DEBUG_WATCHED);
    plan.watch_count = 2;
    a = (KvmArmed){0};
    check(kvm_debug_translate(&plan, &a, &err), false);
    check_str(error_text(err), "KVM has four debug registers, too few for these breakpoints");
    error_free(err);
}
