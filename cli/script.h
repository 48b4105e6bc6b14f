/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shell text as words, well enough to find a secret in it: quotes, backslashes, $(...). It is no
 * shell: nothing is expanded, and a quote that is not closed is a character as any other. Pure.
 */
#ifndef LINEAGED_CLI_SCRIPT_H
#define LINEAGED_CLI_SCRIPT_H

#include "cli/buffer.h"

struct script {
	const char *at;
	bool into_commands; /* $(...) and `...` are more script, not part of a word */
	unsigned int open;  /* quotes and commands that were not closed, so far */
	/* Of the word told last. */
	const char *start, *end; /* as it stands there, with its quotes */
	char quote;		 /* the first of them, or 0 */
	bool first;		 /* of a command: behind ; & | ( or at the start */
};

/* Replaces *word by what the shell makes of the next one. 0: a word, 1: the end. */
int script_next(struct script *script, struct buffer *word);
/* The word so that script_next() gives it back. */
void script_quote(struct buffer *out, const char *word, size_t length, char quote);

#endif
