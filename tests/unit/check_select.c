/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors: an image with who ran it as a whole, and rows that are left out unread. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#undef fail /* Check's; cmd.h has another */

#include "cli/commands.h"
#include "cli/gather.h"
#include "fixture.h"
#include "schema/cleanup.h"

#define PROCESSES 4500 /* more than a zone has */

static struct fixture fixture;
static struct session session;
static unsigned char found[PROCESSES + 2], exact[PROCESSES + 2];

static unsigned int chance(unsigned int n)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)(state % n);
}

/* Processes whose images, users and places change in every way, and some whose execs failed. */
static void make_database(void)
{
	static const char *const exes[] = {"/usr/bin/curl", "/usr/bin/sleep", "/bin/sh",
					   "/opt/evil"};
	int64_t images[4], attempts[4];

	fixture_init(&fixture);
	for (int i = 0; i < 4; i++) {
		images[i] = fixture_image(&fixture, exes[i], "[\"x\",\"arg\"]");
		attempts[i] = fixture_attempt(&fixture, exes[i], "[\"tried\"]");
	}
	for (int64_t id = 1; id <= PROCESSES; id++) {
		bool inherited = chance(4) == 0;

		fixture_sql(&fixture,
			    "INSERT INTO process_row (process_id, boot, pid, start_boot_ns, "
			    "provenance, context, ns_pid, pgid, exec_after_ns, exec_context, "
			    "exec_parent_id, image, end_parent_id) VALUES "
			    "(%lld, 1, %lld, %lld, %d, %u, 0, 0, %s, %u, 0, %lld, 0)",
			    id, id, id * 1000000, inherited ? 7 << 3 | 7 << 6 : 7 << 6,
			    1 + chance(3), inherited ? "NULL" : "1000", inherited ? 0 : chance(4),
			    images[chance(4)]);
		for (unsigned int n = inherited ? 0 : chance(4); n < 3 && n > 0; n--)
			fixture_sql(&fixture,
				    "INSERT INTO exec_row (process_id, boot, boot_ns, provenance, "
				    "context, parent_id, image, pgid) VALUES (%lld, 1, %lld, 0, "
				    "%u, 0, %lld, 0)",
				    id, id * 1000000 + 10, chance(4), images[chance(4)]);
		if (chance(10) == 0)
			fixture_sql(&fixture,
				    "INSERT INTO exec_failure_row (process_id, boot, boot_ns, "
				    "provenance, image, errno) VALUES (%lld, 1, %lld, 0, %lld, 2)",
				    id, id * 1000000 + 20, attempts[chance(4)]);
	}
	fixture_finish(&fixture);
}

static void ask(const char *question)
{
	static char words[256];
	char *argv[16] = {0};
	int argc = 0;

	snprintf(words, sizeof(words), "search %s", question);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	session = (struct session){.command = &cmd_search, .now_unix_ns = FIXTURE_EPOCH_NS};
	ck_assert_int_eq(flags_parse(&session.flags, cmd_search.options, argc, argv,
				     session.now_unix_ns),
			 0);
	ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_LINE, &session.db[0]), 0);
	session.db_count = 1;
}

static int note(struct process *p, void *userdata)
{
	found[p->id]++;
	return 0;
}

/* Every row read and judged. */
static void find_exact(struct selection *selection)
{
	struct query_scan *scan;
	struct process p;

	ck_assert_int_eq(query_scan_open(session.db[0], false, &scan), 0);
	while (query_scan_next(scan, &p) == 0) {
		int r = selection_matches(selection, &p);

		ck_assert_int_ge(r, 0);
		exact[p.id] = (unsigned char)r;
	}
	query_scan_free(scan);
}

static void find_by_sql(const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int count = 0;

	memset(exact, 0, sizeof(exact));
	ck_assert_msg(sqlite3_prepare_v2(query_handle(session.db[0]), sql, -1, &stmt, NULL) ==
			      SQLITE_OK,
		      "%s: %s", sql, sqlite3_errmsg(query_handle(session.db[0])));
	for (; sqlite3_step(stmt) == SQLITE_ROW; count++)
		exact[sqlite3_column_int64(stmt, 0)] = 1;
	sqlite3_finalize(stmt);
	ck_assert_int_gt(count, 0);
	ck_assert_int_lt(count, PROCESSES);
}

/* Of each image, whether it has been called or taken over: who ran it where. */
#define FACES                                                                         \
	"(SELECT process_id, uid, exe, comm, container_id, args FROM exec UNION ALL " \
	"SELECT process_id, uid, exe, comm, container_id, args FROM process "         \
	"WHERE image_inherited)"
#define PLACES                                                 \
	"(SELECT process_id, uid, cgroup FROM exec UNION ALL " \
	"SELECT process_id, uid, cgroup FROM fork)"

static const struct {
	const char *question, *sql;
} cases[] = {
	{"--uid 1000 --exe curl",
	 "SELECT process_id FROM " FACES " WHERE uid = 1000 AND exe LIKE '%/curl'"},
	{"--uid 0 --comm evil --comm sleep",
	 "SELECT process_id FROM " FACES " WHERE uid = 0 AND comm IN ('evil', 'sleep')"},
	{"--exe sh --args arg --cgroup /docker --container web",
	 "SELECT process_id FROM " FACES " WHERE exe = '/bin/sh' AND container_id IS NOT NULL"},
	{"--uid 0", "SELECT process_id FROM " PLACES " WHERE uid = 0"},
	{"--cgroup /docker", "SELECT process_id FROM " PLACES " WHERE cgroup LIKE '/docker/%'"},
	{"--failed --exe /opt/evil --uid 1000",
	 "SELECT f.process_id FROM exec_failure f JOIN " FACES " c USING (process_id) "
	 "WHERE uid = 1000 AND filename = '/opt/evil' UNION "
	 "SELECT process_id FROM " FACES " WHERE uid = 1000 AND exe = '/opt/evil' AND "
	 "process_id IN (SELECT process_id FROM exec_failure)"},
	{"--failed --args tried", "SELECT process_id FROM exec_failure"},
	{"--failed --uid 0", "SELECT f.process_id FROM exec_failure f JOIN " PLACES
			     " USING (process_id) WHERE uid = 0"},
};

START_TEST(as_a_whole)
{
	struct selection selection;

	make_database();
	ask(cases[_i].question);
	ck_assert_int_eq(selection_init(&selection, &session), 0);
	find_exact(&selection);
	/* The same with rows left out, over all, */
	ck_assert_int_eq(selection_push(&selection), 0);
	memset(found, 0, sizeof(found));
	ck_assert_int_eq(gather_each(&session, &selection, session.db[0], UNKNOWN, UNKNOWN, true,
				     note, NULL),
			 0);
	ck_assert_mem_eq(found, exact, sizeof(found));
	/* and in a time. */
	memset(found, 0, sizeof(found));
	ck_assert_int_eq(gather_each(&session, &selection, session.db[0], FIXTURE_EPOCH_NS, UNKNOWN,
				     false, note, NULL),
			 0);
	ck_assert_mem_eq(found, exact, sizeof(found));
	find_by_sql(cases[_i].sql);
	for (int64_t id = 1; id <= PROCESSES; id++)
		ck_assert_msg(found[id] == exact[id], "%s: process %d: %d, by SQL %d",
			      cases[_i].question, (int)id, found[id], exact[id]);
	selection_deinit(&selection);
	query_free(session.db[0]);
	fixture_deinit(&fixture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("select");
	TCase *tcase = tcase_create("select");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, as_a_whole, 0, ARRAY_SIZE(cases));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
