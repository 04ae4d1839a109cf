"""Browse a web of your own with the ten commands: python examples/own_web.py [FOLDER].

The folder may hold HTML, Markdown and text files. It becomes an offline collection: one SQLite file with search.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from browser_env import BrowserEnv, Collection, Folder, Settings, build

NOTES = {
    "crows.md": "# Crows\n\nCrows drop [nuts](nuts.md) on roads and let cars crack them.\n",
    "nuts.md": "# Nuts\n\nA walnut needs a force of about 400 newtons to crack.\n",
}


def main(folder: str | None = None) -> None:
    """Index the folder, then search it, open a page and quote from it."""
    with TemporaryDirectory() as temporary:
        root = Path(folder) if folder else Path(temporary) / "notes"
        if not folder:
            root.mkdir()
            for name, text in NOTES.items():
                (root / name).write_text(text)

        file = Path(temporary) / "notes.sqlite"
        report = build(file, Folder(root))
        print(f"{report.num_pages} pages, {len(report.skipped)} files skipped\n")

        with Collection.open(file) as web:
            env = BrowserEnv(web, Settings(view_height=12))
            observation = env.reset("Why do crows drop nuts on roads?")
            for command in ("Search crows nuts roads", "Clicked on link 0", "Quote: let cars crack them", "End: Answer"):
                step = env.step(command)
                observation = step.observation
                print(f"{command}{f' (invalid: {step.info.problem})' if step.info.problem else ''}")
            print(f"\n{observation}")


if __name__ == "__main__":
    main(*sys.argv[1:])
