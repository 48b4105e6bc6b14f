/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs of the BPF programs that the kernel left out, and how many events that has cost. Where each
 * program has a spare one behind it (bpf/README.md, "Spare programs"), most of these runs cost
 * nothing; only the kernel's counts tell, and they do not say which runs belong together. So what
 * is lost is bounded from above, between one look and the next. Does not read the kernel's counts
 * (probe_misses()) nor write gaps (recover_count_misses()).
 */
#ifndef LINEAGED_MISSES_H
#define LINEAGED_MISSES_H

#include <stdint.h>

#include "daemon/probe.h"

struct misses {
	uint32_t program; /* which generation; 0: to be read from the database */
	uint64_t boot_ns; /* of the last look */
	struct probe_misses seen;
	/* Of what is unsent: since the look before, and not counted as lost. */
	uint64_t unpaired[PROBE_PAIRS];
	uint64_t lost; /* in all */
};

/* The events lost since the last look: at most so many. */
uint64_t misses_count(struct misses *m, const struct probe_misses *now);

#endif
