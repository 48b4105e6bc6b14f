/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that tells what it is: its own executable, arguments, ids, namespaces and end.
 *
 *   SHOW_MEMBERS  more members of the JSON object, known to whoever starts it
 *   SHOW_EXE      expected path of the executable, where /proc cannot tell it (chroot)
 *   SHOW_STATUS   exit status, 0 unless set
 *   SHOW_WAIT_MS  how long to live; or SHOW_WAIT set: until standard input ends
 *   SHOW_NO_IDS   say nothing about user and group ids: /proc would translate them
 *   SHOW_NO_CWD   say nothing about the working directory
 *
 * Linked statically, so that it runs in an empty chroot and from a memfd.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "truth.h"

/* As much of argv as a record must be able to carry; and what is compared of a longer one. */
#define ARGS_KEPT   32768
#define ARGS_PREFIX 4096

/* Enough for what the tests use: no overlong forms, no surrogates among it. */
static int is_utf8(const unsigned char *s, size_t length)
{
	for (size_t i = 0; i < length;) {
		int more = s[i] < 0x80	     ? 0
			   : s[i] >> 5 == 6  ? 1
			   : s[i] >> 4 == 14 ? 2
			   : s[i] >> 3 == 30 ? 3
					     : -1;

		if (more < 0)
			return 0;
		for (i++; more; more--, i++)
			if (i >= length || s[i] >> 6 != 2)
				return 0;
	}
	return 1;
}

static void tell_args(struct truth *truth, int argc, char **argv)
{
	size_t length;
	char *raw = proc_read(0, "cmdline", &length);

	truth_number(truth, "args_count", argc);
	truth_number(truth, "args_bytes", (long long)length);
	truth_number(truth, "args_truncated", length > ARGS_KEPT);
	if (length > ARGS_KEPT)
		truth_bytes(truth, "args_prefix", raw, ARGS_PREFIX);
	else if (is_utf8((unsigned char *)raw, length))
		truth_strings(truth, "args", argc, argv);
	else
		truth_bytes(truth, "args_raw", raw, length);
	free(raw);
}

static void tell_link(struct truth *truth, const char *key, const char *name)
{
	char path[64], target[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "self/%s", name);
	n = readlinkat(PROC_FD, path, target, sizeof(target) - 1);
	if (n < 0)
		die("/proc/%s", path);
	target[n] = '\0';
	if (strncmp(name, "ns/", 3))
		truth_string(truth, key, target);
	else
		truth_number(truth, key, atoll(strchr(target, '[') + 1));
}

static void tell_ids(struct truth *truth)
{
	static const char *const spaces[][2] = {
		{"pid_ns", "ns/pid"},	    {"mnt_ns", "ns/mnt"},   {"net_ns", "ns/net"},
		{"uts_ns", "ns/uts"},	    {"user_ns", "ns/user"}, {"ipc_ns", "ns/ipc"},
		{"cgroup_ns", "ns/cgroup"},
	};
	char *status = proc_read(0, "status", NULL);
	unsigned long long permitted, effective;
	unsigned int uid[3], gid[3];

	sscanf(strstr(status, "\nUid:"), "\nUid: %u %u %u", &uid[0], &uid[1], &uid[2]);
	sscanf(strstr(status, "\nGid:"), "\nGid: %u %u %u", &gid[0], &gid[1], &gid[2]);
	sscanf(strstr(status, "\nCapPrm:"), "\nCapPrm: %llx", &permitted);
	sscanf(strstr(status, "\nCapEff:"), "\nCapEff: %llx", &effective);
	if (!getenv("SHOW_NO_IDS")) {
		truth_number(truth, "uid", uid[0]);
		truth_number(truth, "euid", uid[1]);
		truth_number(truth, "suid", uid[2]);
		truth_number(truth, "gid", gid[0]);
		truth_number(truth, "egid", gid[1]);
		truth_number(truth, "sgid", gid[2]);
	}
	truth_number(truth, "cap_permitted", (long long)permitted);
	truth_number(truth, "cap_effective", (long long)effective);
	for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++)
		tell_link(truth, spaces[i][0], spaces[i][1]);
	free(status);
}

int main(int argc, char **argv)
{
	const char *exe = getenv("SHOW_EXE"), *status = getenv("SHOW_STATUS");
	const char *wait_ms = getenv("SHOW_WAIT_MS");
	struct proc_stat stat;
	struct truth truth;
	char *comm, byte;

	proc_stat(0, &stat);
	truth_begin(&truth, 0);
	tell_args(&truth, argc, argv);
	if (exe)
		truth_string(&truth, "exe", exe);
	else
		tell_link(&truth, "exe", "exe");
	if (!getenv("SHOW_NO_CWD"))
		tell_link(&truth, "cwd", "cwd");
	comm = proc_read(0, "comm", NULL);
	comm[strcspn(comm, "\n")] = '\0';
	truth_string(&truth, "comm", comm);
	tell_ids(&truth);
	truth_number(&truth, "sid", stat.sid);
	truth_number(&truth, "pgid", stat.pgid);
	truth_number(&truth, "exec_ppid", stat.ppid);
	truth_number(&truth, "end_ppid", stat.ppid);
	truth_number(&truth, "ns_pid", getpid());
	truth_number(&truth, "exit_code", status ? atoi(status) : 0);
	truth_members(&truth, getenv("SHOW_MEMBERS"));
	truth_end(&truth);
	if (wait_ms)
		pause_ms(atol(wait_ms));
	while (getenv("SHOW_WAIT") && read(STDIN_FILENO, &byte, 1) > 0)
		;
	_exit(status ? atoi(status) : 0);
}
