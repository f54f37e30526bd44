/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line that a person edits on a terminal which may be far away: bytes in, bytes out. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Edit Edit;

/* The words that may stand at the end of a line (up to the cursor), NULL-terminated and freed with
 * g_strfreev(); *from: where in it the word begins. */
typedef char **EditComplete(void *opaque, const char *line, size_t *from);

/* prompt is not copied. What is to be shown is appended to out. */
Edit *edit_new(const char *prompt, GString *out, EditComplete *complete, void *opaque);
void edit_free(Edit *e);

/* A byte from the terminal. The line when it is complete, good until the next byte; else NULL. */
const char *edit_byte(Edit *e, uint8_t byte);

/* Show the prompt and what has been typed, on a new line of the terminal. */
void edit_show(Edit *e);
