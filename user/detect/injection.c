/* user/detect/injection.c - one table of aims, with the words that give them away, and one of
 * hiding places. The words alone prove nothing: they only name what a rule found.
 */
#include "detect/injection.h"

#include <strings.h>

#include "base/own.h"

#define AROUND_BYTES 320 /* on either side of what a rule found: what it is after */
#define BEFORE_BYTES 400 /* before it: where it hides */
#define WORD_ROOM    40

/* The aim with the most words counts, of equal ones the first. In small letters, separated by '|'.
 */
static const struct aim {
	enum kind kind;
	const char *words;
} aims[] = {
	{ KIND_INJECTION_MALWARE,
	  " sh |bash |powershell|reverse shell|backdoor|base64 -d|.exe|chmod +x|curl |wget "
	  "|payload|pip install|npm install|malicious code|malware|keylogger|crontab|subprocess|"
	  "os.system|eval(|download and run|install the" },
	{ KIND_INJECTION_FRAUD,
	  "iban|bank account|bank transfer|wire |transfer $|gift "
	  "card|bitcoin|crypto|wallet|payment|"
	  "send money|pay the|the invoice|account number|credit card|refund|verify your account|"
	  "claim your|click the link|click here|click on|log in at|login page|the price|purchase" },
	{ KIND_INJECTION_INFRASTRUCTURE,
	  "/etc/|~/.|id_rsa|.env|sudo|rm -rf|drop table|delete all|delete every|environment "
	  "variable|kubectl|root access|admin rights|admin access|administrator access|grant "
	  "access|privileges|shutdown|shut down|reboot|firewall|disable the|read_file" },
	{ KIND_INJECTION_MEMORY,
	  "your memory|long-term memory|to memory|remember this|remember that|always remember|all "
	  "future|every future|future conversation|future session|future request|future answer|in "
	  "every answer|in every reply|every time|memory tool|save this instruction|agents.md|"
	  "claude.md|.cursorrules" },
	{ KIND_INJECTION_AUTHORITY,
	  "[system]|system:|system message|system notice|system update|administrator:|admin:|"
	  "developer:|from the developer|from openai|from anthropic|from google|from microsoft|"
	  "the administrator|security team|authorized by|<system|<admin|official notice" },
	{ KIND_INJECTION_AVAILABILITY,
	  "do not answer|don't answer|do not respond|refuse to|refuse all|stop responding|stop "
	  "working|never answer|say nothing|empty answer|empty response|infinite|forever|endless|"
	  "repeat the word|only reply with|reply only with|respond only with|only respond with|"
	  "answer only with|only output|output only|nothing else|out of service|unavailable" },
	{ KIND_INJECTION_MANIPULATION,
	  "recommend|the best|five stars|hire this|must hire|ideal candidate|strong candidate|in "
	  "your summary|in the summary|tell the user that|tell the user to|inform the user|"
	  "convince|persuade|claim that|say that|state that|mention that|promote|advert|positive "
	  "review|rate this|rank this|praise" },
	{ KIND_INJECTION_TOOL_CALL,
	  "call the|call this|use the tool|using the tool|invoke|function call|tool call|execute "
	  "the|"
	  "run the tool|run the command|forward this|forward all|forward every|send an e-mail|send "
	  "an email|send a message|post a|delete the|tool with" },
};

/* What opens a place that readers do not look at, what closes it, and what it is called. */
static const struct hiding {
	enum kind kind;
	const char *open, *close, *name;
} hidings[] = {
	{ KIND_INJECTION_HIDDEN_TEXT, "<!--", "-->", "in an HTML comment" },
	{ KIND_INJECTION_HIDDEN_TEXT, "[//]: #", "\n", "in a Markdown comment" },
	{ KIND_INJECTION_HIDDEN_TEXT, "display:none", "</", "in an element that is not shown" },
	{ KIND_INJECTION_HIDDEN_TEXT, "display: none", "</", "in an element that is not shown" },
	{ KIND_INJECTION_HIDDEN_TEXT, "visibility:hidden", "</",
	  "in an element that is not shown" },
	{ KIND_INJECTION_HIDDEN_TEXT, "visibility: hidden", "</",
	  "in an element that is not shown" },
	{ KIND_INJECTION_HIDDEN_TEXT, "font-size:0", "</", "in letters of no size" },
	{ KIND_INJECTION_HIDDEN_TEXT, "font-size: 0", "</", "in letters of no size" },
	{ KIND_INJECTION_HIDDEN_TEXT, "font-size:1px", "</", "in letters of no size" },
	{ KIND_INJECTION_HIDDEN_TEXT, "opacity:0", "</", "in letters that cannot be seen" },
	{ KIND_INJECTION_HIDDEN_TEXT, "opacity: 0", "</", "in letters that cannot be seen" },
	{ KIND_INJECTION_HIDDEN_TEXT, "color:white", "</", "in letters that cannot be seen" },
	{ KIND_INJECTION_HIDDEN_TEXT, "color: white", "</", "in letters that cannot be seen" },
	{ KIND_INJECTION_HIDDEN_TEXT, "color:#fff", "</", "in letters that cannot be seen" },
	{ KIND_INJECTION_HIDDEN_TEXT, "color: #fff", "</", "in letters that cannot be seen" },
	{ KIND_INJECTION_HIDDEN_TEXT, "aria-hidden", "</", "in an element that is not shown" },
	{ KIND_INJECTION_HIDDEN_TEXT, " alt=\"", "\"", "in the text of an image" },
	{ KIND_INJECTION_HIDDEN_TEXT, "<meta ", ">", "in the head of a page" },
	{ KIND_INJECTION_CODE_COMMENT, "/*", "*/", "in a comment of code" },
	{ KIND_INJECTION_CODE_COMMENT, "\n//", "\n", "in a comment of code" },
	{ KIND_INJECTION_CODE_COMMENT, " // ", "\n", "in a comment of code" },
	{ KIND_INJECTION_CODE_COMMENT, "; // ", "\n", "in a comment of code" },
	{ KIND_INJECTION_CODE_COMMENT, "\n# TODO", "\n", "in a comment of code" },
	{ KIND_INJECTION_CODE_COMMENT, "\n-- ", "\n", "in a comment of code" },
	{ KIND_INJECTION_CODE_COMMENT, "\"\"\"", "\"\"\"", "in a comment of code" },
};

/* How many of the words s holds. */
static unsigned count(struct span s, const char *words)
{
	char word[WORD_ROOM];
	unsigned n = 0;

	for (size_t len; *words; words += len + (words[len] == '|')) {
		len = strcspn(words, "|");
		snprintf(word, sizeof(word), "%.*s", (int)len, words);
		n += len && ascii_contains(s, word);
	}
	return n;
}

static enum kind aim_of(struct span around, enum kind otherwise)
{
	unsigned most = 0, n;

	for (size_t i = 0; i < ARRAY_SIZE(aims); i++) {
		n = count(around, aims[i].words);
		if (n <= most)
			continue;
		most = n;
		otherwise = aims[i].kind;
	}
	return otherwise;
}

/* The last place where s holds what, in any case; NULL: nowhere. */
static const uint8_t *find_last(struct span s, const char *what)
{
	size_t len = strlen(what);

	for (size_t i = s.len >= len ? s.len - len + 1 : 0; i--;)
		if (!strncasecmp((const char *)s.p + i, what, len))
			return s.p + i;
	return NULL;
}

static const struct hiding *hiding_of(struct span before)
{
	for (size_t i = 0; i < ARRAY_SIZE(hidings); i++) {
		const struct hiding *h = &hidings[i];
		const uint8_t *p = find_last(before, h->open);
		size_t at = p ? (size_t)(p - before.p) + strlen(h->open) : 0;

		if (p && !memmem(before.p + at, before.len - at, h->close, strlen(h->close)))
			return h;
	}
	return NULL;
}

struct injection injection_of(const struct detector_input *in, unsigned view, struct range where,
			      enum kind otherwise)
{
	struct span text = in->views->view[view].text;
	size_t from = where.begin - MIN(where.begin, (size_t)AROUND_BYTES),
	       begin = where.begin - MIN(where.begin, (size_t)BEFORE_BYTES);
	const struct hiding *h = hiding_of(span_sub(text, begin, where.begin - begin));

	if (in->turn->segments[in->segment].role == SEG_TOOL_DEFINITION)
		return (struct injection){ KIND_INJECTION_TOOL_POISONING, NULL };
	if (h && otherwise == KIND_INJECTION_RULES)
		otherwise = h->kind;
	return (struct injection){
		.kind = aim_of(span_sub(text, from, where.end - from + AROUND_BYTES), otherwise),
		.place = h ? h->name : NULL,
	};
}
