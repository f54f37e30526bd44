/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process around a machine: into the background, process id files. */
#include "softmmu/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void wait_for(pid_t child, int fd)
{
    char ready;
    int status;
    ssize_t n;

    do {
        n = read(fd, &ready, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 1) {
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    _exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1);
}

int daemon_begin(Error **err)
{
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC)) {
        error_errno(err, errno, "-daemonize");
        return -1;
    }
    child = fork();
    if (child < 0) {
        error_errno(err, errno, "-daemonize");
        return -1;
    }
    if (child) {
        close(ends[1]);
        wait_for(child, ends[0]);
    }
    close(ends[0]);
    setsid();
    return ends[1];
}

void daemon_ready(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (chdir("/")) {
        /* a root directory is always there */
    }
    for (int i = 0; i < 3 && null >= 0; i++) {
        dup2(null, i);
    }
    if (null > 2) {
        close(null);
    }
    while (write(fd, "", 1) < 0 && errno == EINTR) {
    }
    close(fd);
}

int pid_file_write(const char *path, Error **err)
{
    g_autofree char *text = g_strdup_printf("%d\n", getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0) {
        error_errno(err, errno, "-pidfile %s", path);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        error_set(err, "-pidfile %s: another process holds it", path);
    } else if (ftruncate(fd, 0) || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        error_errno(err, errno, "-pidfile %s", path);
    } else {
        return fd;
    }
    close(fd);
    return -1;
}
