/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of daemon/probe.c and probe_load.c that attach nothing: what the kernel refuses must not
 * look like a configuration error, which the service would not try again.
 */
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/probe.h"
#include "schema/cleanup.h"

static const struct probe_options usual = {
	.ring_bytes = 65536,
	.cache_entries = 1024,
	.args_max = 4096,
	.failures = PROBE_FAILURES_TRACEPOINT,
};

START_TEST(test_the_programs_load)
{
	enum probe_failures failures = PROBE_FAILURES_NO;
	struct probe_problem problem;

	ck_assert_msg(probe_try(&usual, &failures, &problem) == 0, "%s", problem.text);
	ck_assert_int_eq(failures, PROBE_FAILURES_TRACEPOINT);
}
END_TEST

START_TEST(test_what_the_kernel_finds_invalid_is_no_configuration_error)
{
	struct probe_options options = usual;
	enum probe_failures failures;
	struct probe_problem problem;

	options.cache_entries = 0; /* EINVAL of the kernel */
	ck_assert_int_eq(probe_try(&options, &failures, &problem), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(problem.text, "Invalid argument"));
}
END_TEST

/* Nor in a real start; and what was pinned before is taken back. */
START_TEST(test_a_start_that_the_kernel_refuses_leaves_nothing)
{
	char directory[] = "/tmp/check_probe.XXXXXX", pins[64];
	struct probe_options options = usual;
	struct probe_problem problem;
	struct probe probe, old;
	struct stat st;
	int r;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(pins, sizeof(pins), "%s/pins", directory);
	options.pin_directory = pins;
	options.cache_entries = 0;
	r = probe_open(&probe, &old, &options, NULL, 0, true, &problem);
	ck_assert_int_eq(r, -EOPNOTSUPP);
	ck_assert_int_eq(stat(pins, &st), -1);
	rmdir(directory);
}
END_TEST

START_TEST(test_no_type_information)
{
	struct probe_options options = usual;
	enum probe_failures failures;
	struct probe_problem problem;

	options.btf_path = "/dev/null";
	ck_assert_int_eq(probe_try(&options, &failures, &problem), -ENOENT);
	ck_assert_ptr_nonnull(strstr(problem.text, "BTF"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_the_programs_load,
		test_what_the_kernel_finds_invalid_is_no_configuration_error,
		test_a_start_that_the_kernel_refuses_leaves_nothing,
		test_no_type_information,
	};
	enum probe_failures failures;
	struct probe_problem problem;

	if (probe_try(&usual, &failures, &problem) == -EPERM)
		return SUITE_SKIPPED;
	return SUITE_RUN("probe", tests);
}
