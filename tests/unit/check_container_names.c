/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/container_names.c and container_state.c against made-up nodes below /tmp. */
#include <check.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <json-c/json.h>

#include "daemon/container_names.h"
#include "daemon/container_state.h"
#include "schema/cleanup.h"

#define A   "d67c7d04700283ed131b56371851b19aabe13818e3c0926332db453a0a6a9163"
#define B   "ecfa796b53a4f4971ca396fcc1b9c7001508d76fc4194874c579991cfc7e9d13"
#define P   "12345678-9abc-def0-1234-56789abcdef0"
#define P_  "12345678_9abc_def0_1234_56789abcdef0"
#define POD "/kubepods.slice/kubepods-pod" P_ ".slice"
#define CRI "io.kubernetes.cri."

/* As podman 4.3 wrote it, one container with and one without --rm. */
#define PODMAN_JSON                                                                       \
	"[{\"id\":\"" A "\",\"names\":[\"shop\"],"                                        \
	"\"image\":\"d2b05e76808b20a1b4dac242dc154f34b8bf15b9acf42134deb0058d703e5283\"," \
	"\"layer\":\"96f59d8065a682efd555ad737929de6180a18fe19dafa0087f085524aaf509de\"," \
	"\"metadata\":\"{\\\"image-name\\\":\\\"example.org/web:1\\\",\\\"image-id\\\":"  \
	"\\\"d2b05e76808b20a1b4dac242dc154f34b8bf15b9acf42134deb0058d703e5283\\\","       \
	"\\\"name\\\":\\\"shop\\\",\\\"created-at\\\":1795235421}\","                     \
	"\"created\":\"2026-11-21T04:30:21.359178988Z\","                                 \
	"\"flags\":{\"MountLabel\":\"\",\"ProcessLabel\":\"\"}},"                         \
	"{\"id\":\"" B "\",\"names\":[\"gone\"],"                                         \
	"\"metadata\":\"{\\\"image-name\\\":\\\"example.org/web:1\\\",\\\"name\\\":"      \
	"\\\"gone\\\"}\",\"flags\":{\"Volatile\":true}}]"

static char root[64];

static void setup(void)
{
	strcpy(root, "/tmp/check_names.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

/* Below the root, with its directories; the name in the real tree comes back. */
static const char *make_path(const char *path)
{
	static char full[1024];

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	return full;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(make_path(path), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static bool resolve(const char *path, struct container_names *ret)
{
	struct container c;

	ck_assert_msg(container_parse(path, &c), "%s", path);
	return container_names_resolve(root, &c, ret);
}

START_TEST(test_podman)
{
	struct container_names n;

	ck_assert(!resolve("/machine.slice/libpod-" A ".scope/container", &n));
	write_file("/var/lib/containers/storage/overlay-containers/containers.json", PODMAN_JSON);
	ck_assert(resolve("/machine.slice/libpod-" A ".scope/container", &n));
	ck_assert_str_eq(n.container_name, "shop");
	ck_assert_str_eq(n.image_name, "example.org/web:1");
	ck_assert_str_eq(n.runtime, "podman");
	ck_assert_str_eq(n.pod_name, "");
	ck_assert(resolve("/machine.slice/libpod-" B ".scope", &n));
	ck_assert_str_eq(n.container_name, "gone");
	ck_assert(!resolve("/machine.slice/"
			   "libpod-0000000000000000000000000000000000000000000000000000000000000000"
			   ".scope",
			   &n));
}
END_TEST

START_TEST(test_podman_volatile)
{
	struct container_names n;

	write_file("/var/lib/containers/storage/overlay-containers/containers.json", "[]");
	write_file("/var/lib/containers/storage/overlay-containers/volatile-containers.json",
		   PODMAN_JSON);
	ck_assert(resolve("/machine.slice/libpod-" B ".scope", &n));
	ck_assert_str_eq(n.container_name, "gone");
}
END_TEST

#define ROOTLESS "/user.slice/user-4711.slice/user@4711.service/user.slice/libpod-" A ".scope"

START_TEST(test_podman_rootless)
{
	const char *path = "/home/eve/.local/share/containers/storage/overlay-containers/"
			   "containers.json";
	struct container_names n;

	write_file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nbad line\n"
				  "eve:x:4711:4711::/home/eve:/bin/sh\n");
	write_file(path, PODMAN_JSON);
	/* not by way of root's storage */
	write_file("/var/lib/containers/storage/overlay-containers/containers.json", "[]");
	if (chown(make_path(path), 4711, 4711) < 0) {
		fprintf(stderr, "skipped: may not change the owner of a file here\n");
		return;
	}
	ck_assert(resolve(ROOTLESS, &n));
	ck_assert_str_eq(n.container_name, "shop");
	/* Another user's file is none of eve's. */
	ck_assert_int_eq(chown(make_path(path), 4712, 4712), 0);
	ck_assert(!resolve(ROOTLESS, &n));
	/* A user's file may be smaller only. */
	ck_assert_int_eq(truncate(make_path(path), (512 << 10) + 1), 0);
	ck_assert_int_eq(chown(make_path(path), 4711, 4711), 0);
	ck_assert(!resolve(ROOTLESS, &n));
}
END_TEST

START_TEST(test_docker)
{
	struct container_names n;

	write_file("/var/lib/docker/containers/" A "/config.v2.json",
		   "{\"ID\":\"" A "\",\"Name\":\"/web\",\"Config\":{\"Image\":\"nginx:1\","
		   "\"Labels\":{}}}");
	ck_assert(resolve("/system.slice/docker-" A ".scope", &n));
	ck_assert_str_eq(n.container_name, "web");
	ck_assert_str_eq(n.image_name, "nginx:1");
	ck_assert_str_eq(n.runtime, "docker");

	write_file(
		"/var/lib/docker/containers/" B "/config.v2.json",
		"{\"Name\":\"/k8s_c_p_n_u_0\",\"Config\":{\"Image\":\"nginx@sha256:1\",\"Labels\":{"
		"\"io.kubernetes.container.name\":\"c\",\"io.kubernetes.pod.name\":\"p\","
		"\"io.kubernetes.pod.namespace\":\"n\",\"io.kubernetes.pod.uid\":\"" P "\"}}}");
	ck_assert(resolve("/kubepods/burstable/pod" P "/" B, &n));
	ck_assert_str_eq(n.container_name, "c");
	ck_assert_str_eq(n.pod_name, "p");
	ck_assert_str_eq(n.pod_namespace, "n");
	ck_assert_str_eq(n.pod_uid, P);
	ck_assert_str_eq(n.runtime, "docker");
}
END_TEST

START_TEST(test_containerd)
{
	struct container_names n;

	write_file("/run/containerd/io.containerd.runtime.v2.task/k8s.io/" A "/config.json",
		   "{\"ociVersion\":\"1.0.2\",\"annotations\":{"
		   "\"" CRI "container-name\":\"app\",\"" CRI "container-type\":\"container\","
		   "\"" CRI "image-name\":\"reg.example/app:2\",\"" CRI "sandbox-id\":\"" B "\","
		   "\"" CRI "sandbox-name\":\"app-7f\",\"" CRI "sandbox-namespace\":\"prod\","
		   "\"" CRI "sandbox-uid\":\"" P "\"}}");
	ck_assert(resolve(POD "/cri-containerd-" A ".scope", &n));
	ck_assert_str_eq(n.container_name, "app");
	ck_assert_str_eq(n.image_name, "reg.example/app:2");
	ck_assert_str_eq(n.pod_name, "app-7f");
	ck_assert_str_eq(n.pod_namespace, "prod");
	ck_assert_str_eq(n.pod_uid, P);
	ck_assert_str_eq(n.runtime, "containerd");
	/* the same under the cgroupfs driver, where the path does not tell the runtime */
	ck_assert(resolve("/kubepods/pod" P "/" A, &n));
	ck_assert_str_eq(n.runtime, "containerd");
	ck_assert_str_eq(n.container_name, "app");
}
END_TEST

START_TEST(test_containerd_namespaces)
{
	struct container_names n;
	struct container c;

	write_file("/run/containerd/io.containerd.runtime.v2.task/default/job-1/config.json", "{}");
	ck_assert(resolve("/default/job-1", &n));
	ck_assert_str_eq(n.container_name, "job-1");
	/* an own namespace is only known by its task */
	ck_assert(!container_parse("/batch/job-2", &c));
	ck_assert(!container_names_identify(root, "/batch/job-2", &c));
	write_file("/run/containerd/io.containerd.runtime.v2.task/batch/job-2/config.json",
		   "{\"annotations\":{\"nerdctl/name\":\"nightly\"}}");
	ck_assert(container_names_identify(root, "/batch/job-2", &c));
	ck_assert_str_eq(c.id, "job-2");
	ck_assert_str_eq(c.runtime, "containerd");
	ck_assert(container_names_resolve(root, &c, &n));
	ck_assert_str_eq(n.container_name, "nightly");
	ck_assert(!container_names_identify(root, "/batch/job-2/x", &c));
	ck_assert(!container_names_identify(root, "/batch/", &c));
	ck_assert(!container_names_identify(root, "/../job-2", &c));
	ck_assert(!container_names_identify(root, "/user.slice/user-0.slice", &c));
}
END_TEST

START_TEST(test_crio)
{
	struct container_names n;

	write_file("/run/containers/storage/overlay-containers/" A "/userdata/config.json",
		   "{\"annotations\":{\"io.kubernetes.cri-o.ContainerType\":\"container\","
		   "\"io.kubernetes.container.name\":\"c\",\"io.kubernetes.cri-o.ImageName\":\"i\","
		   "\"io.kubernetes.pod.name\":\"p\",\"io.kubernetes.pod.namespace\":\"n\","
		   "\"io.kubernetes.pod.uid\":\"" P "\"}}");
	ck_assert(resolve(POD "/crio-" A ".scope", &n));
	ck_assert_str_eq(n.container_name, "c");
	ck_assert_str_eq(n.image_name, "i");
	ck_assert_str_eq(n.pod_name, "p");
	ck_assert_str_eq(n.pod_namespace, "n");
	ck_assert_str_eq(n.runtime, "cri-o");
}
END_TEST

START_TEST(test_kubelet_logs)
{
	struct container_names n;

	make_path("/var/log/pods/prod_other_" A "/x/");
	make_path("/var/log/pods/prod_shop-0_" P "/app/");
	write_file("/var/log/containers/shop-0_prod_app-" A ".log", "");
	/* the runtime's own state is not to be found: an unusual directory */
	ck_assert(resolve(POD "/cri-containerd-" A ".scope", &n));
	ck_assert_str_eq(n.pod_name, "shop-0");
	ck_assert_str_eq(n.pod_namespace, "prod");
	ck_assert_str_eq(n.container_name, "app");
	ck_assert_str_eq(n.pod_uid, P);
	ck_assert_ptr_null(n.runtime);
	/* a process in the pod, not in one of its containers */
	ck_assert(resolve(POD, &n));
	ck_assert_str_eq(n.pod_name, "shop-0");
	ck_assert_str_eq(n.container_name, "");
}
END_TEST

START_TEST(test_named_by_themselves)
{
	struct container_names n;

	ck_assert(resolve("/lxc.payload.c1", &n));
	ck_assert_str_eq(n.container_name, "c1");
	ck_assert(resolve("/machine.slice/systemd-nspawn@build.service/payload", &n));
	ck_assert_str_eq(n.container_name, "build");
	ck_assert_str_eq(n.runtime, "systemd-nspawn");
	/* run by somebody whom /etc/passwd does not know, or with such users inside */
	ck_assert(resolve("/user.slice/user-9.slice/user@9.service/machine.slice/machine-sid.scope/"
			  "payload",
			  &n));
	ck_assert_str_eq(n.container_name, "sid");
	ck_assert(resolve("/lxc.payload.c1/user.slice/user-9.slice/user@9.service/init.scope", &n));
	ck_assert_str_eq(n.container_name, "c1");
}
END_TEST

START_TEST(test_users_inside)
{
	struct container_names n;

	/* of the node, and with a home, and none of them runs the container */
	write_file("/etc/passwd", "eve:x:4711:4711::/home/eve:/bin/sh\n");
	write_file("/var/lib/containers/storage/overlay-containers/containers.json", PODMAN_JSON);
	ck_assert(resolve("/machine.slice/libpod-" A ".scope/container/user.slice/user-4711.slice/"
			  "user@4711.service/app.slice",
			  &n));
	ck_assert_str_eq(n.container_name, "shop");
}
END_TEST

#define DOCKER_A "/var/lib/docker/containers/" A "/config.v2.json"

START_TEST(test_hostile_files)
{
	static const char *const texts[] = {
		"",
		"[",
		"null",
		"[]",
		"\"x\"",
		"{\"Name\":7,\"Config\":[]}",
		"{\"Name\":{},\"Config\":{\"Image\":[],\"Labels\":\"x\"}}",
		"{\"Config\":{\"Labels\":{\"io.kubernetes.pod.name\":{}}}}",
		"{\"Name\":\"/\xff\xfe\",\"Config\":{\"Image\":\"\xc3\"}}"};
	struct container_names n;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		write_file(DOCKER_A, texts[i]);
		resolve("/docker/" A, &n);
		ck_assert_msg(!*n.container_name && !*n.image_name && !*n.pod_name, "%s", texts[i]);
	}
	/* deeper than any real one */
	{
		char deep[8192];

		memset(deep, '[', 4000);
		memset(deep + 4000, ']', 4000);
		deep[8000] = '\0';
		write_file(DOCKER_A, deep);
		ck_assert(!resolve("/docker/" A, &n));
	}
	/* larger than the limit, a directory, a FIFO */
	ck_assert_int_eq(truncate(make_path(DOCKER_A), (4 << 20) + 1), 0);
	ck_assert(!resolve("/docker/" A, &n));
	ck_assert_int_eq(unlink(make_path(DOCKER_A)), 0);
	ck_assert_int_eq(mkfifo(make_path(DOCKER_A), 0644), 0);
	ck_assert(!resolve("/docker/" A, &n));
	ck_assert_int_eq(unlink(make_path(DOCKER_A)), 0);
	ck_assert_int_eq(mkdir(make_path(DOCKER_A), 0755), 0);
	ck_assert(!resolve("/docker/" A, &n));
}
END_TEST

START_TEST(test_links_stay_below_the_root)
{
	char outside[] = "/tmp/check_names_outside.XXXXXX", link[512];
	struct container_names n;
	int fd = mkstemp(outside);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(dprintf(fd, "{\"Name\":\"/secret\",\"Config\":{}}"), 0);
	close(fd);
	/* the last component is no link at all */
	ck_assert_int_eq(symlink(outside, make_path(DOCKER_A)), 0);
	ck_assert(!resolve("/docker/" A, &n));
	ck_assert_int_eq(unlink(make_path(DOCKER_A)), 0);
	unlink(outside);

	/* an absolute link on the way is read as the node would: /var/lib/docker -> /data/docker */
	write_file("/data/docker/containers/" A "/config.v2.json", "{\"Name\":\"/moved\"}");
	snprintf(link, sizeof(link), "rm -rf %s/var/lib/docker", root);
	ck_assert_int_eq(system(link), 0);
	ck_assert_int_eq(symlink("/data/docker", make_path("/var/lib/docker")), 0);
	ck_assert(resolve("/docker/" A, &n));
	ck_assert_str_eq(n.container_name, "moved");
	ck_assert_int_eq(unlink(make_path("/var/lib/docker")), 0);
	ck_assert_int_eq(
		symlink("../../../../../../../../data/docker", make_path("/var/lib/docker")), 0);
	ck_assert(resolve("/docker/" A, &n));
}
END_TEST

START_TEST(test_long_names_are_cut_between_characters)
{
	char text[2048] = "{\"Name\":\"/";
	struct container_names n;

	for (int i = 0; i < 200; i++)
		strcat(text, "\xe2\x82\xac");
	strcat(text, "\"}");
	write_file(DOCKER_A, text);
	ck_assert(resolve("/docker/" A, &n));
	ck_assert_uint_eq(strlen(n.container_name), 255);
	ck_assert_uint_eq(strlen(n.container_name) % 3, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("container_names");
	TCase *tcase = tcase_create("container_names");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_podman);
	tcase_add_test(tcase, test_podman_volatile);
	tcase_add_test(tcase, test_podman_rootless);
	tcase_add_test(tcase, test_docker);
	tcase_add_test(tcase, test_containerd);
	tcase_add_test(tcase, test_containerd_namespaces);
	tcase_add_test(tcase, test_crio);
	tcase_add_test(tcase, test_kubelet_logs);
	tcase_add_test(tcase, test_named_by_themselves);
	tcase_add_test(tcase, test_users_inside);
	tcase_add_test(tcase, test_hostile_files);
	tcase_add_test(tcase, test_links_stay_below_the_root);
	tcase_add_test(tcase, test_long_names_are_cut_between_characters);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
