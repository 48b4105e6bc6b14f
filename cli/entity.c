/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/entity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "cli/args.h"
#include "cli/moment.h"
#include "cli/query.h"
#include "cli/timespec.h"

int entity_id(const struct process *p, char out[ENTITY_ID_SIZE])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char hash[EVP_MAX_MD_SIZE];
	char name[128];
	int length = snprintf(name, sizeof(name), "%.40s %" PRId64 " %" PRId64, p->boot->boot_id,
			      p->pid, p->start_boot_ns);
	unsigned int bits = 0, value = 0, used = 0;

	if (EVP_Digest(name, (size_t)length, hash, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	for (int i = 0; i < ENTITY_ID_SIZE - 1; i++) {
		if (bits < 5) {
			value = value << 8 | hash[used++];
			bits += 8;
		}
		bits -= 5;
		out[i] = digits[value >> bits & 31];
	}
	out[ENTITY_ID_SIZE - 1] = '\0';
	return 0;
}

int entity_parent(const struct process *p, struct process **ret_parent)
{
	struct process *parent = NULL;
	int r = p->parent_id ? query_process(p->db, p->parent_id, &parent) : 1;

	if (r < 0)
		return r;
	*ret_parent = r == 0 ? parent : NULL;
	return 0;
}

int entity_parent_image(const struct process *p, struct process *parent, int64_t boot_ns,
			struct exec *ret_image)
{
	return parent ? moment_image(parent, boot_ns == UNKNOWN ? p->start_boot_ns : boot_ns,
				     ret_image)
		      : 0;
}

void entity_command_line(struct buffer *out, const struct image *image)
{
	struct buffer word = {0};
	struct args args;
	bool first = true;

	for (args_begin(&args, image); args_next(&args, &word) == 0; first = false) {
		if (!first)
			buffer_putc(out, ' ');
		buffer_add(out, word.data ? word.data : "", word.length);
	}
	out->failed |= word.failed;
	buffer_deinit(&word);
}

void entity_json_words(struct json *json, const char *key, const struct image *image)
{
	struct buffer word = {0};
	struct args args;

	json_array_begin(json, key);
	for (args_begin(&args, image); args_next(&args, &word) == 0;)
		json_string(json, NULL, word.data ? word.data : "", word.length);
	json_array_end(json);
	json->buffer.failed |= word.failed;
	buffer_deinit(&word);
}

void entity_json_args(struct json *json, const struct image *image)
{
	if (!image || (!image->args && !image->args_raw))
		return;
	entity_json_words(json, "args", image);
	json_maybe_int(json, "args_count", image->args_count);
}

void entity_json_command_line(struct json *json, const char *key, const struct image *image)
{
	struct buffer line = {0};

	if (!image || (!image->args && !image->args_raw))
		return;
	entity_command_line(&line, image);
	json_string(json, key, line.data ? line.data : "", line.length);
	json->buffer.failed |= line.failed;
	buffer_deinit(&line);
}

void entity_json_time(struct json *json, const char *key, int64_t unix_ns)
{
	char text[TIMESPEC_SIZE];

	if (unix_ns == UNKNOWN)
		return;
	timespec_rfc3339(unix_ns, text);
	json_text(json, key, text);
}
