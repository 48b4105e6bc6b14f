/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a suite, and removes what its tests made with mkdtemp() and mkstemp(): a test that fails
 * does not come to the lines that would. Each test is a process of its own, so the names are kept
 * in shared memory; the linker sends both calls here (CMakeLists.txt).
 */
#include "suite.h"

#include <ftw.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MADE_MAX  512
#define NAME_SIZE 128

static struct {
	atomic_uint count;
	char names[MADE_MAX][NAME_SIZE];
} * made;

char *__real_mkdtemp(char *template);
int __real_mkstemp(char *template);
char *__wrap_mkdtemp(char *template);
int __wrap_mkstemp(char *template);

static void note(const char *name)
{
	unsigned int at = made ? atomic_fetch_add(&made->count, 1) : MADE_MAX;

	if (at < MADE_MAX)
		snprintf(made->names[at], NAME_SIZE, "%s", name);
}

char *__wrap_mkdtemp(char *template)
{
	char *name = __real_mkdtemp(template);

	if (name)
		note(name);
	return name;
}

int __wrap_mkstemp(char *template)
{
	int fd = __real_mkstemp(template);

	if (fd >= 0)
		note(template);
	return fd;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	remove(path);
	return 0;
}

static void remove_made(void)
{
	static const char *const beside[] = {"", "-wal", "-shm", "-lock"};

	for (unsigned int i = 0; made && i < MADE_MAX && made->names[i][0]; i++) {
		for (size_t k = 0; k < sizeof(beside) / sizeof(beside[0]); k++) {
			char path[NAME_SIZE + 8];

			snprintf(path, sizeof(path), "%s%s", made->names[i], beside[k]);
			nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
		}
	}
}

int suite_run(const char *name, const TTest *const tests[], size_t count, void (*setup)(void),
	      void (*teardown)(void))
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED)
		made = NULL;
	if (setup)
		tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	tcase_set_timeout(tcase, 100);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	remove_made();
	return failed != 0;
}
