/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of damage that query_verify() knows is made and must be found; a sound file has none.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/query_verify.h"
#include "fixture.h"

static struct fixture fixture;
static char found[4096];

static void on_problem(void *userdata, const char *check, const char *text)
{
	size_t length = strlen(found);

	snprintf(found + length, sizeof(found) - length, "%s: %s\n", check, text);
}

static void on_progress(void *userdata, const char *check)
{
}

/* Six events of CPU 0 in boot 1: births and ends of three processes. */
static void fill(void)
{
	fixture_init(&fixture);
	found[0] = '\0';
	for (int i = 0; i < 3; i++) {
		int64_t id = fixture_process(&fixture, &(struct fixture_process){
							       .pid = 10 + i,
							       .start_ns = (i + 1) * FIXTURE_SECOND,
							       .parent = i,
							       .exe = "/bin/x",
							       .end_after_ns = FIXTURE_SECOND,
						       });

		fixture_sql(&fixture,
			    "UPDATE process_row SET fork_cpu = 0, fork_seq = %d, end_cpu = 0, "
			    "end_after_seq = 1 WHERE process_id = %lld",
			    100 + 2 * i, id);
	}
	fixture_sql(&fixture, "INSERT INTO cpu_position VALUES (1, 0, 100, 106, 0, 0)");
}

static int64_t verify(const char *damage)
{
	struct verify_report report = {.problem = on_problem, .progress = on_progress};
	struct query *query;

	if (fixture.db) {
		fixture_finish(&fixture);
		ck_assert_int_eq(schema_open_writer(fixture.path, &fixture.db), 0);
	}
	fixture_sql(&fixture, "%s", damage);
	sqlite3_close(fixture.db);
	fixture.db = NULL;
	ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_LINE, &query), 0);
	ck_assert_int_eq(query_verify(query, false, &report), 0);
	query_free(query);
	return report.problems;
}

static void teardown(void)
{
	fixture_deinit(&fixture);
}

START_TEST(sound)
{
	fill();
	ck_assert_msg(verify("") == 0, "%s", found);
}
END_TEST

static const struct {
	const char *damage, *words;
} damages[] = {
	{"UPDATE process_row SET end_after_seq = 0 WHERE process_id = 1", "100 is there twice"},
	{"UPDATE process_row SET end_after_seq = NULL WHERE process_id = 3",
	 "6 numbers were taken, but 5"},
	{"UPDATE process_row SET end_after_seq = 2 WHERE process_id = 3", "lies outside"},
	{"UPDATE cpu_position SET next_seq = 107", "7 numbers were taken, but 6"},
	{"UPDATE cpu_position SET pruned = 1", "6 numbers were taken, but 7"},
	/* Positions and numbers that no recorder writes take no longer. */
	{"UPDATE cpu_position SET next_seq = 1795132800000000000", "numbers were taken, but 6 are"},
	{"UPDATE cpu_position SET next_seq = 9223372036854775807, unseen = 9223372036854775807, "
	 "pruned = 9223372036854775807",
	 "9223372036854775807 pruned"},
	{"UPDATE cpu_position SET first_seq = -9223372036854775807", "negative counts"},
	{"INSERT INTO gap_row VALUES (1, 1, 'x', 0, 5, 6, 1, 2, 9223372036854775807, "
	 "9223372036854775807, NULL), (2, 1, 'x', 0, 5, 6, 1, 2, 9223372036854775807, "
	 "9223372036854775807, NULL)",
	 "9223372036854775807 lost"},
	{"UPDATE cpu_position SET next_seq = 1795132800000000000, pruned = 1795132800000000000 - "
	 "107; UPDATE process_row SET end_after_seq = 1 + (1 << 27) WHERE process_id = 1; UPDATE "
	 "process_row SET end_after_seq = (1 << 27) - 1 WHERE process_id = 2",
	 "number 134217829 is there twice"},
	{"DELETE FROM cpu_position", "rows, but no position"},
	{"INSERT INTO gap_row VALUES (1, 1, 'ring_full', 0, 5, 6, 103, 103, 1, 0, NULL)",
	 "6 numbers were taken, but 7"},
	{"DELETE FROM process_row WHERE process_id = 2", "its parent 2 is missing"},
	{"UPDATE process_row SET parent_id = 3 WHERE process_id = 2", "it is its own ancestor"},
	{"UPDATE process_row SET parent_id = 1 WHERE process_id = 1", "it is its own ancestor"},
	{"UPDATE process_row SET provenance = 4 WHERE process_id = 1", "provenance 4"},
	{"UPDATE process_row SET provenance = 5 << 3 WHERE process_id = 1", "provenance 40"},
	{"UPDATE process_row SET end_after_ns = NULL WHERE process_id = 1",
	 "an end without a time"},
	{"UPDATE process_row SET provenance = 7 << 6 WHERE process_id = 1",
	 "a time of end without"},
	{"UPDATE process_row SET end_after_ns = -1 WHERE process_id = 1", "ends before it starts"},
	{"UPDATE process_row SET image = 99 WHERE process_id = 1", "its image 99 is missing"},
	{"UPDATE process_row SET context = 99 WHERE process_id = 1", "its context 99 is missing"},
	{"DELETE FROM program WHERE program = 1", "its program 1 is missing"},
	{"DELETE FROM argv", "its argv is missing"},
	{"DELETE FROM text WHERE text = 1", "its executable 1 is missing"},
	{"UPDATE zone SET max_start_ns = 5", "does not cover"},
	{"DELETE FROM zone", "does not cover"},
	{"UPDATE process_row SET pid = 10, start_boot_ns = 1000000000 WHERE process_id = 3",
	 "2 rows"},
	{"DELETE FROM clock", "no clock"},
	{"INSERT INTO exec_row (process_id, boot, provenance) VALUES (77, 1, 0)",
	 "its process 77 is missing"},
	{"INSERT INTO exec_failure_row (process_id, boot, boot_ns, provenance, errno) VALUES "
	 "(77, 1, 0, 0, 2)",
	 "its process 77 is missing"},
	{"INSERT INTO gap_row VALUES (1, 1, 'x', 0, 6, 5, NULL, NULL, 0, 0, NULL)", "cannot be"},
	{"UPDATE recorder_row SET filter = 'exported only 200'", "says no SHA-256"},
	{"INSERT INTO gap_row VALUES (1, 1, 'not_exported', NULL, 0, 5, NULL, NULL, NULL, 0, NULL)",
	 "says no SHA-256"},
	{"INSERT INTO meta VALUES ('export.manifest', '{}')", "says no SHA-256"},
};

START_TEST(finds)
{
	fill();
	ck_assert_msg(verify(damages[_i].damage) > 0, "%s", damages[_i].damage);
	ck_assert_msg(strstr(found, damages[_i].words) != NULL, "%s: %s", damages[_i].damage,
		      found);
}
END_TEST

/* What is missing and says so is sound. */
static const char *const ledgered[] = {
	"UPDATE process_row SET end_after_seq = NULL WHERE process_id = 3;"
	"INSERT INTO gap_row VALUES (1, 1, 'ring_full', 0, 5, 6, 105, 105, 1, 0, NULL)",
	"UPDATE cpu_position SET next_seq = 109, unseen = 2, pruned = 1",
	/* Far apart, and on the same bit. */
	"UPDATE cpu_position SET next_seq = 1795132800000000000, pruned = 1795132800000000000 - "
	"106; UPDATE process_row SET end_after_seq = (1 << 27) + 4 WHERE process_id = 1; UPDATE "
	"process_row SET end_after_seq = (1 << 28) + 2 WHERE process_id = 2",
	"INSERT INTO gap_row VALUES (1, 1, 'recorder_down', NULL, 0, 6, NULL, NULL, NULL, 0, NULL)",
	"INSERT INTO gap_row VALUES (1, 1, 'ring_full', 0, 5, 6, NULL, NULL, 0, 3, NULL)",
};

START_TEST(accepts)
{
	fill();
	ck_assert_msg(verify(ledgered[_i]) == 0, "%s", found);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verify");
	TCase *tcase = tcase_create("verify");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, sound);
	tcase_add_loop_test(tcase, finds, 0, sizeof(damages) / sizeof(damages[0]));
	tcase_add_loop_test(tcase, accepts, 0, sizeof(ledgered) / sizeof(ledgered[0]));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
