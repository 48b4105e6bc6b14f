/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wall clock = boot time + offset. Both clocks are slewed together by the kernel, and boot time
 * counts while suspended, so the offset only changes when somebody steps the clock: each such step
 * is told once and recorded, and old rows keep the offset of their time.
 */
#ifndef LINEAGED_CLOCK_H
#define LINEAGED_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Smaller steps than this are not recorded: reading two clocks one after another is no better. */
#define CLOCK_STEP_NS 1000000LL

struct clock_state {
	int64_t offset_ns;
	bool known;
};

uint64_t clock_boot_ns(void);
uint64_t clock_monotonic_ns(void);
/* Of the processor, by this thread. */
uint64_t clock_cpu_ns(void);

/* CLOCK_REALTIME - CLOCK_BOOTTIME, now. */
int64_t clock_read_offset(void);

/* Whether clock_stepped() would say so now. */
bool clock_would_step(const struct clock_state *clock);

/* True if the offset is new or has been stepped; it is then in clock->offset_ns. */
bool clock_stepped(struct clock_state *clock, int64_t offset_ns);

#endif
