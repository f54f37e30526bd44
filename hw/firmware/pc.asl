/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DSDT of the PC: ACPI 6.4, chapters 5, 6 and 19. Run through the C preprocessor, then iasl.
 * What depends on the configuration (\P0S ... \HPEE, CPUs, _S3, _S4) is in the SSDT that acpi.c
 * builds. Ports are those of hw/chipset/piix4_pm.c and acpi_pcihp.c.
 */
DefinitionBlock ("", "DSDT", 1, "RHEA", "RHEAPC", 1)
{
    External (\P0S, IntObj)  /* the PCI hole below 4 GB: first and last address */
    External (\P0E, IntObj)
    External (\P1R, BuffObj) /* the one above, as a resource template */
    External (\COMS, IntObj) /* serial ports, a bit each */
    External (\HPEE, IntObj) /* is there an HPET? */

    Name (\_S5, Package () { 0, 0, 0, 0 })

    Scope (\_SB)
    {
        /* ---- interrupt links: PIRQA to PIRQD of the PIIX3 ---- */

#define LINK(name, uid, reg)                                                                   \
        Device (name)                                                                          \
        {                                                                                      \
            Name (_HID, EisaId ("PNP0C0F"))                                                    \
            Name (_UID, uid)                                                                   \
            Name (_PRS, ResourceTemplate ()                                                    \
            {                                                                                  \
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 }          \
            })                                                                                 \
            Method (_STA) { Return (LSTA (\_SB.PCI0.ISA.reg)) }                                \
            Method (_DIS) { Or (\_SB.PCI0.ISA.reg, 0x80, \_SB.PCI0.ISA.reg) }                  \
            Method (_CRS) { Return (LCRS (\_SB.PCI0.ISA.reg)) }                                \
            Method (_SRS, 1)                                                                   \
            {                                                                                  \
                CreateDWordField (Arg0, 0x05, IRQN)                                            \
                Store (IRQN, \_SB.PCI0.ISA.reg)                                                \
            }                                                                                  \
        }

        Method (LSTA, 1)
        {
            If (And (Arg0, 0x80)) { Return (0x09) }
            Return (0x0B)
        }

        Method (LCRS, 1, Serialized)
        {
            Name (BUFF, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 0 }
            })
            CreateDWordField (BUFF, 0x05, IRQW)
            If (LNot (And (Arg0, 0x80))) { Store (And (Arg0, 0x0F), IRQW) }
            Return (BUFF)
        }

        LINK (LNKA, 0, PIRA)
        LINK (LNKB, 1, PIRB)
        LINK (LNKC, 2, PIRC)
        LINK (LNKD, 3, PIRD)

        /* The SCI is wired to IRQ 9. */
        Device (LNKS)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 4)
            Name (_PRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 9 }
            })
            Method (_STA) { Return (0x0B) }
            Method (_DIS) { }
            Method (_CRS) { Return (_PRS) }
            Method (_SRS, 1) { }
        }

        /* ---- the PCI bus ---- */

        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_UID, 0)

            Method (_CRS, 0, Serialized)
            {
                Name (LOW, ResourceTemplate ()
                {
                    WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                        0, 0, 0xFF, 0, 0x100)
                    IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                    WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                        0, 0, 0x0CF7, 0, 0x0CF8)
                    WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                        0, 0x0D00, 0xFFFF, 0, 0xF300)
                    DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable,
                        ReadWrite, 0, 0x000A0000, 0x000BFFFF, 0, 0x00020000)
                    DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable,
                        ReadWrite, 0, 0xE0000000, 0xFEBFFFFF, 0, 0x1EC00000, , , HOLE)
                })
                CreateDWordField (LOW, HOLE._MIN, PS32)
                CreateDWordField (LOW, HOLE._MAX, PE32)
                CreateDWordField (LOW, HOLE._LEN, PL32)
                Store (\P0S, PS32)
                Store (\P0E, PE32)
                Store (Add (Subtract (\P0E, \P0S), 1), PL32)
                Return (ConcatenateResTemplate (LOW, \P1R))
            }

            /* Slot n, pin m: link (n + m - 1) mod 4. */
#define ROUTE(slot, a, b, c, d)                                                                \
            Package () { slot, 0, a, 0 }, Package () { slot, 1, b, 0 },                        \
            Package () { slot, 2, c, 0 }, Package () { slot, 3, d, 0 }
#define ROUTE_0(slot) ROUTE (slot, LNKD, LNKA, LNKB, LNKC)
#define ROUTE_1(slot) ROUTE (slot, LNKA, LNKB, LNKC, LNKD)
#define ROUTE_2(slot) ROUTE (slot, LNKB, LNKC, LNKD, LNKA)
#define ROUTE_3(slot) ROUTE (slot, LNKC, LNKD, LNKA, LNKB)

            Name (_PRT, Package ()
            {
                ROUTE_0 (0x0000FFFF),
                ROUTE (0x0001FFFF, LNKS, LNKB, LNKC, LNKD),
                ROUTE_2 (0x0002FFFF), ROUTE_3 (0x0003FFFF), ROUTE_0 (0x0004FFFF),
                ROUTE_1 (0x0005FFFF), ROUTE_2 (0x0006FFFF), ROUTE_3 (0x0007FFFF),
                ROUTE_0 (0x0008FFFF), ROUTE_1 (0x0009FFFF), ROUTE_2 (0x000AFFFF),
                ROUTE_3 (0x000BFFFF), ROUTE_0 (0x000CFFFF), ROUTE_1 (0x000DFFFF),
                ROUTE_2 (0x000EFFFF), ROUTE_3 (0x000FFFFF), ROUTE_0 (0x0010FFFF),
                ROUTE_1 (0x0011FFFF), ROUTE_2 (0x0012FFFF), ROUTE_3 (0x0013FFFF),
                ROUTE_0 (0x0014FFFF), ROUTE_1 (0x0015FFFF), ROUTE_2 (0x0016FFFF),
                ROUTE_3 (0x0017FFFF), ROUTE_0 (0x0018FFFF), ROUTE_1 (0x0019FFFF),
                ROUTE_2 (0x001AFFFF), ROUTE_3 (0x001BFFFF), ROUTE_0 (0x001CFFFF),
                ROUTE_1 (0x001DFFFF), ROUTE_2 (0x001EFFFF), ROUTE_3 (0x001FFFFF)
            })

            /* ---- hotplug ---- */

            OperationRegion (PCST, SystemIO, 0xAE00, 0x10)
            Field (PCST, DWordAcc, NoLock, WriteAsZeros)
            {
                PCIU, 32, /* came */
                PCID, 32, /* shall go */
                B0EJ, 32
            }
            Mutex (BLCK, 0)

            Method (PCEJ, 1)
            {
                Acquire (BLCK, 0xFFFF)
                Store (ShiftLeft (1, Arg0), B0EJ)
                Release (BLCK)
            }

#define SLOT(name, number, address)                                                            \
            Device (name)                                                                      \
            {                                                                                  \
                Name (_ADR, address)                                                           \
                Name (_SUN, number)                                                            \
                Method (_EJ0, 1) { PCEJ (_SUN) }                                               \
            }
#define TELL(name, number) If (And (Arg0, ShiftLeft (1, number))) { Notify (name, Arg1) }
#define SLOTS(do)                                                                              \
            do (S02, 0x02, 0x00020000) do (S03, 0x03, 0x00030000) do (S04, 0x04, 0x00040000)   \
            do (S05, 0x05, 0x00050000) do (S06, 0x06, 0x00060000) do (S07, 0x07, 0x00070000)   \
            do (S08, 0x08, 0x00080000) do (S09, 0x09, 0x00090000) do (S0A, 0x0A, 0x000A0000)   \
            do (S0B, 0x0B, 0x000B0000) do (S0C, 0x0C, 0x000C0000) do (S0D, 0x0D, 0x000D0000)   \
            do (S0E, 0x0E, 0x000E0000) do (S0F, 0x0F, 0x000F0000) do (S10, 0x10, 0x00100000)   \
            do (S11, 0x11, 0x00110000) do (S12, 0x12, 0x00120000) do (S13, 0x13, 0x00130000)   \
            do (S14, 0x14, 0x00140000) do (S15, 0x15, 0x00150000) do (S16, 0x16, 0x00160000)   \
            do (S17, 0x17, 0x00170000) do (S18, 0x18, 0x00180000) do (S19, 0x19, 0x00190000)   \
            do (S1A, 0x1A, 0x001A0000) do (S1B, 0x1B, 0x001B0000) do (S1C, 0x1C, 0x001C0000)   \
            do (S1D, 0x1D, 0x001D0000) do (S1E, 0x1E, 0x001E0000) do (S1F, 0x1F, 0x001F0000)
#define NOTIFY(name, number, address) TELL (name, number)

            SLOTS (SLOT)

            Method (DVNT, 2) { SLOTS (NOTIFY) }

            Method (PCNT)
            {
                Acquire (BLCK, 0xFFFF)
                DVNT (PCIU, 1) /* look for a device */
                DVNT (PCID, 3) /* eject is asked for */
                Release (BLCK)
            }

            /* ---- the ISA bridge and what is behind it ---- */

            Device (ISA)
            {
                Name (_ADR, 0x00010000)
                OperationRegion (P40C, PCI_Config, 0x60, 0x04)
                Field (P40C, ByteAcc, NoLock, Preserve)
                {
                    PIRA, 8,
                    PIRB, 8,
                    PIRC, 8,
                    PIRD, 8
                }

                Device (PIC)
                {
                    Name (_HID, EisaId ("PNP0000"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x20, 0x20, 0, 2)
                        IO (Decode16, 0xA0, 0xA0, 0, 2)
                        IO (Decode16, 0x4D0, 0x4D0, 0, 2)
                        IRQNoFlags () { 2 }
                    })
                }
                Device (TMR)
                {
                    Name (_HID, EisaId ("PNP0100"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x40, 0x40, 0, 4)
                        IRQNoFlags () { 0 }
                    })
                }
                Device (DMAC)
                {
                    Name (_HID, EisaId ("PNP0200"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x00, 0x00, 0, 0x10)
                        IO (Decode16, 0x81, 0x81, 0, 0x0F)
                        IO (Decode16, 0xC0, 0xC0, 0, 0x20)
                        DMA (Compatibility, NotBusMaster, Transfer8_16) { 4 }
                    })
                }
                Device (SPKR)
                {
                    Name (_HID, EisaId ("PNP0800"))
                    Name (_CRS, ResourceTemplate () { IO (Decode16, 0x61, 0x61, 0, 1) })
                }
                Device (RTC)
                {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x70, 0x70, 1, 8)
                        IRQNoFlags () { 8 }
                    })
                }
                Device (KBD)
                {
                    Name (_HID, EisaId ("PNP0303"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x60, 0x60, 1, 1)
                        IO (Decode16, 0x64, 0x64, 1, 1)
                        IRQNoFlags () { 1 }
                    })
                }
                Device (MOU)
                {
                    Name (_HID, EisaId ("PNP0F13"))
                    Name (_CRS, ResourceTemplate () { IRQNoFlags () { 12 } })
                }
                /* Ports of the chipset that no PCI device may be given. */
                Device (CHIP)
                {
                    Name (_HID, EisaId ("PNP0A06"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x92, 0x92, 0, 1)
                        IO (Decode16, 0xB2, 0xB2, 0, 2)
                        IO (Decode16, 0x510, 0x510, 0, 0x0C)
                        IO (Decode16, 0x600, 0x600, 0, 0x40)
                        IO (Decode16, 0xAE00, 0xAE00, 0, 0x10)
                        IO (Decode16, 0xAFE0, 0xAFE0, 0, 4)
                        IO (Decode16, 0xB100, 0xB100, 0, 0x0F)
                    })
                }

#define COM(name, uid, bit, port, irq)                                                         \
                Device (name)                                                                  \
                {                                                                              \
                    Name (_HID, EisaId ("PNP0501"))                                            \
                    Name (_UID, uid)                                                           \
                    Method (_STA)                                                              \
                    {                                                                          \
                        If (And (\COMS, bit)) { Return (0x0F) }                                \
                        Return (0)                                                             \
                    }                                                                          \
                    Name (_CRS, ResourceTemplate ()                                            \
                    {                                                                          \
                        IO (Decode16, port, port, 0, 8)                                        \
                        IRQNoFlags () { irq }                                                  \
                    })                                                                         \
                }

                COM (COM1, 1, 1, 0x3F8, 4)
                COM (COM2, 2, 2, 0x2F8, 3)
                COM (COM3, 3, 4, 0x3E8, 4)
                COM (COM4, 4, 8, 0x2E8, 3)
            }

            Device (PM)
            {
                Name (_ADR, 0x00010003)
            }
        }

        Device (HPET)
        {
            Name (_HID, EisaId ("PNP0103"))
            Name (_UID, 0)
            Method (_STA)
            {
                If (\HPEE) { Return (0x0F) }
                Return (0)
            }
            Name (_CRS, ResourceTemplate () { Memory32Fixed (ReadOnly, 0xFED00000, 0x400) })
        }
    }

    Scope (\_GPE)
    {
        Name (_HID, "ACPI0006")
        Method (_E01) { \_SB.PCI0.PCNT () }
    }
}
