/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes as they stood at a time, and under whom. Pure but for looking up parents.
 *
 * The kernel gives a child to a reaper when its parent ends; what is recorded of that is the real
 * parent at each exec and at the end. Between those it is the parent at birth while that one lived,
 * and after it the next one known; where nothing is known, the nearest ancestor that was alive.
 */
#ifndef LINEAGED_CLI_MOMENT_H
#define LINEAGED_CLI_MOMENT_H

#include "cli/query.h"

/* UNKNOWN: the last that is known, instead of a time. */
struct moment {
	int64_t unix_ns;
};

bool moment_alive(const struct moment *moment, const struct process *p);
/* For forest_build(): the parent that ps would have shown; userdata is the struct moment. */
int64_t moment_reaper(const struct process *p, void *userdata);
/* Puts the image that the process had then in the place of its latest. Needs query_load_execs(). */
void moment_set_image(const struct moment *moment, struct process *p);

#endif
