/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <check.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void fixture_sql(struct fixture *f, const char *format, ...)
{
	char *error = NULL, *sql;
	va_list args;
	int rc;

	va_start(args, format);
	sql = sqlite3_vmprintf(format, args);
	va_end(args);
	rc = sqlite3_exec(f->db, sql, NULL, NULL, &error);
	ck_assert_msg(rc == SQLITE_OK, "%s: %s", sql, error ? error : "");
	sqlite3_free(sql);
}

void fixture_init(struct fixture *f)
{
	int fd;

	*f = (struct fixture){.next_text = 1, .next_image = 1, .next_process = 1, .next_exec = 1};
	snprintf(f->path, sizeof(f->path), "/tmp/lineage-fixture.XXXXXX");
	fd = mkstemp(f->path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(schema_open_writer(f->path, &f->db), 0);
	fixture_sql(f, "BEGIN");
	fixture_sql(f,
		    "INSERT INTO boot VALUES (1, '11111111-aaaa-4aaa-8aaa-111111111111', 'node1',"
		    "'x86_64', '6.1.0');"
		    "INSERT INTO clock VALUES (1, 0, %lld);",
		    FIXTURE_EPOCH_NS);
	fixture_sql(f,
		    "INSERT INTO recorder_row VALUES (1, 1, '0.1.0', 'abc', '6.1.0', NULL, 0, %lld,"
		    "%lld, 'stopped');",
		    864000 * FIXTURE_SECOND, 864000 * FIXTURE_SECOND);
	fixture_sql(
		f,
		"INSERT INTO cgroup VALUES (1, 1, 0, 1, '/user.slice', NULL, NULL, NULL, NULL,"
		"NULL, NULL, NULL);"
		"INSERT INTO cgroup VALUES (2, 1, 0, 2, '/docker/0123456789abcdef',"
		"'0123456789abcdef0123456789abcdef', 'docker', 'web', 'nginx:1', 'uid-1', 'pod-1',"
		"'shop');");
	for (int i = 1; i <= 3; i++) {
		int uid = i == 1 ? 0 : 1000;

		fixture_sql(
			f,
			"INSERT INTO context (context, uid, euid, suid, gid, egid, sgid, loginuid,"
			"sessionid, sid, tty, cgroup) VALUES (%d, %d, %d, %d, %d, %d, %d, %d, %d,"
			"1, %d, %d)",
			i, uid, uid, uid, uid, uid, uid, uid, i, i == 2 ? 34819 : 0,
			i == 3 ? 2 : 1);
	}
}

void fixture_deinit(struct fixture *f)
{
	char side[80];

	sqlite3_close(f->db);
	unlink(f->path);
	snprintf(side, sizeof(side), "%s-wal", f->path);
	unlink(side);
	snprintf(side, sizeof(side), "%s-shm", f->path);
	unlink(side);
}

int64_t fixture_text(struct fixture *f, const char *value)
{
	fixture_sql(f, "INSERT INTO text (text, value) VALUES (%lld, %Q)", f->next_text, value);
	return f->next_text++;
}

int64_t fixture_image(struct fixture *f, const char *exe, const char *args)
{
	const char *slash = strrchr(exe, '/');
	int64_t text = fixture_text(f, exe);

	fixture_sql(f,
		    "INSERT INTO program (program, exe, comm, flags, dev, inode) "
		    "VALUES (%lld, %lld, substr(%Q, 1, 15), 0, 8, %lld)",
		    f->next_image, text, slash ? slash + 1 : exe, f->next_image);
	fixture_sql(f,
		    "INSERT INTO image (image, program, args) SELECT %lld, %lld, "
		    "group_concat(value, char(127)) FROM json_each(%Q)",
		    f->next_image, f->next_image, args);
	fixture_sql(
		f,
		"INSERT INTO argv (image, args, args_count, args_bytes) SELECT image, '[]', 0, 0 "
		"FROM image WHERE image = %lld AND args IS NULL",
		f->next_image);
	return f->next_image++;
}

int64_t fixture_attempt(struct fixture *f, const char *filename, const char *args)
{
	int64_t image = fixture_image(f, filename, args);

	fixture_sql(f,
		    "UPDATE program SET filename = exe, exe = NULL, dev = 0, inode = 0 "
		    "WHERE program = %lld",
		    image);
	return image;
}

int64_t fixture_process(struct fixture *f, const struct fixture_process *p)
{
	int boot = p->boot ? p->boot : 1;
	bool inherited = !p->exe;
	int provenance = PROVENANCE_PACK(p->birth,
					 inherited ? (int)PROVENANCE_NONE : p->image_provenance,
					 p->end_after_ns ? p->end : (int)PROVENANCE_NONE);
	int64_t image = inherited ? 0 : fixture_image(f, p->exe, p->args ? p->args : "[]");
	int64_t id = f->next_process++;

	fixture_sql(
		f,
		"INSERT INTO process_row (process_id, boot, pid, start_boot_ns, parent_id,"
		"provenance, context, ns_pid, pgid, exec_context, exec_parent_id, end_parent_id)"
		"VALUES (%lld, %d, %lld, %lld, nullif(%lld, 0), %d, %lld, 0, 0, 0, 0, 0)",
		id, boot, p->pid, p->start_ns, p->parent, provenance, p->context ? p->context : 1);
	if (inherited)
		fixture_sql(f,
			    "UPDATE process_row SET image = (SELECT image FROM process_row WHERE"
			    " process_id = %lld) WHERE process_id = %lld",
			    p->parent, id);
	else
		fixture_sql(f,
			    "UPDATE process_row SET image = %lld, exec_after_ns = %lld"
			    " WHERE process_id = %lld",
			    image, p->exec_after_ns ? p->exec_after_ns : 1000000, id);
	if (p->end_after_ns)
		fixture_sql(f,
			    "UPDATE process_row SET end_after_ns = %lld, status = %d"
			    " WHERE process_id = %lld",
			    p->end_after_ns, p->status, id);
	return id;
}

void fixture_exec(struct fixture *f, int64_t process, int64_t boot_ns, const char *exe,
		  const char *args)
{
	int64_t image = fixture_image(f, exe, args);

	fixture_sql(f,
		    "INSERT INTO exec_row (exec_id, process_id, boot, boot_ns, provenance, context,"
		    "parent_id, image, pgid) SELECT %lld, process_id, boot, %lld, 0, 0, 0, %lld, 0"
		    " FROM process_row WHERE process_id = %lld",
		    f->next_exec++, boot_ns, image, process);
}

void fixture_finish(struct fixture *f)
{
	fixture_sql(f, "INSERT INTO zone SELECT process_id >> 12, boot, min(start_boot_ns),"
		       " max(start_boot_ns) FROM process_row GROUP BY 1, 2");
	fixture_sql(f, "COMMIT");
	fixture_sql(f, "PRAGMA wal_checkpoint(TRUNCATE)");
	sqlite3_close(f->db);
	f->db = NULL;
}

int fixture_ask(const struct fixture *f, const char *arguments, const char **ret_output)
{
	static char output[1024 * 1024];
	char self[256], command[2048];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int used, status;
	FILE *pipe;

	ck_assert_int_gt(length, 0);
	self[length] = '\0';
	setenv("LC_ALL", "C.UTF-8", 1);
	used = snprintf(command, sizeof(command), "{ TZ=UTC %s/../cli/lineage-query ",
			dirname(self));
	snprintf(command + used, sizeof(command) - (size_t)used, arguments, f->path, f->path);
	strcat(command, "; } 2>&1 </dev/null");
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	length = (ssize_t)fread(output, 1, sizeof(output) - 1, pipe);
	output[length] = '\0';
	status = pclose(pipe);
	ck_assert_msg(WIFEXITED(status), "%s: killed", command);
	*ret_output = output;
	return WEXITSTATUS(status);
}

void fixture_small(struct fixture *f)
{
	const int64_t s = FIXTURE_SECOND;
	int64_t init, sshd, bash, make;

	fixture_init(f);
	init = fixture_process(f,
			       &(struct fixture_process){.pid = 1,
							 .start_ns = s / 10,
							 .exe = "/usr/lib/systemd/systemd",
							 .args = "[\"/sbin/init\"]",
							 .birth = PROVENANCE_SNAPSHOT,
							 .image_provenance = PROVENANCE_SNAPSHOT});
	sshd = fixture_process(f, &(struct fixture_process){.pid = 100,
							    .start_ns = 5 * s,
							    .parent = init,
							    .exe = "/usr/sbin/sshd",
							    .args = "[\"sshd\",\"-D\"]"});
	bash = fixture_process(f, &(struct fixture_process){.pid = 200,
							    .start_ns = 100 * s,
							    .parent = sshd,
							    .exe = "/usr/bin/bash",
							    .args = "[\"-bash\"]",
							    .context = 2});
	fixture_exec(f, bash, 100 * s + 1000, "/usr/bin/login", "[\"login\",\"-f\",\"ann\"]");
	fixture_process(f, &(struct fixture_process){.pid = 400,
						     .start_ns = 110 * s,
						     .parent = bash,
						     .exe = "/usr/bin/true",
						     .args = "[\"true\"]",
						     .end_after_ns = s / 2,
						     .context = 2});
	make = fixture_process(f, &(struct fixture_process){.pid = 300,
							    .start_ns = 200 * s,
							    .parent = bash,
							    .exe = "/usr/bin/make",
							    .args = "[\"make\",\"all\"]",
							    .end_after_ns = 20 * s,
							    .status = 2 << 8,
							    .context = 2});
	for (int i = 0; i < 3; i++) {
		int64_t cc = fixture_process(f, &(struct fixture_process){.pid = 301 + i,
									  .start_ns = (201 + i) * s,
									  .parent = make,
									  .exe = "/usr/bin/cc",
									  .args = "[\"cc\",\"-c\"]",
									  .end_after_ns = s,
									  .context = 2});

		fixture_sql(
			f,
			"UPDATE process_row SET image = (SELECT min(image) FROM image JOIN program"
			" USING (program) JOIN text ON text = exe WHERE value = '/usr/bin/cc') "
			"WHERE process_id = %lld",
			cc);
	}
	fixture_process(f, &(struct fixture_process){.pid = 310,
						     .start_ns = 205 * s,
						     .parent = make,
						     .end_after_ns = s / 100,
						     .status = 9,
						     .context = 2});
	fixture_process(f, &(struct fixture_process){.pid = 400,
						     .start_ns = 300 * s,
						     .parent = bash,
						     .exe = "/usr/bin/curl",
						     .args = "[\"curl\",\"http://x/\\u001b[31m\"]",
						     .end_after_ns = 2 * s,
						     .context = 3});
	fixture_finish(f);
}
