/* SPDX-License-Identifier: Apache-2.0 */
#include "shape.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS	 65536 /* processes alive at once */
#define SPAWNERS 200
#define CPUS	 2
#define PID_MAX	 4194304

#define PROGRAMS    300
#define DIRECTORIES 500
#define LISTS	    2000 /* argument lists that repeat */

#define MS 1000000.0
#define S  1000000000.0

enum step { STEP_EXEC, STEP_EXEC_AGAIN, STEP_EXIT };

struct life {
	struct lineage_key key, parent;
	int parent_slot;
	struct lineage_ids ids;
	char comm[LINEAGE_COMM_LEN];
	uint64_t end_ns;
	uint32_t exec_id;
	uint16_t cpu;
	int plant; /* 1 + which tree; 0: none */
};

struct event {
	uint64_t ns;
	int slot;
	enum step step;
};

/* Slots are used again: one is still who it was if its key is. */
struct who {
	int slot;
	struct lineage_key key;
};

struct plant {
	unsigned size, made, fanout;
	int *slots; /* of inner nodes */
	struct lineage_key root;
};

struct shape {
	struct shape_options options;
	uint64_t random, now_ns, arrival_ns, made;
	uint64_t seq[CPUS];
	uint32_t pid, sessions;
	struct life *lives;
	int *free_slots, free_count;
	struct event *heap;
	size_t heap_count;
	struct who spawners[SPAWNERS], latest;
	struct plant plants[2];
	uint64_t window_from_ns, window_to_ns;
	uint64_t record[(sizeof(struct lineage_exec) + 4096 + 8192) / 8];
};

static uint64_t draw(struct shape *s)
{
	uint64_t z = (s->random += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* In (0, 1). */
static double unit(struct shape *s)
{
	return ((double)(draw(s) >> 11) + 0.5) / 9007199254740992.0;
}

static uint64_t after(struct shape *s, double mean_ns)
{
	return (uint64_t)(-log(unit(s)) * mean_ns) + 1000;
}

/* Few are chosen often, many seldom. */
static unsigned choose(struct shape *s, unsigned count)
{
	double u = unit(s);

	return (unsigned)(u * u * u * count);
}

static void push(struct shape *s, uint64_t ns, int slot, enum step step)
{
	size_t i = s->heap_count++;

	while (i && s->heap[(i - 1) / 2].ns > ns) {
		s->heap[i] = s->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->heap[i] = (struct event){ns, slot, step};
}

static struct event pop(struct shape *s)
{
	struct event first = s->heap[0], last = s->heap[--s->heap_count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < s->heap_count) {
		if (child + 1 < s->heap_count && s->heap[child + 1].ns < s->heap[child].ns)
			child++;
		if (s->heap[child].ns >= last.ns)
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = last;
	return first;
}

struct shape *shape_new(const struct shape_options *options)
{
	struct shape *s = calloc(1, sizeof(*s));

	s->options = *options;
	s->random = 42;
	s->now_ns = s->arrival_ns = options->begin_ns;
	s->pid = 2000;
	s->lives = calloc(SLOTS, sizeof(*s->lives));
	s->free_slots = calloc(SLOTS, sizeof(int));
	s->heap = calloc(SLOTS, sizeof(*s->heap));
	/* Slot 0 stands for pid 1, which nothing was recorded of. */
	for (int i = SLOTS - 1; i > 0; i--)
		s->free_slots[s->free_count++] = i;
	s->lives[0].key = (struct lineage_key){.pid = 1, .start_boot_ns = 10000000};
	memcpy(s->lives[0].comm, "systemd", 7);
	s->lives[0].ids = (struct lineage_ids){.loginuid = -1U,
					       .sessionid = -1U,
					       .cap_effective = 0x1ffffffffff,
					       .cap_permitted = 0x1ffffffffff,
					       .sid = 1,
					       .pgid = 1,
					       .pid_ns = 0xf0000002,
					       .mnt_ns = 0xf0000001,
					       .net_ns = 0xf0000000,
					       .user_ns = 0xeffffffd,
					       .uts_ns = 0xeffffffe,
					       .ipc_ns = 0xefffffff,
					       .cgroup_ns = 0xeffffffb,
					       .cgroup_id = 1};
	for (int i = 0; i < 2; i++) {
		s->plants[i].size = options->plant[i];
		s->plants[i].fanout = options->plant[i] > 1000 ? 21 : 10;
		s->plants[i].slots = calloc(options->plant[i] + 1, sizeof(int));
	}
	return s;
}

void shape_free(struct shape *s)
{
	if (!s)
		return;
	free(s->plants[0].slots);
	free(s->plants[1].slots);
	free(s->heap);
	free(s->free_slots);
	free(s->lives);
	free(s);
}

static void *head(struct shape *s, const struct life *l, int kind, size_t length)
{
	struct lineage_header *h = (struct lineage_header *)s->record;

	memset(h, 0, length);
	h->length = (uint32_t)length;
	h->kind = (uint16_t)kind;
	h->cpu = l->cpu;
	h->seq = s->seq[l->cpu]++;
	h->boot_ns = s->now_ns;
	h->process = l->key;
	return h;
}

/* Who is the parent now: pid 1 takes over what was left behind. */
static struct lineage_key current_parent(const struct shape *s, const struct life *l)
{
	const struct life *p = &s->lives[l->parent_slot];

	return memcmp(&p->key, &l->parent, sizeof(p->key)) ? s->lives[0].key : l->parent;
}

static bool is_alive(const struct shape *s, struct who who)
{
	return who.slot && !memcmp(&s->lives[who.slot].key, &who.key, sizeof(who.key));
}

/* *ret_spawner: the place among the spawners that the new process takes. */
static int pick_parent(struct shape *s, struct who **ret_spawner)
{
	struct who *spawner = &s->spawners[draw(s) % (s->options.storm ? 2 : SPAWNERS)];

	*ret_spawner = is_alive(s, *spawner) ? NULL : spawner;
	if (*ret_spawner)
		return 0;
	if (!s->options.storm && unit(s) < 0.3 && is_alive(s, s->latest))
		return s->latest.slot;
	return spawner->slot;
}

/* The next node of a tree whose time has come, or -1: nodes are numbered level by level. */
static int pick_plant(struct shape *s, int *ret_which)
{
	if (s->made < s->options.events / 2 || s->made & 1)
		return -1;
	for (int i = 0; i < 2; i++) {
		struct plant *p = &s->plants[i];

		if (p->made == p->size)
			continue;
		*ret_which = i;
		return p->made ? p->slots[(p->made - 1) / p->fanout] : 0;
	}
	return -1;
}

static void plan_life(struct shape *s, int slot, bool spawner, bool inner)
{
	struct life *l = &s->lives[slot];
	uint64_t begin = s->now_ns + after(s, 0.3 * MS);
	uint64_t life = after(s, 3 * MS);
	double u = unit(s);

	/* 12 % of the ordinary ones live longer than a commit interval. */
	if (u < 0.12)
		life = after(s, 1 * S);
	if (u < 0.01)
		life = after(s, 30 * S);
	if (spawner)
		life = after(s, 60 * S);
	if (inner)
		life = (uint64_t)(100 * S);
	if (s->options.storm) {
		push(s, s->now_ns + (uint64_t)(spawner ? 1e6 * S : 6000), slot, STEP_EXIT);
		return;
	}
	l->end_ns = begin + life;
	if (unit(s) < 0.97)
		push(s, begin, slot, unit(s) < 0.05 ? STEP_EXEC_AGAIN : STEP_EXEC);
	else
		push(s, l->end_ns, slot, STEP_EXIT);
}

/* A service or a login has a session of its own, and one in ten is a container. */
static void new_session(struct shape *s, struct life *l)
{
	uint32_t n = ++s->sessions;

	l->ids.sid = l->ids.pgid = l->key.pid;
	l->ids.cgroup_id = 100 + n;
	if (n % 10 == 0) {
		l->ids.pid_ns = 0xf0001000 + 8 * n;
		l->ids.mnt_ns = 0xf0001001 + 8 * n;
		l->ids.net_ns = 0xf0001002 + 8 * n;
		l->ids.pid_ns_level = 1;
		l->ids.ns_pid = 1;
	} else if (n % 3 == 0) {
		l->ids.uid = l->ids.euid = l->ids.suid = 1000 + n % 7;
		l->ids.gid = l->ids.egid = l->ids.sgid = 1000 + n % 7;
		l->ids.loginuid = 1000 + n % 7;
		l->ids.sessionid = n;
		l->ids.cap_effective = l->ids.cap_permitted = 0;
	}
}

static const void *make_fork(struct shape *s, size_t *ret_length)
{
	struct who *spawner = NULL;
	bool inner = false;
	int which = -1, parent = pick_plant(s, &which), slot = s->free_slots[--s->free_count];
	struct life *l = &s->lives[slot], *p;
	struct lineage_fork *f;

	if (parent < 0)
		parent = pick_parent(s, &spawner);
	p = &s->lives[parent];
	s->pid += 1 + draw(s) % 3;
	if (s->pid >= PID_MAX)
		s->pid = 300;
	*l = *p;
	l->key = (struct lineage_key){.pid = s->pid, .start_boot_ns = s->now_ns};
	l->parent = p->key;
	l->parent_slot = parent;
	l->cpu = draw(s) % CPUS;
	l->exec_id = p->exec_id;
	if (l->ids.pid_ns_level)
		l->ids.ns_pid = 1 + (l->key.pid - 1) % 5000;
	else
		l->ids.ns_pid = l->key.pid;
	if (spawner) {
		*spawner = (struct who){slot, l->key};
		new_session(s, l);
	}
	if (which >= 0) {
		struct plant *plant = &s->plants[which];

		inner = plant->made * plant->fanout + 1 < plant->size;
		if (!plant->made)
			plant->root = l->key;
		plant->slots[plant->made++] = slot;
	} else if (!spawner) {
		s->latest = (struct who){slot, l->key};
	}
	plan_life(s, slot, spawner != NULL, inner);
	f = head(s, l, LINEAGE_FORK, sizeof(*f));
	f->parent = f->creator = l->parent;
	f->ids = l->ids;
	f->exec_id = l->exec_id;
	memcpy(f->comm, p->comm, sizeof(f->comm));
	*ret_length = sizeof(*f);
	return f;
}

static char *put_leaf_first(char *to, const char *a, const char *b, const char *c)
{
	to = stpcpy(to, a) + 1;
	to = stpcpy(to, b) + 1;
	return c ? stpcpy(to, c) + 1 : to;
}

static const char *const words[] = {"cc",   "sed",    "python3", "node",  "git",  "awk",
				    "grep", "update", "check",	 "agent", "java", "mount"};

static void program_name(unsigned program, char name[32])
{
	snprintf(name, 32, program < 12 ? "%s" : "%s-%u", words[program % 12], program / 12);
}

/* argv words: the program, then options and file names until the length is reached. */
static char *put_args(struct shape *s, char *to, const char *name, uint64_t list, unsigned *count)
{
	/* 40 to 140 % of the mean, so that the mean is met with the program's name. */
	unsigned wanted = s->options.args_bytes * 2 / 5 +
			  (unsigned)(list * 2654435761u >> 8) % (s->options.args_bytes + 1);
	char *begin = to;

	to = stpcpy(to, name) + 1;
	*count = 1;
	for (unsigned i = 0; (unsigned)(to - begin) < wanted; i++) {
		uint64_t z = (list + i) * 0x9e3779b97f4a7c15;

		if (i % 3 == 0)
			to += sprintf(to, "--%s=%llu", words[z % 12],
				      (unsigned long long)(list % 1000000)) +
			      1;
		else if (i % 3 == 1)
			to += sprintf(to, "/srv/%s/%s.%llx", words[z >> 8 & 7], words[z >> 16 & 7],
				      (unsigned long long)(z >> 40)) +
			      1;
		else
			to += sprintf(to, "-%c", (int)('a' + z % 26)) + 1;
		++*count;
	}
	return to;
}

static const void *make_exec(struct shape *s, struct life *l, size_t *ret_length)
{
	struct lineage_exec *e = head(s, l, LINEAGE_EXEC, sizeof(*e));
	bool unique = unit(s) < s->options.unique_args;
	uint64_t list = unique ? LISTS + draw(s) % (1ull << 40) : choose(s, LISTS);
	unsigned program = unique ? choose(s, PROGRAMS) : list % PROGRAMS;
	char name[32], directory[32], *p = e->data;
	unsigned count;

	program_name(program, name);
	snprintf(directory, sizeof(directory), "project-%u", choose(s, DIRECTORIES));
	p = put_leaf_first(p, name, "bin", "usr");
	e->exe_length = (uint16_t)(p - e->data);
	p = put_leaf_first(p, directory, "build", "home");
	e->cwd_length = (uint16_t)(p - e->data - e->exe_length);
	e->filename_length = (uint16_t)(1 + sprintf(p, program % 4 ? "/usr/bin/%s" : "%s", name));
	p += e->filename_length;
	while ((p - e->data) % 8)
		*p++ = 0;
	e->args_offset = (uint32_t)(p - e->data);
	p = put_args(s, p, name, list, &count);
	e->args_length = e->args_total = (uint32_t)(p - e->data) - e->args_offset;
	e->args_count = count;
	while ((p - e->data) % 8)
		*p++ = 0;
	memset(l->comm, 0, sizeof(l->comm));
	memcpy(l->comm, name, strnlen(name, LINEAGE_COMM_LEN - 1));
	memcpy(e->comm, l->comm, sizeof(e->comm));
	e->parent = current_parent(s, l);
	e->ids = l->ids;
	e->dev = 254 << 20 | 1;
	e->inode = 130000 + program * 7;
	e->exec_id = ++l->exec_id;
	e->header.length = (uint32_t)(sizeof(*e) + (size_t)(p - e->data));
	*ret_length = e->header.length;
	return e;
}

static const void *make_exit(struct shape *s, struct life *l, size_t *ret_length)
{
	struct lineage_exit *e = head(s, l, LINEAGE_EXIT, sizeof(*e));
	uint64_t run = after(s, 1.5 * MS);

	e->parent = current_parent(s, l);
	e->runtime_ns = run;
	e->user_ns = run > 4000000 ? run / 4000000 * 4000000 : 0;
	e->max_rss_kib = 800 + choose(s, 40000);
	e->status = unit(s) < 0.05 ? (1 + draw(s) % 3) << 8 : 0;
	e->flags = LINEAGE_EXIT_FREED;
	memcpy(e->comm, l->comm, sizeof(e->comm));
	*ret_length = sizeof(*e);
	return e;
}

static const void *make_step(struct shape *s, size_t *ret_length)
{
	struct event event = pop(s);
	struct life *l = &s->lives[event.slot];
	const void *record;

	s->now_ns = event.ns;
	if (event.step == STEP_EXIT) {
		record = make_exit(s, l, ret_length);
		l->key.pid = 0;
		s->free_slots[s->free_count++] = event.slot;
		return record;
	}
	record = make_exec(s, l, ret_length);
	if (event.step == STEP_EXEC_AGAIN)
		push(s, event.ns + after(s, 2 * MS), event.slot, STEP_EXEC);
	else
		push(s, event.ns > l->end_ns ? event.ns + 1000 : l->end_ns, event.slot, STEP_EXIT);
	return record;
}

static bool may_fork(const struct shape *s)
{
	return s->made < s->options.events && s->free_count > 0;
}

uint64_t shape_ahead_ns(const struct shape *s)
{
	uint64_t next = s->heap_count ? s->heap[0].ns : 0;

	return may_fork(s) && (!next || s->arrival_ns < next) ? s->arrival_ns : next;
}

const void *shape_next(struct shape *s, size_t *ret_length)
{
	uint64_t middle = s->options.events * 3 / 4, ahead = shape_ahead_ns(s);
	const void *record;

	if (!ahead)
		return NULL;
	if (s->made == middle)
		s->window_from_ns = ahead;
	if (s->made == middle + s->options.window_ends)
		s->window_to_ns = ahead;
	s->made++;
	if (!may_fork(s) || s->arrival_ns > ahead)
		return make_step(s, ret_length);
	s->now_ns = s->arrival_ns;
	record = make_fork(s, ret_length);
	/* Three events per process. */
	s->arrival_ns += after(s, 3 * S / (double)s->options.rate);
	return record;
}

uint64_t shape_now_ns(const struct shape *s)
{
	return s->now_ns;
}

uint64_t shape_events(const struct shape *s)
{
	return s->made;
}

struct lineage_key shape_planted(const struct shape *s, int which)
{
	return s->plants[which].root;
}

void shape_window(const struct shape *s, uint64_t *ret_from_ns, uint64_t *ret_to_ns)
{
	*ret_from_ns = s->window_from_ns;
	*ret_to_ns = s->window_to_ns;
}
