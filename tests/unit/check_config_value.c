/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/config_value.c: sizes, time spans as systemd reads them, yes and no, and back. */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_value.h"
#include "schema/cleanup.h"

START_TEST(test_sizes)
{
	static const struct {
		const char *text;
		int r;
		uint64_t value;
	} rows[] = {{"0", 0, 0},
		    {"4096", 0, 4096},
		    {"1K", 0, 1024},
		    {"16777215T", 0, UINT64_C(16777215) << 40},
		    {"18446744073709551615", 0, UINT64_MAX},
		    {"16777216T", -ERANGE, 0},
		    {"18446744073709551616", -ERANGE, 0},
		    {"", -EINVAL, 0},
		    {"K", -EINVAL, 0},
		    {"-1", -EINVAL, 0},
		    {"1k", -EINVAL, 0},
		    {"1KB", -EINVAL, 0},
		    {"1 K", -EINVAL, 0},
		    {"0x10", -EINVAL, 0},
		    {"1.5G", -EINVAL, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 0;

		ck_assert_msg(config_parse_size(rows[i].text, &value) == rows[i].r, "%s",
			      rows[i].text);
		ck_assert_msg(value == rows[i].value, "%s", rows[i].text);
	}
}
END_TEST

START_TEST(test_times)
{
	static const struct {
		const char *text;
		int r;
		uint64_t value;
	} rows[] = {{"5", 0, 5000000000},
		    {"1ns", 0, 1},
		    {"0.5ns", 0, 0},
		    {" 1 us ", 0, 1000},
		    {"200ms", 0, 200000000},
		    {".5s", -EINVAL, 0},
		    {"1.s", -EINVAL, 0},
		    {"1h30", 0, UINT64_C(3630000000000)},
		    {"18446744073s", 0, UINT64_C(18446744073000000000)},
		    {"18446744074s", -ERANGE, 0},
		    {"18446744073s 1s", -ERANGE, 0},
		    {"1parsec", -EINVAL, 0},
		    {"-5s", -EINVAL, 0},
		    {"", -EINVAL, 0},
		    {"  ", -EINVAL, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 0;

		ck_assert_msg(config_parse_time(rows[i].text, &value) == rows[i].r, "%s",
			      rows[i].text);
		ck_assert_msg(value == rows[i].value, "%s: %" PRIu64, rows[i].text, value);
	}
}
END_TEST

/* systemd's own parser says what a span is; it prints microseconds. */
START_TEST(test_times_as_systemd)
{
	static const char *const spans[] = {
		"1",	    "30s",    "7day",	     "2h",	   "500ms",  "1h 30min", "1h30min",
		"1.5s",	    "2.25h",  "1week",	     "3w",	   "1month", "1M",	 "1m",
		"1min",	    "1y",     "2years",	     "3 days 4 h", "12us",   "12usec",	 "5sec",
		"2minutes", "1.999m", "1d12h30m15s", "2 weeks",	   "1hr",    "3months",	 "0",
		"1s 1s",    "10msec", "1year 1day"};
	char command[128], line[256];

	if (system("systemd-analyze timespan 1s >/dev/null 2>&1") != 0) {
		fprintf(stderr, "skipped: no systemd-analyze here\n");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		unsigned long long us = 0;
		uint64_t ns = 1;
		FILE *p;

		snprintf(command, sizeof(command), "systemd-analyze timespan '%s'", spans[i]);
		p = popen(command, "re");
		while (fgets(line, sizeof(line), p)) {
			if (strstr(line, "s: ") &&
			    sscanf(strstr(line, "s: ") + 3, "%llu", &us) == 1)
				break;
		}
		pclose(p);
		ck_assert_int_eq(config_parse_time(spans[i], &ns), 0);
		ck_assert_msg(ns == us * 1000, "%s: %" PRIu64 " ns, systemd %llu us", spans[i], ns,
			      us);
	}
}
END_TEST

START_TEST(test_numbers_print_and_read_back)
{
	uint64_t state = 88172645463325252u;
	char text[CONFIG_VALUE_SIZE];

	for (int i = 0; i < 100000; i++) {
		uint64_t value, back;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		value = (state >> (state & 63)) << (state >> 8 & 31);
		config_print_size(text, value);
		ck_assert_int_eq(config_parse_size(text, &back), 0);
		ck_assert_uint_eq(back, value);
		value = (state >> (state & 63)) * (i & 1 ? 1 : 1000000);
		config_print_time(text, value);
		ck_assert_int_eq(config_parse_time(text, &back), 0);
		ck_assert_uint_eq(back, value);
	}
}
END_TEST

START_TEST(test_booleans)
{
	bool b;

	ck_assert(config_parse_bool("Yes", &b) == 0 && b);
	ck_assert(config_parse_bool("0", &b) == 0 && !b);
	ck_assert(config_parse_bool("on", &b) == 0 && b);
	ck_assert_int_eq(config_parse_bool("", &b), -EINVAL);
	ck_assert_int_eq(config_parse_bool("ja", &b), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_value");
	TCase *values = tcase_create("values");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(values, test_sizes);
	tcase_add_test(values, test_times);
	tcase_add_test(values, test_times_as_systemd);
	tcase_add_test(values, test_numbers_print_and_read_back);
	tcase_add_test(values, test_booleans);
	tcase_set_timeout(values, 60);
	suite_add_tcase(suite, values);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
