/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused rather than answered, and what several databases are together. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static struct fixture fixture;

static void expect(const char *arguments, int status, const char *words)
{
	const char *output;
	int got = fixture_ask(&fixture, arguments, &output);

	ck_assert_msg(got == status, "%s: %d: %s", arguments, got, output);
	ck_assert_msg(strstr(output, words), "%s: no '%s' in: %s", arguments, words, output);
}

static const struct {
	const char *arguments;
	int status;
	const char *words;
} cases[] = {
	/* Nothing matched would pass for an answer. */
	{"search --db %s -p foo", 2, "'foo' is no process"},
	{"search --db %s -p 12@x", 2, "'x' is neither"},
	{"search --db %s -p 99999999999", 2, "is no process"},
	{"tree --db %s -p ''", 2, "'' is no process"},
	{"search --db %s --ppid abc", 2, "--ppid takes a pid, not 'abc'"},
	{"search --db %s --ppid -1", 2, "--ppid takes"},
	{"search --db %s --session xx", 2, "--session takes a number, not 'xx'"},
	{"search --db %s --tty ''", 2, "--tty takes a name"},
	{"search --db %s --status 256", 2, "--status takes a number up to 255"},
	{"search --db %s --status '!-1'", 2, "--status takes a number up to 255"},
	{"search --db %s --status '!255' --ppid 0", 1, "nothing matched"},
	{"search --db %s --uid 99999999999", 2, "'99999999999' is no number of a user"},
	{"search --db %s --uid -1", 1, "nothing matched"},
	{"search --db %s --boot zzzz", 2, "--boot takes 0, -1"},
	{"window --db %s --boot 7", 2, "--boot takes 0, -1"},
	{"tree --db %s 1 --boot ''", 2, "--boot takes 0, -1"},
	{"search --db %s --boot -5", 1, "nothing matched"},
	{"search --db %s --boot 2222", 1, "nothing matched"},
	/* A number means that number. */
	{"search --db %s -n 0", 2, "--limit takes a number from 1 on"},
	{"stats --db %s -n 0", 2, "--limit takes a number from 1 on"},
	{"tree --db %s 300 --ancestors=0 -q -o csv --fields pid", 0, "300\r\n"},
	{"tree --db %s 300 --descendants=0 -q -o csv --fields pid", 0, "300\r\n"},
	{"tree --db %s 300 --depth 0 --descendants -q -o csv --fields pid", 0, "300\r\n"},
	{"tree --db %s 300 --ancestors -q -o csv --fields pid", 0, "1\r\n100\r\n200\r\n300\r\n"},
	{"tree --db %s 300 --descendants=1 -q -o csv --fields pid", 0, "300\r\n301\r\n"},
	/* What is no part of the question is not passed over. */
	{"tree --db %s 200 --uid 7777", 2, "of one process, tree shows all"},
	{"tree --db %s 200 --comm nosuch", 2, "of one process, tree shows all"},
	{"tree --db %s 200 --failed --boot 0", 0, "make"},
	{"export --db %s 200 --uid 7777 -o /nonexistent/x", 2, "of one process, export takes all"},
	{"report --db %s -p 200 --exe cc -o /nonexistent/x", 2, "of one process, report takes all"},
	/* The same twice would count twice. */
	{"stats --db %s --db %s", 2, "both hold boot 11111111-aaaa-4aaa-8aaa-111111111111"},
	{"window --db %s --db %s --since 2026-11-20", 2, "ask them one by one"},
	{"show --db %s --db %s 200", 2, "both hold boot"},
	{"verify --db %s --db %s", 0, "sound"},
	{"boots --db %s --db %s", 0, "11111111-aaaa-4aaa-8aaa-111111111111"},
	{"sql --db %s --db %s 'SELECT 1'", 0, "1\n"},
};

START_TEST(says)
{
	const char *output;

	fixture_small(&fixture);
	expect(cases[_i].arguments, cases[_i].status, cases[_i].words);
	/* These are the whole answer. */
	if (strstr(cases[_i].words, "300\r\n") == cases[_i].words ||
	    strstr(cases[_i].words, "1\r\n") == cases[_i].words) {
		fixture_ask(&fixture, cases[_i].arguments, &output);
		if (strstr(cases[_i].arguments, "s=0") || strstr(cases[_i].arguments, "h 0"))
			ck_assert_str_eq(output, "300\r\n");
	}
	fixture_deinit(&fixture);
}
END_TEST

static void spawn(struct fixture *f, int64_t pid, int64_t seconds)
{
	fixture_process(f, &(struct fixture_process){.pid = pid,
						     .start_ns = seconds * FIXTURE_SECOND,
						     .exe = "/bin/true",
						     .args = "[\"x\"]",
						     .end_after_ns = FIXTURE_SECOND});
}

static void expect_pids(const struct fixture *other, const char *arguments, const char *pids)
{
	char line[512];
	const char *output;

	snprintf(line, sizeof(line), "search --db %%s %s%s -q -o csv --fields pid %s",
		 other ? "--db " : "", other ? other->path : "", arguments);
	ck_assert_int_eq(fixture_ask(&fixture, line, &output), 0);
	/* CRLF as blanks. */
	snprintf(line, sizeof(line), "%s", output);
	for (char *c = line; *c; c++)
		*c = *c == '\r' || *c == '\n' ? ' ' : *c;
	ck_assert_msg(strcmp(line, pids) == 0, "%s: %s, not %s", arguments, line, pids);
}

/* Not the order of recording, and not one database after the other. */
START_TEST(in_order_of_time)
{
	struct fixture other;

	fixture_init(&other);
	fixture_sql(&other, "UPDATE boot SET boot_id = '22222222-aaaa-4aaa-8aaa-222222222222', "
			    "hostname = 'node2'");
	spawn(&other, 21, 21);
	spawn(&other, 51, 50);
	spawn(&other, 31, 30);
	fixture_finish(&other);
	fixture_init(&fixture);
	spawn(&fixture, 10, 10);
	spawn(&fixture, 40, 40);
	spawn(&fixture, 20, 20);
	fixture_finish(&fixture);
	expect_pids(NULL, "-n 1", "40  ");
	expect_pids(NULL, "", "10  20  40  ");
	expect_pids(&other, "-r", "51  40  31  21  20  10  ");
	expect_pids(&other, "-n 3", "31  40  51  ");
	expect_pids(&other, "-n 2 -r", "51  40  ");
	expect_pids(&other, "-n 3 --since '2026-11-20 00:00:25' --until '2026-11-20 00:00:45'",
		    "31  40  ");
	expect_pids(&other, "-n 2 -p 10 -p 51 -p 40", "40  51  ");
	expect_pids(&other, "-p 10 -p 51 -p 40", "10  40  51  ");
	fixture_deinit(&fixture);
	fixture_deinit(&other);
}
END_TEST

static void expect_of_two(const struct fixture *other, const char *arguments, const char *words)
{
	char line[512];

	snprintf(line, sizeof(line), "%s --db %%s --db %s", arguments, other->path);
	expect(line, 0, words);
}

/* A pid and a start are of one boot: which, and of which host, is said. */
START_TEST(hosts_are_named)
{
	struct fixture other;

	fixture_init(&other);
	fixture_sql(&other, "UPDATE boot SET boot_id = '22222222-aaaa-4aaa-8aaa-222222222222', "
			    "hostname = 'node\0332'");
	spawn(&other, 10, 10);
	fixture_finish(&other);
	fixture_init(&fixture);
	spawn(&fixture, 10, 10);
	fixture_finish(&fixture);
	expect_of_two(&other, "search", "0       [host node\\x1b2] /bin/true");
	expect_of_two(&other, "window --since 2026-11-20", "0    [host node1] /bin/true");
	expect_of_two(&other, "search -o table", "HOST ");
	expect_of_two(&other, "tree 10", "Others: 10@10000000000 --boot ");
	expect_of_two(&other, "tree 10@10000000000 --boot 11111111", "[host node1] ");
	expect_of_two(&other, "why 10 --boot 2222", "true(10) on node\\x1b2 is the first");
	fixture_deinit(&fixture);
	fixture_deinit(&other);
}
END_TEST

/* Nobody takes it: that is told, and nothing of the answer. */
START_TEST(cannot_write)
{
	static const char *const questions[] = {
		"window --db %s --since 2026-11-20 -o csv 2>&1 >/dev/full | cat; true",
		"search --db %s -o csv 2>&1 >/dev/full | cat; true",
		"tree --db %s 1 -o folded 2>&1 >/dev/full | cat; true",
	};
	const char *output;

	fixture_small(&fixture);
	fixture_ask(&fixture, questions[_i], &output);
	ck_assert_str_eq(output, "lineage-query: cannot write: No space left on device.\n");
	fixture_deinit(&fixture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *tcase = tcase_create("session");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, says, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tcase, in_order_of_time);
	tcase_add_test(tcase, hosts_are_named);
	tcase_add_loop_test(tcase, cannot_write, 0, 3);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
