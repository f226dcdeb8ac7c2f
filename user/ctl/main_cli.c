/* user/ctl/main_cli.c - earshot, the command line: asks a running sensor over its control socket,
 * records, replays and scans.
 * Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no sensor there, 4 it is not well.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/own.h"
#include "config/config.h"
#include "ctl/client.h"
#include "ctl/doctor.h"
#include "ctl/pb_json.h"
#include "ctl/record.h"
#include "ctl/render.h"
#include "ctl/render_explain.h"
#include "scan/intel_tool.h"
#include "scan/rules_tool.h"
#include "scan/scan.h"
#include "trace/replay.h"

#define RUN_DIR_DEFAULT "/run/earshot"
#define LIMIT_MAX	10000
#define TAIL_PAUSE_NS	(200 * NS_PER_MS) /* before it turns to a sensor again that hung up */
#define WAIT_MAX_S	86400
#define RELOAD_NS	(310 * NS_PER_SEC) /* compiling may take that */
#define TIMES_MAX	1000000
#define PROCESSES_MAX	(1 << 20)

enum { EXIT_USAGE = 2, EXIT_NO_SENSOR = 3, EXIT_UNWELL = 4 };

struct cli {
	const char *run_dir;
	bool json, no_color, counters, hunt, all, try;
	unsigned wait_s;
	uint64_t since_ns;
	Earshot__Severity severity;
	const char *kind;
	unsigned limit;
	const char *trace; /* file to record to */
	unsigned seconds;
	struct replay_opts replay;
	struct scan_opts scan;
	struct render render;
};

/* --- options: one table for parsing and help */

enum opt {
	OPT_RUN_DIR,
	OPT_OUTPUT,
	OPT_NO_COLOR,
	OPT_HELP,
	OPT_VERSION,
	OPT_COUNTERS,
	OPT_SINCE,
	OPT_SEVERITY,
	OPT_KIND,
	OPT_LIMIT,
	OPT_HUNT,
	OPT_WAIT,
	OPT_TRACE,
	OPT_SECONDS,
	OPT_STATS,
	OPT_TEXT,
	OPT_NO_DETECT,
	OPT_TIMES,
	OPT_JSONL,
	OPT_ROLE,
	OPT_SPEED,
	OPT_INTEL,
	OPT_ALL,
	OPT_TRY,
	OPT_RULES,
	OPT_MAX_
};

#define BIT(o) (1u << (o))
#define GLOBAL (BIT(OPT_RUN_DIR) | BIT(OPT_OUTPUT) | BIT(OPT_NO_COLOR) | BIT(OPT_HELP))

static int set_output(struct cli *c, const char *value);
static int set_since(struct cli *c, const char *value);
static int set_severity(struct cli *c, const char *value);
static int set_role(struct cli *c, const char *value);
static int set_intel(struct cli *c, const char *value);

/* clang-format off */
#define FLAG(field)		.is = OPTION_FLAG, .at = offsetof(struct cli, field)
#define WORD(field)		.is = OPTION_WORD, .at = offsetof(struct cli, field)
#define NUMBER(field, from, to)	.is = OPTION_NUMBER, .at = offsetof(struct cli, field), .min = (from), .max = (to)
/* clang-format on */

static const struct option_row {
	const char *name;
	char letter;	   /* 0: none */
	const char *value; /* what stands for it in help; NULL: takes none */
	const char *help;
	int (*set)(struct cli *c, const char *value); /* 0, or -EINVAL after a message */
	/* Instead of set: what it is, and where in struct cli it goes. */
	enum { OPTION_SET, OPTION_FLAG, OPTION_WORD, OPTION_NUMBER } is;
	size_t at;
	unsigned min, max;
} options[OPT_MAX_] = {
	[OPT_RUN_DIR] = { "run-dir", 'r', "DIR",
			  "the sensor's run_dir (EARSHOT_RUN_DIR; " RUN_DIR_DEFAULT ")",
			  WORD(run_dir) },
	[OPT_OUTPUT] = { "output", 'o', "table|json", "how to print (table)", set_output },
	[OPT_NO_COLOR] = { "no-color", 0, NULL, "no colours, as with NO_COLOR=1", FLAG(no_color) },
	[OPT_HELP] = { "help", 'h', NULL, "this text", NULL },
	[OPT_VERSION] = { "version", 'V', NULL, "the version of this program", NULL },
	[OPT_COUNTERS] = { "counters", 'c', NULL, "every counter with its meaning",
			   FLAG(counters) },
	[OPT_SINCE] = { "since", 's', "TIME",
			"last seen since then: 90s, 30m, 1h, 7d ago, or RFC 3339", set_since },
	[OPT_SEVERITY] = { "severity", 'S', "LEVEL",
			   "at least informational, low, medium, high or critical", set_severity },
	[OPT_KIND] = { "kind", 'k', "KIND",
		       "one kind (\"injection.rules\") or a family (\"injection.\")", WORD(kind) },
	[OPT_LIMIT] = { "limit", 'n', "N", "at most the N newest (100)",
			NUMBER(limit, 1, LIMIT_MAX) },
	[OPT_HUNT] = { "hunt", 0, NULL, "also what is kept for hunting only", FLAG(hunt) },
	[OPT_WAIT] = { "wait", 'w', "SECONDS",
		       "wait so long for a sensor to come, or come back (0)",
		       NUMBER(wait_s, 0, WAIT_MAX_S) },
	[OPT_TRACE] = { "output", 'o', "FILE", "the trace to write; must not exist", WORD(trace) },
	[OPT_SECONDS] = { "seconds", 't', "SECONDS", "record for so long (until Ctrl-C)",
			  NUMBER(seconds, 1, WAIT_MAX_S) },
	[OPT_STATS] = { "stats", 0, NULL, "figures instead of turns", FLAG(replay.stats) },
	[OPT_TEXT] = { "text", 0, NULL, "what was said, too, in plain text", FLAG(replay.text) },
	[OPT_NO_DETECT] = { "no-detect", 0, NULL, "leave the detectors out",
			    FLAG(replay.no_detect) },
	[OPT_JSONL] = { "jsonl", 0, NULL, "the input is one JSON object a line", FLAG(scan.jsonl) },
	[OPT_ROLE] = { "role", 0, "ROLE", "of texts that tell none (user)", set_role },
	[OPT_SPEED] = { "stats", 0, NULL, "figures at the end, on stderr", FLAG(scan.stats) },
	[OPT_INTEL] = { "intel", 'i', "FILE",
			"look addresses up in this feed, too; may be given again", set_intel },
	[OPT_TIMES] = { "times", 0, "N", "replay it N times (1)",
			NUMBER(replay.times, 1, TIMES_MAX) },
	[OPT_RULES] = { "rules", 0, "PATH",
			"a folder of rule packs, or a pack, beside the built-in ones",
			WORD(scan.rules) },
	[OPT_TRY] = { "try", 0, NULL, "when no sensor runs, start one for a moment", FLAG(try) },
	[OPT_ALL] = { "all", 'a', NULL, "every process that maps code", FLAG(all) },
};

/* --- verbs */

static int run_status(struct cli *c, char *const *args);
static int run_alerts(struct cli *c, char *const *args);
static int run_show(struct cli *c, char *const *args);
static int run_tail(struct cli *c, char *const *args);
static int run_record(struct cli *c, char *const *args);
static int run_replay(struct cli *c, char *const *args);
static int run_scan(struct cli *c, char *const *args);
static int run_explain(struct cli *c, char *const *args);
static int run_doctor(struct cli *c, char *const *args);
static int run_reload(struct cli *c, char *const *args);
static int run_rules_list(struct cli *c, char *const *args);
static int run_rules_test(struct cli *c, char *const *args);
static int run_rules_check(struct cli *c, char *const *args);
static int run_intel_check(struct cli *c, char *const *args);
static int run_version(struct cli *c, char *const *args);
static int run_help(struct cli *c, char *const *args);

static const struct verb {
	const char *name;
	const char *operands; /* as help shows them; NULL: none */
	int min, max;	      /* how many */
	const char *summary;
	unsigned options; /* beside the global ones; OPT_TRACE instead of OPT_OUTPUT */
	int (*run)(struct cli *c, char *const *args);
} verbs[] = {
	{ "status", NULL, 0, 0, "is the sensor well, and what has it seen?", BIT(OPT_COUNTERS),
	  run_status },
	{ "alerts", NULL, 0, 0, "list alerts, the newest first",
	  BIT(OPT_SINCE) | BIT(OPT_SEVERITY) | BIT(OPT_KIND) | BIT(OPT_LIMIT) | BIT(OPT_HUNT),
	  run_alerts },
	{ "alerts show", "ID", 1, 1, "everything about one alert; the first digits of its ID do", 0,
	  run_show },
	{ "tail", NULL, 0, 0, "print alerts as they happen", BIT(OPT_HUNT) | BIT(OPT_WAIT),
	  run_tail },
	{ "record", NULL, 0, 0, "record what is captured on this host into a file, in plain text",
	  BIT(OPT_TRACE) | BIT(OPT_SECONDS), run_record },
	{ "replay", "FILE", 1, 1, "put a recorded trace through the sensor's pipeline",
	  BIT(OPT_STATS) | BIT(OPT_TEXT) | BIT(OPT_NO_DETECT) | BIT(OPT_TIMES), run_replay },
	{ "explain", "[PID]", 0, 1, "what is seen of a process, or why nothing", BIT(OPT_ALL),
	  run_explain },
	{ "doctor", NULL, 0, 0, "can this host carry a sensor, and does the one that runs see?",
	  BIT(OPT_TRY), run_doctor },
	{ "reload", NULL, 0, 0, "have the sensor read its rules anew, and say what became of it", 0,
	  run_reload },
	{ "scan", "[FILE|-]", 0, 1, "put texts through the detectors, without a sensor",
	  BIT(OPT_JSONL) | BIT(OPT_ROLE) | BIT(OPT_SPEED) | BIT(OPT_RULES) | BIT(OPT_INTEL),
	  run_scan },
	{ "rules list", "[PATH]", 0, 1, "list the rules: those built in, and those of PATH", 0,
	  run_rules_list },
	{ "rules test", "[PATH]", 0, 1, "try every rule on its own hits and misses", 0,
	  run_rules_test },
	{ "rules check", "[PATH]", 0, 1, "are the packs of PATH whole, and their patterns fast?", 0,
	  run_rules_check },
	{ "intel check", "FEED...", 1, CONFIG_INTEL_MAX,
	  "what is taken of feeds of threat intelligence?", 0, run_intel_check },
	{ "version", NULL, 0, 0, "print the version of this program", 0, run_version },
	{ "help", "[VERB]", 0, 2, "print help, of one verb or of all", 0, run_help },
};

__attribute__((format(printf, 1, 2))) static int complain(const char *fmt, ...)
{
	char text[512], safe[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "earshot: %s\n", escape_str(safe, sizeof(safe), span_str(text)));
	return -EINVAL;
}

/* What it was about, and one sentence; or lines that name their places themselves. */
static void complain_lines(const char *what, const char *why)
{
	if (strchr(why, '\n'))
		fputs(why, stderr);
	else
		complain("%s: %s", what, why);
}

static int print_options(FILE *f, unsigned set)
{
	for (enum opt o = 0; o < OPT_MAX_; o++) {
		char names[64];

		if (!(set & BIT(o)))
			continue;
		snprintf(names, sizeof(names), "%c%c%s --%s%s%s", options[o].letter ? '-' : ' ',
			 options[o].letter ? options[o].letter : ' ', options[o].letter ? "," : " ",
			 options[o].name, options[o].value ? " " : "",
			 options[o].value ? options[o].value : "");
		fprintf(f, "  %-26s %s\n", names, options[o].help);
	}
	return 0;
}

/* A verb that writes a file names it as --output. */
static unsigned options_of(const struct verb *v)
{
	unsigned global = v->options & BIT(OPT_TRACE) ? GLOBAL & ~BIT(OPT_OUTPUT) : GLOBAL;

	return global | v->options;
}

static int help_of(const struct verb *v)
{
	printf("usage: earshot %s%s%s%s\n\n%c%s.\n", v->name, v->options ? " [OPTION]..." : "",
	       v->operands ? " " : "", v->operands ? v->operands : "",
	       (char)(v->summary[0] - 'a' + 'A'), v->summary + 1);
	if (v->options) {
		puts("\nOptions:");
		print_options(stdout, v->options);
	}
	puts("\nOptions of every verb:");
	print_options(stdout, options_of(v) & GLOBAL);
	return 0;
}

static int help_all(FILE *f)
{
	fputs("usage: earshot [OPTION]... VERB [ARGUMENT]...\n\n"
	      "Asks a running Earshot sensor. Verbs:\n",
	      f);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s%s%s", verbs[i].name, verbs[i].operands ? " " : "",
			 verbs[i].operands ? verbs[i].operands : "");
		fprintf(f, "  %-26s %s\n", name, verbs[i].summary);
	}
	fputs("\nOptions:\n", f);
	print_options(f, GLOBAL | BIT(OPT_VERSION));
	fputs("\nExit status: 0 done, 1 failed, 2 wrong usage, 3 no sensor to ask,\n"
	      "4 the sensor is not well. See earshot(1).\n",
	      f);
	return 0;
}

/* --- values of options */

static int set_output(struct cli *c, const char *value)
{
	if (strcmp(value, "table") && strcmp(value, "json"))
		return complain("-o takes table or json, not \"%s\"", value);
	c->json = !strcmp(value, "json");
	return 0;
}

/* A whole number up to max, and what follows it. */
static int number(const char *text, uint64_t max, uint64_t *ret, const char **ret_end)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	*ret_end = end;
	return errno || end == text || *text == '-' || *text == '+' || *ret > max ? -EINVAL : 0;
}

static int set_role(struct cli *c, const char *value)
{
	enum segment_role role;
	enum origin origin;

	if (scan_role(value, &role, &origin))
		return complain("--role takes %s, not \"%s\"", scan_roles, value);
	c->scan.role = value;
	return 0;
}

static int set_intel(struct cli *c, const char *value)
{
	if (c->scan.n_intel == ARRAY_SIZE(c->scan.intel))
		return complain("more feeds than %zu", ARRAY_SIZE(c->scan.intel));
	c->scan.intel[c->scan.n_intel++] = value;
	return 0;
}

/* The option o with this value (NULL: it takes none). */
static int set_option(struct cli *c, enum opt o, const char *value)
{
	const struct option_row *row = &options[o];
	void *field = (char *)c + row->at;
	const char *end;
	uint64_t n;

	switch (row->is) {
	case OPTION_SET:
		return row->set(c, value);
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_WORD:
		*(const char **)field = value;
		return 0;
	case OPTION_NUMBER:
		break;
	}
	if (number(value, row->max, &n, &end) || *end || n < row->min)
		return complain("--%s takes a number from %u to %u, not \"%s\"", row->name,
				row->min, row->max, value);
	*(unsigned *)field = (unsigned)n;
	return 0;
}

static int set_severity(struct cli *c, const char *value)
{
	const ProtobufCEnumDescriptor *e = &earshot__severity__descriptor;

	for (unsigned i = 0; i < e->n_values; i++) {
		char word[32];

		if (!strcmp(value, enum_word(e, e->values[i].value, word))) {
			c->severity = (Earshot__Severity)e->values[i].value;
			return 0;
		}
	}
	return complain("--severity takes informational, low, medium, high or critical, not \"%s\"",
			value);
}

/* "1h" ago, or RFC 3339: 2026-11-23T08:07:12[.5](Z|+01:00). */
static int parse_since(const char *text, uint64_t now_ns, uint64_t *ret_ns)
{
	static const struct {
		const char *unit;
		uint64_t seconds;
	} units[] = { { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { "w", 7 * 86400 } };
	struct tm tm = { 0 };
	const char *end;
	uint64_t n;
	long offset = 0;
	time_t t;

	if (!number(text, UINT32_MAX, &n, &end)) {
		for (size_t i = 0; i < ARRAY_SIZE(units); i++)
			if (!strcmp(end, units[i].unit)) {
				uint64_t ago = n * units[i].seconds * NS_PER_SEC;

				*ret_ns = ago < now_ns ? now_ns - ago : 0;
				return 0;
			}
	}
	end = strptime(text, "%Y-%m-%d", &tm);
	if (end && (*end == 'T' || *end == 't' || *end == ' '))
		end = strptime(end + 1, "%H:%M:%S", &tm);
	if (end && *end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (!end)
		return -EINVAL;
	if (*end == '+' || *end == '-') {
		unsigned h, m;

		if (strlen(end) != 6 || sscanf(end + 1, "%2u:%2u", &h, &m) != 2)
			return -EINVAL;
		offset = (long)(h * 3600 + m * 60) * (*end == '+' ? 1 : -1);
	} else if (*end && strcmp(end, "Z") && strcmp(end, "z")) {
		return -EINVAL;
	}
	/* Without a zone it is this host's own time. */
	tm.tm_isdst = -1;
	t = *end ? timegm(&tm) - offset : mktime(&tm);
	if (t < 0)
		return -EINVAL;
	*ret_ns = (uint64_t)t * NS_PER_SEC;
	return 0;
}

static int set_since(struct cli *c, const char *value)
{
	if (parse_since(value, wall_ns(), &c->since_ns))
		return complain("--since takes 90s, 30m, 1h, 7d or a time like "
				"2026-01-31T08:00:00Z, not \"%s\"",
				value);
	return 0;
}

/* --- asking */

static int exit_code_of(int err)
{
	return err == -ENOENT || err == -ECONNREFUSED || err == -EPIPE || err == -EACCES ||
		       err == -ECONNRESET
		   ? EXIT_NO_SENSOR
		   : EXIT_FAILURE;
}

static int explain(const struct cli *c, int err)
{
	const char *dir = c->run_dir;

	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
		complain("no sensor is running at %s: start it with \"systemctl start earshot\", "
			 "or name its run_dir with --run-dir",
			 dir);
		break;
	case -EACCES:
		complain("not allowed to talk to the sensor at %s: be root or a member of the "
			 "group earshot",
			 dir);
		break;
	case -EPIPE:
	case -ECONNRESET:
		complain("the sensor at %s went away", dir);
		break;
	case -ENAMETOOLONG:
		complain("the name of the run directory is too long");
		break;
	case -EBADMSG:
		complain("the sensor's answer cannot be read: is it of version " EARSHOT_VERSION
			 " too?");
		break;
	default:
		complain("cannot ask the sensor at %s: %s", dir, strerror(-err));
	}
	return exit_code_of(err);
}

/* Called for each reply that carries a body. */
typedef void reply_fn(struct cli *c, Earshot__CtlReply *r, void *ctx);

/* Sends q and hands out its replies to the last one. 0, -errno, or 1 after the sensor said no. */
static int ask(struct cli *c, const Earshot__CtlRequest *q, reply_fn *each, void *ctx)
{
	auto_free(client) struct client *k = NULL;
	bool last = false;
	int err;

	err = client_new(&k, c->run_dir, c->wait_s);
	if (!err)
		err = client_send(k, q);
	while (!err && !last) {
		Earshot__CtlReply *r;

		err = client_recv(k, &r);
		if (err)
			break;
		if (*r->error) {
			complain("%s", r->error);
			err = 1;
		} else {
			last = r->last;
			each(c, r, ctx);
		}
		earshot__ctl_reply__free_unpacked(r, NULL);
	}
	return err;
}

/* Writes out what was printed; a full disk or a closed pipe is a failure too. */
static int finish(int err)
{
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = complain("cannot write: %s", strerror(errno));
	return err ? EXIT_FAILURE : 0;
}

static int answer(struct cli *c, int err)
{
	return err < 0 ? explain(c, err) : finish(err);
}

static void print_json(const ProtobufCMessage *m, enum json_out_style style)
{
	struct json_out j = JSON_OUT(stdout, style);

	pb_json(&j, m);
	json_out_done(&j); /* a stream in trouble says so in finish() */
}

static void on_status(struct cli *c, Earshot__CtlReply *r, void *ctx)
{
	bool *well = ctx;

	if (r->body_case != EARSHOT__CTL_REPLY__BODY_STATUS)
		return;
	*well = r->status->healthy;
	if (c->json)
		print_json(&r->status->base, JSON_OUT_PRETTY);
	else
		render_status(&c->render, r->status, c->counters, wall_ns());
}

static int run_status(struct cli *c, char *const *args)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__StatusQuery s = EARSHOT__STATUS_QUERY__INIT;
	bool well = true;
	int code;

	(void)args;
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_STATUS;
	q.status = &s;
	code = answer(c, ask(c, &q, on_status, &well));
	return code ? code : well ? 0 : EXIT_UNWELL;
}

/* What the sensor says of its rules. */
struct rules_state {
	pid_t monitor;
	uint64_t loaded, refused;
	char why[512];
};

static uint64_t counter_of(const Earshot__StatusReply *s, const char *name)
{
	for (size_t i = 0; i < s->n_counters; i++)
		if (!strcmp(s->counters[i]->key, name))
			return s->counters[i]->value;
	return 0;
}

static void on_rules(struct cli *c, Earshot__CtlReply *r, void *ctx)
{
	struct rules_state *to = ctx;

	(void)c;
	if (r->body_case != EARSHOT__CTL_REPLY__BODY_STATUS)
		return;
	*to = (struct rules_state){ .loaded = counter_of(r->status, "rules.loaded"),
				    .refused = counter_of(r->status, "rules.refused") };
	for (size_t i = 0; i < r->status->n_roles; i++)
		if (!strcmp(r->status->roles[i]->name, "monitor"))
			to->monitor = (pid_t)r->status->roles[i]->pid;
	for (size_t i = 0; i < r->status->n_problems; i++)
		if (!strncmp(r->status->problems[i], "rules: ", 7))
			snprintf(to->why, sizeof(to->why), "%s", r->status->problems[i]);
}

/* SIGHUP to the monitor. The number comes from a role that can do less than we can: it must be an
 * earshotd's. */
static int hang_up(pid_t pid)
{
	char path[64], exe[4096];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = pid > 1 ? readlink(path, exe, sizeof(exe) - 1) : -1;
	if (n < 0)
		return complain("the monitor, process %d: %s", (int)pid, strerror(errno));
	exe[n] = 0;
	name = strrchr(exe, '/');
	if (!name || strncmp(name, "/earshotd", 9))
		return complain("process %d is not earshotd", (int)pid);
	return kill(pid, SIGHUP) ? complain("process %d: %s", (int)pid, strerror(errno)) : 0;
}

static int run_reload(struct cli *c, char *const *args)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__StatusQuery s = EARSHOT__STATUS_QUERY__INIT;
	const struct timespec pause = { .tv_nsec = TAIL_PAUSE_NS };
	uint64_t deadline = mono_ns() + RELOAD_NS;
	struct rules_state before = { 0 }, now = { 0 };
	int err;

	(void)args;
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_STATUS;
	q.status = &s;
	err = ask(c, &q, on_rules, &before);
	if (err)
		return answer(c, err);
	if (hang_up(before.monitor))
		return EXIT_FAILURE;
	while (mono_ns() < deadline) {
		nanosleep(&pause, NULL);
		err = ask(c, &q, on_rules, &now);
		if (err)
			return answer(c, err);
		if (now.refused > before.refused) {
			complain("%s", *now.why ? now.why : "the rules were refused");
			return EXIT_FAILURE;
		}
		if (now.loaded > before.loaded) {
			puts("The rules of its folder are in use.");
			return finish(0);
		}
	}
	complain("the sensor has not answered yet");
	return EXIT_FAILURE;
}

struct list {
	Earshot__Alert **p;
	size_t n, room;
	bool failed;
};

static void on_listed(struct cli *c, Earshot__CtlReply *r, void *ctx)
{
	struct list *l = ctx;

	(void)c;
	if (r->body_case != EARSHOT__CTL_REPLY__BODY_ALERT)
		return;
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 128;
		void *p = room <= 2 * LIMIT_MAX ? reallocarray(l->p, room, sizeof(*l->p)) : NULL;

		if (!p) {
			l->failed = true;
			return;
		}
		l->p = p;
		l->room = room;
	}
	l->p[l->n++] = r->alert;
	r->body_case = EARSHOT__CTL_REPLY__BODY__NOT_SET; /* it is ours now */
	r->alert = NULL;
}

static void print_list(struct cli *c, const struct list *l)
{
	struct json_out j = JSON_OUT(stdout, JSON_OUT_PRETTY);

	if (!c->json) {
		render_alerts(&c->render, l->p, l->n);
		return;
	}
	json_out_array(&j);
	for (size_t i = 0; i < l->n; i++)
		pb_json(&j, &l->p[i]->base);
	json_out_end(&j);
	json_out_done(&j);
}

static int run_alerts(struct cli *c, char *const *args)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__AlertsQuery a = EARSHOT__ALERTS_QUERY__INIT;
	struct list l = { 0 };
	int err;

	(void)args;
	a.limit = c->limit;
	a.since_ns = c->since_ns;
	a.min_severity = c->severity;
	a.kind = (char *)c->kind;
	a.hunt = c->hunt;
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_ALERTS;
	q.alerts = &a;
	err = ask(c, &q, on_listed, &l);
	if (!err && l.failed)
		err = -ENOMEM;
	if (!err)
		print_list(c, &l);
	for (size_t i = 0; i < l.n; i++)
		earshot__alert__free_unpacked(l.p[i], NULL);
	free(l.p);
	return answer(c, err);
}

/* --- explain */

struct explained_list {
	Earshot__ExplainReply **p;
	size_t n, room;
	bool failed;
};

static void on_explained(struct cli *c, Earshot__CtlReply *r, void *ctx)
{
	struct explained_list *l = ctx;

	(void)c;
	if (r->body_case != EARSHOT__CTL_REPLY__BODY_EXPLAINED)
		return;
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 128;
		void *p = room <= PROCESSES_MAX ? reallocarray(l->p, room, sizeof(*l->p)) : NULL;

		if (!p) {
			l->failed = true;
			return;
		}
		l->p = p;
		l->room = room;
	}
	l->p[l->n++] = r->explained;
	r->body_case = EARSHOT__CTL_REPLY__BODY__NOT_SET; /* it is ours now */
	r->explained = NULL;
}

static void print_explained(struct cli *c, const struct explained_list *l)
{
	struct json_out j = JSON_OUT(stdout, JSON_OUT_PRETTY);

	if (!c->all) {
		for (size_t i = 0; i < l->n; i++)
			if (c->json)
				print_json(&l->p[i]->base, JSON_OUT_PRETTY);
			else
				render_explain(&c->render, l->p[i]);
		return;
	}
	if (!c->json) {
		render_explain_all(&c->render, l->p, l->n);
		return;
	}
	json_out_array(&j);
	for (size_t i = 0; i < l->n; i++)
		pb_json(&j, &l->p[i]->base);
	json_out_end(&j);
	json_out_done(&j);
}

static int run_explain(struct cli *c, char *const *args)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__ExplainQuery e = EARSHOT__EXPLAIN_QUERY__INIT;
	struct explained_list l = { 0 };
	const char *end = "";
	uint64_t pid = 0;
	bool gone;
	int err;

	if (!args[0] == !c->all) {
		complain("explain takes a process id, or --all");
		return EXIT_USAGE;
	}
	if (args[0] && (number(args[0], INT32_MAX, &pid, &end) || *end || !pid)) {
		complain("explain takes a process id, not \"%s\"", args[0]);
		return EXIT_USAGE;
	}
	e.pid = (uint32_t)pid;
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_EXPLAIN;
	q.explain = &e;
	err = ask(c, &q, on_explained, &l);
	if (!err && l.failed)
		err = -ENOMEM;
	gone = !err && !c->all && l.n == 1 && !strcmp(l.p[0]->state, "gone");
	if (gone)
		complain("no process %" PRIu64, pid);
	else if (!err)
		print_explained(c, &l);
	for (size_t i = 0; i < l.n; i++)
		earshot__explain_reply__free_unpacked(l.p[i], NULL);
	free(l.p);
	return gone ? EXIT_FAILURE : answer(c, err);
}

static int run_doctor(struct cli *c, char *const *args)
{
	int bad = doctor(&c->render, c->run_dir, c->json, c->try);

	(void)args;
	return finish(0) ? EXIT_FAILURE : bad;
}

static void on_shown(struct cli *c, Earshot__CtlReply *r, void *ctx)
{
	(void)ctx;
	if (r->body_case != EARSHOT__CTL_REPLY__BODY_ALERT)
		return;
	if (c->json)
		print_json(&r->alert->base, JSON_OUT_PRETTY);
	else
		render_alert(&c->render, r->alert);
}

static int run_show(struct cli *c, char *const *args)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__AlertQuery a = EARSHOT__ALERT_QUERY__INIT;

	a.id = args[0];
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_ALERT;
	q.alert = &a;
	return answer(c, ask(c, &q, on_shown, NULL));
}

static void on_revision(struct cli *c, Earshot__CtlReply *r, void *ctx)
{
	(void)ctx;
	if (r->dropped)
		complain("%" PRIu64 " revisions were not shown: this terminal is too slow",
			 r->dropped);
	if (r->body_case != EARSHOT__CTL_REPLY__BODY_REVISION)
		return;
	if (c->json)
		print_json(&r->revision->base, JSON_OUT_COMPACT);
	else
		render_revision(&c->render, r->revision, NULL);
	fflush(stdout);
	if (ferror(stdout))
		exit(EXIT_FAILURE);
}

static void on_signal(int sig)
{
	(void)sig;
	_exit(
	    EXIT_SUCCESS); /* every line has been flushed: being told to stop is how a tail ends */
}

static int run_tail(struct cli *c, char *const *args)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__TailQuery t = EARSHOT__TAIL_QUERY__INIT;
	const struct timespec pause = { .tv_nsec = TAIL_PAUSE_NS };
	int err;

	(void)args;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	t.hunt = c->hunt;
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_TAIL;
	q.tail = &t;
	err = ask(c, &q, on_revision, NULL);
	while (c->wait_s && err == -EPIPE) { /* its keeper was started again */
		nanosleep(&pause, NULL);
		err = ask(c, &q, on_revision, NULL);
	}
	return answer(c, err);
}

static int run_record(struct cli *c, char *const *args)
{
	char why[256];

	(void)args;
	if (!c->trace) {
		complain("record needs --output FILE");
		return EXIT_USAGE;
	}
	if (record_run(c->trace, c->seconds, why, sizeof(why))) {
		complain("%s", why);
		return EXIT_FAILURE;
	}
	return 0;
}

static int run_replay(struct cli *c, char *const *args)
{
	char why[256];

	c->replay.path = args[0];
	c->replay.json = c->json;
	if (replay_run(&c->replay, stdout, why, sizeof(why))) {
		fflush(stdout);
		complain("%s: %s", args[0], why);
		return EXIT_FAILURE;
	}
	return 0;
}

static int run_scan(struct cli *c, char *const *args)
{
	bool piped = !args[0] || !strcmp(args[0], "-");
	auto_file FILE *file = piped ? NULL : fopen(args[0], "re");
	char why[CONFIG_ERRORS_MAX] = "";

	if (!piped && !file) {
		complain("%s: %s", args[0], strerror(errno));
		return EXIT_FAILURE;
	}
	if (scan_run(&c->scan, piped ? stdin : file, stdout, why, sizeof(why))) {
		complain_lines(piped ? "standard input" : args[0], why);
		return EXIT_FAILURE;
	}
	return 0;
}

/* Rules are looked for where the sensor does by default, unless somewhere else is said. */
static int run_rules(struct cli *c, char *const *args,
		     int (*run)(const struct rules_opts *, FILE *, char *, size_t))
{
	struct rules_opts o = { .path = args[0], .json = c->json };
	char why[CONFIG_ERRORS_MAX] = "";
	int n;

	if (!o.path && !access(CONFIG_RULES_DIR, R_OK | X_OK))
		o.path = CONFIG_RULES_DIR;
	n = run(&o, stdout, why, sizeof(why));
	if (n < 0) {
		if (!*why)
			snprintf(why, sizeof(why), "%s", strerror(-n));
		complain_lines(o.path ? o.path : "built-in rules", why);
	}
	return finish(0) || n ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_rules_list(struct cli *c, char *const *args)
{
	return run_rules(c, args, rules_list);
}

static int run_rules_test(struct cli *c, char *const *args)
{
	return run_rules(c, args, rules_test);
}

static int run_rules_check(struct cli *c, char *const *args)
{
	return run_rules(c, args, rules_check);
}

static int run_intel_check(struct cli *c, char *const *args)
{
	const char *paths[CONFIG_INTEL_MAX];
	char why[512] = "";
	size_t n = 0;
	int err;

	while (args[n]) {
		paths[n] = args[n];
		n++;
	}
	err = intel_check(paths, n, c->json, stdout, why, sizeof(why));
	if (err)
		complain("%s", *why ? why : strerror(-err));
	return err ? EXIT_FAILURE : 0;
}

static int run_version(struct cli *c, char *const *args)
{
	(void)c;
	(void)args;
	puts("earshot " EARSHOT_VERSION);
	return 0;
}

/* --- the command line */

/* The verb that the words begin with, the longest name first; *ret_words: how many of them it took.
 */
static const struct verb *find_verb(char *const *words, int n, int *ret_words)
{
	const struct verb *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const char *space = strchr(verbs[i].name, ' ');
		size_t first = space ? (size_t)(space - verbs[i].name) : strlen(verbs[i].name);

		if (n < 1 || strlen(words[0]) != first || strncmp(words[0], verbs[i].name, first))
			continue;
		if (!space) {
			found = &verbs[i];
			*ret_words = 1;
		} else if (n > 1 && !strcmp(words[1], space + 1)) {
			*ret_words = 2;
			return &verbs[i];
		}
	}
	return found;
}

static int run_help(struct cli *c, char *const *args)
{
	int n = args[0] ? args[1] ? 2 : 1 : 0, words = 0;
	const struct verb *v = find_verb(args, n, &words);

	(void)c;
	if (!n)
		return help_all(stdout);
	if (!v || words != n) {
		complain("no verb \"%s\": see earshot --help", args[words]);
		return EXIT_USAGE;
	}
	return help_of(v);
}

/* Reads the options in set. 0; -EINVAL after a message; 1: an option has answered already. */
static int read_options(struct cli *c, int argc, char **argv, unsigned set, const struct verb *v)
{
	struct option longs[OPT_MAX_ + 1] = { 0 };
	/* Before the verb options end at the first word; behind it they may stand anywhere. */
	char shorts[3 + 2 * OPT_MAX_] = "+:";
	size_t n = 0, at = 2;
	int got;

	for (enum opt o = 0; o < OPT_MAX_; o++) {
		if (!(set & BIT(o)))
			continue;
		longs[n++] = (struct option){ options[o].name,
					      options[o].value ? required_argument : no_argument,
					      NULL, 256 + (int)o };
		if (options[o].letter) {
			shorts[at++] = options[o].letter;
			if (options[o].value)
				shorts[at++] = ':';
		}
	}
	while ((got = getopt_long(argc, argv, shorts + (v != NULL), longs, NULL)) != -1) {
		enum opt o = 0;

		if (got == ':')
			return complain("%s needs a value: see earshot %s%s--help",
					argv[optind - 1], v ? v->name : "", v ? " " : "");
		if (got == '?')
			return complain("no option %s: see earshot %s%s--help", argv[optind - 1],
					v ? v->name : "", v ? " " : "");
		if (got >= 256)
			o = (enum opt)(got - 256);
		else
			while (!(set & BIT(o)) || options[o].letter != got)
				o++;
		if (o == OPT_HELP)
			return v ? help_of(v), 1 : (help_all(stdout), 1);
		if (o == OPT_VERSION)
			return run_version(c, NULL), 1;
		if (set_option(c, o, optarg))
			return -EINVAL;
	}
	return 0;
}

static int usage_exit(int err)
{
	return err < 0 ? EXIT_USAGE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *env_dir = getenv("EARSHOT_RUN_DIR");
	struct cli c = { .run_dir = env_dir && *env_dir ? env_dir : RUN_DIR_DEFAULT,
			 .kind = "",
			 .replay = { .times = 1 },
			 .scan = { .role = "user" } };
	const struct verb *verb;
	int words = 0, err;

	err = read_options(&c, argc, argv, GLOBAL | BIT(OPT_VERSION), NULL);
	if (err)
		return usage_exit(err);
	argc -= optind;
	argv += optind;
	if (!argc) {
		help_all(stderr);
		return EXIT_USAGE;
	}
	verb = find_verb(argv, argc, &words);
	if (!verb) {
		complain("no verb \"%s\": see earshot --help", argv[0]);
		return EXIT_USAGE;
	}
	/* The verb's last word stands where getopt expects the program's name. */
	argc -= words - 1;
	argv += words - 1;
	optind = 0;
	err = read_options(&c, argc, argv, options_of(verb), verb);
	if (err)
		return usage_exit(err);
	argc -= optind;
	argv += optind;
	if (argc > verb->max) {
		complain("earshot %s does not take \"%s\"", verb->name, argv[verb->max]);
		return EXIT_USAGE;
	}
	if (argc < verb->min) {
		complain("earshot %s needs its %s: see earshot %s --help", verb->name,
			 verb->operands, verb->name);
		return EXIT_USAGE;
	}
	render_init(&c.render, stdout, c.no_color);
	return verb->run(&c, argv);
}
