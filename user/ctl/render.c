/* user/ctl/render.c - alerts and status for people. */
#include "ctl/render.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <utf8proc.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/own.h"
#include "proc/page.h"

#define CELL_MAX    512 /* bytes of one cell, escaped */
#define NAME_CELL   65	/* of a name that stands within one */
#define TITLE_LEAST 28	/* columns a title keeps before other columns give way */
#define ID_SHOWN    4	/* bytes of an alert's id in lines and tables */
#define ELLIPSIS    "…"
#define LABEL_WIDTH 14

enum style {
	STYLE_PLAIN,
	STYLE_DIM,
	STYLE_BOLD,
	STYLE_GOOD,
	STYLE_BAD,
	STYLE_CRITICAL,
	STYLE_HIGH,
	STYLE_MEDIUM,
	STYLE_LOW,
	STYLE_MAX_
};

static const char *const styles[STYLE_MAX_] = {
	[STYLE_PLAIN] = "",	     [STYLE_DIM] = "\033[2m",
	[STYLE_BOLD] = "\033[1m",    [STYLE_GOOD] = "\033[32m",
	[STYLE_BAD] = "\033[31m",    [STYLE_CRITICAL] = "\033[1;97;41m",
	[STYLE_HIGH] = "\033[1;31m", [STYLE_MEDIUM] = "\033[33m",
	[STYLE_LOW] = "\033[36m",
};

static const struct {
	const char *word;
	enum style style;
} severities[] = {
	[EARSHOT__SEVERITY__SEVERITY_INFORMATIONAL] = { "INFO", STYLE_DIM },
	[EARSHOT__SEVERITY__SEVERITY_LOW] = { "LOW", STYLE_LOW },
	[EARSHOT__SEVERITY__SEVERITY_MEDIUM] = { "MEDIUM", STYLE_MEDIUM },
	[EARSHOT__SEVERITY__SEVERITY_HIGH] = { "HIGH", STYLE_HIGH },
	[EARSHOT__SEVERITY__SEVERITY_CRITICAL] = { "CRITICAL", STYLE_CRITICAL },
};

/* What an empty submessage stands for, so that the rest reads without checks. */
static const Earshot__Context no_context = EARSHOT__CONTEXT__INIT;
static const Earshot__Process no_process = EARSHOT__PROCESS__INIT;
static const Earshot__Container no_container = EARSHOT__CONTAINER__INIT;
static const Earshot__Socket no_socket = EARSHOT__SOCKET__INIT;
static const Earshot__Api no_api = EARSHOT__API__INIT;
static const Earshot__Model no_model = EARSHOT__MODEL__INIT;
static const Earshot__Caller no_caller = EARSHOT__CALLER__INIT;
static const Earshot__Completeness no_completeness = EARSHOT__COMPLETENESS__INIT;
static const Earshot__Timing no_timing = EARSHOT__TIMING__INIT;
static const Earshot__Location no_location = EARSHOT__LOCATION__INIT;
static const Earshot__Mapping no_mapping = EARSHOT__MAPPING__INIT;

#define OR(p, none) ((p) ? (p) : &(none))

void render_init(struct render *r, FILE *out, bool no_color)
{
	const char *never = getenv("NO_COLOR");
	bool terminal = isatty(fileno(out));
	struct winsize size;

	r->out = out;
	r->colour = terminal && !no_color && !(never && *never);
	r->width = 0;
	if (terminal)
		r->width = !ioctl(fileno(out), TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 80;
}

const char *enum_word(const ProtobufCEnumDescriptor *e, int value, char out[32])
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(e, value);
	size_t skip = 0;

	if (!v) {
		snprintf(out, 32, "%d", value);
		return out;
	}
	/* The prefix is the enum's own name: "SEVERITY_" of Severity. */
	while (e->short_name[skip] && toupper((unsigned char)e->short_name[skip]) == v->name[skip])
		skip++;
	skip = !e->short_name[skip] && v->name[skip] == '_' ? skip + 1 : 0;
	snprintf(out, 32, "%s", v->name + skip);
	for (char *c = out; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return out;
}

/* --- pieces of text */

/* The bytes of the first character; adds its columns to *n. */
static size_t step(struct span s, unsigned *n)
{
	uint32_t cp;
	size_t len = utf8_decode(s, &cp);
	int w = len ? utf8proc_charwidth((utf8proc_int32_t)cp) : 1;

	*n += w > 0 ? (unsigned)w : 0;
	return len ? len : 1;
}

/* Columns that UTF-8 text without control characters takes. */
static unsigned columns_of(const char *s)
{
	struct span rest = span_str(s);
	unsigned n = 0;

	while (rest.len)
		rest = span_sub(rest, step(rest, &n), rest.len);
	return n;
}

/* Bytes of s that fit into width columns. */
static size_t bytes_in(const char *s, unsigned width)
{
	struct span rest = span_str(s);
	unsigned n = 0;

	while (rest.len) {
		size_t len = step(rest, &n);

		if (n > width)
			break;
		rest = span_sub(rest, len, rest.len);
	}
	return strlen(s) - rest.len;
}

static void styled(const struct render *r, enum style style, const char *text)
{
	if (r->colour && *styles[style])
		fprintf(r->out, "%s%s\033[0m", styles[style], text);
	else
		fputs(text, r->out);
}

__attribute__((format(printf, 3, 4))) static void styledf(const struct render *r, enum style style,
							  const char *fmt, ...)
{
	char text[CELL_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	styled(r, style, text);
}

static const char *safe(char out[CELL_MAX], const char *s)
{
	return escape_str(out, CELL_MAX, span_str(s));
}

/* text in exactly width columns: cut with an ellipsis, or filled with spaces. */
static void fit(const struct render *r, enum style style, const char *text, unsigned width,
		bool right)
{
	unsigned w = columns_of(text);
	char shown[CELL_MAX + sizeof(ELLIPSIS)];

	if (w > width && width) {
		snprintf(shown, sizeof(shown), "%.*s" ELLIPSIS, (int)bytes_in(text, width - 1),
			 text);
		text = shown;
		w = columns_of(text);
	}
	if (right)
		fprintf(r->out, "%*s", (int)(width - w), "");
	styled(r, style, text);
	if (!right && w < width)
		fprintf(r->out, "%*s", (int)(width - w), "");
}

/* Escaped text in lines of the render's width, each behind the indent. Keeps the text's own line
 * breaks. */
static void wrap(const struct render *r, enum style style, const char *indent, const char *text)
{
	unsigned room =
	    r->width > strlen(indent) + TITLE_LEAST ? r->width - (unsigned)strlen(indent) : 0;

	while (*text) {
		size_t line = strcspn(text, "\n");
		char *copy = strndup(text, line), *escaped, *at;

		text += line + (text[line] == '\n');
		escaped = copy ? malloc(strlen(copy) * 10 + 1)
			       : NULL; /* the longest escape is "\u{10ffff}" */
		if (!escaped) {
			free(copy);
			return;
		}
		at = escaped;
		escape_str(escaped, strlen(copy) * 10 + 1, span_str(copy));
		do {
			size_t n = room ? bytes_in(at, room) : strlen(at), cut = n;

			if (at[n]) {
				while (cut && at[cut] != ' ')
					cut--;
				if (!cut)
					cut = n ? n : 1;
			}
			fputs(indent, r->out);
			styledf(r, style, "%.*s", (int)cut, at);
			fputc('\n', r->out);
			at += cut;
			at += strspn(at, " ");
		} while (*at);
		free(escaped);
		free(copy);
	}
}

void hex(char *out, size_t size, ProtobufCBinaryData b, size_t max)
{
	size_t at = 0;

	out[0] = 0;
	for (size_t i = 0; i < b.len && i < max && at + 3 <= size; i++)
		at += (size_t)snprintf(out + at, size - at, "%02x", b.data[i]);
}

static void when(char out[48], uint64_t ns, const char *fmt)
{
	time_t t = (time_t)(ns / NS_PER_SEC);
	struct tm tm;

	if (!ns || !localtime_r(&t, &tm) || !strftime(out, 48, fmt, &tm))
		snprintf(out, 48, "-");
}

void how_long(char out[32], uint64_t ns)
{
	uint64_t s = ns / NS_PER_SEC;

	if (s < 60)
		snprintf(out, 32, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(out, 32, "%" PRIu64 "m %" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, 32, "%" PRIu64 "h %" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(out, 32, "%" PRIu64 "d %" PRIu64 "h", s / 86400, s / 3600 % 24);
}

void how_much(char out[32], uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double v = (double)bytes;
	size_t u = 0;

	for (; v >= 1024 && u + 1 < ARRAY_SIZE(units); u++)
		v /= 1024;
	snprintf(out, 32, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

/* --- cells of an alert */

static const char *severity_word(const Earshot__Alert *a)
{
	return (unsigned)a->severity < ARRAY_SIZE(severities) ? severities[a->severity].word : "?";
}

static enum style severity_style(const Earshot__Alert *a)
{
	if (a->mode != EARSHOT__MODE__MODE_ALERT || (unsigned)a->severity >= ARRAY_SIZE(severities))
		return STYLE_DIM;
	return severities[a->severity].style;
}

static const Earshot__Context *context_of(const Earshot__Alert *a)
{
	return OR(a->context, no_context);
}

typedef void cell_fn(const Earshot__Alert *a, char out[CELL_MAX]);

static void cell_time(const Earshot__Alert *a, char out[CELL_MAX])
{
	when(out, a->last_seen_ns, "%b %d %H:%M:%S");
}

static void cell_severity(const Earshot__Alert *a, char out[CELL_MAX])
{
	snprintf(out, CELL_MAX, "%s%s", severity_word(a),
		 a->mode == EARSHOT__MODE__MODE_HUNT ? " (hunt)" : "");
}

static void cell_kind(const Earshot__Alert *a, char out[CELL_MAX])
{
	safe(out, a->kind);
}

static void cell_title(const Earshot__Alert *a, char out[CELL_MAX])
{
	safe(out, a->title);
}

static void cell_process(const Earshot__Alert *a, char out[CELL_MAX])
{
	const Earshot__Process *p = OR(context_of(a)->process, no_process);
	char name[NAME_CELL];

	if (p->pid)
		snprintf(out, CELL_MAX, "%s[%" PRIu32 "]",
			 escape_str(name, sizeof(name), span_str(*p->comm ? p->comm : "?")),
			 p->pid);
}

static void cell_model(const Earshot__Alert *a, char out[CELL_MAX])
{
	const Earshot__Model *m = OR(context_of(a)->model, no_model);

	safe(out, *m->requested ? m->requested : m->responded);
}

static void cell_caller(const Earshot__Alert *a, char out[CELL_MAX])
{
	const Earshot__Caller *c = OR(context_of(a)->caller, no_caller);
	char key[2 * ID_SHOWN + 1];

	hex(key, sizeof(key), c->credential_fingerprint, ID_SHOWN);
	if (*c->end_user)
		safe(out, c->end_user);
	else if (*key)
		snprintf(out, CELL_MAX, "key %s", key);
	else
		safe(out, c->forwarded_for);
}

static void cell_count(const Earshot__Alert *a, char out[CELL_MAX])
{
	snprintf(out, CELL_MAX, "%" PRIu64, a->count);
}

static void cell_outcome(const Earshot__Alert *a, char out[CELL_MAX])
{
	enum_word(&earshot__outcome__descriptor, (int)a->outcome, out);
}

static void cell_id(const Earshot__Alert *a, char out[CELL_MAX])
{
	hex(out, CELL_MAX, a->id, ID_SHOWN);
}

/* Left to right. give_way: in which order columns vanish on a narrow terminal; 0: never. */
static const struct column {
	const char *head;
	unsigned max; /* columns */
	unsigned give_way;
	bool right;
	cell_fn *cell;
} alert_columns[] = {
	{ "TIME", 15, 0, false, cell_time },	   { "SEVERITY", 15, 0, false, cell_severity },
	{ "KIND", 28, 3, false, cell_kind },	   { "TITLE", 60, 0, false, cell_title },
	{ "PROCESS", 24, 6, false, cell_process }, { "MODEL", 24, 2, false, cell_model },
	{ "CALLER", 20, 1, false, cell_caller },   { "COUNT", 7, 5, true, cell_count },
	{ "OUTCOME", 13, 4, false, cell_outcome }, { "ID", 8, 0, false, cell_id },
};

#define N_COLUMNS  ARRAY_SIZE(alert_columns)
#define COLUMN_GAP 2

static void fill_cell(const struct column *c, const Earshot__Alert *a, char out[CELL_MAX])
{
	out[0] = 0;
	c->cell(a, out);
	if (!*out)
		snprintf(out, CELL_MAX, "-");
}

/* Widths so that the table fits; 0: the column is left out. */
static void lay_out(const struct render *r, Earshot__Alert *const *alerts, size_t n,
		    unsigned width[N_COLUMNS])
{
	unsigned total = 0, title = 0;

	for (size_t i = 0; i < N_COLUMNS; i++) {
		const struct column *c = &alert_columns[i];

		width[i] = (unsigned)strlen(c->head);
		for (size_t k = 0; k < n; k++) {
			char cell[CELL_MAX];

			fill_cell(c, alerts[k], cell);
			width[i] = MAX(width[i], columns_of(cell));
		}
		if (r->width)
			width[i] = MIN(width[i], c->max);
		total += width[i] + COLUMN_GAP;
		if (c->cell == cell_title)
			title = (unsigned)i;
	}
	total -= COLUMN_GAP;
	for (unsigned turn = 1; r->width && total > r->width && turn <= N_COLUMNS; turn++) {
		unsigned over = total - r->width,
			 spare = width[title] > TITLE_LEAST ? width[title] - TITLE_LEAST : 0;

		if (spare >= over) {
			width[title] -= over;
			return;
		}
		for (size_t i = 0; i < N_COLUMNS; i++)
			if (alert_columns[i].give_way == turn) {
				total -= width[i] + COLUMN_GAP;
				width[i] = 0;
			}
	}
	/* A window this narrow gets a title of one column at the least. */
	if (r->width && total > r->width)
		width[title] -= MIN(width[title] - 1, total - r->width);
}

void render_alerts(const struct render *r, Earshot__Alert *const *alerts, size_t n)
{
	unsigned width[N_COLUMNS];

	if (!n) {
		fputs("No alerts.\n", r->out);
		return;
	}
	lay_out(r, alerts, n, width);
	for (size_t row = 0; row <= n; row++) {
		const char *gap = "";

		for (size_t i = 0; i < N_COLUMNS; i++) {
			const struct column *c = &alert_columns[i];
			enum style style = row ? STYLE_PLAIN : STYLE_DIM;
			char cell[CELL_MAX];

			if (!width[i])
				continue;
			if (row)
				fill_cell(c, alerts[row - 1], cell);
			else
				snprintf(cell, sizeof(cell), "%s", c->head);
			if (row && c->cell == cell_severity)
				style = severity_style(alerts[row - 1]);
			fputs(gap, r->out);
			fit(r, style, cell,
			    i + 1 == N_COLUMNS ? MIN(width[i], columns_of(cell)) : width[i],
			    c->right);
			gap = "  ";
		}
		fputc('\n', r->out);
	}
}

/* --- one line per revision */

static void quoted_evidence(const struct render *r, const Earshot__Evidence *e)
{
	const Earshot__Location *l = OR(e->location, no_location);
	char where[CELL_MAX], tool[NAME_CELL], line[4 * CELL_MAX], flat[CELL_MAX],
	    text[2 * CELL_MAX];

	/* On one line: white space is only white space here. */
	snprintf(flat, sizeof(flat), "%s", *e->redacted ? e->redacted : e->why);
	for (char *c = flat; *c; c++)
		if (strchr("\n\r\t", *c))
			*c = ' ';
	escape_str(text, sizeof(text), span_str(flat));
	snprintf(line, sizeof(line), "%s%s%s%s%s", safe(where, l->role), *l->tool ? " " : "",
		 escape_str(tool, sizeof(tool), span_str(l->tool)), *l->role ? ": " : "", text);
	fputs("          ", r->out);
	fit(r, STYLE_DIM, line, r->width ? r->width - 11 : columns_of(line), false);
	fputc('\n', r->out);
}

/* What a change of an alert is about; the rest was said when it was new. */
static void change_line(const struct render *r, const Earshot__Body *b, const Earshot__Alert *a)
{
	char word[32], title[CELL_MAX];

	styledf(r, STYLE_DIM, "%s %s",
		b->action == EARSHOT__BODY__ACTION__CLOSE ? "closed:" : "again:",
		safe(title, a->title));
	if (a->outcome != EARSHOT__OUTCOME__OUTCOME_UNKNOWN)
		fprintf(r->out, "  %s",
			enum_word(&earshot__outcome__descriptor, (int)a->outcome, word));
}

static void new_line(const struct render *r, const Earshot__Alert *a)
{
	cell_fn *const who[] = { cell_process, cell_model, cell_caller };
	const char *gap = "  ";
	char cell[CELL_MAX];

	styled(r, STYLE_BOLD, safe(cell, a->title));
	fputs("  ", r->out);
	styledf(r, STYLE_DIM, "%s%s", safe(cell, a->kind),
		a->mode == EARSHOT__MODE__MODE_HUNT ? " (hunt)" : "");
	for (size_t i = 0; i < ARRAY_SIZE(who); i++) {
		cell[0] = 0;
		who[i](a, cell);
		if (!*cell)
			continue;
		fprintf(r->out, "%s%s", gap, cell);
		gap = ", ";
	}
	if (a->outcome != EARSHOT__OUTCOME__OUTCOME_UNKNOWN)
		fprintf(r->out, "%s%s", gap,
			enum_word(&earshot__outcome__descriptor, (int)a->outcome, cell));
}

void render_revision(const struct render *r, const Earshot__Body *b, const char *host)
{
	static const Earshot__Alert none = EARSHOT__ALERT__INIT;
	const Earshot__Alert *a = OR(b->alert, none);
	bool created = b->action == EARSHOT__BODY__ACTION__CREATE;
	char cell[CELL_MAX], time[48];

	when(time, b->time_ns, "%H:%M:%S");
	styled(r, STYLE_DIM, time);
	fputs("  ", r->out);
	fit(r, severity_style(a), severity_word(a), 8, false);
	fputs("  ", r->out);
	if (created)
		new_line(r, a);
	else
		change_line(r, b, a);
	if (a->count > 1)
		fprintf(r->out, "  x%" PRIu64, a->count);
	if (host)
		fprintf(r->out, "  %s", safe(cell, host));
	cell_id(a, cell);
	fputs("  ", r->out);
	styled(r, STYLE_DIM, cell);
	fputc('\n', r->out);
	if (created && a->n_evidence)
		quoted_evidence(r, a->evidence[0]);
	fflush(r->out);
}

/* --- one alert in full */

static void label(const struct render *r, const char *name)
{
	char text[CELL_MAX];

	fputs("  ", r->out);
	fit(r, STYLE_DIM, safe(text, name), LABEL_WIDTH, false);
}

/* A line of a label and a text of our own making from escaped parts; nothing when the text is
 * empty. */
static void line(const struct render *r, const char *name, const char *text)
{
	if (!*text)
		return;
	label(r, name);
	fputs(text, r->out);
	fputc('\n', r->out);
}

static void line_of(const struct render *r, const char *name, const char *hostile)
{
	if (!*hostile)
		return;
	label(r, name);
	escape_to(r->out, span_str(hostile), 0);
	fputc('\n', r->out);
}

/* "text" or ", text" into the rest of a line; hostile text escaped. */
__attribute__((format(printf, 3, 4))) static void append(char *out, size_t size, const char *fmt,
							 ...)
{
	char raw[CELL_MAX];
	size_t at = strlen(out);
	va_list args;

	va_start(args, fmt);
	vsnprintf(raw, sizeof(raw), fmt, args);
	va_end(args);
	if (at && at + 2 < size)
		at += (size_t)snprintf(out + at, size - at, ", ");
	escape_str(out + at, size - at, span_str(raw));
}

static void show_who(const struct render *r, const Earshot__Process *p, const char *name)
{
	char text[2 * CELL_MAX] = "";

	if (!p->pid && !*p->comm)
		return;
	append(text, sizeof(text), "%s [%" PRIu32 "]", *p->comm ? p->comm : "?", p->pid);
	append(text, sizeof(text), *p->user ? "user %2$s (%1$" PRIu32 ")" : "uid %1$" PRIu32,
	       p->uid, p->user);
	if (p->gpu)
		append(text, sizeof(text), "uses a GPU");
	line(r, name, text);
}

static void show_process(const struct render *r, const Earshot__Context *c)
{
	const Earshot__Process *p = OR(c->process, no_process);
	const Earshot__Container *k = OR(c->container, no_container);
	char text[2 * CELL_MAX] = "", sha256[65];

	show_who(r, p, "process");
	line_of(r, "executable", p->executable);
	hex(sha256, sizeof(sha256), p->executable_sha256, 32);
	line(r, "sha256", sha256);
	line_of(r, "command", p->command_line);
	line_of(r, "unit", p->unit);
	line_of(r, "cgroup", p->cgroup);
	if (*k->name || *k->id)
		append(text, sizeof(text), "%s%s%.12s", k->name, *k->name ? " " : "", k->id);
	line(r, "container", text);
	text[0] = 0;
	if (*k->pod_name || *k->pod_uid)
		append(text, sizeof(text), "%s/%s %s", k->pod_namespace, k->pod_name, k->pod_uid);
	line(r, "pod", text);
}

static void show_api(const struct render *r, const Earshot__Context *c)
{
	const Earshot__Api *a = OR(c->api, no_api);
	const Earshot__Model *m = OR(c->model, no_model);
	const Earshot__Socket *s = OR(c->socket, no_socket);
	const Earshot__Caller *k = OR(c->caller, no_caller);
	char text[4 * CELL_MAX] = "", key[33];

	if (*a->dialect) {
		append(text, sizeof(text), "%s %s of %s", a->dialect, a->operation, a->provider);
		append(text, sizeof(text), "%s%s", a->host, a->path);
		if (a->status)
			append(text, sizeof(text), "status %" PRIu32, a->status);
		if (a->stream)
			append(text, sizeof(text), "streamed");
		append(text, sizeof(text), "%s",
		       a->client ? "seen at the client" : "seen at the server");
	}
	line(r, "API", text);
	text[0] = 0;
	if (*m->requested || *m->responded)
		append(text, sizeof(text), "%s", *m->requested ? m->requested : m->responded);
	if (*m->requested && *m->responded && strcmp(m->requested, m->responded))
		append(text, sizeof(text), "answered by %s", m->responded);
	line(r, "model", text);
	text[0] = 0;
	hex(key, sizeof(key), k->credential_fingerprint, 16);
	if (*k->end_user)
		append(text, sizeof(text), "%s", k->end_user);
	if (*key)
		append(text, sizeof(text), "key fingerprint %s", key);
	if (*k->forwarded_for)
		append(text, sizeof(text), "for %s", k->forwarded_for);
	if (*k->application)
		append(text, sizeof(text), "application %s", k->application);
	if (*k->source_ip)
		append(text, sizeof(text), "at %s", k->source_ip);
	if (*k->user_agent)
		append(text, sizeof(text), "%s", k->user_agent);
	line(r, "caller", text);
	text[0] = 0;
	if (*s->local_address || *s->remote_address)
		append(text, sizeof(text), "%s port %" PRIu32 " with %s port %" PRIu32,
		       s->local_address, s->local_port, s->remote_address, s->remote_port);
	if (s->plain)
		append(text, sizeof(text), "plain text");
	line(r, "socket", text);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)MIN(part, whole) / (double)whole : 100.0;
}

/* 99.99 % is not 100 %. */
static double floor2(double v)
{
	return (double)(uint64_t)(v * 100) / 100;
}

static void show_completeness(const struct render *r, const Earshot__Completeness *c)
{
	char passed[32], content[32], text[CELL_MAX];

	if (!c->bytes_passed) /* the sensor's own alerts are of no exchange */
		return;
	how_much(passed, c->bytes_passed);
	how_much(content, c->content_captured);
	snprintf(text, sizeof(text), "captured %.4g %% of %s%s, inspected %.4g %% of %s of content",
		 floor2(percent(c->bytes_captured, c->bytes_passed)), passed,
		 c->end_unseen ? " or more" : "",
		 floor2(percent(c->content_inspected, c->content_captured)), content);
	line(r, "completeness", text);
}

static void show_timing(const struct render *r, const Earshot__Timing *t)
{
	char text[CELL_MAX];
	int n;

	if (!t->duration_ns)
		return;
	n = snprintf(text, sizeof(text), "%.3g s", (double)t->duration_ns / 1e9);
	if (t->first_token_ns)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ", first token after %.3g s",
			      (double)t->first_token_ns / 1e9);
	if (t->tokens_per_second > 0)
		snprintf(text + n, sizeof(text) - (size_t)n, ", %.3g tokens per second",
			 (double)t->tokens_per_second);
	line(r, "took", text);
}

static void show_evidence(const struct render *r, size_t number, const Earshot__Evidence *e)
{
	const Earshot__Location *l = OR(e->location, no_location);
	char text[4 * CELL_MAX] = "";

	append(text, sizeof(text), "%s%s%s", *l->role ? l->role : "sensor", *l->tool ? " of " : "",
	       l->tool);
	if (*l->side)
		append(text, sizeof(text), "%s", l->side);
	if (l->end)
		append(text, sizeof(text), "segment %" PRIu32 " bytes %" PRIu32 " to %" PRIu32,
		       l->segment, l->begin, l->end);
	if (*l->view)
		append(text, sizeof(text), "read as %s", l->view);
	if (e->truncated)
		append(text, sizeof(text), "incomplete there");
	fprintf(r->out, "  %zu. %s\n", number, text);
	text[0] = 0;
	append(text, sizeof(text), "%s/%s", e->detector, e->type);
	append(text, sizeof(text), "score %.2f", (double)e->score);
	fputs("     ", r->out);
	styled(r, STYLE_DIM, text);
	fputc('\n', r->out);
	wrap(r, STYLE_PLAIN, "     ", e->why);
	wrap(r, STYLE_BOLD, "     | ", e->redacted);
}

static void joined(char *out, size_t size, char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		append(out, size, "%s", texts[i]);
}

static void show_mapping(const struct render *r, const Earshot__Mapping *m)
{
	char text[2 * CELL_MAX] = "";

	joined(text, sizeof(text), m->atlas, m->n_atlas);
	joined(text, sizeof(text), m->tactics, m->n_tactics);
	line(r, "MITRE ATLAS", text);
	text[0] = 0;
	joined(text, sizeof(text), m->owasp, m->n_owasp);
	line(r, "OWASP", text);
}

static void paragraph(const struct render *r, const char *head, const char *text)
{
	if (!*text)
		return;
	fputc('\n', r->out);
	styled(r, STYLE_BOLD, head);
	fputc('\n', r->out);
	wrap(r, STYLE_PLAIN, "  ", text);
}

void render_alert(const struct render *r, const Earshot__Alert *a)
{
	const Earshot__Context *c = context_of(a);
	char text[CELL_MAX], first[48], last[48], word[32];

	styled(r, severity_style(a), severity_word(a));
	fputs("  ", r->out);
	styled(r, STYLE_BOLD, safe(text, a->title));
	fputc('\n', r->out);
	hex(text, sizeof(text), a->id, 16);
	line(r, "id", text);
	line_of(r, "kind", a->kind);
	line(r, "mode", enum_word(&earshot__mode__descriptor, (int)a->mode, word));
	line(r, "status", enum_word(&earshot__status__descriptor, (int)a->status, word));
	line(r, "outcome", enum_word(&earshot__outcome__descriptor, (int)a->outcome, word));
	snprintf(text, sizeof(text), "%" PRIu32 " %%", a->confidence);
	line(r, "confidence", text);
	when(first, a->first_seen_ns, "%F %T %z");
	when(last, a->last_seen_ns, "%F %T %z");
	line(r, "first seen", first);
	line(r, "last seen", last);
	snprintf(text, sizeof(text), "%" PRIu64, a->count);
	if (a->pids)
		snprintf(text, sizeof(text), "%" PRIu64 " in %" PRIu32 " process%s", a->count,
			 a->pids, a->pids == 1 ? "" : "es");
	line(r, "count", text);
	line_of(r, "host", a->host);
	show_process(r, c);
	for (size_t i = 0; i < a->n_others; i++)
		show_who(r, a->others[i], "also");
	show_api(r, c);
	line_of(r, "conversation", a->conversation);
	show_completeness(r, OR(c->completeness, no_completeness));
	show_timing(r, OR(c->timing, no_timing));
	show_mapping(r, OR(a->mapping, no_mapping));
	if (a->n_evidence) {
		fputc('\n', r->out);
		styled(r, STYLE_BOLD, "Evidence");
		fputc('\n', r->out);
	}
	for (size_t i = 0; i < a->n_evidence; i++)
		show_evidence(r, i + 1, a->evidence[i]);
	paragraph(r, "What it means", a->description);
	paragraph(r, "What to do", a->remediation);
}

/* --- status */

static uint64_t counter_of(const Earshot__StatusReply *s, enum counter c)
{
	for (size_t i = 0; i < s->n_counters; i++)
		if (!strcmp(s->counters[i]->key, counters[c].name))
			return s->counters[i]->value;
	return 0;
}

static void show_losses(const struct render *r, const Earshot__StatusReply *s)
{
	char text[CELL_MAX] = "";

	for (enum counter c = 0; c < CTR_MAX_; c++) {
		uint64_t v = counter_of(s, c);
		const char *name = counters[c].name;
		char amount[32];

		if (!v || strncmp(name, "lost.", 5))
			continue;
		if (strstr(name, "_bytes"))
			how_much(amount, v);
		else
			snprintf(amount, sizeof(amount), "%" PRIu64, v);
		append(text, sizeof(text), "%s %s", name + 5, amount);
	}
	line(r, "not captured", *text ? text : "nothing");
}

static void show_roles(const struct render *r, const Earshot__StatusReply *s, uint64_t now_ns)
{
	for (size_t i = 0; i < s->n_roles; i++) {
		const Earshot__RoleStatus *x = s->roles[i];
		char age[32], text[CELL_MAX] = "";

		how_long(age, now_ns > x->started_ns ? now_ns - x->started_ns : 0);
		if (x->up)
			append(text, sizeof(text), "pid %" PRIu32, x->pid);
		append(text, sizeof(text), "%s%s", x->up ? "up " : "down", x->up ? age : "");
		if (x->restarts)
			append(text, sizeof(text), "%" PRIu32 " restart%s", x->restarts,
			       x->restarts == 1 ? "" : "s");
		line(r, x->name, text);
	}
}

static void show_upstream(const struct render *r, const Earshot__StatusReply *s, uint64_t now_ns)
{
	char text[CELL_MAX] = "", age[32];

	append(text, sizeof(text), "%s", *s->upstream ? s->upstream : "none");
	if (s->upstream_ok_ns) {
		how_long(age, now_ns > s->upstream_ok_ns ? now_ns - s->upstream_ok_ns : 0);
		append(text, sizeof(text), "last delivery %s ago", age);
	}
	if (s->outbox)
		append(text, sizeof(text), "%" PRIu64 " revisions waiting", s->outbox);
	line(r, "upstream", text);
}

static void show_canary(const struct render *r, const Earshot__StatusReply *s)
{
	char text[CELL_MAX], word[CELL_MAX], age[32];

	how_long(age, s->canary_age_ns);
	snprintf(text, sizeof(text), "%s%s%s%s", safe(word, *s->canary ? s->canary : "off"),
		 s->canary_age_ns ? (strcmp(s->canary, "blind") ? ", " : " for ") : "",
		 s->canary_age_ns ? age : "",
		 s->canary_age_ns && strcmp(s->canary, "blind") ? " ago" : "");
	line(r, "test call", text);
}

static void show_counters(const struct render *r, const Earshot__StatusReply *s)
{
	fputc('\n', r->out);
	for (enum counter c = 0; c < CTR_MAX_; c++) {
		fputs("  ", r->out);
		fit(r, STYLE_PLAIN, counters[c].name, 26, false);
		fprintf(r->out, "%16" PRIu64 "  ", counter_of(s, c));
		styled(r, STYLE_DIM, counters[c].help);
		fputc('\n', r->out);
	}
}

void render_status(const struct render *r, const Earshot__StatusReply *s, bool all_counters,
		   uint64_t now_ns)
{
	char text[CELL_MAX], host[CELL_MAX], version[NAME_CELL], age[32], bytes[32];

	how_long(age, now_ns > s->started_ns ? now_ns - s->started_ns : 0);
	styledf(r, STYLE_BOLD,
		"earshot %s on %s: ", escape_str(version, sizeof(version), span_str(s->version)),
		safe(host, s->host));
	styled(r, s->healthy ? STYLE_GOOD : STYLE_BAD, s->healthy ? "healthy" : "not healthy");
	fprintf(r->out, ", up %s\n", age);
	for (size_t i = 0; i < s->n_problems; i++)
		wrap(r, STYLE_BAD, "  ! ", s->problems[i]);
	text[0] = 0;
	how_much(bytes, counter_of(s, CTR_CAPTURE_BYTES));
	append(text, sizeof(text), "%s", *s->capture_method ? s->capture_method : "none");
	append(text, sizeof(text), "%" PRIu64 " files", counter_of(s, CTR_ATTACHED_FILES));
	append(text, sizeof(text), "%" PRIu64 " TLS calls", counter_of(s, CTR_CAPTURE_CALLS));
	append(text, sizeof(text), "%s", bytes);
	line(r, "capture", text);
	show_losses(r, s);
	text[0] = 0;
	append(text, sizeof(text), "%" PRIu64 " HTTP exchanges", counter_of(s, CTR_FLOW_EXCHANGES));
	append(text, sizeof(text), "%" PRIu64 " AI API calls", counter_of(s, CTR_TURNS));
	append(text, sizeof(text), "%" PRIu64 " texts", counter_of(s, CTR_SEGMENTS));
	line(r, "inspected", text);
	text[0] = 0;
	append(text, sizeof(text), "%" PRIu64 " findings", counter_of(s, CTR_FINDINGS));
	append(text, sizeof(text), "%" PRIu64 " open alerts", s->alerts_open);
	line(r, "found", text);
	show_canary(r, s);
	show_upstream(r, s, now_ns);
	show_roles(r, s, now_ns);
	if (all_counters)
		show_counters(r, s);
}
