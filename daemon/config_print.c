/* SPDX-License-Identifier: Apache-2.0 */
/* What can be made from the table of keys: the file in force, the default file, the manual's list.
 */
#include "daemon/config.h"

#include <stdio.h>
#include <string.h>

#include "daemon/config_keys.h"
#include "daemon/config_value.h"

/* A heading wherever the next key is of another section. */
static void print_section(FILE *out, const char *format, size_t i)
{
	if (i == 0 || strcmp(config_keys[i].section, config_keys[i - 1].section) != 0)
		fprintf(out, format, i ? "\n" : "", config_keys[i].section);
}

void config_print(FILE *out, const struct config *config)
{
	char text[CONFIG_VALUE_SIZE];

	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];
		const struct config_list *list = config_key_place(key, config);

		print_section(out, "%s[%s]\n", i);
		if (key->type != CONFIG_LIST)
			fprintf(out, "%s=%s\n", key->name, config_key_print(key, config, 0, text));
		else if (list->count == 0)
			fprintf(out, "%s=\n", key->name);
		for (size_t j = 0; key->type == CONFIG_LIST && j < list->count; j++)
			fprintf(out, "%s=%s\n", key->name, config_key_print(key, config, j, text));
	}
}

/* `text` in lines of at most 100 columns, each after `prefix`. */
static void print_wrapped(FILE *out, const char *prefix, const char *text)
{
	size_t column = 0, word;

	for (; *text; text += word, text += strspn(text, " ")) {
		word = strcspn(text, " ");
		if (column && column + 1 + word > 100) {
			fputc('\n', out);
			column = 0;
		}
		column += fprintf(out, "%s%.*s", column ? " " : prefix, (int)word, text);
	}
	if (column)
		fputc('\n', out);
}

/* "From 64K to 1G, a power of two." where there are limits. */
static void print_limits(FILE *out, const char *prefix, const struct config_key *key)
{
	char text[64];

	config_key_print_limits(key, text, sizeof(text));
	if (*text)
		fprintf(out, "%sF%s.\n", prefix, text + 1);
}

void config_print_defaults(FILE *out)
{
	fputs("# Configuration of lineaged. What is commented out is the default.\n"
	      "# Drop-ins in lineaged.conf.d/*.conf of /etc/lineaged, /run/lineaged and\n"
	      "# /usr/lib/lineaged are read after this file. See lineaged.conf(5).\n\n",
	      out);
	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];

		print_section(out, "%s[%s]\n", i);
		print_wrapped(out, "# ", key->help);
		print_limits(out, "# ", key);
		if (key->reason)
			print_wrapped(out, "# ", key->reason);
		fprintf(out, "#%s=%s\n", key->name, key->initial);
	}
}

/* scdoc gives _ * \ and others a meaning. */
static void print_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("_*\\#~", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

void config_print_manual(FILE *out)
{
	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];

		print_section(out, "%s## [%s] SECTION\n\n", i);
		fprintf(out, "*%s=*", key->name);
		if (key->choices) {
			for (size_t j = 0; key->choices[j]; j++)
				fprintf(out, "%s_%s_", j ? "|" : "", key->choices[j]);
		}
		fputs("\n\t", out);
		print_escaped(out, key->help);
		fputc('\n', out);
		print_limits(out, "\t", key);
		if (*key->initial) {
			fputs("\tDefault: ", out);
			print_escaped(out, key->initial);
			fputs(".", out);
			if (key->reason)
				fputc(' ', out);
		} else {
			fputc('\t', out);
		}
		if (key->reason)
			print_escaped(out, key->reason);
		fputs("\n\n", out);
	}
}
