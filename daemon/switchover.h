/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failed execs at the instant when one generation of programs follows another. A failed exec has no
 * identity by which what both have told could be found again. So there is an instant: the old
 * generation tells of what it saw before, the new one of what it saw from then on. Each looks at
 * the clock for itself, so a call that was on its way out just then is looked for in both.
 */
#ifndef LINEAGED_SWITCHOVER_H
#define LINEAGED_SWITCHOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/lineage_abi.h"

/* At most so long after one generation the other sees the same call. */
#define SWITCHOVER_APART_NS 5000000

/* So long both must have been attached before the instant. */
#define SWITCHOVER_TOGETHER_NS (2 * SWITCHOVER_APART_NS)

struct switchover_call {
	struct lineage_key process;
	uint64_t boot_ns;
	uint64_t pair_boot_ns; /* when the new generation saw it; 0: not yet */
};

struct switchover {
	struct switchover_call *calls; /* of the old generation, near the instant */
	size_t count, room;
};

void switchover_deinit(struct switchover *s);

/*
 * Whether the old generation tells of a call that it saw at boot_ns: 1, 0 or -ENOMEM. Both may be
 * asked again about the same call, where a transaction failed.
 */
int switchover_old(struct switchover *s, uint64_t instant_ns, const struct lineage_key *process,
		   uint64_t boot_ns);
/* Whether the new one does. All of the old ones come before. */
bool switchover_new(struct switchover *s, uint64_t instant_ns, const struct lineage_key *process,
		    uint64_t boot_ns);

#endif
