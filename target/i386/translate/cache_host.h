/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host side of the translator: memory for the code cache, mapped twice (W^X). */
#pragma once
#include "target/i386/translate/translate.h"
#include "util/error.h"

/* A cache of so many bytes of code, 1 MB to 1 GB; NULL: no memory, or the host lacks FSGSBASE or
 * BMI2. Free it when no vCPU has it any more. */
CodeCache *code_cache_new(uint64_t bytes, Error **err);
void code_cache_free(CodeCache *cache);

/* Have the host put what is full of it on huge pages. By any vCPU's thread; two at once do
 * no harm. */
void code_cache_gather(CodeCache *cache);

/* What the translator needs of the host's CPU. false: err names what is missing. */
bool code_cache_possible(Error **err);
