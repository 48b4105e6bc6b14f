/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/jsonargs.c: known answers, and random bytes read back by json-c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>
#include <unistr.h>

#include "daemon/jsonargs.h"
#include "schema/cleanup.h"

#define R "\xef\xbf\xbd"

/* bytes and their length, without the NUL that C adds */
#define B(text) text, sizeof(text) - 1

START_TEST(test_known_answers)
{
	static const struct {
		const char *argv;
		size_t length;
		const char *json;
		uint32_t count;
		bool exact;
	} rows[] = {
		{B(""), "[]", 0, true},
		{B("\0"), "[\"\"]", 1, true},
		{B("ls\0-l\0"), "[\"ls\",\"-l\"]", 2, true},
		{B("ls\0\0"), "[\"ls\",\"\"]", 2, true},
		{B("\0\0\0"), "[\"\",\"\",\"\"]", 3, true},
		{B("ls\0-la"), "[\"ls\",\"-la\"]", 2, true},
		{B("a\"b\\c\0"), "[\"a\\\"b\\\\c\"]", 1, true},
		{B("\b\t\n\f\r\0"), "[\"\\b\\t\\n\\f\\r\"]", 1, true},
		{B("\x01\x1b\x1f\x7f\0"), "[\"\\u0001\\u001b\\u001f\x7f\"]", 1, true},
		{B("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0"),
		 "[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]", 1, true},
		{B("a\xffz\0"), "[\"a" R "z\"]", 1, false},
		{B("\xc0\xaf\0"), "[\"" R R "\"]", 1, false},		  /* overlong */
		{B("\xed\xa0\x80\0"), "[\"" R R R "\"]", 1, false},	  /* surrogate */
		{B("\xe2\x82\0"), "[\"" R "\"]", 1, false},		  /* cut sequence */
		{B("\xe2\x82"), "[\"" R "\"]", 1, false},		  /* cut argument */
		{B("\xf4\x90\x80\x80\0"), "[\"" R R R R "\"]", 1, false}, /* above U+10FFFF */
		{B("\xf0\x9f\x98x\0"), "[\"" R "x\"]", 1, false},
	};
	char out[JSONARGS_SIZE(64)];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct jsonargs r = jsonargs_from_argv(out, rows[i].argv, rows[i].length);

		ck_assert_str_eq(out, rows[i].json);
		ck_assert_uint_eq(r.length, strlen(out));
		ck_assert_uint_eq(r.count, rows[i].count);
		ck_assert_msg(r.exact == rows[i].exact, "%s", rows[i].json);
	}
}
END_TEST

/* Every text of `count` bytes from this alphabet: where UTF-8 can go wrong, and what JSON escapes.
 */
static const uint8_t alphabet[] = {0,	 0,    'a',  'z',  '"',	 '\\', '\n', 0x01, 0x1f, 0x7f,
				   0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0,
				   0xe2, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff};

static uint64_t random_state = 88172645463325252u;

static uint32_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

/* What json-c reads from the JSON is what was written, argument by argument. */
static void check_against_json_c(const uint8_t *argv, size_t length, const char *out,
				 struct jsonargs r)
{
	struct json_object *array = json_tokener_parse(out);
	const uint8_t *p = argv, *end = argv + length;
	bool exact = true;
	uint32_t count = 0;

	ck_assert_msg(json_object_is_type(array, json_type_array), "no JSON: %s", out);
	for (; p < end; count++) {
		const uint8_t *stop = memchr(p, 0, end - p);
		size_t n = (stop ? stop : end) - p;
		struct json_object *item = json_object_array_get_idx(array, count);
		const char *text = json_object_get_string(item);
		char expected[TEXT_SIZE(256)];
		bool text_exact;

		ck_assert(json_object_is_type(item, json_type_string));
		if (u8_check(p, n)) {
			exact = false;
			text_from_bytes(expected, (const char *)p, n, &text_exact);
			ck_assert(!text_exact);
			ck_assert_str_eq(text, expected);
		} else {
			ck_assert_int_eq(json_object_get_string_len(item), n);
			ck_assert_int_eq(memcmp(text, p, n), 0);
		}
		p = stop ? stop + 1 : end;
	}
	ck_assert_uint_eq(json_object_array_length(array), count);
	ck_assert_uint_eq(r.count, count);
	ck_assert(r.exact == exact);
	json_object_put(array);
}

START_TEST(test_random_bytes)
{
	for (int i = 0; i < 50000; i++) {
		uint8_t argv[64];
		size_t length = random_next() % sizeof(argv);
		char *out = malloc(
			JSONARGS_SIZE(length)); /* exact size: sanitizers see one byte more */
		struct jsonargs r;

		for (size_t j = 0; j < length; j++)
			argv[j] = i & 1 ? (uint8_t)random_next()
					: alphabet[random_next() % ARRAY_SIZE(alphabet)];
		r = jsonargs_from_argv(out, (char *)argv, length);
		ck_assert_uint_lt(r.length, JSONARGS_SIZE(length));
		ck_assert_uint_eq(strlen(out), r.length);
		ck_assert_ptr_null(u8_check((uint8_t *)out, r.length));
		check_against_json_c(argv, length, out, r);
		free(out);
	}
}
END_TEST

START_TEST(test_worst_sizes)
{
	static const char worst[] = {'\x01', '\0', '\xff', '"', '\x80'};

	for (size_t i = 0; i < sizeof(worst); i++) {
		for (size_t length = 0; length < 300; length++) {
			CLEANUP_FREE char *argv = malloc(length + 1);
			CLEANUP_FREE char *out = malloc(JSONARGS_SIZE(length));
			CLEANUP_FREE char *text = malloc(TEXT_SIZE(length));
			bool exact;

			memset(argv, worst[i], length);
			ck_assert_uint_lt(jsonargs_from_argv(out, argv, length).length,
					  JSONARGS_SIZE(length));
			ck_assert_uint_lt(text_from_bytes(text, argv, length, &exact),
					  TEXT_SIZE(length));
		}
	}
}
END_TEST

START_TEST(test_text)
{
	char out[TEXT_SIZE(64)];
	bool exact;

	ck_assert_uint_eq(text_from_bytes(out, B("/usr/\xc3\xa9\n"), &exact), 8);
	ck_assert(exact && text_is_exact(B("/usr/\xc3\xa9\n")));
	ck_assert_str_eq(out, "/usr/\xc3\xa9\n");
	ck_assert_uint_eq(text_from_bytes(out, B("/\xff/a\0b"), &exact), 10);
	ck_assert(!exact && !text_is_exact(B("/\xff/a")) && !text_is_exact(B("a\0b")));
	ck_assert_str_eq(out, "/" R "/a" R "b");
	ck_assert_uint_eq(text_from_bytes(out, "", 0, &exact), 0);
	ck_assert(exact && text_is_exact("", 0));
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(test_text_random)
{
	for (int i = 0; i < 50000; i++) {
		char bytes[32], out[TEXT_SIZE(32)];
		size_t length = random_next() % sizeof(bytes), n;
		bool exact;

		for (size_t j = 0; j < length; j++)
			bytes[j] = (char)alphabet[random_next() % ARRAY_SIZE(alphabet)];
		n = text_from_bytes(out, bytes, length, &exact);
		ck_assert_uint_eq(n, strlen(out));
		ck_assert_ptr_null(u8_check((uint8_t *)out, n));
		ck_assert(exact == text_is_exact(bytes, length));
		ck_assert(exact == (n == length && memcmp(out, bytes, n) == 0));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jsonargs");
	TCase *tcase = tcase_create("jsonargs");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_known_answers);
	tcase_add_test(tcase, test_random_bytes);
	tcase_add_test(tcase, test_worst_sizes);
	tcase_add_test(tcase, test_text);
	tcase_add_test(tcase, test_text_random);
	tcase_set_timeout(tcase, 100);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
