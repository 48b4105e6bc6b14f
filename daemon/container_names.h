/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of containers and pods from what the runtimes leave on the node: state files and log
 * directories, read at the time of recording. No socket, no API server, nothing is written.
 *
 * Best effort: a runtime may keep its state elsewhere or write it a moment later. What is not found
 * stays empty and the caller may ask again.
 */
#ifndef LINEAGED_CONTAINER_NAMES_H
#define LINEAGED_CONTAINER_NAMES_H

#include <stdbool.h>

#include "daemon/container.h"

/* Texts are valid UTF-8 and end in NUL; "" is unknown. Longer ones are cut. */
struct container_names {
	char container_name[256];
	char image_name[512];
	char pod_name[256]; /* Kubernetes allows 253 */
	char pod_namespace[64];
	char pod_uid[CONTAINER_POD_UID_SIZE];
	const char *runtime; /* where the names came from; NULL: nothing was found */
};

/* root: "" for the node itself, else the directory that stands for /. True if anything was found.
 */
bool container_names_resolve(const char *root, const struct container *container,
			     struct container_names *ret_names);

/*
 * For a path in which container_parse() sees nothing: /NAMESPACE/ID is a container of containerd if
 * containerd has such a task. Sets id and runtime.
 */
bool container_names_identify(const char *root, const char *path, struct container *container);

#endif
