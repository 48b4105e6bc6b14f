/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which container and pod a cgroup path stands for. Pure: from the words of the path alone, so it
 * also works for cgroups that have gone. Names come from container_names.h.
 *
 * In nested containers (kind, docker in docker) the innermost one counts. The monitors of a
 * container (conmon, lxc.monitor, the supervisor of nspawn) are not inside of it.
 */
#ifndef LINEAGED_CONTAINER_H
#define LINEAGED_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#define CONTAINER_ID_SIZE      129 /* 64 hexadecimal digits, or a name that the runtime chose */
#define CONTAINER_POD_UID_SIZE 37  /* 8-4-4-4-12 */
#define CONTAINER_NO_UID       UINT32_MAX

struct container {
	char id[CONTAINER_ID_SIZE]; /* "": none */
	/* docker, containerd, cri-o, podman, systemd-nspawn, lxc, buildkit; NULL: the path does not
	 * tell */
	const char *runtime;
	char pod_uid[CONTAINER_POD_UID_SIZE]; /* as in Kubernetes, with dashes; "": none */
	uint32_t owner_uid; /* whose service manager runs it (rootless), or CONTAINER_NO_UID */
};

/*
 * path is from the root of the hierarchy, as in /proc/PID/cgroup. True if there is a container or a
 * pod; *ret_container is set in any case.
 */
bool container_parse(const char *path, struct container *ret_container);

#endif
