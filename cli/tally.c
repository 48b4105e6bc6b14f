/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tally.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/moment.h"

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
	idmap_deinit(&t->uids);
	arena_deinit(&t->arena);
}

/* Of a pair: of its parent and of its child, which are known where they were read. */
static uint64_t mix(uint64_t name, uint64_t child)
{
	uint64_t h = (name ^ child * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;

	return h ^ h >> 32;
}

static uint64_t hash(const char *name, const char *child)
{
	return mix(text_hash(name, strlen(name)), child ? text_hash(child, strlen(child)) : 0);
}

static bool same(const struct tally_entry *e, const char *name, const char *child)
{
	return strcmp(e->name, name) == 0 && (!child || strcmp(e->child, child) == 0);
}

static struct tally_entry *find(const struct tally_table *table, uint64_t h, const char *name,
				const char *child)
{
	struct tally_entry *e = table->size ? table->slots[h & (table->size - 1)] : NULL;

	while (e && !(e->hash == h && same(e, name, child)))
		e = e->next;
	return e;
}

const struct tally_entry *tally_find(const struct tally_table *table, const char *name,
				     const char *child)
{
	return find(table, hash(name, child), name, child);
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
			size_t slot = e->hash & (size - 1);

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

static int count_hashed(struct tally *t, struct tally_table *table, uint64_t h, const char *name,
			const char *child, int64_t unix_ns, bool failed)
{
	struct tally_entry *e = find(table, h, name, child);
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
		e->hash = h;
		slot = h & (table->size - 1);
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

static int count(struct tally *t, struct tally_table *table, const char *name, const char *child,
		 int64_t unix_ns, bool failed)
{
	return count_hashed(t, table, hash(name, child), name, child, unix_ns, failed);
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

struct name {
	const char *value;
	uint64_t hash;
};

static struct name exe_of(const struct image *image)
{
	struct name name = {.value = image && image->comm ? image->comm : "?"};

	if (image && image->exe)
		return (struct name){image->exe->value, image->exe->hash};
	name.hash = text_hash(name.value, strlen(name.value));
	return name;
}

/* What the parent was executing then: it may have executed something else since. */
static int parent_exe(struct process *parent, int64_t boot_ns, struct name *ret_name)
{
	const struct image *image = parent->image;
	struct exec then = {0};
	int r = 0;

	for (size_t i = parent->exec_count; i-- > 0;) {
		image = parent->execs[i].image;
		if (parent->execs[i].boot_ns == UNKNOWN || parent->execs[i].boot_ns <= boot_ns)
			break;
		if (i == 0) {
			/* It had not called exec yet: what it was born with. */
			r = moment_image(parent, boot_ns, &then);
			image = then.image;
		}
	}
	*ret_name = exe_of(image);
	return r;
}

static int count_user(struct tally *t, const struct context *context, int64_t when, bool failed)
{
	int64_t uid = context ? context->uid : UNKNOWN;
	struct tally_entry *e = uid == UNKNOWN ? NULL : idmap_get(&t->uids, uid);
	char text[24] = "?";
	int r;

	if (e) {
		e->count++;
		e->failed += failed;
		e->first_unix_ns = when < e->first_unix_ns ? when : e->first_unix_ns;
		return 0;
	}
	if (uid != UNKNOWN)
		snprintf(text, sizeof(text), "%" PRId64, uid);
	r = count(t, &t->users, text, NULL, when, failed);
	if (r < 0 || uid == UNKNOWN)
		return r;
	return idmap_put(&t->uids, uid, find(&t->users, hash(text, NULL), text, NULL));
}

static int count_exec(struct tally *t, const struct process *p, const struct exec *e,
		      struct process *parent)
{
	bool latest = e == &p->execs[p->exec_count - 1];
	bool failed = latest && process_ended(p) && p->status != UNKNOWN && p->status != 0;
	int64_t when = e->unix_ns == UNKNOWN ? p->start_unix_ns : e->unix_ns;
	struct name exe = exe_of(e->image), above;
	int r;

	t->execs++;
	r = count_hashed(t, &t->executables, mix(exe.hash, 0), exe.value, NULL, when, failed);
	if (r == 0)
		r = count_user(t, e->context, when, failed);
	if (r < 0 || !parent)
		return r;
	r = parent_exe(parent, e->boot_ns == UNKNOWN ? p->start_boot_ns : e->boot_ns, &above);
	if (r < 0)
		return r;
	return count_hashed(t, &t->pairs, mix(above.hash, exe.hash), above.value, exe.value, when,
			    failed);
}

int tally_add(struct tally *t, const struct process *p, struct process *parent)
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
