/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a start, and what follows a rollback, reads back from lineage.db: rows as C structs, one
 * call of the caller's function each. All of it is about the running boot. Writes nothing.
 *
 * A callback's negative result ends the walk and is returned.
 */
#ifndef LINEAGED_STORE_LOAD_H
#define LINEAGED_STORE_LOAD_H

#include "daemon/store.h"

struct store_cpu {
	int cpu;
	uint64_t first_seq, next_seq, unseen;
};

struct store_known_cgroup {
	int64_t row;
	uint32_t hierarchy;
	uint64_t kernfs_id;
	const char *path; /* NULL: not told; the statement's */
	bool named;	  /* no container, or one whose name is known */
};

int store_each_cpu(struct store *store, int (*each)(const struct store_cpu *cpu, void *userdata),
		   void *userdata);
int store_each_cgroup(struct store *store,
		      int (*each)(const struct store_known_cgroup *cgroup, void *userdata),
		      void *userdata);

/* Gaps that late or recovered events may still close, the newest first. */
int store_each_hole(struct store *store, int (*each)(const struct store_gap *, void *),
		    void *userdata);

/* Every (cpu, seq) that has a row, of processes born and events seen since then, and maybe others.
 */
int store_each_number(struct store *store, uint64_t since_boot_ns,
		      void (*each)(int cpu, uint64_t seq, void *), void *userdata);

/* The process that a row is read into, with every field at "unknown"; NULL becomes -ENOMEM. */
typedef struct process *(*store_make_process)(const struct lineage_key *key, int64_t process_id,
					      void *userdata);

/* Processes without an end. */
int store_each_alive(struct store *store, store_make_process make, void *userdata);
/* 1: the process, ended or not; 0: there is no row of it. */
int store_read_process(struct store *store, const struct lineage_key *key, store_make_process make,
		       void *userdata);

/* What a process ran at that time, of the images before its latest; ROW_NONE: nothing is known. */
int store_read_image_at(struct store *store, int64_t process_id, uint64_t boot_ns,
			struct image_state *ret_image);

struct store_file {
	int64_t dev, inode, args_bytes;
};

/* 1: the file and the size of the arguments of a row of image; 0: there is no such row. */
int store_read_file(struct store *store, int64_t image, struct store_file *ret_file);
/* Whether two rows of image are the same file with the same arguments. 1, 0 or an error. */
int store_are_alike(struct store *store, int64_t image, int64_t other);

/* Numbers that an earlier run of this boot has left under that name: 1, or 0 if there are none. */
int store_read_fact(struct store *store, const char *name, int64_t *numbers, size_t count);

/* 1 and the value, or 0 if this boot has none yet. */
int store_last_offset(struct store *store, int64_t *ret_offset_ns);
/* Of any run in this boot; 0 ns if there were only runs in earlier ones. */
int store_last_life(struct store *store, uint64_t *ret_boot_ns);

#endif
