/* user/proc/main_monitor.c - earshotd, the monitor: sets up, gives up root, then keeps probes and
 * roles alive. It reads no byte from the wire, no tenant's file and no YAML: roles in cages do.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/own.h"
#include "config/rules_dir.h"
#include "proc/caps.h"
#include "proc/choice.h"
#include "proc/compiling.h"
#include "proc/flood.h"
#include "proc/host.h"
#include "proc/indexing.h"
#include "proc/kept.h"
#include "proc/notify.h"
#include "proc/prober.h"
#include "proc/tables.h"
#include "proc/team.h"

#define LARGE_BYTES   (128 << 10) /* are mapped, and given back whole */
#define CONFIG_FILE   "/etc/earshot/earshot.yaml"
#define READY_NS      (30 * NS_PER_SEC)
#define BLIND	      "blind: no test call comes through"
#define LOSS_EVENT_NS (10 * NS_PER_SEC) /* at most one loss alert in so long */
#define LOOK_NS	      (30 * NS_PER_SEC) /* whether processes whose end was not told are gone */

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_UNSUPPORTED };

struct options {
	const char *config; /* NULL: the default file if it exists */
	const char *record; /* a trace to write; NULL: none */
	bool check, foreground;
};

/* Rules and patterns: what is in use, and what is to be. */
struct rules_in_use {
	char why[256];	       /* not those of the folder, since the start; "": they are */
	int fd;		       /* sealed image; -1: none */
	int before;	       /* the one to go back to while the inspector has not answered; -1 */
	struct compiling *job; /* NULL: none */
	bool again;	       /* asked for once more while the job runs */
	uint8_t key[MAC_KEY_LEN];
	uint64_t compiled, loaded, refused; /* counters */
};

struct monitor {
	struct loop *loop;
	struct binaries binaries;
	const struct config *config;
	int config_fd;
	struct host host;
	struct rules_in_use rules;
	int trace_fd; /* of --record; -1: none */
	struct capture *capture;
	struct team *team;
	struct prober *prober;
	struct indexing *indexing;
	int sites_fd; /* -1: none */
	int signal_fd;
	pid_t viewer; /* `earshot tail` of --foreground */
	bool announced;
	bool failed; /* ends with EXIT_FAILED */
	uint64_t started_ns;
	uint64_t collected_ns, looked_ns; /* processes that are gone; whether they are */
	struct pulse pulse;
	struct floods floods;
	struct ev_stats reported; /* losses the keeper was told of */
	uint64_t reported_ns;
};

static void usage(FILE *f)
{
	fputs(
	    "Usage: earshotd [OPTION]...\n"
	    "Watches TLS traffic of AI workloads on this host and raises alerts.\n\n"
	    "  -c, --config FILE   configuration (default " CONFIG_FILE ", if it exists)\n"
	    "  -t, --check-config  check the configuration and exit\n"
	    "  -f, --foreground    print alerts as they happen; end with Ctrl-C\n"
	    "      --record FILE   record what is captured, in plain text, instead of watching it\n"
	    "                      (see earshot record)\n"
	    "      --print-caps    print the capabilities that earshotd needs and exit\n"
	    "  -V, --version       print the version and exit\n"
	    "  -h, --help          print this and exit\n\n"
	    "Exit status: 0 ended as asked, 1 failed, 2 wrong usage or configuration,\n"
	    "3 this host lacks what is needed (the message names it).\n"
	    "See earshotd(8), earshot(1), earshot.yaml(5).\n",
	    f);
}

/* -1: go on; else the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
	enum { PRINT_CAPS = 256, RECORD };
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 't' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "record", required_argument, NULL, RECORD },
		{ "print-caps", no_argument, NULL, PRINT_CAPS },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:tfVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 't':
			o->check = true;
			break;
		case 'f':
			o->foreground = true;
			break;
		case RECORD:
			o->record = optarg;
			break;
		case PRINT_CAPS:
			caps_print(stdout);
			return EXIT_OK;
		case 'V':
			puts("earshotd " EARSHOT_VERSION);
			return EXIT_OK;
		case 'h':
			usage(stdout);
			return EXIT_OK;
		default:
			fputs("Try 'earshotd --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "earshotd: unexpected argument '%s'\nTry 'earshotd --help'.\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

/* --- configuration */

/* Private: user/proc/role.c, map_fd() */
static int map_config(struct monitor *m, struct compiling *c)
{
	struct stat st;
	void *map;

	if (c->fd < 0 || fstat(c->fd, &st) < 0 || st.st_size != sizeof(struct config))
		return -EBADMSG;
	map = mmap(NULL, sizeof(struct config), PROT_READ, MAP_PRIVATE, c->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	m->config = map;
	m->config_fd = steal_fd(&c->fd);
	return 0;
}

static int load_config(struct monitor *m, const struct options *o)
{
	const char *name = o->config ? o->config : CONFIG_FILE;
	auto_close int file = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct compiling_opts opts;
	struct compiling job;
	int err;

	if (file < 0 && (o->config || errno != ENOENT)) {
		fprintf(stderr, "earshotd: %s: %s\n", name, strerror(errno));
		return EXIT_USAGE;
	}
	opts = (struct compiling_opts){ .binaries = &m->binaries,
					.switch_user = geteuid() == 0,
					.what = COMPILE_CONFIG,
					.name = name,
					.file = file,
					.cached = -1 };
	err = compiling_begin(&job, &opts);
	if (!err)
		err = compiling_wait(&job);
	if (!err)
		err = map_config(m, &job);
	/* Each line names its place: FILE:LINE:COLUMN. */
	if (err)
		fprintf(stderr, "%s%s", job.errors,
			job.errors[strcspn(job.errors, "\n")] ? "" : "\n");
	compiling_end(&job);
	if (err)
		return EXIT_USAGE;
	if (o->check)
		printf("%s: ok\n", file >= 0 ? name : "built-in settings");
	return -1;
}

/* --- rules */

/* All that is wrong goes to the log; the first line to who asks for the status. */
static void complain_of_rules(struct monitor *m, const char *errors)
{
	char first[256];

	snprintf(first, sizeof(first), "%.*s", (int)strcspn(errors, "\n"), errors);
	for (const char *line = errors; *line;) {
		int len = (int)strcspn(line, "\n");

		log_error("rules: %.*s", len, line);
		line += len + (line[len] == '\n');
	}
	m->rules.refused++;
	if (!m->team)
		return;
	team_rules(m->team, first);
	team_event(m->team, "sensor.rules", 1, 0, "%s", first);
}

/* For the next start. As the monitor's user: root without its capabilities may not write in that
 * user's directory. */
static void keep_made(const struct monitor *m)
{
	int err = kept_put(m->host.patterns_fd, m->rules.fd);

	if (err)
		log_warn("patterns cannot be kept, the next start compiles them again: %s",
			 strerror(-err));
}

/* What was made joins what is used. Returns whether there is anything else than before. */
static bool take_made(struct monitor *m, struct compiling *job, int cached)
{
	if (job->fd < 0) {
		if (m->rules.fd < 0)
			m->rules.fd = fcntl(cached, F_DUPFD_CLOEXEC, 0);
		return false;
	}
	m->rules.compiled++;
	log_info("patterns were compiled in %.1f s%s", (double)(mono_ns() - job->begun_ns) / 1e9,
		 cached < 0 ? "" : ": those kept are not what is needed now");
	own_close(&m->rules.before);
	m->rules.before = m->rules.fd;
	m->rules.fd = steal_fd(&job->fd);
	return true;
}

/* The packs of the folder, as a memfd; -1: an error, told in why. */
static int read_rules(const struct monitor *m, char *why, size_t why_size)
{
	auto_close int fd = memfd_create("earshot-rules", MFD_CLOEXEC);
	struct buf bundle;
	int err = rules_dir_read(m->config->detect.rules_dir, true, false, &bundle, why, why_size);

	if (!err && (fd < 0 || write(fd, bundle.p, bundle.len) != (ssize_t)bundle.len)) {
		snprintf(why, why_size, "rules cannot be passed on: %s\n", strerror(errno));
		err = -EIO;
	}
	buf_free(&bundle);
	return err ? -1 : steal_fd(&fd);
}

/* One run of the compiler over the folder's rules, or over those built in alone. */
static int make_patterns(struct monitor *m, int file, int cached, char why[CONFIG_ERRORS_MAX])
{
	const struct compiling_opts opts = { .binaries = &m->binaries,
					     .switch_user = geteuid() == 0,
					     .what = COMPILE_PATTERNS,
					     .name = m->config->detect.rules_dir,
					     .file = file,
					     .cached = cached,
					     .key = m->rules.key };
	struct compiling job;
	int err = compiling_begin(&job, &opts);

	if (!err)
		err = compiling_wait(&job);
	if (err)
		memcpy(why, job.errors, CONFIG_ERRORS_MAX);
	else
		take_made(m, &job, cached);
	compiling_end(&job);
	return err;
}

/* Before anything is watched. Rules that are wrong must not keep the sensor from watching with
 * those built in. */
static int first_patterns(struct monitor *m)
{
	char why[CONFIG_ERRORS_MAX];
	auto_close int cached = kept_open(m->host.patterns_fd);
	auto_close int file = read_rules(m, why, sizeof(why));
	int err = file < 0 ? -EINVAL : make_patterns(m, file, cached, why);

	if (err) {
		complain_of_rules(m, why);
		snprintf(m->rules.why, sizeof(m->rules.why), "%.*s", (int)strcspn(why, "\n"), why);
		err = make_patterns(m, -1, cached, why);
	}
	if (err)
		log_error("built-in rules: %s", why);
	own_close(&m->rules.before);
	return err;
}

static void reload(struct monitor *m);
static void on_patterns(void *ctx, int err);

static void end_job(struct monitor *m)
{
	if (m->loop)
		loop_del(m->loop, m->rules.job->child.sock);
	if (m->capture)
		capture_include(m->capture, m->rules.job->child.pid);
	compiling_end(m->rules.job);
	free(steal(m->rules.job));
}

static void on_made(void *ctx, uint32_t events)
{
	struct monitor *m = ctx;
	struct compiling *job = m->rules.job;

	(void)events;
	if (compiling_take(job)) {
		complain_of_rules(m, job->errors);
	} else if (take_made(m, job, -1)) {
		keep_made(m);
		if (!team_patterns(m->team, m->rules.fd))
			on_patterns(m, 0);
	} else {
		m->rules.loaded++;
		log_info("rules: nothing changed");
		team_rules(m->team, "");
	}
	end_job(m);
	if (m->rules.again) {
		m->rules.again = false;
		reload(m);
	}
}

/* The inspector's answer: only now the rules before are given up. */
static void on_patterns(void *ctx, int err)
{
	struct monitor *m = ctx;

	if (err && m->rules.before >= 0) {
		char why[128];

		own_close(&m->rules.fd);
		m->rules.fd = steal_fd(&m->rules.before);
		team_patterns(m->team, m->rules.fd);
		snprintf(why, sizeof(why), "the inspector could not use them: %s", strerror(-err));
		complain_of_rules(m, why);
		return;
	}
	if (m->rules.before < 0)
		return; /* back again */
	own_close(&m->rules.before);
	m->rules.loaded++;
	log_info("rules: loaded anew");
	team_rules(m->team, "");
}

/* Reads the rules anew and has them compiled; what is in use stays until all that is done. */
static void reload(struct monitor *m)
{
	char why[CONFIG_ERRORS_MAX];
	auto_close int file = -1;
	struct compiling_opts opts = { .binaries = &m->binaries,
				       .switch_user = true,
				       .before = team_exclude,
				       .before_ctx = m->capture,
				       .what = COMPILE_PATTERNS,
				       .name = m->config->detect.rules_dir,
				       .cached = m->rules.fd,
				       .key = m->rules.key };
	int err;

	if (m->rules.job) {
		m->rules.again = true;
		return;
	}
	if (m->rules.fd < 0)
		return; /* a recording has no rules */
	file = read_rules(m, why, sizeof(why));
	if (file < 0) {
		complain_of_rules(m, why);
		return;
	}
	m->rules.job = malloc(sizeof(*m->rules.job));
	if (!m->rules.job) {
		complain_of_rules(m, "no memory\n");
		return;
	}
	opts.file = file;
	err = compiling_begin(m->rules.job, &opts);
	if (!err)
		err = loop_add(m->loop, m->rules.job->child.sock, EPOLLIN, on_made, m);
	if (err) {
		complain_of_rules(m, *m->rules.job->errors ? m->rules.job->errors : strerror(-err));
		end_job(m);
	}
}

/* --- callbacks */

/* Has a test call made when one is due, and says it when none comes through any more, or again. */
static void beat(struct monitor *m, uint64_t now_ns)
{
	const struct page *page = team_page(m->team, ROLE_INSPECTOR);
	enum pulse_state before;

	before = pulse_look(&m->pulse,
			    page ? __atomic_load_n(&page->canary_ns, __ATOMIC_RELAXED) : 0, now_ns);
	if (m->pulse.state == PULSE_BLIND && before != PULSE_BLIND) {
		log_error("blind: no test call came through for %" PRIu64 " s",
			  m->pulse.limit_ns / NS_PER_SEC);
		notify_send("STATUS=" BLIND);
		team_event(m->team, "sensor.blind", 1, 0,
			   "No test call of the sensor came through for %" PRIu64 " s",
			   m->pulse.limit_ns / NS_PER_SEC);
	} else if (m->pulse.state == PULSE_SEEN && before == PULSE_BLIND) {
		log_info("test calls come through again");
		notify_send("STATUS=watching");
	}
	if (m->pulse.state != before)
		team_pulse(m->team, &m->pulse);
	/* Before the library is probed none is seen; the next one follows soon. */
	if (m->prober && pulse_due(&m->pulse, now_ns))
		team_canary(m->team);
}

static void on_proc(void *ctx, const struct proc_info *p)
{
	struct monitor *m = ctx;

	team_proc(m->team, p);
}

static void on_who(void *ctx, const struct who_msg *w)
{
	struct monitor *m = ctx;

	prober_who(m->prober, w);
}

static void on_explain(void *ctx, const struct explain_msg *q)
{
	static struct explained e;
	struct monitor *m = ctx;
	enum role role;
	pid_t pid = !m->prober ? 0
		    : q->next  ? prober_next(m->prober, (pid_t)q->pid)
			       : (pid_t)q->pid;

	e = (struct explained){ .ticket = q->ticket };
	if (pid > 0)
		prober_explain(m->prober, pid, &e);
	role = pid > 0 ? team_role(m->team, pid) : ROLE_MAX_;
	if (role == ROLE_CANARY) {
		e.state = EXPLAIN_CANARY;
		snprintf(e.reason, sizeof(e.reason),
			 "it makes the test calls by which the sensor knows that it is not blind");
	} else if (role != ROLE_MAX_) {
		e.state = EXPLAIN_SENSOR;
		e.n_files = e.more_files = e.unexamined = 0;
		snprintf(e.reason, sizeof(e.reason),
			 "a process of the sensor itself: never captured");
	}
	team_explained(m->team, &e);
}

static void on_fresh(void *ctx)
{
	struct monitor *m = ctx;

	if (m->prober)
		prober_tell_all(m->prober);
}

static void on_intel(void *ctx, int fd)
{
	struct monitor *m = ctx;

	team_intel(m->team, fd);
}

static void on_broken_feed(void *ctx, const char *why)
{
	struct monitor *m = ctx;

	team_event(m->team, "sensor.intel", 0, 0, "%s", why);
}

static void on_canary(void *ctx)
{
	struct monitor *m = ctx;

	pulse_hurry(&m->pulse);
	beat(m, mono_ns());
}

static void on_over(void *ctx)
{
	struct monitor *m = ctx;

	m->failed = true;
	loop_stop(m->loop);
}

static void on_signal(void *ctx, uint32_t events)
{
	struct monitor *m = ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(m->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(m);
		else
			loop_stop(m->loop);
	}
}

/* Copies the kernel's counters to the monitor's page and reports losses that grew. */
static void account(struct monitor *m, uint64_t now_ns)
{
	static const struct {
		enum ev_loss loss;
		bool events; /* counted in events, not bytes */
		bool normal; /* nothing to report here */
	} rows[] = {
		{ EV_LOSS_RING, false, false },
		{ EV_LOSS_FAULT, false, false },
		{ EV_LOSS_CALL, false, false },
		{ EV_LOSS_MUTED, false, true },
		{ EV_LOSS_CONNS, false, false },
		{ EV_LOSS_CONTROL, true, false },
		{ EV_LOSS_NESTED, true, false },
		{ EV_LOSS_SENDFILE, true, false },
		{ EV_LOSS_NO_BUFFER, false, false },
		{ EV_LOSS_BUDGET, false, true }, /* said of each process */
	};
	static_assert(ARRAY_SIZE(rows) == EV_LOSS_MAX_, "loss without a counter");
	struct page *page = team_page(m->team, ROLE_MONITOR);
	uint64_t events = 0, bytes = 0;
	struct ev_stats s;

	page->heartbeat_ns = now_ns;
	page_set(page, CTR_PATTERNS_COMPILED, m->rules.compiled);
	page_set(page, CTR_RULES_LOADED, m->rules.loaded);
	page_set(page, CTR_RULES_REFUSED, m->rules.refused);
	if (capture_stats(m->capture, &s))
		return;
	page_set(page, CTR_CAPTURE_CALLS, s.calls);
	page_set(page, CTR_CAPTURE_BYTES, s.bytes);
	page_set(page, CTR_CAPTURE_RECORDS, s.records);
	page_set(page, CTR_CAPTURE_OPENED, s.opened);
	page_set(page, CTR_CAPTURE_CLOSED, s.closed);
	page_set(page, CTR_LOST_BUDGET_EVENTS, s.lost_events[EV_LOSS_BUDGET]);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum ev_loss l = rows[i].loss;

		page_set(page, loss_counters[l],
			 rows[i].events ? s.lost_events[l] : s.lost_bytes[l]);
		if (l == EV_LOSS_MUTED)
			page_set(page, CTR_LOST_MUTED_CALLS, s.lost_events[l]);
		if (rows[i].normal)
			continue;
		events += s.lost_events[l] - m->reported.lost_events[l];
		bytes += s.lost_bytes[l] - m->reported.lost_bytes[l];
	}
	if (events && now_ns - m->reported_ns >= LOSS_EVENT_NS) {
		team_event(m->team, "sensor.loss", events, bytes,
			   "%" PRIu64 " bytes of %" PRIu64 " events were not captured", bytes,
			   events);
		m->reported = s;
		m->reported_ns = now_ns;
	}
	floods_report(&m->floods, m->capture, m->team, s.lost_events[EV_LOSS_BUDGET], now_ns);
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct monitor *m = ctx;

	account(m, now_ns);
	beat(m, now_ns);
	if (m->rules.job && now_ns - m->rules.job->begun_ns > COMPILING_NS) {
		complain_of_rules(m, "the compiler took too long\n");
		end_job(m);
	}
	if (now_ns - m->collected_ns >= NS_PER_SEC) {
		m->collected_ns = now_ns;
		capture_collect(m->capture, now_ns - m->looked_ns >= LOOK_NS);
		if (now_ns - m->looked_ns >= LOOK_NS)
			m->looked_ns = now_ns;
	}
	notify_send("WATCHDOG=1");
	/* Ready is who has seen its own test call, or waited for it long enough. */
	if (!m->announced && team_ready(m->team) && prober_settled(m->prober) &&
	    m->pulse.state != PULSE_WAITING) {
		m->announced = true;
		log_info("%s: %u file(s) with TLS code, method %s%s%s%s",
			 m->trace_fd < 0 ? "watching" : "recording", capture_attached(m->capture),
			 capture_method_names[capture_method(m->capture)],
			 m->trace_fd < 0 ? ", control socket " : "",
			 m->trace_fd < 0 ? m->config->run_dir : "",
			 m->trace_fd < 0 ? "/control.sock" : "");
		notify_send(m->pulse.state == PULSE_BLIND ? "READY=1\nSTATUS=" BLIND
							  : "READY=1\nSTATUS=watching");
	} else if (!m->announced && !team_ready(m->team) && now_ns - m->started_ns > READY_NS) {
		log_error("a role did not get ready in %" PRIu64 " s",
			  (uint64_t)(READY_NS / NS_PER_SEC));
		m->failed = true;
		loop_stop(m->loop);
	}
	if (m->viewer > 0 && waitpid(m->viewer, NULL, WNOHANG) == m->viewer)
		m->viewer = 0;
}

/* --- starting */

/* `earshot tail` as a child: what an operator sees is what the CLI shows. */
static pid_t start_viewer(const struct monitor *m)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	sigset_t none;
	pid_t pid;

	if (n < 0)
		return 0;
	path[n] = 0;
	strcpy(strrchr(path, '/') + 1, "earshot");
	if (access(path, X_OK) < 0)
		strcpy(strrchr(path, '/') + 1, "../bin/earshot");
	pid = fork();
	if (pid)
		return pid < 0 ? 0 : pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none,
		    NULL); /* ours are blocked for the signalfd, and it must hear SIGTERM */
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(
	    &none); /* what the monitor reads from its signalfd would never end the viewer */
	sigprocmask(SIG_SETMASK, &none, NULL);
	execl(path, "earshot", "--run-dir", m->config->run_dir, "tail", "--wait", "30",
	      (char *)NULL);
	_exit(127);
}

static int watch_signals(struct monitor *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signal_fd < 0 ? -errno : loop_add(m->loop, m->signal_fd, EPOLLIN, on_signal, m);
}

static int unsupported(const char *why)
{
	log_error("%s", why);
	return EXIT_UNSUPPORTED;
}

static int failed(const char *what, int err)
{
	log_error("%s: %s", what, strerror(-err));
	return EXIT_FAILED;
}

/* -1: go on; else the exit code. */
static int check_rights(void)
{
	const char *missing = caps_missing();
	char why[128];

	if (!missing)
		return -1;
	if (geteuid() != 0)
		return unsupported(
		    "earshotd must be started as root (it gives most of root up at once)");
	snprintf(why, sizeof(why),
		 "%s is missing; earshotd needs what `earshotd --print-caps` lists", missing);
	return unsupported(why);
}

/* Plain text will stand in it: root's alone, and never over another file. -1: go on; else the exit
 * code. */
static int open_trace(struct monitor *m, const char *path)
{
	m->trace_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (m->trace_fd >= 0)
		return -1;
	log_error("%s: %s", path, strerror(errno));
	return EXIT_FAILED;
}

static int run(struct monitor *m, const struct options *o)
{
	const struct config *c = m->config;
	const struct rlimit files = { 65536, 65536 }, no_core = { 0, 0 };
	struct capture_opts capture_opts = {
		.ring_bytes = c->capture.ring_bytes,
		.max_conns = c->capture.max_connections,
		.max_call_bytes = c->capture.max_call_bytes,
		.share = c->capture.share,
		.max_calls = c->capture.max_calls,
		.plain_ports = c->capture.plain_ports,
		.n_plain_ports = c->capture.n_plain_ports,
		.plain_procs = choice_asked(c),
		.method = c->capture.method - 1,
	};
	struct team_opts team_opts = { .who = on_who,
				       .canary = on_canary,
				       .explain = on_explain,
				       .over = on_over,
				       .fresh = on_fresh,
				       .patterns = on_patterns,
				       .ctx = m };
	struct prober_opts prober_opts = { .proc = on_proc, .ctx = m };
	uid_t uid, keeper_uid;
	gid_t gid, keeper_gid;
	char why[512] = "";
	int err;

	log_init("earshotd", c->log_level);
	/* Fixed, or the kernel's types, once freed, raise it: then large tables that are hardly
	 * filled lie where those were, and in memory. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	setrlimit(RLIMIT_CORE, &no_core);
	setrlimit(RLIMIT_NOFILE, &files);
	prctl(PR_SET_DUMPABLE, 0);

	role_ids(ROLE_MONITOR, &uid, &gid);
	role_ids(ROLE_KEEPER, &keeper_uid, &keeper_gid);
	err = o->record
		  ? 0
		  : host_open(&m->host, c, uid, gid, keeper_uid, keeper_gid, why, sizeof(why));
	if (err) {
		log_error("%s", why);
		return EXIT_FAILED;
	}
	/* Before seconds are spent on patterns. */
	if (capture_supported(why, sizeof(why)))
		return unsupported(why);
	if (!o->record) {
		memcpy(m->rules.key, m->host.key, sizeof(m->rules.key));
		err = first_patterns(m);
		if (err)
			return EXIT_FAILED;
	}
	notify_open();
	err = caps_drop(uid, gid, true);
	if (err)
		return failed("privileges cannot be dropped", err);
	if (m->rules.compiled)
		keep_made(m);
	err = o->record ? 0 : host_listen(&m->host, c, why, sizeof(why));
	if (err) {
		log_error("%s", why);
		return EXIT_FAILED;
	}
	err = capture_new(&m->capture, &capture_opts, why, sizeof(why));
	if (err)
		return unsupported(why);
	if ((c->capture.n_plain_ports || choice_asked(c)) && !capture_plain(m->capture))
		log_error(
		    "capture.plaintext cannot be had: the kernel has neither %s (Linux %s) nor %s",
		    features[FEAT_SOCK_LENGTH].name, features[FEAT_SOCK_LENGTH].since,
		    features[FEAT_SOCK_EXIT].name);
	if (capture_method(m->capture) != CAPTURE_PERF) {
		err = caps_drop_admin();
		if (err)
			return failed("CAP_SYS_ADMIN cannot be dropped", err);
	}

	err = loop_new(&m->loop);
	if (!err)
		err = watch_signals(m);
	if (err)
		return failed("event loop", err);
	team_opts.binaries = prober_opts.binaries = &m->binaries;
	team_opts.capture = prober_opts.capture = m->capture;
	team_opts.config = c;
	team_opts.config_fd = m->config_fd;
	team_opts.patterns_fd = m->rules.fd;
	team_opts.control_fd = m->host.control_fd;
	team_opts.store_fd = m->host.store_fd;
	team_opts.ca_fd = m->host.ca_fd;
	team_opts.cert_fd = m->host.cert_fd;
	team_opts.key_fd = m->host.key_fd;
	team_opts.trace_fd = m->trace_fd;
	memcpy(team_opts.boot, m->host.boot, sizeof(team_opts.boot));
	memcpy(team_opts.key, m->host.key, sizeof(team_opts.key));
	memcpy(team_opts.host, m->host.name, sizeof(team_opts.host));
	err = team_new(&m->team, m->loop, &team_opts);
	explicit_bzero(team_opts.key, sizeof(team_opts.key));
	explicit_bzero(m->host.key, sizeof(m->host.key));
	if (!err) {
		team_rules(m->team, m->rules.why);
		err = team_start(m->team);
	}
	if (err)
		return failed("roles cannot be started", err);
	if (!o->record) {
		const struct indexing_opts indexing_opts = {
			.binaries = &m->binaries,
			.capture = m->capture,
			.config = c,
			.page = team_page(m->team, ROLE_MONITOR),
			.fresh = on_intel,
			.broken = on_broken_feed,
			.ctx = m,
		};

		err = indexing_new(&m->indexing, m->loop, &indexing_opts);
		if (err)
			return failed("feeds of threat intelligence cannot be read", err);
	}
	err = tables_open(o->config ? o->config : CONFIG_FILE, &m->sites_fd);
	if (err)
		return failed("tables of probe sites cannot be read", err);
	prober_opts.sites_fd = m->sites_fd;
	prober_opts.config = c;
	prober_opts.page = team_page(m->team, ROLE_MONITOR);
	err = prober_new(&m->prober, m->loop, &prober_opts, why, sizeof(why));
	if (err)
		return unsupported(*why ? why : strerror(-err));
	err = prober_scan(m->prober);
	if (!err)
		err = loop_every(m->loop, NS_PER_SEC / 2, tick, m);
	if (err)
		return failed("running processes cannot be examined", err);
	if (o->foreground && !o->record)
		m->viewer = start_viewer(m);
	m->started_ns = mono_ns();
	pulse_begin(&m->pulse, o->record ? 0 : c->canary.interval_s * NS_PER_SEC,
		    c->canary.limit_s * NS_PER_SEC, m->started_ns);
	team_pulse(m->team, &m->pulse);
	malloc_trim(0); /* what loading programs took and needs no more */
	err = loop_run(m->loop);
	if (err)
		return failed("event loop", err);
	return m->failed ? EXIT_FAILED : EXIT_OK;
}

/* In the order of the data: no more probes, then who reads, keeps, ships. */
static void stop(struct monitor *m)
{
	notify_send("STOPPING=1");
	prober_free(&m->prober);
	indexing_free(&m->indexing);
	if (m->team) {
		if (m->capture)
			account(m, mono_ns());
		team_stop(m->team);
	}
	if (m->viewer > 0) {
		kill(m->viewer, SIGTERM);
		waitpid(m->viewer, NULL, 0);
	}
	if (m->rules.job)
		end_job(m);
	team_free(&m->team);
	capture_free(&m->capture);
	loop_free(&m->loop);
	host_close(&m->host);
	own_close(&m->sites_fd);
	own_close(&m->rules.fd);
	own_close(&m->rules.before);
	explicit_bzero(m->rules.key, sizeof(m->rules.key));
}

int main(int argc, char **argv)
{
	struct monitor m = {
		.config_fd = -1,
		.rules = { .fd = -1, .before = -1 },
		.trace_fd = -1,
		.sites_fd = -1,
	};
	struct options o = { 0 };
	char why[512] = "";
	int code = parse_options(argc, argv, &o);

	host_none(&m.host);

	if (code >= 0)
		return code;
	log_init("earshotd", LOG_LEVEL_INFO);
	if (binaries_open(&m.binaries, why, sizeof(why))) {
		log_error("%s", why);
		return EXIT_FAILED;
	}
	code = o.check ? -1 : check_rights();
	if (code < 0 && o.record)
		code = open_trace(&m, o.record);
	if (code < 0)
		code = load_config(&m, &o);
	if (code >= 0)
		return code;
	if (o.check)
		return EXIT_OK;
	code = run(&m, &o);
	stop(&m);
	return code;
}
