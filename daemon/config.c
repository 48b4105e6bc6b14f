/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assignments, from wherever they come, go through config_assign(): one place knows the table,
 * checks limits and phrases what is wrong. Loading goes on after a problem, so that all are told at
 * once.
 */
#include "daemon/config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "daemon/config_file.h"
#include "daemon/config_keys.h"
#include "daemon/config_value.h"
#include "daemon/overflow.h"
#include "schema/cleanup.h"
#include "schema/schema.h"

struct config_loader {
	const struct config_source *source;
	struct config *config;
	uint64_t replaced; /* bit per key: a list that the command line has begun anew */
	uint64_t set;	   /* bit per key: given by somebody */
	bool failed;
	bool out_of_memory;
};

static __attribute__((format(printf, 4, 5))) void
loader_report(struct config_loader *loader, bool is_error, const char *place, const char *fmt, ...)
{
	char problem[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(problem, sizeof(problem), fmt, ap);
	va_end(ap);
	loader->failed |= is_error;
	if (loader->source->report)
		loader->source->report(loader->source->userdata, is_error, place, problem);
}

static void list_clear(struct config_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct config_list){.items = NULL};
}

static int list_add(struct config_list *list, const char *text)
{
	CLEANUP_FREE char *copy = strdup(text);
	char **items;

	if (!copy)
		return -ENOMEM;
	if (list->count >= CONFIG_LIST_MAX)
		return -E2BIG;
	items = reallocarray(list->items, list->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->count++] = TAKE_PTR(copy);
	return 0;
}

/* A control character in a path or pattern is a mistake, and would forge lines of config_print().
 */
static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

static int set_path(char **place, const char *text)
{
	char *copy;

	if (!is_plain(text))
		return -EILSEQ;
	if (*text && *text != '/')
		return -EDESTADDRREQ;
	if (strlen(text) >= PATH_MAX - 16) /* room for -wal and -status.json */
		return -ENAMETOOLONG;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*place);
	*place = copy;
	return 0;
}

static int set_list(struct config_list *list, const char *text)
{
	if (!is_plain(text))
		return -EILSEQ;
	if (*text)
		return list_add(list, text);
	list_clear(list);
	return 0;
}

/* A choice of which "yes" is part can be switched on and off like any other switch. */
static int set_choice(const struct config_key *key, uint64_t *place, const char *text)
{
	bool on;
	const char *word = config_parse_bool(text, &on) == 0 ? (on ? "yes" : "no") : text;

	for (size_t i = 0; key->choices[i]; i++) {
		if (strcmp(key->choices[i], word))
			continue;
		*place = i;
		return 0;
	}
	return -EINVAL;
}

static int set_number(const struct config_key *key, uint64_t *place, const char *text)
{
	uint64_t value;
	int r;

	if (key->type == CONFIG_SIZE)
		r = config_parse_size(text, &value);
	else if (key->type == CONFIG_TIME)
		r = config_parse_time(text, &value);
	else
		r = config_parse_count(text, &value);
	if (r < 0)
		return r;
	if (!(value == 0 && key->flags & CONFIG_ZERO_IS_OFF)) {
		if (value < key->min || value > key->max)
			return -ERANGE;
		if (key->flags & CONFIG_POWER_OF_TWO && value & (value - 1))
			return -EDOM;
	}
	*place = value;
	return 0;
}

static int key_set(const struct config_key *key, struct config *config, const char *text)
{
	void *place = config_key_place(key, config);

	/* As in systemd: an empty assignment is the default again. */
	if (!*text && key->type != CONFIG_LIST && !(key->flags & CONFIG_MAY_BE_EMPTY))
		text = key->initial;
	switch (key->type) {
	case CONFIG_BOOL:
		return config_parse_bool(text, place);
	case CONFIG_CHOICE:
		return set_choice(key, place, text);
	case CONFIG_PATH:
		return set_path(place, text);
	case CONFIG_LIST:
		return set_list(place, text);
	default:
		return set_number(key, place, text);
	}
}

/* What is wrong with a value, and what would be right. */
static void key_explain(const struct config_key *key, int error, char *out, size_t size)
{
	static const char *const expected[] = {
		[CONFIG_COUNT] = "a number is needed",
		[CONFIG_SIZE] = "a size is needed, such as 32M",
		[CONFIG_TIME] = "a time span is needed, such as 30s or 7day",
		[CONFIG_BOOL] = "yes or no is needed",
		[CONFIG_PATH] = "an absolute path is needed",
		[CONFIG_LIST] = "a text without control characters is needed",
	};
	char limits[64];
	size_t n;

	if (error == -ERANGE) {
		config_key_print_limits(key, limits, sizeof(limits));
		snprintf(out, size, "must be %s%s", limits,
			 key->flags & CONFIG_ZERO_IS_OFF ? ", or 0 for no limit" : "");
	} else if (error == -EDOM) {
		snprintf(out, size, "must be a power of two");
	} else if (error == -E2BIG) {
		snprintf(out, size, "at most %d are possible", CONFIG_LIST_MAX);
	} else if (error == -EILSEQ) {
		snprintf(out, size, "control characters are not allowed");
	} else if (error == -ENAMETOOLONG) {
		snprintf(out, size, "path too long");
	} else if (key->type == CONFIG_CHOICE) {
		n = snprintf(out, size, "must be one of");
		for (size_t i = 0; key->choices[i]; i++)
			n += snprintf(out + n, size - n, " %s", key->choices[i]);
	} else {
		snprintf(out, size, "%s", expected[key->type]);
	}
}

static const struct config_key *key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < config_keys_count; i++) {
		if (strcmp(config_keys[i].name, name) == 0 &&
		    (!section || strcmp(config_keys[i].section, section) == 0))
			return &config_keys[i];
	}
	return NULL;
}

static void loader_unknown(struct config_loader *loader, const char *place, const char *section,
			   const char *name)
{
	const struct config_key *elsewhere = key_find(NULL, name);

	if (elsewhere)
		loader_report(loader, false, place, "%s= belongs in section [%s], ignoring", name,
			      elsewhere->section);
	else
		loader_report(loader, false, place, "unknown key %s= in section [%s], ignoring",
			      name, section);
}

static void config_assign(void *userdata, const char *place, const char *section, const char *name,
			  const char *value)
{
	struct config_loader *loader = userdata;
	const struct config_key *key = key_find(section, name);
	char reason[256];
	int r;

	if (!key) {
		loader_unknown(loader, place, section, name);
		return;
	}
	r = key_set(key, loader->config, value);
	if (r == -ENOMEM) {
		loader->out_of_memory = true;
	} else if (r < 0) {
		key_explain(key, r, reason, sizeof(reason));
		loader_report(loader, true, place, "%s=%s: %s", name, value, reason);
	} else {
		loader->set |= UINT64_C(1) << (key - config_keys);
	}
}

static void config_file_report(void *userdata, bool is_error, const char *place,
			       const char *problem)
{
	loader_report(userdata, is_error, place, "%s", problem);
}

static void config_apply_override(struct config_loader *loader,
				  const struct config_override *override)
{
	const struct config_key *key = key_find(override->section, override->name);
	uint64_t bit = key ? UINT64_C(1) << (key - config_keys) : 0;

	/* The options of one run replace what files say, and add up among themselves. */
	if (key && key->type == CONFIG_LIST && !(loader->replaced & bit)) {
		list_clear(config_key_place(key, loader->config));
		loader->replaced |= bit;
	}
	config_assign(loader, override->option, override->section, override->name, override->value);
}

static int config_set_defaults(struct config *config)
{
	for (size_t i = 0; i < config_keys_count; i++) {
		int r = key_set(&config_keys[i], config, config_keys[i].initial);

		if (r < 0)
			return r;
	}
	return 0;
}

/* OverflowMax= is taken from the kernel's memory, beside whatever makes the node busy. */
#define OVERFLOW_SHARE 16

static uint64_t machine_memory(const struct config_source *source)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	if (source->memory_bytes)
		return source->memory_bytes;
	return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
}

/* Values that follow from others. */
static int config_derive(struct config_loader *loader)
{
	struct config *config = loader->config;
	const struct config_key *status = key_find("Report", "StatusFile");
	uint64_t share = machine_memory(loader->source) / OVERFLOW_SHARE;
	char *path;

	share -= share % OVERFLOW_SEGMENT_BYTES;
	if (share < OVERFLOW_SEGMENT_BYTES)
		share = OVERFLOW_SEGMENT_BYTES;
	if (config->overflow_bytes > share)
		config->overflow_bytes = share;
	if (config->max_use_bytes && config->wal_max_bytes > config->max_use_bytes / 4)
		config->wal_max_bytes = config->max_use_bytes / 4;
	/* Recorders with databases of their own must not write one status file. */
	if (loader->set & UINT64_C(1) << (status - config_keys) ||
	    strcmp(config->database, SCHEMA_DEFAULT_PATH) == 0)
		return 0;
	if (asprintf(&path, "%s-status.json", config->database) < 0)
		return -ENOMEM;
	free(config->status_file);
	config->status_file = path;
	return 0;
}

static void cleanup_config(struct config **config)
{
	config_free(*config);
}

int config_load(const struct config_source *source, struct config **ret_config)
{
	CLEANUP(cleanup_config) struct config *config = calloc(1, sizeof(*config));
	struct config_loader loader = {.source = source, .config = config};
	struct config_file_handler handler = {
		.assign = config_assign, .report = config_file_report, .userdata = &loader};
	int r;

	if (!config)
		return -ENOMEM;
	r = config_set_defaults(config);
	if (r < 0)
		return r;
	r = config_file_read_all(source, &handler);
	if (r < 0)
		return r;
	for (size_t i = 0; i < source->overrides_count; i++)
		config_apply_override(&loader, &source->overrides[i]);
	if (loader.out_of_memory)
		return -ENOMEM;
	if (loader.failed)
		return -EINVAL;
	r = config_derive(&loader);
	if (r < 0)
		return r;
	*ret_config = TAKE_PTR(config);
	return 0;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config_keys_count; i++) {
		if (config_keys[i].type == CONFIG_LIST)
			list_clear(config_key_place(&config_keys[i], config));
		else if (config_keys[i].type == CONFIG_PATH)
			free(*(char **)config_key_place(&config_keys[i], config));
	}
	free(config);
}

uint64_t config_keep_free(const struct config *config, uint64_t filesystem_bytes)
{
	uint64_t tenth = filesystem_bytes / 10;

	return config->keep_free_bytes < tenth ? config->keep_free_bytes : tenth;
}

int config_hash(const struct config *config, char ret_hash[CONFIG_HASH_SIZE])
{
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	XXH128_hash_t hash;

	if (!out)
		return -errno;
	config_print(out, config);
	if (fclose(out) != 0)
		return -ENOMEM;
	hash = XXH3_128bits(text, size);
	snprintf(ret_hash, CONFIG_HASH_SIZE, "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
	return 0;
}
