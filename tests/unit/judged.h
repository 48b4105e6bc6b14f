/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One database, and what an answer from it says of its completeness: for the tests of
 * cli/complete.c and cli/downtime.c.
 */
#ifndef LINEAGED_TESTS_JUDGED_H
#define LINEAGED_TESTS_JUDGED_H

#include <check.h>

#include "cli/complete.h"
#include "fixture.h"

#define S     FIXTURE_SECOND
#define AT(s) (FIXTURE_EPOCH_NS + (s)*S)
#define NOW   AT(2000000)

extern struct fixture fixture; /* made anew for every test */
extern struct query *query;    /* of it; NULL until something is judged */
extern struct completeness judged;

/* What is missing there is added; with `time` it replaces what was judged before. */
void judge_range(int64_t since, int64_t until);
void judge_time(int64_t since, int64_t until, bool (*wants)(const struct boot *, const void *));

bool only_first(const struct boot *boot, const void *userdata);
bool only_second(const struct boot *boot, const void *userdata);

void judge_setup(void);
void judge_teardown(void);

#endif
