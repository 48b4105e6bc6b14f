/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/cleanup.h"

/* More CPUs than Linux can be built for; a bound on what a text can make us hold. */
#define CPUS_MAX 65536

#define BOOT_ID_LETTERS "0123456789abcdefABCDEF-"

void cursor_deinit(struct cursor *c)
{
	free(c->positions);
	free(c->kept);
	*c = (struct cursor){0};
}

static int parse_positions(const char *text, struct cursor *c)
{
	size_t size = 0;

	while (*text && *text != '\n') {
		struct cpu_position p;
		int used = 0;

		if (sscanf(text, "%" SCNd64 "=%" SCNd64 "%n", &p.cpu, &p.next_seq, &used) != 2 ||
		    p.cpu < 0 || p.next_seq < 0 || c->count == CPUS_MAX)
			return -EINVAL;
		if (c->count == size) {
			struct cpu_position *more;

			size = size ? size * 2 : 8;
			more = reallocarray(c->positions, size, sizeof(*more));
			if (!more)
				return -ENOMEM;
			c->positions = more;
		}
		c->positions[c->count++] = p;
		text += used;
		if (*text == ',' && text[1])
			text++;
		else if (*text && *text != '\n')
			return -EINVAL;
	}
	return 0;
}

int cursor_parse(const char *text, struct cursor *ret_cursor)
{
	struct cursor c = {0};
	size_t length = strncmp(text, "3:", 2) == 0 ? strspn(text + 2, BOOT_ID_LETTERS) : SIZE_MAX;
	int used = 0, r;

	if (length >= sizeof(c.boot_id))
		return -EINVAL;
	memcpy(c.boot_id, text + 2, length);
	text += 2 + length;
	if (sscanf(text, ":%" SCNd64 ":%" SCNd64 ":%" SCNd64 ":%" SCNd64 ":%n", &c.last_id,
		   &c.last_start_ns, &c.last_unix_ns, &c.last_gap, &used) != 4 ||
	    !used || c.last_id < 0 || c.last_gap < 0)
		return -EINVAL;
	r = parse_positions(text + used, &c);
	if (r < 0)
		cursor_deinit(&c);
	else
		*ret_cursor = c;
	return r;
}

void cursor_write(const struct cursor *c, struct buffer *out)
{
	buffer_printf(out, "3:%s:%" PRId64 ":%" PRId64 ":%" PRId64 ":%" PRId64 ":", c->boot_id,
		      c->last_id, c->last_start_ns, c->last_unix_ns, c->last_gap);
	for (size_t i = 0; i < c->count; i++)
		buffer_printf(out, "%s%" PRId64 "=%" PRId64, i ? "," : "", c->positions[i].cpu,
			      c->positions[i].next_seq);
}

static const struct boot *find_boot(const struct cursor *c, const struct query *q)
{
	const struct boot *boots;

	for (size_t i = query_boots(q, &boots); i-- > 0;) {
		if (strcmp(boots[i].boot_id, c->boot_id) == 0)
			return &boots[i];
	}
	return NULL;
}

static struct cpu_position *position_of(struct cpu_position *positions, size_t count, int64_t cpu)
{
	for (size_t i = 0; i < count; i++) {
		if (positions[i].cpu == cpu)
			return &positions[i];
	}
	return NULL;
}

static int64_t next_seq_of(struct cpu_position *positions, size_t count, int64_t cpu)
{
	const struct cpu_position *p = position_of(positions, count, cpu);

	return p ? p->next_seq : 0;
}

/*
 * Sequence numbers are never taken back, whatever retention removes; but the end of a boot may be
 * lost, if the power was, and then the next boot's rows have the numbers of those that went.
 */
static int go_back(struct cursor *c, struct query *q, const struct boot *boot,
		   struct cpu_position *there, size_t count)
{
	const struct boot *boots;
	size_t boot_count = query_boots(q, &boots);
	int64_t newest = 0, gap = 0;
	int r;

	if (boot == &boots[boot_count - 1])
		return CURSOR_AHEAD;
	r = query_newest_of(q, boot, &newest);
	if (r == 0)
		r = query_gaps_since(q, boot, &gap);
	if (r < 0)
		return r;
	if (newest < c->last_id) {
		c->last_id = newest;
		c->last_start_ns = 0;
	}
	/* Those that are left were told; to tell them again is better than to leave one out. */
	if (gap && gap <= c->last_gap)
		c->last_gap = gap - 1;
	for (size_t i = 0; i < c->count; i++) {
		int64_t next = next_seq_of(there, count, c->positions[i].cpu);

		if (next < c->positions[i].next_seq)
			c->positions[i].next_seq = next;
	}
	return CURSOR_CUT;
}

static int fit_positions(struct cursor *c, struct query *q, const struct boot *boot)
{
	CLEANUP_FREE struct cpu_position *there = NULL;
	size_t count = 0;
	int r = query_positions(q, boot, &there, &count);

	for (size_t i = 0; r == 0 && i < c->count; i++) {
		if (next_seq_of(there, count, c->positions[i].cpu) < c->positions[i].next_seq)
			return go_back(c, q, boot, there, count);
	}
	return r;
}

int cursor_bind(struct cursor *c, struct query *q)
{
	const struct boot *boot = find_boot(c, q);
	struct process *last;
	int fits, r;

	if (!boot)
		return *c->boot_id || c->count ? CURSOR_NO_BOOT : CURSOR_FITS;
	c->boot = boot->number;
	fits = fit_positions(c, q, boot);
	if (fits != CURSOR_FITS && fits != CURSOR_CUT)
		return fits;
	r = c->last_id && c->last_start_ns ? query_process(q, c->last_id, &last) : 1;
	if (r < 0)
		return r;
	return r == 0 && last->start_boot_ns != c->last_start_ns ? CURSOR_OTHER : fits;
}

int cursor_mark(struct cursor *c, struct query *q)
{
	struct process *last;
	int r = query_process(q, c->last_id, &last);

	c->last_start_ns = r == 0 ? last->start_boot_ns : 0;
	return r < 0 ? r : 0;
}

int cursor_advance(struct cursor *c, struct query *q)
{
	struct cpu_position *positions;
	const struct boot *boots, *latest;
	size_t boot_count = query_boots(q, &boots), count;
	int r;

	if (!boot_count)
		return 0;
	latest = &boots[boot_count - 1];
	r = query_positions(q, latest, &positions, &count);
	if (r < 0)
		return r;
	free(c->positions);
	c->positions = positions;
	c->count = count;
	c->boot = latest->number;
	snprintf(c->boot_id, sizeof(c->boot_id), "%s", latest->boot_id);
	return 0;
}

static struct cpu_position *find(const struct cursor *c, const struct boot *boot, int64_t cpu)
{
	return boot->number == c->boot ? position_of(c->positions, c->count, cpu) : NULL;
}

void cursor_hold(struct cursor *c, const struct boot *boot, int64_t cpu, int64_t seq)
{
	struct cpu_position *p = find(c, boot, cpu);

	if (p && seq != UNKNOWN && seq < p->next_seq)
		p->next_seq = seq;
}

int cursor_passed(const struct cursor *c, const struct boot *boot, enum provenance provenance,
		  int64_t cpu, int64_t seq)
{
	const struct cpu_position *p;

	/* What was rebuilt is written long after its number was taken. */
	if (provenance != PROVENANCE_OBSERVED || boot->number != c->boot || cpu == UNKNOWN ||
	    seq == UNKNOWN)
		return -1;
	p = find(c, boot, cpu);
	return p && seq < p->next_seq;
}
