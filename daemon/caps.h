/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities of this process: which ones the recorder uses, what for, and what does without.
 * Reads only; the unit file and not the daemon decides which ones there are.
 */
#ifndef LINEAGED_CAPS_H
#define LINEAGED_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cap_need {
	int number;  /* bit of CapEff */
	int instead; /* a capability that serves as well, or -1 */
	bool required;
	const char *name;
	const char *purpose;
	const char *without; /* what is lost without it, where it is not required */
};

extern const struct cap_need cap_needs[];
extern const size_t cap_needs_count;

/* The effective set, from a file like /proc/self/status. 0 or a negative errno. */
int caps_read(const char *status_file, uint64_t *ret_effective);

/* Whether a set has the capability or the one that serves instead. */
bool caps_have(uint64_t effective, const struct cap_need *need);

#endif
