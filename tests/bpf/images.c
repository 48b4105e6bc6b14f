/* SPDX-License-Identifier: Apache-2.0 */
/* Executed files: path, working directory, name as asked, argv, flags. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

#define FILE_FLAGS                                                                           \
	(LINEAGE_EXE_DELETED | LINEAGE_EXE_MEMFD | LINEAGE_EXE_UPPER | LINEAGE_EXE_OVERLAY | \
	 LINEAGE_EXE_TRUNCATED | LINEAGE_CWD_TRUNCATED | LINEAGE_CWD_DELETED |               \
	 LINEAGE_INTERPRETED)

struct image {
	const char *name;
	void (*prepare)(void); /* in the recorder's mount namespace */
	const char *chroot_to; /* below the stage's directory */
	const char *cwd;
	const char *file;
	const char *exe;      /* NULL: cwd and file, as /proc/PID/exe says */
	const char *filename; /* as asked; NULL: file */
	__u32 flags;
};

static const struct image *now;

static void say_path(const char *what, const char *data, size_t length, const char *wanted)
{
	char got[PATH_SIZE];
	char label[200];

	recorder_path(data, length, got, sizeof(got));
	snprintf(label, sizeof(label), "%s: %s", now->name, what);
	check_text(label, got, wanted);
}

static void read_link(pid_t pid, const char *link, char *ret_target)
{
	char path[64], *deleted;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, link);
	n = readlink(path, ret_target, PATH_SIZE - 1);
	ret_target[n < 0 ? 0 : n] = 0;
	deleted = strstr(ret_target, " (deleted)");
	if (deleted)
		*deleted = 0;
}

static void look_argv(pid_t pid, const struct lineage_exec *e)
{
	static char wanted[300000];
	char path[64];
	size_t n, kept = LINEAGE_ARGS_MAX;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	f = fopen(path, "r");
	n = f ? fread(wanted, 1, sizeof(wanted), f) : 0;
	if (f)
		fclose(f);
	kept = n < kept ? n : kept;
	check(e->args_total == n && e->args_length == kept &&
		      memcmp(e->data + e->args_offset, wanted, kept) == 0,
	      "%s: argv %u of %u bytes, %u arguments", now->name, e->args_length, e->args_total,
	      e->args_count);
}

static void look_image(pid_t pid)
{
	struct record *r = recorder_find(LINEAGE_EXEC, pid, NULL);
	const char *filename = now->filename ? now->filename : now->file;
	struct lineage_process cached;
	const struct lineage_exec *e;
	char exe[PATH_SIZE], cwd[PATH_SIZE];
	size_t at;

	check(r && recorder_count(LINEAGE_EXEC, pid) == 1, "%s: one exec", now->name);
	if (!r)
		return;
	e = &r->exec;
	at = (size_t)e->exe_length + e->cwd_length;
	read_link(pid, "exe", exe);
	read_link(pid, "cwd", cwd);
	if (!stage.no_paths) {
		say_path("exe", e->data, e->exe_length, now->exe ? now->exe : exe);
		say_path("cwd", e->data + e->exe_length, e->cwd_length, cwd);
		check((e->flags & FILE_FLAGS) == now->flags, "%s: flags %#x, %#x", now->name,
		      e->flags, now->flags);
	}
	check(e->filename_length == strlen(filename) + 1 && !strcmp(e->data + at, filename),
	      "%s: asked for %.100s", now->name, e->filename_length ? e->data + at : "(nothing)");
	look_argv(pid, e);
	check(recorder_cache(&e->header.process, &cached) == 0 &&
		      strncmp(cached.binary, filename, sizeof(cached.binary) - 1) == 0 &&
		      strcmp(cached.comm, e->comm) == 0 && cached.exec_seq == e->header.seq &&
		      cached.args_total == e->args_total,
	      "%s: process_cache has %.63s %.95s", now->name, cached.binary, cached.args);
}

static void act_image(void *arg)
{
	char path[PATH_SIZE];
	char *big[] = {(char *)"prog",	    (char *)"act-hold", (char *)"",
		       (char *)"new\nline", (char *)"\xff",	NULL};

	if (now->chroot_to) {
		stage_path(path, now->chroot_to);
		if (chroot(path) < 0)
			_exit(122);
	}
	if (now->cwd[0] == '/' && now->chroot_to)
		snprintf(path, sizeof(path), "%s", now->cwd);
	else
		stage_path(path, now->cwd);
	if (chdir(path) < 0)
		_exit(123);
	execv(now->file, big);
	_exit(124);
}

static void prepare_bind(void)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	stage_path(from, "a");
	stage_path(to, "bound");
	mkdir(to, 0755);
	if (mount(from, to, NULL, MS_BIND, NULL) < 0)
		check(false, "bind mount: %s", strerror(errno));
}

static void prepare_script(void)
{
	char path[PATH_SIZE], line[PATH_SIZE + 20];
	int fd, n;

	stage_path(path, "script");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	n = snprintf(line, sizeof(line), "#!%s/prog act-hold\n", stage.directory);
	if (write(fd, line, (size_t)n) != n)
		check(false, "script: %s", strerror(errno));
	close(fd);
}

static void run_image(const struct image *image)
{
	now = image;
	recorder_forget();
	if (image->prepare)
		image->prepare();
	stage_run(act_image, NULL, look_image);
}

static void run_simple(void)
{
	static char script[PATH_SIZE], absolute[PATH_SIZE];
	char dir[PATH_SIZE];

	stage_path(dir, "a");
	mkdir(dir, 0755);
	stage_copy("a/prog");
	stage_path(absolute, "prog");
	stage_path(script, "script");
	run_image(&(struct image){.name = "absolute", .cwd = "", .file = absolute});
	run_image(&(struct image){.name = "relative", .cwd = "a", .file = "./prog"});
	run_image(&(struct image){.name = "up and down", .cwd = "a", .file = "../a/../prog"});
	run_image(&(struct image){
		.name = "bind", .prepare = prepare_bind, .cwd = "bound", .file = "./prog"});
	run_image(&(struct image){.name = "script",
				  .prepare = prepare_script,
				  .cwd = "a",
				  .file = "../script",
				  .flags = LINEAGE_INTERPRETED});
}

/* Inside of the chroot /proc would say /prog; the programs say where it is in the mount namespace.
 */
static void run_chroot(void)
{
	static char exe[PATH_SIZE];

#ifdef CHECK_DYNAMIC
	check_skip("chroot", "this program was not linked statically");
	return;
#endif
	stage_path(exe, "bound/prog");
	now = &(struct image){0};
	recorder_forget();
	run_image(&(struct image){.name = "chroot to a mount",
				  .chroot_to = "bound",
				  .cwd = "/",
				  .file = "/prog",
				  .exe = exe});
	stage_path(exe, "a/prog");
	run_image(&(struct image){
		.name = "chroot", .chroot_to = "a", .cwd = "/", .file = "prog", .exe = exe});
}

static void act_fexec(void *arg)
{
	char *const argv[] = {(char *)"prog", (char *)"act-hold", NULL};
	char path[PATH_SIZE];
	int from, to = *(int *)arg;

	stage_path(path, "prog");
	if (chdir(stage.directory) < 0)
		_exit(122);
	if (to < 0) {
		stage_copy("gone");
		stage_path(path, "gone");
		to = open(path, O_RDONLY);
		unlink(path);
	} else {
		char buffer[65536];
		ssize_t n;

		from = open(path, O_RDONLY);
		to = memfd_create("payload", 0);
		while ((n = read(from, buffer, sizeof(buffer))) > 0) {
			if (write(to, buffer, (size_t)n) != n)
				_exit(123);
		}
		close(from);
	}
	dup2(to, 77);
	close(to);
	syscall(SYS_execveat, 77, "", argv, (char *[]){NULL}, AT_EMPTY_PATH);
	_exit(124);
}

static void run_fexec(void)
{
	static char gone[PATH_SIZE];
	int memfd = 0, deleted = -1;

	now = &(struct image){.name = "memfd",
			      .exe = "/memfd:payload",
			      .filename = "/dev/fd/77",
			      .flags = LINEAGE_EXE_MEMFD | LINEAGE_EXE_DELETED};
	recorder_forget();
	stage_run(act_fexec, &memfd, look_image);
	stage_path(gone, "gone");
	now = &(struct image){.name = "deleted",
			      .exe = gone,
			      .filename = "/dev/fd/77",
			      .flags = LINEAGE_EXE_DELETED};
	recorder_forget();
	stage_run(act_fexec, &deleted, look_image);
}

/* As container runtimes execute themselves: through a mount of a part that hangs in no tree. */
static void act_detached(void *arg)
{
	char *const argv[] = {(char *)"prog", (char *)"act-hold", NULL};
	bool directory = *(bool *)arg;
	char path[PATH_SIZE];
	int fd;

	stage_path(path, directory ? "own/below" : "own/below/prog");
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, 1 /* OPEN_TREE_CLONE */);
	if (fd < 0 || chdir(stage.directory) < 0 || dup2(fd, 77) < 0)
		_exit(122);
	close(fd);
	syscall(SYS_execveat, 77, directory ? "prog" : "", argv, (char *[]){NULL},
		directory ? 0 : AT_EMPTY_PATH);
	_exit(124);
}

static void run_detached(void)
{
	bool directory = false;
	char path[PATH_SIZE];

	stage_path(path, "own");
	mkdir(path, 0755);
	if (mount("none", path, "tmpfs", 0, NULL) < 0) {
		check_skip("detached mount", strerror(errno));
		return;
	}
	stage_path(path, "own/below");
	mkdir(path, 0755);
	stage_copy("own/below/prog");
	now = &(struct image){
		.name = "detached file", .exe = "/below/prog", .filename = "/dev/fd/77"};
	recorder_forget();
	stage_run(act_detached, &directory, look_image);
	directory = true;
	now = &(struct image){
		.name = "detached directory", .exe = "/below/prog", .filename = "/dev/fd/77/prog"};
	recorder_forget();
	stage_run(act_detached, &directory, look_image);
}

static void act_cwd_gone(void *arg)
{
	char path[PATH_SIZE];

	stage_path(path, "gone-directory");
	if (mkdir(path, 0755) < 0 || chdir(path) < 0 || rmdir(path) < 0)
		_exit(122);
	stage_path(path, "prog");
	execl(path, "prog", "act-hold", NULL);
	_exit(124);
}

static void run_cwd_gone(void)
{
	static char file[PATH_SIZE];

	stage_path(file, "prog");
	now = &(struct image){.name = "no directory", .file = file, .flags = LINEAGE_CWD_DELETED};
	recorder_forget();
	stage_run(act_cwd_gone, NULL, look_image);
}

static void run_overlay(void)
{
	static const char *const dirs[] = {"rw", "rw/upper", "rw/work", "merged"};
	char path[PATH_SIZE], options[3 * PATH_SIZE];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		stage_path(path, dirs[i]);
		mkdir(path, 0755);
		if (i == 0 && mount("none", path, "tmpfs", 0, NULL) < 0)
			break;
	}
	snprintf(options, sizeof(options), "lowerdir=%s/a,upperdir=%s/rw/upper,workdir=%s/rw/work",
		 stage.directory, stage.directory, stage.directory);
	if (mount("none", path, "overlay", 0, options) < 0) {
		check_skip("overlay", strerror(errno));
		return;
	}
	run_image(&(struct image){.name = "overlay, lower",
				  .cwd = "merged",
				  .file = "./prog",
				  .flags = LINEAGE_EXE_OVERLAY});
	stage_copy("merged/new");
	run_image(&(struct image){.name = "overlay, upper",
				  .cwd = "merged",
				  .file = "./new",
				  .flags = LINEAGE_EXE_OVERLAY | LINEAGE_EXE_UPPER});
}

/* A chain of directories, each with this name; the last holds prog. */
static void run_deep(const char *label, const char *component, int depth, __u32 flags)
{
	static char wanted[PATH_SIZE * 8];
	struct image image = {.name = label, .cwd = "", .file = "./prog", .flags = flags};
	char home[PATH_SIZE];
	int from;

	now = &image;
	recorder_forget();
	snprintf(home, sizeof(home), "%s", stage.directory);
	from = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stage_path(wanted, "prog");
	if (fchdir(from) < 0)
		return;
	for (int i = 0; i < depth; i++) {
		mkdir(component, 0755);
		if (chdir(component) < 0)
			check(false, "%s: %s", label, strerror(errno));
	}
	if (linkat(from, "prog", AT_FDCWD, "prog", 0) < 0 && errno != EEXIST)
		check(false, "%s: %s", label, strerror(errno));
	close(from);
	check(chdir("/") == 0, "%s: made", label);
}

static void act_here(void *arg)
{
	char *const argv[] = {(char *)"prog", (char *)"act-hold", NULL};

	if (chdir(arg) < 0)
		_exit(122);
	execv("./prog", argv);
	_exit(124);
}

static void look_truncated(pid_t pid)
{
	struct record *r = recorder_find(LINEAGE_EXEC, pid, NULL);
	__u32 both = LINEAGE_EXE_TRUNCATED | LINEAGE_CWD_TRUNCATED;

	check(r && !strcmp(r->exec.data, "prog") && (r->exec.flags & both) == both,
	      "%s: exe %u bytes, cwd %u bytes, flags %#x", now->name, r ? r->exec.exe_length : 0,
	      r ? r->exec.cwd_length : 0, r ? r->exec.flags : 0);
}

static void look_no_truncation(pid_t pid)
{
	struct record *r = recorder_find(LINEAGE_EXEC, pid, NULL);

	look_image(pid);
	check(r && !(r->exec.flags & (LINEAGE_EXE_TRUNCATED | LINEAGE_CWD_TRUNCATED)), "%s: whole",
	      now->name);
}

static void run_depths(void)
{
	char path[PATH_SIZE];
	char name[256];

	if (stage.no_paths)
		return;
	memset(name, 'n', 255);
	name[255] = 0;
	now = &(struct image){.name = "long name", .file = "./prog"};
	run_deep("long name", name, 3, 0);
	now = &(struct image){.name = "long name", .file = "./prog"};
	snprintf(path, sizeof(path), "%s/%s/%s/%s", stage.directory, name, name, name);
	stage_run(act_here, path, look_no_truncation);
	for (int depth = 20; depth <= 160; depth += 50) {
		snprintf(name, sizeof(name), "%d deep", depth);
		run_deep(name, "d", depth, 0);
		now = &(struct image){.name = name, .file = "./prog"};
		recorder_forget();
		snprintf(path, sizeof(path), "%s", stage.directory);
		for (int i = 0; i < depth; i++)
			strcat(path, "/d");
		stage_run(act_here, path, depth > 144 ? look_truncated : look_no_truncation);
	}
}

static void act_large(void *arg)
{
	int count = *(int *)arg;
	char **argv = calloc((size_t)count + 3, sizeof(*argv));
	char path[PATH_SIZE];

	argv[0] = (char *)"prog";
	argv[1] = (char *)"act-hold";
	for (int i = 0; i < count; i++)
		argv[2 + i] = (char *)"0123456789012345678";
	stage_path(path, "prog");
	execv(path, argv);
	_exit(124);
}

/* argv[0] of a kernel before 5.18 may be missing: then there are no arguments at all. */
static void run_arguments(void)
{
	static char file[PATH_SIZE];
	int counts[] = {8, 30, 100, 1000, 10000};

	stage_path(file, "prog");
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%d arguments", counts[i] + 2);
		now = &(struct image){.name = name, .file = file};
		recorder_forget();
		stage_run(act_large, &counts[i], look_image);
	}
}

void images_run(void)
{
	run_simple();
	run_chroot();
	run_fexec();
	run_detached();
	run_cwd_gone();
	run_overlay();
	run_depths();
	run_arguments();
}
