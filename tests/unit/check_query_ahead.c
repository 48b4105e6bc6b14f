/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ahead: that it does, told by the page cache, and that no answer is another one. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/query_internal.h"
#include "fixture.h"
#include "suite.h"

#define PROCESSES 4000

static struct fixture fixture;

/* Images so long that each has a page, or nearly, of children of the first. */
static void begin(void)
{
	char args[3200], filler[3001];
	int64_t init;

	fixture_init(&fixture);
	init = fixture_process(&fixture, &(struct fixture_process){
						 .pid = 1, .start_ns = 1000, .exe = "/sbin/init"});
	memset(filler, 'x', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = 0;
	for (int i = 0; i < PROCESSES; i++) {
		snprintf(args, sizeof(args), "[\"/bin/work\",\"%d\",\"%s\"]", i, filler);
		fixture_process(&fixture, &(struct fixture_process){.pid = 1000 + i,
								    .parent = init,
								    .start_ns = FIXTURE_SECOND +
										i * 1000000LL,
								    .exe = "/bin/work",
								    .args = args,
								    .exec_after_ns = 1000,
								    .end_after_ns = 5000000});
	}
	fixture_finish(&fixture);
}

/* Pages of a file that are in memory; with `away`, after having them thrown out. -1: an error. */
static ssize_t count_resident(int fd, bool away)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned char *there = NULL;
	void *map = MAP_FAILED;
	ssize_t count = -1;
	size_t pages = 0;
	struct stat st;

	if (away && (fsync(fd) < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0))
		return -1;
	if (fstat(fd, &st) == 0) {
		pages = (size_t)((st.st_size + page - 1) / page);
		there = calloc(pages, 1);
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	}
	if (there && map != MAP_FAILED && mincore(map, (size_t)st.st_size, there) == 0) {
		count = 0;
		for (size_t i = 0; i < pages; i++)
			count += there[i] & 1;
	}
	if (map != MAP_FAILED)
		munmap(map, (size_t)st.st_size);
	free(there);
	return count;
}

static ssize_t resident(bool away)
{
	int fd = open(fixture.path, O_RDONLY | O_CLOEXEC);
	ssize_t count;

	ck_assert_int_ge(fd, 0);
	count = count_resident(fd, away);
	ck_assert_int_ge(count, 0);
	close(fd);
	return count;
}

/* What cannot be told here about the file, or NULL: what is read of it is counted. */
static const char *find_obstacle(int fd)
{
	static char bytes[1 << 20];
	int64_t before;

	if (write(fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes) ||
	    count_resident(fd, true) != 0)
		return "what was read stays in memory: nothing can be read ahead";
	before = query_blocks_read();
	if (pread(fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes) ||
	    query_blocks_read() - before < (int64_t)sizeof(bytes) / 512)
		return "what a thread reads from the disk is not counted (ru_inblock)";
	return NULL;
}

START_TEST(test_images_are_there_before_they_are_asked_for)
{
	struct id_run runs[PROCESSES / 100];
	struct query_ahead *ahead;
	struct query *q;
	ssize_t before;
	int64_t blocks;

	begin();
	ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_FULL, &q), 0);
	for (int i = 0; i < PROCESSES / 100; i++)
		runs[i] = (struct id_run){1 + i * 100, 101 + i * 100};
	before = resident(true);
	ck_assert_int_lt(before, 64);
	blocks = query_blocks_read();
	ahead = query_ahead_begin(q, runs, PROCESSES / 100, NULL);
	ck_assert_ptr_nonnull(ahead);
	for (int i = 0; i < 1000 && resident(false) < before + PROCESSES / 2; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	query_ahead_end(ahead);
	ck_assert_int_ge(resident(false), before + PROCESSES / 2);
	/* What helpers read, this thread has not waited for. */
	ck_assert_int_lt(query_blocks_read() - blocks, PROCESSES);
	query_free(q);
	fixture_deinit(&fixture);
}
END_TEST

START_TEST(test_few_are_not_worth_it)
{
	const struct id_run few[] = {{1, 100}, {200, 400}};
	struct query *q;

	begin();
	ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_FULL, &q), 0);
	ck_assert_ptr_null(query_ahead_begin(q, few, 2, NULL));
	ck_assert_ptr_null(query_ahead_begin(q, NULL, 0, NULL));
	query_ahead_end(NULL);
	query_free(q);
	fixture_deinit(&fixture);
}
END_TEST

/* One run, as a family whose ids are near, is work for every helper. */
START_TEST(test_runs_are_shared)
{
	const struct id_run runs[] = {{1, 4001}, {5000, 5001}, {6000, 6200}};
	struct id_run *pieces;
	size_t count, piece = 0;

	ck_assert_int_eq(query_ahead_cut(runs, 3, &pieces, &count), 0);
	ck_assert_uint_ge(count, 16);
	for (size_t i = 0; i < 3; i++) {
		for (int64_t id = runs[i].first; id < runs[i].end; id = pieces[piece++].end) {
			ck_assert_uint_lt(piece, count);
			ck_assert_int_eq(pieces[piece].first, id);
			ck_assert_int_gt(pieces[piece].end, id);
			ck_assert_int_le(pieces[piece].end, runs[i].end);
			ck_assert_int_le(pieces[piece].end - id, 256);
		}
	}
	ck_assert_uint_eq(piece, count);
	free(pieces);
}
END_TEST

static void open_query(struct query **ret_query)
{
	ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_FULL, ret_query), 0);
}

static void ask_started(struct query *q, struct process_list *list)
{
	const struct boot_range range = {query_boot(q, 1), FIXTURE_SECOND, 3600 * FIXTURE_SECOND};

	ck_assert_int_eq(query_started(q, &range, list), 0);
	ck_assert_uint_eq(list->count, PROCESSES);
}

static void ask_family(struct query *q, struct process_list *list)
{
	struct process *init;

	ck_assert_int_eq(query_process(q, 1, &init), 0);
	ck_assert_int_eq(query_descendants(q, init, 0, list), 0);
	ck_assert_uint_eq(list->count, PROCESSES);
}

/* Only who waits for the disk has it read ahead, and no longer than that. */
START_TEST(test_it_is_noticed)
{
	struct query *q;

	begin();
	for (int cold = 0; cold < 2; cold++) {
		struct process_list list = {0}, again = {0};
		int64_t opened;

		resident(cold);
		open_query(&q);
		opened = q->blocks_read;
		/* Alone, however much the kernel reads ahead of opening it. */
		q->blocks_read = INT64_MAX;
		ask_started(q, &list);
		q->blocks_read = opened;
		ck_assert_int_eq(query_is_cold(q), cold);
		ask_started(q, &again);
		ck_assert(!query_is_cold(q));
		process_list_deinit(&list);
		process_list_deinit(&again);
		query_free(q);
	}
	fixture_deinit(&fixture);
}
END_TEST

/* Nothing that goes wrong with the helpers is told. */
START_TEST(test_helpers_change_nothing)
{
	void (*const questions[])(struct query * q, struct process_list * list) = {ask_started,
										   ask_family};

	begin();
	for (size_t i = 0; i < 4; i++) {
		struct process_list alone = {0}, helped = {0};
		struct query *q, *cold;

		open_query(&q);
		open_query(&cold);
		if (i & 1) {
			free(cold->path);
			cold->path = strdup("/nowhere/lineage.db");
		}
		/* Two waits and what the kernel reads ahead of each are not enough. */
		q->blocks_read -= 512;
		ck_assert(!query_is_cold(q));
		cold->blocks_read -= 1 << 20;
		ck_assert(query_is_cold(cold));
		questions[i / 2](q, &alone);
		questions[i / 2](cold, &helped);
		/* It had some. */
		ck_assert(!query_is_cold(cold));
		for (size_t n = 0; n < PROCESSES; n++) {
			ck_assert_int_eq(helped.item[n]->id, alone.item[n]->id);
			ck_assert_str_eq(helped.item[n]->image->args, alone.item[n]->image->args);
		}
		process_list_deinit(&alone);
		process_list_deinit(&helped);
		query_free(q);
		query_free(cold);
	}
	fixture_deinit(&fixture);
}
END_TEST

START_TEST(test_answers_are_the_same)
{
	static const char *const questions[] = {
		"window --db %s --no-fold --since 2026-11-20T00:00:00Z --until "
		"2026-11-20T01:00:00Z",
		"tree --db %s --no-fold --pid 1",
	};

	begin();
	for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++) {
		char question[256], warm[128];
		const char *said;

		/* The status is that of the query, not of what sums it up. */
		snprintf(question, sizeof(question),
			 "%s >%%s.said; r=$?; sha256sum <%s.said; rm %s.said; exit $r",
			 questions[i], fixture.path, fixture.path);
		ck_assert_int_eq(fixture_ask(&fixture, question, &said), 0);
		snprintf(warm, sizeof(warm), "%s", said);
		resident(true);
		ck_assert_int_eq(fixture_ask(&fixture, question, &said), 0);
		ck_assert_str_eq(said, warm);
	}
	fixture_deinit(&fixture);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_images_are_there_before_they_are_asked_for,
		test_few_are_not_worth_it,
		test_runs_are_shared,
		test_it_is_noticed,
		test_helpers_change_nothing,
		test_answers_are_the_same,
	};
	char path[] = "/tmp/lineage-ahead.XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	const char *obstacle = fd < 0 ? "no file can be made" : find_obstacle(fd);

	if (fd >= 0) {
		unlink(path);
		close(fd);
	}
	if (obstacle) {
		printf("in /tmp %s\n", obstacle);
		return SUITE_SKIPPED;
	}

	return SUITE_RUN("query_ahead", tests);
}
