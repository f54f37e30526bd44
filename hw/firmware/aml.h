/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Enough of an AML encoder (ACPI 6.4, chapter 20) for tables that depend on the configuration. */
#pragma once
#include <glib.h>
#include <stdint.h>

/* Name (name, value): name is a path such as "\\P0S" or "_S3_" whose segments have 4 characters. */
void aml_name_number(GByteArray *out, const char *name, uint64_t value);

/* Name (name, Package () { values... }) of small numbers. */
void aml_name_package(GByteArray *out, const char *name, const uint8_t *values, unsigned n);

/* Name (name, Buffer () { bytes... }), n below 256. */
void aml_name_buffer(GByteArray *out, const char *name, const uint8_t *bytes, unsigned n);

/* Scope (name) { inside }; inside may be NULL. */
void aml_scope(GByteArray *out, const char *name, const GByteArray *inside);

/* Processor (name, id, 0, 0) {}. */
void aml_processor(GByteArray *out, const char *name, uint8_t id);
