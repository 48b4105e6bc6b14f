/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More CPUs than Linux can be built for; a bound on what a text can make us hold. */
#define CPUS_MAX 65536

void cursor_deinit(struct cursor *c)
{
	free(c->positions);
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
	int used = 0, r;

	if (sscanf(text, "2:%" SCNd64 ":%" SCNd64 ":%" SCNd64 ":%n", &c.last_id, &c.last_unix_ns,
		   &c.boot, &used) != 3 ||
	    !used || c.last_id < 0 || c.boot < 0)
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
	buffer_printf(out, "2:%" PRId64 ":%" PRId64 ":%" PRId64 ":", c->last_id, c->last_unix_ns,
		      c->boot);
	for (size_t i = 0; i < c->count; i++)
		buffer_printf(out, "%s%" PRId64 "=%" PRId64, i ? "," : "", c->positions[i].cpu,
			      c->positions[i].next_seq);
}

int cursor_advance(struct cursor *c, struct query *q)
{
	struct cpu_position *positions;
	const struct boot *boots;
	size_t boot_count = query_boots(q, &boots), count;
	int r;

	if (!boot_count)
		return 0;
	r = query_positions(q, &boots[boot_count - 1], &positions, &count);
	if (r < 0)
		return r;
	free(c->positions);
	c->positions = positions;
	c->count = count;
	c->boot = boots[boot_count - 1].number;
	return 0;
}

static struct cpu_position *find(const struct cursor *c, const struct boot *boot, int64_t cpu)
{
	for (size_t i = 0; boot->number == c->boot && i < c->count; i++) {
		if (c->positions[i].cpu == cpu)
			return &c->positions[i];
	}
	return NULL;
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
