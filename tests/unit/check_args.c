/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"

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

static void expect(struct image image, const char *words, size_t length)
{
	struct buffer out = {0};

	ck_assert_int_eq(join(&image, &out), 1);
	ck_assert_uint_eq(out.length, length);
	ck_assert(length == 0 || memcmp(out.data, words, length) == 0);
	buffer_deinit(&out);
}

#define TEXT(text) .args = text, .args_length = sizeof(text) - 1
#define JOINED(text)                            \
	(struct image)                          \
	{                                       \
		TEXT(text), .args_joined = true \
	}
#define ENDED(text)        \
	(struct image)     \
	{                  \
		TEXT(text) \
	}
#define EXPECT(image, words) expect(image, words, sizeof(words) - 1)

START_TEST(joined_words)
{
	EXPECT(JOINED(""), "|");
	EXPECT(JOINED("a"), "a|");
	EXPECT(JOINED("a b\x7f\n"), "a b|\n|");
	EXPECT(JOINED("a\x7f\x7f"), "a|||");
	EXPECT(JOINED("\x7f"), "||");
	EXPECT(JOINED("\0x\x7f\"]"), "\0x|\"]|");
}
END_TEST

START_TEST(ended_words)
{
	EXPECT(ENDED(""), "");
	EXPECT(ENDED("\0"), "|");
	EXPECT(ENDED("a\0\0"), "a||");
	EXPECT(ENDED("a\x7f\0b"), "a\x7f|b|");
}
END_TEST

/* The raw bytes are exact and win. */
START_TEST(raw_words)
{
	struct image image = ENDED("replaced\0");
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

	tcase_add_test(tcase, joined_words);
	tcase_add_test(tcase, ended_words);
	tcase_add_test(tcase, raw_words);
	tcase_add_test(tcase, no_words);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
