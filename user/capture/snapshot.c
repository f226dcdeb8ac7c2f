/* user/capture/snapshot.c - who a process is. Owns nothing that outlives a call.
 * All is read through one descriptor of /proc/PID, so that a number used again in between gives
 * -ESRCH, not a mixture.
 */
#include "capture/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

#define TEXT_MAX	   8192 /* bytes of one file of /proc that are read */
#define FDS_MAX		   1024 /* descriptors of a process that are looked at */
#define PODS_MAX	   8192 /* pods on this host */
#define CONTAINERS_MAX	   64	/* of one pod */
#define CONTAINER_ID_LEN   64	/* hexadecimal digits: docker, containerd, cri-o, podman */
#define POD_UID_LEN	   36	/* a UUID; of a static pod, a hash of its manifest: */
#define POD_STATIC_UID_LEN 32

static void set_str(char *out, size_t size, struct span s)
{
	size_t n = MIN(s.len, size - 1);

	if (n)
		memcpy(out, s.p, n);
	out[n] = '\0';
}
#define SET(field, s) set_str(field, sizeof(field), s)

/* Returns what could be read of the file, in buf. */
static struct span read_text(int dir, const char *name, char *buf, size_t size)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	while (fd >= 0 && len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	return span_of(buf, len);
}

static struct span read_link(int dir, const char *name, char *buf, size_t size)
{
	ssize_t n = readlinkat(dir, name, buf, size);

	return span_of(buf, n > 0 ? (size_t)n : 0);
}

/* The next part up to a separator, taken off s. */
static struct span cut(struct span *s, char sep)
{
	const uint8_t *p = s->len ? memchr(s->p, sep, s->len) : NULL;
	struct span part = span_sub(*s, 0, p ? (size_t)(p - s->p) : s->len);

	*s = span_sub(*s, part.len + 1, SIZE_MAX);
	return part;
}

static bool ends_with(struct span s, struct span with)
{
	return s.len >= with.len && span_eq_nocase(span_sub(s, s.len - with.len, with.len), with);
}

static uint64_t to_number(struct span s)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		v = v * 10 + (s.p[i] - '0');
	return v;
}

/* --- cgroup */

static bool is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static size_t hex_run(struct span s, bool dashes)
{
	size_t n = 0;

	while (n < s.len && (is_hex(s.p[n]) || (dashes && (s.p[n] == '-' || s.p[n] == '_'))))
		n++;
	return n;
}

/* Which of the lines says most: the unified hierarchy when it is used, else systemd's, else the
 * longest. */
static struct span cgroup_path(struct span text)
{
	struct span best = {};
	unsigned best_rank = 0;

	while (text.len) {
		struct span path = cut(&text, '\n'), id = cut(&path, ':'), names = cut(&path, ':');
		unsigned rank = path.len <= 1				   ? 0
				: span_eq(id, SPAN_LIT("0"))		   ? 3
				: span_eq(names, SPAN_LIT("name=systemd")) ? 2
									   : 1;

		if (!path.len || path.p[0] != '/' || rank < best_rank)
			continue;
		if (rank > best_rank || path.len > best.len) {
			best = path;
			best_rank = rank;
		}
	}
	return best;
}

static void pod_uid(struct span part, struct proc_info *ret)
{
	static const char mark[] = "pod";
	const uint8_t *at;

	/* "pod<uid>", "kubepods-burstable-pod<uid>.slice": systemd writes - as _. */
	while ((at = memmem(part.p, part.len, mark, strlen(mark)))) {
		size_t n;

		part = span_sub(part, (size_t)(at - part.p) + strlen(mark), SIZE_MAX);
		n = hex_run(part, true);
		if (n != POD_UID_LEN && n != POD_STATIC_UID_LEN)
			continue;
		SET(ret->pod_uid, span_sub(part, 0, n));
		for (char *p = ret->pod_uid; *p; p++)
			if (*p == '_')
				*p = '-';
	}
}

void snapshot_cgroup(struct span text, struct proc_info *ret)
{
	static const struct span kinds[] = { SPAN_LIT(".service"), SPAN_LIT(".scope"),
					     SPAN_LIT(".socket"), SPAN_LIT(".mount") };
	struct span path = cgroup_path(text);

	SET(ret->cgroup, path);
	/* Inner names win: a container in a container, a unit in a user's manager. */
	while (path.len) {
		struct span part = cut(&path, '/');

		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
			if (ends_with(part, kinds[i]))
				SET(ret->unit, part);
		pod_uid(part, ret);
		for (struct span s = part; s.len;) {
			size_t n = hex_run(s, false);

			if (n == CONTAINER_ID_LEN)
				SET(ret->container, span_sub(s, 0, n));
			s = span_sub(s, n + 1, SIZE_MAX);
		}
	}
}

/* --- command line */

static bool is_name(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '_' || c == '.';
}

/* A name whose value is a secret. Endings, since --tokenizer and --max-tokens are none. */
static bool is_secret(struct span name)
{
	static const struct span ends[] = {
		SPAN_LIT("key"),	 SPAN_LIT("token"),  SPAN_LIT("secret"),
		SPAN_LIT("password"),	 SPAN_LIT("passwd"), SPAN_LIT("passphrase"),
		SPAN_LIT("pwd"),	 SPAN_LIT("pass"),   SPAN_LIT("credential"),
		SPAN_LIT("credentials"), SPAN_LIT("auth"),   SPAN_LIT("authorization"),
		SPAN_LIT("cookie"),	 SPAN_LIT("bearer"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends_with(name, ends[i]))
			return true;
	return false;
}

/* How much of an argument may be shown; *next: the following argument is a secret, too. */
static size_t shown(struct span arg, bool *next)
{
	*next = false;
	for (size_t i = 0; i < arg.len;) {
		size_t from = i;

		while (i < arg.len && is_name(arg.p[i]))
			i++;

		struct span name = span_sub(arg, from, i - from);
		bool flag = name.len && name.p[0] == '-';

		if (is_secret(name)) {
			while (i < arg.len && (arg.p[i] == '"' || arg.p[i] == '\''))
				i++;
			if (i == arg.len) {
				*next = flag && from == 0;
				return arg.len;
			}
			if (arg.p[i] == '=' || arg.p[i] == ':')
				return i + 1;
			if (arg.p[i] == ' ' && (flag || ends_with(name, SPAN_LIT("bearer"))))
				return i + 1;
		}
		/* scheme://user:password@host */
		if (arg.len - i > 3 && !memcmp(arg.p + i, "://", 3)) {
			struct span rest = span_sub(arg, i + 3, SIZE_MAX), host = cut(&rest, '/');

			if (host.len && memchr(host.p, '@', host.len))
				return i + 3;
		}
		if (i < arg.len)
			i++;
	}
	return arg.len;
}

struct line {
	char *p;
	size_t room;
};

static void add(struct line *l, struct span s)
{
	size_t n = MIN(s.len, l->room);

	if (!n)
		return;
	memcpy(l->p, s.p, n);
	l->p += n;
	l->room -= n;
}

void snapshot_cmdline(struct span args, char *out, size_t size)
{
	struct line l = { out, size - 1 };
	bool secret = false, user = false;

	for (bool first = true; args.len; first = false) {
		struct span arg = cut(&args, '\0');
		bool next = false;
		size_t n = shown(arg, &next);

		/* curl -u name:password */
		if (user && arg.len && n == arg.len && memchr(arg.p, ':', arg.len))
			n = (size_t)((const uint8_t *)memchr(arg.p, ':', arg.len) - arg.p) + 1;
		if (secret && arg.len && arg.p[0] != '-')
			n = 0;
		if (!first)
			add(&l, SPAN_LIT(" "));
		add(&l, span_sub(arg, 0, n));
		if (n < arg.len)
			add(&l, SPAN_LIT("***"));
		secret = next;
		user = span_eq(arg, SPAN_LIT("-u")) || span_eq(arg, SPAN_LIT("--user"));
	}
	*l.p = '\0';
}

/* --- the rest */

/* pid (comm) state ppid ...: comm may hold anything, so count from its last parenthesis (proc(5)).
 */
static int from_stat(struct span s, struct proc_info *ret)
{
	enum { STATE, PPID, THREADS = 17, START = 19 };
	bool ended = false;
	const uint8_t *open = s.len ? memchr(s.p, '(', s.len) : NULL;
	const uint8_t *close = s.len ? memrchr(s.p, ')', s.len) : NULL;

	if (!open || !close || close < open)
		return -ESRCH;
	SET(ret->comm, span_of(open + 1, (size_t)(close - open - 1)));
	s = span_sub(s, (size_t)(close - s.p) + 2, SIZE_MAX);
	for (unsigned i = 0; i <= START; i++) {
		struct span f = cut(&s, ' ');

		if (!f.len)
			return -ESRCH;
		if (i == STATE)
			ended = f.p[0] == 'X' || f.p[0] == 'Z';
		if (i == THREADS && ended &&
		    to_number(f) <= 1) /* else only its first thread is gone */
			ret->flags |= PROC_EXITED;
		if (i == PPID)
			ret->ppid = (uint32_t)to_number(f);
		if (i == START)
			ret->start_ns =
			    to_number(f) * (NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	}
	return 0;
}

static void user_name(const char *passwd, struct proc_info *ret)
{
	auto_file FILE *f = fopen(passwd, "re");
	struct passwd entry = {}, *found;
	char buf[4096];

	while (f && !fgetpwent_r(f, &entry, buf, sizeof(buf), &found))
		if (found->pw_uid == ret->uid) {
			SET(ret->user, span_str(found->pw_name));
			return;
		}
}

static void from_status(struct span s, struct proc_info *ret)
{
	while (s.len) {
		struct span value = cut(&s, '\n'), name = cut(&value, ':');

		if (span_eq(name, SPAN_LIT("Uid"))) {
			ret->uid = (uint32_t)to_number(
			    span_sub(value, 1, SIZE_MAX)); /* the real one, as BPF sees it */
			return;
		}
	}
}

static DIR *open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d && fd >= 0)
		close(fd);
	return d;
}

/* The next entry that is no dot file. */
static const char *next_entry(DIR *d)
{
	struct dirent *e;

	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			return e->d_name;
	return NULL;
}

static bool holds_gpu(int proc)
{
	static const struct span devices[] = { SPAN_LIT("/dev/nvidia"), SPAN_LIT("/dev/kfd"),
					       SPAN_LIT("/dev/dri/render") };
	DIR *d = open_dir(proc, "fd");
	const char *name;
	bool found = false;

	for (unsigned n = 0; d && !found && n < FDS_MAX && (name = next_entry(d)); n++) {
		char buf[64];
		struct span to = read_link(dirfd(d), name, buf, sizeof(buf));

		for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
			found |= span_starts(to, devices[i]);
	}
	if (d)
		closedir(d);
	return found;
}

/* Docker's log is a link to a path with the container's id; other runtimes leave no trace of it
 * here. */
static bool log_is_of(int pod, const char *container, const char *id)
{
	char path[300], buf[512];
	struct span to;

	snprintf(path, sizeof(path), "%s/0.log", container);
	to = read_link(pod, path, buf, sizeof(buf));
	return *id && to.len && memmem(to.p, to.len, id, strlen(id));
}

static void container_name(int pods, const char *pod, struct proc_info *ret)
{
	DIR *d = open_dir(pods, pod);
	const char *name;
	unsigned n = 0;

	for (; d && n < CONTAINERS_MAX && (name = next_entry(d)); n++) {
		SET(ret->container_name, span_str(name));
		if (log_is_of(dirfd(d), name, ret->container)) {
			n = 1;
			break;
		}
	}
	if (n != 1)
		ret->container_name[0] = '\0'; /* several: we cannot say which */
	if (d)
		closedir(d);
}

static void pod_names(const char *pods, struct proc_info *ret)
{
	DIR *d = open_dir(AT_FDCWD, pods);
	const char *name;

	for (unsigned n = 0; d && n < PODS_MAX && (name = next_entry(d)); n++) {
		struct span s = span_str(name), ns = cut(&s, '_'), pod = cut(&s, '_');

		if (!span_eq(s, span_str(ret->pod_uid)))
			continue;
		SET(ret->pod_namespace, ns);
		SET(ret->pod_name, pod);
		container_name(dirfd(d), name, ret);
		break;
	}
	if (d)
		closedir(d);
}

int snapshot_at(const struct snapshot_roots *roots, pid_t pid, struct proc_info *ret)
{
	char path[128], buf[TEXT_MAX];
	auto_close int dir = -1;
	int r;

	snprintf(path, sizeof(path), "%s/%d", roots->proc, pid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	*ret = (struct proc_info){ .tgid = (uint32_t)pid };
	r = from_stat(read_text(dir, "stat", buf, sizeof(buf)), ret);
	if (r)
		return r;
	from_status(read_text(dir, "status", buf, sizeof(buf)), ret);
	user_name(roots->passwd, ret);
	SET(ret->exe, read_link(dir, "exe", buf, sizeof(buf)));
	snapshot_cmdline(read_text(dir, "cmdline", buf, sizeof(buf)), ret->cmdline,
			 sizeof(ret->cmdline));
	explicit_bzero(buf, sizeof(buf)); /* there may have been a key in it */
	snapshot_cgroup(read_text(dir, "cgroup", buf, sizeof(buf)), ret);
	if (ret->pod_uid[0])
		pod_names(roots->pods, ret);
	if (holds_gpu(dir))
		ret->flags |= PROC_GPU;
	return 0;
}

int snapshot_process(pid_t pid, struct proc_info *ret)
{
	static const struct snapshot_roots host = { "/proc", "/var/log/pods", "/etc/passwd" };

	return snapshot_at(&host, pid, ret);
}
