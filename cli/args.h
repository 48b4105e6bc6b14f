/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a stored argv: from the exact bytes where the database has them besides. Pure. */
#ifndef LINEAGED_CLI_ARGS_H
#define LINEAGED_CLI_ARGS_H

#include "cli/buffer.h"
#include "cli/process.h"

struct args {
	const char *next, *end;
	bool joined;
};

void args_begin(struct args *args, const struct image *image);
/* Replaces *word by the next word. 0: a word, 1: the end. */
int args_next(struct args *args, struct buffer *word);

#endif
