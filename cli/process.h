/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every part of lineage-query means by a process: a row of process_row with its dictionaries
 * looked up, its clocks converted and its images in order. Plain data; query.c fills it, nobody
 * else.
 *
 * Strings are bytes from processes: hostile. They reach an output only through escape.h or json.h.
 */
#ifndef LINEAGED_CLI_PROCESS_H
#define LINEAGED_CLI_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/schema.h"

/* A time, id or number that the database does not hold. */
#define UNKNOWN INT64_MIN

/* Flags of image.flags, as documented for view exec in lineage.db(5). */
#define IMAGE_DELETED		 (1u << 0)
#define IMAGE_MEMFD		 (1u << 1)
#define IMAGE_UPPER		 (1u << 2)
#define IMAGE_OVERLAY		 (1u << 3)
#define IMAGE_EXE_TRUNCATED	 (1u << 4)
#define IMAGE_CWD_TRUNCATED	 (1u << 5)
#define IMAGE_CWD_DELETED	 (1u << 6)
#define IMAGE_ARGS_UNREADABLE	 (1u << 7)
#define IMAGE_SCRIPT		 (1u << 8)
#define IMAGE_SECURE		 (1u << 9)
#define IMAGE_NAMES_SHORTENED	 (1u << 10)
#define IMAGE_KERNEL_THREAD	 (1u << 11)
#define IMAGE_FILENAME_TRUNCATED (1u << 12)

struct query;

/* A boot of a node, with its clock: unix time = boot time + offset of the segment it lies in. */
struct clock_segment {
	int64_t from_boot_ns, offset_ns;
};

struct boot {
	struct query *db;
	int number; /* within its database */
	const char *boot_id, *hostname, *machine, *kernel;
	struct clock_segment *clock;
	size_t clock_count;
};

/* Bytes with their length. value is UTF-8; raw, where not NULL, is what it stands for exactly. */
struct text {
	const char *value;
	size_t length;
	const char *raw;
	size_t raw_length;
	uint64_t hash; /* text_hash() of value */
};

/* FNV-1a. */
static inline uint64_t text_hash(const char *value, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)value[i]) * 0x100000001b3ULL;
	return hash;
}

struct cgroup {
	const char *path;
	const char *container_id, *runtime, *container_name, *image_name;
	const char *pod_uid, *pod_name, *pod_namespace;
};

/* Numbers are UNKNOWN where the column is NULL. */
struct context {
	int64_t uid, euid, suid, gid, egid, sgid, loginuid, sessionid;
	int64_t cap_effective, cap_permitted, sid, tty;
	int64_t pid_ns, mnt_ns, net_ns, user_ns, uts_ns, ipc_ns, cgroup_ns, pid_ns_level;
	const struct cgroup *cgroup; /* what names it best: cgroup2, or v1 where cgroup2 is bare */
	const struct cgroup *container; /* the one that knows a container; else NULL */
};

struct image {
	int64_t id;
	const struct text *exe;
	const struct text *filename;	/* only with QUERY_DETAIL_FULL, or where exe is NULL */
	const struct text *interpreter; /* only with QUERY_DETAIL_FULL */
	const char *comm;
	const char *args; /* with SCHEMA_ARGS_SEPARATOR between them; NULL: unknown */
	size_t args_length;
	bool args_joined;     /* false: each argument is ended by NUL instead */
	const char *args_raw; /* argv with its NULs, where args is not exact */
	size_t args_raw_length;
	int64_t args_count, args_bytes;
	unsigned int flags;
	int64_t dev, inode;
};

/* One image of a process: an exec, or what a snapshot found. */
struct exec {
	int64_t boot_ns, unix_ns; /* UNKNOWN: unknown */
	enum provenance provenance;
	int64_t cpu, seq;
	int64_t parent_id; /* real parent at that moment */
	const struct image *image;
	const struct context *context;
	const struct text *cwd;	 /* only with QUERY_DETAIL_FULL */
	const struct text *comm; /* NULL: as the image says */
	int64_t pgid;
};

/* What retention removes of a process that stays. */
enum pruned_kind { PRUNED_EXECS, PRUNED_FAILURES, PRUNED_KINDS };

struct pruned {
	int64_t count; /* 0: none */
	int64_t from_boot_ns, to_boot_ns;
};

struct process {
	struct query *db;
	const struct boot *boot;
	int64_t id;
	int64_t pid, start_boot_ns, start_unix_ns;
	int64_t end_boot_ns, end_unix_ns; /* UNKNOWN: not ended as far as is known */
	int64_t parent_id, creator_id;	  /* 0: none */
	int64_t end_parent_id;		  /* real parent at the end; 0: none or not ended */
	enum provenance birth, image_provenance, end;
	int64_t fork_cpu, fork_seq, end_cpu, end_seq;
	const struct context *birth_context;
	const struct context *context; /* at the latest exec, else at birth */
	const struct image *image; /* the latest, or the parent's at birth: see image_provenance */
	const struct text *comm;   /* latest name; NULL: as the image says */
	const struct text *cwd;	   /* only with QUERY_DETAIL_FULL */
	int64_t ns_pid, pgid;
	int64_t status; /* as wait(2) gives it; UNKNOWN: unknown */
	int64_t user_us, system_us, max_rss_kib;
	struct exec *execs; /* all that are known, oldest first; empty: never called exec */
	size_t exec_count;
	int64_t pruned_children; /* removed by retention */
	struct pruned pruned[PRUNED_KINDS];
	uint64_t failed_shape; /* of its failed execs, where they are shown; else 0 */
	bool selected;	       /* answers the question itself; false: shown as context */
	bool told;	       /* as context: in an earlier part of the answer already */
};

/* Of numbers that a damaged file may hold. */
static inline int64_t add_clamped(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

/* The image was taken over from the parent at birth: the process never called exec. */
static inline bool process_inherited(const struct process *p)
{
	return p->image_provenance == PROVENANCE_NONE;
}

static inline bool process_ended(const struct process *p)
{
	return p->end_boot_ns != UNKNOWN;
}

/* At a moment of its own boot. */
static inline bool process_alive_at(const struct process *p, int64_t boot_ns)
{
	return p->start_boot_ns <= boot_ns && (!process_ended(p) || p->end_boot_ns > boot_ns);
}

/* The PID namespace that it was born into. */
static inline int64_t process_pid_ns(const struct process *p)
{
	return p->birth_context ? p->birth_context->pid_ns : UNKNOWN;
}

static inline bool image_args_truncated(const struct image *image)
{
	return image->args_raw && (int64_t)image->args_raw_length < image->args_bytes;
}

/* Something of the image could not be stored whole. */
static inline bool image_truncated(const struct image *image)
{
	return image_args_truncated(image) ||
	       (image->flags & (IMAGE_EXE_TRUNCATED | IMAGE_CWD_TRUNCATED | IMAGE_ARGS_UNREADABLE |
				IMAGE_NAMES_SHORTENED | IMAGE_FILENAME_TRUNCATED));
}

/* "observed", "snapshot", "recovered", "inferred", or NULL for PROVENANCE_NONE. */
const char *provenance_name(enum provenance provenance);
/* Name of a process: its latest, else the image's; never NULL. */
const char *process_comm(const struct process *p);
/* The same as of an image. */
const char *exec_comm(const struct exec *e);

#endif
