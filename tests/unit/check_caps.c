/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/caps.c. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/capability.h>

#include "daemon/caps.h"

static int read_text(const char *text, uint64_t *ret)
{
	char path[] = "/tmp/check_caps.XXXXXX";
	int fd = mkstemp(path), r;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	r = caps_read(path, ret);
	unlink(path);
	return r;
}

START_TEST(test_read)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	extern int capget(void *, void *);
	uint64_t set = 1;

	ck_assert_int_eq(read_text("Name:\tx\nCapInh:\t00ff\nCapEff:\t000001c0000a0004\n", &set),
			 0);
	ck_assert_uint_eq(set, 0x1c0000a0004);
	ck_assert_int_eq(read_text("Name:\tCapEff: 1\n", &set), -ENODATA);
	ck_assert_int_eq(caps_read("/nonexistent", &set), -ENOENT);
	/* ours, as the kernel says it in another way */
	ck_assert_int_eq(caps_read("/proc/self/status", &set), 0);
	ck_assert_int_eq(capget(&header, data), 0);
	ck_assert_uint_eq(set, data[0].effective | (uint64_t)data[1].effective << 32);
}
END_TEST

START_TEST(test_needs)
{
	for (size_t i = 0; i < cap_needs_count; i++) {
		const struct cap_need *need = &cap_needs[i];

		ck_assert(!caps_have(0, need));
		ck_assert(caps_have(UINT64_C(1) << need->number, need));
		ck_assert(
			!caps_have(~(UINT64_C(1) << need->number) &
					   ~(need->instead >= 0 ? UINT64_C(1) << need->instead : 0),
				   need));
		if (need->instead >= 0)
			ck_assert(caps_have(UINT64_C(1) << need->instead, need));
		ck_assert(need->required || need->without);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("caps");
	TCase *tcase = tcase_create("caps");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_read);
	tcase_add_test(tcase, test_needs);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
