/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of questions to the query tool, and what it says. */
#ifndef LINEAGED_TESTS_ASK_H
#define LINEAGED_TESTS_ASK_H

#include "fixture.h"

/* What a question is expected to give: in the output, standard error included, and what not. */
struct ask_case {
	const char *arguments; /* as of fixture_ask() */
	int status;
	const char *words, *not_words;
};

/* Fails the test if it gives else. */
void ask(const struct fixture *f, const struct ask_case *c);

#endif
