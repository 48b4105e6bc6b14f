/* SPDX-License-Identifier: Apache-2.0 */
/* main() of a test program: one suite from a table of tests. */
#ifndef LINEAGED_TESTS_SUITE_H
#define LINEAGED_TESTS_SUITE_H

#include <check.h>
#include <stddef.h>

/* What ctest takes for "could not run here". */
#define SUITE_SKIPPED 77

static inline int suite_run(const char *name, const TTest *const tests[], size_t count)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	for (size_t i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	tcase_set_timeout(tcase, 100);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

#define SUITE_RUN(name, tests) suite_run(name, tests, sizeof(tests) / sizeof((tests)[0]))

#endif
