/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other tools want to know of a process beside its own row: its parent, an id that no other
 * process of any host has, its command line as one string. Shared by the formats for other
 * programs.
 */
#ifndef LINEAGED_CLI_ENTITY_H
#define LINEAGED_CLI_ENTITY_H

#include "cli/buffer.h"
#include "cli/json.h"
#include "cli/process.h"

#define ENTITY_ID_SIZE 27

/*
 * 26 characters of base32 over SHA-256 of boot id, pid and start: the same in every copy of the
 * database, and another one when the pid is used again. 0 or a negative errno.
 */
int entity_id(const struct process *p, char out[ENTITY_ID_SIZE]);

/* The real parent at birth. *ret_parent is NULL where it is not in the database. */
int entity_parent(const struct process *p, struct process **ret_parent);
/* What a parent, which may be NULL, was at an event of p. UNKNOWN: at the birth. */
int entity_parent_image(const struct process *p, struct process *parent, int64_t boot_ns,
			struct exec *ret_image);

/* argv with blanks between its words, raw bytes: for json.h, which makes them valid. */
void entity_command_line(struct buffer *out, const struct image *image);
/* argv, which is known, as an array. */
void entity_json_words(struct json *json, const char *key, const struct image *image);
/* The same as members: args, args_count and command_line (or what it is to be called). */
void entity_json_args(struct json *json, const struct image *image);
void entity_json_command_line(struct json *json, const char *key, const struct image *image);

/* A time as RFC 3339; left out where it is UNKNOWN. */
void entity_json_time(struct json *json, const char *key, int64_t unix_ns);

#endif
