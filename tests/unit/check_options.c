/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/options.c: what each option does, what is refused and in which words. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/options.h"
#include "schema/cleanup.h"

#define PARSE(options, ...)                                                       \
	options_parse(options, ARRAY_SIZE(((char *[]){"lineaged", __VA_ARGS__})), \
		      (char *[]){"lineaged", __VA_ARGS__, NULL})

START_TEST(test_nothing)
{
	struct options o;
	char *argv[] = {"lineaged", NULL};

	ck_assert_int_eq(options_parse(&o, 1, argv), 0);
	ck_assert_int_eq(o.action, OPTIONS_RECORD);
	ck_assert_uint_eq(o.overrides_count, 0);
	ck_assert_ptr_null(o.config_file);
	options_deinit(&o);
}
END_TEST

START_TEST(test_overrides)
{
	struct options o;

	ck_assert_int_eq(chdir("/usr"), 0);
	ck_assert_int_eq(PARSE(&o, "--db", "x/y.db", "--pin-dir=/p", "--include-cgroup", "a b",
			       "--include-cgroup=/c", "--exclude-cgroup", "/d", "--config", "f"),
			 0);
	ck_assert_str_eq(o.config_file, "f");
	ck_assert_uint_eq(o.overrides_count, 5);
	ck_assert_str_eq(o.overrides[0].option, "--db");
	ck_assert_str_eq(o.overrides[0].section, "Storage");
	ck_assert_str_eq(o.overrides[0].name, "Database");
	ck_assert_str_eq(o.overrides[0].value, "/usr/x/y.db");
	ck_assert_str_eq(o.overrides[1].value, "/p");
	ck_assert_str_eq(o.overrides[2].name, "IncludeCgroup");
	ck_assert_str_eq(o.overrides[2].value, "a b");
	ck_assert_str_eq(o.overrides[3].value, "/c");
	ck_assert_str_eq(o.overrides[4].name, "ExcludeCgroup");
	options_deinit(&o);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(PARSE(&o, "--db", "y.db"), 0);
	ck_assert_str_eq(o.overrides[0].value, "/y.db");
	options_deinit(&o);
}
END_TEST

START_TEST(test_actions)
{
	static const struct {
		const char *word;
		enum options_action action;
	} rows[] = {{"--check", OPTIONS_CHECK},
		    {"--help", OPTIONS_HELP},
		    {"--version", OPTIONS_VERSION},
		    {"--dump-config", OPTIONS_DUMP_DEFAULTS},
		    {"--dump-config=defaults", OPTIONS_DUMP_DEFAULTS},
		    {"--dump-config=manual", OPTIONS_DUMP_MANUAL},
		    {"--dump-config=effective", OPTIONS_DUMP_EFFECTIVE}};
	struct options o;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_int_eq(PARSE(&o, (char *)rows[i].word), 0);
		ck_assert_int_eq(o.action, rows[i].action);
		options_deinit(&o);
	}
	/* --help helps also beside a mistake that follows it. */
	ck_assert_int_eq(PARSE(&o, "--help", "--nonsense"), 0);
	ck_assert_int_eq(o.action, OPTIONS_HELP);
	options_deinit(&o);
	ck_assert_int_eq(PARSE(&o, "--debug"), 0);
	ck_assert(o.debug);
	options_deinit(&o);
}
END_TEST

START_TEST(test_refused)
{
	struct options o;

	ck_assert_int_eq(PARSE(&o, "--nonsense"), -EINVAL);
	ck_assert_str_eq(o.problem, "unknown option --nonsense, see --help");
	options_deinit(&o);
	ck_assert_int_eq(PARSE(&o, "-x"), -EINVAL);
	ck_assert_str_eq(o.problem, "unknown option -x, see --help");
	options_deinit(&o);
	ck_assert_int_eq(PARSE(&o, "--db", "a", "--db"), -EINVAL);
	ck_assert_str_eq(o.problem, "--db needs an argument, see --help");
	options_deinit(&o);
	ck_assert_int_eq(PARSE(&o, "--db="), -EINVAL);
	ck_assert_str_eq(o.problem, "--db needs a FILE");
	options_deinit(&o);
	ck_assert_int_eq(PARSE(&o, "--check=yes"), -EINVAL);
	ck_assert_str_eq(o.problem, "--check=yes takes no argument, see --help");
	options_deinit(&o);
	ck_assert_int_eq(PARSE(&o, "start"), -EINVAL);
	ck_assert_str_eq(o.problem, "unexpected argument start, see --help");
	options_deinit(&o);
	ck_assert_int_eq(PARSE(&o, "--dump-config=x"), -EINVAL);
	options_deinit(&o);
}
END_TEST

START_TEST(test_help_fits_a_screen)
{
	static const char *const promised[] = {
		"--config=",	     "--db=",	  "--pin-dir=", "--include-cgroup=", "--check",
		"--exclude-cgroup=", "--version", "--help",	"--dump-config[="};
	CLEANUP_FREE char *text = NULL;
	size_t size, lines = 0;
	FILE *out = open_memstream(&text, &size);

	options_print_help(out);
	options_print_version(out);
	fclose(out);
	for (size_t i = 0; i < ARRAY_SIZE(promised); i++)
		ck_assert_msg(strstr(text, promised[i]), "%s is not in --help", promised[i]);
	ck_assert_ptr_nonnull(strstr(text, "\nlineaged 0."));
	ck_assert_ptr_null(strstr(text, "--debug"));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++)
		ck_assert_uint_le(strlen(line), 90);
	ck_assert_uint_le(lines, 24);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tcase = tcase_create("options");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_nothing);
	tcase_add_test(tcase, test_overrides);
	tcase_add_test(tcase, test_actions);
	tcase_add_test(tcase, test_refused);
	tcase_add_test(tcase, test_help_fits_a_screen);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
