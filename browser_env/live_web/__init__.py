"""The live web: search providers, and pages fetched through the network client or rendered by Chromium."""
