/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DMA page registers for answers without the device; plain C. */
#pragma once
#include "softmmu/memory/answer.h"

/* data: the registers, a byte each. */
RtAnswer dma_page_answer;
