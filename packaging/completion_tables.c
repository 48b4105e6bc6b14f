/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the verbs and options of lineage-query as tables for completions/lineage-query.*.in, so
 * that they cannot disagree: completion_tables bash|zsh|fish Runs while the package is built; it is
 * not installed.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "schema/cleanup.h"

static const struct command *const commands[] = {
#define X(name) &cmd_##name,
	COMMANDS(X)
#undef X
};

/* What an argument is, by its placeholder in the help; a placeholder not named here is free text.
 */
static const struct {
	const char *argument, *bash, *zsh, *fish;
} kinds[] = {
	{"FILE", "file", "_files", "-F"},
	{"PATH", "file", "_files", "-F"},
	{"USER", "user", "_users", "-x -a '(__fish_complete_users)'"},
	{"N[@START]", "", "_pids", "-x -a '(__fish_complete_pids)'"},
	{"TIME", "words now today yesterday -1h -1d", "(now today yesterday -1h -1d)",
	 "-x -a 'now today yesterday'"},
	{"WHEN", "words auto always never", "(auto always never)", "-x -a 'auto always never'"},
	{"birth|reaper", "words birth reaper", "(birth reaper)", "-x -a 'birth reaper'"},
};

enum shell { BASH, ZSH, FISH, SHELLS };

static const char *const shell_names[SHELLS] = {"bash", "zsh", "fish"};

struct table {
	enum shell shell;
	const struct command *command;
};

static const char *kind_of(const struct flag_info *flag, enum shell shell)
{
	static char formats[256];

	if (strcmp(flag->argument, "FORMAT") == 0) {
		const char *const start[SHELLS] = {"words", "(", "-x -a '"};
		const char *const end[SHELLS] = {"", ")", "'"};
		const struct writer_ops *ops;
		size_t n = (size_t)snprintf(formats, sizeof(formats), "%s", start[shell]);

		for (size_t i = 0; (ops = writer_at(i)) && n < sizeof(formats); i++)
			n += (size_t)snprintf(formats + n, sizeof(formats) - n, " %s", ops->name);
		if (n < sizeof(formats))
			snprintf(formats + n, sizeof(formats) - n, "%s", end[shell]);
		return formats;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].argument, flag->argument) == 0)
			return shell == BASH  ? kinds[i].bash
			       : shell == ZSH ? kinds[i].zsh
					      : kinds[i].fish;
	}
	return shell == FISH ? "-x" : "";
}

/* Inside of single quotes; `special` characters get a backslash besides. */
static void put_quoted(const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr(special, *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void put_bash_name(const struct flag_info *flag, void *userdata)
{
	const struct table *table = userdata;

	if (flag->groups & table->command->options)
		printf(" --%s", flag->name);
}

static void put_bash_value(const struct flag_info *flag, void *userdata)
{
	const struct table *table = userdata;
	const char *verb = table->command->name, *kind;

	if (!(flag->groups & table->command->options) || !flag->argument)
		return;
	kind = kind_of(flag, BASH);
	printf("_lineage_query_values[%s --%s]='%s'\n", verb, flag->name, kind);
	if (flag->short_name)
		printf("_lineage_query_values[%s -%c]='%s'\n", verb, flag->short_name, kind);
}

static void put_zsh(const struct flag_info *flag, void *userdata)
{
	const struct table *table = userdata;
	const char *repeat = flag->repeatable ? "*" : "";

	if (!(flag->groups & table->command->options))
		return;
	printf("\t\t'%s%s%s%s%s", repeat, "--", flag->name, flag->argument ? "=" : "",
	       flag->may_lack_argument ? "-" : "");
	printf("[");
	put_quoted(flag->help, "[]");
	printf("]");
	if (flag->argument) {
		printf("%s", flag->may_lack_argument ? "::" : ":");
		put_quoted(flag->argument, ":");
		printf(":%s", kind_of(flag, ZSH));
	}
	printf("'\n");
	if (flag->short_name) {
		printf("\t\t'%s-%c%s[", repeat, flag->short_name, flag->argument ? "+" : "");
		put_quoted(flag->help, "[]");
		printf("]");
		if (flag->argument) {
			printf(":");
			put_quoted(flag->argument, ":");
			printf(":%s", kind_of(flag, ZSH));
		}
		printf("'\n");
	}
}

static void put_fish(const struct flag_info *flag, void *userdata)
{
	const struct table *table = userdata;

	if (!(flag->groups & table->command->options))
		return;
	printf("complete -c lineage-query -n '__fish_seen_subcommand_from %s'",
	       table->command->name);
	if (flag->short_name)
		printf(" -s %c", flag->short_name);
	printf(" -l %s", flag->name);
	if (flag->argument && !flag->may_lack_argument)
		printf(" %s", kind_of(flag, FISH));
	printf(" -d '");
	put_quoted(flag->help, "");
	printf("'\n");
}

static void put_verb(struct table *table)
{
	const struct command *command = table->command;

	switch (table->shell) {
	case BASH:
		printf("_lineage_query_options[%s]='", command->name);
		flags_each(put_bash_name, table);
		printf("'\n");
		flags_each(put_bash_value, table);
		break;
	case ZSH:
		printf("\tverbs+=('%s:", command->name);
		put_quoted(command->summary, "");
		printf("')\n\tlocal -a options_%s=(\n", command->name);
		flags_each(put_zsh, table);
		printf("\t)\n");
		break;
	default:
		printf("complete -c lineage-query -n __fish_use_subcommand -a %s -d '",
		       command->name);
		put_quoted(command->summary, "");
		printf("'\n");
		flags_each(put_fish, table);
		break;
	}
}

int main(int argc, char **argv)
{
	struct table table = {.shell = SHELLS};

	for (int i = 0; argc == 2 && i < SHELLS; i++) {
		if (strcmp(argv[1], shell_names[i]) == 0)
			table.shell = (enum shell)i;
	}
	if (table.shell == SHELLS) {
		fputs("usage: completion_tables bash|zsh|fish\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		table.command = commands[i];
		put_verb(&table);
	}
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
