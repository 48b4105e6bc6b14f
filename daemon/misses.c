/* SPDX-License-Identifier: Apache-2.0 */
#include "misses.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * A lost event has been left out by a main program and, a moment later, by its spare one: at a look
 * in between the first is counted already and the second not yet, so what could not be paired at
 * one look may still be at the next, but no later. Likewise what a spare program is about to send
 * is unsent until then, so that a total may fall.
 */
static uint64_t count_pair(struct misses *m, const struct probe_misses *now, enum probe_pair pair)
{
	int64_t unsent = (int64_t)(now->of[pair].unsent - m->seen.of[pair].unsent);
	int64_t open = (int64_t)m->unpaired[pair] + unsent;
	uint64_t lost = open > 0 ? (uint64_t)open : 0;

	if (now->of[pair].has_spare)
		lost = least(lost, now->of[pair].spare - m->seen.of[pair].spare);
	m->unpaired[pair] = unsent > (int64_t)lost ? (uint64_t)unsent - lost : 0;
	m->seen.of[pair].unsent = now->of[pair].unsent;
	/*
	 * Nothing but losses stays unsent of failed execs, and what made the spare program silent
	 * may be a mark that it left long ago, when it was left out itself.
	 */
	if (pair == PROBE_PAIR_FAILURES)
		m->seen.of[pair].spare += lost;
	else
		m->seen.of[pair].spare = now->of[pair].spare;
	return lost;
}

uint64_t misses_count(struct misses *m, const struct probe_misses *now)
{
	uint64_t lost = 0;

	for (int pair = 0; pair < PROBE_PAIRS; pair++)
		lost += count_pair(m, now, pair);
	m->lost += lost;
	return lost;
}
