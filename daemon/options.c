/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>

#include "schema/cleanup.h"

/* One table for getopt_long(), --help and the overrides. */
static const struct option_row {
	const char *name;
	const char *argument;	   /* NULL: none; "[=X]": may be left out */
	const char *help;	   /* NULL: for builds and developers, not shown */
	const char *section, *key; /* the key that it overrides */
	bool is_path;		   /* made absolute */
	enum options_action action;
} option_rows[] = {
	{.name = "config",
	 .argument = "FILE",
	 .help = "read this configuration file only, no drop-ins"},
	{.name = "db",
	 .argument = "FILE",
	 .help = "write this database",
	 .section = "Storage",
	 .key = "Database",
	 .is_path = true},
	{.name = "pin-dir",
	 .argument = "DIR",
	 .help = "pin the maps in this directory of a BPF file system",
	 .section = "Report",
	 .key = "PinDirectory",
	 .is_path = true},
	{.name = "include-cgroup",
	 .argument = "PATH",
	 .help = "record only this cgroup and those below it; repeatable",
	 .section = "Capture",
	 .key = "IncludeCgroup"},
	{.name = "exclude-cgroup",
	 .argument = "PATH",
	 .help = "leave out this cgroup and those below it; repeatable",
	 .section = "Capture",
	 .key = "ExcludeCgroup"},
	{.name = "check",
	 .help = "say what this kernel and these permissions allow",
	 .action = OPTIONS_CHECK},
	{.name = "dump-config",
	 .argument = "[=WHAT]",
	 .help = "show the configuration: defaults (if not said) or effective",
	 .action = OPTIONS_DUMP_DEFAULTS},
	{.name = "version", .help = "show the version", .action = OPTIONS_VERSION},
	{.name = "help", .help = "show this help", .action = OPTIONS_HELP},
	{.name = "debug"},
};

static int options_fail(struct options *options, const char *fmt, const char *what)
{
	snprintf(options->problem, sizeof(options->problem), fmt, what);
	return -EINVAL;
}

/* A path from the working directory becomes absolute; "" stays and is refused later. */
static char *absolute_path(const char *path)
{
	char cwd[PATH_MAX], *absolute;

	if (*path == '/' || !*path)
		return strdup(path);
	if (!getcwd(cwd, sizeof(cwd)))
		return NULL;
	return asprintf(&absolute, "%s/%s", strcmp(cwd, "/") ? cwd : "", path) < 0 ? NULL
										   : absolute;
}

static int options_override(struct options *options, const struct option_row *row,
			    const char *argument)
{
	CLEANUP_FREE char *value = row->is_path ? absolute_path(argument) : strdup(argument);
	CLEANUP_FREE char *option = NULL;
	struct config_override *overrides;

	if (!*argument) {
		snprintf(options->problem, sizeof(options->problem), "--%s needs a %s", row->name,
			 row->argument);
		return -EINVAL;
	}
	if (!value || asprintf(&option, "--%s", row->name) < 0)
		return -ENOMEM;
	overrides =
		reallocarray(options->overrides, options->overrides_count + 1, sizeof(*overrides));
	if (!overrides)
		return -ENOMEM;
	options->overrides = overrides;
	overrides[options->overrides_count++] = (struct config_override){
		.option = TAKE_PTR(option),
		.section = row->section,
		.name = row->key,
		.value = TAKE_PTR(value),
	};
	return 0;
}

static int options_dump(struct options *options, const char *what)
{
	if (!what || strcmp(what, "defaults") == 0)
		options->action = OPTIONS_DUMP_DEFAULTS;
	else if (strcmp(what, "manual") == 0)
		options->action = OPTIONS_DUMP_MANUAL;
	else if (strcmp(what, "effective") == 0)
		options->action = OPTIONS_DUMP_EFFECTIVE;
	else
		return options_fail(options,
				    "--dump-config knows defaults, manual and effective, "
				    "not %s",
				    what);
	return 0;
}

static int options_apply(struct options *options, const struct option_row *row,
			 const char *argument)
{
	if (row->section)
		return options_override(options, row, argument);
	if (row->action == OPTIONS_DUMP_DEFAULTS)
		return options_dump(options, argument);
	if (row->action)
		options->action = row->action;
	else if (row->argument)
		options->config_file = argument;
	else
		options->debug = true;
	return 0;
}

/* getopt's own messages would go to stderr, past the journal. */
static int options_refuse(struct options *options, int c, char *argv[])
{
	const char *word = argv[optind > 0 ? optind - 1 : 0];

	if (c == ':')
		return options_fail(options, "%s needs an argument, see --help", word);
	if (optopt >= 0x100)
		return options_fail(options, "%s takes no argument, see --help", word);
	return options_fail(options, "unknown option %s, see --help", word);
}

int options_parse(struct options *options, int argc, char *argv[])
{
	struct option table[ARRAY_SIZE(option_rows) + 1] = {0};
	int c, r;

	*options = (struct options){.action = OPTIONS_RECORD};
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++) {
		const char *argument = option_rows[i].argument;

		table[i] = (struct option){.name = option_rows[i].name,
					   .has_arg = !argument		 ? no_argument
						      : *argument == '[' ? optional_argument
									 : required_argument,
					   .val = 0x100 + (int)i};
	}
	optind = 0; /* glibc: begin anew */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:", table, NULL)) >= 0) {
		if (c < 0x100)
			return options_refuse(options, c, argv);
		r = options_apply(options, &option_rows[c - 0x100], optarg);
		if (r < 0)
			return r;
		if (options->action == OPTIONS_HELP || options->action == OPTIONS_VERSION)
			return 0;
	}
	if (optind < argc)
		return options_fail(options, "unexpected argument %s, see --help", argv[optind]);
	return 0;
}

void options_deinit(struct options *options)
{
	for (size_t i = 0; i < options->overrides_count; i++) {
		free((char *)options->overrides[i].option);
		free((char *)options->overrides[i].value);
	}
	free(options->overrides);
	options->overrides = NULL;
	options->overrides_count = 0;
}

void options_print_help(FILE *out)
{
	fputs("Usage: lineaged [OPTION]...\n"
	      "Record the birth, every image and the end of each process into a database.\n\n"
	      "Records in the foreground until SIGTERM or SIGINT; says \"lineaged: ready\" on\n"
	      "stderr once everything that starts from then on is recorded.\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++) {
		const struct option_row *row = &option_rows[i];
		char left[64];

		if (!row->help)
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", row->name,
			 row->argument && *row->argument != '[' ? "=" : "",
			 row->argument ? row->argument : "");
		fprintf(out, "  %-22s %s\n", left, row->help);
	}
	fputs("\nOptions override lineaged.conf(5). A cgroup path is as in the file system or "
	      "from\n"
	      "the root of cgroup2. Exit status: 0 stopped by a signal, or --check found that it\n"
	      "could record; 1 could not; 2 wrong usage; 78 configuration error. See "
	      "lineaged(8).\n",
	      out);
}

void options_print_version(FILE *out)
{
	fputs("lineaged " LINEAGED_VERSION "\n", out);
}
