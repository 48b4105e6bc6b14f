/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/store_wal.h"
#include "schema/cleanup.h"

static unsigned int chance(struct world *w, unsigned int n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (unsigned int)(w->random % n);
}

static void take_number(struct world *w, int64_t *cpu, int64_t *seq)
{
	*cpu = chance(w, CPUS);
	*seq = (int64_t)w->next_seq[*cpu]++;
}

void world_run_image(struct world *w, struct process *p)
{
	struct intern_image image = {.args_count = ROW_NONE, .dev = 8, .inode = 77};
	char exe[64], args[4096];
	size_t length = w->args_length;
	unsigned int which = chance(w, 500);

	if (p->image.provenance != PROVENANCE_NONE)
		ck_assert_int_eq(store_exec(&w->store, p, &p->image), 0);
	memset(args, 'a', sizeof(args));
	if (chance(w, 100) < w->unique_percent)
		snprintf(args, sizeof(args), "--once=%" PRIu64, w->spawned);
	else
		snprintf(args, sizeof(args), "-x%u", chance(w, 4));
	args[length - 1] = '\0';
	image.exe.length = (size_t)snprintf(exe, sizeof(exe), "/usr/bin/program%u", which);
	image.exe.bytes = exe;
	image.args = (struct decode_string){args, length};
	image.args_total = (int64_t)length;
	snprintf(image.comm, sizeof(image.comm), "program%u", which);
	ck_assert_int_eq(intern_image(&w->intern, &image, &p->image.image), 0);
	p->image.provenance = PROVENANCE_OBSERVED;
	p->image.after_ns = (int64_t)(w->now - p->key.start_boot_ns) + 1000;
	p->image.context = p->image.parent_id = ROW_SAME;
	take_number(w, &p->image.cpu, &p->image.seq);
	if (chance(w, 100) == 0)
		snprintf(exe, sizeof(exe), "/tmp/directory%" PRIu64, w->spawned);
	else
		snprintf(exe, sizeof(exe), "/home/user%u", chance(w, 50));
	ck_assert_int_eq(intern_text(&w->intern, exe, strlen(exe), &p->image.cwd), 0);
	book_change(&w->book, p);
}

struct process *world_spawn(struct world *w, struct process *parent, bool executes)
{
	struct lineage_key key = {.pid = (uint32_t)(PID_FIRST + w->spawned % w->pid_max),
				  .start_boot_ns = w->now};
	struct process *p = book_add(&w->book, &key, w->store.next_process++);
	struct lineage_ids ids = {.uid = chance(w, 40),
				  .sid = PID_FIRST + chance(w, 10),
				  .cgroup_id = 1 + chance(w, 20)};

	w->now += SECOND / 1000;
	w->spawned++;
	p->birth = PROVENANCE_OBSERVED;
	if (parent) {
		p->parent_id = parent->process_id;
		p->image.image = parent->image.image;
		p->image.cwd = parent->image.cwd;
	}
	p->ns_pid = p->image.pgid = 0;
	if (chance(w, 50) == 0)
		p->creator_id = w->brief[chance(w, SHORT)]->process_id;
	ck_assert_int_eq(intern_context(&w->intern, &ids, &p->context), 0);
	take_number(w, &p->fork_cpu, &p->fork_seq);
	if (executes)
		world_run_image(w, p);
	if (executes && chance(w, 20) == 0)
		world_run_image(w, p);
	if (chance(w, 10) == 0)
		w->next_seq[1]++, w->unseen[1]++;
	book_change(&w->book, p);
	return p;
}

void world_end_process(struct world *w, struct process *p)
{
	p->end = PROVENANCE_OBSERVED;
	p->end_after_ns = (int64_t)(w->now - p->key.start_boot_ns);
	p->end_parent_id = chance(w, 30) ? ROW_SAME : w->sessions[chance(w, SESSIONS)]->process_id;
	p->status = 0;
	take_number(w, &p->end_cpu, &p->end_seq);
	book_change(&w->book, p);
}

void world_commit(struct world *w)
{
	for (struct process *p = w->book.changed; p; p = p->next)
		ck_assert_int_eq(store_process(&w->store, p), 0);
	for (int i = 0; i < CPUS; i++)
		ck_assert_int_eq(store_cpu_position(&w->store, i, 0, w->next_seq[i],
						    (uint64_t)w->unseen[i]),
				 0);
	ck_assert_int_eq(store_commit(&w->store), 0);
	book_committed(&w->book, w->now);
	for (;;) {
		struct process *p = book_take_ended(&w->book, w->now - SECOND, 2000);

		if (!p)
			break;
		book_free_process(p);
	}
}

/* The processes that are there from the beginning and never end. */
void world_populate(struct world *w)
{
	ck_assert_int_eq(store_begin(&w->store), 0);
	ck_assert_int_eq(store_clock(&w->store, 0, (int64_t)SECOND * 1700000000), 0);
	/* Whoever is asked for before all are there is the first process. */
	for (int i = 0; i < SHORT; i++)
		w->brief[i] = &(struct process){.process_id = 1};
	w->init = world_spawn(w, NULL, true);
	w->init->creator_id = ROW_NONE;
	for (int i = 0; i < SHORT; i++)
		w->brief[i] = w->init;
	for (int i = 0; i < DAEMONS; i++)
		w->daemons[i] = world_spawn(w, w->init, true);
	for (int i = 0; i < SESSIONS; i++)
		w->sessions[i] = world_spawn(w, w->daemons[i % DAEMONS], true);
	for (int i = 0; i < SHORT; i++)
		w->brief[i] = world_spawn(w, w->sessions[i % SESSIONS], true);
	world_commit(w);
}

/* One process starts and one ends; now and then a session. */
static void live(struct world *w)
{
	unsigned int kind = chance(w, 10);
	struct process **place = &w->brief[w->next_brief++ % SHORT], *parent;

	if (w->spawned % 400 == 0) {
		struct process **s = &w->sessions[w->next_session++ % SESSIONS];

		world_end_process(w, *s);
		*s = world_spawn(w, w->daemons[chance(w, DAEMONS)], true);
	}
	parent = kind < 4   ? w->brief[(w->next_brief + SHORT - 2) % SHORT]
		 : kind < 9 ? w->sessions[chance(w, SESSIONS)]
			    : w->daemons[chance(w, DAEMONS)];
	if (parent == *place)
		parent = w->init;
	world_end_process(w, *place);
	*place = world_spawn(w, parent, chance(w, 4) != 0);
}

uint64_t world_bytes(const struct world *w, const char *suffix)
{
	char name[256];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", w->path, suffix);
	return stat(name, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

/* Each look at it is a row. */
static uint64_t fake_ns, fake_row_ns;

static uint64_t fake_clock(void)
{
	return fake_ns += fake_row_ns;
}

void world_clock(struct world *w, uint64_t row_ns, uint64_t cost_ns)
{
	fake_row_ns = row_ns;
	w->cost_ns = cost_ns;
	w->retain.clock_ns = row_ns ? fake_clock : clock_monotonic_ns;
	w->retain.cpu_ns = row_ns ? fake_clock : clock_cpu_ns;
}

static void note_bytes(struct world *w)
{
	uint64_t log = world_bytes(w, "-wal"), bytes = world_bytes(w, "") + log;

	if (bytes > w->most_bytes)
		w->most_bytes = bytes;
	if (log > w->most_log_bytes)
		w->most_log_bytes = log;
}

/* What the thread does: the next commit begins the log anew. */
static void turn(struct checkpoint *checkpoint, uint64_t log_pages)
{
	struct world *w = (struct world *)((char *)checkpoint - offsetof(struct world, checkpoint));
	struct store_wal_progress p;

	note_bytes(w);
	if (checkpoint->running)
		checkpoint_turn(checkpoint, log_pages);
	else if (log_pages * 4096 > w->retain.limits.log_bytes / 2)
		ck_assert_int_eq(store_wal_checkpoint(w->log, STORE_WAL_PASSIVE, &p), 0);
}

void world_checkpoint(struct world *w)
{
	struct store_wal_progress p;

	ck_assert_int_eq(store_wal_checkpoint(w->log, STORE_WAL_TRUNCATE, &p), 0);
	ck_assert_uint_eq(p.copied_pages, p.pages);
}

void world_history(struct world *w, uint64_t processes, unsigned int batch, bool flood)
{
	uint64_t until = w->spawned + processes;

	while (w->spawned < until) {
		uint64_t began = clock_monotonic_ns(), before = w->spawned, spent;

		ck_assert_int_eq(store_begin(&w->store), 0);
		for (unsigned int i = 0; i < batch && w->spawned < until; i++)
			live(w);
		world_commit(w);
		turn(&w->checkpoint, w->store.log_pages);
		spent = w->cost_ns ? (w->spawned - before) * w->cost_ns
				   : clock_monotonic_ns() - began;
		ck_assert_int_ge(retain_run(&w->retain, w->now, spent, !flood), 0);
	}
}

/* Until there is nothing to do. */
void world_settle(struct world *w)
{
	const struct retain_counters *c = &w->retain.counters;
	uint64_t done = 0;
	int quiet = 0;

	for (int i = 0; i < 5000000 && quiet < 40; i++) {
		int r = retain_step(&w->retain, w->now);

		ck_assert_int_ge(r, 0);
		turn(&w->checkpoint, w->store.log_pages);
		if (done != c->processes + c->rows + c->pages)
			quiet = 0;
		done = c->processes + c->rows + c->pages;
		quiet += r == 0;
		w->now += r ? 0 : SECOND / 4;
	}
	ck_assert_int_eq(quiet, 40);
}

void world_retain(struct world *w)
{
	ck_assert_int_eq(retain_init(&w->retain, &w->config, &w->store, &w->intern, &w->book,
				     &w->checkpoint),
			 0);
	w->retain.turn = turn;
	world_clock(w, 20000, 20000);
}

void world_open(struct world *w)
{
	ck_assert_int_eq(store_open(&w->store, w->path), 0);
	ck_assert_int_eq(store_wal_open(w->path, &w->log), 0);
	/* The daemon would try again. */
	sqlite3_busy_timeout(w->store.db, 60000);
	ck_assert_int_eq(intern_init(&w->intern, &w->store, "", 0), 0);
	book_init(&w->book);
	world_retain(w);
}

void world_close(struct world *w)
{
	retain_deinit(&w->retain);
	book_forget(&w->book);
	intern_deinit(&w->intern);
	store_close(&w->store);
	store_wal_close(w->log);
	w->log = NULL;
}

void world_begin(struct world *w, const char *parent, uint64_t max_use)
{
	*w = (struct world){.random = 88172645463325252ULL,
			    .now = 1000 * SECOND,
			    .pid_max = 4194304 - PID_FIRST,
			    .unique_percent = 10,
			    .args_length = 40};
	snprintf(w->directory, sizeof(w->directory), "%s/lineage-retain.XXXXXX", parent);
	ck_assert_ptr_nonnull(mkdtemp(w->directory));
	snprintf(w->path, sizeof(w->path), "%s/lineage.db", w->directory);
	w->config.database = w->path;
	w->config.max_use_bytes = max_use;
	w->config.wal_max_bytes = max_use && max_use / 4 < 64 << 20 ? max_use / 4 : 64 << 20;
	ck_assert_int_eq(dictionary_seed(), 0);
	world_open(w);
	world_populate(w);
}

void world_end(struct world *w)
{
	char name[256];
	static const char *const suffixes[] = {"", "-wal", "-shm"};

	if (w->store.db)
		world_close(w);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", w->path, suffixes[i]);
		unlink(name);
	}
	rmdir(w->directory);
}

int64_t world_number(const struct world *w, const char *sql)
{
	sqlite3_stmt *s = NULL;
	int64_t n;

	ck_assert_msg(sqlite3_prepare_v2(w->store.db, sql, -1, &s, NULL) == SQLITE_OK, "%s: %s",
		      sql, sqlite3_errmsg(w->store.db));
	ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

/* Everything that lineage-query verify finds; and what it does not look for. */
void world_prove(const struct world *w)
{
	static const char *const dangling[] = {
		"SELECT count(*) FROM process_row p WHERE creator_id IS NOT NULL AND NOT EXISTS "
		"(SELECT 1 FROM process_row q WHERE q.process_id = p.creator_id)",
		"SELECT count(*) FROM process_row p WHERE end_parent_id > 0 AND NOT EXISTS "
		"(SELECT 1 FROM process_row q WHERE q.process_id = p.end_parent_id)",
		"SELECT count(*) FROM process_row p WHERE exec_parent_id > 0 AND NOT EXISTS "
		"(SELECT 1 FROM process_row q WHERE q.process_id = p.exec_parent_id)",
		"SELECT count(*) FROM exec_row p WHERE image IS NOT NULL AND NOT EXISTS "
		"(SELECT 1 FROM image q WHERE q.image = p.image)",
		"SELECT count(*) FROM process_row p WHERE cwd IS NOT NULL AND NOT EXISTS "
		"(SELECT 1 FROM text q WHERE q.text = p.cwd)",
		"SELECT count(*) FROM exec_row p WHERE cwd IS NOT NULL AND NOT EXISTS "
		"(SELECT 1 FROM text q WHERE q.text = p.cwd)",
		"SELECT count(*) FROM context p WHERE cgroup IS NOT NULL AND NOT EXISTS "
		"(SELECT 1 FROM cgroup q WHERE q.cgroup = p.cgroup)",
		"SELECT count(*) FROM pruned_row p WHERE parent_id > 0 AND NOT EXISTS "
		"(SELECT 1 FROM process_row q WHERE q.process_id = p.parent_id)",
		"SELECT count(*) FROM pruned_exec p WHERE NOT EXISTS "
		"(SELECT 1 FROM process_row q WHERE q.process_id = p.process_id)",
		"SELECT count(*) FROM zone z WHERE NOT EXISTS (SELECT 1 FROM process_row p WHERE "
		"p.process_id >= z.zone << 12 AND p.process_id < (z.zone + 1) << 12)",
		/* An ancestor of whom nothing is left, although nothing else keeps it. */
		"SELECT count(*) FROM process_row WHERE parent_id IS NULL AND process_id <> 1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(dangling); i++)
		ck_assert_msg(world_number(w, dangling[i]) == 0, "%s: %" PRId64, dangling[i],
			      world_number(w, dangling[i]));
	ck_assert_int_eq(world_number(w, "SELECT (SELECT count(*) FROM process_row) + "
					 "(SELECT coalesce(sum(processes), 0) FROM pruned_row)"),
			 (int64_t)w->spawned);
	ck_assert_int_eq(world_verify(w->path), 0);
}
