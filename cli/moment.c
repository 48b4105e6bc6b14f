/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/moment.h"

#include <errno.h>
#include <stdlib.h>

#include "schema/cleanup.h"

/* By the clock that the next boot came to in the end: at first it may be years behind. */
static bool is_over(const struct boot *boot, int64_t unix_ns)
{
	const struct boot *boots;
	size_t count = query_boots(boot->db, &boots);

	for (size_t i = 0; i + 1 < count; i++) {
		const struct boot *next = &boots[i + 1];

		if (&boots[i] == boot && next->clock_count)
			return unix_ns >= next->clock[next->clock_count - 1].offset_ns;
	}
	return false;
}

/* Whether the clock showed that time while its n-th segment lasted. */
static bool showed(const struct boot *boot, size_t n, int64_t unix_ns, int64_t *ret_boot_ns)
{
	int64_t from = n ? boot->clock[n].from_boot_ns : 0;

	if (__builtin_sub_overflow(unix_ns, boot->clock[n].offset_ns, ret_boot_ns))
		return false;
	return *ret_boot_ns >= from &&
	       (n + 1 == boot->clock_count || *ret_boot_ns < boot->clock[n + 1].from_boot_ns);
}

bool moment_of_life(const struct moment *m, const struct process *p, bool to_the_end,
		    int64_t *ret_boot_ns)
{
	if (!process_ended(p) && is_over(p->boot, m->unix_ns))
		return false;
	for (size_t i = p->boot->clock_count; i-- > 0;) {
		int64_t at;

		if (showed(p->boot, i, m->unix_ns, &at) && p->start_boot_ns <= at &&
		    (!process_ended(p) || p->end_boot_ns > at ||
		     (to_the_end && p->end_boot_ns == at))) {
			*ret_boot_ns = at;
			return true;
		}
	}
	return false;
}

bool moment_alive(const struct moment *m, const struct process *p)
{
	int64_t at;

	return moment_of_life(m, p, false, &at);
}

static struct process *look_up(const struct process *p, int64_t id)
{
	struct process *found;

	return id && query_process(p->db, id, &found) == 0 ? found : NULL;
}

static int64_t last_known(const struct process *p)
{
	if (process_ended(p))
		return p->end_parent_id;
	return p->exec_count ? p->execs[p->exec_count - 1].parent_id : p->parent_id;
}

/* Who would have had its children after it. */
static struct process *next_above(const struct process *p, int64_t at)
{
	return look_up(p, process_alive_at(p, at) ? p->parent_id : last_known(p));
}

static int compare_moments(const void *first, const void *second)
{
	const struct moment_init *a = first, *b = second;

	COMPARE((uintptr_t)a->boot, (uintptr_t)b->boot);
	COMPARE(a->boot_ns, b->boot_ns);
	COMPARE(a->pid_ns, b->pid_ns);
	return 0;
}

/* And of those that were in a namespace then who started first. */
static int compare_inits(const void *first, const void *second)
{
	const struct moment_init *a = first, *b = second;
	int order = compare_moments(a, b);

	if (order)
		return order;
	COMPARE(a->process->start_boot_ns, b->process->start_boot_ns);
	COMPARE(a->process->pid, b->process->pid);
	return 0;
}

/* p at each moment of its life at which the clock showed that time. */
static int add_to_inits(struct moment *m, struct process *p)
{
	struct moment_init init = {.boot = p->boot, .pid_ns = process_pid_ns(p), .process = p};

	for (size_t i = 0; init.pid_ns != UNKNOWN && i < p->boot->clock_count; i++) {
		if (!showed(p->boot, i, m->unix_ns, &init.boot_ns) ||
		    !process_alive_at(p, init.boot_ns))
			continue;
		if (m->inits_count == m->inits_size) {
			size_t size = m->inits_size ? m->inits_size * 2 : 64;
			struct moment_init *more = reallocarray(m->inits, size, sizeof(*more));

			if (!more)
				return -ENOMEM;
			m->inits = more;
			m->inits_size = size;
		}
		m->inits[m->inits_count++] = init;
	}
	return 0;
}

int moment_find_inits(struct moment *m)
{
	size_t kept = 0, next;
	int r = 0;

	m->inits_count = 0;
	for (size_t i = 0; r == 0 && i < m->alive.count; i++)
		r = add_to_inits(m, m->alive.item[i]);
	if (r == 0 && m->inits_count)
		qsort(m->inits, m->inits_count, sizeof(*m->inits), compare_inits);
	for (size_t i = 0; r == 0 && i < m->inits_count; i = next) {
		struct moment_init first = m->inits[i];

		for (next = i + 1; next < m->inits_count; next++) {
			if (compare_moments(&first, &m->inits[next]) != 0)
				break;
		}
		r = query_is_ns_init(first.process->db, first.process);
		if (r == 1)
			m->inits[kept++] = first;
		r = r < 0 ? r : 0;
	}
	m->inits_count = kept;
	return r;
}

void moment_deinit(struct moment *m)
{
	process_list_deinit(&m->alive);
	free(m->inits);
	*m = (struct moment){0};
}

/* The process that began the namespace of p; NULL: it is not recorded. */
static const struct process *find_init(const struct moment *m, const struct process *p, int64_t at)
{
	const struct moment_init wanted = {
		.boot = p->boot, .boot_ns = at, .pid_ns = process_pid_ns(p)};
	const struct moment_init *found = NULL;

	if (m->inits_count)
		found = bsearch(&wanted, m->inits, m->inits_count, sizeof(wanted), compare_moments);
	return found ? found->process : NULL;
}

static bool leaves_namespace(const struct process *p, const struct process *above)
{
	return process_pid_ns(p) != UNKNOWN && process_pid_ns(above) != UNKNOWN &&
	       process_pid_ns(p) != process_pid_ns(above);
}

/* Who was its parent at or before a moment, and who is known to have been it next, and when. */
struct captured {
	int64_t before_id, after_id, after_ns; /* after_id 0: not known */
};

static struct captured find_captured(const struct process *p, int64_t at)
{
	struct captured c = {.before_id = p->parent_id};

	for (size_t i = 0; i < p->exec_count; i++) {
		const struct exec *e = &p->execs[i];

		if (!e->parent_id || e->boot_ns == UNKNOWN)
			continue;
		if (e->boot_ns > at) {
			c.after_id = e->parent_id;
			c.after_ns = e->boot_ns;
			return c;
		}
		c.before_id = e->parent_id;
	}
	if (process_ended(p)) {
		c.after_id = p->end_parent_id;
		c.after_ns = p->end_boot_ns;
	}
	return c;
}

/* Who lived on and did not have it later was no reaper. */
static bool may_have_had(const struct process *above, const struct captured *c, int64_t at)
{
	return process_alive_at(above, at) &&
	       (!c->after_id || above->id == c->after_id || !process_alive_at(above, c->after_ns));
}

int64_t moment_reaper(const struct process *p, void *userdata)
{
	const struct moment *m = userdata;
	const struct process *above, *below = NULL;
	struct captured c;
	int64_t at;

	if (m->unix_ns == UNKNOWN)
		return last_known(p);
	if (!moment_of_life(m, p, false, &at))
		return p->parent_id;
	c = find_captured(p, at);
	above = look_up(p, c.before_id);
	for (int i = 0; above && i < ANCESTORS_MAX; i++) {
		if (below ? may_have_had(above, &c, at) : process_alive_at(above, at))
			return above->id;
		below = above;
		above = next_above(below, at);
		if (!above || !leaves_namespace(below, above))
			continue;
		above = find_init(m, below, at);
		if (above && may_have_had(above, &c, at))
			return above->id;
		break;
	}
	above = look_up(p, c.after_id);
	return above && process_alive_at(above, at) ? above->id : 0;
}

bool moment_is_orphan(const struct moment *m, const struct process *p)
{
	return m->unix_ns != UNKNOWN && p->parent_id && moment_alive(m, p) &&
	       !moment_reaper(p, (void *)m);
}

/* 1: it had an image then that retention has removed, 0: what is there is all. */
static int was_pruned(const struct process *p, int64_t boot_ns)
{
	struct process copy = *p, *read = &copy;
	struct process_list one = {&read, 1, 0};
	const struct pruned *pruned = &copy.pruned[PRUNED_EXECS];
	int r = query_load_pruned(p->db, &one);

	return r < 0 ? r : pruned->count && pruned->from_boot_ns <= boot_ns;
}

int moment_image(struct process *p, int64_t boot_ns, struct exec *ret_image)
{
	struct exec found = {.context = p->birth_context, .provenance = PROVENANCE_NONE};

	for (int i = 0; i < ANCESTORS_MAX; i++) {
		int r = query_execs_of(p->db, p);
		size_t count = p->exec_count;

		if (r < 0)
			return r;
		while (count > 0 && p->execs[count - 1].boot_ns != UNKNOWN &&
		       p->execs[count - 1].boot_ns > boot_ns)
			count--;
		if (count > 0) {
			const struct exec *e = &p->execs[count - 1];

			found.image = e->image;
			found.comm = e->comm;
			if (i == 0)
				found = *e;
			break;
		}
		if (p->exec_count == 0) {
			found.image = p->image;
			found.comm = p->comm;
			break;
		}
		r = was_pruned(p, boot_ns);
		if (r < 0)
			return r;
		if (r == 1) {
			/* That it had called exec is known. */
			if (i == 0)
				found.provenance = PROVENANCE_INFERRED;
			break;
		}
		/* Not yet executed: what it was born with is what its parent had then. */
		boot_ns = p->start_boot_ns;
		p = look_up(p, p->parent_id);
		if (!p)
			break;
	}
	*ret_image = found;
	return 0;
}

void moment_put_image(struct process *p, const struct exec *image)
{
	p->image = image->image;
	p->comm = image->comm;
	p->context = image->context;
	p->image_provenance = image->provenance;
}

int moment_set_images(const struct moment *m, struct process_list *list)
{
	CLEANUP_FREE struct exec *images = calloc(list->count + 1, sizeof(*images));
	int r = 0;

	if (!images)
		return -ENOMEM;
	/* All before any is changed: they are found through those of parents. */
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		int64_t at = UNKNOWN;

		if (moment_of_life(m, list->item[i], false, &at))
			r = moment_image(list->item[i], at, &images[i]);
		images[i].boot_ns = at;
	}
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		struct process *p = list->item[i];
		size_t count = p->exec_count;

		/* Who had ended, and is here for those below, stays as it was last. */
		if (!images[i].context)
			continue;
		while (count > 0 && p->execs[count - 1].boot_ns != UNKNOWN &&
		       p->execs[count - 1].boot_ns > images[i].boot_ns)
			count--;
		if (count == p->exec_count)
			continue;
		p->exec_count = count;
		moment_put_image(p, &images[i]);
	}
	return r;
}
