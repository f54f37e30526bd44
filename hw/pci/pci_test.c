/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/pci/pci.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <string.h>

/* A function with one BAR of each kind; writing its only register raises cause and message. */
typedef struct Card {
    PciDevice pci;
    Region io, mem, big;
    RegBank bank;
    uint8_t cause, messages;
} Card;

enum { FIRE = 0, MSI = 0x40, MSIX = 0x58, BAR = 0xe0000000, MAILBOX = 0x2000 };
enum { TABLE = 0x800, PENDING = 0xc00 };

static void fire(Card *c, RegWrite w)
{
    pci_msi(&c->pci, w.raw >> 4);
}

static const Reg card_regs[] = {
    REG(Card, FIRE, cause, .writable = 0x01, .wrote = METHOD(Card, fire)),
    REG_END,
};

static void card_settle(Card *c)
{
    pci_irq(&c->pci, c->cause);
}

static bool card_realize(Card *c, Error **err)
{
    regs_init(&c->bank, &c->pci.dev, "card", card_regs, 0x10);
    region_init(&c->io, &c->pci.dev.obj, "io", 0x20);
    region_init(&c->mem, &c->pci.dev.obj, "mem", 0x1000);
    region_init(&c->big, &c->pci.dev.obj, "big", 1ull << 32);
    region_map(&c->mem, 0, &c->bank.region, 0);
    pci_bar(&c->pci, 0, BAR_MEM32, &c->mem);
    pci_bar(&c->pci, 1, BAR_IO, &c->io);
    pci_bar(&c->pci, 2, BAR_MEM64 | BAR_PREFETCH, &c->big);
    return pci_msix(&c->pci, 3, 0, &c->mem, TABLE, PENDING, err);
}

static const StateField card_state[] = {
    STATE(Card, messages),
    STATE_SKIP(Card, io, "config"),
    STATE_SKIP(Card, mem, "config"),
    STATE_SKIP(Card, big, "config"),
    STATE_END,
};
static const PciDeviceClass Card_class = {
    .device = {.class = {"test-card", "PCI function of the tests", &PciDevice_class.device.class,
                         sizeof(Card)},
               .state = card_state,
               .realize = METHOD(Card, card_realize),
               .settle = METHOD(Card, card_settle)},
    .vendor = 0x1234,
    .id = 0x5678,
    .class_code = 0x020000,
    .intx_pin = 1,
    .msi_vectors = 4,
};
CLASS(Card);

static void put(Board *b, unsigned at, uint32_t v, unsigned size)
{
    pci_config_write(board_pci(b), 0, at, v, size);
}

static uint32_t get(Board *b, unsigned at, unsigned size)
{
    return pci_config_read(board_pci(b), 0, at, size);
}

static Board *card(void)
{
    Board *b = board_new();
    Device *dev = board_add(b, &Card_class, NULL, NULL);

    board_watch(b, dev, "intx", 0);
    put(b, PCI_BAR0, BAR, 4);
    put(b, PCI_COMMAND, PCI_CMD_MEM | PCI_CMD_MASTER, 2);
    return b;
}

TEST("pci: a BAR that is written with ones tells its size and kind")
{
    Board *b = card();

    for (int n = 0; n < 4; n++) {
        put(b, PCI_BAR0 + 4 * n, ~0u, 4);
    }
    check(get(b, PCI_BAR0, 4), 0xfffff000);
    check(get(b, PCI_BAR0 + 4, 4), 0xffffffe1);
    check(get(b, PCI_BAR0 + 8, 4), 0x0000000c);
    check(get(b, PCI_BAR0 + 12, 4), 0xffffffff);
    check(get(b, PCI_BAR0 + 16, 4), 0);
}

TEST("pci: a BAR answers only while it has an address and its space is enabled")
{
    Board *b = card();

    check(mem_get(b, BAR, 1), 0);
    put(b, PCI_COMMAND, 0, 2);
    check(mem_get(b, BAR, 1), 0xff);
    put(b, PCI_COMMAND, PCI_CMD_MEM, 2);
    put(b, PCI_BAR0, ~0u, 4); /* sizing does not cover the firmware at the top */
    check(mem_get(b, 0xfffff000, 1), 0xff);
}

TEST("pci: identity, subsystem and read-only fields do not change")
{
    Board *b = card();

    put(b, 0, 0, 4);
    put(b, PCI_CLASS, 0, 4);
    put(b, PCI_PIN, 0, 1);
    check(get(b, 0, 4), 0x56781234);
    check(get(b, PCI_CLASS, 4), 0x02000000);
    check(get(b, PCI_SUBSYSTEM, 4), 0x11001af4);
    check(get(b, PCI_PIN, 1), 1);
}

TEST("pci: an empty slot and an access beyond the end read as ones")
{
    Board *b = card();

    check(pci_config_read(board_pci(b), 0x80, 0, 4), 0xffffffff);
    check(pci_config_read(board_pci(b), 0x80, 0, 1), 0xff);
    check(get(b, 254, 4), 0xffffffff);
}

TEST("pci: INTx follows the cause; the command register can hold it back, not hide it")
{
    Board *b = card();

    mem_put(b, BAR + FIRE, 1, 1);
    check(irq_seen(b, 0), 1);
    check(get(b, PCI_STATUS, 1) & 8, 8);
    put(b, PCI_COMMAND, PCI_CMD_MEM | PCI_CMD_INTX_OFF, 2);
    check(irq_seen(b, 0), 0);
    check(get(b, PCI_STATUS, 1) & 8, 8);
}

TEST("pci: an MSI is a write of its data and vector; a masked one waits")
{
    Board *b = card();

    put(b, MSI + 4, MAILBOX, 4);
    put(b, MSI + 12, 0x41f0, 2);
    put(b, MSI + 2, 0x21, 2);
    mem_put(b, BAR + FIRE, 0x31, 1);
    check(mem_get(b, MAILBOX, 4), 0x41f3);
    check(irq_seen(b, 0), 0);
    put(b, MSI + 16, 2, 4);
    mem_put(b, BAR + FIRE, 0x10, 1);
    check(mem_get(b, MAILBOX, 4), 0x41f3);
    check(get(b, MSI + 20, 4), 2);
    put(b, MSI + 16, 0, 4);
    check(mem_get(b, MAILBOX, 4), 0x41f1);
    check(get(b, MSI + 20, 4), 0);
}

TEST("pci: MSI-X vectors start masked, become pending and go out when unmasked")
{
    Board *b = card();
    uint64_t entry = BAR + TABLE + 2 * 16;

    put(b, MSIX + 2, 0x8000, 2);
    check(get(b, MSIX + 2, 2), 0x8002);
    mem_put(b, entry, MAILBOX, 8);
    mem_put(b, entry + 8, 0xabcd, 4);
    mem_put(b, BAR + FIRE, 0x20, 1);
    check(mem_get(b, BAR + PENDING, 8), 4);
    mem_put(b, entry + 12, 0, 4);
    check(mem_get(b, MAILBOX, 4), 0xabcd);
    check(mem_get(b, BAR + PENDING, 8), 0);
    mem_put(b, BAR + FIRE, 0x30, 1); /* there is no vector 3 */
}

TEST("pci: without Bus Master Enable a message reaches nothing")
{
    Board *b = card();

    put(b, PCI_COMMAND, PCI_CMD_MEM, 2);
    put(b, MSI + 4, MAILBOX, 4);
    put(b, MSI + 12, 0x41, 2);
    put(b, MSI + 2, 1, 2);
    mem_put(b, BAR + FIRE, 1, 1);
    check(mem_get(b, MAILBOX, 4), 0);
}

static Device *at(Board *b, const char *name, const char *addr, bool multi, Error **err)
{
    return device_add(board_machine(b), &Card_class, name, &board_pci(b)->bus, addr,
                      (PropValue[]){{"multifunction", FLAG(multi)}, {}}, err);
}

static void refused(Board *b, const char *addr, const char *why)
{
    Error *err = NULL;

    check(at(b, "refused", addr, false, &err) == NULL, true);
    check_str(error_text(err), why);
    error_free(err);
}

TEST("pci: addresses are slot.function; what is taken or wrong is refused by name")
{
    Board *b = board_new();

    at(b, "one", "3", false, NULL);
    at(b, "two", "04.0", true, NULL);
    check(at(b, "three", "4.7", false, NULL) != NULL, true);
    refused(b, "03.0", "addr 03.0 is taken by one");
    refused(b, "03.1", "slot 3 has no further functions");
    refused(b, "20", "addr 20 is not a slot (0 to 1f) or slot.function");
    refused(b, "5.8", "addr 5.8 is not a slot (0 to 1f) or slot.function");
    refused(b, "-1", "addr -1 is not a slot (0 to 1f) or slot.function");
}

TEST("pci: a missing romfile is named")
{
    Board *b = board_new();
    Error *err = NULL;

    check(board_add(b, &Card_class, &err, "romfile", TEXT("/nonexistent"), NULL) == NULL, true);
    check(strstr(error_text(err), "romfile /nonexistent: ") != NULL, true);
    error_free(err);
}
