/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/moment.h"

bool moment_alive(const struct moment *m, const struct process *p)
{
	return p->start_unix_ns <= m->unix_ns && (!process_ended(p) || p->end_unix_ns > m->unix_ns);
}

static struct process *look_up(const struct process *p, int64_t id)
{
	struct process *found;

	return id && query_process(p->db, id, &found) == 0 ? found : NULL;
}

/* The nearest ancestor by birth that was alive, if no capture says better. */
static int64_t nearest_alive(const struct moment *m, const struct process *p)
{
	struct process *above = look_up(p, p->parent_id);

	/* Bounded: a chain of parents in damaged data may be a ring. */
	for (int i = 0; above && i < 100000; i++) {
		if (moment_alive(m, above))
			return above->id;
		above = look_up(above, above->parent_id);
	}
	return p->parent_id;
}

static int64_t last_known(const struct process *p)
{
	if (process_ended(p))
		return p->end_parent_id;
	return p->exec_count ? p->execs[p->exec_count - 1].parent_id : p->parent_id;
}

int64_t moment_reaper(const struct process *p, void *userdata)
{
	const struct moment *m = userdata;
	const struct process *parent = look_up(p, p->parent_id);

	if (m->unix_ns == UNKNOWN)
		return last_known(p);
	if (!parent || moment_alive(m, parent))
		return p->parent_id;
	for (size_t i = 0; i < p->exec_count; i++) {
		const struct process *reaper = look_up(p, p->execs[i].parent_id);

		if (reaper && p->execs[i].parent_id != p->parent_id && moment_alive(m, reaper))
			return reaper->id;
	}
	if (process_ended(p) && p->end_parent_id != p->parent_id) {
		const struct process *reaper = look_up(p, p->end_parent_id);

		if (reaper && moment_alive(m, reaper))
			return reaper->id;
	}
	return nearest_alive(m, p);
}

void moment_set_image(const struct moment *m, struct process *p)
{
	size_t count = p->exec_count;
	const struct process *parent;

	while (count > 0 && p->execs[count - 1].unix_ns != UNKNOWN &&
	       p->execs[count - 1].unix_ns > m->unix_ns)
		count--;
	if (count == p->exec_count)
		return;
	p->exec_count = count;
	if (count > 0) {
		const struct exec *e = &p->execs[count - 1];

		p->image = e->image;
		p->comm = e->comm;
		p->context = e->context;
		p->image_provenance = e->provenance;
		return;
	}
	/* Not yet executed: what it inherited is what its parent had. */
	parent = look_up(p, p->parent_id);
	p->image = parent ? parent->image : NULL;
	p->comm = parent ? parent->comm : NULL;
	p->context = p->birth_context;
	p->image_provenance = PROVENANCE_NONE;
}
