/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

uint64_t clock_boot_ns(void)
{
	return (uint64_t)read_ns(CLOCK_BOOTTIME);
}

uint64_t clock_monotonic_ns(void)
{
	return (uint64_t)read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_cpu_ns(void)
{
	return (uint64_t)read_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_read_offset(void)
{
	int64_t best = 0, width = INT64_MAX;

	/* The narrowest of a few brackets: being preempted between the reads only widens one. */
	for (int i = 0; i < 3; i++) {
		int64_t before = read_ns(CLOCK_BOOTTIME);
		int64_t wall = read_ns(CLOCK_REALTIME);
		int64_t after = read_ns(CLOCK_BOOTTIME);

		if (after - before < width) {
			width = after - before;
			best = wall - before - width / 2;
		}
	}
	return best;
}

bool clock_stepped(struct clock_state *clock, int64_t offset_ns)
{
	int64_t step = offset_ns - clock->offset_ns;

	if (clock->known && step < CLOCK_STEP_NS && step > -CLOCK_STEP_NS)
		return false;
	clock->known = true;
	clock->offset_ns = offset_ns;
	return true;
}

bool clock_would_step(const struct clock_state *clock)
{
	struct clock_state copy = *clock;

	return clock_stepped(&copy, clock_read_offset());
}
