/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention over synthetic histories: what goes, what stays, and that it adds up.
 *
 * RETAIN_PROCESSES=N and RETAIN_DIRECTORY=DIR make a history of N processes in DIR, with the thread
 * that checkpoints, and then a fifth more at a limit of 6/5 of what they took; or, if
 * RETAIN_MAX_MIB is set, all of it under that limit. Prints figures: minutes, so not by default.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/store_wal.h"
#include "schema/cleanup.h"
#include "suite.h"
#include "world.h"

static const char unused_images[] =
	"SELECT count(*) FROM image WHERE image NOT IN (SELECT image FROM process_row WHERE image "
	"IS NOT NULL UNION SELECT image FROM exec_row WHERE image IS NOT NULL)";
static const char unused_contexts[] =
	"SELECT count(*) FROM context WHERE context NOT IN (SELECT context FROM process_row UNION "
	"SELECT exec_context FROM process_row WHERE exec_context IS NOT NULL)";
static const char unused_texts[] =
	"SELECT count(*) FROM text WHERE text NOT IN (SELECT exe FROM program UNION SELECT cwd "
	"FROM "
	"process_row WHERE cwd IS NOT NULL UNION SELECT cwd FROM exec_row WHERE cwd IS NOT NULL)";

/* Not what the disk of this machine can do. */
static const char *place(void)
{
	return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

START_TEST(nothing_to_do)
{
	struct world w;

	world_begin(&w, place(), 0);
	world_history(&w, 5000, 500, false);
	world_settle(&w);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM process_row"), (int64_t)w.spawned);
	ck_assert_uint_eq(w.retain.counters.processes, 0);
	world_prove(&w);
	world_end(&w);
}
END_TEST

/* Of the processor, in nanoseconds: what a step takes whatever else this machine does. */
static uint64_t longest_cpu(const struct world *w)
{
	uint64_t longest = 0;

	for (int i = 0; i < RETAIN_PHASES; i++) {
		uint64_t ns = w->retain.counters.longest_cpu_ns[i];

		if (getenv("RETAIN_PROCESSES"))
			printf("phase %d: longest step %.2f ms of CPU\n", i, (double)ns / 1e6);
		longest = ns > longest ? ns : longest;
	}
	return longest;
}

struct flood {
	uint64_t max_use, processes;
	unsigned int unique_percent;
	size_t args_length;
	uint64_t pid_max;
	uint64_t row_ns, cost_ns; /* see world_clock() */
	bool never_idle;
};

/* A flood of several times what there is room for. */
static void flood(const struct flood *f)
{
	struct world w;

	world_begin(&w, place(), f->max_use);
	world_clock(&w, f->row_ns, f->cost_ns);
	w.unique_percent = f->unique_percent;
	w.args_length = f->args_length;
	w.pid_max = f->pid_max;
	world_history(&w, f->processes, 500, f->never_idle);
	fprintf(stderr,
		"flood: %" PRIu64 " KiB at most, log %" PRIu64 " KiB, %" PRId64
		" processes kept, %" PRIu64 " steps, %" PRIu64 " sweeps, longest %" PRIu64 " us\n",
		w.most_bytes >> 10, w.most_log_bytes >> 10,
		world_number(&w, "SELECT count(*) FROM process_row"), w.retain.counters.steps,
		w.retain.counters.sweeps, w.retain.counters.longest_step_ns / 1000);
	ck_assert_uint_le(w.most_bytes, f->max_use);
	ck_assert_uint_le(w.retain.counters.longest_step_ns, 2 * RETAIN_STEP_BUSY_NS);
	world_settle(&w);
	world_checkpoint(&w);
	ck_assert_uint_le(world_bytes(&w, ""), f->max_use);
	ck_assert_uint_gt(w.retain.counters.processes, f->processes / 8);
	ck_assert_uint_gt(w.retain.counters.sweeps, 0);
	ck_assert_uint_eq(w.retain.counters.sweeps_failed, 0);
	ck_assert_int_gt(world_number(&w, "SELECT count(*) FROM process_row"), 2000);
	world_prove(&w);
	world_end(&w);
}

START_TEST(flood_of_few_images)
{
	flood(&(struct flood){
		.max_use = 4 << 20,
		.processes = 30000,
		.unique_percent = 1,
		.args_length = 40,
		.pid_max = 4194304 - PID_FIRST,
		.row_ns = 20000,
		.cost_ns = 20000,
		.never_idle = true,
	});
}
END_TEST

START_TEST(flood_of_many_images)
{
	flood(&(struct flood){
		.max_use = 9 << 20,
		.processes = 26000,
		.unique_percent = 60,
		.args_length = 400,
		.pid_max = 32768 - PID_FIRST,
		.row_ns = 20000,
		.cost_ns = 20000,
	});
}
END_TEST

/* Removing a process, with two or three looks at the clock, takes five times what adding it does.
 */
START_TEST(flood_faster_than_pruning)
{
	flood(&(struct flood){
		.max_use = 4 << 20,
		.processes = 30000,
		.unique_percent = 10,
		.args_length = 100,
		.pid_max = 32768 - PID_FIRST,
		.row_ns = 20000,
		.cost_ns = 10000,
		.never_idle = true,
	});
}
END_TEST

/* After the last sweep nothing is left that nobody names, but for the newest row of each. */
START_TEST(leaves_nothing_behind)
{
	struct world w;

	world_begin(&w, place(), 0);
	world_history(&w, 15000, 1000, false);
	w.config.max_retention_ns = 60 * SECOND;
	w.now += 59 * SECOND;
	world_history(&w, 5000, 1000, false);
	w.now += 60 * SECOND;
	/* What the daemon holds of the past goes with the next commit. */
	world_history(&w, 100, 10, false);
	world_settle(&w);
	w.now += 3600 * SECOND;
	world_settle(&w);
	ck_assert_int_lt(world_number(&w, "SELECT count(*) FROM process_row"), 600);
	ck_assert_int_le(world_number(&w, unused_images), 1);
	ck_assert_int_le(world_number(&w, unused_contexts), 1);
	ck_assert_int_le(world_number(&w, unused_texts), 1);
	/* Space has been given back. */
	ck_assert_int_lt(world_number(&w, "PRAGMA page_count"), 600);
	world_prove(&w);
	/* The recorder's memory has forgotten what is gone: going on makes no dangling row. */
	world_history(&w, 5000, 1000, false);
	world_prove(&w);
	world_end(&w);
}
END_TEST

START_TEST(ancestors_stay)
{
	struct world w;
	struct process *child = NULL, *chain[40];
	char sql[400];

	world_begin(&w, place(), 0);
	w.config.max_retention_ns = 60 * SECOND;
	ck_assert_int_eq(store_begin(&w.store), 0);
	for (int i = 0; i < 40; i++)
		child = chain[i] = world_spawn(&w, i ? chain[i - 1] : w.daemons[0], i % 3 == 0);
	for (int i = 0; i < 39; i++)
		world_end_process(&w, chain[i]);
	world_commit(&w);
	for (int i = 0; i < 4; i++) {
		world_history(&w, 3000, 500, false);
		w.now += 100 * SECOND;
		world_settle(&w);
	}
	snprintf(sql, sizeof(sql),
		 "WITH RECURSIVE a (id, depth) AS (SELECT %" PRId64
		 ", 0 UNION ALL SELECT parent_id, "
		 "depth + 1 FROM a JOIN process_row ON process_id = id WHERE parent_id > 0) SELECT "
		 "count(*) FROM a JOIN process_row ON process_id = id",
		 child->process_id);
	ck_assert_int_eq(world_number(&w, sql), 42);
	world_prove(&w);
	/* When the last of them ends, all of them go, and are counted under the daemon. */
	ck_assert_int_eq(store_begin(&w.store), 0);
	world_end_process(&w, child);
	world_commit(&w);
	world_history(&w, 3000, 500, false);
	w.now += 3600 * SECOND;
	world_settle(&w);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM process_row WHERE process_id = 1"),
			 1);
	ck_assert_int_eq(world_number(&w, sql), 0);
	world_prove(&w);
	world_end(&w);
}
END_TEST

START_TEST(restarts)
{
	struct world w;

	world_begin(&w, place(), 4 << 20);
	world_history(&w, 25000, 500, false);
	ck_assert_uint_gt(w.retain.counters.processes, 0);
	world_settle(&w);
	retain_deinit(&w.retain);
	world_retain(&w);
	ck_assert_int_gt(w.retain.cursor, 1000);
	world_history(&w, 10000, 500, false);
	world_prove(&w);
	/* A smaller limit: the file shrinks. */
	w.config.max_use_bytes = 3 << 20;
	w.config.wal_max_bytes = 512 << 10;
	world_settle(&w);
	world_checkpoint(&w);
	ck_assert_uint_lt(world_bytes(&w, ""), 3 << 20);
	world_prove(&w);
	world_end(&w);
}
END_TEST

START_TEST(events_of_one_process)
{
	struct world w;
	int64_t kept;
	char sql[300];

	world_begin(&w, place(), 4 << 20);
	for (int i = 0; i < 48; i++) {
		ck_assert_int_eq(store_begin(&w.store), 0);
		for (int k = 0; k < 1000; k++)
			world_run_image(&w, w.daemons[2]);
		world_commit(&w);
		w.now += 5 * SECOND;
		world_settle(&w);
	}
	kept = world_number(&w, "SELECT count(*) FROM exec_row");
	ck_assert_int_ge(kept, RETAIN_EVENTS_KEEP);
	/* How many fit below the limit follows from bytes per event, which become fewer. */
	ck_assert_int_lt(kept, 48 * 1000);
	snprintf(sql, sizeof(sql),
		 "SELECT execs + (SELECT count(*) FROM exec_row WHERE process_id = %" PRId64
		 ") FROM pruned_exec WHERE process_id = %" PRId64,
		 w.daemons[2]->process_id, w.daemons[2]->process_id);
	ck_assert_int_eq(world_number(&w, sql), 48 * 1000);
	ck_assert_int_lt(world_number(&w, "PRAGMA page_count") * 4096, 4 << 20);
	world_prove(&w);
	world_end(&w);
}
END_TEST

/* Of which process, how many, and of what time: so that answers can tell. */
START_TEST(events_that_went)
{
	struct store_failure failure = {
		.cpu = ROW_NONE, .seq = ROW_NONE, .image = ROW_NONE, .error = 2};
	int64_t first, second = (int64_t)SECOND;
	struct world w;
	struct process *p;
	char sql[500];

	world_begin(&w, place(), 0);
	ck_assert_int_eq(store_begin(&w.store), 0);
	p = world_spawn(&w, w.daemons[0], false);
	first = (int64_t)w.now + second;
	for (int i = 0; i < 101; i++) {
		w.now += SECOND;
		world_run_image(&w, p);
		failure.process_id = p->process_id;
		failure.boot_ns = w.now;
		ck_assert_int_eq(store_failure(&w.store, &failure), 0);
	}
	world_commit(&w);
	w.config.max_retention_ns = 3600 * SECOND;
	world_history(&w, 100, 10, false);
	w.now += 3600 * SECOND;
	world_settle(&w);
	/* An image lasts until the next. */
	snprintf(sql, sizeof(sql),
		 "SELECT count(*) FROM pruned_exec WHERE process_id = %" PRId64 " AND boot = 1 AND "
		 "((failed = 0 AND execs = 36 AND from_boot_ns = %" PRId64
		 " AND to_boot_ns = %" PRId64 " AND last_boot_ns = %" PRId64
		 ") OR (failed = 1 AND execs = 37 AND from_boot_ns = %" PRId64
		 " AND to_boot_ns = %" PRId64 " AND last_boot_ns = to_boot_ns))",
		 p->process_id, first + 1000, first + 36 * second + 999, first + 35 * second + 1000,
		 first, first + 36 * second);
	ck_assert_int_eq(world_number(&w, sql), 2);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM pruned_exec"), 2);
	snprintf(sql, sizeof(sql),
		 "SELECT (SELECT count(*) FROM exec_row WHERE process_id = %" PRId64
		 ") = 64 AND (SELECT count(*) FROM exec WHERE process_id = %" PRId64
		 ") = 65 AND (SELECT count(*) FROM exec_failure WHERE process_id = %" PRId64
		 ") = 64",
		 p->process_id, p->process_id, p->process_id);
	ck_assert_int_eq(world_number(&w, sql), 1);
	/* It goes with the process. */
	ck_assert_int_eq(store_begin(&w.store), 0);
	world_end_process(&w, p);
	world_commit(&w);
	w.now += 7200 * SECOND;
	world_history(&w, 100, 10, false);
	world_settle(&w);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM pruned_exec"), 0);
	world_prove(&w);
	world_end(&w);
}
END_TEST

/* All of an earlier boot goes, the boot with it; that there was one stays. */
START_TEST(earlier_boot)
{
	struct world w;
	int64_t spawned;

	world_begin(&w, place(), 0);
	world_history(&w, 10000, 1000, false);
	ck_assert_int_eq(schema_exec(w.store.db,
				     "UPDATE boot SET boot_id = 'earlier'; UPDATE process_row SET "
				     "end_after_ns = 5000000000, provenance = (provenance & 63) | "
				     "192 WHERE end_after_ns IS NULL; INSERT INTO recorder_row "
				     "VALUES (1, 1, 'v', 'c', 'k', NULL, 5000000000, 800000000000, "
				     "900000000000, 'stopped'); UPDATE clock SET offset_ns = 0; "
				     "INSERT INTO clock VALUES (1, 100000000000, "
				     "1700000000000000000)"),
			 0);
	world_close(&w);
	world_open(&w);
	spawned = (int64_t)w.spawned;
	w.spawned = 0;
	memset(w.next_seq, 0, sizeof(w.next_seq));
	memset(w.unseen, 0, sizeof(w.unseen));
	world_populate(&w);
	ck_assert_int_eq(w.store.boot, 2);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM process_row WHERE boot = 1"),
			 spawned);
	w.config.max_retention_ns = 60 * SECOND;
	w.now += 100 * SECOND;
	world_settle(&w);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM process_row WHERE boot = 1"), 0);
	w.now += 3600 * SECOND;
	world_settle(&w);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM boot"), 1);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM cgroup WHERE boot = 1"), 0);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM cpu_position WHERE boot = 1"), 0);
	ck_assert_int_eq(world_number(&w, "SELECT processes FROM pruned_row WHERE boot <> 2"),
			 spawned);
	ck_assert_int_eq(world_number(&w, "SELECT parent_id FROM pruned_row WHERE boot = 0"), -1);
	ck_assert_int_eq(world_number(&w, "SELECT from_boot_ns FROM pruned_row WHERE boot <> 2"),
			 (int64_t)SECOND * 1700000000 + 5 * (int64_t)SECOND);
	ck_assert_int_eq(world_number(&w, "SELECT to_boot_ns FROM pruned_row WHERE boot <> 2"),
			 (int64_t)SECOND * 1700000000 + 900 * (int64_t)SECOND);
	world_end(&w);
}
END_TEST

/* A boot that ran so long after another, of which nothing but a count is left. */
static void add_gone(struct world *w, int number, int64_t from_s, int64_t lasted_s)
{
	char sql[400];

	snprintf(
		sql, sizeof(sql),
		"INSERT INTO boot (boot, boot_id) VALUES (%d, 'boot %d'); INSERT INTO clock VALUES "
		"(%d, 0, %" PRId64 "000000000); INSERT INTO recorder_row VALUES (%d, %d, 'v', 'c', "
		"'k', NULL, 0, %" PRId64 "000000000, NULL, 'killed'); INSERT INTO pruned_row "
		"VALUES (%d, 10, %d, 5, 6)",
		number, number, number, from_s, number, number, lasted_s, -number, number);
	ck_assert_int_eq(schema_exec(w->store.db, sql), 0);
}

/* Each keeps its time; of more than are kept, the two that are nearest become one. */
START_TEST(many_earlier_boots)
{
	struct world w;

	world_begin(&w, place(), 0);
	/* The first never knew what time it was; the 40th began a second after the 39th. */
	for (int i = 0; i <= STORE_RETAIN_FORGOTTEN; i++)
		add_gone(&w, 100 + i, i == 0 ? 0 : 1600000000 + i * 86400, i == 39 ? 86399 : 3600);
	ck_assert_int_eq(store_retain_begin(&w.retain.sql), 0);
	while (store_retain_boot(&w.retain.sql) == 1)
		;
	ck_assert_int_eq(store_retain_commit(&w.retain.sql), 0);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM boot"), 1);
	ck_assert_int_eq(world_number(&w, "SELECT count(*) FROM pruned_row WHERE boot = 0"),
			 STORE_RETAIN_FORGOTTEN);
	ck_assert_int_eq(world_number(&w, "SELECT sum(processes) FROM pruned_row"),
			 10 * (STORE_RETAIN_FORGOTTEN + 1));
	ck_assert_int_eq(world_number(&w,
				      "SELECT count(*) FROM pruned_row WHERE processes = 20 "
				      "AND from_boot_ns = (1600000000 + 39 * 86400) * 1000000000 "
				      "AND to_boot_ns = (1600000000 + 40 * 86400 + 3600) * "
				      "1000000000"),
			 1);
	ck_assert_int_eq(world_number(&w, "SELECT to_boot_ns FROM pruned_row WHERE from_boot_ns = "
					  "0"),
			 3600 * (int64_t)SECOND);
	world_end(&w);
}
END_TEST

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

START_TEST(large)
{
	uint64_t processes = setting("RETAIN_PROCESSES", 0);
	uint64_t max_use = setting("RETAIN_MAX_MIB", 0) << 20;
	struct checkpoint_options options = {.sync_interval_ns = 5 * SECOND};
	const char *directory = getenv("RETAIN_DIRECTORY");
	uint64_t began = clock_monotonic_ns(), filled;
	struct world w;

	world_begin(&w, directory ? directory : "/tmp", max_use);
	world_clock(&w, 0, 0);
	w.pid_max = setting("RETAIN_PIDS", 4194304) - PID_FIRST;
	w.unique_percent = (unsigned int)setting("RETAIN_UNIQUE", 10);
	options.database = w.path;
	options.wal_max_bytes = w.config.wal_max_bytes;
	ck_assert_int_eq(checkpoint_start(&w.checkpoint, &options), 0);
	/* Without a limit, steps will meet a database of full size. */
	world_history(&w, processes, 3000, true);
	filled = clock_monotonic_ns();
	printf("%" PRIu64 " processes in %" PRIu64 " MiB, made in %.1f s\n", processes,
	       world_bytes(&w, "") >> 20, (double)(filled - began) / 1e9);
	/* Not above it yet. */
	if (!max_use) {
		w.config.max_use_bytes = world_bytes(&w, "") * 6 / 5;
		w.retain.counters = (struct retain_counters){0};
		w.most_bytes = w.most_log_bytes = 0;
	}
	world_history(&w, processes / 5, 3000, true);
	printf("flood of %" PRIu64 " more at the limit in %.1f s: %" PRIu64 " pruned, %" PRIu64
	       " steps, longest %.2f ms of CPU, %.2f ms by the clock, %" PRIu64
	       " over 5 ms, %" PRIu64 " MiB at most, %" PRIu64 " of them log\n",
	       processes / 5, (double)(clock_monotonic_ns() - filled) / 1e9,
	       w.retain.counters.processes, w.retain.counters.steps, (double)longest_cpu(&w) / 1e6,
	       (double)w.retain.counters.longest_step_ns / 1e6, w.retain.counters.long_steps,
	       w.most_bytes >> 20, w.most_log_bytes >> 20);
	/* Counted anew: steps are shorter when there is no flood to keep up with. */
	w.retain.counters.longest_step_ns = 0;
	memset(w.retain.counters.longest_cpu_ns, 0, sizeof(w.retain.counters.longest_cpu_ns));
	w.retain.counters.long_steps = w.retain.counters.steps = 0;
	world_settle(&w);
	checkpoint_stop(&w.checkpoint);
	printf("then idle, %.1f s in all: %" PRIu64 " pruned, %" PRIu64 " dictionary rows, %" PRIu64
	       " sweeps, %" PRIu64 " pages given back, %" PRIu64
	       " steps, longest %.2f ms of CPU, %.2f ms by the clock, %" PRIu64
	       " over 5 ms; %" PRIu64 " MiB of %" PRIu64 ", %" PRId64 " processes kept\n",
	       (double)(clock_monotonic_ns() - filled) / 1e9, w.retain.counters.processes,
	       w.retain.counters.rows, w.retain.counters.sweeps, w.retain.counters.pages,
	       w.retain.counters.steps, (double)longest_cpu(&w) / 1e6,
	       (double)w.retain.counters.longest_step_ns / 1e6, w.retain.counters.long_steps,
	       world_bytes(&w, "") >> 20, w.config.max_use_bytes >> 20,
	       world_number(&w, "SELECT count(*) FROM process_row"));
	fflush(stdout);
	ck_assert_uint_le(world_bytes(&w, ""), w.config.max_use_bytes);
	ck_assert_uint_le(w.most_bytes, w.config.max_use_bytes);
	world_prove(&w);
	world_end(&w);
}
END_TEST

int main(void)
{
	const TTest *const only_large[] = {large};
	const TTest *const tests[] = {
		nothing_to_do,
		flood_of_few_images,
		flood_of_many_images,
		flood_faster_than_pruning,
		leaves_nothing_behind,
		ancestors_stay,
		restarts,
		events_of_one_process,
		events_that_went,
		earlier_boot,
		many_earlier_boots,
	};

	if (getenv("RETAIN_PROCESSES")) {
		setenv("CK_FORK", "no", 1);
		return SUITE_RUN("retain", only_large);
	}
	return SUITE_RUN("retain", tests);
}
