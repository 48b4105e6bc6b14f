/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon: owns every part, wires them together, runs the loop. The layer that logs.
 */
#ifndef LINEAGED_DAEMON_H
#define LINEAGED_DAEMON_H

#include "daemon/config.h"

/* EX_CONFIG: the unit does not restart on it. */
#define DAEMON_EXIT_CONFIG 78

/* Records until it is told to stop. An exit status. */
int daemon_run(const struct config *config);

/* Prints what this node allows. An exit status. */
int daemon_check(const struct config *config);

#endif
