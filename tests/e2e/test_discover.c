/* tests/e2e/test_discover.c - discovery on the real kernel: which files, by which inode, from which
 * processes. Prints TAP. Its helpers are itself, started with --helper and a list of things to do;
 * each waits for a byte before the next thing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "capture/discover.h"
#include "capture/sites.h"

#define LIBSSL	   "/usr/lib/x86_64-linux-gnu/libssl.so.3"
#define EVENTS_MAX 8192
#define WAIT_NS	   (5 * NS_PER_SEC)
#define CHURN	   "12000" /* mappings: more than the rings of perf hold */

enum what { FILE_EVENT, USER_EVENT, EXIT_EVENT, FORK_EVENT };

struct event {
	enum what what;
	struct inode_key key;
	struct code_range code;
	pid_t pid, parent;
	uint64_t start_ns; /* of a forked child */
	int fd;
	char path[128];
};

static struct event events[EVENTS_MAX];
static unsigned n_events;
static struct discover *discover;
static char dir[] = "/tmp/earshot-discover-XXXXXX";

static struct event *add_event(enum what what, pid_t pid)
{
	struct event *e = &events[MIN(n_events, EVENTS_MAX - 1u)];

	n_events = MIN(n_events + 1, EVENTS_MAX);
	*e = (struct event){ .what = what, .pid = pid, .fd = -1 };
	return e;
}

static void on_file(void *ctx, const struct inode_key *key, const struct code_range *code, int fd,
		    pid_t pid, const char *path)
{
	struct event *e = add_event(FILE_EVENT, pid);

	(void)ctx;
	e->key = *key;
	e->code = *code;
	e->fd = fd;
	snprintf(e->path, sizeof(e->path), "%s", path);
}

static void on_user(void *ctx, const struct inode_key *key, pid_t pid)
{
	(void)ctx;
	add_event(USER_EVENT, pid)->key = *key;
}

static void on_exit_of(void *ctx, pid_t pid)
{
	(void)ctx;
	add_event(EXIT_EVENT, pid);
}

static void on_fork_of(void *ctx, pid_t parent, pid_t child, uint64_t start_ns)
{
	struct event *e = add_event(FORK_EVENT, child);

	(void)ctx;
	e->parent = parent;
	e->start_ns = start_ns;
}

/* --- TAP */

static unsigned n_tests, n_failed;

static bool ok(bool good, const char *name)
{
	printf("%sok %u - %s\n", good ? "" : "not ", ++n_tests, name);
	n_failed += !good;
	return good;
}

static void skip(const char *name, const char *why)
{
	printf("ok %u - %s # SKIP %s\n", ++n_tests, name, why);
}

/* --- helpers */

struct helper {
	pid_t pid;
	int to, from;
};

static int do_helper(char **todo)
{
	for (; *todo; todo++) {
		char byte;

		if (!strncmp(*todo, "dlopen:", 7) && !dlopen(*todo + 7, RTLD_NOW | RTLD_LOCAL)) {
			fprintf(stderr, "# %s\n", dlerror());
			return 1;
		}
		if (!strncmp(*todo, "map:", 4)) { /* its first page, as if that were code */
			int fd = open(*todo + 4, O_RDONLY | O_CLOEXEC);

			if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) ==
			    MAP_FAILED)
				return 1;
			close(fd);
		}
		if (!strncmp(*todo, "churn:", 6)) {
			int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

			for (int n = atoi(*todo + 6); n > 0; n--)
				munmap(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0),
				       4096);
			close(fd);
		}
		if (!strcmp(*todo,
			    "fork")) { /* a child and its child, all alive until the pipe closes */
			for (int n = 0; n < 2 && !fork(); n++)
				;
		}
		if (!strncmp(*todo, "spawn:", 6) && !fork()) { /* a child that executes at once */
			char open[300];

			snprintf(open, sizeof(open), "dlopen:%s", *todo + 6);
			execv("/proc/self/exe", (char *[]){ "helper", "--helper", open, NULL });
		}
		if (!strcmp(*todo, "exec")) {
			todo[0] = (char[]){ "--helper" };
			execv("/proc/self/exe",
			      (char *[]){ "helper", "--helper", todo[1], todo[2], todo[3], NULL });
		}
		if (write(1, "r", 1) != 1 || read(0, &byte, 1) != 1)
			return 0;
	}
	return 0;
}

static int ready(struct helper *h)
{
	struct pollfd p = { .fd = h->from, .events = POLLIN };
	char byte;

	return poll(&p, 1, 10000) == 1 && read(h->from, &byte, 1) == 1 ? 0 : -1;
}

static int go_on(struct helper *h)
{
	return write(h->to, "g", 1) == 1 ? ready(h) : -1;
}

/* Starts one and waits until its first thing is done. */
static int start(struct helper *h, char *const argv[])
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		return -1;
	h->pid = fork();
	if (!h->pid) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		execv(argv[0], argv);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	h->to = to[1];
	h->from = from[0];
	return ready(h);
}

#define START(h, ...) start(h, (char *[]){ "/proc/self/exe", "--helper", __VA_ARGS__, NULL })

static void end(struct helper *h)
{
	close(h->to);
	close(h->from);
	kill(h->pid, SIGKILL);
	waitpid(h->pid, NULL, 0);
}

/* --- looking at events */

static const char *in_dir(const char *name)
{
	static char path[8][256];
	static unsigned n;
	char *p = path[n++ % ARRAY_SIZE(path)];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static bool copy(const char *from, const char *to)
{
	auto_close int in = open(from, O_RDONLY | O_CLOEXEC);
	auto_close int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	struct stat st;

	if (in < 0 || out < 0 || fstat(in, &st))
		return false;
	while (st.st_size > 0) {
		ssize_t n = sendfile(out, in, NULL, (size_t)st.st_size);

		if (n <= 0)
			return false;
		st.st_size -= n;
	}
	return true;
}

static bool is_key(const struct inode_key *key, const struct stat *st)
{
	return key->ino == st->st_ino &&
	       key->dev == ((uint64_t)major(st->st_dev) << 20 | minor(st->st_dev));
}

/* Events of this kind for the file and the process (NULL, 0: any), after handling what comes until
 * there is one, or time is up. */
static unsigned count(enum what what, const struct stat *st, pid_t pid, const struct event **ret)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_events; i++) {
		const struct event *e = &events[i];

		if (e->what != what || (pid && e->pid != pid) || (st && !is_key(&e->key, st)))
			continue;
		n++;
		if (ret)
			*ret = e;
	}
	return n;
}

static unsigned await(enum what what, const struct stat *st, pid_t pid, const struct event **ret)
{
	uint64_t until = mono_ns() + WAIT_NS;
	unsigned n;

	while (!(n = count(what, st, pid, ret)) && mono_ns() < until) {
		struct pollfd p = { .fd = discover_fd(discover), .events = POLLIN };

		if (poll(&p, 1, 100) == 1 && discover_poll(discover))
			break;
	}
	return n;
}

/* Handles what comes for a while, for what must not come. */
static void settle(void)
{
	for (int i = 0; i < 20; i++) {
		struct pollfd p = { .fd = discover_fd(discover), .events = POLLIN };

		if (poll(&p, 1, 10) == 1)
			discover_poll(discover);
	}
}

/* --- tests */

static void test_scan(void)
{
	const char *lib = in_dir("libssl-scan.so");
	unsigned last_ssl = 0, first_other = EVENTS_MAX;
	const struct event *e = NULL;
	struct stat self, st;
	struct helper h;
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "dlopen:%s", lib);
	if (!copy(LIBSSL, lib) || stat(lib, &st) || stat("/proc/self/exe", &self) ||
	    START(&h, cmd)) {
		ok(false, "a process maps a copy of libssl");
		return;
	}
	ok(!discover_scan(discover), "scan");
	for (unsigned i = 0; i < n_events; i++) {
		if (events[i].what != FILE_EVENT)
			continue;
		if (strstr(events[i].path, "ssl"))
			last_ssl = i;
		else
			first_other = MIN(first_other, i);
	}
	ok(count(FILE_EVENT, &st, 0, &e) == 1 && e->pid == h.pid && !strcmp(e->path, lib),
	   "scan reports a mapped library");
	ok(count(FILE_EVENT, &self, 0, NULL) == 1, "scan reports this program once");
	ok(count(FILE_EVENT, &self, getpid(), NULL) + count(USER_EVENT, &self, getpid(), NULL) ==
		   1 &&
	       count(FILE_EVENT, &self, h.pid, NULL) + count(USER_EVENT, &self, h.pid, NULL) == 1,
	   "scan reports both its processes");
	ok(last_ssl < first_other, "scan reports files named ssl first");

	ok(!discover_scan(discover) && count(FILE_EVENT, &st, 0, NULL) == 1 &&
	       count(USER_EVENT, &self, h.pid, NULL) <= 1,
	   "a second scan reports nothing again");
	end(&h);
	ok(await(EXIT_EVENT, NULL, h.pid, NULL) == 1, "exit of a process is reported");
	settle();
	ok(count(EXIT_EVENT, NULL, h.pid, NULL) == 1, "exit is reported once");
}

static void test_new_process(void)
{
	const struct event *e = NULL;
	struct stat st, link_st;
	struct survey s = {};
	int pair[2];
	pid_t pid;

	/* openssl itself, held up by a pipe while it reads its input. */
	if (stat(LIBSSL, &st) || pipe2(pair, O_CLOEXEC)) {
		ok(false, "libssl is there");
		return;
	}
	pid = fork();
	if (!pid) {
		dup2(pair[0], 0);
		execlp("openssl", "openssl", "dgst", "-sha256", "-out", "/dev/null", NULL);
		_exit(127);
	}
	close(pair[0]);
	/* As a new file when nobody mapped it before, else as a user of it. */
	while (!count(FILE_EVENT, &st, pid, NULL) && !count(USER_EVENT, &st, pid, NULL) &&
	       kill(pid, 0) == 0) {
		struct pollfd p = { .fd = discover_fd(discover), .events = POLLIN };

		if (poll(&p, 1, (int)(WAIT_NS / NS_PER_MS)) != 1 || discover_poll(discover))
			break;
	}
	ok(count(FILE_EVENT, &st, pid, NULL) + count(USER_EVENT, &st, pid, NULL) == 1,
	   "openssl is a user of libssl");
	ok(count(FILE_EVENT, &st, 0, &e) == 1 && !fstat(e->fd, &link_st) &&
	       link_st.st_ino == st.st_ino,
	   "libssl comes with a descriptor of it");
	ok(e && !survey_file(e->fd, &s) && s.verdict == SURVEY_TLS, "it holds TLS code");

	struct survey moved = s;

	ok(e && !sites_check(e->fd, &s, e->code.from, e->code.to),
	   "its sites lie in what is mapped");
	moved.sites[0].offset = e ? e->code.from - 1 : 0;
	ok(e && sites_check(e->fd, &moved, e->code.from, e->code.to) == -EBADMSG,
	   "a place that is not executed is refused");

	unsigned internal = 0;

	for (unsigned i = 0; i < s.n_sites; i++)
		internal += s.sites[i].choice == SITE_INTERNAL_PUSH;
	ok(internal == 2, "one internal site for reads, one for writes");
	close(pair[1]);
	waitpid(pid, NULL, 0);
	ok(await(EXIT_EVENT, NULL, pid, NULL) == 1, "its exit is reported");
}

static void test_dlopen(void)
{
	const char *lib = in_dir("late.so");
	const struct event *e = NULL;
	struct helper h;
	struct stat st;
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "dlopen:%s", lib);
	if (!copy(LIBSSL, lib) || stat(lib, &st) || START(&h, "wait", cmd, "exec", cmd)) {
		ok(false, "helper starts");
		return;
	}
	settle();
	ok(!count(FILE_EVENT, &st, 0, NULL), "a library on disk is nothing");
	go_on(&h);
	ok(await(FILE_EVENT, &st, h.pid, &e) == 1 && !strcmp(e->path, lib), "dlopen at run time");
	/* Another program in the same process maps it again. */
	ok(!count(USER_EVENT, &st, h.pid, NULL), "not a user beside that");
	go_on(&h);
	ok(await(USER_EVENT, &st, h.pid, NULL) == 1, "after execve it is a user again");
	settle();
	ok(count(USER_EVENT, &st, h.pid, NULL) == 1, "once");
	end(&h);
	ok(await(EXIT_EVENT, NULL, h.pid, NULL) == 1, "exit after execve");
}

static void test_deleted(void)
{
	const char *lib = in_dir("gone.so");
	const struct event *e = NULL;
	struct survey s = {};
	struct stat st, now;
	struct helper h;
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "dlopen:%s", lib);
	if (!copy(LIBSSL, lib) || stat(lib, &st) || START(&h, cmd)) {
		ok(false, "helper starts");
		return;
	}
	unlink(lib);
	ok(await(FILE_EVENT, &st, h.pid, &e) == 1, "a deleted library is reported");
	ok(e && !fstat(e->fd, &now) && now.st_ino == st.st_ino && !now.st_nlink,
	   "and can be opened");
	ok(e && !survey_file(e->fd, &s) && s.verdict == SURVEY_TLS, "and surveyed");
	end(&h);
}

/* Who maps a library's first page for execution does not hide the rest of it. */
static void test_partly(void)
{
	const char *lib = in_dir("partly.so");
	struct helper part, whole, later;
	const struct event *e = NULL;
	struct code_range code = { 0 };
	struct survey s = { 0 };
	char map[300], load[300];
	struct stat st;

	snprintf(map, sizeof(map), "map:%s", lib);
	snprintf(load, sizeof(load), "dlopen:%s", lib);
	if (!copy(LIBSSL, lib) || stat(lib, &st) || START(&part, map) ||
	    await(FILE_EVENT, &st, part.pid, &e) != 1) {
		ok(false, "a page of a library is mapped");
		return;
	}
	ok(!survey_file(e->fd, &s) && sites_check(e->fd, &s, e->code.from, e->code.to) == -EBADMSG,
	   "its sites are not in the page that is mapped");
	ok(!discover_code(discover, &e->key, &code) && code.from == 0 && code.to == 4096,
	   "nobody maps more");
	if (START(&whole, load)) {
		ok(false, "helper starts");
		return;
	}
	ok(!discover_code(discover, &e->key, &code) && !sites_check(e->fd, &s, code.from, code.to),
	   "until somebody does");
	settle();
	ok(count(FILE_EVENT, &st, 0, NULL) == 1, "it is reported once");
	discover_again(discover, &e->key);
	if (START(&later, load)) {
		ok(false, "helper starts");
		return;
	}
	ok(await(FILE_EVENT, &st, later.pid, &e) == 1 &&
	       !sites_check(e->fd, &s, e->code.from, e->code.to),
	   "and again when that is asked for");
	end(&part);
	end(&whole);
	end(&later);
}

/* In a mount namespace of its own: two overlays over one lower directory. */
static int overlays(void)
{
	char options[1024];

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	for (int i = 1; i <= 2; i++) {
		char upper[32], work[32], merged[32];

		snprintf(upper, sizeof(upper), "upper%d", i);
		snprintf(work, sizeof(work), "work%d", i);
		snprintf(merged, sizeof(merged), "merged%d", i);
		snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s",
			 in_dir("lower"), in_dir(upper), in_dir(work));
		if (mkdir(in_dir(upper), 0755) || mkdir(in_dir(work), 0755) ||
		    mkdir(in_dir(merged), 0755) ||
		    mount("overlay", in_dir(merged), "overlay", 0, options))
			return -errno;
	}
	return 0;
}

static void test_overlay(void)
{
	const char *const what = "two overlays over one library";
	const struct event *e = NULL;
	struct helper a, b;
	struct survey s = {};
	struct stat st, shown;
	char cmd[300];
	int old = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), r;

	mkdir(in_dir("lower"), 0755);
	if (!copy(LIBSSL, in_dir("lower/libssl.so")) || stat(in_dir("lower/libssl.so"), &st)) {
		ok(false, what);
		return;
	}
	r = overlays();
	if (r) {
		setns(old, CLONE_NEWNS);
		close(old);
		skip(what, strerror(-r));
		return;
	}
	snprintf(cmd, sizeof(cmd), "dlopen:%s", in_dir("merged1/libssl.so"));
	r = START(&a, cmd);
	snprintf(cmd, sizeof(cmd), "dlopen:%s", in_dir("merged2/libssl.so"));
	r = r ? r : START(&b, cmd);
	/* The sensor is outside of that namespace. */
	setns(old, CLONE_NEWNS);
	close(old);
	if (r) {
		ok(false, what);
		return;
	}
	ok(await(FILE_EVENT, &st, 0, &e) == 1 && (e->pid == a.pid || e->pid == b.pid),
	   "a file on overlayfs by its real inode");
	ok(e && await(USER_EVENT, &st, e->pid == a.pid ? b.pid : a.pid, NULL) == 1,
	   "the same file on another overlay is the same");
	ok(count(FILE_EVENT, &st, 0, NULL) == 1, what);
	ok(e && !fstat(e->fd, &shown) && shown.st_dev != st.st_dev,
	   "although user space is shown another device");
	ok(e && !survey_file(e->fd, &s) && s.verdict == SURVEY_TLS,
	   "its descriptor can be surveyed");
	end(&a);
	end(&b);
}

static bool set_online(int cpu, const char *to)
{
	char path[64];
	int fd, r;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	r = fd >= 0 && write(fd, to, 1) == 1;
	close(fd);
	settle();
	return r;
}

/* A CPU that was taken away and has come back is heard again. Nothing to do to a host that others
 * use: only where we are told that we may. */
static void test_hotplug(void)
{
	const char *lib = in_dir("hotplug.so");
	cpu_set_t old, one;
	struct helper h;
	struct stat st;
	char cmd[300];
	int r;

	ok(set_online(1, "0"), "a CPU goes");
	ok(set_online(1, "1"), "and comes back");
	CPU_ZERO(&one);
	CPU_SET(1, &one);
	sched_getaffinity(0, sizeof(old), &old);
	snprintf(cmd, sizeof(cmd), "dlopen:%s", lib);
	r = sched_setaffinity(0, sizeof(one), &one);
	r = r || !copy(LIBSSL, lib) || stat(lib, &st) || START(&h, cmd);
	sched_setaffinity(0, sizeof(old), &old);
	if (r) {
		ok(false, "helper starts");
		return;
	}
	ok(await(FILE_EVENT, &st, h.pid, NULL) == 1, "what is mapped there is heard");
	end(&h);
}

/* The kernel says how much was lost with the next event on that CPU. */
static bool hear_of_loss(void)
{
	cpu_set_t old, one;
	struct helper h;

	sched_getaffinity(0, sizeof(old), &old);
	for (int cpu = 0; cpu < CPU_SETSIZE && !discover_lost(discover); cpu++) {
		if (!CPU_ISSET(cpu, &old))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		if (!START(&h, "churn:1"))
			end(&h);
		settle();
	}
	sched_setaffinity(0, sizeof(old), &old);
	return discover_lost(discover) > 0;
}

/* A child maps nothing, and is a user of all that its parent maps; so is its child. */
static void test_fork(void)
{
	const struct event *child = NULL, *grandchild = NULL;
	struct helper h, other;

	if (START(&h, "start", "fork") || START(&other, "start", "fork") ||
	    discover_follow(discover, h.pid)) {
		ok(false, "helpers start");
		return;
	}
	go_on(&h);
	go_on(&other);
	await(FORK_EVENT, NULL, 0, &child);
	for (int i = 0; i < 20 && count(FORK_EVENT, NULL, 0, &grandchild) < 2; i++)
		settle();
	ok(count(FORK_EVENT, NULL, 0, NULL) == 2,
	   "children of a followed process are reported, no others");
	for (unsigned i = 0; i < n_events; i++)
		if (events[i].what == FORK_EVENT && events[i].parent == h.pid)
			child = &events[i];
	ok(child && grandchild && child->parent == h.pid && grandchild->parent == child->pid,
	   "with their parents");
	end(&h);
	end(&other);
	ok(child && await(EXIT_EVENT, NULL, child->pid, NULL) == 1, "and their exits");
	ok(grandchild && await(EXIT_EVENT, NULL, grandchild->pid, NULL) == 1, "down to the last");
}

/* Exec and fork are told by different rings: an exec that is met first is not undone by the fork.
 */
static void test_fork_exec(void)
{
	const char *lib = in_dir("spawned.so");
	const struct event *user = NULL;
	unsigned forks = 0;
	struct helper h;
	struct stat st;
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "dlopen:%s", lib);
	if (!copy(LIBSSL, lib) || stat(lib, &st) || START(&h, "start", cmd, "wait") ||
	    discover_follow(discover, h.pid)) {
		ok(false, "helper starts");
		return;
	}
	go_on(&h); /* the library is known, and its parent's, */
	await(FILE_EVENT, &st, h.pid, NULL);
	end(&h);
	snprintf(cmd, sizeof(cmd), "spawn:%s", lib);
	if (START(&h, "start", cmd) || discover_follow(discover, h.pid)) {
		ok(false, "helper starts");
		return;
	}
	go_on(&h);
	ready(&h); /* its own and the child's word: all has happened before anybody looks */
	ok(await(USER_EVENT, &st, 0, &user) == 1 && user->pid != h.pid,
	   "what a child maps after execve is told");
	settle();
	for (unsigned i = 0; user && i < n_events; i++)
		forks += events[i].what == FORK_EVENT && events[i].pid == user->pid;
	ok(user && !forks, "its fork, told later, is not");
	end(&h);
	ok(user && await(EXIT_EVENT, NULL, user->pid, NULL) == 1, "its exit is");
}

/* Nobody listens while more is mapped than the rings hold; then one more library. */
static void test_lost(void)
{
	const char *lib = in_dir("after-loss.so");
	struct helper h;
	struct stat st;
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "dlopen:%s", lib);
	if (!copy(LIBSSL, lib) || stat(lib, &st) || START(&h, "churn:" CHURN, cmd)) {
		ok(false, "helper starts");
		return;
	}
	go_on(&h);
	ok(await(FILE_EVENT, &st, h.pid, NULL) == 1,
	   "a library mapped while events were lost is found");
	ok(hear_of_loss(), "the loss is counted");
	end(&h);
	ok(await(EXIT_EVENT, NULL, h.pid, NULL) == 1, "exit after a loss");
}

int main(int argc, char **argv)
{
	static const struct discover_ops ops = { on_file, on_user, on_exit_of, on_fork_of };
	const char *require = getenv("EARSHOT_REQUIRE_BPF"), *hotplug = getenv("EARSHOT_HOTPLUG");
	char why[256] = "", cmd[64];
	int r;

	if (argc > 1 && !strcmp(argv[1], "--helper"))
		return do_helper(argv + 2);
	setvbuf(stdout, NULL, _IOLBF, 0);
	r = discover_new(&discover, &ops, NULL, why, sizeof(why));
	if (r && require && !strcmp(require, "1")) {
		printf("1..1\nnot ok 1 - discovery starts: %s\n", why);
		return 1;
	}
	if (r) {
		printf("1..1\nok 1 - discovery # SKIP %s\n", why);
		return 0;
	}
	if (access(LIBSSL, R_OK) || !mkdtemp(dir)) {
		printf("1..1\nok 1 - discovery # SKIP no " LIBSSL "\n");
		return 0;
	}
	test_scan();
	test_new_process();
	test_dlopen();
	test_deleted();
	test_partly();
	test_overlay();
	test_fork();
	test_fork_exec();
	if (hotplug && !strcmp(hotplug, "1"))
		test_hotplug();
	test_lost();
	printf("1..%u\n# %ju files refused\n", n_tests, (uintmax_t)discover_refused(discover));
	discover_free(&discover);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) || n_failed ? 1 : 0;
}
