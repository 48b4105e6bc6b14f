/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"

static struct image json_image(const char *json)
{
	return (struct image){.args = json, .args_length = strlen(json)};
}

/* The words, each ended by '|'. */
static int join(const struct image *image, struct buffer *out)
{
	struct buffer word = {0};
	struct args args;
	int r;

	for (args_begin(&args, image); (r = args_next(&args, &word)) == 0;) {
		buffer_add(out, word.data ? word.data : "", word.length);
		buffer_putc(out, '|');
	}
	buffer_deinit(&word);
	return r;
}

static void expect(const char *json, int status, const char *words, size_t length)
{
	struct image image = json_image(json);
	struct buffer out = {0};

	ck_assert_msg(join(&image, &out) == status, "%s", json);
	ck_assert_uint_eq(out.length, length);
	ck_assert_msg(length == 0 || memcmp(out.data, words, length) == 0, "%s: %s", json,
		      out.data);
	buffer_deinit(&out);
}

#define EXPECT(json, status, words) expect(json, status, words, sizeof(words) - 1)

START_TEST(json_words)
{
	EXPECT("[]", 1, "");
	EXPECT(" [ ] ", 1, "");
	EXPECT("[\"a\"]", 1, "a|");
	EXPECT("[\"a\",\"\",\"\"]", 1, "a|||");
	EXPECT("[ \"a b\" , \"c\" ]", 1, "a b|c|");
	EXPECT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", 1, "\"\\/\b\f\n\r\t|");
	EXPECT("[\"\\u0000x\"]", 1, "\0x|");
	EXPECT("[\"\\u00e9\\uD83D\\ude00\"]", 1, "\xc3\xa9\xf0\x9f\x98\x80|");
	EXPECT("[\"\xc3\xa9\"]", 1, "\xc3\xa9|");
}
END_TEST

/* What came before the damage stays; nothing behind it is invented. */
START_TEST(json_malformed)
{
	EXPECT("", -EBADMSG, "");
	EXPECT("{}", -EBADMSG, "");
	EXPECT("[\"a\"", -EBADMSG, "a|");
	EXPECT("[\"a\",]", -EBADMSG, "a|");
	EXPECT("[\"a\" \"b\"]", -EBADMSG, "a|");
	EXPECT("[1]", -EBADMSG, "");
	EXPECT("[[\"a\"]]", -EBADMSG, "");
	EXPECT("[\"a", -EBADMSG, "");
	EXPECT("[\"\\", -EBADMSG, "");
	EXPECT("[\"\\u12\"]", -EBADMSG, "");
	EXPECT("[\"\\u12g4\"]", -EBADMSG, "");
	EXPECT("[\"\\ud800\"]", -EBADMSG, "");
	EXPECT("[\"\\ud800\\u0041\"]", -EBADMSG, "");
	EXPECT("[\"\\x41\"]", -EBADMSG, "");
}
END_TEST

/* The raw bytes are exact and win over the JSON. */
START_TEST(raw_words)
{
	struct image image = json_image("[\"replaced\"]");
	struct buffer out = {0};

	image.args_raw = "a\0\0\xff\n\0part";
	image.args_raw_length = 9;
	ck_assert_int_eq(join(&image, &out), 1);
	ck_assert_uint_eq(out.length, 10);
	ck_assert_mem_eq(out.data, "a||\xff\n|par|", 10);
	buffer_deinit(&out);
}
END_TEST

START_TEST(no_words)
{
	struct image image = {0};
	struct buffer out = {0};

	ck_assert_int_eq(join(&image, &out), 1);
	ck_assert_uint_eq(out.length, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("args");
	TCase *tcase = tcase_create("args");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, json_words);
	tcase_add_test(tcase, json_malformed);
	tcase_add_test(tcase, raw_words);
	tcase_add_test(tcase, no_words);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
