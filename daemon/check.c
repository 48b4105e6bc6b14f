/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each check is a function in the table at the end; it says one line or several. A check that
 * cannot find out says so as a warning: the trial load has the last word on what the kernel really
 * allows.
 */
#include "daemon/check.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/caps.h"
#include "daemon/cgroup.h"
#include "daemon/config_value.h"
#include "schema/cleanup.h"

/* What a recorder with little traffic fills in a day; with less free the database stops soon. */
#define CHECK_FREE_MIN (UINT64_C(64) << 20)

struct check {
	FILE *out;
	const struct check_node *node;
	const struct config *config;
	check_try_load_fn try_load;
	void *userdata;
	unsigned kernel; /* major << 16 | minor */
	int missing;
	int warnings;
};

enum check_level { CHECK_OK, CHECK_WARNING, CHECK_MISSING };

#define KERNEL(major, minor) ((unsigned)(major) << 16 | (minor))

/* advice NULL: nothing to do. The texts come from paths and settings of the administrator. */
static __attribute__((format(printf, 4, 5))) void
check_say(struct check *check, enum check_level level, const char *advice, const char *fmt, ...)
{
	static const char *const names[] = {"ok", "warning", "missing"};
	char what[PATH_MAX + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	fprintf(check->out, "%-8s %s%s%s\n", names[level], what, advice ? "  -  " : "",
		advice ? advice : "");
	check->missing += level == CHECK_MISSING;
	check->warnings += level == CHECK_WARNING;
}

/* The first line of a small file, without its end; -errno. */
static int read_line(const char *path, char *out, size_t size)
{
	CLEANUP_FCLOSE FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	if (!fgets(out, (int)size, f))
		return -ENODATA;
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

static void check_kernel(struct check *check)
{
	unsigned major = 0, minor = 0;

	if (sscanf(check->node->kernel_release, "%u.%u", &major, &minor) != 2)
		check_say(check, CHECK_WARNING, "its release is not understood", "kernel %s",
			  check->node->kernel_release);
	else if (KERNEL(major, minor) < KERNEL(5, 10))
		check_say(check, CHECK_MISSING, "5.10 or newer is needed", "kernel %s",
			  check->node->kernel_release);
	else
		check_say(check, CHECK_OK, NULL, "kernel %s", check->node->kernel_release);
	check->kernel = KERNEL(major, minor);
}

static void check_btf(struct check *check)
{
	if (access(check->node->btf, R_OK) == 0)
		check_say(check, CHECK_OK, NULL, "type information of the kernel (BTF) in %s",
			  check->node->btf);
	else if (errno == ENOENT)
		check_say(check, CHECK_MISSING,
			  "use a kernel with CONFIG_DEBUG_INFO_BTF=y, as distributions build it",
			  "type information of the kernel (BTF): no %s", check->node->btf);
	else
		check_say(check, CHECK_MISSING, "run as root or in the service",
			  "type information of the kernel (BTF): %s: %s", check->node->btf,
			  strerror(errno));
}

static void check_lockdown(struct check *check)
{
	char line[128];

	if (read_line(check->node->lockdown, line, sizeof(line)) < 0)
		check_say(check, CHECK_OK, NULL, "kernel lockdown: not in use");
	else if (!strstr(line, "[confidentiality]"))
		check_say(check, CHECK_OK, NULL, "kernel lockdown: %s", line);
	else if (check->kernel >= KERNEL(6, 2))
		check_say(check, CHECK_OK, NULL,
			  "kernel lockdown: %s; the programs do without what it forbids", line);
	else
		check_say(check, CHECK_WARNING,
			  "boot with lockdown=integrity, or a kernel from 6.2 on",
			  "kernel lockdown: %s; paths would stay unknown", line);
}

static void check_caps(struct check *check)
{
	char path[PATH_MAX], advice[256];
	uint64_t effective;
	int r;

	snprintf(path, sizeof(path), "%s/status", check->node->proc_self);
	r = caps_read(path, &effective);
	if (r < 0) {
		check_say(check, CHECK_WARNING, "mount /proc", "capabilities: %s: %s", path,
			  strerror(-r));
		return;
	}
	for (size_t i = 0; i < cap_needs_count; i++) {
		const struct cap_need *need = &cap_needs[i];

		if (caps_have(effective, need)) {
			check_say(check, CHECK_OK, NULL, "capability %s, %s", need->name,
				  need->purpose);
			continue;
		}
		snprintf(advice, sizeof(advice), "run as root or in the service%s%s",
			 need->without ? "; without it " : "", need->without ? need->without : "");
		check_say(check, need->required ? CHECK_MISSING : CHECK_WARNING, advice,
			  "capability %s, %s", need->name, need->purpose);
	}
}

/* Numbers of the first namespaces, fixed in the kernel. */
static const struct check_namespace {
	const char *file;
	const char *initial;
	enum check_level level;
	const char *what;
	const char *advice;
} namespaces[] = {
	{"ns/user", "user:[4026531837]", CHECK_MISSING, "user namespace",
	 "BPF programs that see the node load only from the node's own user namespace"},
	{"ns/pid", "pid:[4026531836]", CHECK_WARNING, "PID namespace",
	 "use the node's (--pid=host): /proc shows other PIDs, so processes that ran before will "
	 "have no paths"},
};

static void check_namespaces(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		const struct check_namespace *ns = &namespaces[i];
		char path[PATH_MAX], link[64];
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%s", check->node->proc_self, ns->file);
		n = readlink(path, link, sizeof(link) - 1);
		if (n < 0)
			continue; /* a kernel without it, and so without others of it */
		link[n] = '\0';
		if (strcmp(link, ns->initial) == 0)
			check_say(check, CHECK_OK, NULL, "%s of the node", ns->what);
		else
			check_say(check, ns->level, ns->advice, "%s: not the node's", ns->what);
	}
}

/* Before 5.11 the kernel counts the memory of maps against RLIMIT_MEMLOCK. */
static void check_memlock(struct check *check)
{
	uint64_t need = check->config->ring_bytes + check->config->cache_entries * 1024;
	struct cap_need resource = {.number = 24, .instead = -1}; /* CAP_SYS_RESOURCE lifts it */
	char path[PATH_MAX], limit[CONFIG_VALUE_SIZE];
	uint64_t effective = 0;

	if (!check->kernel || check->kernel >= KERNEL(5, 11))
		return;
	snprintf(path, sizeof(path), "%s/status", check->node->proc_self);
	caps_read(path, &effective);
	config_print_size(limit, check->node->memlock_bytes);
	if (check->node->memlock_bytes == UINT64_MAX)
		check_say(check, CHECK_OK, NULL, "no limit of locked memory");
	else if (caps_have(effective, &resource))
		check_say(check, CHECK_OK, NULL,
			  "limit of locked memory: %s, and CAP_SYS_RESOURCE to raise it", limit);
	else if (check->node->memlock_bytes >= need)
		check_say(check, CHECK_OK, NULL, "limit of locked memory: %s", limit);
	else
		check_say(check, CHECK_MISSING,
			  "set LimitMEMLOCK=infinity, or ulimit -l unlimited; kernels before 5.11 "
			  "need it for maps",
			  "limit of locked memory: %s", limit);
}

/* `path` cut to its nearest existing directory. */
static void existing_parent(char *path)
{
	while (access(path, F_OK) < 0 && strcmp(path, "/") != 0)
		dirname(path);
}

static void check_pin_directory(struct check *check)
{
	const char *directory = check->config->pin_directory;
	char parent[PATH_MAX];
	struct statfs fs;

	snprintf(parent, sizeof(parent), "%s", directory);
	existing_parent(parent);
	if (statfs(parent, &fs) < 0)
		check_say(check, CHECK_MISSING, "run as root or in the service",
			  "directory for pinned maps %s: %s", directory, strerror(errno));
	else if ((unsigned long)fs.f_type != BPF_FS_MAGIC)
		check_say(check, CHECK_MISSING, "mount -t bpf bpf /sys/fs/bpf",
			  "directory for pinned maps %s: no BPF file system there", directory);
	else if (faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) < 0)
		check_say(check, CHECK_MISSING,
			  errno == EROFS ? "list it in ReadWritePaths= of the unit"
					 : "run as root or in the service",
			  "directory for pinned maps %s: %s: %s", directory, parent,
			  strerror(errno));
	else
		check_say(check, CHECK_OK, NULL, "directory for pinned maps %s", directory);
}

static void check_cgroup_filter(struct check *check, const struct cgroup_hierarchies *hierarchies,
				const struct config_list *list, const char *key)
{
	for (size_t i = 0; i < list->count; i++) {
		uint64_t id;
		int r = cgroup_id_of_path(hierarchies, list->items[i], &id);

		if (r == 0)
			check_say(check, CHECK_OK, NULL, "%s=%s", key, list->items[i]);
		else if (r == -EXDEV)
			check_say(check, CHECK_MISSING, "give the path in the cgroup2 hierarchy",
				  "%s=%s: not a cgroup of cgroup2", key, list->items[i]);
		else if (r == -ENODEV)
			check_say(check, CHECK_MISSING, "mount cgroup2", "%s=%s", key,
				  list->items[i]);
		else
			check_say(check, CHECK_MISSING, "make the cgroup first, or leave it out",
				  "%s=%s: %s", key, list->items[i], strerror(-r));
	}
}

static void check_cgroups(struct check *check)
{
	CLEANUP_FREE struct cgroup_hierarchies *h = calloc(1, sizeof(*h));
	char mountinfo[PATH_MAX], cgroup[PATH_MAX];
	int r;

	if (!h)
		return;
	snprintf(mountinfo, sizeof(mountinfo), "%s/mountinfo", check->node->proc_self);
	snprintf(cgroup, sizeof(cgroup), "%s/cgroup", check->node->proc_self);
	r = cgroup_detect(mountinfo, cgroup, h);
	if (r < 0) {
		check_say(check, CHECK_WARNING, "mount /proc", "cgroups: %s", strerror(-r));
		return;
	}
	if (h->layout == CGROUP_LAYOUT_V1 && !h->v1_id)
		check_say(check, CHECK_WARNING, "mount cgroup2 at /sys/fs/cgroup",
			  "cgroups: v1 only, of which none tells of containers");
	else if (h->layout == CGROUP_LAYOUT_V2 || (h->layout == CGROUP_LAYOUT_HYBRID && !h->v1_id))
		check_say(check, CHECK_OK, NULL, "cgroups: cgroup2 at %s", h->unified.point);
	else if (h->layout == CGROUP_LAYOUT_HYBRID)
		check_say(check, CHECK_OK, NULL,
			  "cgroups: cgroup2 at %s, and v1, of which %s (hierarchy %d) is recorded",
			  h->unified.point, h->v1_controller, h->v1_id);
	else if (h->layout == CGROUP_LAYOUT_V1)
		check_say(check, CHECK_OK, NULL,
			  "cgroups: v1 only, of which %s (hierarchy %d) is recorded; filters need "
			  "cgroup2",
			  h->v1_controller, h->v1_id);
	else
		check_say(check, CHECK_WARNING, "mount cgroup2 at /sys/fs/cgroup",
			  "cgroups: none mounted, so containers are not recognised");
	check_cgroup_filter(check, h, &check->config->include_cgroup, "IncludeCgroup");
	check_cgroup_filter(check, h, &check->config->exclude_cgroup, "ExcludeCgroup");
}

/* The file itself, where there is one already. */
static bool check_database_file(struct check *check)
{
	const char *path = check->config->database;
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char head[16];
	struct stat st;
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return true;
	if (fd < 0 || fstat(fd, &st) < 0) {
		check_say(check, CHECK_MISSING, "run as root or in the service", "database %s: %s",
			  path, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		check_say(check, CHECK_MISSING, "move it away or choose another Database=",
			  "database %s: not a regular file", path);
		return false;
	}
	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0) {
		check_say(check, CHECK_MISSING, "run as root or in the service", "database %s: %s",
			  path, strerror(errno));
		return false;
	}
	n = read(fd, head, sizeof(head));
	if (n > 0 && (n < 16 || memcmp(head, "SQLite format 3", 16)))
		check_say(check, CHECK_WARNING,
			  "it would be kept under another name and a new one started",
			  "database %s: not an SQLite database", path);
	return true;
}

static void check_database(struct check *check)
{
	char directory[PATH_MAX], free_text[CONFIG_VALUE_SIZE];
	uint64_t free_bytes;
	struct statvfs fs;

	if (!check_database_file(check))
		return;
	snprintf(directory, sizeof(directory), "%s", check->config->database);
	dirname(directory);
	if (access(directory, F_OK) < 0 ||
	    faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) < 0) {
		check_say(check, CHECK_MISSING,
			  errno == ENOENT ? "make the directory, or choose another Database="
					  : "run as root or in the service",
			  "database %s: %s: %s", check->config->database, directory,
			  strerror(errno));
		return;
	}
	if (statvfs(directory, &fs) < 0) {
		check_say(check, CHECK_WARNING, NULL, "free space in %s: %s", directory,
			  strerror(errno));
		return;
	}
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	config_print_size(free_text, free_bytes >> 20 << 20);
	if (free_bytes < CHECK_FREE_MIN ||
	    free_bytes < config_keep_free(check->config, (uint64_t)fs.f_blocks * fs.f_frsize))
		check_say(check, CHECK_WARNING,
			  "free some space or lower KeepFree=; old records go early otherwise",
			  "database %s, %s free", check->config->database, free_text);
	else
		check_say(check, CHECK_OK, NULL, "database %s, %s free", check->config->database,
			  free_text);
}

/* Settings that change what is recorded or what it costs. */
static const struct check_setting {
	const char *file; /* below /proc/sys or, with self, /proc/self */
	const char *bad;  /* NULL: its absence is bad */
	const char *what;
	const char *advice;
	bool self;
} settings[] = {
	{"net/core/bpf_jit_enable", "0", "BPF programs are interpreted",
	 "sysctl net.core.bpf_jit_enable=1 makes them several times faster", false},
	{"kernel/bpf_stats_enabled", "1", "the kernel measures every run of a BPF program",
	 "sysctl kernel.bpf_stats_enabled=0 unless you want that", false},
	{"loginuid", NULL, "the kernel keeps no login uid (CONFIG_AUDIT)",
	 "loginuid and sessionid will be unset", true},
};

static void check_settings(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct check_setting *setting = &settings[i];
		char path[PATH_MAX], line[64];
		int r;

		snprintf(path, sizeof(path), "%s/%s",
			 setting->self ? check->node->proc_self : check->node->proc_sys,
			 setting->file);
		r = read_line(path, line, sizeof(line));
		if (setting->bad ? r == 0 && strcmp(line, setting->bad) == 0 : r == -ENOENT)
			check_say(check, CHECK_WARNING, setting->advice, "%s", setting->what);
	}
}

static void check_trial(struct check *check)
{
	char explanation[512] = "";
	int r;

	if (!check->try_load)
		return;
	r = check->try_load(check->userdata, explanation, sizeof(explanation));
	if (r < 0)
		check_say(check, CHECK_MISSING, *explanation ? explanation : NULL,
			  "BPF programs do not load: %s", strerror(-r));
	else
		check_say(check, CHECK_OK, *explanation ? explanation : NULL, "BPF programs load");
}

static void (*const checks[])(struct check *check) = {
	check_kernel,	  check_btf,	  check_lockdown,      check_caps,
	check_namespaces, check_memlock,  check_pin_directory, check_cgroups,
	check_database,	  check_settings, check_trial,
};

int check_run(FILE *out, const struct check_node *node, const struct config *config,
	      check_try_load_fn try_load, void *userdata)
{
	struct check check = {.out = out,
			      .node = node,
			      .config = config,
			      .try_load = try_load,
			      .userdata = userdata};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		checks[i](&check);
	if (check.missing)
		fprintf(out, "lineaged could not record here: see %s above.\n",
			check.missing == 1 ? "the line \"missing\"" : "the lines \"missing\"");
	else
		fprintf(out, "lineaged could record here%s.\n",
			check.warnings ? ", with what the warnings say" : "");
	return check.missing ? 1 : 0;
}

void check_this_node(struct check_node *ret_node, char release[65])
{
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
	struct utsname name;

	snprintf(release, 65, "%s", uname(&name) == 0 ? name.release : "unknown");
	getrlimit(RLIMIT_MEMLOCK, &limit);
	*ret_node = (struct check_node){
		.kernel_release = release,
		.btf = "/sys/kernel/btf/vmlinux",
		.lockdown = "/sys/kernel/security/lockdown",
		.proc_self = "/proc/self",
		.proc_sys = "/proc/sys",
		.memlock_bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur,
	};
}
