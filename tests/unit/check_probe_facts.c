/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/probe_facts.c: what is made of what a kernel says. */
#include "suite.h"

#include "daemon/probe_facts.h"
#include "schema/cleanup.h"

START_TEST(test_kernels_that_preempt_programs)
{
	static const struct {
		const char *release, *version;
		bool preempts;
	} rows[] = {
		{"5.10.0-46-cloud-amd64", "#1 SMP Debian 5.10.262-1", false},
		{"6.12.117+deb13-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian", false},
		{"6.18.44", "#1 SMP PREEMPT_DYNAMIC", false},
		{"6.19.0", "#1 SMP PREEMPT_DYNAMIC", true},
		{"7.2.13+deb14-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian", true},
		{"7.2.13", "#1 SMP Debian", false},
		{"10.0-rc1", "#1 SMP PREEMPT", true},
		/* Not understood: a spare program too many does no harm. */
		{"strange", "", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_msg(probe_facts_preempts(rows[i].release, rows[i].version) ==
				      rows[i].preempts,
			      "%s", rows[i].release);
}
END_TEST

START_TEST(test_how_failed_execs_are_found)
{
	static const struct {
		bool casts, reads, fexit;
		enum probe_failures wanted, found;
	} rows[] = {
		{1, 1, 1, PROBE_FAILURES_YES, PROBE_FAILURES_FEXIT},
		{1, 1, 0, PROBE_FAILURES_YES, PROBE_FAILURES_TRACEPOINT},
		{0, 1, 0, PROBE_FAILURES_YES, PROBE_FAILURES_TRACEPOINT},
		{1, 1, 1, PROBE_FAILURES_NO, PROBE_FAILURES_NO},
		{1, 1, 0, PROBE_FAILURES_FEXIT, PROBE_FAILURES_NO},
		{1, 1, 1, PROBE_FAILURES_TRACEPOINT, PROBE_FAILURES_TRACEPOINT},
		/* lockdown=confidentiality, from 6.2 on and before */
		{1, 0, 1, PROBE_FAILURES_YES, PROBE_FAILURES_FEXIT},
		{0, 0, 1, PROBE_FAILURES_YES, PROBE_FAILURES_NO},
		{0, 0, 0, PROBE_FAILURES_TRACEPOINT, PROBE_FAILURES_NO},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct probe_facts facts = {.casts = rows[i].casts,
					    .may_probe_kernel = rows[i].reads,
					    .fexit = rows[i].fexit};

		ck_assert_int_eq(probe_facts_failures(&facts, rows[i].wanted), rows[i].found);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_kernels_that_preempt_programs,
		test_how_failed_execs_are_found,
	};

	return SUITE_RUN("probe_facts", tests);
}
