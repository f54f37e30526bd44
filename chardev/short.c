/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What -serial takes, said as -chardev would. Not modelled: udp, braille, real serial lines. */
#include "chardev/chardev.h"

#include <string.h>

static Opts *made(const char *backend)
{
    Opts *o = opts_new();

    opts_add(o, "backend", TEXT(backend));
    return o;
}

/* "PATH[,options]" or "HOST:PORT[,options]" */
static Opts *with_options(const char *backend, const char *first, const char *rest, Error **err)
{
    g_autofree char *text = g_strconcat(first, "=", rest, NULL);
    Opts *o = opts_parse(text, NULL, err);

    if (o) {
        opts_add(o, "backend", TEXT(backend));
    }
    return o;
}

/* HOST may be empty (all addresses of a server) and may be an IPv6 address in brackets. */
static Opts *tcp(const char *rest, bool telnet, Error **err)
{
    size_t n = strcspn(rest, ",");
    const char *colon = g_strrstr_len(rest, n, ":");
    g_autofree char *host = colon ? g_strndup(rest, colon - rest) : NULL;
    Opts *o;

    if (!colon) {
        error_set(err, "%s is not HOST:PORT", rest);
        return NULL;
    }
    if (*host == '[' && colon[-1] == ']') {
        g_autofree char *bare = g_strndup(host + 1, strlen(host) - 2);
        g_free(g_steal_pointer(&host));
        host = g_steal_pointer(&bare);
    }
    o = with_options("socket", "port", colon + 1, err);
    if (o) {
        opts_add(o, "host", TEXT(host));
        if (telnet) {
            opts_add(o, "telnet", FLAG(true));
        }
    }
    return o;
}

static Opts *simple(const char *text)
{
    static const char *const names[] = {"stdio", "null", "pty", "none"};

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!strcmp(text, names[i])) {
            return made(names[i]);
        }
    }
    return !strcmp(text, "vc") || g_str_has_prefix(text, "vc:") ? made("null") : NULL;
}

/* The text behind "prefix:", NULL if it does not begin so. */
static const char *behind(const char *text, const char *prefix)
{
    return g_str_has_prefix(text, prefix) ? text + strlen(prefix) : NULL;
}

static Opts *long_form(const char *text, Error **err)
{
    const char *rest;
    Opts *o;

    if ((rest = behind(text, "file:"))) {
        o = made("file");
        opts_add(o, "path", TEXT(rest));
    } else if ((rest = behind(text, "pipe:"))) {
        o = made("pipe");
        opts_add(o, "path", TEXT(rest));
    } else if ((rest = behind(text, "chardev:"))) {
        o = made("chardev");
        opts_add(o, "chardev", TEXT(rest));
    } else if ((rest = behind(text, "unix:"))) {
        o = with_options("socket", "path", rest, err);
    } else if ((rest = behind(text, "tcp:"))) {
        o = tcp(rest, false, err);
    } else if ((rest = behind(text, "telnet:"))) {
        o = tcp(rest, true, err);
    } else {
        error_set(err, "there is no device %s", text);
        error_hint(err, "stdio, mon:stdio, null, none, pty, file:PATH, pipe:PATH, unix:PATH,"
                        " tcp:HOST:PORT, telnet:HOST:PORT, chardev:ID or vc");
        return NULL;
    }
    return o;
}

Opts *chardev_short(const char *text, Error **err)
{
    const char *rest = behind(text, "mon:");
    Opts *o = simple(rest ?: text);

    o = o ?: long_form(rest ?: text, err);
    if (o && rest) {
        opts_add(o, "mux", FLAG(true));
        if (!strcmp(opts_text(o, "backend"), "stdio")) {
            opts_add(o, "signal", FLAG(false)); /* Ctrl-C is for the guest */
        }
    }
    return o;
}
