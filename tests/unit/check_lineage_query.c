/* SPDX-License-Identifier: Apache-2.0 */
/* The program as users run it: verbs, exit statuses, formats, hostile bytes, terminals. */
#include <check.h>
#include <json-c/json.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/escape.h"
#include "fixture.h"

#define OUTPUT_MAX (1024 * 1024)

static struct fixture fixture;
static char program[PATH_MAX];
static char output[OUTPUT_MAX]; /* stdout and stderr of the last run */

static void find_program(void)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ck_assert_int_gt(length, 0);
	self[length] = '\0';
	snprintf(program, sizeof(program), "%s/../cli/lineage-query", dirname(self));
	ck_assert_msg(access(program, X_OK) == 0, "%s is not built", program);
}

/* Runs `lineage-query ARGUMENTS` through the shell; %s in it is the database. */
static int run(const char *arguments)
{
	char command[PATH_MAX + 1024];
	size_t length = (size_t)snprintf(command, sizeof(command), "TZ=UTC %s ", program);
	FILE *pipe;
	int status;

	snprintf(command + length, sizeof(command) - length, arguments, fixture.path, fixture.path);
	strcat(command, " 2>&1 </dev/null");
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	length = fread(output, 1, sizeof(output) - 1, pipe);
	output[length] = '\0';
	status = pclose(pipe);
	ck_assert_msg(WIFEXITED(status), "%s: killed", command);
	return WEXITSTATUS(status);
}

static void setup(void)
{
	find_program();
	setenv("LC_ALL", "C.UTF-8", 1);
}

static void teardown(void)
{
	fixture_deinit(&fixture);
}

static const struct {
	const char *arguments;
	int status;
	const char *words; /* somewhere in the output */
} cases[] = {
	{"tree --db %s --pid 300", 0, "/usr/bin/make all"},
	{"tree --db %s 300", 0, "3× /usr/bin/cc -c"},
	{"tree --db %s 300 --no-fold", 0, "├─/usr/bin/cc -c"},
	{"tree --db %s 300 --ascii", 0, "|-3x /usr/bin/cc -c"},
	{"tree --db %s 310", 0, "(fork) /usr/bin/make all"},
	{"tree --db %s 310", 0, "SIGKILL"},
	{"tree --db %s 400", 0,
	 "pid 400 was used by 2 processes; this is 400@300000000000. Others: "
	 "400@110000000000"},
	{"tree --db %s 400@110000000000", 0, "/usr/bin/true"},
	{"tree --db %s '400@2026-11-20 00:01:50.2'", 0, "/usr/bin/true"},
	{"tree --db %s 301 --short", 0,
	 "systemd(1) → sshd(100) → bash(200) → make(300) → cc(301)\n"},
	{"tree --db %s 301 --ancestors=1", 0, "/usr/bin/make all"},
	{"tree --db %s 200 --depth 1", 0, "/usr/bin/make all"},
	{"tree --db %s 1", 0, "* was so when recording began"},
	{"tree --db %s 200", 0, "/usr/bin/login -f ann ⇒ /usr/bin/bash"},
	{"tree --db %s --at '2026-11-20 00:03:22.5'", 0, "/usr/bin/cc -c"},
	{"tree --db %s --container web", 0, "[pod pod-1/web]"},
	{"tree --db %s 4711", 1, "no process 4711 is recorded."},
	{"tree --db %s", 2, "tree needs"},
	{"tree --db %s 12x", 2, "'12x' is no process"},
	{"tree --db %s 12@x", 2, "'x' is neither"},
	{"tree --db %s --depth x 1", 2, "--depth takes a number, not 'x'."},
	{"window --db %s --since '2026-11-20 00:03' --until '2026-11-20 00:04'", 0, "(fork)"},
	{"window --db %s --since '2026-11-20 01:00' --until '2026-11-20 02:00'", 1, "3 others ran"},
	{"window --db %s --running --since '2026-11-20 01:00' --until '2026-11-20 02:00'", 0,
	 "bash"},
	{"window --db %s --since nonsense", 2, "'nonsense' is no time"},
	{"window --db %s --since 10:00 --until 09:00", 2, "is not before"},
	{"window --db %s", 2, "window needs"},
	{"window --db %s --strict --since '2026-11-19 00:00' --until '2026-11-20 00:03'", 4,
	 "nothing was recorded from 2026-11-19 00:00:00.000 to 2026-11-20 00:00:00.000"},
	{"window --db %s --since '2026-11-19 00:00' --until '2026-11-20 00:03'", 0, "incomplete:"},
	{"search --db %s --exe cc -u 1000 --status 0", 0, "/usr/bin/cc -c"},
	{"search --db %s --signal KILL", 0, "SIGKILL"},
	{"search --db %s --tty pts/3 -c 'ma*' --ppid 200", 0, "/usr/bin/make"},
	{"search --db %s --longer 10s --ended", 0, "/usr/bin/make all"},
	{"search --db %s --grep '^curl .*x/'", 0, "/usr/bin/curl"},
	{"search --db %s --grep '('", 2, "--grep '(':"},
	{"search --db %s --cgroup /docker --pod shop/pod-1", 0, "/usr/bin/curl"},
	{"search --db %s --cgroup /dock", 1, "START"},
	{"search --db %s -x nothing", 1, "complete"},
	{"search --db %s --boot 1111 -n 1", 0, "cut off by --limit"},
	{"search --db %s --boot 2222", 1, "START"},
	{"show --db %s 200", 0, "image 2 of 2"},
	{"why --db %s 301", 0, "comes from a login"},
	{"boots --db %s", 0, "11111111-aaaa-4aaa-8aaa-111111111111"},
	{"stats --db %s", 0, "/usr/bin/make → /usr/bin/cc"},
	{"diff --db %s --since '2026-11-20 00:05' --until '2026-11-20 00:06'", 0,
	 "+ executable       1       0  2026-11-20 00:05:00.001  /usr/bin/curl"},
	{"follow --db %s --cursor 3::5:0:1795133002500000000:0: -n 2", 0,
	 "exec     301 /usr/bin/cc -c"},
	{"follow --db %s --cursor 1:5:1 -n 2", 2, "'1:5:1' is no cursor"},
	{"follow --db %s --cursor 3:11:5:1:1:0:0=1,x -n 2", 2, "is no cursor"},
	{"follow --db %s --cursor 3:22222222:5:1:1:0: -n 2", 2, "does not hold the boot"},
	{"status --db %s", 0, "processes                10"},
	{"verify --db %s", 0, "sound"},
	{"sql --db %s 'SELECT pid, exe FROM process WHERE pid = 300'", 0, "300\t/usr/bin/make\n"},
	{"sql --db %s 'SELECT value FROM process, json_each(args) WHERE pid = 300 AND key = 1'", 0,
	 "value\nall\n"},
	{"sql --db %s 'DELETE FROM boot'", 2, "only one that reads"},
	{"sql --db %s 'SELECT nonsense'", 2, "no such column: nonsense"},
	{"tree --db /nonexistent/x 1", 3, "there is no database /nonexistent/x; start lineaged"},
	{"tree --db / 1", 3, "cannot read /: "},
	{"tree --db /etc/passwd 1", 3, "it is no SQLite database"},
	{"nonsense", 2, "there is no verb 'nonsense'"},
	{"tree --nonsense", 2, "--nonsense is no option of 'tree'"},
	{"tree --db", 2, "--db needs a value"},
	{"tree --db %s 1 -o nonsense", 2, "there is no format 'nonsense'"},
	{"search --db %s --pid 300 -o table", 0,
	 "2026-11-20 00:03:20.000 300  200 1000 20.00s 2    /usr/bin/make all"},
	{"search --db %s --pid 300 -o table -q --fields pid,args", 0, "300 [\"make\",\"all\"]"},
	{"tree --db %s 300 -o table --fields comm,depth", 0, "cc          4\n"},
	{"search --db %s --pid 310 -o csv -q --fields exit_signal,pid", 0, "SIGKILL,310\r\n"},
	{"search --db %s --pid 310 -o ndjson --fields exit_signal,pid,tty,cwd,matches", 0,
	 "{\"exit_signal\":9,\"pid\":310,\"tty\":34819,\"cwd\":null,\"matches\":true}\n"},
	{"search --db %s -o json --fields pid,nonsense", 2,
	 "there is no field 'nonsense'; there are process_id, host"},
	{"search --db %s -o csv --fields pid,", 2, "there is no field ''"},
	{"search --db %s -o table --fields ''", 2, "there is no field ''"},
	{"search --db %s -o ecs --fields pid", 2, "ecs has no --fields"},
	{"stats --db %s --fields pid", 2, "stats has no --fields"},
	{"help fields", 0, "  exit_signal "},
	{"boots --db %s -o nonsense", 2, "boots has the formats text json"},
	{"--version", 0, "lineage-query 0."},
	{"--help", 0, "window"},
	{"help time", 0, "Europe/Berlin"},
	{"help select", 0, "--container"},
	{"help nonsense", 2, "no help on"},
	{"", 2, "VERB"},
};

START_TEST(says)
{
	int status;

	fixture_small(&fixture);
	status = run(cases[_i].arguments);
	ck_assert_msg(status == cases[_i].status, "%s: %d: %s", cases[_i].arguments, status,
		      output);
	ck_assert_msg(strstr(output, cases[_i].words) != NULL, "%s: %s", cases[_i].arguments,
		      output);
	/* Errors are one sentence. */
	if (status >= 2 && status <= 3 && *cases[_i].arguments)
		ck_assert_msg(strchr(output, '\n') == output + strlen(output) - 1, "%s", output);
}
END_TEST

/* A shell that looks for a program in three places and cannot run one; a daemon that tries again.
 */
static void with_failures(void)
{
	static const struct {
		int64_t process, seconds;
		const char *file;
		int error;
	} failures[] = {
		{2, 20, "/usr/local/bin/gone", 2}, {2, 20, "/usr/bin/gone", 2},
		{2, 21, "/root/secret", 13},	   {3, 500, "/usr/bin/gone", 2},
		{3, 501, "/usr/bin/gone", 2},	   {3, 502, "/usr/bin/gone", 2},
	};
	int64_t init;

	fixture_init(&fixture);
	init = fixture_process(&fixture,
			       &(struct fixture_process){.pid = 1,
							 .start_ns = FIXTURE_SECOND,
							 .exe = "/usr/lib/systemd/systemd",
							 .args = "[\"/sbin/init\"]"});
	fixture_process(&fixture, &(struct fixture_process){.pid = 200,
							    .start_ns = 10 * FIXTURE_SECOND,
							    .parent = init,
							    .exe = "/usr/bin/dash",
							    .args = "[\"sh\"]",
							    .end_after_ns = 60 * FIXTURE_SECOND,
							    .status = 127 << 8,
							    .context = 2});
	fixture_process(&fixture, &(struct fixture_process){.pid = 300,
							    .start_ns = 11 * FIXTURE_SECOND,
							    .parent = init,
							    .exe = "/usr/sbin/agent",
							    .args = "[\"agent\"]"});
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		fixture_sql(&fixture,
			    "INSERT INTO exec_failure_row (process_id, boot, boot_ns, provenance, "
			    "image, errno) VALUES (%lld, 1, %lld, 0, %lld, %d)",
			    failures[i].process, failures[i].seconds * FIXTURE_SECOND + (int64_t)i,
			    fixture_attempt(&fixture, failures[i].file, "[\"gone\"]"),
			    failures[i].error);
	fixture_finish(&fixture);
}

static const struct {
	const char *arguments;
	int status;
	const char *words, *not_words;
} failed_cases[] = {
	{"search --db %s --failed", 0, "! ENOENT /usr/local/bin/gone\n", "3×  ENOENT"},
	{"search --db %s --failed", 0, "! EACCES /root/secret\n", "systemd"},
	/* Nothing else happened to it then: that it tried is the event. */
	{"search --db %s --failed --since '2026-11-20 00:05'", 0, "/usr/sbin/agent",
	 "/usr/bin/dash"},
	{"search --db %s --failed --until '2026-11-20 00:00:20'", 1, "START", "/usr/bin/dash"},
	{"search --db %s --failed --uid 1000 -o csv --fields pid,failed_execs -q", 0, "200,3\r\n",
	 "300,"},
	{"search --db %s --failed --pid 200 -o ndjson", 0, "\"errno\":13,\"error\":\"EACCES\"",
	 "/usr/sbin/agent"},
	{"window --db %s --failed --since '2026-11-20 00:05'", 0, "/usr/sbin/agent",
	 "/usr/bin/dash"},
	{"window --db %s --since '2026-11-20 00:05'", 1, "START", "/usr/sbin/agent"},
	{"stats --db %s", 0, "6 execs failed\n", "5 execs failed"},
	{"stats --db %s", 0, "        5           ENOENT\n        1           EACCES\n", "errno"},
	{"stats --db %s --since '2026-11-20 00:05'", 0,
	 "        3           ENOENT  /usr/bin/gone\n", "EACCES"},
	{"stats --db %s --uid 1000 -o json", 0, "\"execs_failed\":3", "\"execs_failed\":6"},
	{"show --db %s 200", 0, "EACCES", "agent"},
};

START_TEST(failed_execs)
{
	int status;

	with_failures();
	status = run(failed_cases[_i].arguments);
	ck_assert_msg(status == failed_cases[_i].status, "%s: %d: %s", failed_cases[_i].arguments,
		      status, output);
	ck_assert_msg(strstr(output, failed_cases[_i].words) != NULL, "%s: %s",
		      failed_cases[_i].arguments, output);
	ck_assert_msg(strstr(output, failed_cases[_i].not_words) == NULL, "%s: %s",
		      failed_cases[_i].arguments, output);
}
END_TEST

static const char *const verbs[] = {"tree", "window", "search", "show",	  "why", "boots", "stats",
				    "diff", "follow", "status", "verify", "sql", "-h"};

START_TEST(help_fits_a_screen)
{
	char arguments[64];
	int lines = 0;

	fixture_small(&fixture);
	snprintf(arguments, sizeof(arguments), "%s%s", verbs[_i],
		 verbs[_i][0] == '-' ? "" : " --help");
	ck_assert_int_eq(run(arguments), 0);
	for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
		ck_assert_msg(escape_width(line, strlen(line)) <= 80, "%s", line);
		lines++;
	}
	ck_assert_int_le(lines, 24);
}
END_TEST

/* The same question twice gives the same bytes. */
START_TEST(same_twice)
{
	static const char *const questions[] = {
		"tree --db %s 1",
		"tree --db %s 1 -o json",
		"stats --db %s -o json",
		"window --db %s --since 2026-11-20 --until 2026-11-21 -o ndjson",
		"search --db %s",
	};
	static char first[OUTPUT_MAX];

	fixture_small(&fixture);
	run(questions[_i]);
	strcpy(first, output);
	for (int round = 0; round < 3; round++) {
		run(questions[_i]);
		ck_assert_str_eq(first, output);
	}
}
END_TEST

static void hostile(void)
{
	static const char *const values[] = {
		"/tmp/\x1b]0;owned\x07\x1b[2J",
		"/tmp/a\nb\r\t",
		"/tmp/\xe2\x80\xae"
		"fdp.exe",
		"/tmp/<script>alert(1)</script>",
		"/tmp/=cmd|'/c calc'!A1",
		"/tmp/\xc2\x9b"
		"31m",
	};

	fixture_init(&fixture);
	for (int i = 0; i < 6; i++) {
		char args[128];

		snprintf(args, sizeof(args), "[\"x\",\"\\u001b[31m\",\"%d\\u202e\"]", i);
		fixture_process(&fixture, &(struct fixture_process){
						  .pid = 10 + i,
						  .start_ns = (i + 1) * FIXTURE_SECOND,
						  .parent = i,
						  .exe = values[i],
						  .args = args,
						  .context = 3,
					  });
	}
	fixture_sql(&fixture, "UPDATE cgroup SET container_name = %Q, pod_name = %Q, path = %Q",
		    "\x1b[31mred", "p\nod", "/x\x1b[0m");
	fixture_sql(&fixture,
		    "INSERT INTO gap_row VALUES (1, 1, %Q, 0, 5, 900000000000, 1, 9, 9, 0, NULL)",
		    "cause\x1b[31m");
	fixture_sql(&fixture, "UPDATE boot SET hostname = %Q", "host\x1b[31m");
	fixture_sql(&fixture, "INSERT INTO argv VALUES (2, '[\"x\"]', x'78001bff0a00', 2, 90); "
			      "UPDATE image SET args = NULL WHERE image = 2");
	fixture_finish(&fixture);
}

static const char *const hostile_questions[] = {
	"tree --db %s 10",
	"tree --db %s 15 --short",
	"tree --db %s 10 -o json",
	"tree --db %s 10 -o ndjson",
	"search --db %s",
	"show --db %s 11",
	"show --db %s 11 -o json",
	"why --db %s 15",
	"why --db %s 15 -o json",
	"boots --db %s",
	"stats --db %s",
	"stats --db %s -o json",
	"diff --db %s --since 2026-11-20 --until 2026-11-21",
	"follow --db %s --cursor 3::0:0:0:0: -n 6",
	"status --db %s",
	"sql --db %s 'SELECT * FROM process'",
	"sql --db %s 'SELECT * FROM process' -o json",
	"verify --db %s",
	"sql --db %s 'SELECT nonsense AS \"\033[31m\"'",
	"tree --db %s \"$(printf '1\\033[31m')\"",
	"tree --db %s --since",
};

/* Nothing that a terminal obeys leaves the program, in any format, not even in its errors. */
START_TEST(hostile_bytes)
{
	size_t used, length;

	hostile();
	run(hostile_questions[_i]);
	length = strlen(output);
	ck_assert_uint_gt(length, 0);
	for (size_t i = 0; i < length; i += used) {
		uint32_t c;

		ck_assert_msg(escape_next(output + i, length - i, &c, &used), "%s", output);
		ck_assert_msg(c == '\n' || c == '\t' || escape_is_printable(c), "U+%04X in %s: %s",
			      c, hostile_questions[_i], output);
	}
}
END_TEST

static json_object *parse(const char *arguments)
{
	json_object *root;

	run(arguments);
	root = json_tokener_parse(output);
	ck_assert_msg(root != NULL, "%s: %s", arguments, output);
	return root;
}

static json_object *member(json_object *object, const char *name)
{
	json_object *value = NULL;

	ck_assert_msg(json_object_object_get_ex(object, name, &value), "%s: %s", name,
		      json_object_to_json_string(object));
	return value;
}

START_TEST(json_reads_back)
{
	json_object *root, *process, *args;

	hostile();
	root = parse("tree --db %s 10 -o json");
	ck_assert_uint_eq(json_object_array_length(member(root, "processes")), 6);
	process = json_object_array_get_idx(member(root, "processes"), 0);
	ck_assert_str_eq(json_object_get_string(member(process, "exe")),
			 "/tmp/\x1b]0;owned\x07\x1b[2J");
	ck_assert_int_eq(json_object_get_int64(member(process, "start_unix_ns")),
			 FIXTURE_EPOCH_NS + FIXTURE_SECOND);
	ck_assert_str_eq(json_object_get_string(member(process, "start")),
			 "2026-11-20T00:00:01.000000000Z");
	args = member(process, "args");
	ck_assert_str_eq(json_object_get_string(json_object_array_get_idx(args, 1)), "\x1b[31m");
	ck_assert_int_eq(json_object_get_string_len(json_object_array_get_idx(args, 2)), 4);
	process = json_object_array_get_idx(member(root, "processes"), 1);
	ck_assert(json_object_get_boolean(member(process, "args_truncated")));
	ck_assert_str_eq(json_object_get_string(member(process, "args_hex")), "78001bff0a00");
	ck_assert_str_eq(
		json_object_get_string(json_object_array_get_idx(member(process, "args"), 1)),
		"\x1b\xef\xbf\xbd\n");
	ck_assert(!json_object_get_boolean(member(member(root, "completeness"), "complete")));
	ck_assert_uint_eq(json_object_array_length(member(member(root, "completeness"), "missing")),
			  2);
	json_object_put(root);
	json_object_put(parse("show --db %s 11 -o json"));
	json_object_put(parse("why --db %s 15 -o json"));
	json_object_put(parse("stats --db %s -o json"));
	json_object_put(parse("status --db %s -o json"));
	json_object_put(parse("boots --db %s -o json"));
	json_object_put(parse("verify --db %s -o json"));
	json_object_put(parse("sql --db %s 'SELECT * FROM process' -o json"));
}
END_TEST

/* Each line of ndjson is a document; the last says whether it is complete. */
START_TEST(ndjson_reads_back)
{
	int lines = 0;
	bool complete = false;

	fixture_small(&fixture);
	ck_assert_int_eq(run("tree --db %s 1 -o ndjson"), 0);
	for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		json_object *root = json_tokener_parse(line);

		ck_assert_ptr_nonnull(root);
		complete = json_object_object_get_ex(root, "completeness", NULL);
		json_object_put(root);
	}
	ck_assert_int_eq(lines, 11);
	ck_assert(complete);
}
END_TEST

/* Runs on a terminal of that many columns. */
static void run_on_terminal(unsigned short columns, const char *arguments)
{
	struct winsize size = {.ws_row = 24, .ws_col = columns};
	char command[PATH_MAX + 256];
	size_t length = 0;
	ssize_t got;
	pid_t pid;
	int fd;

	snprintf(command, sizeof(command), "exec %s %s --db %s", program, arguments, fixture.path);
	pid = forkpty(&fd, NULL, NULL, &size);
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		setenv("TZ", "UTC", 1);
		setenv("TERM", "xterm", 1);
		unsetenv("COLUMNS");
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	while ((got = read(fd, output + length, sizeof(output) - 1 - length)) > 0)
		length += (size_t)got;
	output[length] = '\0';
	close(fd);
	waitpid(pid, NULL, 0);
}

START_TEST(terminal_width)
{
	static const unsigned short widths[] = {60, 80, 132};

	fixture_small(&fixture);
	setenv("NO_COLOR", "1", 1);
	run_on_terminal(widths[_i], "tree 1 --no-pager");
	ck_assert_ptr_nonnull(strstr(output, "COMMAND"));
	ck_assert_ptr_null(strchr(output, '\033'));
	for (char *line = strtok(output, "\r\n"); line; line = strtok(NULL, "\r\n"))
		ck_assert_msg(escape_width(line, strlen(line)) <= widths[_i], "%s", line);
}
END_TEST

/* Every verb on a terminal of the usual width: no line is broken, and a list shows what ran. */
START_TEST(terminal_verbs)
{
	char asked[] = "tree 200 --short;window --boot 0;search;search -o table;show 300;why 300;"
		       "stats;boots;status;diff --since 2026-11-20 --until 2026-11-21;"
		       "search --exe /no/such";
	char *rest = asked, *verb;

	fixture_small(&fixture);
	setenv("NO_COLOR", "1", 1);
	setenv("PAGER", "cat", 1);
	while ((verb = strsep(&rest, ";"))) {
		run_on_terminal(80, verb);
		ck_assert_str_ne(output, "");
		if (strcmp(verb, "search --exe /no/such") == 0)
			ck_assert_ptr_nonnull(strstr(output, "nothing matched"));
		for (char *line = strtok(output, "\r\n"); line; line = strtok(NULL, "\r\n"))
			ck_assert_msg(escape_width(line, strlen(line)) <= 80, "%s: %s", verb, line);
	}
	run_on_terminal(80, "search --uid 1000 --no-pager");
	for (char *line = strtok(output, "\r\n"); line; line = strtok(NULL, "\r\n"))
		ck_assert_msg(!strstr(line, "[uid 1000] /"), "%s", line);
	run_on_terminal(132, "search --uid 1000 --no-pager");
	ck_assert_ptr_nonnull(strstr(output, "[uid 1000] /"));
}
END_TEST

START_TEST(terminal_color)
{
	fixture_small(&fixture);
	unsetenv("NO_COLOR");
	run_on_terminal(80, "tree 300 --no-pager");
	ck_assert_ptr_nonnull(strstr(output, "\033[1m"));
	run_on_terminal(80, "tree 300 --no-pager --color=never");
	ck_assert_ptr_null(strchr(output, '\033'));
	run("tree 300 --db %s");
	ck_assert_ptr_null(strchr(output, '\033'));
	run("tree 300 --db %s --color always");
	ck_assert_ptr_nonnull(strchr(output, '\033'));
	setenv("LC_ALL", "C", 1);
	run("tree 200 --db %s");
	for (const char *p = output; *p; p++)
		ck_assert_msg((unsigned char)*p < 0x80, "%s", output);
}
END_TEST

/* A reader leaves no trace: not even side files. */
START_TEST(leaves_the_file_alone)
{
	char command[256], side[96];

	fixture_small(&fixture);
	snprintf(side, sizeof(side), "%s-wal", fixture.path);
	unlink(side);
	snprintf(side, sizeof(side), "%s-shm", fixture.path);
	unlink(side);
	snprintf(command, sizeof(command), "cp -p %s %s.before", fixture.path, fixture.path);
	ck_assert_int_eq(system(command), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].status != 3)
			run(cases[i].arguments);
	}
	snprintf(command, sizeof(command), "cmp %s %s.before && rm %s.before", fixture.path,
		 fixture.path, fixture.path);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_ne(access(side, F_OK), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lineage_query");
	TCase *tcase = tcase_create("lineage_query");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, says, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(tcase, failed_execs, 0, sizeof(failed_cases) / sizeof(failed_cases[0]));
	tcase_add_loop_test(tcase, help_fits_a_screen, 0, sizeof(verbs) / sizeof(verbs[0]));
	tcase_add_loop_test(tcase, same_twice, 0, 5);
	tcase_add_loop_test(tcase, hostile_bytes, 0,
			    sizeof(hostile_questions) / sizeof(hostile_questions[0]));
	tcase_add_test(tcase, json_reads_back);
	tcase_add_test(tcase, ndjson_reads_back);
	tcase_add_loop_test(tcase, terminal_width, 0, 3);
	tcase_add_test(tcase, terminal_verbs);
	tcase_add_test(tcase, terminal_color);
	tcase_add_test(tcase, leaves_the_file_alone);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
