/* SPDX-License-Identifier: Apache-2.0 */
/* What --redact finds, and what it leaves: the list of lineage-query(1), pattern by pattern. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/redact.h"
#include "cli/script.h"
#include "schema/cleanup.h"
#include "suite.h"

/* Words of an argv with | between them. */
static const struct {
	const char *args, *redacted; /* NULL: stays as it is */
} cases[] = {
	/* By name: options, variables, fields, headers. */
	{"x|--password=S", "x|--password=[redacted]"},
	{"x|--password=a b S", "x|--password=[redacted]"},
	{"x|-Dspring.datasource.password=a b S", "x|-Dspring.datasource.password=[redacted]"},
	{"x|--api-key|S|--verbose", "x|--api-key|[redacted]|--verbose"},
	{"x|--password|-S", "x|--password|[redacted]"},
	{"x|--password|--token|S", "x|--password|--token|[redacted]"},
	{"x|--password|--token=S", "x|--password|[redacted]"},
	{"openssl|-passin|pass:S", "openssl|-passin|[redacted]"},
	{"env|MYSQL_PWD=S|mysql", "env|MYSQL_PWD=[redacted]|mysql"},
	{"env|AWS_SECRET_ACCESS_KEY=S", "env|AWS_SECRET_ACCESS_KEY=[redacted]"},
	{"env|PWD=/x|OLDPWD=/y", NULL},
	{"x|{\"password\":\"S\"}", "x|{\"password\":[redacted]}"},
	{"x|{\"a\": 1, \"password\": \"a \\\"S\"}", "x|{\"a\": 1, \"password\": [redacted]}"},
	{"x|password: S", "x|password: [redacted]"},
	{"x|http://h/?a=1&token=S", "x|http://h/?a=1&token=[redacted]"},
	{"curl|-H|Authorization: Bearer S", "curl|-H|Authorization: Bearer [redacted]"},
	{"curl|-H|Authorization: Basic it's S", "curl|-H|Authorization: Basic [redacted]"},
	{"curl|-HAuthorization:Basic S", "curl|-HAuthorization:Basic [redacted]"},
	{"curl|-H|X-Api-Key:S", "curl|-H|X-Api-Key:[redacted]"},
	{"curl|-H|Cookie: id=S", "curl|-H|Cookie: [redacted]"},
	{"curl|--header=Private-Token: S", "curl|--header=Private-Token: [redacted]"},
	/* By URL. */
	{"git|clone|https://bob:S@h/x.git", "git|clone|https://bob:[redacted]@h/x.git"},
	{"x|https://u:p@S@h/x@y", "x|https://u:[redacted]@h/x@y"},
	{"x|https://h:8080/x@y", NULL},
	/* By program. */
	{"mysql|-uroot|-pS|shop", "mysql|-uroot|-p[redacted]|shop"},
	{"sudo|-u|db|/usr/bin/mysql|-pS", "sudo|-u|db|/usr/bin/mysql|-p[redacted]"},
	{"docker|exec|-it|db|mysqldump|-pS", "docker|exec|-it|db|mysqldump|-p[redacted]"},
	{"mysql|-p|shop", NULL},
	{"sshpass|-p|S|ssh|h", "sshpass|-p|[redacted]|ssh|h"},
	{"sshpass|-pS|ssh|h", "sshpass|-p[redacted]|ssh|h"},
	{"ssh|-p2222|h", NULL},
	{"curl|-u|bob:S|http://x", "curl|-u|bob:[redacted]|http://x"},
	{"curl|-ubob:S", "curl|-ubob:[redacted]"},
	{"curl|-sSfu|bob:S", "curl|-sSfu|bob:[redacted]"},
	{"curl|-sSubob:S", "curl|-sSubob:[redacted]"},
	{"curl|--user=bob:S", "curl|--user=bob:[redacted]"},
	{"curl|--proxy-user|bob:S", "curl|--proxy-user|bob:[redacted]"},
	{"curl|-u|bob", NULL},
	{"http|-a|S", "http|-a|[redacted]"},
	{"redis-cli|-a|S|ping", "redis-cli|-a|[redacted]|ping"},
	{"ldapsearch|-x|-w|S", "ldapsearch|-x|-w|[redacted]"},
	/* In what a shell is to run. */
	{"sh|-c|mysql -pS db", "sh|-c|mysql -p[redacted] db"},
	{"sh|-c|PASSWORD=S;psql db", "sh|-c|PASSWORD=[redacted];psql db"},
	{"bash|-xc|PASSWORD=S psql db", "bash|-xc|PASSWORD=[redacted] psql db"},
	{"sh|-c|curl -u bob:S http://x", "sh|-c|curl -u bob:[redacted] http://x"},
	{"sh|-c|curl -H 'Authorization: Bearer S' http://x",
	 "sh|-c|curl -H 'Authorization: Bearer [redacted]' http://x"},
	{"sh|-c|export PASSWORD=$(echo S) && ls", "sh|-c|export PASSWORD=[redacted] && ls"},
	{"sh|-c|A=$(mysql -pS -e x) ls", "sh|-c|A=$(mysql -p[redacted] -e x) ls"},
	{"sh|-c|x --password \"it's S\" y", "sh|-c|x --password [redacted] y"},
	{"sh|-c|x --password=a\\ S y", "sh|-c|x --password=[redacted] y"},
	{"sh|-c|sudo sh -c 'mysql -p\"a S\" db'", "sh|-c|sudo sh -c 'mysql -p[redacted] db'"},
	{"sh|-c|ssh h \"sh -c 'TOKEN=\\$(echo S) x'\"",
	 "sh|-c|ssh h \"sh -c 'TOKEN=[redacted] x'\""},
	{"ssh|h|mysql -pS db", "ssh|h|mysql -p[redacted] db"},
	{"sh|-c|mysql x; ssh -p2222 h", NULL},
	{"sh|-c|echo don't; mysql -pS", "sh|-c|echo don't; mysql -p[redacted]"},
	/* What is no secret. */
	{"ls|-p|--passive|secretary|--compass=north", NULL},
	{"cargo|test|secret::tests", NULL},
	{"grep|-c|x y|/etc/passwd", NULL},
	{"sh|-c|test -e /run/lock && exit 1", NULL},
	{"x||y|", NULL},
};

static void redact_argv(struct redact *r, const char *args, struct buffer *out)
{
	char argv[512];
	size_t length = strlen(args);
	struct image image = {.args = argv, .args_length = length + 1};

	memcpy(argv, args, length + 1);
	for (size_t i = 0; i < length; i++) {
		if (argv[i] == '|')
			argv[i] = '\0';
	}
	ck_assert_int_ge(redact_image(r, &image, out), 0);
	ck_assert_uint_gt(out->length, 0);
	for (size_t i = 0; i + 1 < out->length; i++) {
		if (!out->data[i])
			out->data[i] = '|';
	}
}

START_TEST(test_finds)
{
	const char *expected = cases[_i].redacted ? cases[_i].redacted : cases[_i].args;
	const struct string_list none = {0};
	struct buffer out = {0};
	struct redact r;
	const char *bad;

	ck_assert_int_eq(redact_init(&r, &none, &bad), 0);
	redact_argv(&r, cases[_i].args, &out);
	ck_assert_str_eq(out.data, expected);
	ck_assert_int_eq(r.images, cases[_i].redacted != NULL);
	buffer_deinit(&out);
	redact_deinit(&r);
}
END_TEST

START_TEST(test_what_the_user_names)
{
	const struct string_list more = {.item = {"(PROJECT-X)?", "[0-9]{4}-S"}, .count = 2};
	struct buffer out = {0}, path = {0};
	struct redact r;
	const char *bad;

	ck_assert_int_eq(redact_init(&r, &more, &bad), 0);
	/* A pattern that also matches nothing finds what stands further back. */
	redact_argv(&r, "ls|my PROJECT-X|--password=1234-Sx", &out);
	ck_assert_str_eq(out.data, "ls|my [redacted]|--password=[redacted]");
	buffer_puts(&path, "/srv/PROJECT-X/--token=S/PROJECT-X");
	ck_assert_int_eq(redact_text(&r, &path), 1);
	ck_assert_ptr_null(strstr(path.data, "PROJECT"));
	ck_assert_ptr_null(strchr(path.data, 'S'));
	buffer_clear(&path);
	buffer_puts(&path, "/usr/bin/ls");
	ck_assert_int_eq(redact_text(&r, &path), 0);
	ck_assert_str_eq(path.data, "/usr/bin/ls");
	buffer_deinit(&path);
	buffer_deinit(&out);
	redact_deinit(&r);
}
END_TEST

/* A process names its words itself: neither depth nor length may cost more than their size. */
START_TEST(test_hostile)
{
	static char deep[200000];
	const struct string_list none = {0};
	struct buffer text = {0};
	struct redact r;
	const char *bad;

	ck_assert_int_eq(redact_init(&r, &none, &bad), 0);
	for (size_t kind = 0; kind < 4; kind++) {
		for (size_t i = 0; i + 1 < sizeof(deep); i++)
			deep[i] = (const char *const[]){"$(", "a.", "\"\\",
							"'\" "}[kind][i % (kind == 3 ? 3 : 2)];
		buffer_clear(&text);
		buffer_puts(&text, deep);
		ck_assert_int_ge(redact_text(&r, &text), 0);
	}
	buffer_deinit(&text);
	redact_deinit(&r);
}
END_TEST

START_TEST(test_script_words)
{
	static const char text[] = "a 'b c' \"d\\\"e\"f; g\\ h $(i j) \\\n k 'l";
	static const char *const words[] = {"a", "b c", "d\"ef", "g h", "$(i j)", "k", "'l"};
	struct script s = {.at = text};
	struct buffer word = {0}, quoted = {0};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		ck_assert_int_eq(script_next(&s, &word), 0);
		ck_assert_str_eq(word.data, words[i]);
		ck_assert_int_eq(s.first, i == 0 || i == 3);
	}
	ck_assert_int_eq(script_next(&s, &word), 1);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		for (size_t k = 0; k < 3; k++) {
			buffer_clear(&quoted);
			script_quote(&quoted, words[i], strlen(words[i]), "'\"\0"[k]);
			s = (struct script){.at = quoted.data};
			ck_assert_int_eq(script_next(&s, &word), 0);
			ck_assert_str_eq(word.data, words[i]);
		}
	}
	buffer_deinit(&word);
	buffer_deinit(&quoted);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redact");
	TCase *tcase = tcase_create("redact");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, test_finds, 0, ARRAY_SIZE(cases));
	tcase_add_test(tcase, test_what_the_user_names);
	tcase_add_test(tcase, test_hostile);
	tcase_add_test(tcase, test_script_words);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
