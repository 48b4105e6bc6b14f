/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/container.c: paths as the runtimes make them, and what tries to look like one. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/container.h"
#include "schema/cleanup.h"

#define A      "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
#define B      "ffffffff00000000ffffffff00000000ffffffff00000000ffffffff00000000"
#define P      "12345678-9abc-def0-1234-56789abcdef0"
#define P_     "12345678_9abc_def0_1234_56789abcdef0"
#define Q      "00000000-aaaa-bbbb-cccc-dddddddddddd"
#define P32    "123456789abcdef0123456789abcdef0"
#define NOBODY CONTAINER_NO_UID

static const struct row {
	const char *path;
	const char *id; /* NULL: none */
	const char *runtime;
	const char *pod_uid;
	uint32_t owner;
} rows[] = {
	/* docker */
	{"/system.slice/docker-" A ".scope", A, "docker", NULL, NOBODY},
	{"/docker/" A, A, "docker", NULL, NOBODY},
	{"/docker/" A "/init.scope", A, "docker", NULL, NOBODY},
	{"/custom/" A, A, NULL, NULL, NOBODY},
	{"/system.slice:docker:" A, A, "docker", NULL, NOBODY},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" A ".scope", A, "docker",
	 NULL, 1000},
	{"/system.slice/docker.service", NULL, NULL, NULL, NOBODY},
	{"/docker", NULL, NULL, NULL, NOBODY},
	{"/docker/buildkit/qf5sxyqfo8d0fk1rr1h21xdar", "qf5sxyqfo8d0fk1rr1h21xdar", "buildkit",
	 NULL, NOBODY},
	/* Kubernetes, systemd driver: burstable, best effort, guaranteed; containerd, CRI-O, docker
	 */
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" P_
	 ".slice/cri-containerd-" A ".scope",
	 A, "containerd", P, NOBODY},
	{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" P_
	 ".slice/cri-containerd-" A ".scope",
	 A, "containerd", P, NOBODY},
	{"/kubepods.slice/kubepods-pod" P_ ".slice/cri-containerd-" A ".scope", A, "containerd", P,
	 NOBODY},
	{"/kubepods.slice/kubepods-pod" P_ ".slice/crio-" A ".scope", A, "cri-o", P, NOBODY},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" P_ ".slice/crio-" A
	 ".scope/container",
	 A, "cri-o", P, NOBODY},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" P_ ".slice/docker-" A
	 ".scope",
	 A, "docker", P, NOBODY},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" P32
	 ".slice/cri-containerd-" A ".scope",
	 A, "containerd", P32, NOBODY},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" P_ ".slice", NULL, NULL,
	 P, NOBODY},
	{"/kubepods.slice/kubepods-burstable.slice", NULL, NULL, NULL, NOBODY},
	{"/kubepods.slice/kubepods-pod" P_ ".slice/crio-conmon-" A ".scope", NULL, NULL, P, NOBODY},
	{"/system.slice/crio-conmon-" A ".scope", NULL, NULL, NULL, NOBODY},
	{"/system.slice/containerd.service/kubepods-burstable-pod" P_ ".slice:cri-containerd:" A, A,
	 "containerd", P, NOBODY},
	{"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
	 "kubelet-kubepods-burstable-pod" P_ ".slice/cri-containerd-" A ".scope",
	 A, "containerd", P, NOBODY},
	/* Kubernetes, cgroupfs driver */
	{"/kubepods/burstable/pod" P "/" A, A, NULL, P, NOBODY},
	{"/kubepods/besteffort/pod" P "/" A, A, NULL, P, NOBODY},
	{"/kubepods/pod" P "/" A, A, NULL, P, NOBODY},
	{"/kubepods/burstable/pod" P32 "/" A, A, NULL, P32, NOBODY},
	{"/kubepods/burstable/pod" P "/crio-" A, A, "cri-o", P, NOBODY},
	{"/kubepods/burstable/pod" P, NULL, NULL, P, NOBODY},
	{"/k8s.io/" A, A, NULL, NULL, NOBODY},
	/* nested: kind, docker in docker, a pod that runs docker */
	{"/docker/" B "/kubelet/kubepods/burstable/pod" P "/" A, A, NULL, P, NOBODY},
	{"/system.slice/docker-" B ".scope/kubelet.slice/kubelet-kubepods.slice/"
	 "kubelet-kubepods-pod" P_ ".slice/cri-containerd-" A ".scope",
	 A, "containerd", P, NOBODY},
	{"/docker/" B "/docker/" A, A, "docker", NULL, NOBODY},
	{"/kubepods/burstable/pod" P "/" B "/docker/" A, A, "docker", P, NOBODY},
	{"/kubepods/pod" Q "/" B "/kubepods/pod" P "/" A, A, NULL, P, NOBODY},
	{"/docker/" A "/libpod_parent/conmon", A, "docker", NULL, NOBODY},
	{"/docker/" A "/libpod-conmon-" B ".scope", A, "docker", NULL, NOBODY},
	/* podman */
	{"/machine.slice/libpod-" A ".scope", A, "podman", NULL, NOBODY},
	{"/machine.slice/libpod-" A ".scope/container", A, "podman", NULL, NOBODY},
	{"/machine.slice/machine-libpod_pod_" B ".slice/libpod-" A ".scope/container", A, "podman",
	 NULL, NOBODY},
	{"/libpod_parent/libpod-" A, A, "podman", NULL, NOBODY},
	{"/libpod_parent/" B "/libpod-" A, A, "podman", NULL, NOBODY},
	{"/libpod_parent/" B "/libpod-" A "/init.scope", A, "podman", NULL, NOBODY},
	{"/libpod_parent/" B, NULL, NULL, NULL, NOBODY},
	{"/libpod_parent/" B "/conmon", NULL, NULL, NULL, NOBODY},
	{"/libpod_parent/conmon", NULL, NULL, NULL, NOBODY},
	{"/custom/" B "/conmon", NULL, NULL, NULL, NOBODY},
	{"/docker/" A "/libpod_parent/" B "/conmon", A, "docker", NULL, NOBODY},
	{"/machine.slice/libpod-conmon-" A ".scope", NULL, NULL, NULL, NOBODY},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" A ".scope/container", A,
	 "podman", NULL, 1000},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-conmon-" A ".scope", NULL,
	 NULL, NULL, NOBODY},
	{"/user.slice/user-77.slice/user@77.service/app.slice/web.service/libpod-payload-" A, A,
	 "podman", NULL, 77},
	{"/system.slice/web.service/runtime", NULL, NULL, NULL, NOBODY},
	/* A user's session inside of a container says nothing about who runs the container. */
	{"/machine.slice/libpod-" A ".scope/container/user.slice/user-1000.slice/user@1000.service/"
	 "app.slice/x.service",
	 A, "podman", NULL, NOBODY},
	{"/user.slice/user-77.slice/user@77.service/user.slice/libpod-" A
	 ".scope/container/user.slice/user-1000.slice/user@1000.service/init.scope",
	 A, "podman", NULL, 77},
	{"/lxc.payload.c1/user.slice/user-1000.slice/user@1000.service/init.scope", "c1", "lxc",
	 NULL, NOBODY},
	/* containerd by ctr and nerdctl */
	{"/default/web-1", "web-1", "containerd", NULL, NOBODY},
	{"/default/" A, A, NULL, NULL, NOBODY},
	{"/system.slice/nerdctl-" A ".scope", A, "containerd", NULL, NOBODY},
	{"/a/default/web-1", NULL, NULL, NULL, NOBODY},
	/* nspawn, LXC, libvirt */
	{"/machine.slice/systemd-nspawn@build.service/payload", "build", "systemd-nspawn", NULL,
	 NOBODY},
	{"/machine.slice/systemd-nspawn@build.service", "build", "systemd-nspawn", NULL, NOBODY},
	{"/machine.slice/systemd-nspawn@a\\x2db.service/payload/system.slice/cron.service", "a-b",
	 "systemd-nspawn", NULL, NOBODY},
	{"/machine.slice/systemd-nspawn@build.service/supervisor", NULL, NULL, NULL, NOBODY},
	{"/machine.slice/machine-sid.scope/payload/init.scope", "sid", "systemd-nspawn", NULL,
	 NOBODY},
	{"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator", NULL, NULL, NULL,
	 NOBODY},
	{"/machine.slice/machine-lxc\\x2d9\\x2dweb.scope", "lxc-9-web", "lxc", NULL, NOBODY},
	{"/lxc.payload.c1/system.slice/ssh.service", "c1", "lxc", NULL, NOBODY},
	{"/lxc.payload/c1", "c1", "lxc", NULL, NOBODY},
	{"/lxc/101/ns/init.scope", "101", "lxc", NULL, NOBODY},
	{"/lxc.monitor.c1", NULL, NULL, NULL, NOBODY},
	{"/lxc.payload.c1/system.slice/docker-" A ".scope", A, "docker", NULL, NOBODY},
	/* ECS */
	{"/ecs/55091c13-b8cf-4801-b527-f4601742204d/" A, A, "docker", NULL, NOBODY},
	{"/ecs/cluster/55091c13b8cf4801b527f4601742204d/" A, A, NULL, NULL, NOBODY},
	{"/ecs/34dc0b5e626f2c5c4c5170e34b10e765/34dc0b5e626f2c5c4c5170e34b10e765-1234567890",
	 "34dc0b5e626f2c5c4c5170e34b10e765-1234567890", NULL, NULL, NOBODY},
	/* no container */
	{"/", NULL, NULL, NULL, NOBODY},
	{"", NULL, NULL, NULL, NOBODY},
	{"/init.scope", NULL, NULL, NULL, NOBODY},
	{"/system.slice/ssh.service", NULL, NULL, NULL, NOBODY},
	{"/user.slice/user-0.slice/session-3.scope", NULL, NULL, NULL, NOBODY},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-x-1.scope", NULL, NULL,
	 NULL, NOBODY},
	/* look-alikes and hostile ones */
	{"/docker/0a1b2c3d", NULL, NULL, NULL, NOBODY},
	{"/system.slice/docker-" A "0.scope", NULL, NULL, NULL, NOBODY},
	{"/system.slice/"
	 "docker-0A1B2C3D4E5F60718293A4B5C6D7E8F90A1B2C3D4E5F60718293A4B5C6D7E8F9.scope",
	 NULL, NULL, NULL, NOBODY},
	{"/system.slice/xdocker-" A ".scope", NULL, NULL, NULL, NOBODY},
	{"/kubepods/podnot-a-uid/" A, A, NULL, NULL, NOBODY},
	{"/kubepods/pod12345678-9abc-def0-1234-56789abcdefg", NULL, NULL, NULL, NOBODY},
	{"/lxc.payload.\x1b[31m", NULL, NULL, NULL, NOBODY},
	{"/lxc.payload.", NULL, NULL, NULL, NOBODY},
	{"/machine.slice/systemd-nspawn@\\x00.service", NULL, NULL, NULL, NOBODY},
	{"/machine.slice/systemd-nspawn@a\\x2", NULL, NULL, NULL, NOBODY},
	{"/user@99999999999.service/user@4294967295.service/x", NULL, NULL, NULL, NOBODY},
	{":::", NULL, NULL, NULL, NOBODY},
};

static void check_text(const char *path, const char *what, const char *got, const char *want)
{
	ck_assert_msg(strcmp(got ? got : "", want ? want : "") == 0, "%s: %s is \"%s\", not \"%s\"",
		      path, what, got ? got : "", want ? want : "");
}

START_TEST(test_paths)
{
	const struct row *row = &rows[_i];
	struct container c;
	bool found = container_parse(row->path, &c);

	ck_assert_msg(found == (row->id || row->pod_uid), "%s", row->path);
	check_text(row->path, "id", c.id, row->id);
	check_text(row->path, "runtime", c.runtime, row->runtime);
	check_text(row->path, "pod uid", c.pod_uid, row->pod_uid);
	ck_assert_msg(c.owner_uid == row->owner, "%s: owner %u", row->path, c.owner_uid);
}
END_TEST

START_TEST(test_deep_paths)
{
	char path[8192] = "";
	struct container c;
	size_t n = 0;

	for (int i = 0; i < 1000; i++)
		n += sprintf(path + n, "/d%d", i);
	ck_assert(!container_parse(path, &c));
	sprintf(path + n, "/docker/" A);
	ck_assert(container_parse(path, &c));
	ck_assert_str_eq(c.id, A);
	memset(path, '/', sizeof(path) - 1);
	ck_assert(!container_parse(path, &c));
	memset(path, 'a', sizeof(path) - 1);
	memcpy(path, "/lxc.payload.", 13);
	ck_assert(!container_parse(path, &c));
}
END_TEST

/* Words of real paths in any order: ids stay what was allowed, and sanitizers see no step too far.
 */
START_TEST(test_random_paths)
{
	static const char *const words[] = {"docker",
					    A,
					    "docker-" A ".scope",
					    "lxc",
					    "lxc.payload.x",
					    "ecs",
					    "supervisor",
					    "kubepods",
					    "pod" P,
					    "-pod",
					    ".slice",
					    "kubepods-pod" P_ ".slice",
					    ":",
					    "user@",
					    "user@1.service",
					    "/",
					    "\\x",
					    "\\x2d",
					    ".scope",
					    "machine-",
					    "machine-a.scope",
					    "default",
					    "\xff",
					    "systemd-nspawn@",
					    ".service",
					    "cri-containerd:" A,
					    "cri-containerd"};
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-+:@";
	struct container c;

	srandom(1);
	for (int i = 0; i < 50000; i++) {
		char path[2048] = "";

		for (int j = random() % 12; j >= 0; j--) {
			strcat(path, words[random() % ARRAY_SIZE(words)]);
			if (random() % 3)
				strcat(path, "/");
		}
		container_parse(path, &c);
		ck_assert_uint_lt(strlen(c.id), CONTAINER_ID_SIZE);
		ck_assert(strspn(c.id, allowed) == strlen(c.id));
		ck_assert(!*c.pod_uid || strlen(c.pod_uid) == 36 || strlen(c.pod_uid) == 32);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("container");
	TCase *tcase = tcase_create("container");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, test_paths, 0, ARRAY_SIZE(rows));
	tcase_add_test(tcase, test_deep_paths);
	tcase_add_test(tcase, test_random_paths);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
