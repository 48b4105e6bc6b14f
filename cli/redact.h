/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets on command lines, replaced: values of options, variables, fields and headers by what
 * these are called; passwords of URLs and of the options of some programs; and what the user names.
 * Also within the text that a shell is to run. Pure. It knows names, not meanings: what is called
 * otherwise stays. lineage-query(1), --redact, says the same to users: the two change together.
 */
#ifndef LINEAGED_CLI_REDACT_H
#define LINEAGED_CLI_REDACT_H

#include <regex.h>

#include "cli/buffer.h"
#include "cli/flags.h"
#include "cli/process.h"

#define REDACTED "[redacted]"

struct redact {
	regex_t *regex;
	unsigned int count;
	int64_t secrets, images; /* replaced so far */
};

/* The patterns of our own and these besides, as extended regular expressions. 0, or -EINVAL and in
 * *ret_bad the pattern that is none. */
int redact_init(struct redact *redact, const struct string_list *more, const char **ret_bad);
void redact_deinit(struct redact *redact);
/* argv of the image with its NULs; 1 if anything was replaced, else 0, or a negative errno. */
int redact_image(struct redact *redact, const struct image *image, struct buffer *out);
/* A path or a name, in place: 1 if anything was replaced, else 0, or a negative errno. */
int redact_text(struct redact *redact, struct buffer *text);

#endif
