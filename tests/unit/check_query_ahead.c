/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ahead: that it does, told by the page cache, and that no answer is another one. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "cli/query_internal.h"
#include "fixture.h"
#include "suite.h"

#define PROCESSES 4000

static struct fixture fixture;

/* Images so long that each has a page, or nearly. */
static void begin(void)
{
	char args[3200], filler[3001];

	fixture_init(&fixture);
	memset(filler, 'x', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = 0;
	for (int i = 0; i < PROCESSES; i++) {
		snprintf(args, sizeof(args), "[\"/bin/work\",\"%d\",\"%s\"]", i, filler);
		fixture_process(&fixture, &(struct fixture_process){.pid = 1000 + i,
								    .start_ns = FIXTURE_SECOND +
										i * 1000000LL,
								    .exe = "/bin/work",
								    .args = args,
								    .exec_after_ns = 1000,
								    .end_after_ns = 5000000});
	}
	fixture_finish(&fixture);
}

/* Pages of the database that are in memory; with `away`, after having them thrown out. */
static size_t resident(bool away)
{
	int fd = open(fixture.path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t pages, count = 0;
	unsigned char *there;
	void *map;

	ck_assert_int_ge(fd, 0);
	if (away) {
		ck_assert_int_eq(fsync(fd), 0);
		ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	}
	ck_assert_int_eq(fstat(fd, &st), 0);
	pages = ((size_t)st.st_size + 4095) / 4096;
	there = calloc(pages, 1);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(mincore(map, (size_t)st.st_size, there), 0);
	for (size_t i = 0; i < pages; i++)
		count += there[i] & 1;
	munmap(map, (size_t)st.st_size);
	free(there);
	close(fd);
	return count;
}

START_TEST(test_images_are_there_before_they_are_asked_for)
{
	struct id_run runs[PROCESSES / 100];
	struct query_ahead *ahead;
	struct query *q;
	size_t before;

	begin();
	ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_FULL, &q), 0);
	for (int i = 0; i < PROCESSES / 100; i++)
		runs[i] = (struct id_run){1 + i * 100, 101 + i * 100};
	before = resident(true);
	ck_assert_uint_lt(before, 64);
	ahead = query_ahead_begin(q, runs, PROCESSES / 100, NULL);
	ck_assert_ptr_nonnull(ahead);
	for (int i = 0; i < 1000 && resident(false) < before + PROCESSES / 2; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	query_ahead_end(ahead);
	ck_assert_uint_ge(resident(false), before + PROCESSES / 2);
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

/* Only who waits for the disk has it read ahead. */
START_TEST(test_it_is_noticed)
{
	struct boot_range range = {.to_ns = 3600 * FIXTURE_SECOND};
	struct process_list list = {0};
	struct query *q;

	begin();
	for (int cold = 0; cold < 2; cold++) {
		resident(cold);
		ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_FULL, &q), 0);
		range.boot = query_boot(q, 1);
		ck_assert_int_eq(query_started(q, &range, &list), 0);
		ck_assert_uint_eq(list.count, PROCESSES);
		ck_assert_int_eq(query_is_cold(q), cold);
		process_list_deinit(&list);
		query_free(q);
	}
	fixture_deinit(&fixture);
}
END_TEST

START_TEST(test_answers_are_the_same)
{
	static const char *const questions[] = {
		"window --db %s --no-fold --since 2026-11-20T00:00:00Z --until "
		"2026-11-20T01:00:00Z | sha256sum",
		"tree --db %s --no-fold --pid 1 | sha256sum",
	};

	begin();
	for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++) {
		const char *said;
		char warm[128];

		fixture_ask(&fixture, questions[i], &said);
		fixture_ask(&fixture, questions[i], &said);
		snprintf(warm, sizeof(warm), "%s", said);
		resident(true);
		fixture_ask(&fixture, questions[i], &said);
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
		test_it_is_noticed,
		test_answers_are_the_same,
	};
	struct statfs fs;

	if (statfs("/tmp", &fs) == 0 && fs.f_type == TMPFS_MAGIC) {
		puts("/tmp is memory: nothing can be read ahead from it");
		return SUITE_SKIPPED;
	}

	return SUITE_RUN("query_ahead", tests);
}
