/* user/proc/host.c - directories, key and control socket. */
#include "proc/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"

#define CONTROL_NAME	"control.sock"
#define CONTROL_BACKLOG 64

__attribute__((format(printf, 4, 5))) static int fail(int err, char *why, size_t size,
						      const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(why, size, fmt, args);
	va_end(args);
	if (n > 0 && (size_t)n < size)
		snprintf(why + n, size - (size_t)n, ": %s", strerror(err));
	return -err;
}

/* A directory below dir (AT_FDCWD with an absolute path), made when missing, with this owner and
 * mode. */
static int directory(int dir, const char *path, uid_t uid, gid_t gid, mode_t mode, int *ret)
{
	auto_close int fd = -1;
	struct stat st;

	if (mkdirat(dir, path, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* Without CAP_FOWNER the mode is the owner's to change. */
	if ((st.st_mode & 07777) != mode) {
		if (st.st_uid != geteuid() && fchown(fd, geteuid(), (gid_t)-1) < 0)
			return -errno;
		if (fchmod(fd, mode) < 0)
			return -errno;
		st.st_uid = geteuid();
	}
	if ((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) < 0)
		return -errno;
	*ret = steal_fd(&fd);
	return 0;
}

/* The fingerprint key: read, or made. Owned by root and unreadable to every role. */
static int fingerprint_key(int dir, uint8_t key[MAC_KEY_LEN])
{
	auto_close int fd = openat(dir, "key", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		return read(fd, key, MAC_KEY_LEN) == MAC_KEY_LEN ? 0 : -EBADMSG;
	if (errno != ENOENT)
		return -errno;
	if (getrandom(key, MAC_KEY_LEN, 0) != MAC_KEY_LEN)
		return -EIO;
	/* Complete or absent, whenever the power fails. */
	fd = openat(dir, "key.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write(fd, key, MAC_KEY_LEN) != MAC_KEY_LEN || fsync(fd) < 0 ||
	    renameat(dir, "key.new", dir, "key") < 0 || fsync(dir) < 0)
		return -errno;
	return 0;
}

static int control_socket(const char *run_dir, int *ret)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	auto_close int fd = -1;
	int err = 0;

	if (snprintf(a.sun_path, sizeof(a.sun_path), "%s/" CONTROL_NAME, run_dir) >=
	    (int)sizeof(a.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(a.sun_path); /* of a sensor that was killed: the directory's lock is ours */
	umask(0117);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, CONTROL_BACKLOG) < 0)
		err = -errno;
	umask(022);
	if (err)
		return err;
	*ret = steal_fd(&fd);
	return 0;
}

static int boot_id(uint8_t ret[16])
{
	auto_file FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	char text[64];
	size_t n = 0;

	if (!f || !fgets(text, sizeof(text), f))
		return -EIO;
	for (const char *s = text; *s && n < 32; s++) {
		int v = *s >= '0' && *s <= '9'	 ? *s - '0'
			: *s >= 'a' && *s <= 'f' ? *s - 'a' + 10
						 : -1;

		if (v < 0)
			continue;
		ret[n / 2] = (uint8_t)(n % 2 ? ret[n / 2] | v : v << 4);
		n++;
	}
	return n == 32 ? 0 : -EIO;
}

static int export_file(const char *path, const char *what, int *ret, char *why, size_t size)
{
	if (!*path)
		return 0;
	*ret = open(path, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? fail(errno, why, size, "export: %s %s", what, path) : 0;
}

void host_none(struct host *ret)
{
	*ret = (struct host){ .run_fd = -1,
			      .store_fd = -1,
			      .patterns_fd = -1,
			      .control_fd = -1,
			      .ca_fd = -1,
			      .cert_fd = -1,
			      .key_fd = -1 };
}

int host_open(struct host *ret, const struct config *c, uid_t monitor, gid_t monitor_group,
	      uid_t keeper, gid_t keeper_group, char *why, size_t why_size)
{
	auto_close int state = -1;
	const char *node = getenv("EARSHOT_HOST");
	struct host *h = ret;
	int err;

	host_none(h);
	err = boot_id(h->boot);
	if (err)
		return fail(-err, why, why_size, "boot id of the host");
	if (*c->host)
		snprintf(h->name, sizeof(h->name), "%s", c->host);
	else if (node && *node) /* in a container, whose own name says nothing:
				   deploy/kubernetes/daemonset.yaml */
		snprintf(h->name, sizeof(h->name), "%s", node);
	else if (gethostname(h->name, sizeof(h->name) - 1) < 0)
		return fail(errno, why, why_size, "name of the host");

	err = directory(AT_FDCWD, c->run_dir, monitor, monitor_group, 0755, &h->run_fd);
	if (err)
		return fail(-err, why, why_size, "run_dir %s", c->run_dir);
	if (flock(h->run_fd, LOCK_EX | LOCK_NB) < 0) {
		snprintf(why, why_size,
			 "another earshotd runs on %s; stop it, or give this one its own run_dir "
			 "and state_dir",
			 c->run_dir);
		return -EBUSY;
	}
	err = directory(AT_FDCWD, c->state_dir, 0, 0, 0755, &state);
	if (!err)
		err = directory(state, "store", keeper, keeper_group, 0700, &h->store_fd);
	if (!err)
		err = directory(state, "patterns", monitor, monitor_group, 0700, &h->patterns_fd);
	if (err)
		return fail(-err, why, why_size, "state_dir %s", c->state_dir);
	err = fingerprint_key(state, h->key);
	if (err)
		return fail(-err, why, why_size, "fingerprint key %s/key", c->state_dir);
	if (!c->n_exports)
		return 0;
	err = export_file(c->export[0].ca, "ca", &h->ca_fd, why, why_size);
	if (!err)
		err = export_file(c->export[0].cert, "cert", &h->cert_fd, why, why_size);
	if (!err)
		err = export_file(c->export[0].key, "key", &h->key_fd, why, why_size);
	return err;
}

int host_listen(struct host *h, const struct config *c, char *why, size_t why_size)
{
	int err = control_socket(c->run_dir, &h->control_fd);

	return err ? fail(-err, why, why_size, "control socket %s/" CONTROL_NAME, c->run_dir) : 0;
}

void host_close(struct host *h)
{
	if (h->control_fd >= 0)
		unlinkat(h->run_fd, CONTROL_NAME, 0);
	own_close(&h->control_fd);
	own_close(&h->run_fd);
	own_close(&h->store_fd);
	own_close(&h->patterns_fd);
	own_close(&h->ca_fd);
	own_close(&h->cert_fd);
	own_close(&h->key_fd);
	explicit_bzero(h->key, sizeof(h->key));
}
