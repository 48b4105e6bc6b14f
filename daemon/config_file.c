/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libinih splits the lines. It tells neither the line number nor more than the first error, and it
 * takes an indented line for the continuation of the one before. So lines reach it through a reader
 * of ours that counts them, strips their indentation and looks at their shape first.
 */
#include "daemon/config_file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <ini.h>

#include "schema/cleanup.h"

/* Longest line: a cgroup path of PATH_MAX and its key. The library's own default is 200. */
#define CONFIG_LINE_MAX (PATH_MAX + 64)
/* Lines of one file: far above any real one, so that a wrong path (a log, a device) ends. */
#define CONFIG_LINES_MAX 100000
/* Drop-ins in one directory. */
#define CONFIG_FILES_MAX 1024

/* Some builds of the library let us choose the length of lines at run time, others have no such
 * name. */
extern int ini_max_line __attribute__((weak));

struct config_reader {
	FILE *file;
	const char *path; /* as the administrator knows it */
	unsigned line;
	const struct config_file_handler *handler;
};

static void reader_place(const struct config_reader *reader, char out[PATH_MAX + 16])
{
	snprintf(out, PATH_MAX + 16, "%s:%u", reader->path, reader->line);
}

static void reader_report(const struct config_reader *reader, const char *problem)
{
	char place[PATH_MAX + 16];

	reader_place(reader, place);
	reader->handler->report(reader->handler->userdata, true, place, problem);
}

/* False, after saying why, for a line that is neither blank, comment, section nor assignment. */
static bool reader_check(const struct config_reader *reader, const char *line)
{
	if (!*line || strchr(";#\r\n", *line))
		return true;
	if (*line == '[') {
		if (strchr(line, ']'))
			return true;
		reader_report(reader, "a section needs a closing bracket");
		return false;
	}
	if (strpbrk(line, "=:") > line)
		return true;
	reader_report(reader, "not a section, an assignment (Key=value) or a comment");
	return false;
}

/* fgets() for the library: whole lines only. */
static char *reader_gets(char *line, int size, void *userdata)
{
	struct config_reader *reader = userdata;
	size_t indent, length;
	int c;

	if (reader->line >= CONFIG_LINES_MAX || !fgets(line, size, reader->file))
		return NULL;
	reader->line++;
	length = strlen(line);
	if ((int)length == size - 1 && line[length - 1] != '\n') {
		while ((c = fgetc(reader->file)) != EOF && c != '\n')
			;
		reader_report(reader, "line too long");
		strcpy(line, "\n");
		return line;
	}
	indent = strspn(line, " \t");
	memmove(line, line + indent, length - indent + 1);
	if (!reader_check(reader, line))
		strcpy(line, "\n");
	return line;
}

static int reader_assign(void *userdata, const char *section, const char *name, const char *value)
{
	struct config_reader *reader = userdata;
	char place[PATH_MAX + 16];

	reader_place(reader, place);
	reader->handler->assign(reader->handler->userdata, place, section, name, value);
	return 1;
}

/* path with root before it. */
static int config_open(const char *root, const char *path, FILE **ret_file)
{
	CLEANUP_FCLOSE FILE *file = NULL;
	char real[PATH_MAX];
	struct stat st;

	if (snprintf(real, sizeof(real), "%s%s", root, path) >= (int)sizeof(real))
		return -ENAMETOOLONG;
	file = fopen(real, "re");
	if (!file)
		return -errno;
	if (fstat(fileno(file), &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	*ret_file = TAKE_PTR(file);
	return 0;
}

static void config_read_file(const char *root, const char *path, bool must_exist,
			     const struct config_file_handler *handler)
{
	struct config_reader reader = {.path = path, .handler = handler};
	CLEANUP_FCLOSE FILE *file = NULL;
	int r = config_open(root, path, &file);

	if (r == -ENOENT && !must_exist)
		return;
	if (r < 0) {
		handler->report(handler->userdata, true, path, strerror(-r));
		return;
	}
	reader.file = file;
	if (&ini_max_line)
		ini_max_line = CONFIG_LINE_MAX;
	if (ini_parse_stream(reader_gets, &reader, reader_assign, &reader) < 0)
		handler->report(handler->userdata, true, path, strerror(ENOMEM));
	else if (ferror(file))
		handler->report(handler->userdata, true, path, strerror(EIO));
}

/* Drop-ins, sorted by base name; of one name only the first that was found. */
struct drop_ins {
	char *paths[CONFIG_FILES_MAX];
	size_t count;
};

static void drop_ins_deinit(struct drop_ins *drop_ins)
{
	for (size_t i = 0; i < drop_ins->count; i++)
		free(drop_ins->paths[i]);
}

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static int drop_ins_compare(const void *a, const void *b)
{
	return strcmp(base_name(*(char *const *)a), base_name(*(char *const *)b));
}

static int drop_ins_add(struct drop_ins *drop_ins, const char *directory, const char *name)
{
	for (size_t i = 0; i < drop_ins->count; i++) {
		if (strcmp(base_name(drop_ins->paths[i]), name) == 0)
			return 0;
	}
	if (asprintf(&drop_ins->paths[drop_ins->count], "%s/%s", directory, name) < 0)
		return -ENOMEM;
	drop_ins->count++;
	return 0;
}

static int drop_ins_scan(struct drop_ins *drop_ins, const char *root, const char *directory,
			 const struct config_file_handler *handler)
{
	char real[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int r = 0;

	if (snprintf(real, sizeof(real), "%s%s", root, directory) >= (int)sizeof(real))
		return 0;
	dir = opendir(real);
	if (!dir) {
		if (errno != ENOENT)
			handler->report(handler->userdata, true, directory, strerror(errno));
		return 0;
	}
	while (r == 0 && (entry = readdir(dir))) {
		size_t n = strlen(entry->d_name);

		if (n <= 5 || entry->d_name[0] == '.' || strcmp(entry->d_name + n - 5, ".conf"))
			continue;
		if (drop_ins->count == CONFIG_FILES_MAX) {
			handler->report(handler->userdata, true, directory, "too many files");
			break;
		}
		r = drop_ins_add(drop_ins, directory, entry->d_name);
	}
	closedir(dir);
	return r;
}

int config_file_read_all(const struct config_source *source,
			 const struct config_file_handler *handler)
{
	/* In the order of precedence between files of one name. */
	static const char *const directories[] = {"/etc/lineaged/lineaged.conf.d",
						  "/run/lineaged/lineaged.conf.d",
						  "/usr/lib/lineaged/lineaged.conf.d"};
	const char *root = source->root ? source->root : "";
	CLEANUP(drop_ins_deinit) struct drop_ins drop_ins = {.count = 0};
	int r;

	if (source->file) {
		config_read_file("", source->file, true, handler);
		return 0;
	}
	config_read_file(root, "/etc/lineaged/lineaged.conf", false, handler);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		r = drop_ins_scan(&drop_ins, root, directories[i], handler);
		if (r < 0)
			return r;
	}
	qsort(drop_ins.paths, drop_ins.count, sizeof(drop_ins.paths[0]), drop_ins_compare);
	for (size_t i = 0; i < drop_ins.count; i++)
		config_read_file(root, drop_ins.paths[i], true, handler);
	return 0;
}
