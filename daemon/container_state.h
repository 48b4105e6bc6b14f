/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading files that others may have written: below a root, regular, of the right owner, bounded in
 * size and depth. Part of container_names.c.
 */
#ifndef LINEAGED_CONTAINER_STATE_H
#define LINEAGED_CONTAINER_STATE_H

#include <stddef.h>
#include <stdint.h>

struct json_object;

/*
 * Opens path with root as "/": neither ".." nor an absolute link leaves it. A negative errno, or
 * the descriptor. flags are open(2)'s.
 */
int state_open(const char *root, const char *path, int flags);

/*
 * The JSON of a file that belongs to root, to this process or to `owner`. NULL if it is missing, of
 * another owner, too large or no JSON. To be released by json_object_put().
 */
struct json_object *state_read_json(const char *root, const char *path, uint32_t owner);

/* The text at object[key1][key2]...; keys end with NULL. NULL where there is none. */
const char *state_text(struct json_object *object, ...) __attribute__((sentinel));

/* Copies valid UTF-8, cut between characters; leaves `out` empty for anything else. */
void state_copy(char *out, size_t size, const char *text);

/* Home directory of a user in root's /etc/passwd; 0 or a negative errno. */
int state_home(const char *root, uint32_t uid, char *ret_home, size_t size);

#endif
