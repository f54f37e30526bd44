/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DMA page registers, one of which, port 0x80, is what software writes to for a moment's delay
 * and to tell how far it has come; from the run-time library (softmmu/memory/answer.h). They are
 * bytes that only keep what is written.
 */
#include "hw/isa/i8257_rt.h"

bool dma_page_answer(void *data, const RtClock *clock, RtIo *io)
{
    uint8_t *page = (uint8_t *)data + io->offset;

    if (io->size != 1) {
        return false;
    }
    if (io->write) {
        __atomic_store_n(page, io->value, __ATOMIC_RELAXED);
    } else {
        io->value = __atomic_load_n(page, __ATOMIC_RELAXED);
    }
    return true;
}
