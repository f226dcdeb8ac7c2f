/* user/detect/credential_data.c - the tables that credentials.def makes. */
#include <string.h>

#include "base/own.h"
#include "detect/credential.h"

#define BASE62 "[A-Za-z0-9]"
#define URL64  "[A-Za-z0-9_-]"
#define BASE64 "[A-Za-z0-9+/]"
#define HEX    "[0-9a-f]"
#define UUID   HEX "{8}-" HEX "{4}-" HEX "{4}-" HEX "{4}-" HEX "{12}"

enum {
	A = 0,
	B = CREDENTIAL_CONTEXT,
	BARE = CREDENTIAL_BARE,
	WHOLE = CREDENTIAL_WHOLE,
	VAGUE = CREDENTIAL_VAGUE,
	EXACT = CREDENTIAL_EXACT,
	WORDED = CREDENTIAL_WORDED,
};

#define KEY(t, n, f, c, w, a, s)                                                                   \
	{ .type = t, .name = n, .flags = f, .check = c, .words = w, .anchor = a, .shape = s },
#define INSIDE(t, n, f, c, w, a, least, most, s)                                                   \
	{ .type = t,                                                                               \
	  .name = n,                                                                               \
	  .flags = f,                                                                              \
	  .check = c,                                                                              \
	  .words = w,                                                                              \
	  .anchor = a,                                                                             \
	  .min = least,                                                                            \
	  .max = most,                                                                             \
	  .shape = s },
#define FOUND(t, n, f, c, a)                                                                       \
	{ .type = t, .name = n, .flags = f, .find = c, .words = "", .anchor = a },
#define ALSO(a) { .anchor = a },
#define NEAR(...)
#define RUN(...)
#define VALUE(...)
const struct credential credentials[] = {
#include "detect/credentials.def"
};
#undef KEY
#undef INSIDE
#undef FOUND
#undef ALSO
#undef NEAR
#undef RUN
#undef VALUE
const size_t n_credentials = ARRAY_SIZE(credentials);

#define KEY(...)
#define INSIDE(...)
#define FOUND(...)
#define ALSO(...)
#define NEAR(t, n, f, c, w, s)                                                                     \
	{ .type = t, .name = n, .flags = f, .check = c, .words = w, .shape = s },
#define RUN(...)
#define VALUE(...)
const struct credential credentials_near[] = {
#include "detect/credentials.def"
};
#undef NEAR
#undef RUN
const size_t n_credentials_near = ARRAY_SIZE(credentials_near);

#define NEAR(...)
#define RUN(t, n, f, c, s)                                                                         \
	{ .type = t, .name = n, .flags = f, .check = c, .words = "", .shape = s },
const struct credential credentials_run[] = {
#include "detect/credentials.def"
};
#undef RUN
#undef VALUE
const size_t n_credentials_run = ARRAY_SIZE(credentials_run);

#define RUN(...)
#define VALUE(t, n, f) { .type = t, .name = n, .flags = f, .words = "" },
const struct credential credentials_value[] = {
#include "detect/credentials.def"
};
const size_t n_credentials_value = ARRAY_SIZE(credentials_value);

/* clang-format off */
const char *const credential_words[] = {
	"--token", ".azure", "accountkey", "ai21", "akia", "alibaba", "aliyun", "api-key",
	"asana", "asia", "assemblyai", "authorization", "auths", "authtoken", "aws_", "azure",
	"azure_devops", "bearer", "bigmodel", "blob", "bluemix", "bootstrap", "brave", "cargo",
	"cf_api", "checkout", "clerk", "clickhouse", "clickup", "cloudflare", "co_api_key",
	"coderabbit", "cognition", "cognitiveservices", "cohere", "cookie", "coze", "crates",
	"cursor", "datadog", "dd-api", "dd_api", "dd_app", "deepgram", "deepl", "deepseek",
	"dev.azure", "devin", "docker", "documents", "ethereum", "exa-api", "exa.ai", "exa_",
	"exoscale", "facebook", "fireworks", "gitea", "glm-", "glm_", "ibm", "ibm_", "ibmcloud",
	"jenkins", "jwt", "kimi", "kubeadm", "launchdarkly", "login_with_api_key", "mailgun",
	"mattermost", "metamask", "mistral", "moonshot", "nats", "ngrok", "nkey", "notion",
	"npmrc", "ocp-apim", "octopus", "okta", "ollama", "openai", "pagerduty", "phantom",
	"postmark", "private_key", "privatekey", "rapidapi", "refresh_token", "registry",
	"render", "resend", "scaleway", "scw_", "secret-access", "secret_access", "secretaccess",
	"seed", "snyk", "solana", "square", "ssws", "stability", "system_accesstoken", "telnyx",
	"truenas", "twilio", "unseal", "vault", "visualstudio", "voyage", "wallet", "wandb",
	"weightsandbiases", "x-auth-key", "x-subscription", "x_auth_key", "x_subscription",
	"yandex", "z.ai", "zhipu",
};
/* clang-format on */
const size_t n_credential_words = ARRAY_SIZE(credential_words);

const struct credential *credential_row(size_t anchor)
{
	while (!credentials[anchor].type)
		anchor--;
	return &credentials[anchor];
}

const struct credential *credential_find(const char *type)
{
	const struct {
		const struct credential *v;
		size_t n;
	} tables[] = {
		{ credentials, n_credentials },
		{ credentials_run, n_credentials_run },
		{ credentials_near, n_credentials_near },
		{ credentials_value, n_credentials_value },
	};

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (size_t i = 0; i < tables[t].n; i++)
			if (tables[t].v[i].type && !strcmp(tables[t].v[i].type, type))
				return &tables[t].v[i];
	return NULL;
}

bool credential_word(const char *words, const char *word)
{
	size_t n = strlen(word);
	const char *at = words;

	while ((at = strstr(at, word))) {
		if ((at == words || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
			return true;
		at += n;
	}
	return false;
}
