/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/container_state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <json-c/json.h>
#include <unistr.h>

#include "schema/cleanup.h"

/*
 * A parsed file can take 25 times its size (an array of empty arrays). State of root's runtimes: a
 * containers.json of 4 MiB names about 6000 containers. A user's is smaller, and the user may be
 * hostile.
 */
#define STATE_FILE_MAX	    (4 << 20)
#define STATE_USER_FILE_MAX (512 << 10)
/* OCI configurations nest 8 deep. */
#define STATE_JSON_DEPTH 32

int state_open(const char *root, const char *path, int flags)
{
	CLEANUP_CLOSE int dir = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = {.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd;

	/* Neither a FIFO nor a terminal may stop us. openat2() refuses both flags beside O_PATH. */
	if (!(flags & O_PATH))
		flags |= O_NONBLOCK | O_NOCTTY;
	how.flags = (uint64_t)(flags | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/* All of a regular file of one of the allowed owners. */
static int state_read(const char *root, const char *path, uint32_t owner, char **ret_text,
		      size_t *ret_size)
{
	CLEANUP_CLOSE int fd = state_open(root, path, O_RDONLY | O_NOFOLLOW);
	CLEANUP_FREE char *text = NULL;
	struct stat st;
	size_t size = 0;
	bool of_user;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	of_user = st.st_uid != 0 && st.st_uid != geteuid();
	if (!S_ISREG(st.st_mode) || (of_user && st.st_uid != owner))
		return -EACCES;
	if (st.st_size > (of_user ? STATE_USER_FILE_MAX : STATE_FILE_MAX))
		return -EFBIG;
	text = malloc(st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (size < (size_t)st.st_size) {
		ssize_t n = read(fd, text + size, st.st_size - size);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += n;
	}
	text[size] = '\0';
	*ret_text = TAKE_PTR(text);
	*ret_size = size;
	return 0;
}

struct json_object *state_read_json(const char *root, const char *path, uint32_t owner)
{
	CLEANUP_FREE char *text = NULL;
	struct json_object *object = NULL;
	struct json_tokener *tokener;
	size_t size = 0;

	if (state_read(root, path, owner, &text, &size) < 0)
		return NULL;
	tokener = json_tokener_new_ex(STATE_JSON_DEPTH);
	if (!tokener)
		return NULL;
	object = json_tokener_parse_ex(tokener, text, (int)size);
	json_tokener_free(tokener);
	return object;
}

const char *state_text(struct json_object *object, ...)
{
	const char *key;
	va_list ap;

	va_start(ap, object);
	while (object && (key = va_arg(ap, const char *))) {
		if (!json_object_is_type(object, json_type_object) ||
		    !json_object_object_get_ex(object, key, &object))
			object = NULL;
	}
	va_end(ap);
	return json_object_is_type(object, json_type_string) ? json_object_get_string(object)
							     : NULL;
}

void state_copy(char *out, size_t size, const char *text)
{
	size_t n = text ? strnlen(text, size) : 0;

	out[0] = '\0';
	if (n == size) {
		/* Back to where a character begins. */
		for (n = size - 1; n && (text[n] & 0xc0) == 0x80;)
			n--;
	}
	if (!n || u8_check((const uint8_t *)text, n))
		return;
	memcpy(out, text, n);
	out[n] = '\0';
}

int state_home(const char *root, uint32_t uid, char *ret_home, size_t size)
{
	CLEANUP_FCLOSE FILE *file = NULL;
	struct passwd *entry, storage;
	char buffer[4096];
	int fd = state_open(root, "/etc/passwd", O_RDONLY);

	if (fd < 0)
		return fd;
	file = fdopen(fd, "re");
	if (!file) {
		close(fd);
		return -errno;
	}
	/* The file, not getpwuid(): a name service could ask the network. */
	while (fgetpwent_r(file, &storage, buffer, sizeof(buffer), &entry) == 0) {
		if (entry->pw_uid != uid)
			continue;
		if (entry->pw_dir[0] != '/')
			return -ENOENT;
		return snprintf(ret_home, size, "%s", entry->pw_dir) < (int)size ? 0
										 : -ENAMETOOLONG;
	}
	return -ENOENT;
}
