/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store_bind.h"

static uint64_t number(sqlite3_stmt *s, int index)
{
	return (uint64_t)sqlite3_column_int64(s, index);
}

static sqlite3_stmt *of_this_boot(struct store *store, enum store_stmt stmt)
{
	sqlite3_stmt *s = store_query(store, stmt);

	sqlite3_bind_int64(s, 1, store->boot);
	return s;
}

/* Each row to `row`, until it fails or there is none. */
static int walk(struct store *store, enum store_stmt stmt,
		int (*row)(sqlite3_stmt *s, void *context), void *context)
{
	sqlite3_stmt *s = store->stmts[stmt];
	int result = 0, rc = SQLITE_DONE;

	while (result >= 0 && (rc = sqlite3_step(s)) == SQLITE_ROW)
		result = row(s, context);
	store_reset(store, stmt);
	return result < 0 ? result : schema_error(rc);
}

struct cpu_walk {
	int (*each)(const struct store_cpu *, void *);
	void *userdata;
};

static int cpu_row(sqlite3_stmt *s, void *context)
{
	const struct cpu_walk *w = context;
	struct store_cpu cpu = {
		.cpu = sqlite3_column_int(s, 0),
		.first_seq = number(s, 1),
		.next_seq = number(s, 2),
		.unseen = number(s, 3),
	};

	return w->each(&cpu, w->userdata);
}

int store_each_cpu(struct store *store, int (*each)(const struct store_cpu *, void *),
		   void *userdata)
{
	struct cpu_walk w = {each, userdata};

	of_this_boot(store, STORE_CPUS);
	return walk(store, STORE_CPUS, cpu_row, &w);
}

struct cgroup_walk {
	int (*each)(const struct store_known_cgroup *, void *);
	void *userdata;
};

static int cgroup_row(sqlite3_stmt *s, void *context)
{
	const struct cgroup_walk *w = context;
	struct store_known_cgroup cgroup = {
		.row = sqlite3_column_int64(s, 0),
		.hierarchy = (uint32_t)sqlite3_column_int64(s, 1),
		.kernfs_id = number(s, 2),
		.path = (const char *)sqlite3_column_text(s, 3),
		.named = sqlite3_column_int(s, 4),
	};

	return w->each(&cgroup, w->userdata);
}

int store_each_cgroup(struct store *store, int (*each)(const struct store_known_cgroup *, void *),
		      void *userdata)
{
	struct cgroup_walk w = {each, userdata};

	of_this_boot(store, STORE_CGROUPS);
	return walk(store, STORE_CGROUPS, cgroup_row, &w);
}

struct hole_walk {
	int (*each)(const struct store_gap *, void *);
	void *userdata;
};

static int hole_row(sqlite3_stmt *s, void *context)
{
	const struct hole_walk *w = context;
	struct store_gap gap = {
		.gap_id = sqlite3_column_int64(s, 0),
		.cause = GAP_RING_FULL,
		.cpu = column(s, 1),
		.from_boot_ns = number(s, 2),
		.to_boot_ns = number(s, 3),
		.first_seq = column(s, 4),
		.last_seq = column(s, 5),
		.lost = column(s, 6),
		.recovered = sqlite3_column_int64(s, 7),
	};

	return w->each(&gap, w->userdata);
}

int store_each_hole(struct store *store, int (*each)(const struct store_gap *, void *),
		    void *userdata)
{
	struct hole_walk w = {each, userdata};

	of_this_boot(store, STORE_GAPS_OPEN);
	return walk(store, STORE_GAPS_OPEN, hole_row, &w);
}

struct number_walk {
	void (*each)(int cpu, uint64_t seq, void *);
	void *userdata;
};

static int number_row(sqlite3_stmt *s, void *context)
{
	const struct number_walk *w = context;

	w->each(sqlite3_column_int(s, 0), number(s, 1), w->userdata);
	return 0;
}

int store_each_number(struct store *store, uint64_t since_boot_ns,
		      void (*each)(int cpu, uint64_t seq, void *), void *userdata)
{
	struct number_walk w = {each, userdata};

	sqlite3_bind_int64(of_this_boot(store, STORE_NUMBERS_SINCE), 2, (int64_t)since_boot_ns);
	return walk(store, STORE_NUMBERS_SINCE, number_row, &w);
}

static void read_image(sqlite3_stmt *s, enum provenance provenance, struct image_state *image)
{
	const void *comm = sqlite3_column_text(s, 19);

	*image = (struct image_state){
		.provenance = provenance,
		.pgid = column(s, 10),
		.comm = column(s, 11),
		.after_ns = column(s, 12),
		.cpu = column(s, 13),
		.seq = column(s, 14),
		.context = column(s, 15),
		.parent_id = column(s, 16),
		.image = column(s, 17),
		.cwd = column(s, 18),
	};
	if (comm)
		strncpy(image->image_comm, comm, sizeof(image->image_comm) - 1);
}

static void read_end(sqlite3_stmt *s, enum provenance provenance, struct process *p)
{
	p->end = provenance;
	p->end_after_ns = column(s, 20);
	p->end_cpu = column(s, 21);
	p->end_seq = column(s, 22);
	p->end_parent_id = column(s, 23);
	p->status = column(s, 24);
	p->user_us = column(s, 25);
	p->system_us = column(s, 26);
	p->max_rss_kib = column(s, 27);
}

struct process_walk {
	store_make_process make;
	void *userdata;
	bool found;
};

static int64_t since_fork(const struct process *p, int64_t after_seq)
{
	return after_seq == ROW_NONE || p->fork_seq == ROW_NONE ? after_seq
								: p->fork_seq + after_seq;
}

static int process_row(sqlite3_stmt *s, void *context)
{
	struct process_walk *w = context;
	struct lineage_key key = {
		.pid = (uint32_t)sqlite3_column_int64(s, 1),
		.start_boot_ns = number(s, 2),
	};
	struct process *p = w->make(&key, sqlite3_column_int64(s, 0), w->userdata);
	int packed = sqlite3_column_int(s, 3);

	if (!p)
		return -ENOMEM;
	w->found = true;
	p->stored = true;
	p->birth = PROVENANCE_BIRTH(packed);
	p->parent_id = column(s, 4);
	p->creator_id = column(s, 5);
	p->fork_cpu = column(s, 6);
	p->fork_seq = column(s, 7);
	p->context = column(s, 8);
	p->ns_pid = column(s, 9);
	read_image(s, PROVENANCE_IMAGE(packed), &p->image);
	read_end(s, PROVENANCE_END(packed), p);
	p->image.seq = since_fork(p, p->image.seq);
	p->end_seq = since_fork(p, p->end_seq);
	return 0;
}

int store_each_alive(struct store *store, store_make_process make, void *userdata)
{
	struct process_walk w = {make, userdata};

	of_this_boot(store, STORE_PROCESSES_ALIVE);
	return walk(store, STORE_PROCESSES_ALIVE, process_row, &w);
}

int store_read_process(struct store *store, const struct lineage_key *key, store_make_process make,
		       void *userdata)
{
	struct process_walk w = {make, userdata};
	sqlite3_stmt *s = of_this_boot(store, STORE_PROCESS_READ);
	int r;

	sqlite3_bind_int64(s, 2, key->pid);
	sqlite3_bind_int64(s, 3, (int64_t)key->start_boot_ns);
	r = walk(store, STORE_PROCESS_READ, process_row, &w);
	return r < 0 ? r : w.found;
}

/* The first column of the first row. */
static int one_number(struct store *store, enum store_stmt stmt, int64_t *ret_value)
{
	sqlite3_stmt *s = of_this_boot(store, stmt);
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(s, 0);
	store_reset(store, stmt);
	return rc == SQLITE_ROW ? 1 : schema_error(rc);
}

int store_last_offset(struct store *store, int64_t *ret_offset_ns)
{
	return one_number(store, STORE_CLOCK_LAST, ret_offset_ns);
}

int store_last_life(struct store *store, uint64_t *ret_boot_ns)
{
	int64_t value;
	int r = one_number(store, STORE_RUN_LAST, &value);

	if (r > 0)
		*ret_boot_ns = (uint64_t)value;
	return r;
}

int store_read_image_at(struct store *store, int64_t process_id, uint64_t boot_ns,
			struct image_state *ret_image)
{
	sqlite3_stmt *s = store_query(store, STORE_EXEC_BEFORE);
	const void *comm;
	int rc;

	sqlite3_bind_int64(s, 1, process_id);
	sqlite3_bind_int64(s, 2, (int64_t)boot_ns);
	rc = sqlite3_step(s);
	*ret_image = (struct image_state){.image = ROW_NONE, .cwd = ROW_NONE};
	if (rc == SQLITE_ROW) {
		ret_image->image = column(s, 0);
		ret_image->cwd = column(s, 1);
		comm = sqlite3_column_text(s, 2);
		if (comm)
			strncpy(ret_image->image_comm, comm, sizeof(ret_image->image_comm) - 1);
	}
	store_reset(store, STORE_EXEC_BEFORE);
	return schema_error(rc);
}

int store_read_file(struct store *store, int64_t image, struct store_file *ret_file)
{
	sqlite3_stmt *s = store_query(store, STORE_IMAGE_FILE);
	int rc;

	sqlite3_bind_int64(s, 1, image);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret_file = (struct store_file){
			.dev = column(s, 0),
			.inode = column(s, 1),
			.args_bytes = column(s, 2),
		};
	store_reset(store, STORE_IMAGE_FILE);
	return rc == SQLITE_ROW ? 1 : schema_error(rc);
}

int store_are_alike(struct store *store, int64_t image, int64_t other)
{
	sqlite3_stmt *s = store_query(store, STORE_ARE_ALIKE);
	int rc, alike;

	sqlite3_bind_int64(s, 1, image);
	sqlite3_bind_int64(s, 2, other);
	rc = sqlite3_step(s);
	alike = rc == SQLITE_ROW && sqlite3_column_int(s, 0);
	store_reset(store, STORE_ARE_ALIKE);
	return rc == SQLITE_ROW ? alike : schema_error(rc);
}

int store_read_fact(struct store *store, const char *name, int64_t *numbers, size_t count)
{
	sqlite3_stmt *s = store_query(store, STORE_FACT_GET);
	const char *text = NULL;
	size_t read = 0;
	int rc;

	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		text = (const char *)sqlite3_column_text(s, 0);
	/* The first number is that of the boot. */
	if (text && strtoll(text, (char **)&text, 10) == store->boot)
		while (read < count && *text == ' ')
			numbers[read++] = strtoll(text + 1, (char **)&text, 10);
	store_reset(store, STORE_FACT_GET);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? read == count : schema_error(rc);
}
