/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file handle of kernfs (type 0xfe) is the 64-bit id itself: name_to_handle_at() tells it, and
 * open_by_handle_at() finds the directory again. The latter needs CAP_DAC_READ_SEARCH and is left
 * out of systemd's usual system call set; then the tree is walked and inode numbers, which are the
 * ids on 64-bit kernels, are compared.
 */
#include "daemon/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "schema/cleanup.h"

#define KERNFS_HANDLE_TYPE 0xfe
/* Directories that a walk looks at; a node with more cgroups has other troubles. */
#define CGROUP_WALK_MAX 200000

/*
 * v1 controllers, best first: the one that most makers of cgroups use. systemd limits tasks of
 * every unit, and runtimes put containers into all hierarchies.
 */
static const char *const v1_preference[] = {"pids",    "memory", "cpu",	  "freezer",
					    "devices", "cpuset", "blkio", "perf_event"};

/* Undoes \040 and the like of mountinfo, in place. */
static void unescape_octal(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
					(text[3] - '0'));
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

/* Whether a list "a,b,c" holds the word. */
static bool list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (;; list += strcspn(list, ",") + 1) {
		if (strcspn(list, ",") == n && memcmp(list, word, n) == 0)
			return true;
		if (!list[strcspn(list, ",")])
			return false;
	}
}

/*
 * The first mount of the whole hierarchy wins; one of a part only (as in containers) is better than
 * none.
 */
static void mount_take(struct cgroup_mount *mount, const char *root, const char *point)
{
	if (*mount->point && (strcmp(mount->root, "/") == 0 || strcmp(root, "/") != 0))
		return;
	snprintf(mount->point, sizeof(mount->point), "%s", point);
	snprintf(mount->root, sizeof(mount->root), "%s", root);
}

/* One line of mountinfo: ... root point options [tags] - type source super-options */
static void mountinfo_line(char *line, struct cgroup_hierarchies *h)
{
	char *fields[6] = {0}, *type, *super, *save = NULL;
	char *tail = strstr(line, " - ");

	if (!tail)
		return;
	*tail = '\0';
	fields[0] = strtok_r(line, " ", &save);
	for (size_t i = 1; i < ARRAY_SIZE(fields) && fields[i - 1]; i++)
		fields[i] = strtok_r(NULL, " ", &save);
	type = strtok_r(tail + 3, " \n", &save);
	super = type && strtok_r(NULL, " \n", &save) ? strtok_r(NULL, " \n", &save) : NULL;
	if (!super)
		return;
	for (size_t i = 0; i < 5; i++) {
		if (!fields[i])
			return;
	}
	unescape_octal(fields[3]);
	unescape_octal(fields[4]);
	if (strcmp(type, "cgroup2") == 0)
		mount_take(&h->unified, fields[3], fields[4]);
	else if (strcmp(type, "cgroup") == 0 && h->v1_id && list_has(super, h->v1_controller))
		mount_take(&h->v1, fields[3], fields[4]);
}

/* Lines "ID:CONTROLLERS:PATH": the v1 hierarchy with the best controller. *ret_any: there is a v1
 * one. */
static int choose_v1(const char *file, struct cgroup_hierarchies *h, bool *ret_any)
{
	CLEANUP_FCLOSE FILE *f = fopen(file, "re");
	CLEANUP_FREE char *line = NULL;
	size_t size = 0, best = ARRAY_SIZE(v1_preference);

	if (!f)
		return -errno;
	while (getline(&line, &size, f) >= 0) {
		char *list = strchr(line, ':'), *end = list ? strchr(list + 1, ':') : NULL;
		int id = atoi(line);

		if (!end || id <= 0)
			continue;
		*end = '\0';
		/* name=systemd alone is hybrid's bookkeeping, not a layout; it has no controller.
		 */
		*ret_any |= strncmp(list + 1, "name=", 5) != 0;
		for (size_t i = 0; i < best; i++) {
			if (!list_has(list + 1, v1_preference[i]))
				continue;
			best = i;
			h->v1_id = id;
			snprintf(h->v1_controller, sizeof(h->v1_controller), "%s",
				 v1_preference[i]);
		}
	}
	return 0;
}

int cgroup_detect(const char *mountinfo, const char *cgroup, struct cgroup_hierarchies *ret)
{
	CLEANUP_FREE struct cgroup_hierarchies *h = calloc(1, sizeof(*h));
	CLEANUP_FCLOSE FILE *f = NULL;
	CLEANUP_FREE char *line = NULL;
	bool v1 = false;
	size_t size = 0;
	int r;

	if (!h)
		return -ENOMEM;
	r = choose_v1(cgroup, h, &v1);
	if (r < 0)
		return r;
	f = fopen(mountinfo, "re");
	if (!f)
		return -errno;
	while (getline(&line, &size, f) >= 0)
		mountinfo_line(line, h);
	if (*h->unified.point)
		h->layout = v1 ? CGROUP_LAYOUT_HYBRID : CGROUP_LAYOUT_V2;
	else
		h->layout = v1 ? CGROUP_LAYOUT_V1 : CGROUP_LAYOUT_NONE;
	*ret = *h;
	return 0;
}

const char *cgroup_layout_name(enum cgroup_layout layout)
{
	static const char *const names[] = {
		[CGROUP_LAYOUT_NONE] = "no cgroup hierarchy",
		[CGROUP_LAYOUT_V1] = "v1 only",
		[CGROUP_LAYOUT_HYBRID] = "cgroup2 beside v1",
		[CGROUP_LAYOUT_V2] = "cgroup2",
	};

	return names[layout];
}

/* kernfs: a handle of 8 bytes. */
struct kernfs_handle {
	struct file_handle head;
	uint64_t id;
};
_Static_assert(offsetof(struct kernfs_handle, id) == sizeof(struct file_handle), "no gap");

static int id_of_fd(int fd, uint64_t *ret_id)
{
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} handle = {.head.handle_bytes = MAX_HANDLE_SZ};
	struct stat st;
	int mount_id;

	if (name_to_handle_at(fd, "", &handle.head, &mount_id, AT_EMPTY_PATH) == 0 &&
	    handle.head.handle_type == KERNFS_HANDLE_TYPE && handle.head.handle_bytes == 8) {
		memcpy(ret_id, handle.room + sizeof(struct file_handle), 8);
		return 0;
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_id = st.st_ino;
	return 0;
}

/* Whether a path has a component "..". */
static bool goes_up(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2) {
		if ((p == path || p[-1] == '/') && (p[2] == '/' || !p[2]))
			return true;
	}
	return false;
}

/* An open cgroup2 directory; -EXDEV if it is another kind of directory. */
static int open_cgroup2(const char *path)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return errno == ENOTDIR ? -EXDEV : -errno;
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return -EXDEV;
	return TAKE_FD(fd);
}

int cgroup_id_of_path(const struct cgroup_hierarchies *hierarchies, const char *path,
		      uint64_t *ret_id)
{
	char full[PATH_MAX];
	CLEANUP_CLOSE int fd = -1;
	int absolute = -ENOENT;

	if (!*hierarchies->unified.point)
		return -ENODEV;
	if (!*path || goes_up(path))
		return -EINVAL;
	if (*path == '/')
		absolute = fd = open_cgroup2(path);
	if (fd < 0) {
		if (snprintf(full, sizeof(full), "%s/%s", hierarchies->unified.point, path) >=
		    (int)sizeof(full))
			return -ENAMETOOLONG;
		fd = open_cgroup2(full);
	}
	/* An existing directory of another kind says more than a cgroup that is missing. */
	if (fd == -ENOENT && absolute == -EXDEV && strcmp(path, "/"))
		return -EXDEV;
	if (fd < 0)
		return fd;
	return id_of_fd(fd, ret_id);
}

/* The path of an open directory, from the root of its hierarchy. */
static int path_of_fd(const struct cgroup_mount *mount, int fd, char *ret_path, size_t size)
{
	char link[64], path[PATH_MAX];
	size_t point = strlen(mount->point);
	const char *root = strcmp(mount->root, "/") ? mount->root : "";
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	/* What is removed or lies outside of the mount has another beginning or ending. */
	if (strncmp(path, mount->point, point) || (path[point] && path[point] != '/'))
		return -ENOENT;
	if (n > 10 && strcmp(path + n - 10, " (deleted)") == 0 && access(path, F_OK) < 0)
		return -ENOENT;
	if (snprintf(ret_path, size, "%s%s", root, path + point) >= (int)size)
		return -ENAMETOOLONG;
	if (!*ret_path)
		snprintf(ret_path, size, "/");
	return 0;
}

static int path_by_handle(const struct cgroup_mount *mount, uint64_t id, char *ret_path,
			  size_t size)
{
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + 8];
	} handle = {.head = {.handle_bytes = 8, .handle_type = KERNFS_HANDLE_TYPE}};
	CLEANUP_CLOSE int dir = open(mount->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_CLOSE int fd = -1;

	if (dir < 0)
		return -errno;
	memcpy(handle.room + sizeof(struct file_handle), &id, 8);
	fd = open_by_handle_at(dir, &handle.head, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ESTALE ? -ENOENT : -errno;
	return path_of_fd(mount, fd, ret_path, size);
}

static int path_by_walk(const struct cgroup_mount *mount, uint64_t id, char *ret_path, size_t size)
{
	char *const roots[] = {(char *)mount->point, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	const char *root = strcmp(mount->root, "/") ? mount->root : "";
	int r = -ENOENT, seen = 0;
	FTSENT *entry;

	if (!fts)
		return -errno;
	while ((entry = fts_read(fts)) && r == -ENOENT) {
		if (entry->fts_info != FTS_D)
			continue;
		if (++seen > CGROUP_WALK_MAX)
			break;
		if (entry->fts_statp->st_ino != id)
			continue;
		r = snprintf(ret_path, size, "%s%s", root, entry->fts_path + strlen(mount->point)) <
				    (int)size
			    ? 0
			    : -ENAMETOOLONG;
		if (r == 0 && !*ret_path)
			snprintf(ret_path, size, "/");
	}
	fts_close(fts);
	return r;
}

int cgroup_path_of_id(const struct cgroup_hierarchies *hierarchies, int hierarchy, uint64_t id,
		      char *ret_path, size_t size)
{
	const struct cgroup_mount *mount = hierarchy ? &hierarchies->v1 : &hierarchies->unified;
	int r;

	if ((hierarchy && hierarchy != hierarchies->v1_id) || !*mount->point)
		return -ENOENT;
	r = path_by_handle(mount, id, ret_path, size);
	if (r == -EPERM || r == -EACCES || r == -EOPNOTSUPP || r == -ENOSYS)
		r = path_by_walk(mount, id, ret_path, size);
	return r;
}
