/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_file.h"

#include <errno.h>
#include <json-c/json.h>
#include <sys/stat.h>

/* Half of it is seen by who waits between opening and reading for as long as the daemon does
 * between writing. */
#define TRIES 3
/* The daemon writes a few KiB; more is not its file. */
#define STATUS_BYTES_MAX (1024 * 1024)
#define STATUS_DEPTH_MAX 8

struct reader {
	void (*fn)(const struct status_value *value, void *userdata);
	void *userdata;
};

static void read_value(struct reader *r, const char *name, json_object *object, int depth);

static void read_members(struct reader *r, json_object *object, int depth)
{
	if (json_object_is_type(object, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(object); i++)
			read_value(r, NULL, json_object_array_get_idx(object, i), depth);
		return;
	}
	json_object_object_foreach(object, key, member) read_value(r, key, member, depth);
}

static void read_value(struct reader *r, const char *name, json_object *object, int depth)
{
	struct status_value v = {.name = name, .depth = depth};

	switch (json_object_get_type(object)) {
	case json_type_array:
	case json_type_object:
		if (depth >= STATUS_DEPTH_MAX)
			return;
		v.list = json_object_is_type(object, json_type_array);
		v.type = STATUS_OPEN;
		r->fn(&v, r->userdata);
		read_members(r, object, depth + 1);
		v.type = STATUS_CLOSE;
		break;
	case json_type_int:
		v.type = STATUS_INTEGER;
		v.integer = json_object_get_int64(object);
		break;
	case json_type_double:
		v.type = STATUS_REAL;
		v.real = json_object_get_double(object);
		break;
	case json_type_boolean:
		v.type = STATUS_BOOLEAN;
		v.integer = json_object_get_boolean(object);
		break;
	default:
		v.type = STATUS_TEXT;
		v.text = object ? json_object_get_string(object) : NULL;
		break;
	}
	r->fn(&v, r->userdata);
}

static json_object *read_file(const char *path)
{
	json_object *root = NULL;

	for (int i = 0; i < TRIES && !root; i++)
		root = json_object_from_file(path);
	return root;
}

int status_file_read(const char *path, void (*fn)(const struct status_value *value, void *userdata),
		     void *userdata)
{
	struct reader r = {fn, userdata};
	json_object *root;
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > STATUS_BYTES_MAX)
		return -EBADMSG;
	root = read_file(path);
	if (!root || !json_object_is_type(root, json_type_object)) {
		json_object_put(root);
		return -EBADMSG;
	}
	read_members(&r, root, 0);
	json_object_put(root);
	return 0;
}
