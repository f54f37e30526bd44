/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debian's programs as workloads, and our own 32-bit program. The checksum is one of what they
 * print.
 */
#include "program.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_BYTES = 256 << 10, STDOUT, STDERR };

/* Starts a program with its standard output (or error) in a pipe; returns the pipe. */
static int start(char *const *argv, int which, pid_t *child)
{
    int out[2], null = open("/dev/null", O_RDWR);

    if (pipe(out)) {
        return -1;
    }
    *child = fork();
    if (*child == 0) {
        dup2(null, 0);
        dup2(which == STDOUT ? out[1] : null, 1);
        dup2(which == STDERR ? out[1] : null, 2);
        close(out[0]);
        close(out[1]);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(out[1]);
    close(null);
    return out[0];
}

/* Runs a program to its end; a hash of its output, or FAILED. */
static uint64_t output_of(char *const *argv)
{
    uint8_t buffer[4096];
    uint64_t hash = 14695981039346656037u;
    int status = 1, out;
    ssize_t got;
    pid_t child;

    out = start(argv, STDOUT, &child);
    while (out >= 0 && (got = read(out, buffer, sizeof(buffer))) > 0) {
        for (ssize_t n = 0; n < got; n++) {
            hash = (hash ^ buffer[n]) * 1099511628211u;
        }
    }
    close(out);
    waitpid(child, &status, 0);
    return status ? FAILED : hash;
}

static uint64_t repeat(uint64_t count, char *const *argv)
{
    uint64_t hash = 0;

    for (uint64_t n = 0; n < count; n++) {
        hash = output_of(argv);
    }
    return hash;
}

#define PROGRAM(name, ...)                                   \
    static uint64_t name(uint8_t *arena, uint64_t count)     \
    {                                                        \
        return repeat(count, (char *[]){__VA_ARGS__, NULL}); \
    }

/* clang-format off */
PROGRAM(xz, "/usr/bin/xz", "-T1", "-6c", "text")
PROGRAM(unxz, "/usr/bin/xz", "-T1", "-dc", "text.xz")
PROGRAM(gzip, "/usr/bin/gzip", "-nc", "text")
PROGRAM(gunzip, "/usr/bin/gzip", "-dc", "text.gz")
PROGRAM(python_start, "/usr/bin/python3.11", "-S", "-E", "-c", "print(6 * 7)")
PROGRAM(python_work, "/usr/bin/python3.11", "-S", "-E", "work.py")
PROGRAM(sqlite, "/usr/bin/sqlite3", ":memory:", ".read work.sql")
PROGRAM(commands, "/bin/busybox", "sh", "work.sh")
PROGRAM(openssl_start, "/usr/bin/openssl", "dgst", "-sha256", "text")
/* clang-format on */

static const char python[] =
    "import json, re\n"
    "words = open('text').read(40000).split()\n"
    "counts = {}\n"
    "for word in words:\n"
    "    counts[word] = counts.get(word, 0) + 1\n"
    "top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:50]\n"
    "text = json.dumps(dict(top))\n"
    "print(len(re.findall(r'[aeiou]+', text)), sum(json.loads(text).values()))\n"
    "class Point:\n"
    "    def __init__(self, x):\n"
    "        self.x = x\n"
    "    def moved(self, by):\n"
    "        return Point((self.x * 31 + by) % 1000003)\n"
    "point = Point(1)\n"
    "for n in range(20000):\n"
    "    point = point.moved(n)\n"
    "print(point.x, ' '.join(f'{n:x}' for n in range(3000))[-20:])\n";

static const char sql[] =
    "create table t(id integer primary key, name text, value integer);\n"
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)\n"
    "insert into t select i, 'name' || (i * 7919 % 1000), i * 31 % 977 from n;\n"
    "create index names on t(name);\n"
    "select name, count(*), sum(value) from t group by name order by sum(value) desc limit 10;\n"
    "update t set value = value + 1 where name like 'name1%';\n"
    "select sum(a.value * b.value) from t a join t b on a.name = b.name where a.id < 500;\n";

static const char script[] =
    "PATH=/bin:/usr/bin; bb=/bin/busybox\n"
    "for n in 1 2 3; do\n"
    "$bb head -n 200 text | $bb sort | $bb uniq -c | $bb tail -n 2\n"
    "$bb sed -n 's/a/b/gp' text | $bb wc -l\n"
    "$bb awk '{ n += NF } END { print n }' text\n"
    "$bb grep -c e text; $bb cut -d' ' -f2 text | $bb md5sum\n"
    "$bb ls / >/dev/null; $bb date >/dev/null; $bb uname; $bb expr 6 \\* 7; $bb basename /a/b\n"
    "$bb mkdir -p d; $bb touch d/f; $bb cp text d/g; $bb rm -r d; $bb cat text | $bb tr a-z A-Z | "
    "$bb head -c 20\n"
    "done\n";

static void write_file(const char *name, const void *from, size_t bytes)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd < 0 || write(fd, from, bytes) != (ssize_t)bytes) {
        perror(name);
    }
    close(fd);
}

void programs_prepare(const char *folder)
{
    uint8_t *text = malloc(TEXT_BYTES);

    if (!text || chdir(folder)) {
        perror(folder);
        return;
    }
    fill_text(text, TEXT_BYTES);
    write_file("text", text, TEXT_BYTES);
    write_file("work.py", python, sizeof(python) - 1);
    write_file("work.sql", sql, sizeof(sql) - 1);
    write_file("work.sh", script, sizeof(script) - 1);
    free(text);
}

static uint64_t openssl_speed(uint64_t *count, char *what)
{
    char *argv[] = {"/usr/bin/openssl", "speed", "-mr",  "-elapsed", "-seconds", "1",
                    "-bytes",           "8192",  "-evp", what,       NULL};
    char text[4096];
    size_t length = 0;
    double seconds = 0;
    unsigned long pieces = 0;
    ssize_t got;
    pid_t child;
    int out = start(argv, STDERR, &child);

    while (length < sizeof(text) - 1 &&
           (got = read(out, text + length, sizeof(text) - 1 - length)) > 0) {
        length += (size_t)got;
    }
    close(out);
    waitpid(child, NULL, 0);
    text[length] = 0;
    for (char *at = strstr(text, "+R:"); at; at = strstr(at + 3, "+R:")) {
        if (sscanf(at, "+R:%lu:%*[^:]:%lf", &pieces, &seconds) == 2) {
            break;
        }
    }
    *count = pieces;
    return (uint64_t)(seconds * 1e9);
}

static uint64_t aes(uint64_t *count)
{
    return openssl_speed(count, "aes-128-cbc");
}

static uint64_t sha(uint64_t *count)
{
    return openssl_speed(count, "sha256");
}

static char *number(char *buffer, uint64_t value)
{
    snprintf(buffer, 24, "%llu", (unsigned long long)value);
    return buffer;
}

/* Our 32-bit program prints its own checksum. */
#define BITS32(name, what)                                                            \
    static uint64_t name(uint8_t *arena, uint64_t count)                              \
    {                                                                                 \
        char digits[24];                                                              \
                                                                                      \
        return output_of((char *[]){"./bench32", what, number(digits, count), NULL}); \
    }
/* clang-format off */
BITS32(collatz32, "collatz")
BITS32(crc32_32, "crc32")
BITS32(sort32, "sort")
BITS32(hash32, "hash")
BITS32(bignum32, "bignum")
BITS32(switch32, "interp-switch")
BITS32(virtual32, "virtual-calls")
BITS32(fib32, "fib")
BITS32(segments, "segments")

const Workload program_workloads[] = {
    {"int-steady", "xz", xz},
    {"int-steady", "unxz", unxz},
    {"int-steady", "gzip", gzip},
    {"int-steady", "gunzip", gunzip},
    {"int-short", "python-start", python_start},
    {"int-short", "python-work", python_work},
    {"int-short", "sqlite", sqlite},
    {"int-short", "commands", commands},
    {"int-short", "openssl-start", openssl_start},
    {"simd", "openssl-aes", NULL, NULL, NEED_NOTHING, aes},
    {"simd", "openssl-sha", NULL, NULL, NEED_NOTHING, sha},
    {0},
};

const Workload bits32_workloads[] = {
    {"32-bit", "collatz", collatz32},
    {"32-bit", "crc32", crc32_32},
    {"32-bit", "sort", sort32},
    {"32-bit", "hash", hash32},
    {"32-bit", "bignum", bignum32},
    {"32-bit", "interp-switch", switch32},
    {"32-bit", "virtual-calls", virtual32},
    {"32-bit", "fib", fib32},
    {"32-bit", "segments", segments},
    {0},
};
/* clang-format on */
