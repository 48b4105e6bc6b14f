/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from world.c, since a process is something else to the query tool than to the daemon. */
#include <check.h>
#include <stdio.h>

#include "cli/query_verify.h"

int64_t world_verify(const char *path);

static void on_problem(void *userdata, const char *check, const char *text)
{
	fprintf(stderr, "%s: %s\n", check, text);
}

static void on_progress(void *userdata, const char *check)
{
}

int64_t world_verify(const char *path)
{
	struct verify_report report = {.problem = on_problem, .progress = on_progress};
	struct query *query;

	ck_assert_int_eq(query_open(path, QUERY_DETAIL_LINE, &query), 0);
	ck_assert_int_eq(query_verify(query, false, &report), 0);
	query_free(query);
	return report.problems;
}
