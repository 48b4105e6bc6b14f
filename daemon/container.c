/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources of the forms: both cgroup drivers of the kubelet (systemd: slices and scopes; cgroupfs:
 * plain directories), docker, containerd, CRI-O and podman as they name their cgroups,
 * systemd-nspawn@.service, LXC's lxc.payload. A path is read from its leaf towards the root; the
 * first component that names a container ends the search for one, and likewise for a pod. The
 * owner is whoever's service manager comes first outside of the container.
 *
 * Whoever may make cgroups inside of a container may give them such names as well. So the id says
 * what the path says; the path itself is recorded beside it.
 */
#include "daemon/container.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/cleanup.h"

/* Deepest path that is looked at; the kernel's paths have fewer than 2048 components. */
#define CONTAINER_DEPTH_MAX 64

/* A piece of the path, not ended by NUL. */
struct word {
	const char *text;
	size_t length;
};

static bool word_is(struct word word, const char *text)
{
	return strlen(text) == word.length && memcmp(word.text, text, word.length) == 0;
}

static bool word_strip_prefix(struct word *word, const char *prefix)
{
	size_t n = strlen(prefix);

	if (word->length < n || memcmp(word->text, prefix, n))
		return false;
	word->text += n;
	word->length -= n;
	return true;
}

static bool word_strip_suffix(struct word *word, const char *suffix)
{
	size_t n = strlen(suffix);

	if (word->length < n || memcmp(word->text + word->length - n, suffix, n))
		return false;
	word->length -= n;
	return true;
}

static bool word_is_hex(struct word word, size_t length)
{
	if (word.length != length)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)word.text[i]) &&
		    (word.text[i] < 'a' || word.text[i] > 'f'))
			return false;
	}
	return true;
}

/* What runtimes and machine names allow; everything else is somebody playing. */
static bool word_is_name(struct word word)
{
	if (!word.length || word.length >= CONTAINER_ID_SIZE || *word.text == '.')
		return false;
	for (size_t i = 0; i < word.length; i++) {
		if (!isalnum((unsigned char)word.text[i]) && !strchr("._-+:@", word.text[i]))
			return false;
	}
	return true;
}

static void set_id(struct container *container, const char *runtime, struct word id)
{
	memcpy(container->id, id.text, id.length);
	container->id[id.length] = '\0';
	container->runtime = runtime;
}

/* PREFIX<64 hex>[.scope]. Monitors have a word between prefix and digits, and so do not match. */
static const struct {
	const char *prefix;
	const char *runtime;
} scopes[] = {
	{"docker-", "docker"},	    {"cri-containerd-", "containerd"},
	{"crio-", "cri-o"},	    {"libpod-payload-", "podman"}, /* --cgroups=split */
	{"libpod-", "podman"},	    {"nerdctl-", "containerd"},
	{"cri-dockerd-", "docker"},
};

static bool parse_scope(struct word word, struct container *container)
{
	word_strip_suffix(&word, ".scope");
	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
		struct word id = word;

		if (!word_strip_prefix(&id, scopes[i].prefix) || !word_is_hex(id, 64))
			continue;
		set_id(container, scopes[i].runtime, id);
		return true;
	}
	return false;
}

/* SLICE:PREFIX:<64 hex>, what runc makes of a systemd path where it does not use systemd. */
static bool parse_colons(struct word word, struct container *container)
{
	const char *last = memrchr(word.text, ':', word.length);
	const char *first = last ? memrchr(word.text, ':', last - word.text) : NULL;
	struct word id, prefix;

	if (!first)
		return false;
	id = (struct word){last + 1, word.text + word.length - last - 1};
	prefix = (struct word){first + 1, last - first - 1};
	if (!word_is_hex(id, 64))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
		if (prefix.length + 1 == strlen(scopes[i].prefix) &&
		    memcmp(prefix.text, scopes[i].prefix, prefix.length) == 0) {
			set_id(container, scopes[i].runtime, id);
			return true;
		}
	}
	return false;
}

/* Where podman manages cgroups itself, a pod's has its id alone, and the monitors are in there,
 * too. */
static bool is_podman_pod(struct word parent, struct word child)
{
	return word_is(parent, "libpod_parent") || word_is(child, "conmon");
}

/* 64 hex alone, or 32 hex and a number (ECS on Fargate): the parent may tell the runtime. */
static bool parse_bare(struct word word, struct word parent, struct word grandparent,
		       struct word child, struct container *container)
{
	struct word task = {word.text, 32};

	if (word_is_hex(word, 64) && !is_podman_pod(parent, child)) {
		/* ECS agents run docker; their cgroups are /ecs/TASK/ID. */
		bool docker = word_is(parent, "docker") || word_is(grandparent, "ecs");

		set_id(container, docker ? "docker" : NULL, word);
		return true;
	}
	if (word_is(grandparent, "ecs") && word.length > 33 && word_is_hex(task, 32) &&
	    word.text[32] == '-' && word_is_name(word)) {
		set_id(container, NULL, word);
		return true;
	}
	return false;
}

/*
 * /NAMESPACE/ID at the top: containerd without systemd and without a parent cgroup (ctr, nerdctl).
 * Only namespaces that are its own by custom: /user/x is something else.
 */
static bool parse_namespace(struct word word, struct word parent, bool at_top,
			    struct container *container)
{
	static const char *const namespaces[] = {"default", "k8s.io", "moby", "nerdctl"};

	if (word_is(parent, "buildkit") && word.length == 25 && word_is_name(word)) {
		set_id(container, "buildkit", word);
		return true;
	}
	for (size_t i = 0; at_top && i < ARRAY_SIZE(namespaces); i++) {
		if (!word_is(parent, namespaces[i]) || !word_is_name(word))
			continue;
		set_id(container, "containerd", word);
		return true;
	}
	return false;
}

/* Unit names write '-' as \x2d. Gives a name that fits, or "". */
static void unescape_unit(struct word word, char out[CONTAINER_ID_SIZE])
{
	char digits[3] = "", *end;
	size_t n = 0;

	for (size_t i = 0; i < word.length && n + 1 < CONTAINER_ID_SIZE; i++) {
		if (word.text[i] == '\\' && i + 3 < word.length && word.text[i + 1] == 'x') {
			memcpy(digits, word.text + i + 2, 2);
			out[n++] = (char)strtoul(digits, &end, 16);
			i += 3;
		} else {
			out[n++] = word.text[i];
		}
	}
	out[n] = '\0';
	if (!word_is_name((struct word){out, strlen(out)}) || strlen(out) != n)
		out[0] = '\0';
}

/* systemd-nspawn@NAME.service, or machine-NAME.scope when started by hand. */
static bool parse_nspawn(struct word word, struct word child, struct container *container)
{
	char name[CONTAINER_ID_SIZE];

	if (word_is(child, "supervisor"))
		return false;
	if (word_strip_prefix(&word, "systemd-nspawn@")) {
		if (!word_strip_suffix(&word, ".service"))
			return false;
	} else if (!word_strip_prefix(&word, "machine-") || !word_strip_suffix(&word, ".scope")) {
		return false;
	}
	unescape_unit(word, name);
	/* libvirt registers its virtual machines in the same way. */
	if (!*name || strncmp(name, "qemu-", 5) == 0)
		return false;
	if (strncmp(name, "lxc-", 4) == 0)
		set_id(container, "lxc", (struct word){name, strlen(name)});
	else
		set_id(container, "systemd-nspawn", (struct word){name, strlen(name)});
	return true;
}

/* lxc.payload.NAME, lxc.payload/NAME, lxc/NAME */
static bool parse_lxc(struct word word, struct word parent, struct container *container)
{
	if (!word_strip_prefix(&word, "lxc.payload.") && !word_is(parent, "lxc.payload") &&
	    !word_is(parent, "lxc"))
		return false;
	if (!word_is_name(word))
		return false;
	set_id(container, "lxc", word);
	return true;
}

/* The uid of a pod: 8-4-4-4-12 with '-' or '_', or 32 hex (pods from files). */
static bool parse_pod_uid(struct word word, char out[CONTAINER_POD_UID_SIZE])
{
	static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";

	if (word_is_hex(word, 32)) {
		memcpy(out, word.text, 32);
		out[32] = '\0';
		return true;
	}
	if (word.length != strlen(form))
		return false;
	for (size_t i = 0; i < word.length; i++) {
		char c = word.text[i];

		if (form[i] == '-' ? c != '-' && c != '_' : !isxdigit((unsigned char)c))
			return false;
	}
	for (size_t i = 0; i < word.length; i++)
		out[i] = form[i] == '-' ? '-' : word.text[i];
	out[word.length] = '\0';
	return true;
}

/* podUID, or kubepods[-QOS]-podUID.slice, there perhaps with :cri-containerd:ID behind it. */
static bool parse_pod(struct word word, char out[CONTAINER_POD_UID_SIZE])
{
	const char *colon = memchr(word.text, ':', word.length);

	if (colon)
		word.length = colon - word.text;
	if (word_strip_prefix(&word, "pod"))
		return parse_pod_uid(word, out);
	/* kind and others put a prefix before kubepods */
	if (!word_strip_suffix(&word, ".slice") || !memmem(word.text, word.length, "kubepods", 8))
		return false;
	for (size_t i = 0; i + 4 < word.length; i++) {
		if (memcmp(word.text + i, "-pod", 4))
			continue;
		if (parse_pod_uid((struct word){word.text + i + 4, word.length - i - 4}, out))
			return true;
	}
	return false;
}

static void parse_owner(struct word word, struct container *container)
{
	unsigned long uid;
	char digits[16];

	if (!word_strip_prefix(&word, "user@") || !word_strip_suffix(&word, ".service") ||
	    !word.length || word.length > 10)
		return;
	memcpy(digits, word.text, word.length);
	digits[word.length] = '\0';
	if (strspn(digits, "0123456789") != word.length)
		return;
	uid = strtoul(digits, NULL, 10);
	if (uid < CONTAINER_NO_UID)
		container->owner_uid = (uint32_t)uid;
}

/* The components; of a path that is too deep the last ones. */
static size_t split(const char *path, struct word words[CONTAINER_DEPTH_MAX])
{
	size_t n = 0;

	while (*path) {
		size_t length = strcspn(path, "/");

		if (length && n == CONTAINER_DEPTH_MAX) {
			memmove(words, words + 1, (n - 1) * sizeof(words[0]));
			n--;
		}
		if (length)
			words[n++] = (struct word){path, length};
		path += length;
		path += strspn(path, "/");
	}
	return n;
}

static bool parse_word(const struct word *words, size_t i, size_t count,
		       struct container *container)
{
	static const struct word none = {"", 0};
	struct word word = words[i];
	struct word parent = i ? words[i - 1] : none;
	struct word grandparent = i > 1 ? words[i - 2] : none;
	struct word child = i + 1 < count ? words[i + 1] : none;

	return parse_scope(word, container) || parse_colons(word, container) ||
	       parse_bare(word, parent, grandparent, child, container) ||
	       parse_nspawn(word, child, container) || parse_lxc(word, parent, container) ||
	       parse_namespace(word, parent, i == 1, container);
}

bool container_parse(const char *path, struct container *ret_container)
{
	struct word words[CONTAINER_DEPTH_MAX];
	size_t count = split(path, words);

	*ret_container = (struct container){.owner_uid = CONTAINER_NO_UID};
	for (size_t i = count; i-- > 0;) {
		if (!*ret_container->id)
			parse_word(words, i, count, ret_container);
		if (!*ret_container->pod_uid)
			parse_pod(words[i], ret_container->pod_uid);
		/* Users of the inside are none of the node's. */
		if (*ret_container->id && ret_container->owner_uid == CONTAINER_NO_UID)
			parse_owner(words[i], ret_container);
	}
	return *ret_container->id || *ret_container->pod_uid;
}
