/* SPDX-License-Identifier: Apache-2.0 */
/* Processes as they stood at a time: clocks that step, images, reapers, boots that are over. */
#include <check.h>
#include <stdlib.h>

#include "ask.h"
#include "cli/moment.h"
#include "fixture.h"

#define S     FIXTURE_SECOND
#define AT(s) (FIXTURE_EPOCH_NS + (s)*S)

static struct fixture fixture;
static struct query *query;

static void teardown(void)
{
	query_free(query);
	query = NULL;
	fixture_deinit(&fixture);
}

static struct process *process(int64_t id)
{
	struct process *p;

	if (!query) {
		fixture_finish(&fixture);
		ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_LINE, &query), 0);
	}
	ck_assert_int_eq(query_process(query, id, &p), 0);
	return p;
}

static int64_t add(int64_t pid, int64_t start_s, int64_t parent, const char *exe, int64_t end_s)
{
	return fixture_process(
		&fixture,
		&(struct fixture_process){.pid = pid,
					  .start_ns = start_s * S,
					  .parent = parent,
					  .exe = exe,
					  .end_after_ns = end_s ? (end_s - start_s) * S : 0});
}

/* At 1000 s of the boot the clock went back by 600 s: 00:06:40 to 00:16:40 came twice. */
static void with_a_step(void)
{
	int64_t init;

	fixture_init(&fixture);
	fixture_sql(&fixture, "INSERT INTO clock VALUES (1, %lld, %lld)", 1000 * S,
		    FIXTURE_EPOCH_NS - 600 * S);
	init = add(1, 0, 0, "/sbin/init", 0);
	add(50, 900, init, "/bin/bash", 1150);
	add(51, 950, init, "/bin/cat", 960);
}

START_TEST(clock_stepped_back)
{
	struct process *shell;
	int64_t at;

	with_a_step();
	shell = process(2);
	ck_assert(moment_of_life(&(struct moment){AT(930)}, shell, false, &at));
	ck_assert_int_eq(at, 930 * S);
	ck_assert(moment_of_life(&(struct moment){AT(540)}, shell, false, &at));
	ck_assert_int_eq(at, 1140 * S);
	/* It ended at 1150 s, when the clock showed 550 s. */
	ck_assert(!moment_alive(&(struct moment){AT(550)}, shell));
	ck_assert(moment_of_life(&(struct moment){AT(550)}, shell, true, &at));
	ck_assert(!moment_alive(&(struct moment){AT(899)}, shell));
	/* Of two moments of one life the last. */
	ck_assert(moment_of_life(&(struct moment){AT(950)}, process(1), false, &at));
	ck_assert_int_eq(at, 1550 * S);
}
END_TEST

static const struct ask_case step_cases[] = {
	{"tree --db %s --at '2026-11-20 00:09'", 0, "/bin/bash", "/bin/cat"},
	{"tree --db %s --at '2026-11-20 00:15:55' -q -o csv --fields pid", 0, "1\r\n50\r\n51\r\n",
	 "1\r\n1\r\n"},
	{"tree --db %s 50 --at '2026-11-20 00:09'", 0, "/bin/bash", "is recorded"},
	{"search --db %s -p '50@2026-11-20 00:09'", 0, "/bin/bash", "nothing"},
	{"search --db %s -p '50@2026-11-20 00:14'", 1, "nothing", "/bin/bash"},
};

START_TEST(asks_about_a_step)
{
	with_a_step();
	fixture_finish(&fixture);
	ask(&fixture, &step_cases[_i]);
}
END_TEST

/*
 * A shell from 200 s became nginx at 250 s. At 210 s it forked 301, which never called exec, and
 * 302, which ran sleep as another user at 310 s.
 */
static void with_images(void)
{
	int64_t init, shell, child;

	fixture_init(&fixture);
	init = add(1, 0, 0, "/sbin/init", 0);
	shell = fixture_process(&fixture, &(struct fixture_process){.pid = 300,
								    .start_ns = 200 * S,
								    .parent = init,
								    .exe = "/usr/sbin/nginx",
								    .exec_after_ns = 50 * S});
	fixture_exec(&fixture, shell, 200 * S + 1, "/bin/bash", "[\"bash\"]");
	fixture_process(&fixture, &(struct fixture_process){
					  .pid = 301, .start_ns = 210 * S, .parent = shell});
	fixture_sql(&fixture, "UPDATE process_row SET image = (SELECT image FROM exec_row) "
			      "WHERE pid = 301");
	child = fixture_process(&fixture, &(struct fixture_process){.pid = 302,
								    .start_ns = 210 * S,
								    .parent = shell,
								    .exe = "/bin/sleep",
								    .exec_after_ns = 100 * S});
	fixture_sql(&fixture, "UPDATE process_row SET exec_context = 2 WHERE process_id = %lld",
		    child);
}

static const char *exe_at(int64_t id, int64_t seconds)
{
	struct exec image;

	ck_assert_int_eq(moment_image(process(id), seconds * S, &image), 0);
	return image.image && image.image->exe ? image.image->exe->value : "?";
}

START_TEST(image_then)
{
	struct process_list list = {0};
	struct exec image;

	with_images();
	ck_assert_str_eq(exe_at(2, 210), "/bin/bash");
	ck_assert_str_eq(exe_at(2, 250), "/usr/sbin/nginx");
	ck_assert_str_eq(exe_at(3, 500), "/bin/bash");
	ck_assert_str_eq(exe_at(4, 309), "/bin/bash");
	ck_assert_str_eq(exe_at(4, 310), "/bin/sleep");
	/* Before its first exec its parent had none, either. */
	ck_assert_str_eq(exe_at(2, 200), "/sbin/init");
	ck_assert_int_eq(moment_image(process(4), 309 * S, &image), 0);
	ck_assert_int_eq(image.provenance, PROVENANCE_NONE);
	ck_assert_int_eq(image.context->uid, 0);
	ck_assert_int_eq(process_list_add(&list, process(2)), 0);
	ck_assert_int_eq(process_list_add(&list, process(4)), 0);
	ck_assert_int_eq(moment_set_images(&(struct moment){AT(240)}, &list), 0);
	ck_assert_str_eq(process(2)->image->exe->value, "/bin/bash");
	ck_assert_uint_eq(process(2)->exec_count, 1);
	ck_assert_str_eq(process(4)->image->exe->value, "/bin/bash");
	ck_assert_uint_eq(process(4)->exec_count, 0);
	process_list_deinit(&list);
}
END_TEST

static const struct ask_case image_cases[] = {
	{"why --db %s 302", 0, "bash(300): /bin/bash", "nginx"},
	{"why --db %s 301", 0, "bash(300): /bin/bash", "nginx"},
	{"tree --db %s 302 -s", 0, "bash(300) → sleep(302)", "nginx"},
	{"tree --db %s 302", 0, "/bin/bash ⇒ /usr/sbin/nginx", "(fork)"},
	{"search --db %s -p 302 -o ecs | grep '\"action\":\"fork\"'", 0,
	 "\"pid\":300,\"name\":\"bash\",\"executable\":\"/bin/bash\"", "nginx"},
	{"search --db %s -p 302 -o ecs | grep '\"action\":\"exec\"'", 0,
	 "\"pid\":300,\"name\":\"nginx\",\"executable\":\"/usr/sbin/nginx\"", "\"name\":\"bash\""},
	{"search --db %s -p 301 -o ocsf | head -1", 0, "\"pid\":300,\"name\":\"bash\"", "nginx"},
	{"search --db %s -p 302 -o csv -q --fields parent_comm,parent_exe", 0, "bash,/bin/bash\r\n",
	 "nginx"},
	{"tree --db %s 302 --at '2026-11-20 00:05'", 0, "(fork) /bin/bash", "(fork) /usr"},
	/* Selected is by what it was then. */
	{"tree --db %s --at '2026-11-20 00:05' --exe sleep", 1, "no process matches", "302"},
	{"tree --db %s --at '2026-11-20 00:05:11' --exe sleep", 0, "/bin/sleep", "301"},
	{"tree --db %s --at '2026-11-20 00:05:11' --exe bash -q -o csv --fields pid,matches", 0,
	 "301,1\r\n", "302"},
	{"tree --db %s --at '2026-11-20 00:05:11' --uid 1000", 0, "/bin/sleep", "301"},
	{"tree --db %s --at '2026-11-20 00:05' --uid 1000", 1, "no process matches", "302"},
};

START_TEST(asks_about_images)
{
	with_images();
	fixture_finish(&fixture);
	ask(&fixture, &image_cases[_i]);
}
END_TEST

/*
 * 50 ended at 200 s, 40 at 550 s. 60 was init's when it ended, 61 is not known to have been anybody
 * else's; 62 was init's at an exec at 300 s, though 45, above it, was there until 550 s.
 */
static void with_reapers(void)
{
	int64_t init, user, shell, make, child;

	fixture_init(&fixture);
	init = add(1, 0, 0, "/sbin/init", 0);
	user = add(40, 50, init, "/lib/systemd", 550);
	shell = add(50, 100, user, "/bin/bash", 200);
	child = add(60, 150, shell, "/bin/d", 950);
	fixture_sql(&fixture, "UPDATE process_row SET end_parent_id = %lld WHERE process_id = %lld",
		    init, child);
	add(61, 150, shell, "/bin/d", 0);
	make = add(45, 60, init, "/bin/make", 550);
	shell = add(51, 100, make, "/bin/bash", 200);
	child = fixture_process(&fixture, &(struct fixture_process){.pid = 62,
								    .start_ns = 150 * S,
								    .parent = shell,
								    .exe = "/bin/d",
								    .exec_after_ns = 150 * S});
	fixture_sql(&fixture,
		    "UPDATE process_row SET exec_parent_id = %lld WHERE process_id = %lld", init,
		    child);
}

static int64_t reaper_pid(int64_t id, int64_t seconds)
{
	struct moment m = {AT(seconds)};

	return process(moment_reaper(process(id), &m))->pid;
}

START_TEST(nearest_reaper)
{
	with_reapers();
	for (int64_t id = 4; id <= 5; id++) {
		ck_assert_int_eq(reaper_pid(id, 180), 50);
		ck_assert_int_eq(reaper_pid(id, 300), 40);
		ck_assert_int_eq(reaper_pid(id, 600), 1);
	}
	/* Who lived on and did not get it is no reaper. */
	ck_assert_int_eq(reaper_pid(8, 250), 1);
	ck_assert_int_eq(reaper_pid(8, 400), 1);
}
END_TEST

static const struct ask_case reaper_cases[] = {
	{"tree --db %s 60 --at '2026-11-20 00:05' -s", 0, "init(1) → systemd(40) → d(60)", NULL},
	{"tree --db %s 60 --at '2026-11-20 00:05' --ancestors -q -o csv --fields pid,depth", 0,
	 "1,0\r\n40,1\r\n60,2\r\n", NULL},
	{"tree --db %s 40 --at '2026-11-20 00:05' -q -o csv --fields pid,depth", 0,
	 "40,1\r\n60,2\r\n61,2\r\n", NULL},
	{"tree --db %s 62 --at '2026-11-20 00:05:10' -s", 0, "init(1) → d(62)", "make"},
	{"tree --db %s 60 --parent reaper -s", 0, "init(1) → d(60)", "bash"},
	{"tree --db %s 60 -s", 0, "init(1) → systemd(40) → bash(50) → d(60)", NULL},
};

START_TEST(asks_about_reapers)
{
	with_reapers();
	fixture_finish(&fixture);
	ask(&fixture, &reaper_cases[_i]);
}
END_TEST

static void adopt(int64_t id, const char *column, int64_t parent)
{
	fixture_sql(&fixture, "UPDATE process_row SET %s = %lld WHERE process_id = %lld", column,
		    parent, id);
}

/*
 * 40 takes in orphans, 41 below it does not. 42 ended at 200 s; 43, its child, was 40's at an exec
 * at 210 s and until its end at 300 s; 44, a child of that one, is not known to have been anybody
 * else's. So with 45, but that an image which it had before its latest tells of 40.
 */
static void with_subreaper(void)
{
	int64_t init, reaper, make, shell, child;

	fixture_init(&fixture);
	init = add(1, 0, 0, "/sbin/init", 0);
	reaper = add(40, 50, init, "/lib/systemd", 550);
	make = add(41, 60, reaper, "/bin/make", 0);
	shell = add(42, 100, make, "/bin/bash", 200);
	child = fixture_process(&fixture, &(struct fixture_process){.pid = 43,
								    .start_ns = 150 * S,
								    .parent = shell,
								    .exe = "/bin/d",
								    .exec_after_ns = 60 * S,
								    .end_after_ns = 150 * S});
	adopt(child, "exec_parent_id", reaper);
	adopt(child, "end_parent_id", reaper);
	add(44, 160, child, "/bin/e", 0);
	child = fixture_process(&fixture, &(struct fixture_process){.pid = 45,
								    .start_ns = 170 * S,
								    .parent = shell,
								    .exe = "/bin/g",
								    .exec_after_ns = 430 * S});
	adopt(child, "exec_parent_id", init);
	fixture_exec(&fixture, child, 210 * S, "/bin/f", "[]");
	fixture_sql(&fixture, "UPDATE exec_row SET parent_id = %lld", reaper);
}

#define BELOW " -q -o csv --fields pid,depth --descendants"

static const struct ask_case subreaper_cases[] = {
	{"tree --db %s 40 --at '2026-11-20 00:03'" BELOW, 0,
	 "40,0\r\n41,1\r\n42,2\r\n43,3\r\n44,4\r\n45,3\r\n", NULL},
	{"tree --db %s 40 --at '2026-11-20 00:04'" BELOW, 0,
	 "40,0\r\n41,1\r\n43,1\r\n44,2\r\n45,1\r\n", NULL},
	{"tree --db %s 40 --at '2026-11-20 00:04' --depth 1" BELOW, 0,
	 "40,0\r\n41,1\r\n43,1\r\n45,1\r\n", "44"},
	/* What it was given to took what it had. */
	{"tree --db %s 40 --at '2026-11-20 00:06'" BELOW, 0, "40,0\r\n41,1\r\n44,1\r\n45,1\r\n",
	 NULL},
	{"tree --db %s 41 --at '2026-11-20 00:06'" BELOW, 0, "41,0\r\n", "44"},
	{"tree --db %s 1 --at '2026-11-20 00:12'" BELOW, 0, "1,0\r\n41,1\r\n44,1\r\n45,1\r\n",
	 "40"},
	{"tree --db %s 40 --at '2026-11-20 00:06' --parent birth" BELOW, 0,
	 "40,1\r\n41,2\r\n42,3\r\n43,4\r\n44,5\r\n45,4\r\n", NULL},
	{"tree --db %s 40 --parent reaper" BELOW, 0, "40,0\r\n41,1\r\n42,2\r\n43,1\r\n44,2\r\n",
	 "45"},
	{"tree --db %s 40 --parent reaper --depth 1" BELOW, 0, "40,0\r\n41,1\r\n43,1\r\n", "44"},
	{"tree --db %s 41 --parent reaper" BELOW, 0, "41,0\r\n42,1\r\n", "43"},
	{"tree --db %s 1 --parent reaper" BELOW, 0, "45,1\r\n", NULL},
	{"tree --db %s 40" BELOW, 0, "40,0\r\n41,1\r\n42,2\r\n43,3\r\n44,4\r\n45,3\r\n", NULL},
};

START_TEST(asks_about_subreapers)
{
	with_subreaper();
	fixture_finish(&fixture);
	ask(&fixture, &subreaper_cases[_i]);
}
END_TEST

/*
 * 31 began a PID namespace, into which 32 was put from outside: what that leaves at 300 s goes to
 * 31, which is not above it. 33 runs on; 34 was 31's when it ended, at 500 s, and so was its child.
 */
static void with_namespace(void)
{
	int64_t init, shim, inside, shell, child;

	fixture_init(&fixture);
	fixture_sql(&fixture, "UPDATE context SET pid_ns = CASE context WHEN 3 THEN 77 ELSE 1 END,"
			      " pid_ns_level = context = 3");
	init = add(1, 0, 0, "/sbin/init", 0);
	shim = add(30, 50, init, "/bin/shim", 0);
	inside = add(31, 100, shim, "/bin/tini", 0);
	shell = add(32, 200, shim, "/bin/sh", 300);
	add(33, 250, shell, "/bin/d", 0);
	child = add(34, 260, shell, "/bin/e", 500);
	adopt(child, "end_parent_id", inside);
	add(35, 450, child, "/bin/f", 0);
	fixture_sql(&fixture, "UPDATE process_row SET context = 3, ns_pid = pid - 30 WHERE pid > "
			      "30");
}

static const struct ask_case namespace_cases[] = {
	{"tree --db %s 31 --at '2026-11-20 00:04:40'" BELOW, 0, "31,0\r\n", "33"},
	{"tree --db %s 32 --at '2026-11-20 00:04:40'" BELOW, 0, "32,0\r\n33,1\r\n34,1\r\n", NULL},
	{"tree --db %s 31 --at '2026-11-20 00:08'" BELOW, 0, "31,0\r\n33,1\r\n34,1\r\n35,2\r\n",
	 NULL},
	{"tree --db %s 31 --at '2026-11-20 00:10'" BELOW, 0, "31,0\r\n33,1\r\n35,1\r\n", NULL},
	{"tree --db %s 30 --at '2026-11-20 00:10'" BELOW, 0, "30,0\r\n31,1\r\n33,2\r\n35,2\r\n",
	 NULL},
	{"tree --db %s 35 --at '2026-11-20 00:10' -s", 0, "shim(30) → tini(31) → f(35)", NULL},
	{"tree --db %s --at '2026-11-20 00:10' --exe d -q -o csv --fields pid,depth", 0,
	 "1,0\r\n30,1\r\n31,2\r\n33,3\r\n", NULL},
	{"tree --db %s 31 --parent reaper" BELOW, 0, "31,0\r\n34,1\r\n35,2\r\n", "33"},
	{"tree --db %s --parent reaper --exe e -q -o csv --fields pid,depth", 0,
	 "1,0\r\n30,1\r\n31,2\r\n34,3\r\n", "32"},
};

START_TEST(asks_about_namespaces)
{
	with_namespace();
	fixture_finish(&fixture);
	ask(&fixture, &namespace_cases[_i]);
}
END_TEST

/* Of a namespace whose init is not known it is not said who has its orphans, least of all others.
 */
START_TEST(unknown_init)
{
	static const struct ask_case cases[] = {
		{"tree --db %s 30 --at '2026-11-20 00:10'" BELOW, 0, "30,0\r\n31,1\r\n", "33"},
		{"tree --db %s 31 --at '2026-11-20 00:10'" BELOW, 0, "31,0\r\n", "33"},
		{"tree --db %s --at '2026-11-20 00:10' -q -o csv --fields pid,depth", 0, "33,0\r\n",
		 NULL},
	};

	with_namespace();
	fixture_sql(&fixture, "UPDATE process_row SET ns_pid = 9 WHERE pid = 31");
	fixture_finish(&fixture);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ask(&fixture, &cases[i]);
}
END_TEST

/* Who was removed is counted below who was there at its birth, who may stand elsewhere. */
static const struct ask_case pruned_cases[] = {
	{"tree --db %s 31 --at '2026-11-20 00:06' --strict", 4, "5 not in this database", NULL},
	{"tree --db %s 31 --parent reaper --strict", 4, "5 not in this database", NULL},
	{"tree --db %s 31 --at '2026-11-20 00:08' --strict", 0, "complete", "incomplete"},
	{"tree --db %s 31 --at '2026-11-20 00:06' -s --strict", 0, "complete", "incomplete"},
	{"tree --db %s 31 --strict", 0, "complete", "incomplete"},
};

START_TEST(asks_about_pruned)
{
	with_namespace();
	fixture_sql(&fixture, "INSERT INTO pruned_row VALUES (4, 5, 1, %lld, %lld)", 220 * S,
		    400 * S);
	fixture_finish(&fixture);
	ask(&fixture, &pruned_cases[_i]);
}
END_TEST

/* The end of a boot was not recorded: nobody of it outlived it. Its successor began in 1970. */
static void with_boots(void)
{
	fixture_init(&fixture);
	add(1, 0, 0, "/sbin/init", 0);
	fixture_sql(&fixture, "INSERT INTO boot VALUES (2, 'bbbbbbbb-bbbb-4bbb-8bbb-222222222222', "
			      "'n', 'x', 'y')");
	fixture_sql(&fixture, "INSERT INTO clock VALUES (2, 0, 0), (2, %lld, %lld)", 10 * S,
		    AT(5000));
	fixture_process(&fixture,
			&(struct fixture_process){.boot = 2, .pid = 4242, .exe = "/bin/new"});
	fixture_process(&fixture, &(struct fixture_process){
					  .pid = 4242, .start_ns = 9 * S, .exe = "/bin/old"});
}

START_TEST(boot_that_is_over)
{
	with_boots();
	ck_assert(moment_alive(&(struct moment){AT(4999)}, process(3)));
	ck_assert(!moment_alive(&(struct moment){AT(5000)}, process(3)));
	ck_assert(moment_alive(&(struct moment){AT(5020)}, process(2)));
}
END_TEST

static const struct ask_case boot_cases[] = {
	{"tree --db %s --at '2026-11-20 02:00'", 0, "/bin/new", "/bin/old"},
	{"tree --db %s --at '2026-11-20 00:30'", 0, "/bin/old", "/bin/new"},
	{"search --db %s -p '4242@2026-11-20 02:00'", 0, "/bin/new", "/bin/old"},
};

START_TEST(asks_about_boots)
{
	with_boots();
	fixture_finish(&fixture);
	ask(&fixture, &boot_cases[_i]);
}
END_TEST

#define LOOP(tcase, test, cases) \
	tcase_add_loop_test(tcase, test, 0, sizeof(cases) / sizeof((cases)[0]))

int main(void)
{
	Suite *suite = suite_create("moment");
	TCase *tcase = tcase_create("moment");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, clock_stepped_back);
	tcase_add_test(tcase, image_then);
	tcase_add_test(tcase, nearest_reaper);
	tcase_add_test(tcase, boot_that_is_over);
	tcase_add_test(tcase, unknown_init);
	LOOP(tcase, asks_about_a_step, step_cases);
	LOOP(tcase, asks_about_images, image_cases);
	LOOP(tcase, asks_about_reapers, reaper_cases);
	LOOP(tcase, asks_about_subreapers, subreaper_cases);
	LOOP(tcase, asks_about_namespaces, namespace_cases);
	LOOP(tcase, asks_about_pruned, pruned_cases);
	LOOP(tcase, asks_about_boots, boot_cases);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
