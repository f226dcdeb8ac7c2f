/* user/ctl/doctor.c - checks of the host, then of the sensor that runs: is it well, and does a test
 * call made now come through capture, parsing and dialects? Without a sensor only the host's, and,
 * when asked to, a sensor that is started for it.
 */
#include "ctl/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_out.h"
#include "base/own.h"
#include "ctl/client.h"
#include "ctl/trial.h"
#include "proc/checkup.h"

#define CANARY_WAIT_NS (10 * NS_PER_SEC) /* for a test call to come through */
#define POLL_NS	       (100 * NS_PER_MS)
#define ROWS_MAX       (CHECKUP_MAX + 2)

static int ask(struct client *c, bool canary, Earshot__CtlReply **ret)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__StatusQuery s = EARSHOT__STATUS_QUERY__INIT;
	int err;

	s.canary = canary;
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_STATUS;
	q.status = &s;
	err = client_send(c, &q);
	if (!err)
		err = client_recv(c, ret);
	if (!err && (*ret)->body_case != EARSHOT__CTL_REPLY__BODY_STATUS) {
		earshot__ctl_reply__free_unpacked(*ret, NULL);
		err = -EBADMSG;
	}
	return err;
}

static void check_canary(struct client *c, struct check *check)
{
	uint64_t begin = mono_ns(), waited = 0;
	Earshot__CtlReply *r;
	bool first = true;

	*check = (struct check){ .name = "test-call",
				 .state = CHECK_BAD,
				 .cost = "calls of the workloads on this host are probably not "
					 "seen either: see the sensor's log" };
	while (waited < CANARY_WAIT_NS && !ask(c, first, &r)) {
		bool seen = !strcmp(r->status->canary, "seen") && r->status->canary_age_ns < waited;
		bool off = !strcmp(r->status->canary, "off");

		earshot__ctl_reply__free_unpacked(r, NULL);
		first = false;
		if (off) {
			check->state = CHECK_UNKNOWN;
			snprintf(check->found, sizeof(check->found),
				 "switched off: canary.interval is 0");
			return;
		}
		if (seen) {
			check->state = CHECK_GOOD;
			snprintf(check->found, sizeof(check->found),
				 "came through every stage within %" PRIu64 " ms",
				 waited / NS_PER_MS);
			return;
		}
		nanosleep(&(struct timespec){ .tv_nsec = POLL_NS }, NULL);
		waited = mono_ns() - begin;
	}
	snprintf(check->found, sizeof(check->found), "did not come through within %" PRIu64 " s",
		 (uint64_t)(CANARY_WAIT_NS / NS_PER_SEC));
}

static void check_trial(struct check *check)
{
	int r;

	*check = (struct check){ .name = "test-call", .cost = "a sensor would see nothing here" };
	r = trial_run(check->found, sizeof(check->found));
	check->state = r == 1 ? CHECK_GOOD : CHECK_BAD;
}

static size_t check_sensor(const char *run_dir, struct check ret[2])
{
	auto_free(client) struct client *c = NULL;
	Earshot__CtlReply *r = NULL;
	int err;

	ret[0] = (struct check){ .name = "sensor", .cost = "nothing is seen" };
	err = client_new(&c, run_dir, 0);
	if (!err)
		err = ask(c, false, &r);
	if (err) {
		ret[0].state = CHECK_UNKNOWN;
		snprintf(ret[0].found, sizeof(ret[0].found), "%s at %.64s",
			 err == -EACCES ? "not allowed to ask the one" : "none runs", run_dir);
		return 1;
	}
	ret[0].state = r->status->healthy ? CHECK_GOOD : CHECK_BAD;
	ret[0].cost = "see earshot status";
	snprintf(ret[0].found, sizeof(ret[0].found), "%s",
		 r->status->n_problems ? r->status->problems[0]
		 : r->status->healthy  ? "healthy"
				       : "not healthy");
	earshot__ctl_reply__free_unpacked(r, NULL);
	check_canary(c, &ret[1]);
	return 2;
}

static void print(const struct render *r, const struct check *c)
{
	char found[512];

	fprintf(r->out, "%-8s %-24s%s\n", check_states[c->state], c->name,
		escape_str(found, sizeof(found), span_str(c->found)));
	if (c->state == CHECK_LESS || c->state == CHECK_BAD)
		fprintf(r->out, "%-8s %s\n", "", c->cost);
}

static void print_json(const struct check *checks, size_t n)
{
	struct json_out j = JSON_OUT(stdout, JSON_OUT_PRETTY);

	json_out_array(&j);
	for (size_t i = 0; i < n; i++) {
		json_out_object(&j);
		json_out_key(&j, "name");
		json_out_cstr(&j, checks[i].name);
		json_out_key(&j, "state");
		json_out_cstr(&j, check_states[checks[i].state]);
		json_out_key(&j, "found");
		json_out_cstr(&j, checks[i].found);
		json_out_key(&j, "cost");
		json_out_cstr(&j, checks[i].cost);
		json_out_end(&j);
	}
	json_out_end(&j);
	json_out_done(&j);
}

int doctor(const struct render *r, const char *run_dir, bool json, bool try)
{
	struct check checks[ROWS_MAX];
	size_t n = checkup(checks), bad = 0, less = 0;

	n += check_sensor(run_dir, checks + n);
	if (try && checks[n - 1].state == CHECK_UNKNOWN && !strcmp(checks[n - 1].name, "sensor"))
		check_trial(&checks[n++]);
	for (size_t i = 0; i < n; i++) {
		bad += checks[i].state == CHECK_BAD;
		less += checks[i].state == CHECK_LESS;
		if (!json)
			print(r, &checks[i]);
	}
	if (json)
		print_json(checks, n);
	else if (bad)
		fprintf(r->out, "\n%zu of %zu checks are bad\n", bad, n);
	else
		fprintf(r->out, "\nnothing is bad%s\n", less ? ", some things cost something" : "");
	return bad ? 1 : 0;
}
