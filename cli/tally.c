/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tally.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MINUTE 60000000000LL

struct tally_minute {
	int64_t count;
};

void tally_init(struct tally *t, int64_t since_unix_ns, int64_t until_unix_ns)
{
	*t = (struct tally){.since_unix_ns = since_unix_ns, .until_unix_ns = until_unix_ns};
}

void tally_deinit(struct tally *t)
{
	free(t->executables.slots);
	free(t->pairs.slots);
	free(t->users.slots);
	free(t->errors.slots);
	free(t->attempts.slots);
	idmap_deinit(&t->minutes);
	arena_deinit(&t->arena);
}

/* FNV-1a over both names. */
static uint64_t hash(const char *name, const char *child)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (const char *p = name; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3ULL;
	h = (h ^ 0xff) * 0x100000001b3ULL;
	for (const char *p = child ? child : ""; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3ULL;
	return h ^ h >> 32;
}

static bool same(const struct tally_entry *e, const char *name, const char *child)
{
	return strcmp(e->name, name) == 0 && (!child || strcmp(e->child, child) == 0);
}

const struct tally_entry *tally_find(const struct tally_table *table, const char *name,
				     const char *child)
{
	struct tally_entry *e = NULL;

	if (table->size)
		e = table->slots[hash(name, child) & (table->size - 1)];
	while (e && !same(e, name, child))
		e = e->next;
	return e;
}

static int grow(struct tally_table *table)
{
	size_t size = table->size ? table->size * 2 : 256;
	struct tally_entry **slots = calloc(size, sizeof(struct tally_entry *));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->size; i++) {
		struct tally_entry *e = table->slots[i], *next;

		for (; e; e = next) {
			size_t slot = hash(e->name, e->child) & (size - 1);

			next = e->next;
			e->next = slots[slot];
			slots[slot] = e;
		}
	}
	free(table->slots);
	table->slots = slots;
	table->size = size;
	return 0;
}

static int count(struct tally *t, struct tally_table *table, const char *name, const char *child,
		 int64_t unix_ns, bool failed)
{
	struct tally_entry *e = (struct tally_entry *)tally_find(table, name, child);
	size_t slot;

	if (!e) {
		if (table->count >= table->size && grow(table) < 0)
			return -ENOMEM;
		e = arena_alloc(&t->arena, sizeof(*e));
		if (!e)
			return -ENOMEM;
		e->name = arena_copy(&t->arena, name, strlen(name));
		e->child = child ? arena_copy(&t->arena, child, strlen(child)) : NULL;
		if (!e->name || (child && !e->child))
			return -ENOMEM;
		e->first_unix_ns = unix_ns;
		slot = hash(name, child) & (table->size - 1);
		e->next = table->slots[slot];
		table->slots[slot] = e;
		table->count++;
	}
	e->count++;
	e->failed += failed;
	if (unix_ns < e->first_unix_ns)
		e->first_unix_ns = unix_ns;
	return 0;
}

static bool counts(const struct tally *t, int64_t unix_ns)
{
	if (unix_ns == UNKNOWN)
		return t->since_unix_ns == UNKNOWN;
	return (t->since_unix_ns == UNKNOWN || unix_ns >= t->since_unix_ns) &&
	       (t->until_unix_ns == UNKNOWN || unix_ns < t->until_unix_ns);
}

static int count_birth(struct tally *t, const struct process *p)
{
	int64_t minute = p->start_unix_ns / NS_PER_MINUTE;
	struct tally_minute *m = idmap_get(&t->minutes, minute);

	t->births++;
	t->never_executed += process_inherited(p);
	if (!m) {
		m = arena_alloc(&t->arena, sizeof(*m));
		if (!m || idmap_put(&t->minutes, minute, m) < 0)
			return -ENOMEM;
	}
	if (++m->count > t->busiest_count ||
	    (m->count == t->busiest_count && minute < t->busiest_minute)) {
		t->busiest_count = m->count;
		t->busiest_minute = minute;
	}
	return 0;
}

static void count_end(struct tally *t, const struct process *p)
{
	if (!process_ended(p))
		t->alive++;
	else if (p->status == UNKNOWN)
		t->unknown_end++;
	else if ((p->status & 127) != 0)
		t->signaled++;
	else if (p->status == 0)
		t->exited_zero++;
	else
		t->exited_other++;
}

static const char *exe_of(const struct image *image)
{
	if (image && image->exe)
		return image->exe->value;
	return image && image->comm ? image->comm : "?";
}

/* What the parent was executing then: it may have executed something else since. */
static const char *parent_exe(const struct process *parent, int64_t unix_ns)
{
	const struct image *image = parent->image;

	for (size_t i = parent->exec_count; i-- > 0;) {
		image = parent->execs[i].image;
		if (parent->execs[i].unix_ns == UNKNOWN || parent->execs[i].unix_ns <= unix_ns)
			break;
	}
	return exe_of(image);
}

static int count_exec(struct tally *t, const struct process *p, const struct exec *e,
		      const struct process *parent)
{
	bool latest = e == &p->execs[p->exec_count - 1];
	bool failed = latest && process_ended(p) && p->status != UNKNOWN && p->status != 0;
	int64_t when = e->unix_ns == UNKNOWN ? p->start_unix_ns : e->unix_ns;
	char uid[24] = "?";
	int r;

	t->execs++;
	if (e->context && e->context->uid != UNKNOWN)
		snprintf(uid, sizeof(uid), "%" PRId64, e->context->uid);
	r = count(t, &t->executables, exe_of(e->image), NULL, when, failed);
	if (r == 0)
		r = count(t, &t->users, uid, NULL, when, failed);
	if (r == 0 && parent)
		r = count(t, &t->pairs, parent_exe(parent, when), exe_of(e->image), when, failed);
	return r;
}

int tally_add(struct tally *t, const struct process *p, const struct process *parent)
{
	int r = 0;

	if (counts(t, p->start_unix_ns)) {
		r = count_birth(t, p);
		count_end(t, p);
	}
	for (size_t i = 0; r == 0 && i < p->exec_count; i++) {
		if (counts(t, p->execs[i].unix_ns))
			r = count_exec(t, p, &p->execs[i], parent);
	}
	return r;
}

int tally_add_failure(struct tally *t, const struct exec_failure *f)
{
	const struct text *file = f->image ? f->image->filename : NULL;
	const char *error = strerrorname_np((int)f->error);
	char number[32];
	int r;

	if (!counts(t, f->unix_ns))
		return 0;
	if (!error) {
		snprintf(number, sizeof(number), "errno %" PRId64, f->error);
		error = number;
	}
	if (!file && f->image)
		file = f->image->exe;
	t->failures++;
	r = count(t, &t->errors, error, NULL, f->unix_ns, false);
	if (r == 0)
		r = count(t, &t->attempts, error, file ? file->value : "?", f->unix_ns, false);
	return r;
}

static int compare_names(const struct tally_entry *a, const struct tally_entry *b)
{
	int order = strcmp(a->name, b->name);

	return order || !a->child ? order : strcmp(a->child, b->child);
}

int tally_compare_top(const void *first, const void *second)
{
	const struct tally_entry *a = *(struct tally_entry *const *)first;
	const struct tally_entry *b = *(struct tally_entry *const *)second;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return compare_names(a, b);
}

int tally_compare_rare(const void *first, const void *second)
{
	const struct tally_entry *a = *(struct tally_entry *const *)first;
	const struct tally_entry *b = *(struct tally_entry *const *)second;

	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	return compare_names(a, b);
}

struct tally_entry **tally_sorted(const struct tally_table *table,
				  int (*compare)(const void *a, const void *b))
{
	struct tally_entry **sorted;
	size_t n = 0;

	if (!table->count)
		return NULL;
	sorted = calloc(table->count, sizeof(*sorted));
	for (size_t i = 0; sorted && i < table->size; i++) {
		for (struct tally_entry *e = table->slots[i]; e; e = e->next)
			sorted[n++] = e;
	}
	if (sorted)
		qsort(sorted, n, sizeof(struct tally_entry *), compare);
	return sorted;
}
