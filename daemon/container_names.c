/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the names are (versions looked at: podman 4.3, containers/storage 1.45, docker 20.10,
 * containerd 1.6, CRI-O 1.24, kubelet 1.2x):
 *
 *   podman      STORAGE/{overlay,vfs}-containers/{,volatile-}containers.json; a user's STORAGE is
 *               below ~/.local/share/containers
 *   docker      /var/lib/docker/containers/ID/config.v2.json; labels hold the pod
 *   containerd  /run/containerd/io.containerd.runtime.v2.task/NAMESPACE/ID/config.json, annotations
 *   CRI-O       /run/containers/storage/overlay-containers/ID/userdata/config.json, annotations
 *   kubelet     /var/log/pods/NAMESPACE_POD_UID/,
 *               /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log
 */
#include "daemon/container_names.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <json-c/json.h>

#include "daemon/container_state.h"
#include "schema/cleanup.h"

/* Entries of one directory that are looked at: a node runs some hundred pods. */
#define NAMES_ENTRIES_MAX 20000
/* Namespaces of containerd that are tried. */
#define NAMES_NAMESPACES_MAX 64

#define CONTAINERD_TASKS "/run/containerd/io.containerd.runtime.v2.task"

struct names_query {
	const char *root;
	const struct container *container;
	char home[PATH_MAX / 2]; /* of container->owner_uid; "" for root's runtimes */
};

static void put_json(struct json_object **object)
{
	json_object_put(*object);
}

#define CLEANUP_JSON CLEANUP(put_json)

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define CLEANUP_DIR CLEANUP(close_dir)

static DIR *names_open_dir(const char *root, const char *path)
{
	int fd = state_open(root, path, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !dir)
		close(fd);
	return dir;
}

/* What was already found is not overwritten by a later source. */
static void names_set(char *out, size_t size, const char *text)
{
	if (!*out)
		state_copy(out, size, text);
}

#define SET(names, member, text) names_set((names)->member, sizeof((names)->member), text)

static void set_pod(struct container_names *names, struct json_object *map, const char *name,
		    const char *namespace, const char *uid)
{
	SET(names, pod_name, state_text(map, name, NULL));
	SET(names, pod_namespace, state_text(map, namespace, NULL));
	SET(names, pod_uid, state_text(map, uid, NULL));
}

/* One entry of containers.json; its "metadata" is JSON inside of a text. */
static void podman_take(struct json_object *entry, struct container_names *names)
{
	CLEANUP_JSON struct json_object *metadata = NULL;
	struct json_object *list = NULL, *first = NULL;
	const char *text = state_text(entry, "metadata", NULL);

	if (json_object_object_get_ex(entry, "names", &list) &&
	    json_object_is_type(list, json_type_array) && json_object_array_length(list))
		first = json_object_array_get_idx(list, 0);
	if (json_object_is_type(first, json_type_string))
		SET(names, container_name, json_object_get_string(first));
	metadata = text ? json_tokener_parse(text) : NULL;
	SET(names, image_name, state_text(metadata, "image-name", NULL));
	SET(names, container_name, state_text(metadata, "name", NULL));
}

static bool podman_search(const struct names_query *query, const char *path,
			  struct container_names *names)
{
	CLEANUP_JSON struct json_object *list =
		state_read_json(query->root, path, query->container->owner_uid);
	size_t count;

	if (!json_object_is_type(list, json_type_array))
		return false;
	count = json_object_array_length(list);
	for (size_t i = 0; i < count; i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		const char *id = state_text(entry, "id", NULL);

		if (!id || strcmp(id, query->container->id))
			continue;
		podman_take(entry, names);
		return true;
	}
	return false;
}

static bool podman_names(const struct names_query *query, struct container_names *names)
{
	static const char *const forms[] = {"overlay-containers/containers.json",
					    "overlay-containers/volatile-containers.json",
					    "vfs-containers/containers.json",
					    "vfs-containers/volatile-containers.json"};
	const char *storage = *query->home ? "/.local/share" : "/var/lib";
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		snprintf(path, sizeof(path), "%s%s/containers/storage/%s", query->home, storage,
			 forms[i]);
		if (podman_search(query, path, names))
			return true;
	}
	return false;
}

static bool docker_names(const struct names_query *query, struct container_names *names)
{
	const char *storage = *query->home ? "/.local/share" : "/var/lib";
	CLEANUP_JSON struct json_object *config = NULL;
	struct json_object *settings = NULL, *labels = NULL;
	char path[PATH_MAX];
	const char *name;

	snprintf(path, sizeof(path), "%s%s/docker/containers/%s/config.v2.json", query->home,
		 storage, query->container->id);
	config = state_read_json(query->root, path, query->container->owner_uid);
	if (!json_object_is_type(config, json_type_object))
		return false;
	if (json_object_object_get_ex(config, "Config", &settings) &&
	    json_object_is_type(settings, json_type_object))
		json_object_object_get_ex(settings, "Labels", &labels);
	/* The kubelet's name says more than docker's k8s_web_shop_... */
	SET(names, container_name, state_text(labels, "io.kubernetes.container.name", NULL));
	name = state_text(config, "Name", NULL);
	SET(names, container_name, name && *name == '/' ? name + 1 : name);
	SET(names, image_name, state_text(settings, "Image", NULL));
	set_pod(names, labels, "io.kubernetes.pod.name", "io.kubernetes.pod.namespace",
		"io.kubernetes.pod.uid");
	return true;
}

static bool containerd_read(const struct names_query *query, const char *namespace,
			    struct container_names *names)
{
	CLEANUP_JSON struct json_object *config = NULL;
	struct json_object *map = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), CONTAINERD_TASKS "/%s/%s/config.json", namespace,
		 query->container->id);
	config = state_read_json(query->root, path, query->container->owner_uid);
	if (!json_object_is_type(config, json_type_object))
		return false;
	json_object_object_get_ex(config, "annotations", &map);
	SET(names, container_name, state_text(map, "io.kubernetes.cri.container-name", NULL));
	SET(names, container_name, state_text(map, "nerdctl/name", NULL));
	SET(names, image_name, state_text(map, "io.kubernetes.cri.image-name", NULL));
	set_pod(names, map, "io.kubernetes.cri.sandbox-name", "io.kubernetes.cri.sandbox-namespace",
		"io.kubernetes.cri.sandbox-uid");
	/* Who runs ctr gives the id as the name. */
	if (strcmp(namespace, "k8s.io") && strlen(query->container->id) != 64)
		SET(names, container_name, query->container->id);
	return true;
}

static bool containerd_names(const struct names_query *query, struct container_names *names)
{
	CLEANUP_DIR DIR *dir = NULL;
	struct dirent *entry;

	if (containerd_read(query, "k8s.io", names) || containerd_read(query, "default", names))
		return true;
	dir = names_open_dir(query->root, CONTAINERD_TASKS);
	for (int i = 0; dir && i < NAMES_NAMESPACES_MAX && (entry = readdir(dir)); i++) {
		/* Tasks of docker carry no names: docker_names() knows them. */
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "moby") == 0)
			continue;
		if (containerd_read(query, entry->d_name, names))
			return true;
	}
	return false;
}

static bool crio_names(const struct names_query *query, struct container_names *names)
{
	static const char *const storages[] = {"/run/containers/storage",
					       "/var/lib/containers/storage"};

	for (size_t i = 0; i < ARRAY_SIZE(storages); i++) {
		CLEANUP_JSON struct json_object *config = NULL;
		struct json_object *map = NULL;
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/overlay-containers/%s/userdata/config.json",
			 storages[i], query->container->id);
		config = state_read_json(query->root, path, query->container->owner_uid);
		/* podman keeps the same file, without CRI-O's annotations */
		if (!json_object_is_type(config, json_type_object) ||
		    !json_object_object_get_ex(config, "annotations", &map) ||
		    !state_text(map, "io.kubernetes.cri-o.ContainerType", NULL))
			continue;
		SET(names, container_name, state_text(map, "io.kubernetes.container.name", NULL));
		SET(names, image_name, state_text(map, "io.kubernetes.cri-o.ImageName", NULL));
		set_pod(names, map, "io.kubernetes.pod.name", "io.kubernetes.pod.namespace",
			"io.kubernetes.pod.uid");
		return true;
	}
	return false;
}

/* In the order in which a container of unknown runtime is looked for. */
static const struct names_source {
	const char *runtime;
	bool (*find)(const struct names_query *query, struct container_names *names);
} sources[] = {
	{"containerd", containerd_names},
	{"docker", docker_names},
	{"cri-o", crio_names},
	{"podman", podman_names},
};

/* NAMESPACE_POD_UID; neither a namespace nor a pod's name has an underscore. */
static void kubelet_take_pod(const char *entry, struct container_names *names)
{
	char pod_name[sizeof(names->pod_name)], namespace[sizeof(names->pod_namespace)];

	if (sscanf(entry, "%63[^_]_%255[^_]_", namespace, pod_name) != 2)
		return;
	SET(names, pod_name, pod_name);
	SET(names, pod_namespace, namespace);
}

static bool kubelet_pod(const struct names_query *query, struct container_names *names)
{
	const char *uid = query->container->pod_uid;
	CLEANUP_DIR DIR *dir = *uid ? names_open_dir(query->root, "/var/log/pods") : NULL;
	size_t length = strlen(uid);
	struct dirent *entry;

	for (int i = 0; dir && i < NAMES_ENTRIES_MAX && (entry = readdir(dir)); i++) {
		size_t n = strlen(entry->d_name);

		if (n <= length || entry->d_name[n - length - 1] != '_' ||
		    strcmp(entry->d_name + n - length, uid))
			continue;
		kubelet_take_pod(entry->d_name, names);
		return *names->pod_name;
	}
	return false;
}

/* POD_NAMESPACE_CONTAINER-ID.log */
static bool kubelet_container(const struct names_query *query, struct container_names *names)
{
	CLEANUP_DIR DIR *dir = names_open_dir(query->root, "/var/log/containers");
	char tail[CONTAINER_ID_SIZE + 8], name[NAME_MAX + 1];
	size_t length = snprintf(tail, sizeof(tail), "-%s.log", query->container->id);
	struct dirent *entry;

	for (int i = 0; dir && i < NAMES_ENTRIES_MAX && (entry = readdir(dir)); i++) {
		size_t n = strlen(entry->d_name);
		char *first, *second;

		if (n <= length || strcmp(entry->d_name + n - length, tail))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(n - length), entry->d_name);
		first = strchr(name, '_');
		second = first ? strchr(first + 1, '_') : NULL;
		if (!second)
			return false;
		*first = *second = '\0';
		SET(names, pod_name, name);
		SET(names, pod_namespace, first + 1);
		SET(names, container_name, second + 1);
		return true;
	}
	return false;
}

static void names_from_state(const struct names_query *query, struct container_names *names)
{
	const char *runtime = query->container->runtime;

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		if (runtime && strcmp(runtime, sources[i].runtime))
			continue;
		if (!sources[i].find(query, names))
			continue;
		names->runtime = sources[i].runtime;
		return;
	}
}

/* These are known by their name only. */
static void names_from_id(const struct names_query *query, struct container_names *names)
{
	const char *runtime = query->container->runtime;

	if (runtime && (strcmp(runtime, "lxc") == 0 || strcmp(runtime, "systemd-nspawn") == 0)) {
		SET(names, container_name, query->container->id);
		names->runtime = runtime;
	}
}

bool container_names_resolve(const char *root, const struct container *container,
			     struct container_names *ret_names)
{
	struct names_query query = {.root = root, .container = container};
	bool rootless = container->owner_uid != CONTAINER_NO_UID && container->owner_uid != 0;
	bool in_kubernetes = *container->pod_uid;

	*ret_names = (struct container_names){.runtime = NULL};
	/* Without a home there is no state to look at: root's is about other containers. */
	if (*container->id && (!rootless || state_home(root, container->owner_uid, query.home,
						       sizeof(query.home)) == 0))
		names_from_state(&query, ret_names);
	if (*container->id)
		names_from_id(&query, ret_names);
	SET(ret_names, pod_uid, container->pod_uid);
	if (in_kubernetes && !*ret_names->pod_name)
		kubelet_pod(&query, ret_names);
	if (in_kubernetes && *container->id && !*ret_names->container_name)
		kubelet_container(&query, ret_names);
	return ret_names->runtime || *ret_names->pod_name || *ret_names->container_name;
}

bool container_names_identify(const char *root, const char *path, struct container *container)
{
	char namespace[64], id[CONTAINER_ID_SIZE], directory[PATH_MAX];
	CLEANUP_CLOSE int fd = -1;

	if (sscanf(path, "/%63[A-Za-z0-9._-]/%128[A-Za-z0-9._-]", namespace, id) != 2 ||
	    strlen(path) != strlen(namespace) + strlen(id) + 2 || *namespace == '.' || *id == '.')
		return false;
	snprintf(directory, sizeof(directory), CONTAINERD_TASKS "/%s/%s", namespace, id);
	fd = state_open(root, directory, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return false;
	strcpy(container->id, id);
	container->runtime = "containerd";
	return true;
}
