/* SPDX-License-Identifier: Apache-2.0 */
/* main() of a test program: one suite from a table of tests. */
#ifndef LINEAGED_TESTS_SUITE_H
#define LINEAGED_TESTS_SUITE_H

#include <check.h>
#include <stddef.h>

/* What ctest takes for "could not run here". */
#define SUITE_SKIPPED 77

/* The exit status for main(). Each test between setup and teardown, where they are not NULL. */
int suite_run(const char *name, const TTest *const tests[], size_t count, void (*setup)(void),
	      void (*teardown)(void));

#define SUITE_RUN(name, tests) SUITE_RUN_IN(name, tests, NULL, NULL)
#define SUITE_RUN_IN(name, tests, setup, teardown) \
	suite_run(name, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

#endif
