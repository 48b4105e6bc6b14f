/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/sha256.c: the examples of FIPS 180, and every length against OpenSSL. */
#include "suite.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "daemon/sha256.h"

START_TEST(test_examples)
{
	static const char *const examples[][2] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	char hex[SHA256_HEX_SIZE];

	for (size_t i = 0; i < 3; i++) {
		sha256_hex(examples[i][0], strlen(examples[i][0]), hex);
		ck_assert_str_eq(hex, examples[i][1]);
	}
}
END_TEST

START_TEST(test_every_length)
{
	unsigned char bytes[300], digest[EVP_MAX_MD_SIZE];
	char hex[SHA256_HEX_SIZE], expected[SHA256_HEX_SIZE];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 31 + 7);
	for (size_t length = 0; length <= sizeof(bytes); length++) {
		ck_assert_int_eq(EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL), 1);
		for (size_t i = 0; i < 32; i++)
			snprintf(expected + 2 * i, 3, "%02x", digest[i]);
		sha256_hex(bytes, length, hex);
		ck_assert_str_eq(hex, expected);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_examples, test_every_length};

	return SUITE_RUN("sha256", tests);
}
