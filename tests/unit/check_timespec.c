/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/timespec.h"

#define NOW (1795132800LL * NS_PER_SEC + 123456789) /* 2026-11-20 00:00:00.123456789 UTC */

static void use_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

START_TEST(rfc3339)
{
	static const struct {
		const char *text;
		int64_t ns;
	} times[] = {
		{"2026-11-20T00:00:00Z", 1795132800000000000},
		{"2026-11-20t00:00:00z", 1795132800000000000},
		{"2026-11-20T00:00:00.5Z", 1795132800500000000},
		{"2026-11-20T00:00:00.123456789Z", 1795132800123456789},
		{"2026-11-20T02:00:00+02:00", 1795132800000000000},
		{"2026-11-19T19:30:00-0430", 1795132800000000000},
		{"2026-11-20T01:00:00+01", 1795132800000000000},
		{"2026-11-20 02:00:00+02:00", 1795132800000000000},
		{"2026-11-20T00:00Z", 1795132800000000000},
		{"2026-11-20T00:00:00", 1795132800000000000},
	};
	int64_t ns;

	use_zone("UTC");
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		ck_assert_msg(timespec_parse(times[i].text, NOW, false, &ns) == 0, "%s",
			      times[i].text);
		ck_assert_msg(ns == times[i].ns, "%s: %" PRId64, times[i].text, ns);
	}
}
END_TEST

/* systemd.time(7) promises zone names; systemd 252 itself refuses them, so it is no oracle here. */
START_TEST(named_zones)
{
	int64_t ns;

	use_zone("America/St_Johns");
	ck_assert_int_eq(timespec_parse("2026-07-01 10:00 Europe/Berlin", NOW, false, &ns), 0);
	ck_assert_int_eq(ns, 1782892800 * NS_PER_SEC);
	ck_assert_int_eq(timespec_parse("2026-01-01 Asia/Tokyo", NOW, true, &ns), 0);
	ck_assert_int_eq(ns, 1767193200 * NS_PER_SEC);
	ck_assert_int_eq(timespec_parse("today Asia/Tokyo", NOW, false, &ns), 0);
	ck_assert_int_eq(ns, 1795100400 * NS_PER_SEC);
	ck_assert_str_eq(getenv("TZ"), "America/St_Johns");
	ck_assert_int_lt(timespec_parse("2026-01-01 ../../etc/passwd", NOW, false, &ns), 0);
}
END_TEST

START_TEST(refused)
{
	static const char *const texts[] = {
		"",
		"yesterdy",
		"10",
		"1 hour",
		"2026-13-01",
		"2026-02-30x",
		"-",
		"@",
		"@x",
		"-1x",
		"ago",
		" ago",
		"2026-11-20T",
		"2026-11-20T1",
		"10:00:00.",
		"-1.h",
		"--1h",
		"+-1h",
		"Mon 2026-11-20",
		"2026-11-20T00:00:00+25:00",
		"2026-11-20T00:00:00+1:2:3",
		"2026-11-20T00:00:00Zx",
		"99999999999999999999",
	};
	int64_t ns = 42;

	use_zone("UTC");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(timespec_parse(texts[i], NOW, false, &ns) < 0, "'%s'", texts[i]);
}
END_TEST

/* What is printed can be given back. */
START_TEST(round_trip)
{
	unsigned int seed = 3;
	char text[TIMESPEC_SIZE];

	for (int i = 0; i < 2000; i++) {
		int64_t ns = ((int64_t)rand_r(&seed) << 31 ^ rand_r(&seed)) %
			     (4102444800LL * NS_PER_SEC),
			back;

		timespec_rfc3339(ns, text);
		ck_assert_int_eq(timespec_parse(text, NOW, false, &back), 0);
		ck_assert_int_eq(back, ns);
		timespec_format(ns, true, 9, text);
		ck_assert_int_eq(timespec_parse(text, NOW, true, &back), 0);
		ck_assert_int_eq(back, ns);
	}
}
END_TEST

START_TEST(formats)
{
	char text[TIMESPEC_SIZE];

	use_zone("Europe/Berlin");
	timespec_format(1795132800000000000 + 7890000, false, 3, text);
	ck_assert_str_eq(text, "2026-11-20 01:00:00.007");
	timespec_format(1795132800000000000 + 7890000, true, 3, text);
	ck_assert_str_eq(text, "2026-11-20 00:00:00.007");
	timespec_format(-1, true, 9, text);
	ck_assert_str_eq(text, "1969-12-31 23:59:59.999999999");
	timespec_format_span(999, text);
	ck_assert_str_eq(text, "0us");
	timespec_format_span(1500000, text);
	ck_assert_str_eq(text, "1ms");
	timespec_format_span(59990000000, text);
	ck_assert_str_eq(text, "59.99s");
	timespec_format_span(3599 * NS_PER_SEC, text);
	ck_assert_str_eq(text, "59m59s");
	timespec_format_span(90000 * NS_PER_SEC, text);
	ck_assert_str_eq(text, "1d01h");
}
END_TEST

/* The first number behind "(in UTC): " style lines is not stable; UNIX seconds are: "@1795132800".
 */
static int oracle(const char *text, int64_t *ret_us)
{
	char command[256], line[256];
	double seconds = -1;
	FILE *pipe;

	snprintf(command, sizeof(command), "systemd-analyze timestamp -- '%s' 2>/dev/null", text);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	while (fgets(line, sizeof(line), pipe)) {
		char *at = strstr(line, "UNIX seconds: @");

		if (at) {
			char *point = strchr(at, '.');
			char digits[8] = "000000";

			seconds = atof(at + strlen("UNIX seconds: @"));
			if (point)
				memcpy(digits, point + 1, strspn(point + 1, "0123456789"));
			*ret_us = atoll(at + strlen("UNIX seconds: @")) * 1000000 + atoll(digits);
		}
	}
	if (pclose(pipe) != 0 || seconds < 0)
		return -EINVAL;
	return 0;
}

static bool have_oracle(void)
{
	if (system("systemd-analyze timestamp now >/dev/null 2>&1") == 0)
		return true;
	fprintf(stderr, "oracle: skipped, systemd-analyze is not here\n");
	return false;
}

static void compare(const char *text)
{
	struct timespec ts;
	int64_t ours = 0, theirs = 0, now, difference;
	int r, expected;

	clock_gettime(CLOCK_REALTIME, &ts);
	now = ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
	expected = oracle(text, &theirs);
	r = timespec_parse(text, now, false, &ours);
	/* What they refuse and we take as RFC 3339 is tested above. */
	ck_assert_msg((r == 0) == (expected == 0), "'%s': ours %d, systemd %d", text, r, expected);
	difference = ours / 1000 - theirs;
	/* "now" moves on while the other program starts. */
	ck_assert_msg(r < 0 || (difference <= 0 && difference > -5000000),
		      "'%s': %" PRId64 " us apart", text, difference);
}

static const char *const zones[] = {"UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata"};

START_TEST(as_systemd_says)
{
	static const char *const texts[] = {
		"now",
		"today",
		"yesterday",
		"tomorrow",
		"-1h",
		"-1h30m",
		"+5min",
		"1h ago",
		"1 hour ago",
		"2 weeks ago",
		"3 months ago",
		"1 year ago",
		"1.5h ago",
		"5 left",
		"-1h 30min",
		"90 ago",
		"@1700000000",
		"@1700000000.25",
		"@1700000000.123456",
		"2026-01-01",
		"26-01-01",
		"2026-01-01 10:00",
		"2026-01-01 10:00:30",
		"2026-01-01 10:00:30.123456",
		"10:00",
		"10:00:30",
		"00:00",
		"23:59:59.5",
		"2026-01-01 10:00 UTC",
		"2026-07-01 10:00 UTC",
		"2026-07-01 10:00:00",
		"today UTC",
		"yesterday UTC",
		"Thu 2026-01-01",
		"Thursday 2026-01-01 10:00:00 UTC",
		"Fri 2026-01-01",
		"10:00 UTC",
		"2026-03-29 02:30:00",
		"2026-10-25 02:30:00",
		"2026-02-30",
		"2024-02-29",
		"2026-02-29",
		"10",
		"1h",
		"hello",
		"",
		"2026-01-01 25:00",
		"2026-01-01 10:61",
		"10:00:00.1234567",
		"-5",
		"+0",
		"0 ago",
		"1d2h3min4s5ms6us ago",
		"-1M",
		"-1m",
		"1,5h ago",
		"@-1",
		"-1y2w",
		"2026-01-01 10:00 Nowhere/City",

		"thu 2026-01-01 UTC",
	};

	if (!have_oracle())
		return;
	use_zone(zones[_i]);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		compare(texts[i]);
}
END_TEST

/* Made from pieces, so that nobody has chosen what is compared. */
START_TEST(as_systemd_says_at_random)
{
	static const char *const units[] = {"",	     "s",  "sec",   "min", "m",	      "M",
					    "h",     "hr", "hours", "d",   "days",    "w",
					    "weeks", "y",  "ms",    "us",  " minutes"};
	unsigned int seed = (unsigned int)_i * 77 + 5;
	char text[128];

	if (!have_oracle())
		return;
	use_zone(zones[_i % 4]);
	for (int round = 0; round < 60; round++) {
		int n = rand_r(&seed) % 40;
		const char *u1 = units[rand_r(&seed) % 17], *u2 = units[rand_r(&seed) % 17];

		switch (rand_r(&seed) % 4) {
		case 0:
			snprintf(text, sizeof(text), "-%d%s %d%s", n, u1, n / 3, u2);
			break;
		case 1:
			snprintf(text, sizeof(text), "%d.%d%s%d%s ago", n, n * 7, u1, n / 2, u2);
			break;
		case 2:
			snprintf(text, sizeof(text), "%04d-%02d-%02d %02d:%02d:%02d%s",
				 1971 + rand_r(&seed) % 120, 1 + rand_r(&seed) % 12,
				 1 + rand_r(&seed) % 31, rand_r(&seed) % 24, rand_r(&seed) % 60,
				 rand_r(&seed) % 60, n % 3 ? "" : " UTC");
			break;
		default:
			snprintf(text, sizeof(text), "%02d:%02d%s", rand_r(&seed) % 26,
				 rand_r(&seed) % 62, n % 4 ? "" : ":30.25");
		}
		compare(text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("timespec");
	TCase *tcase = tcase_create("timespec");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, rfc3339);
	tcase_add_test(tcase, named_zones);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, round_trip);
	tcase_add_test(tcase, formats);
	tcase_add_loop_test(tcase, as_systemd_says, 0, 4);
	tcase_add_loop_test(tcase, as_systemd_says_at_random, 0, 4);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
