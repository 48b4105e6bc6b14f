/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of daemon/check.c: a made-up node that lacks nothing, and what is said when one thing is
 * taken away. BPF and cgroup file systems are the real ones, mounted in a mount namespace of the
 * test.
 */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/check.h"
#include "schema/cleanup.h"

static char root[64];
static struct check_node node;
static struct config *config;
static char *output;
static bool with_mounts;

static const char *path_of(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void put_directories(void)
{
	static const char *const names[] = {"proc",    "proc/ns",      "sys",
					    "sys/net", "sys/net/core", "sys/kernel",
					    "bpf",     "cgroup",       "state"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		ck_assert_int_eq(mkdir(path_of(names[i]), 0755), 0);
}

static void put_files(void)
{
	char line[256];

	put("btf", "x");
	put("lockdown", "none [integrity] confidentiality\n");
	put("proc/status", "CapEff:\t000000c000080004\n"); /* the unit's four */
	put("proc/loginuid", "0");
	put("proc/cgroup", "0::/\n");
	snprintf(line, sizeof(line), "30 1 0:27 / %s/cgroup rw - cgroup2 cgroup2 rw\n", root);
	put("proc/mountinfo", line);
	put("sys/net/core/bpf_jit_enable", "1\n");
	put("sys/kernel/bpf_stats_enabled", "0\n");
	ck_assert_int_eq(symlink("user:[4026531837]", path_of("proc/ns/user")), 0);
	ck_assert_int_eq(symlink("pid:[4026531836]", path_of("proc/ns/pid")), 0);
}

static void load_config(const char *more)
{
	char text[1024];
	struct config_source source = {.file = path_of("conf")};

	snprintf(text, sizeof(text),
		 "[Storage]\nDatabase=%s/state/x.db\n[Report]\nPinDirectory=%s/bpf/lineaged\n%s",
		 root, root, more);
	put("conf", text);
	config_free(config);
	config = NULL;
	ck_assert_int_eq(config_load(&source, &config), 0);
}

static void setup(void)
{
	strcpy(root, "/tmp/check_check.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	put_directories();
	put_files();
	load_config("");
	with_mounts = unshare(CLONE_NEWNS) == 0 &&
		      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		      mount("bpf", path_of("bpf"), "bpf", 0, NULL) == 0 &&
		      mount("cgroup2", path_of("cgroup"), "cgroup2", 0, NULL) == 0;
	if (!with_mounts)
		fprintf(stderr, "skipped in part: may not mount here\n");
	node = (struct check_node){
		.kernel_release = "6.1.0-44-amd64",
		.btf = strdup(path_of("btf")),
		.lockdown = strdup(path_of("lockdown")),
		.proc_self = strdup(path_of("proc")),
		.proc_sys = strdup(path_of("sys")),
		.memlock_bytes = 65536,
	};
}

static void teardown(void)
{
	char command[128];

	umount(path_of("bpf"));
	umount(path_of("cgroup"));
	free((char *)node.btf);
	free((char *)node.lockdown);
	free((char *)node.proc_self);
	free((char *)node.proc_sys);
	config_free(config);
	config = NULL;
	free(output);
	output = NULL;
	snprintf(command, sizeof(command), "rm -rf --one-file-system %s", root);
	ck_assert_int_eq(system(command), 0);
}

static int loads(void *userdata, char *explanation, size_t size)
{
	snprintf(explanation, size, "failed execs are found by fexit");
	return *(int *)userdata;
}

static int run(int load_result)
{
	size_t size;
	FILE *out;
	int r;

	free(output);
	out = open_memstream(&output, &size);
	r = check_run(out, &node, config, loads, &load_result);
	fclose(out);
	return r;
}

/* Exactly this line is said. */
static void ck_line(const char *line)
{
	size_t n = strlen(line);

	for (const char *p = output; (p = strstr(p, line)); p++) {
		if ((p == output || p[-1] == '\n') && p[n] == '\n')
			return;
	}
	ck_abort_msg("no line \"%s\" in:\n%s", line, output);
}

START_TEST(test_nothing_missing)
{
	if (!with_mounts)
		return;
	ck_assert_msg(run(0) == 0, "%s", output);
	ck_assert_ptr_null(strstr(output, "missing"));
	ck_assert_ptr_null(strstr(output, "warning "));
	ck_line("ok       kernel 6.1.0-44-amd64");
	ck_line("ok       kernel lockdown: none [integrity] confidentiality");
	ck_line("ok       user namespace of the node");
	ck_line("ok       BPF programs load  -  failed execs are found by fexit");
	ck_line("lineaged could record here.");
}
END_TEST

START_TEST(test_kernel)
{
	node.kernel_release = "5.4.0";
	ck_assert_int_eq(run(0), 1);
	ck_line("missing  kernel 5.4.0  -  5.10 or newer is needed");
	node.kernel_release = "strange";
	run(0);
	ck_line("warning  kernel strange  -  its release is not understood");
}
END_TEST

START_TEST(test_btf)
{
	char line[256];

	ck_assert_int_eq(unlink(path_of("btf")), 0);
	ck_assert_int_eq(run(0), 1);
	snprintf(line, sizeof(line),
		 "missing  type information of the kernel (BTF): no %s/btf  -  use a kernel with "
		 "CONFIG_DEBUG_INFO_BTF=y, as distributions build it",
		 root);
	ck_line(line);
}
END_TEST

START_TEST(test_lockdown)
{
	put("lockdown", "none integrity [confidentiality]\n");
	run(0);
	ck_line("warning  kernel lockdown: none integrity [confidentiality]; paths would stay "
		"unknown  -  boot with lockdown=integrity, or a kernel from 6.2 on");
	node.kernel_release = "6.12.0";
	run(0);
	ck_line("ok       kernel lockdown: none integrity [confidentiality]; the programs do "
		"without "
		"what it forbids");
	ck_assert_int_eq(unlink(path_of("lockdown")), 0);
	run(0);
	ck_line("ok       kernel lockdown: not in use");
}
END_TEST

START_TEST(test_capabilities)
{
	put("proc/status", "CapEff:\t0000000000000000\n");
	ck_assert_int_eq(run(0), 1);
	ck_line("missing  capability CAP_BPF, to load the BPF programs and make their maps  -  run "
		"as "
		"root or in the service");
	ck_line("warning  capability CAP_SYS_PTRACE, to read exe and cwd of processes that run "
		"already  -  run as root or in the service; without it processes that ran before "
		"the "
		"recorder will have no paths");
	/* CAP_SYS_ADMIN serves for the first two */
	put("proc/status", "CapEff:\t0000000000200000\n");
	run(0);
	ck_assert_ptr_null(strstr(output, "missing  capability"));
}
END_TEST

START_TEST(test_namespaces)
{
	ck_assert_int_eq(unlink(path_of("proc/ns/user")), 0);
	ck_assert_int_eq(symlink("user:[4026532000]", path_of("proc/ns/user")), 0);
	ck_assert_int_eq(run(0), 1);
	ck_assert_ptr_nonnull(strstr(output, "missing  user namespace: not the node's  -  "));
}
END_TEST

START_TEST(test_memlock)
{
	run(0);
	ck_assert_ptr_null(strstr(output, "locked memory"));
	node.kernel_release = "5.10.0-30-amd64";
	ck_assert_int_eq(run(0), 1);
	ck_line("missing  limit of locked memory: 64K  -  set LimitMEMLOCK=infinity, or ulimit -l "
		"unlimited; kernels before 5.11 need it for maps");
	put("proc/status", "CapEff:\t000000c001080004\n");
	run(0);
	ck_line("ok       limit of locked memory: 64K, and CAP_SYS_RESOURCE to raise it");
	node.memlock_bytes = UINT64_MAX;
	run(0);
	ck_line("ok       no limit of locked memory");
}
END_TEST

START_TEST(test_pin_directory)
{
	char line[256];

	if (with_mounts)
		ck_assert_int_eq(umount(path_of("bpf")), 0);
	ck_assert_int_eq(run(0), 1);
	snprintf(line, sizeof(line),
		 "missing  directory for pinned maps %s/bpf/lineaged: no BPF file system there  -  "
		 "mount -t bpf bpf /sys/fs/bpf",
		 root);
	ck_line(line);
}
END_TEST

START_TEST(test_cgroups)
{
	char line[256];

	if (!with_mounts)
		return;
	load_config(
		"[Capture]\nIncludeCgroup=/\nIncludeCgroup=/check-no-such\nExcludeCgroup=/tmp\n");
	ck_assert_int_eq(run(0), 1);
	snprintf(line, sizeof(line), "ok       cgroups: cgroup2 at %s/cgroup", root);
	ck_line(line);
	ck_line("ok       IncludeCgroup=/");
	ck_line("missing  IncludeCgroup=/check-no-such: No such file or directory  -  make the "
		"cgroup first, or leave it out");
	ck_line("missing  ExcludeCgroup=/tmp: not a cgroup of cgroup2  -  give the path in the "
		"cgroup2 hierarchy");
	/* What some network tools mount beside cgroup2, and nothing else of v1. */
	put("proc/cgroup", "3:net_cls:/\n0::/\n");
	run(0);
	ck_line(line);
	put("proc/cgroup", "8:pids:/\n3:net_cls:/\n0::/\n");
	run(0);
	ck_assert_ptr_nonnull(
		strstr(output, ", and v1, of which pids (hierarchy 8) is recorded\n"));
	put("proc/mountinfo", "");
	put("proc/cgroup", "3:net_cls:/\n");
	run(0);
	ck_line("warning  cgroups: v1 only, of which none tells of containers  -  mount cgroup2 "
		"at /sys/fs/cgroup");
	put("proc/cgroup", "0::/\n");
	run(0);
	ck_line("warning  cgroups: none mounted, so containers are not recognised  -  mount "
		"cgroup2 "
		"at /sys/fs/cgroup");
	ck_assert_ptr_nonnull(strstr(output, "missing  IncludeCgroup=/  -  mount cgroup2\n"));
}
END_TEST

START_TEST(test_database)
{
	char line[300];

	put("state/x.db", "this is no database, whatever its name says");
	run(0);
	snprintf(line, sizeof(line),
		 "warning  database %s/state/x.db: not an SQLite database  -  it would be kept "
		 "under "
		 "another name and a new one started",
		 root);
	ck_line(line);
	ck_assert_int_eq(unlink(path_of("state/x.db")), 0);
	ck_assert_int_eq(mkdir(path_of("state/x.db"), 0755), 0);
	ck_assert_int_eq(run(0), 1);
	snprintf(line, sizeof(line),
		 "missing  database %s/state/x.db: not a regular file  -  move it away or choose "
		 "another Database=",
		 root);
	ck_line(line);
	ck_assert_int_eq(rmdir(path_of("state/x.db")), 0);
	ck_assert_int_eq(rmdir(path_of("state")), 0);
	ck_assert_int_eq(run(0), 1);
	ck_assert_ptr_nonnull(strstr(output, "No such file or directory  -  make the directory"));
}
END_TEST

START_TEST(test_settings)
{
	put("sys/net/core/bpf_jit_enable", "0\n");
	put("sys/kernel/bpf_stats_enabled", "1\n");
	ck_assert_int_eq(unlink(path_of("proc/loginuid")), 0);
	run(0);
	ck_assert_ptr_nonnull(strstr(output, "\nwarning  BPF programs are interpreted  -  "));
	ck_assert_ptr_nonnull(strstr(output, "\nwarning  the kernel measures every run"));
	ck_assert_ptr_nonnull(strstr(output, "\nwarning  the kernel keeps no login uid"));
	if (with_mounts)
		ck_line("lineaged could record here, with what the warnings say.");
}
END_TEST

START_TEST(test_trial)
{
	ck_assert_int_eq(run(-EPERM), 1);
	ck_line("missing  BPF programs do not load: Operation not permitted  -  failed execs are "
		"found by fexit");
}
END_TEST

/* This machine, whatever it allows: every line has the form, and the verdict fits the lines. */
START_TEST(test_this_node)
{
	char release[65];
	bool missing = false;
	int r;

	free((char *)node.btf);
	free((char *)node.lockdown);
	free((char *)node.proc_self);
	free((char *)node.proc_sys);
	check_this_node(&node, release);
	r = run(0);
	for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
		ck_assert_msg(!strncmp(line, "ok       ", 9) || !strncmp(line, "warning  ", 9) ||
				      !strncmp(line, "missing  ", 9) ||
				      !strncmp(line, "lineaged could ", 15),
			      "%s", line);
		missing |= !strncmp(line, "missing", 7);
	}
	ck_assert_int_eq(r, missing);
	node = (struct check_node){.btf = NULL};
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check");
	TCase *tcase = tcase_create("check");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_nothing_missing);
	tcase_add_test(tcase, test_kernel);
	tcase_add_test(tcase, test_btf);
	tcase_add_test(tcase, test_lockdown);
	tcase_add_test(tcase, test_capabilities);
	tcase_add_test(tcase, test_namespaces);
	tcase_add_test(tcase, test_memlock);
	tcase_add_test(tcase, test_pin_directory);
	tcase_add_test(tcase, test_cgroups);
	tcase_add_test(tcase, test_database);
	tcase_add_test(tcase, test_settings);
	tcase_add_test(tcase, test_trial);
	tcase_add_test(tcase, test_this_node);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
