/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's cgroup hierarchies as mounted: where cgroup2 is, which v1 hierarchy is worth recording
 * beside it, and the way between a path and the kernfs id that the BPF programs see.
 *
 * Not for what a path means (container.h) and not for paths of the past: those come through the
 * ring.
 */
#ifndef LINEAGED_CGROUP_H
#define LINEAGED_CGROUP_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

enum cgroup_layout {
	CGROUP_LAYOUT_NONE,   /* nothing is mounted here */
	CGROUP_LAYOUT_V1,     /* v1 hierarchies only */
	CGROUP_LAYOUT_HYBRID, /* v1 with controllers, and cgroup2 beside them */
	CGROUP_LAYOUT_V2,     /* cgroup2 only */
};

struct cgroup_mount {
	char point[PATH_MAX]; /* "": not mounted */
	char root[PATH_MAX];  /* the cgroup that is mounted there; "/" outside of containers */
};

struct cgroup_hierarchies {
	enum cgroup_layout layout;
	struct cgroup_mount unified;
	/* The v1 hierarchy whose paths say most; v1_id 0 where there is none. */
	struct cgroup_mount v1;
	int v1_id;
	char v1_controller[32]; /* the one that it was chosen for: "pids" */
};

/* From a mountinfo and a cgroup file as in /proc/self. 0 or a negative errno. */
int cgroup_detect(const char *mountinfo, const char *cgroup, struct cgroup_hierarchies *ret);

/* "cgroup2", "cgroup2 beside v1" and so on. */
const char *cgroup_layout_name(enum cgroup_layout layout);

/*
 * The kernfs id of a cgroup2 directory, given as in the file system or from the root of cgroup2.
 * -ENOENT: there is none; -EXDEV: it is there, but not in cgroup2; -ENODEV: cgroup2 is not mounted;
 * -EINVAL: "..", which could lead anywhere.
 */
int cgroup_id_of_path(const struct cgroup_hierarchies *hierarchies, const char *path,
		      uint64_t *ret_id);

/*
 * The path, from the root of the hierarchy (0: cgroup2, else v1_id), of a cgroup that still exists.
 * -ENOENT if it does not, or is outside of what is mounted.
 */
int cgroup_path_of_id(const struct cgroup_hierarchies *hierarchies, int hierarchy, uint64_t id,
		      char *ret_path, size_t size);

#endif
