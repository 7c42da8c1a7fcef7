#include "catalog/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/seal.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"

#define KEYFILE_MAX (4 * KIB) /* SEAL_KEYS_MAX keys with names take less */

static bool
keyfile_write_all(int fd, const char *text)
{
	size_t n = strlen(text);

	return write(fd, text, n) == (ssize_t)n && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
}

static bool
dir_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	fd_close(&fd);
	return ok;
}

/* Written aside and renamed, so that a crash leaves a whole file or none. */
static bool
keyfile_make(const char *dir, const char *path, struct err *err)
{
	char text[SEAL_KEY_TEXT_MAX];
	char *aside;
	bool ok;
	int fd;

	if (!seal_key_make(text, err))
		return false;
	aside = xasprintf("%s.new", path);
	fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ok = fd >= 0 && fchmod(fd, 0600) == 0 && keyfile_write_all(fd, text) &&
	    rename(aside, path) == 0 && dir_sync(dir);
	if (!ok)
		err_set(err, ERR_TRANSIENT, "could not write \"%s\": %m", path);
	fd_close(&fd);
	mem_wipe(text, sizeof(text));
	free(aside);
	return ok;
}

static bool
keyfile_check_mode(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set(err, ERR_CONFIG, "could not look at \"%s\": %m", path);
	if ((st.st_mode & 077) == 0)
		return true;
	err_set(err, ERR_CONFIG, "\"%s\" may be read by others", path);
	return err_hint(err, "run: chmod 600 %s", path);
}

static bool
keyfile_read(int fd, const char *path, struct seal_ring *ring, struct err *err)
{
	char text[KEYFILE_MAX];
	ssize_t n;
	bool ok;

	if (!keyfile_check_mode(fd, path, err))
		return false;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return err_set(err, ERR_CONFIG, "could not read \"%s\": %m", path);
	text[n] = '\0';
	ok = seal_ring_add(ring, text, err) || err_context(err, "in \"%s\"", path);
	mem_wipe(text, sizeof(text));
	return ok;
}

bool
keyfile_load(const char *dir, bool make, struct seal_ring *ring, struct err *err)
{
	char *path = xasprintf("%s/%s", dir, KEYFILE_NAME);
	bool ok = false;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !make) {
		ok = true;
		goto out;
	}
	if (fd < 0 && errno == ENOENT) {
		if (!keyfile_make(dir, path, err))
			goto out;
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		err_set(err, ERR_CONFIG, "could not open \"%s\": %m", path);
	else
		ok = keyfile_read(fd, path, ring, err);
out:
	fd_close(&fd);
	free(path);
	return ok;
}
