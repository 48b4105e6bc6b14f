/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the seeds of tests/fuzz/corpus: one valid example of each kind of record, and lists of
 * them that depend on each other. Run it again when bpf/lineage_abi.h changes.
 *
 *   make_corpus DIRECTORY
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/lineage_abi.h"

static FILE *out;
static __u64 seq;

static void begin(const char *directory, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	out = fopen(path, "we");
	if (!out) {
		perror(path);
		exit(1);
	}
	seq = 0;
}

static struct lineage_key key(__u32 pid)
{
	return (struct lineage_key){.pid = pid, .start_boot_ns = 1000000000ULL * pid};
}

static struct lineage_header head(int kind, __u32 pid, size_t length)
{
	return (struct lineage_header){
		.length = (__u32)length,
		.kind = (__u16)kind,
		.seq = kind == LINEAGE_CGROUP ? 0 : seq++,
		.boot_ns = 1000000000ULL * pid + seq * 1000,
		.process = key(pid),
	};
}

static void put(const void *record, size_t length)
{
	unsigned char size[2] = {length & 0xff, (unsigned char)(length >> 8)};

	fwrite(size, sizeof(size), 1, out);
	fwrite(record, length, 1, out);
}

static void fork_of(__u32 pid, __u32 parent, __u32 creator)
{
	struct lineage_fork f = {
		.header = head(LINEAGE_FORK, pid, sizeof(f)),
		.parent = key(parent),
		.creator = key(creator),
		.ids = {.pgid = pid, .ns_pid = pid, .cgroup_id = 9},
		.comm = "sh",
	};

	put(&f, sizeof(f));
}

static void exit_of(__u32 pid, __u32 parent, __u32 status)
{
	struct lineage_exit e = {
		.header = head(LINEAGE_EXIT, pid, sizeof(e)),
		.parent = key(parent),
		.user_ns = 1000,
		.system_ns = 3000,
		.runtime_ns = 5000,
		.status = status,
		.comm = "ls",
	};

	put(&e, sizeof(e));
}

static void exec_of(__u32 pid, __u32 flags, const char *args, size_t args_length)
{
	static const char paths[] = "ls\0bin\0usr\0"
				    "src\0home\0"
				    "./ls\0"
				    "/bin/sh\0";
	char bytes[1024] = {0};
	struct lineage_exec *e = (struct lineage_exec *)bytes;
	size_t length = sizeof(*e) + sizeof(paths) - 1 + args_length;

	*e = (struct lineage_exec){
		.header = head(LINEAGE_EXEC, pid, length),
		.parent = key(1),
		.ids = {.uid = 1000, .euid = 1000, .cgroup_id = 9, .cgroup_v1_id = 4},
		.comm = "ls",
		.inode = 77,
		.dev = 8 << 20 | 1,
		.flags = flags,
		.exec_id = 1,
		.args_count = 2,
		.args_total = (__u32)args_length,
		.args_length = (__u32)args_length,
		.args_offset = sizeof(paths) - 1,
		.exe_length = 11,
		.cwd_length = 9,
		.filename_length = 5,
		.interp_length = 8,
	};
	memcpy(e->data, paths, sizeof(paths) - 1);
	memcpy(e->data + sizeof(paths) - 1, args, args_length);
	put(bytes, length);
}

static void failure_of(__u32 pid, __s32 directory, __u32 flags)
{
	static const char data[] = "bin/ls\0ls\0-l\0";
	char bytes[256] = {0};
	struct lineage_exec_failure *f = (struct lineage_exec_failure *)bytes;
	size_t length = sizeof(*f) + sizeof(data) - 1;

	*f = (struct lineage_exec_failure){
		.header = head(LINEAGE_EXEC_FAILURE, pid, length),
		.error = 2,
		.flags = flags,
		.directory = directory,
		.args_count = 2,
		.args_total = 6,
		.args_length = 6,
		.args_offset = 7,
		.filename_length = 7,
		.comm = "sh",
	};
	memcpy(f->data, data, sizeof(data) - 1);
	put(bytes, length);
}

static void cgroup(void)
{
	static const char path[] = "cri-containerd-0123456789abcdef.scope\0kubepods.slice\0";
	char bytes[256] = {0};
	struct lineage_cgroup *g = (struct lineage_cgroup *)bytes;
	size_t length = sizeof(*g) + sizeof(path) - 1;

	*g = (struct lineage_cgroup){
		.header = head(LINEAGE_CGROUP, 1, length),
		.id = 9,
		.path_length = sizeof(path) - 1,
	};
	memcpy(g->data, path, sizeof(path) - 1);
	put(bytes, length);
}

int main(int argc, char **argv)
{
	const char *directory = argc == 2 ? argv[1] : NULL;

	if (!directory)
		return fputs("make_corpus DIRECTORY\n", stderr), 2;
	begin(directory, "fork");
	fork_of(100, 1, 1);
	fclose(out);
	begin(directory, "exec");
	exec_of(101, LINEAGE_EXE_TRUNCATED | LINEAGE_INTERPRETED, "ls\0-l\0", 6);
	fclose(out);
	begin(directory, "exit");
	exit_of(102, 1, 3 << 8);
	fclose(out);
	begin(directory, "cgroup");
	cgroup();
	fclose(out);
	begin(directory, "failure");
	failure_of(103, -100, 0);
	failure_of(103, 5, LINEAGE_ARGS_CUT | LINEAGE_ARGS_UNCOUNTED);
	fclose(out);
	begin(directory, "lives");
	cgroup();
	for (__u32 pid = 200; pid < 204; pid++) {
		fork_of(pid, pid == 200 ? 1 : pid - 1, 200);
		exec_of(pid, 0, "\xff\0\"\n\0", 5);
		exec_of(pid, LINEAGE_EXE_MEMFD, "", 0);
		seq += pid == 202;
		failure_of(pid, -100, LINEAGE_ARGS_UNREADABLE);
		exit_of(pid, 1, 9);
	}
	fclose(out);
	return 0;
}
