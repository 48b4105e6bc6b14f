/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/references.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/arena.h"
#include "schema/cleanup.h"

/* Closed by references; `seen` has the ids of those of the list that are of this database. */
struct closure {
	struct query *query;
	struct process_list *list;
	struct idmap seen;
};

/* Who was born into a PID namespace that another process began. */
struct member {
	const struct process *process;
	bool has_init;
};

struct members {
	struct member *item;
	size_t count;
};

static int add_process(struct closure *c, struct process *p)
{
	int r = idmap_put(&c->seen, p->id, p);

	return r < 0 ? r : process_list_add(c->list, p);
}

static int add_reference(struct closure *c, int64_t id)
{
	struct process *p;
	int r = id && !idmap_get(&c->seen, id) ? query_process(c->query, id, &p) : 1;

	return r == 0 ? add_process(c, p) : r < 0 ? r : 0;
}

static int add_references(struct closure *c, struct process *p)
{
	int r = query_execs_of(c->query, p);

	if (r == 0)
		r = add_reference(c, p->parent_id);
	if (r == 0)
		r = add_reference(c, p->creator_id);
	if (r == 0)
		r = add_reference(c, p->end_parent_id);
	for (size_t k = 0; r == 0 && k < p->exec_count; k++)
		r = add_reference(c, p->execs[k].parent_id);
	return r;
}

/* By boot, namespace and start. */
static int compare_members(const void *first, const void *second)
{
	const struct process *a = ((const struct member *)first)->process;
	const struct process *b = ((const struct member *)second)->process;

	COMPARE(a->boot->number, b->boot->number);
	COMPARE(process_pid_ns(a), process_pid_ns(b));
	COMPARE(a->start_boot_ns, b->start_boot_ns);
	return 0;
}

/* 1: init was there when one of them started that had no init yet. These have one now. */
static int take_members(struct members *m, const struct process *init)
{
	const struct member wanted = {.process = init};
	size_t low = 0, high = m->count;
	int taken = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_members(&m->item[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < m->count; low++) {
		const struct process *p = m->item[low].process;

		if (p->boot != init->boot || process_pid_ns(p) != process_pid_ns(init) ||
		    !process_alive_at(init, p->start_boot_ns))
			break;
		taken |= !m->item[low].has_init;
		m->item[low].has_init = true;
	}
	return taken;
}

/* Of those from `first` on. The inits that are on the list have theirs. */
static int find_members(struct closure *c, size_t first, struct members *ret)
{
	struct members m = {.item = calloc(c->list->count - first + 1, sizeof(*m.item))};

	if (!m.item)
		return -ENOMEM;
	for (size_t i = first; i < c->list->count; i++) {
		const struct process *p = c->list->item[i];

		if (p->db == c->query && process_pid_ns(p) != UNKNOWN && p->ns_pid != 1)
			m.item[m.count++].process = p;
	}
	qsort(m.item, m.count, sizeof(*m.item), compare_members);
	for (size_t i = 0; i < c->list->count; i++) {
		const struct process *p = c->list->item[i];

		if (p->db == c->query && process_pid_ns(p) != UNKNOWN && p->ns_pid == 1)
			take_members(&m, p);
	}
	*ret = m;
	return 0;
}

static int add_inits_of(struct closure *c, struct members *m, const struct boot_range *starts)
{
	struct process_list inits = {0};
	int r = query_ns_inits(c->query, starts, &inits);

	for (size_t i = 0; r == 0 && i < inits.count; i++) {
		struct process *p = inits.item[i];

		if (process_pid_ns(p) != UNKNOWN && !idmap_get(&c->seen, p->id) &&
		    take_members(m, p))
			r = add_process(c, p);
	}
	process_list_deinit(&inits);
	return r;
}

/*
 * An orphan may have been given to the init of its PID namespace without an event that tells of it,
 * and that is above it only if it was not put into the namespace from outside.
 */
static int add_inits(struct closure *c, size_t first)
{
	struct members m = {0};
	size_t next;
	int r = find_members(c, first, &m);

	for (size_t i = 0; r == 0 && i < m.count; i = next) {
		const struct boot *boot = m.item[i].process->boot;
		struct boot_range starts = {boot, INT64_MAX, INT64_MIN};

		for (next = i; next < m.count && m.item[next].process->boot == boot; next++) {
			int64_t start = m.item[next].process->start_boot_ns;

			if (m.item[next].has_init)
				continue;
			starts.from_ns = start < starts.from_ns ? start : starts.from_ns;
			starts.to_ns = start >= starts.to_ns ? start + 1 : starts.to_ns;
		}
		if (starts.from_ns < starts.to_ns)
			r = add_inits_of(c, &m, &starts);
	}
	free(m.item);
	return r;
}

int references_close(struct query *q, struct process_list *list)
{
	struct closure c = {.query = q, .list = list};
	size_t i = 0, first;
	int r = 0;

	for (size_t k = 0; r == 0 && k < list->count; k++) {
		if (list->item[k]->db == q)
			r = idmap_put(&c.seen, list->item[k]->id, list->item[k]);
	}
	/* An init has references, too. */
	while (r == 0 && i < list->count) {
		first = i;
		for (; r == 0 && i < list->count; i++) {
			if (list->item[i]->db == q)
				r = add_references(&c, list->item[i]);
		}
		if (r == 0)
			r = add_inits(&c, first);
	}
	idmap_deinit(&c.seen);
	return r;
}
