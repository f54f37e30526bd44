/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accel/accel.h"
#include "softmmu/plan.h"
#include "softmmu/run/machine_impl.h"
#include "tests/lib/test.h"

#include <string.h>
#include <unistd.h>

/* A plan from words between blanks; the error's text goes to *why. */
static Plan *planned(const char *words, char **why)
{
    g_auto(GStrv) argv = g_strsplit(words, " ", -1);
    Plan *p = plan_new();
    Error *err = NULL;

    plan_parse(p, g_strv_length(argv), argv, &err);
    *why = *error_hint_text(err) ? g_strdup_printf("%s (%s)", error_text(err), error_hint_text(err))
                                 : g_strdup(error_text(err));
    error_free(err);
    return p;
}

static void expands(const char *words, const char *want)
{
    g_autofree char *why = NULL;
    Plan *p = planned(words, &why);
    g_autofree char *got = plan_print(p);

    check_str(why, "");
    check_str(got, want);
    plan_free(p);
}

static void refused(const char *words, const char *want)
{
    g_autofree char *why = NULL;

    plan_free(planned(words, &why));
    check_str(why, want);
}

/* What a machine makes of the words, "none" and "qtest" added; NULL: *why tells why not. */
static Machine *built(const char *words, char **why)
{
    g_autofree char *all = g_strconcat("-machine none -accel qtest ", words, NULL);
    Plan *p = planned(all, why);
    Error *err = NULL;
    Machine *m = **why ? NULL : plan_build(p, &err);

    if (err) {
        g_free(*why);
        *why = g_strdup(error_text(err));
        error_free(err);
    }
    plan_free(p);
    return m;
}

static void fails(const char *words, const char *want)
{
    g_autofree char *why = NULL;
    Machine *m = built(words, &why);

    check(m == NULL, true);
    check_str(why, want);
}

TEST("options: short forms expand to properties of the machine")
{
    expands(
        "-m 512 -smp 2,cores=2 -kernel k -append a=b,c -no-acpi",
        "-machine pc,memory.size=512M,smp.cpus=2,smp.cores=2,kernel=k,append=a=b,,c,acpi=off\n");
    expands("-M none -m size=1G,slots=2,maxmem=4G",
            "-machine none,memory.size=1G,memory.max-size=4G,memory.slots=2\n");
    expands("-boot cdn -rtc base=utc,clock=vm",
            "-machine pc,boot.order=cdn,rtc.base=utc,rtc.clock=vm\n");
}

TEST("options: -singlestep, -perfmap and -jitdump are properties of the software engine")
{
    expands("-M none -singlestep -perfmap -jitdump",
            "-machine none\n-global driver=tcg-accel,property=one-insn-per-tb,value=on\n"
            "-global driver=tcg-accel,property=perfmap,value=on\n"
            "-global driver=tcg-accel,property=jitdump,value=on\n");
}

TEST("options: devices, objects and globals are kept in order, in both syntaxes")
{
    expands(
        "-device isa-debugcon,id=a -global apic.x=1 -device {\"driver\":\"pvpanic\",\"id\":\"b\"}",
        "-machine pc\n-global driver=apic,property=x,value=1\n"
        "-device isa-debugcon,id=a\n-device pvpanic,id=b\n");
    expands("-object memory-backend-ram,id=m,size=1M",
            "-machine pc\n-object memory-backend-ram,id=m,size=1M\n");
}

TEST("options: two dashes are one")
{
    expands("--enable-kvm --m 1", "-machine pc,memory.size=1M\n-accel kvm\n");
}

TEST("options: wrong names are refused with the nearest right ones")
{
    refused("-nographics", "-nographics: there is no such option (did you mean -nographic?)");
    refused("-device isa-debugcn",
            "-device isa-debugcn: there is no device isa-debugcn (did you mean isa-debugcon? "
            "'-device help' lists them)");
    refused("-smp core=2", "-smp core=2: there is no parameter core (did you mean cores?)");
    refused("-rtc bse=utc", "-rtc bse=utc: there is no parameter bse (did you mean base?)");
}

TEST("options: a missing argument, a bad id, an id twice")
{
    refused("-m", "-m: needs [size=]SIZE[,slots=N,maxmem=SIZE]");
    refused("-chardev null", "-chardev null: id is missing");
    refused("-chardev null,id=1a",
            "-chardev null,id=1a: id=1a: wants letters, digits, - . _, and a letter first");
    refused("-chardev null,id=a -chardev null,id=a", "-chardev null,id=a: id=a: is taken already");
    refused("-device {\"id\":\"x\"}", "-device {\"id\":\"x\"}: driver is missing");
}

TEST("options: what this version lacks is refused by name")
{
    refused("-vnc :0", "-vnc :0: there is no VNC server in this version");
    refused("-usb", "-usb: there is no USB in this version");
    refused("-net user", "-net user: there is no network card in this version; only none is taken");
    refused("disk.img", "disk.img: there are no disks in this version");
}

TEST("options: none is a good answer where there is nothing")
{
    expands("-vga none -net none -nic none -monitor none -parallel none -display none"
            " -no-user-config -sandbox off -overcommit mem-lock=off",
            "-machine pc\n");
}

TEST("options: help texts come from the tables")
{
    g_autofree char *why = NULL;
    Plan *p = planned("-device isa-debugcon,help", &why);

    check(strstr(p->answer, "isa-debugcon: ") == p->answer, true);
    check(strstr(p->answer, "iobase=<number>") != NULL, true);
    plan_free(p);
    g_autofree char *all = options_help();
    check(strstr(all, "\n  -nographic\n        no display") != NULL, true);
}

static unsigned total(const char *smp, SmpTopology *t)
{
    g_autofree char *words = g_strconcat("-smp ", smp, NULL), *why = NULL;
    Plan *p = planned(words, &why);
    Machine *m = machine_new();
    Error *err = NULL;

    opts_set(p->machine_opts, (Object *)m, NULL);
    unsigned ok = machine_config_settle(machine_config(m), 255, &err);
    *t = machine_config(m)->smp;
    error_free(err);
    plan_free(p);
    machine_free(m);
    return ok;
}

TEST("smp: missing numbers follow from the others, cores before sockets before threads")
{
    SmpTopology t;

    check(total("8", &t), true);
    check(t.sockets == 1 && t.cores == 8 && t.threads == 1 && t.maxcpus == 8, true);
    check(total("8,sockets=2", &t), true);
    check(t.cores, 4);
    check(total("8,cores=2,threads=2", &t), true);
    check(t.sockets, 2);
    check(total("sockets=2,cores=3,threads=2", &t), true);
    check(t.cpus == 12 && t.maxcpus == 12, true);
    check(total("2,maxcpus=4,dies=2", &t), true);
    check(t.cpus == 2 && t.maxcpus == 4 && t.cores == 2, true);
    check(total("4,sockets=2,cores=2", &t), true);
    check(t.threads, 1);
}

TEST("options: a machine in the background has no terminal")
{
    fails("-daemonize -nographic", "-daemonize: -nographic cannot be used then");
    fails("-daemonize -serial stdio", "-daemonize: stdio cannot be used then");
}

TEST("smp: a product that does not match, too few or too many are refused")
{
    fails("-smp 3,sockets=2",
          "-smp: sockets (2) * dies (1) * cores (1) * threads (1) is not maxcpus (3)");
    fails("-smp 4,maxcpus=2", "-smp: maxcpus (2) is less than cpus (4)");
    fails("-smp 2", "-smp: this machine takes 1 CPUs, not 2");
    fails("-smp 0", "-smp: smp.cpus=0: not between 1 and 1024");
}

TEST("memory: sizes with and without units, and what slots need")
{
    fails("-m 1G,maxmem=512M", "-m: maxmem (536870912 bytes) is less than the memory (1073741824"
                               " bytes)");
    fails("-m 1G,slots=1", "-m: there are slots, but maxmem leaves nothing to plug in");
    fails("-m 1G,maxmem=2G",
          "-m: maxmem is more than the memory, but there are no slots to plug it in");
    fails("-m some", "-m: memory.size=some: wants a size, as 64K");
}

TEST("boot, rtc, uuid: bad values are refused by name")
{
    fails("-boot cc", "-boot: order=cc: c stands there twice");
    fails("-boot z", "-boot: order=z: z is no drive, they are a to p");
    fails("-boot menu=perhaps", "-boot: boot.menu=perhaps: wants one of auto, on, off");
    fails("-rtc base=soon", "-rtc: base=soon: is no date");
    fails("-rtc clock=sun", "-rtc: rtc.clock=sun: wants one of host, rt, vm");
    fails("-uuid 123", "-uuid 123: wants a UUID, as 5a1b0c9e-0001-4c5d-9e00-000000000001");
}

TEST("configuration: the board reads what the options said")
{
    g_autofree char *why = NULL;
    Machine *m = built("-m 300 -rtc base=2006-06-17T16:01:21,driftfix=slew -name guest=g,process=p"
                       " -uuid 5a1b0c9e-0001-4c5d-9e00-00000000abcd -boot order=c,strict=on"
                       " -option-rom r -L d -nodefaults -smbios type=1,serial=x",
                       &why);
    MachineConfig *c = machine_config(m);

    check_str(why, "");
    check(c->ram_bytes, 300 << 20);
    check(c->rtc.base == RTC_DATE && c->rtc.date == 1150560081 && c->rtc.slew, true);
    check_str(c->name, "g");
    check(c->uuid[0] == 0x5a && c->uuid[15] == 0xcd && c->uuid_set, true);
    check(c->boot.strict, ON);
    check_str(c->option_roms[0], "r");
    check_str(c->data_dirs[0], "d");
    check_str(c->smbios[0], "type=1,serial=x");
    check(c->serial[0] == NULL, true);
    machine_free(m);
}

TEST("start: chardevs, serial ports and objects are where QEMU has them")
{
    g_autofree char *why = NULL;
    Machine *m = built("-chardev ringbuf,id=c0 -serial chardev:c0 -serial none -serial null"
                       " -object memory-backend-ram,id=m0,size=1M -debugcon null",
                       &why);
    Object *root = object_root((Object *)m);
    MachineConfig *c = machine_config(m);

    check_str(why, "");
    check(object_at(root, "chardevs/c0") == (Object *)c->serial[0], true);
    check(c->serial[1] == NULL && c->serial[2] != NULL, true);
    check(object_at(root, "objects/m0") != NULL, true);
    check(object_at(root, "chardevs/debugcon") != NULL, true);
    check(object_at(root, "machine/peripheral-anon/device[0]") != NULL, true);
    machine_free(m);
}

TEST("start: an engine that cannot be had gives its reason, the next is taken")
{
    g_autofree char *why = NULL;
    Plan *p = planned("-machine none -accel absent -accel qtest", &why);
    Error *err = NULL;
    Machine *m = plan_build(p, &err);

    check_str(error_text(err), "");
    check_str(machine_accel(m)->obj.class->name, "qtest-accel");
    machine_free(m);
    plan_free(p);
    g_free(why);
    p = planned("-machine none,accel=absent", &why);
    check(plan_build(p, &err) == NULL, true);
    check_str(error_text(err), "no accelerator can be used: absent: /dev/absent: no permission");
    error_free(err);
    plan_free(p);
}

/* The path of a file with that text; the caller removes and frees it. */
static char *file_of(const char *text)
{
    char *path = g_strdup("/tmp/rhea-conf-XXXXXX");

    close(g_mkstemp(path));
    g_file_set_contents(path, text, -1, NULL);
    return path;
}

TEST("readconfig: groups are options, the name in quotes is an id")
{
    char *path = file_of("# comment\n[machine]\n  type = \"none\"\n\n[chardev \"c0\"]\n"
                         "  backend = \"null\"\n[memory]\n  size = \"64\"\n");
    g_autofree char *words = g_strconcat("-readconfig ", path, NULL);

    expands(words, "-machine none,memory.size=64M\n-chardev id=c0,backend=null\n");
    unlink(path);
    g_free(path);
}

TEST("readconfig: an error names file and line")
{
    char *path = file_of("[smp-opts]\n  cpus = \"2\"\nnonsense\n");
    g_autofree char *words = g_strconcat("-readconfig ", path, NULL), *why = NULL, *want = NULL;

    plan_free(planned(words, &why));
    want = g_strdup_printf("%s: line 3: nonsense is not KEY = \"VALUE\"", words);
    check_str(why, want);
    unlink(path);
    g_free(path);
}

TEST("options: -action says what a reset, switching off and a crash do; later ones count")
{
    char *argv[] = {"-no-reboot", "-action", "reboot=reset,panic=none", "-action",
                    "shutdown=pause"};
    char *wrong[] = {"-action", "panic=cry"};
    Plan *p = plan_new();
    Error *err = NULL;

    check(plan_parse(p, 5, argv, NULL), true);
    check(p->no_reboot, false);
    check(p->no_shutdown, true);
    check(p->on_panic, PANIC_NONE);
    check(plan_parse(p, 2, wrong, &err), false);
    check_str(error_text(err), "-action panic=cry: panic=cry: wants one of shutdown, pause, "
                               "exit-failure, none");
    error_free(err);
    plan_free(p);
}
