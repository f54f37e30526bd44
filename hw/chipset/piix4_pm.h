/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The power management function of the PIIX4, which the PC has beside its PIIX3. */
#pragma once
#include "hw/pci/pci.h"

/* Properties: cpu (link: who gets the SMI), smm, disable_s3, disable_s4, s4_val, smb_io_base. Pin
 * out "sci". */
extern const PciDeviceClass Piix4Pm_class;
