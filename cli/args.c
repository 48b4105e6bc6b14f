/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/args.h"

#include <string.h>

#include "schema/schema.h"

void args_begin(struct args *args, const struct image *image)
{
	*args = (struct args){
		.next = image->args,
		.end = image->args ? image->args + image->args_length : NULL,
		.joined = image->args_joined,
	};
	if (image->args_raw)
		*args = (struct args){
			.next = image->args_raw,
			.end = image->args_raw + image->args_raw_length,
		};
}

int args_next(struct args *args, struct buffer *word)
{
	const char *stop;
	size_t left = args->next ? (size_t)(args->end - args->next) : 0;

	buffer_clear(word);
	/* Where words are joined, an empty one may be the last. */
	if (!args->next || (left == 0 && !args->joined))
		return 1;
	stop = memchr(args->next, args->joined ? SCHEMA_ARGS_SEPARATOR : '\0', left);
	buffer_add(word, args->next, stop ? (size_t)(stop - args->next) : left);
	args->next = stop ? stop + 1 : NULL;
	return 0;
}
