"""Chat models behind an OpenAI-compatible server: the prompt, the lenient reading of replies, the policy."""
