/* SPDX-License-Identifier: Apache-2.0 */
/* What the program says where something is missing: by verb, by what was asked, and by status. */
#include <check.h>
#include <stdlib.h>

#include "ask.h"
#include "fixture.h"

static struct fixture fixture;

static void teardown(void)
{
	fixture_deinit(&fixture);
}

/* A shell, an event lost while it ran, children that retention removed, and a ring of damaged rows.
 */
static void with_losses(void)
{
	const int64_t s = FIXTURE_SECOND;
	int64_t init, shell, first;

	fixture_init(&fixture);
	init = fixture_process(&fixture, &(struct fixture_process){.pid = 1, .exe = "/sbin/init"});
	shell = fixture_process(&fixture, &(struct fixture_process){.pid = 200,
								    .start_ns = 100 * s,
								    .parent = init,
								    .exe = "/bin/bash",
								    .end_after_ns = 400 * s});
	fixture_process(&fixture, &(struct fixture_process){.pid = 201,
							    .start_ns = 130 * s,
							    .parent = shell,
							    .exe = "/usr/bin/curl",
							    .end_after_ns = 5 * s});
	fixture_process(&fixture, &(struct fixture_process){.pid = 202,
							    .start_ns = 300 * s,
							    .parent = shell,
							    .exe = "/usr/bin/git",
							    .end_after_ns = 5 * s});
	first = fixture_process(&fixture, &(struct fixture_process){.pid = 72,
								    .start_ns = 600 * s,
								    .exe = "/bin/a",
								    .end_after_ns = s});
	fixture_process(&fixture, &(struct fixture_process){.pid = 73,
							    .start_ns = 601 * s,
							    .parent = first,
							    .exe = "/bin/b",
							    .end_after_ns = s});
	fixture_sql(&fixture, "UPDATE process_row SET parent_id = %lld WHERE pid = 72", first + 1);
	fixture_sql(&fixture,
		    "INSERT INTO gap_row VALUES (1, 1, 'ring_full', 0, %lld, %lld, 5, 7, 3, 0, "
		    "NULL)",
		    120 * s, 121 * s);
	fixture_sql(&fixture,
		    "INSERT INTO pruned_row VALUES (%lld, 500, 1, %lld, %lld), (-1, 70, 1, %lld, "
		    "%lld)",
		    shell, 150 * s, 200 * s, 160 * s, 210 * s);
	fixture_finish(&fixture);
}

static const struct ask_case loss_cases[] = {
	/* What retention removed of the time asked for, and only then. */
	{"window --db %s --strict --since '2026-11-20 00:03' --until '2026-11-20 00:04'", 4,
	 "570 not in this database (by retention or export), from 2026-11-20 00:02:30.000 to "
	 "00:03:30.000",
	 "events lost"},
	{"window --db %s --strict --since '2026-11-20 00:04:30' --until '2026-11-20 00:05:30'", 0,
	 "git", "incomplete"},
	{"stats --db %s --strict --until '2026-11-20 00:03'", 4, "570 not in this", "curl(201)"},
	{"search --db %s --comm git", 0, "570 not in this database", "pruned 500"},
	{"diff --db %s --strict --since '2026-11-20 00:05' --until '2026-11-20 00:06' "
	 "--than-since '2026-11-20 00:03' --than-until '2026-11-20 00:03:10'",
	 4, "570 not in this", "events lost"},
	/* Below a process shown they are counted there. */
	{"tree --db %s 200", 0,
	 "500 not in this database (by retention or export), the first below", "570"},
	/* An exec of an ancestor may be lost before the process began. */
	{"why --db %s 201 --strict", 4, "3 events lost", "570"},
	{"tree --db %s 201 --strict", 4, "3 events lost", "570"},
	{"tree --db %s 201 -s", 0, "3 events lost", "complete\n"},
	{"tree --db %s 202 --ancestors", 0, "3 events lost", "complete\n"},
	{"show --db %s 201", 0, "3 events lost", "570"},
	{"show --db %s 200 --strict", 4, "3 events lost", "570"},
	/* Nothing is found, and something is missing. */
	{"tree --db %s 99", 1, "3 events lost", "complete\n"},
	{"tree --db %s 99 --strict", 4, "no process 99 is recorded.\nincomplete", "processes\":"},
	{"tree --db %s 99 -o json 2>/dev/null", 1, "\"processes\":[]", "\"complete\":true"},
	{"tree --db %s --comm nosuch --strict -o ndjson", 4, "\"complete\":false", "nothing"},
	{"why --db %s 99 -o json 2>/dev/null", 1, "\"chain\":[]", "\"complete\":true"},
	{"show --db %s 99 -o json --strict 2>/dev/null", 4, "\"process\":null",
	 "\"complete\":true"},
	{"export --db %s 99 -o /nonexistent/x", 1, "3 events lost", "sha256"},
	{"search --db %s --comm nosuch --strict", 4, "3 events lost", "\ncomplete"},
	{"search --db %s --comm nosuch", 1, "nothing matched", "\ncomplete"},
	{"stats --db %s --comm nosuch --strict", 4, "3 events lost", "\ncomplete"},
	/* One process, by its start: only what touches its life. */
	{"search --db %s --strict -p 202@300000000000", 0, "git", "incomplete"},
	{"search --db %s --strict -p 202@300000000001", 4, "3 events lost", "git"},
	{"search --db %s --strict -p 200@100000000000", 4, "3 events lost", "git"},
	/* In a ring each is there once. */
	{"tree --db %s 73 -o csv -q --fields pid", 0, "72\r\n", "73\r\n72\r\n73"},
};

START_TEST(losses)
{
	with_losses();
	ask(&fixture, &loss_cases[_i]);
}
END_TEST

/* A process that stays, without its first images, and a time of boots that are not there any more.
 */
static void with_removals(void)
{
	const int64_t s = FIXTURE_SECOND;
	int64_t init, bash;

	fixture_init(&fixture);
	init = fixture_process(&fixture, &(struct fixture_process){.pid = 1, .exe = "/sbin/init"});
	bash = fixture_process(&fixture, &(struct fixture_process){.pid = 300,
								   .start_ns = 50 * s,
								   .parent = init,
								   .exec_after_ns = 100 * s,
								   .exe = "/bin/bash"});
	fixture_exec(&fixture, bash, 140 * s, "/bin/kept", "[\"kept\"]");
	for (int i = 1; i <= 2; i++)
		fixture_process(&fixture, &(struct fixture_process){.pid = 300 + i,
								    .start_ns = (55 + 45 * i) * s,
								    .parent = bash,
								    .exe = "/bin/child",
								    .end_after_ns = s});
	fixture_sql(
		&fixture,
		"INSERT INTO pruned_exec VALUES (%lld, 0, 36, 1, %lld, %lld, %lld), (%lld, 1, 5, "
		"1, %lld, %lld, %lld)",
		bash, 60 * s, 140 * s - 1, 139 * s, bash, 70 * s, 80 * s, 80 * s);
	fixture_sql(&fixture,
		    "INSERT INTO exec_failure_row VALUES (1, %lld, 1, %lld, 0, 0, 9, %lld, 2)",
		    bash, 146 * s, fixture_attempt(&fixture, "/bin/none", "[\"none\"]"));
	fixture_sql(&fixture, "INSERT INTO pruned_row VALUES (0, 900, 0, %lld, %lld)",
		    FIXTURE_EPOCH_NS - 7200 * s, FIXTURE_EPOCH_NS - 3600 * s);
	fixture_finish(&fixture);
}

#define WINDOW(from, to) "--since '2026-11-20 " from "' --until '2026-11-20 " to "'"
static const struct ask_case removal_cases[] = {
	/* Of a time what had been in it, and until when it was so. */
	{"window --db %s --strict " WINDOW("00:01:40", "00:02:00"), 4,
	 "36 earlier images not in this database (by retention), the first of bash(300), from "
	 "2026-11-20 00:01:00.000 to 00:02:19.999",
	 "failed exec"},
	{"window --db %s --strict " WINDOW("00:01:20", "00:01:30"), 4,
	 "5 failed execs not in this database (by retention), the first of bash(300), from "
	 "2026-11-20 00:01:10.000 to 00:01:20.000",
	 "events lost"},
	{"window --db %s --strict " WINDOW("00:02:20", "00:03:00"), 0,
	 "[36 images pruned] /bin/kept ", "incomplete"},
	{"window --db %s --strict " WINDOW("00:00:50", "00:01:00"), 0, "bash", "incomplete"},
	{"window --db %s --strict -o json " WINDOW("00:01:40", "00:02:00"), 4,
	 "\"kind\":\"pruned-execs\"", "pruned-failed-execs"},
	{"window --db %s -o ndjson " WINDOW("00:02:20", "00:03:00"), 0,
	 "\"pruned_execs\":36,\"pruned_failed_execs\":5", "\"complete\":false"},
	{"search --db %s --strict --comm bash " WINDOW("00:02:20", "00:03:00"), 0, "300",
	 "incomplete"},
	{"search --db %s --strict --comm child " WINDOW("00:01:40", "00:02:00"), 4,
	 "36 earlier images", "failed exec"},
	{"stats --db %s --strict " WINDOW("00:01:40", "00:02:00"), 4, "36 earlier", "failed exec"},
	/* Of a process all of it. */
	{"show --db %s --strict 300", 4, "36 earlier images removed by retention", "of 2\n"},
	{"show --db %s 300", 0, "image 37 of 38", "children"},
	{"show --db %s 300 -o json", 0, "\"pruned-failed-execs\"", "\"complete\": true"},
	{"search --db %s --strict -p 300@50000000000", 4, "5 failed execs", "kept(300)"},
	{"tree --db %s --strict 300", 4, "36 earlier images", "900"},
	{"tree --db %s --failed --comm bash", 0, "[5 failed execs pruned]", "events lost"},
	{"show --db %s --strict 302", 0, "complete", "earlier images"},
	/* At a time what it was then: not what it had been born with. */
	{"tree --db %s --strict 300 --at '2026-11-20 00:00:55'", 0, "/sbin/init", "pruned"},
	{"tree --db %s --strict 300 --at '2026-11-20 00:01:41'", 4, "36 earlier images", "(fork)"},
	{"tree --db %s --strict --at '2026-11-20 00:01:41'", 4, "[?]", "kept"},
	{"tree --db %s --strict --at '2026-11-20 00:02:21'", 0, "kept", "[?]"},
	{"why --db %s 301", 0, "36 earlier images", "(fork)"},
	{"search --db %s --comm child -n 1 --fields pid,parent_exe -o csv -q "
	 "--until '2026-11-20 00:02:00'",
	 0, "301", "init"},
	{"sql --db %s \"SELECT ProcessId, ParentImage FROM sigma_process_creation WHERE "
	 "Image = '/bin/child'\" -o ndjson",
	 0, "\"ProcessId\":301,\"ParentImage\":null", "init"},
	/* Boots of which nothing is left were recorded. */
	{"window --db %s --since '2026-11-19 22:10' --until '2026-11-19 22:50'", 1,
	 "900 not in this database (by retention or export), from 2026-11-19 22:00:00.000 to "
	 "23:00:00.000",
	 "nothing was recorded"},
	{"window --db %s --since '2026-11-19 23:10' --until '2026-11-19 23:50'", 1,
	 "nothing was recorded", "900"},
	{"search --db %s --strict --comm child", 4, "900 not in", "events lost"},
	{"search --db %s --strict --comm child -b 0 --since '2026-11-20 00:02:25'", 0, "complete",
	 "900"},
};

START_TEST(removals)
{
	with_removals();
	ask(&fixture, &removal_cases[_i]);
}
END_TEST

/* Three hundred seconds that the clock showed twice, as it was set back by 500 at 1000 s. */
static void with_a_time_twice(void)
{
	const int64_t s = FIXTURE_SECOND;
	int64_t init;

	fixture_init(&fixture);
	init = fixture_process(&fixture, &(struct fixture_process){.pid = 1, .exe = "/sbin/init"});
	fixture_process(&fixture, &(struct fixture_process){.pid = 300,
							    .start_ns = 50 * s,
							    .parent = init,
							    .exe = "/bin/bash"});
	/* Through the first time only; begun in the first, through the second. */
	fixture_process(&fixture, &(struct fixture_process){.pid = 301,
							    .start_ns = 60 * s,
							    .parent = init,
							    .exe = "/bin/early",
							    .end_after_ns = 990 * s});
	fixture_process(&fixture, &(struct fixture_process){.pid = 302,
							    .start_ns = 700 * s,
							    .parent = init,
							    .exe = "/bin/late"});
	fixture_sql(&fixture, "INSERT INTO clock VALUES (1, %lld, %lld)", 1000 * s,
		    FIXTURE_EPOCH_NS - 500 * s);
	fixture_sql(&fixture,
		    "INSERT INTO pruned_row VALUES (2, 9, 1, %lld, %lld); "
		    "INSERT INTO pruned_exec VALUES (2, 0, 36, 1, %lld, %lld, %lld)",
		    650 * s, 1150 * s, 650 * s, 1150 * s, 1150 * s);
	fixture_finish(&fixture);
}

static const struct ask_case twice_cases[] = {
	{"window --db %s -o text " WINDOW("00:10", "00:15") " | grep -c '9 not in'", 0, "1\n",
	 NULL},
	{"window --db %s -o text " WINDOW("00:10", "00:15") " | grep -c '36 earlier'", 0, "1\n",
	 NULL},
	/* init is shown above the other. */
	{"window --db %s " WINDOW("00:10", "00:15"), 0, "2 others ran throughout", NULL},
	{"tree --db %s --at '2026-11-20 00:10' | grep -c '9 not in'", 0, "1\n", NULL},
	{"tree --db %s --at '2026-11-20 00:10' | grep -c '36 earlier'", 0, "1\n", NULL},
};

START_TEST(time_twice)
{
	with_a_time_twice();
	ask(&fixture, &twice_cases[_i]);
}
END_TEST

/* A clock two hours ahead for 20 s: who is shown is not counted, whatever the clock said then. */
START_TEST(shown_and_not_counted)
{
	static const struct ask_case cases[] = {
		{"window --db %s --since '2026-11-20 00:00:40' --until '2026-11-20 00:01:10'", 0,
		 "1 other ran throughout", NULL},
	};
	const int64_t s = FIXTURE_SECOND;
	int64_t init;

	fixture_init(&fixture);
	init = fixture_process(&fixture, &(struct fixture_process){.pid = 1, .exe = "/sbin/init"});
	fixture_process(&fixture, &(struct fixture_process){.pid = 300,
							    .start_ns = 10 * s,
							    .parent = init,
							    .exe = "/bin/bash"});
	fixture_process(&fixture, &(struct fixture_process){.pid = 301,
							    .start_ns = 50 * s,
							    .parent = init,
							    .exe = "/bin/short",
							    .end_after_ns = 10 * s});
	fixture_sql(&fixture, "UPDATE clock SET offset_ns = %lld", FIXTURE_EPOCH_NS + 7200 * s);
	fixture_sql(&fixture, "INSERT INTO clock VALUES (1, %lld, %lld)", 20 * s, FIXTURE_EPOCH_NS);
	fixture_finish(&fixture);
	ask(&fixture, &cases[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("losses");
	TCase *tcase = tcase_create("losses");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_loop_test(tcase, losses, 0, sizeof(loss_cases) / sizeof(loss_cases[0]));
	tcase_add_loop_test(tcase, removals, 0, sizeof(removal_cases) / sizeof(removal_cases[0]));
	tcase_add_loop_test(tcase, time_twice, 0, sizeof(twice_cases) / sizeof(twice_cases[0]));
	tcase_add_test(tcase, shown_and_not_counted);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
