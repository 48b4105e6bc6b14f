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

static void open_query(struct query **ret_query)
{
	ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_FULL, ret_query), 0);
}

/* How many pages of the file are in memory after this hint, and what it asks for itself. */
static ssize_t hinted(const struct query_ahead *what, ssize_t wanted)
{
	const struct id_run some = {1, 100};
	struct boot_range never;
	struct query *q;
	ssize_t count, there;

	open_query(&q);
	/* As a question before it, of a time in which none of them started. */
	never = (struct boot_range){query_boot(q, 1), 0, 1};
	q->blocks_read -= 1 << 20;
	query_ahead(q, &(struct query_ahead){&some, 1, &never, NULL});
	q->blocks_read -= 1 << 20;
	count = resident(true);
	ck_assert_int_lt(count, 64);
	query_ahead(q, what);
	for (int i = 0; i < 1000 && resident(false) < count + wanted; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	there = resident(false) - count;
	query_free(q);
	return there;
}

/* Each image has a page. Rows of processes, and what leads to both, are less than a tenth of that.
 */
START_TEST(test_images_are_there_before_they_are_asked_for)
{
	const struct id_run half[] = {{1, 1001}, {1500, 2500}}, all = {1, INT64_MAX};
	struct idmap wanted = {0};
	ssize_t there;

	begin();
	there = hinted(&(struct query_ahead){half, 2, NULL, NULL}, 2000);
	ck_assert_int_ge(there, 2000);
	ck_assert_int_lt(there, 2600);
	for (int64_t id = 2; id <= PROCESSES; id += 10)
		ck_assert_int_eq(idmap_put(&wanted, id, &wanted), 0);
	there = hinted(&(struct query_ahead){&all, 1, NULL, &wanted}, PROCESSES / 10);
	ck_assert_int_ge(there, PROCESSES / 10);
	ck_assert_int_lt(there, PROCESSES / 10 + 600);
	idmap_deinit(&wanted);
	fixture_deinit(&fixture);
}
END_TEST

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

/* Only who waits for the disk has it read ahead, and not when all is there. */
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

/* A file of interior pages, each of which leads anywhere. */
static void write_rubbish(const char *path)
{
	static unsigned char page[4096];
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	srand(7);
	for (int n = 0; n < 2000; n++) {
		for (size_t i = 0; i < sizeof(page); i++)
			page[i] = (unsigned char)(i % 4 < 2 ? 0 : rand());
		page[0] = 5;
		page[16] = 16;
		page[17] = 0;
		ck_assert_uint_eq(fwrite(page, sizeof(page), 1, file), 1);
	}
	ck_assert_int_eq(fclose(file), 0);
}

/* Wherever the hints come from, the answer is from the database. */
START_TEST(test_hints_change_nothing)
{
	void (*const questions[])(struct query * q, struct process_list * list) = {ask_started,
										   ask_family};
	char rubbish[] = "/tmp/lineage-ahead.XXXXXX";
	const char *const paths[] = {fixture.path, "/nowhere/lineage.db", "/dev/null", rubbish};
	int fd = mkstemp(rubbish);

	ck_assert_int_ge(fd, 0);
	close(fd);
	write_rubbish(rubbish);
	begin();
	for (size_t i = 0; i < 8; i++) {
		struct process_list alone = {0}, hinted = {0};
		struct query *q, *cold;

		open_query(&q);
		open_query(&cold);
		free(cold->path);
		cold->path = strdup(paths[i / 2]);
		/* Two waits and what the kernel reads ahead of each are not enough. */
		q->blocks_read -= 512;
		ck_assert(!query_is_cold(q));
		cold->blocks_read -= 1 << 20;
		ck_assert(query_is_cold(cold));
		questions[i % 2](q, &alone);
		questions[i % 2](cold, &hinted);
		for (size_t n = 0; n < PROCESSES; n++) {
			ck_assert_int_eq(hinted.item[n]->id, alone.item[n]->id);
			ck_assert_str_eq(hinted.item[n]->image->args, alone.item[n]->image->args);
		}
		process_list_deinit(&alone);
		process_list_deinit(&hinted);
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
		test_it_is_noticed,
		test_hints_change_nothing,
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
