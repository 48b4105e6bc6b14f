/* SPDX-License-Identifier: Apache-2.0 */
/* The query tool as users run it, and what it says. */
#ifndef LINEAGED_TESTS_ASK_H
#define LINEAGED_TESTS_ASK_H

/* What a question is expected to give: in the output, standard error included, and what not. */
struct ask_case {
	const char *arguments; /* %s in it is the database */
	int status;
	const char *words, *not_words;
};

/* Runs `lineage-query ARGUMENTS` through the shell, in UTC, and fails the test if it gives else. */
void ask(const char *database, const struct ask_case *c);

#endif
