/* SPDX-License-Identifier: Apache-2.0 */
#include "judged.h"

struct fixture fixture;
struct query *query;
struct completeness judged;

void judge_setup(void)
{
	judged = (struct completeness){0};
	fixture_init(&fixture);
}

void judge_teardown(void)
{
	completeness_deinit(&judged);
	query_free(query);
	query = NULL;
	fixture_deinit(&fixture);
}

static void open_query(void)
{
	if (query)
		return;
	fixture_finish(&fixture);
	ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_LINE, &query), 0);
}

void judge_range(int64_t since, int64_t until)
{
	open_query();
	ck_assert_int_eq(completeness_add_range(&judged, query, since, until, NOW, NULL), 0);
}

void judge_time(int64_t since, int64_t until, bool (*wants)(const struct boot *, const void *))
{
	const struct scope scope = {since, until, NOW, wants, NULL};

	open_query();
	completeness_deinit(&judged);
	ck_assert_int_eq(completeness_add_time(&judged, query, &scope, NULL), 0);
}

bool only_first(const struct boot *boot, const void *userdata)
{
	return boot->number == 1;
}

bool only_second(const struct boot *boot, const void *userdata)
{
	return boot->number == 2;
}
