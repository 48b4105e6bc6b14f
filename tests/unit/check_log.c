/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/log.c: the text on stderr, the journal's native protocol, conditions that last.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/log.h"
#include "schema/cleanup.h"

/* What arrived at the reading end of a pipe that the log writes to. */
static const char *log_read(int fd)
{
	static char text[8192];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void log_pipe(int fds[2])
{
	log_set_max_priority(LOG_INFO);
	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
}

START_TEST(test_text)
{
	int p[2];

	log_pipe(p);
	log_open(p[1], NULL);
	log_info("opened %s", "x");
	ck_assert_str_eq(log_read(p[0]), "lineaged: opened x\n");
	log_event(MESSAGE_STARTED, LOG_NOTICE, LOG_FIELDS(LOG_NUMBER("LOST", 5)), "go");
	ck_assert_str_eq(log_read(p[0]), "lineaged: go\n");
}
END_TEST

START_TEST(test_errno_is_returned_and_said)
{
	int p[2];

	log_pipe(p);
	log_open(p[1], NULL);
	errno = EBUSY;
	ck_assert_int_eq(log_errno(-ENOENT, "cannot open %d", 7), -ENOENT);
	ck_assert_int_eq(errno, EBUSY);
	ck_assert_str_eq(log_read(p[0]), "lineaged: cannot open 7: No such file or directory\n");
}
END_TEST

START_TEST(test_priority)
{
	int p[2];

	log_pipe(p);
	log_open(p[1], NULL);
	log_debug("hidden");
	ck_assert_str_eq(log_read(p[0]), "");
	log_set_max_priority(LOG_DEBUG);
	log_debug("shown");
	ck_assert_str_eq(log_read(p[0]), "lineaged: shown\n");
	log_set_max_priority(LOG_ERR);
	log_warning("hidden");
	ck_assert_int_eq(log_warning_errno(-EIO, "hidden"), -EIO);
	ck_assert_str_eq(log_read(p[0]), "");
}
END_TEST

START_TEST(test_hostile_text_stays_one_line)
{
	int p[2];

	log_pipe(p);
	log_open(p[1], NULL);
	log_info("a\nlineaged: forged \x1b[31m\x7f\xc3\xa9\xc2\x9b");
	ck_assert_str_eq(log_read(p[0]),
			 "lineaged: a\\x0alineaged: forged \\x1b[31m\\x7f\xc3\xa9\\xc2\\x9b\n");
}
END_TEST

START_TEST(test_long_text_is_cut)
{
	char text[9000];
	const char *line;
	int p[2];

	log_pipe(p);
	log_open(p[1], NULL);
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	line = log_read(p[0]);
	ck_assert_uint_gt(strlen(line), 2000);
	ck_assert_uint_lt(strlen(line), 2200);
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
	ck_assert_int_eq(log_errno(-EIO, "%s", text), -EIO);
}
END_TEST

static void stream_of(int fd, char *ret, size_t size)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	snprintf(ret, size, "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
}

/* A mount namespace of our own with an empty /run/systemd: returns false where that is not allowed.
 */
static bool private_run(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	mkdir("/run/systemd", 0755);
	return mount("tmpfs", "/run/systemd", "tmpfs", 0, NULL) == 0 &&
	       mkdir("/run/systemd/journal", 0755) == 0;
}

START_TEST(test_prefix_where_the_journal_has_no_socket)
{
	char stream[64];
	int p[2];

	if (!private_run()) {
		fprintf(stderr, "skipped: no private mount namespace here\n");
		return;
	}
	log_pipe(p);
	stream_of(p[1], stream, sizeof(stream));
	log_open(p[1], stream);
	log_error("broken");
	ck_assert_str_eq(log_read(p[0]), "<3>broken\n");
	/* Another stream, or none that can be read, is a person's terminal. */
	log_open(p[1], "1:2");
	log_error("broken");
	ck_assert_str_eq(log_read(p[0]), "lineaged: broken\n");
	log_open(p[1], "nonsense");
	log_error("broken");
	ck_assert_str_eq(log_read(p[0]), "lineaged: broken\n");
}
END_TEST

START_TEST(test_journal_protocol)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
	CLEANUP_CLOSE int journal = -1;
	char stream[64], got[4096];
	ssize_t n;
	int p[2];

	if (!private_run()) {
		fprintf(stderr, "skipped: no private mount namespace here\n");
		return;
	}
	journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(journal, 0);
	ck_assert_int_eq(bind(journal, (struct sockaddr *)&sa, sizeof(sa)), 0);
	log_pipe(p);
	stream_of(p[1], stream, sizeof(stream));
	log_open(p[1], stream);
	log_event(MESSAGE_EVENTS_LOST, LOG_WARNING,
		  LOG_FIELDS(LOG_NUMBER("LOST", 12), LOG_TEXT("CAUSE", "ring\nfull"),
			     LOG_TEXT("ABSENT", NULL)),
		  "%d events lost", 12);
	n = recv(journal, got, sizeof(got) - 1, 0);
	ck_assert_int_gt(n, 0);
	got[n] = '\0';
	ck_assert_ptr_nonnull(strstr(got, "PRIORITY=4\n"));
	ck_assert_ptr_nonnull(strstr(got, "MESSAGE_ID=19f3d17f3bc84a4a92444bc85852ec7e\n"));
	ck_assert_ptr_nonnull(strstr(got, "LINEAGE_LOST=12\n"));
	ck_assert_ptr_nonnull(strstr(got, "LINEAGE_CAUSE=ring\\x0afull\n"));
	ck_assert_ptr_nonnull(strstr(got, "MESSAGE=12 events lost\n"));
	ck_assert_ptr_null(strstr(got, "ABSENT"));
	ck_assert_ptr_null(strstr(got, "CODE_FILE"));
	ck_assert_str_eq(log_read(p[0]), "");
}
END_TEST

START_TEST(test_condition)
{
	struct log_condition c = {0}, past;

	ck_assert(!log_condition_over(&c, &past));
	ck_assert(log_condition_met(&c, 3, 100, 50));
	ck_assert(!log_condition_met(&c, 1, 149, 50));
	ck_assert(log_condition_met(&c, 1, 150, 50));
	ck_assert(!log_condition_met(&c, 1, 199, 50));
	ck_assert(!log_condition_met(&c, 1, 5000, 0));
	ck_assert(log_condition_over(&c, &past));
	ck_assert_uint_eq(past.count, 7);
	ck_assert_uint_eq(past.since_ns, 100);
	ck_assert(!log_condition_over(&c, NULL));
	ck_assert(log_condition_met(&c, 1, 6000, 0));
	ck_assert_uint_eq(c.count, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_text);
	tcase_add_test(tcase, test_errno_is_returned_and_said);
	tcase_add_test(tcase, test_priority);
	tcase_add_test(tcase, test_hostile_text_stays_one_line);
	tcase_add_test(tcase, test_long_text_is_cut);
	tcase_add_test(tcase, test_prefix_where_the_journal_has_no_socket);
	tcase_add_test(tcase, test_journal_protocol);
	tcase_add_test(tcase, test_condition);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
