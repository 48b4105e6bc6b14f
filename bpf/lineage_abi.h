/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract between the BPF programs and the daemon: ring records, map keys and map values.
 *
 * Everything is fixed width and explicitly padded, so that a daemon may read what the programs of
 * an earlier daemon wrote. LINEAGE_ABI_VERSION changes with any change of layout or meaning; maps
 * of another version are drained by the rules of daemon/upgrade, never reinterpreted.
 *
 * Times are nanoseconds of CLOCK_BOOTTIME unless a name says otherwise. Process ids are thread
 * group ids in the initial PID namespace. User and group ids are those of the initial user
 * namespace.
 *
 * This header is not the database schema (schema/) and not an interface for users.
 */
#ifndef LINEAGE_ABI_H
#define LINEAGE_ABI_H

#ifndef LINEAGE_BPF
#include <linux/types.h>
#endif

/* Tests build a later one, to take over from this one. */
#ifndef LINEAGE_ABI_VERSION
#define LINEAGE_ABI_VERSION 1
#endif

/* TASK_COMM_LEN of the kernel. */
#define LINEAGE_COMM_LEN 16
/* Bytes of the asked-for file name kept per process_cache entry: enough for 99 % of /usr paths. */
#define LINEAGE_CACHE_BINARY_LEN 64
/* Bytes of argv kept per process_cache entry; a multiple of 8. Full argv travels in the ring. */
#define LINEAGE_CACHE_ARGS_LEN 96
/* Longest argv prefix that one exec record carries. */
#define LINEAGE_ARGS_MAX 32768
/* The same of a failed exec, which the asked-for program has never seen. */
#define LINEAGE_FAILURE_ARGS_MAX 4096
/* Components that a path walk follows before it says "truncated". */
#define LINEAGE_PATH_COMPONENTS 128
/* Longest path, its separators counted: the kernel's PATH_MAX. */
#define LINEAGE_PATH_MAX 4096
/* Levels of the cgroup hierarchy that path and filter follow. */
#define LINEAGE_CGROUP_DEPTH 32

/* Kinds of ring records, in lineage_header.kind. */
#define LINEAGE_FORK	     1
#define LINEAGE_EXEC	     2
#define LINEAGE_EXIT	     3
#define LINEAGE_CGROUP	     4
#define LINEAGE_EXEC_FAILURE 5
/* Not in the ring: what the task iterator writes about a process that is already running. */
#define LINEAGE_SNAPSHOT 6
#define LINEAGE_KINDS	 7

/* lineage_exec.flags and lineage_process.flags: facts about the executed file and the record. */
#define LINEAGE_EXE_DELETED	   (1u << 0) /* no name left: nlink 0, or its dentry is unhashed */
#define LINEAGE_EXE_MEMFD	   (1u << 1) /* an anonymous file: its dentry hangs in no tree */
#define LINEAGE_EXE_UPPER	   (1u << 2) /* from the writable layer of an overlay */
#define LINEAGE_EXE_OVERLAY	   (1u << 3) /* from an overlay at all */
#define LINEAGE_EXE_TRUNCATED	   (1u << 4) /* exe path is its last components only */
#define LINEAGE_CWD_TRUNCATED	   (1u << 5) /* cwd path is its last components only */
#define LINEAGE_CWD_DELETED	   (1u << 6) /* the working directory has been removed */
#define LINEAGE_ARGS_UNREADABLE	   (1u << 7) /* argv's pages were not resident */
#define LINEAGE_INTERPRETED	   (1u << 8) /* a script: exe is its interpreter */
#define LINEAGE_SECURE_EXEC	   (1u << 9) /* AT_SECURE: set-id or file capabilities took effect */
#define LINEAGE_NAMES_SHORTENED	   (1u << 10) /* a path component could only be read in part */
#define LINEAGE_KERNEL_THREAD	   (1u << 11) /* snapshot: no user memory */
#define LINEAGE_FILENAME_TRUNCATED (1u << 12)
#define LINEAGE_ARGS_CUT	   (1u << 13) /* failed exec: only the beginning was kept */
#define LINEAGE_ARGS_UNCOUNTED	   (1u << 14) /* failed exec: there is more than was counted */

/* lineage_process.state */
#define LINEAGE_STATE_FORKED 1
#define LINEAGE_STATE_EXECED 2
#define LINEAGE_STATE_EXITED 3

/* A process: key of process_cache, and every reference to a process in a record. pid 0: none. */
struct lineage_key {
	__u32 pid;
	__u32 pad;
	__u64 start_boot_ns;
};

/*
 * Head of every ring record. (cpu, seq) is unique while the maps live and counts every event, also
 * those that found no room. `length` is what the record holds; the ring may have reserved more.
 * A cgroup record is no event: it has no sequence number, and is sent again until it finds room.
 */
struct lineage_header {
	__u32 length;
	__u16 kind;
	__u16 cpu;
	__u64 seq;
	__u64 boot_ns;
	struct lineage_key process;
};

/*
 * Who and where a process is: credentials, session and namespaces, taken from the task itself.
 * Ids that the kernel does not keep (no CONFIG_AUDIT) are (__u32)-1, as the kernel says "unset".
 * Namespace numbers are inode numbers, 0 where the task had already left it.
 */
struct lineage_ids {
	__u32 uid, euid, suid;
	__u32 gid, egid, sgid;
	__u32 loginuid, sessionid;
	__u64 cap_effective, cap_permitted;
	__u32 sid, pgid;
	__u32 tty;    /* as in /proc/PID/stat: minor & 0xff | major << 8 | (minor & ~0xff) << 12; 0:
			 none */
	__u32 ns_pid; /* pid in the process's own pid namespace */
	__u32 pid_ns, mnt_ns, net_ns, user_ns, uts_ns, ipc_ns, cgroup_ns;
	__u32 pid_ns_level; /* 0: the initial pid namespace, that is, on the host */
	__u64 cgroup_id;    /* kernfs id in the cgroup2 hierarchy */
	__u64 cgroup_v1_id; /* kernfs id in the chosen v1 hierarchy; 0 where there is none */
};

struct lineage_fork {
	struct lineage_header header; /* boot_ns is the child's start */
	struct lineage_key parent;    /* real parent: what getppid() would say */
	struct lineage_key creator;   /* who called clone; differs from parent under CLONE_PARENT */
	struct lineage_ids ids;
	char comm[LINEAGE_COMM_LEN];
	__u32 exec_id; /* task_struct.self_exec_id */
	__u32 pad;
};

/*
 * data holds, one after another: exe_length bytes of exe path, cwd_length of cwd, filename_length
 * of filename as asked, interp_length of interpreter as named; at args_offset, args_length bytes of
 * argv. Paths are components, leaf first, each ended by NUL ("ls\0bin\0usr\0" is /usr/bin/ls; a
 * length of 0 is "/"). filename and interp end in NUL. argv is as in /proc/PID/cmdline.
 * *_total is the true length where more existed than was stored.
 */
struct lineage_exec {
	struct lineage_header header;
	struct lineage_key parent; /* real parent at this moment, after any reparenting */
	struct lineage_ids ids;
	char comm[LINEAGE_COMM_LEN];
	__u64 inode;
	__u32 dev; /* major << 20 | minor */
	__u32 flags;
	__u32 exec_id;
	__u32 args_count;
	__u32 args_total;
	__u32 args_length;
	__u32 args_offset; /* from the start of data */
	__u16 exe_length, cwd_length;
	__u16 filename_length, interp_length;
	__u32 pad;
	char data[];
};

/*
 * An execve or execveat call that failed. The process is the caller's, whichever of its threads
 * called. data begins with filename_length bytes of filename as asked, with its NUL; at
 * args_offset, args_length bytes of argv. args_count and args_total are the true ones unless flags
 * say LINEAGE_ARGS_UNCOUNTED: then, what was seen of them.
 */
struct lineage_exec_failure {
	struct lineage_header header;
	__u32 error;	 /* errno */
	__u32 flags;	 /* LINEAGE_FILENAME_TRUNCATED, LINEAGE_ARGS_* */
	__s32 directory; /* what a relative filename of execveat starts from; else AT_FDCWD */
	__u32 args_count;
	__u32 args_total;
	__u32 args_length;
	__u32 args_offset; /* from the start of data */
	__u32 filename_length;
	char comm[LINEAGE_COMM_LEN]; /* the caller's, which stays */
	__u64 pad;
	char data[];
};

struct lineage_exit {
	struct lineage_header header;
	struct lineage_key parent; /* real parent at this moment, after any reparenting */
	/*
	 * Ticks that hit user and kernel mode, and scheduled time, of all threads that the kernel
	 * has accounted by now; the last tick of the last thread is not in yet.
	 */
	__u64 user_ns, system_ns, runtime_ns;
	__u64 max_rss_kib;
	__u32 status; /* as wait(2) gives it: code << 8 | core << 7 | signal */
	__u32 flags;  /* LINEAGE_EXIT_FREED */
	char comm[LINEAGE_COMM_LEN];
};

/* Every event of the process has found room, so process_cache holds it no more. */
#define LINEAGE_EXIT_FREED (1u << 0)

/* The first time that a cgroup is met. Path as in lineage_exec. hierarchy 0 is cgroup2. */
struct lineage_cgroup {
	struct lineage_header header;
	__u64 id;
	__u32 hierarchy;
	__u32 flags; /* LINEAGE_CGROUP_TRUNCATED */
	__u32 path_length;
	__u32 pad;
	char data[];
};

#define LINEAGE_CGROUP_TRUNCATED (1u << 0)

/* A running process, from the task iterator. exe, args and cwd are read from /proc by the daemon.
 */
struct lineage_snapshot {
	struct lineage_header header; /* seq and cpu are 0 */
	struct lineage_key parent;
	struct lineage_ids ids;
	char comm[LINEAGE_COMM_LEN];
	__u64 inode;
	__u32 dev;
	__u32 flags;
	__u32 exec_id;
	__u32 included; /* 1 if the filters would record it */
};

/*
 * Value of process_cache. Readable through bpftool, and enough to rebuild the fork, the last exec
 * and the exit of a process whose records were lost: (cpu, seq) of each say which ones those are.
 * It goes with the process, unless something is to be rebuilt or spare programs ask.
 * `args` is a prefix of argv with its NULs shown as blanks; bit i of args_breaks says that byte i
 * was a NUL. A child starts with its parent's binary and args, as it starts with its memory.
 */
struct lineage_process {
	char comm[LINEAGE_COMM_LEN];
	char binary[LINEAGE_CACHE_BINARY_LEN];
	char args[LINEAGE_CACHE_ARGS_LEN];
	struct lineage_key parent;
	struct lineage_key creator;
	struct lineage_key current_parent;
	struct lineage_ids ids;
	__u32 state;
	__u32 exit_status;
	__u64 exec_boot_ns; /* 0: never */
	__u64 exit_boot_ns; /* 0: not yet */
	__u64 fork_seq, exec_seq, exit_seq;
	__u32 fork_cpu, exec_cpu, exit_cpu;
	/* Bit LINEAGE_FORK, _EXEC, _EXIT: that event was seen by the programs; LINEAGE_KINDS: one
	 * of them found no room. */
	__u32 known;
	__u32 exec_count;
	__u32 flags;
	__u64 inode;
	__u32 dev;
	__u32 args_total;
	__u32 args_count;
	__u32 exec_id;
	__u64 user_ns, system_ns, runtime_ns, max_rss_kib;
	__u8 args_breaks[LINEAGE_CACHE_ARGS_LEN / 8];
	__u8 pad[4];
};

/* Value of `counters`, one per CPU. Only ever added to. */
struct lineage_counters {
	__u64 next_seq;		   /* of the next event on this CPU */
	__u64 first_seq;	   /* where it began when these maps were made */
	__u64 lost[LINEAGE_KINDS]; /* no room in the ring, by kind of record */
	__u64 last_lost_boot_ns;   /* when that last happened */
	__u64 cache_full;	   /* no room in process_cache */
	__u64 cgroups_full;	   /* no room in cgroups: paths are sent again and again */
	__u64 filtered;		   /* events left out by a filter */
	__u64 args_unreadable;
	__u64 sent_by_spare;	 /* events that only a spare program saw */
	__u64 failures_by_spare; /* the same of calls of execve and execveat, whatever came of them
				  */
	__u64 spare_unsure; /* events of which a spare program could not tell: no room in the cache
			     */
	/* No counts: the cgroup2 of the last process, if `cgroups` says that it is included. */
	__u64 cgroup_met;
	__u64 cgroup_met_of; /* control.cgroups_emptied then */
};

/* Value of `control`, one entry, shared with the daemon by mmap. */
struct lineage_control {
	__u32 abi_version;
	__u32 need_wake; /* set by the reader before it sleeps, cleared by the program that wakes it
			  */
	__u64 wake_bytes;     /* wake it when at least this much is in the ring */
	__u8 ring_id[16];     /* random, made with the maps: names this ring in the database */
	__u32 filter;	      /* LINEAGE_FILTER_* */
	__s32 v1_hierarchy;   /* id of the v1 hierarchy to name beside cgroup2; 0: none */
	__u64 programs;	      /* hash of the programs and of what they were loaded with */
	__u64 daemon_boot_ns; /* last sign of life of the daemon that reads the ring */
	/* Until then other programs were attached as well, and their ring tells; 0: there were
	 * none. */
	__u64 alone_boot_ns;
	__u64 cgroups_emptied; /* how often, counted first: what was met before is void */
};

#define LINEAGE_FILTER_CGROUPS	      (1u << 0) /* only what cgroup_filter includes */
#define LINEAGE_FILTER_HOST_ONLY      (1u << 1) /* only the initial pid namespace */
#define LINEAGE_FILTER_CONTAINER_ONLY (1u << 2) /* only other pid namespaces */

/* Key of `cgroups` and `cgroup_filter`. */
struct lineage_cgroup_key {
	__u64 id;
	__u32 hierarchy;
	__u32 pad;
};

/*
 * Value of `cgroups`: a cgroup that has been met. Cgroups do not move, so a verdict holds as long
 * as control.cgroups_emptied, whose lower bits it has above its own, is what it was then.
 */
#define LINEAGE_CGROUP_EXCLUDED	   1
#define LINEAGE_CGROUP_INCLUDED	   2 /* and its path is in the ring */
#define LINEAGE_CGROUP_COUNT_SHIFT 2

/* Value of `cgroup_filter`: what holds for a subtree; the innermost entry decides. */
#define LINEAGE_SUBTREE_EXCLUDE 1
#define LINEAGE_SUBTREE_INCLUDE 2

_Static_assert(sizeof(struct lineage_key) == 16, "lineage_key");
_Static_assert(sizeof(struct lineage_header) == 40, "lineage_header");
_Static_assert(sizeof(struct lineage_ids) == 112, "lineage_ids");
_Static_assert(sizeof(struct lineage_fork) % 8 == 0, "lineage_fork");
_Static_assert(sizeof(struct lineage_exec) % 8 == 0, "lineage_exec");
_Static_assert(sizeof(struct lineage_exec_failure) % 8 == 0, "lineage_exec_failure");
_Static_assert(sizeof(struct lineage_exit) % 8 == 0, "lineage_exit");
_Static_assert(sizeof(struct lineage_cgroup) % 8 == 0, "lineage_cgroup");
_Static_assert(sizeof(struct lineage_snapshot) % 8 == 0, "lineage_snapshot");
_Static_assert(sizeof(struct lineage_process) % 8 == 0, "lineage_process");

#endif
