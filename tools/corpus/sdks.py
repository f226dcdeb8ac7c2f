"""tools/corpus/sdks.py - which SDKs are recorded, how each is run, and the hosts that they are to believe they reach."""

PYTHON = ("{build}/venv/bin/python3", "{here}/client.py")
LITELLM = ("{build}/venv-litellm/bin/python3", "{here}/client.py")
NODE = ("node", "{build}/node/client.mjs")

# Those of Node.js answer what a Python client before them was answered: order matters.
SDKS = {
    "openai-python": (*PYTHON, "openai"),
    "anthropic-python": (*PYTHON, "anthropic"),
    "google-genai-python": (*PYTHON, "google"),
    "ollama-python": (*PYTHON, "ollama"),
    "mistralai-python": (*PYTHON, "mistral"),
    "cohere-python": (*PYTHON, "cohere"),
    "boto3": (*PYTHON, "bedrock"),
    "huggingface-hub": (*PYTHON, "huggingface"),
    "mcp-python": (*PYTHON, "mcp"),
    "langchain-openai": (*LITELLM, "langchain"),
    "litellm": (*LITELLM, "litellm"),
    "openai-node": (*NODE, "openai"),
    "anthropic-node": (*NODE, "anthropic"),
    "google-genai-node": (*NODE, "google"),
    "ollama-node": (*NODE, "ollama"),
    "mcp-node": (*NODE, "mcp"),
}

HOSTS = (
    "api.openai.com", "contoso.openai.azure.com", "contoso.services.ai.azure.com", "api.anthropic.com",
    "us-east5-aiplatform.googleapis.com", "generativelanguage.googleapis.com", "ollama.example", "api.mistral.ai", "api.cohere.com",
    "bedrock-runtime.us-east-1.amazonaws.com", "router.huggingface.co", "tgi.example", "mcp.example",
)
