/* user/capture/capture.c - the loaded BPF programs, their maps, and the files that they are
 * attached to. Owns all of them: freeing a struct capture leaves no probe, map or link behind.
 */
#include "capture/capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "capture.skel.h"
#include "capture/features.h"
#include "capture/link.h"

#define RING_BYTES_MIN	   (256 << 10)
#define CONTROL_RING_BYTES (1 << 20) /* 5,000 events */
#define HANDSHAKES_MIN	   4096	     /* with fewer, kernels evict what is hardly old */
#define WATCHERS_MAX	   16
#define PROCS_MIN	   1024
#define TICKS_APART	   2 /* between a start time and what /proc says of it, by rounding */

const char *const capture_method_names[CAPTURE_METHOD_MAX_] = {
	[CAPTURE_SESSION] = "uprobe.session",
	[CAPTURE_MULTI] = "uprobe_multi",
	[CAPTURE_PERF] = "perf",
};

struct probed_file {
	struct probed_file *next;
	struct inode_key key;
	struct links links;
};

/* A program that watches the whole host. */
struct watcher {
	struct bpf_program *prog;
	struct bpf_link **link;
	bool used;
};

struct capture {
	struct capture_bpf *bpf;
	struct watcher watchers[WATCHERS_MAX];
	size_t n_watchers;
	struct capture_opts opts;
	enum capture_method method;
	bool has[FEAT_MAX_];
	struct probed_file *files;
	unsigned n_files;
	const struct ev_conn *conns; /* the map, read-only */
	size_t conns_len;
	int n_cpus;
	uint64_t n_exited; /* of BPF's: those were collected */
};

static bool has_exit(const struct capture *c, const struct bpf_program *p)
{
	return !c->has[FEAT_SOCK_LENGTH] && c->has[FEAT_SOCK_EXIT] &&
	       feature_function(strchr(bpf_program__section_name(p), '/') + 1);
}

/* In the order of their start. Of plain text the end of connections comes first, so that none is
 * opened that could not be closed. */
static void list_watchers(struct capture *c)
{
	struct capture_bpf *b = c->bpf;
	bool length = c->has[FEAT_SOCK_LENGTH], plain = capture_plain(c);
	const struct watcher rows[] = {
#define WATCHER(name, used) { b->progs.name, &b->links.name, used }
		WATCHER(proc_exit, true),
		WATCHER(proc_exec, true),
		WATCHER(sock_sent, length),
		WATCHER(sock_received, length),
		WATCHER(sock_sent4, has_exit(c, b->progs.sock_sent4)),
		WATCHER(sock_sent6, has_exit(c, b->progs.sock_sent6)),
		WATCHER(sock_recv4, has_exit(c, b->progs.sock_recv4)),
		WATCHER(sock_recv6, has_exit(c, b->progs.sock_recv6)),
		WATCHER(plain_state, plain),
		WATCHER(plain_fork, plain && c->opts.plain_procs),
		WATCHER(plain_sent, plain && length),
		WATCHER(plain_received, plain && length),
		WATCHER(plain_sent4, plain && has_exit(c, b->progs.plain_sent4)),
		WATCHER(plain_sent6, plain && has_exit(c, b->progs.plain_sent6)),
		WATCHER(plain_recv4, plain && has_exit(c, b->progs.plain_recv4)),
		WATCHER(plain_recv6, plain && has_exit(c, b->progs.plain_recv6)),
#undef WATCHER
	};

	static_assert(ARRAY_SIZE(rows) <= WATCHERS_MAX, "room for all");
	memcpy(c->watchers, rows, sizeof(rows));
	c->n_watchers = ARRAY_SIZE(rows);
}

/* Programs that a method does not use are not loaded: an older kernel would refuse them. */
static void choose_programs(struct capture *c)
{
	struct capture_bpf *b = c->bpf;
	bool session = c->method == CAPTURE_SESSION;
	const struct {
		struct bpf_program *prog;
		enum leg leg;
		bool used;
	} rows[] = {
		{ b->progs.tls_session, LEG_BOTH, session },
		{ b->progs.tls_enter, LEG_ENTRY, !session },
		{ b->progs.tls_leave, LEG_RETURN, !session },
		{ b->progs.tls_end, LEG_ENTRY, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bpf_program__set_autoload(rows[i].prog, rows[i].used);
		bpf_program__set_expected_attach_type(
		    rows[i].prog, (enum bpf_attach_type)link_attach_type(c->method, rows[i].leg));
	}
	list_watchers(c);
	for (size_t i = 0; i < c->n_watchers; i++)
		bpf_program__set_autoload(c->watchers[i].prog, c->watchers[i].used);
	bpf_map__set_autocreate(b->maps.plain_ports, capture_plain(c));
	bpf_map__set_autocreate(b->maps.plain_procs, capture_plain(c));
	bpf_map__set_autocreate(b->maps.plain_socks, capture_plain(c));
}

static void set_budget(struct capture *c)
{
	const struct capture_opts *o = &c->opts;

	c->bpf->rodata->data_ring_bytes = o->ring_bytes;
	c->bpf->rodata->control_ring_bytes = CONTROL_RING_BYTES;
	c->bpf->rodata->share_cost = 100 / o->share;
	c->bpf->rodata->call_ns = o->max_calls ? MAX(NS_PER_SEC / o->max_calls, 1u) : 0;
}

static int load(struct capture *c)
{
	uint32_t max = c->opts.max_conns;
	struct bpf_map *per_conn[4], *growing[2];
	int err;

	c->bpf = capture_bpf__open();
	if (!c->bpf)
		return -errno;
	choose_programs(c);
	c->bpf->rodata->max_call_bytes = c->opts.max_call_bytes;
	c->bpf->rodata->max_conns_proc = max - max / 2;
	c->bpf->rodata->plain_by_proc = c->opts.plain_procs;
	set_budget(c);
	per_conn[0] = c->bpf->maps.conns;
	per_conn[1] = c->bpf->maps.slots;
	per_conn[2] = c->bpf->maps.refs;
	per_conn[3] = c->bpf->maps.free_slots;
	growing[0] = c->bpf->maps.refs;
	growing[1] = c->bpf->maps.procs;
	err = bpf_map__set_max_entries(c->bpf->maps.data_ring, (__u32)c->opts.ring_bytes);
	if (!err)
		err = bpf_map__set_max_entries(c->bpf->maps.control_ring, CONTROL_RING_BYTES);
	if (!err)
		err =
		    bpf_map__set_max_entries(c->bpf->maps.handshakes, MAX(max / 4, HANDSHAKES_MIN));
	/* Few processes have but one connection. */
	if (!err)
		err = bpf_map__set_max_entries(c->bpf->maps.procs, MAX(max / 8, PROCS_MIN));
	for (size_t i = 0; i < ARRAY_SIZE(growing) && c->has[FEAT_TABLES_GROW] && !err; i++)
		err = bpf_map__set_map_flags(growing[i], BPF_F_NO_PREALLOC);
	for (size_t i = 0; i < ARRAY_SIZE(per_conn) && !err; i++)
		err = bpf_map__set_max_entries(per_conn[i], max);
	if (!err)
		err = capture_bpf__load(c->bpf);
	if (err) {
		capture_bpf__destroy(c->bpf);
		c->bpf = NULL;
	}
	return err;
}

static int select_ports(struct capture *c)
{
	int fd = bpf_map__fd(c->bpf->maps.plain_ports), err;

	for (size_t i = 0; i < c->opts.n_plain_ports; i++) {
		__u32 word = c->opts.plain_ports[i] / 64;
		__u64 bits;

		err = bpf_map_lookup_elem(fd, &word, &bits);
		if (err)
			return err;
		bits |= UINT64_C(1) << c->opts.plain_ports[i] % 64;
		err = bpf_map_update_elem(fd, &word, &bits, BPF_ANY);
		if (err)
			return err;
	}
	return 0;
}

/* Links the programs that watch the whole host, hands out the free slots, shares the connection
 * table read-only. */
static int start(struct capture *c)
{
	int conns = bpf_map__fd(c->bpf->maps.conns),
	    free_slots = bpf_map__fd(c->bpf->maps.free_slots);
	void *p;
	int err;

	for (uint32_t slot = 0; slot < c->opts.max_conns; slot++) {
		err = bpf_map_update_elem(free_slots, NULL, &slot, 0);
		if (err)
			return err;
	}
	/* From here on only BPF writes it: not even who holds the descriptor can. */
	err = bpf_map_freeze(conns);
	if (err)
		return err;
	c->conns_len = c->opts.max_conns * sizeof(*c->conns);
	p = mmap(NULL, c->conns_len, PROT_READ, MAP_SHARED, conns, 0);
	if (p == MAP_FAILED)
		return -errno;
	c->conns = p;
	err = capture_plain(c) ? select_ports(c) : 0;
	for (size_t i = 0; i < c->n_watchers && !err; i++) {
		struct watcher *w = &c->watchers[i];

		if (!w->used)
			continue;
		*w->link = bpf_program__attach(w->prog);
		if (!*w->link)
			err = -errno;
	}
	return err;
}

__attribute__((format(printf, 4, 5))) static int fail(int err, char *why, size_t why_size,
						      const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, why_size, fmt, ap);
	va_end(ap);
	return err;
}

/* The first that the kernel has, or the one that was asked for. */
static int choose_method(struct capture *c, char *why, size_t why_size)
{
	static const enum feature needed[] = {
		[CAPTURE_SESSION] = FEAT_UPROBE_SESSION, [CAPTURE_MULTI] = FEAT_UPROBE_MULTI
	};

	if (c->opts.method >= 0) {
		c->method = (enum capture_method)c->opts.method;
		if (c->method < ARRAY_SIZE(needed) && !c->has[needed[c->method]])
			return fail(
			    -EOPNOTSUPP, why, why_size, "the kernel lacks %s: needs Linux %s",
			    features[needed[c->method]].name, features[needed[c->method]].since);
		return 0;
	}
	for (c->method = 0; c->method < ARRAY_SIZE(needed) && !c->has[needed[c->method]];
	     c->method++)
		;
	return 0;
}

static int lacks(enum feature f, char *why, size_t why_size)
{
	return fail(-EOPNOTSUPP, why, why_size, "the kernel lacks %s: needs Linux %s, for %s",
		    features[f].name, features[f].since, features[f].gives);
}

int capture_supported(char *why, size_t why_size)
{
	for (enum feature f = 0; f < FEAT_MAX_; f++)
		if (f != FEAT_RETURN_PROBES && features[f].required && !feature_probe(f))
			return lacks(f, why, why_size);
	return 0;
}

static int learn(struct capture *c, char *why, size_t why_size)
{
	int err = feature_privilege(why, why_size);

	if (err)
		return err;
	for (enum feature f = 0; f < FEAT_MAX_; f++) {
		if (f == FEAT_RETURN_PROBES)
			continue; /* depends on the method */
		if (f && features[f].spare && c->has[f - 1])
			continue;
		err = feature_probe(f);
		if (err == -EPERM)
			return fail(err, why, why_size,
				    "bpf() is not permitted although the capabilities are there: a "
				    "container's seccomp filter or user namespace?");
		if (err < 0)
			return fail(err, why, why_size, "cannot probe the kernel for %s: %s",
				    features[f].name, strerror(-err));
		c->has[f] = err;
		if (!c->has[f] && features[f].required)
			return lacks(f, why, why_size);
	}
	err = choose_method(c, why, why_size);
	if (err)
		return err;
	err = feature_return_probes(c->method);
	if (!err)
		return fail(-EOPNOTSUPP, why, why_size,
			    "this kernel kills processes under seccomp at a return probe (Linux "
			    "6.11 to 6.13): update the kernel");
	if (err == -EACCES || err == -EPERM)
		return fail(-EPERM, why, why_size,
			    "cannot attach a probe by %s: needs CAP_SYS_ADMIN on this kernel",
			    capture_method_names[c->method]);
	if (err < 0)
		return fail(-EOPNOTSUPP, why, why_size, "cannot attach a probe by %s: %s",
			    capture_method_names[c->method], strerror(-err));
	c->has[FEAT_RETURN_PROBES] = true;
	return 0;
}

int capture_new(struct capture **ret, const struct capture_opts *o, char *why, size_t why_size)
{
	auto_free(capture) struct capture *c = NULL;
	int err;

	if (o->ring_bytes < RING_BYTES_MIN || o->ring_bytes > UINT32_MAX ||
	    (o->ring_bytes & (o->ring_bytes - 1)) || !o->max_conns || !o->share || o->share > 100 ||
	    o->method >= CAPTURE_METHOD_MAX_)
		return fail(-EINVAL, why, why_size,
			    "ring size must be a power of two of at least %d KiB, connections at "
			    "least one, "
			    "a share 1 to 100",
			    RING_BYTES_MIN >> 10);
	c = calloc(1, sizeof(*c));
	if (!c)
		return fail(-ENOMEM, why, why_size, "out of memory");
	c->opts = *o;
	err = learn(c, why, why_size);
	if (err)
		return err;
	c->n_cpus = libbpf_num_possible_cpus();
	if (c->n_cpus < 0)
		return fail(c->n_cpus, why, why_size, "cannot count the CPUs: %s",
			    strerror(-c->n_cpus));
	err = load(c);
	if (err && capture_sockets(c)) {
		c->has[FEAT_SOCK_LENGTH] = c->has[FEAT_SOCK_EXIT] = false;
		err = load(c);
	}
	if (err)
		return fail(
		    err == -EPERM ? err : -EOPNOTSUPP, why, why_size,
		    "the kernel refused the BPF programs (Linux 5.17 or later is needed): %s",
		    strerror(-err));
	err = start(c);
	if (err)
		return fail(err, why, why_size, "cannot set up capture: %s", strerror(-err));
	*ret = steal(c);
	return 0;
}

static void file_free(struct probed_file **f)
{
	if (!*f)
		return;
	links_free(&(*f)->links);
	free(*f);
	*f = NULL;
}

void capture_free(struct capture **c)
{
	if (!*c)
		return;
	while ((*c)->files) {
		struct probed_file *f = (*c)->files;

		(*c)->files = f->next;
		file_free(&f);
	}
	if ((*c)->conns)
		munmap((void *)(uintptr_t)(*c)->conns, (*c)->conns_len);
	capture_bpf__destroy((*c)->bpf);
	free(*c);
	*c = NULL;
}

bool capture_sockets(const struct capture *c)
{
	return c->has[FEAT_SOCK_LENGTH] || c->has[FEAT_SOCK_EXIT];
}

bool capture_plain(const struct capture *c)
{
	return (c->opts.n_plain_ports || c->opts.plain_procs) && capture_sockets(c);
}

enum capture_method capture_method(const struct capture *c)
{
	return c->method;
}

bool capture_has(const struct capture *c, enum feature f)
{
	return c->has[f];
}

void capture_fds(const struct capture *c, struct capture_fds *ret)
{
	*ret = (struct capture_fds){
		.data_ring = bpf_map__fd(c->bpf->maps.data_ring),
		.control_ring = bpf_map__fd(c->bpf->maps.control_ring),
		.conns = bpf_map__fd(c->bpf->maps.conns),
		.slots = bpf_map__fd(c->bpf->maps.slots),
		.wake = bpf_map__fd(c->bpf->maps.wake),
		.data_ring_bytes = c->opts.ring_bytes,
		.control_ring_bytes = CONTROL_RING_BYTES,
		.max_conns = c->opts.max_conns,
	};
}

static int set_own(struct capture *c, pid_t tgid, enum ev_own own)
{
	__u32 key = (__u32)tgid, value = own;

	return bpf_map_update_elem(bpf_map__fd(c->bpf->maps.own), &key, &value, BPF_ANY);
}

int capture_exclude(struct capture *c, pid_t tgid)
{
	return set_own(c, tgid, EV_OWN_EXCLUDED);
}

int capture_choose(struct capture *c, int pidfd, bool chosen)
{
	int fd = bpf_map__fd(c->bpf->maps.plain_procs), err;
	__u32 met = 0;

	if (!capture_plain(c) || !c->opts.plain_procs)
		return -EOPNOTSUPP;
	err = chosen ? bpf_map_update_elem(fd, &pidfd, &met, BPF_ANY)
		     : bpf_map_delete_elem(fd, &pidfd);
	if (!chosen && err == -ENOENT)
		return 0;
	return err == -ENOENT ? -ESRCH : err;
}

bool capture_chosen(const struct capture *c, int pidfd)
{
	__u32 met;

	return capture_plain(c) && c->opts.plain_procs &&
	       !bpf_map_lookup_elem(bpf_map__fd(c->bpf->maps.plain_procs), &pidfd, &met);
}

int capture_canary(struct capture *c, pid_t tgid)
{
	return set_own(c, tgid, EV_OWN_CANARY);
}

int capture_include(struct capture *c, pid_t tgid)
{
	__u32 key = (__u32)tgid;

	return bpf_map_delete_elem(bpf_map__fd(c->bpf->maps.own), &key);
}

static struct probed_file **find(struct capture *c, const struct inode_key *key)
{
	struct probed_file **f = &c->files;

	while (*f && ((*f)->key.dev != key->dev || (*f)->key.ino != key->ino ||
		      (*f)->key.generation != key->generation))
		f = &(*f)->next;
	return f;
}

int capture_attach(struct capture *c, const struct inode_key *key, int file_fd,
		   const struct survey *s)
{
	auto_free(file) struct probed_file *f = NULL;
	struct place data[SURVEY_SITES_MAX], end[SURVEY_SITES_MAX];
	size_t n_data = 0, n_end = 0;
	struct capture_bpf *b = c->bpf;
	/* Links without a session type are all of the multi type. */
	enum capture_method entry = c->method == CAPTURE_PERF ? CAPTURE_PERF : CAPTURE_MULTI;
	int err;

	if (*find(c, key))
		return -EEXIST;
	if (!s->n_sites || s->n_sites > SURVEY_SITES_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < s->n_sites; i++) {
		const struct survey_site *site = &s->sites[i];
		struct place place = { site->offset, site->site };

		if (!site->site || site->site >= EV_SITE_MAX_)
			return -EINVAL;
		if (site->site == EV_SITE_FREE || site->site == EV_SITE_CLEAR)
			end[n_end++] = place;
		else
			data[n_data++] = place;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->key = *key;
	/* First what ends connections, so that none is opened that could not be closed. */
	err = links_add(&f->links, entry, LEG_ENTRY, bpf_program__fd(b->progs.tls_end), file_fd,
			end, n_end);
	if (!err && c->method == CAPTURE_SESSION) {
		err = links_add(&f->links, c->method, LEG_BOTH,
				bpf_program__fd(b->progs.tls_session), file_fd, data, n_data);
	} else if (!err) {
		err = links_add(&f->links, entry, LEG_RETURN, bpf_program__fd(b->progs.tls_leave),
				file_fd, data, n_data);
		if (!err)
			err = links_add(&f->links, entry, LEG_ENTRY,
					bpf_program__fd(b->progs.tls_enter), file_fd, data, n_data);
	}
	if (err)
		return err;
	f->next = c->files;
	c->files = steal(f);
	c->n_files++;
	return 0;
}

void capture_detach(struct capture *c, const struct inode_key *key)
{
	struct probed_file **at = find(c, key), *f = *at;

	if (!f)
		return;
	*at = f->next;
	c->n_files--;
	file_free(&f);
}

unsigned capture_attached(const struct capture *c)
{
	return c->n_files;
}

int capture_stats(const struct capture *c, struct ev_stats *ret)
{
	auto_mem struct ev_stats *cpu = calloc((size_t)c->n_cpus, sizeof(*cpu));
	uint64_t *sum = (uint64_t *)ret, *v;
	__u32 zero = 0;
	int err;

	static_assert(sizeof(*ret) % sizeof(*sum) == 0, "numbers only");
	if (!cpu)
		return -ENOMEM;
	err = bpf_map_lookup_elem(bpf_map__fd(c->bpf->maps.stats), &zero, cpu);
	if (err)
		return err;
	memset(ret, 0, sizeof(*ret));
	for (int i = 0; i < c->n_cpus; i++) {
		v = (uint64_t *)&cpu[i];
		for (size_t j = 0; j < sizeof(*ret) / sizeof(*sum); j++)
			sum[j] += v[j];
	}
	return 0;
}

int capture_proc_stats(const struct capture *c, const struct ev_proc *p, struct ev_proc_stats *ret)
{
	return bpf_map_lookup_elem(bpf_map__fd(c->bpf->maps.procs), p, ret);
}

int capture_each_proc(const struct capture *c,
		      int (*fn)(void *ctx, const struct ev_proc *p, const struct ev_proc_stats *s),
		      void *ctx)
{
	int procs = bpf_map__fd(c->bpf->maps.procs), ret = 0;
	/* A key that is gone starts the walk again: bounded, or processes that come and go could
	 * keep it going. */
	uint32_t left = c->opts.max_conns;
	struct ev_proc key, *last = NULL;
	struct ev_proc_stats s;

	for (; left && !ret && !bpf_map_get_next_key(procs, last, &key); left--) {
		last = &key;
		if (!bpf_map_lookup_elem(procs, &key, &s))
			ret = fn(ctx, &key, &s);
	}
	return ret;
}

/* Gone, or another process by now, or dead and waiting for its parent. */
static bool gone(const struct ev_proc *p)
{
	unsigned long long start = 0, ours;
	char path[32], line[1024], *s;
	auto_file FILE *f = NULL;
	char state = 0;
	long threads = 0;
	int n;
	uint64_t tick_ns = NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);

	snprintf(path, sizeof(path), "/proc/%u/stat", p->tgid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT || errno == ESRCH;
	s = fgets(line, sizeof(line), f);
	if (!s)
		return ferror(f) && errno == ESRCH;
	s = strrchr(line, ')'); /* comm may hold anything */
	if (!s)
		return false;
	n = sscanf(
	    s + 1,
	    " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu",
	    &state, &threads, &start);
	if (n != 3)
		return false;
	ours = p->start_ns / tick_ns;
	if ((start > ours ? start - ours : ours - start) > TICKS_APART)
		return true;
	return state == 'Z' && threads <= 1;
}

static int by_proc(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ev_proc));
}

void capture_collect(struct capture *c, bool all)
{
	uint64_t n_exited = __atomic_load_n(&c->bpf->bss->n_exited, __ATOMIC_RELAXED);
	int procs = bpf_map__fd(c->bpf->maps.procs),
	    reap = bpf_program__fd(c->bpf->progs.conn_reap);
	auto_mem struct ev_proc *dead = NULL;
	struct ev_proc key, *last = NULL;
	size_t n = 0, room = 0;
	struct ev_proc_stats state;

	if (n_exited == c->n_exited && !all)
		return;
	c->n_exited = n_exited;
	while (!bpf_map_get_next_key(procs, last, &key)) {
		last = &key;
		if (bpf_map_lookup_elem(procs, &key, &state) ||
		    (!state.exited && !(all && gone(&key))))
			continue;
		if (n == room) {
			struct ev_proc *more =
			    reallocarray(dead, room ? 2 * room : 16, sizeof(*dead));

			if (!more)
				break;
			dead = more;
			room = room ? 2 * room : 16;
		}
		dead[n++] = key;
	}
	if (!n)
		return;
	qsort(dead, n, sizeof(*dead), by_proc);
	for (uint32_t slot = 0; slot < c->opts.max_conns; slot++) {
		const volatile struct ev_conn *conn = &c->conns[slot];
		__u64 args[2] = { slot, conn->id };
		struct ev_proc proc = { conn->start_ns, conn->tgid, conn->exec };
		LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = args, .ctx_size_in = sizeof(args));

		if (args[1] && bsearch(&proc, dead, n, sizeof(*dead), by_proc))
			bpf_prog_test_run_opts(reap, &run);
	}
	for (size_t i = 0; i < n; i++)
		bpf_map_delete_elem(procs, &dead[i]);
}
