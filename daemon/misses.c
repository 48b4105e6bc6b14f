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
uint64_t misses_count(struct misses *m, const struct probe_misses *now)
{
	int64_t unsent = (int64_t)(now->unsent - m->seen.unsent);
	int64_t open = (int64_t)m->unpaired + unsent;
	uint64_t lost = open > 0 ? (uint64_t)open : 0;

	if (now->has_spare)
		lost = least(lost, now->spare - m->seen.spare);
	m->unpaired = unsent > (int64_t)lost ? (uint64_t)unsent - lost : 0;
	lost += now->failures - m->seen.failures;
	m->seen = *now;
	m->lost += lost;
	return lost;
}
