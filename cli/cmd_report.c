/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: a page for a web browser in one file. The page may run its own script and style, known by
 * their hashes, and nothing else; it loads nothing. What processes say is data, never markup.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "cli/extract.h"
#include "cli/report_data.h"
#include "report_page.h"
#include "schema/cleanup.h"

/* What a browser still opens at once; --limit asks for another. */
#define PROCESSES_MAX 200000

#define HASH_SIZE 64

/* As a Content-Security-Policy names it: sha256-BASE64. */
static int hash_source(const char *text, char out[HASH_SIZE])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	int used = snprintf(out, HASH_SIZE, "sha256-");

	if (EVP_Digest(text, strlen(text), hash, &length, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	EVP_EncodeBlock((unsigned char *)out + used, hash, (int)length);
	return 0;
}

static int put_policy(FILE *out)
{
	char script[HASH_SIZE], style[HASH_SIZE];
	int r = hash_source(report_script, script);

	if (r == 0)
		r = hash_source(report_style, style);
	if (r == 0)
		fprintf(out,
			"default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; "
			"form-action 'none'",
			script, style);
	return r;
}

/* The page with each @NAME@ replaced. */
static int put_page(FILE *out, const struct session *s, const struct extract *e)
{
	const char *text = report_page, *at;
	int r = 0;

	while (r == 0 && (at = strchr(text, '@'))) {
		fwrite(text, 1, (size_t)(at - text), out);
		text = at + 1;
		if (strncmp(text, "CSP@", 4) == 0)
			r = put_policy(out);
		else if (strncmp(text, "STYLE@", 6) == 0)
			fputs(report_style, out);
		else if (strncmp(text, "SCRIPT@", 7) == 0)
			fputs(report_script, out);
		else if (strncmp(text, "DATA@", 5) == 0)
			r = report_data_write(out, s, e);
		text += strcspn(text, "@") + 1;
	}
	if (r == 0)
		fputs(text, out);
	return r;
}

/* Beside its place and then into it: nobody sees half a report. Only its owner may read it. */
static int write_file(const struct session *s, const struct extract *e, const char *path)
{
	CLEANUP_FREE char *temporary = NULL;
	CLEANUP_FCLOSE FILE *out = NULL;
	int fd, r;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	out = fdopen(fd, "w");
	r = out ? put_page(out, s, e) : -errno;
	if (r == 0 && (fflush(out) != 0 || ferror(out) || fsync(fd) < 0))
		r = errno ? -errno : -EIO;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

static int write_report(struct session *s, const struct extract *e)
{
	const char *path = s->flags.output;
	int r;

	if (strcmp(path, "-") == 0) {
		r = put_page(s->out, s, e);
	} else {
		r = write_file(s, e, path);
		if (r < 0)
			return fail(EXIT_DATABASE, "cannot write %s: %s", path,
				    r > -4096 ? strerror(-r) : schema_strerror(r));
		fprintf(stderr, "lineage-query: %s: %zu processes\n", path, e->list.count);
	}
	return r < 0 ? r : session_status(s, &e->completeness);
}

static int run(struct session *s)
{
	size_t most = s->flags.limit.given ? s->flags.limit.value : PROCESSES_MAX;
	struct extract extract = {0};
	int r;

	if (!s->flags.output)
		return usage("report needs -o FILE; -o - writes to standard output");
	r = extract_gather(s, &extract);
	if (r == 0 && most && extract.list.count > most)
		r = usage("these are %zu processes, more than %zu; select fewer, or raise --limit",
			  extract.list.count, most);
	if (r == 0)
		r = write_report(s, &extract);
	extract_deinit(&extract);
	return r;
}

const struct command cmd_report = {
	.name = "report",
	.operands = "PID[@START]",
	.summary = "a page for a web browser: tree, timeline, details",
	.help = "Writes one file that needs no network and loads nothing: the tree, a lane of time "
		"for\n"
		"each process, and all that is known of the one that is chosen. Of one process and "
		"its\n"
		"family, of a window, or of all that match; ancestors are added.\n"
		"  lineage-query report --since -1h -o report.html\n",
	.options = FLAGS_COMMON | FLAGS_FILE | FLAGS_TIME | FLAGS_SELECT | FLAGS_LIMIT,
	.no_pager = true,
	.full_detail = true,
	.run = run,
};
