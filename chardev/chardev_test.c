/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chardev/memory.h"
#include "chardev/socket.h"
#include "softmmu/run/run.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A front end that takes as much as the test allows. */
typedef struct Ear {
    Device dev;
    Chardev *chr;
    GString *heard;
    size_t room;
    unsigned breaks, opened, drained;
} Ear;

static size_t ear_room(Ear *e)
{
    return e->room;
}

static void ear_take(Ear *e, const void *data, size_t n)
{
    g_string_append_len(e->heard, data, n);
    e->room -= n;
}

static void ear_event(Object *obj, CharEvent event)
{
    ((Ear *)obj)->breaks += event == CHAR_BREAK;
    ((Ear *)obj)->opened += event == CHAR_OPENED;
}

static void ear_drained(Object *obj)
{
    ((Ear *)obj)->drained++;
}

static bool ear_realize(Ear *e, Error **err)
{
    e->room = 1 << 20;
    e->heard = g_string_new("");
    if (!char_attach(e->chr, &e->dev, METHOD(Ear, ear_room), METHOD(Ear, ear_take))) {
        return error_set(err, "chr is in use");
    }
    char_on_event(e->chr, &e->dev, ear_event);
    char_on_drained(e->chr, &e->dev, ear_drained);
    return true;
}

static void ear_unrealize(Object *obj)
{
    char_detach(((Ear *)obj)->chr, (Device *)obj);
    g_string_free(((Ear *)obj)->heard, TRUE);
}

static const Prop ear_props[] = {PROP_LINK(Ear, chr, Chardev, "what it hears"), PROP_END};
static const DeviceClass Ear_class = {
    .class = {"ear", "listens", &Device_class.class, sizeof(Ear), ear_props},
    .realize = METHOD(Ear, ear_realize),
    .unrealize = ear_unrealize,
};

static Machine *machine(void)
{
    return board_machine(board_new());
}

static Chardev *made(Machine *m, const char *text)
{
    Error *err = NULL;
    Opts *o = opts_parse(text, "backend", &err);
    Chardev *chr;

    opts_text(o, "backend");
    chr = chardev_new(m, opts_text(o, "id"), o, &err);
    check_str(error_text(err), "");
    opts_free(o);
    return chr;
}

static Ear *ear(Machine *m, Chardev *chr)
{
    const PropValue props[] = {{"chr", LINK(chr)}, {}};

    return (Ear *)device_add(m, &Ear_class, "ear", NULL, NULL, props, NULL);
}

/* All that the event loop has to do now. */
static void turn(Machine *m)
{
    for (int i = 0; i < 1000 && g_main_context_iteration(machine_context(m), FALSE); i++) {
    }
}

static char *temporary(const char *name)
{
    g_autofree char *dir = g_dir_make_tmp("rhea-XXXXXX", NULL);

    return g_build_filename(dir, name, NULL);
}

static void remove_temporary(char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);

    unlink(path);
    rmdir(dir);
    g_free(path);
}

static int client(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(to.sun_path, path, sizeof to.sun_path);
    check(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* A server, listening at a path that the caller removes. */
static Chardev *server(Machine *m, const char *path, const char *more)
{
    g_autofree char *text = g_strdup_printf("socket,id=s,path=%s,server=on,wait=off%s", path, more);

    return made(m, text);
}

TEST("chardev: bytes wait while the front end has no room, and none is lost")
{
    Machine *m = machine();
    Chardev *chr = made(m, "null,id=c");
    Ear *e = ear(m, chr);

    e->room = 2;
    char_input(chr, "abcdef", 6);
    check_str(e->heard->str, "ab");
    check(char_waiting(chr), true);
    check(object_enter(&e->dev.obj), true);
    e->room = 3;
    char_ready(chr);
    object_leave(&e->dev.obj);
    check_str(e->heard->str, "abcde");
    check(object_enter(&e->dev.obj), true);
    e->room = 9;
    char_ready(chr);
    object_leave(&e->dev.obj);
    check_str(e->heard->str, "abcdef");
    check(char_waiting(chr), false);
}

TEST("chardev: a second front end is refused, but for a mux")
{
    Machine *m = machine();
    Chardev *plain = made(m, "null,id=c"), *mux = made(m, "null,id=d,mux=on");
    const PropValue props[] = {{"chr", LINK(plain)}, {}};
    Error *err = NULL;

    ear(m, plain);
    check(device_add(m, &Ear_class, "x", NULL, NULL, props, &err) == NULL, true);
    check_str(error_text(err), "chr is in use");
    check(ear(m, mux) && ear(m, mux), true);
    error_free(err);
}

TEST("chardev: a device that goes is not called again")
{
    Machine *m = machine();
    Chardev *chr = made(m, "null,id=c");

    device_remove(&ear(m, chr)->dev);
    char_input(chr, "x", 1);
    check(chr->fronts, 0);
    char_input(chr, "y", 1);
    check_str(ear(m, chr)->heard->str, "");
}

TEST("ringbuf: the last bytes are kept, the older ones make way")
{
    Machine *m = machine();
    Chardev *chr = made(m, "ringbuf,id=c,size=4");
    uint8_t got[8] = {0};

    char_write(chr, "abcdef", 6);
    check(ring_read((RingChardev *)chr, got, 8), 4);
    check_str((char *)got, "cdef");
    check(ring_read((RingChardev *)chr, got, 8), 0);
}

TEST("file: what is written stands in the file, and append keeps what was there")
{
    Machine *m = machine();
    char *path = temporary("out"), *text = NULL;
    g_autofree char *first = g_strconcat("file,id=a,path=", path, NULL);
    g_autofree char *second = g_strconcat("file,id=b,append=on,path=", path, NULL);

    char_write(made(m, first), "one ", 4);
    char_write(made(m, second), "two", 3);
    g_file_get_contents(path, &text, NULL, NULL);
    check_str(text, "one two");
    g_free(text);
    remove_temporary(path);
}

TEST("chardev: the log file gets what goes out, even when the host end drops it")
{
    Machine *m = machine();
    char *path = temporary("log"), *text = NULL;
    g_autofree char *spec = g_strconcat("null,id=a,logfile=", path, NULL);

    char_write(made(m, spec), "hello", 5);
    g_file_get_contents(path, &text, NULL, NULL);
    check_str(text, "hello");
    g_free(text);
    remove_temporary(path);
}

TEST("socket: a server carries bytes both ways, and takes the next client when one has gone")
{
    Machine *m = machine();
    char *path = temporary("sock"), got[8] = {0};
    Chardev *chr = server(m, path, "");
    Ear *e = ear(m, chr);

    for (int i = 0; i < 2; i++) {
        int fd = client(path);

        turn(m);
        check(write(fd, "in", 2), 2);
        turn(m);
        char_write(chr, "out", 3);
        check(read(fd, got, sizeof got), 3);
        check_str(got, "out");
        close(fd);
        turn(m);
        check(chr->open, false);
    }
    check_str(e->heard->str, "inin");
    check(e->opened, 2);
    remove_temporary(path);
}

/* Read until n bytes came or nothing more does; the loop turns meanwhile. */
static size_t drain(Machine *m, int fd, size_t n)
{
    static char sink[1 << 16];
    size_t all = 0;
    ssize_t got;

    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 10000 && all < n; i++) {
        got = read(fd, sink, sizeof sink);
        all += MAX(got, 0);
        turn(m);
    }
    return all;
}

TEST("socket: a slow reader loses nothing; the writer hears when all has gone")
{
    Machine *m = machine();
    char *path = temporary("sock");
    Chardev *chr = server(m, path, "");
    Ear *e = ear(m, chr);
    int fd = client(path);
    g_autofree char *much = g_malloc0(900000);

    turn(m);
    char_write(chr, much, 900000);
    check(char_space(chr), 0);
    check(e->drained, 0);
    check(drain(m, fd, 900000), 900000);
    check(e->drained, 1);
    check(char_space(chr), CHAR_ENOUGH);
    close(fd);
    remove_temporary(path);
}

TEST("socket: the loop stops reading while the front end has no room")
{
    Machine *m = machine();
    char *path = temporary("sock"), much[20000];
    Chardev *chr = server(m, path, "");
    Ear *e = ear(m, chr);
    int fd = client(path);

    e->room = 1;
    memset(much, 'x', sizeof much);
    check(write(fd, much, sizeof much), sizeof much);
    turn(m);
    check(chr->front[0].in->len < sizeof much, true);
    check(object_enter(&e->dev.obj), true);
    e->room = 1 << 20;
    char_ready(chr);
    object_leave(&e->dev.obj);
    turn(m);
    check(e->heard->len, sizeof much);
    close(fd);
    remove_temporary(path);
}

TEST("socket: a hangup is noticed while the front end has no room, after its last bytes are read")
{
    Machine *m = machine();
    char *path = temporary("sock");
    Chardev *chr = server(m, path, "");
    Ear *e = ear(m, chr);
    int fd = client(path);

    e->room = 0;
    turn(m);
    check(write(fd, "last", 4), 4);
    close(fd);
    turn(m);
    check(object_enter(&e->dev.obj), true);
    e->room = 4;
    char_ready(chr);
    object_leave(&e->dev.obj);
    turn(m);
    check_str(e->heard->str, "last");
    check(chr->open, false);
    remove_temporary(path);
}

TEST("socket: telnet commands are taken out, a break is one, 0xff is doubled on its way out")
{
    Machine *m = machine();
    char *path = temporary("sock");
    Chardev *chr = server(m, path, ",telnet=on");
    Ear *e = ear(m, chr);
    int fd = client(path);
    uint8_t got[32];

    turn(m);
    check(read(fd, got, sizeof got), 12); /* the greeting */
    check(write(fd,
                "a\xff\xfb\x01"
                "b\xff\xff"
                "c\xff\xfa\x18\x01\xff\xf0"
                "d\xff\xf3",
                18),
          18);
    turn(m);
    check_str(e->heard->str, "ab\xff"
                             "cd");
    check(e->breaks, 1);
    char_write(chr, "x\xffy", 3);
    check(read(fd, got, sizeof got), 4);
    check(memcmp(got, "x\xff\xffy", 4), 0);
    close(fd);
    remove_temporary(path);
}

TEST("socket: a client with reconnect comes back; without, a missing server is an error")
{
    Machine *m = machine();
    char *path = temporary("sock");
    g_autofree char *text = g_strdup_printf("socket,id=c,path=%s,reconnect=1", path);
    Chardev *chr = made(m, text);
    Opts *o = opts_parse("socket,path=/nowhere/x", "backend", NULL);
    Error *err = NULL;

    check(chr->open, false);
    opts_text(o, "backend");
    check(chardev_new(m, "d", o, &err) == NULL, true);
    check_str(error_text(err), "path=/nowhere/x: No such file or directory");
    check(object_child(chr->obj.parent, "d") == NULL, true);
    opts_free(o);
    error_free(err);
    remove_temporary(path);
}

TEST("socket: a passed descriptor is a connection, or a listener with server=on")
{
    Machine *m = machine();
    int pair[2];
    char got[4] = {0};

    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    g_autofree char *text = g_strdup_printf("socket,id=c,fd=%d", pair[0]);
    Chardev *chr = made(m, text);
    Ear *e = ear(m, chr);
    check(write(pair[1], "hi", 2), 2);
    turn(m);
    char_write(chr, "yo", 2);
    check(read(pair[1], got, 4), 2);
    check_str(e->heard->str, "hi");
    close(pair[1]);
}

TEST("pipe: a pair of FIFOs carries both directions")
{
    Machine *m = machine();
    char *path = temporary("p"), got[4] = {0};
    g_autofree char *in = g_strconcat(path, ".in", NULL), *out = g_strconcat(path, ".out", NULL);
    g_autofree char *text = g_strconcat("pipe,id=p,path=", path, NULL);

    check(mkfifo(in, 0600) | mkfifo(out, 0600), 0);
    Chardev *chr = made(m, text);
    Ear *e = ear(m, chr);
    int to = open(in, O_WRONLY), from = open(out, O_RDONLY | O_NONBLOCK);
    check(write(to, "in", 2), 2);
    turn(m);
    check_str(e->heard->str, "in");
    char_write(chr, "out", 3);
    check(read(from, got, 4), 3);
    close(to);
    close(from);
    unlink(in);
    unlink(out);
    remove_temporary(path);
}

/* The name that a pty chardev announces, from the link that the kernel keeps. */
static int open_slave(Chardev *chr)
{
    Value v;
    int fd;

    check(prop_get(&chr->obj, "path", &v, NULL), true);
    fd = open(v.text, O_RDWR | O_NOCTTY);
    value_clear(&v);
    return fd;
}

/* The loop looks for somebody on the other side now and then. */
static void until_open(Machine *m, Chardev *chr, bool open)
{
    while (chr->open != open) {
        g_main_context_iteration(machine_context(m), TRUE);
    }
}

TEST("pty: bytes pass both ways while somebody has it open, and again with the next")
{
    Machine *m = machine();
    Chardev *chr = made(m, "pty,id=c");
    Ear *e = ear(m, chr);
    char got[4];

    for (int i = 0; i < 2; i++) {
        int fd = open_slave(chr);

        until_open(m, chr, true);
        check(write(fd, "in", 2), 2);
        turn(m);
        char_write(chr, "out", 3);
        check(read(fd, got, 4), 3);
        close(fd);
        until_open(m, chr, false);
    }
    check_str(e->heard->str, "inin");
}

TEST("mux: Ctrl-A c turns to the next front end, Ctrl-A Ctrl-A is itself, Ctrl-A b a break")
{
    Machine *m = machine();
    Chardev *chr = made(m, "ringbuf,id=c,mux=on");
    Ear *a = ear(m, chr), *b = ear(m, chr);

    char_input(chr,
               "one\x01"
               "ctwo\x01\x01",
               10);
    char_input(chr, "\x01", 1);
    char_input(chr, "b", 1);
    check_str(a->heard->str, "one");
    check_str(b->heard->str, "two\x01");
    check(a->breaks, 0);
    check(b->breaks, 1);
}

TEST("mux: bytes for a front end that has lost the focus still reach it")
{
    Machine *m = machine();
    Chardev *chr = made(m, "ringbuf,id=c,mux=on");
    Ear *a = ear(m, chr), *b = ear(m, chr);

    a->room = 1;
    char_input(chr,
               "one\x01"
               "ctwo",
               8);
    check_str(b->heard->str, "two");
    check(object_enter(&a->dev.obj), true);
    a->room = 9;
    char_ready(chr);
    object_leave(&a->dev.obj);
    check_str(a->heard->str, "one");
}

static char *shown(Chardev *chr)
{
    char *text = g_malloc0(4096);

    ring_read((RingChardev *)chr, (uint8_t *)text, 4095);
    return text;
}

TEST("mux: Ctrl-A h explains, Ctrl-A x ends the machine with status 0")
{
    Machine *m = machine();
    Chardev *chr = made(m, "ringbuf,id=c,mux=on");

    ear(m, chr);
    char_input(chr, "\x01h\x01x", 4);
    g_autofree char *text = shown(chr);
    check(strstr(text, "Ctrl-A x    end the machine") != NULL, true);
    check(strstr(text, "rhea: terminated") != NULL, true);
    check(machine_shutdown_reason(m), SHUTDOWN_QUIT);
}

TEST("mux: Ctrl-A t puts the time before each line")
{
    Machine *m = machine();
    Chardev *chr = made(m, "ringbuf,id=c,mux=on");
    int h, mi, s, ms, n = 0;

    ear(m, chr);
    char_input(chr, "\x01t", 2);
    char_write(chr, "one", 3);
    char_write(chr, " two\nthree", 10);
    g_autofree char *text = shown(chr);
    check(sscanf(text, "[%d:%d:%d.%d] one two\n[%d:%d:%d.%d] three%n", &h, &mi, &s, &ms, &h, &mi,
                 &s, &ms, &n),
          8);
    check(n > 0, true);
}

static void becomes(const char *text, const char *want)
{
    Error *err = NULL;
    Opts *o = chardev_short(text, &err);
    g_autofree char *got = o ? opts_print(o, NULL) : g_strdup(error_text(err));

    check_str(got, want);
    opts_free(o);
    error_free(err);
}

TEST("serial: short forms are -chardev in fewer words")
{
    becomes("stdio", "backend=stdio");
    becomes("mon:stdio", "backend=stdio,mux=on,signal=off");
    becomes("file:/a,b", "backend=file,path=/a,,b");
    becomes("unix:/s,server=on,wait=off", "path=/s,server=on,wait=off,backend=socket");
    becomes("tcp:h:1,server,nowait", "port=1,server=on,wait=off,backend=socket,host=h");
    becomes("telnet:[::1]:23", "port=23,backend=socket,host=::1,telnet=on");
    becomes("chardev:c0", "backend=chardev,chardev=c0");
    becomes("vc", "backend=null");
    becomes("tcp:23", "23 is not HOST:PORT");
    becomes("stdoi", "there is no device stdoi");
}

enum { MANY = 100000 };

/* What a vCPU does: reads what came, makes room, writes. */
static void *work(void *opaque)
{
    Ear *e = opaque;

    for (bool more = true; more;) {
        check(object_enter(&e->dev.obj), true);
        e->room = 16;
        char_ready(e->chr);
        char_write(e->chr, "o", char_space(e->chr) > 0);
        more = e->heard->len < MANY;
        object_leave(&e->dev.obj);
    }
    return NULL;
}

TEST("threads: a chardev carries bytes both ways while its device works on another thread")
{
    Machine *m = machine();
    char *path = temporary("sock");
    Chardev *chr = server(m, path, "");
    Ear *e = ear(m, chr);
    int fd = client(path);
    size_t sent = 0, got = 0;
    static char data[4096];
    pthread_t thread;

    fcntl(fd, F_SETFL, O_NONBLOCK);
    e->room = 0;
    turn(m);
    check(pthread_create(&thread, NULL, work, e), 0);
    for (bool more = true; more;) {
        ssize_t n = write(fd, data, MIN(sizeof data, MANY - sent));
        sent += MAX(n, 0);
        n = read(fd, data, sizeof data);
        got += MAX(n, 0);
        turn(m);
        lock_take(machine_lock(m));
        more = e->heard->len < MANY;
        lock_drop(machine_lock(m));
    }
    pthread_join(thread, NULL);
    ssize_t rest = read(fd, data, sizeof data);
    got += MAX(rest, 0);
    check(e->heard->len, MANY);
    check(got > 0, true);
    close(fd);
    remove_temporary(path);
}
