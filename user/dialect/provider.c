/* user/dialect/provider.c - hosts of AI APIs and the names of those who run them. */
#include "dialect/provider.h"

#include "base/own.h"
#include "dialect/dialect.h"

/* A leading dot: every host below that domain. A star: any bytes there. */
static const struct {
	const char *host, *name;
} providers[] = {
	{ "api.openai.com", "openai" },
	{ ".api.openai.com", "openai" },
	{ ".openai.azure.com", "azure-openai" },
	{ ".openai.azure.us", "azure-openai" },
	{ ".cognitiveservices.azure.com", "azure-openai" },
	{ ".services.ai.azure.com", "azure-ai" },
	{ ".models.ai.azure.com", "azure-ai" },
	{ "api.anthropic.com", "anthropic" },
	{ "generativelanguage.googleapis.com", "google" },
	{ "aiplatform.googleapis.com", "google-vertex" },
	{ "*-aiplatform.googleapis.com", "google-vertex" }, /* by region */
	{ ".aiplatform.googleapis.com", "google-vertex" },
	{ "api.mistral.ai", "mistral" },
	{ "api.cohere.com", "cohere" },
	{ "api.cohere.ai", "cohere" },
	{ "api.groq.com", "groq" },
	{ "api.x.ai", "xai" },
	{ "api.deepseek.com", "deepseek" },
	{ "api.together.xyz", "together" },
	{ "api.together.ai", "together" },
	{ "api.fireworks.ai", "fireworks" },
	{ "api.perplexity.ai", "perplexity" },
	{ "api.cerebras.ai", "cerebras" },
	{ "integrate.api.nvidia.com", "nvidia" },
	{ "openrouter.ai", "openrouter" },
	{ "router.huggingface.co", "huggingface" },
	{ ".endpoints.huggingface.cloud", "huggingface" },
	{ "models.github.ai", "github-models" },
	{ ".pinecone.io", "pinecone" },
	{ ".qdrant.io", "qdrant" },
	{ "api.trychroma.com", "chroma" },
	{ ".weaviate.cloud", "weaviate" },
	{ ".zillizcloud.com", "zilliz" },
	{ "api-inference.huggingface.co", "huggingface" },
	{ "bedrock-runtime*.amazonaws.com", "aws-bedrock" },
	{ "bedrock-agent-runtime*.amazonaws.com", "aws-bedrock" },
	{ "runtime.sagemaker*.amazonaws.com", "aws-sagemaker" },
};

static bool ends_with(struct span s, struct span with)
{
	return s.len > with.len && span_eq(span_sub(s, s.len - with.len, with.len), with);
}

static bool is_host(struct span host, struct span row)
{
	const uint8_t *star = memchr(row.p, '*', row.len);
	size_t head = star ? (size_t)(star - row.p) : 0;

	if (row.p[0] == '.')
		return ends_with(host, row);
	if (!star)
		return span_eq(host, row);
	return host.len >= row.len && span_starts(host, span_sub(row, 0, head)) &&
	       ends_with(host, span_sub(row, head + 1, row.len));
}

/* Without the port; an IPv6 address keeps its brackets. */
static struct span host_name(struct span host)
{
	size_t i = host.len;

	while (i && host.p[i - 1] >= '0' && host.p[i - 1] <= '9')
		i--;
	if (i && host.p[i - 1] == ':')
		host.len = i - 1;
	return host;
}

bool provider_of(const struct exchange *x, char *ret_name, size_t size)
{
	struct span host = host_name(x->host);

	for (size_t i = 0; i < ARRAY_SIZE(providers); i++) {
		struct span row = span_str(providers[i].host);

		if (is_host(host, row)) {
			turn_id(ret_name, size, span_str(providers[i].name));
			return true;
		}
	}
	/* Nobody else has this port. */
	if (ends_with(x->host, SPAN_LIT(":11434"))) {
		turn_id(ret_name, size, SPAN_LIT("ollama"));
		return true;
	}
	turn_id(ret_name, size, host);
	return false;
}
