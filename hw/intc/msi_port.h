/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "accel/accel.h"
#include "hw/core/regs.h"

/* Where interrupt messages arrive and find their local APICs. */
typedef struct MsiPort MsiPort;
typedef struct Lapic Lapic;
extern const DeviceClass MsiPort_class;

/* How the receiver is to take a message: SDM volume 3, 11.6.1, and the data word of an MSI. */
typedef enum {
    DELIVER_FIXED,
    DELIVER_LOWEST,
    DELIVER_SMI,
    DELIVER_RESERVED,
    DELIVER_NMI,
    DELIVER_INIT,
    DELIVER_STARTUP,
    DELIVER_EXTINT,
} Delivery;

typedef struct ApicMessage {
    uint32_t dest; /* a physical ID, or logical: as the receiver's mode reads it */
    uint8_t vector, mode;
    bool logical, broadcast, lowest, level;
} ApicMessage;

/* A message as a device writes it; under the machine's lock. One that nobody takes is lost. */
void msi_send(MsiPort *port, MsiMessage message);

/* To everyone whom it names but `except` (NULL: no exception); how many there were. */
unsigned msi_port_deliver(MsiPort *port, const ApicMessage *message, const Lapic *except);

void msi_port_join(MsiPort *port, Lapic *lapic);
void msi_port_leave(MsiPort *port, Lapic *lapic);

/* Whoever holds level-triggered inputs: told of each vector whose service has ended. */
typedef struct EoiSink {
    Object *owner;
    void (*ended)(Object *owner, uint8_t vector);
    struct EoiSink *next;
} EoiSink;

void msi_port_listen(MsiPort *port, EoiSink *sink);
void msi_port_unlisten(MsiPort *port, EoiSink *sink);
void msi_port_eoi(MsiPort *port, uint8_t vector);
