/* SPDX-License-Identifier: Apache-2.0 */
#include "switchover.h"

#include <errno.h>
#include <stdlib.h>

void switchover_deinit(struct switchover *s)
{
	free(s->calls);
	*s = (struct switchover){0};
}

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static bool is_of(const struct switchover_call *call, const struct lineage_key *process)
{
	return call->process.pid == process->pid &&
	       call->process.start_boot_ns == process->start_boot_ns;
}

static int remember(struct switchover *s, const struct lineage_key *process, uint64_t boot_ns)
{
	for (size_t i = 0; i < s->count; i++) {
		if (is_of(&s->calls[i], process) && s->calls[i].boot_ns == boot_ns)
			return 0;
	}
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		void *calls = realloc(s->calls, room * sizeof(*s->calls));

		if (!calls)
			return -ENOMEM;
		s->calls = calls;
		s->room = room;
	}
	s->calls[s->count++] = (struct switchover_call){*process, boot_ns, 0};
	return 0;
}

int switchover_old(struct switchover *s, uint64_t instant_ns, const struct lineage_key *process,
		   uint64_t boot_ns)
{
	int result = 0;

	if (apart(boot_ns, instant_ns) <= SWITCHOVER_TOGETHER_NS)
		result = remember(s, process, boot_ns);
	return result < 0 ? result : boot_ns < instant_ns;
}

/*
 * Both generations see all calls near the instant, those of a process in the same order: so the
 * nearest that is not another's is the same call.
 */
static struct switchover_call *pair(struct switchover *s, const struct lineage_key *process,
				    uint64_t boot_ns)
{
	struct switchover_call *nearest = NULL;

	for (size_t i = 0; i < s->count; i++) {
		struct switchover_call *c = &s->calls[i];

		if (!is_of(c, process) || apart(c->boot_ns, boot_ns) > SWITCHOVER_APART_NS)
			continue;
		if (c->pair_boot_ns == boot_ns)
			return c;
		if (c->pair_boot_ns)
			continue;
		if (!nearest || apart(c->boot_ns, boot_ns) < apart(nearest->boot_ns, boot_ns))
			nearest = c;
	}
	if (nearest)
		nearest->pair_boot_ns = boot_ns;
	return nearest;
}

bool switchover_new(struct switchover *s, uint64_t instant_ns, const struct lineage_key *process,
		    uint64_t boot_ns)
{
	struct switchover_call *same;

	if (apart(boot_ns, instant_ns) > SWITCHOVER_TOGETHER_NS)
		return boot_ns >= instant_ns;
	same = pair(s, process, boot_ns);
	/* Without one, it came after the old generation had gone, or that has been read before. */
	return same ? same->boot_ns >= instant_ns : boot_ns >= instant_ns;
}
