/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"

static void word(const char *bytes, size_t length, bool ascii, const char *expected)
{
	struct buffer out = {0};

	escape_word(&out, bytes, length, ascii);
	ck_assert_str_eq(out.data ? out.data : "", expected);
	buffer_deinit(&out);
}

#define WORD(bytes, expected) word(bytes, sizeof(bytes) - 1, false, expected)

START_TEST(words)
{
	WORD("", "''");
	WORD("plain-1.2/x,y:z=@%+^_", "plain-1.2/x,y:z=@%+^_");
	WORD("two words", "'two words'");
	WORD("$HOME;`id`|*?", "'$HOME;`id`|*?'");
	WORD("back\\slash", "'back\\slash'");
	WORD("it's", "$'it\\'s'");
	WORD("~", "'~'");
	WORD("#", "'#'");
	WORD("caf\xc3\xa9", "caf\xc3\xa9");
	word("caf\xc3\xa9", 5, true, "$'caf\\u00e9'");
}
END_TEST

START_TEST(hostile_words)
{
	WORD("\x1b[31mred", "$'\\x1b[31mred'");
	WORD("a\nb\tc\rd", "$'a\\nb\\tc\\rd'");
	WORD("\x07\x08\x7f", "$'\\a\\b\\x7f'");
	WORD("\xc2\x9b", "$'\\u009b'");		    /* C1: a terminal takes it for ESC [ */
	WORD("\xe2\x80\xae", "$'\\u202e'");	    /* right-to-left override */
	WORD("\xe2\x81\xa6", "$'\\u2066'");	    /* isolate */
	WORD("\xe2\x80\x8b", "$'\\u200b'");	    /* zero width space */
	WORD("\xe2\x80\xa8", "$'\\u2028'");	    /* line separator */
	WORD("\xc2\xa0", "$'\\u00a0'");		    /* looks like a blank */
	WORD("\xef\xbb\xbf", "$'\\ufeff'");	    /* byte order mark */
	WORD("\xf3\xa0\x81\x81", "$'\\U000e0041'"); /* tag */
	WORD("\xcc\x88x", "$'\\u0308x'");	    /* a mark would change what stands before it */
	WORD("\xff\xfe", "$'\\xff\\xfe'");
	WORD("\xc3", "$'\\xc3'");
	WORD("\xed\xa0\x80", "$'\\xed\\xa0\\x80'"); /* a surrogate */
	WORD("\xc0\xaf", "$'\\xc0\\xaf'");	    /* overlong */
	WORD("a\0b", "$'a\\x00b'");
}
END_TEST

/* Whatever goes in, what comes out is one line of printable text. */
START_TEST(any_bytes)
{
	char bytes[64];
	unsigned int seed = (unsigned int)_i;

	for (int round = 0; round < 2000; round++) {
		size_t length = (size_t)(rand_r(&seed) % (int)sizeof(bytes));
		struct buffer out = {0};
		size_t used;

		for (size_t i = 0; i < length; i++)
			bytes[i] = (char)rand_r(&seed);
		escape_word(&out, bytes, length, false);
		escape_text(&out, bytes, length, _i % 2);
		for (size_t i = 0; i < out.length; i += used) {
			uint32_t c;

			ck_assert(escape_next(out.data + i, out.length - i, &c, &used));
			ck_assert(escape_is_printable(c));
		}
		buffer_deinit(&out);
	}
}
END_TEST

/* bash reads a word back as the very bytes (but NUL, which it cannot hold). */
START_TEST(shell_reads_back)
{
	unsigned int seed = 7;
	char bytes[24], command[512], read_back[64];

	if (system("command -v bash >/dev/null 2>&1") != 0) {
		fprintf(stderr, "shell_reads_back: skipped, there is no bash\n");
		return;
	}
	for (int round = 0; round < 40; round++) {
		size_t length = (size_t)(rand_r(&seed) % (int)sizeof(bytes)), got;
		struct buffer out = {0};
		FILE *pipe;

		for (size_t i = 0; i < length; i++)
			bytes[i] = (char)(1 + rand_r(&seed) % 255);
		escape_word(&out, bytes, length, false);
		snprintf(command, sizeof(command),
			 "exec bash -c 'IFS= read -r w; eval \"printf %%s $w\"'"
			 " <<'END'\n%s\nEND\n",
			 out.data);
		pipe = popen(command, "r");
		ck_assert_ptr_nonnull(pipe);
		got = fread(read_back, 1, sizeof(read_back), pipe);
		pclose(pipe);
		ck_assert_msg(got == length && memcmp(read_back, bytes, length) == 0, "%s",
			      out.data);
		buffer_deinit(&out);
	}
}
END_TEST

START_TEST(widths)
{
	static const char wide[] = "\xe6\xbc\xa2\xe5\xad\x97x"; /* two of two columns, one of one */

	ck_assert_uint_eq(escape_width(wide, 7), 5);
	ck_assert_uint_eq(escape_fit(wide, 7, 5), 7);
	ck_assert_uint_eq(escape_fit(wide, 7, 4), 6);
	ck_assert_uint_eq(escape_fit(wide, 7, 3), 3);
	ck_assert_uint_eq(escape_fit(wide, 7, 1), 0);
	ck_assert_uint_eq(escape_fit("e\xcc\x81z", 4, 1), 3); /* the mark belongs to its letter */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("escape");
	TCase *tcase = tcase_create("escape");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, words);
	tcase_add_test(tcase, hostile_words);
	tcase_add_loop_test(tcase, any_bytes, 0, 4);
	tcase_add_test(tcase, shell_reads_back);
	tcase_add_test(tcase, widths);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
