/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for people: who ran what, what failed, and what may stand for what. */
#include <check.h>
#include <string.h>

#include "fixture.h"
#include "suite.h"

static struct fixture fixture;

static void expect(const char *arguments, int status, const char *words, const char *not_words)
{
	const char *output;
	int got = fixture_ask(&fixture, arguments, &output);

	ck_assert_msg(got == status, "%s: %d: %s", arguments, got, output);
	ck_assert_msg(!words || strstr(output, words), "%s: no '%s' in: %s", arguments, words,
		      output);
	ck_assert_msg(!not_words || !strstr(output, not_words), "%s: '%s' in: %s", arguments,
		      not_words, output);
}

static int64_t spawn(int64_t pid, int64_t parent, const char *exe, int64_t context)
{
	return fixture_process(&fixture,
			       &(struct fixture_process){.pid = pid,
							 .start_ns = pid * FIXTURE_SECOND,
							 .parent = parent,
							 .exe = exe,
							 .args = "[\"x\"]",
							 .end_after_ns = FIXTURE_SECOND / 100,
							 .status = 127 << 8,
							 .context = context});
}

/* A shell and three forks of it that look alike but for what they failed to run. */
START_TEST(failures_are_not_folded)
{
	static const char *const tried[] = {"/opt/ls", "/opt/evil", "/opt/ls"};
	int64_t shell, child;

	fixture_init(&fixture);
	shell = spawn(10, 0, "/bin/bash", 1);
	for (int i = 0; i < 3; i++) {
		child = spawn(20 + i, shell, NULL, 1);
		fixture_sql(&fixture,
			    "INSERT INTO exec_failure_row (process_id, boot, boot_ns, provenance, "
			    "image, errno) VALUES (%lld, 1, %lld, 0, %lld, 2)",
			    child, (20 + i) * FIXTURE_SECOND + 5,
			    fixture_attempt(&fixture, tried[i], "[\"x\"]"));
	}
	fixture_sql(&fixture, "UPDATE exec_failure_row SET image = (SELECT min(image) FROM "
			      "exec_failure_row) WHERE failure_id = 3");
	fixture_finish(&fixture);
	expect("window --db %s --failed --since 2026-11-20", 0, "! ENOENT /opt/evil\n", "3×");
	expect("window --db %s --failed --since 2026-11-20", 0, "2× (fork)", NULL);
	expect("tree --db %s --failed", 0, "! ENOENT /opt/evil\n", "3×");
	/* What they failed to run is not shown: so they are alike. */
	expect("tree --db %s 10", 0, "3× (fork)", NULL);
	expect("search --db %s --failed --exe evil", 0, "! ENOENT /opt/evil\n", "/opt/ls");
	expect("search --db %s --failed -p 20 -o ecs", 0, "\"executable\":\"/opt/ls\"", NULL);
	expect("show --db %s 20", 0, "/opt/ls", "inode 0");
	fixture_deinit(&fixture);
}
END_TEST

/* Born as root, ran curl as 1000 in a container, and then sleep as root. */
START_TEST(change_of_user)
{
	int64_t changed;

	fixture_init(&fixture);
	changed = spawn(10, 0, "/usr/bin/sleep", 1);
	fixture_exec(&fixture, changed, 10 * FIXTURE_SECOND + 5, "/usr/bin/curl", "[\"curl\"]");
	fixture_sql(&fixture, "UPDATE exec_row SET context = 3");
	spawn(11, changed, "/usr/bin/id", 1);
	fixture_finish(&fixture);
	expect("search --db %s --uid 1000 --exe curl", 0,
	       "  [uid 0 ⇒ 1000] [pod pod-1/web] /usr/bin/curl ⇒ [uid 0] /usr/bin/sleep",
	       "/usr/bin/id");
	expect("search --db %s --uid 0 --exe curl", 1, NULL, "sleep");
	expect("search --db %s --comm curl --pod shop/pod-1", 0, "/usr/bin/sleep", NULL);
	expect("search --db %s --comm sleep --pod shop/pod-1", 1, NULL, "sleep");
	expect("search --db %s --exe id", 0, "127     /usr/bin/id", "[uid");
	expect("tree --db %s 10 --ascii", 0,
	       "[uid 0 => 1000] [pod pod-1/web] /usr/bin/curl => [uid 0] ", NULL);
	fixture_deinit(&fixture);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {failures_are_not_folded, change_of_user};

	return SUITE_RUN("render_text", tests);
}
