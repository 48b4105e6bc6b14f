/* SPDX-License-Identifier: Apache-2.0 */
/* Trees at a time in which somebody had lost its parent: in PID namespaces, copies, several files.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "fixture.h"

#define S	FIXTURE_SECOND
#define OUTSIDE 1
#define INSIDE	3

static struct fixture fixture, other;

static void setup(void)
{
	fixture_init(&fixture);
	fixture_sql(&fixture, "UPDATE context SET pid_ns = CASE context WHEN 3 THEN 77 ELSE 1 END,"
			      " pid_ns_level = context = 3");
}

static void teardown(void)
{
	fixture_deinit(&fixture);
}

static int64_t add(struct fixture *f, int64_t pid, int64_t start_s, int64_t parent, const char *exe,
		   int64_t end_s, int64_t context)
{
	return fixture_process(
		f, &(struct fixture_process){.pid = pid,
					     .start_ns = start_s * S,
					     .parent = parent,
					     .exe = exe,
					     .end_after_ns = end_s ? (end_s - start_s) * S : 0,
					     .context = context});
}

static void make_init(int64_t process_id)
{
	fixture_sql(&fixture, "UPDATE process_row SET ns_pid = 1 WHERE process_id = %lld",
		    process_id);
}

/* 50 was put into a PID namespace of which nobody else is recorded, and left 60 at 300 s. */
static void without_init(void)
{
	int64_t init, outside, mid;

	init = add(&fixture, 1, 0, 0, "/sbin/init", 0, OUTSIDE);
	outside = add(&fixture, 40, 50, init, "/bin/outside", 0, OUTSIDE);
	add(&fixture, 41, 60, init, "/bin/beside", 0, OUTSIDE);
	mid = add(&fixture, 50, 200, outside, "/bin/mid", 300, INSIDE);
	add(&fixture, 60, 250, mid, "/bin/orphan", 0, INSIDE);
	fixture_sql(&fixture, "UPDATE process_row SET ns_pid = pid WHERE pid > 41");
	fixture_finish(&fixture);
}

#define NOBODY "1 of whom it is not recorded who their parent was then, the first orphan(60)"

static const struct ask_case unknown_cases[] = {
	{"tree --db %s 60 -s --at '2026-11-20 00:05'", 0, "orphan(60)", "outside"},
	{"tree --db %s 60 -s --at '2026-11-20 00:05' --strict", 4, NOBODY, "init(1)"},
	{"tree --db %s 60 --at '2026-11-20 00:05' --strict", 4, NOBODY, "/bin/outside"},
	{"tree --db %s 60 --at '2026-11-20 00:05' --ancestors -q -o csv --fields pid,depth", 0,
	 "60,0\r\n", "40"},
	{"tree --db %s --at '2026-11-20 00:05' --exe orphan --strict", 4, NOBODY, "/bin/outside"},
	{"tree --db %s --at '2026-11-20 00:05' --strict", 4, NOBODY, "/bin/mid"},
	{"tree --db %s 60 --at '2026-11-20 00:05' -o json", 0, "\"kind\":\"unknown\"",
	 "\"complete\":true"},
	/* It may be below whom it was born below, and is below nobody else. */
	{"tree --db %s 1 --at '2026-11-20 00:05' --strict", 4, NOBODY, "/bin/orphan"},
	{"tree --db %s 40 --at '2026-11-20 00:05' --strict", 4, NOBODY, "/bin/orphan"},
	{"tree --db %s 41 --at '2026-11-20 00:05' --strict", 0, "complete", "incomplete"},
	{"tree --db %s 40 --at '2026-11-20 00:05' -s --strict", 0, "complete", "incomplete"},
	{"tree --db %s 60 -s --at '2026-11-20 00:04:50' --strict", 0,
	 "init(1) → outside(40) → mid(50) → orphan(60)", "incomplete"},
	{"tree --db %s 60 -s --at '2026-11-20 00:05' --parent birth --strict", 0,
	 "init(1) → outside(40) → mid(50) → orphan(60)", "incomplete"},
};

START_TEST(unknown_parent)
{
	without_init();
	ask(&fixture, &unknown_cases[_i]);
}
END_TEST

/* Whose child 50 was nobody knows: 51 may have come to anybody. */
START_TEST(broken_line)
{
	static const struct ask_case cases[] = {
		{"tree --db %s 1 --at '2026-11-20 00:02' --strict", 4,
		 "1 of whom it is not recorded who their parent was then, the first left(51)",
		 "/bin/left"},
		{"tree --db %s 1 --at '2026-11-20 00:00:15' --strict", 0, "complete", "incomplete"},
	};
	int64_t mid;

	add(&fixture, 1, 0, 0, "/sbin/init", 0, OUTSIDE);
	mid = add(&fixture, 50, 10, 0, "/bin/mid", 20, INSIDE);
	add(&fixture, 51, 15, mid, "/bin/left", 0, INSIDE);
	fixture_finish(&fixture);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ask(&fixture, &cases[i]);
}
END_TEST

/*
 * One namespace after the other had the same number: of 31, which 33 was put into and left 34; of
 * 35, where 37 left 38; and before and after them, of 21 and 39.
 */
static void with_inits(void)
{
	int64_t init, shim, shell, agent;

	init = add(&fixture, 1, 0, 0, "/sbin/init", 0, OUTSIDE);
	shim = add(&fixture, 30, 5, init, "/bin/shim", 0, OUTSIDE);
	agent = add(&fixture, 32, 6, init, "/bin/agent", 0, OUTSIDE);
	make_init(add(&fixture, 21, 10, shim, "/bin/tini", 20, INSIDE));
	make_init(add(&fixture, 31, 100, shim, "/bin/tini", 400, INSIDE));
	shell = add(&fixture, 33, 200, agent, "/bin/sh", 300, INSIDE);
	add(&fixture, 34, 250, shell, "/bin/d", 400, INSIDE);
	make_init(add(&fixture, 35, 500, shim, "/bin/dumb", 900, INSIDE));
	shell = add(&fixture, 37, 600, agent, "/bin/sh", 700, INSIDE);
	add(&fixture, 38, 650, shell, "/bin/d", 900, INSIDE);
	make_init(add(&fixture, 39, 1000, shim, "/bin/tini", 0, INSIDE));
	fixture_finish(&fixture);
}

static const struct export_case {
	const char *selection, *pids; /* of all that is in the copy */
	struct ask_case both;	      /* of the source and of the copy */
} export_cases[] = {
	{"34",
	 "1\r\n30\r\n32\r\n31\r\n33\r\n34\r\n",
	 {"tree --db %s 34 -s --at '2026-11-20 00:06'", 0, "init(1) → shim(30) → tini(31) → d(34)",
	  NULL}},
	{"38",
	 "1\r\n30\r\n32\r\n35\r\n37\r\n38\r\n",
	 {"tree --db %s 38 -s --at '2026-11-20 00:13:20'", 0,
	  "init(1) → shim(30) → dumb(35) → d(38)", NULL}},
	/* The second began while the first that was asked for ran. */
	{"--exe d",
	 "1\r\n30\r\n32\r\n31\r\n33\r\n34\r\n35\r\n37\r\n38\r\n",
	 {"tree --db %s 38 -s --at '2026-11-20 00:13:20'", 0,
	  "init(1) → shim(30) → dumb(35) → d(38)", NULL}},
	{"32 --redact",
	 "1\r\n30\r\n32\r\n31\r\n33\r\n34\r\n35\r\n37\r\n38\r\n",
	 {"tree --db %s 34 -s --at '2026-11-20 00:06'", 0, "init(1) → shim(30) → tini(31) → d(34)",
	  NULL}},
	/* Of which namespace's processes nothing was asked has nobody in it. */
	{"30 --redact",
	 "1\r\n30\r\n21\r\n31\r\n35\r\n39\r\n",
	 {"tree --db %s 31 -s --at '2026-11-20 00:06'", 0, "init(1) → shim(30) → tini(31)", NULL}},
};

START_TEST(copy_has_inits)
{
	const struct export_case *c = &export_cases[_i];
	struct ask_case export = {.words = "sha256: "};
	char arguments[256];
	const char *pids;

	with_inits();
	other = fixture;
	strcat(other.path, ".copy");
	snprintf(arguments, sizeof(arguments), "export --db %%s -o %s %s", other.path,
		 c->selection);
	export.arguments = arguments;
	ask(&fixture, &export);
	ck_assert_int_eq(fixture_ask(&other, "search --db %s -q -o csv --fields pid", &pids), 0);
	ck_assert_str_eq(pids, c->pids);
	ask(&fixture, &c->both);
	ask(&other, &c->both);
	unlink(other.path);
}
END_TEST

/* Each of two hosts has a process whose parent had ended, with the same ids but not the same pids.
 */
START_TEST(several_databases)
{
	static const char boot[] = "22222222-aaaa-4aaa-8aaa-222222222222";
	char arguments[256];
	const char *output;

	fixture_init(&other);
	fixture_sql(&other, "UPDATE boot SET boot_id = %Q, hostname = 'node2'", boot);
	for (int i = 0; i < 2; i++) {
		struct fixture *f = i ? &other : &fixture;
		/* By time the hosts come after one another. */
		int64_t init = add(f, 1 + i, i, 0, "/sbin/init", 0, OUTSIDE);
		int64_t dead = add(f, 50 + i, 10 + i, init, "/bin/dead", 20, OUTSIDE);

		add(f, 60 + i, 15 + i, dead, "/bin/kid", 0, OUTSIDE);
		fixture_finish(f);
	}
	snprintf(arguments, sizeof(arguments),
		 "tree --db %%s --db %s --at '2026-11-20 00:05' --parent birth -q -o csv "
		 "--fields pid,depth,matches",
		 other.path);
	ck_assert_int_eq(fixture_ask(&fixture, arguments, &output), 0);
	ck_assert_str_eq(output, "1,0,1\r\n50,1,0\r\n60,2,1\r\n"
				 "2,0,1\r\n51,1,0\r\n61,2,1\r\n");
	fixture_deinit(&other);
}
END_TEST

/* Each of them looking for the init among all the others takes minutes. */
START_TEST(many_orphans)
{
	static const struct ask_case cases[] = {
		{"tree --db %s --at '2026-11-20 00:20'", 0, "60000× (fork) /bin/sh", NULL},
		{"tree --db %s 31 --at '2026-11-20 00:20'", 0, "60000× (fork) /bin/sh", NULL},
	};
	int64_t init, shell;

	init = add(&fixture, 1, 0, 0, "/sbin/init", 0, OUTSIDE);
	make_init(add(&fixture, 31, 100, init, "/bin/tini", 0, INSIDE));
	shell = add(&fixture, 32, 200, init, "/bin/sh", 1000, INSIDE);
	fixture_sql(&fixture,
		    "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 60000) "
		    "INSERT INTO process_row (process_id, boot, pid, start_boot_ns, parent_id,"
		    "provenance, context, ns_pid, pgid, exec_context, exec_parent_id,"
		    "end_parent_id, image) SELECT 100 + n, 1, 100 + n, %lld + n, %lld, %d, 3, 0,"
		    "0, 0, 0, 0, image FROM n, process_row WHERE process_id = %lld",
		    300 * S, shell,
		    PROVENANCE_PACK(PROVENANCE_OBSERVED, PROVENANCE_NONE, PROVENANCE_NONE), shell);
	fixture_finish(&fixture);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ask(&fixture, &cases[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("orphans");
	TCase *tcase = tcase_create("orphans");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, unknown_parent, 0,
			    sizeof(unknown_cases) / sizeof(unknown_cases[0]));
	tcase_add_loop_test(tcase, copy_has_inits, 0,
			    sizeof(export_cases) / sizeof(export_cases[0]));
	tcase_add_test(tcase, broken_line);
	tcase_add_test(tcase, several_databases);
	tcase_add_test(tcase, many_orphans);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
