/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lineaged: arguments, configuration, exit status. Everything else is daemon.c's.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/options.h"

static void report(void *userdata, bool is_error, const char *place, const char *problem)
{
	log_event(MESSAGE_CONFIG_PROBLEM, is_error ? LOG_ERR : LOG_WARNING, NULL, "%s: %s", place,
		  problem);
}

static int with_config(const struct options *options)
{
	struct config_source source = {
		.file = options->config_file,
		.overrides = options->overrides,
		.overrides_count = options->overrides_count,
		.report = report,
	};
	struct config *config = NULL;
	int status = EXIT_SUCCESS;
	int r = config_load(&source, &config);

	if (r == -EINVAL)
		return DAEMON_EXIT_CONFIG;
	if (r < 0) {
		log_errno(r, "reading the configuration failed");
		return EXIT_FAILURE;
	}
	if (options->action == OPTIONS_CHECK)
		status = daemon_check(config);
	else if (options->action == OPTIONS_DUMP_EFFECTIVE)
		config_print(stdout, config);
	else
		status = daemon_run(config);
	config_free(config);
	return status;
}

static int act(const struct options *options)
{
	switch (options->action) {
	case OPTIONS_VERSION:
		options_print_version(stdout);
		return EXIT_SUCCESS;
	case OPTIONS_HELP:
		options_print_help(stdout);
		return EXIT_SUCCESS;
	case OPTIONS_DUMP_DEFAULTS:
		config_print_defaults(stdout);
		return EXIT_SUCCESS;
	case OPTIONS_DUMP_MANUAL:
		config_print_manual(stdout);
		return EXIT_SUCCESS;
	default:
		return with_config(options);
	}
}

/*
 * Large blocks have pages of their own, which cost nothing until they are used: most of the tables
 * never are. glibc would move them to the heap once a large one has been freed, as libbpf does.
 */
#define LARGE_BLOCK_BYTES 65536

int main(int argc, char *argv[])
{
	struct options options;
	int status = OPTIONS_EXIT_USAGE;
	int r;

	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
	log_open(STDERR_FILENO, getenv("JOURNAL_STREAM"));
	r = options_parse(&options, argc, argv);
	if (options.debug)
		log_set_max_priority(LOG_DEBUG);
	if (r < 0)
		log_error("%s", options.problem[0] ? options.problem : "out of memory");
	else
		status = act(&options);
	options_deinit(&options);
	return status;
}
