/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths from the kernel's own tree of dentries and mounts, as d_path() would name them from the
 * root of the mount namespace, whatever name was asked for. Leaf first: the reader turns them
 * around.
 *
 * How long a path is can only be known by walking it. Nearly all are short, so the caller reserves
 * little, and once more where path_copy() says that it did not fit.
 *
 * Everything that changes from step to step lies in struct path_walk, and that lies in the ring
 * record, whose contents the verifier does not track. So every step starts from the same state, and
 * what follows the walk is verified once and not once per length and outcome.
 */
#ifndef LINEAGE_PATH_BPF_H
#define LINEAGE_PATH_BPF_H

#define PATH_ANONYMOUS	1 /* the dentry hangs in no tree: a memfd or the like */
#define PATH_TRUNCATED	2 /* it did not get to the root: too deep, no room, or unreadable */
#define PATH_NO_ROOM	4
#define PATH_UNREADABLE 8
#define PATH_DETACHED	16 /* its mount hangs in no tree: named from the root of the file system */

/*
 * A step is a component or a mount; containers have a handful of mounts on the way to their root.
 * The smaller number is for records with little room, as the verifier pays for each step of a
 * bounded loop.
 */
#define PATH_STEPS	 (LINEAGE_PATH_COMPONENTS + 16)
#define PATH_STEPS_SMALL 40

/* Kernel addresses are kept as numbers: see FIELD(). */
struct path_walk {
	__u64 dentry;
	__u64 mnt;   /* struct vfsmount */
	__u64 root;  /* the dentry at the root of mnt */
	__u32 used;  /* bytes of data, earlier paths included */
	__u32 flags; /* PATH_* of all paths so far */
};

static __always_inline void path_begin(struct path_walk *w, const struct path *path)
{
	w->dentry = (__u64)path->dentry;
	w->mnt = (__u64)path->mnt;
	w->root = (__u64)path->mnt->mnt_root;
}

/* What alloc_mnt_ns() numbers the namespace of a mount that open_tree(2) detached; 0 before 6.18.
 */
#define MNT_NS_ANON_INO 0xeffffff7

/*
 * A mount that is nowhere in the tree, and of a part of a file system only: execs of its own binary
 * by a container runtime are of this kind. The root of a container may be a part as well; that has
 * an ordinary namespace.
 */
static __always_inline bool path_is_detached(const struct path_walk *w, __u64 mount)
{
	__u64 ns;
	__u32 inum;

	if ((__u64)FIELD(struct dentry, w->root, d_parent) == w->root)
		return false;
	ns = (__u64)FIELD(struct mount, mount, mnt_ns);
	inum = FIELD(struct mnt_namespace, ns, ns.inum);
	return inum == 0 || inum == MNT_NS_ANON_INO;
}

/* At the root of its mount: goes on where that is mounted. False at the root of the namespace. */
static __always_inline bool path_cross(struct path_walk *w)
{
	__u64 in_mount = bpf_core_field_offset(struct mount, mnt);
	__u64 mount = w->mnt - in_mount;
	__u64 above = (__u64)FIELD(struct mount, mount, mnt_parent);

	if (above == mount) {
		if (!path_is_detached(w, mount))
			return false;
		w->flags |= PATH_DETACHED;
		w->root = 0;
		return true;
	}
	w->dentry = (__u64)FIELD(struct mount, mount, mnt_mountpoint);
	w->mnt = above + in_mount;
	w->root = (__u64)FIELD(struct vfsmount, above + in_mount, mnt_root);
	return true;
}

/* One component or one mount. True: there is nothing more to do. */
static __always_inline bool path_step(char *data, struct path_walk *w, __u64 limit)
{
	__u64 dentry = w->dentry;
	__u64 parent, at, n;

	if (dentry == w->root) {
		if (path_cross(w))
			return false;
		w->flags &= ~PATH_TRUNCATED;
		return true;
	}
	parent = (__u64)FIELD(struct dentry, dentry, d_parent);
	if (parent == dentry && w->flags & PATH_DETACHED) {
		w->flags &= ~PATH_TRUNCATED;
		return true;
	}
	at = w->used;
	if (at > limit)
		return true;
	n = copy_name(data + at, FIELD(struct dentry, dentry, d_name.name));
	if (n > NAME_SLACK) {
		w->flags |= PATH_UNREADABLE;
		return true;
	}
	if (at + n > limit) {
		w->flags |= PATH_NO_ROOM;
		return true;
	}
	w->used = at + n;
	w->dentry = parent;
	if (parent != dentry)
		return false;
	w->flags = (w->flags & ~PATH_TRUNCATED) | PATH_ANONYMOUS;
	return true;
}

#if LINEAGE_V3
struct path_loop {
	char *data;
	struct path_walk *walk;
	__u64 limit;
};

static long path_loop(__u32 i, struct path_loop *l)
{
	return path_step(l->data, l->walk, l->limit);
}
#endif

/*
 * Writes the components to data + walk->used, never beyond data + limit. data must have NAME_SLACK
 * bytes behind limit. walk->flags gains what was met on the way. limit and steps are constants.
 */
static __noinline int path_copy(char *data, struct path_walk *walk, __u64 limit, int steps)
{
	walk->flags |= PATH_TRUNCATED;
	if (!CAN_READ) {
		walk->flags |= PATH_UNREADABLE;
		return 0;
	}
#if LINEAGE_V3
	struct path_loop l = {.data = data, .walk = walk, .limit = limit};

	bpf_loop(steps, path_loop, &l, 0);
#else
	for (int i = 0; i < steps; i++) {
		if (path_step(data, walk, limit))
			break;
	}
#endif
	return 0;
}

/* Whether a record with more room would hold more of the path. */
static __always_inline bool path_wants_room(const struct path_walk *walk)
{
	return (walk->flags & (PATH_TRUNCATED | PATH_UNREADABLE)) == PATH_TRUNCATED;
}

#endif
