/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine without a CPU: vCPUs exist and never run; guest time stands until a test steps it.
 * The socket through which a test program does so is socket.c's.
 */
#include "accel/accel.h"

static const AccelClass QtestAccel_class = {
    .class = {"qtest-accel", "no guest code runs; a test steps the clock", &Accel_class.class,
              sizeof(Accel), .alias = "qtest"},
    .caps = ACCEL_DETERMINISTIC,
    .stepped = true,
};
CLASS(QtestAccel);
