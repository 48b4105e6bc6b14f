/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/cgroup.c: layouts from files of other nodes, ids and paths on this one's cgroup2.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <linux/capability.h>
#include <unistd.h>

#include "daemon/cgroup.h"
#include "schema/cleanup.h"

static char *temp_file(const char *text)
{
	char path[] = "/tmp/check_cgroup.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return strdup(path);
}

/* The hierarchies of a node with these two files. To be freed. */
static struct cgroup_hierarchies *detect(const char *mountinfo, const char *cgroup)
{
	struct cgroup_hierarchies *h = malloc(sizeof(*h));
	CLEANUP_FREE char *m = temp_file(mountinfo), *c = temp_file(cgroup);
	int r = cgroup_detect(m, c, h);

	unlink(m);
	unlink(c);
	ck_assert_int_eq(r, 0);
	return h;
}

#define ROOTFS	"1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
#define TMPFS	"31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755\n"
#define V2	"30 23 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define UNIFIED "38 31 0:31 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw\n"
#define SYSTEMD "37 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
#define CPU	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
#define PIDS	"33 31 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"

START_TEST(test_v2)
{
	CLEANUP_FREE struct cgroup_hierarchies *h = detect(ROOTFS V2, "0::/init.scope\n");

	ck_assert_int_eq(h->layout, CGROUP_LAYOUT_V2);
	ck_assert_str_eq(h->unified.point, "/sys/fs/cgroup");
	ck_assert_str_eq(h->unified.root, "/");
	ck_assert_int_eq(h->v1_id, 0);
	ck_assert_str_eq(cgroup_layout_name(h->layout), "cgroup2");
}
END_TEST

START_TEST(test_hybrid)
{
	CLEANUP_FREE struct cgroup_hierarchies *h =
		detect(ROOTFS TMPFS UNIFIED SYSTEMD CPU PIDS,
		       "9:pids:/x\n4:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n");

	ck_assert_int_eq(h->layout, CGROUP_LAYOUT_HYBRID);
	ck_assert_str_eq(h->unified.point, "/sys/fs/cgroup/unified");
	ck_assert_int_eq(h->v1_id, 9);
	ck_assert_str_eq(h->v1_controller, "pids");
	ck_assert_str_eq(h->v1.point, "/sys/fs/cgroup/pids");
}
END_TEST

START_TEST(test_v1)
{
	CLEANUP_FREE struct cgroup_hierarchies *h =
		detect(ROOTFS TMPFS SYSTEMD CPU, "4:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n");

	ck_assert_int_eq(h->layout, CGROUP_LAYOUT_V1);
	ck_assert_str_eq(h->unified.point, "");
	ck_assert_int_eq(h->v1_id, 4);
	ck_assert_str_eq(h->v1_controller, "cpu");
	ck_assert_str_eq(h->v1.point, "/sys/fs/cgroup/cpu,cpuacct");
}
END_TEST

/* systemd's unified layout with its old bookkeeping hierarchy is no v1. */
START_TEST(test_v2_with_a_named_hierarchy)
{
	CLEANUP_FREE struct cgroup_hierarchies *h =
		detect(ROOTFS V2 SYSTEMD, "1:name=systemd:/\n0::/\n");

	ck_assert_int_eq(h->layout, CGROUP_LAYOUT_V2);
	ck_assert_int_eq(h->v1_id, 0);
}
END_TEST

START_TEST(test_in_a_container)
{
	CLEANUP_FREE struct cgroup_hierarchies *h =
		detect(ROOTFS "5 4 0:27 /../../x /a\\040b ro - cgroup2 cgroup rw\n"
			      "6 4 0:27 / /host/cgroup ro - cgroup2 cgroup rw\n",
		       "0::/\n");
	CLEANUP_FREE struct cgroup_hierarchies *part =
		detect("5 4 0:27 /docker/x /a\\040b ro - cgroup2 cgroup rw\n", "0::/\n");

	ck_assert_str_eq(h->unified.point, "/host/cgroup");
	ck_assert_str_eq(part->unified.point, "/a b");
	ck_assert_str_eq(part->unified.root, "/docker/x");
}
END_TEST

START_TEST(test_odd_files)
{
	CLEANUP_FREE struct cgroup_hierarchies *h =
		detect("\n-\n - \n - cgroup2\n1 2 3 - cgroup2 x y\n1 2 3 4 5 6 - cgroup2\n",
		       "\n:\n::\nx\n7\n7:\n7:pids\n-1:pids:/\n");
	struct cgroup_hierarchies *other = malloc(sizeof(*other));

	ck_assert_int_eq(h->layout, CGROUP_LAYOUT_NONE);
	ck_assert_int_eq(h->v1_id, 0);
	ck_assert_int_eq(cgroup_detect("/nonexistent", "/proc/self/cgroup", other), -ENOENT);
	ck_assert_int_eq(cgroup_detect("/proc/self/mountinfo", "/nonexistent", other), -ENOENT);
	free(other);
}
END_TEST

/* This node's hierarchies and a cgroup of our own, or NULL after saying why not. */
static struct cgroup_hierarchies *own_cgroup(char path[PATH_MAX + 64])
{
	struct cgroup_hierarchies *h = malloc(sizeof(*h));

	ck_assert_int_eq(cgroup_detect("/proc/self/mountinfo", "/proc/self/cgroup", h), 0);
	snprintf(path, PATH_MAX + 64, "%s/check_cgroup.%d", h->unified.point, getpid());
	if (*h->unified.point && strcmp(h->unified.root, "/") == 0 && mkdir(path, 0755) == 0)
		return h;
	fprintf(stderr, "skipped: may make no cgroup in cgroup2 here\n");
	free(h);
	return NULL;
}

/* Without the right to open by handle, the tree is walked: the answer is the same. */
static void drop_dac_read_search(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	extern int capget(void *, void *), capset(void *, void *);

	ck_assert_int_eq(capget(&header, data), 0);
	data[0].effective &= ~(1u << CAP_DAC_READ_SEARCH);
	data[0].permitted &= ~(1u << CAP_DAC_READ_SEARCH);
	data[0].inheritable = 0;
	ck_assert_int_eq(capset(&header, data), 0);
}

static void check_paths(const struct cgroup_hierarchies *h, uint64_t id, const char *relative)
{
	char path[PATH_MAX];
	uint64_t root;

	ck_assert_int_eq(cgroup_path_of_id(h, 0, id, path, sizeof(path)), 0);
	ck_assert_str_eq(path, relative);
	ck_assert_int_eq(cgroup_id_of_path(h, "/", &root), 0);
	ck_assert_int_eq(cgroup_path_of_id(h, 0, root, path, sizeof(path)), 0);
	ck_assert_str_eq(path, "/");
	ck_assert_int_eq(cgroup_path_of_id(h, 0, id, path, 5), -ENAMETOOLONG);
	ck_assert_int_eq(cgroup_path_of_id(h, 12345, id, path, sizeof(path)), -ENOENT);
}

START_TEST(test_ids_and_paths)
{
	char path[PATH_MAX + 64], relative[64], out[PATH_MAX];
	CLEANUP_FREE struct cgroup_hierarchies *h = own_cgroup(path);
	uint64_t id = 0, same = 0;
	struct stat st;

	if (!h)
		return;
	snprintf(relative, sizeof(relative), "/check_cgroup.%d", getpid());
	ck_assert_int_eq(cgroup_id_of_path(h, path, &id), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(id, st.st_ino);
	ck_assert_int_eq(cgroup_id_of_path(h, relative, &same), 0);
	ck_assert_uint_eq(id, same);
	ck_assert_int_eq(cgroup_id_of_path(h, relative + 1, &same), 0);
	ck_assert_uint_eq(id, same);
	check_paths(h, id, relative);
	drop_dac_read_search();
	check_paths(h, id, relative);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(cgroup_path_of_id(h, 0, id, out, sizeof(out)), -ENOENT);
	ck_assert_int_eq(cgroup_id_of_path(h, path, &id), -ENOENT);
}
END_TEST

START_TEST(test_v1_of_this_node)
{
	CLEANUP_FREE struct cgroup_hierarchies *h = malloc(sizeof(*h));
	char path[PATH_MAX];
	struct stat st;

	ck_assert_int_eq(cgroup_detect("/proc/self/mountinfo", "/proc/self/cgroup", h), 0);
	if (!*h->v1.point || stat(h->v1.point, &st) < 0) {
		fprintf(stderr, "skipped: no v1 hierarchy here\n");
		return;
	}
	ck_assert_int_eq(cgroup_path_of_id(h, h->v1_id, st.st_ino, path, sizeof(path)), 0);
	ck_assert_str_eq(path, "/");
}
END_TEST

START_TEST(test_gone_by_handle)
{
	char path[PATH_MAX + 64], out[PATH_MAX];
	CLEANUP_FREE struct cgroup_hierarchies *h = own_cgroup(path);
	uint64_t id;

	if (!h)
		return;
	ck_assert_int_eq(cgroup_id_of_path(h, path, &id), 0);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(cgroup_path_of_id(h, 0, id, out, sizeof(out)), -ENOENT);
}
END_TEST

START_TEST(test_refused_paths)
{
	char path[PATH_MAX + 64];
	CLEANUP_FREE struct cgroup_hierarchies *h = own_cgroup(path);
	uint64_t id = 7;

	if (!h)
		return;
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(cgroup_id_of_path(h, "", &id), -EINVAL);
	ck_assert_int_eq(cgroup_id_of_path(h, "/a/../b", &id), -EINVAL);
	ck_assert_int_eq(cgroup_id_of_path(h, "..", &id), -EINVAL);
	ck_assert_int_eq(cgroup_id_of_path(h, "/no..such", &id), -ENOENT);
	ck_assert_int_eq(cgroup_id_of_path(h, "/tmp", &id), -EXDEV);
	ck_assert_int_eq(cgroup_id_of_path(h, "/etc/passwd", &id), -EXDEV);
	ck_assert_int_eq(cgroup_id_of_path(h, "cgroup.procs", &id), -EXDEV);
	ck_assert_uint_eq(id, 7);
	h->unified.point[0] = '\0';
	ck_assert_int_eq(cgroup_id_of_path(h, "/x", &id), -ENODEV);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cgroup");
	TCase *tcase = tcase_create("cgroup");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_v2);
	tcase_add_test(tcase, test_hybrid);
	tcase_add_test(tcase, test_v1);
	tcase_add_test(tcase, test_v2_with_a_named_hierarchy);
	tcase_add_test(tcase, test_in_a_container);
	tcase_add_test(tcase, test_odd_files);
	tcase_add_test(tcase, test_v1_of_this_node);
	tcase_add_test(tcase, test_gone_by_handle);
	tcase_add_test(tcase, test_refused_paths);
	tcase_add_test(tcase, test_ids_and_paths);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
