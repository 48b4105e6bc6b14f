/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include <check.h>
#include <string.h>

void ask(const struct fixture *f, const struct ask_case *c)
{
	const char *output;
	int status = fixture_ask(f, c->arguments, &output);

	ck_assert_msg(status == c->status, "%s: %d: %s", c->arguments, status, output);
	ck_assert_msg(strstr(output, c->words) != NULL, "%s: no '%s': %s", c->arguments, c->words,
		      output);
	ck_assert_msg(!c->not_words || !strstr(output, c->not_words), "%s: '%s': %s", c->arguments,
		      c->not_words, output);
}
