#include "tests/harness/files.h"

#include <sys/stat.h>
#include <glob.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "tests/harness/fail.h"
#include "tests/harness/proc.h"

#define FILE_BYTES_MAX (64 * MIB)
#define PIECE	       65536

static void
put(const char *path, const char *mode, const char *content)
{
	FILE *f = fopen(path, mode);

	if (f == NULL || fputs(content, f) < 0 || fclose(f) != 0)
		test_fail("could not write %s: %m", path);
}

void
file_write(const char *path, const char *content)
{
	put(path, "we", content);
}

void
file_append(const char *path, const char *content)
{
	put(path, "ae", content);
}

char *
file_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char piece[PIECE];
	struct buf b;
	char *copy;
	size_t n;

	if (f == NULL)
		return text("%s", "");
	buf_init(&b, FILE_BYTES_MAX);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&b, piece, n);
	fclose(f);
	copy = text("%s", buf_str(&b));
	buf_done(&b);
	return copy;
}

char *
file_newest(const char *pattern)
{
	glob_t found;
	char *path = NULL;

	if (glob(pattern, 0, NULL, &found) == 0)
		path = text("%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return path;
}

void
directory_make(const char *path)
{
	if (mkdir(path, 0755) != 0)
		test_fail("could not make %s: %m", path);
	proc_own_file(path);
}

void
file_write_pid(const char *path, pid_t pid)
{
	file_write(path, text("%d\n", (int)pid));
}

pid_t
file_read_pid(const char *path)
{
	FILE *f = fopen(path, "re");
	int pid = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%d", &pid) != 1)
		pid = 0;
	fclose(f);
	return pid > 0 && proc_alive(pid) ? pid : 0;
}

char *
cache_directory(void)
{
	const char *wanted = getenv("PEERD_CACHE_DIR");
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	if (wanted != NULL && *wanted != '\0')
		return text("%s", wanted);
	if (getuid() == 0)
		return text("/var/cache/peerd");
	if (xdg != NULL && *xdg != '\0')
		return text("%s/peerd", xdg);
	return text("%s/.cache/peerd", home != NULL ? home : "");
}

char *
cache_newest(const char *pattern)
{
	return file_newest(text("%s/%s", cache_directory(), pattern));
}
