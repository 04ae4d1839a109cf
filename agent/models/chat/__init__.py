"""Chat models behind an OpenAI-compatible server: system messages, lenient parsing of replies, the policy."""
