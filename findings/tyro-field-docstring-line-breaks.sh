#!/usr/bin/env bash
# tyro 1.0.17 joins the lines of a command's own docstring into paragraphs, but keeps the line breaks of a field's docstring:
# the continuation lines of an attribute docstring are indented, tyro joins only lines that begin with a letter, and it removes
# the indentation afterwards. Source code that is wrapped at 80 columns so gives --help texts with ragged lines.
# The text of a command and that of a field, wrapped alike in the source, therefore look different in one --help.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tyro==1.0.17
cat > "$folder/command.py" <<'PYTHON'
from dataclasses import dataclass

import tyro


@dataclass
class Command:
    """The description of this command is
    wrapped in the source."""

    size: int = 1
    """The description of this field is
    wrapped in the source."""


tyro.cli(Command)
PYTHON
help=$(COLUMNS=120 "$folder/venv/bin/python" "$folder/command.py" --help)
printf '%s\n' "$help"
# Seen: one line for the command,
grep -q 'The description of this command is wrapped in the source\.' <<<"$help"
# and two lines for the field, at a width that has room for one.
grep -q 'The description of this field is  *│' <<<"$help"
grep -q '│  *wrapped in the source\. (default: 1)' <<<"$help"
echo "As described."
